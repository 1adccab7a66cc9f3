"""Time to target in a fit, on a clock that goes on by a second a step, 100 a validation and 1000 between epochs."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch

from callbacks import TimeToTarget, time_to_target
from datamodules import Digits
from lightning_modules import SmallCNN

STEPS = 16  # an epoch of 998 digits in batches of 64


class World(pl.Callback):
    """Turns the clock, and says what the validations find."""

    def __init__(self, accuracies: list[float]) -> None:
        self.now, self.accuracies = 0.0, list(accuracies)

    def on_train_batch_start(self, *_: object) -> None:
        self.now += 1

    def on_validation_batch_start(self, *_: object) -> None:
        self.now += 100

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.sanity_checking:
            pl_module.recorded["val/accuracy"] = self.accuracies.pop(0)


class EpochEnd(pl.Callback):
    """Takes its time where checkpoints are written."""

    def __init__(self, world: World) -> None:
        self.world = world

    def on_train_epoch_end(self, *_: object) -> None:
        self.world.now += 1000


def fit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, callback: TimeToTarget, accuracies: list[float], **options):
    world = World(accuracies)
    monkeypatch.setattr(time_to_target, "monotonic", lambda: world.now)
    model = SmallCNN(in_channels=1, image_size=8, num_classes=10)
    model.optimizer_factory = lambda groups: torch.optim.SGD(groups, lr=0.01)
    trainer = pl.Trainer(
        callbacks=[world, callback, EpochEnd(world)], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path, accelerator="cpu", **options,
    )  # fmt: skip
    trainer.fit(model, Digits())
    return trainer, model


def test_seconds_are_of_training_alone(monkeypatch, tmp_path: Path, capsys) -> None:
    callback = TimeToTarget(0.94)
    _, model = fit(monkeypatch, tmp_path, callback, [0.5, 0.6, 0.55], max_epochs=3)
    result = callback.passage.result()
    assert result == {
        "target": 0.94, "reached": False, "best_accuracy": 0.6, "epochs": 3.0, "steps": 48, "samples": 3 * 998,
        "seconds": 38.0, "warm_up_seconds": 10.0,
    }  # fmt: skip
    recorded = {k: v for k, v in model.recorded.items() if k.startswith("time_to_target/")}
    assert recorded == {
        f"time_to_target/{key}": value for key, value in result.items() if key != "target"
    }  # fmt: skip
    assert "val/accuracy 0.94: not reached, best 0.6000, after 3 epochs, 48 steps" in capsys.readouterr().out


def test_the_first_validation_at_the_target_counts_and_stays(monkeypatch, tmp_path: Path, capsys) -> None:
    callback = TimeToTarget(0.94)
    trainer, _ = fit(
        monkeypatch, tmp_path, callback, [0.5, 0.94, 0.93, 0.99], max_epochs=2, val_check_interval=STEPS // 2
    )
    assert trainer.global_step == 2 * STEPS
    result = callback.passage.result()
    assert result["reached"] and result["steps"] == 16 and result["samples"] == 998 and result["epochs"] == 1.0
    assert result["seconds"] == 6.0 and result["warm_up_seconds"] == 10.0 and result["best_accuracy"] == 0.99
    assert "reached after 1 epochs, 16 steps, 998 samples, 6.0 s of training" in capsys.readouterr().out


def test_it_stops_the_run_within_an_epoch(monkeypatch, tmp_path: Path) -> None:
    callback = TimeToTarget(0.94, stop=True)
    trainer, model = fit(monkeypatch, tmp_path, callback, [0.5, 0.6, 0.95], max_epochs=9, val_check_interval=8)
    assert trainer.global_step == 24
    assert callback.passage.result()["epochs"] == 1 + 8 * 64 / 998
    assert model.recorded["time_to_target/reached"] == 1.0 and model.recorded["time_to_target/steps"] == 24


@pytest.mark.parametrize(("warm_up", "seconds"), [(0, (32, 0)), (20, (12, 20)), (100, (0, 32))])
def test_warm_up_steps(monkeypatch, tmp_path: Path, warm_up: int, seconds: tuple[int, int]) -> None:
    callback = TimeToTarget(warm_up_steps=warm_up)
    fit(monkeypatch, tmp_path, callback, [0.1, 0.1], max_epochs=2)
    result = callback.passage.result()
    assert (result["seconds"], result["warm_up_seconds"]) == seconds


def test_a_second_fit_begins_anew(monkeypatch, tmp_path: Path) -> None:
    callback = TimeToTarget()
    fit(monkeypatch, tmp_path, callback, [0.99, 0.99], max_epochs=2)
    fit(monkeypatch, tmp_path, callback, [0.1], max_epochs=1)
    result = callback.passage.result()
    assert not result["reached"] and result["steps"] == 16 and result["best_accuracy"] == 0.1
    assert (result["seconds"], result["warm_up_seconds"]) == (6, 10)


def test_a_checkpoint_counts_on_and_a_tested_one_does_not(monkeypatch, tmp_path: Path) -> None:
    past = TimeToTarget(0.94)
    fit(monkeypatch, tmp_path, past, [0.5, 0.95], max_epochs=2)
    torch.save(past.state_dict(), tmp_path / "state")
    state = torch.load(tmp_path / "state", weights_only=True)
    trainer = SimpleNamespace(datamodule=Digits())
    for target, reached in ((0.94, 32), (0.5, 16), (0.97, None)):
        callback = TimeToTarget(target)
        callback.setup(trainer, None, "fit")  # type: ignore[arg-type]
        callback.load_state_dict(state)
        assert callback.clock.seconds == {"training": 22, "warm_up": 10}
        assert (callback.passage.reached.steps if callback.passage.reached else None) == reached
        assert callback.state_dict() == past.state_dict()
    callback.setup(trainer, None, "test")  # type: ignore[arg-type]
    callback.passage.best = []
    callback.load_state_dict(state)
    assert callback.passage.best == []


def test_a_step_never_waits_for_the_device(monkeypatch) -> None:
    waits: list[torch.device] = []
    monkeypatch.setattr(torch.accelerator, "synchronize", waits.append)
    trainer = SimpleNamespace(
        global_step=0, strategy=SimpleNamespace(root_device=torch.device("cuda")), sanity_checking=False,
        datamodule=Digits(), callback_metrics={"val/accuracy": 0.5},
    )  # fmt: skip
    trainer.datamodule.setup("fit")
    callback = TimeToTarget()
    callback.setup(trainer, None, "fit")  # type: ignore[arg-type]
    callback.on_train_start(trainer, None)  # type: ignore[arg-type]
    before = len(waits)
    for step in range(1, 501):
        trainer.global_step = step
        callback.on_train_batch_end(trainer, None, None, None, step - 1)  # type: ignore[arg-type]
    assert len(waits) == before + 1, "the warm-up's end alone"
    callback.on_validation_start(trainer, None)  # type: ignore[arg-type]
    assert len(waits) == before + 2
    callback.on_validation_end(trainer, None)  # type: ignore[arg-type]
    assert len(waits) == before + 3 and callback.passage.result()["steps"] == 500


def test_a_metric_that_is_not_there(monkeypatch, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^monitor val/acc is not logged by the validation, which logs val/accuracy"):
        fit(monkeypatch, tmp_path, TimeToTarget(monitor="val/acc"), [0.5], max_epochs=1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TimeToTarget(0), r"accuracy must lie in \(0, 1\], got 0: "),
        (lambda: TimeToTarget(94), r"accuracy must lie in \(0, 1\], got 94: "),
        (lambda: TimeToTarget(warm_up_steps=-1), "warm_up_steps must not be negative, got -1: "),
        (lambda: set_up(Digits(val_fraction=0)), "val_fraction is 0, and TimeToTarget needs a validation: "),
    ],
)
def test_refusals(make, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        make()


def set_up(data: Digits | None) -> None:
    TimeToTarget().setup(SimpleNamespace(datamodule=data), None, "fit")  # type: ignore[arg-type]
