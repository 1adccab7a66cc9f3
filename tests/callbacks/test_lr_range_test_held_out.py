"""The LR range test by held-out loss: what it measures and leaves, what it costs, and where it has nothing to go by."""

import copy
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from callbacks import LRRangeTest
from callbacks.range_tests.held_out import HeldOutRehearsal, own_statistics
from callbacks.range_tests.lr_outcome import LROutcome
from callbacks.range_tests.lr_rules import RULES
from callbacks.range_tests.lr_sweeps import Sweep
from callbacks.range_tests.rehearsal import Rehearsal
from callbacks.range_tests.subject import data_of
from callbacks.range_tests.trials import READ_EVERY
from lightning_modules import MLP, ResNet
from tests.callbacks.on_the_side import on_the_side
from tests.callbacks.records import Generator, assert_same, assert_untouched

QUICK = ("--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.steps", "40", "--trainer.callbacks.seeds", "2",
         "--trainer.callbacks.on", "held_out")  # fmt: skip


def small() -> MLP:
    torch.manual_seed(0)
    return MLP(1, 8, 10, hidden_sizes=[16], dropout_hidden=0.3)


def some_held_out(trainer: object, images: int) -> list[int]:
    """Which images are kept."""
    kept = data_of(trainer).kept(images)
    assert kept.images == len(kept._loader.members)
    return kept._loader.members.tolist()


def test_a_step_s_loss_is_that_of_the_held_out_images_after_it() -> None:
    """Of as many images as there are: what a plain rehearsal and a whole validation say, step by step."""

    def act(trainer: object) -> None:
        judged, plain = HeldOutRehearsal(trainer, 64, 5, images=10_000), Rehearsal(trainer, 64, 5)
        for number in range(6):
            loss = float(judged.step(number, 0.1))
            plain.step(number, 0.1)
            assert loss == pytest.approx(plain.held_out()["loss"], rel=1e-12)
        assert_same(judged.state_dict(), plain.state_dict())

    on_the_side(small(), act)


def test_before_the_first_that_counts_it_is_the_training_loss() -> None:
    def act(trainer: object) -> None:
        judged, plain = HeldOutRehearsal(trainer, 64, 5, images=64, first=3), Rehearsal(trainer, 64, 5)
        same = [float(judged.step(number, 0.1)) == float(plain.step(number, 0.1)) for number in range(5)]
        assert same == [True, True, True, False, False]

    on_the_side(small(), act)


def test_some_images_are_the_same_ones_each_time() -> None:
    def act(trainer: object) -> None:
        all_of_them = set(trainer.datamodule.val_dataloader().members.tolist())
        for images in (50, 150):
            first, second = (some_held_out(trainer, images) for _ in range(2))
            assert first == second and len(set(first)) == images and set(first) < all_of_them
        assert set(some_held_out(trainer, 10_000)) == all_of_them
        assert len(trainer.datamodule.val_dataloader().members) == len(all_of_them)

    on_the_side(small(), act)


def test_batch_norm_goes_by_the_images_own_statistics_and_keeps_its_averages() -> None:
    torch.manual_seed(0)
    network, images = ResNet(depth=8, in_channels=1, image_size=8, num_classes=10), torch.randn(32, 1, 8, 8)
    training, before = copy.deepcopy(network).train(), copy.deepcopy(network.state_dict())
    network.eval()
    with own_statistics(network):
        assert torch.allclose(network(images), training(images), atol=1e-6)
    assert_same(network.state_dict(), before)
    assert not torch.allclose(network(images), training(images), atol=1e-3)


def test_the_run_is_untouched(fit, noted: list[Generator]) -> None:
    """With augmentation, batch norm, momentum and micro-batches, in the middle of an epoch."""
    net = ("--model", "ResNet", "--model.depth", "8", "--model.micro_batch_size", "24", "--optimizer", "SGD",
           "--optimizer.lr", "0.1", "--optimizer.momentum", "0.9", "--trainer.max_steps", "8",
           "--data.augment+=RandomCrop", "--data.augment.padding", "1")  # fmt: skip
    plain = fit("plain", *net)
    tested = fit("tested", *net, *QUICK, "--trainer.callbacks.at_step", 5)
    assert_untouched(tested, plain)
    assert_same(noted[0].states, noted[1].states)
    found = json.loads((tested / "lr_range_test.json").read_text())
    assert found["settings"]["on"] == "held_out" and found["loss"] == "loss on 200 held-out images"


def test_a_configuration_may_say_on(cadence, tmp_path: Path, capsys) -> None:
    """YAML 1.1 has `on` for true; here a key is a name. What it found says what it went by."""
    (tmp_path / "own.yaml").write_text(
        "trainer:\n  max_steps: 1\n  callbacks:\n  - class_path: LRRangeTest\n    init_args:\n"
        "      on: held_out\n      held_out_images: 100\n      seeds: 1\n      steps: 80\n      lower: 1e-4\n"
    )
    options = ("--model", "MLP", "--data", "Digits", "--optimizer", "SGD", "--optimizer.lr", "0.1")
    run = tmp_path / "run"
    assert cadence("fit", *options, "-c", tmp_path / "own.yaml", "--run_dir", run) == 0
    told = capsys.readouterr().err
    assert "80 looks at 100 held-out images, about as much work as 42 steps more" in told
    assert ", by 80 looks at the loss on 100 held-out images" in told
    with (run / "lr_range_test.csv").open() as file:
        assert next(csv.reader(file)) == ["seed", "lr", "held_out_loss", "smoothed"]
    assert cadence("fit", "-c", run / "config.yaml", "--run_dir", tmp_path / "again") == 0
    again, first = ((one / "lr_range_test.csv").read_text() for one in (tmp_path / "again", run))
    assert again == first


