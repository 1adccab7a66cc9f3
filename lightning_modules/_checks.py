"""Checks of what networks alone have: dropout, image sizes, and batches that batch normalisation can take."""

from typing import Any

from torch import nn

from checks.arguments import require_within
from trainer.sync_batch_norm import OverProcesses


def require_probability(**probabilities: float) -> None:
    """Raise ValueError unless every named dropout probability lies in [0, 1)."""
    require_within("[0, 1)", "try 0.5, or 0 for no dropout", **probabilities)


def require_image_size(architecture: str, image_size: int, *, exactly: int) -> None:
    """Raise ValueError unless images have the one size that a fixed chain of layers takes."""
    if image_size != exactly:
        raise ValueError(
            f"{architecture} takes images of {exactly} x {exactly}, got {image_size} x {image_size}: "
            f"set data.image_size to {exactly}"
        )


def require_image_size_from(architecture: str, image_size: int, *, smallest: int) -> None:
    """Raise ValueError where the last feature map would be empty."""
    if image_size < smallest:
        raise ValueError(
            f"{architecture} takes images of {smallest} x {smallest} or larger, got {image_size} x {image_size}: "
            f"set data.image_size to {smallest} or more"
        )


def normalises_single_values(network: nn.Module, of_maps: bool) -> bool:
    """Whether a process's own batch normalisation gets one value a channel of an image, and so needs two images.

    Args:
        network: the network.
        of_maps: whether its two-dimensional batch norms do, besides those of vectors.
    """
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d) if of_maps else (nn.BatchNorm1d,)
    return any(isinstance(one, kinds) and not isinstance(one, OverProcesses) for one in network.modules())


def check_chunks(stream: Any, copies: int, processes: int, micro_batch_size: int | None, passes: int) -> None:
    """Refuse batch sizes that leave a chunk of one row: batch norm of vectors needs two.

    The first thousand steps are looked at, and each pass's last one, which is the one that may be short.

    Args:
        stream: stream of the run's steps; its `size` counts the images of all processes.
        copies: rows that the transforms make of one sample.
        processes: number of processes that share a batch; the first ones take an image more where it does not divide.
        micro_batch_size: largest chunk, or None for no limit.
        passes: number of passes to look at.

    Raises:
        ValueError: there is such a chunk; names the field and the batch.
    """
    last = {stream.size(stream.first_step(epoch + 1) - 1) for epoch in range(passes)}
    for images in sorted({stream.size(step) for step in range(min(stream.steps_in(0), 1000))} | last):
        for share in {images // processes * copies, -(-images // processes) * copies}:
            limit = micro_batch_size or share
            if share == 1 or (share and (limit == 1 or share % limit == 1)):
                field = "data.batch_size" if share == 1 else "model.micro_batch_size"
                raise ValueError(
                    f"{field} leaves a chunk of one image of a batch of {images}, too few for batch normalisation: "
                    "change it" + (", or set data.drop_last to true" if images in last else "")
                )
