"""The learning rate of every parameter group follows a cycle."""

from typing import Any, ClassVar, Literal

import pytorch_lightning as pl
from torch.optim import Optimizer

from callbacks.lr_range_test import LRRangeTest
from callbacks.lr_schedule import LRSchedule
from callbacks.range_tests.range_test import earlier_test, found_bounds
from optimizers.capabilities import CAPABILITIES
from timeline.position import Position, Unit, counted
from timeline.schedules import Cycle, Mode

Bounds = tuple[float, float]


class CyclicalLR(LRSchedule):
    """Set each parameter group's learning rate to its `lr_ratio` times a cycle, before every step.

    The rate of step t follows from t alone, so that a resumed run goes on as the unbroken one would. Momentum is left
    alone unless `cycle_momentum` is given (torch's CyclicLR overwrites it by default, and refuses optimizers without).

    Source: Smith, arXiv 1506.01186; the modes and their formulas stand at `Cycle`.

    | key logged | what |
    |---|---|
    | `lr` | rate of the step just done, where the optimizer has one parameter group |
    | `lr/0`, `lr/1`, ... | the same by group, where it has several |

    Raises:
        ValueError: a field is out of range or contradicts another; at the start of training, also where the optimizer
            has no momentum to cycle, the data have no passes to count, another schedule sets the rate too, or the
            range test found no bounds.
    """

    scales: ClassVar[bool] = False

    def __init__(
        self,
        lower: float | None = None,
        upper: float | None = None,
        *,
        half_cycle: float,
        unit: Unit = "epochs",
        mode: Mode = "triangular",
        gamma: float = 1.0,
        cycle_momentum: Bounds | None = None,
        bounds: Literal["given", "auto"] = "given",
    ) -> None:
        """Keep the schedule.

        Args:
            lower: learning rate at the bottom of a cycle, where the run begins; left out with `bounds: auto`.
            upper: learning rate at the top; left out with `bounds: auto`.
            half_cycle: length of the way from bottom to top, in `unit`; 2 to 10 epochs are usual.
            unit: unit of `half_cycle` and `gamma`: steps, epochs (passes over the training set) or samples.
            mode: triangular; triangular2 halves the amplitude each cycle; exp_range multiplies it by gamma^t;
                exp_range_bounds multiplies both bounds by gamma^t; exp_growth lets the lower bound rise to the upper.
            gamma: decay per `unit`, of the exponential modes.
            cycle_momentum: momentum's [low, high], which runs opposite to the learning rate; null leaves it alone.
            bounds: `given` here, or `auto`: taken from the LRRangeTest that stands before this callback.
        """
        if bounds not in ("given", "auto"):
            raise ValueError(f"bounds must be given or auto, got {bounds!r}: give lower and upper themselves")
        super().__init__(unit)
        for name, value in (("lower", lower), ("upper", upper)):
            if bounds == "given" and value is None:
                raise ValueError(f"{name} is missing: give it, or set bounds to auto with an LRRangeTest before it")
            if bounds == "auto" and value is not None:
                raise ValueError(f"{name} cannot go with bounds: auto, which finds it: leave one of them out")
        if cycle_momentum is not None and not 0 <= cycle_momentum[0] <= cycle_momentum[1] < 1:
            raise ValueError(
                f"cycle_momentum must be [low, high] in [0, 1), got {list(cycle_momentum)}: try [0.85, 0.95]"
            )
        self.auto = bounds == "auto"
        self.half_cycle, self.mode, self.gamma = half_cycle, mode, gamma
        self.cycle_momentum = cycle_momentum
        self.cycle: Cycle | None = None
        if lower is not None and upper is not None:
            self.cycle = self._cycle((lower, upper))
        else:
            self._cycle((0, 1))  # to refuse wrong fields now, not after the range test

    def lr(self, position: Position, configured: float = 0.0) -> float:
        """The learning rate of the step that begins at `position`, for a group of ratio 1; `configured` is not used.

        Raises:
            ValueError: the bounds are the range test's, and it has not run yet.
        """
        if self.cycle is None:
            raise ValueError("bounds: auto has none before the range test has run: give lower and upper instead")
        return self.cycle(counted(position, self.unit))

    def momentum(self, position: Position) -> float:
        """The momentum of that step, where it is cycled: highest where the learning rate is lowest.

        Momentum mirrors the learning rate's cycle, in the same mode: high + low - cycle. Where both bounds of the
        learning rate decay, the high bound of momentum stays: it is a limit of stability, not a rate.
        """
        assert self.cycle_momentum is not None
        low, high = self.cycle_momentum
        mode: Mode = "exp_range" if self.mode == "exp_range_bounds" else self.mode
        return low + high - Cycle(low, high, self.half_cycle, mode, self.gamma)(counted(position, self.unit))

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Refuse what cannot work with these data or these callbacks; forget an earlier run's bounds."""
        super().setup(trainer, pl_module, stage)
        if stage == "fit" and self.auto:
            self.cycle = None
            earlier_test(trainer, self, LRRangeTest)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the bounds of the range test, which has run by now, unless a checkpoint had them."""
        super().on_train_start(trainer, pl_module)
        if self.cycle_momentum is not None:
            for optimizer in trainer.optimizers:
                if _momentum_key(optimizer) is None:
                    raise ValueError(f"cycle_momentum: {type(optimizer).__name__} has no momentum: leave it out")
        if self.cycle is None:
            self.cycle = self._cycle(found_bounds(trainer, self, LRRangeTest))

    def apply(self, optimizer: Optimizer, position: Position) -> None:
        """Set the rate, and momentum if it is cycled."""
        super().apply(optimizer, position)
        if self.cycle_momentum is not None:
            momentum = self.momentum(position)
            for group in optimizer.param_groups:
                _set_momentum(group, _momentum_key(optimizer), momentum)

    def state_dict(self) -> dict[str, Any]:
        """The bounds that the range test found: a resumed run does not repeat it."""
        return {"bounds": [self.cycle.lower, self.cycle.upper]} if self.auto and self.cycle else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the bounds from a checkpoint."""
        if self.auto and "bounds" in state_dict:
            self.cycle = self._cycle(tuple(state_dict["bounds"]))

    def _cycle(self, bounds: Bounds) -> Cycle:
        return Cycle(*bounds, self.half_cycle, self.mode, self.gamma)


def _momentum_key(optimizer: Optimizer) -> str | None:
    """The group's key that holds momentum; for an optimizer outside the table, the key that torch's own use."""
    if (known := CAPABILITIES.get(type(optimizer).__name__)) is not None:
        return known.momentum_key
    return next((key for key in ("momentum", "betas") if key in optimizer.param_groups[0]), None)


def _set_momentum(group: dict[str, Any], key: str | None, momentum: float) -> None:
    if key == "betas":
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum
