"""Which accelerator a run takes on a machine whose GPU has no float64."""

import json
from pathlib import Path

import pytest
import torch

RUN = ["fit", "--model", "SmallCNN", "--data", "Digits", "--optimizer", "SGD", "--optimizer.lr", "0.1",
       "--trainer.max_steps", "2", "--test_after_fit", "false", "--trainer.accelerator"]  # fmt: skip


@pytest.fixture
def on_a_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch says that Apple's GPU is there."""
    from pytorch_lightning.accelerators import MPSAccelerator

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(MPSAccelerator, "is_available", staticmethod(lambda: True))


@pytest.mark.usefixtures("on_a_mac")
def test_a_mac_trains_on_its_cpu(cadence) -> None:
    assert cadence(*RUN, "auto", "--run_dir", "run") == 0
    assert json.loads(Path("run/result.json").read_text())["device"]["type"] == "cpu"


@pytest.mark.usefixtures("on_a_mac")
@pytest.mark.parametrize("name", ["mps", "gpu"])
def test_its_gpu_is_refused(cadence, tmp_path: Path, name: str, capsys) -> None:
    assert cadence(*RUN, name, "--run_dir", "run") == 2
    told = capsys.readouterr().err.strip()
    assert told.startswith("cadence: trainer.accelerator: Apple's GPU lacks the float64") and "set it to cpu" in told
    assert len(told.splitlines()) == 1 and not list(tmp_path.iterdir())
