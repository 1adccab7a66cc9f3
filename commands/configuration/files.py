"""Configuration files, read before anything heavy is imported, and refused unless they hold a YAML mapping."""

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import yaml

from commands.arguments import Parser
from commands.configuration.checks import check_environment, check_given
from commands.configuration.mapping_files import kind, read_mapping
from commands.configuration.names import check_names
from commands.configuration.shipped import config_paths, resolve_config_arguments
from commands.configuration.strict_yaml import DIGITS, YAMLOutOfBounds, as_written, check_bounds
from commands.errors import UserError

_NEGATIVE = re.compile(r"-\.?(\d|inf|nan)", re.IGNORECASE)
SECTIONS = ("model", "data", "trainer")  # what has options of its own, and is never null
LATE = ("model", "optimizer", "lr_scheduler")  # what has no class by default


def checked(arguments: list[str], command: str = "fit", asker: Parser | None = None) -> list[str]:
    """The arguments of a command that takes a configuration, with the paths of its files instead of their names.

    Args:
        arguments: words of the command line.
        command: command whose parser will read them.
        asker: parser of the command that was typed; None where that is the same, and has no options beside.

    Raises:
        UserError: a file is missing or wrong, or an option would be dropped.
    """
    check_environment(os.environ)
    arguments = _with_negatives(resolve_config_arguments(arguments))
    files = [(path, read_config(Path(path))) for path in config_paths(arguments)]
    check_given(arguments, files)
    typed = asker.prog.removeprefix("cadence ") if asker else command
    check_names(command, typed, asker.flags if asker else (), arguments, files)
    for flag, value in _values(arguments):
        try:
            check_bounds(value)
        except YAMLOutOfBounds as error:
            raise UserError(f"{flag}: {error}") from error
        except yaml.YAMLError:
            pass  # a text: whether it may be one is for the option to say
    named = {section for section in LATE if any(section in content for _, content in files)}
    return _class_first(arguments, named)


def _class_first(arguments: list[str], named: Collection[str]) -> list[str]:
    """The arguments with a class before its options: the parser knows none of them before it knows the class.

    Args:
        arguments: words of the command line.
        named: sections whose class a file names.
    """
    arguments = list(arguments)
    for section in LATE:
        if section in named:
            continue
        flag = f"--{section}"
        naming = next((i for i, word in enumerate(arguments) if word.partition("=")[0] == flag), None)
        options = next((i for i, word in enumerate(arguments) if word.startswith(f"{flag}.")), None)
        if naming is not None and options is not None and options < naming:
            words = 1 if "=" in arguments[naming] else 2
            moved = arguments[naming : naming + words]
            arguments[naming : naming + words] = []
            arguments[options:options] = moved
    return arguments


def _with_negatives(arguments: list[str]) -> list[str]:
    """The arguments with `--option -1e-3` as `--option=-1e-3`: argparse takes most negative numbers for options."""
    joined: list[str] = []
    for word in arguments:
        if _NEGATIVE.match(word) and joined and joined[-1].startswith("--") and "=" not in joined[-1]:
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _values(arguments: list[str]) -> Iterator[tuple[str, str]]:
    """Values on a command line that YAML reads as more than a word, each with the option before it."""
    flag = ""
    for word in arguments:
        if word.startswith("--"):
            flag, _, word = word.partition("=")
        if len(word) > DIGITS or any(sign in word for sign in "&*:[{"):
            yield flag, word


def read_config(path: Path) -> dict[str, Any]:
    """The mapping in a configuration file.

    Raises:
        UserError: it cannot be read, is no YAML, or holds something else than a configuration; names the line.
    """
    content = read_mapping(path, f"-c {path}", "model: SmallCNN", as_written(yaml.SafeLoader))
    if wrong := [key for key in content if not isinstance(key, str)]:
        raise UserError(f"-c {path}: {wrong[0]!r} is no name of an option: expected names such as model")
    if "config" in content:
        raise UserError(f"-c {path}: a file cannot name another by config: give both, -c FIRST -c SECOND")
    for section in SECTIONS:
        if section in content and content[section] is None:
            raise UserError(f"-c {path}: {section} is empty: give it options, or take it out")
    if not isinstance(content.get("trainer", {}), dict):
        found = kind(content["trainer"])
        raise UserError(f"-c {path}: trainer: expected a mapping such as {{max_epochs: 3}}, got {found}")
    return content
