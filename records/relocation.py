"""A run directory's own path, kept out of what lies in it, so that it may be moved or copied."""

import os
from pathlib import Path
from typing import Any

_HERE = "{run_dir}"


def without_place(content: Any, root: Path) -> Any:
    """A copy of nested dicts, lists and tuples in which paths inside `root` begin with `{run_dir}` instead."""
    spellings = {str(root.absolute()), os.path.realpath(root), *([str(root)] if len(root.parts) > 1 else [])}
    return _with(content, dict.fromkeys(spellings, _HERE))


def with_place(content: Any, root: Path) -> Any:
    """What `without_place` made, with the paths where they are now."""
    return _with(content, {_HERE: os.path.realpath(root)})


def _with(content: Any, changes: dict[str, str]) -> Any:
    if isinstance(content, str):
        return next((new + content[len(old) :] for old, new in changes.items() if _inside(content, old)), content)
    if type(content) is dict:
        return {_with(key, changes): _with(value, changes) for key, value in content.items()}
    if type(content) in (list, tuple):
        return type(content)(_with(value, changes) for value in content)
    return content


def _inside(path: str, root: str) -> bool:
    return path == root or path.startswith(root + os.sep)
