"""A study: the question, its scales and their cells; and where studies are found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studies.claims import Claim
from studies.sweep import Sweep, Values
from studies.table import SEED

SHIPPED = Path(__file__).resolve().parents[1] / "configs" / "studies"


@dataclass(frozen=True)
class Scale:
    """How much of a study is run.

    Attributes:
        options: options that every cell gets besides, or in place of the sweep's own.
        only: values that are kept of some parameters.
        seeds: number of seeds, by default those of the sweep file.
        cost: rough time that it takes, and on what machine.
        parts: options, values and seeds that one part's cells have in place of these, by the name of the part.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    only: Values = field(default_factory=dict)
    seeds: int | None = None
    cost: str = ""
    parts: Mapping[str, "Scale"] = field(default_factory=dict)


@dataclass(frozen=True)
class Planned:
    """A cell before its configuration is resolved.

    Attributes:
        part: name of the sweep file that it comes from.
        parameters: values of the sweep's parameters and of the scale's options.
        arguments: its command line, as `wandb agent` would give it.
    """

    part: str
    parameters: Mapping[str, Any]
    arguments: Sequence[str]


@dataclass(frozen=True)
class Study:
    """A question, the runs that answer it, and how the answer is shown.

    Attributes:
        name: name of its folder.
        folder: folder with sweep.yaml and study.yaml.
        title: title of the report.
        asks: what is asked, in paragraphs.
        sweeps: grids of cells, by the names of their parts; none where `runs` is false.
        scales: scales by their names.
        source: publication that it repeats, if any.
        notes: departures from the source, and what the source leaves open.
        exhibits: tables and figures of the report, each a mapping with its `kind`.
        names: what the report calls a column, or a value of one.
        claims: published sentences, each with its check.
        runs: whether it has cells; without, all of it is computed as the report is written.
    """

    name: str
    folder: Path
    title: str
    asks: str
    sweeps: Mapping[str, Sweep]
    scales: Mapping[str, Scale]
    source: str = ""
    notes: Sequence[str] = ()
    exhibits: Sequence[Mapping[str, Any]] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    claims: Sequence[Claim] = ()
    runs: bool = True

    def named(self, value: Any) -> str:
        """What people are shown for a column, or a value of one: its name, if it has one."""
        shown = plain(value)
        return str(self.names.get(str(value), self.names.get(shown, shown)))

    def cells(self, scale: str, seeds: int | None = None) -> list[Planned]:
        """Every cell of a scale, part by part.

        Args:
            scale: name of a scale.
            seeds: number of seeds, in place of the scale's; beyond those of the sweep file they count on from its last.

        Raises:
            ValueError: there is no such scale, or it keeps a value that the sweep does not have.
        """
        if scale not in self.scales:
            raise ValueError(f"--scale {scale}: {self.name} has {', '.join(self.scales)}: name one of them")
        chosen, found = self.scales[scale], []
        for name, kept in chosen.only.items():
            have = [value for sweep in self.sweeps.values() for value in sweep.parameters.get(name, [])]
            if any(value not in have for value in kept):
                raise ValueError(f"scales.{scale}.only: {name} has the values {have}, and not all of {kept}")
        for part, sweep in self.sweeps.items():
            own = chosen.parts.get(part, Scale())
            only = {**_only(chosen.only, sweep.parameters), **own.only}
            grid = Sweep(sweep.command, _seeded(sweep.parameters, seeds or own.seeds or chosen.seeds))
            cells = grid.cells(only, {**chosen.options, **own.options})
            found += [Planned(part, cell, grid.arguments(cell)) for cell in cells]
        return found


def plain(value: Any) -> str:
    """A value without a name, as people are shown it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _only(wanted: Values, parameters: Values) -> Values:
    """Of the wanted values those that a part has, for parameters of which it has any."""
    kept = {name: [value for value in values if value in parameters.get(name, [])] for name, values in wanted.items()}
    return {name: values for name, values in kept.items() if values}


def _seeded(parameters: Values, count: int | None) -> Values:
    if count is None:
        return parameters
    given = list(parameters.get(SEED, [1]))
    return {**parameters, SEED: given[:count] + [given[-1] + more for more in range(1, count - len(given) + 1)]}


def shipped() -> dict[str, Path]:
    """Folders of the shipped studies, by name."""
    return {path.parent.name: path.parent for path in sorted(SHIPPED.glob("*/study.yaml"))}


def find(name: str) -> Path:
    """Folder of a study: a path, else a shipped study's name.

    Raises:
        ValueError: there is none; names those that there are.
    """
    folder = Path(name)
    if (folder / "study.yaml").is_file():
        return folder
    if name in shipped():
        return shipped()[name]
    raise ValueError(f"{name} is no shipped study, and no folder with a study.yaml: shipped are {', '.join(shipped())}")
