"""The measuring of a batch-size range test: each size trained from the same start, at one learning rate."""

import gc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from callbacks.range_tests.losses import FINISHED, NON_FINITE, last_tenth
from callbacks.range_tests.rehearsal import Rehearsal
from callbacks.range_tests.trials import READ_EVERY, Found, Trial
from trainer.host_memory import out_of_memory

READ_SAMPLES = 10_000  # at most, or one step's: large batches take long, and are kept at a reading
OUT_OF_MEMORY, TOO_LARGE = "out of memory", "larger than the training set"

Watch = Callable[[int, Rehearsal], None]


@dataclass(frozen=True)
class Point:
    """A training after so many steps.

    Attributes:
        steps: done.
        loss: mean training loss over the last tenth of them, at least one; NaN where it did not get so far.
        error: standard error of that mean (`last_tenth`); NaN of fewer than three steps.
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
        size: samples in a step, over all processes.
        status: `finished`, `non-finite`, `out of memory` or `larger than the training set`.
        at_steps: after as many steps as every size makes.
        at_samples: after as many samples as the smallest size sees in all its steps, rounded down to whole steps.
        start: loss of the first batch, before any step; NaN where there was none.
        seconds: of the steps alone.
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
    """Train every size from the same start; what does not fit is recorded, and the next one has its turn.

    Args:
        trial: the training with batches of a size.
        sizes: batch sizes, increasing.
        samples: of the training set; larger sizes are left out, as no batch could be whole.
        steps: of every size.
        lr: for a param group of ratio 1.
        watch: shown the smallest size's training.
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
        # Only here, behind the handler, is the copy gone, which the error's frames have held.
        notes[OUT_OF_MEMORY] = True
        done.append(Trained(size, OUT_OF_MEMORY, Point(steps), Point(early)))
        _free_memory()
    return done


def trained(trial: Trial, size: int, steps: int, early: int, lr: float, watch: Watch | None) -> Trained:
    """One size. Its training at an equal number of samples is the beginning of that at an equal number of steps.

    Args:
        trial: the training.
        size: of its batches.
        steps: to train.
        early: steps at which it has seen as many samples as the smallest size will; 0 where not one step is so small.
        lr: for a param group of ratio 1.
        watch: shown the copy before the first step, and wherever the losses are read.
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
