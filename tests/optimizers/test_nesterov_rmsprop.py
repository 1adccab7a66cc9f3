import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from optimizers import NesterovRMSprop

LRS = [0.01 * (1 + t % 5) for t in range(60)]


def _algorithm_8_6(
    theta: list[Tensor], loss: Callable[[list[Tensor]], Tensor], rho: float, alpha: float, decay: float
) -> list[list[Tensor]]:
    """The book's steps with their explicit look-ahead; the look-ahead points theta + alpha v after each step."""
    v, r, points = [torch.zeros_like(p) for p in theta], [torch.zeros_like(p) for p in theta], []
    for lr in LRS:
        ahead = [(p + alpha * q).detach().requires_grad_() for p, q in zip(theta, v, strict=True)]
        total = loss(ahead) + decay / 2 * sum((p**2).sum() for p in ahead)
        for i, g in enumerate(torch.autograd.grad(total, ahead)):
            r[i] = rho * r[i] + (1 - rho) * g**2
            v[i] = alpha * v[i] - lr / (torch.sqrt(r[i]) + 1e-8) * g
            theta[i] = theta[i] + v[i]
        points.append([p + alpha * q for p, q in zip(theta, v, strict=True)])
    return points


def _quadratic(seed: int) -> tuple[list[Tensor], Callable[[list[Tensor]], Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    start = torch.randn(6, generator=generator, dtype=torch.float64)
    return [start], lambda p: ((root @ p[0]) ** 2).sum()


def _net(seed: int) -> tuple[list[Tensor], Callable[[list[Tensor]], Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(20, 5, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (20,), generator=generator)
    shapes = [(7, 5), (7,), (3, 7), (3,)]
    start = [0.5 * torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    return start, lambda p: F.cross_entropy(F.linear(torch.tanh(F.linear(images, p[0], p[1])), p[2], p[3]), labels)


@pytest.mark.parametrize("problem", [_quadratic, _net])
@pytest.mark.parametrize("foreach", [True, False])
@pytest.mark.parametrize(("rho", "momentum", "decay"), [(0.9, 0.9, 0.0), (0.99, 0.5, 1e-2), (0.9, 0.0, 0.0)])
def test_is_algorithm_8_6_under_a_changing_lr(problem, foreach, rho, momentum, decay):
    start, loss = problem(0)
    params = [nn.Parameter(p.clone()) for p in start]
    optimizer = NesterovRMSprop(params, rho=rho, momentum=momentum, weight_decay=decay, foreach=foreach)
    theta = [p.clone() for p in start]
    for lr, points in zip(LRS, _algorithm_8_6(theta, loss, rho, momentum, decay), strict=True):
        optimizer.param_groups[0]["lr"] = lr
        optimizer.zero_grad()
        loss(params).backward()
        optimizer.step()
        for p, point in zip(params, points, strict=True):
            torch.testing.assert_close(p.detach(), point, rtol=1e-6, atol=1e-9)
    for p, expected in zip(params, theta, strict=True):
        recovered = p.detach() - momentum * optimizer.state[p]["velocity"]
        torch.testing.assert_close(recovered, expected, rtol=1e-6, atol=1e-9)


def test_without_momentum_it_is_torch_rmsprop():
    start, loss = _net(1)
    ours, theirs = ([nn.Parameter(p.clone()) for p in start] for _ in range(2))
    pair = [
        (ours, NesterovRMSprop(ours, lr=0.01, rho=0.95, momentum=0.0, weight_decay=1e-3)),
        (theirs, torch.optim.RMSprop(theirs, lr=0.01, alpha=0.95, weight_decay=1e-3)),
    ]
    for params, optimizer in pair:
        for _ in range(30):
            optimizer.zero_grad()
            loss(params).backward()
            optimizer.step()
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p.detach(), q.detach(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("foreach", [True, False])
def test_first_step_by_hand(foreach):
    """r = (1 - rho) g^2, v = -lr / sqrt(1 - rho) sign g, and the stored point is (1 + momentum) v further."""
    p = nn.Parameter(torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64))
    p.grad = torch.tensor([3.0, -0.1, 0.0], dtype=torch.float64)
    NesterovRMSprop([p], lr=0.01, rho=0.99, momentum=0.5, foreach=foreach).step()
    move = 1.5 * 0.01 / math.sqrt(0.01)
    expected = torch.tensor([-move, 1 + move, 2.0], dtype=torch.float64)
    torch.testing.assert_close(p.detach(), expected, rtol=1e-6, atol=1e-9)


def test_trains_digits(train_digits):
    assert train_digits(lambda params: NesterovRMSprop(params, lr=1e-3), 100) >= 0.98
