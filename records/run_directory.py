"""Where the parts of one run lie on disk."""

import os
from pathlib import Path


class RunDirectory:
    """Paths of one run. Creating and opening check what is there.

    ```
    config.yaml       the resolved configuration of fit; test-config.yaml that of a later test
    metrics.csv       one row a logged step
    checkpoints/      best.ckpt (highest validation accuracy) and last.ckpt (to resume from)
    *_range_test.ckpt what a range test has measured, in case it is stopped; removed when the run ends
    result.json       final metrics, parameters, seconds, device, versions, commit, seed
    environment.json  hardware and the versions of every installed package
    ```
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.metrics = root / "metrics.csv"
        self.checkpoints = root / "checkpoints"
        self.best = self.checkpoints / "best.ckpt"
        self.last = self.checkpoints / "last.ckpt"
        self.result = root / "result.json"
        self.environment = root / "environment.json"

    def config(self, command: str = "fit") -> Path:
        """The resolved configuration of `fit`, or of another command run on this directory later."""
        return self.root / ("config.yaml" if command == "fit" else f"{command}-config.yaml")

    def kept_test(self, name: str) -> Path:
        """File with what a range test of this name has measured so far."""
        return self.root / f"{name}.ckpt"

    def resumable(self) -> bool:
        """Whether a stopped run can go on: there is a checkpoint, or part of a range test."""
        return self.last.is_file() or any(self.root.glob(self.kept_test("*_range_test").name))

    def check_free(self) -> None:
        """Check that a new run may go here.

        Raises:
            ValueError: there are files already, or no directory can be made here.
        """
        there = next(path for path in (self.root, *self.root.absolute().parents) if os.path.lexists(path))
        if not there.is_dir():
            raise ValueError(f"run_dir {self.root} cannot be made, as {there} is no directory: name another")
        if not os.access(there, os.W_OK | os.X_OK):
            raise ValueError(f"run_dir {self.root} cannot be made, as {there} is not writable: name another")
        if self.root.is_dir() and any(self.root.iterdir()):
            go_on = f"go on with it by --resume {self.root}, or " if self.resumable() else ""
            raise ValueError(f"run_dir {self.root} is not empty: {go_on}name another")

    def create(self) -> None:
        """Make the directory.

        Raises:
            ValueError: it holds files already, or cannot be written.
        """
        try:
            self.check_free()
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"run_dir {self.root} cannot be written ({error.strerror}): name another") from error

    def open(self) -> None:
        """Check that this is the directory of a run.

        Raises:
            ValueError: there is no such directory, or it has no config.yaml.
        """
        if not self.root.is_dir():
            raise ValueError(f"run directory {self.root} does not exist: give the path that fit printed at its end")
        if not self.config().is_file():
            raise ValueError(f"run directory {self.root} has no config.yaml: give the path that fit printed at its end")
