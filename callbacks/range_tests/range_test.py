"""Base class of the range tests: when they run, what they publish, and what a checkpoint keeps of them."""

import sys
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytorch_lightning as pl

from callbacks.range_tests.kept_trials import Kept, kept_trials, read
from callbacks.range_tests.outcome import Outcome
from callbacks.range_tests.rehearsal import undisturbed
from callbacks.range_tests.trials import Trials
from callbacks.run_record import publish, run_folder
from checks.arguments import Refusal
from records.environment import device_name, versions
from records.files import write_json
from records.run_directory import RunDirectory
from trainer.access import callbacks_of, is_fast_dev_run
from trainer.progress import Counter
from trainer.signals import interruptible

MOST_STEPS, MOST_TRIALS = 1_000_000, 1000  # of one trial, and trials of one kind: each trial's losses are kept


class RangeTest(pl.Callback):
    """Base of the range tests, which declare their settings and measure: one answer a run, kept over a resume.

    The test takes place before step `at_step` of the run and leaves `NAME.json`, `.csv` and `.png` in the run
    directory. A test that is stopped goes on from `NAME.ckpt` there, which is deleted at the run's end.

    Attributes:
        NAME: stem of the files.
        TITLE: name of the test in messages and figures.
        SETTINGS: names of the arguments that the result depends on, each an attribute too.
        FOUND: names of the outcome's attributes that become the callback's own, and go into checkpoints.
        RECORDED: keys that follow the outcome's own in the JSON file, in this order.
        at_step: number of steps that the run makes before the test.
        bounds: the suggested (lower, upper); None before the test, and with a refusal.
        refusal: the reason why nothing is suggested; None before the test, and with bounds.
        outcome: everything that was measured; None before the test, and in a resumed run, which does not test again.
    """

    left_out_of_range_tests: ClassVar[bool] = True
    NAME: str
    TITLE: str
    SETTINGS: tuple[str, ...]
    FOUND: tuple[str, ...] = ("bounds", "refusal")
    RECORDED: tuple[str, ...] = ("optimizer", "settings", "device", "versions")
    at_step: int
    bounds: tuple[Any, Any] | None = None
    refusal: str | None = None
    outcome: Outcome | None = None
    _earlier: Kept | None = None

    @abstractmethod
    def measure(self, trainer: pl.Trainer) -> Outcome:
        """Train copies, within `rehearsed`, and collect their losses; the run stays as it is."""

    @abstractmethod
    def brief_bounds(self) -> tuple[Any, Any]:
        """Bounds after a fast_dev_run, which is too short to suggest any."""

    @property
    def result(self) -> Outcome | None:
        """What was found: bounds, refusal, table, `figure()`; None before the test, and where a resume needs none."""
        return self.outcome

    @property
    def done(self) -> bool:
        """Whether the test has run, be its answer bounds or a refusal."""
        return self.bounds is not None or self.refusal is not None

    def settings(self) -> dict[str, Any]:
        """The arguments, by name."""
        return {name: getattr(self, name) for name in self.SETTINGS}

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Forget the answer of an earlier run in this process, and read what a stopped test has kept.

        Raises:
            ValueError: the kept file is that of a test with other settings, or damaged.
        """
        if stage == "fit":
            self.outcome = None
            for name in self.FOUND:
                setattr(self, name, None)
            path = self._path(trainer)
            self._earlier = None if path is None else read(path, self._fixed(trainer))

    def run(self, trainer: pl.Trainer) -> None:
        """Measure, keep the answer, and publish it; the run stays as it is."""
        outcome = self.outcome = self.measure(trainer)
        for name in self.FOUND:
            setattr(self, name, getattr(outcome, name))
        said = outcome.summary()
        if is_fast_dev_run(trainer):
            self.bounds, self.refusal, said = self.brief_bounds(), None, "no suggestion from a fast_dev_run"
        if trainer.is_global_zero:
            self._publish(trainer, outcome)
            print(f"{self.TITLE}: {said}", file=sys.stderr)

    @contextmanager
    def rehearsed(self, trainer: pl.Trainer, steps: int) -> Iterator[Trials]:
        """The trials of the test, without a trace in the run; those that `setup` has read go on where they were.

        Args:
            trainer: the run's.
            steps: number of steps that all copies make together.
        """
        earlier, self._earlier = self._earlier or Kept(), None
        done = sum(len(found.losses) for found in earlier.found.values())
        with undisturbed(trainer), Counter(self.TITLE, steps, trainer, done) as progress:
            path, fixed = self._path(trainer), self._fixed(trainer)
            with kept_trials(trainer, path, fixed, earlier, progress) as trials:
                yield trials

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Run the test, if it is due before the first step."""
        self._when_due(trainer)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Run the test, if it is due now."""
        if self.at_step:
            self._when_due(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Delete what was kept of the test: the answer is in the run's checkpoint by now."""
        self.forget(trainer)

    def forget(self, trainer: pl.Trainer) -> None:
        """Delete what was kept of the test."""
        if trainer.is_global_zero and (path := self._path(trainer)) is not None:
            path.unlink(missing_ok=True)

    def state_dict(self) -> dict[str, Any]:
        """The answer: a resumed run does not test again."""
        return {name: getattr(self, name) for name in self.FOUND}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the answer from a checkpoint."""
        for name in self.FOUND:
            setattr(self, name, state_dict[name])
        self.bounds = None if self.bounds is None else (self.bounds[0], self.bounds[1])

    def _when_due(self, trainer: pl.Trainer) -> None:
        if trainer.global_step == self.at_step and not self.done:
            with interruptible():
                self.run(trainer)

    def _publish(self, trainer: pl.Trainer, outcome: Outcome) -> None:
        title = f"{self.TITLE}: {type(trainer.lightning_module).__name__}"
        publish(trainer, self.NAME, outcome.figure(title), outcome.rows())
        if (folder := run_folder(trainer)) is not None:
            setting = {
                "optimizer": type(trainer.optimizers[0]).__name__,
                "settings": self.settings(),
                "device": device_name(trainer.strategy.root_device),
                "versions": versions(),
            }
            write_json(folder / f"{self.NAME}.json", outcome.record() | {key: setting[key] for key in self.RECORDED})

    def _path(self, trainer: pl.Trainer) -> Path | None:
        folder = run_folder(trainer)
        return None if folder is None else RunDirectory(folder).kept_test(self.NAME)

    def _fixed(self, trainer: pl.Trainer) -> dict[str, Any]:
        return self.settings() | {"processes": trainer.world_size}


class NoSuggestion(Refusal):
    """The range test refused to suggest what the run needs: the user's to settle, though training has begun."""


