"""Every name that Lightning and torch ship is in a table; what is refused is told, with what to use instead.

What works is shown by runs: `test_lightning_trainer.py`, `test_lightning_callbacks.py` and its two neighbours,
`test_lightning_loggers.py`.
"""

import inspect
from pathlib import Path
from typing import Any, get_args

import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import environments
from pytorch_lightning import accelerators, callbacks, loggers, plugins, profilers, strategies

from commands.configuration import lightning_parts as parts
from commands.configuration.lightning_parts import BY_FIELD, Part
from tests.commands.lightning_runs import run

# what a class needs so that it can be configured at all
NEEDED: dict[str, dict[str, Any]] = {
    "BitsandbytesPrecision": {"mode": "nf4"},
    "DeepSpeedPrecision": {"precision": "32-true"},
    "FSDPPrecision": {"precision": "32-true"},
    "GradientAccumulationScheduler": {"scheduling": {0: 2}},
    "ModelPruning": {"pruning_fn": "l1_unstructured"},
    "OnExceptionCheckpoint": {"dirpath": "somewhere"},
    "StochasticWeightAveraging": {"swa_lrs": 0.01},
    "ThroughputMonitor": {"batch_size_fn": "builtins.len"},
    "Timer": {"duration": "00:00:01:00"},
    "TransformerEnginePrecision": {"weights_dtype": "torch.bfloat16"},
    "XLAPrecision": {"precision": "32-true"},
}
# a value of each argument that is refused
WANTED = {
    "accumulate_grad_batches": 2, "barebones": True, "default_root_dir": "elsewhere", "gradient_clip_algorithm": "norm",
    "gradient_clip_val": 0.5, "limit_predict_batches": 2, "model_registry": "name", "overfit_batches": 1,
}  # fmt: skip


def subclasses(module: Any, base: type) -> set[str]:
    return {
        name
        for name, one in vars(module).items()
        if inspect.isclass(one) and issubclass(one, base) and one.__name__ == name
    }


SHIPPED = {
    "trainer": (set(inspect.signature(pl.Trainer).parameters), parts.TRAINER),
    "callbacks": (set(callbacks.__all__), parts.CALLBACKS),
    "loggers": (set(loggers.__all__), parts.LOGGERS),
    "profilers": ({*profilers.__all__, "simple", "advanced", "pytorch", "xla"}, parts.PROFILERS),
    "strategies": (
        {"auto", *strategies.__all__, *strategies.StrategyRegistry.available_strategies()},
        parts.STRATEGIES,
    ),
    "plugins": ({*plugins.__all__, *subclasses(environments, environments.ClusterEnvironment)}, parts.PLUGINS),
    "accelerators": ({"auto", "gpu", *accelerators.AcceleratorRegistry.available_accelerators()}, parts.ACCELERATORS),
    "optimizers": (subclasses(torch.optim, torch.optim.Optimizer), parts.OPTIMIZERS),
    "schedulers": (set(torch.optim.lr_scheduler.__all__), parts.SCHEDULERS),
}


@pytest.mark.parametrize("kind", SHIPPED)
def test_every_name_is_in_the_table(kind: str) -> None:
    shipped, table = SHIPPED[kind]
    missing = shipped - set(table)
    assert not missing, f"try {missing} in a run; then it works, or lightning_parts says what to use instead"


def test_every_precision_is_in_the_table() -> None:
    annotation = inspect.signature(pl.Trainer).parameters["precision"].annotation
    shipped = {str(value) for choice in get_args(annotation) for value in get_args(choice)}
    assert len(shipped) > 8 and shipped <= set(parts.PRECISIONS)


# What works and no test here can show, and where it was seen, or why not.
ELSEWHERE = {
    "auto": "every run", "callbacks": "test_lightning_callbacks.py", "strategy": "tests/commands/test_processes.py",
    "num_nodes": "test_many_processes.py", "sync_batchnorm": "test_many_processes.py",
    "limit_predict_batches": "test_evaluating.py",
}  # fmt: skip


