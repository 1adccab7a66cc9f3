"""A study's sweep file run by `wandb sweep` and `wandb agent`: the same cells as `cadence study run`."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from studies.files import read_table
from tests.studies.conftest import written
from tests.wandb_server import wandb_server


@pytest.mark.slow
def test_an_agent_runs_the_same_cells(cadence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fixed = {"seed_everything": 1, "trainer.max_epochs": 1, "trainer.logger": "records.wandb_record.WandbRecord"}
    folder = written(tmp_path / "rates", {name: {"value": value} for name, value in fixed.items()})
    here = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{here}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "WANDB_API_KEY": "x" * 40,
        "WANDB_CONFIG_DIR": str(tmp_path / "wandb"),
        "HOME": str(tmp_path),
    }
    del environment["WANDB_MODE"]  # a sweep's run is online without it
    with wandb_server() as server:
        environment["WANDB_BASE_URL"] = server.url
        wandb = [str(here / "wandb")]
        sent = subprocess.run(
            [*wandb, "sweep", "--project", "p", "--entity", "me", str(folder / "sweep.yaml")],
            env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert sent.returncode == 0 and "me/p/s" in sent.stderr + sent.stdout, sent.stderr
        agent = subprocess.run(
            [*wandb, "agent", "me/p/s"], env=environment, capture_output=True, text=True, timeout=400
        )
        assert agent.returncode == 0, agent.stderr
        assert len(server.given) == 2 and not server.waiting
        charts = {name: kept.summary["result"]["metrics"] for name, kept in server.runs.items()}
        assert list(charts) == ["trial1", "trial2"]
        assert {kept.told["sweep"] for kept in server.runs.values()} == {"s"}
    theirs = sorted(
        (float(re.search(r"lr: ([\d.]+)", (run / "config.yaml").read_text())[1]), metrics(run))  # type: ignore[index]
        for run in Path("runs").iterdir()
    )
    assert cadence("study", "run", str(folder), "--scale", "smoke") == 0
    ours = sorted(
        (row["optimizer.lr"], metrics(Path("runs/studies/rates") / row["id"]))
        for row in read_table(Path("results/studies/rates/smoke/cells.csv"))
    )
    assert ours == theirs
    assert {found for _, found in theirs} == {json.dumps(found, sort_keys=True) for found in charts.values()}


def metrics(run: Path) -> str:
    return json.dumps(json.loads((run / "result.json").read_text())["metrics"], sort_keys=True)
