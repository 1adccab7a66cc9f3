"""Whose data and whose model a range test is about: each has its own way to be rehearsed."""

import pytorch_lightning as pl

from callbacks.range_tests.material import Data, Learner
from callbacks.range_tests.own_material import OwnData, OwnLearner
from callbacks.range_tests.stock_learner import StockLearner
from callbacks.range_tests.stock_material import StockData
from datamodules.image_datamodule import ImageDataModule
from lightning_modules import ImageClassifier
from trainer.access import datamodule_of


def data_of(trainer: pl.Trainer) -> Data:
    """The training data of a run.

    Raises:
        ValueError: a rehearsal cannot draw from them by itself.
    """
    data = datamodule_of(trainer)
    if isinstance(data, ImageDataModule) and data.stream is not None:
        return OwnData(trainer, data, data.stream)
    return StockData(trainer)


def learner_of(trainer: pl.Trainer) -> Learner:
    """A copy of a run's module, ready to be trained.

    Raises:
        ValueError: it cannot be trained beside the run.
    """
    return OwnLearner(trainer) if isinstance(trainer.lightning_module, ImageClassifier) else StockLearner(trainer)
