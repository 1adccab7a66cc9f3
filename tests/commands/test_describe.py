"""`cadence describe`: its four forms, and the comparison."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands.described_modules import MINE


def described(cadence: Any, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert cadence("describe", *arguments, "--format", "json") == 0
    return json.loads(capsys.readouterr().out)


def test_the_table(cadence, capsys) -> None:
    assert cadence("describe", "AlexNet", "num_classes=1000") == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.out.splitlines() if "│" in line]
    assert rows[0] == [
        "features.0", "Conv2d", "96 x 55 x 55", "11 /4 pad 2", "11", "4", "290,400", "34,848", "96", "105,415,200",
        "(11*11*3)*96 + 96 = 34,944",
    ]  # fmt: skip
    totals = next(row for row in rows if row[0] == "total")
    assert totals[6:] == ["1,258,760", "60,954,656", "10,568", "724,406,816", "60,954,656 + 10,568 = 60,965,224"]
    assert ["parameters", "243,860,896", "243.9 MB"] in rows


def test_csv_and_markdown_say_the_same(cadence, capsys) -> None:
    assert cadence("describe", "SmallCNN", "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["layer"] for row in rows] == ["conv1", "pool", "conv2", "pool", "fc1"]
    assert [row["field"] for row in rows] == ["3x3", "4x4", "8x8", "10x10", "28x28"]
    assert sum(int(row["weights"]) + int(row["biases"]) for row in rows) == 2710
    assert rows[2]["written_out"] == "(3*3*16)*4 + 4 = 580"
    assert cadence("describe", "SmallCNN", "--format", "markdown") == 0
    lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [line[0].strip("| ") for line in lines[1:6]] == ["conv1", "pool", "conv2", "pool", "fc1"]
    assert lines[3][-1] == r"(3\*3\*16)\*4 + 4 = 580 |"


def test_json(cadence, capsys) -> None:
    told = described(cadence, capsys, "VGG19", "num_classes=1000", "--no-bias", "--batch-size", "2")
    assert (told["weights"], told["biases"], told["activations"]) == (143_652_544, 0, 16_542_184 - 150_528)
    assert told["output_shape"] == [1000] and told["predicted_bytes"]["images"] == 2 * 4 * 150_528


def test_options_reach_model_and_memory(cadence, capsys) -> None:
    told = described(
        cadence, capsys, "MLP", "hidden_sizes=[20, 10]", "--input-shape", "3,8,8", "--optimizer", "SGD",
        "--optimizer.momentum", "0.9", "--optimizer.lr", "1e-3", "--precision", "64-true",
    )  # fmt: skip
    count = 193 * 20 + 21 * 10 + 11 * 10
    assert told["weights"] + told["biases"] == count and told["input_shape"] == [3, 8, 8]
    assert told["predicted_bytes"]["parameters"] == told["predicted_bytes"]["optimizer_state"] == 8 * count


def test_measured_beside_predicted(cadence, capsys) -> None:
    told = described(cadence, capsys, "MLP", "--measure", "cpu", "--batch-size", "4")
    predicted, measured = told["predicted_bytes"], told["measured_bytes"]
    assert measured.pop("device") == "cpu" and list(measured) == ["forward", "training_step"]
    assert all(predicted[name] == pytest.approx(size, rel=0.1) for name, size in measured.items())
    assert cadence("describe", "MLP", "--measure=cpu", "--batch-size", "4", "--format", "markdown") == 0
    shown = capsys.readouterr()
    assert "measured on cpu |  | predicted / measured |" in shown.out and shown.err == ""
    row = next(line.strip("| ").split(" | ") for line in shown.out.splitlines() if line.startswith("| training step"))
    sizes = [int(row[place].replace(",", "")) for place in (1, 3)]
    assert sizes == [predicted["training_step"], measured["training_step"]]
    assert row[5] == f"{sizes[0] / sizes[1]:.3f}"


def test_measured_of_two(cadence, capsys) -> None:
    told = described(cadence, capsys, "MLP", "--compare", "MLP", "hidden_sizes=[20]", "--measure", "cpu")
    first, second = (one["measured_bytes"]["forward"] for one in told["models"])
    assert told["ratio"]["forward, bytes, measured on cpu"] == first / second > 1


def test_a_module_that_prints_and_keeps_what_it_computes(cadence, capsys, tmp_path: Path) -> None:
    (tmp_path / "described_wrongly.py").write_text(MINE)
    told = described(cadence, capsys, "described_wrongly.Default", "--input-shape", "3,8,8", "--measure", "cpu")
    assert told["output_shape"] == [4, 6, 6] and told["measured_bytes"]["training_step"] > 0


def test_a_module_from_where_one_stands(cadence, capsys, tmp_path: Path) -> None:
    (tmp_path / "described_here.py").write_text(MINE)
    before = list(sys.path)
    told = described(cadence, capsys, "described_here.Wide", "width=5", "--input-shape", "3,6,4")
    assert told["layers"][0]["output"] == "5x4x2" and sys.path == before


def test_inception_blocks_side_by_side(cadence, capsys) -> None:
    assert cadence("describe", "NaiveInception", "--compare", "ReducedInception") == 0
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    assert ["output", "672 x 32 x 32", "480 x 32 x 32", "", ""] in rows
    assert ["multiply-adds", "1,115,684,864", "354,418,688", "3.148", "68.23 %"] in rows


def test_multiply_adds_that_are_a_bound_are_told(cadence, capsys, tmp_path: Path) -> None:
    (tmp_path / "described_with_bounds.py").write_text(MINE)
    arguments = ("described_with_bounds.Frequencies", "--input-shape", "3,8,8")
    told = described(cadence, capsys, *arguments)
    assert (told["multiply_adds"], told["multiply_adds_are_exact"]) == (240, False)
    assert told["operations_not_counted"] == ["_fft_r2c"] and told["layers"][0]["multiply_adds_are_exact"]
    assert cadence("describe", *arguments) == 0
    shown = capsys.readouterr().out
    assert ">= 240" in shown and "at least so many, without those of _fft_r2c, for which there is no rule" in shown
    both = (*arguments, "--compare", "described_with_bounds.Wide")
    assert "multiply-adds" not in described(cadence, capsys, *both)["ratio"]
    assert cadence("describe", *both) == 0
    shown = capsys.readouterr().out
    assert "at least so many" in shown
    row = next(line for line in shown.splitlines() if "│ multiply-adds" in line)
    assert [cell.strip() for cell in row.split("│")] == ["", "multiply-adds", ">= 240", "3,888", "", "", ""]
    assert described(cadence, capsys, "SmallCNN")["multiply_adds_are_exact"]


TEXT = ("described_inputs.TextNet", "--input-shape", "12", "--input-dtype", "int64")
NOISY = ("described_inputs.Denoiser", "--input-shape", "3,8,8", "--input-shape", "scalar")
KINDS = ("--input-dtype", "float", "--input-dtype", "int64")


def test_modules_of_whole_numbers(cadence, capsys, tmp_path: Path) -> None:
    (tmp_path / "described_inputs.py").write_text(MINE)
    told = described(cadence, capsys, *TEXT, "--measure", "cpu")
    assert [(row["layer"], row["output"], row["field"]) for row in told["layers"]] == [
        ("embed", "12x8", ""), ("fc", "2", ""),
    ]  # fmt: skip
    assert (told["multiply_adds"], told["weights"], told["biases"]) == (16, 816, 2)
    assert told["inputs"] == [{"shape": [12], "dtype": "int64"}]
    assert told["predicted_bytes"]["images"] == 64 * 12 * 8 and told["measured_bytes"]["training_step"] > 0
    assert cadence("describe", *TEXT) == 0
    shown = capsys.readouterr().out
    assert (
        "TextNet on 12 (int64), for one sample" in shown and f"with the input, {12 * 8 + 2 + 12} activations" in shown
    )


def test_modules_of_several_inputs(cadence, capsys, tmp_path: Path) -> None:
    (tmp_path / "described_inputs.py").write_text(MINE)
    told = described(cadence, capsys, *NOISY, *KINDS, "--batch-size", "4", "--measure", "cpu")
    assert [(row["layer"], row["field"]) for row in told["layers"]] == [("conv", "3x3"), ("times", ""), ("back", "3x3")]
    assert told["input_shape"] == [3, 8, 8] and told["inputs"][1] == {"shape": [], "dtype": "int64"}
    assert told["predicted_bytes"]["images"] == 4 * (192 * 4 + 8) and told["multiply_adds"] == 64 * (4 * 27 + 12)
    masked = described(cadence, capsys, *NOISY, "--input-shape", "1,8,8", *KINDS, "--input-dtype", "bool")
    assert len(masked["inputs"]) == 3
    two = described(cadence, capsys, "described_inputs.Two", *["--input-shape", "3,8,8"] * 2, "--compare",
                    "described_inputs.Two")  # fmt: skip
    assert [len(model["inputs"]) for model in two["models"]] == [2, 2]
    assert cadence("describe", *NOISY, *KINDS) == 0
    assert "Denoiser on 3 x 8 x 8 and scalar (int64), for one sample" in capsys.readouterr().out


def test_comparison_takes_options_for_each(cadence, capsys) -> None:
    arguments = ("describe", "AlexNet", "num_classes=1000", "--compare", "AlexNet", "num_classes=1000", "groups=1")
    for form in ("csv", "json", "markdown"):
        assert cadence(*arguments, "--format", form) == 0
        shown = capsys.readouterr().out
        shown = shown.replace(",", "") if form == "markdown" else shown
        assert "60954656" in shown and "62367776" in shown


def test_what_the_help_offers_is_what_there_is() -> None:
    from commands.describe import INPUT_DTYPES, PRECISIONS
    from inspection.inputs import DTYPES
    from inspection.memory import predicted

    assert list(PRECISIONS) == list(predicted.PRECISIONS)
    assert list(INPUT_DTYPES) == list(DTYPES)


def test_options_may_stand_anywhere_and_belong_to_the_model_before_them(cadence, capsys) -> None:
    orders = [
        ["MLP", "hidden_sizes=[20]", "--compare", "MLP", "--input-shape=1,8,8", "hidden_sizes=[5]"],
        ["--input-shape", "1,8,8", "MLP", "hidden_sizes=[20]", "--compare=MLP", "hidden_sizes=[5]"],
    ]
    for words in orders:
        models = described(cadence, capsys, *words)["models"]
        assert [model["layers"][0]["output"] for model in models] == ["20", "5"]
        assert all(model["input_shape"] == [1, 8, 8] for model in models)
