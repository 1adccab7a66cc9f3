"""MLP: parameter counts, the order of layers, initial values."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lightning_modules import MLP
from tests.lightning_modules.conftest import counts_by_layer

# Parameters by hidden sizes: the 36 cells of the search are these four, 3 activations and 3 learning rates.
SEARCH_COUNTS = {(784, 256): 818_970, (512, 384): 602_762, (666, 333): 748_261, (666, 666): 973_702}


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
@pytest.mark.parametrize(("hidden", "count"), SEARCH_COUNTS.items())
def test_mlp_search_counts(hidden: tuple[int, int], count: int, activation: str) -> None:
    with torch.device("meta"):
        model = MLP(hidden_sizes=list(hidden), activation=activation, init="glorot")
    assert sum(p.numel() for p in model.parameters()) == count


def test_baseline_and_dropout_counts() -> None:
    assert counts_by_layer(MLP(hidden_sizes=[300], activation="sigmoid")) == [784 * 300 + 300, 3010]
    with torch.device("meta"):
        dropped = MLP(in_channels=3, image_size=32, hidden_sizes=[1000, 1000], dropout_input=0.2, dropout_hidden=0.5)
    assert sum(counts_by_layer(dropped)) == 4_084_010


def test_mlp_without_hidden_layers_is_softmax_regression() -> None:
    model = MLP(hidden_sizes=[])
    images = torch.randn(3, 1, 28, 28)
    layer = model.layers.output
    torch.testing.assert_close(model(images), F.linear(images.flatten(1), layer.weight, layer.bias))


def test_mlp_activations_and_dropout_stand_where_they_should() -> None:
    model = MLP(hidden_sizes=[6, 5], activation="tanh", dropout_input=0.2, dropout_hidden=0.5)
    kinds = [(type(layer).__name__, getattr(layer, "p", None)) for layer in model.layers]
    hidden = [("Linear", None), ("Tanh", None), ("Dropout", 0.5)]
    assert kinds == [("Dropout", 0.2), *hidden, *hidden, ("Linear", None)]


def linears(model: nn.Module) -> list[nn.Linear]:
    return [module for module in model.modules() if isinstance(module, nn.Linear)]


@pytest.mark.parametrize("init", ["zero", "normal", "glorot"])
def test_mlp_initial_values(init: str) -> None:
    torch.manual_seed(0)
    for layer in linears(MLP(hidden_sizes=[784, 256], init=init)):
        assert not layer.bias.any()
        bound = math.sqrt(6 / (layer.in_features + layer.out_features))
        # Four standard errors of a standard deviation from n draws of a normal; a uniform one scatters less.
        slack = 4 / math.sqrt(2 * layer.weight.numel())
        if init == "zero":
            assert not layer.weight.any()
        elif init == "normal":
            assert layer.weight.std().item() == pytest.approx(1, rel=slack)
        else:
            assert layer.weight.abs().max() <= bound
            assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=slack)


def test_mlp_torch_initialisation_is_torchs_own_and_follows_the_global_seed() -> None:
    torch.manual_seed(3)
    model = MLP(hidden_sizes=[20])
    torch.manual_seed(3)
    by_hand = [nn.Linear(784, 20), nn.Linear(20, 10)]
    assert all(torch.equal(a.weight, b.weight) for a, b in zip(linears(model), by_hand, strict=True))
