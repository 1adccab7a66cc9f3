"""Cells of a study: parameters, the command line that runs them, an id, and a run directory."""

import functools
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DASHBOARDS = ("tensorboard", "wandb")  # overlays in configs/loggers
ID_LENGTH = 12  # hexadecimal digits: two of a million cells share one with a chance of one in five hundred


@dataclass(frozen=True)
class Cell:
    """One run of a study.

    Attributes:
        part: name of the sweep file that it comes from.
        parameters: values of the sweep's parameters and of the scale's options.
        arguments: its command line, as `wandb agent` would give it.
        configuration: its resolved configuration, as YAML.
    """

    part: str
    parameters: Mapping[str, Any]
    arguments: Sequence[str]
    configuration: str

    @property
    def id(self) -> str:
        """Hash of its command and its resolved configuration: the same run has the same id in every study."""
        return hashlib.sha256(f"{self.arguments[0]}\n{self.configuration}".encode()).hexdigest()[:ID_LENGTH]

    @functools.cached_property
    def ends(self) -> Mapping[str, int]:
        """Columns of metrics.csv that its training counts, 'step' or 'epoch', and where it ends at the latest."""
        import yaml

        from commands.configuration.mapping_files import QUICK

        trainer = yaml.load(self.configuration, QUICK).get("trainer", {})
        limits = {"step": trainer.get("max_steps"), "epoch": trainer.get("max_epochs")}
        return {name: limit for name, limit in limits.items() if limit is not None and limit > 0}

    def labels(self, study: str, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Variables by which W&B knows its group (the study) and job type (the sweep file); a user's own stay."""
        own = {"WANDB_RUN_GROUP": study, "WANDB_JOB_TYPE": self.part}
        return {name: environment.get(name, value) for name, value in own.items()}


@dataclass(frozen=True)
class CellDirectory:
    """Where a cell's run, its log, its lock and its account of failed tries lie.

    Attributes:
        root: folder of all cells of a study.
        id: id of the cell.
    """

    root: Path
    id: str

    @property
    def run(self) -> Path:
        """Run directory."""
        return self.root / self.id

    @property
    def log(self) -> Path:
        """What the cell's process printed."""
        return self.root / f"{self.id}.log"

    @property
    def lock(self) -> Path:
        """Lock of the process that runs the cell."""
        return self.root / f"{self.id}.lock"

    @property
    def failure(self) -> Path:
        """Why the last try failed, or the run was refused what it needs; absent unless it was."""
        return self.root / f"{self.id}.failed.json"


def logging_to(dashboard: str | None) -> Sequence[str]:
    """Words behind a cell's own; they are no part of its id, as where rows go changes no run."""
    return [] if dashboard is None else ["--config", f"loggers/{dashboard}.yaml"]
