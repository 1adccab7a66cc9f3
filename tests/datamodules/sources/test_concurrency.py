"""Fetches at the same time, and fetches that are killed, leave a good cache or none."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from datamodules.sources import fetch, load_arrays, verify
from records.lock import exclusive
from tests.datamodules.sources import tiny

if sys.platform == "win32":
    pytest.skip("needs Unix processes", allow_module_level=True)


def start(action: str, cache: Path) -> subprocess.Popen[str]:
    code = f"from tests.datamodules.sources import tiny\ntiny.main({action!r}, {str(cache)!r})"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code], cwd=tiny.ROOT, **pipes)


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < deadline, f"no {file}"
        time.sleep(0.02)


def alive(group: int) -> bool:
    """Whether a process of the group runs; one that has ended may still wait for its parent to take note."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                return True
    return False


def test_processes_at_once_fetch_once(cache: Path, npm: Callable[..., None], tmp_path: Path) -> None:
    npm(before=f"echo x >> {tmp_path / 'asked'}; sleep 1")
    processes = [start("fetch", cache) for _ in range(3)]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert (tmp_path / "asked").read_text() == "x\n"
    assert all(check.ok for check in verify("Tiny"))
    assert not tiny.partials(cache)


def test_killed_while_it_downloads(cache: Path, npm: Callable[..., None], tmp_path: Path) -> None:
    npm(before=f'cd {tmp_path}; echo half > "$dest/half"; echo $$ > pid.part; mv pid.part pid; sleep 600')
    with start("fetch", cache) as process:
        wait_for(tmp_path / "pid")
        waiting = start("fetch", cache)  # blocked by the lock until the first is dead
        process.kill()
        process.wait()
    group = int((tmp_path / "pid").read_text())
    os.killpg(group, signal.SIGKILL)  # the fake client, which outlives the kill of its parent
    assert not (cache / "Tiny").exists()
    npm()
    (tmp_path / "pid").unlink()
    _, errors = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, errors
    assert all(check.ok for check in verify("Tiny"))
    assert not tiny.partials(cache)  # that of the killed process was cleared away


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_client_too(cache: Path, npm: Callable[..., None], tmp_path: Path, number: int) -> None:
    npm(before=f'cd {tmp_path}; echo half > "$dest/half"; echo $$ > pid.part; mv pid.part pid; sleep 600')
    process = start("command", cache)
    wait_for(tmp_path / "pid")
    assert alive(int((tmp_path / "pid").read_text()))
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "interrupted" in errors and "Traceback" not in errors
    assert not alive(int((tmp_path / "pid").read_text()))
    assert not list(cache.iterdir())


def test_what_killed_fetches_left_is_cleared_at_the_next_start(cache: Path, npm: Callable[..., None]) -> None:
    npm()
    fetch("Tiny")
    left = [cache / ".partial-Tiny-abcd_123", cache / ".partial-Other-abcd_124"]
    for folder in left:
        folder.mkdir()
        (folder / "half").write_bytes(b"half")
    with exclusive(cache / ".lock-Other", lambda: None):  # a fetch that is under way
        load_arrays("Tiny")
        assert tiny.partials(cache) == left[1:]
    fetch("Tiny")
    assert {path.name for path in cache.iterdir()} == {"Tiny"}


@pytest.mark.parametrize("action", ["kill", "kill-force"])
def test_killed_at_every_step_of_writing(cache: Path, npm: Callable[..., None], action: str) -> None:
    npm()
    if action == "kill-force":
        fetch("Tiny")
    process = start(action, cache)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    outcomes = json.loads(output)
    # four arrays, the manifest and their folder are synced; (the old folder is moved away;) the new one is moved in
    expected = ["absent"] * 7 + ["good"] if action == "kill" else ["good"] * 7 + ["absent", "good"]
    assert outcomes == expected


@pytest.mark.parametrize("failure", ["no fcntl", "no locks on this file system"])
def test_without_locks_it_still_works(
    cache: Path, npm: Callable[..., None], monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    npm()
    if failure == "no fcntl":
        monkeypatch.setitem(sys.modules, "fcntl", None)
    else:

        def no_locks(*_: object) -> None:
            raise OSError(37, "No locks available")

        monkeypatch.setattr("fcntl.flock", no_locks)
    others = cache / ".partial-Tiny-of-another-process"
    others.mkdir(parents=True)
    fetch("Tiny")
    assert all(check.ok for check in verify("Tiny"))
    assert tiny.partials(cache) == [others]  # perhaps alive
    fetch("Tiny", force=True)


def test_the_lock_waits_and_says_so(tmp_path: Path) -> None:
    calls = []

    def waiting() -> None:
        calls.append(1)
        if len(calls) == 3:
            holder.__exit__(None, None, None)

    holder = exclusive(tmp_path / "lock", waiting)
    assert holder.__enter__()
    with exclusive(tmp_path / "lock", waiting) as held:
        assert held
    assert len(calls) == 3
