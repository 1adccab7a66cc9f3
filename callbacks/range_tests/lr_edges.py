"""Whether the answer of a learning-rate range test lies at the edge of the rates that it tried."""

from collections.abc import Sequence

import numpy as np

from callbacks.range_tests.losses import FINISHED
from callbacks.range_tests.lr_consensus import Consensus
from callbacks.range_tests.lr_curve import Curve, curve
from callbacks.range_tests.lr_race import Race
from callbacks.range_tests.lr_sweeps import Sweep

NEAR = 0.1  # decades: the end of a curve is as uncertain


def edges(lrs: np.ndarray, sweeps: Sequence[Sweep], found: Consensus, race: Race | None) -> tuple[str, ...]:
    """What lies at an edge, a clause each, with the remedy; none with a refusal.

    Where the loss is lowest at the highest rate, or falls from the lowest on, more rates would give another answer.
    Where it broke down, the sweeps ended by themselves; only a suggestion that is held to the last rate is told.

    Args:
        lrs: rates of the test, (n,), increasing.
        sweeps: losses of each seed.
        found: what the rules say of them.
        race: race after the sweeps; None without.
    """
    if found.lr is None or found.bounds is None:
        return ()
    first, last = float(lrs[0]), float(lrs[-1])
    reached = (min if found.pooled else max)(len(sweep.losses) for sweep in sweeps)
    used = float(lrs[min(reached, len(lrs)) - 1])
    said = []
    curves = [curve(lrs, sweep.losses, sweep.errors, found.bandwidth) for sweep in sweeps]
    whole = [sweep.stopped == FINISHED and len(sweep.losses) == len(lrs) for sweep in sweeps]
    begins = [at is not None and _falls_at_once(at) for at in curves]
    goes_on = [at is not None and full and _still_falls(at) for at, full in zip(curves, whole, strict=True)]
    if 2 * sum(begins) > len(curves):
        said.append(f"the loss falls from {first:.3g} on, the lowest rate tried: lower it")
    if 2 * sum(goes_on) > len(curves):
        said.append(f"the loss still falls at {last:.3g}, the highest rate tried: raise it")
    elif 2 * sum(whole) > len(curves) and found.bounds[1] >= last * 10**-NEAR:
        said.append(f"the loss has not risen by {last:.3g}, the highest rate tried: raise it")
    elif race is None and found.lr >= used:
        said.append(f"lr is the last rate that the sweeps reached, {used:.3g}")
    if race is not None and race.at_the_edge:
        said.append("the highest rate that was raced has won")
    elif race is not None and race.lr == race.lrs[0]:
        said.append("the lowest rate that was raced has won")
    return tuple(said)


def _falls_at_once(at: Curve) -> bool:
    return any(at.x[first] - at.x[0] <= NEAR for first, _ in at.falls())


def _still_falls(at: Curve) -> bool:
    return bool(at.x[-1] - at.x[at.minimum] <= NEAR)
