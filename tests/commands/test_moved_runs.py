"""A run directory may be moved or copied: nothing in it hangs on where it lies."""

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from records.relocation import with_place, without_place
from trainer.progress import Counter


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A rate that rises from .02 to 6: validation is best early, and ruined later."""
    kept = {"monitor": "val/accuracy", "mode": "max", "save_top_k": 2, "dirpath": str(tmp_path / "a-place" / "kept")}
    content = {
        "model": {"class_path": "MLP", "init_args": {"hidden_sizes": [16]}},
        "data": {"class_path": "Digits", "init_args": {"batch_size": 32, "val_fraction": 0.1}},
        "optimizer": {"class_path": "SGD", "init_args": {"lr": 0.1, "momentum": 0.9}},
        "trainer": {
            "max_epochs": 3,
            "log_every_n_steps": 10,
            "enable_progress_bar": False,
            "callbacks": [
                {"class_path": "LRRangeTest", "init_args": {"steps": 50, "seeds": 1}},
                {"class_path": "CyclicalLR", "init_args": {"lower": 0.02, "upper": 6.0, "half_cycle": 6}},
                {"class_path": "TimeToTarget"},
                {"class_path": "pytorch_lightning.callbacks.ModelCheckpoint", "init_args": kept},
            ],
        },
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "config.yaml"


def texts(content: Any) -> Iterator[str]:
    """All texts in nested dicts, lists and tuples."""
    if isinstance(content, dict):
        content = [*content, *content.values()]
    if isinstance(content, str):
        yield content
    elif isinstance(content, list | tuple):
        for one in content:
            yield from texts(one)


def hanging_on(run: Path) -> list[str]:
    """Files in which the run directory's path stands; W&B's, and what the user wrote into the configuration, apart."""
    found = []
    for path in run.rglob("*"):
        if not path.is_file() or "wandb" in path.parts or path.name.endswith("config.yaml"):
            continue
        content = torch.load(path, weights_only=True) if path.suffix == ".ckpt" else path.read_bytes().decode("latin-1")
        if path.suffix == ".ckpt":
            assert content["state_dict"] or path.parent == run
            del content["run"]["config"]  # that of config.yaml
        found += [f"{path.name}: {text}" for text in texts(content) if str(run) in text]
    return found


def test_no_file_knows_where_it_lies(cadence, config: Path, tmp_path: Path) -> None:
    run = tmp_path / "a-place"
    assert cadence("fit", "-c", config, "--run_dir", run) == 0 and cadence("test", "--run_dir", run) == 0
    files = {path.name for path in run.rglob("*")}
    assert {"best.ckpt", "last.ckpt", "result.json", "test.json", "lr_range_test.json", "time_to_target.json"} <= files
    assert sum(name.startswith("epoch=") for name in files) == 2
    assert hanging_on(run) == []
    assert json.loads((run / "test.json").read_text())["checkpoint"] == "checkpoints/best.ckpt"


def test_a_kept_range_test_knows_no_place_either(cadence, config: Path, tmp_path: Path, monkeypatch) -> None:
    done = []

    def stop(self: Counter, steps: int) -> None:
        done.append(steps)
        if sum(done) >= 40:  # a look at the losses is behind it
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("callbacks.range_tests.kept_trials.KEEP_EVERY", 0.0)
    monkeypatch.setattr(Counter, "__call__", stop)
    run = tmp_path / "a-place"
    assert cadence("fit", "-c", config, "--run_dir", run) == 130
    monkeypatch.undo()
    assert (run / "lr_range_test.ckpt").is_file() and hanging_on(run) == []
    monkeypatch.chdir(tmp_path)
    run.rename("moved")
    assert cadence("fit", "--resume", "moved") == 0 and Path("moved/lr_range_test.json").is_file()


def test_moved_and_resumed_is_resumed_in_place(cadence, config: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(config.read_text())
    del content["trainer"]["callbacks"][-1]  # its folder is the user's to move
    config.write_text(yaml.safe_dump(content))
    assert cadence("fit", "-c", config, "--run_dir", "a-place") == 0
    best = torch.load("a-place/checkpoints/best.ckpt", weights_only=True)
    shutil.copytree("a-place", "deep/er/copy", copy_function=shutil.copy)
    assert cadence("fit", "--resume", "a-place", "--trainer.max_epochs", "6") == 0
    (tmp_path / "a-place").rename("renamed")
    assert cadence("fit", "--resume", tmp_path / "deep/er/copy", "--trainer.max_epochs", "6") == 0
    found = [json.loads(Path(run, "result.json").read_text())["metrics"] for run in ("renamed", "deep/er/copy")]
    results = [{name: one[name] for name in one if "seconds" not in name} for one in found]
    assert results[0] == results[1] and results[0]["val/accuracy"] < best["callbacks"]["BestCheckpoint"]["best"]
    for run in ("renamed", "deep/er/copy"):
        assert torch.load(f"{run}/checkpoints/best.ckpt", weights_only=True)["global_step"] == best["global_step"]
    assert cadence("test", "--run_dir", "renamed") == 0
    tested = json.loads(Path("renamed/test.json").read_text())["metrics"]
    assert tested["test/accuracy"] == results[0]["test/accuracy"]


def test_another_ones_paths_in_a_checkpoint_move_along(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    state = {"kept": {"best": str(old / "a.ckpt"), "all": [{str(old / "b.ckpt"): 0.5}, (str(old),)], "other": "/tmp/x"}}
    state["kept"]["beside"] = f"{old}er/a.ckpt"  # begins like it, and lies elsewhere
    kept = without_place(state, old)
    assert str(old) + "/" not in json.dumps(kept) and with_place(kept, old) == state
    moved = with_place(kept, new)["kept"]
    assert moved["best"] == str(new / "a.ckpt") and moved["all"] == [{str(new / "b.ckpt"): 0.5}, (str(new),)]
    assert moved["other"] == "/tmp/x" and moved["beside"] == f"{old}er/a.ckpt"
