"""The bar of training in a file: plain lines, each of which says something."""

import re
from pathlib import Path

import pytest

import callbacks.training_progress
import trainer.progress
from tests.forked import forked

FIT = [
    "fit", "-c", "digits_demo", "--trainer.max_epochs", "2", "--trainer.accelerator", "cpu", "--run_dir", "run",
    "--trainer.callbacks+={class_path: LRRangeTest, init_args: {steps: 20, seeds: 1}}",
]  # fmt: skip
VALUES = r"(, loss \d\.\d{4}, accuracy \d\.\d{4})?(, val \d\.\d{4})?(, images/s [\d,]+)?"
STEP = re.compile(rf"step \d+ \(epoch \d, \d+ of 34 batches\){VALUES}")


def at_every_step() -> None:
    callbacks.training_progress.seconds_between = trainer.progress.seconds_between = lambda stream: 0


@pytest.mark.parametrize("pace", [at_every_step, lambda: None], ids=["at every step", "once a minute"])
def test_a_log_holds_plain_lines(pace, tmp_path: Path) -> None:
    done = forked(*FIT, cwd=tmp_path, first=pace, limit=30)
    assert done.status == 0 and not any(sign in done.out + done.err for sign in "\r\x1b")
    told = done.err.splitlines()
    assert told[0] == "LR range test: 0 of 20 steps" and told[-1].startswith("LR range test: ")
    lines = done.out.splitlines()
    assert lines[0] == "training begins after step 0"
    steps = [line for line in lines if line.startswith("step ")]
    assert all(STEP.fullmatch(line) for line in steps) and len(steps) == (68 if pace is at_every_step else 0)
    assert not steps or "images/s" in steps[-1]


def test_a_terminal_has_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    bar = callbacks.TrainingProgress()
    assert bar.is_enabled and not bar.in_lines
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    bar = callbacks.TrainingProgress()
    assert bar.is_disabled and bar.in_lines
