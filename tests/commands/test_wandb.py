"""W&B's logger: offline by default and in the run directory; a service that fails never ends a run."""

import csv
import json
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytorch_lightning.utilities.rank_zero import rank_zero_only

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
    """Rows and configuration in W&B's file of an offline run."""
    import wandb
    from wandb.proto import wandb_internal_pb2

    wandb.teardown()  # an offline run's `finish` does not wait until wandb's own process has written everything
    (path,) = run.glob("wandb/offline-run-*/run-*.wandb")
    rows, config = [], {}
    for data in log_records(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            rows.append({item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items})
        elif record.WhichOneof("record_type") == "run":
            config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
    return rows, config


def log_records(data: bytes) -> Iterator[bytes]:
    """Records of a LevelDB log (32 KiB blocks of checksum, length, type and payload) behind W&B's 7-byte header."""
    place, parts = 7, []
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, size, kind = struct.unpack_from("<IHB", data, place)
        parts.append(data[place + 7 : place + 7 + size])
        place += 7 + size
        if kind in (1, 4):  # whole, or the last part of one
            yield b"".join(parts)
            parts = []


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


def test_a_rank_left_in_the_environment_is_not_the_runs(cadence, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)  # as Lightning has it at its import, where RANK is 1
    assert cadence(*FIT, *WANDB, "--run_dir", tmp_path / "run") == 0
    assert len(offline_rows(tmp_path / "run")[0]) > 3


def test_two_runs_of_one_process_are_two_at_wandb(cadence, tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert cadence(*FIT, *WANDB, "--run_dir", tmp_path / name) == 0
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


def test_wandb_is_not_imported_unless_configured() -> None:
    code = "import sys; import commands.session; assert 'wandb' not in sys.modules, 'imported'"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)


def test_unreachable_service_goes_on_offline(cadence, tmp_path: Path, monkeypatch, capfd) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_MODE", "online")
    run = tmp_path / "run"
    assert cadence(*FIT, *WANDB, "--trainer.logger.init_timeout", "1", "--run_dir", run) == 0
    told = [line for line in capfd.readouterr().err.splitlines() if line.startswith("cadence:")]
    assert len(told) == 1 and f"127.0.0.1:{port}" in told[0] and "goes on offline" in told[0]
    assert metrics_rows(run) and (run / "result.json").is_file()
    assert offline_rows(run)[0]


@pytest.mark.parametrize("broken", ["init", "log", "finish"])
def test_whatever_fails_in_wandb_is_told_once_and_ends_nothing(
    cadence, tmp_path: Path, monkeypatch, capsys, broken: str
) -> None:
    import wandb

    class Run:
        id = "a-run"

        def define_metric(self, *_: object, **__: object) -> None: ...

        def log(self, row: dict[str, float]) -> None:
            if broken == "log":
                raise BrokenPipeError("the service process has died")

        def finish(self, exit_code: int) -> None:
            if broken == "finish":
                raise RuntimeError("no space left")

    def init(**_: object) -> Run:
        if broken == "init":
            raise OSError("no space left")
        return Run()

    monkeypatch.setattr(wandb, "init", init)
    run = tmp_path / "run"
    assert cadence(*FIT, *WANDB, "--run_dir", run) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("cadence:")]
    assert len(told) == 1 and "W&B failed" in told[0]
    assert (run / "result.json").is_file()


def test_mistaken_timeout_is_named() -> None:
    with pytest.raises(ValueError, match="init_timeout must be positive, got 0"):
        WandbRecord(init_timeout=0)
