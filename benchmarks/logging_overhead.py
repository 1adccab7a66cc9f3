"""What W&B costs a step of `cadence fit`, healthy or failing: steps with its rows over steps without them.

    python benchmarks/logging_overhead.py [--every 50] [--rounds 14] [--steps 100] [--out results/logging_overhead.csv]

SmallCNN, batch 64, MNIST in memory, one thread a process, a row every `--every` steps (50 is Lightning's default). Each
way is a process, warmed up and then idle until it is its turn. A turn is some steps whose rows go to W&B, and as many,
before or behind them, whose rows do not: two processes of one code differ by more than the rows cost. On a busy machine
the clock is noisy, so the processor time of the whole process, W&B's threads included, stands beside it; W&B's own
process is not in it, and may take another core. The service is a stub on loopback, in the process that measures.

  none     without W&B in both halves: what the noise is
  offline  W&B writes files; so it does after a start at which the service could not be had
  online   a service that answers
  dead     a service that closes every connection once the run has begun
  silent   a service that takes connections, and answers nothing once the run has begun
  stopped  W&B's own process hangs once the run has begun (SIGSTOP)

`logging_s` is what result.json counts as logging: what the run waited for W&B at its start and its end.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from records.files import write_csv
from records.wandb_record import WandbRecord
from records.wandb_service import services
from tests.wandb_server import KEY, WandbServer, wandb_server

ARMS = ("none", "offline", "online", "dead", "silent", "stopped")
WARM_UP = 120
MOST = 1.02  # of the steps without rows
Spent = list[float]  # seconds on the clock, and of processors


class Pace(pl.Callback):
    """Reports both halves of a turn on the pipe, and sleeps until the next one.

    Args:
        steps: number of steps in a half.
        pipe: where figures go.
    """

    def __init__(self, steps: int, pipe: Any) -> None:
        self.steps, self.pipe, self.sends, self.left = steps, pipe, True, WARM_UP
        self.halves: list[bool] = []  # of the turn, whether rows go to W&B; the one under way first
        self.spent: dict[bool, Spent] = {}
        self.since = self._now()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Count a step; at the end of a turn report, and wait for the next or for the end."""
        self.left -= 1
        if self.left:
            return
        if self.halves:
            self.spent[self.halves.pop(0)] = [now - then for now, then in zip(self._now(), self.since, strict=True)]
        if not self.halves:
            print(json.dumps([self.spent.get(half) for half in (True, False)]), file=self.pipe, flush=True)
            word = sys.stdin.readline().strip()
            trainer.should_stop, self.halves = word == "end", [word != "without", word == "without"]
        self.sends, self.left, self.since = trainer.should_stop or self.halves[0], self.steps, self._now()

    def _now(self) -> Spent:
        return [time.perf_counter(), time.process_time()]


def train(arm: str, every: int, steps: int) -> None:
    """One arm, in its process: `cadence fit`, whose turns and seconds go to the standard output."""
    pace = Pace(steps, os.fdopen(os.dup(1), "w"))
    os.dup2(2, 1)
    import cli
    from commands.configuration.cadence_cli import CadenceCLI

    build, send = CadenceCLI.build_trainer, WandbRecord.send

    def sometimes(self: WandbRecord, action: Callable[[], None]) -> None:
        if pace.sends:
            send(self, action)

    WandbRecord.send = sometimes  # type: ignore[method-assign]
    CadenceCLI.build_trainer = lambda self, extra, **kw: build(self, [*extra, pace], **kw)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        words = ["fit", "-c", "small_cnn_mnist", *([] if arm == "none" else ["-c", "loggers/wandb.yaml"])]
        words += ["--trainer.max_epochs", "1000", "--trainer.log_every_n_steps", str(every)]
        status = cli.main([*words, "--trainer.enable_progress_bar", "false", "--run_dir", f"{folder}/run"])
        if status:
            raise SystemExit(status)
        print(
            json.dumps(json.loads(Path(folder, "run", "result.json").read_text())["seconds"]),
            file=pace.pipe,
            flush=True,
        )


def started(arm: str, server: WandbServer, options: argparse.Namespace) -> subprocess.Popen[str]:
    """An arm's process, whose service fails in the arm's way."""
    server.last_answer = "upsertBucket" if arm == "dead" else None
    command = [sys.executable, __file__, "--steps", str(options.steps), "--every", str(options.every), "--arm", arm]
    variables = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}
    variables["WANDB_MODE"] = "offline" if arm == "offline" else "online"
    with log_of(arm).open("w") as log:
        quiet = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log, "text": True}
        return subprocess.Popen(command, env=os.environ | variables, **quiet)  # type: ignore[call-overload, no-any-return]


