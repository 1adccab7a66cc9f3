"""Whether a lock is held, as a process beside its holder sees it."""

import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from records.lock import exclusive, held


def _hold(file: Path, line: Connection) -> None:
    with exclusive(file, lambda: None):
        line.send("held")
        line.recv()


def test_a_lock_is_held_while_its_holder_is_at_work(tmp_path: Path) -> None:
    file = tmp_path / "a.lock"
    assert not held(file) and not file.exists()
    ours, theirs = multiprocessing.Pipe()
    holder = multiprocessing.get_context("spawn").Process(target=_hold, args=(file, theirs))
    holder.start()
    assert ours.recv() == "held"
    assert held(file) and held(file)
    holder.kill()
    holder.join()
    assert file.is_file() and not held(file)  # what a killed process left


def test_a_look_keeps_nobody_out(tmp_path: Path) -> None:
    file = tmp_path / "a.lock"
    file.touch()
    assert not held(file)
    with exclusive(file, lambda: pytest.fail("the look still holds it")):
        assert held(file)
    assert not held(file)
