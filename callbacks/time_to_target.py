"""Epochs, steps, samples and seconds to a validation accuracy."""

from time import monotonic
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch

from callbacks.run_record import run_folder
from checks.arguments import Refusal
from datamodules.image_datamodule import ImageDataModule
from lightning_modules import ImageClassifier
from records.files import write_json
from records.first_passage import FirstPassage, Reading, TrainingClock, sentence
from trainer.access import datamodule_of, log_row
from trainer.counting import position_of
from trainer.stock_loaders import validates


class TimeToTarget(pl.Callback):
    """Epochs, steps, samples and seconds of training until a validation first shows the target accuracy.

    Seconds are those of training alone: the clock stops during validation and between epochs (where checkpoints are
    written), and waits for the device only when it is read, never in a step. The first `warm_up_steps` of each process,
    with the time of start and compilation, are counted apart. Steps, samples and epochs count from the run's first
    step, warm-up included. Everything is in the checkpoint: a resumed run counts on.

    | key, logged at each epoch's end | until the target is reached | from then on |
    |---|---|---|
    | `time_to_target/reached` | 0 | 1 |
    | `time_to_target/epochs`, `/steps`, `/samples` | so far | at the validation that reached it |
    | `time_to_target/seconds`, `/warm_up_seconds` | so far | at the validation that reached it |
    | `time_to_target/best_accuracy` | so far | so far |

    When the fit ends, the same is written to `time_to_target.json` and printed in a line. If the target was not
    reached, both give the best accuracy and the time of the whole run.

    Args:
        accuracy: the target, in (0, 1].
        stop: whether to end the run when it is reached; such a run, resumed, does not train on.
        monitor: name of the metric: an accuracy that each validation logs.
        warm_up_steps: number of first steps of each process that are timed apart.
    """

    left_out_of_range_tests: ClassVar[bool] = True

    def __init__(
        self, accuracy: float = 0.94, stop: bool = False, monitor: str = "val/accuracy", warm_up_steps: int = 10
    ) -> None:
        if not 0 < accuracy <= 1:
            raise ValueError(f"accuracy must lie in (0, 1], got {accuracy:g}: 0.94 is 94 per cent")
        if warm_up_steps < 0:
            raise ValueError(f"warm_up_steps must not be negative, got {warm_up_steps}: 0 times all steps alike")
        self.stop, self.monitor, self.warm_up_steps = stop, monitor, warm_up_steps
        self.passage, self.clock = FirstPassage(accuracy), TrainingClock()
        self._fitting = False
        self._warm_from: int | None = None
        self._device = torch.device("cpu")

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Begin anew; a checkpoint is loaded after this.

        Raises:
            ValueError: nothing is held out to validate on.
        """
        self._fitting = stage == "fit"
        if not self._fitting:
            return
        data = datamodule_of(trainer)
        if isinstance(data, ImageDataModule) and not data.validates:
            raise ValueError("val_fraction is 0, and TimeToTarget needs a validation: set data.val_fraction to 0.1")
        self.passage, self.clock = FirstPassage(self.passage.target), TrainingClock()

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End a run that has reached its target before: a checkpoint's readings are there by now."""
        self._stop_if_reached(trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock in warm-up.

        Raises:
            ValueError: nobody's loader validates.
        """
        if not isinstance(datamodule_of(trainer), ImageDataModule) and not validates(trainer):
            raise Refusal("TimeToTarget needs a validation: give a validation loader and define validation_step")
        self._device = trainer.strategy.root_device
        self._warm_from = trainer.global_step + self.warm_up_steps
        self.clock.part = "warm_up" if self.warm_up_steps else "training"
        self.clock.start(self._now())

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on after the pause between two epochs."""
        self.clock.start(self._now())

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """End the warm-up when its steps are done."""
        if trainer.global_step == self._warm_from:
            self.clock.switch("training", self._now())

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Pause the clock."""
        if self._fitting and not trainer.sanity_checking:
            self.clock.stop(self._now())

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take a reading, and go on.

        Raises:
            ValueError: the validation did not log `monitor`.
        """
        if not self._fitting or trainer.sanity_checking:
            return
        # prefer the module's own record: Lightning rounds metrics to float32, where .94 is less than .94
        own = pl_module.recorded if isinstance(pl_module, ImageClassifier) else {}
        metrics: dict[str, Any] = {**trainer.callback_metrics, **own}
        if self.monitor not in metrics:
            logged = ", ".join(sorted(name for name in metrics if not name.startswith("train/"))) or "nothing"
            raise ValueError(f"monitor {self.monitor} is not logged by the validation, which logs {logged}: name one")
        self.passage.add(float(metrics[self.monitor]), position_of(trainer), *self._spent())
        self._stop_if_reached(trainer)
        self.clock.start(self._now())

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Pause, and record, before the checkpoint of this epoch is written."""
        self.clock.stop(self._now())
        self.passage.spend(position_of(trainer), *self._spent())
        result = self.passage.result()
        values = {f"time_to_target/{key}": float(result[key]) for key in result if result[key] is not None}
        del values["time_to_target/target"]
        if isinstance(pl_module, ImageClassifier):
            pl_module.record(values, monitored=False)
        else:
            log_row(trainer, values)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write `time_to_target.json`, and print a line: the progress bar is gone by now."""
        if not trainer.is_global_zero:
            return
        result = {"monitor": self.monitor, **self.passage.result()}
        if (folder := run_folder(trainer)) is not None:
            write_json(folder / "time_to_target.json", result)
        print(sentence(result, self.monitor))

    def state_dict(self) -> dict[str, Any]:
        """Readings and seconds so far, in plain types."""
        if self.clock.running:  # saving waits for the device anyway
            now = self._now()
            self.clock.stop(now)
            self.clock.start(now)
        passage = self.passage
        return {
            "seconds": dict(self.clock.seconds),
            "best": [list(reading) for reading in passage.best],
            "last": None if passage.last is None else list(passage.last),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Count on from a checkpoint, but not from one that is only tested."""
        if not self._fitting:
            return
        self.clock.seconds = dict(state_dict["seconds"])
        self.passage.best = [Reading(*reading) for reading in state_dict["best"]]
        self.passage.last = None if state_dict["last"] is None else Reading(*state_dict["last"])

    def _spent(self) -> tuple[float, float]:
        """Seconds of training and of warm-up, as of the clock's last stop."""
        return self.clock.seconds["training"], self.clock.seconds["warm_up"]

    def _now(self) -> float:
        """The time, once the device has finished all work so far."""
        if self._device.type != "cpu":
            torch.accelerator.synchronize(self._device)
        return monotonic()

    def _stop_if_reached(self, trainer: pl.Trainer) -> None:
        if self.stop and self.passage.reached is not None:
            trainer.should_stop = True
