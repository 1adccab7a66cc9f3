"""metrics.csv: one row a logged step, appended as the run goes; rewritten only for a new column and a resume."""

import csv
import io
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from records.files import refusals_of, written_whole
from records.generation import check_ours
from records.metrics_rows import KEYS, read_rows
from records.row_marks import RowMarks, as_marked, lost


class MetricsCSV(Logger):
    """A Lightning logger that keeps the record of training.

    Columns: `step` (finished optimizer steps), `epoch` (passes over the training samples), `samples` (seen so far),
    `seconds` (of training, evaluation apart), then metrics in the order in which they first came. Metrics of one step
    share a row. A killed run loses nothing that was logged; `resume` drops the rows that came after the checkpoint,
    whose `mark` tells whether those before it are all there.
    Test metrics are left out: they go into result.json.

    Args:
        path: path of the file, which is made at the first row.
        position: function step -> (passes, samples seen); called once the datamodule is set up.
        seconds: function that gives the training seconds so far.
    """

    def __init__(self, path: Path, position: Callable[[int], tuple[float, int]], seconds: Callable[[], float]) -> None:
        super().__init__()
        self.path, self._position, self._seconds = path, position, seconds
        self._columns: list[str] = list(KEYS)
        self._row: dict[str, Any] = {}
        self._offset = 0
        self._marks = RowMarks()
        self._ended = False

    def end(self) -> None:
        """Take no more metrics: those of the test that follows go into result.json."""
        self._ended = True

    @property
    def name(self) -> str:
        """Lightning's name for the logger."""
        return "metrics"

    @property
    def version(self) -> str:
        """A run has one record."""
        return ""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the configuration has its own file."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add metrics to the row of `step`."""
        values = {name: value for name, value in metrics.items() if not name.startswith("test/") and name != "epoch"}
        if step is None or not values or self._ended:
            return
        check_ours(self.path)
        if self._row.get("step") != step:
            if self.path.exists():
                self._offset = self.path.stat().st_size
            if self._row:
                self._marks.close(self._row)
            epoch, samples = self._position(step)
            self._row = {"step": step, "epoch": epoch, "samples": samples, "seconds": round(self._seconds(), 3)}
        self._row.update({name: float(value) for name, value in values.items()})
        new = [name for name in self._row if name not in self._columns]
        if new or not self.path.exists():
            self._widen(new)
        with refusals_of(self.path), self.path.open("r+b", buffering=0) as file:
            _put(file, self._offset, self._line(self._row).encode())

    def mark(self) -> dict[str, Any]:
        """Bring the rows so far down to the disk; returns what a checkpoint has to know of them."""
        if self.path.exists():
            with refusals_of(self.path), self.path.open("rb") as file:
                os.fsync(file.fileno())
        return self._marks.state(self._row)

    def missing(self, step: int, mark: Mapping[str, Any]) -> str:
        """Which rows of the first `step` steps are missing, or not as they were written; "" if none.

        Args:
            step: step of a checkpoint.
            mark: what `mark` gave for that checkpoint.
        """
        return lost(mark, self._rows_until(step)[1])

    @rank_zero_only
    def resume(self, step: int, mark: Mapping[str, Any] | None = None) -> None:
        """Go on with the file as it was after `step` steps; what came later, and a half-written row, are dropped.

        Args:
            step: number of steps that the run goes on from.
            mark: what `mark` gave at that moment: values that came for the same step afterwards are dropped too.
        """
        if not self.path.exists():
            return
        self._columns, found = self._rows_until(step)
        rows: list[Mapping[str, Any]] = list(found)
        if mark is not None:
            rows = as_marked(mark, found)
            filled = {name for row in rows for name, value in row.items() if value != ""}
            self._columns = [name for name in self._columns if name in filled or name in KEYS]
        self._rewrite(rows)
        for row in rows[:-1]:
            self._marks.close(row)
        if rows:
            self._row = {name: value for name, value in rows[-1].items() if value != ""}
            self._row["step"] = int(self._row["step"])
            self._offset = self.path.stat().st_size - len(self._line(self._row).encode())

    def _rows_until(self, step: int) -> tuple[list[str], list[dict[str, str]]]:
        """Columns and rows as by `read_rows`, up to the first row that is none; no file has no row."""
        try:
            columns, rows = read_rows(self.path)
        except (FileNotFoundError, UnicodeDecodeError, csv.Error):
            return list(KEYS), []
        if tuple(columns[: len(KEYS)]) != KEYS or len(set(columns)) < len(columns):
            return list(KEYS), []
        sound = itertools.takewhile(lambda row: None not in (*row, *row.values()) and row["step"].isdecimal(), rows)
        return columns, [row for row in sound if int(row["step"]) <= step]

    def _widen(self, new: list[str]) -> None:
        rows = read_rows(self.path)[1] if self.path.exists() else []
        self._columns += new
        rows = [row for row in rows if int(row["step"]) != self._row["step"]]
        self._rewrite(rows)
        self._offset = self.path.stat().st_size

    def _rewrite(self, rows: Sequence[Mapping[str, Any]]) -> None:
        text = ",".join(self._columns) + "\n" + "".join(self._line(row) for row in rows)
        with written_whole(self.path) as file:
            file.write(text.encode())

    def _line(self, row: Mapping[str, Any]) -> str:
        buffer = io.StringIO()
        csv.DictWriter(buffer, self._columns, restval="", extrasaction="ignore", lineterminator="\n").writerow(row)
        return buffer.getvalue()


def _put(file: IO[bytes], offset: int, line: bytes) -> None:
    """Write a line in place of what follows `offset`; where it does not fit, that is put back."""
    file.seek(offset)
    before = file.read()
    try:
        _write_at(file, offset, line)
    except OSError:
        _write_at(file, offset, before)
        raise


def _write_at(file: IO[bytes], offset: int, content: bytes) -> None:
    file.seek(offset)
    while content:
        content = content[file.write(content) :]  # unbuffered: on a full disk a write may end early
    file.truncate()
