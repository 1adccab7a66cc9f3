"""When a range test takes place, and what of it outlives a stop."""

from abc import abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from callbacks.range_tests.kept_trials import Kept, kept_trials, read
from callbacks.range_tests.trials import Progress, Trials
from callbacks.run_record import run_folder
from records.run_directory import RunDirectory
from trainer.access import callbacks_of
from trainer.signals import interruptible


class RangeTest(pl.Callback):
    """Base of the range tests: one answer a run, found before its step `at_step`, and kept over a resume.

    A test that is stopped goes on from `NAME.ckpt` in the run directory, which the run's end takes away.

    Attributes:
        NAME: of the files that it leaves.
        SETTINGS: names of the arguments that its result depends on, which are attributes too.
        at_step: of the run.
        bounds: what was found, (lower, upper); None before the test, and with a refusal.
        refusal: why nothing was found; None before the test, and with bounds.
    """

    NAME: str
    SETTINGS: tuple[str, ...]
    at_step: int
    bounds: tuple[Any, Any] | None = None
    refusal: str | None = None
    _earlier: Kept | None = None

    @abstractmethod
    def run(self, trainer: pl.Trainer) -> None:
        """Test, set `bounds` or `refusal`, and leave the results in the run directory; the run stays as it is."""

    @property
    def done(self) -> bool:
        """Whether there is an answer, be it a refusal."""
        return self.bounds is not None or self.refusal is not None

    def settings(self) -> dict[str, Any]:
        """The arguments, by name."""
        return {name: getattr(self, name) for name in self.SETTINGS}

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Forget what an earlier run in this process has found, and look for what this one has left of the test.

        Raises:
            ValueError: what is left is of a test with other settings, or damaged.
        """
        if stage == "fit":
            self.bounds = self.refusal = None
            path = self._path(trainer)
            self._earlier = None if path is None else read(path, self._fixed(trainer))

    def steps_before(self) -> int:
        """Steps of copies that an earlier process has done."""
        return 0 if self._earlier is None else sum(len(found.losses) for found in self._earlier.found.values())

    def trials(self, trainer: pl.Trainer, progress: Progress) -> AbstractContextManager[Trials]:
        """The trials of the test; what `setup` has found of them is done already."""
        earlier, self._earlier = self._earlier or Kept(), None
        return kept_trials(trainer, self._path(trainer), self._fixed(trainer), earlier, progress)

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
        """The answer is in the run's checkpoint by now: take the test's own away."""
        self.forget(trainer)

    def forget(self, trainer: pl.Trainer) -> None:
        """Take what is kept of the test away."""
        if trainer.is_global_zero and (path := self._path(trainer)) is not None:
            path.unlink(missing_ok=True)

    def state_dict(self) -> dict[str, Any]:
        """What was found: a resumed run does not test again."""
        return {"bounds": self.bounds, "refusal": self.refusal}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what was found up again."""
        bounds = state_dict["bounds"]
        self.bounds = None if bounds is None else (bounds[0], bounds[1])
        self.refusal = state_dict["refusal"]

    def _when_due(self, trainer: pl.Trainer) -> None:
        if trainer.global_step == self.at_step and not self.done:
            with interruptible():
                self.run(trainer)

    def _path(self, trainer: pl.Trainer) -> Path | None:
        folder = run_folder(trainer)
        return None if folder is None else RunDirectory(folder).kept_test(self.NAME)

    def _fixed(self, trainer: pl.Trainer) -> dict[str, Any]:
        return self.settings() | {"processes": trainer.world_size}


class NoBounds(ValueError):
    """The range test gave a refusal instead of bounds: an outcome, not a defect, though training has begun."""


def earlier_test(trainer: pl.Trainer, taker: pl.Callback, test: type[RangeTest]) -> RangeTest:
    """The callback of class `test` that stands before `taker`.

    Raises:
        ValueError: there is none.
    """
    callbacks = callbacks_of(trainer)
    for callback in callbacks[: callbacks.index(taker)]:
        if isinstance(callback, test):
            return callback
    raise ValueError(
        f"bounds: auto needs {test.__name__} before {type(taker).__name__} in trainer.callbacks: "
        "put one there, or give the bounds"
    )


def found_bounds(trainer: pl.Trainer, taker: pl.Callback, test: type[RangeTest]) -> tuple[Any, Any]:
    """The two bounds that the test found.

    Raises:
        NoBounds: it refused, with its reason.
    """
    source = earlier_test(trainer, taker, test)
    if source.bounds is None:
        raise NoBounds(
            f"bounds: {test.__name__} found none ({source.refusal or 'it has not run'}): give lower and upper"
        )
    return source.bounds
