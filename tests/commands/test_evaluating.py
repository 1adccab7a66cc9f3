"""`validate` and `predict`: what they say is what the run said, for modules and data of ours and of others."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from commands.errors import UserError
from commands.predicting import probabilities
from tests.commands.theirs import cadence as in_folder
from tests.commands.theirs import fit, processes, result, written

MORE = '''

class LitPredicting(LitClassifier):
    def predict_step(self, batch, batch_idx):
        return self(batch[0])


class LitChances(LitPredicting):
    def predict_step(self, batch, batch_idx):
        return super().predict_step(batch, batch_idx).softmax(1)


class LitDictionary(LitPredicting):
    def predict_step(self, batch, batch_idx):
        return {"scores": self(batch[0])}


class LitStaged(LitData):
    """Sets up what Lightning's documentation sets up: fit and test."""

    def setup(self, stage):
        super().setup(stage)
        self.ranges = {"fit": [(0, 300), (300, 400)], "test": [(400, 500)]}[stage]

    def val_dataloader(self):
        return self.loader(*self.ranges[1])

    def test_dataloader(self):
        return self.loader(*self.ranges[0])


class LitTraining(LitData):
    val_dataloader = L.LightningDataModule.val_dataloader
    test_dataloader = L.LightningDataModule.test_dataloader
