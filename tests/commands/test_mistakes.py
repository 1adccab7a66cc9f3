"""Mistakes end in exit status 2 and at most three lines that name the field and the remedy; nothing on disk changes."""

import errno
import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.commands.mistakes import FIT, MISTAKES


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wrong files, and one good run."""
    from cli import main

    folder = tmp_path_factory.mktemp("world")
    run = folder / "run"
    assert main([*FIT, "--run_dir", str(run), "--trainer.enable_progress_bar", "false"]) == 0
    (folder / "tab.yaml").write_text("model:\n\tclass_path: MLP\n")
    (folder / "bracket.yaml").write_text("model:\n  class_path: MLP\n  init_args:\n    hidden_sizes: [1, 2\n")
    (folder / "list.yaml").write_text("- model\n- data\n")
    (folder / "empty.yaml").write_text("")
    (folder / "binary.yaml").write_bytes(bytes(range(256)))
    (folder / "section.yaml").write_text("model: MLP\nmodle: MLP\n")
    (folder / "option.yaml").write_text("model: {class_path: MLP, init_args: {hiden_sizes: [8]}}\n")
    (folder / "linked.yaml").write_text("model: {class_path: MLP, init_args: {num_classes: 7}}\n")
    (folder / "plain.txt").write_text("neither a folder nor a checkpoint\n")
    (folder / "full").mkdir()
    (folder / "full" / "thesis.tex").write_text("precious\n")
    for name in ("begun", "torn"):
        (folder / name / "checkpoints").mkdir(parents=True)
        (folder / name / "config.yaml").write_text((run / "config.yaml").read_text())
    whole = (run / "checkpoints" / "last.ckpt").read_bytes()
    (folder / "torn" / "checkpoints" / "last.ckpt").write_bytes(whole[: len(whole) // 2])
    torch.save({"weight": torch.zeros(3)}, folder / "weights.ckpt")
    with (folder / "code.ckpt").open("wb") as file:
        pickle.dump({"state_dict": _Code()}, file, protocol=2)
    (folder / "cache" / "MNIST").mkdir(parents=True)
    (folder / "cache" / "MNIST" / "manifest.json").write_text('{"format": 1')
    return folder


class _Code:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.system, ("touch executed",)


def contents(folder: Path) -> dict[str, str]:
    """Every path below a folder, with the hash of what it holds."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }


def split(arguments: list[str]) -> tuple[list[str], str]:
    """Arguments, and the folder of the data cache."""
    cache = next((word.partition("=")[2] for word in arguments if word.startswith("CACHE=")), "cache")
    return [word for word in arguments if not word.startswith("CACHE=")], cache


def check(status: int, out: str, err: str, expected: list[str]) -> None:
    assert status == 2, err
    assert "Traceback" not in out + err
    assert 1 <= len(err.strip().splitlines()) <= 3, err
    assert [part for part in expected if part not in err] == [], err
    assert "Namespace(" not in err
    assert "<class" not in err


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(mistake: str, world: Path, cadence, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    arguments, cache = split(MISTAKES[mistake][0])
    monkeypatch.chdir(world)
    monkeypatch.setenv("CADENCE_DATA", cache)
    before = contents(world)
    capfd.readouterr()
    status = cadence(*arguments)
    captured = capfd.readouterr()
    check(status, captured.out, captured.err, MISTAKES[mistake][1])
    assert contents(world) == before


@pytest.mark.parametrize("mistake", ["tab", "wrong checkpoint for the model", "damaged cache"])
def test_mistake_in_a_process_of_its_own(mistake: str, world: Path) -> None:
    arguments, cache = split(MISTAKES[mistake][0])
    before = contents(world)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parents[2] / "cli.py"), *arguments],
        cwd=world,
        env=os.environ | {"CADENCE_DATA": cache},
        capture_output=True,
        text=True,
    )
    check(done.returncode, done.stdout, done.stderr, MISTAKES[mistake][1])
    assert contents(world) == before


def test_debug_shows_the_traceback(cadence) -> None:
    from commands.errors import UserError

    with pytest.raises(UserError, match=r"data\.batch_size"):
        cadence("--debug", *FIT, "--data.batch_size", "x")


def test_a_defect_of_ours_is_not_dressed_as_a_mistake(cadence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commands.listing.run", lambda arguments: json.loads("{"))
    with pytest.raises(json.JSONDecodeError):
        cadence("list")


def test_a_full_disk_is_told_in_a_line(cadence, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def full(arguments: list[str]) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "metrics.csv")

    monkeypatch.setattr("commands.listing.run", full)
    assert cadence("list") == 2
    assert capsys.readouterr().err.startswith("cadence: metrics.csv: No space left on device")


def test_a_reader_that_has_seen_enough_is_no_mistake() -> None:
    command = f"{sys.executable} {Path(__file__).parents[2] / 'cli.py'} list | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr == ""


def test_there_are_at_least_thirty() -> None:
    assert len(MISTAKES) >= 30
