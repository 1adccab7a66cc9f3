"""`cadence describe`: what a network costs and what it sees, layer by layer, without memory and without arithmetic."""

import contextlib
import difflib
import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.describe_arguments import Arguments, Model, parsed
from commands.errors import UserError

if TYPE_CHECKING:
    from inspection.description import Description
    from inspection.memory.predicted import OptimizerOf

USAGE = """usage: cadence describe MODEL [KEY=VALUE ...] [--compare OTHER [KEY=VALUE ...]] [options]

A row a layer, in the order of execution: output shape, receptive field and jump in pixels, activations, weights,
biases, multiply-adds, and the parameters' arithmetic written out; totals; and the bytes of a forward pass and of a
training step, predicted; CSV has the layers alone. Nothing is computed and no memory is taken, but with --measure and
by constructors that read values.
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
  --measure DEVICE        beside the predicted bytes, those of real steps on random images; cpu or cuda

examples:
  cadence describe VGG19 num_classes=1000 --no-bias
  cadence describe NaiveInception --compare ReducedInception
  cadence describe resnet18 --input-shape 3,64,64 --format csv"""


def run(arguments: list[str]) -> int:
    """Print a description; returns the exit status."""
    if not arguments or any(word in ("-h", "--help") for word in arguments):
        print(USAGE)
        return 0
    given = parsed(arguments)
    form, shape, asked = given.format, given.input_shape, _asked(given)
    if form == "csv" and given.measure and len(given.models) == 1:
        raise UserError("--measure has no place in csv, which has the layers alone: take --format json")
    descriptions: list[Description] = []
    for model in given.models:
        descriptions.append(_described(model, shape, given.biases, asked))
        shape = descriptions[0].trace.input_shape

    from commands.tables.description import print_compared, print_described

    if len(descriptions) == 2:
        print_compared(descriptions[0], descriptions[1], form)
    else:
        print_described(descriptions[0], form)
    return 0


def _asked(given: Arguments) -> dict[str, Any]:
    """What is asked about memory, as `inspection.description.describe` takes it."""
    batch_size, measure_on = given.batch_size, given.measure

    from trainer.process import spare_device_queries

    spare_device_queries()
    from inspection.memory.predicted import PRECISIONS

    precision, name = given.precision(PRECISIONS), given.texts["--optimizer"]
    return {
        "batch_size": batch_size,
        "precision": precision,
        "optimizer": _optimizer(name, given.optimizer_options),
        "optimizer_name": name,
        "measure_on": measure_on,
    }


def _described(model: Model, shape: Sequence[int] | None, biases: bool, asked: Mapping[str, Any]) -> "Description":
    from inspection.description import describe, without_biases
    from inspection.models import find

    name, options = model
    theirs = [str(Path.cwd())] if "." in name else []  # a module of the user's lies in the folder they stand in
    sys.path += theirs
    try:
        with contextlib.redirect_stdout(sys.stderr):  # a module that prints must not print into the table
            found = find(name)
            module = found.build(options, shape)
            module = module if biases else without_biases(module)
            # Cadence's own train so, and whoever inherits from them.
            last = any(base.__module__ == "lightning_modules.classifier" for base in type(module).__mro__)
            described = describe(name, module, shape or found.shape(options), channels_last=last, **asked)
    except ValueError as error:
        raise UserError(_in_own_options(str(error))) from error
    finally:
        for path in theirs:
            sys.path.remove(path)
    return described


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
