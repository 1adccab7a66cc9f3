"""Clipping and accumulation act on modules of others as in Lightning, and are refused by name where they cannot."""

from pathlib import Path

import pytest

from tests.commands.theirs import fit, result, rows, written

MORE = '''

class LitNorms(LitClassifier):
    """Logs the gradient that the step has taken."""

    def on_train_batch_end(self, outputs, batch, batch_idx):
        gradient = torch.cat([p.grad.flatten() for p in self.parameters()])
        self.log("largest", gradient.abs().max())
        self.log("norm", gradient.norm())


class LitSums(LitClassifier):
    """The gradient of each batch is one, so that the mean over a step's batches is one, too."""

    def training_step(self, batch, batch_idx):
        return sum(p.sum() for p in self.parameters())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)

    def on_train_start(self):
        self.begun = self.l2.bias[0].item()

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.log("moved", self.begun - self.l2.bias[0].item())
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path, MORE)


@pytest.mark.parametrize(("algorithm", "column"), [("norm", "norm"), ("value", "largest")])
def test_clipping_acts(folder: Path, algorithm: str, column: str) -> None:
    given = ["--trainer.gradient_clip_val", 0.01, "--trainer.gradient_clip_algorithm", algorithm]
    assert fit(folder, "--trainer.log_every_n_steps", 1, model="LitNorms", run="free").status == 0
    done = fit(folder, "--trainer.log_every_n_steps", 1, *given, model="LitNorms")
    assert done.status == 0, done.err
    free, held = ([float(row[column]) for row in rows(folder / run) if row[column]] for run in ("free", "run"))
    assert min(free) > 0.01 and max(held) == pytest.approx(0.01, rel=1e-3)


def test_accumulation_acts(folder: Path) -> None:
    """Ten batches a pass in steps of four: four, four and two of them, whose mean is taken over four."""
    done = fit(folder, "--trainer.accumulate_grad_batches", 4, "--trainer.log_every_n_steps", 1, model="LitSums")
    assert done.status == 0, done.err
    assert result(folder / "run")["steps"] == 6
    found = {int(row["step"]): float(row["moved"]) for row in rows(folder / "run") if row["moved"]}
    assert [found[step] for step in (1, 2, 3)] == pytest.approx([1.0, 2.0, 2.5], abs=1e-4)


@pytest.mark.parametrize("option", ["accumulate_grad_batches", "gradient_clip_val"])
def test_a_module_that_takes_its_steps_itself_is_told(folder: Path, option: str) -> None:
    done = fit(folder, f"--trainer.{option}", 2, model="LitManual")
    assert done.status == 2 and len(done.err.splitlines()) <= 3, done.err
    assert option in done.err and "manual" in done.err
