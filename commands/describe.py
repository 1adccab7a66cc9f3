"""`cadence describe`: what a network costs and what it sees, layer by layer, without memory and without arithmetic."""

import contextlib
import re
import sys
from argparse import SUPPRESS, ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from commands import Call
from commands.arguments import Parser, nearest, one_of, whole_number, yaml_value
from commands.errors import UserError

if TYPE_CHECKING:
    from inspection.description import Description
    from inspection.inputs import Input
    from inspection.memory.predicted import OptimizerOf

FORMATS = ("table", "csv", "markdown", "json")
DEVICES = ("cpu", "cuda")
INPUT_DTYPES = ("float", "int64", "int32", "uint8", "bool")
PRECISIONS = ("64-true", "32-true", "16-true", "bf16-true")
DESCRIPTION = """\
A row a layer, in the order of execution: output shape, receptive field and
jump in pixels, activations, weights, biases, multiply-adds, and the
parameters' arithmetic written out; totals; and the bytes of a forward pass and
of a training step, predicted; CSV has the layers alone. Nothing is computed and
no memory is taken, but with --measure and by constructors that read values.

MODEL is one of Cadence's (`cadence list models`, and NaiveInception,
ReducedInception), one of torchvision's, or the import path of any
torch.nn.Module, package.module.Class. KEY=VALUE are its constructor's options."""
EXAMPLES = """\
examples:
  cadence describe VGG19 num_classes=1000 --no-bias
  cadence describe NaiveInception --compare ReducedInception
  cadence describe resnet18 --input-shape 3,64,64 --format csv
  cadence describe my.TextNet --input-shape 128 --input-dtype int64"""

Model = tuple[str, dict[str, Any]]  # its name, and its constructor's options


def run(call: Call) -> int:
    """Print a description; returns the exit status."""
    given, models = parsed(call.arguments or ["--help"])
    if given.format == "csv" and given.measure and len(models) == 1:
        raise UserError("--measure has no place in csv, which has the layers alone: take --format json")

    from trainer.process import importing, spare_device_queries

    spare_device_queries()
    with importing():
        import_module("inspection.description")
    asked = {
        "batch_size": given.batch_size,
        "precision": given.precision,
        "optimizer": _optimizer(given.optimizer, _options(given)),
        "optimizer_name": given.optimizer,
        "measure_on": given.measure,
    }
    descriptions: list[Description] = []
    for model in models:
        inputs = descriptions[0].trace.inputs if descriptions else _inputs(given)
        descriptions.append(_described(model, inputs, not given.no_bias, asked))

    from commands.tables.description import print_compared, print_described

    if len(descriptions) == 2:
        print_compared(descriptions[0], descriptions[1], given.format)
    else:
        print_described(descriptions[0], given.format)
    return 0


def parsed(arguments: Sequence[str]) -> tuple[Namespace, list[Model]]:
    """The options, and one model, or two to compare.

    Raises:
        UserError: an unknown option, one without a value or with a wrong one, or no model.
    """
    parser = _parser([word.partition("=")[0] for word in arguments if word.startswith("--optimizer.")])
    second = [place for place, word in enumerate(arguments) if word.partition("=")[0] == "--compare"]
    if len(second) > 1:
        raise UserError("--compare goes once, behind the first model: cadence describe MODEL --compare OTHER")
    behind = second[0] if second else len(arguments)
    given, words = parser.words(arguments[:behind])
    models = [_model(words)]
    if second:
        given, words = parser.words(arguments[behind:], given)
        models.append(_model([given.compare, *words]))
    return given, models


def _model(words: Sequence[str]) -> Model:
    """A model's name, and behind it its options."""
    if not words:
        raise UserError("name a model: cadence describe SmallCNN; `cadence list models` shows Cadence's")
    options = {}
    for place, word in enumerate(words):
        key, equals, value = word.partition("=")
        if bool(equals) == (place == 0):
            what = "an option before any model" if equals else "a second model"
            raise UserError(f"{word}: {what}: cadence describe MODEL [KEY=VALUE ...] [--compare OTHER]")
        if equals:
            try:
                options[key] = yaml_value(value)
            except ArgumentTypeError as error:
                raise UserError(f"{word}: {error}") from error
    return words[0], options


def _options(given: Namespace) -> dict[str, Any]:
    """What `--optimizer.KEY VALUE` gave, by KEY."""
    return {key.partition(".")[2]: value for key, value in vars(given).items() if key.startswith("optimizer.")}


def _shape(text: str) -> tuple[int, ...]:
    """(channels, height, width) out of C,H,W; other sizes likewise, and none out of `scalar`."""
    if text == "scalar":
        return ()
    sizes = text.split(",")
    if not all(re.fullmatch(r"[+-]?\d{1,7}", size.strip()) for size in sizes):
        raise ArgumentTypeError(f"must be C,H,W in whole numbers, got {text}: e.g. --input-shape 3,32,32")
    if any(int(size) < 1 for size in sizes):
        raise ArgumentTypeError(f"must be positive, got {text}: e.g. --input-shape 3,32,32")
    return tuple(int(size) for size in sizes)


