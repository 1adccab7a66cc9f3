"""Whole numbers stay whole, whichever order of types a union has got from modules that were imported before."""

import inspect
import sys
import typing
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import pytorch_lightning as pl
from jsonargparse import ArgumentParser

import commands.configuration.cadence_cli  # noqa: F401  (settles the order)
from commands.configuration.unions import whole_numbers_first

SOURCE = inspect.getsource(sys.modules[pl.Trainer.__module__])
ARGUMENTS = {name: p.annotation for name, p in inspect.signature(pl.Trainer.__init__).parameters.items()}
EITHER = [name for name, types in ARGUMENTS.items() if {int, float} <= set(get_args(types))]


@pytest.fixture(scope="module")
def turned() -> Iterator[ArgumentParser]:
    """A parser of Lightning's Trainer before which another package wrote a union the other way round."""
    forget = getattr(typing, "_cleanups", [])  # of typing's caches, which Python's own tests empty by it
    for clear in forget:
        clear()
    eval("Optional[Union[float, int]]", vars(typing))
    module = type(sys)(pl.Trainer.__module__)
    module.__dict__.update(__package__="pytorch_lightning.trainer")
    exec(compile(SOURCE, "trainer.py", "exec"), module.__dict__)
    parser = ArgumentParser()
    parser.add_class_arguments(module.Trainer, "trainer")
    yield parser
    for clear in forget:
        clear()


def test_there_are_such_arguments() -> None:
    assert {"limit_train_batches", "limit_val_batches", "val_check_interval", "overfit_batches"} <= set(EITHER)


@pytest.mark.parametrize("word", ["1", "10", "1.0", "0.5"])
@pytest.mark.parametrize("name", EITHER)
def test_a_trainers_number_is_what_was_written(turned: ArgumentParser, name: str, word: str) -> None:
    number = int(word) if word.isdigit() else float(word)
    written = turned.parse_args([f"--trainer.{name}", word])
    of_a_file = turned.parse_object({"trainer": {name: number}})
    assert repr(written.trainer[name]) == repr(of_a_file.trainer[name]) == word


@pytest.mark.parametrize("union", [float | int, float | None | int, float | str | int, list[int] | float | int])
def test_any_union(union: Any) -> None:
    parser = ArgumentParser()
    parser.add_argument("--number", type=union)
    for word, number in (("1", 1), ("1.0", 1.0), ("2.5", 2.5)):
        parsed = parser.parse_args(["--number", word]).number
        assert (parsed, type(parsed)) == (number, type(number))


def test_other_types_keep_their_order() -> None:
    sort = whole_numbers_first(lambda types, *others: types)
    assert sort([str, float, int, None], "value") == [str, int, float, None]
    assert sort([str, int, float]) == [str, int, float]
    assert sort([float, str]) == [float, str] and sort([str, int]) == [str, int]
