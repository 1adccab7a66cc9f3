"""The table, the sentence and the figure of docs/lr_finder_against_grid.md, from the runs' CSV.

    python benchmarks/finder_table.py [--runs results/lr_finder_against_grid.csv] [--doc docs/lr_finder_against_grid.md]

`benchmarks/lr_finder_against_grid.py` makes the runs. What stands between the two marker comments of the document is
made anew; the prose around them stays as it is. The figure lies beside the document, under its name with `.png`.
"""

import argparse
import csv
import statistics
from dataclasses import dataclass
from pathlib import Path

from benchmarks.lr_finder_against_grid import NAMES, OPTIMIZERS, SEEDS

BEGIN = "<!-- made by benchmarks/finder_table.py: begin -->"
END = "<!-- made by benchmarks/finder_table.py: end -->"
NEAR = 1.0  # percentage points within which a suggestion is as good as the grid's best
Row = dict[str, str]
Cells = dict[tuple[str, str, int], Row]


@dataclass(frozen=True)
class Comparison:
    """One optimizer: accuracy at its suggested rates, and at the best rate of the grid. Accuracies in per cent.

    Attributes:
        optimizer: name of the optimizer.
        rates: suggested rates of the seeds whose test did not refuse, in order of the seeds.
        reached: accuracy at each suggested rate.
        best_rate: best rate of the grid, by mean accuracy over all seeds.
        best: accuracy at that rate for each seed.
        difference: mean over the seeds with a suggestion of `reached` less the accuracy at `best_rate` with the same
            seed; None where all refused.
    """

    optimizer: str
    rates: list[float]
    reached: list[float]
    best_rate: float
    best: list[float]
    difference: float | None

    @property
    def refusals(self) -> int:
        """Number of seeds without a suggestion."""
        return len(self.best) - len(self.rates)


def read(path: Path) -> Cells:
    """The runs by (optimizer, source, seed).

    Raises:
        ValueError: a run is missing.
    """
    with path.open(newline="") as file:
        cells = {(row["optimizer"], row["source"], int(row["seed"])): row for row in csv.DictReader(file)}
    wanted = [(o, source, seed) for o in OPTIMIZERS for source in (*NAMES, "suggested") for seed in SEEDS]
    if lacking := [cell for cell in wanted if cell not in cells]:
        raise ValueError(
            f"{path} lacks {len(lacking)} of {len(wanted)} runs, the first is {lacking[0]}: "
            "run benchmarks/lr_finder_against_grid.py to its end"
        )
    return cells


def compare(cells: Cells, optimizer: str) -> Comparison:
    """An optimizer's suggestions against its grid."""
    grid = {name: [_accuracy(cells[optimizer, name, seed]) for seed in SEEDS] for name in NAMES}
    best = max(NAMES, key=lambda name: statistics.mean(grid[name]))
    told = [seed for seed in SEEDS if cells[optimizer, "suggested", seed]["lr"]]
    rows = [cells[optimizer, "suggested", seed] for seed in told]
    reached = [_accuracy(row) for row in rows]
    gains = [mine - grid[best][SEEDS.index(seed)] for seed, mine in zip(told, reached, strict=True)]
    return Comparison(
        optimizer,
        [float(row["lr"]) for row in rows],
        reached,
        float(cells[optimizer, best, SEEDS[0]]["lr"]),
        grid[best],
        statistics.mean(gains) if gains else None,
    )


def made(cells: Cells) -> str:
    """The text between the markers: a sentence, the table, and the machine and versions."""
    compared = [compare(cells, optimizer) for optimizer in OPTIMIZERS]
    heads = (
        "optimizer", "suggested rate, over seeds", "accuracy at it, %", "best rate of the grid", "accuracy at it, %",
        "difference, points", "refusals",
    )  # fmt: skip
    lines = [heads, ("---",) + ("---:",) * (len(heads) - 1), *(_cells(its) for its in compared)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{sentence(compared)}\n\n{table}\n\n{_measured_on(list(cells.values()))}"


def sentence(compared: list[Comparison]) -> str:
    """One sentence on how well the finder does, worst case included."""
    differences = {its.optimizer: its.difference for its in compared if its.difference is not None}
    near = sum(difference >= -NEAR for difference in differences.values())
    refused, tests = sum(its.refusals for its in compared), sum(len(its.best) for its in compared)
    said = (
        f"For {near} of {len(compared)} optimizers the suggested rate comes within {NEAR:g} percentage point of the "
        "best of the grid, or above it"
    )
    if differences:
        worst = min(differences, key=lambda name: differences[name])
        if differences[worst] < 0:
            said += f"; the worst loss is {-differences[worst]:.2f} points, with {worst}"
        else:
            said += "; none loses"
    return f"{said}. {refused} of {tests} tests refused to suggest a rate."


def replaced(document: str, block: str) -> str:
    """The document with another block between its markers.

    Raises:
        ValueError: a marker is missing.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the document lacks a marker: put the lines {BEGIN} and {END} where the table shall stand")
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{after}"


def _accuracy(row: Row) -> float:
    return 100 * float(row["val_accuracy"])


def _cells(its: Comparison) -> tuple[str, ...]:
    if its.difference is None:
        return (its.optimizer, "none", "", f"{its.best_rate:.2g}", _mean(its.best), "", str(its.refusals))
    low, high = f"{min(its.rates):.2g}", f"{max(its.rates):.2g}"
    rates = low if low == high else f"{low} to {high}"
    reached, best = _mean(its.reached), _mean(its.best)
    return (its.optimizer, rates, reached, f"{its.best_rate:.2g}", best, f"{its.difference:+.2f}", str(its.refusals))


def _mean(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.2f} (n = 1)"
    few = "" if len(values) == len(SEEDS) else f" (n = {len(values)})"
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}{few}"


def _measured_on(rows: list[Row]) -> str:
    def all_of(field: str) -> str:
        return ", ".join(sorted({row[field] for row in rows} - {""}))

    days = sorted({row["date"] for row in rows})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return (
        f"Mean ± standard deviation over n = {len(SEEDS)} seeds unless stated. {all_of('cpu')}, one thread a run; "
        f"torch {all_of('torch')}, Lightning {all_of('lightning')}; {when}."
    )


def drawn(cells: Cells, path: Path) -> None:
    """The figure: each optimizer's accuracy against the rate, and its suggestions."""
    import numpy as np

    from figures.lr_grid import Panel, draw

    panels = []
    for optimizer in OPTIMIZERS:
        its = compare(cells, optimizer)
        rates = [float(cells[optimizer, name, SEEDS[0]]["lr"]) for name in NAMES]
        accuracies = [[_accuracy(cells[optimizer, name, seed]) for name in NAMES] for seed in SEEDS]
        title = f"{optimizer} ({its.refusals} of {len(SEEDS)} refused)" if its.refusals else optimizer
        shown = np.array(rates), np.array(accuracies), np.array(its.rates), np.array(its.reached)
        panels.append(Panel(title, *shown))
    draw(panels).savefig(path, dpi=110)


def main() -> None:
    """Make the document's block and the figure anew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("results/lr_finder_against_grid.csv"))
    parser.add_argument("--doc", type=Path, default=Path("docs/lr_finder_against_grid.md"))
    given = parser.parse_args()
    cells = read(given.runs)
    given.doc.write_text(replaced(given.doc.read_text(), made(cells)))
    drawn(cells, given.doc.with_suffix(".png"))


if __name__ == "__main__":
    main()
