"""The benchmark of finders, on softmax regression of a few digits: its rows, and that none is measured twice."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.finders import measure
from benchmarks.finders_norms import norms
from benchmarks.finders_problems import PROBLEMS, Problem, narrow_googlenet
from benchmarks.finders_rows import Rows
from benchmarks.finders_start import Start, begun
from datamodules import Digits
from docs import finders
from lightning_modules import MLP, ResNet


def softmax(channels: int, side: int, classes: int) -> MLP:
    return MLP(channels, side, classes, hidden_sizes=[])


TINY = Problem("tiny", softmax, Digits, torch.optim.SGD, steps=4, images=300, lowest=1e-3)


def measured(path: Path, group: str) -> list[dict[str, str]]:
    rows = Rows(path)
    begun(TINY, 1, lambda start: measure(group)(start, 1, rows))
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def signals_kept():
    import signal

    kept = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, kept)


@pytest.mark.usefixtures("signals_kept")
def test_a_stopped_grid_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "found.csv"
    rows = measured(path, "grid")
    assert [float(row["rate"]) for row in rows] == TINY.grid and {row["trained"] for row in rows} == {"4"}
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-2]))
    again = measured(path, "grid")
    fixed = ("rate", "accuracy", "loss", "trained")  # to the bit: same weights, same samples
    assert [[row[name] for name in fixed] for row in again] == [[row[name] for name in fixed] for row in rows]
    assert again[:-2] == rows[:-2]  # with their seconds


@pytest.mark.usefixtures("signals_kept")
def test_a_range_test_gives_its_answers_and_their_costs(tmp_path: Path) -> None:
    rows = {row["finder"]: row for row in measured(tmp_path / "found.csv", "ours")}
    rates = {name: float(row["rate"]) for name, row in rows.items()}
    assert list(rates) == ["median", "suggested", "raced", "raced, held out"] and rates["median"] < rates["suggested"]
    steps = {name: int(row["steps"]) for name, row in rows.items()}
    assert steps["median"] == steps["suggested"] == steps["raced"] - 4 * 48
    assert float(rows["suggested"]["seconds"]) < float(rows["raced"]["seconds"])


def small_resnet(channels: int, side: int, classes: int) -> ResNet:
    return ResNet(channels, side, classes, depth=8)


@pytest.mark.usefixtures("signals_kept")
@pytest.mark.parametrize(("network", "some"), [(small_resnet, True), (softmax, False)])
def test_where_there_is_batch_norm_the_rates_are_judged_anew(network, some: bool, tmp_path: Path) -> None:
    problem = replace(TINY, network=network, images=130, steps=2)
    rows, again = Rows(tmp_path / "found.csv"), tmp_path / "found_batch_norm.csv"
    rows.add(problem, 1, "suggested", rate=0.1, accuracy=0.5)
    rows.add(problem, 1, "median", rate=0.1, accuracy=0.5)
    rows.add(problem, 1, "Prodigy", accuracy=0.5)
    before: list[dict[str, Any]] = []

    def act(start: Start) -> None:
        norms(start, 1, rows)
        before.append(start.at_rate(0.1))

    begun(problem, 1, act)
    assert again.is_file() == some
    if some:
        with again.open(newline="") as file:
            found = list(csv.DictReader(file))
        assert [row["finder"] for row in found] == ["suggested", "median"]
        assert found[0]["loss"] == found[1]["loss"] and float(found[0]["loss"]) != before[0]["loss"]


@pytest.mark.filterwarnings("ignore")  # fastai's, of torch
@pytest.mark.usefixtures("signals_kept")
def test_what_people_use_instead_has_its_rows(tmp_path: Path) -> None:
    pytest.importorskip("fastai", reason="pip install 'cadence[finders]'")
    from benchmarks.finders_peers import FINDERS, RATE_FREE

    rows = {row["finder"]: row for row in measured(tmp_path / "found.csv", "peers")}
    assert list(rows) == [*(name for _, names, _ in FINDERS for name in names), *(name for _, name, _ in RATE_FREE)]
    assert all(row["package"] and row["accuracy"] for row in rows.values() if row["note"] != "no suggestion")
    assert not any(rows[name]["rate"] for _, name, _ in RATE_FREE)


def test_the_narrow_network_has_a_quarter_of_the_channels() -> None:
    model = narrow_googlenet(1, 32, 10)
    assert model(torch.zeros(2, 1, 32, 32)).shape == (2, 10)
    widths = [module.out_channels for module in model.modules() if isinstance(module, torch.nn.Conv2d)]
    assert widths[:3] == [24, 8, 8] and min(widths) == 8


def test_every_problem_has_eleven_rates_half_a_decade_apart() -> None:
    assert {problem.name for problem in PROBLEMS} == {one.name for one in finders.problems()}
    for problem in PROBLEMS:
        assert len(problem.grid) == 11 and problem.grid[2] == pytest.approx(10 * problem.grid[0])
