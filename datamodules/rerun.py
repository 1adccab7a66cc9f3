"""The batches of any loader as it makes them, from the start, one pass after the other: its own sizes and order."""

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader, IterableDataset

from checks.arguments import Refusal
from datamodules.isolated import isolated
from datamodules.redrawn import keyed, seed_host
from timeline.keys import step_key


class RerunLoader:
    """Step n gets batch n of a copy of the loader; what the loader draws is a function of (seed, step, rank).

    Args:
        loader: loader of this process: a `DataLoader` over an iterable dataset or with somebody's own batch sampler, or
            any iterable of batches.
        seed: seed of what it draws.
        rank: number of this process.

    Raises:
        ValueError: the loader cannot be copied, so that the run's own would be disturbed.
    """

    def __init__(self, loader: Any, seed: int, rank: int) -> None:
        self._loader, self._seed, self._rank = loader, seed, rank
        if _needs_copy(loader) and isolated(whole := _source(loader)) is whole:
            raise Refusal(f"a range test needs a loader beside the run's, and {type(whole).__name__} cannot be copied")
        self._passes, self._next = 0, 0
        self._batches: Iterator[Any] = iter(())
        self._last: Any = None

    def batch(self, number: int) -> Any:
        """The batch of a step, on the host; those before it are drawn, too."""
        if number < self._next - 1:
            self._passes, self._next, self._batches = 0, 0, iter(())
        while self._next <= number:
            self._last = self._draw()
            self._next += 1
        return self._last

    def one_pass(self, most: int | float) -> Iterator[Any]:
        """The batches of one pass, at most so many."""
        for number, batch in enumerate(self._again(step_key(self._seed, 0, self._rank))):
            if number == most:
                return
            yield batch

    def _draw(self) -> Any:
        seed_host(step_key(self._seed, self._next, self._rank))
        for batch in self._batches:
            return batch
        self._batches = self._again(step_key(self._seed, self._passes, 0))
        self._passes += 1
        seed_host(step_key(self._seed, self._next, self._rank))
        for batch in self._batches:
            return batch
        raise Refusal("a range test found no batch in the training loader: give it some")

    def _again(self, key: int) -> Iterator[Any]:
        like = self._loader
        seed_host(key)
        if not isinstance(like, DataLoader):
            return iter(isolated(like))
        given: dict[str, Any] = {}
        if isinstance(like.dataset, IterableDataset):
            given = {"batch_size": like.batch_size} | ({} if like.batch_size is None else {"drop_last": like.drop_last})
        elif like.batch_sampler is None:
            given = {"batch_size": None, "sampler": keyed(like.sampler, key)}
        else:
            given = {"batch_sampler": keyed(like.batch_sampler, key)}
        return iter(
            DataLoader(
                isolated(like.dataset), **given, num_workers=like.num_workers, collate_fn=like.collate_fn,
                pin_memory=like.pin_memory, timeout=like.timeout, worker_init_fn=like.worker_init_fn,
                multiprocessing_context=like.multiprocessing_context, prefetch_factor=like.prefetch_factor,
            )
        )  # fmt: skip


def _needs_copy(loader: Any) -> bool:
    """Whether iterating would change the loader's own state: all but data that workers have copies of."""
    if not isinstance(loader, DataLoader):
        return True
    return isinstance(loader.dataset, IterableDataset) and loader.num_workers == 0


def _source(loader: Any) -> Any:
    return loader.dataset if isinstance(loader, DataLoader) else loader
