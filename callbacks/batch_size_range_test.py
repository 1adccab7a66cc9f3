"""The batch-size range test ('batch finder'), rehearsed on copies beside the run."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, Literal

import pytorch_lightning as pl

from callbacks.lr_range_test import LRRangeTest
from callbacks.lr_ratios import lr_ratios
from callbacks.range_tests.batch_size_outcome import BatchSizeOutcome
from callbacks.range_tests.batch_size_rule import LEAST
from callbacks.range_tests.batch_size_trainings import Trained, each_size
from callbacks.range_tests.noise_scale import NoiseReadings, NoiseWatch
from callbacks.range_tests.range_test import MOST_STEPS, MOST_TRIALS, NoSuggestion, RangeTest, earlier_test
from callbacks.range_tests.rehearsal import Rehearsal
from callbacks.range_tests.subject import data_of
from callbacks.range_tests.trials import Trial, Trials
from checks.arguments import require_not_negative, require_number, require_within
from timeline.keys import rehearsal_seed
from trainer.access import is_fast_dev_run
from trainer.host_memory import HostGuard

SIZES = (64, 128, 256, 512, 1024, 2048, 4096, 8192)


class BatchSizeRangeTest(RangeTest):
    """Train throwaway copies at one learning rate with batches of several sizes, and suggest between which to stay.

    Every size starts from the run as it stands and makes the same number of steps; on its way it passes the number of
    samples that the smallest size sees in all. The losses at both places are compared, and the held-out loss is drawn
    beside them. b_min and b_max follow by the rule of `callbacks.range_tests.batch_size_rule`. Batches larger than
    `model.micro_batch_size` run in chunks within the step; a size that does not fit in memory is reported and skipped.
    The run itself is not touched: it is the same to the bit with and without the test.

    All batches have their full size, and the rest of a pass is left out: with a size above half the training set every
    second batch would be short. The gradient noise scale (McCandlish et al., arXiv 1812.06162) is measured on the
    smallest size's weights.

    Leaves `batch_size_range_test.json`, `.csv` and `.png` in the run directory and at the loggers; logs no keys.

    Args:
        sizes: batch sizes, over all processes, increasing; by default 64, 128, ... 8192.
        steps: number of steps of every size; those of five epochs at the smallest size are usual.
        lr: learning rate of all trainings (times each group's ratio); by default the optimizer's own at that step.
            `auto` takes the suggestion of the LRRangeTest that stands before this callback.
        seeds: number of trainings of each size, each with samples in an order of its own.
        noise_scale: measure the gradient noise scale too, at the start and along the smallest size's training.
        at_step: number of steps that the run makes before the test.
    """

    NAME = "batch_size_range_test"
    TITLE = "Batch-size range test"
    SETTINGS = ("sizes", "steps", "lr", "seeds", "noise_scale", "at_step")

    def __init__(
        self,
        sizes: list[int] | None = None,
        steps: int = 100,
        lr: float | Literal["auto"] | None = None,
        seeds: int = 1,
        noise_scale: bool = True,
        at_step: int = 0,
    ) -> None:
        sizes = list(SIZES) if sizes is None else list(sizes)
        if len(sizes) < LEAST:
            raise ValueError(f"sizes must hold at least {LEAST}, got {sizes}: there is no curve through fewer")
        if sizes != sorted(set(sizes)) or sizes[0] < 1:
            raise ValueError(f"sizes must be positive and increase, got {sizes}: sort them and drop what comes twice")
        require_not_negative("0 tests before the run's first step", at_step=at_step)
        require_within(f"[1, {MOST_STEPS}]", "leave it out for the default", steps=steps)
        require_within(f"[1, {MOST_TRIALS}]", "leave it out for the default", seeds=seeds)
        if lr is not None and lr != "auto":
            require_number(
                "(0, inf)", "set it to auto for LRRangeTest's, or leave it out for the optimizer's own", lr=lr
            )
        self.sizes, self.steps, self.lr, self.seeds = sizes, steps, lr, seeds
        self.noise_scale, self.at_step = noise_scale, at_step

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Do as every range test does, and refuse sizes that do not give each process a sample, or a rate from nowhere.

        Raises:
            ValueError: the smallest size is below the number of processes; `lr: auto` has no LRRangeTest before it.
        """
        super().setup(trainer, pl_module, stage)
        if stage == "fit" and self.lr == "auto":
            first = earlier_test(trainer, self, LRRangeTest, "lr", "the rate")
            if first.at_step > self.at_step:
                raise ValueError(
                    f"lr: auto needs LRRangeTest to come first, and its at_step is {first.at_step}, "
                    f"{type(self).__name__}'s {self.at_step}: set both to the same"
                )
        if stage == "fit" and self.sizes[0] < trainer.world_size:
            raise ValueError(
                f"sizes must hold a sample for each process, got {self.sizes[0]} for {trainer.world_size}: drop it"
            )

    def measure(self, trainer: pl.Trainer) -> BatchSizeOutcome:
        """Train every size; the run is left as it is."""
        data = data_of(trainer)
        samples, lr = data.samples, self._rate(trainer)
        sizes, steps, noise_scale = self.sizes, self.steps, self.noise_scale
        if is_fast_dev_run(trainer):
            sizes, steps, noise_scale = sizes[:LEAST], 1, False
        trainings: list[list[Trained]] = []
        readings: list[NoiseReadings] = []
        total = self.seeds * steps * sum(size <= samples for size in sizes)
        guard = partial(HostGuard, trainer.num_devices) if trainer.strategy.root_device.type == "cpu" else nullcontext
        with self.rehearsed(trainer, total) as trials:
            for number in range(self.seeds):
                seed = rehearsal_seed(data.seed, number)
                start = partial(Rehearsal, trainer, seed=seed, whole=True, guard=guard)
                trial = partial(_of_size, trials, f"seed {number}", start)
                probe = partial(Rehearsal, trainer, sizes[0], seed=rehearsal_seed(seed, 0), whole=True)
                watch = NoiseWatch(probe, sizes[0], trial(sizes[0]).found.notes) if noise_scale else None
                trainings.append(each_size(trial, sizes, samples, steps, lr, watch))
                readings += [] if watch is None else [watch.readings()]
        return BatchSizeOutcome(lr, trainings, readings)

    def brief_bounds(self) -> tuple[Any, Any]:
        """The two smallest sizes."""
        return self.sizes[0], self.sizes[1]

    def _rate(self, trainer: pl.Trainer) -> float:
        """The rate of all trainings, for a group of ratio 1.

        Raises:
            NoSuggestion: it is the earlier test's to suggest, which refused.
        """
        if self.lr is None or (self.lr == "auto" and is_fast_dev_run(trainer)):  # too short for a suggestion
            optimizer = trainer.optimizers[0]
            both = zip(optimizer.param_groups, lr_ratios(optimizer), strict=True)
            return next(float(group["lr"]) / ratio for group, ratio in both if ratio)
        if self.lr != "auto":
            return self.lr
        found = earlier_test(trainer, self, LRRangeTest, "lr", "the rate")
        if found.lr is None:
            raise NoSuggestion(f"lr: LRRangeTest suggests none ({found.refusal or 'it has not run'}): give lr a number")
        return found.lr


def _of_size(trials: Trials, name: str, start: Callable[[int], Rehearsal], size: int) -> Trial:
    return trials(f"{name}, size {size}", partial(start, size))
