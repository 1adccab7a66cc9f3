import math

import pytest
import torch
from torch import nn

from optimizers import BBitMadam, storage_bits
from optimizers.bbit_madam import PUBLISHED_BASE_LR, decode, encode


def _weights(count: int = 500) -> nn.Parameter:
    return nn.Parameter(torch.randn(count, generator=torch.Generator().manual_seed(3)))


def _decoded(optimizer: BBitMadam, p: nn.Parameter) -> torch.Tensor:
    state, base_lr = optimizer.state[p], optimizer.param_groups[0]["base_lr"]
    return state["sign"] * state["bound"] * torch.exp(-base_lr * state["exponent"].double())


@pytest.mark.parametrize("foreach", [True, False])
def test_exponents_move_by_rounded_steps(foreach):
    """|g_hat| is 1 at the first step: lr / base_lr exponents, and a positive gradient shrinks a positive weight."""
    p = nn.Parameter(torch.tensor([1.0, 1.0, -1.0, -1.0, 1.0]))
    optimizer = BBitMadam([p], lr=0.0524, base_lr=0.01, bits=10, foreach=foreach)
    before = optimizer.state[p]["exponent"].clone()
    assert before.tolist() == [round(math.log(3) / 0.01)] * 5
    p.grad = torch.tensor([2.0, -2.0, 2.0, -2.0, 0.0])
    optimizer.step()
    assert (optimizer.state[p]["exponent"] - before).tolist() == [5, -5, -5, 5, 0]
    factor = p.detach() / decode(optimizer.state[p]["sign"], before, optimizer.state[p]["bound"], 0.01, torch.float32)
    shrunk, grown = math.exp(-0.05), math.exp(0.05)
    torch.testing.assert_close(factor, torch.tensor([shrunk, grown, grown, shrunk, 1.0]))


@pytest.mark.parametrize("foreach", [True, False])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_weights_are_always_the_decoded_codes(bits, foreach, drive):
    p = _weights()
    optimizer = BBitMadam([p], bits=bits, foreach=foreach)
    signs = torch.sign(p.detach())
    for t in range(40):
        drive(optimizer, range(t, t + 1))
        state = optimizer.state[p]
        assert state["sign"].dtype == torch.int8 and state["exponent"].dtype == torch.int16
        assert int(state["exponent"].min()) >= 0 and int(state["exponent"].max()) <= 2**bits - 1
        torch.testing.assert_close(p.detach().double(), _decoded(optimizer, p), rtol=1e-6, atol=0)
    assert torch.equal(torch.sign(p), signs)
    assert len(p.unique()) <= 2 ** (bits + 1)


@pytest.mark.parametrize("foreach", [True, False])
def test_exponents_stop_at_both_ends(foreach):
    p = nn.Parameter(torch.tensor([1.0, -1.0]))
    optimizer = BBitMadam([p], lr=50.0, bits=12, foreach=foreach)
    p.grad = torch.ones(2)
    optimizer.step()
    assert optimizer.state[p]["exponent"].tolist() == [4095, 0]
    torch.testing.assert_close(p.detach(), torch.tensor([3 * math.exp(-4.095), -3.0]))


def test_published_base_rates_and_their_range():
    assert PUBLISHED_BASE_LR == {8: 0.01, 10: 0.005, 12: 0.001}
    for bits, base_lr in PUBLISHED_BASE_LR.items():
        p = _weights(4)
        optimizer = BBitMadam([p], bits=bits)
        assert optimizer.param_groups[0]["base_lr"] == base_lr
        optimizer.add_param_group({"params": [_weights(3)], "bits": 9, "base_lr": 0.02})
    group = BBitMadam([{"params": [_weights(4)], "bits": 8}, {"params": [_weights(5)]}]).param_groups
    assert [g["base_lr"] for g in group] == [0.01, 0.001]


def test_nearest_encoding_is_within_half_a_step():
    p = _weights()
    start = p.detach().clone()
    optimizer = BBitMadam([p], bits=12)
    bound, floor = optimizer.state[p]["bound"], optimizer.state[p]["bound"] * math.exp(-0.001 * 4095)
    inside = (start.abs() < bound) & (start.abs() > floor)
    assert inside.float().mean() > 0.9
    assert (torch.log(p.detach() / start)[inside].abs() <= 0.0005 * 1.01).all()
    assert torch.allclose(p.detach()[start.abs() < floor].abs(), torch.tensor(floor))
    assert bound == pytest.approx(3 * float(start.square().mean().sqrt()), rel=1e-6)


