"""When a range test takes place, and what of it a checkpoint keeps."""

from abc import abstractmethod
from typing import Any

import pytorch_lightning as pl

from callbacks._interruptible import interruptible


class RangeTest(pl.Callback):
    """Base of the range tests: one answer a run, found before its step `at_step`, and kept over a resume.

    Attributes:
        at_step: of the run.
        bounds: what was found, (lower, upper); None before the test, and with a refusal.
        refusal: why nothing was found; None before the test, and with bounds.
    """

    at_step: int
    bounds: tuple[Any, Any] | None = None
    refusal: str | None = None

    @abstractmethod
    def run(self, trainer: pl.Trainer) -> None:
        """Test, set `bounds` or `refusal`, and leave the results in the run directory; the run stays as it is."""

    @property
    def done(self) -> bool:
        """Whether there is an answer, be it a refusal."""
        return self.bounds is not None or self.refusal is not None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Forget what an earlier run in this process has found."""
        if stage == "fit":
            self.bounds = self.refusal = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Run the test, if it is due before the first step."""
        self._when_due(trainer)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Run the test, if it is due now."""
        if self.at_step:
            self._when_due(trainer)

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
