"""Cadence's front door: `cadence COMMAND ...`, or `python cli.py COMMAND ...`.

Nothing heavy is imported here: `cadence --help`, a mistyped command and a missing file are answered at once.
"""

import difflib
import sys
import time
from importlib import import_module
from pathlib import Path

STARTED = time.monotonic()

# name -> (module with the command's `run`, its line of help)
COMMANDS = {
    "fit": (
        "commands.training",
        "train a model, validate it, test its best checkpoint, keep the record in a run directory",
    ),
    "test": ("commands.training", "test a run's checkpoint on the test images"),
    "validate": ("commands.training", "test a run's checkpoint on the validation images"),
    "predict": ("commands.training", "write what a run's checkpoint takes each image for to a CSV file"),
    "lr-range-test": (
        "commands.training",
        "try learning rates on copies of a model, and suggest one and the bounds of a cycle",
    ),
    "batch-size-range-test": (
        "commands.training",
        "try batch sizes on copies of a model, and suggest a smallest and a largest one",
    ),
    "study": ("studies.command", "run the grid of a study, and report it beside the published numbers"),
    "list": ("commands.listing", "experiments, models, datasets, optimizers and callbacks, a line each"),
    "data": ("commands.data", "fetch, verify and show datasets"),
    "plot-schedule": (
        "commands.plot_schedule",
        "draw learning rate, batch size and noise scale of a run, before it is run",
    ),
    "plot-runs": (
        "commands.plot_runs",
        "draw losses and accuracies of runs, over each other, and compare what they came to",
    ),
    "describe": (
        "commands.describe",
        "parameters, activations, multiply-adds, receptive fields and memory of a network, layer by layer",
    ),
    "gradient-check": (
        "commands.gradient_check",
        "compare autograd's gradient of a model with central differences",
    ),
}

HELP = """usage: cadence COMMAND [options]

Train image classifiers, and study how they train.

commands:
{commands}

examples:
  cadence fit -c digits_demo                    train and test a small network on real images, no download
  cadence fit -c small_cnn_mnist --optimizer.lr 0.001
  cadence fit --resume runs/small_cnn_mnist-...
  cadence test --run_dir runs/small_cnn_mnist-...
  cadence data fetch MNIST FashionMNIST CIFAR10

options:
  -h, --help   this page; `cadence COMMAND --help` shows a command's own
  --version    Cadence's version
  --debug      show the whole traceback of a mistake"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status.

    0; 1 if a test refuses, 2 after a mistake, 3 where a training diverged, 130 after a stop.
    """
    _ours_first()
    from commands.loading import announced
    from commands.streams import lasting, status_of

    arguments = list(sys.argv[1:] if arguments is None else arguments)
    with lasting() as out:
        words = [argument for argument in arguments if argument != "--debug"]
        command = words[0] if words else ""
        trains = COMMANDS.get(command, ("",))[0] == "commands.training"
        with announced(command, words[1:], trains):
            status = _run(words, "--debug" in arguments)
        return status_of(out, status, needed=not trains)


def _ours_first() -> None:
    """Let no folder in the working directory hide a package of Cadence's, as `python -m cli` would have it."""
    here = Path.cwd()
    if here != Path(__file__).resolve().parent and sys.path[:1] and sys.path[0] in ("", str(here)):
        del sys.path[0]


def _run(arguments: list[str], debug: bool) -> int:
    from commands import Call
    from commands.errors import report
    from commands.working_directory import importable

    if not arguments or arguments[0] in ("-h", "--help"):
        print(help_page())
        return 0
    if arguments[0] == "--version":
        print(f"cadence {_version()}")
        return 0
    command, *rest = arguments
    if command not in COMMANDS:
        near = difflib.get_close_matches(command, COMMANDS, n=1)
        hint = f"did you mean `cadence {near[0]}`?" if near else f"there are {', '.join(COMMANDS)}"
        print(f"cadence: unknown command {command!r}: {hint}", file=sys.stderr)
        return 2
    try:
        with importable():
            return import_module(COMMANDS[command][0]).run(Call(command, rest, STARTED))
    except BaseException as error:
        if debug:
            raise
        return report(error)


def help_page() -> str:
    """What `cadence --help` prints; a name too long for its column stands on a line of its own."""
    lines = []
    for name, (_, line) in COMMANDS.items():
        lines.append(f"  {name:<13}{line}" if len(name) < 13 else f"  {name}\n{'':15}{line}")
    return HELP.format(commands="\n".join(lines))


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("cadence")
    except PackageNotFoundError:
        return "from a checkout, not installed"


if __name__ == "__main__":
    sys.exit(main())
