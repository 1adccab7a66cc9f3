"""StreamBatchSampler in a stock DataLoader and a stock Trainer: a function of (seed, step), whoever fetches."""

import copy
import os
import pickle
import warnings
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, Dataset

from callbacks import BatchSizeRangeTest, CyclicalBatchSize, CyclicalLR
from datamodules import StreamBatchSampler
from tests import ranks
from tests.callbacks.stock import IMAGES, LABELS, LitNet, fitted
from timeline.stream import Stream

pytestmark = pytest.mark.filterwarnings("default:::pytorch_lightning", "default:::lightning_fabric")


class Numbered(Dataset):
    """Samples that say their number."""

    def __init__(self, samples: int = 300) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        return IMAGES[index], LABELS[index], index


class Noting(LitNet):
    """Notes the numbers of the samples that come."""

    def __init__(self) -> None:
        super().__init__()
        self.net[4].p = 0.0  # Lightning's checkpoints hold no generators
        self.numbers: list[list[int]] = []

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, y, numbers = batch
        self.numbers.append(numbers.tolist())
        return super().training_step((x, y), batch_idx)


def streaming(workers: int = 0, size: int = 64, samples: int = 300, **options: Any) -> DataLoader:
    data = Numbered(samples)
    sampler = StreamBatchSampler(data, batch_size=size, seed=1, **options)
    return DataLoader(data, batch_sampler=sampler, num_workers=workers, persistent_workers=workers > 0)


def expected(steps: int, size: Any = 64) -> list[list[int]]:
    stream = Stream(300, size, 1)
    return [stream.indices(step).tolist() for step in range(steps)]


def test_without_a_trainer_each_iteration_is_the_next_pass() -> None:
    sampler = StreamBatchSampler(range(10), 4, seed=3)  # type: ignore[arg-type]
    first, second = list(sampler), list(sampler)
    assert [len(batch) for batch in first] == [4, 4, 2] and len(sampler) == 3
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(10)) and first != second
    assert len(list(StreamBatchSampler(range(10), 4, drop_last=True))) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize(("options", "message"), [({"batch_size": 0}, "batch_size must"), ({"seed": -1}, "seed must")])
