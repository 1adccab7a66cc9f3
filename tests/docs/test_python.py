"""The code of `docs/python.md`, and the notebook, run as they stand."""

import os
import re
import warnings
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE, NOTEBOOK = ROOT / "docs" / "python.md", ROOT / "docs" / "range_test.ipynb"

pytestmark = pytest.mark.filterwarnings("default:::pytorch_lightning", "default:::lightning_fabric")


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from matplotlib.figure import Figure

    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)
    shown = capsys.readouterr()
    assert isinstance(names["figure"], Figure) and 1e-3 < names["result"].lr < 1
    assert "<LROutcome: lr " in shown.out and "<BatchSizeOutcome: " in shown.out
    assert names["target"].passage.result()["reached"] and float(names["run"].callback_metrics["val/accuracy"]) > 0.8
    assert "--" not in shown.out + shown.err, "no advice for a command line"
    assert not list(tmp_path.iterdir()), "nothing is left behind"


@pytest.mark.slow
def test_the_notebook(tmp_path: Path) -> None:
    """Its cells run, none of ours warns, and the figure is shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tornado's and zmq's
        import nbformat
        from nbclient import NotebookClient

        book = nbformat.read(NOTEBOOK, as_version=4)
        resources = {"metadata": {"path": str(tmp_path)}}
        path = os.environ.get("PYTHONPATH", "")
        os.environ["PYTHONPATH"] = str(ROOT)
        try:
            NotebookClient(book, timeout=300, kernel_name="python3", resources=resources).execute()
        finally:
            os.environ["PYTHONPATH"] = path
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    said = "".join(output.get("text", "") for output in outputs)
    warned = [line for line in said.splitlines() if "Warning" in line and "site-packages" not in line]
    assert str(ROOT) not in "\n".join(warned), "no warning of ours"
