"""`compile`: training steps run compiled, evaluation and the copies of range tests do not; how often torch compiles."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lightning_modules import MLP
from tests.commands.test_resume import rows, weights

RUN = (
    "fit", "--model", "MLP", "--model.hidden_sizes", "[16]", "--data", "Digits", "--optimizer", "SGD",
    "--optimizer.lr", "0.05", "--trainer.max_epochs", "2", "--trainer.enable_progress_bar", "false",
    "--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.steps", "20", "--trainer.callbacks.seeds", "1",
    "--trainer.callbacks.at_step", "3",
)  # fmt: skip


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Batch sizes of the compiled network's calls; what is compiled runs the operations that it would without."""
    seen: list[int] = []

    def backend(graph: torch.fx.GraphModule, _: Any) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            logits = graph(*arguments)
            seen.append(len(logits[0]))
            return logits

        return run

    monkeypatch.setattr(MLP, "compile", lambda self, mode, dynamic: nn.Module.compile(self, backend=backend))
    yield seen
    torch.compiler.reset()


def test_training_steps_alone_run_compiled(cadence, tmp_path: Path, sizes: list[int]) -> None:
    assert cadence(*RUN, "--run_dir", tmp_path / "plain") == 0
    assert not sizes
    assert cadence(*RUN, "--model.compile", "default", "--run_dir", tmp_path / "compiled") == 0
    assert sizes == 2 * (15 * [64] + [38]), "998 samples: neither the sweep's 20 steps nor the evaluations"
    assert rows(tmp_path / "compiled") == rows(tmp_path / "plain")
    mine, theirs = weights(tmp_path / "compiled"), weights(tmp_path / "plain")
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_a_machine_without_a_compiler_is_told_so(cadence, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def backend(graph: torch.fx.GraphModule, _: Any) -> Any:
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found in torch._inductor.config.cpp.cxx")

    monkeypatch.setattr(MLP, "compile", lambda self, mode, dynamic: nn.Module.compile(self, backend=backend))
    assert cadence(*RUN[:-6], "--model.compile", "default", "--run_dir", "run") == 2
    torch.compiler.reset()
    told = capsys.readouterr().err
    assert "cadence: model.compile: torch finds no compiler on this machine" in told
    assert "set model.compile to null" in told and "Traceback" not in told


ALONE = (*RUN[:-6], "--model.compile", "true", "--trainer.limit_val_batches", "0", "--test_after_fit", "false")
CYCLE = (
    "--trainer.callbacks+=CyclicalBatchSize", "--trainer.callbacks.lower", "5", "--trainer.callbacks.upper", "50",
    "--trainer.callbacks.half_cycle", "1", "--data.drop_last", "false",
)  # fmt: skip


@pytest.mark.parametrize(
    ("more", "most"),
    [
        ((), 2),
        (("--data.drop_last", "true"), 1),
        (("--data.batch_size", "997"), 2),
        (("--model.micro_batch_size", "30"), 3),
        (CYCLE, 1),
        ((*CYCLE, "--model.micro_batch_size", "30"), 1),
    ],
    ids=["a short last batch", "one size", "a last batch of one", "chunks", "a cycle", "chunks of a cycle"],
)
def test_changing_batch_sizes_are_not_compiled_without_end(cadence, graphs, more: tuple[str, ...], most: int) -> None:
    assert cadence(*ALONE, *more, "--run_dir", "run") == 0
    assert graphs() == most


def test_each_of_many_networks_in_a_process_is_compiled(cadence, graphs) -> None:
    for width in range(10, 20):
        run = (*ALONE, "--model.hidden_sizes", f"[{width}]", "--data.drop_last", "true", "--trainer.max_steps", "2")
        assert cadence(*run, "--run_dir", f"run{width}") == 0
        assert graphs() == 1


def test_a_graph_recorded_for_each_of_many_sizes_is_refused(cadence, capsys) -> None:
    assert cadence(*ALONE, *CYCLE, "--model.compile", "reduce-overhead", "--run_dir", "run") == 2
    told = capsys.readouterr().err
    assert "model.compile: reduce-overhead records each batch size for itself" in told
    assert "set it to true" in told and "Traceback" not in told


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles by g++")
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated")  # torch 2.11's own use of it
def test_a_compiled_run_is_the_plain_one_to_rounding(cadence, tmp_path: Path) -> None:
    assert cadence(*RUN, "--run_dir", tmp_path / "plain") == 0
    assert cadence(*RUN, "--model.compile", "true", "--run_dir", tmp_path / "compiled") == 0
    for run, then in (("plain", "true"), ("compiled", "null")):
        assert cadence("test", "--run_dir", tmp_path / run) == 0
        longer = ("--trainer.max_epochs", "3", "--model.compile", then)
        assert cadence("fit", "--resume", tmp_path / run, *longer) == 0
    mine, theirs = weights(tmp_path / "compiled"), weights(tmp_path / "plain")
    assert list(mine) == list(theirs)
    for name, weight in mine.items():
        torch.testing.assert_close(weight, theirs[name], rtol=1e-4, atol=1e-5)


def test_recorded_graphs_and_chunks_are_refused_together() -> None:
    with pytest.raises(ValueError, match=r"compile reduce-overhead .* micro_batch_size: set compile to true"):
        MLP(compile="reduce-overhead", micro_batch_size=8)
