"""Blind test of the LR-suggestion rules: curves whose steepest point is known, ours beside stock Lightning's finder.

    python benchmarks/lr_suggestions.py [--seeds 200] [--out results/lr_suggestions.csv]

A curve is a sigmoid in log10 lr that falls from 2.3 to 0.5 with its steepest point at 1e-2, plus noise (normal, one
draw a step), plus a divergence that is exactly zero up to some rate and rises with the square of the decades beyond it.
The criterion is the curve `main`: `steepest` within half a decade of 1e-2 in the median, `bounds` around 1e-2 for every
seed. The other shapes show where the rules end.

Two rows of Lightning's: its `suggestion()` on the raw losses, and behind its own smoothing and early stop, for which
`_LRCallback.on_train_batch_end` gets the losses one by one, as the finder would from a fit that starts at step 0.
"""

import argparse
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from pytorch_lightning.tuner.lr_finder import _LRCallback, _LRFinder
from rich.console import Console
from rich.table import Table

from callbacks.range_tests.lr_rules import RULES
from records.environment import versions
from records.files import write_csv

TARGET = 1e-2
BOUNDS = {rule.name for rule in RULES if rule.answers == "bounds"}
RAW, STOCK = "Lightning, raw losses", "Lightning, its smoothing"


@dataclass(frozen=True)
class Shape:
    """One family of curves.

    Attributes:
        width: width of the sigmoid in decades; it falls from nine to one tenth within 4.4 widths.
        diverges: rate above which the loss rises.
        noise: standard deviation of a loss.
        steps: number of rates.
        lowest: first rate; the last one is 10.
    """

    width: float = 0.25
    diverges: float = 0.3
    noise: float = 0.05
    steps: int = 400
    lowest: float = 1e-7

    def lrs(self) -> np.ndarray:
        """The rates, exponentially spaced, (steps,)."""
        return np.geomspace(self.lowest, 10, self.steps)

    def losses(self, seed: int) -> np.ndarray:
        """This seed's losses, (steps,)."""
        x = np.log10(self.lrs())
        fall = 1 / (1 + np.exp(-(x - np.log10(TARGET)) / self.width))
        beyond = np.maximum(x - np.log10(self.diverges), 0)
        return 2.3 - 1.8 * fall + 20 * beyond**2 + self.noise * np.random.default_rng(seed).standard_normal(self.steps)


SHAPES = {
    "main": Shape(),
    "narrow fall": Shape(width=0.1),
    "wide fall": Shape(width=0.5, diverges=3),
    "early divergence": Shape(diverges=0.05),
    "late divergence": Shape(diverges=3),
    "no divergence": Shape(diverges=10),
    "four times the noise": Shape(noise=0.2),
    "100 steps": Shape(steps=100),
    "10 rates": Shape(steps=10, lowest=1e-9),
}


def stock(lrs: np.ndarray, losses: np.ndarray, smoothed: bool) -> float | None:
    """The suggestion of Lightning's own code for one curve."""
    finder = _LRFinder("exponential", float(lrs[0]), float(lrs[-1]), len(lrs))
    recorded = losses.tolist()
    if smoothed:
        callback = _LRCallback(len(lrs))
        trainer = SimpleNamespace(
            fit_loop=SimpleNamespace(batch_idx=0),
            accumulate_grad_batches=1,
            strategy=SimpleNamespace(broadcast=lambda value: value),
            should_stop=False,
            global_step=0,
        )
        for loss in losses:
            trainer.global_step += 1
            callback.on_train_batch_end(trainer, None, {"loss": np.float64(loss)}, None, 0)  # type: ignore[arg-type]
            if trainer.should_stop:
                break
        recorded = [float(loss) for loss in callback.losses]
    finder.results = {"lr": lrs[: len(recorded)].tolist(), "loss": recorded}
    if len(recorded) < 13:
        return None  # it skips ten at the start and one at the end, and logs an error
    return finder.suggestion()


def answers(shape: Shape, seeds: int) -> dict[str, list[tuple[float, float] | None]]:
    """By rule: its (low, high) for each seed."""
    lrs, found = shape.lrs(), {name: [] for name in (*(rule.name for rule in RULES), RAW, STOCK)}  # type: ignore[var-annotated]
    for seed in range(seeds):
        losses = shape.losses(seed)
        for rule in RULES:
            found[rule.name].append(rule(lrs, losses))
        for name, smoothed in ((RAW, False), (STOCK, True)):
            lr = stock(lrs, losses, smoothed)
            found[name].append(None if lr is None else (lr, lr))
    return found


def row(shape: str, rule: str, found: list[tuple[float, float] | None]) -> dict[str, str]:
    """One line of the table: of a point rule its quantiles, of a bounds rule the brackets and both ends' medians."""
    given = np.array([answer for answer in found if answer is not None])
    line = {"curve": shape, "rule": rule, "n": str(len(found)), "no answer": str(len(found) - len(given))}
    empty = dict.fromkeys(("median", "5 %", "95 %", "median off", "within half", "brackets"), "")
    if not len(given):
        return line | empty
    if rule in BOUNDS:
        low, high = np.median(given, axis=0)
        inside = int(np.sum((given[:, 0] < TARGET) & (given[:, 1] > TARGET)))
        fifth, last = np.quantile(given[:, 0], 0.05), np.quantile(given[:, 1], 0.95)
        shown = {"median": f"{low:.1e} .. {high:.1e}", "5 %": f"{fifth:.1e}", "95 %": f"{last:.1e}"}
        return line | empty | shown | {"brackets": str(inside)}
    off = np.log10(given[:, 0] / TARGET)
    fifth, middle, last = np.quantile(given[:, 0], [0.05, 0.5, 0.95])
    shown = {"median": f"{middle:.1e}", "5 %": f"{fifth:.1e}", "95 %": f"{last:.1e}"}
    within = f"{np.sum(np.abs(off) <= 0.5) / len(found):.0%}"
    return line | empty | shown | {"median off": f"{np.median(off):+.2f}", "within half": within}


def main() -> None:
    """Measure, print, and write the CSV if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--out", type=Path, help="CSV file to write")
    options = parser.parse_args()
    rows = [
        row(name, rule, found)
        for name, shape in SHAPES.items()
        for rule, found in answers(shape, options.seeds).items()
    ]
    used = {package: versions()[package] for package in ("numpy", "torch", "pytorch-lightning")}
    day = datetime.now(UTC).date().isoformat()
    caption = (
        f"{options.seeds} seeds; 'median off' in decades; 5 % and 95 % of bounds: of lr_min and of lr_max. Fed to all: "
        "the same raw losses; 'its smoothing': through Lightning's own callback, one by one, with its early stop. "
        + ", ".join(f"{package} {version}" for package, version in used.items())
        + f"; {day}"
    )
    table = Table(title="Suggestions where the loss falls most at 1e-2", caption=caption)
    shown = [column for column in rows[0] if column != "n"]  # the caption says it
    for column in shown:
        table.add_column(column, justify="left" if column in ("curve", "rule") else "right", no_wrap=True)
    for number, line in enumerate(rows):
        ends = number + 1 == len(rows) or rows[number + 1]["curve"] != line["curve"]
        table.add_row(*(line[column] for column in shown), end_section=ends)
    Console(width=150).print(table)
    if options.out:
        write_csv(options.out, [{**line, **used, "date": day} for line in rows])


if __name__ == "__main__":
    main()
