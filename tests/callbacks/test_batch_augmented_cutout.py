import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from callbacks import BatchAugmentedCutout
from datamodules import Digits
from datamodules.batch import Batch
from datamodules.transforms import Copies, Cutout, Normalize, Pipeline, RandomCrop, RandomHorizontalFlip
from lightning_modules import SmallCNN
from tests.datamodules import per_image
from timeline.draws import words

ORDERS = ["copy_major", "sample_major"]


def trainer_with(data: object) -> pl.Trainer:
    return SimpleNamespace(datamodule=data)  # type: ignore[return-value]


def attached(callback: BatchAugmentedCutout, rank: int = 0, world_size: int = 1) -> Digits:
    """Digits with the callback's transforms in, as a trainer at step 0 would hold it."""
    data = Digits(seed=3, batch_size=32, augment=[RandomCrop(1), RandomHorizontalFlip()])
    data.trainer = SimpleNamespace(  # type: ignore[assignment]
        global_step=0, global_rank=rank, world_size=world_size, training=True,
        lightning_module=SimpleNamespace(dtype=torch.float32),
    )  # fmt: skip
    data.setup("fit")
    callback.setup(trainer_with(data), None, "fit")  # type: ignore[arg-type]
    return data


def slow(image: np.ndarray, place: int, copy: int, step: int) -> np.ndarray:
    """One copy of one digit, pixel by pixel, from integers drawn for it alone."""
    crop, flip, hole = (
        words(3, name, step, np.array([place]), np.array([copy]), count)[0].tolist()
        for name, count in (("RandomCrop", 2), ("RandomHorizontalFlip", 1), ("Cutout", 2))
    )
    cropped = per_image.crop(image, *(per_image.below(word, 3) for word in crop), padding=1)
    normal = per_image.normalize(per_image.flip(cropped, flip[0] < 2**31), list(Digits.mean), list(Digits.std))
    return per_image.cutout(normal, *(per_image.below(word, 8) for word in hole), size=4)


@pytest.mark.parametrize("order", ORDERS)
def test_a_batch_is_the_reference_to_the_bit(order) -> None:
    data = attached(BatchAugmentedCutout(copies=3, size=4, order=order))
    batch = data.train_dataloader().batch(5)
    stored, labels = batch.images.permute(0, 2, 3, 1).numpy(), batch.labels
    images, targets = data.on_after_batch_transfer(batch, 0)
    which = [(c, s) for c in range(3) for s in range(32)]
    which = which if order == "copy_major" else [(c, s) for s in range(32) for c in range(3)]
    expected = np.stack([slow(stored[s], s, c, 5) for c, s in which])
    assert images.permute(0, 2, 3, 1).numpy().tobytes() == expected.tobytes()
    assert targets.tolist() == [int(labels[s]) for _, s in which]


@pytest.mark.parametrize("order", ORDERS)
def test_two_processes_share_what_one_does(order) -> None:
    one, _ = attached(BatchAugmentedCutout(4, 4, order=order)).on_after_batch_transfer(
        attached(BatchAugmentedCutout(4, 4, order=order)).train_dataloader().batch(2), 0
    )
    apart = one.unflatten(0, (4, 32) if order == "copy_major" else (32, 4))
    for rank in range(2):
        data = attached(BatchAugmentedCutout(4, 4, order=order), rank, 2)
        mine, _ = data.on_after_batch_transfer(data.train_dataloader().batch(2), 0)
        share = apart[:, rank::2] if order == "copy_major" else apart[rank::2]
        assert torch.equal(mine, share.flatten(0, 1))


def test_without_cutout_it_is_batch_augmentation_alone() -> None:
    whole = attached(BatchAugmentedCutout(copies=3, size=4))
    plain = attached(BatchAugmentedCutout(copies=3, cutout=False))
    batch = whole.train_dataloader().batch(0)
    masked, images = whole.train_transforms(batch).images, plain.train_transforms(batch).images
    hidden = masked == 0
    assert torch.equal(masked[~hidden], images[~hidden]) and hidden.float().mean() > 0.1
    assert not (images == 0).any(), "no digit's pixel is exactly the mean"


