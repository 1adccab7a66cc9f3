"""A W&B that fails in each way ends no run: the delay is bounded and counted, files stay, one line says what to do."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from sysconfig import get_path

import pytest

from tests.commands.test_wandb import FIT, WANDB, metrics_rows
from tests.wandb_server import KEY, WandbServer, wandb_server

BOUNDS = {"init_timeout": 3.0, "finish_timeout": 4.0}
MORE = 10  # seconds that a busy machine may take for what needs one


@pytest.fixture(autouse=True)
def _fresh_wandb(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import wandb

    wandb.teardown()
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_MODE", "online")
    yield
    wandb.teardown()


def trained(cadence, run: Path, url: str, capfd, monkeypatch) -> str:
    """The one line of a run whose service is at `url`; the run itself has all that it would have without."""
    monkeypatch.setenv("WANDB_BASE_URL", url)
    bounds = [f"--trainer.logger.{name}={value}" for name, value in BOUNDS.items()]
    assert cadence(*FIT, *WANDB, *bounds, "--run_dir", run) == 0
    told = [line for line in capfd.readouterr().err.splitlines() if line.startswith("cadence:")]
    assert len(told) == 1, told
    result = json.loads((run / "result.json").read_text())
    assert "test/accuracy" in result["metrics"] and result["seconds"]["logging"] < sum(BOUNDS.values()) + MORE
    assert float(metrics_rows(run)[-1]["seconds"]) <= result["seconds"]["training"] + 0.001
    return told[0]


def uploaded(line: str, run: Path, tmp_path: Path) -> None:
    """Follow the line: all rows come to a service that works, in one chart."""
    words = shlex.split(line.rpartition(": wandb ")[2])
    with wandb_server() as server:
        here = {"WANDB_BASE_URL": server.url, "HOME": str(tmp_path), "WANDB_CONFIG_DIR": str(tmp_path / "settings")}
        command = [str(Path(get_path("scripts")) / "wandb"), *words]
        done = subprocess.run(command, env=os.environ | here, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        (kept,) = server.runs.values()
        assert [row["_step"] for row in kept.rows] == [int(row["step"]) for row in metrics_rows(run)]
        assert kept.summary["result"]["steps"] == kept.rows[-1]["step"]


def failing(server: WandbServer, how: str) -> None:
    if how == "silent":
        server.silent = True
    elif how == "rejecting":
        server.rejecting = True
    else:
        server.last_answer = {"dead in the middle": "upsertBucket", "dead at the end": "file_stream"}[how]


@pytest.mark.parametrize("how", ["unreachable", "silent", "rejecting"])
def test_a_service_that_fails_at_the_start(cadence, tmp_path: Path, capfd, monkeypatch, how: str) -> None:
    run = tmp_path / "run"
    if how == "unreachable":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        line = trained(cadence, run, url, capfd, monkeypatch)
    else:
        with wandb_server() as server:
            failing(server, how)
            line = trained(cadence, run, server.url, capfd, monkeypatch)
            assert not server.runs
    assert "the run goes on offline" in line and "/wandb/offline-run-" in line
    if how == "rejecting":
        assert "401" in line or "API key" in line
    uploaded(line, run, tmp_path)


@pytest.mark.parametrize("how", ["dead in the middle", "dead at the end"])
def test_a_service_that_dies_later(cadence, tmp_path: Path, capfd, monkeypatch, how: str) -> None:
    run = tmp_path / "run"
    with wandb_server() as server:
        failing(server, how)
        line = trained(cadence, run, server.url, capfd, monkeypatch)
        assert server.dead and len(server.runs) == 1
    assert "is kept" in line and "--include-online" in line
    seconds = json.loads((run / "result.json").read_text())["seconds"]
    assert seconds["logging"] >= BOUNDS["finish_timeout"] > seconds["training"]
    uploaded(line, run, tmp_path)


def test_no_key_goes_on_offline(cadence, tmp_path: Path, capfd, monkeypatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with wandb_server() as server:
        line = trained(cadence, tmp_path / "run", server.url, capfd, monkeypatch)
    assert "API key" in line and "the run goes on offline" in line


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_a_process_of_wandb_that_hangs_or_dies(tmp_path: Path, how: signal.Signals) -> None:
    """From the run's beginning on. The run is a process of its own, as wandb has a part in the end of one."""
    code = f"""
import os, sys, wandb
from records.wandb_service import services
init = wandb.init
def failing(*args, **kwargs):
    run = init(*args, **kwargs)
    [os.kill(process, {int(how)}) for process in services()]
    return run
wandb.init = failing
from cli import main
sys.exit(main(sys.argv[1:]))
"""
    words = [*FIT, *WANDB, "--trainer.logger.finish_timeout", "3", "--run_dir", "run"]
    with wandb_server() as server:
        here = os.environ | {"WANDB_BASE_URL": server.url}
        command = [sys.executable, "-c", code, *words]
        done = subprocess.run(command, env=here, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("cadence:") and "loading" not in line]
    assert ("its own process does not answer, and was ended" if how == signal.SIGSTOP else "goes on without it") in line
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert "test/accuracy" in result["metrics"] and result["seconds"]["logging"] < 10 + MORE
