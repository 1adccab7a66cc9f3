"""Eight short runs that between them go through every part of a step, and what of each must never change."""

import csv
import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

HOUSE = Path(__file__).resolve().parents[2]
MLP = (
    "--model", "MLP", "--model.hidden_sizes", "[24]", "--data", "Digits", "--optimizer", "SGD",
    "--optimizer.lr", "0.05", "--trainer.max_epochs", "2",
)  # fmt: skip
DROPOUT = (*MLP, "--model.dropout_hidden", "0.3")
POLICIES = (
    *MLP, "--model.spare_biases_and_norms", "true", "--optimizer.momentum", "0.9",
    "--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.steps", "30", "--trainer.callbacks.seeds", "2",
    "--trainer.callbacks.at_step", "3",
    "--trainer.callbacks+=BatchSizeRangeTest", "--trainer.callbacks.steps", "10", "--trainer.callbacks.sizes",
    "[16,32,64]",
    "--trainer.callbacks+=CyclicalLR", "--trainer.callbacks.lower", "0.002", "--trainer.callbacks.upper", "0.05",
    "--trainer.callbacks.half_cycle", "1", "--trainer.callbacks.mode", "exp_range", "--trainer.callbacks.gamma", "0.8",
    "--trainer.callbacks.cycle_momentum", "[0.8,0.9]",
    "--trainer.callbacks+=CyclicalBatchSize", "--trainer.callbacks.lower", "16", "--trainer.callbacks.upper", "64",
    "--trainer.callbacks.half_cycle", "1.5", "--trainer.callbacks.gamma", "0.8",
    "--trainer.callbacks+=BatchAugmentedCutout", "--trainer.callbacks.copies", "2", "--trainer.callbacks.size", "3",
    "--trainer.callbacks+=TimeToTarget", "--trainer.callbacks.accuracy", "0.8",
    "--data.augment+=RandomCrop", "--data.augment.padding", "1", "--data.augment+=RandomHorizontalFlip",
)  # fmt: skip
RUNS: dict[str, tuple[str, ...]] = {
    "digits_clr": ("-c", "digits_clr", "--trainer.max_epochs", "3"),
    "digits_cyclical_batch_size": ("-c", "digits_cyclical_batch_size", "--trainer.max_epochs", "3"),
    "every policy": POLICIES,
    "two processes": (*POLICIES, "--trainer.devices", "2", "--trainer.strategy", "ddp"),
    "resumed mid-epoch": (
        *DROPOUT, "--trainer.callbacks+=tests.stopping.StopAfter", "--trainer.callbacks.step", "23",
    ),
    "dropout and micro-batches": (
        *DROPOUT, "--model.micro_batch_size", "24", "--model.label_smoothing", "0.1",
        "--model.gradient_clip_norm", "1",
    ),
    "Madam": (*MLP, "--optimizer", "Madam", "--optimizer.lr", "0.02"),
    "64-true": (*DROPOUT, "--trainer.precision", "64-true", "--data.batch_size", "61"),
}  # fmt: skip
STOPPED = 130


def observed(name: str, folder: Path) -> dict[str, Any]:
    """Train one of RUNS in a folder; what it leaves."""
    run = folder / name.replace(" ", "_")
    words = (*RUNS[name], "--trainer.accelerator", "cpu", "--trainer.log_every_n_steps", "5",
             "--trainer.enable_progress_bar", "false", "--run_dir", str(run))  # fmt: skip
    status = _cadence("fit", *words)
    if name == "resumed mid-epoch":
        assert status == STOPPED, f"it was to be stopped, and ended with status {status}"
        status = _cadence("fit", "--resume", str(run))
    assert status == 0, f"{name} ended with status {status}"
    return left_by(run)


def left_by(run: Path) -> dict[str, Any]:
    """Rows of metrics.csv without their seconds, a digest of the weights, and what the range tests answered."""
    return {
        "metrics": _table(run / "metrics.csv"),
        "weights": digest_of_weights(run / "checkpoints" / "last.ckpt"),
        "range tests": {
            path.stem: _answer(path) | {"table": _digest(_table(path.with_suffix(".csv")))}
            for path in sorted(run.glob("*_range_test.json"))
        },
    }


def digest_of_weights(checkpoint: Path) -> str:
    """SHA-256 over names, types, shapes and bytes of all parameters and buffers."""
    import torch

    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name]
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def machine() -> dict[str, str]:
    """What rounding depends on: on another machine the last bits may be others."""
    import torch

    from records.environment import cpu_name

    return {
        "cpu": cpu_name(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "threads": str(torch.get_num_threads()),
        "system": platform.system(),
    }


def _cadence(*arguments: str) -> int:
    """Run a command in a process of its own, with one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "PYTHONPATH": str(HOUSE)}
    command = [sys.executable, str(HOUSE / "cli.py"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode in (0, STOPPED), done.stderr[-2000:]
    return done.returncode


def _table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return [
            {key: value for key, value in row.items() if "seconds" not in key and value != ""}
            for row in csv.DictReader(file)
        ]


def _answer(path: Path) -> dict[str, Any]:
    """The JSON of a range test without what names the machine."""
    content = json.loads(path.read_text())
    return {key: value for key, value in content.items() if key not in ("versions", "device")}


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
