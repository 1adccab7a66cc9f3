"""Sources in order, each answer checked by SHA-256, and messages that say what to do."""

import ast
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import datamodules.sources
from datamodules.sources import (
    CacheNotWritable,
    DatasetUnavailable,
    SourceRefused,
    SourceUnreachable,
    dataset_names,
    default_cache_dir,
    fetch,
    load_arrays,
    verify,
)
from datamodules.sources._registry import find
from datamodules.sources._spec import Bytes, DatasetSpec, Progress, Source
from tests.datamodules.sources import tiny

Register = Callable[[DatasetSpec], None]


@dataclass
class Gives:
    """A source that gives these arrays, or raises this error, and counts how often it was asked."""

    answer: dict[str, Bytes] | Exception
    label: str = "a source"
    asked: int = 0

    def collect(self, spec: DatasetSpec, scratch: Path, report: Progress) -> dict[str, Bytes]:
        self.asked += 1
        assert list(scratch.iterdir()) == []
        (scratch / "leftover").write_bytes(b"x")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def altered(name: str) -> dict[str, Bytes]:
    array = tiny.ARRAYS[name].copy()
    array.flat[-1] ^= 1
    return tiny.ARRAYS | {name: array}


def test_fetched_once_and_then_mapped(cache: Path, register: Register) -> None:
    source = Gives(tiny.ARRAYS)
    register(tiny.spec(source))
    assert fetch("tiny") == cache / "Tiny"
    for _ in range(2):
        arrays = load_arrays("TINY")
        for name, array in tiny.ARRAYS.items():
            mapped = getattr(arrays, name)
            np.testing.assert_array_equal(mapped, array)
            assert isinstance(mapped, np.memmap) and not mapped.flags.writeable
    assert source.asked == 1
    assert all(check.ok for check in verify("Tiny"))
    assert sorted(path.name for path in cache.iterdir()) == ["Tiny"]


def test_load_arrays_fetches_into_the_directory_that_it_is_given(
    tmp_path: Path, cache: Path, register: Register
) -> None:
    register(tiny.spec(Gives(tiny.ARRAYS)))
    assert load_arrays("Tiny", cache_dir=tmp_path / "other").train_images.shape == (20, 4, 4, 1)
    assert not cache.exists()
    assert not verify("Tiny")[0].ok
    assert verify("Tiny", cache_dir=tmp_path / "other")[0].ok


