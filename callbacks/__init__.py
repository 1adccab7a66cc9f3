"""Callbacks, one reason to exist each."""

from callbacks.batch_augmented_cutout import BatchAugmentedCutout
from callbacks.batch_size_range_test import BatchSizeRangeTest
from callbacks.best_checkpoint import BestCheckpoint
from callbacks.counted_samples import CountedSamples
from callbacks.cyclical_batch_size import CyclicalBatchSize
from callbacks.cyclical_lr import CyclicalLR
from callbacks.divergence_watch import DivergenceWatch
from callbacks.last_checkpoint import LastCheckpoint
from callbacks.lr_range_test import LRRangeTest
from callbacks.multi_step_lr import MultiStepLR
from callbacks.rekeyed_randomness import RekeyedRandomness
from callbacks.run_history import RunHistory
from callbacks.run_record import RunRecord
from callbacks.start_from import StartFrom
from callbacks.time_to_target import TimeToTarget
from callbacks.training_progress import TrainingProgress

__all__ = [
    "BatchAugmentedCutout",
    "BatchSizeRangeTest",
    "BestCheckpoint",
    "CountedSamples",
    "CyclicalBatchSize",
    "CyclicalLR",
    "DivergenceWatch",
    "LRRangeTest",
    "LastCheckpoint",
    "MultiStepLR",
    "RekeyedRandomness",
    "RunHistory",
    "RunRecord",
    "StartFrom",
    "TimeToTarget",
    "TrainingProgress",
]
