"""`cadence gradient-check`: autograd's gradient of a configured model against central differences."""

import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from commands.configuration.checks import check_given
from commands.configuration.files import read_config
from commands.configuration.shipped import config_paths, resolve_config_arguments
from commands.errors import UserError

if TYPE_CHECKING:
    from commands.configuration.cadence_cli import CadenceCLI
    from inspection.gradients.sample_loss import SampleLoss

USAGE = """usage: cadence gradient-check -c CONFIG [--checkpoint PATH] [--layer NAME] [--weights 10] [--n LIST]
                              [--out DIR] [options of `cadence fit`]

Compare autograd's gradient with central differences (L(w + 1/N) - L(w - 1/N)) N / 2 of the first weights of a layer,
by default for N of 1, 5, 10, 50 ... 500,000, on one training image, in float64 and in float32. Trains nothing. A weight
agrees; is wrong; has a kink of the loss within the steps (a ReLU, a clamp, a maximum or a comparison that changes
sides, or two slopes at the weight itself); or is unclear, as where its gradient is below round-off. Writes
gradient_check.csv, .json and .png. The exit status is 1 if a gradient is wrong.

options:
  --checkpoint PATH  take the weights of a run's checkpoint; by default the model is as it would begin to train
  --layer NAME       a layer, or a parameter of it, such as layers.linear_2; by default the second layer
  --weights NUMBER   how many weights of it, the first ones; 10 by default, 1,000 at most
  --n LIST           the N of the steps 1/N, two or more, ascending, such as 1,50,1000; larger ones where kinks lie near
  --out DIR          where the files go; gradient-check by default"""

OWN = {"--layer": "layers.linear_2", "--weights": "10", "--n": "1,50,1000", "--out": "gradient-check"}
MOST_WEIGHTS = 1000  # the perturbations of p weights are (24 p, p) numbers: 192 MB of them


def run(arguments: list[str]) -> int:
    """Check a configuration's model; returns the exit status, 1 if a gradient is wrong."""
    if not arguments or any(word in ("-h", "--help") for word in arguments):
        print(USAGE)
        return 0
    own, arguments = _own(arguments)
    weights, folder = _weights(own.get("--weights", "10")), _folder(own.get("--out", "gradient-check"))
    ns = _ns(own["--n"]) if "--n" in own else None
    arguments = resolve_config_arguments(arguments)
    check_given(arguments, [(path, read_config(Path(path))) for path in config_paths(arguments)])

    from commands.configuration.messages import readable
    from commands.session import configured
    from commands.tables.gradient_check import print_tables, write_report
    from inspection.gradients.check import NS, check_gradient
    from records.environment import cpu_name, versions

    cli = configured("test", arguments)  # as `fit`, but for an optimizer and a length, which play no part here
    if cli.config.run_dir:
        raise UserError("--run_dir has no part in this: give -c RUN/config.yaml --checkpoint RUN/checkpoints/best.ckpt")
    checkpoint = cli.config.checkpoint
    try:
        if checkpoint:
            _load(cli, checkpoint)
        found = check_gradient(_sample(cli), own.get("--layer"), weights, ns or NS)
    except (ValueError, RuntimeError) as error:
        raise UserError(readable(str(error), checkpoint=f"checkpoint {checkpoint}")) from error
    about = {
        "model": type(cli.model).__name__,
        "checkpoint": checkpoint,
        "seed": cli.config.seed_everything,
        "versions": versions(),
        "cpu": cpu_name(),
    }
    write_report(found, folder, about)
    print_tables(found, folder)
    return 1 if "wrong" in found.verdicts else 0


def _own(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """The command's own options, and the arguments without them."""
    own, rest, words = {}, [], iter(arguments)
    for word in words:
        flag, equals, value = word.partition("=")
        if flag not in OWN:
            rest.append(word)
        elif not (given := value if equals else next(words, "")) or given.startswith("--"):
            raise UserError(f"{flag} needs a value, e.g. {flag} {OWN[flag]}")
        else:
            own[flag] = given
    return own, rest


def _weights(given: str) -> int:
    if not given.isdecimal() or int(given) < 1:
        raise UserError(f"--weights must be a whole number from 1 on, got {given}: 10 is usual")
    if int(given) > MOST_WEIGHTS:
        raise UserError(f"--weights must be at most {MOST_WEIGHTS:,}, got {given}: check the layers one by one")
    return int(given)


def _ns(given: str) -> list[int]:
    numbers = [int(word) if word.strip().isdecimal() else 0 for word in given.split(",")]
    if min(numbers) < 1 or numbers != sorted(set(numbers)) or max(numbers) > 10**12:
        raise UserError(f"--n must be whole numbers from 1 to 1e12, ascending, got {given}: e.g. --n 1,50,1000")
    if len(numbers) < 2:
        raise UserError(f"--n must be two numbers or more, got {given}: one alone cannot settle, e.g. --n 1,50,1000")
    return numbers


def _folder(given: str) -> Path:
    path = Path(given)
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not there.is_dir():
        raise UserError(f"--out {given}: {there} is no folder: name another")
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
        raise UserError("data: the check wants batches of (images, labels): use a datamodule that gives such")
    images, labels = (part[:1] for part in batch)
    if isinstance(cli.model, ImageClassifier):
        return SampleLoss(
            cli.model, images, labels, partial(F.cross_entropy, label_smoothing=cli.model.label_smoothing)
        )
    warnings.filterwarnings("ignore", message=r"You are trying to `self\.log\(\)` but")  # no trainer: nothing to tell
    return SampleLoss(cli.model, images, labels)
