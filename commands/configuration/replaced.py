"""What a later file or option replaces unasked: lists, mappings, and options that another class does not take."""

import ast
import contextlib
import inspect
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

WIDTH = 90


@dataclass(frozen=True)
class _Given:
    value: Any
    source: str


def replaced_lists(arguments: Sequence[str], files: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A text for each list or mapping that is given twice, with no plus sign, in the order of the command line.

    A list of numbers that an option gives, such as sizes or milestones, takes the place of a file's without a word.

    Args:
        arguments: words of the command line, with each file as `--config PATH`.
        files: contents of the configuration files, by path.
    """
    found: dict[str, _Given] = {}
    texts = []
    for source, values, remedy in _sources(arguments, files):
        for path, value in _leaves("", values):
            name, adds = path.removesuffix("+"), path.endswith("+")
            before = found.get(name)
            overridden = (
                source.startswith("--") and _of_numbers(value) and before is not None and _of_numbers(before.value)
            )
            if before is not None and not adds and before.value != value and not overridden:
                what, by = _shown(before.value), _shown(value)
                how = "give all of it in the later one"
                if isinstance(before.value, list):
                    how = remedy.format(name=name, last=name.rpartition(".")[2])
                texts.append(
                    f"{name} of {before.source}, {what}, is replaced by that of {source}, {by}: to keep both, {how}"
                )
            if adds:
                value = [*(before.value if before else []), *(value if isinstance(value, list) else [value])]
            if isinstance(value, list | Mapping) and value:
                found[name] = _Given(value, source)
            elif before is not None:
                del found[name]
    return texts


def _of_numbers(value: Any) -> bool:
    """Whether it is a list of numbers alone: who types another one means that one, as with any single value."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, int | float) for one in value)


@contextlib.contextmanager
def dropped_by(parser: "ArgumentParser") -> Iterator[list[str]]:
    """Collect, while the block parses, a text for each class whose place a later one takes with some options lost."""
    handler = _Dropped()
    parser.logger = log = logging.getLogger("cadence.jsonargparse")
    log.setLevel(logging.DEBUG)
    log.propagate = False
    log.addHandler(handler)
    try:
        yield handler.texts
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.CRITICAL)


class _Dropped(logging.Handler):
    """Keeps what jsonargparse's log says of options that a later class does not take."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        match = re.match(
            r"Due to class_path change from '(.+?)' to '(.+?)', discarding init_args: (\{.*\})\.$", record.getMessage()
        )
        if match is None:
            return
        before, now = (path.rpartition(".")[2] for path in match.groups()[:2])
        lost = _given(match[1], match[3])
        text = f"{now} takes the place of {before}, and has no {lost}: it is dropped"
        if lost and text not in self.texts:
            self.texts.append(text)


def _given(path: str, options: str) -> str:
    """`{'betas': (0.8, 0.99), 'eps': 1e-08}` as `betas (0.8, 0.99)`: the options that are not the class's defaults."""
    module, _, name = path.rpartition(".")
    defaults = inspect.signature(getattr(import_module(module), name)).parameters
    try:
        values = ast.literal_eval(options)
    except (ValueError, SyntaxError):  # one of them is no literal
        return options
    values = {key: value for key, value in values.items() if key not in defaults or value != defaults[key].default}
    return ", ".join(f"{key} {_shown(value)}" for key, value in values.items() if value is not None)


def _sources(
    arguments: Sequence[str], files: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Name, values and remedy of each file and each option, in their order."""
    words = iter(arguments)
    for word in words:
        if not word.startswith("--"):
            continue
        option, equals, value = word.partition("=")
        value = value if equals else next(words, "")
        if option == "--config":
            yield Path(value).name, files.get(value, {}), "write `{last}+:` in the later file"
        else:
            name = option.removeprefix("--")
            yield option.removesuffix("+"), {name: _parsed(value)}, "give --{name}+=VALUE"


def _leaves(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Paths, as an option names them, of all values below sections and classes."""
    for key, value in values.items():
        path = prefix if key == "init_args" else f"{prefix}.{key}" if prefix else str(key)
        inner = not prefix or key == "init_args" or (isinstance(value, Mapping) and "class_path" in value)
        if isinstance(value, Mapping) and inner:
            yield from _leaves(path, value)
        elif key != "class_path":
            yield path, value


def _parsed(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return text


def _shown(value: Any) -> str:
    """A value in a few words: of objects their classes."""
    if not isinstance(value, list):
        text = "null" if value is None else str(value)
    else:
        text = f"[{', '.join(map(_item, value))}]"
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 4]} ..."


def _item(value: Any) -> str:
    name = value.get("class_path", value) if isinstance(value, Mapping) else value
    return str(name).rpartition(".")[2] if isinstance(name, str) else str(name)
