"""Multiply-adds of every product that torch has, against a loop, and a bound where no rule is known."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspection.layers.multiply_adds import MultiplyAdds, counted, may_multiply
from inspection.layers.trace import trace

aten = torch.ops.aten


def m(*sizes: int) -> Tensor:
    return torch.empty(sizes, device="meta")


def cell(kind: type[nn.Module], *inputs: Tensor) -> Any:
    return kind(4, 5, device="meta")(*inputs)


# What is computed, and its multiplications: every result value times the length of the sum behind it.
PRODUCTS: dict[str, tuple[Callable[[], Any], int]] = {
    "matrix @ vector": (lambda: m(3, 4) @ m(4), 3 * 4),
    "vector @ matrix": (lambda: m(3) @ m(3, 4), 3 * 4),
    "batch @ vector": (lambda: m(2, 3, 4) @ m(4), 2 * 3 * 4),
    "vector @ vector": (lambda: m(4) @ m(4), 4),
    "mm": (lambda: m(3, 4) @ m(4, 5), 3 * 5 * 4),
    "mv": (lambda: torch.mv(m(3, 4), m(4)), 3 * 4),
    "dot": (lambda: torch.dot(m(4), m(4)), 4),
    "vdot": (lambda: torch.vdot(m(4), m(4)), 4),
    "inner": (lambda: torch.inner(m(3, 4), m(2, 4)), 3 * 2 * 4),
    "inner of vectors": (lambda: torch.inner(m(4), m(4)), 4),
    "addr": (lambda: torch.addr(m(3, 4), m(3), m(4)), 3 * 4),
    "addmv": (lambda: torch.addmv(m(3), m(3, 4), m(4)), 3 * 4),
    "addmm": (lambda: torch.addmm(m(5), m(3, 4), m(4, 5)), 3 * 5 * 4),
    "addbmm": (lambda: torch.addbmm(m(3, 5), m(2, 3, 4), m(2, 4, 5)), 2 * 3 * 5 * 4),
    "baddbmm": (lambda: torch.baddbmm(m(2, 3, 5), m(2, 3, 4), m(2, 4, 5)), 2 * 3 * 5 * 4),
    "addr in place": (lambda: m(3, 4).addr_(m(3), m(4)), 3 * 4),
    "addmv in place": (lambda: m(3).addmv_(m(3, 4), m(4)), 3 * 4),
    "addmm in place": (lambda: m(3, 5).addmm_(m(3, 4), m(4, 5)), 3 * 5 * 4),
    "addbmm in place": (lambda: m(3, 5).addbmm_(m(2, 3, 4), m(2, 4, 5)), 2 * 3 * 5 * 4),
    "baddbmm in place": (lambda: m(2, 3, 5).baddbmm_(m(2, 3, 4), m(2, 4, 5)), 2 * 3 * 5 * 4),
    "mm into": (lambda: torch.mm(m(3, 4), m(4, 5), out=m(3, 5)), 3 * 5 * 4),
    "mv into": (lambda: torch.mv(m(3, 4), m(4), out=m(3)), 3 * 4),
    "addmm with an activation": (lambda: aten._addmm_activation(m(5), m(3, 4), m(4, 5)), 3 * 5 * 4),
    "a chain": (lambda: torch.linalg.multi_dot([m(3, 4), m(4, 5), m(5)]), 4 * 5 + 3 * 4),
    "tensordot": (lambda: torch.tensordot(m(3, 4, 5), m(4, 5, 6), 2), 3 * 6 * 4 * 5),
    "einsum": (lambda: torch.einsum("bij,bjk->bik", m(2, 3, 4), m(2, 4, 5)), 2 * 3 * 5 * 4),
    "einsum of a vector": (lambda: torch.einsum("bi,i->b", m(2, 3), m(3)), 2 * 3),
    "matrix power": (lambda: torch.linalg.matrix_power(m(3, 3), 3), 2 * 27),
    "whole numbers": (lambda: aten._int_mm(m(32, 16).to(torch.int8), m(16, 8).to(torch.int8)), 32 * 8 * 16),
    "linear": (lambda: F.linear(m(2, 4), m(3, 4), m(3)), 2 * 3 * 4),
    "linear of one": (lambda: F.linear(m(4), m(3, 4)), 3 * 4),
    "linear to one": (lambda: F.linear(m(2, 4), m(4)), 2 * 4),
    # x W, then that times y: for each of 7 images and 5 results, 3 * 4 and 4
    "bilinear": (lambda: F.bilinear(m(7, 3), m(7, 4), m(5, 3, 4), m(5)), 7 * 5 * (3 * 4 + 4)),
    "conv1d": (lambda: F.conv1d(m(2, 3, 9), m(5, 3, 2)), 2 * 5 * 8 * 3 * 2),
    "conv2d": (lambda: F.conv2d(m(2, 4, 9, 9), m(6, 2, 3, 3), groups=2), 2 * 6 * 7 * 7 * 2 * 9),
    "conv3d": (lambda: F.conv3d(m(1, 2, 5, 5, 5), m(3, 2, 3, 3, 3)), 3 * 27 * 2 * 27),
    "conv_transpose2d": (lambda: F.conv_transpose2d(m(1, 2, 5, 5), m(2, 3, 3, 3)), 25 * 2 * 3 * 9),
    "conv_tbc": (lambda: torch.conv_tbc(m(9, 2, 3), m(3, 3, 5), m(5)), 7 * 2 * 5 * 3 * 3),
    "attention": (lambda: F.scaled_dot_product_attention(*[m(2, 2, 3, 4)] * 3), 2 * (2 * 2 * 3 * 3 * 4)),
    "RNN cell": (lambda: cell(nn.RNNCell, m(2, 4)), 2 * 5 * (4 + 5)),
    "GRU cell": (lambda: cell(nn.GRUCell, m(2, 4)), 2 * 15 * (4 + 5)),
    "LSTM cell": (lambda: cell(nn.LSTMCell, m(2, 4)), 2 * 20 * (4 + 5)),
    "LSTM": (lambda: cell(nn.LSTM, m(6, 2, 4)), 6 * 2 * 20 * (4 + 5)),
    "no product": (lambda: F.softmax(F.relu(m(3, 4)), 1).sum(), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_multiplications_of_a_product(name: str) -> None:
    function, expected = PRODUCTS[name]
    with MultiplyAdds() as found:
        function()
    assert (found.count, found.unknown) == (expected, [])


UNKNOWN: dict[str, tuple[Callable[[], Any], str]] = {
    "distances": (lambda: torch.cdist(m(3, 4), m(5, 4)), "_cdist_forward"),
    "a Fourier transform": (lambda: torch.fft.rfft2(m(3, 8, 8)), "_fft_r2c"),
    "a linear system": (lambda: torch.linalg.solve(m(3, 3), m(3, 2)), "_linalg_solve_ex"),
    "a matrix exponential": (lambda: torch.matrix_exp(m(3, 3)), "linalg_matrix_exp"),
    "reflections": (lambda: torch.linalg.householder_product(m(4, 3), m(3)), "linalg_householder_product"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_operation_without_a_rule_is_told(name: str) -> None:
    function, operation = UNKNOWN[name]
    with MultiplyAdds() as found:
        function()
        m(3, 4) @ m(4)
    assert (found.count, found.unknown) == (12, [operation])


def test_an_operation_of_another_library_is_told() -> None:
    library = torch.library.Library("of_a_stranger", "DEF")
    library.define("twice(Tensor x) -> Tensor")
    library.impl("twice", lambda x: x.new_empty(x.shape), "Meta")
    with MultiplyAdds() as found:
        torch.ops.of_a_stranger.twice(m(3))
    assert found.unknown == ["of_a_stranger::twice"]


# Parts of torch's names for operations that multiply matrices, and the names that have such a part and do not.
LIKE = re.compile(
    r"(?<!ga)mm(?!a)|mv|dot|matmul|conv|linear|attention|rnn|gru|lstm|fft|linalg|einsum|cdist|addr|transformer"
)
OTHERS = re.compile(
    "cumm|lgamma|comm|convert|upsample|linalg_(cross|vector_norm|check_errors|diagonal)|norm|symm|hamming|fft_freq|imm"
    "|nested|linear_combination|set_data|reorder|backward|flatten_weight|digamma"
)


def test_every_operation_of_torch_that_multiplies_matrices_has_a_rule_or_is_told() -> None:
    missed = []
    for full in torch._C._dispatch_get_all_op_names():
        name, _, overload = full.removeprefix("aten::").partition(".")
        if not full.startswith("aten::") or not LIKE.search(name) or OTHERS.search(name):
            continue
        operation = getattr(getattr(aten, name), overload or "default")
        implicit = torch._C._dispatch_has_kernel_for_dispatch_key(full, "CompositeImplicitAutograd")
        if not implicit and not counted(operation) and not may_multiply(operation):
            missed.append(full)
    assert missed == []


class Outside(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.pairs = nn.Linear(4, 3), nn.Bilinear(3, 3, 2)
        self.vector = nn.Parameter(torch.ones(2))

    def forward(self, images: Tensor) -> Tensor:
        features = self.fc(images.flatten(1))
        return self.pairs(features, features) @ self.vector


def test_layers_and_what_lies_outside_of_them() -> None:
    table = trace(Outside().to("meta"), (1, 2, 2))
    assert [row.multiply_adds for row in table.layers if row.output_shape] == [12, 2 * (3 * 3 + 3)]
    assert table.multiply_adds == 12 + 24 + 2 and not table.unknown


class Frequencies(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return torch.view_as_real(torch.fft.rfft2(images)).flatten(1)


def test_a_bound_is_said_to_be_one() -> None:
    table = trace(nn.Sequential(Frequencies(), nn.Linear(40, 2)).to("meta"), (1, 5, 6))
    assert (table.multiply_adds, table.unknown) == (80, ("_fft_r2c",))
    assert [row.unknown for row in table.layers] == [("_fft_r2c",), ()]
