"""Checkpoints that are damaged, another run's, or of another version are refused, and the remedy that is told works."""

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from records.checkpoint_io import AtomicCheckpointIO
from tests.commands.going_on import BEST, LAST, RUN, assert_same_training, contents, flip, result, rows


def told(cadence, capsys, *arguments: object) -> list[str]:
    capsys.readouterr()
    assert cadence(*arguments) == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error and len(error.splitlines()) <= 3, error
    return error.splitlines()


def follow(cadence, lines: list[str]) -> None:
    """Delete what the message says, and run the command in its last line."""
    Path(lines[-2].partition("delete ")[2].partition(", and")[0]).unlink()
    command = shlex.split(lines[-1])
    assert command[0] == "cadence" and cadence(*command[1:]) == 0


def test_a_flipped_bit_in_the_last_checkpoint(cadence, stopped: Path, ended: Path, capsys) -> None:
    flip(stopped / LAST)
    lines = told(cadence, capsys, "fit", "--resume", stopped)
    assert lines[0] == f"cadence: checkpoint {stopped / LAST} is damaged"
    follow(cadence, lines)
    assert_same_training(stopped, ended)


@pytest.mark.parametrize("more", [[], ["--trainer.max_epochs", "3"]])
@pytest.mark.parametrize("wrong", ["damaged", "another run's"])
def test_of_an_ended_run_the_last_checkpoint_is_not_all(
    cadence, ended: Path, wrong: str, more: list[str], capsys
) -> None:
    """It has its result, so that nothing begins again there; the command that is told trains it once more."""
    if wrong == "damaged":
        flip(ended / LAST)
    else:
        assert cadence(*RUN, "--trainer.max_steps", "2", "--run_dir", "other") == 0
        shutil.copy(Path("other") / LAST, ended / LAST)
    before = contents(ended)
    lines = told(cadence, capsys, "fit", "--resume", ended, *more)
    assert wrong in lines[0] and lines[1].strip() == "train the run, which has ended, once more by"
    assert cadence(*shlex.split(lines[2])[1:], "--run_dir", "again") == 0
    assert rows(Path("again"))[: len(rows(ended))] == rows(ended) and contents(ended) == before
    assert result(Path("again"))["steps"] == (48 if more else 32), "what was asked for besides is in the command"


def test_a_flipped_bit_in_the_best_checkpoint(cadence, ended: Path, capsys) -> None:
    flip(ended / BEST)
    assert f"checkpoint {ended / BEST} is damaged" in told(cadence, capsys, "test", "--run_dir", ended)[0]
    config = ended / "config.yaml"
    assert "best.ckpt is damaged" in told(cadence, capsys, "test", "-c", config, "--checkpoint", ended / BEST)[0]
    (line,) = told(cadence, capsys, "gradient-check", "-c", config, "--checkpoint", ended / BEST)
    assert "best.ckpt is damaged" in line


def test_another_run_s_checkpoints(cadence, stopped: Path, ended: Path, capsys) -> None:
    """Of the same configuration: nothing but the run's id tells them apart."""
    own = (stopped / LAST).read_bytes()
    shutil.copy(ended / LAST, stopped / LAST)
    ids = [json.loads((run / "environment.json").read_text())["run"] for run in (ended, stopped)]
    lines = told(cadence, capsys, "fit", "--resume", stopped)
    assert f"last.ckpt is another run's ({ids[0]}, and this is {ids[1]})" in lines[0]
    (stopped / LAST).write_bytes(own)
    shutil.copy(ended / BEST, stopped / BEST)
    lines_of_test = told(cadence, capsys, "test", "--run_dir", stopped)
    assert f"best.ckpt is another run's ({ids[0]}, and this is {ids[1]})" in lines_of_test[0]
    assert cadence("test", "-c", stopped / "config.yaml", "--checkpoint", ended / BEST) == 0, "when named, it is meant"
    shutil.copy(ended / LAST, stopped / LAST)
    follow(cadence, lines)
    assert_same_training(stopped, ended)


