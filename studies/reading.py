"""A study's folder: sweep.yaml (the grid, for W&B and for us) and study.yaml (what a sweep file cannot say).

A study of several parts has a sweep file for each: `PART.sweep.yaml` beside, or in place of, sweep.yaml.
"""

from collections.abc import Collection
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from commands.configuration.mapping_files import kind, read_mapping
from studies import SCALES
from studies.claims import CHECKS, COUNTS, Claim
from studies.options import fits, wanted
from studies.study import Scale, Study
from studies.sweep import read_sweep


def read_study(folder: Path) -> Study:
    """Read a study's files.

    Raises:
        ValueError: a key is unknown, missing or of a wrong kind; the message names the file, the key and the remedy.
        UserError: a file cannot be read, or is no YAML.
    """
    path = folder / "study.yaml"
    own = {"name", "folder", "sweeps"}
    content = _checked(Study, path, "", read_mapping(path, str(path), "title: Two rates"), own)
    scales = {}
    for name, given in content["scales"].items():
        if name not in SCALES:
            raise ValueError(f"{path}: scales.{name}: a scale is one of {', '.join(SCALES)}")
        scales[name] = _scale(path, f"scales.{name}", {} if given is None else given)
    for place, exhibit in enumerate(content.get("exhibits", [])):
        if not isinstance(exhibit, dict) or "kind" not in exhibit:
            raise ValueError(f"{path}: exhibits[{place}] has no kind: name one, e.g. kind: table")
    claims = [_claim(path, place, given) for place, given in enumerate(content.get("claims", []))]
    files = sorted(folder.glob("*sweep.yaml"), key=lambda file: (file.name != "sweep.yaml", file.name))
    runs = content.get("runs", True)
    if not files and runs:
        raise ValueError(f"{folder} has no sweep.yaml: add the grid of its cells, or `runs: false` to study.yaml")
    if files and not runs:
        raise ValueError(f"{path}: runs is false, and there is {files[0].name}: take one of them out")
    sweeps = {file.name.removesuffix(".yaml").removesuffix(".sweep"): read_sweep(file) for file in files}
    rest = {"scales": scales, "claims": claims, "sweeps": sweeps}
    return Study(**{**content, **rest}, name=folder.resolve().name, folder=folder)


def _scale(path: Path, what: str, given: Any) -> Scale:
    found = _checked(Scale, path, what, given)
    if found.get("seeds", 1) < 1:
        raise ValueError(f"{path}: {what}.seeds must be at least 1, got {found['seeds']}")
    parts = {part: _scale(path, f"{what}.parts.{part}", own) for part, own in found.get("parts", {}).items()}
    for name, kept in found.get("only", {}).items():
        if not isinstance(kept, list):
            raise ValueError(f"{path}: {what}.only.{name} must be a list of the values to keep, got {kind(kept)}")
    return Scale(**{**found, "parts": parts})


def _claim(path: Path, place: int, given: Any) -> Claim:
    what, named = f"claims[{place}]", {item.name for item in fields(Claim)} - {"options"}
    if not isinstance(given, dict):
        raise ValueError(f"{path}: {what} must be a mapping, got {kind(given)}")
    options = {name: value for name, value in given.items() if name not in named}
    found = _checked(Claim, path, what, {name: value for name, value in given.items() if name in named}, {"options"})
    if found["check"] not in {*CHECKS, *COUNTS}:
        known = ", ".join([*CHECKS, *COUNTS])
        raise ValueError(f"{path}: {what}.check: {found['check']} is none of {known}")
    if found.get("scale", "full") not in SCALES:
        raise ValueError(f"{path}: {what}.scale: {found['scale']} is none of {', '.join(SCALES)}")
    return Claim(**found, options=options)


def _checked(cls: Any, path: Path, what: str, given: Any, own: Collection[str] = ()) -> dict[str, Any]:
    """What is given of the fields of a class, without those that are empty.

    Args:
        cls: dataclass of which an entry is made.
        path: path of the file, for messages.
        what: place in the file; empty for all of it.
        given: the entry.
        own: fields that no file gives.
    """
    if not isinstance(given, dict):
        raise ValueError(f"{path}: {what} must be a mapping, got {kind(given)}")
    known = {item.name: item for item in fields(cls) if item.name not in own}
    hints = get_type_hints(cls)
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"{path}: {what or 'it'} has an unknown key {name}: known are {', '.join(sorted(known))}")
        if value is not None and not fits(value, hints[name]):
            raise ValueError(f"{path}: {what}{'.' * bool(what)}{name} must be {wanted(hints[name])}, got {kind(value)}")
    found = {name: value for name, value in given.items() if value is not None}
    for name, item in known.items():
        if name not in found and item.default is item.default_factory:  # both are dataclasses.MISSING
            raise ValueError(f"{path}: {what or 'it'} has no {name}: add it")
    return found
