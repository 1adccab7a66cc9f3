"""What a job of SLURM does by itself, without a SLURM: `tests/slurm` has the real one."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from commands.configuration.cadence_cli import CadenceCLI
from records.files import write_json
from records.generation import FILE, last_start
from tests.commands.going_on import RUN, STEP, assert_same_training
from tests.commands.test_signals import At
from trainer import signals

USR1 = signal.SIGUSR1


@pytest.fixture
def within(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Do something within a step of the next run."""
    build = CadenceCLI.build_trainer

    def doing(act: Callable[[], object]) -> None:
        at = At("on_train_batch_end", act, STEP)
        monkeypatch.setattr(CadenceCLI, "build_trainer", lambda self, extra, **kw: build(self, [at, *extra], **kw))

    return doing


@pytest.fixture
def send(within) -> Callable[..., None]:
    """Send signals to this process within a step of the next run."""
    return lambda *numbers: within(lambda: [os.kill(os.getpid(), number) for number in numbers])


def asked() -> list[str]:
    file = Path("bin/scontrol.asked")
    return file.read_text().splitlines() if file.is_file() else []


def test_the_same_command_goes_on_where_its_job_was_queued_again(
    cadence, ended: Path, job, send, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("WHERE", "runs")
    command = [*RUN, "--run_dir", "${WHERE}/${SLURM_JOB_ID}"]
    job(0)
    send(USR1)
    assert cadence(*command) == 130
    assert asked() == ["requeue 17"]
    told = capsys.readouterr()
    assert f"Stopped after step {STEP}. Go on with: " in told.out
    assert told.err.splitlines()[-1] == "cadence: job 17 is queued again, and goes on from there"
    job(1)
    assert cadence(*command) == 0
    assert f"cadence: start 1 of job 17: runs/17 goes on after step {STEP}" in capsys.readouterr().err
    run = Path("runs/17")
    assert_same_training(run, ended)
    segments = json.loads((run / "result.json").read_text())["segments"]
    assert [part["options"] for part in segments] == [RUN[1:], []]
    job(2)
    assert cadence(*command) == 0
    assert "The run had ended, and nothing was left to do." in capsys.readouterr().out


def test_another_job_does_not_go_on_by_itself(cadence, job, send, monkeypatch, capsys) -> None:
    monkeypatch.delenv("SLURM_JOB_ID")
    send(signal.SIGTERM)
    assert cadence(*RUN, "--run_dir", "run") == 130, "outside of any job"
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    job(1)
    assert cadence(*RUN, "--run_dir", "run") == 2
    assert "run_dir run is not empty: name another, or go on with it by" in capsys.readouterr().err
    assert cadence("fit", "--resume", "run") == 0
    monkeypatch.setenv("SLURM_JOB_ID", "18")
    assert cadence(*RUN, "--run_dir", "run") == 2


def test_what_was_stopped_before_its_first_step_begins_again(cadence, ended: Path, job) -> None:
    run = Path("run")
    run.mkdir()
    (run / FILE).write_text(json.dumps({"job": "17", "restart": 0, "process": "process 1 on a", "token": "t"}))
    job(1)
    assert cadence(*RUN, "--run_dir", run) == 0
    assert_same_training(run, ended)


def test_a_run_without_a_name_is_not_queued_again(cadence, job, send, capsys) -> None:
    job(0)
    send(USR1)
    assert cadence(*RUN) == 130 and asked() == []
    told = "job 17 is not queued again, as its command would begin another run: name the run by --run_dir"
    assert told in capsys.readouterr().err


def test_what_scontrol_refuses_is_told(cadence, job, send, capsys) -> None:
    Path("bin/scontrol.says").write_text("Requested operation is presently disabled for job 17\nmore\n")
    job(0)
    send(USR1)
    assert cadence(*RUN, "--run_dir", "run") == 130
    said = "as scontrol says: Requested operation is presently disabled for job 17"
    assert capsys.readouterr().err.splitlines()[-1] == f"cadence: job 17 is not queued again, {said}"


def test_another_process_of_the_job_was_quicker(cadence, job, send, capsys) -> None:
    Path("bin/scontrol.says").write_text("Job is pending execution for job 17\n")
    job(0)
    send(USR1)
    assert cadence(*RUN, "--run_dir", "run") == 130
    assert capsys.readouterr().err.splitlines()[-1] == "cadence: job 17 is queued again, and goes on from there"


def test_of_an_array_its_task_alone_is_queued_again(cadence, job, send, monkeypatch) -> None:
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "17")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    job(0)
    send(USR1)
    assert cadence(*RUN, "--run_dir", "run") == 130
    assert asked() == ["requeue 17_3"]


@pytest.mark.parametrize("numbers", [(USR1, signal.SIGTERM), (signal.SIGTERM, USR1), (USR1, USR1, signal.SIGTERM)])
def test_slurms_signal_and_the_one_that_ends_the_job_are_one_stop(cadence, job, send, numbers, capsys) -> None:
    """SLURM sends both, a second or less apart: the step is finished all the same."""
    job(0)
    send(*numbers)
    assert cadence(*RUN, "--run_dir", "run") == 130
    assert f"Stopped after step {STEP}. Go on with: " in capsys.readouterr().out
    assert asked() == ["requeue 17"] and Path("run/checkpoints/last.ckpt").is_file()


def test_any_other_signal_ends_the_job(cadence, job, send) -> None:
    job(0)
    send(signal.SIGTERM)
    assert cadence(*RUN, "--run_dir", "run") == 130 and asked() == []


def test_the_older_copy_of_a_run_ends_before_it_writes(cadence, ended: Path, job, within, capsys) -> None:
    """A later start of the job has claimed the directory meanwhile, on a node that shares no locks with this one."""
    run = Path("run").absolute()
    later = {"job": "17", "restart": 1, "process": "process 4711 on n1", "token": "later"}
    kept: list[dict[Path, bytes]] = []

    def claim() -> None:
        write_json(run.with_name("claim"), later)
        run.with_name("claim").replace(run / FILE)
        kept.append({path: path.read_bytes() for path in run.rglob("*") if path.is_file()})

    job(0)
    within(claim)
    assert cadence(*RUN, "--run_dir", run) == 75 and asked() == []
    told = f"run_dir {run}: start 1 of job 17, process 4711 on n1 has it, so this older copy of the run ends"
    assert capsys.readouterr().err.splitlines()[-1] == f"cadence: {told}"
    now = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert {path: content for path, content in now.items() if path.name != ".lock"} == {
        path: content for path, content in kept[0].items() if path.name != ".lock"
    }
    assert (found := last_start(run)) is not None and found.token == "later"
    job(1)
    assert cadence(*RUN, "--run_dir", run) == 0
    assert_same_training(run, ended)


def test_a_range_test_goes_on_and_its_answer_is_told_once_more(cadence, job, monkeypatch, capsys) -> None:
    job(0)
    command = ["lr-range-test", *RUN[1:], "--range_test.steps", "20", "--range_test.seeds", "1", "--run_dir", "run"]
    assert cadence(*command) in (0, 1)
    job(1)
    assert cadence(*command) == 0
    assert "the test had ended, and its answer is in run/lr_range_test.json" in capsys.readouterr().out


def test_a_process_that_follows_another_hears_its_own_signal_no_more(monkeypatch) -> None:
    """Each process of a run gets SLURM's signal, some of them after all have agreed on stopping."""
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    with signals.interruptible():
        with signals.deferred():
            signals.follow(of_slurm=True)
            os.kill(os.getpid(), USR1)
            assert signals.requested() and signals.job_ends()
        os.kill(os.getpid(), USR1)
