"""Loggers that Lightning ships: their files lie in the run directory, hold the configuration, and outlive a resume."""

import csv
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.commands.lightning_runs import STEPS, Runs, shows


@pytest.fixture
def runs(cadence) -> Runs:
    return Runs(cadence)


def one(**options: Any) -> dict[str, Any]:
    return {"class_path": "CSVLogger", "init_args": {"save_dir": "logs", **options}}


def logged(run: Path, version: str = "version_0") -> list[dict[str, str]]:
    with (run / "logs" / "lightning_logs" / version / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


@shows("logger", "CSVLogger")
@pytest.mark.parametrize("stop", [7, STEPS, STEPS + 5])
def test_rows_go_on_where_the_run_was_stopped(runs: Runs, tmp_path: Path, stop: int) -> None:
    whole = runs("whole", logger=one())
    run = runs("run", stop=stop, logger=one())
    runs.resume(run)
    assert logged(run) == logged(whole)
    assert {path.name for path in tmp_path.iterdir()} == {"whole", "run", "whole.yaml", "run.yaml"}


def test_rows_beyond_the_checkpoint_come_once(runs: Runs) -> None:
    """After a kill the logger's file may be ahead of the checkpoint."""
    whole = runs("whole", logger=one(flush_logs_every_n_steps=1))
    run = runs("run", stop=7, logger=one(flush_logs_every_n_steps=1))
    path = run / "logs" / "lightning_logs" / "version_0" / "metrics.csv"
    text = path.read_text().splitlines()
    assert text[-1].startswith("5,")
    path.write_text("\n".join([*text, f"10{text[-1][1:]}"]) + "\n")
    runs.resume(run)
    assert logged(run) == logged(whole)


def test_a_later_test_has_a_version_of_its_own(runs: Runs) -> None:
    run = runs("run", logger=one())
    before = logged(run)
    assert runs.cadence("test", "--run_dir", run) == 0
    assert logged(run) == before
    assert float(logged(run, "version_1")[0]["test/loss"]) == float(before[-1]["test/loss"])


@shows("enable_autolog_hparams")
def test_the_configuration_is_logged_unless_it_is_turned_off(runs: Runs) -> None:
    run = runs("run", logger=one(), max_steps=1)
    hparams = run / "logs" / "lightning_logs" / "version_0" / "hparams.yaml"
    assert yaml.safe_load(hparams.read_text())["optimizer"]["init_args"]["lr"] == 0.01
    none = runs("none", logger=one(), max_steps=1, enable_autolog_hparams=False)
    assert not (none / hparams.relative_to("run")).exists()


def test_an_absolute_path_stays(runs: Runs, tmp_path: Path) -> None:
    runs("run", logger=one(save_dir=str(tmp_path / "elsewhere")), max_steps=1)
    assert list((tmp_path / "elsewhere").rglob("metrics.csv"))


def test_several_loggers(runs: Runs) -> None:
    run = runs("run", logger=[one(), one(name="other")], max_steps=5)
    assert {path.parts[-3] for path in (run / "logs").rglob("metrics.csv")} == {"lightning_logs", "other"}


def test_a_mistake_leaves_no_file_of_a_logger(cadence, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        Runs(cadence)("run", logger=one(), limit_train_batches=0.001)
    assert {path.name for path in tmp_path.iterdir()} == {"run.yaml"}


WRITTEN: list[tuple[str, int | None, str]] = []


class Writer:
    """Stands for TensorBoard's, which may not be installed."""

    def __init__(self, log_dir: str, purge_step: int | None = None, **_: Any) -> None:
        self.log_dir, self.purge_step = log_dir, purge_step

    def add_scalar(self, name: str, value: float, step: int) -> None:
        WRITTEN.append((name, step, self.log_dir))

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


@shows("TensorBoardLogger")
def test_tensorboard_in_the_run_directory(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    WRITTEN.clear()
    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer  # type: ignore[attr-defined]
    module.summary = types.SimpleNamespace(hparams=lambda *_: (None, None, None))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard.summary", module.summary)
    for name in ("lightning_fabric.loggers.tensorboard", "pytorch_lightning.loggers.tensorboard"):
        monkeypatch.setattr(f"{name}._TENSORBOARD_AVAILABLE", True)
    board = {"class_path": "TensorBoardLogger", "init_args": {"save_dir": "tb", "default_hp_metric": False}}
    runs("run", logger=board)
    assert {folder for _, _, folder in WRITTEN} == {str(Path("run/tb/lightning_logs/version_0"))}
    assert [step for name, step, _ in WRITTEN if name == "train/loss"] == [5, 10, 15, 20, 25, 30]


def test_a_logger_whose_library_is_missing_says_so(cadence, capfd, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_TENSORBOARD_AVAILABLE", "_TENSORBOARDX_AVAILABLE"):
        monkeypatch.setattr(f"lightning_fabric.loggers.tensorboard.{name}", False)
    with pytest.raises(AssertionError):
        Runs(cadence)("run", logger={"class_path": "TensorBoardLogger", "init_args": {"save_dir": "tb"}})
    message = capfd.readouterr().err
    assert message.startswith("cadence: trainer.logger: ") and "tensorboard" in message
