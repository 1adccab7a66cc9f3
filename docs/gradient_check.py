"""docs/gradient_check.md: a trained network's finite differences beside the published ones.

    python docs/gradient_check.py

Reads the results of the study gradient_check at full scale, and the published table beside it.
"""

import csv
import json
import math
from pathlib import Path

from commands.tables.gradient_check import SHOWN
from docs.pages import table, write
from studies.exhibits.kept import FOLDER
from studies.study import SHIPPED

RESULTS = Path(__file__).parents[1] / "results" / "studies" / "gradient_check" / "full" / FOLDER
PUBLISHED = SHIPPED / "gradient_check" / "published.csv"
SMOOTH = (5, 1000)  # from an N whose step is free of kinks to one before round-off

Differences = dict[tuple[int, int], float]


def values() -> dict[str, str]:
    """Values for the template, by name."""
    found = json.loads(checked("json").read_text())
    ours, kinked, gradient = _ours()
    published = _published()
    weights = sorted(gradient)
    double, single = found["float64"], found["float32"]
    largest = {int(n): value for n, value in double["largest_difference"].items()}
    headings = ("weight", *(f"N = {n:,}" for n in SHOWN))
    marked = [[_told(ours[w, n]) + (" \\*" if (w, n) in kinked else "") for n in SHOWN] for w in weights]
    by_n = [
        (f"{n:,}", _told(value), _told(single["largest_difference"][str(n)]), str(sum(n == m for _, m in kinked)))
        for n, value in largest.items()
    ]
    first, last = SMOOTH
    slope = math.log(largest[last] / largest[first]) / math.log(last / first)
    versions = found["versions"]
    return {
        "figure": f"../{checked('png').relative_to(Path(__file__).parents[1]).as_posix()}",
        "parameter": f"`{found['parameter']}`",
        "ours": table(
            ("weight", "gradient", *headings[1:]),
            [(str(w), _told(gradient[w]), *cells) for w, cells in zip(weights, marked, strict=True)],
        ),
        "published": table(headings, [(str(w), *(_told(published[w, n]) for n in SHOWN)) for w in weights]),
        "largest": table(("N", "float64", "float32", "weights with a kink"), by_n),
        "first": f"{first:,}",
        "last": f"{last:,}",
        "slope": f"{slope:.2f}",
        "factor": f"{_largest(ours, 50) / _largest(ours, 1000):,.0f}",
        "published_factor": f"{_largest(published, 50, but=1) / _largest(published, 1000, but=1):,.0f}",
        "published_square": _told(_largest(published, 50, but=1) * 50**2),
        "published_one": _told(_largest(published, 1)),
        "best_double": f"{double['best_N']:,}",
        "best_single": f"{single['best_N']:,}",
        "theory_double": f"{double['best_N_by_theory']:,.0f}",
        "theory_single": f"{single['best_N_by_theory']:,.0f}",
        "loss": f"{double['loss']:.1e}",
        "zeros": ", ".join(str(w) for w in weights if gradient[w] == 0) or "none",
        "seed": str(found["seed"]),
        "weights": str(found["weights"]),
        "where": f"{found['cpu']}; torch {versions['torch']}, Lightning {versions['pytorch-lightning']}",
    }


def checked(ending: str) -> Path:
    """A file that the study's one network left."""
    return next(RESULTS.glob(f"*-gradient_check.{ending}"))


def _ours() -> tuple[Differences, set[tuple[int, int]], dict[int, float]]:
    """In float64: differences by (weight, N), the (weight, N) with a kink within the step, and gradients by weight."""
    with checked("csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["precision"] == "float64"]
    cells = {(int(row["weight"]), int(row["N"])): row for row in rows}
    differences = {cell: float(row["difference"]) for cell, row in cells.items()}
    kinked = {cell for cell, row in cells.items() if int(row["kinks"])}
    return differences, kinked, {int(row["weight"]): float(row["autograd"]) for row in rows}


def _published() -> Differences:
    with PUBLISHED.open(newline="") as file:
        return {
            (int(row["weight"]), int(name.removeprefix("N="))): float(value)
            for row in csv.DictReader(file)
            for name, value in row.items()
            if name != "weight"
        }


def _largest(differences: Differences, n: int, but: int | None = None) -> float:
    return max(abs(value) for (weight, m), value in differences.items() if m == n and weight != but)


def _told(value: float) -> str:
    return f"{value:.1e}" if value else "0"


if __name__ == "__main__":
    write(Path(__file__), values())
