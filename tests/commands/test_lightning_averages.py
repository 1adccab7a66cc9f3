"""Lightning's averages of the weights: exact over a resume, and what is tested and kept."""

import json
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging
from torch.nn import functional as F

from datamodules.sources import load_digits_arrays
from tests.commands.lightning_runs import (
    STEPS,
    Runs,
    assert_same_run,
    checkpoint,
    column,
    one,
    rows,
    same_weights,
    shows,
)


@pytest.fixture
def runs(cadence) -> Runs:
    return Runs(cadence)


AVERAGES = {
    "EMAWeightAveraging": one("EMAWeightAveraging", decay=0.9, update_every_n_steps=3, update_starting_at_step=4),
    "WeightAveraging": one("WeightAveraging"),
    "by epochs": one("EMAWeightAveraging", decay=0.5, update_every_n_steps=0, update_starting_at_epoch=0),
}


@shows("EMAWeightAveraging", "WeightAveraging")
@pytest.mark.parametrize("kind", AVERAGES)
def test_averaged_weights_over_a_resume(runs: Runs, kind: str) -> None:
    whole = runs("whole", callbacks=AVERAGES[kind])
    for stop in (7, STEPS, STEPS + 5):
        run = runs(f"stopped-{stop}", stop=stop, callbacks=AVERAGES[kind])
        assert_same_run(runs.resume(run), whole)


def test_ema_is_the_plain_formula(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside Lightning's callback, the moving average of each step's weights, taken by hand."""
    decay, mine = 0.8, {}
    moved = EMAWeightAveraging.on_train_batch_end

    def beside(self: Any, trainer: Any, module: Any, *rest: Any) -> None:
        moved(self, trainer, module, *rest)
        for name, value in module.named_parameters():
            kept = mine.get(name)
            mine[name] = value.detach().clone() if kept is None else decay * kept + (1 - decay) * value.detach()

    monkeypatch.setattr(EMAWeightAveraging, "on_train_batch_end", beside)
    run = runs("run", callbacks=one("EMAWeightAveraging", decay=decay))
    saved = checkpoint(run)
    for name, value in mine.items():
        torch.testing.assert_close(saved["state_dict"][name], value)
    assert not same_weights(saved["state_dict"], saved["current_model_state"])


def test_before_its_first_update_an_average_is_the_weights_in_training(runs: Runs) -> None:
    plain = runs("plain")
    late = one("EMAWeightAveraging", decay=0.9, update_starting_at_step=1000)
    run = runs("run", callbacks=late)
    assert rows(run) == rows(plain)
    for name in ("best", "last"):
        assert same_weights(checkpoint(run, name)["state_dict"], checkpoint(plain, name)["state_dict"])
    tested = [json.loads((path / "result.json").read_text())["metrics"] for path in (run, plain)]
    assert tested[0] == tested[1]
    assert_same_run(runs.resume(runs("stopped", stop=STEPS + 5, callbacks=late)), run)
    late = one("EMAWeightAveraging", decay=0.9, update_starting_at_step=STEPS + 2)
    whole = runs("whole", callbacks=late)
    assert column(whole, "val/loss")[0] == column(plain, "val/loss")[0]
    assert column(whole, "val/loss")[1] != column(plain, "val/loss")[1]


@pytest.mark.parametrize("kind", ["EMAWeightAveraging", "WeightAveraging"])
def test_both_checkpoints_are_tested_by_their_averaged_weights(runs: Runs, kind: str) -> None:
    """Fit's own test, `cadence test` of the same file, and the weights in the file by a plain run: one figure."""
    run = runs("run", callbacks=AVERAGES[kind])
    fitted = json.loads((run / "result.json").read_text())["metrics"]["test/loss"]
    assert runs.cadence("test", "--run_dir", run) == 0
    assert json.loads((run / "test.json").read_text())["metrics"]["test/loss"] == fitted
    for name in ("best", "last"):
        saved = checkpoint(run, name)
        assert not same_weights(saved["state_dict"], saved["current_model_state"])
        assert runs.cadence("test", "--run_dir", run, "--checkpoint", run / "checkpoints" / f"{name}.ckpt") == 0
        tested = json.loads((run / "test.json").read_text())["metrics"]["test/loss"]
        assert tested == pytest.approx(loss_on_test_images(saved["state_dict"]), rel=1e-6)
        assert tested != pytest.approx(loss_on_test_images(saved["current_model_state"]), rel=1e-3)


def loss_on_test_images(weights: dict[str, torch.Tensor]) -> float:
    """The mean loss of these weights, by hand."""
    arrays = load_digits_arrays()
    pixels = torch.from_numpy(arrays.test_images).flatten(1).float() / 255
    hidden = torch.relu(F.linear((pixels - 0.3051) / 0.3757, *layer(weights, "layers.linear_1")))
    logits = F.linear(hidden, *layer(weights, "layers.output"))
    return float(F.cross_entropy(logits, torch.from_numpy(arrays.test_labels).long()))


def layer(weights: dict[str, torch.Tensor], name: str) -> tuple[torch.Tensor, torch.Tensor]:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]
