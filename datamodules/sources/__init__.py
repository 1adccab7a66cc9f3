"""Where datasets come from: the cache, torchvision's mirrors, package archives; every array checked by SHA-256.

| name | what |
|---|---|
| load_arrays | a dataset as memory-mapped arrays, fetched at first use |
| load_digits_arrays | scikit-learn's digits, which need no source |
| fetch, verify | bring a dataset into the cache; check every byte of it |
| dataset_names, default_cache_dir | what can be fetched, and where to |
| terminal_progress | a progress bar to give to load_arrays and fetch |
| tree_of, Images, cached, verify_images | a user's folder of images, and its arrays in the cache |
| NpzFile | a user's .npz file of images and labels |
| add_to_histogram, histogram_moments | mean and deviation of channels |
| Arrays, FileCheck, Progress | what they return and take |
| SourceError and its kin | what they raise |
| plain | a name from a file as one printable line |
| DatasetSpec | a dataset's sizes, classes, hashes and sources; `sha256` computes such a hash |
| TorchvisionMirrors, NpmPackage, DebianPackage, InstalledFiles | places that may have a dataset |
| IdxLayout, CifarBatches, CifarSheets | how a dataset lies in an archive |

A new dataset's spec is the `SPEC` of its file in `datamodules/`, which `datamodules.FETCHED` names. A new layout, or
a new kind of source, gets a file of its own here.
"""

from datamodules.sources._cache import FileCheck, default_cache_dir
from datamodules.sources._cifar_batches import CifarBatches
from datamodules.sources._cifar_sheets import CifarSheets
from datamodules.sources._debian import DebianPackage, InstalledFiles
from datamodules.sources._digits import load_digits_arrays
from datamodules.sources._errors import (
    CacheNotWritable,
    DamagedCache,
    DatasetUnavailable,
    SourceError,
    SourceRefused,
    SourceUnreachable,
    plain,
)
from datamodules.sources._fetch import fetch, load_arrays, verify
from datamodules.sources._idx import IdxLayout
from datamodules.sources._image_cache import Images, add_to_histogram, cached, histogram_moments, verify_images
from datamodules.sources._image_files import ImagesRefused, tree_of
from datamodules.sources._npm import NpmPackage
from datamodules.sources._npz import NpzFile
from datamodules.sources._progress import terminal_progress
from datamodules.sources._registry import dataset_names
from datamodules.sources._spec import Arrays, DatasetSpec, Progress, sha256
from datamodules.sources._torchvision import TorchvisionMirrors

__all__ = [
    "Arrays",
    "CacheNotWritable",
    "CifarBatches",
    "CifarSheets",
    "DamagedCache",
    "DatasetSpec",
    "DatasetUnavailable",
    "DebianPackage",
    "FileCheck",
    "IdxLayout",
    "Images",
    "ImagesRefused",
    "InstalledFiles",
    "NpmPackage",
    "NpzFile",
    "Progress",
    "SourceError",
    "SourceRefused",
    "SourceUnreachable",
    "TorchvisionMirrors",
    "add_to_histogram",
    "cached",
    "dataset_names",
    "default_cache_dir",
    "fetch",
    "histogram_moments",
    "load_arrays",
    "load_digits_arrays",
    "plain",
    "sha256",
    "terminal_progress",
    "tree_of",
    "verify",
    "verify_images",
]