T = TypeVar("T", bound=RangeTest)


def earlier_test(
    trainer: pl.Trainer, taker: pl.Callback, test: type[T], field: str = "bounds", given: str = "the bounds"
) -> T:
    """The callback of class `test` that stands before `taker`.

    Args:
        trainer: the run's.
        taker: callback that needs the test's answer.
        test: class of the test.
        field: field of `taker` that is `auto`.
        given: what a user may give instead.

    Raises:
        ValueError: there is none.
    """
    callbacks = callbacks_of(trainer)
    for callback in callbacks[: callbacks.index(taker)]:
        if isinstance(callback, test):
            return callback
    raise ValueError(
        f"{field}: auto needs {test.__name__} before {type(taker).__name__} in trainer.callbacks: "
        f"put one there, or give {given}"
    )


def found_bounds(trainer: pl.Trainer, taker: pl.Callback, test: type[RangeTest]) -> tuple[Any, Any]:
    """The bounds that the test of class `test` before `taker` has found.

    Raises:
        NoSuggestion: it refused, with its reason.
    """
    source = earlier_test(trainer, taker, test)
    if source.bounds is None:
        raise NoSuggestion(
            f"bounds: {test.__name__} found none ({source.refusal or 'it has not run'}): give lower and upper"
        )
    return source.bounds
