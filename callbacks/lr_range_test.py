"""The learning-rate range test, rehearsed on copies beside the run."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl

from callbacks.lr_ratios import say_again, say_ratios
from callbacks.lr_schedule import only_schedule, refuse_scheduler, set_lr
from callbacks.range_tests.held_out import HeldOutRehearsal
from callbacks.range_tests.losses import judged
from callbacks.range_tests.lr_outcome import TRAINING, LROutcome
from callbacks.range_tests.lr_race import field_of, quarter, raced
from callbacks.range_tests.lr_rules import CANDIDATE_RULES, RULES
from callbacks.range_tests.lr_sweeps import Sweep, candidates, rates, swept
from callbacks.range_tests.range_test import MOST_STEPS, MOST_TRIALS, NoSuggestion, RangeTest
from callbacks.range_tests.rehearsal import Rehearsal, undisturbed
from callbacks.range_tests.subject import data_of
from callbacks.range_tests.trials import Trials
from checks.arguments import require_at_least, require_not_negative, require_within
from timeline.keys import rehearsal_seed
from trainer.access import callbacks_of, datamodule_of, is_fast_dev_run

FORWARD = 3  # a step's work for an image over that of looking at it: there and back, and for the weights


class LRRangeTest(RangeTest):
    """Raise the learning rate step by step on copies, and suggest rates from the loss (Smith 1506.01186, section 3.3).

    The run itself is not touched: its weights, optimizer, generators, place in the data and metrics are the same to the
    bit with and without the test. Param groups keep their ratios. Several seeds (orders of samples and draws) give a
    band; where the curve is flat or the rules disagree, the answer is a refusal with its reason. With `update_lr` the
    run then trains at the suggested rate, as if that had been the optimizer's own, and a refusal ends it.

    Leaves `lr_range_test.json`, `.csv` and `.png` in the run directory and at the loggers; logs no keys.

    Args:
        lower: first rate.
        upper: last rate.
        steps: number of steps in one sweep, one rate each.
        sweep: `exponential` or `linear` spacing of the rates.
        seeds: number of sweeps, each with samples in an order of its own.
        candidates: number of rates that are each trained from the same start, instead of one sweep through all.
        candidate_steps: steps for each of the candidates; by default one epoch.
        refine: number of rates that are raced after the sweeps, from the median of the rules' points to twice the
            bounds' upper end; the best of them is the suggestion. Without, the sweeps alone decide.
        refine_steps: number of steps for each raced rate, from the same start and on the same samples.
        smoothing: weight of the past in the running mean that divergence is judged by.
        diverged_at: stop a sweep once the smoothed loss is this many times its best.
        at_step: number of steps that the run makes before the test.
        update_lr: whether the run trains at the suggested rate from the test on, in place of the optimizer's own.
        on: images whose loss judges a rate: each step's `training` batch, or some `held_out` ones after the step.
        held_out_images: number of validation images for `held_out`; all of them where there are fewer.

    Raises:
        ValueError: a field is out of range; with `update_lr`, also where a schedule sets the rate without regard to the
            optimizer's own, or the test suggests none.

    `updated_to` is the rate that `update_lr` has set, None without.
    """

    NAME = "lr_range_test"
    TITLE = "LR range test"
    SETTINGS = (
        "lower", "upper", "steps", "sweep", "seeds", "candidates", "candidate_steps", "refine", "refine_steps",
        "smoothing", "diverged_at", "at_step", "on", "held_out_images",
    )  # fmt: skip
    FOUND = (*RangeTest.FOUND, "lr")
    RECORDED = ("settings", "device", "optimizer", "versions")
    lr: float | None = None
    updated_to: float | None = None
    _ratios: Sequence[list[float]] = ()

    def __init__(
        self,
        lower: float = 1e-7,
        upper: float = 10.0,
        steps: int = 200,
        sweep: Literal["exponential", "linear"] = "exponential",
        seeds: int = 3,
        candidates: int | None = None,
        candidate_steps: int | None = None,
        refine: int | None = None,
        refine_steps: int = 48,
        smoothing: float = 0.9,
        diverged_at: float = 4.0,
        at_step: int = 0,
        update_lr: bool = False,
        on: Literal["training", "held_out"] = "training",
        held_out_images: int = 512,
    ) -> None:
        if not 0 < lower < upper:
            raise ValueError(f"lower must lie between 0 and upper, got {lower:g} and {upper:g}: try 1e-7 and 10")
        require_not_negative("0 tests before the run's first step", at_step=at_step)
        require_within(f"[20, {MOST_STEPS}]", "200 is usual", steps=steps)
        require_within(f"[1, {MOST_TRIALS}]", "3 is usual", seeds=seeds)
        if candidates is not None:
            require_within(f"[3, {MOST_TRIALS}]", "10 is usual", candidates=candidates)
        if candidate_steps is not None:
            require_within(f"[1, {MOST_STEPS}]", "leave it out for one epoch", candidate_steps=candidate_steps)
        if candidate_steps is not None and candidates is None:
            raise ValueError("candidate_steps needs candidates: give their number, e.g. 10, or leave both out")
        if refine is not None:
            require_within(f"[2, {MOST_TRIALS}]", "4 is usual, leave it out for no race", refine=refine)
        if refine is not None and candidates is not None:
            raise ValueError("refine goes with sweeps, and candidates are trained to their end: leave one of them out")
        require_within(f"[8, {MOST_STEPS}]", "48 is usual", refine_steps=refine_steps)
        if not 0 <= smoothing < 1:
            raise ValueError(f"smoothing must lie in [0, 1), got {smoothing:g}: 0.9 is usual")
        if diverged_at <= 1:
            raise ValueError(f"diverged_at must be above 1, got {diverged_at:g}: 4 is usual")
        self.lower, self.upper, self.steps, self.sweep, self.seeds = lower, upper, steps, sweep, seeds
        self.candidates, self.candidate_steps = candidates, candidate_steps
        self.refine, self.refine_steps = refine, refine_steps
        self.smoothing, self.diverged_at, self.at_step = smoothing, diverged_at, at_step
        if on not in ("training", "held_out"):
            raise ValueError(f"on must be training or held_out, got {on!r}: leave it out for training")
        require_at_least(32, "512 is usual", held_out_images=held_out_images)
        self.update_lr, self.on, self.held_out_images = update_lr, on, held_out_images

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Do as every range test does; refuse `on: held_out` without images, `update_lr` beside a schedule in its way.

        Raises:
            ValueError: nothing is held out, or there is such a schedule.
        """
        super().setup(trainer, pl_module, stage)
        if stage == "fit" and self.on == "held_out" and not getattr(datamodule_of(trainer), "validates", True):
            raise ValueError("on: held_out needs validation images: set data.val_fraction, e.g. 0.1, or leave it out")
        if stage != "fit" or not self.update_lr:
            return
        self.updated_to = None
        callbacks = callbacks_of(trainer)
        if (schedule := only_schedule(callbacks)) is None:
            return
        name = type(schedule).__name__
        if not schedule.scales:
            raise ValueError(
                f"update_lr has no part beside {name}, which sets every rate itself: leave one of them out"
            )
        if callbacks.index(schedule) < callbacks.index(self):
            raise ValueError(f"update_lr needs LRRangeTest before {name} in trainer.callbacks: put it there")

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """With `update_lr`, see what the fresh optimizers' ratios are, before a checkpoint's are loaded."""
        if self.update_lr:
            self._ratios = [say_ratios(optimizer) for optimizer in trainer.optimizers]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Run the test, if it is due before the first step; a resumed run takes the rate that it had found."""
        if self.update_lr:
            say_again(trainer, self._ratios)
            refuse_scheduler(trainer, "LRRangeTest with update_lr")
        if self.done:  # a checkpoint holds the rates of the groups, not the optimizer's own
            self._update(trainer)
        super().on_train_start(trainer, pl_module)

    def run(self, trainer: pl.Trainer) -> None:
        """Measure, keep the answer, and publish it; with `update_lr`, train at the suggested rate from now on.

        Raises:
            NoSuggestion: there is none to train at.
        """
        super().run(trainer)
        own = trainer.optimizers[0].defaults["lr"]
        self._update(trainer)
        if self.updated_to is not None and trainer.is_global_zero:
            print(f"{self.TITLE}: training at lr {self.updated_to:.3g}, in place of {own:.3g}", file=sys.stderr)

    def lrs(self) -> np.ndarray:
        """The rates of the test."""
        return rates(self.lower, self.upper, self.candidates or self.steps, self.sweep)

    def measure(self, trainer: pl.Trainer) -> LROutcome:
        """Loss against rate, once for each seed; the run is left as it is."""
        data, step = data_of(trainer), trainer.global_step
        size, lrs = data.size(step), self.lrs()
        steps = self.candidate_steps or (data.steps(step) if self.candidates else 1)
        seeds = [rehearsal_seed(data.seed, number) for number in range(self.seeds)]
        if is_fast_dev_run(trainer):
            lrs, steps, seeds = lrs[:4], 1, seeds[:1]
        trained = len(seeds) * len(lrs)
        races = 0 if self.refine is None or is_fast_dev_run(trainer) else self.refine
        rules, smoothing = (CANDIDATE_RULES, 0.0) if self.candidates else (RULES, self.smoothing)
        looks = 0 if self.on == "training" else trained * judged(steps) + races * quarter(self.refine_steps)
        loss = self._held_out(trainer, looks, size) if looks else TRAINING
        with self.rehearsed(trainer, trained * steps + races * self.refine_steps) as trials:
            sweeps = [
                self._sweep(
                    trials, f"seed {number}", self._copy(trainer, size, seed, steps - judged(steps)), lrs, steps
                )
                for number, seed in enumerate(seeds)
            ]
            outcome = LROutcome(self.lrs(), sweeps, rules, smoothing, loss, looks)
            found = outcome.consensus
            if not races or found.median is None or found.bounds is None:
                return outcome
            first = self.refine_steps - quarter(self.refine_steps)
            start = self._copy(trainer, size, rehearsal_seed(data.seed, self.seeds), first)
            field = field_of(found.median, found.bounds[1], races)
            race = raced(lambda index: trials(f"race, rate {index}", start), field, self.refine_steps)
        return replace(outcome, race=race)

    def brief_bounds(self) -> tuple[Any, Any]:
        """The rates at which the test begins and ends."""
        return self.lower, self.upper

    def _update(self, trainer: pl.Trainer) -> None:
        if not self.update_lr or is_fast_dev_run(trainer):
            return
        if self.lr is None:
            raise NoSuggestion(
                f"update_lr: LRRangeTest suggests no rate ({self.refusal}): leave update_lr out to train at your own"
            )
        self.updated_to = self.lr
        for optimizer in trainer.optimizers:
            optimizer.defaults["lr"] = self.lr  # what a schedule scales
            set_lr(optimizer, self.lr)

    def _copy(self, trainer: pl.Trainer, size: int | None, seed: int, first: int) -> Callable[[], Rehearsal]:
        """What makes a copy whose losses are those that judge it, by held-out images from step number `first` on."""
        if self.on == "training":
            return partial(Rehearsal, trainer, size, seed)
        return partial(HeldOutRehearsal, trainer, size, seed, self.held_out_images, first)

    def _held_out(self, trainer: pl.Trainer, looks: int, size: int | None) -> str:
        """The name of the held-out loss; says beforehand what so many looks at it cost."""
        with undisturbed(trainer):
            images, cost = data_of(trainer).kept(self.held_out_images).images, ""
        if size is not None:
            transforms = getattr(datamodule_of(trainer), "train_transforms", None)
            rows = size * getattr(transforms, "rows_per_sample", 1) * trainer.accumulate_grad_batches
            cost = f", about as much work as {looks * images / (FORWARD * rows):,.0f} steps more"
        if trainer.is_global_zero:
            print(f"{self.TITLE}: {looks:,} looks at {images:,} held-out images{cost}", file=sys.stderr)
        return f"loss on {images:,} held-out images"

    def _sweep(self, trials: Trials, name: str, start: Callable[[], Rehearsal], lrs: np.ndarray, steps: int) -> Sweep:
        if self.candidates:
            return candidates(lambda index: trials(f"{name}, rate {index}", start), lrs, steps, self.diverged_at)
        return swept(trials(name, start), lrs, self.smoothing, self.diverged_at)
