"""From the tables of a study to its report, and to the tables and figures of a paper."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from figures.style import to_column
from records.files import written_whole
from studies import SCALES
from studies.claims import NOT_REPRODUCED, NOT_TESTED, REPRODUCED, Claim, Verdict, judge
from studies.exhibits import make
from studies.exhibits.exhibit import Exhibit, Found
from studies.files import RECORD, read_json, read_results
from studies.naming import PART, varied
from studies.reading import read_study
from studies.report.html import index_page, study_page
from studies.study import Study
from studies.table import finished
from studies.tabular import Entry, Table, comma_separated, entry, latex, markdown

PAGE, VERDICTS = "report.html", "verdicts.json"


def load(study: Study, folder: Path) -> Found:
    """What a study found, from the folder of one scale.

    Raises:
        ValueError: nothing was found there yet, or a file is damaged.
    """
    if not (folder / RECORD).is_file():
        raise ValueError(f"{folder} has no {RECORD}: run the study first, by cadence study run {study.name}")
    curves: dict[str, list[dict[str, float]]] = {}
    cells, points, record = read_results(folder)
    for row in points:
        curves.setdefault(str(row.pop("id")), []).append(row)
    return Found(study, folder.name, cells, curves, record, folder)


def scales_run(results: Path, study: Study) -> list[str]:
    """The scales that have results, the smallest first.

    Raises:
        ValueError: there is none.
    """
    there = [scale for scale in SCALES if (results / study.name / scale / RECORD).is_file()]
    if not there:
        raise ValueError(
            f"{results / study.name} has no results: run the study first, by cadence study run {study.name}"
        )
    return there


def write_report(study: Study, folder: Path) -> Path:
    """Write the page, the tables and the figures of one scale; returns the path of the page."""
    found = load(study, folder)
    exhibits = [make(found, wanted) for wanted in study.exhibits]
    verdicts = [(claim, judge(claim, found.rows, found.scale, found.name)) for claim in study.claims]
    told = {PART, *_parameters(study, found)}
    names = [name for name in found.rows[0] if name in told] if found.rows else []
    different = varied([{name: row.get(name) for name in names} for row in found.rows])
    common = [(name, str(found.rows[0].get(name))) for name in names if name not in (PART, *different)]
    page = study_page(
        found, exhibits, verdicts, facts(found), _lost(found, different), _cells(found, different), common
    )
    _write(folder / PAGE, page)
    written: set[Path] = set()
    for place, exhibit in enumerate(exhibits, start=1):
        written |= _files(folder, exhibit, f"{place:02d}-{_stem(exhibit.title)}")
    for old in {*folder.glob("tables/[0-9][0-9]-*"), *folder.glob("figures/[0-9][0-9]-*")} - written:
        old.unlink()  # of an exhibit that the study has no longer, or has under another number
    _write(folder / VERDICTS, json.dumps([_verdict(*pair) for pair in verdicts], indent=2) + "\n")
    return folder / PAGE


def write_index(results: Path) -> Path:
    """Write the page over all reports below a folder; returns its path."""
    lines: list[dict[str, Any]] = []
    for page in sorted(results.glob(f"*/*/{PAGE}")):
        record, by = read_json(page.parent / RECORD, dict), f"cadence study report {page.parents[1].name}"
        states = [verdict["state"] for verdict in read_json(page.parent / VERDICTS, list, by)]
        counts = [states.count(state) for state in (REPRODUCED, NOT_REPRODUCED, NOT_TESTED)]
        href = page.relative_to(results).as_posix()
        lines.append(
            {
                "href": href,
                "title": record["study"],
                "scale": record["scale"],
                "cells": record["cells"],
                "counts": counts,
            }
        )
    _write(results / "index.html", index_page(lines))
    return results / "index.html"


def facts(found: Found) -> list[tuple[str, str]]:
    """What was run, in names and values."""
    record, rows = found.record, found.rows
    torch, lightning = ", ".join(record["torch"]), ", ".join(record["lightning"])
    seeds = {row.get("seed_everything") for row in rows}
    with_what = [
        ("versions", f"Python {', '.join(record['python'])}, torch {torch}, Lightning {lightning}"),
        ("commit", ", ".join(record["commits"])),
        ("dates", ", ".join(record["dates"])),
    ]
    if not found.study.runs:
        return [("scale", found.scale), ("cells", "none: all of it is computed"), *with_what]
    return [
        ("scale", found.scale),
        ("cells", f"{len(finished(rows))} of {len(rows)} finished, {len(seeds)} seed{'s' * (len(seeds) != 1)}"),
        ("hardware", ", ".join(record["devices"])),
        *with_what,
        ("computed for", f"{record['hours']:.2f} hours, of all cells together"),
    ]


def _parameters(study: Study, found: Found) -> set[str]:
    return {name for cell in study.cells(found.scale) for name in cell.parameters}


def _lost(found: Found, different: Sequence[str]) -> Table:
    rows = [row for row in found.rows if row["status"] != "finished"]
    body = [
        [*(_named(found, row.get(name)) for name in different), entry(row["status"]), entry(row.get("error"))]
        for row in rows
    ]
    return Table([*map(found.name, different), "state", "error"], body)


def _cells(found: Found, different: Sequence[str]) -> Table:
    metrics = [
        name
        for name in ("val/accuracy", "test/accuracy", "steps", "seconds/training")
        if any(name in row for row in found.rows)
    ]
    headings = ["id", *map(found.name, different), "state", *metrics]
    body = [
        [
            entry(row["id"]),
            *(_named(found, row.get(name)) for name in different),
            entry(row["status"]),
            *(entry(row.get(name)) for name in metrics),
        ]
        for row in found.rows
    ]
    return Table(headings, body)


def _named(found: Found, value: Any) -> Entry:
    return entry(value) if value is None or isinstance(value, int | float) else Entry(found.name(value))


def _files(folder: Path, exhibit: Exhibit, stem: str) -> set[Path]:
    """Write an exhibit's tables in CSV, Markdown and LaTeX, and its figure as PDF; returns the paths of all."""
    written = set()
    for place, table in enumerate(exhibit.tables):
        name = stem if len(exhibit.tables) == 1 else f"{stem}-{place + 1}"
        for ending, text in ((".csv", comma_separated(table)), (".md", markdown(table)), (".tex", latex(table))):
            path = folder / "tables" / (name + ending)
            _write(path, text)
            written.add(path)
    if exhibit.picture is not None:
        picture = folder / "figures" / f"{stem}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(exhibit.picture)
        written.add(picture)
    if exhibit.figure is not None:
        path = folder / "figures" / f"{stem}.pdf"
        path.parent.mkdir(parents=True, exist_ok=True)
        to_column(exhibit.figure)
        with written_whole(path) as file:
            exhibit.figure.savefig(file, format="pdf", metadata={"CreationDate": None})
        written.add(path)
    return written


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        file.write(text.encode())


def _stem(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:50]


def _verdict(claim: Claim, verdict: Verdict) -> dict[str, Any]:
    return {"says": claim.says, "source": claim.source, "state": verdict.state, "numbers": verdict.numbers}


def report(names: Sequence[Path], results: Path, scale: str | None) -> list[Path]:
    """Write the reports of studies, and the index over all; returns their paths.

    Args:
        names: folders of the studies.
        results: folder of all studies' results.
        scale: name of the scale, None for each that has results.
    """
    pages = []
    for study in map(read_study, names):
        for wanted in [scale] if scale else scales_run(results, study):
            pages.append(write_report(study, results / study.name / wanted))
    return [*pages, write_index(results)]
