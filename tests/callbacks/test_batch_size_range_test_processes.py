"""The batch-size range test in two processes gives what one gives, and both agree about memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.callbacks.conftest import QUICK, found, table

SCRIPT = """
import torch
from callbacks.range_tests.rehearsal import Rehearsal
from cli import main
from lightning_modules.classifier import ImageClassifier

accumulate, step, sizes = ImageClassifier.accumulate, torch.optim.Adam.step, [0]

def require_memory(size):
    if torch.distributed.get_rank() == 1 and sizes[-1] == size:
        raise torch.OutOfMemoryError("out of memory")

def small_memory(self, batch, rows, backward, totals):
    sizes.append(len(batch[1]))
    require_memory(32)
    return accumulate(self, batch, rows, backward, totals)

def small_state(self, *arguments, **keywords):
    require_memory(50)
    return step(self, *arguments, **keywords)

ImageClassifier.accumulate, torch.optim.Adam.step = small_memory, small_state
raise SystemExit(main())
"""


@pytest.mark.slow
def test_two_processes_agree_with_one_and_about_memory(fit, tmp_path: Path) -> None:
    """Sizes for which one process alone lacks memory, for the gradient or for the optimizer's state, fit neither.

    The others have one process's losses, and the noise scale too.
    """
    from tests.callbacks.conftest import PLAIN

    options = (
        *QUICK, "--trainer.callbacks.sizes", "[16,31,64,100,128]", "--trainer.callbacks.steps", "5",
        "--model.dropout_hidden", "0", "--data.batch_size", "80", "--trainer.precision", "64-true",
        "--trainer.max_steps", "1", "--trainer.accelerator", "cpu",
    )  # fmt: skip
    script, house = tmp_path / "script.py", Path(__file__).resolve().parents[2]
    script.write_text(SCRIPT)
    two = ("--trainer.devices", "2", "--trainer.strategy", "ddp", "--run_dir", tmp_path / "two")
    done = subprocess.run(
        [sys.executable, str(script), "fit", *PLAIN, *options, *map(str, two)], cwd=tmp_path, capture_output=True,
        text=True, timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "PYTHONPATH": str(house)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("Batch-size range test: ") == 1
    one = fit("one", *options)
    keys = ("loss_at_equal_steps", "held_out_at_equal_steps", "loss_at_equal_samples", "held_out_at_equal_samples")
    for mine, theirs in zip(table(one), table(tmp_path / "two"), strict=True):
        if mine["size"] in ("64", "100"):
            assert theirs["status"] == "out of memory"
            continue
        for key in keys:
            assert (mine[key] == theirs[key] == "") or float(mine[key]) == pytest.approx(float(theirs[key]), rel=1e-9)
    scales = [found(run)["noise_scale"]["at_start"] for run in (one, tmp_path / "two")]
    assert scales[0] == pytest.approx(scales[1], rel=1e-6)
