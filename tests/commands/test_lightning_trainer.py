"""Arguments of Lightning's Trainer: each that works has its effect, in the run directory where it writes."""

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from pytorch_lightning import Callback, LightningDataModule
from torch.utils.data import DataLoader, TensorDataset

from commands.configuration.lightning_parts import OPTIMIZERS, that_work
from tests.commands.lightning_runs import STEPS, Runs, checkpoint, column, rows, same_weights, shows

SEEN = {"class_path": f"{__name__}.Seen"}
STOP_AT_ONCE = {"class_path": "EarlyStopping", "init_args": {"monitor": "val/loss", "stopping_threshold": 100.0}}


class Seen(Callback):
    """A stranger's, which notes how torch and the trainer stand."""

    found: ClassVar[dict[str, Any]] = {}
    validated: ClassVar[list[str]] = []

    def setup(self, trainer: Any, module: Any, stage: str) -> None:
        if stage == "fit":
            Seen.found.clear()
            Seen.validated.clear()

    def on_sanity_check_start(self, trainer: Any, module: Any) -> None:
        Seen.found["sanity"] = 0

    def on_validation_batch_start(self, trainer: Any, *_: Any) -> None:
        if trainer.sanity_checking:
            Seen.found["sanity"] += 1

    def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
        Seen.found["deterministic"] = torch.are_deterministic_algorithms_enabled()
        Seen.found["benchmark"] = torch.backends.cudnn.benchmark
        Seen.found["anomaly"] = torch.is_anomaly_enabled()
        Seen.found["sampler"] = trainer._accelerator_connector.use_distributed_sampler
        Seen.found["environment"] = type(trainer._accelerator_connector.cluster_environment).__name__

    def on_test_batch_start(self, *_: Any) -> None:
        Seen.found["inference"] = torch.is_inference_mode_enabled()
        Seen.found["tested"] = Seen.found.get("tested", 0) + 1


@pytest.fixture
def runs(cadence) -> Runs:
    return Runs(cadence)


def result(run: Path) -> dict[str, Any]:
    return json.loads((run / "result.json").read_text())


@shows("accelerator", "devices")
def test_where_it_runs(runs: Runs) -> None:
    device = result(runs("run", accelerator="cpu", devices=1, max_steps=1))["device"]
    assert (device["type"], device["processes"]) == ("cpu", 1)


@shows("precision")
@pytest.mark.parametrize(("precision", "dtype"), [("64-true", torch.float64), ("bf16-true", torch.bfloat16)])
def test_precision_of_the_weights(runs: Runs, precision: str, dtype: torch.dtype) -> None:
    run = runs("run", precision=precision, max_steps=2)
    assert {value.dtype for value in checkpoint(run)["state_dict"].values()} == {dtype}


def test_mixed_precision_changes_the_losses_and_not_the_weights_type(runs: Runs) -> None:
    plain, mixed = runs("plain", max_steps=5), runs("mixed", max_steps=5, precision="bf16-mixed")
    assert {value.dtype for value in checkpoint(mixed)["state_dict"].values()} == {torch.float32}
    losses = [column(run, "train/loss")[0][1] for run in (plain, mixed)]
    assert losses[0] != losses[1] and losses[0] == pytest.approx(losses[1], rel=0.02)


@shows("plugins", "DoublePrecision", "LightningEnvironment")
def test_plugins(runs: Runs) -> None:
    kinds = [{"class_path": name} for name in ("DoublePrecision", "LightningEnvironment")]
    run = runs("run", plugins=kinds, callbacks=[SEEN], max_steps=1)
    assert {value.dtype for value in checkpoint(run)["state_dict"].values()} == {torch.float64}
    assert Seen.found["environment"] == "LightningEnvironment"


@shows("fast_dev_run")
def test_a_try_keeps_nothing_but_its_result(runs: Runs) -> None:
    run = runs("run", fast_dev_run=3)
    assert result(run)["steps"] == 3
    assert not list(run.rglob("*.ckpt")) and not (run / "metrics.csv").exists()


