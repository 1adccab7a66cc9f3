"""What a process inherits from whoever starts it, and the suite must not: ignored signals and stray variables."""

import os
import signal
from collections.abc import MutableMapping

HANDLERS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
# Ranks of a job's processes, settings of libraries, colours and size of a terminal, a git hook, a make.
NAMES = {
    "RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
    "MPLBACKEND", "PYTHONWARNINGS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE",
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "MAKEFLAGS", "MAKELEVEL", "MFLAGS",
}  # fmt: skip
PREFIXES = (
    "SLURM_",
    "TORCHELASTIC_",
    "OMPI_COMM_WORLD_",
    "PMI_",
    "JSM_",
    "LSB_",
    "PL_",
    "WANDB_",
    "TQDM_",
    "JSONARGPARSE_",
)
OURS = {
    "OMP_NUM_THREADS": "1",
    "COLUMNS": "80",
    "TQDM_DISABLE": "0",
    "WANDB_MODE": "offline",
    "WANDB_ERROR_REPORTING": "false",
}


def default_signals() -> None:
    """Give SIGINT and SIGTERM their default handlers where the starter ignores them, as `nohup make test &` does.

    Children started later inherit that. SIGHUP stays as it is, for `nohup` is for its sake; tests that send it set it.
    """
    for number, handler in HANDLERS.items():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def clean(environment: MutableMapping[str, str] = os.environ) -> None:
    """Drop what would change a run or its output, and set what the suite needs.

    CADENCE_DATA, CUDA_VISIBLE_DEVICES, and what a proxy or a package mirror needs, stay: they are the user's to choose.
    """
    for name in list(environment):
        if name in NAMES or name.startswith(PREFIXES):
            del environment[name]
    environment.update(OURS)
