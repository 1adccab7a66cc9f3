"""Whose a checkpoint is, and who has trained the run so far: kept in every checkpoint, and in the run directory."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import yaml

from records.checkpoint_io import Unreadable
from records.dashboard import Dashboard
from records.environment import device_name, environment
from records.files import write_json, write_text
from records.history import KEY, Past, new_id, segment
from records.run_directory import RunDirectory
from trainer.access import callbacks_of
from trainer.ranks import processes_of
from trainer.restoring import lacking


class RunHistory(pl.Callback):
    """Write config.yaml and environment.json, and keep the run's id, configuration and segments in its checkpoints.

    A segment is what one process has trained: its steps, the options it was given, commit and environment. On a resume
    config.yaml follows what has been changed, and environment.json stays that of the beginning. It logs no keys.

    Args:
        directory: the run's directory; None for no record on disk.
        config: the resolved configuration, as YAML.
        command: command that began the run.
        options: words behind the command, without those that say where the run lies.
        past: the run so far; None for one that begins.
        changes: options that are others than the run had so far, wherever they were changed.
    """

    def __init__(
        self,
        directory: RunDirectory | None,
        config: str,
        command: str,
        options: Sequence[str] = (),
        past: Past | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        self.directory, self.config, self.command, self.options = directory, config, command, list(options)
        known = past.id if past is not None else directory.begun_with().get(KEY) if directory is not None else None
        self._known: str | None = known
        self.id: str = known or new_id()
        self._earlier = [] if past is None else past.segments
        self._changes = dict(changes or {})
        self._now: dict[str, Any] | None = None
        self._content: dict[str, Any] | None = None  # of `config`, which takes some milliseconds to read

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Refuse another run's checkpoint, or one that lacks a part to go on from; go on with this one's segments.

        Raises:
            Unreadable: the checkpoint is such a one.
        """
        run, path = checkpoint.get(KEY) or {}, trainer.ckpt_path
        if run and self._known is not None and run["id"] != self._known:
            raise Unreadable(f"checkpoint {path} is another run's ({run['id']}, and this is {self._known})")
        if trainer.state.fn == "fit":
            if lacks := lacking(trainer, checkpoint):
                more = f" and {len(lacks) - 1} more" if len(lacks) > 1 else ""
                raise Unreadable(f"checkpoint {path} has no {lacks[0]}{more}: another version of Cadence wrote it")
            self._earlier = run.get("segments", [])

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin a segment, and write the run's two files."""
        self.begin(trainer)

    def begin(self, trainer: pl.Trainer) -> None:
        """Begin a segment at the trainer's step; config.yaml and environment.json are written where they change."""
        here = environment()
        device = trainer.strategy.root_device
        place = {"device": device.type, "device_name": device_name(device), **processes_of(trainer)}
        self._earlier = [one for one in self._earlier if one["to"] > one["from"]]
        first = self.directory.begun_with() if self.directory is not None else {}
        packages = first.get("packages") if self._earlier else None
        self._now = segment(trainer.global_step, self.options, self._changes, here | place, packages)
        _tell_dashboards(trainer, {"id": self.id, "command": self.command, **here, **place})
        if self.directory is None or not trainer.is_global_zero:
            return
        if not _same(self.directory, self.config):
            write_text(self.directory.config(), self.config)
        if first.get(KEY) != self.id:
            write_json(self.directory.environment, {KEY: self.id, "command": self.command, **here})

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep whose the checkpoint is."""
        checkpoint[KEY] = self.state(trainer.global_step)

    def state(self, step: int) -> dict[str, Any]:
        """Id, configuration and segments of the run up to a step, in plain types."""
        if self._content is None:
            self._content = yaml.safe_load(self.config)
        return {"id": self.id, "config": self._content, "segments": self.segments(step)}

    def record(self, step: int) -> dict[str, Any]:
        """What result.json says of it: id and segments."""
        return {KEY: self.id, "segments": self.segments(step)}

    def segments(self, step: int) -> list[dict[str, Any]]:
        """The run's segments up to a step; the last one is that of this process, if it has begun to train."""
        return [*self._earlier, *([] if self._now is None else [self._now | {"to": step}])]


def run_history(trainer: pl.Trainer) -> RunHistory | None:
    """The run's RunHistory; None without one."""
    return next((callback for callback in callbacks_of(trainer) if isinstance(callback, RunHistory)), None)


def _tell_dashboards(trainer: pl.Trainer, run: Mapping[str, Any]) -> None:
    """Begin the dashboards before the training's clocks start, with what the run is made of."""
    parameters = sum(parameter.numel() for parameter in trainer.lightning_module.parameters())
    told = {name: value for name, value in run.items() if name != "packages"} | {"parameters": parameters}
    for logger in trainer.loggers:
        if isinstance(logger, Dashboard):
            logger.begin(trainer.global_step, {KEY: told})


def _same(directory: RunDirectory, config: str) -> bool:
    """Whether config.yaml says what it is to say; a user's comments in it then stay."""
    try:
        return yaml.safe_load(directory.config().read_text()) == yaml.safe_load(config)
    except (OSError, ValueError, yaml.YAMLError):
        return False
