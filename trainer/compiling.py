"""Compile a network for its training steps, and bound how often: by whether batch sizes are to change."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from torch import Tensor, compiler

from timeline.stream import Stream


def compiled(module: pl.LightningModule, mode: str, stream: Stream | None) -> Callable[[Tensor], Tensor]:
    """A compiled call of a network; the network itself stays as it is, in class, state and calls.

    Calls of the module itself must not run compiled: a strategy of several processes passes the whole training step
    through one. Of one batch size, its last batch and the last chunks of both (four sizes at most) each is compiled for
    itself, at its fastest. Where the size follows a schedule the first one is compiled for all, and a single image for
    itself; left alone, torch compiles eight sizes one by one, and then no more.

    Args:
        module: network to compile.
        mode: torch.compile's mode.
        stream: stream of the run's steps; None where a stranger's data come in sizes that nobody knows.

    Returns:
        Function from images (batch, channels, height, width) to logits (batch, classes).

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
    call: Any = module._compiled_call_impl
    module._compiled_call_impl = None

    def marked(images: Tensor) -> Tensor:
        from torch._dynamo import mark_dynamic  # imported late, as it takes seconds

        if len(images) > 1:
            mark_dynamic(images, 0)
        return call(images)

    return marked if change else call
