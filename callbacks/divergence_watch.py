"""End a training at its first loss that is no number, or weights that are none, before a checkpoint holds them."""

import math
import sys
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import pytorch_lightning as pl
import torch
from torch import Tensor

from lightning_modules import ImageClassifier
from trainer.access import log_every_n_steps

OnNonFinite = Literal["stop", "go_on"]
Unread = tuple[int, Any, Sequence[Tensor]]  # a step's number, learning rate and losses, those of its micro-batches
MOST_UNREAD = 1000  # steps whose losses are held until they are read


class Divergence(NamedTuple):
    """Where a training diverged.

    Attributes:
        step: number of the first step, from 1, whose loss is not finite, or that left weights that are not.
        lr: its learning rate, of the first param group.
        loss: its loss, `nan` or `inf`; `finite` where the step's update alone ruined the weights.
    """

    step: int
    lr: float
    loss: str

    def sentence(self) -> str:
        """Where, and how, in a line."""
        what = f"the training loss is {self.loss}" if self.loss != "finite" else "weights are no longer finite"
        return f"{what} at step {self.step:,}, at a learning rate of {self.lr:.6g}"


class Diverged(Exception):
    """Training has ended, as it diverged."""

    def __init__(self, divergence: Divergence) -> None:
        super().__init__(divergence.sentence())
        self.divergence = divergence


class DivergenceWatch(pl.Callback):
    """Look at every step's loss, but read them only where a row, a validation or a checkpoint is due.

    No step waits for the device, and yet the first loss that is not finite is known, its step and its rate, over
    micro-batches and processes. In half precision an infinite gradient, which the scaler skips, is no divergence. A
    checkpoint is not written once there was such a loss, or once weights are not finite: the last one before stays.
    Range tests have a rule of their own. It logs no keys.

    Args:
        on_nonfinite: `stop` ends the training there; `go_on` says so once, and trains on.

    Raises:
        Diverged: in the training, with `stop`.
    """

    def __init__(self, on_nonfinite: OnNonFinite = "stop") -> None:
        if on_nonfinite not in get_args(OnNonFinite):
            raise ValueError(f"on_nonfinite must be stop or go_on, got {on_nonfinite!r}: stop ends a diverged run")
        self.on_nonfinite = on_nonfinite
        self.found: Divergence | None = None
        self._newest: tuple[int, Any] = (0, 0.0)
        self._every = 1
        self._unread: list[Unread] = []

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Forget an earlier fit in this process; a checkpoint's past comes after this."""
        if stage == "fit":
            self.found, self._unread = None, []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Learn how often rows are due."""
        self._every = log_every_n_steps(trainer) or MOST_UNREAD

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep the step's losses, and read them where a row is due."""
        if self.found is not None:
            return
        losses = pl_module.step_losses if isinstance(pl_module, ImageClassifier) else _losses_in(outputs)
        step = trainer.global_step
        self._unread.append((step, _rate(trainer), losses))
        if step % self._every == 0 or len(self._unread) >= MOST_UNREAD:
            self._read(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Read, and look at the weights, before a validation that a diverged training need not have."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._read(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Read what is left, and look at the weights, so that a last step's update is seen too."""
        self._read(trainer, pl_module)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Read, and look at the weights, before the file is written."""
        self._read(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """Where the training diverged, if it went on."""
        return {"found": None if self.found is None else list(self.found)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it from a checkpoint."""
        found = state_dict["found"]
        self.found = None if found is None else Divergence(*found)

    def _read(self, trainer: pl.Trainer, module: pl.LightningModule | None = None) -> None:
        """Find the first step that is not finite, over all processes; with a module, look at its weights too."""
        if self.found is not None:
            return
        unread, self._unread = self._unread, []
        if unread:
            self._newest = unread[-1][:2]
            first = _first_bad(unread)
            step = _reduced(trainer, math.inf if first is None else first[0], "min")
            if step < math.inf:
                self._say(trainer, self._agreed(trainer, int(step), unread, first))
                return
        if module is not None and not finite_weights(trainer, module):
            self._say(trainer, Divergence(self._newest[0], float(self._newest[1]), "finite"))

    def _agreed(
        self, trainer: pl.Trainer, step: int, unread: list[Unread], first: tuple[int, float] | None
    ) -> Divergence:
        """What all processes say of the first step whose loss is not finite on one of them."""
        lr = next(float(lr) for number, lr, _ in unread if number == step)
        own = first[1] if first is not None and first[0] == step else 0.0
        return Divergence(step, lr, "nan" if math.isnan(_reduced(trainer, own, "sum")) else "inf")

    def _say(self, trainer: pl.Trainer, found: Divergence) -> None:
        self.found = found
        if self.on_nonfinite == "stop":
            raise Diverged(found)
        if trainer.is_global_zero:
            print(f"cadence: {found.sentence()}: the run goes on, as on_nonfinite is go_on", file=sys.stderr)


def finite_weights(trainer: pl.Trainer, module: pl.LightningModule) -> bool:
    """Whether all parameters are finite, and no floating buffer holds NaN (a mask may hold infinities)."""
    with torch.no_grad():
        sound = [weight.isfinite().all() for weight in module.parameters() if weight.is_floating_point()]
        sound += [~buffer.isnan().any() for buffer in module.buffers() if buffer.is_floating_point()]
        whole = not sound or bool(torch.stack(sound).all())
    return whole if trainer.world_size == 1 else trainer.strategy.reduce_boolean_decision(whole)


def _rate(trainer: pl.Trainer) -> Any:
    """Learning rate of the first param group; NaN for a stranger's module that has none."""
    groups = trainer.optimizers[0].param_groups if trainer.optimizers else []
    return groups[0].get("lr", math.nan) if groups else math.nan


def _losses_in(outputs: Any) -> Sequence[Tensor]:
    """The loss that a stranger's training step returned, if it did."""
    loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
    return [loss.detach()] if isinstance(loss, Tensor) and loss.numel() == 1 else []


def _first_bad(unread: list[Unread]) -> tuple[int, float] | None:
    """First step with a loss that is not finite, and that loss; waits for the device once."""
    steps = [step for step, _, losses in unread for _ in losses]
    if not steps:
        return None
    values = torch.stack([loss.reshape(()).double() for _, _, losses in unread for loss in losses]).tolist()
    return next(((step, loss) for step, loss in zip(steps, values, strict=True) if not math.isfinite(loss)), None)


def _reduced(trainer: pl.Trainer, value: float, how: str) -> float:
    """A number over all processes."""
    if trainer.world_size == 1:
        return value
    own = torch.tensor(value, dtype=torch.float64, device=trainer.strategy.root_device)
    return float(trainer.strategy.reduce(own, reduce_op=how))
