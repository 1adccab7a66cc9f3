"""A run goes on from the checkpoint of any step as if it had not been stopped, also when it then goes on longer."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from callbacks import LastCheckpoint
from tests.commands.test_resume import rows

RUN = (
    "fit", "--model", "MLP", "--model.hidden_sizes", "[8]", "--model.dropout_hidden", "0.2", "--data", "Digits",
    "--data.batch_size", "250", "--optimizer", "Adam", "--optimizer.lr", "0.01", "--checkpoint_every", "1",
    "--trainer.max_epochs", "-1", "--trainer.log_every_n_steps", "3", "--trainer.enable_progress_bar", "false",
)  # fmt: skip
STEPS_IN_PASS = 4  # 998 training digits
CYCLE = (
    "--trainer.callbacks+=CyclicalBatchSize", "--trainer.callbacks.lower", "160", "--trainer.callbacks.upper", "400",
    "--trainer.callbacks.half_cycle", "1",
)  # fmt: skip
# Validations in step counts that meet the ends of passes and that do not, and epochs that are no pass.
FORMS: dict[str, tuple[str, ...]] = {
    "at the end of each pass": (),
    "at the end of each second pass": ("--trainer.check_val_every_n_epoch", "2"),
    "twice a pass": ("--trainer.val_check_interval", "0.5"),
    "every 3 steps of a pass": ("--trainer.val_check_interval", "3"),
    "every 3 steps": ("--trainer.val_check_interval", "3", "--trainer.check_val_every_n_epoch", "null"),
    "every 7 steps": ("--trainer.val_check_interval", "7", "--trainer.check_val_every_n_epoch", "null"),
    "epochs of 3 steps": ("--trainer.limit_train_batches", "3"),
    "epochs of three quarters of a pass": (
        "--trainer.limit_train_batches",
        "0.75",
        "--trainer.val_check_interval",
        "2",
    ),
    "no validation": ("--data.val_fraction", "0"),
    "a batch size that cycles": CYCLE,
    "a batch size that cycles, in epochs of 3 steps": (*CYCLE, "--trainer.limit_train_batches", "3"),
}


def every_checkpoint(train: Callable[[], int]) -> dict[int, Path]:
    """Copies of the run directory as each checkpoint leaves it, by step."""
    made: dict[int, Path] = {}
    settle = LastCheckpoint.on_settled

    def on_settled(self: LastCheckpoint, trainer: pl.Trainer, milestone: bool) -> None:
        settle(self, trainer, milestone)
        run = self.path.parents[1]
        made[trainer.global_step] = Path(shutil.copytree(run, run.with_name(f"{run.name}-{trainer.global_step}")))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LastCheckpoint, "on_settled", on_settled)
        assert train() == 0
    return made


def same(run: Path, whole: Path) -> None:
    """Rows, weights of the last and the best checkpoint, and what the best one is."""
    mine, theirs = rows(run), rows(whole)
    for row in (*mine, *theirs):
        for name in [name for name in row if name.endswith("seconds")]:
            del row[name]
    assert mine == theirs
    for name in ("last.ckpt", "best.ckpt"):
        paths = [folder / "checkpoints" / name for folder in (run, whole)]
        assert paths[0].exists() == paths[1].exists()
        if paths[0].exists():
            last, wanted = (torch.load(path, weights_only=True) for path in paths)
            assert last["global_step"] == wanted["global_step"]
            assert all(torch.equal(last["state_dict"][key], value) for key, value in wanted["state_dict"].items())


def of(forms: Iterable[str], brief: Iterable[str]) -> list[Any]:
    """Parameters of a test: all forms, those that are not among the brief ones in the slow suite alone."""
    return [form if form in brief else pytest.param(form, marks=pytest.mark.slow) for form in forms]


@pytest.mark.parametrize("form", of(FORMS, ("every 3 steps", "a batch size that cycles, in epochs of 3 steps")))
def test_every_step_resumes(cadence, form: str) -> None:
    train = (*RUN, *FORMS[form], "--trainer.max_steps", 11, "--run_dir", "whole")
    copies = every_checkpoint(lambda: cadence(*train))
    assert list(copies) == list(range(1, 12))
    for run in copies.values():
        assert cadence("fit", "--resume", run) == 0
        same(run, Path("whole"))


@pytest.mark.parametrize("form", of(FORMS, ("at the end of each pass",)))
def test_a_run_of_any_length_goes_on_longer(cadence, form: str) -> None:
    measured = () if form == "no validation" else ("--trainer.callbacks+=TimeToTarget",)  # which needs validations
    train = (*RUN, *FORMS[form], *measured)
    assert cadence(*train, "--trainer.max_steps", 11, "--run_dir", "whole") == 0
    for steps in range(1, 11):
        run = Path(f"run-{steps}")
        assert cadence(*train, "--trainer.max_steps", steps, "--run_dir", run) == 0
        assert cadence("fit", "--resume", run, "--trainer.max_steps", 11) == 0
        same(run, Path("whole"))


def test_an_ended_run_that_is_resumed_stays_as_it_is(cadence) -> None:
    """Training ended within a pass, whose end was brought forward, and comes again."""
    assert cadence(*RUN, "--trainer.max_steps", 6, "--run_dir", "run") == 0
    before = rows(Path("run"))
    assert before[-1]["step"] == "6" and before[-1]["train/epoch_loss"]
    assert cadence("fit", "--resume", "run") == 0
    assert rows(Path("run")) == before


def test_epochs_by_count_go_on_longer(cadence) -> None:
    train = [word for word in RUN if word not in ("--trainer.max_epochs", "-1")]
    assert cadence(*train, "--trainer.max_epochs", 3, "--run_dir", "whole") == 0
    assert cadence(*train, "--trainer.max_epochs", 1, "--run_dir", "run") == 0
    assert cadence("fit", "--resume", "run", "--trainer.max_epochs", 2, "--trainer.max_steps", 6) == 0
    assert cadence("fit", "--resume", "run", "--trainer.max_epochs", 3, "--trainer.max_steps", -1) == 0
    same(Path("run"), Path("whole"))
