"""BestCheckpoint saves after the validations that beat all before, also across a resume."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from callbacks import BestCheckpoint

NAN = float("nan")


class Validations:
    """A trainer that has just validated, and notes what is saved."""

    def __init__(self) -> None:
        self.state, self.sanity_checking, self.world_size = SimpleNamespace(fn="fit"), False, 1
        self.callback_metrics: dict[str, float] = {}
        self.global_step, self.saved = 0, list[Path]()

    @property
    def _results(self) -> dict[str, Any]:
        metas = [SimpleNamespace(name=name, dataloader_idx=None, forked=False) for name in self.callback_metrics]
        return {meta.name: SimpleNamespace(meta=meta, has_reset=False) for meta in metas}

    def save_checkpoint(self, path: Path) -> None:
        self.saved.append(path)


def saves(callback: BestCheckpoint, scores: list[float], weight: float = 1.0, **state: Any) -> list[bool]:
    """For each score, whether a checkpoint was saved after it."""
    trainer, found = Validations(), []
    module = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(module.weight, weight)
    vars(trainer).update(state)
    for score in scores:
        before = len(trainer.saved)
        trainer.callback_metrics[callback.monitor] = score
        callback.on_validation_end(trainer, module)  # type: ignore[arg-type]
        found.append(len(trainer.saved) > before)
    assert set(trainer.saved) <= {callback.dirpath / "best.ckpt"}
    return found


@pytest.mark.parametrize(
    ("mode", "scores", "expected"),
    [
        ("max", [0.5, 0.5, 0.4, 0.6, 0.6], [True, False, False, True, False]),
        ("min", [0.5, 0.5, 0.4, 0.6, 0.3], [True, False, True, False, True]),
        ("max", [NAN, NAN, 0.1, NAN], [False, False, True, False]),
        ("min", [NAN, 0.1, NAN], [False, True, False]),
        ("max", [math.inf, 0.1], [False, True]),
    ],
)
def test_of_equals_the_first_stays(tmp_path: Path, mode: str, scores: list[float], expected: list[bool]) -> None:
    assert saves(BestCheckpoint(tmp_path, mode=mode), scores) == expected


def test_a_resumed_run_goes_on_from_the_best(tmp_path: Path) -> None:
    first, second = BestCheckpoint(tmp_path / "here"), BestCheckpoint(tmp_path / "moved")
    assert saves(first, [0.7]) == [True]
    second.load_state_dict(first.state_dict())
    assert saves(second, [0.6, 0.8]) == [False, True]


@pytest.mark.parametrize("weight", [NAN, math.inf])
def test_weights_that_are_no_numbers_are_never_the_best(tmp_path: Path, weight: float) -> None:
    assert saves(BestCheckpoint(tmp_path), [0.5, 0.6], weight) == [False, False]


@pytest.mark.parametrize("state", [{"sanity_checking": True}, {"state": SimpleNamespace(fn="validate")}])
def test_other_validations_save_nothing(tmp_path: Path, state: dict[str, Any]) -> None:
    assert saves(BestCheckpoint(tmp_path), [0.5], **state) == [False]


def test_a_module_without_the_metric_has_no_best(tmp_path: Path) -> None:
    trainer = Validations()
    BestCheckpoint(tmp_path).on_validation_end(trainer, None)  # type: ignore[arg-type]
    assert trainer.saved == []


def test_an_unknown_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mode must be max or min, got 'most'"):
        BestCheckpoint(tmp_path, mode="most")
