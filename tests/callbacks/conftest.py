"""What tests of callbacks share: a short run through the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., Path]
PLAIN = (
    "--model", "MLP", "--model.hidden_sizes", "[16]", "--model.dropout_hidden", "0.3", "--data", "Digits",
    "--data.batch_size", "64", "--optimizer", "Adam", "--optimizer.lr", "0.01", "--trainer.max_epochs", "2",
    "--trainer.log_every_n_steps", "5", "--trainer.enable_progress_bar", "false",
)  # fmt: skip


@pytest.fixture
def fit(cadence, tmp_path: Path) -> Run:
    """Run `cadence fit` on a small MLP and the digits, with a change; returns the run directory."""

    def run(name: str, *changes: object, status: int = 0) -> Path:
        assert cadence("fit", *PLAIN, *changes, "--run_dir", tmp_path / name) == status
        return tmp_path / name

    return run
