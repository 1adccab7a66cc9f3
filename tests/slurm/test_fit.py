"""The shipped job script on a real SLURM: stopped by its signal, by its time, or queued again, a run stays the run."""

import json
from pathlib import Path

import pytest

from tests.commands.going_on import assert_same_training, weights
from tests.slurm.cluster import HOUSE, Cluster, wait_until

pytestmark = pytest.mark.slurm
SCRIPT = HOUSE / "configs" / "cluster" / "fit.sbatch"
SEEDS = HOUSE / "configs" / "cluster" / "side_by_side.sbatch"
RUN = [
    "--model", "MLP", "--model.hidden_sizes", "[8]", "--model.dropout_hidden", "0.3", "--data", "Digits",
    "--data.batch_size", "61", "--optimizer", "Adam", "--optimizer.lr", "0.01", "--trainer.max_epochs", "4",
    "--trainer.log_every_n_steps", "7", "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu",
]  # fmt: skip
STEPS = 4 * 17
STOP = 40  # several processes agree every 20 steps
ON_TWO_NODES = ["--nodes", "2", "--ntasks-per-node", "1"]
ON_ONE = ["--nodes", "1", "--ntasks-per-node", "2"]


def waits(reached: Path, step: int = STOP, file: str = "") -> list[str]:
    wait = {"step": str(step), "reached": str(reached), "file": file}
    return [
        "--trainer.callbacks+=tests.slurm.waiting.Wait",
        *(word for name, value in wait.items() for word in (f"--trainer.callbacks.{name}", value)),
    ]


def run_of(folder: Path, job: str) -> Path:
    return folder / "runs" / f"fit-{job}"


def log_of(folder: Path, job: str) -> str:
    return (folder / f"slurm-{job}.out").read_text()


@pytest.fixture(scope="module")
def unbroken(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on two nodes that nothing stopped."""
    folder = tmp_path_factory.mktemp("unbroken")
    job = cluster.submit(folder, *ON_TWO_NODES, SCRIPT, *RUN)
    assert cluster.ended(job) == "COMPLETED", log_of(folder, job)
    run = run_of(folder, job)
    assert [part["environment"]["processes"] for part in segments(run)] == [2]
    return run


def segments(run: Path) -> list[dict]:
    return json.loads((run / "result.json").read_text())["segments"]


def test_a_signal_queues_the_job_again_and_it_goes_on(cluster: Cluster, unbroken: Path, tmp_path: Path) -> None:
    reached = tmp_path / "reached"
    job = cluster.submit(tmp_path, *ON_TWO_NODES, SCRIPT, *RUN, *waits(reached))
    wait_until(reached.exists, 120, "the run to begin")
    cluster.signal(job, "USR1")
    cluster.restarted(job)
    assert cluster.ended(job) == "COMPLETED", log_of(tmp_path, job)
    check(tmp_path, job, unbroken)


def check(folder: Path, job: str, unbroken: Path) -> None:
    """The run was stopped once at STOP, and equals the unbroken one."""
    log, run = log_of(folder, job), run_of(folder, job)
    assert log.count(f"Stopped after step {STOP}. Go on with: ") == 1, log
    assert log.count(f"job {job} is queued again, and goes on from there") == 1, log
    assert log.count(f"start 1 of job {job}: runs/{run.name} goes on after step {STOP}") == 1, log
    assert [(part["from"], part["to"]) for part in segments(run)] == [(0, STOP), (STOP, STEPS)]
    assert_same_training(run, unbroken)
    assert not list(folder.rglob("hpc_ckpt*")) and [path.name for path in (folder / "runs").iterdir()] == [run.name]
    assert len(weights(run)) == 4


def test_the_time_limit_queues_the_job_again_and_it_goes_on(cluster: Cluster, unbroken: Path, tmp_path: Path) -> None:
    """SLURM sends the signal 110 seconds before the limit, or up to a minute earlier; it is set once it waits."""
    reached = tmp_path / "reached"
    job = cluster.submit(tmp_path, *ON_ONE, "--signal", "USR1@110", SCRIPT, *RUN, *waits(reached))
    wait_until(reached.exists, 150, "the run to begin")
    minutes = 2 + int(cluster.job(job)["RunTime"].split(":")[1])
    cluster.says("scontrol", "update", f"jobid={job}", f"TimeLimit={minutes}")
    cluster.restarted(job, 150)
    assert cluster.ended(job) == "COMPLETED", log_of(tmp_path, job)
    check(tmp_path, job, unbroken)


def test_a_lost_node_s_copy_ends_before_it_writes(cluster: Cluster, cadence, tmp_path: Path) -> None:
    """SLURM starts the job on the other node while its first processes go on, which no srun listens to any more."""
    out = tmp_path / "task-0.out"
    outputs = {"SLURM_STDOUTMODE": "task-%t.out", "SLURM_OPEN_MODE": "append"}
    assert cadence("fit", *RUN, "--run_dir", "unbroken") == 0
    reached, go = tmp_path / "reached", tmp_path / "go"
    job = cluster.submit(tmp_path, SCRIPT, *RUN, *waits(reached, 20, str(go)), environment=outputs)
    wait_until(reached.exists, 120, "the run to begin")
    node = cluster.job(job)["NodeList"]
    cluster.lose(node)
    cluster.restarted(job)
    wait_until(lambda: "waiting until it has ended" in out.read_text(), 120, "the later start to wait")
    assert cluster.job(job)["NodeList"] != node
    go.touch()
    assert cluster.ended(job) == "COMPLETED", log_of(tmp_path, job)
    cluster.start_node(node)
    log, run = out.read_text(), run_of(tmp_path, job)
    assert log.count(f"start 1 of job {job}: runs/{run.name} goes on after step 17") == 1, log
    assert log.count("has it, so this older copy of the run ends") == 1, log
    assert [(part["from"], part["to"]) for part in segments(run)] == [(0, 17), (17, STEPS)]
    assert_same_training(run, tmp_path / "unbroken")


def test_four_runs_side_by_side_in_one_job(cluster: Cluster, cadence, tmp_path: Path) -> None:
    """Lightning takes four tasks for one run's processes, and refuses their number."""
    reached = tmp_path / "reached"
    job = cluster.submit(tmp_path, "--ntasks", 4, SEEDS, *RUN, *waits(reached, file=str(tmp_path / "never")))
    wait_until(lambda: len(list(tmp_path.glob("runs/*/*/metrics.csv"))) == 4, 120, "the runs to begin")
    wait_until(reached.exists, 60, "one of them to wait")
    cluster.signal(job, "USR1")
    cluster.restarted(job)
    assert cluster.ended(job) == "COMPLETED", log_of(tmp_path, job)
    runs = sorted((tmp_path / "runs" / f"seeds-{job}").iterdir())
    assert [run.name for run in runs] == [f"seed{seed}" for seed in range(4)]
    for run in runs:
        parts = segments(run)
        assert len(parts) == 2 and parts[0]["to"] == parts[1]["from"] and parts[1]["to"] == STEPS
        assert all(part["environment"]["processes"] == 1 for part in parts)
    assert cadence("fit", *RUN, "--seed_everything", "3", "--run_dir", "unbroken") == 0
    assert_same_training(runs[3], tmp_path / "unbroken")
