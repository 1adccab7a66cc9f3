"""A range test on two processes that are killed goes on where it was, and finds what the unbroken one finds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.callbacks.range_tests.test_kept_trials import NET, SIZES, results

SCRIPT = """
import os

from callbacks.range_tests import kept_trials
from callbacks.range_tests.rehearsal import Rehearsal
from cli import main

kept_trials.KEEP_EVERY = 0.0
step, count, last = Rehearsal.step, [0], int(os.environ["LAST"])

def counting(self, number, lr):
    if count[0] == last:
        os._exit(9)
    count[0] += 1
    return step(self, number, lr)

Rehearsal.step = counting
raise SystemExit(main())
"""


@pytest.mark.slow
def test_killed_and_resumed_equals_unbroken(tmp_path: Path) -> None:
    """Batch norm's buffers, which differ between the processes, are in the losses on held-out images."""
    script, house = tmp_path / "script.py", Path(__file__).resolve().parents[3]
    script.write_text(SCRIPT)

    def run(*arguments: object, last: int = -1) -> subprocess.CompletedProcess:
        variables = {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "PYTHONPATH": str(house), "LAST": str(last)}
        return subprocess.run(
            [sys.executable, str(script), "fit", *map(str, arguments)], cwd=tmp_path, capture_output=True, text=True,
            timeout=300, env=os.environ | variables,
        )  # fmt: skip

    two = (*NET, "--data", "Digits", "--trainer.devices", "2", "--trainer.strategy", "ddp", "--trainer.accelerator",
           "cpu", "--trainer.enable_progress_bar", "false", *SIZES)  # fmt: skip
    whole = run(*two, "--run_dir", "whole")
    assert whole.returncode == 0, whole.stderr[-3000:]
    assert run(*two, "--run_dir", "run", last=45).returncode != 0
    one = run("--resume", "run", "--trainer.devices", "1", "--trainer.strategy", "auto")
    assert one.returncode == 2 and "was kept with processes 2, not 1" in one.stderr
    assert run("--resume", "run", last=16).returncode != 0
    resumed = run("--resume", "run")
    assert resumed.returncode == 0, resumed.stderr[-3000:]
    assert results(tmp_path / "run") == results(tmp_path / "whole")
