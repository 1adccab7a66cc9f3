"""The report of a small study made by hand: tables, verdicts, figures, and nothing of a run's own words obeyed."""

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from studies.exhibits import KINDS, make
from studies.exhibits.kept import FOLDER, keep
from studies.files import CELLS, CURVES, RECORD
from studies.reading import read_study
from studies.report.write import load, report, write_index, write_report
from studies.tabular import Entry, Table, comma_separated, latex, markdown

EVIL = "<script>alert(1)</script>"
STUDY: dict[str, Any] = {
    "title": "Two *rates* " + EVIL,
    "asks": f"Which of **two** rates? {EVIL} [x](javascript:alert(1))",
    "scales": {"smoke": {"seeds": 1}, "full": None},
    "names": {"optimizer.lr": "learning rate", "Adam": "the Adam"},
    "claims": [
        {"says": ".01 is best", "source": "a report", "check": "best", "metric": "test/accuracy", "of": "optimizer.lr",
         "value": 0.01, "each": ["optimizer"], "scale": "smoke"},
        {"says": "it reaches 99 %", "source": "a report", "check": "at_least", "metric": "test/accuracy", "value": 0.99,
         "where": {"optimizer.lr": 0.01, "optimizer": "Adam"}, "scale": "full"},
    ],
    "exhibits": [
        {"kind": "table", "title": "Accuracies", "rows": ["optimizer", "optimizer.lr"],
         "metrics": {"test/accuracy": "test accuracy"}, "percent": ["test/accuracy"],
         "published": {"file": "published.csv", "match": {"optimizer": "method", "optimizer.lr": "rate"},
                       "values": {"test/accuracy": "percent"}, "unit": 0.01}},
        {"kind": "against", "title": "Accuracy against rate", "metric": "test/accuracy", "y": "test accuracy, %",
         "of": "optimizer.lr", "by": ["optimizer"], "percent": True,
         "published": {"file": "published.csv", "x": "rate", "value": "percent", "group": "method", "unit": 0.01}},
        {"kind": "curves", "title": "Loss", "metric": "train/epoch_loss", "y": "loss, nats", "by": ["optimizer"],
         "only": {"optimizer.lr": 0.01}},
        {"kind": "by_epoch", "title": "Losses", "metric": "train/epoch_loss", "by": ["optimizer"],
         "only": {"optimizer.lr": 0.01}},
        {"kind": "at_equal", "title": "At equal cost", "metric": "val/accuracy", "by": ["optimizer"], "percent": True},
        {"kind": "images", "title": "Digits", "dataset": "Digits", "classes": ["1", "7"]},
        {"kind": "layers", "title": "Layers", "model": "MLP"},
        {"kind": "run_figure", "title": "A test", "file": "lr_range_test.png", "only": {"optimizer.lr": 0.01}},
        {"kind": "text", "title": "How", "file": "how.md"},
        {"kind": "receptive_fields", "title": "Stacks", "sizes": [3, 5], "most": 2},
        {"kind": "gradient_check", "title": "Gradients", "published": "differences.csv",
         "only": {"optimizer.lr": 0.01, "seed_everything": 2}},
        {"kind": "against_grid", "title": "Found", "metric": "test/accuracy", "y": "%", "of": "optimizer.lr",
         "by": "optimizer", "rates": {"trainer.max_epochs": 3}},
        {"kind": "known_curves", "title": "Curves"},
        {"kind": "images", "title": "Some digits", "dataset": "Digits", "random": 3},
    ],
}  # fmt: skip
SWEEP = {
    "program": "cadence", "method": "grid", "command": ["cadence", "fit", "${args}"],
    "parameters": {"optimizer": {"values": ["Adam", EVIL]}, "optimizer.lr": {"values": [0.1, 0.01]},
                   "seed_everything": {"values": [1, 2, 3]}, "trainer.max_epochs": {"value": 2}},
}  # fmt: skip
TABLE = {"kind": "table", "title": "x", "rows": ["optimizer", "optimizer.lr"], "metrics": {"test/accuracy": "x"}}
CURVES_OF = {"kind": "curves", "title": "x", "metric": "val/accuracy", "y": "x", "by": ["optimizer"]}
PRINTED = {"file": "published.csv", "match": {"optimizer": "m"}, "values": {"test/accuracy": "v"}}
RECORDED = {"study": "rates", "scale": "smoke", "cells": 12, "devices": ["a CPU"], "python": "3", "torch": ["2"],
            "lightning": ["2"], "commits": ["abc"], "dates": ["2026-01-01"], "hours": 1.0,
            "command": "cadence study run rates --seeds 3 --workers 2 --scale smoke"}  # fmt: skip


