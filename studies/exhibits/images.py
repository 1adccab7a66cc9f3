"""A few images of a dataset with their classes, and how many there are of each class in each split."""

from collections.abc import Sequence

import numpy as np

from figures.dataset import draw
from studies.exhibits.exhibit import Exhibit, Found
from studies.tabular import Table, entry


def exhibit(
    found: Found,
    title: str,
    dataset: str,
    each: int = 1,
    classes: Sequence[str] | None = None,
    random: int | None = None,
    seed: int = 0,
) -> Exhibit:
    """Images drawn by a seed from the training set.

    Args:
        found: what the study found.
        title: title of the figure.
        dataset: name of the dataset.
        each: number of images of each class.
        classes: names of the classes to show, all by default.
        random: number of images to draw whatever their class, in place of `each` of some classes.
        seed: seed of the draw.

    Raises:
        ValueError: there is no such dataset or class, or it cannot be fetched.
    """
    import datamodules

    if dataset not in (known := [name for name in datamodules.DATASETS if name not in datamodules.OWN]):
        raise ValueError(f"exhibits: images: dataset: {dataset} is none of {', '.join(known)}")
    data: datamodules.ImageDataModule = getattr(datamodules, dataset)()
    try:
        data.prepare_data()
        images, labels, test_images, test_labels = data.load()
    except (RuntimeError, OSError) as error:
        raise ValueError(str(error)) from error
    shown = list(classes or data.classes)
    unknown = [name for name in shown if name not in data.classes]
    if unknown:
        raise ValueError(f"exhibits: images: classes: {unknown[0]} is none of {', '.join(data.classes)}")
    chance = np.random.default_rng(seed)
    if random is not None:
        places = chance.permutation(len(labels))[:random]
        shown = [data.classes[label] for label in np.asarray(labels)[places]]
        drawn = [np.asarray(images[place : place + 1]) for place in places]
    else:
        drawn = []
        for name in shown:
            places = np.flatnonzero(np.asarray(labels) == data.classes.index(name))
            drawn.append(np.asarray(images[np.sort(chance.permutation(places)[:each])]))
    counts = [np.bincount(np.asarray(split), minlength=data.num_classes) for split in (labels, test_labels)]
    body = [[entry(name), *(entry(int(count[place])) for count in counts)] for place, name in enumerate(data.classes)]
    body.append([entry("all"), *(entry(int(count.sum())) for count in counts)])
    height, width, channels = images.shape[1:]
    caption = (
        f"{dataset}: {len(images) + len(test_images):,} images of {height} x {width} pixels, {channels} "
        f"channel{'s' * (channels > 1)}, {data.num_classes} classes."
    )
    return Exhibit(
        title, caption, [Table(["class", "training images", "test images"], body)], draw(drawn, shown, dataset)
    )
