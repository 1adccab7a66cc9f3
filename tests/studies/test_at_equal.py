"""What groups have reached once all have spent as much."""

from pathlib import Path

from studies.exhibits.at_equal import EARLY, best, exhibit
from studies.exhibits.exhibit import Found
from studies.reading import read_study
from studies.study import find


def found(curves: dict[str, list[tuple[float, float, float]]]) -> Found:
    """A study of cells `group/seed`, each validated at (epoch, step), in twice as many seconds."""
    rows = [
        {"id": name, "status": "finished", "part": name.partition("/")[0], "seed_everything": place}
        for place, name in enumerate(curves)
    ]
    shown = {
        name: [
            {"epoch": epoch, "step": step, "seconds": 2 * step, "val/accuracy": value} for epoch, step, value in curve
        ]
        for name, curve in curves.items()
    }
    return Found(read_study(find("policies")), "laptop", rows, shown, {}, Path())


def body(curves: dict[str, list[tuple[float, float, float]]]) -> tuple[list[list[str]], str]:
    made = exhibit(found(curves), "At equal cost", "val/accuracy", ["part"], percent=True)
    (table,) = made.tables
    return [[entry.text for entry in row] for row in table.rows], made.caption


def test_the_best_up_to_where_the_shortest_run_has_come() -> None:
    curve = [{"step": 1.0, "x": 0.2}, {"step": 2.0, "x": 0.5}, {"step": 3.0, "x": 0.9}, {"step": 2.5}]
    assert best(curve, "x", "step", 2) == 0.5 and best(curve, "x", "step", 0) is None
    rows, caption = body({"drop/1": [(1, 10, 0.5), (2, 20, 0.7)], "fixed/1": [(1, 5, 0.4), (2, 10, 0.6), (3, 15, 0.9)]})
    assert rows == [
        ["rate .01, a tenth from epoch 6 on", "70.00", "50.00", "50.00", "1"],
        ["fixed rate .01", "60.00", "90.00", "90.00", "1"],
    ]
    assert EARLY not in caption


def test_a_run_without_a_validation_so_early_is_told() -> None:
    short, long = [(1, 4, 0.4), (2, 8, 0.6)], [(1, 10, 0.5), (2, 20, 0.7)]
    rows, caption = body({"drop/1": long, "drop/2": short, "fixed/1": long})
    assert rows[0][2:] == ["60.00 (n = 1)", "60.00 (n = 1)", "2"] and rows[1][2:] == ["-", "-", "1"]
    assert EARLY in caption
