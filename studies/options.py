"""Options of an entry in study.yaml, against what its function takes: a mistake is told before hours of runs."""

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any


def check_options(function: Callable[..., Any], given: int, options: Mapping[str, Any], what: str) -> None:
    """Check that a function takes these options, and has all that it needs.

    Args:
        function: function of a kind of exhibit, or of a check.
        given: number of its arguments that come from elsewhere, before the options.
        options: options by name.
        what: name of the entry in messages.

    Raises:
        ValueError: it has no such option, or needs one more.
    """
    known = dict(list(signature(function).parameters.items())[given:])
    for name in options:
        if name not in known:
            raise ValueError(f"{what} has no option {name}: known are {', '.join(known)}")
    for name, parameter in known.items():
        if parameter.default is Parameter.empty and name not in options:
            raise ValueError(f"{what} needs {name}: add it")
