"""What a rehearsal needs of a run, as small interfaces: its data, their batches, what is held out, and what learns."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
from torch import Tensor
from torch.optim import Optimizer

from timeline.position import BatchSizes
from timeline.stream import Stream

Scale = Callable[[Tensor], Tensor]
Settle = Callable[[], bool]


class HeldOut(Protocol):
    """Held-out batches."""

    def held_out(self, module: Any) -> Iterator[tuple[Any, int, int]] | None:
        """This process's held-out batches, transformed for a module and on its device, each with its number and that of
        its loader.

        None where nothing is held out.
        """


class Kept(HeldOut, Protocol):
    """Held-out batches that are the same whenever they are asked for.

    Attributes:
        images: number of images over all processes.
    """

    images: int


class Batches(HeldOut, Protocol):
    """Batches of training samples, each a function of the seed and the step's number, and the held-out ones.

    Attributes:
        seed: seed of their order and of all draws.
    """

    seed: int

    @property
    def stream(self) -> Stream | None:
        """Samples of each step; None where sizes and order are the loader's alone."""

    def batch(self, number: int, module: Any) -> Any:
        """This process's part of a step's batch, transformed for a module and on its device."""

    def rows(self, number: int) -> int | None:
        """Rows of a step's batch over all processes; None where they are not known beforehand."""

    def places(self, number: int) -> tuple[int, np.ndarray] | None:
        """Rows of a step's batch over all processes, and the places of this process's among them; None: not known."""


class Data(Protocol):
    """The training data of a run.

    Attributes:
        seed: the run's seed.
    """

    seed: int

    @property
    def samples(self) -> int:
        """Number of training samples.

        Raises:
            ValueError: batches of another size cannot be made of them.
        """

    def size(self, step: int) -> int | None:
        """Number of samples of a step of the run, over all processes; None where only the loader knows."""

    def steps(self, step: int) -> int:
        """Number of steps in the pass that a step of the run belongs to."""

    def batches(self, size: int | BatchSizes | None, seed: int, whole: bool) -> Batches:
        """Batches for a rehearsal.

        Args:
            size: number of samples in a step, over all processes; or a function of the position; None for the run's.
            seed: seed of the order of samples and of all draws.
            whole: whether every batch has its full size, and the rest of a pass is left out.
        """

    def kept(self, images: int) -> Kept:
        """Some held-out images, drawn from all of them, always the same ones.

        Args:
            images: number of images, over all processes; all of them where there are fewer.

        Raises:
            ValueError: there are none, or too few.
        """


class Learner(Protocol):
    """A copy of the run's module, and a fresh optimizer in the state of the run's.

    Attributes:
        module: the copy.
        optimizer: the copy's optimizer.
        ratios: rate of each parameter group, as a multiple of the optimizer's own.
    """

    module: Any
    optimizer: Optimizer
    ratios: list[float]

    def train(self, batches: Batches, number: int, scale: Scale, settle: Settle) -> tuple[Tensor, float]:
        """Make a step's gradient, and have it settled.

        Args:
            batches: batches to train on.
            number: number of the step.
            scale: function that a loss goes through before the backward pass.
            settle: function to call once the gradient of this process is there: it averages it over the processes, and
                takes the optimizer's step if one is to be taken, which it returns.

        Returns:
            This process's part of the step's loss, on the device, and what the sum of all parts is divided by.
        """

    def before_step(self) -> None:
        """Do what the run does between gradient and optimizer step: clip the gradient."""

    def held_out(self, batches: HeldOut) -> dict[str, float]:
        """Loss, and whatever else is known, of the copy on held-out batches; empty where there are none."""

    def held_out_loss(self, kept: Kept) -> Tensor:
        """Mean loss of the copy on such images, over all processes: float64 on the device.

        Raises:
            ValueError: the module tells no loss in validation.
        """
