"""A resumed run equals the unbroken one to the bit in every precision, and so does a later test of its checkpoint."""

import json
from pathlib import Path

import pytest

from tests.commands.test_resume_every_step import every_checkpoint, same

RUN = (
    "fit", "--model", "SmallCNN", "--data", "Digits", "--data.batch_size", "250", "--optimizer", "Adam",
    "--optimizer.lr", "0.003", "--checkpoint_every", "2", "--trainer.max_epochs", "-1", "--trainer.max_steps", "6",
    "--trainer.log_every_n_steps", "1", "--trainer.enable_progress_bar", "false", "--run_dir", "whole",
)  # fmt: skip


@pytest.mark.parametrize("mixing", [(), ("--data.augment+=MixUp",)], ids=["plain", "mixed"])
@pytest.mark.parametrize("precision", ["64-true", "32-true", "bf16-true", "bf16-mixed"])
def test_resumed_equals_unbroken(cadence, precision: str, mixing: tuple[str, ...]) -> None:
    copies = every_checkpoint(lambda: cadence(*RUN, *mixing, "--trainer.precision", precision))
    for step in (2, 4):
        assert cadence("fit", "--resume", copies[step]) == 0
        same(copies[step], Path("whole"))


@pytest.mark.parametrize("precision", ["64-true", "bf16-true"])
def test_a_later_test_finds_the_same(cadence, precision: str) -> None:
    assert cadence(*RUN, "--trainer.precision", precision) == 0
    assert cadence("test", "--run_dir", "whole") == 0
    of_fit, later = (json.loads(Path("whole", name).read_text())["metrics"] for name in ("result.json", "test.json"))
    assert later == {name: value for name, value in of_fit.items() if name.startswith("test/")}
