"""The batch-size range test leaves no trace in the run, and gives what it measured, or why it could not."""

import json

import numpy as np
import pytest
import pytorch_lightning as pl

from callbacks import BatchSizeRangeTest
from callbacks.range_tests.batch_size_rule import Suggestion
from callbacks.range_tests.batch_size_trainings import trained
from callbacks.range_tests.rehearsal import Rehearsal
from lightning_modules import MLP
from tests.callbacks.conftest import NAME, QUICK, found, table
from tests.callbacks.on_the_side import measured, on_the_side, scripted
from tests.callbacks.records import Generator, assert_same, assert_untouched, rows
from tests.stopping import StopAfter


@pytest.mark.parametrize("at_step", [0, 7, 16])
def test_the_run_is_untouched(fit, noted: list[Generator], at_step: int) -> None:
    """Before training, within an epoch, at its boundary, with dropout and augmentation."""
    augment = ("--data.augment+=RandomCrop", "--data.augment.padding", "1")
    plain = fit("plain", *augment)
    tested = fit("tested", *augment, *QUICK, "--trainer.callbacks.at_step", at_step)
    assert_untouched(tested, plain)
    assert_same(noted[0].states, noted[1].states)
    assert (tested / f"{NAME}.json").is_file()


def test_the_run_is_untouched_with_batch_norm_momentum_and_micro_batches(fit) -> None:
    net = ("--model", "ResNet", "--model.depth", "8", "--model.micro_batch_size", "24", "--optimizer", "SGD",
           "--optimizer.lr", "0.1", "--optimizer.momentum", "0.9", "--trainer.max_steps", "8")  # fmt: skip
    short = (*QUICK, "--trainer.callbacks.steps", "3", "--trainer.callbacks.at_step", "5")
    assert_untouched(fit("tested", *net, *short), fit("plain", *net))


def test_a_resumed_run_does_not_test_again(fit, cadence, monkeypatch) -> None:
    from commands.configuration.cadence_cli import CadenceCLI

    plain, build = fit("plain"), CadenceCLI.build_trainer
    with monkeypatch.context() as patch:
        patch.setattr(CadenceCLI, "build_trainer", lambda self, extra, **kw: build(self, [*extra, StopAfter(11)], **kw))
        run = fit("tested", *QUICK, status=130)
    made = (run / f"{NAME}.json").stat().st_mtime_ns
    assert cadence("fit", "--resume", run) == 0
    assert_untouched(run, plain)
    assert (run / f"{NAME}.json").stat().st_mtime_ns == made


def test_what_it_leaves(fit, capsys) -> None:
    many = ("--trainer.callbacks.sizes", "[8,32,128,512,1024]", "--trainer.callbacks.seeds", "2")
    run = fit("run", *QUICK, *many, "--trainer.max_steps", "1")
    lines, result = table(run), found(run)
    assert [(row["seed"], row["size"]) for row in lines] == [
        (seed, size) for seed in "01" for size in ("8", "32", "128", "512", "1024")
    ]
    assert [row["status"] for row in lines[:5]] == ["finished"] * 4 + ["larger than the training set"]
    assert [row["steps_at_equal_samples"] for row in lines[:5]] == ["20", "5", "1", "0", "0"]
    assert [bool(row["loss_at_equal_samples"]) for row in lines[:5]] == [True] * 3 + [False] * 2
    assert all(float(row["held_out_at_equal_steps"]) > 0 for row in lines[:4])
    assert lines[0]["loss_at_equal_steps"] != lines[5]["loss_at_equal_steps"], "seeds must differ"
    assert result["bounds"] is None or set(result["bounds"]) <= {8, 32, 128, 512}
    assert result["lr"] == 0.01 and result["settings"]["seeds"] == 2 and result["optimizer"] == "Adam"
    assert [one["step"] for one in result["noise_scale"]["along"]] == [20]
    mean = np.mean([float(row["loss_at_equal_steps"]) for row in lines if row["size"] == "32"])
    assert result["sizes"][1]["loss_at_equal_steps"] == pytest.approx(mean)
    assert (run / f"{NAME}.png").stat().st_size > 10_000
    assert "Batch-size range test: " in capsys.readouterr().err
    assert json.loads((run / "result.json").read_text())["seconds"]["rehearsal"] > 0


def test_a_cyclical_batch_size_takes_the_bounds(fit, monkeypatch) -> None:
    def answer(*_: object) -> Suggestion:
        return Suggestion((16, 64), (64,), (16,), None)

    monkeypatch.setattr("callbacks.range_tests.batch_size_outcome.suggest", answer)
    cycle = (
        "--trainer.callbacks+=CyclicalBatchSize",
        "--trainer.callbacks.half_cycle",
        "1",
        "--trainer.callbacks.bounds",
        "auto",
    )
    logged = rows(fit("run", *QUICK, *cycle))
    sizes = [float(row["batch_size"]) for row in logged if row["batch_size"]]
    assert sizes and min(sizes) < 32 < max(sizes) <= 64


