"""How far cells have come, and the time that is left of a study."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from studies.cells import Cell, CellDirectory
from studies.pace import Pace, Reach, reach, spent

ROWS = "step,epoch,samples,seconds,train/loss\n"


def cell(seed: int = 1, part: str = "sweep", rate: float = 0.1, **trainer: Any) -> Cell:
    parameters = {"seed_everything": seed, "optimizer.lr": rate}
    configuration = {"trainer": trainer or {"max_epochs": 10}, "part": part, **parameters}
    return Cell(part, parameters, ["fit"], yaml.safe_dump(configuration))


def gone(root: Path, one: Cell, rows: str) -> None:
    """Let a cell have these rows in its metrics.csv."""
    (root / one.id).mkdir()
    (root / one.id / "metrics.csv").write_text(ROWS + rows)


@pytest.mark.parametrize(
    ("trainer", "rows", "expected"),
    [
        ({"max_epochs": 10}, "50,1.5,6400,3.0,2.3\n100,2.5,12800,6.0,2.2\n", Reach(0.25, 6.0)),
        ({"max_epochs": 10, "max_steps": 200}, "100,2.5,12800,6.0,2.2\n", Reach(0.5, 6.0)),  # the end that comes first
        ({"max_epochs": 10, "max_steps": -1}, "100,2.5,12800,6.0,2.2\n", Reach(0.25, 6.0)),
        ({"max_epochs": None, "max_steps": 200}, "100,2.5,12800,6.0,2.2\n", Reach(0.5, 6.0)),
        ({"max_epochs": 2}, "100,2.5,12800,6.0,2.2\n", Reach(1.0, 6.0)),
        ({"max_epochs": 10}, "50,1.5,6400,3.0,2.3\n100,2.5,128", Reach(0.15, 3.0)),  # torn
        ({"max_epochs": 10}, "", None),
        ({"max_epochs": 10}, "50,,,,\n", None),
        ({"max_epochs": -1}, "50,1.5,6400,3.0,2.3\n", None),  # no end
    ],
)
def test_how_far_a_cell_is(tmp_path: Path, trainer: dict[str, Any], rows: str, expected: Reach | None) -> None:
    one = cell(**trainer)
    gone(tmp_path, one, rows)
    assert reach(CellDirectory(tmp_path, one.id), one) == expected


def test_a_long_file_is_read_from_its_end(tmp_path: Path) -> None:
    one = cell(max_epochs=10_000)
    gone(tmp_path, one, "".join(f"{step},{step / 4},{step},{step / 2},1.0\n" for step in range(1, 20_001)))
    assert reach(CellDirectory(tmp_path, one.id), one) == Reach(0.5, 10_000.0)


def test_nothing_of_a_cell_that_has_not_begun(tmp_path: Path) -> None:
    one = cell()
    assert reach(CellDirectory(tmp_path, one.id), one) is None and spent(CellDirectory(tmp_path, one.id)) is None
    assert Pace([one], [], tmp_path, 1).seconds_left() is None
    assert Pace([], [], tmp_path, 1).seconds_left() == 0


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"seconds": {"training": 3.0, "evaluation": 1.0}}, 4.0),
        ({"seconds": {"training": 3.0}, "diverged": {"step": 2}}, None),  # it ended early
        ({"seconds": {}}, None),
    ],
)
def test_seconds_of_what_came_to_its_end(tmp_path: Path, answer: dict[str, Any], expected: float | None) -> None:
    (tmp_path / "one").mkdir()
    content = {"metrics": {"test/loss": 1.0}, "steps": 1, "parameters": 1, **answer}
    (tmp_path / "one" / "result.json").write_text(json.dumps(content))
    assert spent(CellDirectory(tmp_path, "one")) == expected


def test_time_follows_from_what_is_most_alike(tmp_path: Path) -> None:
    slow, fast = cell(1, rate=0.1), cell(1, rate=0.2)
    measured = [(slow, 100.0), (fast, 20.0), (cell(1, "timing", max_epochs=1), 3.0)]

    def left(one: Cell) -> float | None:
        return Pace([one], measured, tmp_path, 1).seconds_left()

    assert left(cell(2, rate=0.1)) == pytest.approx(100)  # another seed of the same
    assert left(cell(2, rate=0.1, max_epochs=20)) == pytest.approx(200)  # and twice as long
    assert left(cell(1, rate=0.3)) == pytest.approx(60)  # of the same part
    assert left(cell(1, "timing", 0.3, max_epochs=1)) == pytest.approx(3)
    assert left(cell(1, "other", max_epochs=10)) == pytest.approx(10 * (10 + 2 + 3) / 3)  # by an epoch, of all
    assert left(cell(1, "other", max_steps=50)) == pytest.approx(41)  # by the mean cell, of all


def test_time_is_that_of_the_last_worker(tmp_path: Path) -> None:
    """Three cells of 100 s on two workers take 200 s, not 150."""
    waiting = [cell(seed) for seed in (2, 3, 4)]
    for workers, seconds in ((1, 300), (2, 200), (3, 100), (8, 100)):
        assert Pace(waiting, [(cell(1), 100.0)], tmp_path, workers).seconds_left() == pytest.approx(seconds)


def test_time_goes_by_what_runs_before_anything_has_ended(tmp_path: Path) -> None:
    """Half of the first took 40 s: as long again, and 80 s for the second; what has come far needs less."""
    first, second = cell(1), cell(2)
    pace = Pace([first, second], [], tmp_path, 1)
    gone(tmp_path, first, "100,5.0,12800,40.0,2.2\n")
    assert pace.seconds_left() == pytest.approx(40 + 80)
    pace.over(first)  # it failed: nothing is known of how long it takes
    assert pace.seconds_left() is None
    gone(tmp_path, second, "1,0.01,128,40.0,2.2\n")
    assert pace.seconds_left() is None  # a first step tells little
