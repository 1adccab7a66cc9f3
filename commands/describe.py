"""`cadence describe`: what a network costs and what it sees, layer by layer, without memory and without arithmetic."""

import difflib
import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from commands.errors import UserError

if TYPE_CHECKING:
    from inspection.description import Description
    from inspection.memory import OptimizerOf

USAGE = """usage: cadence describe MODEL [KEY=VALUE ...] [--compare OTHER [KEY=VALUE ...]] [options]

A row a layer, in the order of execution: output shape, receptive field and jump in pixels, activations, weights,
biases, multiply-adds, and the parameters' arithmetic written out; totals; and the bytes of a forward pass and of a
training step, predicted. Nothing is computed and no memory is taken.
MODEL is one of Cadence's (`cadence list models`, and NaiveInception, ReducedInception), one of torchvision's, or the
import path of any torch.nn.Module, package.module.Class. KEY=VALUE are its constructor's options.

options:
  --input-shape C,H,W     of an image; by default what the model is made for
  --format FORMAT         table (default), csv, markdown or json
  --no-bias               without the biases of convolutions and linear layers
  --compare OTHER         a second model on the same images: totals side by side, ratio and saving
  --batch-size N          images in the batch whose memory is predicted; 64
  --precision PRECISION   64-true, 32-true (default), 16-true or bf16-true
  --optimizer NAME        whose state is counted; SGD without momentum by default
  --optimizer.KEY VALUE   its options, e.g. --optimizer.momentum 0.9

examples:
  cadence describe VGG19 num_classes=1000 --no-bias
  cadence describe NaiveInception --compare ReducedInception
  cadence describe resnet18 --input-shape 3,64,64 --format csv"""

FORMATS = ("table", "csv", "markdown", "json")
_DEFAULTS = {
    "--input-shape": "",
    "--format": "table",
    "--batch-size": "64",
    "--precision": "32-true",
    "--optimizer": "SGD",
}

Model = tuple[str, dict[str, Any]]


def run(arguments: list[str]) -> int:
    """Print a description; returns the exit status."""
    if not arguments or any(word in ("-h", "--help") for word in arguments):
        print(USAGE)
        return 0
    models, options, optimizer_options, biases = _parsed(arguments)
    form = options["--format"]
    if form not in FORMATS:
        raise UserError(f"--format must be one of {', '.join(FORMATS)}, got {form}: choose one of them")
    given = options["--input-shape"]
    shape, batch_size = _shape(given) if given else None, _whole("--batch-size", options["--batch-size"])

    from commands.process import spare_device_queries

    spare_device_queries()
    from inspection.memory import PRECISIONS

    if options["--precision"] not in PRECISIONS:
        raise UserError(
            f"--precision must be one of {', '.join(PRECISIONS)}, got {options['--precision']}: choose one of them"
        )
    name = options["--optimizer"]
    memory = {"batch_size": batch_size, "precision": options["--precision"], "optimizer_name": name}
    memory["optimizer"] = _optimizer(name, optimizer_options)
    descriptions: list[Description] = []
    for model in models:
        descriptions.append(_described(model, shape, biases, memory))
        shape = descriptions[0].trace.input_shape

    from commands.describe_tables import print_compared, print_described

    if len(descriptions) == 2:
        print_compared(descriptions[0], descriptions[1], form)
    else:
        print_described(descriptions[0], form)
    return 0


def _described(model: Model, shape: Sequence[int] | None, biases: bool, memory: Mapping[str, Any]) -> "Description":
    from inspection.description import describe, without_biases
    from inspection.models import find

    name, options = model
    sys.path.insert(0, str(Path.cwd()))  # a module of the user's lies in the folder they stand in
    try:
        found = find(name)
        module = found.build(options, shape)
        described = describe(
            name, module if biases else without_biases(module), shape or found.shape(options), **memory
        )
    except ValueError as error:
        raise UserError(_in_own_options(str(error))) from error
    finally:
        sys.path.remove(str(Path.cwd()))
    return described


