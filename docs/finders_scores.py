"""Scores of finders: what each loses on a problem, and how far apart the answers of its settings lie."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

KINDS = 6  # of sweeps: three numbers of steps from two first rates
LEVEL = 0.005  # accuracy below the best of the grid that is as good as it
Row = Mapping[str, str]


@dataclass(frozen=True)
class Problem:
    """The rows of one problem.

    Attributes:
        name: its name.
        seeds: seeds with a whole grid.
        grid: accuracy of each seed at each rate of the grid, rates increasing.
        found: row of each finder and seed.
    """

    name: str
    seeds: Sequence[str]
    grid: Mapping[float, Mapping[str, float]]
    found: Mapping[tuple[str, str], Row]

    @property
    def best(self) -> float:
        """The rate of the grid with the best mean over the seeds."""
        return max(self.grid, key=self._mean)

    @property
    def middle(self) -> float:
        """Log10 of the middle of the rates whose mean is within half a point of the best."""
        level = [math.log10(rate) for rate in self.grid if self._mean(rate) >= self._mean(self.best) - LEVEL]
        return statistics.fmean(level)

    def losses(self, finder: str) -> dict[str, float]:
        """Points behind the best of the grid of each seed, same seed; without those that a finder refused."""
        rows = {seed: self.found.get((finder, seed)) for seed in self.seeds}
        reached = {seed: float(row["accuracy"]) for seed, row in rows.items() if row and row["accuracy"]}
        return {seed: 100 * (self.grid[self.best][seed] - accuracy) for seed, accuracy in reached.items()}

    def decades(self, finder: str) -> list[float]:
        """Decades of each seed's rate above `middle`."""
        rows = [self.found.get((finder, seed)) for seed in self.seeds]
        return [math.log10(float(row["rate"])) - self.middle for row in rows if row and row["rate"]]

    def of_one_seed(self) -> dict[str, float]:
        """What the best rate of one seed loses with the others: the grid as people run it."""
        losses = {}
        for seed in self.seeds:
            others = [other for other in self.seeds if other != seed]
            own = max(self.grid, key=lambda rate: self.grid[rate][seed])
            losses[seed] = 100 * statistics.fmean(
                self.grid[self.best][other] - self.grid[own][other] for other in others
            )
        return losses

    def _mean(self, rate: float) -> float:
        return statistics.fmean(self.grid[rate].values())


def grouped(rows: Sequence[Row]) -> list[Problem]:
    """Problems of the rows, those alone that have a grid of eleven rates with two seeds or more."""
    made = []
    for name in dict.fromkeys(row["problem"] for row in rows):
        mine = [row for row in rows if row["problem"] == name]
        grid: dict[float, dict[str, float]] = {}
        for row in mine:
            if row["finder"] == "grid":
                grid.setdefault(float(row["rate"]), {})[row["seed"]] = float(row["accuracy"])
        seeds = [seed for seed in dict.fromkeys(row["seed"] for row in mine) if all(seed in of for of in grid.values())]
        if len(grid) == 11 and len(seeds) > 1:
            whole = {rate: {seed: grid[rate][seed] for seed in seeds} for rate in sorted(grid)}
            found = {(row["finder"], row["seed"]): row for row in mine if row["finder"] != "grid"}
            made.append(Problem(name, seeds, whole, found))
    return made


def means(found: Sequence[Problem], finder: str) -> dict[str, float]:
    """The mean loss over the seeds on each problem that a finder has an answer for."""
    return {one.name: statistics.fmean(mine.values()) for one in found if (mine := one.losses(finder))}


def answers_of(one: Problem, name: str) -> dict[str, dict[str, float]]:
    """Log10 of the answers of the six kinds of sweep by seed, for the seeds that have all; the usual sweep first.

    Empty where a kind has not been measured.

    Args:
        one: the problem.
        name: `suggested` or `median`.
    """
    kinds = [name, *sorted({finder for finder, _ in one.found if finder.startswith(f"{name}, ")})]
    rates = {
        kind: {seed: one.found[kind, seed]["rate"] for seed in one.seeds if (kind, seed) in one.found} for kind in kinds
    }
    common = [seed for seed in one.seeds if all(rates[kind].get(seed) for kind in kinds)]
    return {
        kind: {seed: math.log10(float(rates[kind][seed])) for seed in common}
        for kind in kinds
        if common and len(kinds) == KINDS
    }


def answers_apart(answers: Mapping[str, Mapping[str, float]]) -> tuple[float, float]:
    """Decades between the lowest and the highest answer: of the means over the seeds, and the largest of one seed's."""
    means = [statistics.fmean(mine.values()) for mine in answers.values()]
    alone = [max(seed) - min(seed) for seed in zip(*(mine.values() for mine in answers.values()), strict=True)]
    return max(means) - min(means), max(alone)


def chosen_on_half(found: Sequence[Problem], names: Sequence[str]) -> float:
    """The mean loss of the finder that is best on a half of the problems, judged by the others; of all halves."""
    losses = {name: means(found, name) for name in names}
    whole = [one.name for one in found if all(one.name in mine for mine in losses.values())]
    judged = []
    for half in combinations(whole, len(whole) // 2):
        best = min(names, key=lambda name: sum(losses[name][one] for one in half))
        judged.append(statistics.fmean(losses[best][one] for one in whole if one not in half))
    return statistics.fmean(judged)
