"""Problem 2 of the training dynamics homework as its configurations stand, in slots: range tests, both cyclical runs.

    python benchmarks/problem_2.py --size small                                               # SmallCNN, on a laptop
    python benchmarks/problem_2.py --size short                                               # MiniGoogLeNet, cut
    python benchmarks/problem_2.py --size full --minutes 9 --trainer.precision bf16-mixed     # MiniGoogLeNet, on a GPU

Ten candidate rates (part 2); bounds and cyclical LR in one run (2, 3); batch sizes and cyclical batch size in one run
(4 to 6). Seeds run one after the other, each part in its own directory under --runs. When the minutes are over, the
running part is stopped as by Ctrl-C; called again, the script resumes there (exit status 130 until all is finished).
It writes a row for each finished part (parts that --out has are not run again), and for each seed a figure of both
runs (7). Options that the script does not know go to the commands.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import cells
from records.run_directory import RunDirectory

PARTS = {"lr_candidates": "lr-range-test", "clr": "fit", "cyclical_batch_size": "fit"}
PREFIX = {"small": "fashion_mnist_small_cnn_", "short": "fashion_mnist_short_", "full": "fashion_mnist_"}
STOPPED = 130
FIELDS = (
    "size", "part", "seed", "options", "lr", "lower", "upper", "test_accuracy", "val_accuracy", "steps",
    "rehearsal_seconds", "training_seconds", "device", "torch", "lightning", "date",
)  # fmt: skip


def advance(command: str, options: list[str], root: Path, until: float) -> int:
    """Begin or resume a part; returns its exit status."""
    directory = RunDirectory(root)
    if directory.resumable():
        arguments = [command, "--resume", str(root)]
    else:
        shutil.rmtree(root, ignore_errors=True)  # it was stopped before there was anything to go on from
        arguments = [command, *options, "--run_dir", str(root)]
    process = subprocess.Popen([sys.executable, "-m", "cli", *arguments, "--trainer.enable_progress_bar", "false"])
    try:
        return process.wait(max(until - time.monotonic(), 1))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        process.wait()
        return STOPPED


def answer(root: Path) -> dict:
    """Results of a finished part."""
    row: dict = {}
    versions = {"torch": "", "pytorch-lightning": ""}
    for test in root.glob("*_range_test.json"):
        found = json.loads(test.read_text())
        lower, upper = found["bounds"] or ("refused", found["refusal"])
        row |= {"lr": found.get("lr"), "lower": lower, "upper": upper, "device": found["device"]}
        versions = found["versions"]
    if (result := root / "result.json").is_file():
        found = json.loads(result.read_text())
        metrics, seconds, versions = found["metrics"], found["seconds"], found["versions"]
        row |= {f"{split}_accuracy": metrics[f"{split}/accuracy"] for split in ("test", "val")}
        row |= {f"{part}_seconds": seconds[part] for part in ("rehearsal", "training")}
        row |= {"steps": found["steps"], "device": found["device"]["name"]}
    return row | {"torch": versions["torch"], "lightning": versions["pytorch-lightning"]}


def main() -> int:
    """Work until all parts are finished or the minutes are over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=PREFIX, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="of this slot")
    parser.add_argument("--runs", type=Path, default=Path("runs/problem_2"))
    parser.add_argument("--out", type=Path, default=Path("results/problem_2.csv"))
    given, options = parser.parse_known_args()
    until = time.monotonic() + 60 * given.minutes
    for seed in range(1, given.seeds + 1):
        folder = given.runs / f"{given.size}-{seed}"
        for part, command in PARTS.items():
            if (given.size, part, str(seed)) in cells.done(given.out, FIELDS[:3]):
                continue
            if time.monotonic() > until:
                return STOPPED
            configured = ["-c", PREFIX[given.size] + part, "--seed_everything", str(seed), *options]
            status = advance(command, configured, folder / part, until)
            found = answer(folder / part)
            if status and found.get("lower") != "refused":
                return status
            row = {"size": given.size, "part": part, "seed": seed, "options": " ".join(options)}
            cells.append(given.out, FIELDS, row | found | {"date": datetime.now(UTC).date().isoformat()})
        both = [str(folder / part) for part in ("clr", "cyclical_batch_size")]
        figure = folder / "runs.png"
        if not figure.is_file() and all((Path(run) / "result.json").is_file() for run in both):
            subprocess.run([sys.executable, "-m", "cli", "plot-runs", *both, "--out", str(figure)], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
