"""Images a second of `cadence fit` on a GPU, as shipped and compiled, against the loops that people write.

    python benchmarks/gpu_step.py [--networks ...] [--sizes 64 512 2048] [--rounds 8] [--out results/gpu_step.csv]

Random images of CIFAR-10's shape (the cost does not depend on the content), bf16, channels-last, SGD. For each network
and size one process, in which the ways to train take turns of some steps, in a new order each round; the table shows
medians of the turns and of the ratios within a round. All processes warm up and compile at once, then each measures
alone.

  fit        `cadence fit` as shipped, with `device_resident`: crop, flip, progress bar, metrics.csv, checkpoints
  fit+       the same with `--model.compile reduce-overhead`
  eager      (a) a bare loop over images held on the device, without augmentation
  compiled   (b) the same with `torch.compile(network)`
  graphs     (b) the same with mode `reduce-overhead`
  stock      (c) Lightning with DataLoader, PIL transforms, torchmetrics and self.log at every step; by itself, once

`best` is the fastest of eager, compiled and graphs. `waits` counts what made the host wait for the device in 30 steps
of `fit` between two rows of metrics. Operations are those of convolutions and matrix products; bytes are what an eager
step's operations read and write (a compiled step needs fewer). Both are given as shares of what the card reaches in a
large product and a large copy.

Without a GPU it runs on the CPU, to try its own logic:
`--networks ResNet-8 --sizes 8 --rounds 2 --steps 1 --warm-up 2`.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BARE = {"eager": None, "compiled": "default", "graphs": "reduce-overhead"}


def measure(network: str, batch_size: int, rounds: int, steps: int, warm_up: int, say: Callable[[Any], None]) -> None:
    """One cell, in its own process: warm up, say so, wait for the parent, measure, and report.

    The compiled fit runs in the main thread, since CUDA graphs belong to a thread, and gives the others their turns.
    """
    from gpu_arms import Fit, Guest, stock
    from gpu_bare import BareStep, wait, work

    shuffle, times = random.Random(1), {arm: [] for arm in ("fit", "fit+", *BARE)}  # type: dict[str, list[float]]

    def hosted() -> Iterator[int]:
        """Give the other arms their turns; yields the number of steps of each turn of the host."""
        plain = Fit(network, batch_size)
        guest = Guest(plain)
        loops = {arm: BareStep(network, mode).loop(batch_size) for arm, mode in BARE.items()}
        turns: dict[str, Callable[[int], None]] = {"fit": guest.turn}
        turns |= {arm: lambda count, loop=loop: [next(loop) for _ in range(count)] for arm, loop in loops.items()}  # type: ignore[misc]
        for turn in turns.values():
            turn(warm_up)
        yield warm_up
        say({"ready": True})
        sys.stdin.readline()
        for number in range(rounds):
            for arm in shuffle.sample(list(times), len(times)):
                wait()
                begin = time.perf_counter()
                if arm == "fit+":
                    yield steps
                else:
                    turns[arm](steps)
                wait()
                times[arm].append((time.perf_counter() - begin) / steps)
            print(f"{network} {batch_size}: round {number + 1} of {rounds}", file=sys.stderr)
        times["stock"] = [stock(network, batch_size)]
        operations, moved = work(network, batch_size)
        say({"times": times, "operations": operations, "bytes": moved, "waits": plain.waits})
        os._exit(0)

    host, scheduler, left = Fit(network, batch_size, ("--model.compile", "reduce-overhead")), hosted(), [0]

    def after_step() -> None:
        left[0] -= 1
        if left[0] <= 0:
            left[0] = next(scheduler)

    host.after_step = after_step
    left[0] = min(10, warm_up)  # the host's own first steps compile it
    host.run()


def cells(options: argparse.Namespace) -> dict[tuple[str, int], dict[str, Any]]:
    """What each network and size found; those that ended before are told of and left out."""
    environment = os.environ | {"TORCHINDUCTOR_COMPILE_THREADS": "4"}
    command = [sys.executable, __file__, "--rounds", str(options.rounds), "--steps", str(options.steps)]
    command += ["--warm-up", str(options.warm_up), "--cell"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    wanted = [(network, size) for network in options.networks for size in options.sizes]
    running = {cell: subprocess.Popen([*command, cell[0], str(cell[1])], **pipes) for cell in wanted}  # type: ignore[call-overload]
    found = {}
    try:
        begin = time.monotonic()
        ready = [cell for cell in wanted if running[cell].stdout.readline()]
        print(f"{len(ready)} of {len(wanted)} are warm after {time.monotonic() - begin:.0f} s", file=sys.stderr)
        for cell in ready:
            running[cell].stdin.write("go\n")
            running[cell].stdin.flush()
            if answer := running[cell].stdout.readline():
                found[cell] = json.loads(answer)
            running[cell].wait()
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    return found


def rows_of(cell: tuple[str, int], found: dict[str, Any], card: tuple[float, float]) -> list[dict[str, Any]]:
    """A row for each way to train: speed, ratio to the best bare loop, and shares of the card's limits."""
    times: dict[str, list[float]] = found["times"]
    best = [min(turn) for turn in zip(*(times[arm] for arm in BARE), strict=True)]
    rows = []
    for arm, spent in times.items():
        if len(spent) == 1:  # stock, measured once
            spent, rounds = spent * len(best), 1
        else:
            rounds = len(spent)
        low, middle, high = statistics.quantiles(spent, n=4)
        operations, moved = found["operations"] / middle, found["bytes"] / middle
        rows.append(
            {
                "network": cell[0],
                "batch_size": cell[1],
                "arm": arm,
                "images_per_s": round(cell[1] / middle),
                "ms_per_step": f"{1e3 * middle:.3f}",
                "ms_q1": f"{1e3 * low:.3f}",
                "ms_q3": f"{1e3 * high:.3f}",
                "to_best": f"{statistics.median(b / own for own, b in zip(spent, best, strict=True)):.3f}",
                "target": 0.95 if arm.startswith("fit") else "",
                "share_of_operations": f"{operations / card[0]:.3f}",
                "share_of_bytes": f"{moved / card[1]:.3f}" if arm in ("fit", "eager") else "",
                "gigaoperations": f"{found['operations'] / 1e9:.2f}",
                "eager_megabytes": f"{found['bytes'] / 1e6:.1f}",
                "waits_in_30_steps": found["waits"] if arm == "fit" and found["waits"] >= 0 else "",
                "rounds": rounds,
            }
        )
    return rows


