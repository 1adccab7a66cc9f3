"""A long run with every policy and W&B offline: memory and open files stay what they were once all of it has begun."""

import json
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.commands.test_policies import COMMON, ENVIRONMENT

STEPS = 20_000
FROM = 5_000  # by then every batch size has come, and whatever is kept of each
MEGABYTES = 15.0  # that the memory may differ over the rest: what allocators keep comes and goes by as much


def measured(process: int) -> tuple[float, int]:
    """Megabytes of resident memory, and the number of open files."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * 4096 / 2**20, len(list(Path(f"/proc/{process}/fd").iterdir()))


def last_step(metrics: Path) -> int:
    """Step of the newest whole row; 0 before the first."""
    lines = metrics.read_bytes().splitlines() if metrics.is_file() else []
    return int(lines[-2].split(b",")[0]) if len(lines) > 2 else 0


@pytest.mark.slow
def test_memory_and_open_files_are_constant(tmp_path: Path) -> None:
    run = tmp_path / "run"
    more = ["-c", "loggers/wandb.yaml", "--trainer.max_steps", STEPS, "--trainer.max_epochs", "-1", "--run_dir", run]
    more += [
        "--trainer.check_val_every_n_epoch",
        "10",
        "--trainer.log_every_n_steps",
        "10",
        "--checkpoint_every",
        "100",
    ]
    samples = []
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([*COMMON, *map(str, more)], cwd=tmp_path, env=ENVIRONMENT, stdout=log, stderr=log)
        try:
            while process.poll() is None:
                step = last_step(run / "metrics.csv")
                if step and not (run / "result.json").is_file():
                    try:
                        samples.append((step, *measured(process.pid)))
                    except OSError:
                        break  # it has ended in between
                time.sleep(0.5)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 0, (tmp_path / "log").read_text()[-2000:]
    assert json.loads((run / "result.json").read_text())["steps"] == STEPS
    steps, memory, files = (np.array(column) for column in zip(*samples, strict=True))
    later = steps >= FROM
    assert later.sum() >= 10
    slope = np.polyfit(steps[later], memory[later], 1)[0] * (STEPS - FROM)
    told = f"{slope:+.1f} MB over {STEPS - FROM:,} steps of {memory[later].mean():.0f} MB"
    print(f"{told}; open files {files[later].min()} to {files[later].max()}")
    assert abs(slope) < MEGABYTES, samples
    assert np.ptp(files[later]) <= 2, samples  # one is open while it is written
