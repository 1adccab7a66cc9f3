"""Which images lie in a folder, by part and class, and one of them as an array: torchvision's layout and transforms."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np

from datamodules.sources._errors import SourceError, plain
from datamodules.sources._spec import Bytes

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")  # torchvision's
PARTS = ("train", "val", "test")
Fit = Literal["crop", "resize", "pad"]
_SHOWN = 3  # files that a message names


class ImagesRefused(SourceError):
    """A folder of images cannot be used as it is: a file is no image, a class is empty."""


@dataclass(frozen=True)
class ImageTree:
    """A folder of images: its parts, of which there is always `train`, and the names of the classes.

    Attributes:
        root: the folder.
        parts: folder of each part that there is; the folder itself as `train`, where it holds the classes.
        classes: names of the classes, sorted, in the order of their labels.
    """

    root: Path
    parts: dict[str, Path]
    classes: tuple[str, ...]

    def files(self, part: str) -> tuple[list[Path], np.ndarray]:
        """Images of a part in the order of classes and names, and their labels, int64 (n,).

        Raises:
            ImagesRefused: a class has none, and the part is `train`.
        """
        files: list[Path] = []
        labels: list[int] = []
        for label, name in enumerate(self.classes):
            folder = self.parts[part] / name
            found = sorted(
                Path(base, file)
                for base, _, names in os.walk(folder, onerror=_unreachable, followlinks=True)
                for file in names
                if file.lower().endswith(SUFFIXES)
            )
            if not found and part == "train":
                kinds = ", ".join(SUFFIXES)
                raise ImagesRefused(
                    f"data.root: {plain(str(folder))} has no image ({kinds}): add some, or remove the folder"
                )
            files += found
            labels += [label] * len(found)
        return files, np.array(labels, dtype=np.int64)


def tree_of(root: Path) -> ImageTree:
    """Look at a folder `root/train/CLASS`, with or without `root/val` and `root/test`; or `root/CLASS`.

    Raises:
        ValueError: there is no such folder, it holds fewer than two classes, or its parts have others.
    """
    if not root.is_dir():
        what = "is a file" if root.exists() else f"is not there (looked for from {Path.cwd()})"
        raise ValueError(f"root: {root} {what}: give a folder that holds train/CLASS/x.png, or CLASS/x.png")
    names = _folders(root)
    if "train" not in names:
        return ImageTree(root, {"train": root}, _classes(root, root))
    if strangers := [name for name in names if name not in PARTS]:
        raise ValueError(
            f"root: {root} holds train and {plain(strangers[0])}, a part and a class: keep {', '.join(PARTS)} alone "
            "in it, or move the classes into train"
        )
    parts = {name: root / name for name in PARTS if name in names}
    classes = _classes(root, parts["train"])
    for name, folder in parts.items():
        lacking, more = set(classes) - set(_folders(folder)), set(_folders(folder)) - set(classes)
        if lacking or more:
            first = plain(min(lacking or more))
            which = f"{name} lacks class {first!r}" if lacking else f"class {first!r} is in {name} alone"
            raise ValueError(f"root: {root}: {which}: train and {name} must have the same folders of classes")
    return ImageTree(root, parts, classes)


def fingerprint(root: Path, files: Sequence[Path], options: Any) -> str:
    """A hash of the files' names below `root`, sizes and times of change, and of what else their arrays depend on.

    Raises:
        ImagesRefused: a file cannot be reached.
    """
    entries = []
    for file in files:
        try:
            status = file.stat()
        except OSError as error:
            raise refused([(file, error.strerror or str(error))]) from error
        entries.append((str(file.relative_to(root)), status.st_size, status.st_mtime_ns))
    return hashlib.sha256(json.dumps([entries, options]).encode()).hexdigest()


def refused(damaged: Sequence[tuple[Path, str]]) -> ImagesRefused:
    """The error that names damaged files and what is wrong with each."""
    told = "; ".join(f"{plain(str(file), 150)} ({plain(why, 80)})" for file, why in damaged[:_SHOWN])
    more = f"; and {len(damaged) - _SHOWN:,} more" if len(damaged) > _SHOWN else ""
    what = "1 image" if len(damaged) == 1 else f"{len(damaged):,} images"
    return ImagesRefused(f"data.root: {what} cannot be read: {told}{more}\ndelete, replace or convert what is named")


def read(file: Path, side: int, channels: int, fit: Fit) -> Bytes | str:
    """One image as uint8 (side, side, channels), by torchvision's transforms of PIL's images; or why it is none.

    Args:
        file: the image; its orientation tag is not looked at, as torchvision does not either.
        side: height and width of the result.
        channels: 1 for grey, or 3.
        fit: `crop` (the shorter side to `side`, then the centre), `resize` (both sides to `side`), or `pad` (the longer
            side to `side`, zeros around).
    """
    from PIL import Image
    from torchvision.transforms import functional as F

    try:
        with warnings.catch_warnings(), file.open("rb") as stream:
            warnings.simplefilter("ignore")  # of metadata, transparency and size: nothing that pixels would show
            image: Image.Image = Image.open(stream)
            if image.mode.startswith(("I", "F")):
                return f"{image.mode} has more than 8 bits a channel"
            image = image.convert("L" if channels == 1 else "RGB")
            width, height = image.size
            if fit == "resize":
                image = F.resize(image, [side, side])
            elif fit == "crop":
                image = F.center_crop(F.resize(image, [side]), [side, side])
            else:
                scale = side / max(width, height)
                inner = [max(1, round(height * scale)), max(1, round(width * scale))]
                image = F.center_crop(F.resize(image, inner), [side, side])
    except Exception as error:
        return "it is empty" if _is_empty(file) else _reason(error)
    pixels = np.asarray(image)
    return pixels[:, :, np.newaxis] if channels == 1 else pixels


def _unreachable(error: OSError) -> NoReturn:
    """Refuse a folder that cannot be listed, whose images would be missing in silence."""
    raise refused([(Path(error.filename), error.strerror or str(error))]) from error


def _reason(error: Exception) -> str:
    if type(error).__name__ == "UnidentifiedImageError":
        return "no image in any known format"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.partition("\n")[0] or type(error).__name__


def _is_empty(file: Path) -> bool:
    try:
        return file.stat().st_size == 0
    except OSError:
        return False


def _folders(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))


def _classes(root: Path, folder: Path) -> tuple[str, ...]:
    names = tuple(_folders(folder))
    if len(names) < 2:
        found = f"one folder alone, {plain(names[0])}" if names else "no folder"
        raise ValueError(f"root: {folder} holds {found}: there must be a folder of images for each class, two or more")
    return names
