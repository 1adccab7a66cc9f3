"""Options of an entry in study.yaml, against what its function takes: a mistake is told before hours of runs."""

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from commands.configuration.mapping_files import kind

# What a hint asks of a value in YAML -> how people say it.
KINDS: dict[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Sequence: "a list",
    tuple: "a list",
    Mapping: "a mapping",
}


def options_of(function: Callable[..., Any], given: int) -> dict[str, Parameter]:
    """Options of a function, behind so many arguments that come from elsewhere."""
    return dict(list(signature(function).parameters.items())[given:])


def check_options(function: Callable[..., Any], given: int, options: Mapping[str, Any], what: str) -> None:
    """Check that a function takes these options, and has all that it needs.

    Args:
        function: function of a kind of exhibit, or of a check.
        given: number of its arguments that come from elsewhere, before the options.
        options: options by name.
        what: name of the entry in messages.

    Raises:
        ValueError: it has no such option, needs one more, or one is of a wrong kind.
    """
    known, hints = options_of(function, given), get_type_hints(function)
    for name, value in options.items():
        if name not in known:
            raise ValueError(f"{what} has no option {name}: known are {', '.join(known)}")
        if not fits(value, hints[name]):
            raise ValueError(f"{what}: {name} must be {wanted(hints[name])}, got {kind(value)}")
    for name, parameter in known.items():
        if parameter.default is Parameter.empty and name not in options:
            raise ValueError(f"{what} needs {name}: add it")


def fits(value: Any, hint: Any) -> bool:
    """Whether a value from YAML is of the kind that a type hint names; what is in a list or a mapping is left alone."""
    return any(_is(value, one) for one in _kinds(hint))


def wanted(hint: Any) -> str:
    """The kind that a type hint names, in plain words."""
    return " or ".join(KINDS[one] for one in _kinds(hint) if one in KINDS)


def _kinds(hint: Any) -> list[Any]:
    if get_origin(hint) in (UnionType, Union):
        return [one for part in get_args(hint) for one in _kinds(part)]
    return [get_origin(hint) or hint]


def _is(value: Any, one: Any) -> bool:
    if one is Any:
        return True
    if isinstance(value, bool):
        return one is bool
    if one in (Sequence, tuple):
        return isinstance(value, list | tuple)
    return isinstance(value, int | float if one is float else one)