def test_masked_area_of_16_on_32_by_32() -> None:
    seen = [sum(0 <= pixel - (centre - 8) < 16 for pixel in range(32)) for centre in range(32)]
    expected = (sum(seen) / 32 / 32) ** 2
    assert expected == pytest.approx(0.1914, abs=5e-5), "14 pixels an axis: 19.1 % of the image"
    data = SimpleDigits32()
    callback = BatchAugmentedCutout(copies=8, size=16)
    callback.setup(trainer_with(data), None, "fit")  # type: ignore[arg-type]
    rows = 2_500
    white = torch.full((rows, 1, 32, 32), 255, dtype=torch.uint8)
    result = data.train_transforms(Batch(white, torch.zeros(rows, dtype=torch.int64), 0, np.arange(rows)))
    assert len(result) == 20_000
    assert abs((result.images == 0).double().mean().item() - expected) < 0.002


class SimpleDigits32(Digits):
    def __init__(self) -> None:
        super().__init__(image_size=32)
        normalize = next(t for t in self.train_transforms.transforms if isinstance(t, Normalize))
        self.train_transforms = Pipeline([normalize], 0)


# In a run

RUN = [
    "fit", "--model", "SmallCNN", "--optimizer", "Adam", "--optimizer.lr", "0.01", "--data", "Digits",
    "--data.augment+=RandomCrop", "--data.augment.padding", "1", "--trainer.max_epochs", "2",
    "--trainer.log_every_n_steps", "5", "--trainer.enable_progress_bar", "false", "--test_after_fit", "false",
]  # fmt: skip
CALLBACK = ["--trainer.callbacks+=BatchAugmentedCutout", "--trainer.callbacks.size", "4"]


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def test_one_copy_is_plain_cutout(cadence, tmp_path: Path) -> None:
    plain = ["--data.augment+=Cutout", "--data.augment.size", "4"]
    assert cadence(*RUN, *plain, "--run_dir", tmp_path / "plain") == 0
    assert cadence(*RUN, *CALLBACK, "--run_dir", tmp_path / "one") == 0
    assert rows(tmp_path / "one") == rows(tmp_path / "plain")


def test_four_copies_change_the_run_but_not_its_steps(cadence, tmp_path: Path) -> None:
    for copies in (1, 4):
        assert cadence(*RUN, *CALLBACK, "--trainer.callbacks.copies", copies, "--run_dir", tmp_path / str(copies)) == 0
    one, four = rows(tmp_path / "1"), rows(tmp_path / "4")
    assert [row["step"] for row in one] == [row["step"] for row in four]
    assert [row["samples"] for row in one] == [row["samples"] for row in four]
    assert [row["train/loss"] for row in one] != [row["train/loss"] for row in four]


def test_chunks_give_the_step_of_the_whole_batch(cadence, tmp_path: Path) -> None:
    """Without batch norm, 4 * 64 images in chunks of 64 are one step over all of them."""
    model = ["--model", "MLP", "--model.hidden_sizes", "[16]", "--trainer.precision", "64-true"]
    for name, chunk in (("whole", []), ("chunks", ["--model.micro_batch_size", "64"])):
        arguments = [*RUN, *model, *chunk, *CALLBACK, "--trainer.callbacks.copies", "4"]
        assert cadence(*arguments, "--run_dir", tmp_path / name) == 0
    for mine, theirs in zip(rows(tmp_path / "chunks"), rows(tmp_path / "whole"), strict=True):
        assert all(
            (v == theirs[k] == "") or float(v) == pytest.approx(float(theirs[k]), rel=1e-9) for k, v in mine.items()
        )


