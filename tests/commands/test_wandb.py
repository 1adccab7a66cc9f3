"""W&B's logger: offline by default and in the run directory; a service that fails never ends a run."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from records.wandb_files import records_of
from records.wandb_record import WandbRecord

FIT = [
    "fit", "--model", "MLP", "--model.hidden_sizes", "[8]", "--data", "Digits", "--data.val_fraction", "0.1",
    "--optimizer", "Adam", "--optimizer.lr", "0.01", "--trainer.max_epochs", "1", "--trainer.log_every_n_steps", "5",
    "--trainer.enable_progress_bar", "false",
]  # fmt: skip
WANDB = ["-c", "loggers/wandb.yaml"]


@pytest.fixture(autouse=True)
def _fresh_wandb() -> Iterator[None]:
    """wandb keeps the environment of its first use in a process: forget it before and after."""
    import wandb

    wandb.teardown()
    yield
    wandb.teardown()


def offline_rows(run: Path) -> tuple[list[dict[str, float]], dict[str, object]]:
    """Rows and configuration in W&B's files of an offline run, one after the other."""
    import wandb

    wandb.teardown()  # an offline run's `finish` does not wait until wandb's own process has written everything
    rows, config = [], {}
    for path in sorted(run.glob("wandb/offline-run-*/run-*.wandb")):
        for record in records_of(path):
            if record.WhichOneof("record_type") == "history":
                items = record.history.item
                rows.append({item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items})
            elif record.WhichOneof("record_type") == "run":
                config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
    return rows, config


