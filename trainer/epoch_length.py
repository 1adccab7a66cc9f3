"""Set an epoch's length in Lightning, which measures it only once, when it loads the data."""

import pytorch_lightning as pl

from timeline.stream import Stream
from trainer.access import stream_of


def tell_epoch_length(trainer: pl.Trainer, start: int) -> None:
    """Set the number of steps of the epoch that begins with step `start`, and what follows from it.

    These are the end of the loop, of the progress bar, of the fetcher and of the loader, and the steps between two
    validations. Where the data come from no stream, Lightning's own measure stays.

    Args:
        trainer: the run's, its data loaded.
        start: number of the epoch's first step.
    """
    loop, stream = trainer.fit_loop, stream_of(trainer)
    loader, fetcher = loop._combined_loader, loop._data_fetcher
    if stream is None or loader is None or fetcher is None:
        return
    steps = epoch_length(stream, start, trainer.limit_train_batches)
    for source in loader.flattened:
        if hasattr(source, "until"):  # a stranger's is stopped by Lightning
            source.until = start + steps
    loader.limits = [steps]
    loop.max_batches = steps
    fetcher.length = steps
    interval = getattr(trainer, "val_check_interval", None)  # Lightning sets none where it is a time
    if isinstance(interval, float):
        trainer.val_check_batch = max(1, int(steps * interval))


def epoch_length(stream: Stream, start: int, limit: int | float) -> int:
    """Number of steps of the epoch that begins with step `start`.

    An epoch ends with the pass in which it begins. With a limit below a pass's steps it has as many steps as the limit
    says, runs on into the next pass where need be, and the next epoch goes on from there: each sample still comes once
    a pass.

    Args:
        stream: the samples of each step.
        start: number of the epoch's first step.
        limit: number of steps, or share of a pass's steps, that an epoch has at most.
    """
    number = stream.place(start)[0]
    whole = stream.steps_in(number)
    limited = limit if isinstance(limit, int) else max(1, int(whole * limit))
    return limited if limited < whole else stream.first_step(number + 1) - start
