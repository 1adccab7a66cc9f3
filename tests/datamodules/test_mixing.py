"""MixUp and CutMix: the slow reference's bits, the right statistics, the same batch on any number of processes."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import betainc

from datamodules.transforms import (
    Copies,
    CutMix,
    MixUp,
    Pipeline,
    cutmix,
    mixup,
)
from datamodules.transforms._mixing import mix_labels, partner_places
from tests.datamodules.conftest import batch_of, pixels
from tests.datamodules.slow_mixing import BEFORE, CLASSES, Slow, every_list, whole
from timeline.draws import beta, words

# Against the slow reference, to the bit


@every_list
@pytest.mark.parametrize("copies", [1, 3])
def test_images_and_labels_are_the_reference_to_the_bit(transforms, slow, copies) -> None:
    batch = whole()
    result = Pipeline([Copies(copies), *BEFORE, *transforms], 11, rows_per_part=5)(batch)
    reference = Slow(batch, slow, 11)
    assert result.copies is not None and len(result) == copies * 12
    expected = [reference(place, copy) for copy in range(copies) for place in range(12)]
    assert result.places.tolist() == [*range(12)] * copies
    assert pixels(result.images).tobytes() == np.stack([image for image, _ in expected]).tobytes()
    assert result.images.is_contiguous(memory_format=torch.channels_last)
    assert result.labels.dtype == torch.float32
    assert result.labels.numpy().tobytes() == np.stack([label for _, label in expected]).tobytes()


def test_cutmix_takes_bytes_too() -> None:
    images = batch_of((5, 6, 3), rows=2).images
    mixed = cutmix(images, images.flip(0), torch.tensor([[[1, 2], [4, 5]], [[0, 0], [5, 6]]]))
    assert torch.equal(mixed[0, :, 1:4, 2:5], images[1, :, 1:4, 2:5]) and torch.equal(mixed[1], images[0])
    assert torch.equal(mixed[0, :, 0], images[0, :, 0]) and mixed.dtype == torch.uint8


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_the_functions_keep_type_and_shape(dtype) -> None:
    images, others = torch.randn(2, 4, 3, 6, 5).to(dtype)
    mixed = mixup(images, others, torch.tensor([1.0, 0.0, 0.5, 0.25]))
    assert mixed.dtype == dtype and mixed.shape == images.shape
    assert torch.equal(mixed[0], images[0]) and torch.equal(mixed[1], others[1])
    assert torch.allclose(mixed[2], (images[2] + others[2]) / 2, atol=1e-2)
    boxes = torch.tensor([[[0, 0], [6, 5]], [[0, 0], [0, 0]], [[1, 2], [3, 5]], [[5, 0], [6, 5]]])
    cut = cutmix(images, others, boxes)
    assert torch.equal(cut[0, :, :3], others[0, :, :3]) and torch.equal(cut[1], images[1])
    assert torch.equal(cut[2, :, 1:3, 2:5], others[2, :, 1:3, 2:5]) and torch.equal(cut[2, :, 0], images[2, :, 0])


def test_labels_are_shares_that_sum_to_one() -> None:
    kept = torch.rand(5_000)
    hard, others = torch.arange(5_000) % CLASSES, torch.arange(5_000) // 3 % CLASSES
    once = mix_labels(hard, others, kept, CLASSES)
    assert torch.equal(once.sum(1), torch.ones(5_000)), "to the bit, where both labels are classes"
    assert torch.equal(once[hard == others].max(1).values, torch.ones(int((hard == others).sum())))
    twice = mix_labels(once, once.flip(0), kept, CLASSES)
    assert torch.allclose(twice.sum(1), torch.ones(5_000), rtol=0, atol=3e-7)


# Draws


def test_partners_are_a_permutation_of_the_global_batch_by_seed_step_and_name() -> None:
    found = [partner_places(*key, 64) for key in ((0, "MixUp", 3), (1, "MixUp", 3), (0, "CutMix", 3), (0, "MixUp", 4))]
    for number, partners in enumerate(found):
        assert sorted(partners) == list(range(64))
        assert all((partners != other).mean() > 0.8 for other in found[:number])
    own = [np.count_nonzero(partner_places(0, "MixUp", step, 32) == np.arange(32)) for step in range(2_000)]
    assert np.mean(own) == pytest.approx(1, abs=0.1), "one place of a batch is its own partner on average"


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_ratios_are_beta(alpha) -> None:
    drawn = words(0, "MixUp", 0, np.arange(20_000), None, 1)[:, 0]
    ratios = np.sort(beta(drawn, alpha))
    assert ratios[0] >= 0 and ratios[-1] <= 1
    uniform = (np.arange(20_000) + 0.5) / 20_000
    assert np.abs(betainc(alpha, alpha, ratios) - uniform).max() < 0.012, "Kolmogorov-Smirnov at 1 %"
    assert ratios.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.02)
    if alpha == 1:
        assert np.array_equal(beta(drawn, alpha), (drawn + 0.5) / 2**32)


def test_each_image_has_a_ratio_of_its_own_and_p_leaves_images_alone() -> None:
    batch = whole(rows=600)
    plain = Pipeline(BEFORE, 0)(batch).images
    mixed = Pipeline([*BEFORE, MixUp(1.0, p=0.25)], 0)(batch)
    untouched = (mixed.images == plain).flatten(1).all(1)
    assert 0.70 < untouched.double().mean() < 0.80
    assert bool((mixed.labels[untouched].max(1).values == 1).all())
    heaviest = mixed.labels[~untouched].max(1).values
    assert len(heaviest.unique()) > 0.7 * len(heaviest)
    assert torch.equal(Pipeline([*BEFORE, CutMix(p=0.0)], 0)(batch).images, plain)


def test_the_share_of_a_clipped_box_is_its_own() -> None:
    batch = whole((16, 16, 3), rows=400)
    batch = replace(batch, images=batch.images.int() * 0 + torch.arange(400, dtype=torch.int32)[:, None, None, None])
    result = CutMix()(replace(batch, labels=torch.arange(400) % CLASSES), 3, "CutMix")
    partners = partner_places(3, "CutMix", batch.step, 400)
    for row in range(400):
        label, other = row % CLASSES, int(partners[row]) % CLASSES
        kept = float((result.images[row, 0] == row).double().mean())
        if label != other:
            assert float(result.labels[row, label]) == np.float32(kept)


# Mistakes


@pytest.mark.parametrize("kind", [MixUp, CutMix])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 0.0}, "alpha must be above 0 and finite, got 0: "),
        ({"alpha": -1.0}, "alpha must be above 0 and finite, got -1: "),
        ({"alpha": math.nan}, "alpha must be above 0 and finite, got nan: "),
        ({"alpha": math.inf}, "alpha must be above 0 and finite, got inf: "),
        ({"p": 1.5}, r"p must lie in \[0, 1\], got 1.5: "),
        ({"p": -0.5}, r"p must lie in \[0, 1\], got -0.5: "),
    ],
)
def test_constructors_refuse(kind, arguments, message) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        kind(**arguments)


def test_calls_refuse_what_they_cannot_mix() -> None:
    with pytest.raises(ValueError, match="MixUp mixes normalised images, got integers: place it after Normalize"):
        Pipeline([MixUp()], 0)(whole())
    with pytest.raises(ValueError, match="MixUp mixes batches of a training loader: in others set samples and classes"):
        Pipeline([*BEFORE, MixUp()], 0)(replace(whole(), samples=None))
    part = whole().take(np.arange(3))
    for own in (None, part.places):
        with pytest.raises(ValueError, match="CutMix lacks the partners of some rows: take the batch from a loader"):
            Pipeline([*BEFORE, CutMix()], 0)(replace(part, own=own))


@pytest.mark.gpu
@every_list
def test_a_gpu_gives_the_same_bits_and_never_waits(transforms, slow) -> None:
    pipeline, batch = Pipeline([Copies(2), *BEFORE, *transforms], 0), whole((32, 32, 3), rows=40)
    expected = pipeline(batch)
    there = replace(batch, images=batch.images.cuda(), labels=batch.labels.cuda())
    pipeline(there)  # the first call makes the tables
    torch.cuda.set_sync_debug_mode("error")
    try:
        result = pipeline(there)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert result.images.cpu().numpy().tobytes() == expected.images.numpy().tobytes()
    assert result.labels.cpu().numpy().tobytes() == expected.labels.numpy().tobytes()
