"""YAML files that a person writes, each a mapping; what is wrong with one is told with its line and the remedy."""

from pathlib import Path
from typing import Any

import yaml

from commands.configuration.strict_yaml import BYTES, YAMLOutOfBounds, check_bounds
from commands.errors import UserError

QUICK = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # seven times as fast, where PyYAML was built with it
# word in what PyYAML says -> remedy
REMEDIES = {
    "tag": "! begins a type: take it out, or put quotes around the text",
    "alias": "* names something that &name marks further up: mark it, or put quotes around the text",
    "another document": "keep one part, and take out the line ---",
    "for merging": "<< takes a mapping: take it out",
}


def read_mapping(path: Path, named: str, example: str, loader: Any = QUICK) -> dict[str, Any]:
    """The mapping in a YAML file.

    Args:
        path: path of the file.
        named: name of the file in messages.
        example: a line of such a file.
        loader: class of the loader.

    Raises:
        UserError: it cannot be read, is no YAML, or holds something else than a mapping.
    """
    try:
        if path.stat().st_size > BYTES:
            raise UserError(f"{named}: larger than {BYTES // 1_000_000} MB, so no configuration: give a YAML file")
        text = path.read_bytes().decode()
        check_bounds(text)
        content = yaml.load(text, Loader=loader)
    except YAMLOutOfBounds as error:
        raise UserError(f"{named}, {error}") from error
    except OSError as error:
        raise UserError(f"{named}: cannot be read ({error.strerror}): check the path") from error
    except (UnicodeDecodeError, yaml.reader.ReaderError) as error:
        raise UserError(f"{named}: not a text file: give a YAML file, with lines such as `{example}`") from error
    except yaml.YAMLError as error:
        raise UserError(f"{named}{_place(error)}") from error
    except ValueError as error:  # a date that does not exist, and the like
        raise UserError(f"{named}: not YAML ({error}): put quotes around it") from error
    if content is None:
        raise UserError(f"{named}: the file is empty: it needs at least `{example}`")
    if not isinstance(content, dict):
        raise UserError(f"{named}: expected a mapping such as `{example}`, got {kind(content)}")
    return content


def kind(content: Any) -> str:
    """What a value of YAML is, in plain words."""
    kinds = {
        dict: "a mapping",
        list: "a list",
        type(None): "nothing",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return kinds.get(type(content), "something else")


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
    found = (remedy for word, remedy in REMEDIES.items() if word in problem)
    remedy = next(found, "close brackets and quotes, and align keys")
    return f"{where}: not YAML ({problem}{began})\n{remedy}"
