"""`cadence plot-runs`: the figure and the table of what runs left behind."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands.plot_runs import AGAINST, columns

RUN = [
    "fit", "--model", "SmallCNN", "--data", "Digits", "--optimizer", "SGD", "--optimizer.lr", "0.05",
    "--trainer.max_epochs", "2", "--trainer.log_every_n_steps", "4", "--trainer.callbacks+=MultiStepLR",
    "--trainer.callbacks.milestones", "[1]",
]  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cli import main

    run = tmp_path_factory.mktemp("finished") / "dropped"
    assert main([*RUN, "--run_dir", str(run)]) == 0
    return run


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the figure is given."""
    import figures.learning_curves

    caught: list[Any] = []
    draw = figures.learning_curves.draw
    monkeypatch.setattr(figures.learning_curves, "draw", lambda *given: caught.extend(given) or draw(*given))
    return caught


def test_a_finished_run_and_one_that_goes_on(cadence, finished: Path, tmp_path: Path, drawn, capsys) -> None:
    going_on = tmp_path / "going-on"
    going_on.mkdir()
    first, *rows = (finished / "metrics.csv").read_text().splitlines()
    (going_on / "metrics.csv").write_text("\n".join([first, *rows[:2], rows[2][:9]]))  # the last row is cut off
    assert cadence("plot-runs", finished, going_on, "--against", "step") == 0
    assert (tmp_path / "learning_curves.png").read_bytes().startswith(b"\x89PNG")
    runs, against = drawn
    assert against == "step" and list(runs) == ["dropped", "going-on"]
    assert runs["going-on"]["step"].tolist() == [4, 8] and runs["dropped"]["step"][-1] == 32
    rates = runs["dropped"]["lr"]
    assert rates[~np.isnan(rates)].tolist() == pytest.approx([0.05] * 4 + [0.005] * 4)
    shown = capsys.readouterr().out
    table = {cells[0]: cells[1:] for cells in map(cells_of, shown.splitlines()) if len(cells) > 1}
    result = json.loads((finished / "result.json").read_text())["metrics"]
    best = max(runs["dropped"]["val/accuracy"][~np.isnan(runs["dropped"]["val/accuracy"])])
    assert table["dropped"][:3] == ["2", "32", f"{best:.2%}"]
    assert table["dropped"][4:6] == [f"{result['val/accuracy']:.2%}", f"{result['test/accuracy']:.2%}"]
    assert table["going-on"][:6] == ["0.513", "8", "-", "-", "-", "-"]
    assert "drawn in learning_curves.png" in shown


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("│")[1:-1]]


def test_runs_of_one_name_go_by_their_paths(cadence, finished: Path, tmp_path: Path, drawn) -> None:
    for folder in ("a", "b"):
        shutil.copytree(finished, tmp_path / folder / "dropped")
    assert cadence("plot-runs", "a/dropped", "b/dropped", "--out", "both.svg") == 0
    assert list(drawn[0]) == ["a/dropped", "b/dropped"] and Path("both.svg").is_file()


def test_the_help_names_what_the_figure_draws_against() -> None:
    import figures.learning_curves

    assert list(AGAINST) == list(figures.learning_curves.AGAINST)


def test_a_gap_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,epoch,samples,seconds,val/loss\n1,0.5,10,0.1,\n2,1.0,20,0.2,nan\n")
    read = columns(tmp_path / "metrics.csv")
    assert np.isnan(read["val/loss"]).all() and read["step"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["none"], ["run directory none does not exist", "give the path"]),
        (["empty"], ["empty/metrics.csv is not there", "no row yet"]),
        (["headed"], ["headed/metrics.csv has no row yet"]),
        (["words"], ["words/metrics.csv is damaged"]),
        (["bytes"], ["bytes/metrics.csv is damaged"]),
        (["foreign"], ["foreign/metrics.csv has no column samples"]),
        (["result"], ["result/result.json is damaged"]),
        (["empty", "--against", "hours"], ["--against", "epoch, step, samples, seconds", "'hours'"]),
        (["empty", "--against"], ["--against", "epoch"]),
        (["empty", "--out", "curves.gif"], ["--out curves.gif", ".png, .pdf, .svg: name it curves.png"]),
        (["empty", "--agianst", "step"], ["--agianst", "nearest: --against"]),
        (["--out", "curves.png"], ["name a run directory"]),
    ],
)
def test_mistakes(cadence, tmp_path: Path, arguments: list[str], expected: list[str], capsys) -> None:
    head = "step,epoch,samples,seconds\n"
    for name, text in (("headed", head), ("words", head + "1,one,2,3\n"), ("result", head + "1,0.5,10,0.1\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.csv").write_text(text)
    for name, content in (("bytes", b"step\n\xff\xfe\n"), ("foreign", b"step,epoch\n1,1\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.csv").write_bytes(content)
    (tmp_path / "result" / "result.json").write_text("[]")
    (tmp_path / "empty").mkdir()
    assert cadence("plot-runs", *arguments) == 2
    told = capsys.readouterr().err
    assert 1 <= len(told.strip().splitlines()) <= 3, told
    assert [part for part in expected if part not in told] == [], told
