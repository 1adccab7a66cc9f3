"""A small study on the digits."""

from pathlib import Path
from typing import Any

import pytest
import yaml

SWEEP: dict[str, Any] = {
    "program": "cadence",
    "method": "grid",
    "command": ["${env}", "cadence", "fit", "${args}"],
    "parameters": {
        "config": {"value": "digits_demo"},
        "model": {"value": "MLP"},
        "model.hidden_sizes": {"value": [8]},
        "optimizer.lr": {"values": [0.01, 0.003]},
        "seed_everything": {"values": [1, 2]},
        "trainer.max_epochs": {"value": 2},
    },
}
STUDY: dict[str, Any] = {
    "title": "Two rates",
    "asks": "Which of two rates is better?",
    "scales": {"smoke": {"seeds": 1}, "laptop": None},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder of the study."""
    return written(tmp_path / "rates")


def written(folder: Path, parameters: dict[str, Any] | None = None) -> Path:
    """A study's two files, with further parameters of its sweep."""
    folder.mkdir()
    sweep = SWEEP | {"parameters": SWEEP["parameters"] | (parameters or {})}
    (folder / "sweep.yaml").write_text(yaml.safe_dump(sweep, sort_keys=False))
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    return folder
