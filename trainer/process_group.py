"""The end of a run's process group, whose threads must be gone before the interpreter ends."""

import sys


def end_process_group() -> None:
    """End the threads of this process's group, if it has one, once all processes of the run end at the same step.

    A thread of gloo's that still gives back a tensor while the interpreter ends brings the process down: "terminate
    called without an active exception", SIGABRT. Lightning ends NCCL's group by itself, and leaves gloo's. Not for a
    process that stops elsewhere than the others: this waits for exchanges under way, up to their time limit.
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
