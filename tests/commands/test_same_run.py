"""A run that goes on is the same run: what a resume changes is written down, or refused by name."""

import copy
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.configuration.same_run import MAY_CHANGE, check_same, flat, may_change
from commands.errors import UserError
from records.history import Past
from tests.commands.going_on import RUN, STEP, assert_same_training, change, config, contents, result

# What may not be changed


OTHERS: dict[str, tuple[str, Any]] = {
    "optimizer.lr": ("optimizer.lr is 0.01, and would be 1e-12", 1e-12),
    "data.batch_size": ("data.batch_size is 64, and would be 16", 16),
    "data.split_seed": ("data.split_seed is 0, and would be 7", 7),
    "seed_everything": ("seed_everything is 1, and would be 2", 2),
    "model.hidden_sizes": ("model.hidden_sizes is [8], and would be [9]", [9]),
    "trainer.val_check_interval": ("trainer.val_check_interval is null, and would be 5", 5),
    "trainer.log_every_n_steps": ("trainer.log_every_n_steps is 7, and would be 5", 5),
    "trainer.limit_train_batches": ("trainer.limit_train_batches is null, and would be 3", 3),
    "data": ("data is Digits, and would be MNIST", {"class_path": "datamodules.MNIST"}),
    "optimizer": ("optimizer is Adam, and would be SGD", {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.01}}),
    "trainer.callbacks": (
        "trainer.callbacks is null, and would be [MultiStepLR]",
        [{"class_path": "callbacks.MultiStepLR", "init_args": {"milestones": [1]}}],
    ),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("way", ["option", "file", "edit"])
def test_refused(cadence, stopped: Path, name: str, way: str, capsys) -> None:
    told, value = OTHERS[name]
    words = []
    if way == "option":
        words = [f"--{name}", json.dumps(value)]
    elif way == "file":
        section, _, option = name.rpartition(".")
        part = {option: value} if section in ("", "trainer") else {"init_args": {option: value}}
        if section in ("optimizer", "data", "model"):
            part["class_path"] = config(stopped)[section]["class_path"]
        (stopped.parent / "other.yaml").write_text(yaml.safe_dump({section: part} if section else part))
        words = ["-c", "other.yaml"]
    else:
        (stopped / "config.yaml").write_text(yaml.safe_dump(change(config(stopped), name, value)))
    before = contents(stopped)
    assert cadence("fit", "--resume", stopped, *words) == 2
    error = capsys.readouterr().err
    assert f"--resume {stopped}: {told}: a run that goes on stays the same run" in error
    assert ("set it back in" if way == "edit" else "leave it out") in error and len(error.splitlines()) == 3
    assert contents(stopped) == before


def test_the_printed_remedies_work(cadence, stopped: Path, ended: Path, capsys) -> None:
    """A new run with the change, by the command that is printed; and the run itself without it."""
    assert cadence("fit", "--resume", stopped, "--optimizer.lr=1e-3", "--trainer.max_steps", "22") == 2
    new = shlex.split(capsys.readouterr().err.splitlines()[-1])
    assert new[:4] == ["cadence", "fit", "--from", str(stopped)] and new[-3:] == [
        "--optimizer.lr=1e-3",
        "--trainer.max_steps",
        "22",
    ]
    assert cadence(*new[1:]) == 0
    (run,) = Path("runs").iterdir()
    assert config(run)["optimizer"]["init_args"]["lr"] == 1e-3 and result(run)["steps"] == 22
    assert cadence("fit", "--resume", stopped) == 0
    assert_same_training(stopped, ended)


def test_all_differences_are_counted(cadence, stopped: Path, capsys) -> None:
    words = ["--optimizer.lr", "1", "--optimizer.eps", "1", "--data.batch_size", "3", "--data.drop_last", "true"]
    assert cadence("fit", "--resume", stopped, *words, "--seed_everything", "5") == 2
    error = capsys.readouterr().err
    assert "seed_everything is 1, and would be 5, " in error and ", and 2 more:" in error


