"""What Lightning's own learning-rate finder would suggest from given losses, without a fit around it."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.tuner.lr_finder import _LRCallback, _LRFinder

LEAST = 13  # losses: it leaves ten out at the start and one at the end, and takes a gradient through the others


def stock_suggestion(lrs: np.ndarray, losses: np.ndarray, smoothed: bool) -> float | None:
    """The suggestion of Lightning's code for one curve; None if there are too few losses for it.

    Args:
        lrs: rates, (n,), increasing.
        losses: raw loss at each rate, (n,).
        smoothed: whether the losses pass through its callback first, as in its fit from step 0: that smooths them, and
            stops where they diverge.
    """
    finder = _LRFinder("exponential", float(lrs[0]), float(lrs[-1]), len(lrs))
    recorded = _through_its_callback(losses) if smoothed else losses.tolist()
    finder.results = {"lr": lrs[: len(recorded)].tolist(), "loss": recorded}
    return finder.suggestion() if len(recorded) >= LEAST else None


def _through_its_callback(losses: np.ndarray) -> list[float]:
    callback = _LRCallback(len(losses))
    trainer = SimpleNamespace(
        fit_loop=SimpleNamespace(batch_idx=0),
        accumulate_grad_batches=1,
        strategy=SimpleNamespace(broadcast=lambda value: value),
        should_stop=False,
        global_step=0,
    )
    for loss in losses:
        trainer.global_step += 1
        callback.on_train_batch_end(cast(pl.Trainer, trainer), None, {"loss": np.float64(loss)}, None, 0)  # type: ignore[arg-type]
        if trainer.should_stop:
            break
    return [float(loss) for loss in callback.losses]
