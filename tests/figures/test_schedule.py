"""The schedule's figure: what is drawn is what was given, thinned without losing an extreme."""

from pathlib import Path

import numpy as np
import pytest

from figures.schedule import POINTS, kept, schedule_figure
from timeline.schedules import Cycle


def arguments(steps: int, batch: int = 50, samples: int = 1000) -> dict[str, np.ndarray]:
    count = np.arange(steps)
    sizes = np.full(steps, batch)
    lr = Cycle(0.01, 0.1, 37)(count.astype(float))
    return {"steps": count, "epochs": count * batch / samples, "lr": lr, "batch_size": sizes, "noise_scale": lr * 20}


def test_draws_what_it_is_given() -> None:
    given = arguments(200)
    panels = schedule_figure(**given).axes
    assert [axes.get_ylabel() for axes in panels] == ["learning rate", "batch size", "noise scale lr N / B"]
    for axes, key in zip(panels, ("lr", "batch_size", "noise_scale"), strict=True):
        x, y = axes.lines[0].get_data()
        assert np.array_equal(x, given["epochs"]) and np.array_equal(y, given[key])
    assert panels[2].get_xlabel() == "epoch"


def test_steps_stand_above_at_their_epochs() -> None:
    """Where the batch size doubles half-way, half the steps of an epoch take it as far."""
    steps = np.arange(41)
    epochs = np.concatenate([np.arange(20) / 20, 1 + np.arange(21) / 10])
    figure = schedule_figure(steps, epochs, np.ones(41), np.ones(41), np.ones(41))
    figure.draw_without_rendering()
    above = next(child for child in figure.axes[0].child_axes)
    assert above.get_xlabel() == "step"
    low, high = above.get_xlim()
    assert (low, high) == pytest.approx((0, 40))
    assert 20 in above.get_xticks()
    pixels = above.transData.transform([(20, 0)])[0, 0]
    assert pixels == pytest.approx(figure.axes[0].transData.transform([(1.0, 0)])[0, 0])


def test_thinning_keeps_every_spike() -> None:
    values = np.random.default_rng(0).normal(size=100_003)
    values[12_345], values[98_765] = 50.0, -50.0
    places = kept(values)
    assert len(places) <= POINTS and np.all(np.diff(places) > 0)
    assert {0, 12_345, 98_765, 100_002} <= set(places.tolist())
    peaks = Cycle(0.0, 1.0, 50)(np.arange(100_000.0))
    assert (peaks[kept(peaks)] > 0.99).sum() >= 1000  # each of the thousand cycles keeps its top


def test_short_runs_are_drawn_whole() -> None:
    assert np.array_equal(kept(np.arange(POINTS)), np.arange(POINTS))
    assert len(kept(np.arange(POINTS + 1))) <= POINTS


@pytest.mark.parametrize("steps", [1, 2, 20_000])
def test_saves_runs_of_any_length(steps: int, tmp_path: Path) -> None:
    figure = schedule_figure(**arguments(steps))
    assert max(len(line.get_xdata()) for axes in figure.axes for line in axes.lines) <= POINTS
    figure.savefig(tmp_path / "schedule.png")
    assert (tmp_path / "schedule.png").stat().st_size > 5000


def test_a_constant_is_a_flat_line_off_the_edge() -> None:
    low, high = schedule_figure(**arguments(100)).axes[1].get_ylim()
    assert low < 50 < high and high - low > 10
