"""A W&B sweep file as the grid of cells that it stands for.

`wandb sweep FILE` and `wandb agent` run the same file unchanged; here its grid is laid out with no service.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.configuration.mapping_files import read_mapping

Values = Mapping[str, Sequence[Any]]
RUNS = ("fit", "lr-range-test", "batch-size-range-test")  # commands that leave a run directory
NAME = "[A-Za-z_][A-Za-z0-9_.-]*"  # of a parameter, as W&B's schema has it
# Keys of W&B's schema: what its service decides while a sweep runs, and what changes no cell.
BY_SERVICE = ("early_terminate", "run_cap", "controller", "scheduler")
KEYS = (
    "method", "parameters", "command", "program", "name", "description", "metric", "metrics", "project", "entity",
    "apiVersion", "kind", "job", "image_uri",
)  # fmt: skip
COMMAND = 'command: [cadence, fit, "${args}"]'


@dataclass(frozen=True)
class Sweep:
    """Grid of one sweep file.

    Attributes:
        command: command of `cadence` that runs a cell.
        parameters: values of each parameter, by its dotted name.
    """

    command: str
    parameters: Values

    def cells(self, only: Values | None = None, fixed: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Every combination of the parameters' values, the last parameter's changing first.

        Args:
            only: values to keep of some parameters; all others are left out.
            fixed: values of further parameters, or in place of the sweep's own, the same in every cell.

        Raises:
            ValueError: a value to keep is none of the sweep's.
        """
        grid: dict[str, Sequence[Any]] = dict(self.parameters)
        for name, kept in (only or {}).items():
            missing = [value for value in kept if value not in grid.get(name, [])]
            if missing:
                raise ValueError(f"{name}: {missing[0]} is none of the sweep's values {list(grid.get(name, []))}")
            grid[name] = kept
        grid |= {name: [value] for name, value in (fixed or {}).items()}
        return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]

    def arguments(self, cell: Mapping[str, Any]) -> list[str]:
        """Command line of a cell: what `wandb agent` puts in the place of `${args}`, word for word.

        That is `--name=value` with Python's `str` of the value, sorted by name.
        """
        return [self.command, *(f"--{name}={cell[name]}" for name in sorted(cell))]


def read_sweep(path: Path) -> Sweep:
    """Read a sweep file.

    Raises:
        ValueError: it is no grid over `cadence`; the message names the file, the key and the remedy.
    """
    content = read_mapping(path, str(path), "method: grid")
    for key in content:
        if key in BY_SERVICE:
            raise ValueError(f"{path}: {key} needs W&B's service: run it by `wandb sweep`, or take it out")
        if key not in KEYS:
            raise ValueError(f"{path}: {key} is no key of a sweep file: take it out")
    method = content.get("method")
    if method != "grid":
        raise ValueError(
            f"{path}: method: {method} needs W&B's service: run it by `wandb sweep`, or set `method: grid`"
        )
    parameters = content.get("parameters")
    if not isinstance(parameters, dict) or not parameters:
        raise ValueError(
            f"{path}: parameters is missing: name each option's values, e.g. optimizer.lr: {{values: [0.1]}}"
        )
    return Sweep(
        _command(path, content.get("command")), {name: _values(path, name, parameters[name]) for name in parameters}
    )


def _command(path: Path, words: Any) -> str:
    words = [word for word in words if word != "${env}"] if isinstance(words, list) else []
    if len(words) != 3 or words[0] != "cadence" or words[1] not in RUNS or words[2] != "${args}":
        raise ValueError(f"{path}: command must be `cadence`, one of {', '.join(RUNS)}, and ${{args}}: write {COMMAND}")
    return str(words[1])


def _values(path: Path, name: str, given: Any) -> list[Any]:
    if not re.fullmatch(NAME, str(name)):
        raise ValueError(
            f"{path}: parameters.{name}: W&B's schema takes letters, digits, '.', '_' and '-' alone: "
            "write a list as one value, e.g. trainer.callbacks: {value: '[LRRangeTest]'}"
        )
    if isinstance(given, dict) and set(given) == {"value"}:
        values = [given["value"]]
    elif isinstance(given, dict) and set(given) == {"values"} and isinstance(given["values"], list) and given["values"]:
        values = given["values"]
    else:
        raise ValueError(f"{path}: parameters.{name} must have `value`, or `values` with a list: got {given}")
    for value in values:
        if value is None or isinstance(value, dict):
            what = (
                "null, which W&B hands on as the word None: write 'null' in quotes"
                if value is None
                else ("a mapping: use dotted names, e.g. optimizer.lr")
            )
            raise ValueError(f"{path}: parameters.{name} holds {what}")
    for place, value in enumerate(values):
        if any(str(value) == str(other) for other in values[:place]):
            raise ValueError(f"{path}: parameters.{name} has {value} twice: take one out")
    return values
