"""A run is the same run on 1, 2, 3 and 4 processes, and on two nodes of two: samples, losses, metrics, answers."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from tests.commands.test_policies import EVERY_POLICY, HOUSE, RANGE_TESTS
from tests.ranks import together

SHAPES = [
    pytest.param(2, 1, id="2"), pytest.param(3, 1, id="3", marks=pytest.mark.slow),
    pytest.param(4, 1, id="4", marks=pytest.mark.slow), pytest.param(4, 2, id="2-nodes-of-2"),
]  # fmt: skip
COMMON = [
    "--data", "Digits", "--optimizer", "SGD", "--optimizer.lr", "0.05", "--trainer.log_every_n_steps", "1",
    "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu", "--trainer.precision", "64-true",
]  # fmt: skip
MLP = [
    "--model", "MLP", "--model.hidden_sizes", "[24]", "--model.dropout_hidden", "0.3", "--model.dropout_input", "0.1",
    *COMMON,
]  # fmt: skip
STEPS = 50


class Seen(pl.Callback):
    """Keeps the images of each step, as this process got them.

    Args:
        to: name of the file; the process's number is added.
    """

    def __init__(self, to: str) -> None:
        self.to, self.steps = to, []

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, *_: object) -> None:
        self.steps.append(batch[0].flatten(1).clone())

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        torch.save(self.steps, f"{self.to}-{trainer.global_rank}")


def table(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file, without the times in it."""
    with path.open() as file:
        return [{key: value for key, value in row.items() if "seconds" not in key} for row in csv.DictReader(file)]


def near(one: str, other: str, within: float = 1e-8) -> bool:
    return float(one) == pytest.approx(float(other), abs=within)


def assert_close(run: Path, other: Path, within: float = 1e-10) -> None:
    """Rows and the result's metrics, all columns of them; counts and accuracies to the bit."""
    mine, theirs = table(run / "metrics.csv"), table(other / "metrics.csv")
    assert len(mine) == len(theirs) >= STEPS
    for one, two in zip(mine, theirs, strict=True):
        for key, value in one.items():
            assert value == two[key] or (key.endswith("loss") and near(value, two[key], within)), key
    metrics = [json.loads((path / "result.json").read_text())["metrics"] for path in (run, other)]
    assert metrics[0] == pytest.approx(metrics[1], abs=within)
    exact = [{name: value for name, value in one.items() if not name.endswith("loss")} for one in metrics]
    assert exact[0] == exact[1]


def images(folder: Path, name: str, processes: int) -> list[list[list[float]]]:
    """The images of each step, over all processes, in an order of their own."""
    shares = [torch.load(folder / f"{name}-{rank}", weights_only=True) for rank in range(processes)]
    return [sorted(torch.cat(step).tolist()) for step in zip(*shares, strict=True)]


