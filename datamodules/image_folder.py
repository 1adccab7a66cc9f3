"""Your own images in folders, one for each class: root/train/CLASS/x.png, or root/CLASS/x.png."""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from checks.arguments import require_choice, require_within
from datamodules.own_images import OwnImages
from datamodules.sources import Images, cached, plain, sha256, terminal_progress, tree_of
from datamodules.transforms import MOST_PIXELS
from records.files import expanded


class ImageFolder(OwnImages):
    """Images as torchvision's `ImageFolder` reads them: a folder for each class, in `root/train` or in `root`.

    `root/val` and `root/test` are the validation and the test images where there are such; else they are drawn from
    the training images by `val_fraction` and `test_fraction`. Images are decoded by PIL and brought to `image_size` by
    torchvision's transforms, once: the arrays are kept in the data cache ($CADENCE_DATA), and read anew where a file's
    name, size or time of change is another. `val_fraction` has no meaning where there is a `root/val`.

    Args:
        root: folder of the images.
        image_size: height and width of the images that are kept and trained on.
        in_channels: number of channels of an image: 3, or 1 for grey.
        fit: way of an image to its square: `crop` (the shorter side to `image_size`, and then the centre), `resize`
            (both sides, which distorts), or `pad` (the longer side to `image_size`, and zeros around).
        **kwargs: arguments of `OwnImages`.

    Raises:
        ValueError: the folder is not laid out so, or holds fewer than two classes.
    """

    def __init__(
        self,
        root: str,
        image_size: int = 224,
        in_channels: int = 3,
        fit: Literal["crop", "resize", "pad"] = "crop",
        **kwargs: Any,
    ) -> None:
        require_within(f"[1, {MOST_PIXELS}]", "224 is usual for large ones", image_size=image_size)
        require_choice((1, 3), in_channels=in_channels)
        require_choice(("crop", "resize", "pad"), fit=fit)
        self.tree = tree_of(Path(expanded(root)))
        self.classes = tuple(map(plain, self.tree.classes))
        self.native_size, self.native_channels = image_size, in_channels
        self.own_val, self.own_test = "val" in self.tree.parts, "test" in self.tree.parts
        self.fitted: Literal["crop", "resize", "pad"] = fit
        super().__init__(image_size=image_size, in_channels=in_channels, **kwargs)

    def prepare_data(self) -> None:
        """Read the images into the cache, with a progress bar. Lightning calls this on rank 0 alone."""
        self.load()

    def load(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The arrays, memory-mapped from the cache; the training arrays end with the images of `root/val`."""
        files, labels = self.tree.files("train")
        if self.own_test:
            test_files, test_labels = self.tree.files("test")
        else:
            kept, test = self.drawn_test(labels)
            test_files, test_labels = [files[place] for place in test], labels[test]
            files, labels = [files[place] for place in kept], labels[kept]
        measured = len(files)
        if self.own_val:
            val_files, val_labels = self.tree.files("val")
            self.held = len(val_files)
            files, labels = [*files, *val_files], np.concatenate([labels, val_labels])
        drawn = () if self.own_test else (self.test_fraction, self.split_seed)
        wanted = Images(
            self.tree.root, [*files, *test_files], measured, self.native_size, self.native_channels, self.fitted, drawn
        )
        with terminal_progress("images") as progress:
            found = cached(wanted, progress)
        all_labels = np.concatenate([labels, test_labels])
        self.measured(found.mean, found.std, found.sha256 + sha256(all_labels.view(np.uint8)))
        return found.images[: len(files)], labels, found.images[len(files) :], test_labels
