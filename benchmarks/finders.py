"""Finders of a learning rate on problems that none was made for: what training at the rate that each finds comes to.

    python benchmarks/finders.py [--finders grid ours steps peers] [--problems NAME ...] [--seeds 1 2 3] [--out FILE]

Measures what FILE, results/finders.csv by default, has no row of, and adds a row as soon as it is known: stopped, it
goes on by the same command. Problem by problem, a core takes about an hour and a half for all:

  grid    eleven rates, half a decade apart, each trained with
  ours    `LRRangeTest(refine=4)`: the median of its points, its suggestion without a race, and the raced rate; and
          the race once more, scored by the loss on 512 images that are neither trained on nor judged by
  steps   what `LRRangeTest` would say with other numbers of steps and other first rates; nothing is trained at it
  peers   what people use instead, from packages of their own: pip install 'cadence[finders]'
  norms   where there is batch norm, the rates of FILE once more, with its averages taken anew from 50 batches before
          the network is judged; into a file beside FILE, results/finders_batch_norm.csv by default

Everything of a problem and a seed begins with the same weights, and every training has the same samples in the same
order, but the sweeps that find a rate have orders of their own. A row has the rate, the accuracy on the test images
after the training, and what finding the rate cost besides that: steps, and seconds of one core (of the process, so that
others on the machine do not count). `python docs/finders.py` makes the page.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.finders_problems import PROBLEMS, SEEDS, Problem
from benchmarks.finders_rows import Rows

FILE = Path(__file__).resolve().parents[1] / "results" / "finders.csv"
GROUPS = ("grid", "ours", "steps", "peers", "norms")


def main() -> None:
    """Measure what there is no row of."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--finders", nargs="+", choices=GROUPS, default=GROUPS)
    parser.add_argument("--problems", nargs="+", choices=[problem.name for problem in PROBLEMS])
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--out", type=Path, default=FILE)
    options = parser.parse_args()
    from trainer.process import settle

    settle()
    import torch

    torch.set_num_threads(1)
    quiet()
    from benchmarks.finders_start import begun

    rows = Rows(options.out)
    for problem, seed, group in ordered(options):
        begun(problem, seed, lambda start, seed=seed, group=group: measure(group)(start, seed, rows))


def measure(group: str) -> Callable[..., None]:
    """The function that measures a group, for a start and a seed, and adds rows."""
    if group == "peers":
        from benchmarks import finders_peers

        return finders_peers.peers
    if group == "norms":
        from benchmarks import finders_norms

        return finders_norms.norms
    from benchmarks import finders_ours

    return getattr(finders_ours, group)


def ordered(options: argparse.Namespace) -> Iterator[tuple[Problem, int, str]]:
    """Problem, seed and group of finders, problem by problem: what is there after a stop is whole."""
    for problem in PROBLEMS:
        if options.problems is None or problem.name in options.problems:
            for seed in options.seeds:
                for group in options.finders:
                    yield problem, seed, group


def quiet() -> None:
    """Keep Lightning's tips off the output."""
    import logging
    import warnings

    os.environ.setdefault("MPLBACKEND", "Agg")
    for library in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(library).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")


if __name__ == "__main__":
    sys.exit(main())
