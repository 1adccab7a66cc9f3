"""What numbers below 1e-38 cost a step on a CPU: an MLP's step with them, against the same with zeros in their place.

    python benchmarks/denormals.py [--optimizers RMSprop Adam ...] [--steps 500 3000] [--rounds 9] [--out FILE]

The MLP of the study of adaptive optimizers, 3072-1000-1000-10 on CIFAR-10, batch 128, L2 1e-4, one thread. It trains
for so many steps with such numbers, which come with time, as L2 shrinks weights. Then each round makes 10 steps from
that state in both ways, in either order. Prints for each optimizer and number of steps the part of the weights that
are below 1e-25, milliseconds of a step and their ratio, medians over the rounds with quartiles, and by how much the
weights of both ways differ after a round at most.
"""

import argparse
import copy
import datetime
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from datamodules import CIFAR10
from optimizers import NesterovRMSprop
from records.environment import cpu_name, versions
from records.files import write_csv

OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "RMSprop": lambda weights: torch.optim.RMSprop(weights, 0.001, weight_decay=1e-4),
    "NesterovRMSprop": lambda weights: NesterovRMSprop(weights, 0.0001, weight_decay=1e-4),
    "Adam": lambda weights: torch.optim.Adam(weights, 0.001, weight_decay=1e-4),
    "Adadelta": lambda weights: torch.optim.Adadelta(weights, 1.0, weight_decay=1e-4),
    "Adagrad": lambda weights: torch.optim.Adagrad(weights, 0.01, weight_decay=1e-4),
}
TURN = 10  # steps
SMALL = 1e-25


class Training:
    """A network and its optimizer, which take one batch after the other.

    Args:
        optimizer: name of the optimizer.
    """

    def __init__(self, optimizer: str) -> None:
        torch.manual_seed(1)
        layers = nn.Linear(3072, 1000), nn.ReLU(), nn.Linear(1000, 1000), nn.ReLU(), nn.Linear(1000, 10)
        self.network = nn.Sequential(nn.Flatten(), *layers)
        self.optimizer = OPTIMIZERS[optimizer](self.network.parameters())
        data = CIFAR10(batch_size=128, drop_last=True)
        data.prepare_data()
        data.setup("fit")
        self.loader, self.transforms, self.number = data.train_dataloader(), data.train_transforms, 0

    def step(self) -> None:
        """Train on the next batch."""
        batch = self.transforms(self.loader.batch(self.number))
        self.optimizer.zero_grad()
        nn.functional.cross_entropy(self.network(batch.images), batch.labels).backward()
        self.optimizer.step()
        self.number += 1

    def turn(self, kept: dict[str, Any], flush: bool) -> float:
        """Milliseconds of a step, from the kept state on."""
        self.load(kept)
        self.number = 0  # the same batches
        torch.set_flush_denormal(flush)
        self.step()  # the first one writes zeros, where it flushes
        begin = time.perf_counter()
        for _ in range(TURN):
            self.step()
        spent = (time.perf_counter() - begin) / TURN
        torch.set_flush_denormal(False)
        return 1e3 * spent

    def keep(self) -> dict[str, Any]:
        """A copy of all that a step changes."""
        return copy.deepcopy({"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()})

    def weights(self) -> Tensor:
        """All weights, (n,)."""
        return nn.utils.parameters_to_vector(self.network.parameters()).detach().clone()

    def load(self, kept: dict[str, Any]) -> None:
        """Go back to it."""
        self.network.load_state_dict(kept["network"])
        self.optimizer.load_state_dict(copy.deepcopy(kept["optimizer"]))


def measure(training: Training, steps: int, rounds: int) -> dict[str, Any]:
    """The row of a training, once it has made so many steps."""
    while training.number < steps:
        training.step()
    kept, small = training.keep(), float((training.weights().abs() < SMALL).float().mean())
    found: dict[bool, list[float]] = {False: [], True: []}
    apart = 0.0
    for _ in range(rounds):
        weights = {}
        for flush in random.sample((False, True), 2):
            found[flush].append(training.turn(kept, flush))
            weights[flush] = training.weights()
        apart = max(apart, float((weights[False] - weights[True]).abs().max()))
    ratios = [with_them / without for with_them, without in zip(found[False], found[True], strict=True)]
    training.load(kept)
    training.number = steps
    quartiles = statistics.quantiles(ratios, n=4)
    return {
        "optimizer": type(training.optimizer).__name__,
        "after_steps": steps,
        "small_weights": round(small, 4),
        "with_ms": round(statistics.median(found[False]), 2),
        "flushed_ms": round(statistics.median(found[True]), 2),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_q1": round(quartiles[0], 2),
        "ratio_q3": round(quartiles[2], 2),
        "weights_apart": apart,
        "rounds": rounds,
    }


def main() -> None:
    """Measure, print a line for each optimizer, and write them as CSV where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--optimizers", nargs="+", choices=OPTIMIZERS, default=[*OPTIMIZERS])
    parser.add_argument("--steps", type=int, nargs="+", default=[500, 3000])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for optimizer in options.optimizers:
        training = Training(optimizer)
        for steps in sorted(options.steps):
            rows.append(measure(training, steps, options.rounds))
            print(", ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    machine = {"cpu": cpu_name(), "torch": versions()["torch"], "date": datetime.date.today().isoformat()}
    if options.out:
        write_csv(options.out, [row | machine for row in rows])


if __name__ == "__main__":
    main()
