"""The trainings that a range test consists of; after a stop, each goes on where it was."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from time import monotonic
from typing import Any

import numpy as np
import torch

from callbacks.range_tests.rehearsal import Rehearsal

READ_EVERY = 20  # steps between two looks at the losses, each of which waits for the device

Progress = Callable[[int], None]


@dataclass
class Found:
    """Results of a trial, which are kept when its copy is gone.

    Attributes:
        losses: raw training loss of each step so far.
        seconds: time that the steps took.
        notes: other results by name: numbers, tensors, and lists and dicts of them.
    """

    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)


class Trial:
    """One training of a copy.

    Check `found` before training: after a resume it may already hold some or all of the steps.

    Args:
        name: name among the trials of the test.
        start: function that makes the copy, trained as far as `found` says.
        found: results so far, which the trial adds to.
        progress: function that gets the number of steps just done.
        keep: function that may save the trial; called before each block of steps, when `found` is up to date.
    """

    def __init__(
        self, name: str, start: Callable[[], Rehearsal], found: Found, progress: Progress, keep: "Keep"
    ) -> None:
        self.name, self.found = name, found
        self._start, self._progress, self._keep = start, progress, keep

    @cached_property
    def copy(self) -> Rehearsal:
        """The copy, made on first use: a trial that is done needs none."""
        return self._start()

    def train(self, stop: int, rates: np.ndarray, every: int = READ_EVERY) -> None:
        """Train until `stop` steps are done, and read their losses, which waits for the device.

        Args:
            stop: number of steps of the trial to be done by then.
            rates: learning rates of the trial's steps from its first on, for a param group of ratio 1.
            every: number of steps between two readings of the losses; before each block the trial may be kept.
        """
        losses = self.found.losses
        while (first := len(losses)) < stop:
            self._keep(self)
            copy, began, last = self.copy, monotonic(), min(first + every, stop)
            losses += torch.stack([copy.step(number, float(rates[number])) for number in range(first, last)]).tolist()
            self.found.seconds += monotonic() - began
            self._progress(last - first)


Keep = Callable[[Trial], None]


class Trials:
    """All trials of a test, by name.

    Args:
        progress: function that gets the number of steps just done.
        found: results of an earlier process, by the trial's name.
        name: name of the trial that was stopped; empty if none was.
        restore: function that gives a fresh copy the state of that trial's.
        keep: function that may save a trial; called before each block of its steps.
    """

    def __init__(
        self,
        progress: Progress,
        found: dict[str, Found] | None = None,
        name: str = "",
        restore: Callable[[Rehearsal], None] = lambda copy: None,
        keep: Keep = lambda trial: None,
    ) -> None:
        self.found = {} if found is None else found
        self._progress, self._name, self._restore, self._keep = progress, name, restore, keep

    def __call__(self, name: str, start: Callable[[], Rehearsal]) -> Trial:
        """The trial of a name. Only it refers to its copy, whose memory is freed with it.

        Args:
            name: name of the trial; the same one after a stop.
            start: function that makes a fresh copy.
        """
        found = self.found.setdefault(name, Found())
        if name == self._name:
            start = partial(self._as_it_was, start)
        return Trial(name, start, found, self._progress, self._keep)

    def _as_it_was(self, start: Callable[[], Rehearsal]) -> Rehearsal:
        copy = start()
        self._restore(copy)
        return copy