def test_fast_dev_run(cadence) -> None:
    from tests.callbacks.conftest import PLAIN

    assert cadence("fit", *PLAIN, *QUICK, "--trainer.fast_dev_run", "true") == 0


def test_measuring_the_noise_scale_changes_no_loss(fit) -> None:
    net = ("--model", "ResNet", "--model.depth", "8", "--trainer.max_steps", "1", *QUICK,
           "--trainer.callbacks.steps", "4", "--trainer.callbacks.noise_scale")  # fmt: skip
    runs = [fit(name, *net, name) for name in ("true", "false")]
    one, other = ([{key: row[key] for key in row if key != "seconds"} for row in table(run)] for run in runs)
    assert one == other
    assert found(runs[0])["noise_scale"]["at_start"] and not found(runs[1])["noise_scale"]["along"]


def test_both_points_are_the_mean_of_a_tenth_up_to_them() -> None:
    losses, done, seen = [float(n) for n in range(100)], [], []
    one = trained(scripted(losses, done.append), 64, 100, 50, 0.1, lambda step, _: seen.append(step))
    assert (one.at_steps.loss, one.at_samples.loss, one.start) == (np.mean(losses[90:]), np.mean(losses[45:50]), 0.0)
    assert one.at_samples.error == pytest.approx(np.std(losses[45:50], ddof=1) / 5**0.5)
    assert (one.at_steps.steps, one.at_samples.steps, one.at_steps.held_out) == (100, 50, -1.0)
    assert sum(done) == 100 and seen == [0, 20, 40, 50, 60, 80, 100]
    none = trained(scripted(losses), 64, 9, 0, 0.1, None)
    assert np.isnan(none.at_samples.loss) and none.at_steps.loss == 8.0 and none.at_steps.error == 0


def test_losses_that_are_not_finite_are_said_to_be_so() -> None:
    one = trained(scripted([1.0] * 30 + [float("nan")] * 70), 64, 100, 20, 0.1, None)
    assert one.status == "non-finite" and one.at_samples.loss == 1.0 and np.isnan(one.at_steps.loss)
    early = trained(scripted([1.0] * 10 + [float("inf")] * 90), 64, 100, 20, 0.1, None)
    assert early.status == "non-finite" and np.isnan(early.at_samples.loss)


def test_equal_samples_are_what_so_many_steps_give() -> None:
    """A size's point at equal samples is the end of a test of steps * smallest / size steps."""
    whole = measured([32, 64, 128], 16)
    assert [one.at_samples.steps for one in whole] == [16, 8, 4]
    for place, steps in ((1, 8), (2, 4)):
        end, early = measured([32, 64, 128], steps)[place].at_steps, whole[place].at_samples
        assert (end.steps, end.loss, end.held_out) == (early.steps, early.loss, early.held_out)
    assert whole[0].at_samples is whole[0].at_steps


def test_every_batch_is_whole() -> None:
    """998 samples: of two batches of 600 the second would have 398."""

    def sizes(trainer: pl.Trainer) -> list[int]:
        stream = Rehearsal(trainer, 600, seed=0, whole=True).stream
        return [stream.size(step) for step in range(5)]

    assert on_the_side(MLP(1, 8, 10), sizes) == [600] * 5


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"sizes": [16, 32]}, "sizes"),
        ({"sizes": [32, 16, 64]}, "sizes"),
        ({"sizes": [0, 16, 64]}, "sizes"),
        ({"steps": 0}, "steps"),
        ({"seeds": 0}, "seeds"),
        ({"at_step": -1}, "at_step"),
        ({"lr": 0.0}, "lr"),
        ({"lr": float("nan")}, "lr"),
    ],
)
def test_mistakes(settings: dict, field: str) -> None:
    with pytest.raises(ValueError, match=rf"^{field} must .*: "):
        BatchSizeRangeTest(**settings)


def test_the_rate_is_the_optimizers_at_ratio_1_unless_given() -> None:
    def rate(trainer: pl.Trainer) -> float:
        return BatchSizeRangeTest([8, 16, 32], 1, noise_scale=False).measure(trainer).lr

    assert on_the_side(MLP(1, 8, 10, lr_ratios={"layers": 0.5}), rate, lr=0.2) == pytest.approx(0.2)
    slow, fast = measured([8, 16, 32], 10, lr=1e-6), measured([8, 16, 32], 10, lr=0.1)
    assert fast[2].at_steps.held_out != slow[2].at_steps.held_out
