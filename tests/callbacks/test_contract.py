"""What holds of every callback in a run, whoever adds the next one: from YAML, twice, briefly, and without a trace."""

import pickle
import random
import shutil
import signal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import yaml

import callbacks
from records.metrics_rows import read_rows
from tests.callbacks.records import assert_same, checkpoint
from tests.callbacks.subjects import (
    CHANGE_THE_RUN,
    IN_YAML,
    OF_THE_HOUSE,
    SUBJECTS,
    Run,
    begun,
    fitted,
    in_the_package,
    make,
)

CARDS = Path(__file__).parents[2] / "docs" / "callbacks"
OF_THE_TRAINER = (
    "limit_train_batches", "limit_val_batches", "limit_test_batches", "limit_predict_batches", "val_check_interval",
    "check_val_every_n_epoch", "num_sanity_val_steps", "overfit_batches", "log_every_n_steps", "max_epochs",
    "max_steps", "reload_dataloaders_every_n_epochs",
)  # fmt: skip

every_callback = pytest.mark.parametrize("name", SUBJECTS)


def test_every_callback_is_held_to_the_contract() -> None:
    exported = set(callbacks.__all__)
    unheld, gone = sorted(exported - set(SUBJECTS)), sorted(set(SUBJECTS) - exported)
    assert not unheld, f"{unheld}: add each to IN_YAML or OF_THE_HOUSE in tests/callbacks/subjects.py"
    assert not gone, f"{gone} are no longer in callbacks.__all__: take them out of tests/callbacks/subjects.py"
    assert not set(IN_YAML) & set(OF_THE_HOUSE)
    hidden = sorted(in_the_package() - exported)
    assert not hidden, f"{hidden}: add each to callbacks/__init__.py, or no configuration can name it"


@pytest.mark.parametrize("name", IN_YAML)
def test_what_a_configuration_names_has_a_card(name: str) -> None:
    titles = [path.read_text().partition("\n")[0] for path in CARDS.glob("*.md")]
    assert f"# {name}" in titles, "docs/callbacks/ has no card of that title"


# From the command line


@pytest.fixture
def trainers(monkeypatch: pytest.MonkeyPatch) -> list[pl.Trainer]:
    """Those that the commands build."""
    from commands.configuration.cadence_cli import CadenceCLI

    build, built = CadenceCLI.build_trainer, []

    def noting(self: CadenceCLI, *given: Any, **keywords: Any) -> pl.Trainer:
        built.append(build(self, *given, **keywords))
        return built[-1]

    monkeypatch.setattr(CadenceCLI, "build_trainer", noting)
    return built


