"""The loaders that Lightning has set up for a run, and the sampler below what it has wrapped around it."""

from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.distributed import DistributedSamplerWrapper
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
