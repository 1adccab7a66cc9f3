"""The options of a command beside those of its model, data and trainer."""

from typing import Literal

from pytorch_lightning.cli import LightningArgumentParser, LRSchedulerTypeTuple
from torch.optim import Optimizer

import callbacks
from callbacks.divergence_watch import OnNonFinite
from commands.configuration.parent import Parent
from commands.configuration.signatures import EVALUATIONS, OF_A_RUN, RANGE_TESTS

# Options that came after runs were on record: where they are null, a resolved configuration is as it was without them,
# and so is the id of a study's cell, which is a hash of it.
UNRECORDED = ("run_dir", "checkpoint", "output")  # paths, of which no record says where they lay
UNSAID = ("from", "lr_scheduler", "monitor", "monitor_mode")
DESCRIPTIONS = {
    "fit": "Train a model, validate it, test its best checkpoint, and keep the record in a run directory. "
    "`cadence fit --resume RUN_DIR` goes on with a run that was stopped; `cadence fit --from RUN_DIR [--at best|last]` "
    "begins a new one with its configuration and its weights.",
    "lr-range-test": "Raise the learning rate on copies of a model, step by step, and suggest rates and bounds; takes "
    "the configuration of a fit, and trains nothing else. "
    "`cadence lr-range-test --resume RUN_DIR` goes on with a test that was stopped; "
    "`--from RUN_DIR [--at best|last]` takes a run's configuration and weights.",
    "batch-size-range-test": "Train copies of a model with one batch size after another, and suggest a smallest and a "
    "largest one; takes the configuration of a fit, and trains nothing else. "
    "`cadence batch-size-range-test --resume RUN_DIR` goes on with a test that was stopped; "
    "`--from RUN_DIR [--at best|last]` takes a run's configuration and weights.",
    "test": "Test a run's checkpoint on the test images: `cadence test --run_dir RUN_DIR` needs nothing else.",
    "validate": "Test a run's checkpoint on the validation images: `cadence validate --run_dir RUN_DIR` needs nothing "
    "else.",
    "predict": "Write what a run's checkpoint takes each image for to a CSV file, with a probability a class: "
    "`cadence predict --run_dir RUN_DIR` needs nothing else.",
}


def add_options(parser: LightningArgumentParser, command: str) -> None:
    """Add a command's options, and link those that follow from others.

    Args:
        parser: parser of the command.
        command: `fit`, a range test or an evaluation.
    """
    parser.add_argument("--run_dir", type=str | None, default=None, help="Directory of the run's record.")
    parser.add_argument(
        "--test_after_fit", type=bool, default=True, help="Test the best checkpoint once training has ended."
    )
    parser.add_argument(
        "--checkpoint_every", type=int, default=500, help="Steps between two checkpoints within an epoch."
    )
    parser.add_argument(
        "--monitor",
        type=str | None,
        default=None,
        help="Metric that chooses best.ckpt, of those that the model logs; by default val/accuracy.",
    )
    parser.add_argument(
        "--monitor_mode",
        type=Literal["min", "max"] | None,
        default=None,
        help="Whether a smaller or a larger value of the monitor is better; by default what its name says.",
    )
    parser.add_argument("--from", type=Parent | None, default=None, help="Run whose weights this one begins with.")
    parser.add_argument(
        "--on_nonfinite",
        type=OnNonFinite,
        default="stop",
        help="What follows the first training loss that is not finite: stop, with exit status 3, or go_on.",
    )
    if command in EVALUATIONS:
        parser.add_argument(
            "--checkpoint",
            type=str | None,
            default=None,
            help="Checkpoint to take; by default the run's best, or last.",
        )
    if command == "predict":
        parser.add_argument(
            "--split", type=Literal["test", "val", "train"], default="test", help="Images to predict the classes of."
        )
        parser.add_argument(
            "--output", type=str | None, default=None, help="CSV file; by default predictions.csv in RUN_DIR."
        )
    if command in RANGE_TESTS:
        test = getattr(callbacks, RANGE_TESTS[command])
        parser.add_class_arguments(test, "range_test", skip=OF_A_RUN)
    parser.add_optimizer_args((Optimizer,))
    # as LightningCLI adds it; but it is not registered there, as `EpochScheduler` makes it and not LightningCLI
    parser.add_subclass_arguments(
        LRSchedulerTypeTuple, "lr_scheduler", required=False, instantiate=False, fail_untyped=False, skip={"optimizer"}
    )
    parser.link_arguments("seed_everything", "data.init_args.seed")
    for name in ("in_channels", "image_size", "num_classes"):
        parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")
