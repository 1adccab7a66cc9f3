"""The loaders that Lightning has set up for a run, and the sampler below what it has wrapped around it."""

import os
import sys
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.distributed import DistributedSamplerWrapper
from pytorch_lightning.loops.evaluation_loop import _EvaluationLoop
from pytorch_lightning.loops.fit_loop import _FitLoop
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler, IterableDataset

from trainer.access import overrides


def loaders_of(trainer: pl.Trainer) -> list[Any]:
    """The training loaders of a run, for this process."""
    combined = trainer.fit_loop._combined_loader
    return [] if combined is None else list(combined.flattened)


def held_out_loaders(trainer: pl.Trainer) -> list[tuple[Any, int | float]]:
    """The validation loaders of a run, each with the number of its batches that are used."""
    loop = trainer.fit_loop.epoch_loop.val_loop
    if loop._combined_loader is None or not overrides(trainer.lightning_module, "validation_step", pl.LightningModule):
        return []
    return list(zip(loop._combined_loader.flattened, loop._max_batches, strict=True))


def seed_of_run() -> int:
    """What `pl.seed_everything` was given; 0 without it."""
    return int(os.environ.get("PL_GLOBAL_SEED", "0"))


def batches_done(trainer: pl.Trainer) -> int:
    """Number of training batches of a run that its steps are made of."""
    total: Any = trainer.fit_loop.epoch_loop.batch_progress.total
    return int(total.processed)


def own_batch_size(trainer: pl.Trainer) -> int:
    """The batch size that a training loader's batch sampler was made with."""
    return int(loaders_of(trainer)[0].batch_sampler.batch_size)


def batches_of_fit() -> int | None:
    """Number of training batches that the fit has done which asks for data here; None where no fit does.

    A loader knows no trainer. The fit's own loop is found among the callers, unless its validation asks. With
    `overfit_batches` each epoch is the first one again.
    """
    frame = sys._getframe(1)
    while frame is not None:
        asking = frame.f_locals.get("self")
        if isinstance(asking, _EvaluationLoop):
            return None
        if isinstance(asking, _FitLoop):
            return 0 if asking.trainer.overfit_batches else batches_done(asking.trainer)  # type: ignore[attr-defined]
        frame = frame.f_back  # type: ignore[assignment]
    return None


def first_step_of_epoch(trainer: pl.Trainer) -> int:
    """Number of the first step of the epoch that a fit begins with, or goes on with."""
    loop: Any = trainer.fit_loop
    behind = loop.epoch_loop.batch_progress.current.ready if loop.restarted_mid_epoch else 0
    return int(trainer.global_step - behind)


def begin_epoch_again(trainer: pl.Trainer) -> None:
    """Fetch anew what a loader was asked for before the training began."""
    if (fetcher := trainer.fit_loop._data_fetcher) is not None:
        iter(fetcher)


def validates(trainer: pl.Trainer) -> bool:
    """Whether a run in training has anything to validate on."""
    return any(most for _, most in held_out_loaders(trainer))


def sampler_of(loader: Any) -> Any:
    """The sampler of a whole run, of which batches of any size can be made; None where the loader has no such one."""
    if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset):
        return None
    if type(loader.batch_sampler) is not BatchSampler:
        return None
    sampler: Any = loader.sampler
    if type(sampler) is DistributedSamplerWrapper:
        return sampler.dataset._sampler  # type: ignore[attr-defined]
    by_process = isinstance(sampler, DistributedSampler) and type(sampler) is not DistributedSampler
    return None if by_process else sampler
