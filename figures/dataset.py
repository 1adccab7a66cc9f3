"""A dataset at a glance: a few images of each class."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from figures import as_text


def draw(images: Sequence[np.ndarray], classes: Sequence[str], title: str) -> Figure:
    """A column for each class, an image for each row.

    Args:
        images: images of each class, uint8 (rows, height, width, channels), 1 or 3 channels; rows may differ.
        classes: names of the classes.
        title: title of the figure.
    """
    rows = max(len(of_class) for of_class in images)
    figure = Figure(figsize=(1.05 * len(classes), 1.05 * rows + 0.7), layout="constrained")
    grid = figure.subplots(rows, len(classes), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for column, (of_class, name) in enumerate(zip(images, classes, strict=True)):
        grid[0, column].set_title(as_text(name), fontsize=8)
        for axes, image in zip(grid[:, column], of_class, strict=False):
            axes.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
    figure.suptitle(as_text(title), fontsize=10)
    return figure
