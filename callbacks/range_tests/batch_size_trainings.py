"""The trainings of a batch-size range test: one for each size, from the same start, at one learning rate."""

import gc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from callbacks.range_tests.losses import FINISHED, NON_FINITE, last_tenth
from callbacks.range_tests.rehearsal import Rehearsal
from callbacks.range_tests.trials import READ_EVERY, Found, Trial
from trainer.host_memory import out_of_memory

READ_SAMPLES = 10_000  # most samples between two readings (or one step): a trial of slow steps is kept in time
OUT_OF_MEMORY, TOO_LARGE = "out of memory", "larger than the training set"

Watch = Callable[[int, Rehearsal], None]


@dataclass(frozen=True)
class Point:
    """A training after a number of steps.

    Attributes:
        steps: number of steps done.
        loss: mean training loss over their last tenth, at least one step; NaN if the training did not get so far.
        error: standard error of that mean (`last_tenth`); NaN after fewer than three steps.
        held_out: loss on the validation images; NaN where nothing is held out.
    """

    steps: int
    loss: float = float("nan")
    error: float = float("nan")
    held_out: float = float("nan")


@dataclass(frozen=True)
class Trained:
    """One size's training.

    Attributes:
        size: number of samples in a step, over all processes.
        status: `finished`, `non-finite`, `out of memory` or `larger than the training set`.
        at_steps: losses after all steps, of which every size makes the same number.
        at_samples: losses after as many samples as the smallest size sees in all, rounded down to whole steps.
        start: loss of the first batch, before any step; NaN if no step was made.
        seconds: time that the steps took, evaluation apart.
    """

    size: int
    status: str
    at_steps: Point
    at_samples: Point
    start: float = float("nan")
    seconds: float = 0.0


def each_size(
    trial: Callable[[int], Trial], sizes: list[int], samples: int, steps: int, lr: float, watch: Watch | None = None
) -> list[Trained]:
    """Train every size from the same start; a size that does not fit in memory is recorded, and the next one follows.

    Args:
        trial: the training with batches of a size.
        sizes: batch sizes, increasing.
        samples: number of samples in the training set; larger sizes are left out, as no batch could be whole.
        steps: number of steps of every size.
        lr: learning rate for a param group of ratio 1.
        watch: function that gets the smallest size's copy, as `trained` says.
    """
    done = []
    for size in sizes:
        early = steps * sizes[0] // size
        if size > samples:
            done.append(Trained(size, TOO_LARGE, Point(steps), Point(early)))
            continue
        notes = trial(size).found.notes
        try:
            if OUT_OF_MEMORY not in notes:
                done.append(trained(trial(size), size, steps, early, lr, watch if size == sizes[0] else None))
                continue
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
        # The traceback keeps the copy alive, so memory can be freed only after the except block.
        notes[OUT_OF_MEMORY] = True
        done.append(Trained(size, OUT_OF_MEMORY, Point(steps), Point(early)))
        _free_memory()
    return done


def trained(trial: Trial, size: int, steps: int, early: int, lr: float, watch: Watch | None) -> Trained:
    """Train one size; both its points are on one training, that at equal samples on the way to that at equal steps.

    Args:
        trial: the training.
        size: number of samples in its batches.
        steps: number of steps to train.
        early: number of steps with as many samples as the smallest size sees in all; 0 if one step has more.
        lr: learning rate for a param group of ratio 1.
        watch: function that gets the steps done and the copy, before the first step and at each reading of the losses.
    """
    found, rates, every = trial.found, np.full(steps, lr), min(READ_EVERY, max(READ_SAMPLES // size, 1))
    if watch is not None and not found.losses:
        watch(0, trial.copy)
    for stop in sorted({*range(READ_EVERY, steps, READ_EVERY), steps, early} - {0}):
        if stop <= len(found.losses):
            continue
        if np.isfinite(found.losses).all():
            trial.train(stop, rates, every)
        if not np.isfinite(found.losses).all():
            break
        if stop in (early, steps):
            found.notes[str(stop)] = {"held_out": trial.copy.held_out().get("loss", float("nan"))}
        if watch is not None:
            watch(stop, trial.copy)
    at_samples = _point(found, early) if str(early) in found.notes else Point(early)
    if not np.isfinite(found.losses).all():
        return Trained(size, NON_FINITE, Point(steps), at_samples, found.losses[0], found.seconds)
    at_steps = at_samples if early == steps else _point(found, steps)
    return Trained(size, FINISHED, at_steps, at_samples, found.losses[0], found.seconds)


def _point(found: Found, steps: int) -> Point:
    mean, error = last_tenth(found.losses[:steps])
    return Point(steps, mean, error, found.notes[str(steps)]["held_out"])


def _free_memory() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