def _parsed(arguments: list[str]) -> tuple[list[Model], dict[str, str], dict[str, Any], bool]:
    """Models with their options, this command's options, the optimizer's, and whether there are to be biases."""
    models: list[Model] = []
    options, optimizer_options, biases = dict(_DEFAULTS), {}, True
    words = iter(arguments)
    for word in words:
        flag, equals, value = word.partition("=")
        if flag == "--no-bias" and not equals:
            biases = False
        elif flag.startswith("--"):
            known = flag in options or flag == "--compare" or flag.startswith("--optimizer.")
            if not known:
                near = difflib.get_close_matches(flag, [*options, "--compare", "--no-bias"], n=1)
                hint = f"nearest: {near[0]}" if near else "`cadence describe --help` shows all"
                raise UserError(f"{flag}: there is no such option; {hint}")
            value = value if equals else next(words, "")
            if not value or (value.startswith("--") and not equals):
                raise UserError(f"{flag} needs a value: give it as {flag} VALUE")
            if flag == "--compare":
                if len(models) != 1:
                    raise UserError(
                        "--compare goes once, behind the first model: cadence describe MODEL --compare OTHER"
                    )
                models.append((value, {}))
            elif flag in options:
                options[flag] = value
            else:
                optimizer_options[flag.partition(".")[2]] = _value(word, value)
        elif equals and models:
            models[-1][1][flag] = _value(word, value)
        elif equals or models:
            what = "an option before any model" if equals else "a second model"
            raise UserError(f"{word}: {what}: cadence describe MODEL [KEY=VALUE ...] [--compare OTHER]")
        else:
            models.append((word, {}))
    if not models:
        raise UserError("name a model: cadence describe SmallCNN; `cadence list models` shows Cadence's")
    return models, options, optimizer_options, biases


def _value(word: str, text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{word}: {text!r} is no value: give a number, true, false, a text or [a, list]") from error
    if isinstance(value, str):
        try:
            return float(value)  # YAML takes 1e-3 for a text
        except ValueError:
            return value
    return value


def _shape(text: str) -> tuple[int, ...]:
    sizes = text.split(",")
    if len(sizes) != 3 or not all(re.fullmatch(r"[+-]?\d{1,7}", size.strip()) for size in sizes):
        raise UserError(f"--input-shape must be C,H,W in whole numbers, got {text}: e.g. --input-shape 3,32,32")
    if any(int(size) < 1 for size in sizes):
        raise UserError(f"--input-shape must be positive, got {text}: e.g. --input-shape 3,32,32")
    return tuple(int(size) for size in sizes)


def _whole(flag: str, text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,9}", text) or int(text) < 1:
        raise UserError(f"{flag} must be a whole number of at least 1, got {text}: try 64")
    return int(text)


def _optimizer(name: str, options: Mapping[str, Any]) -> "OptimizerOf":
    """Makes the optimizer of a list of parameters.

    Raises:
        UserError: there is no such optimizer, or it refuses its options.
    """
    import torch

    import optimizers
    from optimizers.capabilities import CAPABILITIES

    if name not in CAPABILITIES:
        near = difflib.get_close_matches(name, CAPABILITIES, n=1)
        hint = f"nearest: {near[0]}" if near else f"there are {', '.join(CAPABILITIES)}"
        raise UserError(f"--optimizer: there is no {name!r}; {hint}")
    make = partial(getattr(optimizers, name), **options)
    try:
        make([torch.nn.Parameter(torch.ones(1))])
    except (ValueError, TypeError) as error:
        raise UserError(
            f"--optimizer {name}: {error}: `cadence fit --optimizer.help {name}` shows its options"
        ) from error
    return make


def _in_own_options(message: str) -> str:
    """A constructor's remedy in terms of this command."""
    return re.sub(r"set data\.init_args\.image_size to (\d+)", r"give --input-shape C,\1,\1", message)