@pytest.mark.parametrize(
    ("words", "made"),
    [(["--trainer.max_steps", "19"], "20 steps"), (["--trainer.max_epochs", "1"], "2 epochs")],
)
def test_a_length_that_the_run_has_passed(cadence, stopped: Path, words: list[str], made: str, capsys) -> None:
    assert cadence("fit", "--resume", stopped, *words) == 2
    assert f"the run has made or begun {made}" in capsys.readouterr().err


def test_a_run_dir_in_a_file(cadence, stopped: Path, capsys) -> None:
    Path("other.yaml").write_text("run_dir: elsewhere\n")
    assert cadence("fit", "--resume", stopped, "-c", "other.yaml") == 2
    assert "run_dir cannot go with --resume" in capsys.readouterr().err


# What may


def test_allowed_changes_are_followed(cadence, stopped: Path, ended: Path) -> None:
    changes = {
        "trainer.max_steps": 32, "trainer.min_steps": 1, "trainer.devices": "1", "trainer.max_time": "00:01:00:00",
        "trainer.enable_progress_bar": True, "trainer.detect_anomaly": True, "data.device_resident": True,
        "checkpoint_every": 3, "test_after_fit": False,
    }  # fmt: skip
    words = [word for name, value in changes.items() for word in (f"--{name}", json.dumps(value).strip('"'))]
    assert cadence("fit", "--resume", stopped, *words) == 0
    assert_same_training(stopped, ended)
    now = flat(config(stopped))
    assert {name: now[name] for name in changes} == changes
    assert [name for name in now if now[name] != flat(config(ended))[name] and name not in changes] == []
    first, second = result(stopped)["segments"]
    assert first["changes"] == {} and second["changes"] == changes
    assert (first["from"], first["to"], second["from"], second["to"]) == (0, STEP, STEP, 32)
    assert first["options"] == RUN[1:] and second["options"] == words
    for part in (first, second):
        assert part["environment"]["versions"]["torch"] and part["environment"]["processes"] == 1 and "commit" in part


def test_every_process_has_its_segment(cadence, stopped: Path, ended: Path, stop) -> None:
    stop(24)
    assert cadence("fit", "--resume", stopped, "--checkpoint_every", "5") == 130
    stop(0)
    first = (stopped / "environment.json").read_text()
    assert cadence("fit", "--resume", stopped) == 0
    parts = [(part["from"], part["to"], part["options"][:1]) for part in result(stopped)["segments"]]
    assert parts == [(0, STEP, ["--model"]), (STEP, 24, ["--checkpoint_every"]), (24, 32, [])]
    assert config(stopped)["checkpoint_every"] == 5, "an option stays until it is changed again"
    assert (stopped / "environment.json").read_text() == first
    assert result(stopped)["run"] == json.loads(first)["run"]
    assert_same_training(stopped, ended)


def test_a_change_by_hand_is_on_record(cadence, stopped: Path, ended: Path) -> None:
    (stopped / "config.yaml").write_text(yaml.safe_dump(change(config(stopped), "checkpoint_every", 7)))
    assert cadence("fit", "--resume", stopped) == 0
    assert result(stopped)["segments"][1]["changes"] == {"checkpoint_every": 7}
    assert_same_training(stopped, ended)


def test_a_comment_stays_where_nothing_changes(cadence, stopped: Path) -> None:
    text = "# my best\n" + (stopped / "config.yaml").read_text()
    (stopped / "config.yaml").write_text(text)
    assert cadence("fit", "--resume", stopped) == 0
    assert (stopped / "config.yaml").read_text() == text


def test_resuming_an_ended_run_changes_no_file(cadence, ended: Path, capsys) -> None:
    before = contents(ended)
    assert cadence("fit", "--resume", ended) == 0
    assert contents(ended) == before
    shown = capsys.readouterr().out
    assert f"{result(ended)['metrics']['test/accuracy']:.2%}" in shown and "nothing was left to do" in shown
    longer = shlex.split(shown.splitlines()[-1].partition("To train on: ")[2])
    assert longer[-2:] == ["--trainer.max_epochs", "4"]
    assert cadence(*longer[1:]) == 0
    assert [part["to"] for part in result(ended)["segments"]] == [32, 64] and result(ended)["steps"] == 64


