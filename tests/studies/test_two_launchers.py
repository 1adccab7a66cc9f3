"""Two `cadence study run` on one study at once: each cell is trained once, and both end with the whole table."""

import subprocess
import sys
from pathlib import Path

from studies.files import read_table
from tests.studies.conftest import written

HOUSE = Path(__file__).resolve().parents[2]
COUNTED = """
from pathlib import Path

from lightning_modules import MLP


class Counted(MLP):
    def on_fit_start(self) -> None:
        with Path("trained.txt").open("a") as file:
            file.write(f"{self.trainer.optimizers[0].param_groups[0]['lr']}\\n")
"""


def test_each_cell_is_trained_once(tmp_path: Path) -> None:
    (tmp_path / "counted.py").write_text(COUNTED)
    folder = written(tmp_path / "rates", {"model": {"value": "counted.Counted"}, "seed_everything": {"value": 1}})
    command = [sys.executable, HOUSE / "cli.py", "study", "run", folder, "--workers", "2"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [
        subprocess.Popen([*command, "--results", name], cwd=tmp_path, **streams)  # type: ignore[call-overload]
        for name in ("one", "two")
    ]
    told = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    lines = [line for _, errors in told for line in errors.splitlines() if "finished" in line]
    assert sum("finished elsewhere" in line for line in lines) == 2 == sum(line.startswith("2 of 2") for line in lines)
    assert sorted((tmp_path / "trained.txt").read_text().split()) == ["0.003", "0.01"]
    tables = [(tmp_path / name / "rates" / "laptop" / "cells.csv") for name in ("one", "two")]
    assert tables[0].read_bytes() == tables[1].read_bytes()
    assert [row["status"] for row in read_table(tables[0])] == ["finished", "finished"]
