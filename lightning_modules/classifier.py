"""`ImageClassifier`: the loss, the metrics and the optimizer that every architecture shares.

It knows no schedule and no augmentation: batches arrive transformed, and policies set the learning rate from outside.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Literal, Self, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from lightning_modules._checks import check_chunks, normalises_single_values
from lightning_modules._metrics import ClassificationTotals, TrainingSums, means
from lightning_modules._parameter_groups import parameter_groups
from trainer.access import datamodule_of, row_due, stream_of
from trainer.compiling import compiled
from trainer.direct_step import no_exchange, nobody_between, step_directly
from trainer.scaling import ScaledSteps, loss_scale

OptimizerFactory = Callable[[list[dict[str, Any]]], Optimizer]


class ImageClassifier(pl.LightningModule):
    """Base of all architectures: cross-entropy, accuracy and error for train, val and test.

    A subclass builds its layers and defines `forward(images) -> logits`, images (batch, channels, height, width) as
    float, logits (batch, classes). Optimization is manual in Lightning's sense, so that one batch is one optimizer
    step even where it runs in micro-batches: a step stays a step for schedules, logs and checkpoints.

    Keys that it logs: `train/loss`, `train/accuracy`, `train/error` over the steps since the last row;
    `train/epoch_loss`, `train/epoch_accuracy` at the end of an epoch; `val/...` and `test/...` likewise. In 16-mixed
    also `train/skipped_steps` (tries so far whose gradient overflowed) and `train/loss_scale`.
    Validation and test losses are plain cross-entropy, without label smoothing. Where a transform mixes training labels
    (MixUp, CutMix), an image counts as correct in `train/accuracy` if the model's class is the heaviest of its label.

    Args:
        label_smoothing: share of each label's weight spread over all classes, in [0, 1).
        spare_biases_and_norms: give biases and normalisation parameters no weight decay (Hoffer et al.'s regime).
        lr_ratios: learning-rate ratios by prefix of the parameter's name, e.g. `{features: 0.1}`.
        micro_batch_size: largest number of images in one forward pass; a larger batch runs in chunks that accumulate.
        gradient_clip_norm: largest L2 norm of the whole gradient; larger ones are scaled down to it.
        compile: `true`, or `torch.compile`'s mode for the network in training steps: `default`, or `reduce-overhead`,
            which also records CUDA graphs, for networks whose kernels are short. Rounding differs from an uncompiled
            run's; evaluation and range tests are never compiled. Modes that choose kernels by timing them are left
            out, as a run would not be the same twice.
    """

    single_values = False  # whether two-dimensional batch norms get one value a channel of an image, as vectors' do

    def __init__(
        self,
        label_smoothing: float = 0.0,
        spare_biases_and_norms: bool = False,
        lr_ratios: dict[str, float] | None = None,
        micro_batch_size: int | None = None,
        gradient_clip_norm: float | None = None,
        compile: bool | Literal["default", "reduce-overhead"] | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing must lie in [0, 1), got {label_smoothing}: try 0.1")
        if micro_batch_size is not None and micro_batch_size < 1:
            raise ValueError(f"micro_batch_size must be at least 1, got {micro_batch_size}: leave it out for no limit")
        if gradient_clip_norm is not None and gradient_clip_norm <= 0:
            raise ValueError(f"gradient_clip_norm must be positive, got {gradient_clip_norm}: leave it out for none")
        if compile == "reduce-overhead" and micro_batch_size is not None:
            raise ValueError("compile reduce-overhead does not go with micro_batch_size: set compile to true")
        self.automatic_optimization = False
        self.label_smoothing, self.spare_biases_and_norms = label_smoothing, spare_biases_and_norms
        self.lr_ratios = lr_ratios or {}
        self.micro_batch_size = micro_batch_size
        self.gradient_clip_norm = gradient_clip_norm
        self.compile_mode = "default" if compile is True else compile or None
        self.compiled_call: Callable[[Tensor], Tensor] | None = None
        self.optimizer_factory: OptimizerFactory | None = None
        self.recorded: dict[str, float] = {}
        self.steps_directly = False
        self.scaled_steps = ScaledSteps()
        self.step_losses: list[Tensor] = []
        self._kept_share: tuple[float, Tensor | None] = (0, None)
        self.train_totals = ClassificationTotals()
        self.eval_totals = ClassificationTotals()
        self._sums = TrainingSums()

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, classes) of float images (batch, channels, height, width)."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward(images)")

    def setup(self, stage: str) -> None:
        """Lay convolution weights out channels-last: the batches come so, and convolutions run 1.2-1.5 times faster."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                module.to(memory_format=torch.channels_last)

    def on_fit_start(self) -> None:
        """Refuse sizes that would, at some step, leave batch normalisation a single value a channel to train on.

        Raises:
            ValueError: the shortest chunk of a batch is one image.
        """
        stream = stream_of(self.trainer)
        if stream is not None and normalises_single_values(self, self.single_values):
            passes = min(max(self.trainer.max_epochs or 1, 1), 100)
            check_chunks(stream, self._copies, self.trainer.world_size, self.micro_batch_size, passes)

    def with_optimizer(self, factory: OptimizerFactory) -> Self:
        """This module, to be trained by what a function makes of its parameter groups."""
        self.optimizer_factory = factory
        return self

    def configure_optimizers(self) -> Optimizer:
        """The optimizer of the configuration over this module's parameter groups."""
        if self.optimizer_factory is None:
            raise ValueError(
                "optimizer is missing: model.with_optimizer(lambda groups: Adam(groups, lr=0.001)) sets one"
            )
        groups = parameter_groups(self, self.spare_biases_and_norms, self.lr_ratios)
        optimizer = self.optimizer_factory(groups)
        for group in optimizer.param_groups:
            group["lr"] = group["lr"] * group["lr_ratio"]
        return optimizer

    def on_train_start(self) -> None:
        """See once whether anybody stands between a step and its gradient; compile the network if asked to."""
        self.steps_directly = nobody_between(self)
        self._kept_share = (0, None)
        mode = self.compile_mode
        self.compiled_call = None if mode is None else compiled(self, mode, stream_of(self.trainer))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """One optimizer step on (images, labels), in chunks of at most `micro_batch_size` images."""
        optimizer = cast(LightningOptimizer, self.optimizers())
        self._gradient(optimizer, batch, self.train_totals)
        if self.steps_directly:
            step_directly(optimizer)
        else:
            while not self.scaled_steps.step(self.trainer, optimizer, self.step_losses):
                self._gradient(optimizer, batch, None)
        if row_due(self.trainer):
            self._sums.read(self.train_totals)
            values = {f"train/{name}": value for name, value in self._sums.end_window().items()}
            self.record(values | self.scaled_steps.values(self.trainer), monitored=False)

    def accumulate(
        self,
        batch: tuple[Tensor, Tensor],
        rows: float,
        backward: Callable[[Tensor, float, bool], None],
        totals: ClassificationTotals | None,
    ) -> list[Tensor]:
        """The gradient of one step, in chunks of at most `micro_batch_size` images.

        Divided by what the whole batch has for each process, the gradients of chunks and of processes, whose mean is
        taken, come to the gradient of the mean loss over the whole batch, however uneven they are.

        Args:
            batch: images and labels of this process; labels int64 (batch,), or float (batch, classes) of rows that
                sum to 1.
            rows: rows of the whole batch over all processes, divided by the number of processes.
            backward: function of a chunk's summed loss, `rows` to divide it by, and whether it is the last chunk.
            totals: sums that each chunk is added to; None adds none.

        Returns:
            The summed loss of each chunk, on the device.
        """
        images, labels = batch
        losses = []
        size = self.micro_batch_size or max(len(labels), 1)
        for start in range(0, max(len(labels), 1), size):
            target = labels[start : start + size]
            logits = (self.compiled_call or self)(images[start : start + size])
            loss = F.cross_entropy(logits, target, reduction="sum", label_smoothing=self.label_smoothing)
            backward(loss, rows, start + size >= len(labels))
            if totals is not None:
                totals.update(loss, logits, target)
            losses.append(loss.detach())
        return losses

    def clip_gradient(self, scale: float = 1.0) -> None:
        """Scale the whole gradient, still `scale` times itself, down to `gradient_clip_norm` where it is longer."""
        if self.gradient_clip_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters(), self.gradient_clip_norm * scale)

    def on_train_epoch_end(self) -> None:
        """Log the epoch's mean loss and accuracy."""
        self._sums.read(self.train_totals)
        epoch = self._sums.end_epoch()
        self.record({"train/epoch_loss": epoch["loss"], "train/epoch_accuracy": epoch["accuracy"]})

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Add one validation batch to the totals."""
        self.evaluate(batch)

    def on_validation_epoch_end(self) -> None:
        """Log `val/loss`, `val/accuracy` and `val/error`."""
        self.record({f"val/{name}": value for name, value in self.evaluated().items()})

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Add one test batch to the totals."""
        self.evaluate(batch)

    def on_test_epoch_end(self) -> None:
        """Log `test/loss`, `test/accuracy` and `test/error`."""
        self.record({f"test/{name}": value for name, value in self.evaluated().items()})

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Logits (batch, classes) of (images, labels)."""
        return self(batch[0])

    def record(self, values: dict[str, float], monitored: bool = True) -> None:
        """Hand values to Lightning's callbacks and to every logger, keyed by the number of finished steps.

        `recorded` keeps the newest of each as it is (Lightning's own metrics are rounded to float32).

        Not through `self.log`'s own path to the loggers: that one keys training rows and validation rows of the same
        moment by different steps, and costs as much as a small network's whole step.

        Args:
            values: values by name.
            monitored: whether Lightning's callbacks (a checkpoint, early stopping) may monitor them.
        """
        if monitored:
            for name, value in values.items():
                self.log(name, value, logger=False, batch_size=1)
        if self.trainer.sanity_checking:  # which shows what there will be to monitor, and is on no record
            return
        self.recorded |= values
        for logger in self.loggers:
            logger.log_metrics(values, step=self.global_step)

    def monitored_names(self, validates: bool) -> list[str] | None:
        """Names of what callbacks may monitor during training; None for a stranger's class, which may log more.

        Args:
            validates: whether the run is validated.
        """
        if not type(self).__module__.startswith(__name__.partition(".")[0] + "."):
            return None
        validated = ["val/loss", "val/accuracy", "val/error"] if validates else []
        return [*validated, "train/epoch_loss", "train/epoch_accuracy"]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the half-filled sums, over all processes, so that a resumed run logs what the unbroken one would."""
        self._sums.read(self.train_totals)
        sums = {"window": self._sums.window, "epoch": self._sums.epoch}
        checkpoint["metrics"] = sums | {"recorded": self.recorded, "skipped": self.scaled_steps.skipped}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the half-filled sums up again, to go on training with them."""
        if (state := checkpoint.get("metrics")) is not None and self.trainer.state.fn == "fit":
            self._sums.window, self._sums.epoch = tuple(state["window"]), tuple(state["epoch"])
            self.recorded = dict(state["recorded"])
            self.scaled_steps.skipped = state.get("skipped", 0)

    def _gradient(
        self, optimizer: LightningOptimizer, batch: tuple[Tensor, Tensor], totals: ClassificationTotals | None
    ) -> None:
        """The step's whole gradient, clipped; its losses into `step_losses`."""
        optimizer.zero_grad()
        self.step_losses = self.accumulate(batch, self._rows_per_process(len(batch[1])), self._backward, totals)
        if self.gradient_clip_norm is not None:
            self.clip_gradient(loss_scale(self.trainer))

    def _rows_per_process(self, own: int) -> float:
        """Rows of this step's batch over all processes, divided by their number."""
        stream = None if self.trainer.world_size == 1 else stream_of(self.trainer)
        return own if stream is None else stream.size(self.global_step) * self._copies / self.trainer.world_size

    def _backward(self, loss: Tensor, rows: float, last: bool) -> None:
        if not self.steps_directly:
            with nullcontext() if last else no_exchange(self.trainer):
                self.manual_backward(loss / rows)
            return
        kept_rows, share = self._kept_share
        if share is None or kept_rows != rows:  # what dividing the loss by `rows` would begin with
            share = torch.ones_like(loss).div_(rows)
            self._kept_share = rows, share
        loss.backward(share)

    @property
    def _copies(self) -> int:
        """Rows that the datamodule's transforms make of one sample."""
        return getattr(getattr(datamodule_of(self.trainer), "train_transforms", None), "rows_per_sample", 1)

    def evaluate(self, batch: tuple[Tensor, Tensor]) -> None:
        """Add one batch to the totals of the evaluation."""
        images, labels = batch
        logits = self(images)
        self.eval_totals.update(F.cross_entropy(logits, labels, reduction="sum"), logits, labels)

    def evaluated(self) -> dict[str, float]:
        """Mean loss, accuracy and error since the last reading, over all processes."""
        return means(self.eval_totals.sums())
