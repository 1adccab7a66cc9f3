import numpy as np
import pytest
import torch

from timeline.draws import below, chance, to_device, words


def uniform(counts: np.ndarray) -> bool:
    """Chi-square below its mean plus four standard deviations: the seed is fixed, so this never fails at random."""
    expected = counts.sum() / counts.size
    freedom = counts.size - 1
    return float(((counts - expected) ** 2 / expected).sum()) < freedom + 4 * (2 * freedom) ** 0.5


def test_known_words_never_change():
    # frozen: other words here would change every run that anybody has recorded
    drawn = words(0, "RandomCrop", 0, np.arange(2), count=2)
    assert drawn.tolist() == [[2718353454, 1453224085], [3835151725, 1817081568]]


@pytest.mark.parametrize("world_size", [2, 4])
def test_rank_slices_are_rows_of_the_whole(world_size):
    places = np.arange(70)
    whole = words(1, "x", 8, places, count=3)
    for rank in range(world_size):
        assert np.array_equal(words(1, "x", 8, places[rank::world_size], count=3), whole[rank::world_size])


def test_batch_sizes_share_their_first_places():
    assert np.array_equal(words(1, "x", 8, np.arange(10), count=2), words(1, "x", 8, np.arange(999), count=2)[:10])


def test_any_order_and_repeats_of_places():
    places = np.array([7, 0, 7, 3])
    assert np.array_equal(words(1, "x", 8, places), words(1, "x", 8, np.arange(8))[places])


def test_copies_are_drawn_apart_and_each_by_itself():
    places, copies = np.repeat(np.arange(5), 3), np.tile(np.arange(3), 5)
    drawn = words(1, "x", 8, places, copies, 2)
    for copy in range(3):
        alone = words(1, "x", 8, np.arange(5), np.full(5, copy), 2)
        assert np.array_equal(drawn[copy::3], alone)
    assert np.array_equal(drawn[::3], words(1, "x", 8, np.arange(5), None, 2))
    assert len(np.unique(drawn)) == drawn.size


def test_seed_step_purpose_and_copy_all_matter():
    places = np.arange(1000)
    variants = [
        words(0, "x", 0, places),
        words(1, "x", 0, places),
        words(0, "x", 1, places),
        words(0, "y", 0, places),
        words(0, "x", 0, places, np.ones(1000, np.int64)),
    ]
    for i, one in enumerate(variants):
        for other in variants[:i]:
            assert (one == other).mean() < 0.01
            assert abs(np.corrcoef(one[:, 0], other[:, 0])[0, 1]) < 0.12


def test_words_are_uniform():
    drawn = words(3, "x", 0, np.arange(100_000))
    assert drawn.min() >= 0 and drawn.max() < 2**32 and drawn.dtype == np.int64
    assert uniform(np.bincount(drawn[:, 0] >> 24, minlength=256))
    assert uniform(np.bincount(drawn[:, 0] & 255, minlength=256))


def test_first_word_of_a_place_is_uniform_over_steps():
    drawn = np.concatenate([words(3, "x", step, np.array([5])) for step in range(3000)])
    assert uniform(np.bincount(drawn[:, 0] >> 28, minlength=16))


@pytest.mark.parametrize("bound", [1, 2, 9, 32, 1000])
def test_below_is_uniform_and_within_bounds(bound):
    drawn = below(torch.from_numpy(words(3, "x", 0, np.arange(100_000))), bound)
    assert drawn.min() >= 0 and drawn.max() == bound - 1
    if bound > 1:
        assert uniform(np.bincount(drawn[:, 0].numpy(), minlength=bound))


def test_below_at_the_edges():
    assert below(torch.tensor([0, 2**32 - 1]), 2**31).tolist() == [0, 2**31 - 1]
    assert below(torch.tensor([[2**31, 2**31]]), torch.tensor([3, 10])).tolist() == [[1, 5]]


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_chance(p):
    happened = chance(torch.from_numpy(words(3, "x", 0, np.arange(100_000))), p).double().mean().item()
    assert happened == p if p in (0, 1) else abs(happened - p) < 0.005


def test_no_rows_and_no_words():
    assert words(0, "x", 0, np.arange(0), count=2).shape == (0, 2)
    assert words(0, "x", 0, np.arange(4), count=0).shape == (4, 0)


@pytest.mark.parametrize(("seed", "step", "named"), [(-1, 0, "seed"), (2**64, 0, "seed"), (0, -1, "step")])
def test_refuses_what_it_cannot_key(seed, step, named):
    with pytest.raises(ValueError, match=f"{named} must"):
        words(seed, "x", step, np.arange(2))


@pytest.mark.gpu
def test_on_a_gpu_nothing_waits_and_nothing_changes():
    drawn = words(0, "x", 0, np.arange(4096), count=2)
    torch.cuda.set_sync_debug_mode("error")
    try:
        there = to_device(drawn, torch.device("cuda"))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(there.cpu(), torch.from_numpy(drawn))