@pytest.mark.parametrize("table", ["TRAINER", "CALLBACKS", "LOGGERS", "PROFILERS"])
def test_what_works_is_shown_by_a_run(table: str) -> None:
    from tests.commands import (  # noqa: F401
        test_early_stopping,
        test_lightning_averages,
        test_lightning_callbacks,
        test_lightning_loggers,
        test_lightning_trainer,
    )
    from tests.commands.lightning_runs import SHOWN

    missing = set(parts.that_work(getattr(parts, table))) - SHOWN - set(ELSEWHERE)
    assert not missing, f"show by a run what {missing} does"


REFUSED = [
    (field, name) for field, table in BY_FIELD.items() for name, part in table.items() if part.instead
]  # fmt: skip


def refused(capfd: pytest.CaptureFixture[str]) -> str:
    """What a refusal says, held to its form."""
    captured = capfd.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == "" and 1 <= len(lines) <= 3, captured
    assert lines[0].startswith("cadence: ") and not lines[-1].endswith("...")
    return captured.err.replace("\n  ", " ")


def said(part: Part) -> str:
    return part.instead.replace("\n", " ")


@pytest.mark.parametrize(("field", "name"), REFUSED)
def test_what_is_refused_says_what_to_use_instead(cadence, capfd, tmp_path: Path, field: str, name: str) -> None:
    section, _, key = field.partition(".")
    value: Any = {"class_path": name, "init_args": NEEDED[name]} if name in NEEDED else name
    if section in ("optimizer", "lr_scheduler"):
        changes: dict[str, Any] = {section: {"class_path": name, "init_args": {}}}
        if name == "Optimizer":
            pytest.skip("the base that jsonargparse puts where none is named")
    else:
        changes = {"trainer": {key: [value] if key in ("callbacks", "plugins") else value}}
    assert run(cadence, changes) == 2
    assert f"{field}: {name} {said(BY_FIELD[field][name])}" in refused(capfd)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", [name for name, part in parts.TRAINER.items() if part.instead])
def test_a_refused_argument_says_what_to_use_instead(cadence, capfd, tmp_path: Path, name: str) -> None:
    assert run(cadence, {"trainer": {name: WANTED[name]}}) == 2
    assert f"trainer.{name} {said(parts.TRAINER[name])}" in refused(capfd)
    assert not (tmp_path / "run").exists()


class Swa(callbacks.StochasticWeightAveraging):
    """A stranger's own kind of a refused one."""


def test_what_derives_from_a_refused_one_is_refused_too(cadence, capfd) -> None:
    kind = {"class_path": f"{__name__}.Swa", "init_args": {"swa_lrs": 0.1}}
    assert run(cadence, {"trainer": {"callbacks": [kind]}}) == 2
    assert "trainer.callbacks: StochasticWeightAveraging" in refused(capfd)


