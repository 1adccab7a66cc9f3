import math

import numpy as np
import pytest
import torch
from torch import nn

from optimizers import Madam


def _published(p: np.ndarray, grads: list[np.ndarray], lrs: list[float]) -> np.ndarray:
    """The update of the paper, element by element, in float64."""
    bound = 3.0 * np.sqrt(np.mean(p * p))
    p, v = p.copy(), np.zeros_like(p)
    for t, (grad, lr) in enumerate(zip(grads, lrs, strict=True), start=1):
        for i in np.ndindex(p.shape):
            v[i] = 0.999 * v[i] + 0.001 * grad[i] ** 2
            scale = math.sqrt(v[i] / (1 - 0.999**t))
            hat = max(-10.0, min(10.0, grad[i] / scale)) if scale > 0 else 0.0
            p[i] = p[i] * math.exp(-lr * hat * np.sign(p[i]))
            p[i] = max(-bound, min(bound, p[i]))
    return p


@pytest.mark.parametrize("foreach", [True, False])
def test_follows_the_published_update(foreach):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(4, 5))
    grads = [rng.normal(size=(4, 5)) * 10.0 ** rng.integers(-3, 3) for _ in range(60)]
    for grad in grads:
        grad[0, :2] = 0
        grad[1] = -np.sign(start[1]) * np.abs(grad[1])  # these grow until the bound bites
    grads[40] *= 1e4  # g_bound bites
    lrs = [0.03 * (1 + t % 5) for t in range(60)]
    p = nn.Parameter(torch.tensor(start))
    optimizer = Madam([p], foreach=foreach)
    for grad, lr in zip(grads, lrs, strict=True):
        p.grad = torch.tensor(grad)
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
    expected = _published(start, grads, lrs)
    np.testing.assert_allclose(p.detach().numpy(), expected, rtol=1e-10)
    bound = 3 * math.sqrt((start**2).mean())
    assert np.isclose(np.abs(expected), bound).any() and (np.abs(expected) < bound).any()


@pytest.mark.parametrize("foreach", [True, False])
def test_first_step_is_a_factor_of_exp_lr(foreach):
    """Bias correction makes |g_hat| = 1 at the first step, whatever the gradient's size; a zero one moves nothing."""
    p = nn.Parameter(torch.tensor([1.0, 1.0, -1.0, -1.0, 1.0]))
    p.grad = torch.tensor([5.0, -1e-3, 5.0, -1e3, 0.0])
    Madam([p], lr=0.1, foreach=foreach).step()
    e = math.exp(0.1)
    torch.testing.assert_close(p.detach(), torch.tensor([1 / e, e, -e, -1 / e, 1.0]))


@pytest.mark.parametrize("foreach", [True, False])
def test_largest_step_is_g_bound_and_weights_stay_within_p_scale(foreach):
    p = nn.Parameter(torch.tensor([1.0, -1.0]))
    optimizer = Madam([p], lr=0.01, p_scale=2.0, g_bound=4.0, foreach=foreach)
    for size in [1e-6] * 50 + [1.0]:
        p.grad = torch.full((2,), size)
        before = p.detach().clone()
        optimizer.step()
    torch.testing.assert_close(p.detach() / before, torch.tensor([math.exp(-0.04), math.exp(0.04)]))
    optimizer.param_groups[0]["lr"] = 1.0
    for _ in range(5):
        optimizer.step()
    assert p[1] == -2.0 and 0 < p[0] < 0.1


def _net() -> nn.Module:
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    nn.init.zeros_(net[2].bias)
    return net


def test_zero_tensors_are_refused_by_name():
    with pytest.raises(ValueError, match=r"'raise'.*1\.bias \(4,\), 2\.bias \(2,\); give .*'sgd'.*'perturb'"):
        Madam(_net().named_parameters())
    with pytest.raises(ValueError, match=r"group 0 tensor 3 \(4,\), group 0 tensor 5 \(2,\);") as caught:
        Madam(_net().parameters())
    assert "\n" not in str(caught.value)
    many = [nn.Parameter(torch.zeros(1)) for _ in range(20)]
    with pytest.raises(ValueError, match="and 12 more"):
        Madam(many)


def test_zero_tensors_in_an_added_group_are_refused_and_the_group_left_out():
    optimizer = Madam([nn.Parameter(torch.ones(2))])
    with pytest.raises(ValueError, match=r"group 1 tensor 0 \(3,\)"):
        optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(3))]})
    assert len(optimizer.param_groups) == 1
    optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(3))], "zero_tensors": "sgd"})
    assert len(optimizer.param_groups) == 2


