"""The trainer's numbers that are of the right type and cannot work, or would have no effect."""

import os
import re
import sys
from collections.abc import Mapping
from typing import Any

from commands.configuration.checks import on_cpu
from commands.errors import UserError
from records.environment import lacks_bfloat16

_TIME = re.compile(r"\d+:\d\d:\d\d:\d\d")
_UNITS = ("weeks", "days", "hours", "minutes", "seconds")
# What a launcher of several machines leaves in the environment.
_LAUNCHERS = ("SLURM_JOB_ID", "TORCHELASTIC_RUN_ID", "MASTER_ADDR", "LSB_JOBID", "OMPI_COMM_WORLD_RANK")


def check_numbers(command: str, trainer: Mapping[str, Any]) -> None:
    """Refuse lengths, limits and intervals that leave nothing to do, or contradict each other.

    Args:
        command: `fit`, `test` or a range test.
        trainer: the trainer's section of the configuration.

    Raises:
        UserError: names the field and the remedy.
    """
    if command == "fit":
        for name in ("max_epochs", "max_steps"):
            if trainer[name] == 0:
                raise UserError(f"trainer.{name} is 0, which trains nothing: set it to at least 1")
        if trainer["limit_train_batches"] == 0:
            raise UserError("trainer.limit_train_batches is 0, which trains nothing: set it to at least 1")
    for name in ("limit_train_batches", "limit_val_batches", "limit_test_batches", "limit_predict_batches"):
        _check_share(name, trainer[name], zero=True)
    for most, least in (("max_epochs", "min_epochs"), ("max_steps", "min_steps")):
        _check_least(least, trainer[least], most, trainer[most])
    _check_validations(trainer)
    if trainer["num_sanity_val_steps"] is not None and trainer["num_sanity_val_steps"] < -1:
        given = trainer["num_sanity_val_steps"]
        raise UserError(f"trainer.num_sanity_val_steps must be 0 or more, or -1 for all, got {given}: 2 is usual")
    _check_time("max_time", trainer["max_time"])
    if trainer["num_nodes"] < 1:
        raise UserError(f"trainer.num_nodes must be at least 1, got {trainer['num_nodes']}: 1 is this machine")
    if trainer["num_nodes"] > 1 and not any(name in os.environ for name in _LAUNCHERS):
        raise UserError(
            f"trainer.num_nodes is {trainer['num_nodes']}, and nothing started a process on the others: "
            "start the command by srun or torchrun, or leave it out"
        )


def check_device(trainer: Mapping[str, Any]) -> None:
    """Refuse what a CPU cannot do.

    Raises:
        UserError: names the field and the remedy.
    """
    if not on_cpu(trainer["accelerator"]):
        return
    if str(trainer["precision"]) in ("16", "16-mixed"):
        raise UserError("trainer.precision: 16-mixed needs a GPU, and this run has none: set it to bf16-mixed")


def warn_of_slow_bfloat16(trainer: Mapping[str, Any]) -> None:
    """Say it where a CPU computes in bfloat16 without instructions for it."""
    precision = str(trainer["precision"])
    if precision.startswith("bf16") and on_cpu(trainer["accelerator"]) and lacks_bfloat16():
        print(
            f"cadence: trainer.precision {precision}: this CPU has no instructions for bfloat16 and is many times "
            "slower in it than in 32-true",
            file=sys.stderr,
        )


def check_ours(trainer: Mapping[str, Any]) -> None:
    """Refuse what has no effect with Cadence's own datasets.

    Raises:
        UserError: names the field and the remedy.
    """
    if not trainer["use_distributed_sampler"]:
        raise UserError(
            "trainer.use_distributed_sampler: Cadence's datasets share each batch out over the processes, always: "
            "leave it out"
        )


def _check_share(name: str, given: float | None, zero: bool = False) -> None:
    if given is None or (given == 0 and zero):
        return
    if not (0 < given <= 1 or (given > 1 and given == int(given))):
        raise UserError(
            f"trainer.{name} must be a whole number of batches, or a share in (0, 1] of them, got {given}: 1.0 is all"
        )


def _check_least(name: str, given: int | None, most: str, limit: int | None) -> None:
    if given is None:
        return
    if given < 0:
        raise UserError(f"trainer.{name} must not be negative, got {given}: leave it out for none")
    if limit is not None and 0 <= limit < given:
        raise UserError(f"trainer.{name} is {given}, above trainer.{most}, {limit}: lower it, or raise that")


def _check_validations(trainer: Mapping[str, Any]) -> None:
    every, interval = trainer["check_val_every_n_epoch"], trainer["val_check_interval"]
    if every is not None and every < 1:
        raise UserError(
            f"trainer.check_val_every_n_epoch must be at least 1, got {every}: "
            "for no validation set trainer.limit_val_batches to 0"
        )
    if isinstance(interval, int | float):
        if interval == 0:
            raise UserError(
                "trainer.val_check_interval must be 1 step or more, or a share in (0, 1] of an epoch, got 0: "
                "for no validation set trainer.limit_val_batches to 0"
            )
        _check_share("val_check_interval", interval)
    else:
        _check_time("val_check_interval", interval)


def _check_time(name: str, given: Any) -> None:
    if isinstance(given, str) and not _TIME.fullmatch(given.strip()):
        raise UserError(f"trainer.{name} must be days:hours:minutes:seconds, got {given!r}: e.g. 00:12:00:00")
    if isinstance(given, Mapping) and (wrong := [key for key in given if key not in _UNITS]):
        raise UserError(f"trainer.{name}: there is no unit {wrong[0]!r}; there are {', '.join(_UNITS)}")
