"""The learning curves' figure: every run's columns, without points where a row has no value."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from figures.learning_curves import AGAINST, draw

NAN = float("nan")
PLAIN = {
    "step": np.array([5.0, 10.0, 15.0, 20.0]), "epoch": np.array([0.5, 1.0, 1.5, 2.0]),
    "samples": np.array([50.0, 100.0, 150.0, 200.0]), "seconds": np.array([1.0, 2.0, 3.0, 4.0]),
    "train/loss": np.array([2.0, 1.5, 1.0, 0.5]), "train/accuracy": np.array([0.2, 0.4, 0.6, 0.8]),
    "train/epoch_loss": np.array([NAN, 1.75, NAN, 0.75]), "train/epoch_accuracy": np.array([NAN, 0.3, NAN, 0.7]),
    "val/loss": np.array([NAN, 1.4, NAN, 0.9]), "val/accuracy": np.array([NAN, 0.5, NAN, 0.75]),
}  # fmt: skip


def shown(figure: Figure) -> dict[str, list[tuple[list[float], list[float]]]]:
    """Lines of each visible panel, by the panel's label."""
    return {
        axes.get_ylabel(): [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]
        for axes in figure.axes
        if axes.get_visible()
    }


def test_draws_what_a_run_has() -> None:
    panels = shown(draw({"run": PLAIN}))
    assert list(panels) == ["loss", "accuracy, %"]
    assert panels["loss"] == [([0.5, 1, 1.5, 2], [2, 1.5, 1, 0.5]), ([1, 2], [1.75, 0.75]), ([1, 2], [1.4, 0.9])]
    assert panels["accuracy, %"][2] == ([1, 2], pytest.approx([50, 75]))


@pytest.mark.parametrize(("against", "label"), AGAINST.items())
def test_against(against: str, label: str) -> None:
    figure = draw({"run": PLAIN}, against)
    assert shown(figure)["loss"][0][0] == list(PLAIN[against])
    assert {axes.get_xlabel() for axes in figure.axes} == {label}


@pytest.mark.parametrize(
    ("columns", "labels"),
    [
        ({"lr": 1.0}, ["learning rate"]),
        ({"lr/0": 1.0, "lr/1": 2.0}, ["learning rate"]),
        ({"batch_size": 64.0}, ["batch size"]),
        ({"lr": 1.0, "batch_size": 64.0}, ["learning rate", "batch size"]),
    ],
)
def test_schedules_where_a_run_has_some(columns: dict[str, float], labels: list[str]) -> None:
    run = PLAIN | {key: np.full(4, value) for key, value in columns.items()}
    panels = shown(draw({"plain": PLAIN, "scheduled": run}))
    assert list(panels) == ["loss", "accuracy, %", *labels]
    assert [panels[label] for label in labels] == [
        [([0.5, 1, 1.5, 2], [value] * 4)] for key, value in columns.items() if key != "lr/1"
    ]


def test_each_run_has_a_colour_and_a_name() -> None:
    figure = draw({"one": PLAIN, "two": {key: PLAIN[key] for key in PLAIN if not key.startswith("val")}})
    colours = [line.get_color() for line in figure.axes[0].lines]
    assert colours == ["C0"] * 3 + ["C1"] * 2
    styles, names = ([text.get_text() for text in legend.get_texts()] for legend in figure.legends)
    assert names == ["one", "two"] and styles == ["training", "training, mean of an epoch", "validation"]
