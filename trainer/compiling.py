"""Compile a network for its training steps, and bound how often: by whether batch sizes are to change."""

import pytorch_lightning as pl
from torch import Tensor, compiler

from timeline.stream import Stream


def compile_network(module: pl.LightningModule, mode: str, stream: Stream | None) -> bool:
    """Have a module's calls compiled in place: class, state and the names in checkpoints stay.

    Of one batch size, its last batch and the last chunks of both (four sizes at most) each is compiled for itself, at
    its fastest. Where the size follows a schedule the first one is compiled for all, and a single image for itself;
    left alone, torch compiles eight sizes one by one, and then no more.

    Args:
        module: network to compile.
        mode: torch.compile's mode.
        stream: stream of the run's steps; None where a stranger's data come in sizes that nobody knows.

    Returns:
        Whether each batch is to be marked by `mark_rows` first.

    Raises:
        ValueError: `reduce-overhead` would record a CUDA graph for each size of a schedule.
    """
    if mode == "reduce-overhead" and stream is not None and stream.scheduled:
        raise ValueError(
            "model.compile: reduce-overhead records each batch size for itself, and this run's follow a schedule: "
            "set it to true"
        )
    change = stream is None or stream.scheduled
    compiler.reset()  # torch counts what it compiles by code, not by network: a study's ninth cell would get nothing
    module.compile(mode=mode, dynamic=None if change else False)
    return change


def mark_rows(images: Tensor) -> None:
    """Say that the number of images (at least 2) may be another at the next call."""
    from torch._dynamo import mark_dynamic  # imported late, as it takes seconds

    if len(images) > 1:
        mark_dynamic(images, 0)
