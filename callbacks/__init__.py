"""Callbacks, one reason to exist each."""

from callbacks.best_checkpoint import BestCheckpoint
from callbacks.last_checkpoint import LastCheckpoint
from callbacks.rekeyed_randomness import RekeyedRandomness
from callbacks.run_record import RunRecord
from callbacks.training_progress import TrainingProgress

__all__ = ["BestCheckpoint", "LastCheckpoint", "RekeyedRandomness", "RunRecord", "TrainingProgress"]