def test_a_copied_run_is_the_same_run(cadence, stopped: Path, ended: Path) -> None:
    copied = shutil.copytree(stopped, stopped.parent / "copied")
    assert cadence("fit", "--resume", copied) == 0
    assert_same_training(copied, ended)


def without(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        for key in path[:-1]:
            content = content[key]
        del content[path[-1]]

    return change


def emptied(key: str, kind: type) -> Callable[[dict[str, Any]], None]:
    return lambda content: content.__setitem__(key, kind())


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "no optimizer": (without("optimizer_states"), "has no optimizer_states, so no training can go on from it"),
    "no optimizer's state": (emptied("optimizer_states", list), "has no optimizer_states"),
    "an optimizer's state of nothing": (lambda c: c.__setitem__("optimizer_states", [{}]), "cannot be restored"),
    "no loops": (without("loops"), "has no loops"),
    "loops of nothing": (without("loops", "fit_loop"), "has no loops.fit_loop: another version"),
    "loops of something": (without("loops", "fit_loop", "epoch_progress"), "has no loops.fit_loop.epoch_progress:"),
    "no callbacks": (without("callbacks"), "has no callbacks"),
    "a callback's state of nothing": (
        without("callbacks", "BestCheckpoint", "best"),
        "has no callbacks.BestCheckpoint.best:",
    ),
    "no step": (without("global_step"), "has no global_step"),
    "no version": (without("pytorch-lightning_version"), "has no pytorch-lightning_version"),
    "an older Cadence": (without("run"), "does not say of which run it is: another version of Cadence wrote it"),
    "several": (lambda c: [c.pop("loops"), c.pop("epoch")], "has no loops and no epoch"),
    "weights of another network": (lambda c: c.__setitem__("state_dict", {}), "does not fit MLP"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_of_another_version(cadence, stopped: Path, ended: Path, change: str, capsys) -> None:
    path = stopped / LAST
    content = torch.load(path, weights_only=True)
    CHANGES[change][0](content)
    AtomicCheckpointIO().save_checkpoint(content, path)
    lines = told(cadence, capsys, "fit", "--resume", stopped)
    assert f"checkpoint {path} " in lines[0] and CHANGES[change][1] in lines[0]
    follow(cadence, lines)
    assert_same_training(stopped, ended)


def test_weights_alone_are_enough_for_a_test(cadence, ended: Path) -> None:
    for path in (ended / BEST, ended / LAST):
        content = torch.load(path, weights_only=True)
        AtomicCheckpointIO().save_checkpoint(
            {key: content[key] for key in ("state_dict", "pytorch-lightning_version")}, path
        )
    config = ended / "config.yaml"
    assert cadence("test", "-c", config, "--checkpoint", ended / BEST) == 0


def test_a_checkpoint_of_no_version(cadence, ended: Path, capsys) -> None:
    content = torch.load(ended / BEST, weights_only=True)
    AtomicCheckpointIO().save_checkpoint({"state_dict": content["state_dict"]}, ended / BEST)
    lines = told(cadence, capsys, "test", "-c", ended / "config.yaml", "--checkpoint", ended / BEST)
    assert "cannot be restored (KeyError: 'pytorch-lightning_version')" in lines[0] and "give one of" in lines[1]


def test_what_another_run_s_range_test_has_kept(cadence, stopped: Path, ended: Path, capsys) -> None:
    run = torch.load(ended / LAST, weights_only=True)["run"]
    AtomicCheckpointIO().save_checkpoint({"state_dict": {}, "run": run}, stopped / "lr_range_test.ckpt")
    lines = told(cadence, capsys, "fit", "--resume", stopped)
    assert "lr_range_test.ckpt is another run's" in lines[0] and "and the test begins again by" in lines[1]
    follow(cadence, lines)
    assert_same_training(stopped, ended)