@shows("max_epochs", "max_steps")
def test_lengths(runs: Runs) -> None:
    assert result(runs("epochs", max_epochs=1))["steps"] == STEPS
    assert result(runs("steps", max_steps=STEPS + 3))["steps"] == STEPS + 3


@shows("max_time")
@pytest.mark.parametrize("given", ["00:00:00:00", {"seconds": 0}])
def test_a_time_that_is_over_ends_a_run(runs: Runs, given: Any) -> None:
    run = runs("run", max_time=given, max_epochs=50)
    assert result(run)["steps"] <= 1


@shows("min_epochs", "min_steps")
@pytest.mark.parametrize(("least", "steps"), [({"min_epochs": 2}, 2 * STEPS), ({"min_steps": STEPS + 4}, STEPS + 4)])
def test_a_least_length_holds_against_a_stop(runs: Runs, least: dict[str, int], steps: int) -> None:
    assert result(runs("none", callbacks=[STOP_AT_ONCE], max_epochs=4))["steps"] == STEPS
    assert result(runs("least", callbacks=[STOP_AT_ONCE], max_epochs=4, **least))["steps"] == steps


@shows("limit_train_batches")
@pytest.mark.parametrize(("limit", "steps"), [(3, 6), (1, 2), (0.5, 16), (1.0, 32)])
def test_limits_of_training(runs: Runs, limit: float, steps: int) -> None:
    assert result(runs("run", limit_train_batches=limit))["steps"] == steps


SMALL_BATCHES = {"class_path": "Digits", "init_args": {"eval_batch_size": 50}}


@shows("limit_val_batches", "limit_test_batches")
def test_limits_of_validation_and_test(runs: Runs) -> None:
    whole = runs("whole", data=SMALL_BATCHES, callbacks=[SEEN], max_epochs=1)
    assert Seen.found["tested"] == 12
    part = runs("part", data=SMALL_BATCHES, callbacks=[SEEN], max_epochs=1, limit_val_batches=2, limit_test_batches=0.5)
    assert Seen.found["tested"] == 6
    assert column(whole, "val/loss") != column(part, "val/loss")
    none = runs("none", max_epochs=1, limit_val_batches=0, limit_test_batches=0)
    assert not [name for name in rows(none)[-1] if name.startswith("val/")]
    assert not [name for name in result(none)["metrics"] if name.startswith(("val/", "test/"))]


@shows("val_check_interval", "check_val_every_n_epoch")
@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({"val_check_interval": 5}, [5, 10, 15, 21, 26, 31]),
        ({"val_check_interval": 0.5}, [8, 16, 24, 32]),
        ({"val_check_interval": 12, "check_val_every_n_epoch": None}, [12, 24]),
        ({"check_val_every_n_epoch": 2}, [32]),
        ({"val_check_interval": "00:00:00:00"}, list(range(1, 33))),
    ],
)
def test_when_it_validates(runs: Runs, options: dict[str, Any], steps: list[int]) -> None:
    assert [step for step, _ in column(runs("run", **options), "val/loss")] == steps


@shows("num_sanity_val_steps")
@pytest.mark.parametrize(("given", "batches"), [(3, 3), (-1, 4), (0, None)])
def test_batches_before_training(runs: Runs, given: int, batches: int | None) -> None:
    runs("run", data=SMALL_BATCHES, callbacks=[SEEN], max_steps=1, num_sanity_val_steps=given)
    assert Seen.found.get("sanity") == batches


@shows("log_every_n_steps")
def test_rows(runs: Runs) -> None:
    run = runs("run", log_every_n_steps=7, max_epochs=1)
    assert [step for step, _ in column(run, "train/loss")] == [7, 14]


@shows("enable_checkpointing")
def test_no_checkpoints(runs: Runs) -> None:
    assert not list(runs("run", enable_checkpointing=False, max_epochs=1).rglob("*.ckpt"))


