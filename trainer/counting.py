"""Steps, samples and passes of a run, as functions of the step: by its stream, or by somebody else's loader."""

import pytorch_lightning as pl
from torch.utils.data import BatchSampler

from timeline.position import Position
from timeline.stream import Stream
from trainer.access import stream_of
from trainer.stock_loaders import batches_done, loaders_of


def counts_epochs(trainer: pl.Trainer) -> bool:
    """Whether the loader's length is known, once Lightning has it."""
    return len(loaders_of(trainer)) == 1 and trainer.num_training_batches != float("inf")


def counts_samples(trainer: pl.Trainer) -> bool:
    """Whether the sizes of its batches are known, too."""
    sampler = getattr(loaders_of(trainer)[0], "batch_sampler", None) if counts_epochs(trainer) else None
    return type(sampler) is BatchSampler


def position_of(trainer: pl.Trainer) -> Position:
    """Where the run stands after its last step.

    In somebody else's loader an epoch is what Lightning takes for one, its `limit_train_batches` included.

    Where the loader does not know its length, whole epochs are those that the trainer has counted so far; samples are 0
    where the sizes of batches are not known.
    """
    step = trainer.global_step
    if (stream := stream_of(trainer)) is not None:
        several = getattr(trainer, "accumulate_grad_batches", 1)
        if several == 1:
            return stream.position(step)
        return stream.position(batches_done(trainer))._replace(step=step)
    if not counts_epochs(trainer):
        return Position(step, 0, float(trainer.current_epoch))
    several, batches = trainer.accumulate_grad_batches, int(trainer.num_training_batches)
    if not counts_samples(trainer):
        return Position(step, 0, step / max(-(-batches // several), 1))
    loader, world = loaders_of(trainer)[0], trainer.world_size
    size = loader.batch_size * world
    samples = min(batches * size, len(loader.sampler) * world)
    return Stream(max(samples, 1), size * several, 0).position(step)
