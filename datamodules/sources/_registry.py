"""From a dataset's name to its spec, which lies beside its datamodule: `datamodules.FETCHED` lists them."""

from __future__ import annotations

from importlib import import_module

from datamodules import FETCHED
from datamodules.sources._spec import DatasetSpec


def dataset_names() -> tuple[str, ...]:
    """Return the names of the datasets that are fetched and cached."""
    return tuple(FETCHED)


def find(name: str) -> DatasetSpec:
    """Return the spec of the dataset of that name, in any case.

    Raises:
        ValueError: there is none; the message lists the names.
    """
    for known, home in FETCHED.items():
        if known.lower() == name.lower():
            spec: DatasetSpec = import_module(home).SPEC
            return spec
    raise ValueError(f"unknown dataset {name!r}; the datasets are {', '.join(FETCHED)}")
