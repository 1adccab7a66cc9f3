"""The rows of the comparison of finders, in a file that grows."""

import csv
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.finders_problems import Problem

COLUMNS = (
    "problem", "seed", "finder", "rate", "accuracy", "loss", "trained", "steps", "seconds", "note", "package", "torch",
    "lightning", "cpu", "date",
)  # fmt: skip


class Rows:
    """The rows of a file: those that it has, and new ones at its end.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.known = path, set()
        if path.is_file():
            with path.open(newline="") as file:
                self.known = {self._key(row) for row in csv.DictReader(file)}
        else:
            self._append(list(COLUMNS))

    def lacks(self, problem: Problem, seed: int, finder: str, rate: float | str = "") -> bool:
        """Whether there is no row of a finder; of the grid, none of this rate."""
        return self._key({"problem": problem.name, "seed": seed, "finder": finder, "rate": rate}) not in self.known

    def add(self, problem: Problem, seed: int, finder: str, **found: Any) -> None:
        """Add a row, with the machine and the versions."""
        from records.environment import cpu_name

        row = {"problem": problem.name, "seed": seed, "finder": finder, **found, "torch": version("torch")}
        row |= {"lightning": version("pytorch-lightning"), "cpu": cpu_name(), "date": datetime.now(UTC).date()}
        self.known.add(self._key(row))
        self._append([row.get(column, "") for column in COLUMNS])
        said = " ".join(f"{name} {row[name]}" for name in ("rate", "accuracy", "seconds", "note") if row.get(name))
        print(f"{problem.name}, seed {seed}, {finder}: {said}", flush=True)

    def _append(self, values: list[Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(values)

    def _key(self, row: Any) -> tuple[str, ...]:
        rate = str(row["rate"]) if row["finder"] == "grid" else ""
        return row["problem"], str(row["seed"]), row["finder"], rate


def shown(rate: float | None) -> float | str:
    """A rate as it is written; nothing where there is none."""
    return "" if rate is None else float(f"{rate:.6g}")
