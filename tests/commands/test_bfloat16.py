"""Every architecture and every optimizer in bf16-mixed and bf16-true: losses are float32's, to bfloat16's rounding."""

from math import isfinite
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_modules import VGG19, AlexNet
from optimizers import CAPABILITIES
from records.environment import lacks_bfloat16
from tests.commands.test_resume import rows, weights
from tests.lightning_modules.test_architectures import SMALL, batch_for

STEPS = (
    "--data", "Digits", "--trainer.max_steps", "4", "--trainer.log_every_n_steps", "1", "--test_after_fit", "false",
    "--trainer.limit_val_batches", "0", "--trainer.enable_progress_bar", "false",
)  # fmt: skip
# bfloat16 rounds by up to 2^-9 of a number. A loss is some tens of roundings away from the weights, and a step's
# difference is passed on to the next.
NEAR = 32 * 2**-9
ARCHITECTURES: dict[Any, dict[str, Any]] = {}
for _model, _options in SMALL:
    ARCHITECTURES.setdefault(_model, _options)
needs_bfloat16 = pytest.mark.skipif(lacks_bfloat16(), reason="minutes on a CPU without instructions for bfloat16")
LARGE = [
    pytest.param(AlexNet, {}, marks=pytest.mark.slow, id="AlexNet"),
    pytest.param(VGG19, {}, marks=[pytest.mark.slow, needs_bfloat16], id="VGG19"),
]

in_bfloat16 = pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])


def losses(cadence, *words: str) -> list[float]:
    """The losses of four steps."""
    folder = Path(f"run{len(list(Path().glob('run*')))}")
    assert cadence("fit", *STEPS, *words, "--run_dir", folder) == 0
    found = [float(row["train/loss"]) for row in rows(folder) if row.get("train/loss")]
    assert len(found) == 4 and all(map(isfinite, found))
    assert all(value.isfinite().all() for value in weights(folder).values())
    return found


def near(found: list[float], wanted: list[float]) -> None:
    assert found != wanted, "it ran in float32"
    assert found == pytest.approx(wanted, rel=NEAR)


@in_bfloat16
@pytest.mark.parametrize(
    ("model", "options"),
    [*(pytest.param(*row, id=row[0].__name__) for row in ARCHITECTURES.items()), *LARGE],
)
def test_every_architecture(cadence, model: Any, options: dict[str, Any], precision: str) -> None:
    shape = batch_for(model, options, 1)[0].shape
    fixed = ("in_channels", "image_size", "num_classes")  # they follow from the data
    words = [word for name, value in options.items() if name not in fixed for word in (f"--model.{name}", str(value))]
    size = "2" if model in (AlexNet, VGG19) else "16"
    run = (
        "--model", model.__name__, *words, "--data.in_channels", str(shape[1]), "--data.image_size", str(shape[2]),
        "--data.batch_size", size, "--optimizer", "SGD", "--optimizer.lr", "0.001",
    )  # fmt: skip
    if model in (AlexNet, VGG19):  # of two images a step, whose masks bfloat16 draws otherwise
        run += ("--model.dropout", "0", "--optimizer.lr", "0.0001")
    near(losses(cadence, *run, "--trainer.precision", precision), losses(cadence, *run))


@in_bfloat16
@pytest.mark.parametrize("name", CAPABILITIES)
def test_every_optimizer(cadence, capsys, name: str, precision: str) -> None:
    run = ("--model", "MLP", "--model.hidden_sizes", "[16]", "--optimizer", name)
    if "Madam" in name:
        run += ("--optimizer.zero_tensors", "sgd")
    if name == "BBitMadam" and precision == "bf16-true":
        assert cadence("fit", *STEPS, *run, "--trainer.precision", precision, "--run_dir", "run") == 2
        assert "set trainer.precision to bf16-mixed, or take Madam" in capsys.readouterr().err
        return
    near(losses(cadence, *run, "--trainer.precision", precision), losses(cadence, *run))


def test_a_step_of_madam_below_a_bfloat16s_last_bit_is_not_lost(cadence) -> None:
    run = ("--model", "MLP", "--model.hidden_sizes", "[16]", "--optimizer", "Madam", "--optimizer.lr", "0.0002")
    losses(cadence, *run, "--optimizer.zero_tensors", "sgd", "--trainer.precision", "bf16-true")
    state = torch.load("run0/checkpoints/last.ckpt", weights_only=True)
    masters = [one["master"] for one in state["optimizer_states"][0]["state"].values()]
    for master, weight in zip(masters, state["state_dict"].values(), strict=True):
        assert master.dtype == torch.float32 and weight.dtype == torch.bfloat16
        assert torch.equal(master.to(torch.bfloat16), weight) and not torch.equal(master, weight.float())
