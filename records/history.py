"""What a run's checkpoints say of the run itself: whose they are, its configuration, and who has trained it so far."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from records.checkpoint_io import Unreadable, read_checkpoint
from records.generation import this_start

KEY = "run"  # in a checkpoint, and in environment.json
# What a training needs to go on, by its type; empty is as good as missing.
_NEEDED = {
    "loops": dict, "optimizer_states": list, "callbacks": dict, "global_step": int, "epoch": int,
    "pytorch-lightning_version": str,
}  # fmt: skip


@dataclass(frozen=True)
class Past:
    """A run up to a checkpoint.

    Attributes:
        id: the run's, drawn when it began.
        config: its resolved configuration.
        segments: parts that one process each has trained, see `segment`.
        step: number of steps made.
        epochs: number of epochs begun.
    """

    id: str
    config: dict[str, Any]
    segments: list[dict[str, Any]]
    step: int = 0
    epochs: int = 0


def new_id() -> str:
    """An id that no other run has."""
    return secrets.token_hex(8)


def past_in(path: Path, whole: bool = True) -> Past:
    """The past of the run that a checkpoint belongs to.

    Args:
        path: path of the checkpoint, or of the file that a range test has kept.
        whole: whether a training is to go on from it, which needs all of its parts.

    Raises:
        Unreadable: the file is damaged, is not a run's, or lacks what going on needs.
    """
    checkpoint = read_checkpoint(path, mapped=True)
    missing = [key for key, kind in _NEEDED.items() if whole and not _holds(checkpoint.get(key), kind)]
    if missing:
        raise Unreadable(f"checkpoint {path} has no {' and no '.join(missing)}, so no training can go on from it")
    run = checkpoint.get(KEY)
    if not isinstance(run, dict) or not {"id", "config", "segments"} <= run.keys():
        raise Unreadable(f"checkpoint {path} does not say of which run it is: another version of Cadence wrote it")
    if not whole:
        return Past(run["id"], run["config"], run["segments"])
    return Past(run["id"], run["config"], run["segments"], checkpoint["global_step"], _epochs_begun(checkpoint))


def segment(
    step: int,
    options: Sequence[str],
    changes: Mapping[str, Any],
    environment: dict[str, Any],
    packages: Sequence[str] | None = None,
) -> dict[str, Any]:
    """A part of a run that one process trains, and in which start of its job of SLURM; `to` grows with it.

    Args:
        step: number of steps made before it.
        options: words of the command line that began it.
        changes: options that are others than before it, on the command line or in config.yaml.
        environment: hardware and versions.
        packages: packages that were installed when the run began; None for the run's beginning itself.
    """
    known = {key: value for key, value in environment.items() if key not in ("packages", "commit")}
    if packages is not None and (now := environment["packages"]) != packages:
        known["packages"] = {"new": sorted(set(now) - set(packages)), "gone": sorted(set(packages) - set(now))}
    began, start = datetime.now(UTC).isoformat(timespec="seconds"), this_start()
    return {
        "from": step,
        "to": step,
        "options": list(options),
        "changes": dict(changes),
        "began": began,
        **({"job": {"id": start.job, "restart": start.restart}} if start.job else {}),
        "commit": environment["commit"],
        "environment": known,
    }


def _holds(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and (kind is int or bool(value))


def _epochs_begun(checkpoint: dict[str, Any]) -> int:
    try:
        return int(checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["ready"])
    except (KeyError, TypeError, ValueError):
        return int(checkpoint["epoch"])
