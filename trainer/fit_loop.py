"""Lightning's fit loop, which goes on from a checkpoint as if it had not been stopped."""

from typing import Any, Protocol, runtime_checkable

import pytorch_lightning as pl
from pytorch_lightning.loops.fit_loop import RestartStage, _FitLoop
from pytorch_lightning.loops.loop import _Loop

from trainer.access import callbacks_of
from trainer.epoch_length import tell_epoch_length


@runtime_checkable
class Settling(Protocol):
    """A callback that hears when a step is settled: all is done that belongs to it, its validation too.

    A checkpoint of such a moment holds a whole number of steps, and nothing is owed after it.
    """

    def on_settled(self, trainer: pl.Trainer, milestone: bool) -> None:
        """Hear that a step is settled.

        Args:
            trainer: the run's.
            milestone: whether an epoch has ended with this step, or training ends with it within an epoch.
        """


def settlers(trainer: pl.Trainer) -> list[Settling]:
    """The callbacks that hear when a step is settled."""
    return [callback for callback in callbacks_of(trainer) if isinstance(callback, Settling)]


class UnbrokenFitLoop(_FitLoop):
    """Goes on from checkpoints of settled steps with the counters that are in them, and ends what was left open.

    Lightning guesses from its counters in which hook a checkpoint was written, and takes the end of an epoch for its
    middle where `max_steps` is set (its issue 19617), or skips a validation. Here there are two cases: an epoch is
    unfinished, and goes on with its next step; or it is finished, and the next begins.

    Training may end within an epoch (`max_steps`, a stop). That epoch's end is then brought forward, with its metrics,
    after the last checkpoint: a run that is resumed to go on longer never had it, and one that is not has it again.

    Attributes:
        ended: whether the run has its result, so that an open epoch's end has been.
    """

    ended = False

    @property
    def unfinished(self) -> bool:
        """Whether an epoch has begun and not ended."""
        epoch: Any = self.epoch_progress.current
        return epoch.started > epoch.processed

    def load_state_dict(self, state_dict: dict[str, Any], prefix: str = "") -> None:
        """Take over a checkpoint's counters."""
        super().load_state_dict(state_dict, prefix)
        _Loop.restarting.fset(self, False)  # type: ignore[attr-defined]
        self._restarting = self.unfinished  # a stranger's loader that keeps its place finds it again
        self.epoch_loop.val_loop._restarting = True  # no sanity check: the validation has been seen to work

    def run(self) -> None:
        """Train until the end, and end an epoch that is open."""
        self.setup_data()
        if self._combined_loader is None or (self.skip and (self.ended or not self.unfinished)):
            return
        self.reset()
        self.on_run_start()
        while self.unfinished or not self.done:
            try:
                self.on_advance_start()
                self.advance()
                self.on_advance_end()
            except StopIteration:
                break
            finally:
                self.on_iteration_done()
        self._restarting = False
        self.on_run_end()

    def reset(self) -> None:
        """Begin a run: nothing is done anew that a checkpoint holds."""
        _Loop.restarting.fset(self, False)  # type: ignore[attr-defined]
        super().reset()

    def update_restart_stage(self) -> None:
        """Say whether an epoch goes on."""
        self._restart_stage = RestartStage.RESTARTED_MID_EPOCH if self.unfinished else RestartStage.NONE

    def on_advance_start(self) -> None:
        """Begin an epoch, or go on with one, of the length that the stream of samples gives it."""
        self.setup_data()
        behind = self.epoch_loop.batch_progress.current.completed if self.unfinished else 0
        tell_epoch_length(self.trainer, self.trainer.global_step - behind)
        super().on_advance_start()

    def on_advance_end(self) -> None:
        """End an epoch; then its last step is settled, unless training ends within the epoch."""
        super().on_advance_end()
        if self.epoch_loop.batch_progress.is_last_batch:
            for callback in settlers(self.trainer):
                callback.on_settled(self.trainer, True)


def leave_ended(trainer: pl.Trainer) -> None:
    """Let a run that has its result end at once, unless it is to go on longer."""
    assert isinstance(trainer.fit_loop, UnbrokenFitLoop)
    trainer.fit_loop.ended = True
