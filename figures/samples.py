"""Training images before and after augmentation."""

import numpy as np
from matplotlib.figure import Figure

from figures import as_text

_INCHES = 1.4  # a picture's side


def before_and_after(before: np.ndarray, after: np.ndarray, labels: list[str]) -> Figure:
    """A row for each image: the image as stored, then its augmented copies.

    Args:
        before: uint8 (images, height, width, channels), with 1 or 3 channels.
        after: augmented copies, values in [0, 1], (images, copies, height', width', channels).
        labels: name of what each image shows.

    Returns:
        A figure with 1 + copies pictures in each row.
    """
    rows, copies = after.shape[:2]
    figure = Figure(figsize=(_INCHES * (copies + 1) + 0.4, _INCHES * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, copies + 1, squeeze=False)
    for row in range(rows):
        for column, picture in enumerate([before[row] / 255, *after[row]]):
            panel = axes[row, column]
            grey = picture.shape[-1] == 1
            panel.imshow(picture[..., 0] if grey else picture, cmap="gray" if grey else None, vmin=0, vmax=1)
            panel.set_xticks([])
            panel.set_yticks([])
            if row == 0:
                panel.set_title("before" if column == 0 else f"copy {column - 1}", fontsize=9)
        axes[row, 0].set_ylabel(as_text(labels[row]), fontsize=9)
    return figure
