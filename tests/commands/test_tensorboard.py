"""A run's event files, by tensorboardX, which the tests install beside the environment: no part of the lock."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.beside import HOUSE, installed, python
from tests.commands.test_wandb import FIT

pytestmark = [pytest.mark.pip, pytest.mark.slow]
READ = """
import json, struct, sys
from pathlib import Path
from tensorboardX.proto.event_pb2 import Event
for path in sorted(Path(sys.argv[1]).rglob("events.out.tfevents.*"), key=lambda path: path.stat().st_mtime_ns):
    data = path.read_bytes()
    while data:
        (size,) = struct.unpack_from("<Q", data)
        event = Event.FromString(data[12 : 12 + size])
        data = data[16 + size :]
        if event.HasField("session_log"):
            print(json.dumps([path.parent.name, "purge", event.step, None]))
        for value in event.summary.value:
            number = value.simple_value if value.HasField("simple_value") else None
            print(json.dumps([path.parent.name, value.tag, event.step, number]))
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(tmp_path_factory.mktemp("packages"), "tensorboardX==2.6.5")


def shown_on(axis: str, events: list[list[Any]]) -> dict[tuple[str, int], float]:
    """Values by (tag, place) that TensorBoard shows of a folder's events: a purge drops what is from its step on."""
    shown: dict[tuple[str, int], float] = {}
    for folder, tag, step, value in events:
        if folder == axis and tag == "purge":
            shown = {key: old for key, old in shown.items() if key[1] < step}
        elif folder == axis and value is not None:
            shown[tag, step] = value
    return shown


def test_curves_on_three_axes_go_on_over_a_resume(packages: Path, tmp_path: Path) -> None:
    board = ["-c", "loggers/tensorboard.yaml", "--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.steps", "20"]
    words = [*FIT, *board, "--checkpoint_every", "7", "--trainer.max_steps", "12", "--run_dir", "run"]
    python(packages, tmp_path, HOUSE / "cli.py", *words)
    python(packages, tmp_path, HOUSE / "cli.py", "fit", "--resume", "run", "--trainer.max_steps", "16")
    events = [json.loads(line) for line in python(packages, tmp_path, "-c", READ, "run/tensorboard").splitlines()]
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    places = {"step": lambda row: int(row["step"]), "samples_seen": lambda row: int(row["samples"])}
    places["epoch_thousandths"] = lambda row: round(1000 * float(row["epoch"]))
    for axis, place in places.items():
        shown = shown_on(axis, events)
        for row in rows:
            for name, value in row.items():
                if "/" in name and value:
                    assert shown[name, place(row)] == pytest.approx(float(value), rel=1e-6)
        assert max(step for _, step in shown) == place(rows[-1])
        assert ("test/accuracy", place(rows[-1])) in shown
    tags = {(folder, tag.partition("/text_summary")[0]) for folder, tag, _, value in events if value is None}
    texts = {"configuration", "result", "lr_range_test", "lr_range_test_table"}
    assert {("step", name) for name in texts} <= tags


def test_a_later_test_takes_nothing_back(packages: Path, tmp_path: Path) -> None:
    board = ["-c", "loggers/tensorboard.yaml", "--test_after_fit", "false"]
    python(packages, tmp_path, HOUSE / "cli.py", *FIT, *board, "--run_dir", "run")
    before = events_of(packages, tmp_path)
    python(packages, tmp_path, HOUSE / "cli.py", "test", "--run_dir", "run")
    for axis in ("step", "samples_seen", "epoch_thousandths"):
        now, told = shown_on(axis, events_of(packages, tmp_path)), shown_on(axis, before)
        added = {("test/accuracy", 17), ("test/error", 17), ("test/loss", 17)} if axis == "step" else set()
        assert {key: value for key, value in now.items() if key not in added} == told
        assert added <= now.keys()


def events_of(packages: Path, tmp_path: Path) -> list[list[Any]]:
    return [json.loads(line) for line in python(packages, tmp_path, "-c", READ, "run/tensorboard").splitlines()]