# argument, value -> what the message holds; none of these was told in a line before
NUMBERS: list[tuple[str, Any, list[str]]] = [
    ("check_val_every_n_epoch", 0, ["at least 1, got 0", "limit_val_batches to 0"]),
    ("check_val_every_n_epoch", -2, ["at least 1, got -2"]),
    ("val_check_interval", 0, ["1 step or more", "limit_val_batches to 0"]),
    ("val_check_interval", 0.0, ["1 step or more"]),
    ("val_check_interval", 1.5, ["whole number", "got 1.5"]),
    ("val_check_interval", 17, ["more than the 16 steps", "--trainer.check_val_every_n_epoch null"]),
    ("val_check_interval", "soon", ["days:hours:minutes:seconds", "'soon'"]),
    ("limit_train_batches", 0, ["trains nothing"]),
    ("limit_train_batches", 0.0, ["trains nothing"]),
    ("limit_train_batches", -1, ["whole number", "got -1"]),
    ("limit_train_batches", 0.001, ["0.001 of 16 batches", "--trainer.limit_train_batches 1"]),
    ("limit_val_batches", 0.5, ["0.5 of 1 batches", "--trainer.limit_val_batches 1"]),
    ("limit_val_batches", -1, ["whole number", "got -1"]),
    ("limit_test_batches", 2.5, ["whole number", "got 2.5"]),
    ("max_epochs", 0, ["trains nothing"]),
    ("max_steps", 0, ["trains nothing"]),
    ("min_epochs", -1, ["not be negative, got -1"]),
    ("min_epochs", 3, ["3, above trainer.max_epochs, 2"]),
    ("max_time", "soon", ["days:hours:minutes:seconds"]),
    ("max_time", {"secnds": 1}, ["no unit 'secnds'", "seconds"]),
    ("num_sanity_val_steps", -2, ["-1 for all, got -2"]),
    ("num_nodes", 0, ["at least 1, got 0"]),
    ("num_nodes", 2, ["srun or torchrun"]),
    ("precision", "16-mixed", ["needs a GPU", "bf16-mixed"]),
    ("use_distributed_sampler", False, ["share each batch out", "leave it out"]),
    ("logger", True, ["metrics.csv", "leave it out"]),
    ("profiler", "nothing", ["simple, advanced and pytorch"]),
    ("accelerator", "hpu", ["'hpu'", "cpu"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "words"), NUMBERS)
def test_a_value_that_cannot_work_is_refused(
    cadence, capfd, tmp_path: Path, name: str, value: Any, words: list[str]
) -> None:
    if value == "16-mixed" and torch.cuda.is_available():
        pytest.skip("the machine has what is missed")
    assert run(cadence, {"trainer": {name: value}}) == 2
    message = refused(capfd)
    assert f"trainer.{name}" in message and all(word in message for word in words), message
    assert not (tmp_path / "run").exists()


def test_a_switch_and_a_callback_that_contradict_each_other(cadence, capfd) -> None:
    assert run(cadence, {"trainer": {"callbacks": ["RichProgressBar"], "enable_progress_bar": False}}) == 2
    assert "trainer.enable_progress_bar is false, and RichProgressBar" in refused(capfd)
    assert run(cadence, {"trainer": {"callbacks": ["ModelCheckpoint"], "enable_checkpointing": False}}) == 2
    assert "trainer.enable_checkpointing is false, and ModelCheckpoint" in refused(capfd)
    both = ["RichProgressBar", "TQDMProgressBar"]
    assert run(cadence, {"trainer": {"callbacks": both, "enable_progress_bar": True}}) == 2
    assert "RichProgressBar and TQDMProgressBar" in refused(capfd)


def test_what_stands_for_another_project_s_habit(cadence, capfd) -> None:
    base = ["fit", "--model", "MLP", "--optimizer", "Adam", "--trainer.max_epochs", "1"]
    assert cadence(*base, "--lr_scheduler", "ConstantLR", "--lr_scheduler.interval", "step") == 2
    assert "--trainer.callbacks+=MultiStepLR" in refused(capfd)
    assert cadence(*base, "--ckpt_path", "a.ckpt") == 2
    assert "--resume RUN_DIR" in refused(capfd)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("PL_FIT__TRAINER__MAX_EPOCHS", "--trainer.max_epochs"),
        ("PL_TRAINER__MAX_EPOCHS", "--trainer.max_epochs"),
        ("PL_TRAINER_MAX_EPOCHS", "--trainer.max_epochs"),
        ("PL_OPTIMIZER__LR", "--optimizer.lr"),
        ("PL_SEED_EVERYTHING", "--seed_everything"),
        ("PL_CONFIG", "--config"),
    ],
)
def test_options_in_the_environment_are_refused(cadence, capfd, monkeypatch, name: str, option: str) -> None:
    monkeypatch.setenv(name, "3")
    assert cadence("fit", "-c", "digits_demo") == 2
    assert f"{name}: options are not read from the environment" in (message := refused(capfd))
    assert f"give {option} instead" in message


def test_lightning_s_own_variables_are_none_of_ours(cadence, monkeypatch) -> None:
    monkeypatch.setenv("PL_GLOBAL_SEED", "3")
    monkeypatch.setenv("PL_TORCH_DISTRIBUTED_BACKEND", "gloo")
    assert run(cadence, {"trainer": {"max_steps": 1}}) == 0


def a_callback() -> callbacks.LearningRateMonitor:
    """Makes one: a configuration may name a function."""
    return callbacks.LearningRateMonitor()


def test_a_function_that_makes_a_callback_is_a_stranger_s(cadence) -> None:
    assert run(cadence, {"trainer": {"callbacks": [f"{__name__}.a_callback"], "max_steps": 1}}) == 0
