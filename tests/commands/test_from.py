"""`fit --from RUN`: a new run from another's weights, which is a run like any other: recorded, resumed, made again."""

import copy
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from callbacks import LastCheckpoint
from records.checkpoint_io import AtomicCheckpointIO
from tests.commands.going_on import assert_same_training, config, result

MORE = ["--optimizer.lr", "0.001", "--trainer.max_epochs", "1", "--data.batch_size", "32", "--seed_everything", "7"]
STEPS = 32  # of a child's epoch: 998 digits in batches of 32


@pytest.fixture
def begun_with(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Weights and the optimizer's state of the next run as its training starts."""
    begun: dict[str, Any] = {}
    start = LastCheckpoint.on_train_start

    def noting(self: LastCheckpoint, trainer: Any, module: Any) -> None:
        begun["weights"] = {name: value.clone() for name, value in module.state_dict().items()}
        begun["optimizer"] = copy.deepcopy(trainer.optimizers[0].state_dict())
        start(self, trainer, module)

    monkeypatch.setattr(LastCheckpoint, "on_train_start", noting)
    return begun


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("at", ["best", "last", None])
def test_weights_and_state_are_taken(cadence, ended: Path, at: str | None, begun_with, capsys) -> None:
    words = [] if at is None else ["--at", at]
    assert cadence("fit", "--from", ended, *words, *MORE, "--run_dir", "child") == 0
    path = ended / "checkpoints" / f"{at or 'best'}.ckpt"
    parent = torch.load(path, weights_only=True)
    assert equal(begun_with["weights"], parent["state_dict"])
    mine, theirs = begun_with["optimizer"], parent["optimizer_states"][0]
    assert all(equal(mine["state"][place], theirs["state"][place]) for place in theirs["state"])
    assert mine["param_groups"][0]["lr"] == 0.001
    assert f"Begun from {path}: weights, and the state of Adam\n" in capsys.readouterr().out
    known = {"run": str(ended), "at": at or "best", "step": 32, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    child = Path("child")
    assert config(child)["from"] == result(child)["parent"] == known
    assert result(child)["steps"] == STEPS and result(child)["run"] != result(ended)["run"]
    assert (child / "checkpoints" / "start.ckpt").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--optimizer", "SGD", "--optimizer.lr", "0.01"], "the optimizer is SGD, and was Adam"),
        (["--optimizer.amsgrad", "true"], "optimizer.amsgrad is True, and was False"),
        (["--model.spare_biases_and_norms", "true"], "model.spare_biases_and_norms is True, and was False"),
    ],
)
def test_weights_alone(cadence, ended: Path, words: list[str], reason: str, begun_with, capsys) -> None:
    assert cadence("fit", "--from", ended, *MORE, *words, "--run_dir", "child") == 0
    assert f"weights alone: {reason}\n" in capsys.readouterr().out
    parent = torch.load(ended / "checkpoints" / "best.ckpt", weights_only=True)
    assert equal(begun_with["weights"], parent["state_dict"]) and not begun_with["optimizer"]["state"]


def test_its_configuration_makes_it_again(cadence, ended: Path, capsys) -> None:
    """Also where the parent is gone, or has gone on: the child keeps what it began with."""
    assert cadence("fit", "--from", ended, *MORE, "--run_dir", "child") == 0
    child = Path("child")
    assert cadence("fit", "-c", "child/config.yaml", "--run_dir", "again") == 0
    shutil.rmtree(ended)
    child = child.rename("moved")
    assert cadence("fit", "-c", "moved/config.yaml", "--run_dir", "third") == 0
    for other in ("again", "third"):
        assert_same_training(child, Path(other))
        assert config(child) == config(Path(other))
    (child / "checkpoints" / "start.ckpt").unlink()
    capsys.readouterr()
    assert cadence("fit", "-c", "moved/config.yaml", "--run_dir", "fourth") == 2
    assert "take step and sha256 out of `from`" in capsys.readouterr().err
    (child / "checkpoints" / "last.ckpt").rename(child / "checkpoints" / "best.ckpt")
    content = config(child) | {"from": {"run": "moved", "at": "best"}}  # what is there now
    (child / "config.yaml").write_text(yaml.safe_dump(content))
    assert cadence("fit", "-c", "moved/config.yaml", "--run_dir", "fourth") == 0


@pytest.mark.parametrize("step", [0, 5, 20])
def test_resumed_equals_unbroken(cadence, ended: Path, step: int, stop, capsys) -> None:
    """Stopped at a step, or before the first checkpoint, where its start is taken once more."""
    assert cadence("fit", "--from", ended, *MORE, "--run_dir", "whole") == 0
    stop(step or 20)
    assert cadence("fit", "--from", ended, *MORE, "--run_dir", "child") == 130
    stop(0)
    shutil.rmtree(ended)
    if not step:
        Path("child/checkpoints/last.ckpt").unlink()
    capsys.readouterr()
    assert cadence("fit", "--resume", "child") == 0
    assert ("Begun from" in capsys.readouterr().out) == (step == 0)
    assert_same_training(Path("child"), Path("whole"))
    edited = config(Path("child"))
    edited["from"]["step"] = 3
    Path("child/config.yaml").write_text(yaml.safe_dump(edited))
    assert cadence("fit", "--resume", "child") == 2
    assert "from.step is 32, and would be 3" in capsys.readouterr().err


