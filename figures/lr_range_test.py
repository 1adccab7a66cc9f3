"""The figure of an LR range test: loss against learning rate, and what each rule suggests."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.legends import legend

LINE, CHOICE, MARK = "#1f5f99", "#c0392b", "#333333"
FEW = 30  # most rates that are drawn as single points


class Answered(Protocol):
    """One rule's answer: `callbacks.range_tests.lr_consensus.Answer`."""

    @property
    def point(self) -> bool: ...  # noqa: D102
    @property
    def low(self) -> float: ...  # noqa: D102
    @property
    def high(self) -> float: ...  # noqa: D102
    @property
    def spread(self) -> float: ...  # noqa: D102


class Agreed(Protocol):
    """What the seeds agree upon: `callbacks.range_tests.lr_consensus.Consensus`, which a figure may not import."""

    @property
    def lr(self) -> float | None: ...  # noqa: D102
    @property
    def bounds(self) -> tuple[float, float] | None: ...  # noqa: D102
    @property
    def rules(self) -> Mapping[str, Answered | None]: ...  # noqa: D102
    @property
    def refusal(self) -> str | None: ...  # noqa: D102


def draw(
    lrs: np.ndarray,
    losses_per_seed_raw: Sequence[np.ndarray],
    losses_per_seed_smoothed: Sequence[np.ndarray],
    consensus: Agreed,
    title: str,
    loss: str,
    remarks: Sequence[str] = (),
) -> Figure:
    """Above: the raw losses, the smoothed ones' median over the seeds and their range. Below: a row for each rule.

    Args:
        lrs: learning rates, (n,), increasing.
        losses_per_seed_raw: losses of each seed, (n,) or fewer where it stopped early; they may end non-finite.
        losses_per_seed_smoothed: the same, smoothed without lag (`range_tests/lr_curve.py`), or marks look early.
        consensus: the rules' answers, the suggestion and the bounds, or the refusal, which is then said.
        title: title of the figure.
        loss: name of the loss, for its axis.
        remarks: what else is to be known of the suggestion, a line each.
    """
    raw, smoothed = _padded(losses_per_seed_raw, len(lrs)), _padded(losses_per_seed_smoothed, len(lrs))
    figure = Figure(figsize=(8, 5.4), layout="constrained")
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1 + 0.1 * len(consensus.rules)))
    _curves(top, lrs, raw, smoothed)
    top.set_ylabel(loss)
    _rules(below, consensus)
    for axes in (top, below):
        axes.spines[["top", "right"]].set_visible(False)
        if consensus.bounds is not None:
            axes.axvspan(*consensus.bounds, color=CHOICE, alpha=0.08, linewidth=0)
        if consensus.lr is not None:
            axes.axvline(consensus.lr, color=CHOICE, linewidth=1.2)
    if consensus.bounds is not None and consensus.lr is not None:
        low, high = consensus.bounds
        said = f"suggested {_rate(consensus.lr)}, between {_rate(low)} and {_rate(high)}"
    else:
        said = f"no suggestion: {consensus.refusal}"
    top.set_title("\n".join([said, *remarks]), loc="left", fontsize=10, color=CHOICE)
    legend(figure, "outside lower center", columns=3)  # inside, it would hide some curve
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    return figure


def _curves(axes: Axes, lrs: np.ndarray, raw: np.ndarray, smoothed: np.ndarray) -> None:
    """Raw losses, the band and the median, on axes that a diverged end does not stretch."""
    axes.set_xscale("log")
    few = len(lrs) <= FEW
    for number, losses in enumerate(raw):
        label = "raw loss" if number == 0 else None
        style: dict[str, Any] = {"marker": ".", "linestyle": "none"} if few else {"linewidth": 0.6}
        axes.plot(lrs, losses, color="#9aa5b1", alpha=0.7, label=label, zorder=1, **style)
    known = np.isfinite(smoothed).any(axis=0)
    seen, some = lrs[known], smoothed[:, known]
    if len(some) > 1:
        ends = np.nanmin(some, axis=0), np.nanmax(some, axis=0)
        axes.fill_between(seen, *ends, color=LINE, alpha=0.2, linewidth=0, label="lowest to highest seed")
    label = "smoothed" if len(some) == 1 else f"smoothed, median of {len(some)} seeds"
    style = {"marker": "o", "markersize": 4} if few else {}
    axes.plot(seen, np.nanmedian(some, axis=0), color=LINE, linewidth=2, label=label, **style)
    axes.set_ylim(*_limits(raw, some))
    axes.grid(alpha=0.25, linewidth=0.6)


def _rules(axes: Axes, consensus: Agreed) -> None:
    """A row for each rule: its rate, or its interval, and how far the seeds lie apart."""
    names = list(consensus.rules)
    for row, name in enumerate(names):
        answer = consensus.rules[name]
        if answer is None:
            axes.text(0.5, row, "no fall found", transform=axes.get_yaxis_transform(), va="center", fontsize=8)
            continue
        axes.plot([answer.low, answer.high], [row, row], color=MARK, linewidth=3, solid_capstyle="butt")
        if answer.point:
            axes.plot(answer.low, row, "o", color=MARK, markersize=6)
        value = _rate(answer.low) if answer.point else f"{_rate(answer.low)} to {_rate(answer.high)}"
        apart = f", seeds {answer.spread:.1f} decades apart" if answer.spread >= 0.05 else ""
        place: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": 8, "color": MARK}
        low, high = axes.transData.transform([(answer.low, row), (answer.high, row)])[:, 0]
        left, right = axes.transAxes.transform([(0, 0), (1, 0)])[:, 0]
        if low - left > right - high:
            axes.annotate(value + apart, (answer.low, row), (-8, 0), ha="right", **place)
        else:
            axes.annotate(value + apart, (answer.high, row), (8, 0), ha="left", **place)
    axes.set_yticks(range(len(names)), [name.replace("_tenth", " / 10") for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("learning rate")
    axes.grid(axis="x", alpha=0.25, linewidth=0.6)


def _limits(raw: np.ndarray, smoothed: np.ndarray) -> tuple[float, float]:
    """From the lowest losses to half as far above the start as they lie below it, or to the highest if that is less."""
    finite = raw[np.isfinite(raw)]
    first = raw[:, : max(3, raw.shape[1] // 10)]
    start = float(np.nanmedian(first))
    bottom = min(float(np.nanmin(smoothed)), float(np.percentile(finite, 1)))
    height = max(start - bottom, 1e-6 * max(abs(start), 1e-6))
    above = max(start + 0.5 * height, float(np.nanmax(np.where(np.isfinite(first), first, np.nan))))
    above = min(above, max(float(finite.max()), start))
    return bottom - 0.06 * height, above + 0.06 * height


def _padded(losses: Sequence[np.ndarray], n: int) -> np.ndarray:
    """(seeds, n), NaN where a seed has no finite loss."""
    table = np.full((len(losses), n), np.nan)
    for row, its in zip(table, losses, strict=True):
        its = np.asarray(its, np.float64)
        row[: len(its)] = np.where(np.isfinite(its), its, np.nan)
    return table


def _rate(lr: float) -> str:
    return f"{lr:.1e}"