def report(rows: list[dict[str, Any]], settings: dict[str, Any], out: Path | None) -> None:
    """Print the table; write it as CSV where asked."""
    from records.files import write_csv

    shown = ("network", "batch_size", "arm", "images_per_s", "ms_per_step", "ms_q1", "ms_q3", "to_best", "target",
             "share_of_operations", "share_of_bytes", "waits_in_30_steps")  # fmt: skip
    layout = "{:<14}{:>5} {:<9}{:>9}{:>9}{:>9}{:>9}{:>8}{:>7}{:>7}{:>7}{:>6}"
    print(
        layout.format(
            "network", "size", "arm", "images/s", "ms/step", "q1", "q3", "to best", "target", "ops", "bytes", "waits"
        )
    )
    for row in rows:
        print(layout.format(*(row[name] for name in shown)))
    print("; ".join(f"{name} {value}" for name, value in settings.items()))
    if out:
        write_csv(out, [row | settings for row in rows])


def main() -> None:
    """Measure one cell (in its process), or all, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["ResNet", "MiniGoogLeNet"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[64, 512, 2048])
    parser.add_argument("--rounds", type=int, default=8, help="at least 2")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warm-up", type=int, default=60, help="steps of each way before the first turn")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--cell", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cell:
        channel = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # progress bars and tables go to stderr; the pipe is for figures

        def say(content: Any) -> None:
            print(json.dumps(content), file=channel, flush=True)

        measure(options.cell[0], int(options.cell[1]), options.rounds, options.steps, options.warm_up, say)
    if not (found := cells(options)):
        raise SystemExit("no cell was measured: each says why above")

    from gpu_arms import WORKERS
    from gpu_bare import limits, machine

    card = limits()
    settings = {
        "steps_per_turn": options.steps,
        "stock_workers": WORKERS,
        "card_tera_operations_per_s": round(card[0] / 1e12),
        "card_terabytes_per_s": f"{card[1] / 1e12:.2f}",
    }
    rows = [row for cell, its in found.items() for row in rows_of(cell, its, card)]
    report(rows, settings | machine(), options.out)


if __name__ == "__main__":
    main()
