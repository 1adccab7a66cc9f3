"""The learning-rate range test, rehearsed on copies beside the run."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl

from callbacks.range_tests.losses import smooth
from callbacks.range_tests.lr_consensus import Consensus, consensus
from callbacks.range_tests.lr_curve import curve
from callbacks.range_tests.lr_rules import CANDIDATE_RULES, RULES
from callbacks.range_tests.lr_sweeps import Sweep, candidates, rates, swept
from callbacks.range_tests.range_test import RangeTest
from callbacks.range_tests.rehearsal import Rehearsal, undisturbed
from callbacks.range_tests.trials import Trials
from callbacks.run_record import publish, run_folder
from records.environment import device_name, versions
from records.files import write_json
from timeline.keys import rehearsal_seed
from trainer.access import datamodule_of, is_fast_dev_run
from trainer.progress import Counter
from trainer.step_hooks import without_idle_step_hooks


@without_idle_step_hooks
class LRRangeTest(RangeTest):
    """Raise the learning rate step by step on copies, and suggest rates from the loss (Smith 1506.01186, section 3.3).

    The run itself is not touched: its weights, optimizer, generators, place in the data and metrics are the same to the
    bit with and without the test. Param groups keep their ratios. Several seeds (orders of samples and draws) give a
    band; where the curve is flat or the rules disagree, the answer is a refusal with its reason.

    Leaves `lr_range_test.json`, `.csv` and `.png` in the run directory and at the loggers; logs no keys.

    Args:
        lower: first rate.
        upper: last rate.
        steps: of a sweep.
        sweep: `exponential` or `linear` spacing of the rates.
        seeds: number of sweeps, each with samples in an order of its own.
        candidates: number of rates that are each trained from the same start, instead of one sweep through all.
        candidate_steps: steps for each of the candidates; by default one epoch.
        smoothing: weight of the past in the running mean that divergence is judged by.
        diverged_at: stop a sweep once the smoothed loss is this many times its best.
        at_step: of the run, before which the test takes place.
    """

    NAME = "lr_range_test"
    SETTINGS = (
        "lower", "upper", "steps", "sweep", "seeds", "candidates", "candidate_steps", "smoothing", "diverged_at",
        "at_step",
    )  # fmt: skip

    def __init__(
        self,
        lower: float = 1e-7,
        upper: float = 10.0,
        steps: int = 200,
        sweep: Literal["exponential", "linear"] = "exponential",
        seeds: int = 3,
        candidates: int | None = None,
        candidate_steps: int | None = None,
        smoothing: float = 0.9,
        diverged_at: float = 4.0,
        at_step: int = 0,
    ) -> None:
        if not 0 < lower < upper:
            raise ValueError(f"lower must lie between 0 and upper, got {lower:g} and {upper:g}: try 1e-7 and 10")
        for name, value, least in (("steps", steps, 20), ("seeds", seeds, 1), ("at_step", at_step, 0)):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        for name, count, least in (("candidates", candidates, 3), ("candidate_steps", candidate_steps, 1)):
            if count is not None and count < least:
                raise ValueError(f"{name} must be at least {least}, got {count}: the homework takes 10 candidates")
        if candidate_steps is not None and candidates is None:
            raise ValueError("candidate_steps needs candidates: give their number, e.g. 10, or leave both out")
        if not 0 <= smoothing < 1:
            raise ValueError(f"smoothing must lie in [0, 1), got {smoothing:g}: 0.9 is usual")
        if diverged_at <= 1:
            raise ValueError(f"diverged_at must be above 1, got {diverged_at:g}: 4 is usual")
        self.lower, self.upper, self.steps, self.sweep, self.seeds = lower, upper, steps, sweep, seeds
        self.candidates, self.candidate_steps = candidates, candidate_steps
        self.smoothing, self.diverged_at, self.at_step = smoothing, diverged_at, at_step
        self.result: Consensus | None = None
        self.lr: float | None = None

    def lrs(self) -> np.ndarray:
        """The rates of the test."""
        return rates(self.lower, self.upper, self.candidates or self.steps, self.sweep)

    def measure(self, trainer: pl.Trainer) -> list[Sweep]:
        """Loss against rate, once for each seed; the run is left as it is."""
        data = datamodule_of(trainer)
        step = trainer.global_step
        size, lrs = data.stream.size(step), self.lrs()
        steps = self.candidate_steps or data.stream.steps_in(data.stream.place(step)[0])
        seeds = [rehearsal_seed(data.seed, number) for number in range(self.seeds)]
        if is_fast_dev_run(trainer):
            lrs, steps, seeds = lrs[:4], 1, seeds[:1]
        total = len(seeds) * len(lrs) * (steps if self.candidates else 1)
        counter = Counter("LR range test", total, trainer, self.steps_before())
        with undisturbed(trainer), counter as progress, self.trials(trainer, progress) as trials:
            return [
                self._sweep(trials, f"seed {number}", partial(Rehearsal, trainer, size, seed), lrs, steps)
                for number, seed in enumerate(seeds)
            ]

    def run(self, trainer: pl.Trainer) -> None:
        """Sweep, and ask the rules; the run stays as it is."""
        sweeps = self.measure(trainer)
        rules = CANDIDATE_RULES if self.candidates else RULES
        losses, errors = [sweep.losses for sweep in sweeps], [sweep.errors for sweep in sweeps]
        self.result = consensus(self.lrs(), losses, rules, errors)
        self.bounds, self.lr, self.refusal = self.result.bounds, self.result.lr, self.result.refusal
        if is_fast_dev_run(trainer):  # from four steps there is nothing to learn
            self.bounds, self.refusal = (self.lower, self.upper), None
        if trainer.is_global_zero:
            self._publish(trainer, sweeps, self.result)

    def _sweep(self, trials: Trials, name: str, start: Callable[[], Rehearsal], lrs: np.ndarray, steps: int) -> Sweep:
        if self.candidates:
            return candidates(lambda index: trials(f"{name}, rate {index}", start), lrs, steps, self.diverged_at)
        return swept(trials(name, start), lrs, self.smoothing, self.diverged_at)

    def _publish(self, trainer: pl.Trainer, sweeps: list[Sweep], result: Consensus) -> None:
        from figures.lr_range_test import draw

        lrs, raw = self.lrs(), [sweep.losses for sweep in sweeps]
        beta = 0.0 if self.candidates else self.smoothing
        smoothed = [smooth(losses, beta) for losses in raw]
        curves = [curve(lrs, sweep.losses, sweep.errors) for sweep in sweeps]
        drawn = [np.full(len(lrs), np.nan) if at is None else at.at(lrs) for at in curves]
        rows = [
            {"seed": seed, "lr": float(lr), "loss": float(sweep.losses[place]), "smoothed": float(means[place])}
            | ({} if sweep.errors is None else {"error": float(sweep.errors[place])})
            for seed, (sweep, means) in enumerate(zip(sweeps, smoothed, strict=True))
            for place, lr in enumerate(lrs[: len(sweep.losses)])
        ]
        title = f"LR range test: {type(trainer.lightning_module).__name__}"
        figure = draw(lrs, raw, drawn, result, title) if any(at is not None for at in curves) else None
        publish(trainer, self.NAME, figure, rows)
        if (folder := run_folder(trainer)) is not None:
            device = device_name(trainer.strategy.root_device)
            write_json(
                folder / f"{self.NAME}.json",
                asdict(result)
                | {"stopped": [sweep.stopped for sweep in sweeps], "settings": self.settings(), "device": device}
                | {"optimizer": type(trainer.optimizers[0]).__name__, "versions": versions()},
            )
        print(self.summary(), file=sys.stderr)

    def table(self) -> list[dict[str, Any]]:
        """What each rule says, and the answer."""
        if self.result is None:
            return []
        rules = [
            {"rule": rule, "from": answer.low, "to": answer.high, "decades between seeds": answer.spread}
            for rule, answer in self.result.rules.items()
            if answer is not None
        ]
        if self.lr is None:
            return [*rules, {"rule": "refused", "from": "", "to": "", "decades between seeds": str(self.refusal)}]
        return [*rules, {"rule": "suggested", "from": self.lr, "to": self.lr, "decades between seeds": ""}]

    def state_dict(self) -> dict[str, Any]:
        """What was found, the point between the bounds too."""
        return super().state_dict() | {"lr": self.lr}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what was found up again."""
        super().load_state_dict(state_dict)
        self.lr = state_dict["lr"]

    def summary(self) -> str:
        """The answer, in a line."""
        if self.bounds is None:
            return f"LR range test: no suggestion, {self.refusal or 'it has not run'}"
        if self.lr is None:
            return "LR range test: no suggestion from a fast_dev_run"
        return f"LR range test: lr {self.lr:.3g}, bounds {self.bounds[0]:.3g} to {self.bounds[1]:.3g}"
