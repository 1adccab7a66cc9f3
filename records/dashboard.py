"""What a dashboard is told of a run: rows with three axes, figures, tables, the result. Its failures end no run."""

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from records.best_values import BestValues
from records.metrics_rows import KEYS, read_rows

AXES = ("step", "samples_seen", "epoch")


@dataclass(frozen=True)
class RunFacts:
    """What a dashboard knows of the run before it begins.

    Attributes:
        directory: the run's; None without a record on disk.
        id: the run's.
        config: its resolved configuration.
        position: function step -> (passes over the training set, samples seen).
        clock: function that gives a context whose time counts as logging.
    """

    directory: Path | None = None
    id: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    position: Callable[[int], tuple[float, int]] = lambda step: (float("nan"), 0)
    clock: Callable[[], AbstractContextManager[None]] = nullcontext


class Dashboard(Logger):
    """A Lightning logger that shows a run; a subclass says by which service.

    Every row has the axes `step` (finished optimizer steps), `samples_seen` and `epoch` (passes over the training
    samples). All of it happens on rank 0, from the training's beginning on, and its time counts as logging. Whatever
    fails is told in one line, and the run goes on without its dashboard. `step` is that of the newest row,
    `best` the best values so far; `trains` says whether there is a training, `given_up` whether it has failed.
    """

    SERVICE: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.facts = RunFacts()
        self.config: dict[str, Any] = {}
        self._open = self.given_up = False
        self.best = BestValues()
        self.step, self.trains = 0, False

    def attach(self, facts: RunFacts) -> None:
        """Set what is known of the run; nothing is started or written yet."""
        self.facts, self.config = facts, dict(facts.config)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Add to the run's configuration."""
        added = vars(params) if isinstance(params, Namespace) else params
        self.config |= added
        if self._open:
            self.send(lambda: self._configure(added))

    @rank_zero_only
    def begin(self, step: int, more: dict[str, Any]) -> None:
        """Begin a training at a step, with more of what the run is: parameters, commit, environment."""
        self.step, self.trains = step, True
        self.log_hyperparams(more)
        self.send(lambda: None)

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        """Log one row; its best values so far come with it."""
        self.step = self.step if step is None else step
        row = self.on_axes(metrics, self.step)
        self.send(lambda: self._row(row, self.best.better(metrics)))

    @rank_zero_only
    def log_figure(self, name: str, path: Path, step: int) -> None:
        """Log a picture that lies in the run directory."""
        self.send(lambda: self._figure(name, path, step))

    @rank_zero_only
    def log_rows(self, name: str, rows: list[dict[str, Any]], step: int) -> None:
        """Log a table; its columns are the first row's keys."""
        if rows:
            self.send(lambda: self._table(name, rows, step))

    @rank_zero_only
    def log_result(self, result: dict[str, Any]) -> None:
        """Log what result.json says."""
        self.send(lambda: self._result(result))

    @rank_zero_only
    def log_checkpoint(self, path: Path, told: dict[str, Any]) -> None:
        """Log the best checkpoint, where the dashboard takes it.

        Args:
            path: path of the checkpoint.
            told: what is known of it.
        """

    @rank_zero_only
    def close(self, exit_code: int = 0, goes_on: bool = False) -> None:
        """End the dashboard's record. A later row would begin it again.

        Args:
            exit_code: exit status of the run.
            goes_on: whether the run was stopped, and its last row may not be whole.
        """
        if not self._open:
            return
        self._open = False
        with self.facts.clock():
            try:
                self._end(exit_code, goes_on)
            except Exception as error:
                if not self.given_up:
                    self.tell(self._failed_at_the_end(error))

    def send(self, action: Callable[[], None]) -> None:
        """Do it, once the dashboard has begun; what goes wrong is told once, and ends the dashboard alone."""
        if self.given_up:
            return
        with self.facts.clock():
            try:
                if not self._open:
                    self._begin()
                    self._open, self.best, rows = True, BestValues(), self.rows_so_far()
                    for _, metrics in rows:
                        self.best.better(metrics)
                    if self.trains:
                        self._do(lambda: self._catch_up(rows))
                self._do(action)
            except Exception as error:  # the service's own errors, a process of its that died, a full disk
                self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """Go on without the dashboard, and say so, once."""
        if not self.given_up:
            self.given_up = True
            self.tell(f"{self.SERVICE} failed ({reason(error)}): the run goes on without it")

    def tell(self, message: str) -> None:
        """Say it on standard error, in one line."""
        print(f"cadence: {message}", file=sys.stderr)

    def on_axes(self, metrics: dict[str, Any], step: int) -> dict[str, Any]:
        """A row: metrics of a step, and where that lies on each axis."""
        epoch, samples = self.facts.position(step)
        return metrics | {"step": step, "samples_seen": samples, "epoch": epoch}

    def rows_so_far(self) -> list[tuple[int, dict[str, float]]]:
        """Step and metrics of each row that metrics.csv has."""
        path = self.facts.directory / "metrics.csv" if self.facts.directory is not None else None
        if path is None or not path.is_file():
            return []
        return [
            (int(row["step"]), {name: float(value) for name, value in row.items() if name not in KEYS and value})
            for row in read_rows(path)[1]
        ]

    def _do(self, action: Callable[[], None]) -> None:
        """Do it; a subclass may do so later, in the order in which it came, and gives up if it fails then."""
        action()

    def _catch_up(self, rows: list[tuple[int, dict[str, float]]]) -> None:
        """Tell what the dashboard lacks of metrics.csv's rows, as a killed process did not send it; here nothing."""

    def _begin(self) -> None:
        raise NotImplementedError

    def _configure(self, added: dict[str, Any]) -> None:
        raise NotImplementedError

    def _row(self, row: dict[str, Any], best: dict[str, float]) -> None:
        raise NotImplementedError

    def _figure(self, name: str, path: Path, step: int) -> None:
        raise NotImplementedError

    def _table(self, name: str, rows: list[dict[str, Any]], step: int) -> None:
        raise NotImplementedError

    def _result(self, result: dict[str, Any]) -> None:
        raise NotImplementedError

    def _end(self, exit_code: int, goes_on: bool) -> None:
        raise NotImplementedError

    def _failed_at_the_end(self, error: Exception) -> str:
        return f"{self.SERVICE} failed at its end ({reason(error)})"


def reason(error: Exception) -> str:
    """The first line of an error, shortened."""
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
