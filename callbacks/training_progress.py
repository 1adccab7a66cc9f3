"""The progress bar with loss, accuracy and images a second, refreshed by the clock instead of the step."""

import sys
import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import TQDMProgressBar

from checks.arguments import require_not_negative
from lightning_modules import ImageClassifier
from trainer.progress import seconds_between


class TrainingProgress(TQDMProgressBar):
    """Lightning's bar, refreshed every `interval` seconds at most: any other step only reads the clock.

    Shows `loss` and `accuracy` of the last row logged, `val` (validation accuracy), and `images/s` since the last
    refresh. It logs no keys. Where standard output is no terminal it draws no bar, and says the same in plain lines.

    Args:
        interval: seconds between two refreshes; by default half a second on a terminal, a minute in a file.
    """

    def __init__(self, interval: float | None = None) -> None:
        if interval is not None:
            require_not_negative("0.5 seconds is usual", interval=interval)
        super().__init__(refresh_rate=10)
        self.interval = seconds_between(sys.stdout) if interval is None else interval
        self.in_lines = not sys.stdout.isatty()
        if self.in_lines:
            self.disable()
        self._drawn = (0.0, 0)
        self._images_per_second = 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Redraw if the interval is over or the epoch is; in a file, write a line if the interval is over."""
        now = time.monotonic()
        then, step = self._drawn
        if now - then < self.interval and (self.in_lines or batch_idx + 1 != self.total_train_batches):
            return
        if then and trainer.global_step > step and now > then:
            images = len(batch[1]) * trainer.world_size if isinstance(batch, (tuple, list)) else 0
            self._images_per_second = images * (trainer.global_step - step) / (now - then)
        self._drawn = now, trainer.global_step
        bar = self.train_progress_bar
        if self.in_lines:
            self._say(trainer, pl_module, batch_idx + 1)
        elif not bar.disable:
            bar.n = batch_idx + 1
            bar.set_postfix(self.get_metrics(trainer, pl_module), refresh=False)
            bar.refresh()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A new bar, or a line that training begins."""
        super().on_train_start(trainer, pl_module)
        if self.in_lines and trainer.is_global_zero:
            print(f"training begins after step {trainer.global_step:,}", flush=True)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A new bar; the time between two epochs does not count for images/s."""
        super().on_train_epoch_start(trainer, pl_module)
        self._drawn = time.monotonic(), trainer.global_step

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of images/s anew: the validation does not count."""
        super().on_validation_end(trainer, pl_module)
        self._drawn = time.monotonic(), trainer.global_step

    def _say(self, trainer: pl.Trainer, pl_module: pl.LightningModule, done: int) -> None:
        if trainer.is_global_zero:
            values = "".join(f", {label} {value}" for label, value in self.get_metrics(trainer, pl_module).items())
            where = f"epoch {trainer.current_epoch}, {done:,} of {self.total_train_batches:,} batches"
            print(f"step {trainer.global_step:,} ({where}){values}", flush=True)

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, str]:  # type: ignore[override]
        """The texts behind the bar, by label."""
        shown = {"loss": "train/loss", "accuracy": "train/accuracy", "val": "val/accuracy"}
        own = pl_module.recorded if isinstance(pl_module, ImageClassifier) else {}
        metrics: dict[str, Any] = {**trainer.callback_metrics, **own}
        items = {label: f"{float(metrics[key]):.4f}" for label, key in shown.items() if key in metrics}
        if self._images_per_second:
            items["images/s"] = f"{self._images_per_second:,.0f}"
        return items
