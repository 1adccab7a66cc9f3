"""`Mixing`: the base of transforms that mix each image, and its label, with another of the same global batch."""

from abc import abstractmethod
from dataclasses import replace
from math import inf
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from datamodules.batch import Batch
from datamodules.transforms._pipeline import BatchTransform
from timeline.draws import beta, chance, to_device, words


def partner_places(seed: int, name: str, step: int, samples: int) -> np.ndarray:
    """Each place's partner in the global batch, int64 (samples,): a permutation, as in the papers' own code.

    It follows from (seed, step, number of samples) and the transform's name, so any process can tell any partner. On
    average one place in the batch is its own partner.
    """
    return np.argsort(words(seed, f"{name}, partners", step, np.arange(samples))[:, 0], kind="stable")


def mix_labels(labels: Tensor, others: Tensor, kept: Tensor, classes: int) -> Tensor:
    """Shares of the classes: `kept` of the one label, the rest of the other.

    Args:
        labels: int64 (batch,), or shares, float32 (batch, classes), which an earlier transform has mixed.
        others: the partners' labels, likewise.
        kept: each label's own share, float32 (batch,), in [0, 1].
        classes: number of classes.

    Returns:
        float32 (batch, classes); rows sum to 1.
    """
    share = kept[:, None]
    return _shares(labels, classes) * share + _shares(others, classes) * (1 - share)


class Mixing(BatchTransform):
    """Mixes each image and its label with those of a partner, each image in a ratio of its own.

    The partner is another row of the step's *global* batch, after all transforms before this one, with the partner's
    own draws, and of the same copy (`Copies`). Of several processes each holds a slice of the global batch, so the
    loader gathers the partners that a slice lacks (`sources` names them), they go through the same transforms, and
    leave the batch at the end. Hence any number of processes trains on the same images, to the bit. On w processes
    each transforms up to twice its rows for one such transform, and for k in a list up to 2**k times (never more than
    the global batch); one process transforms none twice.

    The draws are keyed by (seed, step, place, copy, name), the ratio among them. The papers draw one ratio for the
    whole batch: in a ratio for each image a batch holds all degrees of mixing.

    A subclass says how two images are mixed (`mix`) and how many words it needs for that.

    Args:
        alpha: both parameters of the Beta distribution of the ratio; above 0.
        p: probability of mixing an image; the others stay as they are.

    Raises:
        ValueError: a field is out of range; when called, the batch lacks a partner, or is not a training loader's.
    """

    after_normalize: ClassVar[bool] = True
    words_per_row: ClassVar[int] = 0

    def __init__(self, alpha: float, p: float) -> None:
        if not 0 < alpha < inf:
            raise ValueError(f"alpha must be above 0 and finite, got {alpha:g}: 0.2 mixes little, 1 evenly")
        if not 0 <= p <= 1:
            raise ValueError(f"p must lie in [0, 1], got {p:g}: 0.5 mixes every second image")
        self.alpha, self.p = alpha, p

    @abstractmethod
    def mix(self, images: Tensor, others: Tensor, ratios: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        """Mix images with their partners.

        Args:
            images: (rows, channels, height, width) in channels-last memory; not modified.
            others: the partners, likewise.
            ratios: share of each image to keep, float64 (rows,), in host memory; 1 for images that stay as they are.
            words: int64 (rows, words_per_row), uniform in [0, 2**32), in host memory.

        Returns:
            The mixed images, and the share of each that was kept, float64 (rows,), in host memory.
        """

    def sources(self, places: np.ndarray, samples: int, step: int, seed: int, name: str) -> np.ndarray:
        """The places and their partners."""
        return np.concatenate((places, np.setdiff1d(partner_places(seed, name, step, samples)[places], places)))

    def __call__(self, batch: Batch, seed: int, name: str) -> Batch:
        """Mix all rows whose partner is there; the others are partners themselves, and no longer needed."""
        if batch.samples is None or batch.classes is None:
            raise ValueError(f"{name} mixes batches of a training loader: in others set samples and classes")
        rows, partners = _pairs(batch, partner_places(seed, name, batch.step, batch.samples), name)
        mine, other = batch if len(rows) == len(batch) else batch.take(rows), batch.take(partners)
        drawn = words(seed, name, batch.step, mine.places, mine.copies, 2 + self.words_per_row)
        ratios = torch.from_numpy(beta(drawn[:, 1], self.alpha))
        ratios = ratios.where(chance(torch.from_numpy(drawn[:, 0]), self.p), 1.0)
        images, kept = self.mix(mine.images, other.images, ratios, torch.from_numpy(drawn[:, 2:]))
        share = to_device(kept.float().numpy(), images.device)
        return replace(mine, images=images, labels=mix_labels(mine.labels, other.labels, share, batch.classes))


def _pairs(batch: Batch, partner_of: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose partner is in the batch, in their order, and the rows of these partners: two int64 (n,)."""
    first_of_copy = 0 if batch.copies is None else batch.copies * len(partner_of)
    present, wanted = first_of_copy + batch.places, first_of_copy + partner_of[batch.places]
    order = np.argsort(present, kind="stable")
    found = order[np.searchsorted(present, wanted, sorter=order).clip(max=len(order) - 1)]
    paired = present[found] == wanted
    alone = batch.places[~paired]
    if len(alone) and (batch.own is None or np.isin(alone, batch.own).any()):
        raise ValueError(f"{name} lacks the partners of some rows: take the batch from a loader with these transforms")
    return np.flatnonzero(paired), found[paired]


def _shares(labels: Tensor, classes: int) -> Tensor:
    """Labels as float32 (batch, classes)."""
    if labels.ndim == 2:
        return labels
    return (labels[:, None] == torch.arange(classes, device=labels.device)).float()
