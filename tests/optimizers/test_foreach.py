"""The `foreach` versions against the plain loops."""

import math

import pytest
import torch
from torch import nn

import optimizers
from optimizers._gradients import use_foreach

CASES = [
    ("Madam", {"zero_tensors": "sgd"}),
    ("Madam", {"zero_tensors": "perturb", "p_scale": 1.0, "g_bound": 2.0}),
    ("BBitMadam", {"zero_tensors": "sgd", "bits": 8}),
    ("BBitMadam", {"zero_tensors": "perturb", "initial": "uniform"}),
    ("NesterovRMSprop", {}),
    ("NesterovRMSprop", {"weight_decay": 0.1, "momentum": 0.5, "rho": 0.99}),
]


def _groups(make_params):
    second = [nn.Parameter(p.detach() * 0.3) for p in make_params()]
    return [{"params": make_params(zero=True)}, {"params": second, "lr": 0.03}]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_agrees_with_the_loop_over_200_steps(name, options, make_params, drive):
    pair = [getattr(optimizers, name)(_groups(make_params), foreach=foreach, **options) for foreach in (False, True)]
    for optimizer in pair:
        drive(optimizer, range(200))
    loop, foreach = pair
    for one, two in zip(loop.param_groups, foreach.param_groups, strict=True):
        for p, q in zip(one["params"], two["params"], strict=True):
            torch.testing.assert_close(q, p, rtol=1e-5, atol=1e-6)
            assert loop.state[p].keys() == foreach.state[q].keys()
            if "exponent" in loop.state[p]:
                assert torch.equal(loop.state[p]["exponent"], foreach.state[q]["exponent"])


@pytest.mark.parametrize(("name", "options"), CASES)
def test_the_default_is_one_of_the_two(name, options, make_params, drive):
    default, foreach = (getattr(optimizers, name)(_groups(make_params), foreach=f, **options) for f in (None, True))
    drive(default, range(5))
    drive(foreach, range(5))
    for one, two in zip(default.param_groups, foreach.param_groups, strict=True):
        assert all(torch.equal(p, q) for p, q in zip(one["params"], two["params"], strict=True))


@pytest.mark.parametrize("name", ["Madam", "NesterovRMSprop", "BBitMadam"])
@pytest.mark.parametrize("foreach", [None, True, False])
def test_mixed_precisions_in_one_group(name, foreach, make_params, drive):
    params = make_params() + make_params(torch.float64)
    drive(getattr(optimizers, name)(params, foreach=foreach), range(5))
    for narrow, wide in zip(params[1:5], params[6:], strict=True):
        assert narrow.dtype == torch.float32 and wide.dtype == torch.float64
        assert torch.isfinite(narrow).all() and torch.isfinite(wide).all()


def test_default_follows_device_and_dtype():
    single, double = torch.ones(2), torch.ones(2, dtype=torch.float64)
    assert use_foreach(None, [single, single])
    assert not use_foreach(None, [single, double])
    assert not use_foreach(None, [single, torch.ones(2, device="meta")])
    assert not use_foreach(False, [single]) and use_foreach(True, [single, double])


@pytest.mark.parametrize("name", ["Madam", "NesterovRMSprop", "BBitMadam"])
@pytest.mark.parametrize("foreach", [True, False])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_diverged_gradient_shows_in_the_weights(name, foreach, bad):
    """It would be a silent freeze if NaN / NaN counted as 0 / 0 does."""
    p = nn.Parameter(torch.ones(4))
    optimizer = getattr(optimizers, name)([p], foreach=foreach)
    for _ in range(2):
        p.grad = torch.tensor([1.0, bad, 0.0, -1.0])
        optimizer.step()
    assert torch.isnan(p).tolist() == [False, True, False, False]


@pytest.mark.gpu
@pytest.mark.parametrize(("name", "options"), CASES)
def test_agrees_with_the_loop_on_cuda(name, options):
    torch.manual_seed(0)
    start = [torch.randn(shape, device="cuda") for shape in [(64, 32), (16, 3, 3, 3), (100,)]]
    pair = []
    for foreach in (False, True):
        params = [nn.Parameter(p.clone()) for p in start]
        optimizer = getattr(optimizers, name)(params, foreach=foreach, **options)
        with torch.cuda.device(0):
            torch.cuda.set_sync_debug_mode("error")
            try:
                generator = torch.Generator(device="cuda").manual_seed(1)
                for _ in range(200):
                    for p in params:
                        p.grad = torch.randn(p.shape, device="cuda", generator=generator)
                    optimizer.step()
            finally:
                torch.cuda.set_sync_debug_mode("default")
        pair.append(params)
    # A last-bit difference may round g_hat * lr / base_lr the other way: one exponent more or less.
    tolerance = 0.02 if name == "BBitMadam" else 1e-4
    for p, q in zip(*pair, strict=True):
        torch.testing.assert_close(q, p, rtol=tolerance, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["Madam", "BBitMadam", "NesterovRMSprop"])
def test_agrees_with_the_loop_for_gradients_of_every_size(name, dtype):
    """Down to where their squares, and then they themselves, are no longer normal numbers."""
    smallest, largest = torch.finfo(dtype).smallest_normal * 2.0**-20, torch.finfo(dtype).max / 4
    sizes = torch.logspace(math.log10(smallest), math.log10(largest), 700, dtype=dtype)
    grads = torch.cat([sizes, -sizes, torch.zeros(2, dtype=dtype)])
    pair = []
    for foreach in (False, True):
        p = nn.Parameter(torch.linspace(-2, 3, len(grads), dtype=dtype))
        optimizer = getattr(optimizers, name)([p], foreach=foreach)
        for _ in range(3):
            p.grad = grads.clone()
            optimizer.step()
        pair.append(p.detach())
    assert torch.isfinite(pair[0]).all()
    torch.testing.assert_close(pair[1], pair[0], rtol=1e-6, atol=0)
