"""Random integers that depend on nothing but (seed, step, place in the global batch, copy, purpose).

The generator is counter-based (Philox4x64: Salmon et al., 'Parallel random numbers: as easy as 1, 2, 3', SC 2011): any
draw can be computed without those before it. So a sample gets the same draws whatever the rank, the number of
processes, the batch size and the device, and after a resume. Words are drawn on the host, where numpy guarantees
that they stay the same in every version, and a few integers a sample are copied to the device.
"""

from functools import cache
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor

WORD_BITS = 32


def words(
    seed: int, purpose: str, step: int, places: np.ndarray, copies: np.ndarray | None = None, count: int = 1
) -> np.ndarray:
    """Random 32-bit words, `count` for each row.

    The key is (seed, hash of purpose), the counter (step, copy). Words are numbered by place, so that a place has the
    same words whatever other places are drawn with it.

    Args:
        seed: the run's seed, in [0, 2**64).
        purpose: name of what the words are for; different purposes get unrelated words.
        step: number of the optimizer step, not negative.
        places: each row's place in the step's global batch, int64 (rows,).
        copies: each row's copy, int64 (rows,); None is copy 0 throughout.
        count: number of words for each row.

    Returns:
        int64 (rows, count), uniform in [0, 2**32).

    Raises:
        ValueError: the seed or the step is out of range.
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must lie in [0, 2**64), got {seed}")
    if step < 0:
        raise ValueError(f"step must not be negative, got {step}")
    if len(places) == 0 or count == 0:
        return np.zeros((len(places), count), np.int64)
    if copies is None:
        return _of_copy(seed, purpose, step, 0, places, count)
    drawn = np.empty((len(places), count), np.int64)
    for copy in np.unique(copies):
        rows = copies == copy
        drawn[rows] = _of_copy(seed, purpose, step, int(copy), places[rows], count)
    return drawn


def below(words: Tensor, bound: int | Tensor) -> Tensor:
    """Words mapped to [0, bound) by multiply-and-shift: exact integers, the same on every device.

    The bias is below bound / 2**32 (Lemire, 'Fast random integer generation in an interval', 2019).

    Args:
        words: int64 in [0, 2**32).
        bound: number of outcomes, at most 2**31; a tensor holds one for each column.
    """
    return (words * bound) >> WORD_BITS


def chance(words: Tensor, p: float) -> Tensor:
    """True with probability p (to 2**-32), as bool, from words in [0, 2**32)."""
    return words < round(p * 2**WORD_BITS)


def beta(words: np.ndarray, alpha: float) -> np.ndarray:
    """Words mapped to Beta(alpha, alpha) by the inverse of its distribution function, at (word + 1/2) / 2**32.

    SciPy's inverse is the same on every machine but may change its last bits from one version to another. For
    alpha = 1 it returns its argument.

    Args:
        words: int64 in [0, 2**32), any shape.
        alpha: both parameters of the distribution, above 0.

    Returns:
        float64 in [0, 1], of the same shape.
    """
    from scipy.special import betaincinv  # a tenth of a second to import, for transforms that few runs name

    return betaincinv(alpha, alpha, (words + 0.5) / 2**WORD_BITS)


def to_device(words: np.ndarray, device: torch.device) -> Tensor:
    """The words as a tensor on `device`, copied without making the host wait."""
    drawn = torch.from_numpy(words)
    return drawn if device.type == "cpu" else drawn.pin_memory().to(device, non_blocking=True)


def _of_copy(seed: int, purpose: str, step: int, copy: int, places: np.ndarray, count: int) -> np.ndarray:
    generator = np.random.Philox(key=[seed, _purpose_key(purpose)], counter=[0, copy, step, 0])
    raw = generator.random_raw((int(places.max()) + 1) * count)
    high = (raw >> np.uint64(64 - WORD_BITS)).view(np.int64)
    return high.reshape(-1, count).take(places, axis=0)


@cache
def _purpose_key(purpose: str) -> int:
    return int.from_bytes(sha256(purpose.encode()).digest()[:8], "little")
