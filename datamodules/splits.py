"""The held-out part of a training set: stratified, seeded, the same on every machine."""

import numpy as np

VALIDATION, TEST = 2, 3  # what is held out: a word of the generator's key


def stratified_split(
    labels: np.ndarray, fraction: float, seed: int, purpose: int = VALIDATION
) -> tuple[np.ndarray, np.ndarray]:
    """Split samples into (kept, held out), each class in the same proportion to within one sample.

    Exactly round(fraction * n) samples are held out: fraction * n of each class, rounded down, and one more of the
    classes with the largest remainders. Each sample has a raw Philox word; the smallest words of a class are held out.

    Args:
        labels: class of each sample, shape (n,).
        fraction: share of the samples to hold out, in [0, 1).
        seed: seed of the choice.
        purpose: what is held out, `VALIDATION` or `TEST`; each has draws of its own.

    Returns:
        Two sorted int64 index arrays, disjoint, together all of range(n).
    """
    words = np.random.Philox(key=[seed, purpose]).random_raw(len(labels))
    classes, counts = np.unique(labels, return_counts=True)
    shares = counts * fraction
    held_counts = np.floor(shares).astype(np.int64)
    missing = round(len(labels) * fraction) - int(held_counts.sum())
    held_counts[np.argsort(held_counts - shares, kind="stable")[:missing]] += 1
    held = np.zeros(len(labels), dtype=bool)
    for label, count in zip(classes, held_counts, strict=True):
        members = np.flatnonzero(labels == label)
        held[members[np.argsort(words[members], kind="stable")[:count]]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)
