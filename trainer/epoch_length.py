"""Set an epoch's length in Lightning, which measures it only once, when it loads the data."""

import pytorch_lightning as pl

from trainer.access import stream_of


def tell_epoch_length(trainer: pl.Trainer) -> None:
    """Set the number of steps of the epoch in which `trainer.global_step` lies, and what follows from it.

    These are the end of the loop, of the progress bar and of the fetcher, and the steps between two validations;
    `limit_train_batches` and `val_check_interval` are applied as Lightning does.
    """
    loop = trainer.fit_loop
    loader, fetcher = loop._combined_loader, loop._data_fetcher
    assert loader is not None and fetcher is not None
    stream = stream_of(trainer)
    assert stream is not None
    steps = stream.steps_in(stream.place(trainer.global_step)[0])
    limit = trainer.limit_train_batches
    steps = min(steps, limit) if isinstance(limit, int) else int(steps * limit)
    loader.limits = [steps]
    loop.max_batches = steps
    fetcher.length = steps
    interval = trainer.val_check_interval
    if isinstance(interval, float):
        trainer.val_check_batch = max(1, int(steps * interval))
