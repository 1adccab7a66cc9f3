"""How several processes share a batch: told before the run, and nothing else follows from it."""

import sys

import pytorch_lightning as pl
from torch import nn

from commands.configuration.cadence_cli import CadenceCLI
from datamodules import ImageDataModule
from trainer.access import callbacks_of
from trainer.ranks import processes_of

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def tell_sharing(cli: CadenceCLI, trainer: pl.Trainer) -> None:
    """Say on standard error, before a run of several processes, how they share a batch of Cadence's datasets."""
    if trainer.world_size == 1 or not trainer.is_global_zero or cli.images is None:
        return
    among = processes_of(trainer)
    nodes = f" on {among['nodes']} nodes" if among["nodes"] > 1 else ""
    print(
        f"cadence: {among['processes']} processes{nodes} share each batch: {_share(cli.images, trainer)} for each; "
        "the learning rate is not scaled",
        file=sys.stderr,
    )
    if not cli.config.trainer.sync_batchnorm and any(isinstance(one, _NORMS) for one in cli.model.modules()):
        print(
            "cadence: batch normalisation takes the moments of each share: "
            "--trainer.sync_batchnorm true takes those of the whole batch",
            file=sys.stderr,
        )


def _share(images: ImageDataModule, trainer: pl.Trainer) -> str:
    if any(hasattr(callback, "lay_stream") for callback in callbacks_of(trainer)):
        return "an equal part, whatever its size,"
    size = images.batch_size
    low, high = size // trainer.world_size, -(-size // trainer.world_size)
    return f"{f'{high:,}' if low == high else f'{low:,} or {high:,}'} of {size:,} images"
