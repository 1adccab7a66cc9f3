"""A command says that it is loading before it imports anything that takes long, and says it where it harms nobody."""

import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from cli import COMMANDS

ROOT = Path(__file__).parents[2]
# Words that lead each command to where it loads, and what it loads first; "" for one that loads nothing.
LOADS = {
    "fit": ("-c digits_demo", "torch"),
    "test": ("--model MLP --checkpoint x.ckpt", "torch"),
    "validate": ("--model MLP --checkpoint x.ckpt", "torch"),
    "predict": ("--model MLP --checkpoint x.ckpt", "torch"),
    "lr-range-test": ("-c digits_demo", "torch"),
    "batch-size-range-test": ("-c digits_demo", "torch"),
    "list": ("models", ""),
    "data": ("show Digits", "pytorch_lightning"),
    "plot-schedule": ("-c digits_demo", "pytorch_lightning"),
    "plot-runs": ("run", "matplotlib"),
    "describe": ("SmallCNN", "torch"),
    "gradient-check": ("-c digits_demo", "pytorch_lightning"),
    "study": ("", ""),
}
# Ends the process where the module would be loaded, so that nothing is.
STOPPED = """
import sys
from importlib.abc import MetaPathFinder
class Stop(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name in ("torch", "matplotlib", "pytorch_lightning", "torchvision", "jsonargparse"):
            print("STOPPED AT", name, file=sys.stderr)
            sys.exit(0)
sys.meta_path.insert(0, Stop())
from cli import main
sys.exit(main(sys.argv[1:]))
"""


def run(words: str, folder: Path, err: int = subprocess.PIPE, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", STOPPED, *words.split()]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | env
    return subprocess.run(
        command, cwd=folder, env=environment | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=err, text=True
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.csv").write_text("step,epoch,samples,seconds\n1,1,1,1\n")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_a_terminal_is_told(command: str, folder: Path) -> None:
    words, loads = LOADS[command]
    ours, theirs = pty.openpty()
    done = run(f"{command} {words}", folder, err=theirs)
    os.close(theirs)
    told = ""
    with contextlib.suppress(OSError):  # a terminal's end
        while chunk := os.read(ours, 10_000):
            told += chunk.decode().replace("\r", "")
    os.close(ours)
    assert told == (f"cadence {command}: loading ...\nSTOPPED AT {loads}\n" if loads else "")
    assert "loading" not in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_log_is_told_and_a_result_is_not(command: str, folder: Path) -> None:
    done = run(f"{command} {LOADS[command][0]}", folder)
    trains = COMMANDS[command][0] == "commands.training"
    assert ("loading" in done.stdout) == trains and "loading" not in done.stderr
    assert not trains or done.stdout == f"cadence {command}: loading ...\n"


@pytest.mark.parametrize("words", ["fit --help", "fit -h"])
def test_the_help_loads_nothing(words: str, folder: Path) -> None:
    done = run(words, folder)
    assert done.stderr == "" and done.stdout.startswith("usage: cadence fit")


@pytest.mark.parametrize(
    "words", ["fit -c digits_demo --print_config", "fit -c digits_demo --help", "fit --model.help=MLP"]
)
def test_what_is_printed_for_somebody_to_keep_is_not_preceded(words: str, folder: Path) -> None:
    done = run(words, folder)
    assert done.stdout == "" and done.stderr.startswith("STOPPED AT ")


def test_the_first_process_alone_says_it(folder: Path) -> None:
    assert run("fit -c digits_demo", folder, LOCAL_RANK="1").stdout == ""
    assert run("fit -c digits_demo", folder, LOCAL_RANK="0").stdout.startswith("cadence fit: loading")


@pytest.mark.parametrize("words", ["fit -c digits_demo --trainer.max_epoch 3", "list modles", "describe --formt csv"])
def test_a_mistake_that_needs_nothing_loads_nothing(words: str, folder: Path) -> None:
    done = run(words, folder)
    assert (done.returncode, done.stdout) == (2, "") and "loading" not in done.stderr
