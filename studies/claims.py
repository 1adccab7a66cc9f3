"""Published sentences that can be checked: each a pure function of a study's table.

A claim is written into study.yaml before the runs. Its verdict comes with the numbers that decide, and with what the
seeds say: where three or more seeds ran, a difference counts only if the 95 % interval of the paired differences
leaves 0 out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from studies import SCALES
from studies.against_grid import near_best, refusals
from studies.columns import METRICS, SETTINGS, unknown
from studies.comparisons import (
    Named,
    alike,
    at_least,
    beats,
    best,
    falling,
    near,
    order,
    passing,
    ratio,
)
from studies.counted import counted, field_of_stack
from studies.known_curves import known_bounds, known_point
from studies.options import check_options
from studies.states import TO_COME
from studies.table import Row, finished, grouped, where

REPRODUCED, NOT_REPRODUCED, NOT_TESTED = "reproduced", "not reproduced", "not tested at this scale"


@dataclass(frozen=True)
class Claim:
    """One published sentence, and the check that stands for it.

    Attributes:
        says: sentence, in plain words.
        source: place where it is printed.
        check: name of the check.
        options: further arguments of the check.
        where: column values of the cells that it is about.
        each: columns that tell apart the groups in which it must hold, one by one.
        scale: smallest scale at which it is tested.
    """

    says: str
    source: str
    check: str
    options: Mapping[str, Any]
    where: Mapping[str, Any] = field(default_factory=dict)
    each: Sequence[str] = ()
    scale: str = "full"


@dataclass(frozen=True)
class Verdict:
    """What the runs say about a claim.

    Attributes:
        state: REPRODUCED, NOT_REPRODUCED or NOT_TESTED.
        numbers: numbers that decide, a line for each group.
    """

    state: str
    numbers: list[str]


Check = Callable[..., tuple[bool, str]]
CHECKS: dict[str, Check] = {
    "best": best,
    "beats": beats,
    "order": order,
    "alike": alike,
    "near": near,
    "at_least": at_least,
    "falling": falling,
    "passing": passing,
    "ratio": ratio,
    "near_best": near_best,
    "refusals": refusals,
}
# Checks of what is computed here, which need no run.
COUNTS: dict[str, Check] = {
    "counted": counted,
    "field": field_of_stack,
    "known_point": known_point,
    "known_bounds": known_bounds,
}


def judge(claim: Claim, rows: Sequence[Row], scale: str, named: Named = lambda value: _name(value)) -> Verdict:
    """Judge a claim by the cells of one scale.

    Args:
        claim: the claim.
        rows: rows of the cells.
        scale: name of the scale.
        named: function from a column's value to what the report calls it.

    Raises:
        ValueError: the claim's check is unknown, or does not take its options.
    """
    check_claim(claim)
    if scale in SCALES and SCALES.index(scale) < SCALES.index(claim.scale):
        return Verdict(NOT_TESTED, [f"asks for scale {claim.scale}"])
    if claim.check in COUNTS:
        good, line = COUNTS[claim.check](**claim.options)
        return Verdict(REPRODUCED if good else NOT_REPRODUCED, [line])
    groups = grouped(where(rows, claim.where), claim.each)
    waiting = sum(row["status"] in TO_COME for group in groups.values() for row in group)
    if not groups or waiting:
        return Verdict(
            NOT_TESTED, [f"{waiting} of its cells have not run" if waiting else "no cell of this scale is about it"]
        )
    columns = {name for row in rows for name in row}
    told = SETTINGS + METRICS if finished(rows) else SETTINGS  # no cell that ended, no metric
    if (why := unknown({**claim.options, "each": claim.each}, told, columns)) is not None:
        return Verdict(NOT_TESTED, [why])
    holds, lines = True, []
    for names, group in groups.items():
        good, line = CHECKS[claim.check](group, named, **claim.options)
        holds &= good
        lines.append(f"{', '.join(map(named, names))}: {line}" if names else line)
    return Verdict(REPRODUCED if holds else NOT_REPRODUCED, lines)


def check_claim(claim: Claim) -> None:
    """Check that a claim's check is known and takes its options, for which no cell need have run.

    Raises:
        ValueError: it is not, or does not.
    """
    if claim.check not in {*CHECKS, *COUNTS}:
        raise ValueError(f"claim '{claim.says}': check {claim.check} is none of {', '.join([*CHECKS, *COUNTS])}")
    given, check = (2, CHECKS[claim.check]) if claim.check in CHECKS else (0, COUNTS[claim.check])
    check_options(check, given, claim.options, f"claim '{claim.says}': {claim.check}")


def _name(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
