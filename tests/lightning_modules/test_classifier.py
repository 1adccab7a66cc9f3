from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import nn
from torch.nn import functional as F

from lightning_modules import MLP, ImageClassifier, ResNet
from lightning_modules._metrics import ClassificationTotals, means
from lightning_modules._parameter_groups import parameter_groups

IMAGES = torch.randn(37, 1, 4, 4, dtype=torch.float64)
LABELS = torch.arange(37) % 10
SHARES = torch.rand(37, 10).softmax(1)


class Linear(ImageClassifier):
    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.layer = nn.Linear(16, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layer(images.flatten(1))


class Repeated:
    """One batch, over and over. (A plain list would be several loaders to Lightning.)"""

    def __init__(self, times: int, labels: torch.Tensor = LABELS) -> None:
        self.times, self.labels = times, labels

    def __len__(self) -> int:
        return self.times

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        return iter([(IMAGES, self.labels)] * self.times)


def trained(
    steps: int = 3, lr: float = 0.1, labels: torch.Tensor = LABELS, plugins: object = None, **kwargs: object
) -> Linear:
    """A linear classifier after some SGD steps on one batch, through Lightning."""
    torch.manual_seed(0)
    model = Linear(**kwargs).double()
    model.optimizer_factory = lambda groups: torch.optim.SGD(groups, lr=lr)
    trainer = pl.Trainer(
        max_steps=steps, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accelerator="cpu", log_every_n_steps=1,
        plugins=plugins,
    )  # fmt: skip
    trainer.fit(model, Repeated(steps, labels))
    return model


def by_hand(steps: int = 3, lr: float = 0.1, label_smoothing: float = 0.0, clip: float | None = None) -> nn.Linear:
    """The same, written out."""
    torch.manual_seed(0)
    layer = nn.Linear(16, 10).double()
    for _ in range(steps):
        layer.zero_grad()
        F.cross_entropy(layer(IMAGES.flatten(1)), LABELS, label_smoothing=label_smoothing).backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(layer.parameters(), clip)
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter -= lr * parameter.grad
    return layer


@pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`")
class TestTraining:
    @pytest.mark.parametrize("micro_batch_size", [None, 1, 5, 36, 37, 100])
    def test_micro_batches_do_not_change_the_step(self, micro_batch_size: int | None) -> None:
        model, expected = trained(micro_batch_size=micro_batch_size), by_hand()
        assert torch.allclose(model.layer.weight, expected.weight, rtol=0, atol=1e-13)
        assert model.trainer.global_step == 3

    def test_label_smoothing(self) -> None:
        expected = by_hand(label_smoothing=0.2)
        assert torch.allclose(trained(label_smoothing=0.2).layer.weight, expected.weight, rtol=0, atol=1e-13)

    @pytest.mark.parametrize("micro_batch_size", [None, 5, 36])
    @pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
    def test_labels_as_shares(self, label_smoothing: float, micro_batch_size: int | None) -> None:
        """Minus the sum over classes of smoothed share times log-probability, written out."""
        model = trained(labels=SHARES, label_smoothing=label_smoothing, micro_batch_size=micro_batch_size)
        torch.manual_seed(0)
        layer = nn.Linear(16, 10).double()
        for _ in range(3):
            layer.zero_grad()
            target = SHARES * (1 - label_smoothing) + label_smoothing / 10
            logits = layer(IMAGES.flatten(1))
            loss = -(target * logits.log_softmax(1)).sum(1).mean()
            loss.backward()
            with torch.no_grad():
                for parameter in layer.parameters():
                    parameter -= 0.1 * parameter.grad
        assert torch.allclose(model.layer.weight, layer.weight, rtol=0, atol=1e-8)  # the shares are float32
        assert model.recorded["train/loss"] == pytest.approx(loss.item(), rel=1e-6)
        assert model.recorded["train/accuracy"] == float((logits.argmax(1) == SHARES.argmax(1)).double().mean())

    @pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.2}, {"micro_batch_size": 5}])
    def test_whole_shares_are_labels(self, options: dict) -> None:
        hard, soft = trained(**options), trained(labels=F.one_hot(LABELS, 10).float(), **options)
        assert torch.allclose(hard.layer.weight, soft.layer.weight, rtol=0, atol=1e-8)
        assert hard.recorded["train/accuracy"] == soft.recorded["train/accuracy"]
        assert hard.recorded["train/loss"] == pytest.approx(soft.recorded["train/loss"], rel=1e-6)

    def test_gradient_clipping(self) -> None:
        expected = by_hand(clip=0.05)
        assert torch.allclose(trained(gradient_clip_norm=0.05).layer.weight, expected.weight, rtol=0, atol=1e-13)

    def test_gradient_clipping_leaves_a_loss_scale_aside(self) -> None:
        scaled = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu"))  # double numbers stay double in it
        model, expected = trained(gradient_clip_norm=0.05, plugins=scaled), by_hand(clip=0.05)
        assert torch.allclose(model.layer.weight, expected.weight, rtol=0, atol=1e-7)  # the scale is a float32

    def test_ratio_scales_the_learning_rate(self) -> None:
        model = trained(lr_ratios={"layer.bias": 0.0})
        torch.manual_seed(0)
        start = nn.Linear(16, 10).double()
        assert torch.equal(model.layer.bias, start.bias)
        assert not torch.equal(model.layer.weight, start.weight)

    def test_logged_loss_is_the_batchs_mean(self) -> None:
        model = trained(steps=1)
        torch.manual_seed(0)
        logits = nn.Linear(16, 10).double()(IMAGES.flatten(1))
        assert model.recorded["train/loss"] == pytest.approx(F.cross_entropy(logits, LABELS).item(), rel=1e-12)
        assert model.recorded["train/accuracy"] == float((logits.argmax(1) == LABELS).double().mean())
        assert model.recorded["train/epoch_loss"] == model.recorded["train/loss"]


def test_totals_are_the_sums() -> None:
    totals = ClassificationTotals()
    logits, labels = torch.randn(10, 5), torch.arange(10) % 5
    for part in (slice(0, 3), slice(3, 10)):
        totals.update(F.cross_entropy(logits[part], labels[part], reduction="sum"), logits[part], labels[part])
    loss_sum, correct, samples = totals.sums()
    assert loss_sum == pytest.approx(float(F.cross_entropy(logits, labels, reduction="sum")), rel=1e-6)
    assert (correct, samples) == (int((logits.argmax(1) == labels).sum()), 10)
    assert totals.sums() == (0.0, 0, 0)
    shares = torch.tensor([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]])
    totals.update(torch.tensor(3.0), torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 0.5]]), shares)
    assert totals.sums() == (3.0, 1, 2), "the heaviest class is the right one"
    assert means((5.0, 3, 4)) == {"loss": 1.25, "accuracy": 0.75, "error": 0.25}


def test_biases_and_norms_are_spared() -> None:
    model = ResNet(in_channels=3, image_size=32, num_classes=10, depth=20)
    groups = parameter_groups(model, spare_biases_and_norms=True, lr_ratios={})
    spared = {name for group in groups if group.get("weight_decay") == 0.0 for name, _ in group["params"]}
    decayed = {name for group in groups if "weight_decay" not in group for name, _ in group["params"]}
    assert spared | decayed == {name for name, _ in model.named_parameters()} and not spared & decayed
    parameters = dict(model.named_parameters())
    assert all(parameters[name].ndim == 1 for name in spared)
    assert all(parameters[name].ndim > 1 for name in decayed)


def test_longest_prefix_decides_the_ratio() -> None:
    model = MLP(in_channels=1, image_size=8, hidden_sizes=[16])
    names = [name for name, _ in model.named_parameters()]
    root = names[0].split(".")[0]
    groups = parameter_groups(model, False, {root: 0.5, names[0]: 2.0})
    ratios = {name: group["lr_ratio"] for group in groups for name, _ in group["params"]}
    assert ratios[names[0]] == 2.0
    assert all(ratios[name] == (0.5 if name.startswith(root + ".") else 1.0) for name in names[1:])


def test_frozen_parameters_stay_out() -> None:
    model = MLP(in_channels=1, image_size=8, hidden_sizes=[16])
    first = next(model.parameters()).requires_grad_(False)
    groups = parameter_groups(model, False, {})
    assert all(parameter is not first for group in groups for _, parameter in group["params"])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"label_smoothing": 1.0}, r"label_smoothing must lie in \[0, 1\)"),
        ({"micro_batch_size": 0}, "micro_batch_size must be at least 1"),
        ({"gradient_clip_norm": -1.0}, "gradient_clip_norm must be positive"),
    ],
)
def test_mistakes_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Linear(**arguments)


def test_ratio_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="no parameter begins with 'heads'; there are layer"):
        parameter_groups(Linear(), False, {"heads": 1.0})
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        parameter_groups(Linear(), False, {"layer": -1})


def test_no_optimizer() -> None:
    model = Linear()
    model.trainer = SimpleNamespace()  # type: ignore[assignment]
    with pytest.raises(ValueError, match="optimizer is missing"):
        model.configure_optimizers()


class Listens(pl.Callback):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def on_after_backward(self, *_: object) -> None:
        self.heard.append("backward")

    def on_before_optimizer_step(self, *_: object) -> None:
        self.heard.append("step")


@pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`")
def test_the_short_way_is_taken_unless_somebody_listens() -> None:
    """With a callback on the way every hook is called, without one the weights are the same to the bit."""
    models, listener = [], Listens()
    for callbacks in ([], [listener]):
        torch.manual_seed(0)
        model = Linear().double()
        model.optimizer_factory = lambda groups: torch.optim.SGD(groups, lr=0.1)
        trainer = pl.Trainer(
            max_steps=3, logger=False, enable_checkpointing=False, enable_progress_bar=False, callbacks=callbacks,
            enable_model_summary=False, accelerator="cpu",
        )  # fmt: skip
        trainer.fit(model, Repeated(3))
        assert trainer.global_step == 3
        models.append(model)
    assert listener.heard == ["backward", "step"] * 3
    assert (models[0].steps_directly, models[1].steps_directly) == (True, False)
    assert torch.equal(models[0].layer.weight, models[1].layer.weight)