def test_a_range_test_from_a_run(cadence, ended: Path, capsys) -> None:
    words = ["--range_test.steps", "20", "--range_test.seeds", "1"]
    assert cadence("lr-range-test", "--from", ended, *words, "--run_dir", "test") in (0, 1)
    assert "Begun from" in capsys.readouterr().out
    with (Path("test") / "lr_range_test.csv").open() as file:
        names, first, *_ = (line.rstrip().split(",") for line in file)
    assert float(first[names.index("loss")]) < 1.6, "a network that has learned nothing begins at log(10)"


def test_a_gradient_check_of_a_run_that_begins_from_another(cadence, ended: Path) -> None:
    assert cadence("fit", "--from", ended, *MORE, "--trainer.max_steps", "1", "--run_dir", "child") == 0
    assert cadence("gradient-check", "-c", "child/config.yaml", "--n", "10,1000") == 0
    told = json.loads(Path("gradient-check/gradient_check.json").read_text())
    assert told["checkpoint"].endswith("child/checkpoints/start.ckpt")


def test_mistakes(cadence, ended: Path, tmp_path: Path, capsys) -> None:
    bestless = tmp_path / "bestless"
    shutil.copytree(ended, bestless)
    (bestless / "checkpoints" / "best.ckpt").unlink()
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "config.yaml").write_text((ended / "config.yaml").read_text())
    tested = shutil.copytree(empty, tmp_path / "tested")
    (tested / "environment.json").write_text('{"command": "lr-range-test"}')
    gone = shutil.copytree(empty, tmp_path / "gone")
    answer = json.loads((ended / "result.json").read_text())
    (gone / "result.json").write_text(json.dumps(answer | {"diverged": {"step": 3}}))
    damaged = shutil.copytree(ended, tmp_path / "damaged")
    (damaged / "checkpoints" / "best.ckpt").write_bytes((ended / "checkpoints" / "best.ckpt").read_bytes()[:-1])
    for name, wrong in (("text", "ended"), ("other", {"run": str(ended), "at": "first"})):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(config(ended) | {"from": wrong}))
    for arguments, told in (
        (["--from", "none"], ["run directory none does not exist", "fit printed"]),
        (["--from", bestless, "--at", "best"], ["the run has no best.ckpt: give --at last"]),
        (
            ["--from", empty],
            ["the run has no checkpoint yet: go on with it first, by", f"cadence fit --resume {empty}"],
        ),
        (["--from", gone], ["the run diverged before its first checkpoint: name another run"]),
        (["--from", tested], ["that is a run of lr-range-test, which keeps no weights: name a run of fit"]),
        (["--from", ended, "--at", "first"], ["--at must be one of best, last, got 'first'"]),
        (["--at", "best"], ["--at goes with --from RUN_DIR alone"]),
        (["--from", ended, "--from", ended], ["--from is given twice"]),
        (["--from", ended, "--resume", ended], ["--from begins a new run, and --resume goes on with one"]),
        (["--from", damaged], ["best.ckpt is damaged", "give --at"]),
        (
            ["--from", ended, "--model.hidden_sizes", "[5]"],
            ["does not fit MLP: ", ".weight is [8, 64] there and [5, 64] here; ", "another network"],
        ),
        (["--from", ended, "--model", "SmallCNN"], ["does not fit SmallCNN: it has no ", "; and "]),
        (["-c", ended / "config.yaml", "--from.run", ended], ["--from.run: say from which run by --from RUN_DIR"]),
        (["-c", "text.yaml"], ["from must be a mapping such as {run: RUN_DIR}, got 'ended'"]),
        (["-c", "other.yaml"], ["from.at", "best", "last"]),
    ):
        capsys.readouterr()
        assert cadence("fit", *arguments) == 2
        error = capsys.readouterr().err
        assert "Traceback" not in error and len(error.splitlines()) <= 3, error
        assert [part for part in told if part not in error] == [], error
    assert cadence("test", "--run_dir", tested) == 2
    assert "that is a run of lr-range-test, which keeps no weights to test" in capsys.readouterr().err
    assert not Path("runs").exists()
    assert cadence("fit", "--from", bestless, *MORE, "--trainer.max_steps", "1") == 0, (
        "the last, where there is no best"
    )
    assert cadence("fit", "--from", damaged, "--at", "last", *MORE, "--trainer.max_steps", "1") == 0


def test_a_checkpoint_of_an_older_version_gives_its_weights(cadence, ended: Path, begun_with, capsys) -> None:
    path = ended / "checkpoints" / "best.ckpt"
    content = torch.load(path, weights_only=True)
    del content["run"], content["loops"]
    AtomicCheckpointIO().save_checkpoint(content, path)
    assert cadence("fit", "--from", ended, *MORE, "--run_dir", "child") == 0
    assert "weights alone: the checkpoint does not say of which optimizer it is" in capsys.readouterr().out
    assert equal(begun_with["weights"], content["state_dict"])


def test_from_in_a_file(cadence, ended: Path, tmp_path: Path) -> None:
    """A configuration may name the run itself; a child's child has its own parent."""
    content = config(ended) | {"from": {"run": str(ended), "at": "last"}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    assert cadence("fit", "-c", "mine.yaml", "--trainer.max_steps", "2", "--run_dir", "child") == 0
    assert config(Path("child"))["from"]["step"] == 32
    assert cadence("fit", "--from", "child", "--run_dir", "grandchild") == 0
    assert config(Path("grandchild"))["from"] | {"sha256": ""} == {
        "run": str(tmp_path / "child"), "at": "last", "step": 2, "sha256": "",
    }  # fmt: skip
    assert json.loads((Path("grandchild") / "environment.json").read_text())["run"] != result(Path("child"))["run"]
