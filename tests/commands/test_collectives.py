"""What processes exchange in a step: the gradient once, however many chunks it is summed over."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.commands.test_processes import COMMON, environment, rows

STEPS = 6
COUNTING = '''
import torch
from pathlib import Path
from pytorch_lightning import Callback
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook


class Counting(Callback):
    """Counts the exchanges of gradients; the few weights of these networks make one bucket."""

    def __init__(self, to: str) -> None:
        self.to, self.count = to, 0

    def on_train_start(self, trainer, module) -> None:
        def exchange(state, bucket):
            self.count += 1
            return allreduce_hook(state, bucket)

        if trainer.world_size > 1:
            trainer.strategy.model.register_comm_hook(None, exchange)

    def on_train_end(self, trainer, module) -> None:
        Path(f"{self.to}-{trainer.global_rank}").write_text(str(self.count))
'''


@pytest.mark.parametrize("chunk", ["null", "10"])
def test_the_gradient_is_exchanged_once_a_step(tmp_path: Path, chunk: str) -> None:
    """Shares of 31 and 30 images make 4 and 3 chunks of 10: the exchange is not one for each."""
    (tmp_path / "counting.py").write_text(COUNTING)
    options = [
        "--trainer.precision", "64-true", "--trainer.max_steps", str(STEPS), "--trainer.max_epochs", "-1",
        "--trainer.log_every_n_steps", "1", "--data.batch_size", "61", "--test_after_fit", "false",
        "--model.micro_batch_size", chunk, "--trainer.callbacks+=counting.Counting",
    ]  # fmt: skip
    for name, devices in (("one", []), ("two", ["--trainer.devices", "2", "--trainer.strategy", "ddp"])):
        command = [*COMMON, *options, "--trainer.callbacks.to", name, *devices, "--run_dir", f"run-{name}"]
        there = environment() | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, env=there)
        assert done.returncode == 0, done.stderr[-2000:]
    assert [(tmp_path / f"two-{rank}").read_text() for rank in (0, 1)] == [str(STEPS)] * 2
    for mine, theirs in zip(rows(tmp_path / "run-one"), rows(tmp_path / "run-two"), strict=True):
        assert float(mine["train/loss"] or 0) == pytest.approx(float(theirs["train/loss"] or 0), rel=1e-10)
