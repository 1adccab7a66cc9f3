"""`--monitor` chooses best.ckpt by any metric that is logged, and one that is not is told."""

from pathlib import Path

import pytest
import torch

from tests.commands.going_on import RUN
from tests.commands.theirs import cadence as in_folder
from tests.commands.theirs import fit, processes, result, rows, words, written

MORE = '''

class Late(LitClassifier):
    """Logs nothing in the sanity check, and then only where the epoch says so."""

    def validation_step(self, batch, batch_idx):
        if self.current_epoch == 1 and not self.trainer.sanity_checking:
            self.log("val_f1", 0.5 + self.current_epoch)


class Never(LitClassifier):
    def validation_step(self, batch, batch_idx):
        self.log("val_f1", float("nan"))


class Unvalidated(LitClassifier):
    validation_step = L.LightningModule.validation_step
    test_step = L.LightningModule.test_step


class TwoLoaders(LitData):
    def val_dataloader(self):
        return [self.loader(300, 350), self.loader(350, 400)]


class OfTwo(LitClassifier):
    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        super().validation_step(batch, batch_idx)


class Uneven(LitClassifier):
    """Each process logs another value, and nothing is summed over them."""

    def validation_step(self, batch, batch_idx):
        self.log("val_acc", [0.2, 0.9, 0.1][self.current_epoch] if self.global_rank == 0 else 1.0 - self.current_epoch)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path, MORE)


def best_row(run: Path, name: str, best: type[max] = max) -> dict[str, str]:
    return best((row for row in rows(run) if row[name]), key=lambda row: float(row[name]))


@pytest.mark.parametrize(
    ("model", "options", "best"),
    [
        ("LitClassifier", ["--monitor", "val_acc"], max),
        ("LitClassifier", ["--monitor", "val_loss", "--monitor_mode", "max"], max),
        ("LitManual", ["--monitor", "val_loss"], min),
    ],
)
def test_a_metric_of_theirs_chooses(folder: Path, model: str, options: list[str], best: type[max]) -> None:
    done = fit(folder, *options, "--trainer.max_epochs", 3, model=model)
    assert done.status == 0, done.err
    name, found = options[1], result(folder / "run")["best"]
    row = best_row(folder / "run", name, best)
    assert (found["monitor"], found["step"]) == (name, int(row["step"]))
    assert found["value"] == pytest.approx(float(row[name]))
    assert f"best.ckpt: {name} {found['value']:.4g} after step {found['step']}" in done.out
    kept = torch.load(folder / "run" / "checkpoints" / "best.ckpt", weights_only=True)
    assert kept["global_step"] == found["step"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--monitor", "val_accuracy"], "monitor: the model logs no val_accuracy in validation\n  there are val_acc, "),
        (["--monitor", "val_f1"], "monitor_mode is missing: say whether a larger or a smaller val_f1 is better"),
        (["--monitor_mode", "min"], "monitor_mode goes with monitor alone"),
        (["--monitor", "val_acc", "--trainer.enable_checkpointing", "false"], "trainer.enable_checkpointing is false"),
        (["--monitor", "val_acc", "--monitor_mode", "most"], "monitor_mode: expected one of min, max, got 'most'"),
    ],
)
def test_what_cannot_choose_is_told_before_training(folder: Path, options: list[str], told: str) -> None:
    done = fit(folder, *options)
    assert done.status == 2 and told in done.err and len(done.err.splitlines()) <= 3, done.err
    assert not (folder / "run").exists()


def test_without_a_choice_a_module_without_our_metric_says_so(folder: Path) -> None:
    done = fit(folder)
    assert done.status == 0 and "no best.ckpt, as validation logs no val/accuracy: --monitor chooses ano" in done.err
    assert result(folder / "run")["best"] == {"monitor": "val/accuracy", "mode": "max", "value": None, "step": None}


def test_what_training_alone_logs_counts_at_the_end_of_a_pass(folder: Path) -> None:
    done = fit(folder, "--monitor", "train_loss", "--trainer.max_steps", 15, model="Unvalidated")
    assert done.status == 0, done.err
    found = result(folder / "run")["best"]
    assert found["step"] == 10, "the second pass was broken off"
    assert found["value"] == pytest.approx(float(rows(folder / "run")[1]["train_loss"]))


@pytest.mark.parametrize("number", [0, 1])
def test_one_of_several_loaders_is_chosen(folder: Path, number: int) -> None:
    done = fit(folder, "--monitor", "val_acc", model="OfTwo", data="TwoLoaders")
    assert done.status == 2 and "there are val_acc/dataloader_idx_0, val_acc/dataloader_idx_1" in done.err
    name = f"val_acc/dataloader_idx_{number}"
    done = fit(folder, "--monitor", name, "--monitor_mode", "max", model="OfTwo", data="TwoLoaders")
    assert done.status == 0, done.err
    assert result(folder / "run")["best"]["value"] == pytest.approx(float(best_row(folder / "run", name)[name]))


def test_what_is_logged_late_counts_from_then_on(folder: Path) -> None:
    done = fit(folder, "--monitor", "val_f1", "--monitor_mode", "max", model="Late")
    assert done.status == 0 and result(folder / "run")["best"]["value"] == 1.5, done.err


@pytest.mark.parametrize(
    ("model", "monitor", "told"),
    [
        ("Late", "val_f2", "no best.ckpt: val_f2 was never logged, but test_acc"),
        ("Never", "val_f1", "no best.ckpt: val_f1 was never a finite number"),
    ],
)
def test_no_best_is_never_silent(folder: Path, model: str, monitor: str, told: str) -> None:
    done = fit(folder, "--monitor", monitor, "--monitor_mode", "max", model=model)
    assert done.status == 0 and told.replace("test_acc", "train_loss") in done.err, done.err
    assert result(folder / "run")["best"]["value"] is None
    assert not (folder / "run" / "checkpoints" / "best.ckpt").exists()


def test_a_resume_keeps_the_monitor_and_refuses_another(folder: Path) -> None:
    assert fit(folder, "--monitor", "val_acc").status == 0
    done = in_folder(folder, "fit", "--resume", "run", "--monitor", "val_loss")
    assert done.status == 2 and "monitor is val_acc, and would be val_loss" in done.err, done.err
    assert in_folder(folder, "fit", "--resume", "run", "--trainer.max_epochs", 4).status == 0
    assert fit(folder, "--monitor", "val_acc", "--trainer.max_epochs", 4, run="unbroken").status == 0
    resumed, unbroken = (result(folder / name)["best"] for name in ("run", "unbroken"))
    assert resumed["monitor"] == "val_acc" and resumed.keys() == unbroken.keys()
    assert resumed["value"] == pytest.approx(float(best_row(folder / "run", "val_acc")["val_acc"]))


def test_the_first_process_decides(folder: Path) -> None:
    two = ["--trainer.devices", 2, "--trainer.strategy", "ddp", "--trainer.max_epochs", 3]
    done = processes(folder, *words("--monitor", "val_acc", *two, model="Uneven"))
    assert done.returncode == 0, done.stderr
    found = result(folder / "run")["best"]
    assert found["value"] == pytest.approx(0.9) and found["step"] == 10


@pytest.mark.parametrize("monitor", ["val/loss", "val/error", "val/accuracy", "train/epoch_loss"])
def test_metrics_of_ours_choose(cadence, tmp_path: Path, monitor: str) -> None:
    run = tmp_path / "run"
    assert cadence(*RUN, "--monitor", monitor, "--run_dir", run) == 0
    found, way = result(run)["best"], max if monitor.endswith("accuracy") else min
    row = best_row(run, monitor, way)
    assert found["value"] == pytest.approx(float(row[monitor])) and found["step"] == int(row["step"])


@pytest.mark.parametrize("options", [[], ["--trainer.num_sanity_val_steps", "0"]])
def test_an_unknown_one_of_ours_is_told(cadence, tmp_path: Path, capsys, options: list[str]) -> None:
    assert cadence(*RUN, "--monitor", "val/acuracy", "--monitor_mode", "max", *options, "--run_dir", tmp_path) == 2
    assert "monitor: the model logs no val/acuracy\n  there are val/accuracy, " in capsys.readouterr().err
