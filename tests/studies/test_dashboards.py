"""Cells of a study at W&B: in the group of the study, by the sweep file, and the same cells as without."""

import json
from pathlib import Path

import pytest

from studies.cells import Cell
from tests.commands.test_wandb import offline_rows
from tests.studies.conftest import written


def cell(part: str) -> Cell:
    return Cell(part, {}, ["fit"], "")


def test_a_users_own_group_stays() -> None:
    assert cell("sweep").labels("rates", {}) == {"WANDB_RUN_GROUP": "rates", "WANDB_JOB_TYPE": "sweep"}
    assert cell("sweep").labels("rates", {"WANDB_RUN_GROUP": "mine"})["WANDB_RUN_GROUP"] == "mine"


def test_cells_are_in_their_studys_group(cadence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    from records.wandb_files import records_of

    wandb.teardown()
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = written(tmp_path / "rates", {"trainer.max_epochs": {"value": 1}})
    assert cadence("study", "run", folder, "--scale", "smoke", "--logger", "wandb") == 0
    runs = sorted(path for path in Path("runs/studies/rates").iterdir() if path.is_dir())
    assert len(runs) == 2
    for run in runs:
        (file,) = run.glob("wandb/offline-run-*/run-*.wandb")
        found = [record.run for record in records_of(file) if record.WhichOneof("record_type") == "run"]
        assert {(one.run_group, one.job_type) for one in found} == {("rates", "sweep")}
        assert offline_rows(run)[0][-1]["step"] == json.loads((run / "result.json").read_text())["steps"]
    assert cadence("study", "run", folder, "--scale", "smoke", "--dry-run") == 0
