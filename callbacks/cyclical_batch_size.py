"""The batch size follows a cycle, step by step."""

from typing import Any, ClassVar, Literal

import pytorch_lightning as pl

from callbacks.batch_size_range_test import BatchSizeRangeTest
from callbacks.range_tests.range_test import earlier_test, found_bounds
from checks.arguments import Refusal
from datamodules.image_datamodule import ImageDataModule
from timeline.position import BatchSizes, counted
from timeline.schedules import Cycle
from trainer.access import datamodule_of, log_row, row_due, stream_of
from trainer.counting import position_of
from trainer.epoch_length import tell_epoch_length
from trainer.stock_loaders import begin_epoch_again, first_step_of_epoch, own_batch_size

_NO_STREAM = (
    "CyclicalBatchSize needs one of Cadence's datamodules, or a training loader with our batch sampler: "
    "DataLoader(dataset, batch_sampler=datamodules.StreamBatchSampler(dataset, batch_size=64))"
)


def rounded(value: float, granularity: int) -> int:
    """The multiple of `granularity` nearest to `value` (halves go up), and at least one of it."""
    return max(int(value / granularity + 0.5), 1) * granularity


class CyclicalBatchSize(pl.Callback):
    """The batch size of each step is a Cycle's value, rounded; each sample still comes exactly once an epoch.

    A decaying learning rate corresponds to a growing batch size: SGD's noise goes as lr N / B (Smith et al. 2017, arXiv
    1711.00489), so in `exp_growth` the amplitude decays towards the *upper* bound. The last batch of an epoch holds the
    rest of it (or is dropped with `data.drop_last`). Batches larger than `model.micro_batch_size` run in chunks within
    the step.

    Keys that it logs with each row: `batch_size`, `samples_seen`, `lr_over_batch_size` (of the first param group).

    Args:
        lower: smallest batch size; left out with `bounds: auto`.
        upper: largest batch size; left out with `bounds: auto`.
        half_cycle: length of a half-cycle, in `unit`.
        unit: unit of a half-cycle and of `gamma`: steps, epochs (passes over the training set) or samples.
        mode: `exp_growth`, or any of a learning rate's: `triangular`, `triangular2`, `exp_range`, `exp_range_bounds`.
        gamma: decay of the amplitude (or of the bounds) per unit.
        granularity: number that batch sizes, over all processes, are multiples of.
        bounds: `auto` takes `lower` and `upper` from the BatchSizeRangeTest that stands before this callback.
    """

    left_out_of_range_tests: ClassVar[bool] = True

    def __init__(
        self,
        half_cycle: float,
        lower: int | None = None,
        upper: int | None = None,
        unit: Literal["steps", "epochs", "samples"] = "epochs",
        mode: Literal["triangular", "triangular2", "exp_range", "exp_range_bounds", "exp_growth"] = "exp_growth",
        gamma: float = 1.0,
        granularity: int = 8,
        bounds: Literal["given", "auto"] = "given",
    ) -> None:
        if granularity < 1:
            raise ValueError(f"granularity must be at least 1, got {granularity}: 8 suits most devices")
        if bounds == "auto" and (lower is not None or upper is not None):
            raise ValueError("bounds: auto finds lower and upper by itself: leave them out, or bounds")
        if bounds == "given" and (lower is None or upper is None):
            missing = "lower" if lower is None else "upper"
            raise ValueError(
                f"{missing} is missing: give both, or set bounds to auto with a BatchSizeRangeTest before it"
            )
        self.lower, self.upper, self.half_cycle, self.unit = lower, upper, half_cycle, unit
        self.mode, self.gamma, self.granularity, self.bounds = mode, gamma, granularity, bounds
        if lower is not None and upper is not None:
            if lower < 1:
                raise ValueError(f"lower must be at least 1, got {lower}: 64 is usual")
            self._cycle(lower, upper)  # refuses the rest
        else:
            self._cycle(1, 2)

    def sizes(self) -> BatchSizes:
        """The schedule: position before a step -> batch size, over all processes.

        Raises:
            ValueError: the bounds are not known yet.
        """
        if self.lower is None or self.upper is None:
            raise ValueError("bounds: auto has none before the batch-size range test has run: give lower and upper")
        cycle = self._cycle(self.lower, self.upper)
        return lambda position: rounded(float(cycle(counted(position, self.unit))), self.granularity)

    def lay_stream(self, datamodule: pl.LightningDataModule) -> None:
        """Cut a datamodule's stream into batches of these sizes.

        Raises:
            ValueError: it has no stream.
        """
        if not isinstance(datamodule, ImageDataModule) or datamodule.stream is None:
            raise ValueError(_NO_STREAM)
        datamodule.stream.lay(self.sizes())

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Lay the stream, if bounds and stream are there; with `auto`, forget those that an earlier run has found."""
        if stage != "fit":
            return
        if self.bounds == "auto":
            earlier_test(trainer, self, BatchSizeRangeTest)
            self.lower = self.upper = None
        elif isinstance(datamodule_of(trainer), ImageDataModule):
            self.lay_stream(datamodule_of(trainer))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the bounds of the range test, which has run by now, and lay the stream of a loader, which is there now.

        Raises:
            ValueError: nothing has a stream, or several batches make a step.
        """
        if self.bounds == "auto" and self.lower is None:  # a resumed run has its bounds from the checkpoint
            self.lower, self.upper = found_bounds(trainer, self, BatchSizeRangeTest)
        if (stream := stream_of(trainer)) is None:
            raise Refusal(_NO_STREAM)
        if trainer.accumulate_grad_batches > 1:
            raise Refusal("CyclicalBatchSize sets a step's batch size: set accumulate_grad_batches to 1")
        own = isinstance(datamodule_of(trainer), ImageDataModule)
        if not own or self.bounds == "auto":
            stream.lay(self.sizes())
        if not own:
            tell_epoch_length(trainer, first_step_of_epoch(trainer))
            begin_epoch_again(trainer)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell Lightning how long the epoch is, which measures it but once."""
        tell_epoch_length(trainer, trainer.global_step)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log the step just done, where a row is due."""
        if not row_due(trainer):
            return
        position, stream = position_of(trainer), stream_of(trainer)
        assert stream is not None
        size, lr = stream.size(position.step - 1), trainer.optimizers[0].param_groups[0]["lr"]
        log_row(trainer, {"batch_size": size, "samples_seen": position.samples, "lr_over_batch_size": float(lr) / size})

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Give the stream its own batch size back."""
        if stage != "fit" or (stream := stream_of(trainer)) is None:
            return
        data = datamodule_of(trainer)
        stream.lay(data.batch_size if isinstance(data, ImageDataModule) else own_batch_size(trainer))

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Give it back here too: Lightning tears nothing down after an error or a stop."""
        self.teardown(trainer, pl_module, "fit")

    def state_dict(self) -> dict[str, Any]:
        """The bounds that the range test found: a resumed run does not repeat it."""
        return {"lower": self.lower, "upper": self.upper} if self.bounds == "auto" else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the bounds from a checkpoint."""
        self.lower, self.upper = state_dict.get("lower", self.lower), state_dict.get("upper", self.upper)

    def _cycle(self, lower: float, upper: float) -> Cycle:
        return Cycle(lower, upper, self.half_cycle, self.mode, self.gamma)
