"""Where the parts of one run lie on disk, and that one process at a time is at work there."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from checks.shell import command_line, place
from records.files import clear_parts, expanded, mapping_in
from records.generation import FILE, claimed, goes_on, last_start
from records.lock import exclusive, holder


class RunDirectory:
    """Paths of one run. Holding, creating and opening check what is there.

    ```
    config.yaml       the resolved configuration of fit; test-config.yaml that of a later test
    metrics.csv       one row a logged step
    checkpoints/      best.ckpt (highest validation accuracy) and last.ckpt (to resume from); start.ckpt, if the run
                      began from another's checkpoint: a copy of that
    *_range_test.ckpt what a range test has measured, in case it is stopped; removed when the run ends
    result.json       final metrics, parameters, seconds, device, versions, commit, seed
    environment.json  hardware and the versions of every installed package when the run began, its id and its command
    .lock             who is at work here; locked for as long as that process lives
    .generation       which start of which job of SLURM was at work here last, if one was
    ```
    """

    def __init__(self, root: Path) -> None:
        self.root = root = expanded(root)
        self.metrics = root / "metrics.csv"
        self.checkpoints = root / "checkpoints"
        self.best = self.checkpoints / "best.ckpt"
        self.last = self.checkpoints / "last.ckpt"
        self.start = self.checkpoints / "start.ckpt"
        self.result = root / "result.json"
        self.environment = root / "environment.json"
        self.lock = root / ".lock"

    def config(self, command: str = "fit") -> Path:
        """The resolved configuration of `fit`, or of another command run on this directory later."""
        return self.root / ("config.yaml" if command == "fit" else f"{command}-config.yaml")

    def begun_with(self) -> dict[str, Any]:
        """Content of environment.json; empty where there is none, or none that can be read."""
        return mapping_in(self.environment)

    def ended_with(self) -> dict[str, Any] | None:
        """Content of result.json; None where there is none, or none that a run wrote."""
        content = mapping_in(self.result)
        kinds = {"metrics": dict, "seconds": dict, "steps": int, "parameters": int}
        return content if all(isinstance(content.get(key), kind) for key, kind in kinds.items()) else None

    def going_on(self, command: str) -> str:
        """The command line that goes on with the run, from any folder."""
        return command_line("cadence", command, "--resume", place(self.root))

    def resumable(self) -> bool:
        """Whether a run has begun here, which can go on, or begin again if it has no checkpoint yet."""
        return self.config().is_file()

    def writable(self) -> bool:
        """Whether this process may write here."""
        return os.access(self.root, os.W_OK | os.X_OK)

    def kept_test(self, name: str) -> Path:
        """File with what a range test of this name has measured so far."""
        return self.root / f"{name}.ckpt"

    @contextlib.contextmanager
    def held(self, new: bool = False) -> Iterator[None]:
        """Keep other processes out of the directory during the block.

        Args:
            new: whether it must be free. It is made, and removed again if the block leaves nothing in it.

        Raises:
            ValueError: another process is at work there, there are files already, or it cannot be written.
        """
        made = self._make() if new else []
        try:
            with exclusive(self.lock, self._refuse) as locked, contextlib.ExitStack() as stack:
                if new:
                    self.check_empty()
                stack.enter_context(claimed(self.root))
                if locked:  # no other process writes here now
                    clear_parts(self.root, self.checkpoints)
                else:
                    print(f"cadence: {self.root}: no locks there: let no second process write to it", file=sys.stderr)
                yield
        except OSError as error:
            if error.filename != str(self.lock):
                raise
            remedy = "make that possible, or name another"
            raise ValueError(f"run_dir {self.root} cannot be written ({error.strerror}): {remedy}") from error
        finally:
            with contextlib.suppress(OSError):
                if made and [path.name for path in self.root.iterdir()] == [FILE]:
                    (self.root / FILE).unlink()
                for folder in made:
                    folder.rmdir()

    def take_over(self) -> bool:
        """Wait until an older copy of the run has ended, which an earlier start of this process's job has left.

        That copy ends when it would write here next. Returns whether there may have been one.
        """
        if not goes_on(self.root):
            return False
        older = last_start(self.root)
        told: list[bool] = []

        def wait() -> None:
            if not told:
                told.append(True)
                print(f"cadence: {self.root}: {older} is at work there: waiting until it has ended", file=sys.stderr)

        with claimed(self.root), exclusive(self.lock, wait):
            return True

    def check_empty(self) -> None:
        """Check that there are no files of another run.

        Raises:
            ValueError: there are.
        """
        if any(path.name not in (self.lock.name, FILE) for path in self.root.iterdir()):
            command = self.going_on(self.begun_with().get("command", "fit"))
            go_on = f", or go on with it by\n{command}" if self.resumable() else ""
            raise ValueError(f"run_dir {self.root} is not empty: name another{go_on}")

    def create(self) -> None:
        """Make the directory.

        Raises:
            ValueError: it holds files already, or cannot be written.
        """
        self._make()
        self.check_empty()

    def _make(self) -> list[Path]:
        """Make the directory and those above it; returns the new ones, innermost first."""
        if not str(self.root).isprintable():
            raise ValueError(f"run_dir {str(self.root)!r} holds a character that cannot be shown: name another")
        above = [self.root, *self.root.absolute().parents]
        there = next(path for path in above if os.path.lexists(path))
        if not there.is_dir():
            raise ValueError(f"run_dir {self.root} cannot be made, as {there} is no directory: name another")
        if not os.access(there, os.W_OK | os.X_OK):
            raise ValueError(f"run_dir {self.root} cannot be made, as {there} is not writable: name another")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"run_dir {self.root} cannot be written ({error.strerror}): name another") from error
        return above[: above.index(there)]

    def _refuse(self) -> None:
        pid, host = holder(self.lock)
        raise ValueError(
            f"run_dir {self.root}: process {pid} on {host} is at work there\n"
            f"wait until it has ended, or end it on {host} by `kill {pid}`"
        )

    def open(self) -> None:
        """Check that this is the directory of a run.

        Raises:
            ValueError: there is no such directory, or it has no config.yaml.
        """
        if not self.root.is_dir():
            raise ValueError(f"run directory {self.root} does not exist: give the path that fit printed at its end")
        if not self.config().is_file():
            raise ValueError(f"run directory {self.root} has no config.yaml: give the path that fit printed at its end")
