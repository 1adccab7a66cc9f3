"""Cells in processes of this machine, each forked from a server that has imported torch and Lightning once."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from records.files import write_json
from records.generation import ELSEWHERE
from studies import worker
from studies.cells import Cell, CellDirectory
from studies.states import FAILED, OVER, RUNNING, STOPPED, state
from trainer import signals

TRIES = 2  # a worker that was killed costs its cell one more try

# Told of each change: the cell, what has become of it ('started', 'again', or a state), and seconds of its process;
# None if another launcher had it. Of a cell that is RUNNING it is told about every second.
Told = Callable[[Cell, str, float | None], None]


@dataclass
class _Running:
    cell: Cell
    process: BaseProcess
    line: Connection  # what is sent stops the cell, and so does the end of this process
    since: float = field(default_factory=time.monotonic)


class Launcher:
    """Runs cells, some at a time, until each has ended; a cell that another launcher runs is waited for.

    Args:
        root: folder of the cells' run directories.
        workers: number of cells at a time.
        told: function that is told of each change.
        options: words behind those of each cell, which change nothing of what it computes.

    `stopping` is True once `stop` was called.
    """

    def __init__(self, root: Path, workers: int, told: Told, options: Sequence[str] = ()) -> None:
        self.root, self.workers, self.told, self.options = root, workers, told, options
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["studies.server"])
        self._running: dict[int, _Running] = {}
        self.stopping = False

    def resolve(self, commands: Sequence[Sequence[str]]) -> list[str]:
        """Resolved configurations of command lines.

        Raises:
            ValueError: there is a mistake in one of them.
        """
        answers, end = self._context.Pipe(duplex=False)
        process = self._context.Process(target=worker.resolve, args=(commands, end))
        process.start()
        end.close()
        found = []
        with contextlib.suppress(EOFError):
            for _ in commands:
                good, text = answers.recv()
                if not good:
                    process.join()
                    raise ValueError(text)
                found.append(text)
        process.join()
        if len(found) < len(commands):
            raise ValueError(f"the process that reads the configurations ended with status {process.exitcode}")
        return found

    def run(self, cells: Sequence[Cell]) -> None:
        """Run the cells that are not over; returns when all have ended, or have stopped after `stop`."""
        self.root.mkdir(parents=True, exist_ok=True)
        waiting = [cell for cell in cells if state(self._directory(cell)) not in OVER]
        tries = {cell.id: 0 for cell in waiting}
        elsewhere: list[Cell] = []
        while self._running or ((waiting or elsewhere) and not self.stopping):
            while waiting and len(self._running) < self.workers and not self.stopping:
                cell = waiting.pop(0)
                tries[cell.id] += 1
                self._start(cell)
            for run in self._ended():
                if run.process.exitcode == ELSEWHERE:
                    elsewhere.append(run.cell)
                elif self._again(run, tries[run.cell.id]):
                    waiting.insert(0, run.cell)
            for run in self._running.values():
                self.told(run.cell, RUNNING, time.monotonic() - run.since)
            if not self._running and not waiting and elsewhere and not self.stopping:
                time.sleep(1)  # another launcher has them: its end, or their results, are awaited
                waiting, elsewhere = self._let_go(elsewhere)

    def _let_go(self, elsewhere: Sequence[Cell]) -> tuple[list[Cell], list[Cell]]:
        """Of cells that other launchers had, those that are free again, and those that they have still."""
        free, held = [], []
        for cell in elsewhere:
            found = state(self._directory(cell))
            if found == RUNNING:
                held.append(cell)
            elif found not in OVER:
                free.append(cell)
            if found in OVER or found == RUNNING:
                self.told(cell, found, None)
        return free, held

    def stop(self) -> None:
        """Start no more cells, and let those that run write a checkpoint and end; called again, end them at once."""
        self.stopping = True
        for run in self._running.values():
            _stop(run)

    def _directory(self, cell: Cell) -> CellDirectory:
        return CellDirectory(self.root, cell.id)

    def _start(self, cell: Cell) -> None:
        directory = self._directory(cell)
        directory.failure.unlink(missing_ok=True)
        theirs, line = self._context.Pipe(duplex=False)
        target = ([*cell.arguments, *self.options], directory, theirs, os.environ | cell.labels(self.root.name))
        process = self._context.Process(target=worker.run, args=target)
        process.start()
        theirs.close()
        self._running[process.sentinel] = run = _Running(cell, process, line)
        if self.stopping:  # a signal came while it was being forked
            _stop(run)
        self.told(cell, "started", 0.0)

    def _ended(self) -> Iterator[_Running]:
        ready = set(wait(list(self._running), timeout=0.5))
        for sentinel in [sentinel for sentinel in self._running if sentinel in ready]:
            run = self._running.pop(sentinel)
            run.process.join()
            run.line.close()
            yield run

    def _again(self, run: _Running, tries: int) -> bool:
        """Tell what has become of a cell whose process ended; True if it is to be tried once more."""
        directory, status = self._directory(run.cell), run.process.exitcode
        found, seconds = state(directory), time.monotonic() - run.since
        if found in OVER or (self.stopping and status in (signals.STOPPED, -signal.SIGTERM)):
            self.told(run.cell, found if found in OVER else STOPPED, seconds)
            return False
        if status is not None and (status < 0 or status == signals.STOPPED) and tries < TRIES:
            self.told(run.cell, "again", seconds)
            return True
        write_json(directory.failure, {"status": status, "error": _last_words(directory.log), "tries": tries})
        self.told(run.cell, FAILED, seconds)
        return False


def _stop(run: _Running) -> None:
    with contextlib.suppress(OSError):  # it has just ended
        run.line.send_bytes(b"stop")


def _last_words(log: Path, lines: int = 3) -> str:
    """The end of what a cell printed."""
    text = log.read_text(errors="replace") if log.is_file() else ""
    return "\n".join(line for line in text.splitlines()[-lines:] if line.strip())
