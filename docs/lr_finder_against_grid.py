"""docs/lr_finder_against_grid.md and .svg: suggested rates against the best of a grid, for each optimizer.

    python docs/lr_finder_against_grid.py

Reads what the study lr_finder_against_grid left in results/studies at full scale; until it has run there,
results/lr_finder_against_grid.csv, an earlier measurement of the same cells.
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
from studies.exhibits.exhibit import Exhibit, Found
from studies.files import RECORD
from studies.report.write import load
from studies.study import read_study, shipped
from studies.table import grouped
from studies.tabular import markdown

NAME, SCALE = "lr_finder_against_grid", "full"
RESULTS = Path(__file__).resolve().parents[1] / "results"
NEAR = 1.0  # percentage points within which a suggestion is as good as the grid's best
MADAMS = "{{class_path: {}, init_args: {{zero_tensors: sgd}}}}"


def values() -> dict[str, str]:
    """Values for the template, by name."""
    found = results()
    wanted = _wanted(found)
    groups = {
        found.name(key): compare(rows, wanted["metric"], wanted["of"], wanted["rates"])
        for (key,), rows in grouped(found.rows, [wanted["by"]]).items()
    }
    record = found.record
    devices, torch, lightning = (", ".join(record[name]) for name in ("devices", "torch", "lightning"))
    days = sorted(record["dates"])
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return {
        "sentence": sentence(groups),
        "table": markdown(exhibit().tables[0]).strip(),
        "measured": f"{devices}, one thread a run; torch {torch}, Lightning {lightning}; {when}. {_origin(found)}",
    }


def figures() -> dict[str, str]:
    """Name and content of the figure's file."""
    figure = exhibit().figure
    assert figure is not None
    return {f"{NAME}.svg": standalone(figure, NAME)}


@cache
def results() -> Found:
    """What the study found, or the earlier measurement as if it were of it."""
    study, folder = read_study(shipped()[NAME]), RESULTS / "studies" / NAME / SCALE
    if (folder / RECORD).is_file():
        return load(study, folder)
    with (RESULTS / f"{NAME}.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    columns = {"devices": "cpu", "torch": "torch", "lightning": "lightning", "dates": "date"}
    record = {name: sorted({line[column] for line in lines} - {""}) for name, column in columns.items()}
    return Found(study, SCALE, [_as_cell(line) for line in lines], {}, record, folder)


def exhibit() -> Exhibit:
    """The study's table and figure."""
    return make(results(), _wanted(results()))


def sentence(groups: Mapping[str, Comparison]) -> str:
    """One sentence on how well the finder does, worst case included."""
    gaps = {name: 100 * one.difference.mean for name, one in groups.items() if one.difference.n}
    near = sum(gap >= -NEAR for gap in gaps.values())
    refused, tests = (sum(getattr(one, part) for one in groups.values()) for part in ("refused", "asked"))
    said = (
        f"For {near} of {len(groups)} optimizers the suggested rate comes within {NEAR:g} percentage point of the best "
        "of the grid, or above it"
    )
    if gaps:
        worst = min(gaps, key=lambda name: gaps[name])
        lost = f"the worst loss is {-gaps[worst]:.2f} points, with {worst}"
        said += f"; {lost if gaps[worst] < 0 else 'none loses'}"
    return f"{said}. {refused} of {tests} tests refused to suggest a rate."


def _origin(found: Found) -> str:
    if (found.folder / RECORD).is_file():
        return f"Every run is in `results/studies/{NAME}/{SCALE}/cells.csv`."
    return (
        f"Every run is in `results/{NAME}.csv`: `cadence fit -c small_cnn_mnist` at each rate, and at the one that "
        "`cadence lr-range-test` suggests for that configuration. The study, which trains at what the run's own test "
        "suggests, has not been run at this scale yet."
    )


def _wanted(found: Found) -> Mapping[str, Any]:
    exhibits: Sequence[Mapping[str, Any]] = found.study.exhibits
    return next(wanted for wanted in exhibits if wanted["kind"] == "against_grid")


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
