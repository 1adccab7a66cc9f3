"""The rates of the comparison once more, with batch norm's averages taken anew before a network is judged.

In trainings of some hundred steps the running averages lag behind the weights, the more so the higher the rate. A
finder that goes by the loss in training does not see that: a batch is normalised there by its own statistics.
"""

import csv

from benchmarks.finders_rows import Rows
from benchmarks.finders_start import Start


def norms(start: Start, seed: int, rows: Rows) -> None:
    """Train at each rate that has a row, and add the row of what comes out so to a file beside theirs."""
    if not start.normalised(start.trainer.lightning_module):
        return
    again = Rows(rows.path.with_stem(f"{rows.path.stem}_batch_norm"))
    reached: dict[str, dict[str, object]] = {}
    with rows.path.open(newline="") as file:
        wanted = [
            row for row in csv.DictReader(file) if (row["problem"], row["seed"]) == (start.problem.name, str(seed))
        ]
    for row in wanted:
        finder, rate = row["finder"], row["rate"]
        if rate and row["accuracy"] and again.lacks(start.problem, seed, finder, float(rate)):
            if rate not in reached:
                reached[rate] = start.at_rate(float(rate), refresh=True)
            again.add(start.problem, seed, finder, rate=float(rate), **reached[rate])
