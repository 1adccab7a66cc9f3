"""Values that a configuration took from the environment, and must not stand in a record: their references do."""

from collections.abc import Mapping
from typing import Any

SHORTEST = 6  # letters; a shorter value is no secret, and stands in many a word
_values: dict[str, str] = {}


def keep_back(value: str, reference: str) -> None:
    """From now on, put the reference into records and messages where the value stands."""
    if len(value) >= SHORTEST:
        _values[value] = reference


def withheld(content: Any) -> Any:
    """The content with references in place of the values in its texts; itself where there are none to keep back.

    Args:
        content: a text, or mappings and lists with texts in them; all else stays as it is.
    """
    if not _values:
        return content
    if isinstance(content, str):
        for value, reference in _values.items():
            content = content.replace(value, reference)
        return content
    if isinstance(content, Mapping):
        return type(content)({name: withheld(one) for name, one in content.items()})  # type: ignore[call-arg]
    if isinstance(content, list | tuple):
        return type(content)(withheld(one) for one in content)
    return content