def _inputs(given: Namespace) -> "tuple[Input, ...] | None":
    """The inputs of `--input-shape` and `--input-dtype`; None where no shape is given.

    Raises:
        UserError: not as many types as shapes.
    """
    from inspection.inputs import DTYPES, Input

    shapes, dtypes = given.input_shape or [], given.input_dtype or []
    if dtypes and len(dtypes) != len(shapes):
        example = "--input-shape 128 --input-dtype int64"
        raise UserError(f"--input-dtype goes once with each --input-shape, in their order: e.g. {example}")
    kinds = dtypes or ["float"] * len(shapes)
    return tuple(Input(shape, DTYPES[kind]) for shape, kind in zip(shapes, kinds, strict=True)) or None


def _parser(optimizer_flags: Sequence[str]) -> Parser:
    parser = Parser(
        "describe", "MODEL [KEY=VALUE ...] [--compare OTHER [KEY=VALUE ...]] [options]", DESCRIPTION, EXAMPLES
    )
    parser.value(
        "--input-shape", "3,32,32", type=_shape, metavar="C,H,W", action="append",
        help="channels, height and width of an image, by default what the model is made for; other sizes of an input "
        "that is none, such as 128, or scalar; once for each input of a module that takes several, in their order",
    )  # fmt: skip
    parser.value(
        "--input-dtype", "int64", type=one_of(INPUT_DTYPES), metavar="DTYPE", action="append",
        help=f"{', '.join(INPUT_DTYPES)}: type of an input; float, the precision's, by default; once for each shape",
    )  # fmt: skip
    parser.value(
        "--format", "table", type=one_of(FORMATS), default="table", metavar="FORMAT",
        help="table (default), csv, markdown or json",
    )  # fmt: skip
    parser.switch("--no-bias", help="without the biases of convolutions and linear layers")
    parser.value(
        "--compare", "AlexNet", metavar="OTHER",
        help="a second model on the same images: totals side by side, ratio and saving",
    )  # fmt: skip
    parser.value(
        "--batch-size", "64", type=partial(whole_number, usual=64), default=64, metavar="N",
        help="images in the batch whose memory is predicted; %(default)s by default",
    )  # fmt: skip
    parser.value(
        "--precision", "32-true", type=one_of(PRECISIONS), default="32-true", metavar="PRECISION",
        help="64-true, 32-true (default), 16-true or bf16-true",
    )  # fmt: skip
    parser.value(
        "--optimizer", "Adam", default="SGD", metavar="NAME",
        help="optimizer whose state is counted, SGD without momentum by default; its options as --optimizer.KEY VALUE, "
        "e.g. --optimizer.momentum 0.9",
    )  # fmt: skip
    for flag in dict.fromkeys(optimizer_flags):
        parser.value(flag, "VALUE", type=yaml_value, help=SUPPRESS)
    parser.value(
        "--measure", "cpu", type=one_of(DEVICES), metavar="DEVICE",
        help="beside the predicted bytes, those of real steps on random images; cpu or cuda",
    )  # fmt: skip
    return parser


def _described(
    model: Model, inputs: "tuple[Input, ...] | None", biases: bool, asked: Mapping[str, Any]
) -> "Description":
    from inspection.description import describe, without_biases
    from inspection.models import find

    name, options = model
    try:
        with contextlib.redirect_stdout(sys.stderr):  # a module that prints must not print into the table
            found = find(name)
            module = found.build(options, inputs)
            module = module if biases else without_biases(module)
            # Cadence's models and those derived from them train in channels_last.
            last = any(base.__module__ == "lightning_modules.classifier" for base in type(module).__mro__)
            described = describe(name, module, inputs or found.shape(options), channels_last=last, **asked)
    except ValueError as error:
        raise UserError(_in_own_options(str(error))) from error
    return described


def _optimizer(name: str, options: Mapping[str, Any]) -> "OptimizerOf":
    """A function that makes the optimizer of a list of parameters.

    Raises:
        UserError: there is no such optimizer, or it refuses its options.
    """
    import torch

    import optimizers
    from optimizers.capabilities import CAPABILITIES

    if name not in CAPABILITIES:
        hint = nearest(name, CAPABILITIES) or f"there are {', '.join(CAPABILITIES)}"
        raise UserError(f"--optimizer: there is no {name!r}: {hint}")
    make = partial(getattr(optimizers, name), **options)
    try:
        make([torch.nn.Parameter(torch.ones(1))])
    except (ValueError, TypeError) as error:
        raise UserError(
            f"--optimizer {name}: {error}: `cadence fit --optimizer.help {name}` shows its options"
        ) from error
    return make


def _in_own_options(message: str) -> str:
    """A constructor's message with this command's option as the remedy."""
    return re.sub(r"set data\.image_size to (\d+)", r"give --input-shape C,\1,\1", message)
