"""Tables and figures of a report: each kind a function from what a study found to one exhibit.

| a new kind touches | what |
|---|---|
| studies/exhibits/NAME.py | the function: (Found, its options) -> Exhibit |
| the table below | its name |
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from commands.errors import notice
from studies.columns import METRICS, SETTINGS, unknown
from studies.exhibits.exhibit import Exhibit, Found
from studies.options import check_options
from studies.table import finished

KINDS = {
    "table": "studies.exhibits.result_table",
    "by_epoch": "studies.exhibits.epoch_table",
    "curves": "studies.exhibits.curves",
    "against": "studies.exhibits.against",
    "against_grid": "studies.exhibits.against_grid",
    "at_equal": "studies.exhibits.at_equal",
    "gradient_check": "studies.exhibits.gradient_check",
    "images": "studies.exhibits.images",
    "known_curves": "studies.exhibits.known_curves",
    "layers": "studies.exhibits.layers",
    "receptive_fields": "studies.exhibits.receptive_fields",
    "run_figure": "studies.exhibits.run_figure",
    "text": "studies.exhibits.text",
}


def make(found: Found, wanted: Mapping[str, Any]) -> Exhibit:
    """One exhibit of a study.

    Args:
        found: what the study found.
        wanted: entry of `exhibits` in study.yaml: its `kind`, and the options of that kind.

    Raises:
        ValueError: the kind is unknown, or does not take these options.
    """
    exhibit, options = check(wanted)
    what = f"exhibits: {wanted['kind']}"
    if (why := unknown(options, SETTINGS, found.settings)) is not None:
        raise ValueError(f"{what}: {why}")
    if finished(found.rows) and (why := unknown(options, METRICS, found.measured)) is not None:
        notice(f"{what}: {why}")  # a smaller scale may have no test, or end before a validation
    try:
        return exhibit(found, **options)
    except KeyError as error:
        where = "published, or a column of its file," if "published" in options else "an option"
        raise ValueError(f"{what}: {where} has no {error.args[0]}: add it") from error
    except TypeError as error:
        raise ValueError(f"{what}: {error}") from error


def check(wanted: Mapping[str, Any]) -> tuple[Callable[..., Exhibit], dict[str, Any]]:
    """The function of an exhibit's kind, and the options for it.

    Args:
        wanted: entry of `exhibits` in study.yaml.

    Raises:
        ValueError: the kind is unknown, or does not take these options.
    """
    options = {name: value for name, value in wanted.items() if name != "kind"}
    kind = wanted["kind"]
    if kind not in KINDS:
        raise ValueError(f"exhibits: kind: {kind} is none of {', '.join(KINDS)}")
    exhibit: Callable[..., Exhibit] = import_module(KINDS[kind]).exhibit
    check_options(exhibit, 1, options, f"exhibits: {kind}")
    return exhibit, options
