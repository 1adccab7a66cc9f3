"""Configuration files, read before anything heavy is imported, and refused unless they hold a YAML mapping."""

from pathlib import Path
from typing import Any

import yaml

from commands.configuration.checks import check_given
from commands.configuration.shipped import config_paths, resolve_config_arguments
from commands.errors import UserError


def checked(arguments: list[str]) -> list[str]:
    """The arguments of a command that takes a configuration, with the paths of its files instead of their names.

    Raises:
        UserError: a file is missing or wrong, or an option would be dropped.
    """
    arguments = resolve_config_arguments(arguments)
    check_given(arguments, [(path, read_config(Path(path))) for path in config_paths(arguments)])
    return arguments


def read_config(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        UserError: it cannot be read, is no YAML, or holds something else than a mapping; names the line.
    """
    try:
        content = yaml.safe_load(path.read_bytes().decode())
    except OSError as error:
        raise UserError(f"-c {path}: cannot be read ({error.strerror}): check the path") from error
    except (UnicodeDecodeError, yaml.reader.ReaderError) as error:
        raise UserError(f"-c {path}: not a text file: give a YAML file, or the name of a shipped experiment") from error
    except yaml.YAMLError as error:
        raise UserError(f"-c {path}{_place(error)}") from error
    if content is None:
        raise UserError(f"-c {path}: the file is empty: it needs at least `model: NAME`")
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        kind = "a list" if isinstance(content, list) else "a text" if isinstance(content, str) else "something else"
        raise UserError(f"-c {path}: expected a mapping such as `model: SmallCNN`, got {kind}")
    return content


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "not YAML"
    if mark is None:
        return f": {problem}"
    if "'\\t'" in problem:
        return f", line {mark.line + 1}: a tab: YAML is indented by spaces"
    context = getattr(error, "context_mark", None)
    began = f"; it began in line {context.line + 1}" if context is not None and context.line != mark.line else ""
    where = f", line {mark.line + 1}, column {mark.column + 1}"
    return f"{where}: not YAML ({problem}{began})\nclose brackets and quotes, and align keys"
