"""`OwnImages`: what a user's own images need beside those of a published dataset."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pytorch_lightning.trainer.states import TrainerFn

from checks.arguments import require_within
from datamodules.image_datamodule import ImageDataModule
from datamodules.splits import TEST, stratified_split
from datamodules.transforms import Normalize

TEST_FRACTION = 1 / 6


class OwnImages(ImageDataModule):
    """Base of datasets whose images only the user has.

    They may have validation images of their own, and a test set or none; images are normalised by the mean and the
    deviation of the training images, which are known once these are loaded. A subclass sets `classes`, `native_size`,
    `native_channels`, `own_val` and `own_test` before it calls this constructor, and in `load` calls `measured`.

    Attributes:
        own_val: whether there are validation images of their own, which the loaded training arrays end with.
        own_test: whether there is a test set.
        held: number of those validation images, once they are loaded.

    Args:
        test_fraction: share of the training images that are the test set where there is no other, drawn by
            `split_seed`, stratified by class; a sixth by default.
        **kwargs: arguments of `ImageDataModule`.
    """

    own_val = own_test = False
    held = 0

    def __init__(self, test_fraction: float | None = None, **kwargs: Any) -> None:
        if self.own_test and test_fraction is not None:
            raise ValueError(f"test_fraction: {type(self).__name__} has a test set here: leave test_fraction out")
        self.test_fraction = TEST_FRACTION if test_fraction is None else test_fraction
        require_within("(0, 1)", "0.2 takes a fifth", test_fraction=self.test_fraction)
        self.dataset = type(self).__name__
        self.mean, self.std = (0.5,) * self.native_channels, (0.5,) * self.native_channels
        self._content = ""
        super().__init__(**kwargs)

    @property
    def validates(self) -> bool:
        """Whether there is anything to validate on."""
        return self.own_val or super().validates

    def split(self, train_labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places of the training images that are trained on, and of those held out: those of the user, if there are."""
        if not self.own_val:
            return super().split(train_labels)
        trained = len(train_labels) - self.held
        return np.arange(trained), np.arange(trained, len(train_labels))

    def state_dict(self) -> dict[str, str]:
        """Which images the run trains on, for its checkpoint."""
        return {"content": self._content}

    def load_state_dict(self, state: Mapping[str, str]) -> None:
        """Refuse to go on with other images than those of the checkpoint; a test may be of any.

        Raises:
            ValueError: they are others.
        """
        fits = self.trainer is not None and self.trainer.state.fn == TrainerFn.FITTING
        if fits and state.get("content", self._content) != self._content:
            raise ValueError(
                f"data: the images of {self.dataset} have changed since the checkpoint, and the run would be another\n"
                "put them back, or begin a new run from its weights: --from RUN_DIR in place of --resume RUN_DIR"
            )

    def drawn_test(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places of the images to keep for training, and of those that become the test set.

        Raises:
            ValueError: one of the two would be empty.
        """
        kept, test = stratified_split(labels, self.test_fraction, self.split_seed, TEST)
        if not len(kept) or not len(test):
            what = "test" if not len(test) else "training"
            raise ValueError(
                f"data.test_fraction {self.test_fraction} of {len(labels)} images leaves no {what} image: change it"
            )
        return kept, test

    def measured(self, mean: tuple[float, ...], std: tuple[float, ...], content: str) -> None:
        """Normalise by the training images, from now on.

        Args:
            mean: mean of each channel, for values in [0, 1].
            std: standard deviation of each channel, for values in [0, 1].
            content: hash of all images and labels.
        """
        self.mean, self.std, self._content = mean, std, content
        for pipeline in (self.train_transforms, self.eval_transforms):
            pipeline.transforms[:] = [
                self.normalization() if isinstance(one, Normalize) else one for one in pipeline.transforms
            ]