def cells() -> list[dict[str, Any]]:
    rows = []
    for optimizer in ("Adam", EVIL):
        for rate in (0.1, 0.01):
            for seed in (1, 2, 3):
                row = {"id": f"{optimizer[:2]}{rate}{seed}", "status": "finished", "optimizer": optimizer}
                row |= {"optimizer.lr": rate, "seed_everything": seed, "trainer.max_epochs": 2}
                rows.append(row | {"test/accuracy": 0.9 + (0.05 if rate == 0.01 else 0) + seed / 1000, "error": ""})
    rows[0] |= {"status": "failed", "test/accuracy": "", "error": EVIL}
    return rows


def table(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, Path]:
    """Folders of the study and of its results."""
    folder, results = tmp_path / "rates", tmp_path / "results" / "rates" / "smoke"
    folder.mkdir()
    results.mkdir(parents=True)
    (folder / "sweep.yaml").write_text(yaml.safe_dump(SWEEP, sort_keys=False))
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    (folder / "published.csv").write_text("method,rate,percent\nAdam,0.1,89.5\nAdam,0.01,96\n")
    (folder / "how.md").write_text(f"### How\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n{EVIL}\n")
    table(results / CELLS, cells())
    curves = [
        {"id": row["id"], "step": 10 * epoch, "epoch": epoch, "seconds": epoch, "train/epoch_loss": 1 / epoch,
         "val/accuracy": epoch / 10}
        for row in cells() for epoch in (1.0, 2.0)
    ]  # fmt: skip
    table(results / CURVES, curves)
    (results / RECORD).write_text(json.dumps(RECORDED))
    runs = tmp_path / "runs"
    (runs / cells()[3]["id"]).mkdir(parents=True)
    (runs / cells()[3]["id"] / "lr_range_test.png").write_bytes(b"a picture")
    keep(STUDY["exhibits"], cells(), runs, results)
    (folder / "differences.csv").write_text("weight,N=1,N=50\n1,2e-3,0\n")
    checked = ("precision,weight,N,difference,kinks", "float64,1,1,-4e-3,1", "float64,1,50,1e-9,0", "float32,1,1,1,0")
    for name, content in (("csv", "\n".join(checked).encode()), ("png", b"a picture")):
        (results / FOLDER / f"{cells()[4]['id']}-gradient_check.{name}").write_bytes(content)
    return folder, results


def test_the_page_has_all_and_obeys_nothing(made: tuple[Path, Path]) -> None:
    folder, results = made
    page = write_report(read_study(folder), results).read_text()
    assert EVIL not in page and page.count("<script>") == 1 and "javascript:" not in re.sub(r"\[x\]\(.*?\)", "", page)
    assert page.count("<svg") == 5 and page.count("<table>") == 13
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert not re.search(r'(?:src|href)="https?:', re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL))
    assert len(page.encode()) < 3_000_000
    assert 'class="verdict reproduced">reproduced</span> .01 is best' in page
    assert 'class="verdict not-tested-at-this-scale">' in page
    assert ">cadence study run rates --scale smoke --seeds 3<" in page
    # the published number, ours and the difference
    assert ">96.00<" in page and ">95.20 ± 0.10<" in page and ">-0.80<" in page
    assert "1 of 3 failed" in page and "the Adam" in page
    assert "base64,YSBwaWN0dXJl" in page and "best in 2 epochs" in page and ">20.00 ± 0.00<" in page
    # the same bytes again
    assert write_report(read_study(folder), results).read_text() == page


def test_tables_figures_and_verdicts_are_files_too(made: tuple[Path, Path]) -> None:
    folder, results = made
    pages = report([folder], results.parents[1], None)
    assert [page.name for page in pages] == ["report.html", "index.html"]
    assert '<a href="rates/smoke/report.html">' in pages[1].read_text()
    names = {path.relative_to(results).as_posix() for path in results.rglob("*.*")}
    assert {"tables/01-accuracies.csv", "tables/01-accuracies.md", "tables/01-accuracies.tex"} < names
    assert "figures/02-accuracy-against-rate.pdf" in names
    states = [verdict["state"] for verdict in json.loads((results / "verdicts.json").read_text())]
    assert states == ["reproduced", "not tested at this scale"]


def test_each_scale_that_ran_has_its_report(made: tuple[Path, Path]) -> None:
    folder, results = made
    shutil.copytree(results, results.parent / "full")
    pages = [page.relative_to(results.parents[1]).as_posix() for page in report([folder], results.parents[1], None)]
    assert pages == ["rates/smoke/report.html", "rates/full/report.html", "index.html"]


