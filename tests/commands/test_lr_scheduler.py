"""`--lr_scheduler`: torch's schedulers, once an epoch, for modules of ours and of others, also over a resume."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.commands.going_on import LAST, STEP
from tests.commands.theirs import cadence as in_folder
from tests.commands.theirs import fit, processes, result, rows, words, written

OURS = [
    "fit", "--model", "MLP", "--model.hidden_sizes", "[8]", "--data", "Digits", "--optimizer", "SGD",
    "--optimizer.lr", "0.1", "--optimizer.momentum", "0.9", "--trainer.max_epochs", "3", "--test_after_fit", "false",
    "--trainer.log_every_n_steps", "8", "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu",
]  # fmt: skip
EPOCH = 16  # steps of the above
PLATEAU = {"monitor": "val/loss", "patience": 0, "threshold": 0.9}
SCHEDULERS = {
    "ConstantLR": {"factor": 0.5, "total_iters": 2},
    "CosineAnnealingLR": {"T_max": 4},
    "CosineAnnealingWarmRestarts": {"T_0": 2},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 2},
    "ExponentialLR": {"gamma": 0.5},
    "LambdaLR": {"lr_lambda": "halving.halved"},
    "LinearLR": {"total_iters": 3},
    "MultiStepLR": {"milestones": [1, 2]},
    "MultiplicativeLR": {"lr_lambda": "halving.half"},
    "OneCycleLR": {"max_lr": 0.2, "total_steps": 3},
    "PolynomialLR": {"total_iters": 4},
    "StepLR": {"step_size": 1},
}
HALVING = "def halved(epoch):\n    return 0.5**epoch\n\n\ndef half(epoch):\n    return 0.5\n"
MORE = '''

class LitStepping(LitManual):
    """Steps its scheduler itself, every five steps."""

    def training_step(self, batch, batch_idx):
        super().training_step(batch, batch_idx)
        if (batch_idx + 1) % 5 == 0:
            self.lr_schedulers().step()


class LitScheduled(LitClassifier):
    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]


class LitTwo(LitManual):
    def configure_optimizers(self):
        return [torch.optim.SGD(part.parameters(), lr=0.1) for part in (self.l1, self.l2)]

    def optimizers(self):
        return super().optimizers()[0]


class LitUneven(LitClassifier):
    """The first process sees a loss that falls, the second one that does not."""

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", 1.0 / (1 + self.current_epoch) if self.global_rank == 0 else 1.0)

    def on_train_end(self):
        with open(f"lr{self.global_rank}", "w") as file:
            file.write(str(self.optimizers().param_groups[0]["lr"]))
'''


def options(name: str, init: dict[str, object]) -> list[str]:
    given = [word for option, value in init.items() for word in (f"--lr_scheduler.{option}", str(value))]
    return ["--lr_scheduler", name, *given]


def by_hand(name: str, init: dict[str, object], epochs: int, lr: float = 0.1) -> list[float]:
    """Rates of the epochs, by torch alone."""
    functions: dict[str, Callable[[int], float]] = {"halving.halved": lambda e: 0.5**e, "halving.half": lambda e: 0.5}
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)
    init = {key: functions.get(value, value) if isinstance(value, str) else value for key, value in init.items()}
    scheduler, rates = getattr(torch.optim.lr_scheduler, name)(optimizer, **init), []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def trained(run: Path, each: int = 1) -> list[float]:
    """Rates in metrics.csv, of every so many rows."""
    return [float(row["lr"]) for row in rows(run) if row["lr"]][each - 1 :: each]


def state(run: Path) -> dict:
    return torch.load(run / LAST, weights_only=True)


@pytest.mark.parametrize("name", [*SCHEDULERS, "ReduceLROnPlateau"])
def test_rates_are_torch_s_and_an_interrupted_run_is_the_unbroken_one(
    cadence, stop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("halving.py").write_text(HALVING)
    given = options(name, SCHEDULERS.get(name, PLATEAU))
    assert cadence(*OURS, *given, "--run_dir", "whole") == 0
    rates = by_hand(name, SCHEDULERS[name], 3) if name in SCHEDULERS else [0.1, 0.1, 0.01]
    assert trained(Path("whole"), EPOCH // 8) == pytest.approx(rates, rel=1e-12)
    stop(STEP)
    assert cadence(*OURS, *given, "--run_dir", "broken") == 130
    stop(0)
    assert cadence("fit", "--resume", "broken") == 0
    assert rows(Path("broken")) == rows(Path("whole"))
    mine, theirs = state(Path("broken")), state(Path("whole"))
    assert str(mine["lr_schedulers"]) == str(theirs["lr_schedulers"]) != "[]"
    assert str(mine["optimizer_states"]) == str(theirs["optimizer_states"])
    assert all(torch.equal(mine["state_dict"][key], theirs["state_dict"][key]) for key in mine["state_dict"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path, MORE)


STEP_LR = options("StepLR", {"step_size": 1})


@pytest.mark.parametrize(
    ("model", "more", "rates"),
    [
        ("LitClassifier", [], [0.1, 0.1, 0.01, 0.01]),
        ("LitClassifier", ["--optimizer", "Adam", "--optimizer.lr", "0.2"], [0.2, 0.2, 0.02, 0.02]),
        ("LitClassifier", ["--trainer.accumulate_grad_batches", "2"], [0.1, 0.01]),
        ("LitManual", [], [0.1, 0.1, 0.01, 0.01]),
        ("LitStepping", [], [0.1, 0.01, 0.001, 0.0001]),
    ],
)
def test_modules_of_others(folder: Path, model: str, more: list[str], rates: list[float]) -> None:
    done = fit(folder, *STEP_LR, *more, model=model)
    assert done.status == 0, done.err
    assert trained(folder / "run") == pytest.approx(rates)


def test_a_resumed_run_of_others_goes_on_with_its_rate(folder: Path) -> None:
    assert fit(folder, *STEP_LR, model="LitManual").status == 0
    assert in_folder(folder, "fit", "--resume", "run", "--trainer.max_epochs", 3).status == 0
    assert trained(folder / "run")[-1] == pytest.approx(0.001)
    done = in_folder(folder, "fit", "--resume", "run", "--lr_scheduler.step_size", 2)
    assert done.status == 2 and "lr_scheduler.step_size is 1, and would be 2" in done.err


@pytest.mark.parametrize(
    ("model", "given", "told"),
    [
        ("LitScheduled", STEP_LR, "LitScheduled.configure_optimizers makes one already: leave one of them out"),
        ("LitTwo", STEP_LR, "lr_scheduler is for one optimizer, and LitTwo has 2"),
        (
            "LitClassifier",
            options("ReduceLROnPlateau", {"monitor": "val_lss"}),
            "nothing has logged val_lss by the epoch",
        ),
        ("LitClassifier", options("OneCycleLR", {"max_lr": 1}), "lr_scheduler: You must define either total_steps"),
        ("LitClassifier", options("StepLR", {}), "lr_scheduler.step_size is missing"),
        ("LitClassifier", options("SequentialLR", {}), "lr_scheduler: SequentialLR takes other schedulers"),
        ("LitClassifier", options("SteppLR", {}), "there is no class 'SteppLR'\n  nearest: StepLR, MultiStepLR"),
    ],
)
def test_what_cannot_be_is_told(folder: Path, model: str, given: list[str], told: str) -> None:
    done = fit(folder, *given, model=model)
    assert done.status == 2 and told in done.err and len(done.err.splitlines()) <= 3, done.err


CYCLE = ["--trainer.callbacks+=CyclicalLR", "--trainer.callbacks.bounds=auto", "--trainer.callbacks.half_cycle=2"]


@pytest.mark.parametrize(
    ("beside", "told"),
    [
        (CYCLE, "lr_scheduler: CyclicalLR among trainer.callbacks sets the rate before each step"),
        (["--trainer.callbacks+=MultiStepLR", "--trainer.callbacks.milestones=[1.0]"], "lr_scheduler: MultiStepLR am"),
        (["--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.update_lr=true"], "callbacks.update_lr would set"),
    ],
)  # fmt: skip
def test_what_sets_the_rate_itself_is_refused_beside_it(cadence, capfd, tmp_path, beside: list[str], told: str) -> None:
    assert cadence(*OURS, *STEP_LR, *beside, "--run_dir", tmp_path / "run") == 2
    assert told in capfd.readouterr().err and not (tmp_path / "run").exists()


ONE_CYCLE = options("OneCycleLR", {"max_lr": 1, "total_steps": 2})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (ONE_CYCLE, "OneCycleLR ends after 2 epochs, and trainer.max_epochs is 3"),
        (
            [*ONE_CYCLE, "--trainer.max_epochs", "-1", "--trainer.max_steps", "60"],
            "OneCycleLR has ended after 2 epochs",
        ),
        ([*ONE_CYCLE, "--model.lr_ratios", "{layers: 0.1}"], "OneCycleLR sets one rate everywhere, so that model.lr_r"),
    ],
)
def test_what_one_cycle_cannot_be(cadence, capfd, tmp_path: Path, given: list[str], told: str) -> None:
    assert cadence(*OURS, *given, "--run_dir", tmp_path / "run") == 2
    assert told in capfd.readouterr().err


def test_each_group_keeps_its_ratio(cadence, tmp_path: Path) -> None:
    given = [*options("ExponentialLR", {"gamma": 0.5}), "--model.lr_ratios", "{layers: 0.1}"]
    assert cadence(*OURS, *given, "--run_dir", tmp_path / "run") == 0
    groups = state(tmp_path / "run")["optimizer_states"][0]["param_groups"]
    assert sorted(group["lr"] for group in groups) == pytest.approx(
        sorted(0.0125 * group["lr_ratio"] for group in groups)
    )


def test_torch_s_own_plateau_is_refused(cadence, capfd, tmp_path: Path) -> None:
    given = options("torch.optim.lr_scheduler.ReduceLROnPlateau", {})
    assert cadence(*OURS, *given, "--run_dir", tmp_path / "run") == 2
    assert "--lr_scheduler.monitor val/loss" in capfd.readouterr().err


def test_a_range_test_within_the_fit_is_the_same(cadence, tmp_path: Path) -> None:
    test = ["--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.steps=20"]
    for name, given in (("without", []), ("with", STEP_LR)):
        assert cadence(*OURS, *test, *given, "--trainer.max_steps", 2, "--run_dir", tmp_path / name) == 0
    one, two = (tmp_path / name / "lr_range_test.csv" for name in ("without", "with"))
    assert one.read_text() == two.read_text()


def test_plot_schedule_draws_what_will_be(cadence, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    plot = ["plot-schedule", *OURS[1:], "--out", tmp_path / "schedule.png"]
    assert cadence(*plot, *STEP_LR) == 0
    learning = next(line for line in capfd.readouterr().out.splitlines() if "learning rate" in line)
    assert [f"{lr:g}" in learning for lr in (0.001, 0.1)] == [True, True]
    assert cadence(*plot, *options("ReduceLROnPlateau", PLATEAU)) == 2
    assert "lr_scheduler: the rates of ReduceLROnPlateau follow from what the run measures" in capfd.readouterr().err


def test_all_processes_have_the_rate_of_the_first(folder: Path) -> None:
    given = options("ReduceLROnPlateau", {"monitor": "val_loss", "patience": 0})
    two = ["--trainer.devices", 2, "--trainer.strategy", "ddp", "--trainer.max_epochs", 3]
    done = processes(folder, *words(*given, *two, model="LitUneven"))
    assert done.returncode == 0, done.stderr
    assert [(folder / f"lr{rank}").read_text() for rank in (0, 1)] == ["0.1", "0.1"]
    assert result(folder / "run")["steps"] == 15
