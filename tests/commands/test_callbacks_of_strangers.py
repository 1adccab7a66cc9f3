"""Which callbacks of a configuration take part in a range test that runs by itself: those that do not decline it."""

from pathlib import Path
from typing import ClassVar

import pytest
import pytorch_lightning as pl
import yaml

import callbacks
from callbacks import CyclicalLR
from tests.callbacks.subjects import IN_YAML
from tests.commands.test_range_tests import FLAT, LR, RUN

STARTED: list[str] = []


class Silent(pl.Callback):
    """A stranger's callback, which says nothing about range tests."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        STARTED.append(type(self).__name__)


class Declining(Silent):
    """A stranger's policy, which has no part in a range test."""

    left_out_of_range_tests: ClassVar[bool] = True


class Derived(CyclicalLR):
    """A stranger's own kind of one of ours, under a name that nobody here knows."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        STARTED.append(type(self).__name__)
        super().on_train_start(trainer, pl_module)


def configuration() -> list[str]:
    cycle = {"half_cycle": 1, "lower": 0.01, "upper": 0.1}
    named = [{"class_path": f"{__name__}.{name}"} for name in ("Silent", "Declining")]
    named += [{"class_path": f"{__name__}.Derived", "init_args": cycle}]
    Path("strangers.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": named}}))
    return ["-c", "strangers.yaml"]


@pytest.fixture(autouse=True)
def _nothing_started() -> None:
    STARTED.clear()


def test_a_range_test_leaves_out_those_that_decline_it(cadence) -> None:
    assert cadence(*LR, *configuration(), *FLAT) == 1
    assert STARTED == ["Silent"]


def test_a_run_has_them_all(cadence) -> None:
    assert cadence("fit", *RUN, *configuration(), "--trainer.max_epochs", "1", "--trainer.max_steps", "1") == 0
    assert STARTED == ["Silent", "Declining", "Derived"]


def test_ours_that_decline_it() -> None:
    """Whatever sets the rate or the batch size of the run, tests for them, or waits for the run's accuracy."""
    declining = {name for name in IN_YAML if getattr(getattr(callbacks, name), "left_out_of_range_tests", False)}
    assert declining == {
        "LRRangeTest", "BatchSizeRangeTest", "CyclicalLR", "MultiStepLR", "CyclicalBatchSize", "TimeToTarget",
    }  # fmt: skip