@pytest.mark.parametrize("foreach", [True, False])
def test_sgd_policy_adds_the_normalised_gradient(foreach):
    zero, other = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.ones(3))
    optimizer = Madam([zero, other], lr=0.1, zero_tensors="sgd", foreach=foreach)
    for grad in (torch.tensor([2.0, -3.0, 0.0]), torch.tensor([-2.0, -3.0, 0.0])):
        zero.grad, other.grad = grad, torch.ones(3)
        optimizer.step()
    torch.testing.assert_close(zero.detach(), torch.tensor([0.0, 0.2, 0.0]), atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(other.detach(), torch.full((3,), math.exp(-0.2)), rtol=1e-4, atol=0)


def test_perturb_policy_draws_once_from_its_own_generator():
    def draw(**options):
        zeros = [nn.Parameter(torch.zeros(4000)), nn.Parameter(torch.zeros(4000))]
        Madam(zeros, zero_tensors="perturb", **options)
        return [p.detach() for p in zeros]

    before = torch.get_rng_state()
    first, second = draw()
    torch.rand(3)
    torch.set_rng_state(before)
    again = draw()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again[0]) and torch.equal(second, again[1])
    assert not torch.equal(first, second) and not torch.equal(first, draw(seed=1)[0])
    assert float(first.std()) == pytest.approx(0.1, rel=0.05)
    assert float(draw(zero_std=0.02)[0].std()) == pytest.approx(0.02, rel=0.05)


def test_perturb_leaves_other_tensors_alone():
    net = _net()
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    Madam(net.parameters(), zero_tensors="perturb")
    changed = {name for name, p in net.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {"1.bias", "2.bias"}


def test_scattered_zeros_are_told_of_where_they_are_many():
    p = torch.ones(1000)
    p[:10] = 0
    Madam([nn.Parameter(p.clone())])
    p[10:20] = 0
    with pytest.warns(UserWarning, match=r"20 of 1000 elements of group 0 tensor 0 \(1000,\) are exactly zero"):
        Madam([nn.Parameter(p)])


def test_tensors_that_are_not_finite_or_not_float_are_refused():
    with pytest.raises(ValueError, match=r"finite.*group 0 tensor 0 \(1,\)"):
        Madam([nn.Parameter(torch.tensor([float("inf")]))])
    with pytest.raises(ValueError, match="floating-point"):
        Madam([nn.Parameter(torch.ones(2, dtype=torch.complex64))])


def test_late_tensors_are_measured_at_their_first_gradient():
    lazy, frozen = nn.LazyLinear(3), nn.Parameter(torch.zeros(2), requires_grad=False)
    optimizer = Madam([*lazy.parameters(), frozen])
    assert not optimizer.state
    lazy(torch.ones(2, 5)).sum().backward()
    optimizer.step()
    assert {p.shape for p in optimizer.state} == {(3, 5), (3,)}
    frozen.requires_grad_()
    frozen.grad = torch.ones(2)
    with pytest.raises(ValueError, match="group 0 tensor 2"):
        optimizer.step()


def test_bound_comes_from_the_checkpoint_and_not_from_the_current_weights():
    p = nn.Parameter(torch.tensor([1.0, -1.0]))
    saved = Madam([p]).state_dict()
    grown = nn.Parameter(torch.tensor([100.0, -100.0]))
    optimizer = Madam([grown])
    optimizer.load_state_dict(saved)
    grown.grad = torch.tensor([-1.0, 1.0])
    optimizer.step()
    assert grown.tolist() == [3.0, -3.0]


def test_trains_digits(train_digits):
    """A narrow network without normalisation is held back by the published bound, not by the update."""
    assert train_digits(lambda params: Madam(params, lr=0.03), 250) >= 0.89
    assert train_digits(lambda params: Madam(params, lr=0.03, p_scale=10), 250) >= 0.96


def test_least_squares_with_positive_and_negative_weights():
    """Signs of the start are those of the solution, which a multiplicative method cannot change."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 8, generator=generator)
    solution = torch.randn(8, generator=generator)
    p = nn.Parameter(torch.sign(solution) * 0.7)
    optimizer = Madam([p], lr=0.03)
    for t in range(400):
        optimizer.param_groups[0]["lr"] = 0.03 * (1 - t / 400)
        optimizer.zero_grad()
        loss = ((inputs @ (p - solution)) ** 2).mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-3
    assert torch.equal(torch.sign(p), torch.sign(solution))
