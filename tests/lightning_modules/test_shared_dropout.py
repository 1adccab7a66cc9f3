"""Dropout over the whole batch of several processes, against torch's own on one: equal to the bit."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.ops import stochastic_depth

from datamodules.transforms import Copies, Pipeline
from lightning_modules.shared_dropout import RowDepth, SharedDropout, share_dropout


def network() -> nn.Module:
    """Without products and functions that round otherwise for other numbers of rows."""
    return nn.Sequential(nn.Dropout(0.1), nn.ReLU(), nn.Dropout(0.5), nn.ReLU(), RowDepth(0.4), nn.Dropout(0.3))


@pytest.mark.parametrize("processes", [2, 3, 4])
@pytest.mark.parametrize("rows", [1, 2, 7, 30])
def test_each_process_drops_what_one_process_drops_of_its_rows(rows: int, processes: int) -> None:
    torch.manual_seed(0)
    whole, images = network(), torch.rand(rows, 6, dtype=torch.float64)
    torch.manual_seed(7)
    expected = whole(images)
    for rank in range(processes):  # some of them have no rows
        shared = copy.deepcopy(whole)
        share, places = share_dropout(shared), np.arange(rank, rows, processes)
        assert share is not None
        share.take(rows, places, torch.device("cpu"))
        torch.manual_seed(7)
        assert torch.equal(shared(images[torch.from_numpy(places)]), expected[torch.from_numpy(places)])
        assert torch.equal(torch.rand(3), _after(whole, images)), "the generator has moved on as far"


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("shape", [(9, 4), (9, 2, 5, 5)])
def test_rows_are_dropped_as_torchvision_drops_them(p: float, shape: tuple[int, ...]) -> None:
    images = torch.rand(shape)
    for layer in (RowDepth(p), RowDepth(p).eval()):
        torch.manual_seed(2)
        expected = stochastic_depth(images, p, "row", layer.training)
        torch.manual_seed(2)
        assert torch.equal(layer(images), expected)
    alone = nn.Sequential(RowDepth(p))
    assert (share := share_dropout(alone)) is not None and share_dropout(alone) is share


def _after(whole: nn.Module, images: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(7)
    whole(images)
    return torch.rand(3)


def test_images_keep_their_layout() -> None:
    images = torch.rand(4, 3, 5, 5).contiguous(memory_format=torch.channels_last)
    shared = nn.Sequential(nn.Dropout(0.5))
    torch.manual_seed(7)
    expected = shared(images)
    share = share_dropout(shared)
    assert share is not None
    share.take(4, np.array([1, 3]), torch.device("cpu"))
    torch.manual_seed(7)
    assert torch.equal(shared(images[[1, 3]]), expected[[1, 3]])


def test_a_copy_has_a_share_of_its_own_and_nothing_changes_where_there_is_none() -> None:
    first = network()
    share = share_dropout(first)
    assert share is not None and share_dropout(first) is share
    second = copy.deepcopy(first)
    other = share_dropout(second)
    assert other is not None and other is not share and isinstance(second[0], SharedDropout)
    images, plain = torch.rand(9, 6, dtype=torch.float64), network()
    plain.load_state_dict(first.state_dict())
    torch.manual_seed(3)
    expected = plain(images)
    torch.manual_seed(3)
    assert torch.equal(first(images), expected)
    share.take(9, np.arange(0, 9, 2), images.device)
    assert torch.equal(first.eval()(images), plain.eval()(images))
    assert share_dropout(nn.Linear(2, 2)) is None


@pytest.mark.parametrize("orders", [["copy_major"], ["sample_major"], ["copy_major", "sample_major"]])
def test_copies_know_where_their_rows_are(orders: list) -> None:
    """Against the rows of the whole batch, numbered and copied."""
    pipeline, samples = Pipeline([Copies(count, order) for count, order in zip((2, 3), orders, strict=False)], 1), 7
    whole = torch.arange(samples)
    for transform in pipeline.transforms:
        whole = _copied(whole, transform)
    for rank in range(3):
        own = torch.arange(rank, samples, 3)
        rows = own
        for transform in pipeline.transforms:
            rows = _copied(rows, transform)
        places = pipeline.rows_of(own.numpy(), samples)
        assert torch.equal(whole[places], rows)
        assert len(set(places)) == len(places)


def _copied(rows: torch.Tensor, transform: Copies) -> torch.Tensor:
    if transform.order == "copy_major":
        return rows.repeat(transform.copies)
    return rows.repeat_interleave(transform.copies)
