"""docs/your_study.md: how to write a study, with what its files may hold, from the docstrings of what reads them.

python docs/your_study.py
"""

import inspect
import re
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from docs.pages import write
from studies.claims import CHECKS, COUNTS, Claim
from studies.exhibits import KINDS
from studies.options import options_of
from studies.study import Scale, Study

OF_FILES = {"name", "folder", "sweeps", "options"}  # fields that are no key of study.yaml
OF_ALL = {"title", "caption", "only"}  # options of exhibits that are explained once


def values() -> dict[str, str]:
    """Values for the template, by name."""
    return {
        "keys": _listed(_entries(Study, "Attributes", OF_FILES)),
        "scale_keys": _listed(_entries(Scale, "Attributes")),
        "claim_keys": _listed(_entries(Claim, "Attributes", OF_FILES)),
        "exhibits": "\n\n".join(_exhibit(kind, import_module(module)) for kind, module in KINDS.items()),
        "checks": "\n\n".join(_check(name, check, 2) for name, check in CHECKS.items()),
        "counts": "\n\n".join(_check(name, check, 0) for name, check in COUNTS.items()),
    }


def _exhibit(kind: str, module: Any) -> str:
    """Heading, first line and options of a kind of exhibit."""
    about = str(inspect.getdoc(module)).partition("\n")[0]
    return "\n\n".join([f"### {kind}", about, _listed(_options(module.exhibit, 1, OF_ALL))]).rstrip()


def _check(name: str, check: Callable[..., Any], given: int) -> str:
    about = str(inspect.getdoc(check)).partition("\n")[0]
    return f"### {name}\n\n{about}\n\n{_listed(_options(check, given))}"


def _options(function: Callable[..., Any], given: int, without: Iterable[str] = ()) -> dict[str, str]:
    """What each option of a function is, and its default; `given` arguments come from elsewhere."""
    told = _entries(function, "Args")
    found = {}
    for name, parameter in options_of(function, given).items():
        if name not in without:
            default = parameter.default
            usual = "" if default is inspect.Parameter.empty or default in (None, "", ()) else f"; {default} by default"
            needed = " (needed)" if default is inspect.Parameter.empty else ""
            found[name] = told[name].rstrip(".") + usual.replace("True", "true").replace("False", "false") + needed
    return found


def _entries(documented: Any, section: str, without: Iterable[str] = ()) -> dict[str, str]:
    """Entries of a section of a docstring in Google's style."""
    body = re.search(rf"{section}:\n((?:    .*\n?|\n)+)", str(inspect.getdoc(documented)))
    assert body, f"{documented} has no {section}"
    lines = re.sub(r"\n {8,}", " ", body[1])
    found = dict(re.findall(r"^    (\w+): (.+)$", lines, re.MULTILINE))
    return {name: text for name, text in found.items() if name not in without}


def _listed(entries: dict[str, str]) -> str:
    return "\n".join(f"- `{name}`: {text.rstrip('.')}" for name, text in entries.items())


if __name__ == "__main__":
    write(Path(__file__), values())