def test_samples_are_shown_once(cadence, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = [*RUN, *CALLBACK, "--trainer.callbacks.copies", "3"]
    assert cadence(*arguments, "--trainer.max_steps", "5", "--run_dir", run) == 0
    picture = run / "samples.png"
    assert picture.read_bytes()[1:4] == b"PNG"
    picture.write_bytes(b"as it was")
    assert cadence("fit", "--resume", run, "--trainer.max_steps", "8") == 0
    assert picture.read_bytes() == b"as it was"


def test_what_is_shown_is_what_the_step_trains_on() -> None:
    from callbacks.batch_augmented_cutout import samples_figure

    state = torch.random.get_rng_state()
    for order in ORDERS:
        data = attached(BatchAugmentedCutout(copies=8, size=4, order=order))  # type: ignore[arg-type]
        batch = data.train_dataloader().batch(4)
        figure = samples_figure(data, 4)
        assert len(figure.axes) == 2 * 7
        for place in range(2):
            panels = figure.axes[7 * place : 7 * place + 7]
            stored = batch.images[place, 0].numpy()
            assert np.allclose(panels[0].images[0].get_array(), stored / 255)
            assert panels[0].get_ylabel() == str(int(batch.labels[place]))
            for copy, panel in enumerate(panels[1:]):
                normal = slow(stored[:, :, None], place, copy, 4)[:, :, 0]
                colours = np.clip(normal * Digits.std[0] + Digits.mean[0], 0, 1)
                assert np.allclose(panel.images[0].get_array(), colours, atol=1e-6)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_two_fits_in_one_process_and_the_list_as_found(tmp_path: Path) -> None:
    callback = BatchAugmentedCutout(copies=2, size=4)
    data = Digits(augment=[RandomCrop(1)])
    found = list(data.train_transforms.transforms)
    seen = []

    class Look(pl.Callback):
        def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            seen.append([type(t).__name__ for t in data.train_transforms.transforms])

        def on_train_batch_start(self, trainer: pl.Trainer, pl_module: object, batch: tuple, batch_idx: int) -> None:
            assert len(batch[1]) == 128
            if len(seen) == 2:
                raise RuntimeError("broken off")

    def fit() -> None:
        model = SmallCNN(in_channels=1, image_size=8, num_classes=10)
        model.optimizer_factory = lambda groups: torch.optim.SGD(groups, lr=0.1)
        pl.Trainer(
            max_steps=2, callbacks=[callback, Look()], logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path, accelerator="cpu",
        ).fit(model, data)  # fmt: skip

    def same(now: list, then: list) -> bool:
        return len(now) == len(then) and all(a is b for a, b in zip(now, then, strict=True))

    fit()
    assert same(data.train_transforms.transforms, found)
    with pytest.raises(RuntimeError, match="broken off"):
        fit()
    assert same(data.train_transforms.transforms, found)
    assert seen == [["Copies", "RandomCrop", "Normalize", "Cutout"]] * 2


def test_evaluation_sees_no_copies_and_other_stages_touch_nothing() -> None:
    data = attached(BatchAugmentedCutout(copies=2, size=4))
    assert not any(isinstance(t, Copies | Cutout) for t in data.eval_transforms.transforms)
    other = Digits()
    BatchAugmentedCutout(size=4).setup(trainer_with(other), None, "test")  # type: ignore[arg-type]
    assert other.train_transforms.rows_per_sample == 1 and len(other.train_transforms.transforms) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BatchAugmentedCutout(copies=0), "copies must lie in .*"),
        (lambda: BatchAugmentedCutout(size=0), "size must be at least 1, got 0"),
        (lambda: BatchAugmentedCutout(order="random"), "order must be copy_major or sample_major, got random"),  # type: ignore[arg-type]
    ],
)
def test_constructor_refuses(make, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}: "):
        make()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Digits(augment=[Cutout(2)]), "cutout is in data.augment already: take it out there"),
        (Digits(), "size 16 can hide a whole image of 8 x 8: half its side, 4"),
    ],
)
def test_setup_refuses(data: Digits, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        BatchAugmentedCutout().setup(trainer_with(data), None, "fit")  # type: ignore[arg-type]
    assert data.train_transforms.rows_per_sample == 1


def test_a_cutout_of_the_datamodules_goes_with_cutout_false() -> None:
    data = Digits(augment=[Cutout(2)])
    BatchAugmentedCutout(copies=2, cutout=False).setup(trainer_with(data), None, "fit")  # type: ignore[arg-type]
    assert [type(t).__name__ for t in data.train_transforms.transforms] == ["Copies", "Normalize", "Cutout"]
