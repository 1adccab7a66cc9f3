"""Lightning's epoch loop, with a shorter step where all hooks that would run are Cadence's own."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loops.fetchers import _DataFetcher, _DataLoaderIterDataFetcher
from pytorch_lightning.loops.training_epoch_loop import _TrainingEpochLoop
from pytorch_lightning.plugins.precision import Precision
from pytorch_lightning.profilers import PassThroughProfiler

from trainer.access import callbacks_of, datamodule_of, overrides
from trainer.epoch_schedulers import stepped_by_lightning
from trainer.fit_loop import UnbrokenFitLoop, settlers
from trainer.handlers import leave_signals
from trainer.step_keys import FinishedSteps, key_by_finished_steps

Ours = tuple[type[pl.LightningModule], type[pl.LightningDataModule]]

# A module with one of these of its own goes Lightning's way.
_OF_THE_MODULE = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")
_OF_THE_STEP = ("on_train_batch_start", "on_train_batch_end")


_NOTHING: AbstractContextManager[None] = nullcontext()


class IdleProfiler(PassThroughProfiler):
    """Returns one shared empty context: Lightning enters some forty a step, and its own profiler makes each anew."""

    def profile(self, action_name: str) -> AbstractContextManager:  # type: ignore[override]
        """The empty context."""
        return _NOTHING


class ShortEpochLoop(FinishedSteps, _TrainingEpochLoop):
    """Runs the same step as Lightning's loop, but looks up the callbacks with step hooks once an epoch.

    On one device, in plain precision or bf16-mixed, with an `ImageClassifier` and an `ImageDataModule`, a step of
    Lightning's loop is a dozen calls through strategy, precision plugin, profiler and hooks, nearly all of them empty:
    half a millisecond. In all other cases (several processes, a module with hooks of its own, a gradient scaler, a
    profiler) Lightning's own step runs. Both give the same run, to the bit.
    """

    _short = False
    _ours: Ours

    def run(self, data_fetcher: _DataFetcher) -> None:
        """Train for an epoch, or for what is left of it, and say of each step when it is settled."""
        self.reset()
        self.on_run_start(data_fetcher)
        done = self.done
        while not done:
            try:
                self.advance(data_fetcher)
                self.on_advance_end(data_fetcher)
                done = self.done
                if not self.batch_progress.is_last_batch:  # else the epoch's end belongs to the step
                    for callback in self._settlers:
                        callback.on_settled(self.trainer, done)
            except StopIteration:
                break
            finally:
                self.on_iteration_done()

    def reset(self) -> None:
        """Begin an epoch with its first step; one that goes on keeps its counters."""
        if not self.trainer.fit_loop.restarted_mid_epoch:
            super().reset()

    def on_run_start(self, data_fetcher: _DataFetcher) -> None:
        """Begin an epoch: decide whether the short step may run, and collect the callbacks' step hooks."""
        super().on_run_start(data_fetcher)
        trainer = self.trainer
        self._short = not isinstance(data_fetcher, _DataLoaderIterDataFetcher) and _nobody_else(trainer, self._ours)
        self._precision = _context_of(trainer)
        self._starts = _listeners(trainer, "on_train_batch_start")
        self._ends = _listeners(trainer, "on_train_batch_end")
        self._settlers = settlers(trainer)

    def _update_learning_rates(self, interval: str, update_plateau_schedulers: bool) -> None:
        """Lightning's, also where the module takes its steps itself."""
        with stepped_by_lightning(self.trainer):
            super()._update_learning_rates(interval, update_plateau_schedulers)

    def _get_monitor_value(self, key: str) -> Any:
        """The first process's value, so that all have the same rate."""
        value = super()._get_monitor_value(key)
        return value if self.trainer.world_size == 1 else self.trainer.strategy.broadcast(value)

    def advance(self, data_fetcher: _DataFetcher) -> None:
        """One step: fetch, transform, train, call the callbacks."""
        if not self._short:
            super().advance(data_fetcher)
            return
        trainer, progress = self.trainer, self.batch_progress
        module, data = trainer.lightning_module, datamodule_of(trainer)
        self.val_loop.restarting = False
        batch, _, _ = next(data_fetcher)
        number = self.batch_idx + 1
        progress.is_last_batch = data_fetcher.done
        batch = data.on_after_batch_transfer(data.transfer_batch_to_device(batch, module.device, 0), 0)
        progress.increment_ready()
        connector = trainer._logger_connector
        connector.on_batch_start(batch)
        module._current_fx_name = "on_train_batch_start"
        for hear in self._starts:
            hear(trainer, module, batch, number)
        progress.increment_started()
        module._current_fx_name = "training_step"
        self.manual_optimization.on_run_start()
        with self._precision():
            module.training_step(batch, number)
        self.manual_optimization.on_run_end()
        progress.increment_processed()
        if trainer.lr_scheduler_configs and self._num_ready_batches_reached():
            self.update_lr_schedulers("epoch", update_plateau_schedulers=False)
        module._current_fx_name = "on_train_batch_end"
        for hear in self._ends:
            hear(trainer, module, None, batch, number)
        module._current_fx_name = None
        connector.on_batch_end()
        progress.increment_completed()
        connector.update_train_step_metrics()


def shorten(trainer: pl.Trainer, ours: Ours) -> None:
    """Replace a trainer's loops by Cadence's, and leave the signals to the command.

    Args:
        trainer: trainer to change.
        ours: classes of the modules and of the datamodules for which the short step does all that Lightning's does.
    """
    leave_signals(trainer)
    loop = trainer.fit_loop
    short = ShortEpochLoop(trainer, min_steps=loop.min_steps, max_steps=loop.max_steps)
    short._ours = ours
    trainer.fit_loop = UnbrokenFitLoop(trainer, loop.min_epochs, loop.max_epochs)
    trainer.fit_loop.epoch_loop = short
    key_by_finished_steps(trainer)


def _nobody_else(trainer: pl.Trainer, ours: Ours) -> bool:
    """Whether every hook that Lightning would call in a step is Cadence's own."""
    module, data = trainer.lightning_module, datamodule_of(trainer)
    if not (isinstance(module, ours[0]) and isinstance(data, ours[1]) and module.steps_directly):
        return False
    if any(overrides(module, hook, pl.LightningModule) for hook in (*_OF_THE_MODULE, *_OF_THE_STEP)):
        return False
    plain_data = not overrides(data, "on_before_batch_transfer", pl.LightningDataModule)
    plain_step = not overrides(module, "training_step", ours[0])
    return plain_data and plain_step and isinstance(trainer.profiler, IdleProfiler)  # type: ignore[attr-defined]


def _context_of(trainer: pl.Trainer) -> Callable[[], AbstractContextManager[None]]:
    """What makes the context of a step: autocast in mixed precision, else the shared empty one."""
    plugin = trainer.precision_plugin
    return (lambda: _NOTHING) if type(plugin) is Precision else plugin.train_step_context


def _listeners(trainer: pl.Trainer, hook: str) -> list[Callable[..., Any]]:
    return [getattr(c, hook) for c in callbacks_of(trainer) if overrides(c, hook, pl.Callback)]
