"""Which samples at step t: permutations laid end to end, cut into batches. A pure function of (seed, step)."""

from collections.abc import Iterator

import numpy as np

from timeline.batching import ConstantLayout, Layout, ScheduledLayout
from timeline.position import BatchSizes, Position

_PERMUTATION = 1  # second word of the generator's key; draws of transforms have a hash of their name there


def permutation(seed: int, epoch: int, samples: int) -> np.ndarray:
    """The order in which pass number `epoch` visits the samples: int64, shape (samples,).

    Sorting raw Philox words, rather than numpy's own `permutation`, keeps the order the same in every numpy version:
    numpy promises the stability of a bit generator's words, not of what its Generator makes of them.
    """
    words = np.random.Philox(key=[seed, _PERMUTATION], counter=[0, 0, epoch, 0]).random_raw(samples)
    return np.argsort(words, kind="stable")


class Stream:
    """The samples of each optimizer step.

    Epoch e is `permutation(seed, e, samples)` cut into batches; the last one is short, or dropped with `drop_last`.
    Each sample comes exactly once an epoch, whatever the batch sizes.

    Args:
        samples: number of training samples.
        batch_size: number of samples in a step, over all processes; or a function: position before the step -> that.
        seed: key of the permutations.
        drop_last: drop the last, short batch of each epoch.

    Raises:
        ValueError: a size is below 1, or `drop_last` would drop everything.
    """

    def __init__(self, samples: int, batch_size: int | BatchSizes, seed: int, drop_last: bool = False) -> None:
        if samples < 1:
            raise ValueError("the training set is empty: lower val_fraction")
        self.samples, self.seed, self.drop_last = samples, seed, drop_last
        self._layout: Layout
        self.scheduled = False
        self.lay(batch_size)
        self._order: tuple[int, np.ndarray] | None = None

    def lay(self, batch_size: int | BatchSizes) -> None:
        """Replace the batch size or its schedule, for all steps from 0 on; `scheduled` says which of them it is."""
        self.scheduled = not isinstance(batch_size, int)
        if isinstance(batch_size, int):
            self._layout = ConstantLayout(self.samples, batch_size, self.drop_last)
        else:
            self._layout = ScheduledLayout(self.samples, batch_size, self.drop_last)

    def place(self, step: int) -> tuple[int, int, int]:
        """Epoch of `step`, and where its samples start and stop in that epoch's permutation (stop excluded)."""
        return self._layout.place(step)

    def size(self, step: int) -> int:
        """Number of samples of `step`, over all processes."""
        _, start, stop = self.place(step)
        return stop - start

    def position(self, step: int) -> Position:
        """Where the run stands before step number `step`: after as many steps."""
        epoch, start, _ = self.place(step)
        return Position(step, self._layout.seen_before(epoch) + start, epoch + start / self.samples)

    def indices(self, step: int) -> np.ndarray:
        """Samples of `step`, over all processes: int64, shape (batch,)."""
        epoch, start, stop = self.place(step)
        return self.order(epoch)[start:stop]

    def order(self, epoch: int) -> np.ndarray:
        """The permutation of an epoch; the latest result is cached."""
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, permutation(self.seed, epoch, self.samples)
        return self._order[1]

    def first_step(self, epoch: int) -> int:
        """Number of the first step of an epoch."""
        return self._layout.first_step(epoch)

    def steps_in(self, epoch: int) -> int:
        """Number of steps in an epoch."""
        return self._layout.steps_in(epoch)

    def steps(self, first: int, until: int | None = None) -> Iterator[int]:
        """Step numbers from `first` to before `until`; by default to the end of its pass."""
        return iter(range(first, self.first_step(self.place(first)[0] + 1) if until is None else until))
