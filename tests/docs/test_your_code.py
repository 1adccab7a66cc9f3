"""The commands of `docs/your_code.md`, typed one after the other in a folder of tiny photographs; only shorter."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PAGE = Path(__file__).resolve().parents[2] / "docs" / "your_code.md"
COLOURS = {"cat": (190, 60, 60), "dog": (60, 190, 60), "owl": (60, 60, 190)}
SHORTER = {
    "lr-range-test": ["--range_test.steps", "40", "--range_test.seeds", "1", "--trainer.accelerator", "cpu"],
    "--trainer.callbacks+=LRRangeTest": ["--trainer.callbacks.steps", "40", "--trainer.callbacks.seeds", "1"],
    "fit": ["--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"],
}


def commands(section: str) -> list[list[str]]:
    """The words of each command in the code blocks of a section."""
    text = PAGE.read_text().partition(f"## {section}\n")[2].partition("\n## ")[0].replace("\\\n", " ")
    return [shlex.split(line) for line in re.findall(r"^cadence (.+)$", text, re.MULTILINE)]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """photos/ in torchvision's layout, and arrays.npz."""
    monkeypatch.setenv("CADENCE_DATA", str(tmp_path / "cache"))
    generator = np.random.default_rng(0)
    for part, count in (("train", 24), ("test", 6)):
        for name, colour in COLOURS.items():
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = np.clip(generator.normal(colour, 50, (36 + number % 4, 40, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    labels = generator.permutation(np.arange(120) % 3)
    images = generator.integers(0, 200, (120, 12, 12), dtype=np.uint8)
    np.savez(tmp_path / "arrays.npz", x_train=images, y_train=labels)


@pytest.mark.slow
@pytest.mark.usefixtures("photos")
def test_from_a_folder_to_a_tested_network(cadence, capsys) -> None:
    typed = commands("Your own images")
    assert [words[0] for words in typed] == ["data", "lr-range-test", "fit", "test", "data", "fit"]
    for words in typed:
        shorter = [part for word in words[1:] for part in (word, *SHORTER.get(word, []))]
        assert cadence(words[0], *shorter, *SHORTER.get(words[0], [])) == 0, words
    shown = capsys.readouterr().out
    assert "ImageFolder: 90 images of 32 x 32 x 3, 3 classes" in shown
    assert 1e-4 < json.loads(Path("runs/range_test/lr_range_test.json").read_text())["lr"] < 1
    result = json.loads(Path("runs/photos/result.json").read_text())
    assert result["parameters"] == 11_178_051  # ResNet-18 with 3 classes in place of 1,000
    assert result["metrics"]["test/accuracy"] > 0.9, result["metrics"]
    assert json.loads(Path("runs/photos/test.json").read_text())["metrics"] == {
        name: value for name, value in result["metrics"].items() if name.startswith("test/")
    }


def test_the_module_and_the_data_of_the_page(cadence, tmp_path: Path, capsys) -> None:
    """The folder is the working directory of the commands."""
    section = PAGE.read_text().partition("## Your own module and data\n")[2]
    (tmp_path / "mine.py").write_text(re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0])
    typed = commands("Your own module and data")
    assert [words[0] for words in typed] == ["fit", "fit", "validate"] and "--resume" in typed[1]
    for words in typed:
        assert cadence(*words, "--trainer.enable_progress_bar", "false") == 0, words
    told = capsys.readouterr()
    assert "no test after the training: Net has no test_step" in told.err and "val_acc" in told.out
    result = json.loads(Path("runs/mine/result.json").read_text())
    validated = json.loads(Path("runs/mine/validate.json").read_text())["metrics"]
    assert validated["val_acc"] == result["best"]["value"]
    assert result["steps"] == 30 and [part["to"] for part in result["segments"]] == [20, 30]
