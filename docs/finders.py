"""docs/finders.md and .svg: how much finders of a learning rate lose against the best of a grid.

    python docs/finders.py

Reads results/finders.csv and results/finders_batch_norm.csv, which benchmarks/finders.py measures.
"""

import csv
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from docs.finders_scores import Problem, Row, answers_apart, answers_of, chosen_on_half, grouped, means
from docs.pages import table, write
from figures.finders import draw
from figures.svg import standalone

RESULTS = Path(__file__).resolve().parents[1] / "results" / "finders.csv"
NORMALISED = RESULTS.with_name("finders_batch_norm.csv")
OURS = {
    "raced": "`LRRangeTest`, raced (`refine: 4`)",
    "raced, held out": "the same, scored by held-out loss",
    "suggested": "`LRRangeTest`, suggested",
    "median": "`LRRangeTest`, median of its points",
}
SWEEPS = ("100 steps from 1e-07", "600 steps from 1e-07", "200 steps from 1e-05")  # shown one by one
RATE_FREE = ("Prodigy", "schedule-free AdamW", "D-Adaptation")
OTHERS = ("fastai, valley", "fastai, steep", "fastai, minimum", "pytorch-lr-finder", "Lightning", *RATE_FREE)


@cache
def problems() -> list[Problem]:
    """The problems whose grid is whole with two seeds or more."""
    return grouped(_read())


@cache
def judged_anew() -> list[Problem]:
    """The problems with batch norm, whose networks were judged with its averages taken anew."""
    return grouped(_read(NORMALISED))


def values() -> dict[str, str]:
    """Values for the template, by name."""
    found = problems()
    machines, torch, lightning, packages, dates = (
        ", ".join(sorted({row[column] for row in _read()} - {""}))
        for column in ("cpu", "torch", "lightning", "package", "date")
    )
    return {
        "problems": counted(found),
        "finders": finders(found),
        "by_problem": by_problem(found),
        "steps": other_sweeps(found),
        "robustness": robustness(found),
        "sentence": sentence(found),
        "norms": by_problem(judged_anew()),
        "anew": anew(judged_anew()),
        "scoring": scoring(found),
        "share": share(found),
        "measured": f"{machines}, one thread; torch {torch}, Lightning {lightning}; {packages}; {dates}",
    }


def counted(found: Sequence[Problem]) -> str:
    """How many of the problems there are."""
    seeds = {len(one.seeds) for one in found}
    return f"{len(found)} problems, {' or '.join(map(str, sorted(seeds)))} seeds each"


def anew(found: Sequence[Problem]) -> str:
    """What the mean over all problems is with those in their place that were judged with averages taken anew."""
    instead = {one.name: one for one in found}
    whole = [instead.get(one.name, one) for one in problems()]
    losses = {name: list(means(whole, name).values()) for name in ("raced", "suggested")}
    said = [
        f"{name} {statistics.fmean(mine):.2f} in the mean, {max(mine):.2f} at worst" for name, mine in losses.items()
    ]
    return f"All {len(whole)} problems with these in place of the same above: {'; '.join(said)}."


def figures() -> dict[str, str]:
    """Name and content of the figure's file."""
    losses = {}
    for name in (*OURS, *OTHERS):
        losses[OURS.get(name, name).replace("`", "")] = list(means(problems(), name).values())
    shown = {name: points for name, points in losses.items() if points}
    figure = draw(shown, [name.replace("`", "") for name in OURS.values()])
    return {"finders.svg": standalone(figure, "finders")}


def finders(found: Sequence[Problem]) -> str:
    """A row for each finder, and one for a grid that is run with one seed."""
    rows = [
        _row(found, OURS.get(name, name), lambda one, name=name: one.losses(name), name) for name in (*OURS, *OTHERS)
    ]
    grid = _row(found, "the grid, run with one seed", Problem.of_one_seed)
    headings = (
        "finder",
        "loss, points",
        "by seed",
        "worst problem",
        "within 1 point",
        "decades off",
        "steps",
        "seconds",
    )
    return table(headings, [*(row for row in rows if row[1] != "none"), grid])


def _row(
    found: Sequence[Problem], title: str, losses: Callable[[Problem], Mapping[str, float]], finder: str = "grid"
) -> list[str]:
    per = {one.name: mine for one in found if (mine := losses(one))}
    if not per:
        return [title, "none", *[""] * 6]
    means = {name: statistics.fmean(mine.values()) for name, mine in per.items()}
    seeds = sorted({seed for mine in per.values() for seed in mine})
    by_seed = [statistics.fmean(mine[seed] for mine in per.values() if seed in mine) for seed in seeds]
    worst = max(means, key=lambda name: means[name])
    refused = sum(not row["accuracy"] for row in _costs(found, finder))
    off = [away for one in found for away in one.decades(finder)]
    costs = [[float(row[column] or 0) for row in _costs(found, finder)] for column in ("steps", "seconds")]
    steps, seconds = (sum(cost) / (refused + sum(len(mine) for mine in per.values())) for cost in costs)
    return [
        title,
        f"{statistics.fmean(means.values()):.2f}" + (f" ({refused} refused)" if refused else ""),
        ", ".join(f"{loss:.2f}" for loss in by_seed),
        f"{means[worst]:.2f}, {worst}",
        f"{sum(loss <= 1 for loss in means.values())} of {len(means)}",
        f"{statistics.median(off):+.2f}" if off else "",
        f"{steps:,.0f}" if steps else "none",
        f"{seconds:.1f}" if seconds else "none",
    ]