def test_a_test_is_made_up_for(cadence, ended: Path, tmp_path: Path) -> None:
    run = tmp_path / "untested"
    assert cadence(*RUN, "--test_after_fit", "false", "--run_dir", run) == 0
    assert "test/loss" not in result(run)["metrics"]
    assert cadence("fit", "--resume", run, "--test_after_fit", "true") == 0
    assert result(run)["metrics"] == result(ended)["metrics"] and config(run) == config(ended)
    assert [part["to"] for part in result(run)["segments"]] == [32, 32]


# Every key of a configuration


RICH = [
    *RUN[1:], "--trainer.callbacks+=LRRangeTest", "--trainer.callbacks+=CyclicalLR", "--trainer.callbacks.bounds",
    "auto", "--trainer.callbacks.half_cycle", "1", "--trainer.callbacks+=TimeToTarget",
    "--trainer.callbacks.accuracy", "0.5", "--data.augment+=RandomCrop", "--data.augment.padding", "1",
    "--data.augment+=RandomCrop", "--data.augment.padding", "2", "--trainer.logger", "WandbRecord",
    '--from={"run": "runs/other"}',
]  # fmt: skip


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Places of all values below a configuration that are neither mappings nor lists of classes."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*place, key))
    elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        for number, inner in enumerate(value):
            yield from leaves(inner, (*place, number))
    else:
        yield place


def test_every_key_is_in_the_table_or_refused_by_name() -> None:
    from commands.configuration.cadence_cli import CadenceCLI
    from records import wandb_record

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(Path(__file__).parents[2])
        cli = CadenceCLI("fit", [wandb_record.__name__ + ".WandbRecord" if w == "WandbRecord" else w for w in RICH])
    resolved = yaml.safe_load(cli.resolved())
    places, free = list(leaves(resolved)), set()
    assert len(places) > 90
    for place in places:
        other = copy.deepcopy(resolved)
        part = other
        for key in place[:-1]:
            part = part[key]
        part[place[-1]] = "another"
        then, now = flat(resolved), flat(other)
        changed = [name for name in {**then, **now} if then.get(name) != now.get(name)]
        assert changed and str(place[-1]) in (*changed[0].split("."), "class_path"), place
        free |= {name for name in MAY_CHANGE if f"{changed[0]}.".startswith(f"{name}.")}
        if may_change(changed[0]):
            check_same(other, Past("", resolved, []), Path("run"), resolved, lambda same: "")
        else:
            with pytest.raises(UserError, match=rf"^--resume run: {re.escape(changed[0])} is "):
                check_same(other, Past("", resolved, []), Path("run"), resolved, lambda same: "")
    assert free == set(MAY_CHANGE), "each name in the table is one of a configuration"


# `Go on with: ...`


@pytest.mark.parametrize(
    "name", ["plain", "with  two spaces", "it's", "-dash", "$HOME & co; #1", "null", "a: b", "[x", "Zürich"]
)
def test_go_on_with_works_from_any_folder(cadence, stop, tmp_path: Path, name: str, capsys, monkeypatch) -> None:
    stop(3)
    assert cadence(*RUN, f"--run_dir={name}") == 130
    stop(0)
    command = capsys.readouterr().out.partition("Go on with: ")[2].strip("\n")
    assert "\n" not in command
    monkeypatch.chdir("/")
    printed = subprocess.run(["bash", "-c", rf"printf '%s\0' {command}"], capture_output=True, text=True, check=True)
    words = printed.stdout.split("\0")[:-1]
    assert words == ["cadence", "fit", "--resume", str(tmp_path / name)]
    assert cadence(*words[1:], "--trainer.max_steps", "4") == 0
    assert result(tmp_path / name)["steps"] == 4
