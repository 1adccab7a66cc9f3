"""Which samples at step t: permutations laid end to end, cut into batches. A pure function of (seed, step)."""

from collections.abc import Iterator

import numpy as np

_PERMUTATION = 1  # the purpose word of the generator's key; draws for transforms use hashes of their names


def permutation(seed: int, epoch: int, samples: int) -> np.ndarray:
    """The order in which pass number `epoch` visits the samples: int64, shape (samples,).

    Sorting raw Philox words, rather than numpy's own `permutation`, keeps the order the same in every numpy version:
    numpy promises the stability of a bit generator's words, not of what its Generator makes of them.
    """
    words = np.random.Philox(key=[seed, _PERMUTATION], counter=[0, 0, epoch, 0]).random_raw(samples)
    return np.argsort(words, kind="stable")


class Stream:
    """The samples of each optimizer step, for a constant batch size.

    Epoch e is `permutation(seed, e, samples)` cut into batches; the last one is short, or dropped with `drop_last`.

    Args:
        samples: number of training samples.
        batch_size: samples in a step, over all processes.
        seed: of the permutations.
        drop_last: drop the last, short batch of each epoch.

    Raises:
        ValueError: a size is below 1, or `drop_last` would drop everything.
    """

    def __init__(self, samples: int, batch_size: int, seed: int, drop_last: bool = False) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if samples < 1:
            raise ValueError("the training set is empty: lower val_fraction")
        if drop_last and batch_size > samples:
            raise ValueError(
                f"batch_size {batch_size} exceeds the {samples} training samples: lower it, or keep the last batch"
            )
        self.samples, self.batch_size, self.seed, self.drop_last = samples, batch_size, seed, drop_last
        self.steps_per_epoch = samples // batch_size if drop_last else -(-samples // batch_size)
        self._order: tuple[int, np.ndarray] | None = None

    def place(self, step: int) -> tuple[int, int, int]:
        """Epoch of `step`, and the first and last-plus-one position of its samples in that epoch's permutation."""
        epoch, batch = divmod(step, self.steps_per_epoch)
        start = batch * self.batch_size
        return epoch, start, min(start + self.batch_size, self.samples)

    def size(self, step: int) -> int:
        """Samples of `step`, over all processes."""
        _, start, stop = self.place(step)
        return stop - start

    def indices(self, step: int) -> np.ndarray:
        """Samples of `step`, over all processes: int64, shape (batch,)."""
        epoch, start, stop = self.place(step)
        return self.order(epoch)[start:stop]

    def order(self, epoch: int) -> np.ndarray:
        """The permutation of an epoch; the last one asked for is kept."""
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, permutation(self.seed, epoch, self.samples)
        return self._order[1]

    def samples_before(self, step: int) -> int:
        """Samples seen when `step` steps are done."""
        epoch, start, _ = self.place(step)
        per_epoch = self.steps_per_epoch * self.batch_size if self.drop_last else self.samples
        return epoch * per_epoch + start

    def steps(self, first: int) -> Iterator[int]:
        """Step numbers from `first` to the end of its epoch."""
        return iter(range(first, (first // self.steps_per_epoch + 1) * self.steps_per_epoch))
