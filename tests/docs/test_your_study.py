"""The study of `docs/your_study.md`, written and run as it stands there."""

import json
import re
from pathlib import Path

import pytest

from studies.exhibits import KINDS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "your_study.md"
RESULTS = Path("results/studies/weight_decay")


def write_study(root: Path) -> None:
    """Make the folder that the page describes."""
    sweep, study = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    folder = root / "weight_decay"
    folder.mkdir()
    (folder / "sweep.yaml").write_text(sweep)
    (folder / "study.yaml").write_text(study)


def test_it_runs_at_smoke(cadence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path)
    assert cadence("study", "run", "weight_decay", "--scale", "smoke") == 0
    assert cadence("study", "report", "weight_decay") == 0
    page = (RESULTS / "smoke" / "report.html").read_text()
    assert "weight decay" in page and "asks for scale laptop" in page and page.count("<svg") == 1
    written = {path.relative_to(RESULTS / "smoke").as_posix() for path in RESULTS.glob("smoke/*/*")}
    assert written == {
        "figures/01-validation-loss.pdf", "tables/02-after-the-last-epoch.csv", "tables/02-after-the-last-epoch.md",
        "tables/02-after-the-last-epoch.tex",
    }  # fmt: skip


@pytest.mark.slow
def test_it_answers_its_question(cadence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At laptop scale the claim is judged, whatever comes out."""
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path)
    assert cadence("study", "run", "weight_decay") == 0
    assert cadence("study", "report", "weight_decay") == 0
    (verdict,) = json.loads((RESULTS / "laptop" / "verdicts.json").read_text())
    assert verdict["state"] in ("reproduced", "not reproduced") and "n = 3" in verdict["numbers"][0]


def test_every_kind_of_exhibit_is_explained() -> None:
    headings = re.findall(r"^### (\w+)$", PAGE.read_text(), re.MULTILINE)
    assert set(KINDS) < set(headings)
