"""A training that diverges ends with its step, its rate and exit status 3; its record says so in strict JSON."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from callbacks.divergence_watch import Diverged, DivergenceWatch
from datamodules import Digits
from tests.commands.test_resume import rows
from tests.starter import clean

RUN = [
    "fit", "--model", "MLP", "--model.hidden_sizes", "[8]", "--data", "Digits", "--data.batch_size", "250",
    "--optimizer", "SGD", "--optimizer.lr", "0.01", "--trainer.max_epochs", "-1", "--trainer.max_steps", "12",
    "--trainer.enable_progress_bar", "false", "--run_dir", "run",
]  # fmt: skip
SHORTLY = ["--trainer.log_every_n_steps", "1"]
RARELY = ["--trainer.log_every_n_steps", "1000", "--trainer.limit_val_batches", "0"]


class Spoil(pl.Callback):
    """Puts NaN or infinity into a weight before a step."""

    def __init__(self, step: int, value: str = "nan", rank: int | None = None) -> None:
        self.step, self.value, self.rank = step, value, rank

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.global_step == self.step - 1 and self.rank in (None, trainer.global_rank):
            next(pl_module.parameters()).data[0] = float(self.value)


class SpoilAfter(Spoil):
    """Does so after a step, whose loss is still a number."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        """Nothing."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if trainer.global_step == self.step:
            next(pl_module.parameters()).data[0] = float(self.value)


class Heard(pl.Callback):
    """A hook that takes a run out of the short epoch loop and its direct step."""

    def on_after_backward(self, trainer, pl_module) -> None:
        """Nothing."""


def strict(path: str) -> dict[str, Any]:
    """A JSON file, read by a reader that knows no NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} in {path}")

    return json.loads(Path(path).read_text(), parse_constant=refuse)


def spoilt(kind: str, step: int, *more: str) -> list[str]:
    path = f"{__name__}.{kind}"
    return [f"--trainer.callbacks+={path}", "--trainer.callbacks.step", str(step), *more]


WAYS = {
    "a row each step": SHORTLY,
    "no row before the end": RARELY,
    "found by a validation": ["--trainer.log_every_n_steps", "1000"],
    "found by a checkpoint": [*RARELY, "--checkpoint_every", "6"],
    "micro-batches": [*RARELY, "--model.micro_batch_size", "90"],
    "Lightning's own loop": [*RARELY, f"--trainer.callbacks+={__name__}.Heard"],
    "64-true": [*RARELY, "--trainer.precision", "64-true"],
    "bf16-mixed": [*RARELY, "--trainer.precision", "bf16-mixed"],
    "a rate that moves": [
        *RARELY, "--trainer.callbacks+=CyclicalLR", "--trainer.callbacks.lower", "0.001",
        "--trainer.callbacks.upper", "0.007", "--trainer.callbacks.half_cycle", "6",
        "--trainer.callbacks.unit", "steps",
    ],
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_the_first_step_is_told(cadence, way: str, capsys) -> None:
    assert cadence(*RUN, *WAYS[way], *spoilt("Spoil", 6)) == 3
    rate = 0.006 if way == "a rate that moves" else 0.01
    told = capsys.readouterr().err
    assert f"diverged: the training loss is nan at step 6, at a learning rate of {rate:g}" in told
    lines = [line for line in told.strip().splitlines() if "no instructions for bfloat16" not in line]  # of some CPUs
    assert len(lines) == 3
    result = strict("run/result.json")
    assert result["diverged"] == {"step": 6, "lr": pytest.approx(rate), "loss": "nan"}
    assert 6 <= result["steps"] <= 12
    assert not any(name.startswith("test/") for name in result["metrics"])
    for path in Path("run/checkpoints").glob("*.ckpt"):
        checkpoint = torch.load(path, weights_only=True)
        assert checkpoint["global_step"] < 6
        assert all(weight.isfinite().all() for weight in checkpoint["state_dict"].values())


def test_rows_tell_of_it_and_json_has_null(cadence) -> None:
    assert cadence(*RUN, *SHORTLY, *spoilt("Spoil", 6)) == 3
    last = rows(Path("run"))[-1]
    assert last["step"] == "6" and math.isnan(float(last["train/loss"]))
    assert strict("run/result.json")["metrics"]["train/loss"] is None


def test_infinity_is_none_either(cadence) -> None:
    assert cadence(*RUN, *SHORTLY, *spoilt("Spoil", 3, "--trainer.callbacks.value", "inf")) == 3
    assert strict("run/result.json")["diverged"]["step"] == 3


@pytest.mark.parametrize(("step", "found"), [(4, 4), (12, 12), (6, 7)])
def test_an_update_that_ruins_the_weights(cadence, step: int, found: int, capsys) -> None:
    """Seen where a pass or the training ends, or a checkpoint is due; else by the next step's loss."""
    assert cadence(*RUN, *RARELY, *spoilt("SpoilAfter", step)) == 3
    kind = "nan" if found > step else "finite"
    assert strict("run/result.json")["diverged"] == {"step": found, "lr": 0.01, "loss": kind}
    assert ("weights are no longer finite" in capsys.readouterr().err) == (kind == "finite")
    if Path("run/checkpoints/last.ckpt").exists():
        weights = torch.load("run/checkpoints/last.ckpt", weights_only=True)["state_dict"]
        assert all(weight.isfinite().all() for weight in weights.values())