def test_with_nothing_held_out_it_is_refused(cadence, tmp_path: Path, capsys) -> None:
    options = ("--model", "MLP", "--data", "Digits", "--data.val_fraction", "0", "--optimizer", "SGD",
               "--optimizer.lr", "0.1", "--trainer.max_epochs", "1", "--run_dir", tmp_path / "run")  # fmt: skip
    for command in (("lr-range-test", "--range_test.on", "held_out"), ("fit", *QUICK)):
        assert cadence(command[0], *options, *command[1:]) == 2
        told = capsys.readouterr().err.strip().splitlines()
        assert "on: held_out needs validation images: set data.val_fraction" in told[-1], told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on": "validation"}, "on must be training or held_out, got 'validation'"),
        ({"held_out_images": 3}, "held_out_images must be at least 32, got 3"),
    ],
)
def test_mistakes_are_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LRRangeTest(**options)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Steps after which a copy was judged by held-out images."""
    made: list[int] = []
    step, look = HeldOutRehearsal.step, HeldOutRehearsal._held_out_loss

    def stepped(self: HeldOutRehearsal, number: int, lr: float) -> torch.Tensor:
        self.number = number
        return step(self, number, lr)

    def looked(self: HeldOutRehearsal) -> torch.Tensor:
        made.append(self.number)
        return look(self)

    monkeypatch.setattr(HeldOutRehearsal, "step", stepped)
    monkeypatch.setattr(HeldOutRehearsal, "_held_out_loss", looked)
    return made


def test_a_race_looks_at_the_last_quarter_of_its_steps(looks: list[int], capsys) -> None:
    test = LRRangeTest(on="held_out", seeds=1, steps=100, lower=1e-4, refine=3, refine_steps=24)
    outcome = on_the_side(small(), test.measure)
    swept = -(-len(outcome.sweeps[0].losses) // READ_EVERY) * READ_EVERY
    assert looks == [*range(swept), *[*range(18, 24)] * 3]
    assert outcome.lr == outcome.race.lr and [len(losses) for losses in outcome.race.losses] == [24] * 3
    assert "118 looks at 200 held-out images" in capsys.readouterr().err
    assert [row["rule"] for row in outcome.table()][-1] == "suggested by held-out loss"
    assert sum("raced, held-out loss" in row["rule"] for row in outcome.table()) == 3


def test_candidates_look_at_the_end_of_their_steps(looks: list[int], capsys) -> None:
    test = LRRangeTest(on="held_out", seeds=1, candidates=3, candidate_steps=30, lower=1e-3, upper=0.1)
    outcome = on_the_side(small(), test.measure)
    assert looks == [*range(20, 30)] * 3 and len(outcome.sweeps[0].losses) == 3
    assert "30 looks at 200 held-out images" in capsys.readouterr().err


def test_where_the_images_hide_the_noise_a_small_fall_is_none() -> None:
    """Without a draw of images there is no noise to stand out from: .9 % of the loss is no fall, and 2 % is one."""
    lrs = np.geomspace(1e-6, 1.0, 120)

    def outcome(fall: float, loss: str) -> LROutcome:
        losses = 2.0 - fall * 2.0 / (1 + (1e-2 / lrs) ** 2)
        return LROutcome(lrs, [Sweep(losses, "finished")], RULES, 0.9, loss)

    assert outcome(0.009, "training loss").refusal is None
    assert outcome(0.009, "loss on 200 held-out images").refusal == "the curve is flat: the loss falls by less than 1%"
    assert outcome(0.02, "loss on 200 held-out images").refusal is None


def test_the_figure_and_the_record_say_which_loss() -> None:
    lrs = np.geomspace(1e-4, 1.0, 60)
    sweep = Sweep(2.3 - 1.8 / (1 + (1e-2 / lrs) ** 4), "finished")
    for loss in ("training loss", "loss on 200 held-out images"):
        outcome = LROutcome(lrs, [sweep], RULES, 0.9, loss)
        assert outcome.figure("A title").axes[0].get_ylabel() == loss and outcome.record()["loss"] == loss
        assert (loss in outcome.summary()) == (loss != "training loss")


@pytest.mark.slow
def test_two_processes_find_what_one_finds(fit, tmp_path: Path) -> None:
    """Each looks at its share of the images."""
    from tests.callbacks.conftest import PLAIN

    options = (
        *QUICK, "--trainer.callbacks.held_out_images", "101", "--model.dropout_hidden", "0", "--data.batch_size", "80",
        "--trainer.precision", "64-true", "--trainer.max_steps", "1", "--trainer.accelerator", "cpu",
    )  # fmt: skip
    house = Path(__file__).resolve().parents[2]
    two = ("--trainer.devices", "2", "--trainer.strategy", "ddp", "--run_dir", tmp_path / "two")
    done = subprocess.run(
        [sys.executable, "-m", "cli", "fit", *PLAIN, *options, *map(str, two)], cwd=tmp_path, capture_output=True,
        text=True, timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "PYTHONPATH": str(house)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("looks at 101 held-out images") == 1
    tables = []
    for run in (fit("one", *options), tmp_path / "two"):
        with (run / "lr_range_test.csv").open() as file:
            tables.append([float(row["held_out_loss"]) for row in csv.DictReader(file)])
    assert tables[0] == pytest.approx(tables[1], rel=1e-6)