def test_what_a_study_no_longer_shows_goes_and_what_others_put_there_stays(made: tuple[Path, Path]) -> None:
    folder, results = made
    write_report(read_study(folder), results)
    (results / "tables" / "mine.csv").write_text("mine\n")
    fewer = {**STUDY, "exhibits": STUDY["exhibits"][1:]}
    (folder / "study.yaml").write_text(yaml.safe_dump(fewer, sort_keys=False))
    write_report(read_study(folder), results)
    names = {path.name for path in (results / "tables").iterdir()} | {
        path.name for path in (results / "figures").iterdir()
    }
    assert not {name for name in names if name.startswith(("01-accuracies", "02-accuracy-against-rate"))}
    assert {"mine.csv", "01-accuracy-against-rate.pdf"} <= names


def test_an_epoch_s_mean_stands_at_the_middle_of_its_epoch(made: tuple[Path, Path]) -> None:
    study = read_study(made[0])
    figure = make(load(study, made[1]), STUDY["exhibits"][2]).figure
    assert figure is not None and list(figure.axes[0].lines[0].get_xdata()) == [0.5, 1.5]


def test_a_gradient_check_stands_beside_the_published_one(made: tuple[Path, Path]) -> None:
    wanted = next(exhibit for exhibit in STUDY["exhibits"] if exhibit["kind"] == "gradient_check")
    shown = make(load(read_study(made[0]), made[1]), wanted)
    assert shown.tables[0].headings[:5] == [
        "weight",
        "N = 1, ours",
        "N = 1, published",
        "N = 50, ours",
        "N = 50, published",
    ]
    assert [entry.text for entry in shown.tables[0].rows[0]][:6] == ["1", "-4.0e-03 *", "2.0e-03", "1.0e-09", "0", "-"]
    assert shown.picture == b"a picture"
    nobody = make(load(read_study(made[0]), made[1]), wanted | {"only": {"optimizer": "SGD"}})
    assert nobody.caption == "No network of this scale was checked."


def test_every_kind_of_exhibit_is_tried_above() -> None:
    assert {wanted["kind"] for wanted in STUDY["exhibits"]} == set(KINDS)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"kind": "pie"}, "kind: pie is none of table"),
        ({"kind": "text", "title": "x", "file": "no.md"}, "no.md is not there"),
        ({"kind": "text", "titel": "x"}, "exhibits: text has no option titel: known are title, file"),
        (TABLE | {"rows": "optimizer"}, "exhibits: table: rows must be a list, got a text"),
        (TABLE | {"metrics": ["test/accuracy"]}, "exhibits: table: metrics must be a mapping, got a list"),
        (
            TABLE | {"rows": ["optimizer.lrr"]},
            "exhibits: table: rows: no cell has optimizer.lrr: nearest: optimizer.lr",
        ),
        (TABLE | {"only": {"optimiser": "Adam"}}, "exhibits: table: only: no cell has optimiser: nearest: optimizer"),
        (TABLE | {"published": {"file": "published.csv"}}, "published, or a column of its file, has no values: add it"),
        (TABLE | {"published": PRINTED}, "published, or a column of its file, has no m: add it"),
        (CURVES_OF | {"against": "time"}, "against must be one of epoch, step, samples, seconds, got time"),
        (CURVES_OF | {"band": "sd"}, "band must be one of range, deviation, got sd"),
    ],
)
def test_an_exhibit_that_cannot_be_made_is_named(made: tuple[Path, Path], wanted: dict[str, Any], message: str) -> None:
    found = load(read_study(made[0]), made[1])
    with pytest.raises(ValueError, match=message):
        make(found, wanted)


def test_a_study_that_has_not_run_is_told(made: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run the study first, by cadence study run rates"):
        report([made[0]], tmp_path, None)


def test_a_table_in_three_languages() -> None:
    one = Table(["a_b", "n"], [[Entry("x|y & 5 %"), Entry("1.50 ± 0.10", 1.5)]])
    assert markdown(one) == "| a_b | n |\n| --- | ---: |\n| x\\|y & 5 % | 1.50 ± 0.10 |\n"
    assert comma_separated(one) == "a_b,n\nx|y & 5 %,1.5\n"
    assert latex(one) == (
        "\\begin{tabular}{lr}\n\\toprule\na\\_b & n \\\\\n\\midrule\nx|y \\& 5 \\% & 1.50 $\\pm$ 0.10 \\\\\n"
        "\\bottomrule\n\\end{tabular}\n"
    )


def test_a_metric_that_no_cell_has_is_told(made: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """At a small scale that may be so, and the table says that there is no result."""
    make(load(read_study(made[0]), made[1]), TABLE | {"metrics": {"test/acuracy": "x"}})
    assert "table: metrics: no cell has test/acuracy: nearest: test/accuracy" in capsys.readouterr().err


def test_the_index_names_a_damaged_file(made: tuple[Path, Path]) -> None:
    folder, results = made
    write_report(read_study(folder), results)
    (results / "verdicts.json").write_text("[")
    with pytest.raises(
        ValueError, match=r"verdicts\.json is damaged .*: restore it, or .* by cadence study report rates"
    ):
        write_index(results.parents[1])
