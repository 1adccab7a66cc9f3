"""`cadence data`: datasets fetched, verified and shown."""

import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands import Call
from commands.arguments import Parser, nearest, yaml_value
from commands.configuration.signatures import class_options
from commands.errors import UserError
from datamodules import DATASETS, FETCHED
from records.files import write_figure
from trainer.process import importing

if TYPE_CHECKING:
    import numpy as np

NAMES, SHOWN = tuple(FETCHED), tuple(DATASETS)  # what `fetch` and `verify` take, and what `show` does
IMAGES, CLASSES = 4, 20  # images of each class in the figure, and the most classes

DESCRIPTION = f"""  fetch NAME ...     fetch datasets into the cache
  fetch --force ...  fetch them anew, and replace what is there
  verify [NAME ...]  check every array in the cache by its SHA-256
  show NAME          print images by class and split, and draw some of each class

datasets: {", ".join(NAMES)}; to show, Digits too, which needs no download, and your own
images, with options of the dataset: show ImageFolder root=DIR image_size=32
The cache is $CADENCE_DATA, by default ~/.cache/cadence/data.
`cadence data ACTION --help` shows an action's options."""


def run(call: Call) -> int:
    """Run `fetch`, `verify` or `show`; returns the exit status, 2 where a dataset is missing or damaged."""
    action, *rest = call.arguments or ["--help"]
    if action in ("-h", "--help"):
        Parser("data", f"{{{' | '.join(ACTIONS)}}} [NAME ...] [options]", DESCRIPTION).print_help()
        return 0
    if action not in ACTIONS:
        hint = nearest(action, ACTIONS) or f"there are {', '.join(ACTIONS)}"
        raise UserError(f"cadence data: there is no action {action!r}: {hint}")
    return ACTIONS[action](rest)


def _fetch(arguments: Sequence[str]) -> int:
    parser = Parser("data fetch", "NAME ... [--force]", f"Fetch datasets into the cache: {', '.join(NAMES)}.")
    parser.switch("--force", help="fetch anew, and replace what is there")
    given, words = parser.words(arguments)
    names = [_known(word, NAMES) for word in words]
    if not names:
        raise UserError(f"cadence data fetch: name a dataset: {', '.join(NAMES)}")

    from datamodules.sources import fetch, terminal_progress
    from trainer.signals import RunStopped, interruptible

    for name in names:
        try:
            with interruptible(), terminal_progress() as progress:
                directory = fetch(name, force=given.force, progress=progress)
        except RunStopped:  # the programs that it had started are ended by now
            print(f"cadence: interrupted; the cache is as it was before {name}", file=sys.stderr)
            return 130
        except (RuntimeError, OSError) as error:
            raise UserError(str(error)) from error
        print(f"{name}: verified, in {directory}")
    return 0


def _verify(arguments: Sequence[str]) -> int:
    told = "Check every array in the cache by its SHA-256, of all datasets and folders of images, or of those named."
    _, words = Parser("data verify", "[NAME ...]", told).words(arguments)
    names = [_known(word, (*NAMES, "ImageFolder")) for word in words]

    from datamodules.sources import verify, verify_images

    status = 0
    for name in names or [*NAMES, "ImageFolder"]:
        try:
            checks = verify_images() if name == "ImageFolder" else verify(name)
        except (RuntimeError, OSError) as error:
            raise UserError(str(error)) from error
        for file, good, message in checks:
            print(f"{name}: {file}: {'ok' if good else 'BAD'}{': ' + message if message else ''}")
            status = status if good else 2
    return status


def _show(arguments: Sequence[str]) -> int:
    told = (
        f"Print images by class and split, and draw {IMAGES} of each class; NAME is one of\n{', '.join(SHOWN)}.\n"
        "KEY=VALUE are options of the dataset, as --data.KEY VALUE is for fit."
    )
    parser = Parser("data show", "NAME [KEY=VALUE ...] [--out FIGURE]", told)
    parser.figure("dataset.png")
    given, words = parser.words(arguments)
    names, options = [word for word in words if "=" not in word], [word for word in words if "=" in word]
    if len(names) != 1:
        raise UserError(f"cadence data show: name one dataset: {', '.join(SHOWN)}")
    _print_and_draw(_known(names[0], SHOWN), dict(map(_option, options)), given.out)
    return 0


ACTIONS: dict[str, Callable[[Sequence[str]], int]] = {"fetch": _fetch, "verify": _verify, "show": _show}


def _option(word: str) -> tuple[str, Any]:
    """KEY=VALUE as a name and a value."""
    key, _, value = word.partition("=")
    try:
        return key, yaml_value(value)
    except ArgumentTypeError as error:
        raise UserError(f"{word}: {error}") from error


def _check_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuse options that a dataset has not, and the lack of one that it needs."""
    known = class_options("data", name) or []
    for key in options:
        if key not in known:
            raise UserError(f"{key}: {name} has no such option: {nearest(key, known) or 'it has ' + ', '.join(known)}")
    needed = {"ImageFolder": "root", "NumpyImages": "file"}.get(name)
    if needed is not None and needed not in options:
        raise UserError(f"{needed} is missing: cadence data show {name} {needed}=PATH")


def _known(word: str, names: Sequence[str]) -> str:
    """The dataset's name with its own capitals."""
    by_lower = {name.lower(): name for name in names}
    if word.lower() not in by_lower:
        raise UserError(f"cadence data: unknown dataset {word!r}: there are {', '.join(names)}")
    return by_lower[word.lower()]


def _print_and_draw(name: str, options: dict[str, Any], out: Path) -> None:
    """Print a dataset's size by class and split, and draw its first training images of each class."""
    with importing():
        import_module("datamodules.image_datamodule")
    import numpy as np

    import datamodules
    from commands.tables.layout import lay
    from figures.dataset import draw

    _check_options(name, options)
    try:
        data: datamodules.ImageDataModule = getattr(datamodules, name)(**options)
        data.prepare_data()
        train_images, train_labels, test_images, test_labels = data.load()
    except (RuntimeError, OSError, ValueError, TypeError) as error:
        raise UserError(str(error)) from error
    labels = np.asarray(train_labels)
    kept, held = data.split(labels)
    splits = {"train": labels[kept], "validation": labels[held], "test": np.asarray(test_labels)}
    height, width, channels = train_images.shape[1:]
    total = len(train_images) + len(test_images)
    print(f"{name}: {total:,} images of {height} x {width} x {channels}, {data.num_classes} classes")
    print(f"normalised by the training set's mean {_numbers(data.mean)} and deviation {_numbers(data.std)}")
    lay(["class", *splits, "all"], _counts(data.classes, list(splits.values())))
    drawn = data.classes[:CLASSES]
    first = [np.asarray(train_images[np.flatnonzero(labels == place)[:IMAGES]]) for place in range(len(drawn))]
    which = "each class" if len(drawn) == data.num_classes else f"the first {CLASSES} classes"
    write_figure(out, draw(first, drawn, f"{name}: the first training images of {which}"))
    print(f"drawn in {out}")


def _counts(classes: Sequence[str], splits: "Sequence[np.ndarray]") -> list[list[str]]:
    """Rows of the table: a class's images in each split and in all, and their sums."""
    import numpy as np

    counts = np.array([np.bincount(labels, minlength=len(classes)) for labels in splits])
    counts = np.vstack([counts, counts.sum(0)])
    rows = [[title, *(f"{n:,}" for n in counts[:, place])] for place, title in enumerate(classes)]
    return [*rows, ["all", *(f"{n:,}" for n in counts.sum(1))]]


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.4f}" for value in values)
