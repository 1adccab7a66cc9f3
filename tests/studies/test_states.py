"""What has become of a cell, by what lies in its directory."""

import json
from pathlib import Path
from typing import Any

import pytest

from studies.cells import CellDirectory
from studies.states import state

ALONE = {"command": "lr-range-test"}


def ended(metrics: dict[str, float], **more: Any) -> dict[str, Any]:
    return {"metrics": metrics, "seconds": {}, "steps": 3, "parameters": 5, **more}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "missing"),
        ({"cell/config.yaml": "a: 1"}, "stopped"),
        ({"cell/result.json": ended({"test/loss": 1.0}), "cell/config.yaml": "a: 1"}, "finished"),
        ({"cell/result.json": ended({}), "cell/config.yaml": "a: 1"}, "stopped"),
        ({"cell/result.json": ended({}), "cell/config.yaml": "test_after_fit: false"}, "finished"),
        ({"cell/result.json": ended({}), "cell/config.yaml": "trainer: {fast_dev_run: 2}"}, "finished"),
        ({"cell/result.json": ended({}, diverged={"step": 3}), "cell/config.yaml": "a: 1"}, "diverged"),
        ({"cell/result.json": "{", "cell/config.yaml": "a: 1"}, "stopped"),
        ({"cell/config.yaml": "a: 1", "cell.failed.json": {"error": "x"}}, "failed"),
        ({"cell/config.yaml": "a: 1", "cell.failed.json": {"error": "the curve is flat", "refused": True}}, "refused"),
        ({"cell/lr_range_test.json": {"bounds": None}, "cell/environment.json": ALONE}, "finished"),
        ({"cell/environment.json": ALONE, "cell/lr_range_test.ckpt": ""}, "stopped"),
        ({"cell/lr_range_test.json": {}, "cell/environment.json": ALONE, "cell/lr_range_test.ckpt": ""}, "stopped"),
        ({"cell/lr_range_test.json": {}, "cell/environment.json": {"command": "fit"}}, "stopped"),
    ],
)
def test_a_state_follows_from_the_files(tmp_path: Path, files: dict[str, Any], expected: str) -> None:
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    assert state(CellDirectory(tmp_path, "cell")) == expected
