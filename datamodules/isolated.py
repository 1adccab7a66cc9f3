"""Copies of strangers' datasets and samplers that share what is large and hold what changes: counters, generators."""

import copy
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

BULK = 10_000  # a longer list or mapping is data, which nobody changes while reading


def isolated(whole: Any) -> Any:
    """A deep copy, but for tensors, arrays and long lists below; the thing itself where it cannot be copied.

    A sampler's datasets are shared too: only their lengths are asked for.

    Args:
        whole: dataset, sampler or loader.
    """
    memo: dict[int, Any] = {}
    _share(whole, memo, set(), not isinstance(whole, Dataset))
    try:
        return copy.deepcopy(whole, memo)
    except Exception:  # an open file, a lock, a connection: strangers' copies may raise anything
        return whole


def _share(part: Any, memo: dict[int, Any], seen: set[int], datasets: bool) -> None:
    """Note in `memo` what a copy shares with the original."""
    if id(part) in seen:
        return
    seen.add(id(part))
    bulk = isinstance(part, torch.Tensor | np.ndarray) or (datasets and isinstance(part, Dataset))
    if bulk or (isinstance(part, list | tuple | dict | set | bytes) and len(part) > BULK):
        memo[id(part)] = part
    elif isinstance(part, list | tuple | set):
        for one in part:
            _share(one, memo, seen, datasets)
    elif isinstance(part, dict):
        for one in part.values():
            _share(one, memo, seen, datasets)
    elif hasattr(part, "__dict__") and not isinstance(part, type | ModuleType | FunctionType):
        _share(vars(part), memo, seen, datasets)
