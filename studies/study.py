"""A study's folder: sweep.yaml (the grid, for W&B and for us) and study.yaml (what a sweep file cannot say)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from studies.claims import CHECKS, SCALES, Claim
from studies.sweep import Sweep, Values, read_sweep
from studies.table import SEED

SHIPPED = Path(__file__).resolve().parents[1] / "configs" / "studies"


@dataclass(frozen=True)
class Scale:
    """How much of a study is run.

    Attributes:
        options: options that every cell gets besides, or in place of the sweep's own.
        only: values that are kept of some parameters.
        seeds: number of seeds, None for those of the sweep file.
        cost: rough time that it takes, and on what machine.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    only: Values = field(default_factory=dict)
    seeds: int | None = None
    cost: str = ""


@dataclass(frozen=True)
class Study:
    """A question, the runs that answer it, and how the answer is shown.

    Attributes:
        name: name of its folder.
        folder: folder with sweep.yaml and study.yaml.
        title: title of the report.
        asks: what is asked, in paragraphs.
        sweep: grid of cells.
        scales: scales by their names, among them `full`.
        source: publication that it repeats, if any.
        notes: departures from the source, and what the source leaves open.
        exhibits: tables and figures of the report, each a mapping with its `kind`.
        names: what the report calls a column, or a value of one.
        claims: published sentences, each with its check.
    """

    name: str
    folder: Path
    title: str
    asks: str
    sweep: Sweep
    scales: Mapping[str, Scale]
    source: str = ""
    notes: Sequence[str] = ()
    exhibits: Sequence[Mapping[str, Any]] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    claims: Sequence[Claim] = ()

    def cells(self, scale: str, seeds: int | None = None) -> list[dict[str, Any]]:
        """Parameters of each cell.

        Args:
            scale: name of a scale.
            seeds: number of seeds, in place of the scale's; beyond those of the sweep file they count on from its last.

        Raises:
            ValueError: there is no such scale, or it keeps a value that the sweep does not have.
        """
        if scale not in self.scales:
            raise ValueError(f"--scale {scale}: {self.name} has {', '.join(self.scales)}: name one of them")
        chosen = self.scales[scale]
        count, given = seeds or chosen.seeds, list(self.sweep.parameters.get(SEED, [1]))
        grid = dict(self.sweep.parameters)
        if count is not None:
            grid[SEED] = given[:count] + [given[-1] + more for more in range(1, count - len(given) + 1)]
        return Sweep(self.sweep.command, grid).cells(chosen.only, chosen.options)


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


def read_study(folder: Path) -> Study:
    """Read a study's two files.

    Raises:
        ValueError: a key is unknown, missing or of a wrong kind; the message names the file, the key and the remedy.
    """
    path = folder / "study.yaml"
    content = yaml.safe_load(path.read_text())
    own = {"name", "folder", "sweep"}
    _known(path, "study.yaml", content, {item.name for item in fields(Study)} - own, {"title", "asks", "scales"})
    scales = {}
    for name, given in content["scales"].items():
        if name not in SCALES:
            raise ValueError(f"{path}: scales.{name}: a scale is one of {', '.join(SCALES)}")
        _known(path, f"scales.{name}", given or {}, {item.name for item in fields(Scale)})
        scales[name] = Scale(**(given or {}))
    exhibits = content.get("exhibits") or []
    for place, exhibit in enumerate(exhibits):
        if not isinstance(exhibit, dict) or "kind" not in exhibit:
            raise ValueError(f"{path}: exhibits[{place}] has no kind: name one, e.g. kind: table")
    claims = [_claim(path, place, given) for place, given in enumerate(content.get("claims") or [])]
    sweep = read_sweep(folder / "sweep.yaml")
    rest = {"scales": scales, "exhibits": exhibits, "claims": claims, "sweep": sweep}
    return Study(**{**content, **rest}, name=folder.resolve().name, folder=folder)


def _claim(path: Path, place: int, given: Any) -> Claim:
    named = {item.name for item in fields(Claim)} - {"options"}
    _known(path, f"claims[{place}]", given, None, {"says", "source", "check"})
    if given["check"] not in CHECKS:
        raise ValueError(f"{path}: claims[{place}].check: {given['check']} is none of {', '.join(CHECKS)}")
    options = {name: value for name, value in given.items() if name not in named}
    return Claim(**{name: value for name, value in given.items() if name in named}, options=options)


def _known(path: Path, what: str, given: Any, known: set[str] | None, needed: Sequence[str] | set[str] = ()) -> None:
    if not isinstance(given, dict):
        raise ValueError(f"{path}: {what} must be a mapping, got {given}")
    for name in given:
        if known is not None and name not in known:
            raise ValueError(f"{path}: {what} has an unknown key {name}: known are {', '.join(sorted(known))}")
    for name in sorted(needed):
        if name not in given:
            raise ValueError(f"{path}: {what} has no {name}: add it")
