"""Optimizers by their names: five of torch's, and three that torch lacks.

Names are looked up at first use, so that `optimizers.capabilities` can be read without importing torch. jsonargparse
finds a class by its bare name only once it is imported: commands/configuration/cadence_cli.py imports all listed here.
"""

from importlib import import_module
from typing import Any

HOMES = {
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

__all__ = sorted(HOMES)


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; there are {', '.join(HOMES)}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