def fit(*options: object, cwd: Path, run: str, processes: int = 1, nodes: int = 1) -> str:
    done = together("fit", *options, "--run_dir", run, cwd=cwd, processes=processes, nodes=nodes)
    assert [one.status for one in done] == [0] * processes, "".join(one.err for one in done)[-2000:]
    assert all(not one.out for one in done[1:]), "the first process alone speaks"
    return done[0].err


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty steps with every policy, on one process."""
    folder = tmp_path_factory.mktemp("alone")
    seen = ["--trainer.callbacks+=tests.commands.test_many_processes.Seen", "--trainer.callbacks.to", "seen"]
    fit(*MLP, *EVERY_POLICY, *seen, "--trainer.max_steps", STEPS, cwd=folder, run="run")
    return folder


@pytest.mark.parametrize(("processes", "nodes"), SHAPES)
def test_a_run_with_every_policy_is_the_same_run(alone: Path, tmp_path: Path, processes: int, nodes: int) -> None:
    seen = ["--trainer.callbacks+=tests.commands.test_many_processes.Seen", "--trainer.callbacks.to", "seen"]
    options = [*MLP, *EVERY_POLICY, *seen, "--trainer.max_steps", STEPS]
    told = fit(*options, cwd=tmp_path, run="run", processes=processes, nodes=nodes)
    where = f"{processes} processes" + (f" on {nodes} nodes" if nodes > 1 else "")
    assert f"{where} share each batch: an equal part, whatever its size, for each; the learning rate is not" in told
    assert_close(tmp_path / "run", alone / "run")
    assert images(tmp_path, "seen", processes) == images(alone, "seen", 1)


@pytest.mark.parametrize("processes", [1, 4])
def test_saved_on_two_and_resumed_on_another_number(alone: Path, tmp_path: Path, processes: int) -> None:
    fit(*MLP, *EVERY_POLICY, "--trainer.max_steps", 20, cwd=tmp_path, run="run", processes=2)
    shape = ["--trainer.devices", 1, "--trainer.strategy", "auto"] if processes == 1 else []
    done = together("fit", "--resume", "run", "--trainer.max_steps", STEPS, *shape, cwd=tmp_path, processes=processes)
    assert [one.status for one in done] == [0] * processes, "".join(one.err for one in done)[-2000:]
    assert_close(tmp_path / "run", alone / "run")
    parts = json.loads((tmp_path / "run" / "result.json").read_text())["segments"]
    assert [(part["from"], part["to"], part["environment"]["processes"]) for part in parts] == [
        (0, 20, 2),
        (20, STEPS, processes),
    ]


def test_range_tests_on_two_nodes_answer_as_on_one_process(tmp_path: Path) -> None:
    options = [*MLP, *RANGE_TESTS, "--trainer.max_steps", STEPS]
    fit(*options, cwd=tmp_path, run="one")
    fit(*options, cwd=tmp_path, run="four", processes=4, nodes=2)
    assert_close(tmp_path / "four", tmp_path / "one")
    answers = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*range*.csv"))
    assert answers
    for path in answers:
        mine, theirs = (table(tmp_path / run / path) for run in ("four", "one"))
        for one, two in zip(mine, theirs, strict=True):
            assert all(value == two[key] or near(value, two[key]) for key, value in one.items())


@pytest.fixture(scope="module")
def normalised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty steps of a network with batch normalisation, on one process."""
    folder = tmp_path_factory.mktemp("normalised")
    fit(*RESNET, cwd=folder, run="run")
    return folder


RESNET = [
    "--model", "ResNet", "--model.depth", "8", *COMMON, "--data.batch_size", "83", "--trainer.max_steps", STEPS,
    "-c", "cluster/sync_batchnorm.yaml", *([] if torch.cuda.is_available() else ["--trainer.accelerator", "auto"]),
]  # fmt: skip


@pytest.mark.parametrize(("processes", "nodes"), SHAPES)
def test_with_sync_batchnorm_networks_that_normalise_too(
    normalised: Path, tmp_path: Path, processes: int, nodes: int
) -> None:
    """Shares of 20 and 21 images, and a last batch of two, which leaves two of four processes none."""
    told = fit(*RESNET, cwd=tmp_path, run="run", processes=processes, nodes=nodes)
    share = {2: "41 or 42", 3: "27 or 28", 4: "20 or 21"}[processes]
    assert f"share each batch: {share} of 83 images for each" in told and "moments" not in told
    assert_close(tmp_path / "run", normalised / "run", 1e-8)


def test_without_it_the_run_says_what_is_normalised(tmp_path: Path) -> None:
    options = ["--trainer.sync_batchnorm", "false", "--trainer.max_steps", 2]
    told = fit(*RESNET, *options, cwd=tmp_path, run="run", processes=2)
    assert "takes the moments of each share: --trainer.sync_batchnorm true takes those of the whole batch" in told


def test_chunks_of_a_share_are_not_synchronised(tmp_path: Path) -> None:
    """Processes may have different numbers of chunks, and would wait for each other."""
    done = together("fit", *RESNET, "--model.micro_batch_size", 10, cwd=tmp_path, processes=1)
    assert done[0].status == 2
    assert "trainer.sync_batchnorm does not go with model.micro_batch_size" in done[0].err


@pytest.mark.slow
def test_torchrun_starts_the_processes(alone: Path, tmp_path: Path) -> None:
    """The line of docs/cluster.md."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    shape = ["-c", "cluster/ddp.yaml", "--trainer.devices", "2"]
    options = [*MLP, *EVERY_POLICY, "--trainer.max_steps", str(STEPS), "--run_dir", "run"]
    done = subprocess.run(
        [*torchrun, str(HOUSE / "cli.py"), "fit", *shape, *options],
        cwd=tmp_path, capture_output=True, text=True, timeout=240, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert_close(tmp_path / "run", alone / "run")
