"""A short run that tests stop and resume, and what they compare of it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

RUN = [
    "fit", "--model", "MLP", "--model.hidden_sizes", "[8]", "--model.dropout_hidden", "0.3", "--data", "Digits",
    "--optimizer", "Adam", "--optimizer.lr", "0.01", "--trainer.max_epochs", "2", "--trainer.log_every_n_steps", "7",
    "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu",
]  # fmt: skip
STEP = 20  # of 32, where the runs below are stopped
LAST = Path("checkpoints", "last.ckpt")
BEST = Path("checkpoints", "best.ckpt")


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(run: Path) -> list[list[str]]:
    lines = [line.split(",") for line in (run / "metrics.csv").read_text().splitlines()]
    place = lines[0].index("seconds")
    return [line[:place] + line[place + 1 :] for line in lines]


def weights(run: Path) -> dict[str, Any]:
    import torch

    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def assert_same_training(run: Path, other: Path) -> None:
    import torch

    assert rows(run) == rows(other)
    mine, theirs = weights(run), weights(other)
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def config(run: Path) -> dict[str, Any]:
    return yaml.safe_load((run / "config.yaml").read_text())


def result(run: Path) -> dict[str, Any]:
    return json.loads((run / "result.json").read_text())


def change(content: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """The configuration with another value for an option, `init_args` in between or not."""
    part, words = content, name.split(".")
    for word in words[:-1]:
        part = part[word]
        part = part.get("init_args", part)
    part[words[-1]] = value
    return content


def flip(path: Path) -> None:
    """Turn one bit of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
