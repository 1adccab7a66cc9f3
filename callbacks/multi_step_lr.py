"""The learning rate drops by a factor at each of a few milestones."""

import math
from bisect import bisect_right

from callbacks.lr_schedule import LRSchedule
from timeline.position import Position, Unit, counted


class MultiStepLR(LRSchedule):
    """Set each parameter group's learning rate to its `lr_ratio` times lr gamma^k after k milestones.

    lr is the optimizer's own rate. The rate of step t follows from t alone, so that a resumed run goes on as the
    unbroken one would.

    Source: the step decay of He et al. (arXiv 1512.03385, section 4.2: a tenth at 32,000 and 48,000 steps) and of
    Hoffer et al. (arXiv 1901.09335, its code: at epochs 81, 122 and 164). torch's scheduler of this name counts calls.

    | key logged | what |
    |---|---|
    | `lr` | rate of the step just done, where the optimizer has one parameter group |
    | `lr/0`, `lr/1`, ... | the same by group, where it has several |

    Args:
        milestones: places of the drops, in `unit`, ascending: with 81 epochs, at the first step after 81 passes.
        gamma: factor at each milestone, in (0, 1).
        unit: unit of `milestones`: steps, epochs (passes over the training set) or samples.

    Raises:
        ValueError: a field is out of range; at the start of training, also where the data have no passes to count, or
            another schedule sets the rate too.
    """

    def __init__(self, milestones: list[float], gamma: float = 0.1, unit: Unit = "epochs") -> None:
        super().__init__(unit)
        in_range = all(0 < milestone < math.inf for milestone in milestones)
        if not milestones or not in_range or sorted(set(milestones)) != milestones:
            raise ValueError(f"milestones must be positive and ascending, got {milestones}: try [81, 122, 164]")
        if not 0 < gamma < 1:
            raise ValueError(f"gamma must lie in (0, 1), got {gamma}: 0.1 is usual")
        self.milestones, self.gamma = milestones, gamma

    def lr(self, position: Position, configured: float) -> float:
        """The learning rate of the step that begins at `position`, for a group of ratio 1."""
        return configured * self.gamma ** bisect_right(self.milestones, counted(position, self.unit))
