"""The grid, and our own finders: the range test with and without its race, and sweeps of other lengths."""

import math
import time
from dataclasses import replace

import numpy as np

from benchmarks.finders_rows import Rows, shown
from benchmarks.finders_start import Start, timed
from callbacks import LRRangeTest
from callbacks.range_tests.lr_race import Race
from callbacks.range_tests.rehearsal import Rehearsal
from timeline.keys import rehearsal_seed

OTHERS = ((1e-7, 100), (1e-7, 600), (1e-5, 100), (1e-5, 200), (1e-5, 600))  # first rate and steps of other sweeps


def grid(start: Start, seed: int, rows: Rows) -> None:
    """Train at every rate of the grid."""
    for rate in start.problem.grid:
        if rows.lacks(start.problem, seed, "grid", rate):
            began = time.process_time()
            found = start.at_rate(rate)
            seconds = round(time.process_time() - began, 3)
            rows.add(start.problem, seed, "grid", rate=rate, **found, steps=found["trained"], seconds=seconds)


def ours(start: Start, seed: int, rows: Rows) -> None:
    """The range test with a race: one test gives three answers, and its race by held-out loss the fourth."""
    names = ("median", "suggested", "raced", "raced, held out")
    if not any(rows.lacks(start.problem, seed, name) for name in names):
        return
    outcome, seconds = timed(lambda: LRRangeTest(refine=4).measure(start.trainer))
    sweeps, race = sum(len(sweep.losses) for sweep in outcome.sweeps), outcome.race
    raced = 0 if race is None else sum(len(losses) for losses in race.losses)
    alone = replace(outcome, race=None).consensus
    rest = seconds * sweeps / (sweeps + raced)
    again, looked = (None, 0.0) if race is None else timed(lambda: held_out(start, race))
    for name, rate, made, spent, at_edge in (
        ("median", alone.median, sweeps, rest, False),
        ("suggested", alone.lr, sweeps, rest, False),
        ("raced", outcome.lr, sweeps + raced, seconds, race is not None and race.at_the_edge),
        ("raced, held out", again and again.lr, sweeps + raced, rest + looked, again is not None and again.at_the_edge),
    ):
        if rows.lacks(start.problem, seed, name):
            trained = {} if rate is None else start.at_rate(rate)
            note = outcome.refusal or ("the highest that was raced" if at_edge else "")
            said = {"steps": made, "seconds": round(spent, 3), "note": note}
            rows.add(start.problem, seed, name, rate=shown(rate), **trained, **said)


def held_out(start: Start, race: Race) -> Race:
    """The same race, but of its last quarter it is the loss on the held-out images that decides."""

    def losses(rate: float) -> np.ndarray:
        copy = Rehearsal(start.trainer, start.problem.batch_size, rehearsal_seed(start.data.seed, 3))
        found = []
        for number in range(race.steps):
            loss = float(copy.step(number, rate))
            found.append(loss if number < race.steps * 3 // 4 else copy.held_out()["loss"])
            if not math.isfinite(found[-1]):
                break
        return np.array(found)

    return replace(race, losses=[losses(float(rate)) for rate in race.lrs])


def steps(start: Start, seed: int, rows: Rows) -> None:
    """The suggestion, and the median that it was before, with other numbers of steps and other first rates."""
    for lower, count in OTHERS:
        names = [f"{name}, {count} steps from {lower:g}" for name in ("suggested", "median")]
        if not any(rows.lacks(start.problem, seed, name) for name in names):
            continue
        test = LRRangeTest(steps=count, lower=lower)
        outcome, seconds = timed(lambda test=test: test.measure(start.trainer))
        made = sum(len(sweep.losses) for sweep in outcome.sweeps)
        said = {"steps": made, "seconds": round(seconds, 3), "note": outcome.refusal or ""}
        for name, rate in zip(names, (outcome.lr, outcome.consensus.median), strict=True):
            if rows.lacks(start.problem, seed, name):
                rows.add(start.problem, seed, name, rate=shown(rate), **said)
