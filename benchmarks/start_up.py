"""How long a command takes to begin: `cadence fit` to its first step, and commands that need no torch.

    python benchmarks/start_up.py --before FOLDER [--rounds 5] [--out results/start_up.csv]

Each row is a command in a fresh process, in this checkout (after) and in another one (before), which take turns in
every round: medians of its seconds on the clock and on a processor (user and system); the second hardly depends on what
else the machine does. A round before the first is left out: it compiles to bytecode and fills the disk's cache. The
rows of imports are Python's own account (`-X importtime`) of a fit by package, self time; it makes all slower itself.
"""

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from records.environment import cpu_name, versions
from records.files import write_csv

HERE = Path(__file__).resolve().parents[1]
FIT = ("fit", "--model", "MLP", "--data", "Digits", "--optimizer", "SGD", "--optimizer.lr", "0.1",
       "--trainer.max_steps", "1", "--trainer.limit_val_batches", "0", "--test_after_fit", "false",
       "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false")  # fmt: skip
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "fit, one step": FIT,  # and its record
    "fit, with its end": FIT,
    "fit --help": ("fit", "--help"),
    "lr-range-test --help": ("lr-range-test", "--help"),
    "study list": ("study", "list"),
    "plot-runs": ("plot-runs", "drawn"),
    "data verify": ("data", "verify"),
    "list": ("list",),
}
SHOWN = 12  # packages of the table of imports


# What a process has used once its command has returned; Python then takes everything apart, for a second more.
SAID = """
import resource, sys, time
from cli import main
main(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
sys.__stderr__.write(f"\\n{time.time()} {used.ru_utime + used.ru_stime}")
"""


def to_its_return(words: tuple[str, ...], checkout: Path, folder: Path) -> tuple[float, float]:
    """Seconds until a command returns, on the clock and on a processor."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    began, command = time.time(), [sys.executable, "-c", SAID, *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    ended, used = next(
        line for line in reversed(done.stderr.splitlines()) if re.fullmatch(r"[\d.]+ [\d.]+", line)
    ).split()
    return float(ended) - began, float(used)


def timed(words: tuple[str, ...], checkout: Path, folder: Path) -> tuple[float, float]:
    """Seconds of a command on the clock, and on a processor."""
    environment = os.environ | {
        "PYTHONPATH": str(checkout),
        "CADENCE_DATA": str(folder / "data"),
        "OMP_NUM_THREADS": "1",
    }
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "cli", *words], cwd=folder, env=environment, capture_output=True, check=False)
    elapsed, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return elapsed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def imports(checkout: Path, folder: Path) -> Counter[str]:
    """Milliseconds that each package took to import, in a fit of one step."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-X", "importtime", "-m", "cli", *FIT]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    found: Counter[str] = Counter()
    for line in done.stderr.splitlines():
        if told := re.fullmatch(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", line):
            found[told[2].partition(".")[0]] += int(told[1]) / 1000
    return found


def main() -> None:
    """Measure, print the table, and write it as CSV where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="checkout that is held against this one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    arms = {"before": options.before.resolve(), "after": HERE}
    known = versions()
    machine = {"rounds": options.rounds, "cpu": cpu_name(), "cores": os.cpu_count(), "python": known["python"]}
    machine |= {
        "torch": known["torch"],
        "lightning": known["pytorch-lightning"],
        "date": datetime.now(UTC).date().isoformat(),
    }
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        timed((*FIT, "--run_dir", "drawn", "--trainer.log_every_n_steps", "1"), HERE, folder)  # what plot-runs draws
        found: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for turn in range(options.rounds + 1):
            for what, words in COMMANDS.items():
                for arm, checkout in arms.items():
                    one = (to_its_return if what == "fit, one step" else timed)(words, checkout, folder)
                    if turn:
                        found.setdefault((what, arm), []).append(one)
        for (what, arm), times in found.items():
            wall, processor = (statistics.median(one) for one in zip(*times, strict=True))
            rows.append(
                {"row": what, "arm": arm, "seconds": f"{wall:.2f}", "processor_seconds": f"{processor:.2f}", **machine}
            )
        for arm, checkout in arms.items():
            counted = [imports(checkout, folder) for _ in range(options.rounds)]
            medians = {package: statistics.median(one[package] for one in counted) for package in counted[0]}
            for package, took in sorted(medians.items(), key=lambda item: -item[1])[:SHOWN]:
                row = {
                    "row": f"importing {package}",
                    "arm": arm,
                    "seconds": f"{took / 1000:.2f}",
                    "processor_seconds": "",
                }
                rows.append(row | machine)
    for row in rows:
        print(f"{row['row']:<30}{row['arm']:<8}{row['seconds']:>8}{row['processor_seconds']:>8}")
    if options.out:
        write_csv(options.out, rows)


if __name__ == "__main__":
    main()
