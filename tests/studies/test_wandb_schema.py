"""Every sweep file that is shipped, judged by W&B's own schema.

The schema is in the `sweeps` package, which wants an older numpy than ours: so it has an environment of its own.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from studies.study import SHIPPED

pytestmark = [pytest.mark.pip, pytest.mark.slow]
JUDGE = (
    "import json, sys; from sweeps.config import schema_violations_from_proposed_config as judge; "
    "print(json.dumps({name: judge(content) for name, content in json.load(sys.stdin).items()}))"
)


def test_sweep_files_pass_the_schema(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "sweeps==0.3.0"], check=True)
    files = sorted(SHIPPED.glob("*/*sweep.yaml"))
    contents = {path.relative_to(SHIPPED).as_posix(): yaml.safe_load(path.read_text()) for path in files}
    wrong = {"wrong": next(iter(contents.values())) | {"method": "gird"}}
    told = subprocess.run(
        [python, "-c", JUDGE], input=json.dumps(contents | wrong), capture_output=True, text=True, check=True
    )
    verdicts = json.loads(told.stdout)
    assert verdicts.pop("wrong") and verdicts == {name: [] for name in contents}
