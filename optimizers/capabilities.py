"""What each optimizer is and can do, in a table that is read without importing torch.

A test holds every row against the class's own defaults.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class Capability:
    """One optimizer's row.

    Args:
        name: the class's name in `optimizers`.
        description: one line, as `cadence list` shows it.
        ours: defined in this package; otherwise it is torch's own class.
        momentum_key: the param-group key that a momentum policy writes: "momentum" (a number), "betas" (a pair, its
            first is the momentum), or None where the method has no momentum.
        weight_decay: takes a `weight_decay` option (an L2 penalty, added to the gradient).
        default_lr: the class's default learning rate.
        changes_signs: a weight may cross zero; multiplicative updates keep every sign as it started.
    """

    name: str
    description: str
    ours: bool
    momentum_key: Literal["momentum", "betas"] | None
    weight_decay: bool
    default_lr: float
    changes_signs: bool = True


_ROWS = (
    Capability("SGD", "stochastic gradient descent, plain or Nesterov momentum", False, "momentum", True, 1e-3),
    Capability("Adam", "adaptive moments (Kingma and Ba, 2015)", False, "betas", True, 1e-3),
    Capability("Adagrad", "per-weight rates from summed squares (Duchi et al., 2011)", False, None, True, 1e-2),
    Capability("RMSprop", "per-weight rates from a running mean square (Hinton, 2012)", False, "momentum", True, 1e-2),
    Capability("Adadelta", "running mean squares of gradients and updates (Zeiler, 2012)", False, None, True, 1.0),
    Capability("Madam", "multiplicative Adam (Bernstein et al., 2020)", True, None, False, 1e-2, False),
    Capability(
        "BBitMadam", "Madam on B-bit logarithmic weights (Bernstein et al., 2020)", True, None, False, 1e-2, False
    ),
    Capability(
        "NesterovRMSprop", "RMSProp with Nesterov momentum (Deep Learning, alg. 8.6)", True, "momentum", True, 1e-3
    ),
)

CAPABILITIES: Mapping[str, Capability] = MappingProxyType({row.name: row for row in _ROWS})
