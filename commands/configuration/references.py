"""`${NAME}` in a text of a configuration: the environment's value in the objects, the reference in every record.

So a key or a place of one machine gets to where it is used, and neither config.yaml nor a logger holds it.
"""

import re
from collections.abc import Mapping
from typing import Any

from checks.references import keep_back
from commands.errors import UserError

_SIGNS = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{[^}]*\}?")


def filled(value: Any, environment: Mapping[str, str], field: str = "") -> Any:
    """The value with each `${NAME}` in its texts as the environment has it, and `$${` as `${`.

    Args:
        value: a parsed configuration, or any part of one: namespaces are filled in place, all else is copied.
        environment: values by name.
        field: place of the value, for messages.

    Raises:
        UserError: a name is not set, or a reference is written otherwise; names the field.
    """
    if isinstance(value, str):
        return _SIGNS.sub(lambda match: _referred(match, environment, field), value)
    if isinstance(value, list | tuple):
        return type(value)(filled(one, environment, field) for one in value)
    if isinstance(value, Mapping):
        return {name: filled(one, environment, _within(field, name)) for name, one in value.items()}
    if hasattr(value, "as_dict"):  # jsonargparse's Namespace
        for name, one in vars(value).items():
            setattr(value, name, filled(one, environment, _within(field, name)))
    return value


def _within(field: str, name: Any) -> str:
    return field if name == "init_args" else f"{field}.{name}".lstrip(".")


def _referred(match: re.Match[str], environment: Mapping[str, str], field: str) -> str:
    if match[0] == "$${":
        return "${"
    if match[1] is None:
        raise UserError(
            f"{field}: {match[0]} is no reference to the environment: write ${{NAME}}, or $${{ for the signs themselves"
        )
    if match[1] not in environment:
        raise UserError(
            f"{field}: {match[0]} is not set in the environment: export {match[1]}=..., or write the value itself"
        )
    keep_back(environment[match[1]], match[0])
    return environment[match[1]]