@pytest.mark.parametrize("name", list(tiny.ARRAYS))
def test_an_altered_array_is_refused_by_name_and_the_next_source_asked(
    cache: Path, register: Register, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    register(tiny.spec(Gives(altered(name), "mirror A"), Gives(tiny.ARRAYS)))
    fetch("Tiny")
    assert all(check.ok for check in verify("Tiny"))
    [record] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert f"Tiny: refused: mirror A: {name}: SHA-256" in record.getMessage()


@pytest.mark.parametrize(
    "wrong",
    [tiny.ARRAYS["test_images"][:9], tiny.ARRAYS["test_images"][..., 0], tiny.ARRAYS["test_images"].view(np.int8)],
)
def test_another_shape_or_type_is_refused(cache: Path, register: Register, wrong: Any) -> None:
    register(tiny.spec(Gives(tiny.ARRAYS | {"test_images": wrong})))
    with pytest.raises(
        DatasetUnavailable, match=r"refused: a source: test_images: .* instead of uint8 \(10, 4, 4, 1\)"
    ):
        fetch("Tiny")


def test_no_source_reachable(cache: Path, register: Register, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    register(
        tiny.spec(
            Gives(SourceUnreachable("no network: the name look-up failed"), "torchvision's mirrors"),
            Gives(SourceUnreachable("npm is not installed"), "npm package tiny-data 1.0.0"),
            Gives(SourceRefused("tiny.deb", "usr/x", "is missing\n" + "\x1b" * 500), "Debian package tiny"),
        )
    )
    with pytest.raises(DatasetUnavailable) as caught:
        load_arrays("Tiny")
    lines = str(caught.value).splitlines()
    assert lines[0] == f"Tiny is not in the data cache {cache}, and no source gave it."
    assert lines[1].startswith(
        "Tried: torchvision's mirrors (no network: the name look-up failed); npm package tiny-data 1.0.0 "
        "(npm is not installed); Debian package tiny (refused: tiny.deb: usr/x: is missing"
    )
    assert "`cadence data fetch Tiny`" in lines[2] and "CADENCE_DATA" in lines[2]
    assert len(lines) == 3
    assert "\x1b" not in str(caught.value)
    assert all(len(line.replace(str(cache), "")) < 320 for line in lines)
    assert len(caught.value.failures) == 3 and len(caplog.records) == 3
    assert not tiny.partials(cache) and not (cache / "Tiny").exists()


def test_unknown_name_lists_the_names() -> None:
    for function in (fetch, load_arrays, verify):
        with pytest.raises(ValueError, match="unknown dataset 'MINST'; the datasets are MNIST, FashionMNIST, CIFAR10"):
            function("MINST")


def test_an_unwritable_cache_names_the_directory_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, register: Register
) -> None:
    source = Gives(tiny.ARRAYS)
    register(tiny.spec(source))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CADENCE_DATA", str(tmp_path / "file" / "cache"))
    with pytest.raises(CacheNotWritable, match="Not a directory") as caught:
        load_arrays("Tiny")
    assert str(tmp_path / "file" / "cache") in str(caught.value)
    assert "Set CADENCE_DATA" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2
    assert source.asked == 0


def test_a_full_disk_leaves_nothing(cache: Path, register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    register(tiny.spec(Gives(tiny.ARRAYS)))
    monkeypatch.setattr("numpy.lib.format.write_array", full)
    with pytest.raises(CacheNotWritable, match="No space left on device"):
        fetch("Tiny")
    assert not list(cache.iterdir())


def test_force_replaces_a_good_cache_and_keeps_it_if_no_source_answers(cache: Path, register: Register) -> None:
    source = Gives(tiny.ARRAYS)
    register(tiny.spec(source))
    fetch("Tiny")
    before = (cache / "Tiny" / "manifest.json").stat().st_ino
    held = load_arrays("Tiny")
    fetch("Tiny", force=True)
    assert source.asked == 2
    assert (cache / "Tiny" / "manifest.json").stat().st_ino != before
    np.testing.assert_array_equal(held.train_images, tiny.ARRAYS["train_images"])  # still mapped by whoever had it
    source.answer = SourceUnreachable("no")
    with pytest.raises(DatasetUnavailable):
        fetch("Tiny", force=True)
    assert all(check.ok for check in verify("Tiny"))
    assert not tiny.partials(cache)


def test_an_interrupt_leaves_nothing(cache: Path, register: Register) -> None:
    def interrupt(description: str, done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    register(tiny.spec(Gives(tiny.ARRAYS)))
    with pytest.raises(KeyboardInterrupt):
        fetch("Tiny", progress=interrupt)
    assert not list(cache.iterdir())


def test_default_cache_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CADENCE_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert default_cache_dir() == tmp_path / ".cache" / "cadence" / "data"
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert default_cache_dir() == Path("/x/cadence/data")
    for value, path in [("~/d", tmp_path / "d"), ("d", tmp_path / "d"), ("", Path("/x/cadence/data"))]:
        monkeypatch.setenv("CADENCE_DATA", value)
        assert default_cache_dir() == path


def test_the_registry_is_complete() -> None:
    assert {"MNIST", "FashionMNIST", "CIFAR10"} <= set(dataset_names())
    for name in dataset_names():
        spec = find(name)
        assert spec.name == name and spec.image_shape[0] == spec.image_shape[1]
        assert len(spec.mean) == len(spec.std) == spec.image_shape[2]
        assert spec.sha256.keys() == tiny.ARRAYS.keys()
        assert all(len(value) == 64 for value in spec.sha256.values())
        sources: tuple[Source, ...] = spec.sources
        assert len({source.label for source in sources}) == len(sources) >= 1


def test_the_code_names_no_server_and_imports_nothing_heavy() -> None:
    for file in Path(datamodules.sources.__file__).parent.glob("*.py"):
        text = file.read_text()
        assert "://" not in text.replace(r"\S*://\S*", ""), file
        if file.name == "_torchvision_child.py":
            continue
        for node in ast.parse(text).body:  # the top level alone
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {"torch", "torchvision", "sklearn", "PIL", "rich"} & {name.split(".")[0] for name in names}, file
