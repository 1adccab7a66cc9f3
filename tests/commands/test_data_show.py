"""`cadence data show`: every image is counted once, in its class and split, and some are drawn."""

from pathlib import Path

import numpy as np
import pytest

from datamodules import Digits
from datamodules.splits import stratified_split


def test_counts_and_draws(cadence, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    import figures.dataset

    drawn: list = []
    draw = figures.dataset.draw
    monkeypatch.setattr(figures.dataset, "draw", lambda *given: drawn.extend(given) or draw(*given))
    assert cadence("data", "show", "digits") == 0
    shown = capsys.readouterr().out
    assert "1,797 images of 8 x 8 x 1, 10 classes" in shown and "drawn in dataset.png" in shown
    table = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if "│" in line]
    images, labels, _, test = Digits().load()
    kept, held = stratified_split(labels, 1 / 6, 0)
    for place, row in enumerate(table[:-1]):
        counts = [int((part == place).sum()) for part in (labels[kept], labels[held], test)]
        assert row == [str(place), *map(str, counts), str(sum(counts))]
    assert table[-1] == ["all", "998", "200", "599", "1,797"]
    assert len(drawn[0]) == 10
    for place, of_class in enumerate(drawn[0]):
        assert np.array_equal(of_class, images[labels == place][:4])
    assert (tmp_path / "dataset.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["name one dataset: Digits, MNIST"]),
        (["Digits", "MNIST"], ["name one dataset"]),
        (["Digit"], ["'Digit'", "Digits, MNIST"]),
        (["Digits", "--out", "digits.txt"], ["--out digits.txt", ".png"]),
    ],
)
def test_mistakes(cadence, tmp_path: Path, arguments: list[str], expected: list[str], capsys) -> None:
    assert cadence("data", "show", *arguments) == 2
    told = capsys.readouterr().err
    assert len(told.strip().splitlines()) == 1 and [part for part in expected if part not in told] == [], told
    assert not list(tmp_path.iterdir())