def metrics_rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_offline_in_the_run_directory_beside_metrics_csv(cadence, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert cadence(*FIT, *WANDB, "--run_dir", run) == 0
    rows, config = offline_rows(run)
    logged = {(row["step"], name): value for row in rows for name, value in row.items()}
    ours = {
        (int(row["step"]), name): float(value)
        for row in metrics_rows(run)
        for name, value in row.items()
        if "/" in name and value
    }
    assert ours
    assert {key: logged.get(key) for key in ours} == ours
    result = json.loads((run / "result.json").read_text())
    assert logged[result["steps"], "test/accuracy"] == result["metrics"]["test/accuracy"]
    assert config["model"]["init_args"]["hidden_sizes"] == [8]
    assert config["optimizer"]["class_path"].endswith("Adam")
    assert not (tmp_path / "wandb").exists()


def test_a_stop_between_a_step_and_its_validation_leaves_one_row(cadence, tmp_path: Path, stop) -> None:
    run = tmp_path / "run"
    stop(17)  # the last of a pass
    assert cadence(*FIT, *WANDB, "--trainer.max_epochs", "2", "--run_dir", run) == 130
    stop(0)
    assert [row["_step"] for row in offline_rows(run)[0]] == [5, 10, 15]
    assert cadence("fit", "--resume", run) == 0
    steps = [row["_step"] for row in offline_rows(run)[0]]
    assert steps == [int(row["step"]) for row in metrics_rows(run)]
    assert "val/accuracy" in offline_rows(run)[0][steps.index(17)]


def test_a_test_of_a_run_without_a_chart_is_no_row(cadence, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert cadence(*FIT, "--test_after_fit", "false", "--run_dir", run) == 0
    assert cadence("test", "-c", run / "config.yaml", *WANDB, "--run_dir", run) == 0
    rows, config = offline_rows(run)
    assert rows == [] and config["data"] is not None


def test_a_rank_left_in_the_environment_is_not_the_runs(cadence, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)  # as Lightning has it at its import, where RANK is 1
    assert cadence(*FIT, *WANDB, "--run_dir", tmp_path / "run") == 0
    assert len(offline_rows(tmp_path / "run")[0]) > 3


def test_two_runs_of_one_process_are_two_at_wandb(cadence, tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert cadence(*FIT, *WANDB, "--run_dir", tmp_path / name) == 0
        own = json.loads((tmp_path / name / "environment.json").read_text())["run"]
        assert (tmp_path / name / "wandb" / "run-id").read_text() == own + "\n"
    first, second = ((tmp_path / name / "wandb" / "run-id").read_text() for name in ("first", "second"))
    assert first != second
    assert len(offline_rows(tmp_path / "first")[0]) == len(offline_rows(tmp_path / "second")[0])


def test_a_run_that_is_moved_and_resumed_keeps_its_id(cadence, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert cadence(*FIT, *WANDB, "--run_dir", run) == 0
    first = (run / "wandb" / "run-id").read_text().strip()
    moved = run.rename(tmp_path / "moved")
    assert cadence("fit", "--resume", moved, "--trainer.max_epochs", "2") == 0
    assert {path.stem for path in moved.glob("wandb/offline-run-*/run-*.wandb")} == {f"run-{first}"}
    steps = [row["step"] for row in offline_rows(moved)[0]]
    assert steps == [row["_step"] for row in offline_rows(moved)[0]] == sorted(set(steps))
    assert [row["step"] for row in metrics_rows(moved)] == [str(step) for step in steps]


def test_rows_that_a_kill_left_ahead_of_the_checkpoint_come_once(cadence, tmp_path: Path) -> None:
    """The files hold rows up to the end; the checkpoint, as after a kill, is of a step before it."""
    run = tmp_path / "run"
    assert cadence(*FIT, *WANDB, "--checkpoint_every", "7", "--trainer.max_steps", "7", "--run_dir", run) == 0
    shutil.copytree(run / "checkpoints", tmp_path / "kept")
    assert cadence("fit", "--resume", run, "--trainer.max_steps", "16") == 0
    first = [row["_step"] for row in offline_rows(run)[0]]
    shutil.rmtree(run / "checkpoints")
    shutil.copytree(tmp_path / "kept", run / "checkpoints")
    (run / "result.json").unlink()
    assert cadence("fit", "--resume", run, "--trainer.max_steps", "30", "--trainer.max_epochs", "2") == 0
    steps = [row["_step"] for row in offline_rows(run)[0]]
    assert max(first) == 16 and steps == sorted(set(steps)) and steps[-1] == 30 and steps[: len(first)] == first


def test_wandb_is_not_imported_unless_configured() -> None:
    code = "import sys; import commands.session; assert 'wandb' not in sys.modules, 'imported'"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)


@pytest.mark.parametrize("broken", ["init", "log", "finish"])
def test_whatever_fails_in_wandb_is_told_once_and_ends_nothing(
    cadence, tmp_path: Path, monkeypatch, capsys, broken: str
) -> None:
    import wandb

    class Run:
        id, starting_step, dir = "a-run", 0, str(tmp_path / "wandb" / "run-a-run" / "files")
        config, summary = dict[str, object](), dict[str, object]()

        def define_metric(self, *_: object, **__: object) -> None: ...

        def log(self, row: dict[str, float], step: int) -> None:
            if broken == "log":
                raise BrokenPipeError("the service process has died")

        def finish(self, exit_code: int) -> None:
            if broken == "finish":
                raise RuntimeError("no space left")

    def init(dir: str, **_: object) -> Run:
        (Path(dir) / "wandb").mkdir(exist_ok=True)
        if broken == "init":
            raise OSError("no space left")
        return Run()

    monkeypatch.setattr(wandb, "init", init)
    run = tmp_path / "run"
    assert cadence(*FIT, *WANDB, "--run_dir", run) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("cadence:")]
    assert len(told) == 1 and "W&B failed" in told[0]
    assert (run / "result.json").is_file()


@pytest.mark.parametrize("name", ["init_timeout", "finish_timeout"])
def test_mistaken_timeout_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be positive, got 0"):
        WandbRecord(**{name: 0})


def test_two_processes_log_once(tmp_path: Path) -> None:
    words = [*FIT, *WANDB, "--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp"]
    environment = os.environ | {"MASTER_ADDR": "127.0.0.1"}
    house = Path(__file__).parents[2] / "cli.py"
    done = subprocess.run(
        [sys.executable, str(house), *words, "--run_dir", "run"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.rglob("run-*.wandb"))) == 1
    rows = offline_rows(tmp_path / "run")[0]
    assert [str(row["step"]) for row in rows] == [row["step"] for row in metrics_rows(tmp_path / "run")]


def test_a_chart_that_begins_late_has_what_was_before(cadence, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert cadence(*FIT, "--run_dir", run) == 0
    assert cadence("fit", "--resume", run, *WANDB, "--trainer.max_epochs", "2") == 0
    told = [(row["_step"], row.get("val/accuracy")) for row in offline_rows(run)[0]]
    assert told == [
        (int(row["step"]), float(row["val/accuracy"]) if row["val/accuracy"] else None) for row in metrics_rows(run)
    ]


@pytest.mark.parametrize("left", ["run-id", ""])
def test_files_that_are_gone_end_no_resume(cadence, tmp_path: Path, left: str) -> None:
    """As after `wandb sync --clean`, which has uploaded the rows; or after all of it was removed."""
    run = tmp_path / "run"
    assert cadence(*FIT, *WANDB, "--run_dir", run) == 0
    before = [row["_step"] for row in offline_rows(run)[0]]
    for path in run.glob("wandb/offline-run-*" if left else "wandb"):
        shutil.rmtree(path)
    assert cadence("fit", "--resume", run, "--trainer.max_epochs", "2") == 0
    steps = [row["_step"] for row in offline_rows(run)[0]]
    every = [int(row["step"]) for row in metrics_rows(run)]
    assert steps == ([step for step in every if step >= before[-1]] if left else every)


def test_a_run_id_that_was_half_written_is_the_runs_own(cadence, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert cadence(*FIT, *WANDB, "--run_dir", run) == 0
    own = (run / "wandb" / "run-id").read_text()
    (run / "wandb" / "run-id").write_text("")
    assert cadence("fit", "--resume", run, "--trainer.max_epochs", "2") == 0
    assert (run / "wandb" / "run-id").read_text() == own


def test_damaged_files_of_wandb_end_no_resume(cadence, tmp_path: Path, capsys) -> None:
    run = tmp_path / "run"
    assert cadence(*FIT, *WANDB, "--run_dir", run) == 0
    offline_rows(run)  # once all is written
    (path,) = run.glob("wandb/offline-run-*/run-*.wandb")
    content = bytearray(path.read_bytes())
    content[14:200] = bytes([255]) * 186  # of the first record, behind the header of 7 bytes and its own
    path.write_bytes(content)
    assert cadence("fit", "--resume", run, "--trainer.max_epochs", "2") == 0
    assert "W&B failed" not in capsys.readouterr().err
    assert [row["_step"] for row in offline_rows(run)[0]][-1] == 34


@pytest.mark.parametrize(
    "left",
    [
        {"WANDB_RUN_ID": "elsewhere", "WANDB_RESUME": "must"},
        {"WANDB_DIR": "/proc/nowhere", "WANDB_DATA_DIR": "/proc/nowhere", "WANDB_CACHE_DIR": "/proc/nowhere"},
        {"WANDB_MODE": "dryrun"},  # W&B's name for it in the past
        {"WANDB_MODE": "disabled", "WANDB_SWEEP_ID": "s", "WANDB_RUN_ID": "trial"},
    ],
    ids=lambda left: next(iter(left)),
)
def test_what_the_environment_has_left_over(cadence, tmp_path: Path, monkeypatch, capfd, left: dict[str, str]) -> None:
    for name, value in left.items():
        monkeypatch.setenv(name, value)
    assert cadence(*FIT, *WANDB, "--run_dir", "run") == 0
    err = capfd.readouterr().err
    assert "cadence:" not in err and "WARNING" not in err
    disabled = left.get("WANDB_MODE") == "disabled"
    own = json.loads(Path("run/environment.json").read_text())["run"]
    assert Path("run/wandb").exists() != disabled
    assert disabled or Path("run/wandb/run-id").read_text() == own + "\n"


def test_a_mode_that_wandb_has_not_is_named(cadence, monkeypatch, capsys) -> None:
    monkeypatch.setenv("WANDB_MODE", "onlin")
    assert cadence(*FIT, *WANDB, "--run_dir", "run") == 2
    assert "WANDB_MODE must be online, offline or disabled, got onlin" in capsys.readouterr().err
    assert not Path("run").exists()


def test_project_and_name_come_from_wandbs_own_variables(monkeypatch) -> None:
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    monkeypatch.setenv("WANDB_NAME", "tuesday")
    assert (WandbRecord().project, WandbRecord().run_name) == ("mine", "tuesday")
    assert (WandbRecord(project="p").project, WandbRecord(run_name="n").run_name) == ("p", "n")
    monkeypatch.delenv("WANDB_PROJECT")
    assert WandbRecord().project == "cadence"
