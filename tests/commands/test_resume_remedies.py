"""Every remedy that a resume prints is followed to the letter, until there is a result."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.commands.going_on import BEST, LAST, RUN, config, flip, result

Words = list[str]


def no_checkpoint(stopped: Path, ended: Path) -> Words:
    shutil.rmtree(stopped / "checkpoints")
    return ["fit", "--resume", str(stopped)]


def ended_without_checkpoint(stopped: Path, ended: Path) -> Words:
    (ended / LAST).unlink()
    return ["fit", "--resume", str(ended)]


def damaged(stopped: Path, ended: Path) -> Words:
    flip(stopped / LAST)
    return ["fit", "--resume", str(stopped)]


def damaged_after_its_end(stopped: Path, ended: Path) -> Words:
    flip(ended / LAST)
    return ["fit", "--resume", str(ended)]


def foreign(stopped: Path, ended: Path) -> Words:
    shutil.copy(ended / LAST, stopped / LAST)
    return ["fit", "--resume", str(stopped)]


def occupied(stopped: Path, ended: Path) -> Words:
    return [*RUN, "--run_dir", str(stopped)]


def other_command(stopped: Path, ended: Path) -> Words:
    return ["lr-range-test", "--resume", str(stopped)]


def option(stopped: Path, ended: Path) -> Words:
    return ["fit", "--resume", str(stopped), "--optimizer.lr", "0.02"]


def another_network(stopped: Path, ended: Path) -> Words:
    return ["fit", "--resume", str(stopped), "--model.hidden_sizes", "[9]"]


def by_hand(stopped: Path, ended: Path) -> Words:
    edited = config(stopped)
    edited["data"]["init_args"]["batch_size"] = 32
    (stopped / "config.yaml").write_text(yaml.safe_dump(edited))
    return ["fit", "--resume", str(stopped)]


def too_short(stopped: Path, ended: Path) -> Words:
    return ["fit", "--resume", str(stopped), "--trainer.max_steps", "5"]


def nothing_left(stopped: Path, ended: Path) -> Words:
    return ["fit", "--resume", str(ended)]


def in_a_folder_of_an_odd_name(stopped: Path, ended: Path) -> Words:
    odd = stopped.rename(stopped.parent / "it's  a $(run); #1")
    flip(odd / LAST)
    return ["fit", "--resume", str(odd)]


SITUATIONS: dict[str, Callable[[Path, Path], Words]] = {
    "no checkpoint": no_checkpoint,
    "ended, and no checkpoint": ended_without_checkpoint,
    "a damaged checkpoint": damaged,
    "a damaged checkpoint after the end": damaged_after_its_end,
    "another run's checkpoint": foreign,
    "a run directory that is occupied": occupied,
    "another command": other_command,
    "another option": option,
    "another network": another_network,
    "an edited configuration": by_hand,
    "a length that is passed": too_short,
    "an ended run": nothing_left,
    "an odd name": in_a_folder_of_an_odd_name,
}


def act(words: Words, told: str) -> Words:
    """Do what a message says beside a command, and return the command; the words as mended where it names none."""
    if found := re.search(r"delete (.+?), and", told):
        Path(unquoted(found[1])[0]).unlink()
    if found := re.search(r"give (\d+) or more", told):
        return [*words[:-1], found[1]]
    commands = re.findall(r"(?:^ *|: )cadence (.+)$", told, re.MULTILINE)
    commands = [line for line in commands if line.split()[0] in ("fit", "test", "lr-range-test")]
    assert commands, told
    return unquoted(commands[-1])


def unquoted(line: str) -> Words:
    printed = subprocess.run(["bash", "-c", rf"printf '%s\0' {line}"], capture_output=True, text=True, check=True)
    return printed.stdout.split("\0")[:-1]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_followed(cadence, stopped: Path, ended: Path, situation: str, capsys) -> None:
    words, said = SITUATIONS[situation](stopped, ended), set()
    for _ in range(4):
        capsys.readouterr()
        status = cadence(*words)
        shown = capsys.readouterr()
        if status == 0 and "To train on: " not in shown.out:
            break
        told = shown.err if status else shown.out
        assert told not in said, f"the same message twice: {told}"
        said.add(told)
        words = act(words, told)
    assert status == 0, said
    runs = [stopped, ended, *Path("runs").glob("*")] if stopped.exists() else [ended, *Path().glob("it*")]
    assert any((run / "result.json").is_file() and result(run)["steps"] in (20, 32, 64) for run in runs)


def test_the_best_checkpoint_is_another_run_s_in_the_end(cadence, ended: Path, capsys) -> None:
    """The training's record stays; what is wrong with the test is told, and the command that makes up for it works."""
    own, before = (ended / BEST).read_bytes(), result(ended)
    (ended / "result.json").unlink()
    assert cadence(*RUN, "--run_dir", "other", "--test_after_fit", "false") == 0
    shutil.copy(Path("other") / BEST, ended / BEST)
    capsys.readouterr()
    assert cadence("fit", "--resume", ended) == 2
    told = capsys.readouterr().err
    assert "best.ckpt is another run's" in told and result(ended)["steps"] == 32
    assert "test/loss" not in result(ended)["metrics"]
    (ended / BEST).write_bytes(own)
    assert cadence(*act([], told)) == 0
    assert result(ended)["metrics"] == before["metrics"]


@pytest.mark.parametrize("content", ["", "[]", '{"metrics": []}', "[" * 100_000])
def test_a_damaged_result_is_told_and_written_anew(cadence, ended: Path, content: str, capsys) -> None:
    before = result(ended)
    (ended / "result.json").write_text(content)
    assert cadence("fit", "--resume", ended) == 0
    assert f"cadence: {ended / 'result.json'} is damaged: it is written anew" in capsys.readouterr().err
    assert result(ended)["metrics"] == before["metrics"]
    assert [result(ended)[key] for key in ("run", "steps")] == [before[key] for key in ("run", "steps")]


def test_a_best_checkpoint_that_is_gone_is_not_replaced_by_the_last(cadence, ended: Path, capsys) -> None:
    before = result(ended)
    (ended / "result.json").unlink()
    (ended / BEST).rename("kept.ckpt")
    assert cadence("fit", "--resume", ended) == 2
    told = capsys.readouterr().err
    assert "best.ckpt (val/accuracy 0." in told and "is gone: put it back" in told and len(told.splitlines()) == 3
    assert not any(name.startswith("test/") for name in result(ended)["metrics"])
    remedy = re.search(r"`cadence (test .+?)`", told)
    assert remedy and cadence(*unquoted(remedy[1])) == 0
    assert "has no best.ckpt: last.ckpt is tested" in capsys.readouterr().err
    Path("kept.ckpt").rename(ended / BEST)
    assert cadence(*act([], told)) == 0
    assert result(ended)["metrics"] == before["metrics"]