def configuration(folder: Path, name: str) -> Path:
    """A configuration file that names the callback, unless the command adds it itself."""
    named = [{"class_path": name, "init_args": IN_YAML[name]}] if name in IN_YAML else []
    content = {
        "model": {"class_path": "MLP", "init_args": {"hidden_sizes": [8], "dropout_hidden": 0.3}},
        "data": "Digits",
        "optimizer": {"class_path": "SGD", "init_args": {"lr": 0.1, "momentum": 0.9}},
        "trainer": {"max_epochs": 1, "accelerator": "cpu", "log_every_n_steps": 4, "callbacks": named},
        "test_after_fit": False,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    return folder / "config.yaml"


def left_by(run: Path) -> list[Any]:
    """Rows, state and files, whatever tells seconds apart."""
    rows = [{key: row[key] for key in row if "seconds" not in key} for row in read_rows(run / "metrics.csv")[1]]
    parts = [checkpoint(run)[part] for part in ("state_dict", "optimizer_states", "loops")]
    return [rows, *parts, sorted(str(path.relative_to(run)) for path in run.rglob("*"))]


@every_callback
def test_from_yaml_twice_in_a_process_and_briefly(name: str, cadence, tmp_path: Path, trainers) -> None:
    config = configuration(tmp_path, name)
    for run in ("one", "two"):
        assert cadence("fit", "-c", config, "--run_dir", run) == 0
    assert cadence("fit", "-c", config, "--run_dir", "brief", "--trainer.fast_dev_run", "true") == 0
    counts = [[type(callback).__name__ for callback in trainer.callbacks].count(name) for trainer in trainers]
    # the one comes with --from alone, the other with data of somebody else's
    always = 0 if name in ("StartFrom", "CountedSamples") else 1
    assert counts == [always, always, 0 if name in ("BestCheckpoint", "LastCheckpoint") else always]
    assert_same(left_by(Path("one")), left_by(Path("two")))


# The object itself, in one trainer after another


class Finished(NamedTuple):
    """A run that is over, and what was there before and after it."""

    name: str
    callback: pl.Callback | None
    run: Run
    before: dict[str, Any]
    after: dict[str, Any]
    generators: list[Any]
    files: list[str]


def finished(name: str, folder: Path) -> Finished:
    callback = make(name, folder) if name else None
    run = begun(callback, folder)
    before = state(run)
    run.trainer.fit(run.model, run.data)
    drawn = [torch.get_rng_state(), random.getstate(), pickle.dumps(np.random.get_state())]
    return Finished(name, callback, run, before, state(run), drawn, [str(path) for path in sorted(folder.rglob("*"))])


def state(run: Run) -> dict[str, Any]:
    """What a callback may have turned, and has to turn back."""
    modules = list(run.model.named_modules())
    return {
        "transforms": list(run.data.train_transforms.transforms),
        "transforms of evaluation": list(run.data.eval_transforms.transforms),
        "batches": [run.data.stream.size(step) for step in range(40)],
        "batch size": run.data.batch_size,
        "hooks": {name: [len(getattr(m, key)) for key in vars(m) if key.endswith("_hooks")] for name, m in modules},
        "patched": {name: [key for key in vars(m) if callable(getattr(type(m), key, None))] for name, m in modules},
        "trainer": {key: getattr(run.trainer, key) for key in OF_THE_TRAINER},
        "loop": (run.trainer.fit_loop.max_epochs, run.trainer.fit_loop.epoch_loop.max_steps),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "threads": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
    }


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A run without any of them."""
    return finished("", tmp_path_factory.mktemp("plain") / "run")


@pytest.fixture(scope="module", params=SUBJECTS)
def first(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A callback's first run."""
    return finished(request.param, tmp_path_factory.mktemp("first") / "run")


def test_all_is_as_it_was(first: Finished) -> None:
    assert first.after == first.before


@every_callback
def test_all_is_as_it_was_after_a_run_that_broke_off(name: str, tmp_path: Path) -> None:
    class Break(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
            if trainer.global_step == 4:
                raise ArithmeticError

    run = begun(make(name, tmp_path / "run"), tmp_path / "run", others=[Break()])
    before = state(run)
    with pytest.raises(ArithmeticError):
        run.trainer.fit(run.model, run.data)
    assert state(run) == before


def test_a_run_without_it_on_the_same_data_is_a_plain_one(first: Finished, plain: Finished, tmp_path: Path) -> None:
    without = fitted(None, tmp_path / "run", first.run.data)
    assert without.rows == plain.run.rows
    assert_same(without.model.state_dict(), plain.run.model.state_dict())


def test_who_looks_on_touches_nothing(first: Finished, plain: Finished) -> None:
    """Weights, rows and the generators of torch, numpy and Python are the plain run's."""
    same = [
        torch.equal(one, other)
        for one, other in zip(first.run.model.parameters(), plain.run.model.parameters(), strict=True)
    ]
    if first.name in CHANGE_THE_RUN:
        assert not all(same)
        return
    assert all(same)
    assert_same(first.generators, plain.generators)
    known = {key for row in plain.run.rows.values() for key in row}
    assert {
        step: {key: row[key] for key in row if key in known} for step, row in first.run.rows.items()
    } == plain.run.rows


def test_the_same_object_again(first: Finished) -> None:
    """In another trainer, after a brief run in a third: the same rows, weights and files."""
    assert first.callback is not None
    folder = Path(first.run.trainer.default_root_dir)
    shutil.rmtree(folder)
    brief = begun(first.callback, folder, fast_dev_run=True)
    brief.trainer.fit(brief.model, brief.data)
    assert brief.trainer.global_step == 1
    shutil.rmtree(folder, ignore_errors=True)
    again = fitted(first.callback, folder)
    assert again.rows == first.run.rows and len(again.rows) > 3
    assert_same(again.model.state_dict(), first.run.model.state_dict())
    assert [str(path) for path in sorted(folder.rglob("*"))] == first.files
