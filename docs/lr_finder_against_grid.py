"""docs/lr_finder_against_grid.md and its figures: suggested and raced rates against the best of a grid, by optimizer.

    python docs/lr_finder_against_grid.py

Reads what the study lr_finder_against_grid left in results/studies at full scale, and, for the rule that was before,
results/lr_finder_against_grid.csv, which was measured by that rule.
"""

import csv
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from docs.pages import write
from figures.svg import standalone
from studies.against_grid import Comparison, compare
from studies.exhibits import make
from studies.exhibits.exhibit import Found
from studies.reading import read_study
from studies.report.write import load
from studies.study import shipped
from studies.table import grouped
from studies.tabular import markdown

NAME, SCALE = "lr_finder_against_grid", "full"
RESULTS = Path(__file__).resolve().parents[1] / "results"
FIGURES = {NAME: "suggested", f"{NAME}_raced": "raced"}
KINDS = {"suggested": "suggested rate", "raced": "raced rate", "before": "rate that was suggested before"}
NEAR = 1.0  # percentage points within which a suggestion is as good as the grid's best
MADAMS = "{{class_path: {}, init_args: {{zero_tensors: sgd}}}}"


def values() -> dict[str, str]:
    """Values for the template, by name."""
    said = {}
    for name, (found, wanted) in {
        "suggested": (results(), _wanted("suggested")),
        "raced": (results(), _wanted("raced")),
        "before": (before(), _wanted("suggested")),
    }.items():
        groups = {
            found.name(key): compare(rows, wanted["metric"], wanted["of"], wanted["rates"])
            for (key,), rows in grouped(found.rows, [wanted["by"]]).items()
        }
        said |= {name: sentence(groups, name), f"{name}_table": markdown(make(found, wanted).tables[0]).strip()}
    return said | {"measured": _measured(results()), "measured_before": _measured(before())}


def figures() -> dict[str, str]:
    """Name and content of each figure's file."""
    drawn = {}
    for name, part in FIGURES.items():
        figure = make(results(), _wanted(part)).figure
        assert figure is not None
        drawn[f"{name}.svg"] = standalone(figure, name)
    return drawn


@cache
def results() -> Found:
    """What the study found."""
    return load(read_study(shipped()[NAME]), RESULTS / "studies" / NAME / SCALE)


@cache
def before() -> Found:
    """What the rule before found, as if it were of the study."""
    study, folder = read_study(shipped()[NAME]), RESULTS / "studies" / NAME / SCALE
    with (RESULTS / f"{NAME}.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    columns = {"devices": "cpu", "torch": "torch", "lightning": "lightning", "dates": "date"}
    record = {name: sorted({line[column] for line in lines} - {""}) for name, column in columns.items()}
    return Found(study, SCALE, [_as_cell(line) for line in lines], {}, record, folder)


def sentence(groups: Mapping[str, Comparison], kind: str = "suggested") -> str:
    """One sentence on how well the finder does, worst case included."""
    gaps = {name: 100 * one.difference.mean for name, one in groups.items() if one.difference.n}
    near = sum(gap >= -NEAR for gap in gaps.values())
    refused, tests = (sum(getattr(one, part) for one in groups.values()) for part in ("refused", "asked"))
    said = (
        f"For {near} of {len(groups)} optimizers the {KINDS[kind]} comes within {NEAR:g} percentage point of the best "
        "of the grid, or above it"
    )
    if gaps:
        worst = min(gaps, key=lambda name: gaps[name])
        lost = f"the worst loss is {-gaps[worst]:.2f} points, with {worst}"
        said += f"; {lost if gaps[worst] < 0 else 'none loses'}"
    return f"{said}. {refused} of {tests} tests refused to suggest a rate."


def _measured(found: Found) -> str:
    record = found.record
    devices, torch, lightning = (", ".join(record[name]) for name in ("devices", "torch", "lightning"))
    days = sorted(record["dates"])
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{devices}, one thread a run; torch {torch}, Lightning {lightning}; {when}"


def _wanted(part: str) -> Mapping[str, Any]:
    """The study's exhibit of the cells of a part."""
    exhibits: Sequence[Mapping[str, Any]] = read_study(shipped()[NAME]).exhibits
    return next(wanted for wanted in exhibits if wanted.get("rates") == {"part": part})


def _as_cell(line: Mapping[str, str]) -> dict[str, Any]:
    """A row of the earlier measurement as a row of the study's cells."""
    name, rate = line["optimizer"], line["lr"]
    cell: dict[str, Any] = {
        "optimizer": MADAMS.format(name) if name.endswith("Madam") else name,
        "seed_everything": int(line["seed"]),
        "status": "finished" if rate else "refused",
    }
    if rate:
        cell["val/accuracy"] = float(line["val_accuracy"])
    if line["source"] == "suggested":
        return cell | {"part": "suggested"} | ({"lr": float(rate)} if rate else {})
    return cell | {"part": "sweep", "optimizer.lr": float(rate)}


if __name__ == "__main__":
    write(Path(__file__), values())
    for name, content in figures().items():
        Path(__file__).with_name(name).write_text(content)
