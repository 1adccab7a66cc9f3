"""Fully connected networks: linear baselines, initialisation study, 36-cell search, comparison of optimizers."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, get_args

from torch import Tensor, nn

from checks.arguments import require_choice, require_positive
from lightning_modules._checks import require_probability
from lightning_modules.classifier import ImageClassifier

Activation = Literal["relu", "sigmoid", "tanh"]
Initialization = Literal["torch", "zero", "normal", "glorot"]
MOST_WEIGHTS = 500_000_000  # 2 GB, as much again for their gradients, and for each of an optimizer's states


class MLP(ImageClassifier):
    """Multi-layer perceptron with any hidden sizes, activation, dropout and initialisation.

    Parameters, with 10 classes: 784-300-10 238,510; 784-784-256-10 818,970; 3072-1000-1000-10 4,084,010. Dropout as
    in Kingma and Ba (1412.6980, section 6.2), off by default: torch scales at training time, so nothing is scaled at
    test time.

    Args:
        in_channels: channels of an image.
        image_size: side of the square images, in pixels.
        num_classes: number of classes.
        hidden_sizes: units of each hidden layer, first to last; an empty list is softmax regression.
        activation: nonlinearity after each hidden layer.
        dropout_input: probability of dropping an input pixel.
        dropout_hidden: probability of dropping a hidden unit.
        init: initial values. `torch` is torch's default; the others set biases to 0 and weights to 0 (`zero`), to draws
            from N(0, 1) (`normal`) or from U(-d, d) with d = sqrt(6 / (fan_in + fan_out)) (`glorot`).
        **kwargs: arguments of `ImageClassifier`.

    Raises:
        ValueError: a size is not positive, a probability lies outside [0, 1), or a choice is unknown.
    """

    def __init__(
        self,
        in_channels: int = 1,
        image_size: int = 28,
        num_classes: int = 10,
        hidden_sizes: Sequence[int] = (300,),
        activation: Activation = "relu",
        dropout_input: float = 0.0,
        dropout_hidden: float = 0.0,
        init: Initialization = "torch",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_positive(in_channels=in_channels, image_size=image_size, num_classes=num_classes)
        require_probability(dropout_input=dropout_input, dropout_hidden=dropout_hidden)
        require_choice(get_args(Activation), activation=activation)
        require_choice(get_args(Initialization), init=init)
        if any(size < 1 for size in hidden_sizes):
            raise ValueError(f"hidden_sizes must be at least 1 each, got {list(hidden_sizes)}: try [300], one layer")
        widths = [in_channels * image_size**2, *hidden_sizes, num_classes]
        if (weights := sum(a * b for a, b in pairwise(widths))) > MOST_WEIGHTS:
            raise ValueError(f"hidden_sizes must make at most {MOST_WEIGHTS:,} weights, got {weights:,}: lower them")
        # Names rather than positions: a checkpoint keeps its keys whether or not there is dropout between the layers.
        self.layers = nn.Sequential()
        if dropout_input:
            self.layers.add_module("dropout_input", nn.Dropout(dropout_input))
        fan_in = in_channels * image_size**2
        for depth, size in enumerate(hidden_sizes, start=1):
            self.layers.add_module(f"linear_{depth}", nn.Linear(fan_in, size))
            self.layers.add_module(f"{activation}_{depth}", _activation(activation))
            if dropout_hidden:
                self.layers.add_module(f"dropout_{depth}", nn.Dropout(dropout_hidden))
            fan_in = size
        self.layers.add_module("output", nn.Linear(fan_in, num_classes))
        if init != "torch":
            for layer in self.layers:
                if isinstance(layer, nn.Linear):
                    _initialize(layer, init)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, classes) of images (batch, channels, height, width)."""
        return self.layers(images.flatten(1))


def _activation(name: Activation) -> nn.Module:
    if name == "relu":
        return nn.ReLU(inplace=True)
    return nn.Sigmoid() if name == "sigmoid" else nn.Tanh()


def _initialize(layer: nn.Linear, init: Initialization) -> None:
    nn.init.zeros_(layer.bias)
    if init == "zero":
        nn.init.zeros_(layer.weight)
    elif init == "normal":
        nn.init.normal_(layer.weight)
    else:
        nn.init.xavier_uniform_(layer.weight)
