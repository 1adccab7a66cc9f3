"""`cadence plot-schedule`: what a configuration's policies will do, step by step, drawn before anything is trained."""

import math
from argparse import ArgumentTypeError
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from commands import Call
from commands.arguments import Parser
from commands.configuration.files import checked
from commands.errors import UserError
from commands.tables.layout import lay
from records.files import write_figure
from trainer.process import importing

if TYPE_CHECKING:
    import numpy as np

    from commands.configuration.cadence_cli import CadenceCLI

DESCRIPTION = """\
Draw learning rate, batch size and their ratio, the SGD noise scale lr N / B,
over all steps of a run, and print their least, greatest and last values.
Trains nothing. A cycle with `bounds: auto` is drawn between bounds given here."""
MOST_STEPS = 1_000_000
BOUNDS = {"--bounds": ("CyclicalLR", "0.001,0.1"), "--batch_bounds": ("CyclicalBatchSize", "64,512")}
ROWS = {"learning rate": "lr", "batch size": "batch_size", "noise scale lr N / B": "noise_scale"}


def run(call: Call) -> int:
    """Draw a configuration's schedule; returns the exit status."""
    parser = Parser(call.command, "-c CONFIG [options] [options of `cadence fit`]", DESCRIPTION)
    parser.figure("schedule.png")
    for flag, (policy, usual) in BOUNDS.items():
        parser.value(
            flag, usual, type=partial(pair, usual=usual), metavar="LOWER,UPPER",
            help=f"between which a {policy} with bounds: auto is drawn, e.g. {usual}",
        )  # fmt: skip
    given, arguments = parser.split(call.arguments or ["--help"])
    arguments = checked(arguments, "fit", parser)

    with importing():
        import_module("commands.session")
    from commands.configuration.messages import readable
    from commands.session import configured
    from figures.schedule import schedule_figure

    cli = configured("fit", arguments, parser)
    try:
        drawn, steps = schedule(cli, {"--bounds": given.bounds, "--batch_bounds": given.batch_bounds})
    except (ValueError, RuntimeError) as error:
        raise UserError(readable(str(error))) from error
    write_figure(given.out, schedule_figure(**drawn))
    values = [(label, drawn[key]) for label, key in ROWS.items()]
    rows = [[label, *(f"{n:.6g}" for n in (some.min(), some.max(), some[-1]))] for label, some in values]
    lay(("", "min", "max", "final"), rows)
    print(f"{steps:,} steps, drawn in {given.out}")
    return 0


def pair(text: str, usual: str) -> tuple[float, float]:
    """LOWER,UPPER as two numbers, as `type` of an option."""
    try:
        lower, upper = map(float, text.split(","))
    except ValueError:
        lower = upper = math.nan
    if not 0 < lower < upper < math.inf:
        raise ArgumentTypeError(f"must be two numbers above 0, LOWER,UPPER, that increase, got {text}: e.g. {usual}")
    return lower, upper


def schedule(
    cli: "CadenceCLI", bounds: Mapping[str, tuple[float, float] | None]
) -> tuple[dict[str, "np.ndarray"], int]:
    """Arguments of `figures.schedule.schedule_figure` for a configuration's run, and its number of steps.

    A pass's last batch is left out if it is shorter than the one before it: it would draw a spike a pass into a
    constant batch size.

    Args:
        cli: the configuration.
        bounds: bounds for policies whose own are `auto`, by the option that gives them; None where it is not given.

    Raises:
        UserError: bounds are missing, or nobody takes them; or the configuration does not say how many steps there
            are, or what the learning rate is.
    """
    import numpy as np

    from callbacks import CyclicalBatchSize, CyclicalLR, LRRangeTest
    from callbacks.lr_schedule import only_schedule
    from commands.configuration.cadence_cli import listed

    if cli.images is None:
        raise UserError("data: a schedule needs one of Cadence's own datasets: `cadence list datasets` shows them")
    callbacks = listed(cli.config_init.trainer.callbacks)
    policy = only_schedule(callbacks)
    cyclical = [policy] if isinstance(policy, CyclicalLR) else []
    _bound("--bounds", [one for one in cyclical if one.auto], bounds["--bounds"])
    sized = [one for one in callbacks if isinstance(one, CyclicalBatchSize) and one.bounds == "auto"]
    _bound("--batch_bounds", sized, bounds["--batch_bounds"])
    if any(isinstance(callback, LRRangeTest) and callback.update_lr for callback in callbacks):
        raise UserError(
            "trainer.callbacks.update_lr: the rate is known only after the range test\n"
            "leave update_lr out, and set optimizer.lr, to draw"
        )
    own = 0.0 if isinstance(policy, CyclicalLR) else _configured_lr(cli)  # a cycle sets the rate itself
    cli.images.prepare_data()
    cli.images.setup("fit")
    for callback in callbacks:
        if hasattr(callback, "lay_stream"):
            callback.lay_stream(cli.images)
    stream = cli.images.stream
    assert stream is not None
    positions = [stream.position(step) for step in range(_number_of_steps(cli, stream))]
    sizes = [stream.size(position.step) for position in positions]
    lasting = [place for place in range(len(sizes)) if not _is_remainder(stream, place, sizes)]
    if cli.config.lr_scheduler is None:
        lr = [own if policy is None else policy.lr(positions[place], own) for place in lasting]
    else:
        lr = _scheduled(cli, [stream.place(place)[0] for place in lasting])
    drawn = {
        "steps": np.array(lasting),
        "epochs": np.array([positions[place].epochs for place in lasting]),
        "lr": np.array(lr, dtype=np.float64),
        "batch_size": np.array([sizes[place] for place in lasting]),
    }
    return drawn | {"noise_scale": drawn["lr"] * stream.samples / drawn["batch_size"]}, len(positions)


