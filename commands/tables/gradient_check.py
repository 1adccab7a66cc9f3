"""What `cadence gradient-check` prints and writes: tables on the terminal, and a CSV, a JSON and a figure."""

from pathlib import Path
from typing import Any

import numpy as np

from commands.tables.layout import lay
from figures.gradient_check import gradient_check_figure
from inspection.gradients.check import GradientCheck
from records.files import write_csv, write_figure, write_json

SHOWN = (1, 50, 1000, 50_000, 500_000)  # as many columns as a terminal is wide; the CSV has all


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
        found: results of the check.
        folder: path of the folder.
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
    write_figure(folder / "gradient_check.png", figure)


def _number(value: float) -> float | None:
    """The value; None if it is not finite, which JSON cannot hold."""
    return value if np.isfinite(value) else None


def print_tables(found: GradientCheck, folder: Path) -> None:
    """Print differences by weight in float64, the largest of each N in both precisions, and the verdicts."""
    print(f"{found.parameter}: central difference - autograd, in float64")
    places = [place for place, n in enumerate(found.ns) if n in SHOWN or len(found.ns) <= len(SHOWN)]
    headings = ("weight", "autograd", *(f"N={found.ns[place]}" for place in places), "")
    by_weight = [_row(found, weight, places) for weight in range(len(found.verdicts))]
    lay(headings, by_weight, left=range(2, len(headings)), form="plain")
    if found.kinks_by_layer:
        print("* units change sides within the step, in")
        for name, count in sorted(found.kinks_by_layer.items(), key=lambda item: -item[1])[:5]:
            print(f"  {name}: {count:,}")
    print("largest difference")
    largest = zip(found.ns, found.double.largest, found.single.largest, found.kinks.sum(axis=0), strict=True)
    by_n = [[f"{n:,}", f"{double:.1e}", f"{single:.1e}", f"{kinks}"] for n, double, single, kinks in largest]
    lay(("N", "float64", "float32", "kinks"), by_n, left=(), form="plain")
    for name, result in (("float64", found.double), ("float32", found.single)):
        best = result.best(found.ns)
        why = "no weight changes the loss" if not result.largest.any() else "no N has finite differences of all weights"
        measured = f"N = {best:,}" if best else f"none, as {why}"
        print(f"best in {name}: {measured}; by theory {1 / result.theory:,.0f}")
    counts = {verdict: found.verdicts.count(verdict) for verdict in dict.fromkeys(found.verdicts)}
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    print(f"{len(found.verdicts)} weights: {told}; written in {folder}")


def _row(found: GradientCheck, weight: int, places: list[int]) -> list[str]:
    """A weight's gradient, its differences at some N, starred where a kink lies within the step, and its verdict."""
    differences, kinks = found.double.difference[weight], found.kinks[weight]
    cells = [f"{differences[place]: .1e}{'*' if kinks[place] else ''}" for place in places]
    return [f"{weight + 1}", f"{found.double.gradient[weight]:.1e}", *cells, found.verdicts[weight]]
