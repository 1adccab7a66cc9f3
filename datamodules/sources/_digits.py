"""scikit-learn's digits: 1,797 real 8 x 8 images inside its wheel, with a fixed held-out third."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from datamodules.sources._errors import SourceRefused
from datamodules.sources._spec import Arrays, Bytes, sha256

_TEST = 599  # of 1,797: a third exactly
_IMAGES_SHA256 = "b41ca9fd335466eee997366c2e6f6bbe0a1b4582afe091fc4eba35f4a254182f"
_LABELS_SHA256 = "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0"


def load_digits_arrays() -> Arrays:
    """Return the digits as uint8: train (1198, 8, 8, 1) and test (599, 8, 8, 1), with labels (n,).

    Pixels, 0 to 16 in the source, are scaled to round(v * 255 / 16), halves up. The test set is `held_out(labels)`, the
    same on every machine and version; both sets keep the source's order.

    Source: UCI, Optical Recognition of Handwritten Digits, test set (Alpaydin and Kaynak 1998), by way of scikit-learn.

    Raises:
        SourceRefused: the installed scikit-learn has other digits.
    """
    import sklearn
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = ((digits.images.astype(np.uint16) * 255 + 8) // 16).astype(np.uint8)[..., np.newaxis]
    labels = digits.target.astype(np.uint8)
    for name, array, expected in (("images", images, _IMAGES_SHA256), ("labels", labels, _LABELS_SHA256)):
        if sha256(array) != expected:
            raise SourceRefused(f"scikit-learn {sklearn.__version__}", name, "not the digits that cadence knows")
    test = held_out(labels, _TEST)
    return Arrays(images[~test], labels[~test], images[test], labels[test])


def held_out(labels: Bytes, size: int) -> NDArray[np.bool_]:
    """Return a mask (n,) with `size` samples held out, stratified: each class gives its share to within one sample.

    Shares are rounded by largest remainder (equal remainders: the lower class first). Within a class those samples are
    held out whose index has the smallest SHA-256, so that no random generator, and no version of one, has a say.
    """
    classes, counts = np.unique(labels, return_counts=True)
    shares, remainders = np.divmod(counts * size, len(labels))
    largest = np.argsort(-remainders, kind="stable")[: size - shares.sum()]
    shares[largest] += 1
    mask = np.zeros(len(labels), dtype=np.bool_)
    for label, share in zip(classes, shares, strict=True):
        members = np.flatnonzero(labels == label).tolist()
        mask[sorted(members, key=_key)[:share]] = True
    return mask


def _key(index: int) -> bytes:
    return hashlib.sha256(f"cadence digits {index}".encode()).digest()
