"""A damaged cache is reported, by file, and never deleted; only `force` replaces it."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.sources import DamagedCache, fetch, load_arrays, verify
from datamodules.sources._spec import Bytes, sha256
from tests.datamodules.sources import tiny

FILES = ["manifest.json", *(f"{name}.npy" for name in tiny.ARRAYS)]


@pytest.fixture
def folder(cache: Path, npm: Callable[..., None]) -> Path:
    npm()
    return fetch("Tiny")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def replaced(file: Path, old: bytes, new: bytes) -> None:
    data = file.read_bytes()
    assert data.count(old) >= 1 and len(old) == len(new)
    file.write_bytes(data.replace(old, new, 1))


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-2] ^= 1
    file.write_bytes(data)


def remove(file: Path) -> None:
    file.unlink()


def make_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def zeros(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


@pytest.mark.parametrize("damage", [truncate, empty, flip, remove, make_folder, zeros])
@pytest.mark.parametrize("name", FILES)
def test_damage_is_reported_and_force_mends_it(folder: Path, name: str, damage: Callable[[Path], None]) -> None:
    damage(folder / name)
    for function in (load_arrays, fetch):
        with pytest.raises(DamagedCache) as caught:
            function("Tiny")
        lines = str(caught.value).splitlines()
        assert lines[0].startswith(f"the data cache is damaged: {folder / name}: ")
        assert "`cadence data fetch --force Tiny`" in lines[1]
        assert len(lines) == 2
    assert [check.file.name for check in verify("Tiny") if not check.ok] == [name]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        set(FILES) - ({name} if damage is remove else set())
    )
    fetch("Tiny", force=True)
    assert all(check.ok for check in verify("Tiny"))
    np.testing.assert_array_equal(load_arrays("Tiny").test_images, tiny.ARRAYS["test_images"])


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((20, 4, 4, 1), np.uint8),
        np.zeros((20, 4, 4), np.uint8),
        np.zeros((20, 4, 4, 1), np.int8),
        np.zeros((5, 4, 4, 1), np.float32),
        np.asfortranarray(np.arange(320, dtype=np.uint8).reshape(20, 4, 4, 1)),
    ],
)
def test_a_replaced_file_is_reported_even_with_its_manifest(folder: Path, array: np.ndarray[Any, Any]) -> None:
    np.save(folder / "train_images.npy", array)
    with pytest.raises(DamagedCache, match="train_images"):
        load_arrays("Tiny")
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"]["train_images"]["samples"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    checks = verify("Tiny")
    assert [check.file.name for check in checks if not check.ok] == ["manifest.json", "train_images.npy"]
    assert "SHA-256" in checks[1].message or "not a uint8 array" in checks[1].message


class Bomb:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def test_a_pickle_in_the_cache_is_never_run(folder: Path, tmp_path: Path) -> None:
    bomb = np.array([Bomb(tmp_path / "ran")], dtype=object)
    for write in (lambda file: np.save(file, bomb), lambda file: file.write_bytes(pickle.dumps(bomb))):
        write(folder / "train_labels.npy")
        (folder / "manifest.json").unlink(missing_ok=True)  # so that the header alone is between us and it
        assert [check.ok for check in verify("Tiny")] == [False, True, False, True, True]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"Tiny"', '"Mini"', "not a manifest of Tiny"),
        ('"format": 1', '"format": 9', "not a manifest of Tiny in format 1"),
        (tiny.HASHES["test_labels"], "0" * 64, "other arrays than this version"),
        ('"size"', '"sise"', "not a manifest"),
        ('"train_labels"', '"train_lables"', "not a manifest"),
        ('"files": {', '"files":[{', "not JSON"),
    ],
)
def test_another_manifest_is_reported(folder: Path, old: str, new: str, why: str) -> None:
    replaced(folder / "manifest.json", old.encode(), new.encode())
    with pytest.raises(DamagedCache, match=rf"manifest.json: .*{why}"):
        load_arrays("Tiny")


@pytest.mark.parametrize("text", ["[]", "1", "null", '{"format": 1, "dataset": "Tiny", "files": 3}', "[" * 100_000])
def test_no_manifest_at_all_is_reported(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
    with pytest.raises(DamagedCache, match=r"manifest.json: not "):
        load_arrays("Tiny")


def test_a_file_in_the_place_of_the_folder_is_reported_and_kept(cache: Path, npm: Callable[..., None]) -> None:
    npm()
    cache.mkdir()
    (cache / "Tiny").write_text("mine")
    with pytest.raises(DamagedCache, match="Not a directory"):
        load_arrays("Tiny")
    assert (cache / "Tiny").read_text() == "mine"
    fetch("Tiny", force=True)
    assert all(check.ok for check in verify("Tiny"))


def test_a_large_file_is_sampled_and_verify_reads_all_of_it(
    cache: Path, npm: Callable[..., None], register: Callable[..., None]
) -> None:
    class Large:
        label = "large"

        def collect(self, *_: Any) -> dict[str, Bytes]:
            return arrays

    draws = np.random.Generator(np.random.PCG64(0))
    arrays = tiny.ARRAYS | {"train_images": draws.integers(0, 256, (20, 100, 100, 1), np.uint8)}
    arrays |= {"test_images": draws.integers(0, 256, (10, 100, 100, 1), np.uint8)}
    register(tiny.spec(Large(), image_shape=(100, 100, 1), sha256={name: sha256(arrays[name]) for name in arrays}))
    file = fetch("Tiny") / "train_images.npy"
    good = file.read_bytes()
    for place, seen in [(-1, True), (-4096, True), (130, True), (8000, False)]:
        data = bytearray(good)
        data[place] ^= 255
        file.write_bytes(data)
        assert [check.file.name for check in verify("Tiny") if not check.ok] == ["train_images.npy"]
        if seen:
            with pytest.raises(DamagedCache, match="its content is not what was written"):
                load_arrays("Tiny")
        else:
            load_arrays("Tiny")  # the documented limit of the check at a cached start


def test_verify_says_that_there_is_no_cache(cache: Path, npm: Callable[..., None]) -> None:
    npm()
    assert verify("Tiny") == [(cache / "Tiny", False, "not in the cache; type `cadence data fetch Tiny`")]
    assert not cache.exists()


def test_a_copied_folder_works_elsewhere_and_read_only(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "Tiny"
    elsewhere.mkdir(parents=True)
    for name, data in contents(folder).items():
        (elsewhere / name).write_bytes(data)
        (elsewhere / name).chmod(0o444)
    elsewhere.chmod(0o555)
    elsewhere.parent.chmod(0o555)
    before = set(elsewhere.parent.iterdir())
    load_arrays("Tiny", cache_dir=elsewhere.parent)
    assert set(elsewhere.parent.iterdir()) == before
    elsewhere.parent.chmod(0o755)
    elsewhere.chmod(0o755)
