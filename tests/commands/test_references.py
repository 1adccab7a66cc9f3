"""References to the environment: the objects have the value, and no file and no line of a run does."""

import re
import sys
from pathlib import Path

import pytest
import yaml

from tests.commands.test_wandb import offline_rows
from tests.forked import Done, forked

SECRET = "fake-s3cret-7f3a9c"
ENV = {"FAKE_KEY": SECRET, "FAKE_PLACE": "somewhere"}
PARTS = """
import pytorch_lightning as pl

from lightning_modules import MLP


class Keyed(MLP):
    def __init__(self, key: str, refuse: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.save_hyperparameters()
        if refuse:
            raise ValueError(f"key {key} is refused: give another")
        if key != "fake-s3cret-" + "7f3a9c":
            raise ValueError("key is not the environment's: mend it")


class Sender(pl.Callback):
    def __init__(self, url: str, keys: list[str], by_name: dict[str, str]):
        self.given = url, keys, by_name

    def on_train_start(self, trainer, module):
        secret = "fake-s3cret-" + "7f3a9c"
        assert self.given == (f"https://{secret}@host/${{x}}$", [secret], {"a": secret}), "the values are others"
"""
CONFIG = """
model: {class_path: parts.Keyed, init_args: {key: "${FAKE_KEY}", hidden_sizes: [8]}}
optimizer: {class_path: Adam, init_args: {lr: 0.01}}
trainer:
  max_epochs: 1
  accelerator: cpu
  callbacks:
  - class_path: parts.Sender
    init_args: {url: "https://${FAKE_KEY}@host/$${x}$", keys: ["${FAKE_KEY}"], by_name: {a: "${FAKE_KEY}"}}
run_dir: "${FAKE_PLACE}/run"
"""
LOGGERS = """
trainer:
  logger:
  - {class_path: records.wandb_record.WandbRecord, init_args: {mode: offline}}
  - {class_path: pytorch_lightning.loggers.CSVLogger, init_args: {save_dir: "run/csv"}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parts.py").write_text(PARTS)
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "loggers.yaml").write_text(LOGGERS)
    return tmp_path


def cadence(folder: Path, *words: object, **env: str) -> Done:
    return forked(*words, cwd=folder, env=ENV | env, first=lambda: sys.path.insert(0, str(folder)), limit=30)


def holding(folder: Path) -> list[str]:
    """Files below a folder whose bytes hold the secret."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 8
    return [str(path.relative_to(folder)) for path in files if SECRET.encode() in path.read_bytes()]


def test_the_objects_have_the_value_and_every_record_the_reference(folder: Path) -> None:
    done = cadence(folder, "fit", "-c", "c.yaml", "-c", "loggers.yaml")
    assert done.status == 0, done
    assert SECRET not in done.out + done.err and holding(folder) == []
    run = folder / "somewhere" / "run"
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["model"]["init_args"]["key"] == "${FAKE_KEY}"
    assert config["trainer"]["callbacks"][0]["init_args"]["url"] == "https://${FAKE_KEY}@host/$${x}$"
    assert "${FAKE_KEY}" in str(offline_rows(run)[1])
    again = cadence(folder, "fit", "--resume", run, "--trainer.max_epochs", "2")
    assert again.status == 0 and holding(folder) == [], again
    tested = cadence(folder, "test", "--run_dir", run)
    assert tested.status == 0 and holding(folder) == [], tested


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["--model.refuse", "true"],
            ["ValueError: key ${FAKE_KEY} is refused", "give another", "parts.py:12 in __init__"],
        ),
        (["--model.key", "${ABSENT}"], ["model.key: ${ABSENT} is not set", "export ABSENT=..."]),
        (["--model.key", "a ${oc.env:FAKE_KEY}"], ["model.key: ${oc.env:FAKE_KEY} is no reference", "write ${NAME}"]),
        (["--model.key", "${FAKE_KEY:-other}"], ["model.key: ${FAKE_KEY:-other} is no reference", "$${"]),
        (["--model.key", "${FAKE_KEY"], ["model.key: ${FAKE_KEY is no reference"]),
        (["--run_dir", "${ABSENT}/run"], ["run_dir: ${ABSENT} is not set"]),
        (["--data.batch_size", "${SIZE}"], ["data.batch_size", "a whole number", '--data.batch_size "$SIZE"']),
        (["--optimizer.lr", "${RATE}"], ["optimizer.lr", "a number", '--optimizer.lr "$RATE"']),
    ],
)
def test_a_mistake_with_a_reference_shows_no_value(words: list[str], expected: list[str], folder: Path) -> None:
    done = cadence(folder, "fit", "-c", "c.yaml", *words, SIZE="16", RATE="0.1")
    refused = words[0] == "--model.refuse"  # by a constructor of the user's own, whose line is shown
    assert done.status == (1 if refused else 2) and SECRET not in done.out + done.err, done
    assert [part for part in expected if part not in done.err] == [], done.err
    assert not (folder / "somewhere").exists()
    if remedy := re.search(r"fill it in: (\S+) \"\$(\w+)\"", done.err):
        followed = cadence(folder, "fit", "-c", "c.yaml", remedy[1], {"SIZE": "16", "RATE": "0.1"}[remedy[2]])
        assert followed.status == 0, followed
