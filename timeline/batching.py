"""Layouts: how passes over the samples are cut into steps, with one batch size or with one that follows a schedule."""

from bisect import bisect_right
from typing import Protocol

from timeline.position import BatchSizes, Position


class Layout(Protocol):
    """Cuts passes over the samples into steps."""

    def steps_in(self, epoch: int) -> int:
        """Number of steps in a pass."""

    def first_step(self, epoch: int) -> int:
        """Number of a pass's first step."""

    def place(self, step: int) -> tuple[int, int, int]:
        """The pass of a step, and where its samples start and stop in that pass (stop excluded)."""

    def seen_before(self, epoch: int) -> int:
        """Number of samples in all passes before this one."""


class ConstantLayout:
    """Batches of one size; the last one of a pass is short, or dropped.

    Args:
        samples: number of samples in a pass.
        batch_size: number of samples in a step.
        drop_last: drop the last, short batch of each pass.
    """

    def __init__(self, samples: int, batch_size: int, drop_last: bool) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if drop_last and batch_size > samples:
            raise ValueError(
                f"batch_size {batch_size} exceeds the {samples} training samples: lower it, or keep the last batch"
            )
        self.samples, self.batch_size = samples, batch_size
        self.steps = samples // batch_size if drop_last else -(-samples // batch_size)

    def steps_in(self, epoch: int) -> int:
        """Number of steps in any pass."""
        return self.steps

    def first_step(self, epoch: int) -> int:
        """Number of a pass's first step."""
        return epoch * self.steps

    def place(self, step: int) -> tuple[int, int, int]:
        """The pass of a step, and where its samples start and stop in it."""
        epoch, batch = divmod(step, self.steps)
        start = batch * self.batch_size
        return epoch, start, min(start + self.batch_size, self.samples)

    def seen_before(self, epoch: int) -> int:
        """Number of samples in all passes before this one."""
        return epoch * min(self.steps * self.batch_size, self.samples)


class ScheduledLayout:
    """Batches whose sizes are a function of the position; the last one of a pass holds what is left, or is dropped.

    Passes are cut in order, when first needed, and kept: where the schedule counts samples or epochs, a step's size
    depends on all sizes before it.

    Args:
        samples: number of samples in a pass.
        sizes: schedule: position before a step -> number of samples in that step.
        drop_last: drop a last batch that is shorter than its scheduled size.
    """

    def __init__(self, samples: int, sizes: BatchSizes, drop_last: bool) -> None:
        self.samples, self.sizes, self.drop_last = samples, sizes, drop_last
        self._firsts, self._seen, self._cuts = [0], [0], []  # type: list[int], list[int], list[list[int]]

    def steps_in(self, epoch: int) -> int:
        """Number of steps in a pass."""
        return self.first_step(epoch + 1) - self.first_step(epoch)

    def first_step(self, epoch: int) -> int:
        """Number of a pass's first step."""
        while len(self._cuts) < epoch:
            self._lay()
        return self._firsts[epoch]

    def place(self, step: int) -> tuple[int, int, int]:
        """The pass of a step, and where its samples start and stop in it."""
        while self._firsts[-1] <= step:
            self._lay()
        epoch = bisect_right(self._firsts, step) - 1
        batch = step - self._firsts[epoch]
        return epoch, self._cuts[epoch][batch], self._cuts[epoch][batch + 1]

    def seen_before(self, epoch: int) -> int:
        """Number of samples in all passes before this one."""
        self.first_step(epoch)
        return self._seen[epoch]

    def _lay(self) -> None:
        epoch, first, seen = len(self._cuts), self._firsts[-1], self._seen[-1]
        cuts = [0]
        while cuts[-1] < self.samples:
            start, step = cuts[-1], first + len(cuts) - 1
            size = self.sizes(Position(step, seen + start, epoch + start / self.samples))
            if size < 1:
                raise ValueError(f"batch size must be at least 1, got {size} at step {step}: mend the schedule")
            if self.drop_last and start + size > self.samples:
                break
            cuts.append(min(start + size, self.samples))
        if len(cuts) == 1:
            raise ValueError(
                f"batch size {size} exceeds the {self.samples} training samples at step {first}: "
                "lower it, or keep the last batch"
            )
        self._cuts.append(cuts)
        self._firsts.append(first + len(cuts) - 1)
        self._seen.append(seen + cuts[-1])
