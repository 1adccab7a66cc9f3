"""The trainings that a range test is made of: each goes on where it was, if the test was stopped."""

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
    """What outlives a trial's copy.

    Attributes:
        losses: raw training loss of each step so far.
        seconds: of the steps alone.
        notes: what is found on the way: numbers, tensors, and lists and dicts of them.
    """

    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)


class Trial:
    """One training of a copy. Who trains it looks at `found` first: it may hold some of the steps, or all.

    Args:
        name: among the trials of its test.
        start: makes the copy, trained as far as `found` says.
        found: to which it adds.
        progress: told of steps done.
        keep: called before more steps, when all that belongs to those done is found.
    """

    def __init__(
        self, name: str, start: Callable[[], Rehearsal], found: Found, progress: Progress, keep: "Keep"
    ) -> None:
        self.name, self.found = name, found
        self._start, self._progress, self._keep = start, progress, keep

    @cached_property
    def copy(self) -> Rehearsal:
        """The copy, made when it is first asked for: a trial that is done needs none."""
        return self._start()

    def train(self, stop: int, rates: np.ndarray, every: int = READ_EVERY) -> None:
        """Train until `stop` steps are done, and read their losses, which waits for the device.

        Args:
            stop: steps.
            rates: of the trial's steps from its first on, for a param group of ratio 1.
            every: steps between two readings on the way, after each of which the trial may be kept.
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
        progress: told of steps done.
        found: what is known from before the test was stopped.
        name: of the trial that was stopped; empty where none was.
        restore: makes a fresh copy what that trial's was.
        keep: called with a trial before more of its steps.
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
        """The trial of a name. It alone holds its copy, which goes when the trial is let go of.

        Args:
            name: of the trial; the same one after a stop.
            start: makes a fresh copy.
        """
        found = self.found.setdefault(name, Found())
        if name == self._name:
            start = partial(self._as_it_was, start)
        return Trial(name, start, found, self._progress, self._keep)

    def _as_it_was(self, start: Callable[[], Rehearsal]) -> Rehearsal:
        copy = start()
        self._restore(copy)
        return copy
