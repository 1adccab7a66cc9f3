"""Which commands need torch, and that the others, and every help, import none: they answer in a second."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli import COMMANDS
from commands.configuration.signatures import SECTIONS
from tests.commands.test_surface import ROOT, TRAINERS, parser_of

TORCH = ("torch", "pytorch_lightning", "torchvision", "jsonargparse")
# What needs none, with words to try it by; `data show`, `study run` and `study show` of cells need it.
WITHOUT = {
    "list": [["list"], ["list", "models"]],
    "data": [["data", "verify", "MNIST"], ["data", "fetch", "Nothing"]],
    "plot-runs": [["plot-runs", "run", "--out", "curves.png"]],
    "study": [["study", "list"], ["study", "show", "precision"], ["study", "report", "precision"]],
}
# What trains, or looks at a network, or works out what would be trained.
WITH = {*TRAINERS, "plot-schedule", "describe", "gradient-check"}


def imported(words: list[str], folder: Path) -> list[str]:
    """Heavy modules that a fresh process has imported once it has run a command."""
    code = (
        f"import sys\nfrom cli import main\nstatus = main({words})\n"
        f"print([status, *(name for name in {TORCH} if name in sys.modules)])"
    )
    variables = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "CADENCE_DATA": str(folder / "data"),
        "HOME": str(folder),
    }
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, env=variables)
    assert done.returncode == 0, done.stderr
    status, *found = json.loads(done.stdout.splitlines()[-1].replace("'", '"'))
    assert status in (0, 2), done.stderr
    return found


def test_every_command_is_in_one_of_the_lists() -> None:
    assert set(WITHOUT) | WITH == set(COMMANDS) and not set(WITHOUT) & WITH


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's record, as far as it is drawn, and a study's."""
    folder = tmp_path / "run"
    folder.mkdir()
    rows = "".join(f"{step},{step / 8},{64 * step},0.{step},2.{9 - step},0.{step}\n" for step in range(1, 9))
    (folder / "metrics.csv").write_text(f"step,epoch,samples,seconds,train/loss,val/accuracy\n{rows}")
    return tmp_path


@pytest.mark.parametrize("words", [words for each in WITHOUT.values() for words in each], ids=" ".join)
def test_without_torch(words: list[str], run: Path) -> None:
    assert imported(words, run) == []


@pytest.mark.parametrize("command", TRAINERS)
def test_the_help_of_a_command_that_trains_shows_what_its_parser_takes(command: str, cadence, capsys) -> None:
    """Its options are read from the sources; the parser, which is built from the classes, knows them and no others."""
    assert cadence(command, "--help") == 0
    shown = capsys.readouterr().out
    lines = [line.split()[0].lstrip("-") for line in shown.splitlines() if line.startswith("  --")]
    parser = parser_of(command)
    own_and_trainer = parser.get_defaults().keys()  # a Namespace: iterating over itself fails
    known = {name for name in own_and_trainer if "." not in name or name.startswith(("trainer.", "range_"))}
    assert set(lines) - {"print_config"} == known - {"config", "range_test", *SECTIONS}
    assert all(len(line) <= 80 for line in shown.splitlines())
    said = dict(zip(lines, shown.partition("\noptions:")[2].split("\n  --")[1:], strict=False))
    for name, default in parser.get_defaults().as_dict().items():
        if name in said and isinstance(default, str | int | float) and not isinstance(default, bool):
            assert f"({default})" in " ".join(said[name].split()), name


def test_with_further_words_the_parser_s_own_help_is_shown(cadence, capsys) -> None:
    assert cadence("fit", "--model.help", "MLP") == 0
    assert "--model.hidden_sizes" in capsys.readouterr().out
    assert cadence("fit", "--seed_everything", "3", "--help") == 0
    assert "known subclasses:" in capsys.readouterr().out
