"""Keep the checkpoint of the best validation accuracy, or of whatever metric is to choose it."""

import difflib
import math
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any, ClassVar

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from callbacks.divergence_watch import finite_weights
from lightning_modules import ImageClassifier
from trainer.access import ends_a_pass, logged_now
from trainer.shipped_callbacks import monitored_names


class BestCheckpoint(Checkpoint):
    """Save `best.ckpt` each time that its metric is better than all before; of equals, the first stays.

    A metric that validation logs counts after each validation, one that training alone logs at the end of each pass. A
    metric that is no number, or weights that are none, are never the best. On several processes the first one's value
    counts, which is the one in metrics.csv.

    A run without validation, or a module that logs no such metric, has no best checkpoint. One that was asked for by
    name is refused where the sanity check shows that validation does not log it. Lightning's ModelCheckpoint
    can do more; it ends such a run with an error, and forgets the best score where the run directory was moved. It logs
    no keys.

    Args:
        dirpath: folder of `best.ckpt`.
        monitor: name of the metric.
        mode: whether larger (`max`) or smaller (`min`) is better.
        asked: whether the run was asked for this very metric.

    Attributes:
        best: best value so far; None before the first.
        step: step that it is of.
        logged: whether the metric was ever logged.
    """

    monitor_may_be_missing: ClassVar[bool] = True

    def __init__(
        self, dirpath: str | Path, monitor: str = "val/accuracy", mode: str = "max", asked: bool = False
    ) -> None:
        if mode not in ("max", "min"):
            raise ValueError(f"mode must be max or min, got {mode!r}: max suits an accuracy")
        self.dirpath, self.monitor, self.mode, self.asked = Path(dirpath), monitor, mode, asked
        self.best: float | None = None
        self.step: int | None = None
        self.logged = self.validated = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Forget what an earlier fit in this process has found best; a checkpoint's past comes after this.

        Raises:
            ValueError: the module, which knows all that it logs, has no such metric.
        """
        if stage != "fit":
            return
        self.best = self.step = None
        self.logged = self.validated = False
        names = monitored_names(trainer, pl_module)
        if self.asked and names is not None and self.monitor not in names:
            raise ValueError(self._unknown(names, "" if trainer.enable_validation else ", as nothing is validated"))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save if the metric is there, finite and better, and so are the weights.

        Raises:
            ValueError: this was the sanity check, and the metric that was asked for is not there.
        """
        if trainer.state.fn != "fit":
            return
        if trainer.sanity_checking:
            self._look(trainer, pl_module)
        else:
            self.validated |= self._judge(trainer, pl_module, logged_now(trainer))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The same for a metric that training alone logs, at the end of a whole pass."""
        if not self.validated and ends_a_pass(trainer):
            self._judge(trainer, pl_module, trainer.callback_metrics)

    def state_dict(self) -> dict[str, Any]:
        """The best score so far, and what is known of the metric."""
        return {"best": self.best, "step": self.step, "logged": self.logged, "validated": self.validated}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the best score so far; an earlier version's checkpoint says no more than that."""
        self.best, self.step = state_dict["best"], state_dict.get("step")
        self.logged = state_dict.get("logged", self.best is not None)
        self.validated = state_dict.get("validated", True)

    def _look(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look whether validation logs the metric; a module that logs nothing yet may do so later.

        Raises:
            ValueError: it does not; names those that it logs.
        """
        validated = logged_now(trainer)
        self.validated = self.monitor in validated
        own = pl_module.monitored_names(True) if isinstance(pl_module, ImageClassifier) else None
        known = {*validated, *(own or ())}
        if not known or self.monitor in known:
            return
        if self.asked:
            later = "what it logs only later is taken with --trainer.num_sanity_val_steps 0"
            raise ValueError(f"{self._unknown(known, ' in validation')}; {later}")
        if trainer.is_global_zero:
            choose = f"--monitor chooses another, e.g. {_nearest(self.monitor, known)[0]}"
            print(f"cadence: no best.ckpt, as validation logs no {self.monitor}: {choose}", file=sys.stderr)

    def _judge(self, trainer: pl.Trainer, module: pl.LightningModule, logged: Collection[str]) -> bool:
        """Save if the metric, where it is among those logged, is better than all before; returns whether it is."""
        value = trainer.callback_metrics.get(self.monitor) if self.monitor in logged else None
        score = None if value is None else float(value)
        if trainer.world_size > 1:
            score = trainer.strategy.broadcast(score)
        if score is None:
            return False
        self.logged = True
        better = self.best is None or (score > self.best if self.mode == "max" else score < self.best)
        if math.isfinite(score) and better and finite_weights(trainer, module):
            self.best, self.step = score, trainer.global_step
            trainer.save_checkpoint(self.dirpath / "best.ckpt")
        return True

    def _unknown(self, known: Collection[str], where: str) -> str:
        there = f"there {'is' if len(known) == 1 else 'are'} {', '.join(_nearest(self.monitor, known))}"
        return f"monitor: the model logs no {self.monitor}{where}\n{there}"


def _nearest(name: str, names: Collection[str]) -> list[str]:
    """All names, those first that are like the one."""
    return sorted(names, key=lambda other: (-difflib.SequenceMatcher(None, name, other).ratio(), other))
