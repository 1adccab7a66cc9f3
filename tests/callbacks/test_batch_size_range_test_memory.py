"""The batch-size range test and memory: sizes that do not fit are reported, and leave nothing behind."""

from functools import partial

import pytest
import torch

from callbacks.range_tests.batch_size_trainings import each_size
from callbacks.range_tests.rehearsal import Rehearsal
from callbacks.range_tests.trials import Trials
from tests.callbacks.conftest import QUICK, found, table
from tests.callbacks.on_the_side import Scripted, measured


def test_micro_batches_change_nothing_but_memory() -> None:
    whole, parts = measured([30, 60, 120], 5), measured([30, 60, 120], 5, {"micro_batch_size": 25})
    assert [one.at_steps.loss for one in parts] == pytest.approx([one.at_steps.loss for one in whole], rel=1e-5)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
@pytest.mark.parametrize("fails", [32, 64])
def test_a_size_that_does_not_fit_is_reported_and_the_next_has_its_turn(fit, monkeypatch, fails, error) -> None:
    step, alive = Rehearsal.step, []

    def small_memory(self: Rehearsal, number: int, lr: float) -> torch.Tensor:
        alive.append(self.stream.size(number))
        if self.stream.size(number) == fails and number == 3:
            raise error
        return step(self, number, lr)

    monkeypatch.setattr(Rehearsal, "step", small_memory)
    sizes = ("--trainer.callbacks.sizes", "[16,32,64,128,256]", "--trainer.max_steps", "1")
    run = fit("run", *QUICK, *sizes, "--optimizer.lr", "0.1")
    statuses = {int(row["size"]): row["status"] for row in table(run)}
    assert statuses == {size: "out of memory" if size == fails else "finished" for size in (16, 32, 64, 128, 256)}
    assert alive.count(fails) == 4 and alive.count(128) == 20
    assert fails not in (found(run)["bounds"] or [])


def test_another_error_is_not_taken_for_memory(monkeypatch) -> None:
    def broken(self: Rehearsal, number: int, lr: float) -> torch.Tensor:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(Rehearsal, "step", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        measured([16, 32, 64], 2)


def test_the_memory_of_a_size_that_failed_is_free_before_the_next() -> None:
    import weakref

    copies: list[weakref.ref] = []

    class Full(Scripted):
        def step(self, number: int, lr: float) -> torch.Tensor:
            if len(copies) == 1:
                raise MemoryError
            return super().step(number, lr)

    def start(size: int) -> Full:
        assert not any(copy() for copy in copies), "the failed copy is still there"
        copies.append(weakref.ref(copy := Full([1.0] * 5)))
        return copy

    trials = Trials(lambda steps: None)
    trained = each_size(lambda size: trials(str(size), partial(start, size)), [8, 16, 32], 100, 5, 0.1)
    statuses = [one.status for one in trained]
    assert statuses == ["out of memory", "finished", "finished"]
