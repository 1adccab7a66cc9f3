"""What holds of every callback by itself: its state goes through a checkpoint, it travels, its docstring is whole."""

import copy
import inspect
import pickle
import re
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from pytorch_lightning.callbacks import Callback

import callbacks
from tests.callbacks.records import assert_same
from tests.callbacks.subjects import SUBJECTS, Run, fitted, make

every_callback = pytest.mark.parametrize("name", SUBJECTS)


class First(NamedTuple):
    """A callback's first run."""

    name: str
    callback: Callback
    folder: Path
    run: Run


@pytest.fixture(scope="module", params=SUBJECTS)
def first(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> First:
    folder = tmp_path_factory.mktemp("first") / "run"
    callback = make(request.param, folder)
    return First(request.param, callback, folder, fitted(callback, folder))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run without any of them."""
    return fitted(None, tmp_path_factory.mktemp("plain") / "run")


def keys(run: Run) -> set[str]:
    return {key for row in run.rows.values() for key in row}


def test_its_state_goes_through_a_checkpoint(first: First, tmp_path: Path) -> None:
    """Saved, read with `weights_only`, and taken up by a new object in a run that has nothing left to train."""
    first.run.trainer.save_checkpoint(tmp_path / "it.ckpt")
    saved = torch.load(tmp_path / "it.ckpt", weights_only=True)["callbacks"]
    state = first.callback.state_dict()
    assert_same(saved.get(first.callback.state_key, {}), state)
    again = make(first.name, first.folder, again=True)
    assert (
        fitted(again, first.folder, ckpt_path=tmp_path / "it.ckpt").trainer.global_step == first.run.trainer.global_step
    )
    assert_same(again.state_dict(), state)


def test_it_travels(first: First, tmp_path: Path) -> None:
    """Copied and pickled, as a launcher of processes does, it trains like the one that was made here."""
    there = fitted(pickle.loads(pickle.dumps(copy.deepcopy(make(first.name, tmp_path / "run")))), tmp_path / "run")
    assert there.rows == first.run.rows
    assert_same(there.model.state_dict(), first.run.model.state_dict())


@every_callback
def test_it_has_no_attribute_that_lightning_overwrites(name: str, tmp_path: Path) -> None:
    callback = make(name, tmp_path)
    assert not {"log", "log_dict"} & {*dir(type(callback)), *vars(callback)}


@every_callback
def test_every_argument_is_documented(name: str) -> None:
    kind = getattr(callbacks, name)
    given = inspect.signature(kind).parameters
    assert sorted(documented(kind)) == sorted(given), f"{name}: Args must name every argument, and no other"


def documented(kind: type[Callback]) -> list[str]:
    """Names in the `Args:` of the class or of its constructor."""
    text = "\n\n".join(inspect.getdoc(part) or "" for part in (kind, kind.__init__))
    section = re.search(r"^Args:\n((?: {4}.*\n?|\n)+)", text, re.MULTILINE)
    return re.findall(r"^ {4}(\w+): \S", section[1], re.MULTILINE) if section else []


def test_the_keys_that_it_logs_are_documented(first: First, plain: Run) -> None:
    """By name, as `key` or, behind others of one prefix, as `/key`; or by the words 'logs no keys'."""
    text = " ".join((type(first.callback).__doc__ or "").split())
    none, some = re.search(r"\blogs no keys\b", text), re.search(r"\b[Kk]eys?,? (that it )?log", text)
    assert bool(none) != bool(some), "the docstring needs a list of the keys that it logs, or 'logs no keys'"
    own, named = keys(first.run) - keys(plain), set(re.findall("`([^`]+)`", text))
    assert bool(own) == bool(some), f"it logs {sorted(own)}"
    missing = sorted(key for key in own if not {key, f"/{key.rpartition('/')[2]}"} & named)
    assert not missing, f"the docstring does not name {missing}"