def test_a_rate_beyond_all_numbers(cadence, capsys) -> None:
    assert cadence(*RUN, "--optimizer.lr", "1e30") == 3
    assert not Path("run/checkpoints/best.ckpt").exists()
    assert strict("run/result.json")["diverged"]["step"] <= 3
    assert "at a learning rate of 1e+30" in capsys.readouterr().err


def test_a_rate_that_no_weight_may_be_multiplied_by(cadence, capsys) -> None:
    assert cadence(*RUN, "--optimizer", "SGD", "--optimizer.lr", "1e308") == 2
    told = "the learning rate of step 1 is 1e+308, more than the weights' type holds: lower optimizer.lr"
    assert told in capsys.readouterr().err


def test_going_on(cadence, capsys) -> None:
    assert cadence(*RUN, *SHORTLY, *spoilt("Spoil", 6), "--on_nonfinite", "go_on") == 0
    assert capsys.readouterr().err.count("the training loss is nan at step 6") == 1
    result = strict("run/result.json")
    assert result["steps"] == 12 and result["diverged"]["step"] == 6 and result["metrics"]["val/loss"] is None
    best = torch.load("run/checkpoints/best.ckpt", weights_only=True)
    assert best["global_step"] == 4 and all(weight.isfinite().all() for weight in best["state_dict"].values())
    assert result["metrics"]["test/loss"] > 0, "the best checkpoint's"


def test_every_remedy_works(cadence, capsys) -> None:
    """From the last good checkpoint the run diverges again, or goes on, as it is told to."""
    assert cadence(*RUN, *SHORTLY, *spoilt("Spoil", 6)) == 3
    command = capsys.readouterr().err.strip().splitlines()[-1].rpartition("cadence ")[2].split()
    assert cadence("fit", "--resume", "run") == 3
    assert "nan at step 6" in capsys.readouterr().err
    assert command[-2:] == ["--on_nonfinite", "go_on"] and cadence(*command) == 0
    result = strict("run/result.json")
    assert result["steps"] == 12 and result["diverged"]["step"] == 6


def test_without_a_checkpoint_the_remedy_is_a_new_run(cadence, capsys) -> None:
    assert cadence(*RUN, *SHORTLY, *spoilt("Spoil", 2)) == 3
    command = capsys.readouterr().err.strip().splitlines()[-1].rpartition("cadence ")[2].split()
    assert cadence(*command) == 0


def test_resumed_where_it_had_gone_on(cadence) -> None:
    """The first step that was not finite is in the checkpoint."""
    options = [*RUN, *SHORTLY, *spoilt("Spoil", 6), "--on_nonfinite", "go_on"]
    assert cadence(*options, "--trainer.max_steps", "8") == 0
    assert cadence("fit", "--resume", "run", "--trainer.max_steps", "12") == 0
    assert strict("run/result.json")["diverged"] == {"step": 6, "lr": 0.01, "loss": "nan"}


class Stranger(pl.LightningModule):
    """A user's module, whose loss is no number in its fifth step."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.net = torch.nn.Linear(64, num_classes)

    def training_step(self, batch, batch_idx):
        loss = torch.nn.functional.cross_entropy(self.net(batch[0].flatten(1)), batch[1])
        return loss * (float("nan") if self.global_step == 4 else 1.0)

    def validation_step(self, batch, batch_idx) -> None:
        """Nothing is measured."""


def test_a_strangers_module(cadence, capsys) -> None:
    """Its optimizer steps by a hook of Lightning's, and what it returns is its loss."""
    words = [word for word in RUN if not word.startswith("--model") and word not in ("MLP", "[8]")]
    assert cadence(*words, "--model", f"{__name__}.Stranger", *RARELY) == 3
    assert "the training loss is nan at step 5" in capsys.readouterr().err


class Rateless(Stranger):
    """Trains by itself, without an optimizer that Lightning knows."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__(num_classes)
        self.automatic_optimization, self.steps = False, 0

    def training_step(self, batch, batch_idx):
        self.steps += 1
        return {"loss": torch.tensor(math.nan if self.steps == 3 else 1.0)}

    def configure_optimizers(self) -> None:
        """None."""


@pytest.mark.filterwarnings("ignore:.*this fit will run with no optimizer")
def test_a_module_without_an_optimizer(tmp_path: Path) -> None:
    """In Python, as a configuration names an optimizer."""
    data = Digits(batch_size=250)
    watch = DivergenceWatch()
    trainer = pl.Trainer(
        max_epochs=1, callbacks=[watch], logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accelerator="cpu", default_root_dir=tmp_path,
    )  # fmt: skip
    with pytest.raises(Diverged, match="the training loss is nan"):
        trainer.fit(Rateless(), data)
    assert watch.found is not None and math.isnan(watch.found.lr)


@pytest.mark.slow
def test_one_of_two_processes(tmp_path: Path) -> None:
    """What one process alone has seen is told by all, and none waits for another."""
    import os
    import subprocess
    import sys

    house = Path(__file__).resolve().parents[2]
    environment = dict(os.environ)
    clean(environment)
    environment |= {"MASTER_ADDR": "127.0.0.1", "PYTHONPATH": str(house)}
    words = [*RUN, *RARELY, *spoilt("Spoil", 6, "--trainer.callbacks.rank", "1"), "--trainer.devices", "2"]
    command = [
        sys.executable,
        str(house / "cli.py"),
        *words,
        "--trainer.strategy",
        "ddp",
        "--trainer.accelerator",
        "cpu",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 3, done.stderr[-2000:]
    assert done.stderr.count("the training loss is nan at step 6") == 1
    assert strict(str(tmp_path / "run/result.json"))["diverged"] == {"step": 6, "lr": 0.01, "loss": "nan"}