def log_of(arm: str) -> Path:
    """Where an arm's own messages go."""
    return Path(tempfile.gettempdir(), f"logging_overhead_{arm}.log")


def told(arm: str, process: subprocess.Popen[str], word: str | None = None) -> Any:
    """What a process answers, to a word if one is given."""
    assert process.stdin is not None and process.stdout is not None
    if word is not None:
        process.stdin.write(word + "\n")
        process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"{arm} has ended: see {log_of(arm)}")
    return json.loads(line)


@contextlib.contextmanager
def arms(options: argparse.Namespace) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """All arms, warmed up, and failing by now."""
    with contextlib.ExitStack() as stack:
        running: dict[str, subprocess.Popen[str]] = {}
        for arm in ARMS:
            server = stack.enter_context(wandb_server())
            running[arm] = process = started(arm, server, options)
            stack.callback(process.wait)
            stack.callback(process.kill)
            told(arm, process)
            server.silent = arm == "silent"
            for service in services(process.pid) if arm == "stopped" else []:
                os.kill(service, signal.SIGSTOP)
                stack.callback(_end, service)
            print(f"\r{arm} has begun     ", end="", file=sys.stderr)
        yield running


def _end(process: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(process, signal.SIGKILL)


def measure(options: argparse.Namespace) -> tuple[dict[str, list[list[Spent]]], dict[str, float]]:
    """What each turn's halves took, with rows and without, by arms; and the seconds that each counts as logging."""
    times: dict[str, list[list[Spent]]] = {arm: [] for arm in ARMS}
    shuffle = random.Random(1)
    with arms(options) as running:
        for number in range(options.rounds):
            first = "without" if number % 2 else "with"
            for arm in shuffle.sample(ARMS, len(ARMS)):
                times[arm].append(told(arm, running[arm], first))
            print(f"\rround {number + 1} of {options.rounds}     ", end="", file=sys.stderr)
        print(file=sys.stderr)
        return times, {arm: told(arm, running[arm], "end")["logging"] for arm in ARMS}


def rows_of(
    times: dict[str, list[list[Spent]]], logging: dict[str, float], options: argparse.Namespace
) -> list[dict[str, Any]]:
    """A row of the table for each arm."""
    from importlib.metadata import version

    from records.environment import cpu_name, versions

    rows = []
    for arm in ARMS:
        row: dict[str, Any] = {"arm": arm, "every": options.every}
        for place, name in enumerate(("wall", "cpu")):
            halves = [(sending[place], plain[place]) for sending, plain in times[arm]]
            low, ratio, high = statistics.quantiles([one / other for one, other in halves], n=4)
            row[f"{name}_us_per_step"] = round(statistics.median(one for one, _ in halves) / options.steps * 1e6)
            row |= {f"{name}_ratio": f"{ratio:.4f}", f"{name}_q1": f"{low:.4f}", f"{name}_q3": f"{high:.4f}"}
        settings = {"rounds": options.rounds, "steps_per_half": options.steps, "threads": 1}
        machine = {"cpu": cpu_name(), "cores": os.cpu_count(), "load": round(os.getloadavg()[2], 1)}
        named = {"torch": versions()["torch"], "lightning": versions()["pytorch-lightning"], "wandb": version("wandb")}
        date = datetime.now(UTC).date().isoformat()
        rows.append(
            row | {"most": MOST, "logging_s": round(logging[arm], 1), **settings, **machine, **named, "date": date}
        )
    return rows


def main() -> None:
    """Run one arm (in its process), or all of them in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=50, help="steps from one row to the next")
    parser.add_argument("--rounds", type=int, default=14)
    parser.add_argument("--steps", type=int, default=100, help="steps of half a turn")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    if options.arm:
        train(options.arm, options.every, options.steps)
        return
    rows = rows_of(*measure(options), options)
    layout = "{:<8} {:>9} {:>7} {:>17} {:>9} {:>7} {:>17} {:>10}"
    print(layout.format("arm", "us/step", "ratio", "(quartiles)", "cpu us", "ratio", "(quartiles)", "logging s"))
    for row in rows:
        shown = []
        for name in ("wall", "cpu"):
            spread = f"({row[f'{name}_q1']} - {row[f'{name}_q3']})"
            shown += [row[f"{name}_us_per_step"], row[f"{name}_ratio"], spread]
        print(layout.format(row["arm"], *shown, row["logging_s"]))
    first = rows[0]
    print(f"{options.rounds} rounds of 2 x {options.steps} steps, a row every {options.every}; load {first['load']}")
    print(f"{first['cpu']}, {first['cores']} cores; torch {first['torch']}, wandb {first['wandb']}; {first['date']}")
    if options.out:
        write_csv(options.out, rows)


if __name__ == "__main__":
    main()
