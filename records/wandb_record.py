"""A run's record at Weights & Biases: offline by default; its failures never end a training."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from pytorch_lightning.utilities.rank_zero import rank_zero_only

from checks.shell import command_line, place
from records.background import Background
from records.dashboard import AXES, Dashboard, reason
from records.files import write_text
from records.wandb_files import last_step
from records.wandb_service import end_services, forget_service

Mode = Literal["online", "offline", "disabled"]
_GRACE = 3.0  # seconds beyond `finish_timeout`, which is W&B's own bound


class WandbRecord(Dashboard):
    """Log to W&B, with the resolved configuration, under the run's own id; a resumed run goes on in its chart.

    Its files lie in the run directory (`wandb/`): `wandb sync RUN_DIR/wandb/offline-run-*` uploads an offline run.
    A service that does not answer costs `init_timeout` at the start and `finish_timeout` at the end, never a step, as
    a thread hands the rows over; a line then says how to upload what is kept. wandb is imported when the training
    begins, and on rank 0 only.

    Lightning's own WandbLogger lets an unreachable server end the run, and makes its files before the run directory.

    Args:
        project: W&B's project; by default what WANDB_PROJECT says, else `cadence`; a sweep's runs are in the sweep's.
        mode: `online`, `offline` or `disabled`; by default what WANDB_MODE says, else `online` for a sweep's run, else
            `offline`.
        run_name: name of the run at W&B; by default what WANDB_NAME says, else the run directory's.
        entity: W&B's user or team.
        group: group of runs; by default a study's name, for a study's cell.
        tags: tags of the run.
        log_best: whether best.ckpt goes to W&B when the run ends, as the artifact `best-ID`.
        init_timeout: seconds that an online run's start may wait for the service.
        finish_timeout: seconds that an online run's end may wait until all is uploaded.
    """

    SERVICE: ClassVar[str] = "W&B"

    def __init__(
        self,
        project: str | None = None,
        mode: Mode | None = None,
        run_name: str | None = None,
        entity: str | None = None,
        group: str | None = None,
        tags: list[str] | None = None,
        log_best: bool = False,
        init_timeout: float = 10.0,
        finish_timeout: float = 15.0,
    ) -> None:
        super().__init__()
        for name, value in (("init_timeout", init_timeout), ("finish_timeout", finish_timeout)):
            if value <= 0:
                raise ValueError(f"{name} must be positive, got {value:g}: 10 seconds suit most networks")
        self.project = project or os.environ.get("WANDB_PROJECT") or "cadence"
        self.mode, self.run_name, self.entity = mode_of(mode), run_name or os.environ.get("WANDB_NAME"), entity
        self.group, self.tags, self.log_best = group, tags, log_best
        self.init_timeout, self.finish_timeout = init_timeout, finish_timeout
        self._run: Any = None
        self._background: Background | None = None
        self._hangs = False
        self._first = 0  # step of the chart's first new row
        self._held: dict[str, Any] = {}  # the newest row, to which more may come

    @property
    def name(self) -> str:
        """The project, as Lightning's W&B logger has it."""
        return self.project

    @property
    def version(self) -> str | None:
        """The run's id at W&B, once it has begun."""
        return self._run.id if self._run is not None else None

    @rank_zero_only
    def log_checkpoint(self, path: Path, told: dict[str, Any]) -> None:
        """Upload the best checkpoint as an artifact, if that is asked for."""
        if self.log_best:
            self.send(lambda: self._artifact(path, told))

    @rank_zero_only
    def close(self, exit_code: int = 0, goes_on: bool = False) -> None:
        """End the record; of a process of W&B's that has failed nothing is left for this one's end."""
        super().close(exit_code, goes_on)
        if self.given_up or self._hangs:
            forget_service()

    def __getstate__(self) -> dict[str, Any]:
        """Without the run: a spawned process begins it itself."""
        return self.__dict__ | {"_run": None, "_background": None, "_open": False}

    def _begin(self) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # sends to others, and waits for them at the end
        import wandb

        try:
            self._run = self._init(self.mode)
        except wandb.errors.Error as error:
            if self.mode != "online":
                raise
            wandb.teardown()  # its process takes the run that could not begin for one that goes on
            self._run = self._init("offline")
            upload = command_line("wandb", "sync", self._files())
            self.tell(f"W&B cannot be used ({reason(error)}): the run goes on offline; to upload it later: {upload}")
        for axis in AXES:
            self._run.define_metric(axis, hidden=True)
        self._run.define_metric("*", step_metric="step")

    def _init(self, mode: str) -> Any:
        import wandb

        directory = self.facts.directory or Path.cwd()
        remembered = directory / "wandb" / "run-id"
        before = remembered.read_text().strip() if remembered.is_file() else ""
        sweeps = bool(os.environ.get("WANDB_SWEEP_ID"))  # which says where the run belongs, and who it is
        known = before or (None if sweeps else self.facts.id)
        run = wandb.init(
            project=None if sweeps else self.project,
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
            allow_val_change=True,
            settings=wandb.Settings(
                console="off",
                quiet=True,
                init_timeout=self.init_timeout,
                login_timeout=self.init_timeout,
                x_graphql_timeout_seconds=self.init_timeout,
                finish_timeout=self.finish_timeout,
                finish_timeout_raises=True,
            ),
        )
        self._first = run.starting_step
        if mode == "offline" and before:
            last = last_step(directory / "wandb", run.id)
            self._first = self.step if last is None else last + 1  # without files: they were uploaded, and removed
        if mode != "disabled" and self.facts.directory is not None:
            write_text(remembered, run.id + "\n")
        return run

    def _do(self, action: Callable[[], None]) -> None:
        if self._background is None:
            self._background = Background(self.give_up)
        self._background.add(action)

    def _catch_up(self, rows: list[tuple[int, dict[str, float]]]) -> None:
        for step, metrics in rows:
            if step >= self._first:
                self._row(self.on_axes(metrics, step), {})
        self._run.summary.update(self.best.all())

    def _configure(self, added: dict[str, Any]) -> None:
        self._run.config.update(added, allow_val_change=True)

    def _row(self, row: dict[str, Any], best: dict[str, float]) -> None:
        tested = {name: value for name, value in row.items() if name.startswith("test/")}
        if row["step"] >= self._first and (self.trains or not tested):
            if row["step"] != self._held.get("step"):
                self._let_go()
            self._held |= row
        elif tested:  # a later test
            self._run.summary.update(tested)
        if best:
            self._run.summary.update(best)

    def _let_go(self) -> None:
        """Hand over the newest row. Not before the next one comes: a stop may fall between parts of one."""
        row, self._held = self._held, {}
        if row:
            self._run.log(row, step=row["step"])

    def _figure(self, name: str, path: Path, step: int) -> None:
        import wandb

        self._shown({name: wandb.Image(str(path))}, step)

    def _table(self, name: str, rows: list[dict[str, Any]], step: int) -> None:
        import wandb

        self._shown({name: wandb.Table(list(rows[0]), [list(row.values()) for row in rows])}, step)

    def _shown(self, content: dict[str, Any], step: int) -> None:
        if step >= self._first:
            self._let_go()
            self._run.log(content, step=step)

    def _artifact(self, path: Path, told: dict[str, Any]) -> None:
        import wandb

        artifact = wandb.Artifact(f"best-{self._run.id}", type="model", metadata=told)
        artifact.add_file(str(path), name="best.ckpt")
        self._run.log_artifact(artifact, aliases=["best"])

    def _result(self, result: dict[str, Any]) -> None:
        self._run.summary["result"] = result

    def _end(self, exit_code: int, goes_on: bool) -> None:
        run, errors = self._run, list[Exception]()

        def finish() -> None:
            try:
                if not goes_on:
                    self._let_go()
                run.finish(exit_code=exit_code)
            except Exception as error:
                errors.append(error)

        self._do(finish)
        background, self._background = self._background, None
        assert background is not None
        self._hangs = not background.end(self.finish_timeout + _GRACE)
        self._ended, self._run, self._held = run, None, {}
        if self._hangs:
            end_services()
            errors.append(TimeoutError("its own process does not answer, and was ended"))
        if errors:
            raise errors[-1]

    def _files(self) -> str:
        return place(Path(self._run.dir).parent)

    def _failed_at_the_end(self, error: Exception) -> str:
        if self._hangs:
            return f"W&B failed at its end ({reason(error)}): its chart may lack rows that metrics.csv has"
        folder = place(Path(self._ended.dir).parent)
        upload = command_line("wandb", "sync", "--include-online", folder)
        return f"W&B failed at its end ({reason(error)}): what it has not is kept; to upload it: {upload}"


def mode_of(given: str | None) -> str:
    """W&B's mode of a run: the given one, else WANDB_MODE's, else `online` for a sweep's run, else `offline`.

    Raises:
        ValueError: W&B has no such mode.
    """
    named = given or os.environ.get("WANDB_MODE") or ("online" if os.environ.get("WANDB_SWEEP_ID") else "offline")
    mode = {"dryrun": "offline", "run": "online"}.get(named, named)  # names that W&B had for them
    if mode not in get_args(Mode):
        raise ValueError(f"WANDB_MODE must be online, offline or disabled, got {named}: set it anew, or leave it out")
    return mode
