"""One check for every null of a configuration: the parser takes it for any option of a class, most classes do not."""

import inspect
from importlib import import_module
from types import NoneType
from typing import Any, get_args, get_type_hints

from commands.configuration.finite import leaves
from commands.errors import UserError


def check_nulls(config: Any) -> None:
    """Refuse a configuration that holds a null where the class that takes it says that it takes none.

    Args:
        config: parsed configuration: mappings, namespaces and lists.

    Raises:
        UserError: names the field.
    """
    for field, owner, option, value in leaves(config):
        if value is None and owner is not None and not _may_be_none(str(owner), option):
            raise UserError(f"{field} is null, which is no value of it: give one, or leave it out for the default")


def _may_be_none(owner: str, option: str) -> bool:
    """Whether an option of a class may be None: by its type or its default, or as nothing is said of it."""
    module, _, name = owner.rpartition(".")
    try:
        bases = inspect.getmro(getattr(import_module(module), name))
    except (ImportError, AttributeError, ValueError):
        return True
    for base in bases:
        begin = vars(base).get("__init__", lambda: None)
        found = inspect.signature(begin).parameters.get(option)
        if found is None:
            continue
        try:
            kind = get_type_hints(begin).get(option, Any)
        except (NameError, TypeError, AttributeError):  # a type that is imported for checks alone
            return True
        return found.default is None or _holds_none(kind)
    return True


def _holds_none(kind: Any) -> bool:
    return kind in (Any, object, None, NoneType) or any(_holds_none(part) for part in get_args(kind))
