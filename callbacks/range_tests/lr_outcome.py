"""What came out of a learning-rate range test, as a suggestion, as tables and as a figure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from callbacks.range_tests.losses import smooth
from callbacks.range_tests.lr_consensus import Answer, Consensus, consensus
from callbacks.range_tests.lr_curve import BANDWIDTH, curve
from callbacks.range_tests.lr_edges import edges
from callbacks.range_tests.lr_race import Race
from callbacks.range_tests.lr_rules import Rule
from callbacks.range_tests.lr_sweeps import Sweep
from callbacks.range_tests.outcome import Told

if TYPE_CHECKING:
    from figures import Figure

TRAINING, SPREAD = "training loss", "decades between seeds"
POOLED = "the rules were asked of means over the seeds: each seed's curve by itself looks flat"
WIDE = "the fall stands out only smoothed over {:g} decades: a rough answer"


@dataclass(frozen=True, repr=False)
class LROutcome(Told):
    """Losses against the learning rate from each seed, and what the rules say of them.

    Attributes:
        lrs: rates of the test, (n,), increasing.
        sweeps: losses of each seed, up to n of them.
        asked: rules for such losses.
        smoothing: weight of the past in the running mean that is written beside the losses; 0 for none.
        loss: name of the loss that was measured.
        looks: number of times that it was taken on held-out images.
        race: race of a few rates after the sweeps; None without.
    """

    lrs: np.ndarray
    sweeps: list[Sweep]
    asked: Sequence[Rule]
    smoothing: float
    loss: str = TRAINING
    looks: int = 0
    race: Race | None = None

    @cached_property
    def consensus(self) -> Consensus:
        """The rules' answers, and the suggestion, which a race decides, or a refusal."""
        losses, errors = [sweep.losses for sweep in self.sweeps], [sweep.errors for sweep in self.sweeps]
        found = consensus(self.lrs, losses, self.asked, errors, self.loss != TRAINING)
        return found if self.race is None else replace(found, lr=self.race.lr)

    @property
    def lr(self) -> float | None:
        """The suggested rate; None with a refusal."""
        return self.consensus.lr

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Suggested (lr_min, lr_max); None with a refusal."""
        return self.consensus.bounds

    @property
    def refusal(self) -> str | None:
        """The reason why nothing is suggested; None where something is."""
        return self.consensus.refusal

    @property
    def edges(self) -> tuple[str, ...]:
        """What of the suggestion lies at the edge of the rates that were tried; none with a refusal."""
        return edges(self.lrs, self.sweeps, self.consensus, self.race)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each seed and rate; with the loss's standard error where it is known."""
        name = "loss" if self.loss == TRAINING else "held_out_loss"
        return [
            {"seed": seed, "lr": float(lr), name: float(sweep.losses[place]), "smoothed": float(means[place])}
            | ({} if sweep.errors is None else {"error": float(sweep.errors[place])})
            for seed, sweep in enumerate(self.sweeps)
            for means in [smooth(sweep.losses, self.smoothing)]
            for place, lr in enumerate(self.lrs[: len(sweep.losses)])
        ]

    def table(self) -> list[dict[str, Any]]:
        """A row for each rule that answers, and one for the suggestion or the refusal."""
        rules = [
            _row(name, answer.low, None if answer.point else answer.high, answer.spread if answer.seeds > 1 else "")
            for name, answer in self.consensus.rules.items()
            if answer is not None
        ]
        if self.lr is None:
            return self._shown([*rules, _row("refused", "", str(self.refusal))])
        rules.append(_row("median of the points", self.consensus.median))
        if self.race is not None:
            for lr, score in zip(self.race.lrs, self.race.scores, strict=True):
                kind = "" if self.loss == TRAINING else "held-out "
                rules.append(_row(f"raced, {kind}loss {score:.4g}", float(lr)))
        by = "" if self.loss == TRAINING else " by held-out loss"
        of = " in means over the seeds" if self.consensus.pooled else ""
        return self._shown([*rules, _row(f"suggested{by}{of}", self.lr)])

    def record(self) -> dict[str, Any]:
        """The suggestion, each rule's answer, and why each seed's sweep ended; plain values, None for no answer."""
        found = self.consensus
        rules = {
            name: None
            if answer is None
            else {"low": answer.low, "high": answer.high, "spread": self._spread(answer), "seeds": answer.seeds}
            for name, answer in found.rules.items()
        }
        suggestion = {
            "loss": self.loss,
            "looks": self.looks,
            "lr": found.lr,
            "median": found.median,
            "bounds": found.bounds,
            "rules": rules,
            "seeds": found.seeds,
        }
        if found.pooled:
            suggestion["pooled"] = True
        if found.bandwidth != BANDWIDTH:
            suggestion["bandwidth"] = found.bandwidth
        if self.race is not None:
            suggestion["race"] = self.race.record()
        suggestion |= {"refusal": found.refusal, "edges": list(self.edges)}
        return suggestion | {"stopped": [sweep.stopped for sweep in self.sweeps]}

    def figure(self, title: str = "LR range test") -> "Figure | None":
        """The losses and the rules' answers, see `figures.lr_range_test`; None where no seed has a curve."""
        from figures.lr_range_test import draw

        curves = [curve(self.lrs, sweep.losses, sweep.errors) for sweep in self.sweeps]
        if all(at is None for at in curves):
            return None
        drawn = [np.full(len(self.lrs), np.nan) if at is None else at.at(self.lrs) for at in curves]
        losses = [sweep.losses for sweep in self.sweeps]
        return draw(self.lrs, losses, drawn, self.consensus, title, self.loss, self._remarks)

    def summary(self) -> str:
        """The suggestion, or the refusal with its reason, in one line."""
        if self.lr is None or self.bounds is None:
            return f"no suggestion, {self.refusal}"
        by = "" if self.loss == TRAINING else f", by {self.looks:,} looks at the {self.loss}"
        answer = f"lr {self.lr:.3g}, bounds {self.bounds[0]:.3g} to {self.bounds[1]:.3g}{by}"
        return "; ".join([answer, *self._remarks])

    @property
    def _remarks(self) -> tuple[str, ...]:
        found = self.consensus
        if found.lr is None:
            return self.edges
        pooled = (POOLED,) if found.pooled else ()
        wide = (WIDE.format(found.bandwidth),) if found.bandwidth != BANDWIDTH else ()
        return (*pooled, *wide, *self.edges)

    def _shown(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows, without what a single seed cannot show."""
        if len(self.sweeps) > 1:
            return rows
        return [{name: value for name, value in row.items() if name != SPREAD} for row in rows]

    def _spread(self, answer: Answer) -> float | None:
        return answer.spread if len(self.sweeps) > 1 else None


def _row(
    rule: str, low: float | str | None, high: float | str | None = None, spread: float | str = ""
) -> dict[str, Any]:
    """A row of the table: one number for a point."""
    return {"rule": rule, "from": low, "to": "" if high is None else high, SPREAD: spread}
