"""Our optimizers on weights in half precision: the float32 run itself, rounded where it is read."""

import io
from collections.abc import Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import optimizers
from optimizers import CAPABILITIES

OURS = [name for name, row in CAPABILITIES.items() if row.ours and name != "BBitMadam"]
SMALL = 1e-4  # a relative step of a twentieth of bfloat16's last bit

pytestmark = [pytest.mark.parametrize("name", OURS), pytest.mark.parametrize("foreach", [True, False])]


@pytest.fixture(params=[torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param


def weights(dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    drawn = [torch.randn(shape, generator=generator).to(dtype) for shape in ((40, 5), (4, 3, 3, 3), (7,))]
    return [
        nn.Parameter(drawn[0]),
        nn.Parameter(drawn[1].contiguous(memory_format=torch.channels_last)),
        *map(nn.Parameter, drawn[2:]),
    ]


def drive(optimizer: torch.optim.Optimizer, steps: Iterable[int], through: torch.dtype) -> None:
    """Steps on gradients that the dtype `through` holds exactly, whatever that of the weights."""
    for t in steps:
        for i, p in enumerate(optimizer.param_groups[0]["params"]):
            generator = torch.Generator().manual_seed(10 * t + i)
            p.grad = torch.rand(p.shape, generator=generator).add(0.5).to(through).to(p.dtype)
        optimizer.step()


def test_small_steps_add_up_as_in_float32(name: str, foreach: bool, dtype: torch.dtype) -> None:
    half = weights(dtype)
    single = [nn.Parameter(p.detach().float()) for p in half]
    pair = [getattr(optimizers, name)(params, lr=SMALL, foreach=foreach) for params in (half, single)]
    start = [p.detach().clone() for p in half]
    for optimizer in pair:
        drive(optimizer, range(300), dtype)
    for p, q, old in zip(half, single, start, strict=True):
        assert torch.equal(p, q.to(dtype)) and torch.equal(pair[0].state[p]["master"], q)
        assert (p != old).float().mean() > 0.9, "a step below half of the last bit is lost if it is taken in half"
        assert p.dtype == dtype and all(
            value.dtype == torch.float32 for value in pair[0].state[p].values() if torch.is_tensor(value)
        )


def test_a_checkpoint_keeps_what_rounding_hides(name: str, foreach: bool, dtype: torch.dtype) -> None:
    unbroken = weights(dtype)
    optimizer = getattr(optimizers, name)(unbroken, lr=SMALL, foreach=foreach)
    drive(optimizer, range(20), dtype)
    file = io.BytesIO()
    torch.save({"params": [p.detach() for p in unbroken], "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    saved: dict[str, Any] = torch.load(file, weights_only=True)
    resumed = [nn.Parameter(value.clone()) for value in saved["params"]]
    again = getattr(optimizers, name)(resumed, lr=SMALL, foreach=foreach)
    again.load_state_dict(saved["optimizer"])
    for one in (optimizer, again):
        drive(one, range(20, 60), dtype)
    for p, q in zip(unbroken, resumed, strict=True):
        assert torch.equal(p, q) and torch.equal(optimizer.state[p]["master"], again.state[q]["master"])


def test_what_is_written_from_outside_counts(name: str, foreach: bool, dtype: torch.dtype) -> None:
    params = weights(dtype)
    optimizer = getattr(optimizers, name)(params, lr=SMALL, foreach=foreach)
    drive(optimizer, range(10), dtype)
    kept = optimizer.state[params[0]]["master"][1:].clone()
    with torch.no_grad():
        params[0][0] = 2.0
    optimizer.param_groups[0]["lr"] = 0.0
    for group in optimizer.param_groups:
        group["momentum"] = 0.0
    drive(optimizer, [10], dtype)
    bound = optimizer.state[params[0]].get("bound", 2.0)
    assert torch.equal(params[0][0], torch.full((5,), min(2.0, bound)).to(dtype))
    assert torch.equal(optimizer.state[params[0]]["master"][1:], kept.clamp(-bound, bound) if name == "Madam" else kept)