def _bound(flag: str, policies: Sequence[Any], bounds: tuple[float, float] | None) -> None:
    """Give bounds to the policies that a range test would give them to."""
    name, usual = BOUNDS[flag]
    if bounds is not None and not policies:
        raise UserError(f"{flag} goes with a {name} with bounds: auto alone, and there is none: leave it out")
    if bounds is None and policies:
        raise UserError(
            f"trainer.callbacks.bounds: {name}'s are known only after the range test\n"
            f"draw it between others: {flag} {usual}"
        )
    for policy in policies:
        if flag == "--bounds":
            policy.load_state_dict({"bounds": bounds})
        else:
            lower, upper = bounds or (0, 0)
            policy.load_state_dict({"lower": round(lower), "upper": round(upper)})


def _is_remainder(stream: Any, step: int, sizes: list[int]) -> bool:
    if step == 0 or sizes[step] >= sizes[step - 1]:
        return False
    _, start, stop = stream.place(step)
    return stop == stream.samples and start > 0


def _number_of_steps(cli: "CadenceCLI", stream: Any) -> int:
    """Steps of the run: to the end of `max_epochs` passes, or to `max_steps`, whichever comes first."""
    trainer = cli.config.trainer
    steps, epochs = trainer.max_steps, trainer.max_epochs
    if epochs in (None, -1):
        if steps < 0:
            raise UserError("trainer.max_epochs is missing: the schedule needs a length, e.g. --trainer.max_epochs 3")
        return _some(steps)
    if trainer.limit_train_batches not in (None, 1.0) or trainer.overfit_batches or trainer.fast_dev_run:
        raise UserError(
            "trainer.max_epochs: the number of steps in a shortened epoch is not known: give trainer.max_steps"
        )
    in_epochs = 0
    for epoch in range(1, epochs + 1):  # in order: a schedule of sizes lays one pass after the other
        in_epochs = stream.first_step(epoch)
        if in_epochs > MOST_STEPS or 0 <= steps <= in_epochs:
            break
    return _some(in_epochs if steps < 0 else min(steps, in_epochs))


def _scheduled(cli: "CadenceCLI", epochs: list[int]) -> list[float]:
    """Rates that a scheduler of torch's gives to steps of the epochs, which must be whole passes."""
    from commands.configuration.scheduler import rates_by_epoch

    if cli.config.trainer.limit_train_batches not in (None, 1.0):
        raise UserError("trainer.limit_train_batches: a scheduler counts shortened epochs: leave it out to draw")
    rates = rates_by_epoch(cli.config_init, max(epochs) + 1)
    return [rates[epoch] for epoch in epochs]


def _some(steps: int) -> int:
    if steps < 1:
        raise UserError("trainer.max_epochs or max_steps is 0, which leaves no step to draw: give at least 1")
    if steps > MOST_STEPS:
        raise UserError(f"trainer.max_steps: {steps:,} steps or more cannot be drawn: set it to {MOST_STEPS:,} at most")
    return steps


def _configured_lr(cli: "CadenceCLI") -> float:
    optimizer = cli.config.optimizer
    if optimizer is None or "lr" not in optimizer.init_args:
        raise UserError(
            "optimizer.lr is missing: without CyclicalLR, it is what is drawn: set it, e.g. --optimizer.lr 0.1"
        )
    return float(optimizer.init_args["lr"])
