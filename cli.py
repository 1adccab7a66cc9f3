"""Cadence's front door: `cadence COMMAND ...`, or `python cli.py COMMAND ...`.

Nothing heavy is imported here: `cadence --help`, a mistyped command and a missing file are answered at once.
"""

import difflib
import sys
import time

STARTED = time.monotonic()

HELP = """usage: cadence COMMAND [options]

Train image classifiers, and study how they train.

commands:
  fit          train a model, validate it, test its best checkpoint, keep the record in a run directory
  test         test a run's checkpoint on the test images
  lr-range-test, batch-size-range-test
               try learning rates or batch sizes on copies of a model, and suggest some
  list         experiments, models, datasets, optimizers and callbacks, a line each
  data         fetch, verify and show datasets
  plot-schedule
               draw learning rate, batch size and noise scale of a run, before it is run
  plot-runs    draw losses and accuracies of runs, over each other, and compare what they came to
  describe     parameters, activations, multiply-adds, receptive fields and memory of a network, layer by layer
  gradient-check
               compare autograd's gradient of a model with central differences

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

TRAINER_COMMANDS = ("fit", "test", "lr-range-test", "batch-size-range-test")
COMMANDS = (*TRAINER_COMMANDS, "list", "data", "plot-schedule", "plot-runs", "describe", "gradient-check")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 1 if a test refuses, 2 after a mistake, 130 after a stop."""
    from commands.errors import report

    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(HELP)
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
        if command in TRAINER_COMMANDS:
            from commands.training import run

            return run(command, rest, STARTED)
        if command == "list":
            from commands.listing import run as run_list

            return run_list(rest)
        if command == "plot-schedule":
            from commands.plot_schedule import run as run_plot_schedule

            return run_plot_schedule(rest)
        if command == "plot-runs":
            from commands.plot_runs import run as run_plot_runs

            return run_plot_runs(rest)
        if command == "describe":
            from commands.describe import run as run_describe

            return run_describe(rest)
        if command == "gradient-check":
            from commands.gradient_check import run as run_gradient_check

            return run_gradient_check(rest)
        from commands.data import run as run_data

        return run_data(rest)
    except BaseException as error:
        if debug:
            raise
        return report(error)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("cadence")
    except PackageNotFoundError:
        return "from a checkout, not installed"


if __name__ == "__main__":
    sys.exit(main())
