"""One check for every number of a configuration: no nan, no infinity, whichever class takes it."""

import inspect
import math
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from commands.errors import UserError


def check_finite(config: Any) -> None:
    """Refuse a configuration that holds a number which is not finite, unless a class has it as its default.

    Args:
        config: parsed configuration: mappings, namespaces and lists.

    Raises:
        UserError: names the field.
    """
    for field, owner, option, value in leaves(config):
        if isinstance(value, float) and not math.isfinite(value) and not _is_default(owner, option, value):
            raise UserError(f"{field} must be a finite number, got {value}: give one, or leave it out for the default")


def leaves(value: Any, field: str = "", owner: Any = None, option: str = "") -> Iterator[tuple[str, Any, str, Any]]:
    """(field, import path of the class that takes it, option of that class, value) of each float and each None."""
    if value is None or isinstance(value, float):
        yield field, owner, option, value
    elif isinstance(value, list | tuple | set):
        for one in value:
            yield from leaves(one, field, owner, option)
    elif (items := _items(value)) is not None:
        own = items.get("class_path")
        for name, one in items.items():
            if own is not None and name in ("init_args", "dict_kwargs"):
                for inner, given in (_items(one) or {}).items():
                    yield from leaves(given, _joined(field, inner), own, inner)
            else:
                yield from leaves(one, _joined(field, name), owner, option or name)


def _items(value: Any) -> dict[str, Any] | None:
    if isinstance(value, dict):
        return {str(name): one for name, one in value.items()}
    return dict(vars(value)) if type(value).__name__ == "Namespace" else None


def _joined(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name


def _is_default(owner: Any, option: str, value: float) -> bool:
    """Whether a class of a user's has this value of its own."""
    if owner is None:
        return False
    module, _, name = str(owner).rpartition(".")
    try:
        default = inspect.signature(getattr(import_module(module), name)).parameters[option].default
    except (ImportError, AttributeError, KeyError, TypeError, ValueError):
        return False
    return isinstance(default, float) and (default == value or (math.isnan(default) and math.isnan(value)))