'''


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def right(rows: list[dict[str, str]]) -> float:
    return float(np.mean([row["label"] == row["prediction"] for row in rows]))


@pytest.fixture
def ended(ended_once: Path, tmp_path: Path) -> Path:
    """A run of ours that is over, moved to another place."""
    return Path(shutil.copytree(ended_once, tmp_path / "moved"))


def test_validate_gives_what_the_run_gave(cadence, ended: Path, capsys: pytest.CaptureFixture[str]) -> None:
    best = result(ended)["best"]
    assert cadence("validate", "--run_dir", ended) == 0
    found = result(ended, "validate.json")
    assert found["metrics"].keys() == {"val/loss", "val/accuracy", "val/error"}
    assert (
        found["metrics"]["val/accuracy"] == pytest.approx(best["value"])
        and found["checkpoint"] == "checkpoints/best.ckpt"
    )
    assert "validation" in capsys.readouterr().out and (ended / "validate-config.yaml").is_file()
    last = ended / "checkpoints" / "last.ckpt"
    assert cadence("validate", "--run_dir", ended, "--checkpoint", last) == 0
    assert result(ended, "validate.json")["metrics"]["val/accuracy"] == result(ended)["metrics"]["val/accuracy"]


@pytest.mark.parametrize(("split", "images"), [("test", 599), ("val", 200), ("train", 998)])
def test_predict_writes_a_row_an_image(cadence, ended: Path, capsys, split: str, images: int) -> None:
    given = [] if split == "test" else ["--split", split]
    assert cadence("predict", "--run_dir", ended, *given) == 0
    rows = table(ended / "predictions.csv")
    assert len(rows) == images and list(rows[0]) == [
        "index", "label", "prediction", *(f"probability_{digit}" for digit in range(10))
    ]  # fmt: skip
    assert f"{images:,} predictions for the" in capsys.readouterr().out
    places = [int(row["index"]) for row in rows]
    assert places == sorted(set(places))
    for row in rows:
        chances = [float(row[f"probability_{digit}"]) for digit in range(10)]
        assert sum(chances) == pytest.approx(1, abs=1e-4) and int(row["prediction"]) == int(np.argmax(chances))
    known = {"test": ("metrics", "test/accuracy"), "val": ("best", "value")}
    if split in known:
        section, name = known[split]
        assert right(rows) == pytest.approx(result(ended)[section][name], abs=1e-6)


def test_predictions_go_where_they_are_wanted(cadence, ended: Path, capfd: pytest.CaptureFixture[str]) -> None:
    best = ended / "checkpoints" / "best.ckpt"
    config = ["-c", ended / "config.yaml", "--checkpoint", best]
    assert cadence("predict", *config, "--output", ended.parent / "mine.csv", "--trainer.limit_predict_batches", 1) == 0
    assert len(table(ended.parent / "mine.csv")) == 512 and not (ended / "predictions.csv").exists()
    capfd.readouterr()
    for words_, told in (
        (config, "output is missing: name the file by --output PATH, or the run by --run_dir DIR"),
        (["--run_dir", ended, "--output", ended / "no" / "x.csv"], "there is no folder"),
        (["--run_dir", ended, "--output", ended], "is a folder: name a file, e.g. predictions.csv"),
        (["--run_dir", ended, "--split", "all"], "split: expected one of test, val, train, got 'all'"),
        (["--run_dir", ended.parent / "gone"], "does not exist"),
        (["--run_dir", ended, "--checkpoint", "gone.ckpt"], "gone.ckpt"),
    ):
        assert cadence("predict", *words_) == 2
        errors = capfd.readouterr().err
        assert told in errors and len(errors.splitlines()) <= 3, errors


@pytest.mark.parametrize("command", [["validate"], ["predict", "--split", "val"]])
def test_without_validation_images_both_say_so(cadence, ended: Path, capfd, command: list[str]) -> None:
    assert cadence(*command, "--run_dir", ended, "--data.val_fraction", 0) == 2
    assert "data.val_fraction is 0, so that no images are held out" in capfd.readouterr().err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path, MORE)


@pytest.mark.parametrize(
    ("model", "data"), [("LitPredicting", "LitData"), ("LitChances", "LitData"), ("LitPredicting", "LitStaged")]
)
def test_modules_and_data_of_others(folder: Path, model: str, data: str) -> None:
    assert fit(folder, "--monitor", "val_acc", model=model, data=data).status == 0
    done = in_folder(folder, "validate", "--run_dir", "run")
    assert done.status == 0, done.err
    assert result(folder / "run", "validate.json")["metrics"]["val_acc"] == result(folder / "run")["best"]["value"]
    for split, number in (("test", 100), ("val", 100), ("train", 300)):
        done = in_folder(folder, "predict", "--run_dir", "run", "--split", split)
        assert done.status == 0, done.err
        rows = table(folder / "run" / "predictions.csv")
        assert [int(row["index"]) for row in rows] == list(range(number)), split
        assert sum(float(rows[0][f"probability_{place}"]) for place in range(4)) == pytest.approx(1, abs=1e-4)
        if split == "test":
            assert right(rows) == pytest.approx(result(folder / "run")["metrics"]["test_acc"])


@pytest.mark.parametrize(
    ("model", "data", "command", "told"),
    [
        ("LitClassifier", "LitData", ["predict"], "LitClassifier has no predict_step: give it one that returns class"),
        (
            "LitDictionary",
            "LitData",
            ["predict"],
            "LitDictionary.predict_step must return class scores, a tensor (batch",
        ),
        ("LitPredicting", "LitTraining", ["predict"], "LitTraining has no test_dataloader"),
        ("LitPredicting", "LitTraining", ["validate"], "LitTraining has no val_dataloader"),
        ("LitPredicting", "LitTraining", ["test"], "LitTraining has no test_dataloader"),
    ],
)
def test_what_cannot_be_evaluated_is_told(folder: Path, model: str, data: str, command: list[str], told: str) -> None:
    assert fit(folder, "--trainer.max_steps", 2, "--test_after_fit", "false", model=model, data=data).status == 0
    done = in_folder(folder, *command, "--run_dir", "run")
    assert done.status == 2 and told in done.err and len(done.err.splitlines()) <= 3, done.err


def test_two_processes_write_what_one_writes(folder: Path) -> None:
    assert fit(folder, model="LitPredicting", run="theirs").status == 0
    ours = ["fit", "--model", "MLP", "--optimizer", "SGD", "--trainer.max_steps", 3, "--trainer.accelerator", "cpu"]
    assert in_folder(folder, *ours, "--run_dir", "ours").status == 0
    for run in ("theirs", "ours"):
        assert in_folder(folder, "predict", "--run_dir", run, "--output", "one.csv").status == 0
        two = ["--trainer.devices", 2, "--trainer.strategy", "ddp", "--output", "two.csv"]
        done = processes(folder, "predict", "--run_dir", run, *two)
        assert done.returncode == 0, done.stderr
        for one, other in zip(table(folder / "one.csv"), table(folder / "two.csv"), strict=True):
            assert [float(value) for value in one.values()] == pytest.approx(
                [float(v) for v in other.values()], rel=1e-4
            )


def test_probabilities() -> None:
    chances = np.array([[0.25, 0.75], [1.0, 0.0]])
    assert np.array_equal(probabilities(chances), chances)
    assert np.allclose(probabilities(np.log(np.array([[0.25, 0.75]]))), [[0.25, 0.75]])
    assert np.allclose(probabilities(np.array([[1e4, 0.0]])), [[1.0, 0.0]])
    with pytest.raises(UserError, match="no finite numbers for 1 of 2 images"):
        probabilities(np.array([[np.nan, 0.0], [1.0, 2.0]]))
