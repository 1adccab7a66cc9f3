"""How much each finder of a learning rate loses: a row for each, a mark for each problem."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from figures import as_text
from figures.style import colour, plain


def draw(losses: Mapping[str, Sequence[float]], own: Sequence[str]) -> Figure:
    """One row a finder, the first on top: the loss on each problem, and the mean of them as a bar.

    Args:
        losses: points behind the best of the grid on each problem, by the finder's name; below 0 is better than it.
        own: names of the finders that are ours, drawn in another colour.
    """
    figure = Figure(figsize=(7, 0.8 + 0.3 * len(losses)), layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("symlog", linthresh=1, linscale=0.6)
    plain(axes, "points behind the best of the grid", "")
    axes.axvline(0, color="black", linewidth=0.8)
    for place, (name, points) in enumerate(losses.items()):
        ink = colour(0) if name in own else colour(1)
        axes.plot(points, [place] * len(points), "o", color=ink, markersize=4, alpha=0.6, markeredgewidth=0)
        axes.plot([sum(points) / len(points)], [place], "|", color=ink, markersize=15, markeredgewidth=2.5)
    axes.set_yticks(range(len(losses)), [as_text(name) for name in losses])
    axes.set_ylim(len(losses) - 0.4, -0.6)
    ticks = [-10, -3, -1, 0, 1, 3, 10, 30, 80]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(min(-1, *map(min, losses.values())) * 1.3, max(1, *map(max, losses.values())) * 1.3)
    return figure
