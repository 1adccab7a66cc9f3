"""docs/results.md: every verdict of every study, from what the studies left in results/studies.

python docs/results.py
"""

import json
from pathlib import Path
from typing import Any

from docs.pages import table, write
from figures.svg import standalone
from studies import SCALES
from studies.claims import NOT_REPRODUCED, NOT_TESTED, REPRODUCED
from studies.exhibits import make
from studies.files import RECORD
from studies.reading import read_study
from studies.report.write import PAGE, VERDICTS, load
from studies.study import shipped

RESULTS = Path(__file__).resolve().parents[1] / "results" / "studies"
FIGURES = Path(__file__).parent / "figures"
# Figures that the README shows: study -> title of the exhibit.
SHOWN = {
    "mlp_search": "Validation accuracy against learning rate",
    "madam_lr_sweep": "CIFAR-10, test accuracy against learning rate",
    "small_cnn_curves": "Training loss of the first 25 batches",
}
STATES = (REPRODUCED, NOT_REPRODUCED, NOT_TESTED)


def values() -> dict[str, str]:
    """Values for the template, by name."""
    found = [folder for name in shipped() for folder in reported(RESULTS / name)]
    return {"index": _index(found), "studies": "\n\n".join(map(_study, found))}


def reported(folder: Path) -> list[Path]:
    """Folders of the scales that a study has a report of, the largest last."""
    return [folder / scale for scale in SCALES if (folder / scale / VERDICTS).is_file()]


def _index(folders: list[Path]) -> str:
    rows = []
    for folder in folders:
        record, states = _record(folder), [verdict["state"] for verdict in _verdicts(folder)]
        link = f"[{folder.parent.name}](../results/studies/{folder.parent.name}/{folder.name}/{PAGE})"
        rows.append((link, folder.name, f"{record['cells']:,}", *(str(states.count(state)) for state in STATES)))
    return table(("study", "scale", "cells", *STATES), rows)


def _study(folder: Path) -> str:
    study, record = read_study(shipped()[folder.parent.name]), _record(folder)
    devices, torch, lightning = (", ".join(record[name]) for name in ("devices", "torch", "lightning"))
    where = f"{devices}; torch {torch}, Lightning {lightning}"
    ran = f"{record['cells']:,} cells at scale {folder.name}, {record['hours']:.1f} hours together, on {where}."
    if not study.runs:
        ran = f"Nothing is trained: all of it is computed, with torch {torch}."
    scale = f", at {folder.name} scale" if len(reported(folder.parent)) > 1 else ""
    lines = [f"## {study.title}{scale}", f"{study.source}. {ran}" if study.source else ran]
    for verdict in _verdicts(folder):
        numbers = "\n".join(f"    - {line}" for line in verdict["numbers"])
        lines.append(f"- **{verdict['state']}**: {verdict['says']} ({verdict['source']}).\n{numbers}")
    return "\n\n".join(lines)


def _record(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / RECORD).read_text())
    return content


def _verdicts(folder: Path) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = json.loads((folder / VERDICTS).read_text())
    return content


def figures() -> dict[str, str]:
    """Names and contents of the .svg files, of those studies that have results."""
    found = {}
    for name, title in SHOWN.items():
        if folders := reported(RESULTS / name):
            results = load(read_study(shipped()[name]), folders[-1])
            wanted = next(exhibit for exhibit in results.study.exhibits if exhibit["title"] == title)
            figure = make(results, wanted).figure
            assert figure is not None, f"{name}: {title} is no figure"
            found[f"{name}.svg"] = standalone(figure, name)
    return found


if __name__ == "__main__":
    write(Path(__file__), values())
    FIGURES.mkdir(exist_ok=True)
    for name, content in figures().items():
        (FIGURES / name).write_text(content)
