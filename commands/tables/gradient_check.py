"""What `cadence gradient-check` leaves behind: tables on the terminal, and a CSV, a JSON and a figure."""

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from figures.gradient_check import gradient_check_figure
from inspection.gradients.check import GradientCheck
from records.files import write_csv, write_json

SHOWN = (1, 50, 1000, 50_000, 500_000)  # the columns of the MLP report's table 4; the CSV has all


def rows(found: GradientCheck) -> list[dict[str, Any]]:
    """The table of the CSV: a row per precision, weight and N."""
    return [
        {
            "precision": precision,
            "weight": weight + 1,
            "N": int(n),
            "autograd": float(result.gradient[weight]),
            "central_difference": float(result.numeric[weight, place]),
            "difference": float(result.difference[weight, place]),
            "kinks": int(found.kinks[weight, place]),
        }
        for precision, result in (("float64", found.double), ("float32", found.single))
        for weight in range(len(result.gradient))
        for place, n in enumerate(found.ns)
    ]


def write_report(found: GradientCheck, folder: Path, about: dict[str, Any]) -> None:
    """Write gradient_check.csv, .json and .png into a folder, made where there is none.

    Args:
        found: of the check.
        folder: which.
        about: further entries of the JSON.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "gradient_check.csv", rows(found))
    precisions = {
        name: {
            "loss": _number(result.loss),
            "largest_difference": dict(zip(found.ns.tolist(), map(_number, result.largest.tolist()), strict=True)),
            "best_N": result.best(found.ns),
            "best_N_by_theory": 1 / result.theory,
            "batched": result.batched,
        }
        for name, result in (("float64", found.double), ("float32", found.single))
    }
    content = about | {
        "parameter": found.parameter,
        "weights": len(found.verdicts),
        "verdicts": found.verdicts,
        "kinks_by_layer": found.kinks_by_layer,
    }
    write_json(folder / "gradient_check.json", content | precisions)
    drawn = [np.where(np.isfinite(result.largest), result.largest, np.nan) for result in (found.double, found.single)]
    figure = gradient_check_figure(
        found.ns,
        drawn[0],
        drawn[1],
        found.kinks.sum(axis=0) > 0,
        (1 / found.double.theory, 1 / found.single.theory),
    )
    figure.savefig(folder / "gradient_check.png", dpi=150)


def _number(value: float) -> float | None:
    """The value; None where it is not finite, which JSON has no word for."""
    return value if np.isfinite(value) else None


def print_tables(found: GradientCheck, folder: Path) -> None:
    """Differences by weight in float64, the largest of each N in both precisions, and what they come to."""
    places = [place for place, n in enumerate(found.ns) if n in SHOWN or len(found.ns) <= len(SHOWN)]
    double = found.double
    by_weight = Table(
        "weight", "autograd", *(f"N={found.ns[place]}" for place in places), "", title=found.parameter, box=None
    )
    for weight, verdict in enumerate(found.verdicts):
        cells = [
            f"{double.difference[weight, place]:.1e}{'*' if found.kinks[weight, place] else ''}" for place in places
        ]
        by_weight.add_row(str(weight + 1), f"{double.gradient[weight]:.1e}", *cells, verdict)
    by_n = Table("N", "float64", "float32", "kinks", title="largest difference", box=None)
    for place, n in enumerate(found.ns):
        by_n.add_row(
            f"{n:,}",
            f"{double.largest[place]:.1e}",
            f"{found.single.largest[place]:.1e}",
            str(found.kinks[:, place].sum()),
        )
    console = Console(highlight=False)
    console.print(by_weight)
    if found.kinks_by_layer:
        console.print("* units change sides within the step, in")
        for name, count in sorted(found.kinks_by_layer.items(), key=lambda item: -item[1])[:5]:
            console.print(f"  {name}: {count:,}", soft_wrap=True)
    console.print(by_n)
    for name, result in (("float64", double), ("float32", found.single)):
        best = result.best(found.ns)
        why = "no weight changes the loss" if not result.largest.any() else "no N has finite differences of all weights"
        measured = f"N = {best:,}" if best else f"none, as {why}"
        console.print(f"best in {name}: {measured}; by theory {1 / result.theory:,.0f}", soft_wrap=True)
    counts = {verdict: found.verdicts.count(verdict) for verdict in dict.fromkeys(found.verdicts)}
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    console.print(f"{len(found.verdicts)} weights: {told}; written in {folder}", soft_wrap=True)
