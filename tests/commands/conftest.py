"""A short run that was stopped, and the same one unbroken: made once, and copied for each test."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.going_on import RUN, STEP


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Ask for a stop after a step of the next run; 0 asks for none."""
    from commands.configuration.cadence_cli import CadenceCLI
    from tests.stopping import StopAfter

    built, at = CadenceCLI.build_trainer, [0]
    monkeypatch.setattr(
        CadenceCLI, "build_trainer", lambda self, extra, **kw: built(self, [StopAfter(at[0]), *extra], **kw)
    )
    return lambda step: at.__setitem__(0, step)


@pytest.fixture(scope="session")
def stopped_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cli import main
    from commands.configuration.cadence_cli import CadenceCLI
    from tests.stopping import StopAfter

    run = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.MonkeyPatch.context() as patch:
        built = CadenceCLI.build_trainer
        patch.setattr(
            CadenceCLI, "build_trainer", lambda self, extra, **kw: built(self, [StopAfter(STEP), *extra], **kw)
        )
        assert main([*RUN, "--run_dir", str(run)]) == 130
    return run


@pytest.fixture(scope="session")
def ended_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cli import main

    run = tmp_path_factory.mktemp("ended") / "run"
    assert main([*RUN, "--run_dir", str(run)]) == 0
    return run


@pytest.fixture
def stopped(stopped_once: Path, tmp_path: Path) -> Path:
    """A run that was stopped at STEP."""
    return Path(shutil.copytree(stopped_once, tmp_path / "run"))


@pytest.fixture
def ended(ended_once: Path, tmp_path: Path) -> Path:
    """The same run, unbroken."""
    return Path(shutil.copytree(ended_once, tmp_path / "ended"))


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make this process one of job 17, in the given start of it; a `scontrol` notes what it is asked for."""
    program = tmp_path / "bin" / "scontrol"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$@" >> "$0.asked"\ncat "$0.says" >&2 2>/dev/null && exit 1 || exit 0\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "17")

    def start(restart: int) -> None:
        if restart:
            monkeypatch.setenv("SLURM_RESTART_COUNT", str(restart))

    return start
