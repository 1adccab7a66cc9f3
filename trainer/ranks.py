"""Which process of a run writes: its trainer says so, and not what a launcher has left in the environment."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments import ClusterEnvironment, LightningEnvironment
from pytorch_lightning.utilities.rank_zero import rank_zero_only


def follow_rank(trainer: pl.Trainer) -> None:
    """Let `rank_zero_only` follow the trainer's rank.

    Lightning sets it at import from RANK, LOCAL_RANK or SLURM_PROCID, and corrects it for runs of several processes
    alone: with such a variable left over from elsewhere, a run of one process would keep no record.
    """
    rank_zero_only.rank = trainer.global_rank  # type: ignore[attr-defined]


def processes_of(trainer: pl.Trainer) -> dict[str, int]:
    """Numbers of a run's processes and of the nodes that they are on."""
    return {"processes": trainer.world_size, "nodes": trainer.num_nodes}


def environment_for(wanted: Mapping[str, Any], plugins: Sequence[Any]) -> list[ClusterEnvironment]:
    """Lightning's plain environment, for a run of one process beside others of its job, as `srun -n 4` starts them.

    Lightning takes the tasks of such a job for the processes of one run, and refuses their number. Empty where nothing
    is to be set: the run has several processes, is its job's only task, or has an environment among its plugins.

    Args:
        wanted: the trainer's arguments, by name.
        plugins: plugins that the trainer gets.
    """
    alone = wanted.get("num_nodes") in (1, None) and wanted.get("strategy") in ("auto", None) and _one(wanted)
    if not alone or os.environ.get("SLURM_NTASKS", "1") == "1":
        return []
    return [] if any(isinstance(plugin, ClusterEnvironment) for plugin in plugins) else [LightningEnvironment()]


def _one(wanted: Mapping[str, Any]) -> bool:
    """Whether one device is asked for; `auto` is one on a CPU, and all there are of accelerators."""
    devices = wanted.get("devices")
    if devices in ("auto", None):
        return wanted.get("accelerator") == "cpu" or not torch.cuda.is_available()
    return str(devices) == "1" or (isinstance(devices, list) and len(devices) == 1)