@shows("deterministic", "benchmark", "detect_anomaly")
def test_how_torch_is_set(runs: Runs) -> None:
    try:
        runs("run", callbacks=[SEEN], deterministic=True, detect_anomaly=True, max_steps=1)
        assert (Seen.found["deterministic"], Seen.found["anomaly"]) == (True, True)
        runs("other", callbacks=[SEEN], benchmark=True, deterministic=False, max_steps=1)
        assert (Seen.found["deterministic"], Seen.found["anomaly"], Seen.found["benchmark"]) == (False, False, True)
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = False


@shows("inference_mode")
@pytest.mark.parametrize("given", [True, False])
def test_mode_of_the_test(runs: Runs, given: bool) -> None:
    runs("run", callbacks=[SEEN], inference_mode=given, max_steps=1)
    assert Seen.found["inference"] == given


class Strangers(LightningDataModule):
    """A stranger's data, of Lightning's usual kind."""

    in_channels, image_size, num_classes = 1, 8, 10

    def __init__(self, seed: int = 0) -> None:
        super().__init__()

    def train_dataloader(self) -> DataLoader:
        return DataLoader(TensorDataset(torch.rand(64, 1, 8, 8), torch.arange(64) % 10), batch_size=16)

    val_dataloader = test_dataloader = train_dataloader


@shows("use_distributed_sampler")
@pytest.mark.parametrize(("data", "options", "sampler"), [
    ({"class_path": "Digits"}, {}, False),
    ({"class_path": f"{__name__}.Strangers"}, {}, True),
    ({"class_path": f"{__name__}.Strangers"}, {"use_distributed_sampler": False}, False),
])  # fmt: skip
def test_who_shares_the_batches(runs: Runs, data: dict[str, Any], options: dict[str, Any], sampler: bool) -> None:
    """Cadence's datasets do it themselves; a stranger's get Lightning's sampler, unless it is turned off."""
    runs("run", data=data, callbacks=[SEEN], max_steps=1, **options)
    assert Seen.found["sampler"] == sampler


@shows("profiler", "simple", "advanced", "pytorch", "SimpleProfiler", "AdvancedProfiler", "PyTorchProfiler")
@pytest.mark.parametrize("kind", ["simple", "AdvancedProfiler", "pytorch"])
@pytest.mark.filterwarnings("ignore:The PyTorch Profiler default schedule")
def test_a_profiler_s_report_lies_in_the_run_directory(runs: Runs, tmp_path: Path, kind: str) -> None:
    run = runs("run", profiler={"class_path": kind} if kind[0].isupper() else kind, max_steps=2)
    for stage in ("fit", "test"):
        assert (run / f"{stage}-profile.txt").read_text().startswith(f"{stage.upper()} Profiler Report")
    if kind != "pytorch":
        assert "training_step" in (run / "fit-profile.txt").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"run", "run.yaml"}
    plain = runs("plain", max_steps=2)
    assert same_weights(checkpoint(run)["state_dict"], checkpoint(plain)["state_dict"])


def test_a_mistake_leaves_no_report(cadence, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        Runs(cadence)("run", profiler="simple", limit_train_batches=0.001)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", that_work(OPTIMIZERS))
def test_every_optimizer_of_torch_trains(runs: Runs, name: str) -> None:
    """For a step more than one; what a step here cannot take is refused by name (test_lightning_parts.py)."""
    run = runs(
        "run", optimizer={"class_path": f"torch.optim.{name}", "init_args": {}}, max_steps=3, log_every_n_steps=1
    )
    losses = [loss for _, loss in column(run, "train/loss")]
    assert len(set(losses)) == 3 and all(loss < 3 for loss in losses)


@shows("reload_dataloaders_every_n_epochs")
def test_loaders_that_are_made_anew_change_nothing(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    from datamodules import Digits

    made, loader = [], Digits.train_dataloader
    monkeypatch.setattr(Digits, "train_dataloader", lambda self: (made.append(1), loader(self))[1])
    plain = runs("plain", max_epochs=3)
    assert len(made) == 1
    anew = runs("anew", max_epochs=3, reload_dataloaders_every_n_epochs=1)
    assert len(made) == 4
    assert same_weights(checkpoint(plain)["state_dict"], checkpoint(anew)["state_dict"])
    assert rows(plain) == rows(anew)