def by_problem(found: Sequence[Problem]) -> str:
    """The loss of each finder on each problem, mean over the seeds."""
    shown = [name for name in (*OURS, *OTHERS) if means(found, name)]
    rows = []
    for one in found:
        losses = [one.losses(name) for name in shown]
        best = f"{one.best:.2g}: {100 * statistics.fmean(one.grid[one.best].values()):.1f}"
        rows.append([one.name, best, *(f"{statistics.fmean(mine.values()):.1f}" if mine else "" for mine in losses)])
    return table(("problem", "best of the grid: rate, accuracy in %", *shown), rows)


def other_sweeps(found: Sequence[Problem]) -> str:
    """How far the answers of sweeps of other lengths and first rates lie from the usual one, and from each other."""
    rows = []
    for one in found:
        suggested, median = (answers_of(one, name) for name in ("suggested", "median"))
        if suggested and median:
            moved = [_moved(suggested, f"suggested, {sweep}") for sweep in SWEEPS]
            apart = [f"{cell:.2f}" for cell in (*answers_apart(suggested), answers_apart(median)[0])]
            rows.append([one.name, str(len(suggested["suggested"])), *moved, *apart])
    return table(("problem", "seeds", *SWEEPS, "all six apart", "of one seed", "medians apart"), rows)


def _moved(answers: Mapping[str, Mapping[str, float]], kind: str) -> str:
    usual = next(iter(answers.values()))
    return f"{statistics.fmean(answers[kind][seed] - usual[seed] for seed in usual):+.2f}"


def robustness(found: Sequence[Problem]) -> str:
    """On how many problems the answers stay together."""
    apart = [answers_apart(answers)[0] for one in found if (answers := answers_of(one, "suggested"))]
    near = sum(decades <= 0.15 for decades in apart)
    return f"On {near} of {len(apart)} problems they do; the median of all is {statistics.median(apart):.2f}."


def sentence(found: Sequence[Problem]) -> str:
    """Whether the raced rate loses as little as it should, and who loses less."""
    losses = {name: list(means(found, name).values()) for name in (*OURS, *OTHERS)}
    mean = {name: statistics.fmean(mine) for name, mine in losses.items() if mine}
    worst = max(losses["raced"])
    met = "meets that" if mean["raced"] <= 1 and worst <= 2 else "does not meet that"
    orders = [
        "; ".join(f"{name} {mean[name]:.2f}" for name in sorted(part, key=lambda name: mean[name]))
        for part in ([name for name in mean if name not in RATE_FREE], [name for name in mean if name in RATE_FREE])
    ]
    return (
        "Asked was a mean loss of at most 1.0 points with no problem above 2: the raced rate, with "
        f"{mean['raced']:.2f} in the mean and {worst:.2f} at worst, {met}. By mean loss: {orders[0]}. "
        f"What takes the optimizer's place: {orders[1]}."
    )


def share(found: Sequence[Problem]) -> str:
    """What part of the grid's steps sweeps and race take."""
    both, sweeps, grid = (
        sum(float(row["steps"]) for row in _costs(found, name)) for name in ("raced", "suggested", "grid")
    )
    return f"Both are {both / grid:.0%} of the grid's steps, and the race alone {(both - sweeps) / grid:.0%}."


def scoring(found: Sequence[Problem]) -> str:
    """Whether the race is better scored by training loss or by held-out loss."""
    names = ("raced", "raced, held out")
    one, other = (means(found, name) for name in names)
    less, more = (sum(sign * (other[name] - one[name]) < -0.005 for name in one if name in other) for sign in (1, -1))
    return (
        f"So it is better on {less} of {len(one)} problems and worse on {more}. By training loss always, "
        f"{statistics.fmean(one.values()):.2f} points are lost in the mean, by held-out loss always "
        f"{statistics.fmean(other.values()):.2f}, and by whichever was better on a half of the problems, judged by the "
        f"other half, {chosen_on_half(found, names):.2f} in the mean of all halves."
    )


def _costs(found: Sequence[Problem], finder: str) -> list[Row]:
    if finder == "grid":
        return [row for row in _read() if row["finder"] == "grid" and row["problem"] in {one.name for one in found}]
    return [row for one in found for (name, seed), row in one.found.items() if name == finder and seed in one.seeds]


@cache
def _read(path: Path = RESULTS) -> list[Row]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    write(Path(__file__), values())
    for name, content in figures().items():
        Path(__file__).with_name(name).write_text(content)
