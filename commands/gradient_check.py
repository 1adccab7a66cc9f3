"""`cadence gradient-check`: autograd's gradient of a configured model against central differences."""

import warnings
from argparse import ArgumentTypeError
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from commands import Call
from commands.arguments import Parser, path_of, whole_number
from commands.configuration.files import checked
from commands.errors import UserError
from trainer.process import importing

if TYPE_CHECKING:
    from commands.configuration.cadence_cli import CadenceCLI
    from inspection.gradients.sample_loss import SampleLoss

DESCRIPTION = """\
Compare autograd's gradient with central differences (L(w + 1/N) - L(w - 1/N)) N / 2
of the first weights of a layer, by default for N of 1, 5, 10, 50 ... 500,000,
on one training image, in float64 and in float32. Trains nothing. A weight
agrees; is wrong; has a kink of the loss within the steps (a ReLU, a clamp, a
maximum or a comparison that changes sides, or two slopes at the weight itself);
or is unclear, as where its gradient is below round-off. Writes
gradient_check.csv, .json and .png. The exit status is 1 if a gradient is wrong."""
MOST_WEIGHTS = 1000  # the perturbations of p weights are (24 p, p) numbers: 192 MB of them


def run(call: Call) -> int:
    """Check a configuration's model; returns the exit status, 1 if a gradient is wrong."""
    parser = _parser(call.command)
    given, arguments = parser.split(call.arguments or ["--help"])
    named = ["--checkpoint", given.checkpoint] if given.checkpoint else []
    arguments = checked(arguments + named, "test", parser)

    with importing():
        import_module("commands.session")
    from commands.configuration.messages import readable
    from commands.session import configured
    from commands.starting import starting
    from commands.tables.gradient_check import print_tables, write_report
    from inspection.gradients.check import NS, check_gradient
    from records.environment import cpu_name, versions

    cli = configured("test", arguments, parser)  # unlike `fit`, it needs no optimizer and no length
    if cli.config.run_dir:
        raise UserError("--run_dir has no part in this: give -c RUN/config.yaml --checkpoint RUN/checkpoints/best.ckpt")
    start = None if cli.config.checkpoint else starting(cli, arguments)
    checkpoint = cli.config.checkpoint or (None if start is None else str(start.path))
    try:
        if checkpoint:
            _load(cli, checkpoint)
        found = check_gradient(_sample(cli), given.layer, given.weights, given.n or NS)
    except (ValueError, RuntimeError) as error:
        raise UserError(readable(str(error), checkpoint=f"checkpoint {checkpoint}")) from error
    about = {
        "model": type(cli.model).__name__,
        "checkpoint": checkpoint,
        "seed": cli.config.seed_everything,
        "versions": versions(),
        "cpu": cpu_name(),
    }
    write_report(found, given.out, about)
    print_tables(found, given.out)
    return 1 if "wrong" in found.verdicts else 0


def _parser(command: str) -> Parser:
    parser = Parser(command, "-c CONFIG [options] [options of `cadence fit`]", DESCRIPTION)
    parser.value(
        "--checkpoint", "runs/digits_demo-20261121-120000-3f9a2c/checkpoints/best.ckpt", metavar="PATH",
        help="take the weights of a run's checkpoint; by default the model is as it would begin to train",
    )  # fmt: skip
    parser.value(
        "--layer", "layers.linear_2", metavar="NAME",
        help="a layer, or a parameter of it, such as layers.linear_2; by default the second layer",
    )  # fmt: skip
    parser.value(
        "--weights", "10", type=_weights, default=10, metavar="NUMBER",
        help=f"how many weights of it, the first ones; %(default)s by default, {MOST_WEIGHTS:,} at most",
    )  # fmt: skip
    parser.value(
        "--n", "1,50,1000", type=_ns, metavar="LIST",
        help="the N of the steps 1/N, two or more, ascending, such as 1,50,1000; larger ones where kinks lie near",
    )  # fmt: skip
    parser.value(
        "--out", "gradient-check", type=_folder, default=Path("gradient-check"), metavar="DIR",
        help="where the files go; %(default)s by default",
    )  # fmt: skip
    return parser


def _weights(text: str) -> int:
    number = whole_number(text, usual=10)
    if number > MOST_WEIGHTS:
        raise ArgumentTypeError(f"must be at most {MOST_WEIGHTS:,}, got {text}: check the layers one by one")
    return number


def _ns(text: str) -> list[int]:
    numbers = [int(word) if word.strip().isdecimal() else 0 for word in text.split(",")]
    if min(numbers) < 1 or numbers != sorted(set(numbers)) or max(numbers) > 10**12:
        raise ArgumentTypeError(f"must be whole numbers from 1 to 1e12, ascending, got {text}: e.g. --n 1,50,1000")
    if len(numbers) < 2:
        raise ArgumentTypeError(f"must be two numbers or more, got {text}: one cannot settle it, e.g. --n 1,50,1000")
    return numbers


def _folder(text: str) -> Path:
    path = path_of(text)
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not there.is_dir():
        raise ArgumentTypeError(f"{text}: {there} is no folder: name another")
    return path


def _load(cli: "CadenceCLI", path: str) -> None:
    from records.checkpoint_io import AtomicCheckpointIO

    state = AtomicCheckpointIO().load_checkpoint(path)["state_dict"]
    if not isinstance(state, dict):
        given = type(state).__name__
        raise UserError(f"checkpoint {path}: state_dict must be a dict, got {given}: give one of a run's checkpoints")
    cli.model.load_state_dict(state)


def _sample(cli: "CadenceCLI") -> "SampleLoss":
    """The first training image of the run, not augmented, and the model's own training loss."""
    from torch import Tensor
    from torch.nn import functional as F

    from inspection.gradients.sample_loss import SampleLoss
    from lightning_modules import ImageClassifier

    data = cli.datamodule
    data.prepare_data()
    data.setup("fit")
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    if not isinstance(batch, tuple | list) or len(batch) != 2 or not all(isinstance(part, Tensor) for part in batch):
        raise UserError("data: the check needs batches of (images, labels): use a datamodule that gives them")
    images, labels = (part[:1] for part in batch)
    if isinstance(cli.model, ImageClassifier):
        return SampleLoss(
            cli.model, images, labels, partial(F.cross_entropy, label_smoothing=cli.model.label_smoothing)
        )
    warnings.filterwarnings(
        "ignore", message=r"You are trying to `self\.log\(\)` but"
    )  # without a trainer, nothing is logged
    return SampleLoss(cli.model, images, labels)
