from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def drive() -> Callable[..., None]:
    """Steps on gradients that follow from (t, place) alone, some zero, some missing, with a new lr at each step."""

    def run(optimizer: Optimizer, steps: range) -> None:
        for t in steps:
            for number, group in enumerate(optimizer.param_groups):
                group["lr"] = 0.01 * (1 + number) * (1 + (t % 7)) / 7
                for i, p in enumerate(group["params"]):
                    generator = torch.Generator().manual_seed(1000 * t + 10 * i + number)
                    grad = torch.randn(p.shape, generator=generator).to(p.dtype) * 10.0 ** (i - 2)
                    grad[torch.rand(p.shape, generator=generator) < 0.2] = 0
                    if t % 11 == 3:
                        grad.zero_()
                    p.grad = None if t % 5 == i else grad
            optimizer.step()

    return run


@pytest.fixture
def make_params() -> Callable[..., list[Tensor]]:
    """Parameters of several shapes, one of them channels-last, one a scalar; the same at each call."""

    def make(dtype: torch.dtype = torch.float32, zero: bool = False) -> list[Tensor]:
        generator = torch.Generator().manual_seed(7)
        shapes = [(5,), (4, 3), (4, 3, 3, 3), (), (1, 257)]
        tensors = [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]
        tensors[2] = tensors[2].contiguous(memory_format=torch.channels_last)
        if zero:
            tensors.append(torch.zeros(6, dtype=dtype))
        return [nn.Parameter(tensor) for tensor in tensors]

    return make


@pytest.fixture(scope="session")
def digits() -> tuple[Tensor, Tensor]:
    bunch = load_digits()
    return torch.tensor(bunch.data / 16, dtype=torch.float32), torch.tensor(bunch.target)


@pytest.fixture
def train_digits(digits: tuple[Tensor, Tensor]) -> Callable[..., float]:
    """Full-batch training of a 64-32-10 network; the share of training digits that it gets right at the end."""

    def train(make: Callable[[Any], Optimizer], steps: int) -> float:
        images, labels = digits
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        optimizer = make(net.parameters())
        for _ in range(steps):
            optimizer.zero_grad()
            F.cross_entropy(net(images), labels).backward()
            optimizer.step()
        return float((net(images).argmax(1) == labels).float().mean())

    return train
