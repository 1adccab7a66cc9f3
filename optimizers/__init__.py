"""Optimizers by their names: five of torch's, and three that torch lacks.

Names are looked up at first use, so that `optimizers.capabilities` can be read without importing torch. Whoever
resolves bare class names among the subclasses of `Optimizer` first imports the ones it offers from here.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.optim import SGD, Adadelta, Adagrad, Adam, RMSprop

    from optimizers.bbit_madam import BBitMadam, storage_bits
    from optimizers.capabilities import CAPABILITIES, Capability
    from optimizers.madam import Madam
    from optimizers.nesterov_rmsprop import NesterovRMSprop

__all__ = [
    "CAPABILITIES",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "BBitMadam",
    "Capability",
    "Madam",
    "NesterovRMSprop",
    "RMSprop",
    "storage_bits",
]

_HOMES = {
    "CAPABILITIES": "optimizers.capabilities",
    "SGD": "torch.optim",
    "Adadelta": "torch.optim",
    "Adagrad": "torch.optim",
    "Adam": "torch.optim",
    "BBitMadam": "optimizers.bbit_madam",
    "Capability": "optimizers.capabilities",
    "Madam": "optimizers.madam",
    "NesterovRMSprop": "optimizers.nesterov_rmsprop",
    "RMSprop": "torch.optim",
    "storage_bits": "optimizers.bbit_madam",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'optimizers' has no attribute {name!r}; there are {', '.join(__all__)}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
