"""Chunks that batch normalisation cannot train on."""

from typing import Any


def check_chunks(stream: Any, copies: int, processes: int, micro_batch_size: int | None) -> None:
    """Refuse sizes that would leave a chunk of one row in the first pass: batch normalisation of vectors needs two.

    Args:
        stream: of steps; its `size` is over all processes.
        copies: rows that the transforms make of a sample.
        processes: that share a batch.
        micro_batch_size: largest chunk, or None.

    Raises:
        ValueError: names the field, and the batch.
    """
    steps = stream.steps_in(0)
    last = stream.size(steps - 1)
    for images in sorted({stream.size(step) for step in (*range(min(steps, 1000)), steps - 1)}):
        share = images // processes * copies
        limit = micro_batch_size or share
        if share == 1 or (share and (limit == 1 or share % limit == 1)):
            field = "data.batch_size" if share == 1 else "model.micro_batch_size"
            raise ValueError(
                f"{field} leaves a chunk of one image of a batch of {images}, too few for batch normalisation: "
                "change it" + (", or set data.drop_last to true" if images == last else "")
            )
