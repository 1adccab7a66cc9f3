"""Copies of strangers' datasets and samplers that share what is large and hold what changes: counters, generators."""

import copy
import random
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

BULK = 10_000  # a longer list or mapping is data, which nobody changes while reading
GENERATORS = (torch.Generator, random.Random, np.random.Generator, np.random.RandomState)


def isolated(whole: Any) -> Any:
    """A deep copy, but for tensors, arrays and long lists below; the thing itself where it cannot be copied.

    A sampler's datasets are shared too: only their lengths are asked for.

    Args:
        whole: dataset, sampler or loader.
    """
    datasets = not isinstance(whole, Dataset)
    reached = _reached(whole, set())
    memo = {id(part): part for part in reached if _bulk(part) or (datasets and isinstance(part, Dataset))}
    try:
        return copy.deepcopy(whole, memo)
    except Exception:  # an open file, a lock, a connection: strangers' copies may raise anything
        return whole


def generators_in(whole: Any) -> list[Any]:
    """The generators of random numbers that a dataset has of its own."""
    return [part for part in _reached(whole, set()) if isinstance(part, GENERATORS)]


def reseed(generators: list[Any], key: int) -> None:
    """Let generators draw what follows from a key."""
    for one in generators:
        if isinstance(one, torch.Generator):
            one.manual_seed(key)
        elif isinstance(one, random.Random):
            one.seed(key)
        elif isinstance(one, np.random.Generator):
            kind: Any = type(one.bit_generator)
            one.bit_generator.state = kind(key).state
        else:
            one.seed(key % 2**32)


def _bulk(part: Any) -> bool:
    if isinstance(part, torch.Tensor | np.ndarray):
        return True
    return isinstance(part, list | tuple | dict | set | bytes) and len(part) > BULK


def _reached(part: Any, seen: set[int]) -> Iterator[Any]:
    """A thing and all that it is made of, but what bulk is made of."""
    if id(part) in seen:
        return
    seen.add(id(part))
    yield part
    if _bulk(part) or isinstance(part, type | ModuleType | FunctionType):
        return
    within: list[Any] = list(part.values()) if isinstance(part, dict) else []
    if isinstance(part, list | tuple | set):
        within = list(part)
    if hasattr(part, "__dict__"):
        within.append(vars(part))
    for one in within:
        yield from _reached(one, seen)
