"""The record of the eight runs, and what another set of runs has otherwise."""

import json
from pathlib import Path
from typing import Any

RECORD = Path(__file__).with_name("record.json")


def whole(path: Path = RECORD) -> dict[str, Any]:
    """The machine, and what each run left there."""
    return json.loads(path.read_text())


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """A line for each thing that is not the same to the bit; metrics by their first row that differs."""
    after = after | {
        "range tests": {name: _known(before, name, answer) for name, answer in after["range tests"].items()}
    }
    found = [f"{part} differ" for part in ("weights", "range tests") if before[part] != after[part]]
    rows, others = before["metrics"], after["metrics"]
    if len(rows) != len(others):
        found.append(f"{len(others)} rows of metrics, {len(rows)} before")
    for row, other in zip(rows, others, strict=False):
        if row != other:
            keys = sorted(key for key in row.keys() | other.keys() if row.get(key) != other.get(key))
            told = ", ".join(f"{key} {other.get(key)} for {row.get(key)}" for key in keys)
            return [*found, f"metrics differ from step {row['step']} on: {told}"]
    return found


def _known(before: dict[str, Any], name: str, answer: dict[str, Any]) -> dict[str, Any]:
    """A range test's answer without what has come since: rules, settings and other keys that no answer had then."""
    return _as_in(before["range tests"].get(name, answer), answer)


def _as_in(before: Any, after: Any) -> Any:
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return after
    return {key: _as_in(before[key], after[key]) for key in before if key in after}
