"""YAML within bounds: a few levels, a few thousand values, each key once, so that no file can take a minute to read."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

LEVELS = 50
VALUES = 10_000  # with those behind aliases, each time that they are named
BYTES = 1_000_000
DIGITS = 100
# What YAML 1.1 reads to the base of 60, or of 8, and YAML 1.2 does not.
NOT_AS_WRITTEN = {"tag:yaml.org,2002:int": r"(?!.*:|[-+]?0[0-9_])", "tag:yaml.org,2002:float": r"(?!.*:)"}


class YAMLOutOfBounds(yaml.YAMLError):
    """YAML that no configuration needs; the message names the line and the remedy."""


@dataclass
class _Open:
    """A list or mapping that has not ended: its anchor, the values in it so far, and a mapping's keys."""

    anchor: str | None
    keys: dict[str, int] | None
    values: int = 1
    key_is_next: bool = True


def within_bounds(load: Callable[[str], Any]) -> Callable[[str], Any]:
    """A loader of YAML that refuses what `check_bounds` does."""

    def bounded(text: str) -> Any:
        if len(text) > DIGITS or any(sign in text for sign in "&*:"):
            check_bounds(text)
        return load(text)

    return bounded


def as_written(loader: Any) -> Any:
    """A class of YAML loaders like the given one that reads 1:30 and 010 as texts, not as 90 and 8, and `on:` as a key.

    YAML 1.1 reads on, off, yes and no as truth values, in the place of a key too; a key is a name here.
    """

    def flatten_mapping(self: Any, node: Any) -> None:
        loader.flatten_mapping(self, node)
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:bool":
                key.tag = "tag:yaml.org,2002:str"

    forms = {
        first: [
            (tag, re.compile(NOT_AS_WRITTEN[tag] + form.pattern, form.flags) if tag in NOT_AS_WRITTEN else form)
            for tag, form in known
        ]
        for first, known in loader.yaml_implicit_resolvers.items()
    }
    return type("AsWritten", (loader,), {"yaml_implicit_resolvers": forms, "flatten_mapping": flatten_mapping})


def check_bounds(text: str) -> None:
    """Refuse what would take long, or would be dropped without a word.

    Raises:
        YAMLOutOfBounds: too deep, too many values, an alias within what it names, a key twice in one mapping, or a
            whole number of absurd length.
        yaml.YAMLError: the text is no YAML.
    """
    if len(text) > BYTES:
        raise YAMLOutOfBounds(f"{len(text):,} characters: a configuration is at most {BYTES:,}: leave out the rest")
    open_ones: list[_Open] = []
    sizes: dict[str, int] = {}
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.CollectionEndEvent):
            ended = open_ones.pop()
            _count(open_ones, ended.values, line)
            if ended.anchor:
                sizes[ended.anchor] = ended.values
        elif isinstance(event, yaml.NodeEvent):
            key = event.value if isinstance(event, yaml.ScalarEvent) else None
            _place(open_ones, key, line)
            if isinstance(event, yaml.CollectionStartEvent):
                mapping = isinstance(event, yaml.MappingStartEvent)
                open_ones.append(_Open(event.anchor, {} if mapping else None))
                if len(open_ones) > LEVELS:
                    raise YAMLOutOfBounds(f"line {line}: more than {LEVELS} levels: take some brackets out")
                if event.anchor:
                    sizes[event.anchor] = 0  # until it ends
            elif isinstance(event, yaml.AliasEvent):
                size = sizes.get(event.anchor, 1)  # one that names nothing is the loader's to refuse
                if size == 0:
                    raise YAMLOutOfBounds(f"line {line}: *{event.anchor} stands within what it names: write it out")
                _count(open_ones, size, line)
            else:
                _number(event, line)
                _count(open_ones, 1, line)
                if event.anchor:
                    sizes[event.anchor] = 1


def _place(open_ones: list[_Open], key: str | None, line: int) -> None:
    """Note that a value comes, which may be a key of the mapping around it."""
    around = open_ones[-1] if open_ones else None
    if around is None or around.keys is None:
        return
    if around.key_is_next and key is not None and key != "<<":
        if key in around.keys:
            raise YAMLOutOfBounds(f"line {line}: {key} is there already, in line {around.keys[key]}: take one out")
        around.keys[key] = line
    around.key_is_next = not around.key_is_next


def _count(open_ones: list[_Open], values: int, line: int) -> None:
    if open_ones:
        open_ones[-1].values += values
        if open_ones[-1].values > VALUES:
            raise YAMLOutOfBounds(f"line {line}: more than {VALUES:,} values: take out some, or aliases of aliases")


def _number(event: Any, line: int) -> None:
    digits = event.value.lstrip("+-").replace("_", "")
    if event.style is None and len(digits) > DIGITS and digits[0].isdigit() and digits.isalnum():
        raise YAMLOutOfBounds(f"line {line}: a number of {len(digits):,} digits: give one of {DIGITS} at most")
