"""Every shipped study: its files, and a run at its smallest scale with a report at the end."""

import csv
from pathlib import Path

import pytest

from datamodules import fetched
from studies import SCALES
from studies.against_grid import RATE
from studies.claims import CHECKS, NOT_TESTED, judge
from studies.exhibits import make
from studies.exhibits.exhibit import Found
from studies.files import read_table
from studies.reading import read_study
from studies.study import shipped
from tests.configs.conftest import stand_in

every_study = pytest.mark.parametrize("name", shipped())


@every_study
def test_a_shipped_study_says_what_it_asks_and_costs(name: str) -> None:
    study = read_study(shipped()[name])
    assert study.title and study.asks and study.claims and study.exhibits
    assert tuple(study.scales) == SCALES and all(scale.cost for scale in study.scales.values())
    assert all(claim.source for claim in study.claims)
    counts = {scale: len(study.cells(scale)) for scale in SCALES}
    if study.runs:
        assert 1 <= counts["smoke"] <= 12 and counts["laptop"] and counts["full"]
    else:
        assert set(counts.values()) == {0}


@every_study
def test_every_published_number_stands_beside_a_cell(name: str) -> None:
    study = read_study(shipped()[name])
    for wanted in study.exhibits:
        if wanted["kind"] != "table" or not wanted.get("published"):
            continue
        metrics = dict.fromkeys(wanted["metrics"], 0.5)
        rows = [
            {**cell.parameters, **metrics, "id": "x", "status": "finished"} for cell in study.cells("full", seeds=1)
        ]
        shown = make(Found(study, "full", rows, {}, {}, Path()), wanted).tables[0]
        place = shown.headings.index("published")
        beside = [row for row in shown.rows if row[place].value is not None]
        with (study.folder / wanted["published"]["file"]).open(newline="") as file:
            assert len(beside) == len(list(csv.DictReader(file)))


@every_study
def test_a_shipped_study_runs_at_its_smallest_scale(
    name: str, cadence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cadence("study", "run", name, "--scale", "smoke") == 0
    folder = Path("results/studies") / name / "smoke"
    status = {row["status"] for row in read_table(folder / "cells.csv")}
    assert status == ({"finished"} if read_study(shipped()[name]).runs else set())
    monkeypatch.setattr(fetched, "fetch", lambda name, **_: None)
    monkeypatch.setattr(fetched, "load_arrays", stand_in)
    assert cadence("study", "report", name) == 0
    page = (folder / "report.html").read_text()
    assert len(page) < 3_000_000 and page.count('<article class="claim">') == len(read_study(shipped()[name]).claims)


@every_study
def test_every_claim_can_be_judged_where_all_cells_have_ended(name: str) -> None:
    """At its smallest scale there is a cell of each setting for each seed; at larger ones it may be left open."""
    study = read_study(shipped()[name])
    for claim in study.claims:
        named = claim.options.get("metrics", [claim.options.get("metric", "")])
        metrics = dict.fromkeys([*named, RATE], 0.5)
        for scale in SCALES[SCALES.index(claim.scale) :] if claim.check in CHECKS else ():
            rows = [
                {"part": cell.part, "status": "finished", **cell.parameters, **metrics} for cell in study.cells(scale)
            ]
            verdict = judge(claim, rows, scale)
            if scale == claim.scale:
                assert verdict.state != NOT_TESTED, f"{claim.says}: {verdict.numbers}"
                assert not any("not run" in line or "no result" in line for line in verdict.numbers), claim.says
