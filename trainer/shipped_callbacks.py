"""What Lightning's own callbacks lack: monitors checked beforehand, a stop that lasts, a test of averaged weights."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint, WeightAveraging
from pytorch_lightning.callbacks.early_stopping import EarlyStoppingReason

from trainer.access import callbacks_of

_OURS = ("callbacks", "commands", "trainer", "pytorch_lightning")  # packages whose callbacks log nothing else


class ShippedCallbacks(pl.Callback):
    """Makes EarlyStopping, ModelCheckpoint and WeightAveraging exact. It logs no keys.

    A callback that monitors what there is not is refused before training, unless it says that it can go without
    (`monitor_may_be_missing = True`). Names are known where the module is one of Cadence's architectures and no
    callback is a stranger's, which may log what it likes. EarlyStopping need not be strict then: a run that ends before
    its first validation is no mistake. A run that it has ended stays ended when it is resumed.

    A checkpoint of WeightAveraging (EMA, SWA) holds the averaged weights in `state_dict`, and those in training in
    `current_model_state`. While the callback has an averaged model it loads the latter, as a resumed fit must. So it
    lets go of it when the fit has ended: else a test in the same process would be of other weights than `cadence test`
    of the same file. Until its first update the average is the weights in training: Lightning's would be those that the
    run began with, in validations, in checkpoints, and at the end of a run that is shorter.
    """

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Check every callback that has a `monitor`; averages are made where the weights will be trained.

        Lightning makes them where the weights are now, on the host, where each update would wait for a GPU.

        Raises:
            ValueError: there is no such metric; names those that there are.
        """
        if stage != "fit":
            return
        for average in _averages(trainer):
            average._device = average._device or trainer.strategy.root_device
        if (names := monitored_names(trainer, pl_module)) is None:
            return
        for callback in callbacks_of(trainer):
            monitor = getattr(callback, "monitor", None)
            if not isinstance(monitor, str) or getattr(callback, "monitor_may_be_missing", False):
                continue
            extra = ("epoch", "step") if isinstance(callback, ModelCheckpoint) else ()
            rates = any(isinstance(one, LearningRateMonitor) for one in callbacks_of(trainer))
            if monitor not in (*names, *extra) and not (rates and monitor.startswith("lr-")):
                unseen = "" if trainer.enable_validation else ", as nothing is validated"
                holder = getattr(callback, "monitored_by", f"trainer.callbacks: {type(callback).__name__}")
                raise ValueError(f"{holder} cannot monitor {monitor}{unseen}: there are {', '.join(names)}")
            if isinstance(callback, EarlyStopping):
                callback.strict = False

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Train no step more where the checkpoint says that the run was ended; its state is there by now."""
        for callback in callbacks_of(trainer):
            if isinstance(callback, EarlyStopping) and callback.stopping_reason != EarlyStoppingReason.NOT_STOPPED:
                trainer.should_stop = True

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let averages that had no update yet be the weights in training."""
        _follow(trainer, pl_module)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """The same, for what the averages put into the checkpoint."""
        _follow(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The same, as the module now takes the averaged weights."""
        _follow(trainer, pl_module)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Let go of averaged models: by now the averaged weights are the module's own."""
        for average in _averages(trainer):
            average._average_model = None


def _averages(trainer: pl.Trainer) -> list[WeightAveraging]:
    return [callback for callback in callbacks_of(trainer) if isinstance(callback, WeightAveraging)]


def _follow(trainer: pl.Trainer, module: pl.LightningModule) -> None:
    for average in _averages(trainer):
        model = average._average_model
        if model is not None and not model.n_averaged:
            model.module.load_state_dict(module.state_dict())


def monitored_names(trainer: pl.Trainer, module: pl.LightningModule) -> list[str] | None:
    """Metrics that callbacks may monitor in this run; None where they are known only once they are logged."""
    names = getattr(module, "monitored_names", None)
    kinds = [type(callback) for callback in callbacks_of(trainer)]
    if names is None or any(kind.__module__.partition(".")[0] not in _OURS for kind in kinds):
        return None
    return names(trainer.enable_validation)
