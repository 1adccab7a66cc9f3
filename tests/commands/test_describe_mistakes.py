"""A mistake in `cadence describe` is told in one line."""

from pathlib import Path

import pytest

from tests.commands.described_modules import MINE


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["SmalCNN"], "nearest: SmallCNN"),
        (["torch.optim.SGD"], "is no class of torch.nn.Module"),
        (["nowhere.Net"], "No module named 'nowhere'"),
        (["described_wrongly.Two", "--input-shape", "3,8,8"], "takes 2 inputs (first, second): give an --input-shape"),
        (["described_wrongly.Two", *["--input-shape", "3,8,8"] * 3], "takes 2 inputs (first, second), got 3"),
        (["SmallCNN", *["--input-shape", "1,28,28"] * 2], "takes 1 input (images), got 2"),
        (
            ["described_wrongly.Two", *["--input-shape", "3"] * 2, "--input-dtype", "bool"],
            "once with each --input-shape",
        ),
        (["described_wrongly.TextNet", "--input-dtype", "int64"], "e.g. --input-shape 128 --input-dtype int64"),
        (["described_wrongly.TextNet", "--input-shape", "12", "--input-dtype", "int"], "--input-dtype must be one of"),
        (["described_wrongly.TextNet", "--input-shape", "12"], "TextNet does not take inputs of 12 ("),
        (["SmallCNN", "--input-shape", "1,28,28", "--input-dtype", "uint8"], "takes images, got 1 x 28 x 28 (uint8)"),
        (["described_wrongly.Silent", "--input-shape", "3,8,8"], "returns no tensor: name a module that does"),
        (["described_wrongly.Reading", "--input-shape", "3,8,8"], "its forward pass reads values"),
        (["described_wrongly.Wide"], "--input-shape 3,32,32"),
        (["described_wrongly.Wide", "--input-shape", "4,8,8"], "does not take images of 4 x 8 x 8"),
        (["described_wrongly.Wide", "--input-shape", "3,2,2"], "does not take images of 3 x 2 x 2"),
        (["fasterrcnn_resnet50_fpn"], "its forward pass reads values"),
        (["described_wrongly.Keyword", "--input-shape", "3,8,8"], "takes no input by its position"),
        (["described_wrongly.Still", "--input-shape", "3,8,8"], "has no forward of its own"),
        (["described_wrongly.Places", "--input-shape", "3,8,8"], "gives no tensor of real or complex numbers"),
        (["described_wrongly.Blank", "--input-shape", "3,8,8"], "does not take images of 3 x 8 x 8 (ValueError)"),
        (["MLP", "--measure", "cpu", "--format", "csv"], "take --format json"),
        (["SmallCNN", "--input-shape", "3,-8,8"], "--input-shape must be positive"),
        (["SmallCNN", "--input-shape", "0,8,8"], "--input-shape must be positive"),
        (["SmallCNN", "--input-shape", "28,28"], "C,H,W"),
        (["SmallCNN", "--input-shape", "1,28,x"], "C,H,W"),
        (["SmallCNN", "--input-shape", "1,2,2"], "4 x 4 or larger, got 2 x 2: give --input-shape C,4,4"),
        (["AlexNet", "--input-shape", "3,28,28"], "give --input-shape C,224,224"),
        (["SmallCNN", "num_classes=-1"], "num_classes must be at least 1, got -1"),
        (["SmallCNN", "num_classes=ten"], "takes a whole number"),
        (["SmallCNN", "num_clases=3"], "nearest: num_classes"),
        (["SmallCNN", "num_classes=[1"], "is no value"),
        (["num_classes=3"], "an option before any model"),
        (["SmallCNN", "AlexNet"], "a second model"),
        (["--no-bias"], "name a model"),
        (["SmallCNN", "--batch-size", "0"], "--batch-size must be a whole number of at least 1, got 0"),
        (["ThirteenLayerCNN", "--batch-size", "1"], "give another --batch-size"),
        (["SmallCNN", "--precision", "8"], "--precision must be one of 64-true"),
        (["SmallCNN", "--measure", "tpu"], "--measure must be one of cpu, cuda, got 'tpu'"),
        (["SmallCNN", "--measure"], "--measure needs a value"),
        (["SmallCNN", "--measure", "cuda"], "torch finds no CUDA device here: measure on cpu"),
        (["MLP", "--measure", "cpu", "--batch-size", "999999999"], "that are free: give a smaller batch"),
        (["SmallCNN", "--format", "xml"], "--format must be one of table"),
        (["SmallCNN", "--fromat", "csv"], "nearest: --format"),
        (["SmallCNN", "--format"], "--format needs a value"),
        (["SmallCNN", "--compare"], "--compare needs a value"),
        (["SmallCNN", "--compare", "MLP", "--compare", "MLP"], "--compare goes once"),
        (["SmallCNN", "--optimizer", "Adaam"], "nearest: Adam"),
        (["SmallCNN", "--optimizer", "Adam", "--optimizer.lr", "-1"], "Invalid learning rate: -1"),
        (["SmallCNN", "--optimizer.mom", "1"], "unexpected keyword argument 'mom'"),
    ],
)
def test_mistakes(cadence, capsys, monkeypatch, tmp_path: Path, arguments: list[str], expected: str) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (tmp_path / "described_wrongly.py").write_text(MINE)
    assert cadence("describe", *arguments) == 2
    told = capsys.readouterr()
    assert told.out == "" and len(told.err.strip().splitlines()) == 1, told
    assert expected in told.err, told.err
