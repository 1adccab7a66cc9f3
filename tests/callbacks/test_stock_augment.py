"""Batch augmentation, cutout, MixUp and CutMix on anybody's float batches."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from callbacks import BatchAugmentedCutout
from datamodules import Augment
from datamodules.transforms import Copies, CutMix, Cutout, MixUp, RandomHorizontalFlip
from tests.callbacks.stock import IMAGES, LABELS, LitData, LitNet, fitted, loader
from tests.callbacks.test_stock_trainer import both

pytestmark = pytest.mark.filterwarnings("default:::pytorch_lightning", "default:::lightning_fabric")
BATCH = IMAGES[:10], LABELS[:10]


class Watching(LitNet):
    """Notes what comes to its steps."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: dict[str, list[tuple[int, ...]]] = {"train": [], "val": []}
        self.zeros: list[int] = []

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        self.shapes["train"].append(tuple(batch[0].shape))
        self.zeros.append(int((batch[0] == 0).flatten(1).sum(1).max()))
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.shapes["val"].append(tuple(batch[0].shape))
        super().validation_step(batch, batch_idx)


class Mixed(LitNet):
    """MixUp as the page says, in the module's own hook."""

    def __init__(self) -> None:
        super().__init__()
        self.augment = Augment([RandomHorizontalFlip(), MixUp(0.2)], seed=1, classes=4)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        return self.augment(batch, self.global_step, self.global_rank) if self.training else batch


class HookedData(LitData):
    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        return batch


def test_draws_follow_from_seed_step_and_rank() -> None:
    augment = Augment([Cutout(3)], seed=1)
    first, again = augment(BATCH, 5)[0], augment(BATCH, 5)[0]
    assert torch.equal(first, again) and (first == 0).any() and torch.equal(first[first != 0], IMAGES[:10][first != 0])
    others = [augment(BATCH, 6)[0], augment(BATCH, 5, rank=1)[0], Augment([Cutout(3)], seed=2)(BATCH, 5)[0]]
    assert not any(torch.equal(first, other) for other in others)
    assert torch.equal(BATCH[0], IMAGES[:10]), "the batch itself is left as it is"


@pytest.mark.parametrize("mixing", [MixUp(1.0), CutMix()])
def test_labels_are_shares(mixing: Any) -> None:
    images, labels = Augment([Copies(2), mixing], classes=4)(BATCH, 0)
    assert images.shape == (20, 1, 8, 8) and labels.shape == (20, 4)
    assert torch.allclose(labels.sum(1), torch.ones(20)) and (labels > 0).sum(1).max() == 2
    assert torch.isfinite(F.cross_entropy(torch.zeros(20, 4), labels))


def test_what_cannot_be_augmented_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^classes is missing"):
        Augment([MixUp(0.2)])
    for batch in (BATCH[0], {"x": BATCH[0]}, (BATCH[0][0], BATCH[1]), ((IMAGES[:10] * 9).byte(), BATCH[1])):
        with pytest.raises(ValueError, match=r"^batches must be pairs of float images"):
            Augment([Cutout(3)])(batch, 0)
    with pytest.raises(ValueError, match=r"^size 8 can hide a whole image"):
        Augment([Cutout(8)])(BATCH, 0)


@pytest.mark.parametrize("data", [loader, LitData])
def test_batch_augmentation_in_a_stock_trainer(data: Any) -> None:
    module = fitted(Watching, data, BatchAugmentedCutout(copies=3, size=3), max_epochs=1).lightning_module
    assert module.shapes["train"][0] == (96, 1, 8, 8) and module.shapes["val"][0] == (50, 1, 8, 8)
    assert max(module.zeros) == 9 and "on_after_batch_transfer" not in vars(module), "and it leaves again"


def test_a_module_that_mixes_is_tested_and_not_augmented_once_more() -> None:
    with pytest.raises(ValueError, match=r"^batches must be pairs"):  # behind MixUp labels are shares
        fitted(Mixed, loader, BatchAugmentedCutout(size=3))

    assert both(Mixed, loader).bounds is not None


def test_a_datamodule_s_own_hook_is_refused() -> None:
    with pytest.raises(ValueError, match=r"HookedData\.on_after_batch_transfer: use datamodules\.Augment there"):
        fitted(LitNet, HookedData, BatchAugmentedCutout(size=3))
