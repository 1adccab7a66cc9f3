"""The dataset's figure: each class's own images, also where it has few, grey or in colour."""

import numpy as np
import pytest

from figures.dataset import draw


@pytest.mark.parametrize("channels", [1, 3])
def test_a_column_a_class(channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, channels), dtype=np.uint8)
    figure = draw([images[:3], images[3:], images[:0]], ["cat", "dog", "none"], "pets")
    figure.draw_without_rendering()
    grid = np.array(figure.axes).reshape(3, 3)
    assert [axes.get_title() for axes in grid[0]] == ["cat", "dog", "none"]
    shown = [[axes.images[0].get_array().squeeze() if axes.images else None for axes in column] for column in grid.T]
    for place, expected in enumerate([[0, 1, 2], [3, 4], []]):
        pictures = [picture for picture in shown[place] if picture is not None]
        assert len(pictures) == len(expected)
        assert all(np.array_equal(one, images[at].squeeze()) for one, at in zip(pictures, expected, strict=True))
