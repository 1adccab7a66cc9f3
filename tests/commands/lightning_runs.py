"""Small runs with one thing of Lightning's in them, and the list of what they show."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
import yaml

from tests.stopping import StopAfter

F = TypeVar("F", bound=Callable[..., None])
STEPS = 16  # an epoch: 998 training digits in batches of 64
SHOWN: set[str] = set()
FIT: dict[str, Any] = {
    "model": {"class_path": "MLP", "init_args": {"hidden_sizes": [8]}},
    "data": {"class_path": "Digits"},
    "optimizer": {"class_path": "Adam", "init_args": {"lr": 0.01}},
    "trainer": {"max_epochs": 2, "accelerator": "cpu", "enable_progress_bar": False},
}


def shows(*names: str) -> Callable[[F], F]:
    """Mark a test that shows the effect of these names."""
    SHOWN.update(names)
    return lambda test: test


def run(cadence: Any, changes: dict[str, Any]) -> int:
    """`cadence fit` of a small run with some sections changed."""
    config = {name: {**FIT.get(name, {}), **changes.get(name, {})} for name in (*FIT, *changes)}
    Path("fit.yaml").write_text(yaml.safe_dump(config))
    return cadence("fit", "-c", "fit.yaml", "--run_dir", "run")


def one(name: str, **options: Any) -> list[dict[str, Any]]:
    """A list of callbacks with this one alone, as a configuration has it."""
    return [{"class_path": name, "init_args": options}]


class Runs:
    """`cadence fit` of a small network on the digits, in this process.

    Args:
        cadence: the fixture.
    """

    def __init__(self, cadence: Callable[..., int]) -> None:
        self.cadence = cadence

    def __call__(self, name: str, stop: int | None = None, **changes: Any) -> Path:
        """The run directory of a fit with other arguments of the trainer, or other sections.

        Args:
            name: name of the run directory.
            stop: step after which a signal comes; the run then ends with status 130.
            changes: arguments of the trainer; a mapping for `model`, `data` or `optimizer` replaces that section.
        """
        config: dict[str, Any] = {
            "model": {"class_path": "MLP", "init_args": {"hidden_sizes": [8], "dropout_hidden": 0.2}},
            "data": {"class_path": "Digits"},
            "optimizer": {"class_path": "Adam", "init_args": {"lr": 0.01}},
            "trainer": {
                "max_epochs": 2, "accelerator": "cpu", "enable_progress_bar": False, "log_every_n_steps": 5,
            },
        }  # fmt: skip
        for key, value in changes.items():
            section = config if key in ("model", "data", "optimizer", "test_after_fit") else config["trainer"]
            section[key] = value
        Path(f"{name}.yaml").write_text(yaml.safe_dump(config))
        with pytest.MonkeyPatch.context() as patch:
            if stop is not None:
                self._stopping(patch, stop)
            assert self.cadence("fit", "-c", f"{name}.yaml", "--run_dir", name) == (0 if stop is None else 130)
        return Path(name)

    def resume(self, run: Path, *options: str) -> Path:
        """Go on with a run that was stopped, to its end."""
        assert self.cadence("fit", "--resume", run, *options) == 0
        return run

    def _stopping(self, patch: pytest.MonkeyPatch, step: int) -> None:
        from commands.configuration.cadence_cli import CadenceCLI

        built = CadenceCLI.build_trainer
        patch.setattr(CadenceCLI, "build_trainer", lambda cli, extra, **kw: built(cli, [StopAfter(step), *extra], **kw))


def checkpoint(run: Path, name: str = "last") -> dict[str, Any]:
    return torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)


def rows(run: Path) -> list[dict[str, str]]:
    """metrics.csv without its seconds; its steps ascend."""
    with (run / "metrics.csv").open() as file:
        found = [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]
    steps = [int(row["step"]) for row in found]
    assert steps == sorted(set(steps)), steps
    return found


def column(run: Path, name: str) -> list[tuple[int, float]]:
    """Steps and values of the rows in which a metric stands."""
    return [(int(row["step"]), float(row[name])) for row in rows(run) if row.get(name)]


def same_weights(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def assert_same_run(run: Path, whole: Path) -> None:
    """Rows, weights and the optimizer's state, to the bit."""
    assert rows(run) == rows(whole)
    mine, theirs = checkpoint(run), checkpoint(whole)
    for key in ("state_dict", "current_model_state", "averaging_state"):
        assert same_weights(mine.get(key, {}), theirs.get(key, {})), key
    states = [one["optimizer_states"][0]["state"] for one in (mine, theirs)]
    for key, state in states[1].items():
        assert same_weights(states[0][key], state)
