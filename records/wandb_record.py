"""A run's record at Weights & Biases: offline by default; its failures never end a training."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_only


class WandbRecord(Logger):
    """Log to W&B, with the resolved configuration; rows are keyed by `step`.

    Its files lie in the run directory (`wandb/`): `wandb sync RUN_DIR/wandb/offline-run-*` uploads an offline run.
    If the service cannot be reached, a line says so and the run goes on offline; if W&B fails altogether, it goes on
    without. A resumed run keeps its W&B id. wandb is imported when the first row comes, and on rank 0 only.

    Lightning's own WandbLogger lets an unreachable server end the run, and makes its files before the run directory.

    Args:
        project: W&B's project.
        mode: `online`, `offline` or `disabled`; by default what WANDB_MODE says, else `offline`.
        run_name: name of the run at W&B; by default the run directory's.
        entity: W&B's user or team.
        group: group of runs.
        tags: tags of the run.
        init_timeout: seconds that an online run's start may wait for the service (some 10 s of login come before).
    """

    def __init__(
        self,
        project: str = "cadence",
        mode: Literal["online", "offline", "disabled"] | None = None,
        run_name: str | None = None,
        entity: str | None = None,
        group: str | None = None,
        tags: list[str] | None = None,
        init_timeout: float = 30.0,
    ) -> None:
        super().__init__()
        if init_timeout <= 0:
            raise ValueError(f"init_timeout must be positive, got {init_timeout:g}: 30 seconds suits most networks")
        self.project, self.mode, self.run_name, self.entity = project, mode, run_name, entity
        self.group, self.tags, self.init_timeout = group, tags, init_timeout
        self.directory: Path | None = None
        self.config: dict[str, Any] = {}
        self._run: Any = None
        self._given_up = False

    @property
    def name(self) -> str:
        """The project, as Lightning's W&B logger has it."""
        return self.project

    @property
    def version(self) -> str | None:
        """The run's id at W&B, once it has begun."""
        return self._run.id if self._run is not None else None

    def attach(self, directory: Path | None, config: dict[str, Any]) -> None:
        """Set the run directory and the configuration; nothing is started or written yet."""
        self.directory, self.config = directory, config

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Add to the run's configuration."""
        self.config |= vars(params) if isinstance(params, Namespace) else params
        if self._run is not None:
            self._run.config.update(self.config, allow_val_change=True)

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        """Log one row. An error is printed once and ends W&B's record, not the run."""
        if self._given_up:
            return
        try:
            if self._run is None:
                self._begin()
            self._run.log(metrics if step is None else {**metrics, "step": step})
        except Exception as error:  # wandb's own errors, a service process that died, a full disk
            self._given_up = True
            _say(f"W&B failed ({_reason(error)}): the run goes on without it")

    @rank_zero_only
    def log_figure(self, name: str, path: Path) -> None:
        """Log a picture that lies in the run directory."""
        self._add(name, lambda wandb: wandb.Image(str(path)))

    @rank_zero_only
    def log_rows(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Log a table; its columns are the first row's keys."""
        if rows:
            self._add(name, lambda wandb: wandb.Table(list(rows[0]), [list(row.values()) for row in rows]))

    @rank_zero_only
    def close(self, exit_code: int = 0) -> None:
        """End the run at W&B. A later row would begin it again under the same id."""
        if self._run is None:
            return
        run, self._run = self._run, None
        try:
            run.finish(exit_code=exit_code)
        except Exception as error:
            _say(f"W&B failed at its end ({_reason(error)}): what it has lies in {self.directory or Path.cwd()}/wandb")

    def __getstate__(self) -> dict[str, Any]:
        """Without the run: a spawned process begins it itself."""
        return self.__dict__ | {"_run": None}

    def _add(self, name: str, made: Callable[[Any], Any]) -> None:
        if self._given_up or self.mode == "disabled":
            return
        import wandb

        self.log_metrics({name: made(wandb)})

    def _begin(self) -> None:
        import wandb

        mode = self.mode or os.environ.get("WANDB_MODE") or "offline"
        try:
            self._run = self._init(mode)
        except wandb.errors.Error as error:
            if mode != "online":
                raise
            _say(f"W&B cannot be reached ({_reason(error)}): the run goes on offline")
            self._run = self._init("offline")
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")

    def _init(self, mode: str) -> Any:
        import wandb

        directory = self.directory or Path.cwd()
        remembered = directory / "wandb" / "run-id"
        known = remembered.read_text().strip() if remembered.is_file() else None
        run = wandb.init(
            project=self.project,
            entity=self.entity,
            group=self.group,
            tags=self.tags,
            name=self.run_name or directory.resolve().name,
            config=self.config,
            dir=str(directory),
            id=known,
            resume="allow" if known and mode == "online" else None,
            mode=mode,  # type: ignore[arg-type]
            reinit="create_new",
            settings=wandb.Settings(
                console="off", quiet=True, init_timeout=self.init_timeout, login_timeout=self.init_timeout
            ),
        )
        if known is None and self.directory is not None and mode != "disabled":
            remembered.parent.mkdir(parents=True, exist_ok=True)
            remembered.write_text(run.id + "\n")
        return run


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__


def _say(message: str) -> None:
    print(f"cadence: {message}", file=sys.stderr)
