"""Lightning's handlers of signals, which are left out: a command has its own, see `trainer/signals.py`."""

import signal

import pytorch_lightning as pl
from pytorch_lightning.trainer.connectors.signal_connector import _SignalConnector


class NoHandlers(_SignalConnector):
    """Handles nothing.

    Lightning's would take note of SIGTERM until a step's end, and end a run without a checkpoint and without a word;
    in a job of SLURM they would write a checkpoint of their own in the middle of a step, and queue the same command
    again, which would begin another run.
    """

    def register_signal_handlers(self) -> None:
        """Leave the signals as they are."""

    def teardown(self) -> None:
        """Leave the signals as they are."""


def leave_signals(trainer: pl.Trainer) -> None:
    """Let a trainer handle no signals."""
    trainer._signal_connector = NoHandlers(trainer)


def end_children(trainer: pl.Trainer) -> None:
    """Stop the processes that the trainer has launched, which may wait for this one."""
    if kill := getattr(trainer.strategy.launcher, "kill", None):
        kill(signal.SIGTERM)