def test_mistakes(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StreamBatchSampler(**{"dataset": range(3), "batch_size": 2} | options)  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_fit_gets_the_stream(workers: int) -> None:
    assert fitted(Noting, lambda: streaming(workers), max_epochs=3).lightning_module.numbers == expected(15)


def test_short_epochs_run_on_through_the_passes() -> None:
    run = fitted(Noting, streaming, max_epochs=4, limit_train_batches=3)
    assert run.lightning_module.numbers == expected(12)


def test_overfitting_sees_the_same_batches() -> None:
    run = fitted(Noting, streaming, max_epochs=3, overfit_batches=2)
    assert run.lightning_module.numbers == expected(2) * 3


def test_it_is_copied_and_sent_to_another_process() -> None:
    sampler = StreamBatchSampler(range(10), 4, seed=3)  # type: ignore[arg-type]
    for other in (copy.deepcopy(sampler), pickle.loads(pickle.dumps(sampler))):
        assert list(other) == list(StreamBatchSampler(range(10), 4, seed=3)) and other.batch_size == 4  # type: ignore[arg-type]
        assert other.batch_size.sampler is other


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("at", [2, 5, 7])
def test_a_fit_that_goes_on_is_the_unbroken_one(tmp_path: Path, workers: int, at: int) -> None:
    """In the middle of a pass and at its end, with batches that were fetched ahead."""
    whole = fitted(Noting, lambda: streaming(workers), max_epochs=3)
    keeper = ModelCheckpoint(tmp_path, "kept", every_n_train_steps=at, save_top_k=1, monitor=None)
    options: dict[str, Any] = {"enable_checkpointing": True}
    first = fitted(Noting, lambda: streaming(workers), keeper, max_steps=at, **options)
    again = fitted(Noting, lambda: streaming(workers), max_epochs=3, ckpt_path=tmp_path / "kept.ckpt")
    assert first.lightning_module.numbers + again.lightning_module.numbers == whole.lightning_module.numbers
    assert again.global_step == whole.global_step == 15
    weights = [run.lightning_module.state_dict() for run in (whole, again)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_cycle_of_batch_sizes(workers: int) -> None:
    cycle = CyclicalBatchSize(half_cycle=1, lower=16, upper=64)
    run = fitted(Noting, lambda: streaming(workers), cycle, max_epochs=3, check_val_every_n_epoch=1)
    numbers = run.lightning_module.numbers
    sizes = [len(batch) for batch in numbers]
    assert numbers == expected(len(numbers), cycle.sizes())
    assert min(sizes[:5]) == 16 and max(sizes) == 64 and run.current_epoch == 3
    assert sorted(chain(*numbers)) == sorted(list(range(300)) * 3), "each sample once a pass"


def test_a_cycle_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    def make() -> CyclicalBatchSize:
        return CyclicalBatchSize(half_cycle=1, lower=16, upper=64)

    whole = fitted(Noting, streaming, make(), max_epochs=3).lightning_module.numbers
    keeper = ModelCheckpoint(tmp_path, "kept", every_n_train_steps=4, save_top_k=1, monitor=None)
    first = fitted(Noting, streaming, make(), keeper, max_steps=4, enable_checkpointing=True).lightning_module.numbers
    again = fitted(Noting, streaming, make(), max_epochs=3, ckpt_path=tmp_path / "kept.ckpt").lightning_module.numbers
    assert first + again == whole


def test_a_batch_size_range_test_and_the_cycle_between_its_bounds() -> None:
    test = BatchSizeRangeTest(sizes=[2, 4, 8, 16, 32], steps=40, lr=0.3)
    cycle = CyclicalBatchSize(half_cycle=1, bounds="auto")
    run = fitted(Noting, streaming, test, cycle, max_epochs=2)
    assert test.outcome is not None and test.bounds is not None
    assert (cycle.lower, cycle.upper) == test.bounds and run.current_epoch == 2
    assert run.lightning_module.numbers == expected(len(run.lightning_module.numbers), cycle.sizes())


def test_a_plain_loader_is_tested_too_and_a_cycle_says_what_it_needs() -> None:
    test = BatchSizeRangeTest(sizes=[8, 16, 32, 64], steps=10, noise_scale=False)
    fitted(LitNet, None, test, max_epochs=1)
    assert test.done
    with pytest.raises(ValueError, match=r"batch_sampler=datamodules\.StreamBatchSampler"):
        fitted(LitNet, None, CyclicalBatchSize(half_cycle=1, lower=16, upper=64))


def test_a_learning_rate_counts_its_passes() -> None:
    rates: list[float] = []

    class Note(pl.Callback):
        def on_train_batch_end(self, run: pl.Trainer, *rest: Any) -> None:
            rates.append(run.optimizers[0].param_groups[0]["lr"])

    fitted(Noting, streaming, CyclicalLR(0.0, 1.0, half_cycle=1), Note(), max_epochs=1)
    assert rates == pytest.approx([64 * step / 300 for step in range(5)])


def share(processes: int) -> None:
    warnings.simplefilter("default")
    run = fitted(Noting, streaming, devices=processes, strategy="ddp", max_epochs=2)
    torch.save(run.lightning_module.numbers, f"{os.environ['RANK']}.pt")
    os._exit(0)


@pytest.mark.parametrize("processes", [2, 3])
def test_each_process_has_its_share(tmp_path: Path, processes: int) -> None:
    for child in ranks.start("fit", cwd=tmp_path, processes=processes, first=lambda: share(processes)):
        ended = child.done()
        assert ended.status == 0, ended.err
    shares = [torch.load(tmp_path / f"{rank}.pt") for rank in range(processes)]
    for step, whole in enumerate(expected(10)):
        assert [one[step] for one in shares] == [whole[rank::processes] for rank in range(processes)]
