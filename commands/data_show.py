"""`cadence data show`: how many images a dataset has of each class in each split, and what they look like."""

from pathlib import Path

import numpy as np

import datamodules
from commands.errors import UserError
from commands.tables.layout import lay
from datamodules.splits import stratified_split
from figures.dataset import draw

IMAGES = 4  # of each class, in the figure


def show(name: str, out: Path) -> None:
    """Print a dataset's size by class and split, and draw the first training images of each class.

    Args:
        name: of its datamodule; the validation split is that of the defaults.
        out: path of the figure.

    Raises:
        UserError: it cannot be fetched or read.
    """
    data: datamodules.ImageDataModule = getattr(datamodules, name)()
    try:
        data.prepare_data()
        train_images, train_labels, test_images, test_labels = data.load()
    except (RuntimeError, OSError) as error:
        raise UserError(str(error)) from error
    labels = np.asarray(train_labels)
    kept, held = stratified_split(labels, data.val_fraction, data.split_seed)
    splits = {"train": labels[kept], "validation": labels[held], "test": np.asarray(test_labels)}
    height, width, channels = train_images.shape[1:]
    total = len(train_images) + len(test_images)
    print(f"{name}: {total:,} images of {height} x {width} x {channels}, {data.num_classes} classes")
    print(f"normalised by the training set's mean {_numbers(data.mean)} and deviation {_numbers(data.std)}")
    counts = np.array([np.bincount(members, minlength=data.num_classes) for members in splits.values()])
    counts = np.vstack([counts, counts.sum(0)])
    rows = [[title, *(f"{n:,}" for n in counts[:, place])] for place, title in enumerate(data.classes)]
    rows.append(["all", *(f"{n:,}" for n in counts.sum(1))])
    lay("table", ["class", *splits, "all"], rows, left=(0,))
    first = [np.asarray(train_images[np.flatnonzero(labels == place)[:IMAGES]]) for place in range(data.num_classes)]
    draw(first, data.classes, f"{name}: the first training images of each class").savefig(out, dpi=150)
    print(f"drawn in {out}")


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.4f}" for value in values)
