import numpy as np
import pytest

from datamodules.sources import SourceRefused, _digits, load_digits_arrays
from datamodules.sources._digits import held_out
from datamodules.sources._spec import sha256


def test_digits() -> None:
    from sklearn.datasets import load_digits

    arrays, source = load_digits_arrays(), load_digits()
    assert arrays.train_images.shape == (1198, 8, 8, 1) and arrays.train_labels.shape == (1198,)
    assert arrays.test_images.shape == (599, 8, 8, 1) and arrays.test_labels.shape == (599,)
    assert {array.dtype for array in vars(arrays).values()} == {np.dtype(np.uint8)}
    mask = held_out(source.target.astype(np.uint8), 599)
    for split, images, labels in [
        (~mask, arrays.train_images, arrays.train_labels),
        (mask, arrays.test_images, arrays.test_labels),
    ]:
        np.testing.assert_array_equal(labels, source.target[split])
        np.testing.assert_array_equal(images[..., 0], np.round(source.images[split] * 255 / 16))
    assert arrays.train_images.max() == 255


def test_the_held_out_third_is_fixed_and_stratified() -> None:
    labels = np.asarray(load_digits_arrays().test_labels)
    assert np.bincount(labels).tolist() == [59, 61, 59, 61, 60, 61, 60, 60, 58, 60]
    assert sha256(labels) == "22ee052a555779ebd543ab46a1b0db68f86d5f6f0d893a2f5e2fc58ab191cb42"


def test_held_out_rounds_by_largest_remainder() -> None:
    labels = np.repeat(np.arange(3, dtype=np.uint8), [10, 5, 1])
    for size, shares in [
        (0, [0, 0, 0]),
        (4, [3, 1, 0]),
        (8, [5, 3, 0]),
        (9, [6, 3, 0]),
        (12, [7, 4, 1]),
        (16, [10, 5, 1]),
    ]:
        mask = held_out(labels, size)
        assert np.bincount(labels[mask], minlength=3).tolist() == shares
    assert not np.array_equal(held_out(labels, 8)[:5], held_out(labels, 8)[5:10])


def test_other_digits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_digits, "_LABELS_SHA256", "0" * 64)
    with pytest.raises(SourceRefused, match=r"scikit-learn [0-9.a-z]+: labels: not the digits that cadence knows"):
        load_digits_arrays()
