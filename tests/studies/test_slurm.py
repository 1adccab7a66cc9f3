"""Cells as submitit's jobs, on its clusters `debug` and `local`: handed in once, going on, and told by name."""

import gc
from pathlib import Path

import pytest

import commands.configuration.cadence_cli  # noqa: F401  it settles the environment, which a job of `debug` gets as it is then
from studies import slurm
from studies.cells import Cell, CellDirectory
from studies.local import Launcher
from studies.plan import Plan
from studies.reading import read_study
from studies.recorded import Recorded
from studies.states import FINISHED, state


@pytest.fixture
def plan(folder: Path, tmp_path: Path) -> Plan:
    root = tmp_path / "runs" / "rates"
    return Plan(read_study(folder), "smoke", None, root, Launcher(root, 1, lambda *change: None), Recorded())


def states(plan: Plan) -> list[str]:
    return [state(CellDirectory(plan.root, cell.id)) for cell in plan.cells]


@pytest.mark.filterwarnings("ignore:Exception ignored")  # submitit's debug jobs leave their logs open
def test_cells_run_in_their_jobs_and_are_handed_in_once(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = slurm.submit(plan.cells, plan.root, "debug", {}, 2)
    assert [job.result() for job in jobs] == [0, 0] and states(plan) == [FINISHED, FINISHED]
    del jobs
    gc.collect()
    assert slurm.submit(plan.cells, plan.root, "debug", {}, 2) == []


def test_a_cell_whose_job_waits_is_not_handed_in_again(plan: Plan) -> None:
    directory = CellDirectory(plan.root, plan.cells[0].id)
    plan.root.mkdir(parents=True)
    (plan.root / f"{directory.id}.job").write_text("17_0\n")
    assert slurm.over_or_waiting(directory, lambda job: job == "17_0")
    assert not slurm.over_or_waiting(directory, lambda job: False)


def test_a_job_that_is_handed_in_again_is_the_same(plan: Plan) -> None:
    directory = CellDirectory(plan.root, plan.cells[0].id)
    again = slurm.CellJob().checkpoint(plan.cells[0].arguments, directory)
    assert isinstance(again.function, slurm.CellJob) and again.args == (plan.cells[0].arguments, directory)


@pytest.mark.slow
def test_jobs_are_processes_of_their_own(plan: Plan) -> None:
    jobs = slurm.submit(plan.cells, plan.root, "local", {"timeout_min": 5}, 2)
    assert [job.result() for job in jobs] == [0, 0] and states(plan) == [FINISHED, FINISHED]


def test_what_a_job_asks_for(plan: Plan) -> None:
    assert slurm.parameters("timeout_min=60 partition=gpu gpus_per_node=1 slurm_qos=low") == {
        "timeout_min": 60, "slurm_partition": "gpu", "gpus_per_node": 1, "slurm_qos": "low",
    }  # fmt: skip
    with pytest.raises(ValueError, match="--slurm fast: give NAME=VALUE"):
        slurm.parameters("fast")
    with pytest.raises(ValueError, match=r"--launcher slurm: .*speed"):
        slurm.submit(plan.cells, plan.root, "local", {"speed": 1}, 1)


def test_a_cell_is_picklable(plan: Plan) -> None:
    import pickle

    cell: Cell = plan.cells[0]
    assert pickle.loads(pickle.dumps(cell)) == cell


def test_without_a_cluster_it_is_said(
    cadence, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cadence("study", "run", str(folder), "--scale", "smoke", "--launcher", "slurm") == 2
    assert "--launcher slurm:" in capsys.readouterr().err
