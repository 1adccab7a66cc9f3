"""The overlays of configs/cluster: what they are for, in one line, and a run with each."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch

from commands.configuration.shipped import CONFIGS, header, shipped
from tests.commands.test_resume import rows

SHORT = (
    "--trainer.max_steps", "3", "--trainer.log_every_n_steps", "1", "--trainer.enable_progress_bar", "false",
    "--run_dir", "run",
)  # fmt: skip


def train(cadence, name: str, *words: str) -> list[float]:
    """Losses of three steps of the demo under an overlay."""
    assert cadence("fit", "-c", "digits_demo", "-c", f"cluster/{name}.yaml", *words, *SHORT) == 0
    assert json.loads(Path("run/result.json").read_text())["steps"] == 3
    return [float(row["train/loss"]) for row in rows(Path("run")) if row.get("train/loss")]


@pytest.mark.parametrize("name", shipped("cluster"))
def test_an_overlay_says_what_it_is_for_and_stands_in_the_documentation(name: str) -> None:
    assert header(shipped("cluster")[name]).what
    assert re.search(rf"`cadence fit .*-c cluster/{name}\.yaml", shipped("cluster")[name].read_text())
    assert f"cluster/{name}.yaml" in (CONFIGS.parent / "docs" / "cluster.md").read_text()


def test_bf16_trains(cadence) -> None:
    assert train(cadence, "bf16") and "bf16-mixed" in Path("run/config.yaml").read_text()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU takes it")
def test_fp16_is_refused_on_a_cpu(cadence, capsys) -> None:
    assert cadence("fit", "-c", "digits_demo", "-c", "cluster/fp16.yaml", *SHORT) == 2
    told = capsys.readouterr().err
    assert "trainer.precision: 16-mixed needs a GPU, and this run has none: set it to bf16-mixed" in told
    assert "Traceback" not in told and not Path("run").exists()


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_half_precision_trains_on_a_gpu(cadence, name: str) -> None:
    losses = train(cadence, name)
    assert losses[-1] < losses[0]
    assert ("train/loss_scale" in rows(Path("run"))[0]) == (name == "fp16")


@pytest.mark.parametrize("words", [(), ("--model.compile", "false")], ids=["as it is", "taken back"])
def test_compile_compiles(cadence, graphs, words: tuple[str, ...]) -> None:
    train(cadence, "compile", *words)
    assert graphs() == (0 if words else 1)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles by g++")
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated")  # torch 2.11's own use of it
def test_compile_compiles_with_the_compiler(cadence) -> None:
    assert train(cadence, "compile")
    torch.compiler.reset()
