"""What a change does to the step of `cadence fit`: this checkout's step over another's, along each way through it.

    python benchmarks/step_change.py OTHER [--ways short foreign processes] [--rounds 20] [--steps 25] [--out FILE]

OTHER is another checkout of this project, e.g. one made by `git worktree add ../before COMMIT`. SmallCNN, batch 64,
MNIST in memory, one thread a process. Both checkouts' processes run side by side, idle until it is their turn; a round
gives each of them some steps, in either order. The table has medians over the rounds of the ratios, of seconds and of
the main thread's processor time, which a busy neighbour moves less.

  short      one process, where only Cadence's own callbacks have hooks in a step
  foreign    one process, and a callback that hears of each gradient, so that steps go Lightning's way
  processes  two processes (ddp), Lightning's way too
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

HOUSE = Path(__file__).resolve().parents[1]
WARM_UP = 30
WAYS: dict[str, tuple[str, ...]] = {
    "short": (),
    "foreign": ("--trainer.callbacks+=step_change.Listener",),
    "processes": ("--trainer.devices", "2", "--trainer.strategy", "ddp"),
}


class Pace(pl.Callback):
    """Reports a turn's seconds on the pipe, and sleeps until the next one.

    Args:
        steps: number of steps in a turn.
    """

    def __init__(self, steps: int) -> None:
        self.steps, self.left, self.since = steps, WARM_UP, (0.0, 0.0)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Count a step; at the end of a turn report and wait. The other processes wait for the first one."""
        self.left -= 1
        if self.left or not trainer.is_global_zero:
            return
        spent = time.perf_counter() - self.since[0], time.thread_time() - self.since[1]
        with os.fdopen(os.dup(int(os.environ["TURNS"])), "w") as pipe:
            print(*spent, file=pipe, flush=True)
        if not sys.stdin.readline():
            os.killpg(0, 9)
        self.left, self.since = self.steps, (time.perf_counter(), time.thread_time())


class Listener(pl.Callback):
    """Somebody else's callback."""

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Hear of it."""


def train(way: str, steps: int) -> None:
    """One arm: `cadence fit` without end, its figures on the pipe and all else on stderr."""
    if "TURNS" not in os.environ:  # the second of two processes is started by the first, and inherits it
        os.environ["TURNS"] = str(os.dup(1))
        os.set_inheritable(int(os.environ["TURNS"]), True)
        os.dup2(2, 1)
    import cli

    pace = ("--trainer.callbacks+=step_change.Pace", "--trainer.callbacks.steps", str(steps))
    with tempfile.TemporaryDirectory() as folder:
        words = [
            "fit",
            "-c",
            "small_cnn_mnist",
            "--trainer.max_epochs",
            "1000",
            "--run_dir",
            f"{folder}/run",
            "--debug",
        ]
        cli.main([*words, *pace, *WAYS[way]])


def begun(checkout: Path, way: str, steps: int) -> subprocess.Popen:
    """An arm's process, in a group of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(checkout), "MASTER_ADDR": "127.0.0.1"}
    command = [sys.executable, __file__, "--steps", str(steps), "--arm", way]
    return subprocess.Popen(
        command, cwd=checkout, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip


def ratios(checkouts: tuple[Path, Path], way: str, rounds: int, steps: int) -> tuple[list[float], list[float], float]:
    """Ratios of the first checkout's turns to the second's, wall-clock and processor time, and microseconds a step."""
    arms, shuffle = [begun(checkout, way, steps) for checkout in checkouts], random.Random(1)
    wall, processor, step = [], [], []
    try:
        for arm in arms:
            if not arm.stdout.readline():
                raise SystemExit(f"an arm ended before its first turn: cd {arm.args}")
        for number in range(rounds):
            turns = {}
            for place in shuffle.sample((0, 1), 2):
                arms[place].stdin.write("go\n")
                arms[place].stdin.flush()
                turns[place] = [float(word) for word in arms[place].stdout.readline().split()]
            wall.append(turns[0][0] / turns[1][0])
            processor.append(turns[0][1] / turns[1][1])
            step.append(turns[1][0] / steps * 1e6)
            print(f"\r{way}: round {number + 1} of {rounds}", end="", file=sys.stderr)
    finally:
        for arm in arms:
            os.killpg(arm.pid, 9)
            arm.wait()
    print(file=sys.stderr)
    return wall, processor, statistics.median(step)


def main() -> None:
    """Run one arm (in its process), or compare two checkouts and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, nargs="?")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--arm", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.arm:
        train(options.arm, options.steps)
        return
    if options.other is None:
        parser.error("name another checkout")

    from records.environment import cpu_name, versions
    from records.files import write_csv

    rows = []
    for way in options.ways:
        wall, processor, step = ratios((HOUSE, options.other.resolve()), way, options.rounds, options.steps)
        low, middle, high = statistics.quantiles(wall, n=4)
        rows.append(
            {
                "way": way, "us_per_step_of_other": round(step), "ratio_median": round(middle, 4),
                "ratio_q1": round(low, 4), "ratio_q3": round(high, 4),
                "processor_ratio_median": round(statistics.median(processor), 4), "rounds": options.rounds,
                "steps_per_turn": options.steps, "cpu": cpu_name(), "cores": os.cpu_count(),
                "torch": versions()["torch"], "lightning": versions()["pytorch-lightning"],
            }
        )  # fmt: skip
    layout = "{:<10} {:>9} {:>8} {:>17} {:>16}"
    print(layout.format("way", "us/step", "ratio", "(quartiles)", "processor ratio"))
    for row in rows:
        spread = f"({row['ratio_q1']} - {row['ratio_q3']})"
        print(layout.format(row["way"], row["us_per_step_of_other"], row["ratio_median"], spread,
                            row["processor_ratio_median"]))  # fmt: skip
    if options.out:
        write_csv(options.out, rows)


if __name__ == "__main__":
    main()
