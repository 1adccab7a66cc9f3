import numpy as np
import pytest

from figures.samples import before_and_after


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("images", "copies"), [(1, 1), (2, 6)])
def test_every_picture_is_shown_in_its_place(images: int, copies: int, channels: int) -> None:
    random = np.random.default_rng(0)
    before = random.integers(0, 256, (images, 8, 8, channels), np.uint8)
    after = random.random((images, copies, 12, 12, channels))
    figure = before_and_after(before, after, ["cat", "dog"][:images])
    assert len(figure.axes) == images * (copies + 1)
    for row in range(images):
        panels = figure.axes[row * (copies + 1) : (row + 1) * (copies + 1)]
        assert panels[0].get_ylabel() == ["cat", "dog"][row]
        shown = [np.asarray(panel.images[0].get_array()).reshape(-1) for panel in panels]
        assert np.allclose(shown[0], before[row].reshape(-1) / 255)
        for copy in range(copies):
            assert np.allclose(shown[1 + copy], after[row, copy].reshape(-1))
        assert all(panel.images[0].get_clim() == (0, 1) for panel in panels), "grey levels must not be stretched"
    titles = [panel.get_title() for panel in figure.axes[: copies + 1]]
    assert titles == ["before", *(f"copy {copy}" for copy in range(copies))]
