"""The slow reference: every transform on one image, pixel by pixel, in plain Python and numpy, from the same integers.

Images are numpy (height, width, channels); draws are Python integers.
"""

import math
from fractions import Fraction

import numpy as np


def crop(image: np.ndarray, top: int, left: int, padding: int, fill: int = 0) -> np.ndarray:
    height, width, channels = image.shape
    result = np.full_like(image, fill)
    for y in range(height):
        for x in range(width):
            source_y, source_x = y + top - padding, x + left - padding
            if 0 <= source_y < height and 0 <= source_x < width:
                for c in range(channels):
                    result[y, x, c] = image[source_y, source_x, c]
    return result


def flip(image: np.ndarray, flipped: bool) -> np.ndarray:
    if not flipped:
        return image
    width = image.shape[1]
    result = np.empty_like(image)
    for x in range(width):
        result[:, x, :] = image[:, width - 1 - x, :]
    return result


def normalize(image: np.ndarray, mean: list[float], std: list[float]) -> np.ndarray:
    result = np.empty(image.shape, np.float32)
    for c in range(image.shape[2]):
        scale, shift = np.float32(1 / (255 * std[c])), np.float32(-mean[c] / std[c])
        for y in range(image.shape[0]):
            for x in range(image.shape[1]):
                result[y, x, c] = np.float32(np.float32(image[y, x, c]) * scale) + shift
    return result


def cutout(image: np.ndarray, centre_y: int, centre_x: int, size: int) -> np.ndarray:
    result = image.copy()
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            down, right = y - (centre_y - size // 2), x - (centre_x - size // 2)
            if 0 <= down < size and 0 <= right < size:
                result[y, x, :] = 0.0
    return result


def mixup(image: np.ndarray, other: np.ndarray, kept: np.float32) -> np.ndarray:
    result = np.empty_like(image)
    for index in np.ndindex(*image.shape):
        result[index] = np.float32(image[index] * kept) + np.float32(other[index] * (np.float32(1) - kept))
    return result


def cut_box(ratio: float, centre_y: int, centre_x: int, height: int, width: int) -> list[tuple[int, int]]:
    """Rows and columns (first, last plus one) of the box, clipped."""
    box = []
    for centre, length in ((centre_y, height), (centre_x, width)):
        side = int(length * math.sqrt(1 - ratio))
        inside = [i for i in range(length) if centre - side // 2 <= i < centre - side // 2 + side]
        box.append((inside[0], inside[-1] + 1) if inside else (0, 0))
    return box


def cutmix(image: np.ndarray, other: np.ndarray, box: list[tuple[int, int]]) -> np.ndarray:
    result = image.copy()
    for y in range(*box[0]):
        for x in range(*box[1]):
            result[y, x, :] = other[y, x, :]
    return result


def mixed_label(label: np.ndarray, other: np.ndarray, kept: np.float32) -> np.ndarray:
    return np.array([a * kept + b * (np.float32(1) - kept) for a, b in zip(label, other, strict=True)], np.float32)


def pad(image: np.ndarray, size: int) -> np.ndarray:
    height, width, channels = image.shape
    result = np.zeros((size, size, channels), image.dtype)
    top, left = (size - height) // 2, (size - width) // 2
    result[top : top + height, left : left + width] = image
    return result


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Exact fractions, but for the weights, which are rounded to 1 / 2048 as the transform's definition says."""
    height, width, channels = image.shape
    result = np.empty((size, size, channels), np.uint8)
    for y in range(size):
        for x in range(size):
            (up, down, a), (left, right, b) = _taps(y, height, size), _taps(x, width, size)
            for c in range(channels):
                corners = [int(image[row, column, c]) for row in (up, down) for column in (left, right)]
                weights = [(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b]
                value = sum((w * v for w, v in zip(weights, corners, strict=True)), Fraction(0))
                result[y, x, c] = int(value + Fraction(1, 2))
    return result


def grey_to_rgb(image: np.ndarray) -> np.ndarray:
    return np.concatenate([image] * 3, axis=2)


def below(word: int, bound: int) -> int:
    return int(Fraction(word, 2**32) * bound)


def _taps(target: int, length: int, size: int) -> tuple[int, int, Fraction]:
    source = max((Fraction(target) + Fraction(1, 2)) * length / size - Fraction(1, 2), Fraction(0))
    first = min(int(source), length - 1)
    weight = Fraction(int((source - first) * 2048 + Fraction(1, 2)), 2048)
    return first, min(first + 1, length - 1), weight