def test_encoding_what_was_decoded_gives_the_same_codes():
    sign = torch.where(torch.arange(256) % 2 == 0, 1, -1).to(torch.int8)
    exponent = torch.arange(256, dtype=torch.int16)
    again = encode(decode(sign, exponent, 0.7, 0.01, torch.float32), 0.7, 0.01, 256)
    assert torch.equal(again[0], sign) and torch.equal(again[1], exponent)


def test_zero_elements_take_the_smallest_code_and_can_move():
    p = nn.Parameter(torch.tensor([0.0, 1.0, -1.0]))
    optimizer = BBitMadam([p], bits=8)
    assert optimizer.state[p]["sign"].tolist() == [1, 1, -1]
    assert optimizer.state[p]["exponent"][0] == 255
    p.grad = -torch.ones(3)
    optimizer.step()
    assert optimizer.state[p]["exponent"][0] == 254


def test_uniform_exponents_are_seeded_and_keep_signs():
    def draw(seed: int) -> tuple[torch.Tensor, nn.Parameter]:
        p = _weights(4000)
        optimizer = BBitMadam([p], bits=8, initial="uniform", seed=seed)
        return optimizer.state[p]["exponent"], p

    exponents, p = draw(0)
    assert torch.equal(exponents, draw(0)[0]) and not torch.equal(exponents, draw(1)[0])
    assert torch.equal(torch.sign(p), torch.sign(_weights(4000)))
    assert int(exponents.min()) == 0 and int(exponents.max()) == 255
    assert float(exponents.float().mean()) == pytest.approx(127.5, abs=4)


def test_state_says_how_many_bits_a_weight_takes():
    params = [_weights(100), nn.Parameter(torch.zeros(10)), nn.Parameter(torch.zeros(3), requires_grad=False)]
    optimizer = BBitMadam(params, bits=8, zero_tensors="sgd")
    state = optimizer.state_dict()
    assert state["param_groups"][0]["bits"] == 8
    assert [state["state"][i]["bits_per_weight"] for i in (0, 1)] == [9, 32]
    assert storage_bits(optimizer) == 100 * 9 + 32 + 10 * 32
    assert optimizer.bits_per_weight() == pytest.approx(1252 / 110)


def test_a_run_holds_more_than_the_format_needs():
    p = _weights(100)
    optimizer = BBitMadam([p], bits=8)
    held = [value for value in optimizer.state[p].values() if isinstance(value, torch.Tensor)]
    assert sum(8 * value.element_size() for value in (p, *held)) == 32 + 24 + 32
    assert optimizer.state[p]["bits_per_weight"] == 9


def test_codes_are_the_truth_when_a_state_is_loaded(drive):
    p = _weights()
    optimizer = BBitMadam([p], bits=10)
    drive(optimizer, range(5))
    other = nn.Parameter(torch.ones(500))
    again = BBitMadam([other], bits=10)
    again.load_state_dict(optimizer.state_dict())
    assert torch.equal(other, p)
    assert again.state[other]["exponent"].dtype == torch.int16


def test_an_lr_that_moves_nothing_is_told_of():
    with pytest.warns(UserWarning, match="lr 0.0001 moves no weight of 8 bits.*0.0005 round to none"):
        BBitMadam([_weights()], lr=0.0001, bits=8)
    BBitMadam([_weights()], lr=0.0, bits=8)


def test_low_precision_parameters_are_refused():
    with pytest.raises(ValueError, match=r"float32 or float64, got torch\.bfloat16"):
        BBitMadam([nn.Parameter(torch.ones(2, dtype=torch.bfloat16))])


@pytest.mark.parametrize(("bits", "initial"), [(12, "nearest"), (12, "uniform"), (10, "nearest"), (8, "nearest")])
def test_trains_digits(bits, initial, train_digits):
    """The published bound of 3 holds so narrow a network below 92 %, at any precision."""
    assert train_digits(lambda params: BBitMadam(params, lr=0.03, bits=bits, initial=initial), 250) >= 0.88
