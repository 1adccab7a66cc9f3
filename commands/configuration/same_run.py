"""A run that goes on stays the same run: what a resume may change, and what it refuses by name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from commands.errors import UserError
from records.history import Past

# What a resume may change, as it changes no row that is there, and none that the unbroken run would have by then.
# A name stands for all options below it, too.
MAY_CHANGE = {
    "trainer.max_epochs": "length",
    "trainer.min_epochs": "length",
    "trainer.max_steps": "length",
    "trainer.min_steps": "length",
    "trainer.max_time": "length",
    "trainer.logger": "where rows go beside metrics.csv",
    "trainer.profiler": "a look at the run's time",
    "trainer.enable_progress_bar": "what a terminal shows",
    "trainer.enable_model_summary": "what a terminal shows",
    "trainer.detect_anomaly": "a look for what goes wrong",
    "trainer.accelerator": "devices and processes",
    "trainer.devices": "devices and processes",
    "trainer.num_nodes": "devices and processes",
    "trainer.strategy": "devices and processes",
    "data.device_resident": "where the images lie",
    "model.compile": "what runs the network",
    "checkpoint_every": "how much a stop costs",
    "on_nonfinite": "whether a training that diverges goes on",
    "test_after_fit": "what follows the training",
}
_SHOWN = 3  # differences that a message names


class _Absent:
    def __repr__(self) -> str:
        return "not there"


ABSENT = _Absent()


def check_same(
    now: Mapping[str, Any],
    past: Past,
    directory: Path,
    files: Mapping[str, Any],
    new: Callable[[bool], str],
) -> None:
    """Refuse a configuration that is not the run's own, but for what `MAY_CHANGE` lists.

    Args:
        now: resolved configuration of the resume.
        past: the run so far.
        directory: the run's.
        files: content of the run's config.yaml as it lies there.
        new: function that gives the command line of a new run with this configuration; it is told whether the network
            is the same, so that the run may begin from this one's weights.

    Raises:
        UserError: names what differs, and where.
    """
    then, after, edited = flat(past.config), flat(now), flat(files)
    names = refused(then, after)
    if names:
        told = [_told(name, then, after) for name in names[:_SHOWN]]
        more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        by_hand = [name for name in names if repr(edited.get(name, ABSENT)) != repr(then.get(name, ABSENT))]
        mend = f"set it back in {directory / 'config.yaml'}" if by_hand else "leave it out"
        raise UserError(
            f"--resume {directory}: {', '.join(told)}{more}: a run that goes on stays the same run\n"
            f"{mend}; or begin a new run with it:\n{new(not any(_shapes_the_network(name) for name in names))}"
        )
    _check_length(now["trainer"], past, directory)


def refused(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Names of the options of two flat configurations that differ and may not, in the order of the first.

    Where a class is another, its options are left out.
    """
    names = [name for name in [*then, *(name for name in now if name not in then)] if not may_change(name)]
    differing = [name for name in names if repr(then.get(name, ABSENT)) != repr(now.get(name, ABSENT))]
    return [name for name in differing if not any(name.startswith(f"{other}.") for other in differing)]


def changed(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a configuration that are others than before, or are gone (null), with their values."""
    before, after = flat(then), flat(now)
    names = {**before, **after}
    return {name: after.get(name) for name in names if repr(before.get(name, ABSENT)) != repr(after.get(name, ABSENT))}


def may_change(name: str) -> bool:
    """Whether a resume may change an option."""
    return any(name == free or name.startswith(f"{free}.") for free in MAY_CHANGE)


def flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a configuration by the names that the command line has for them, without `init_args`.

    A class is its import path, below its field's name; a list of classes is a list of paths, and the options of each
    are below the field's name and its own.
    """
    found: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping) and "class_path" not in value:
            for option, inner in value.items():
                _add(found, f"{name}.{option}", inner)
        else:
            _add(found, name, value)
    return found


def _add(found: dict[str, Any], name: str, value: Any) -> None:
    if _is_class(value):
        found[name] = value["class_path"]
        for part in ("init_args", "dict_kwargs"):
            for option, inner in (value.get(part) or {}).items():
                _add(found, f"{name}.{option}", inner)
    elif isinstance(value, list) and value and all(map(_is_class, value)):
        found[name] = paths = [one["class_path"] for one in value]
        for number, one in enumerate(value):
            again = paths[:number].count(one["class_path"])
            below: dict[str, Any] = {}
            _add(below, f"{name}.{_short(one['class_path'])}{f'#{again + 1}' if again else ''}", one)
            found |= dict(list(below.items())[1:])
    else:
        found[name] = value


def _shapes_the_network(name: str) -> bool:
    return name == "data" or name.partition(".")[0] == "model" or name in ("data.image_size", "data.in_channels")


def _is_class(value: Any) -> bool:
    return isinstance(value, Mapping) and "class_path" in value


def _told(name: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    return f"{name} is {_value(then.get(name, ABSENT))}, and would be {_value(now.get(name, ABSENT))}"


def _value(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return f"[{', '.join(map(_short, value))}]"
    text = _short(value) if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _short(path: str) -> str:
    return path.rpartition(".")[2] if all(part.isidentifier() for part in path.split(".")) else path


def _check_length(trainer: Mapping[str, Any], past: Past, directory: Path) -> None:
    """Refuse a length that the run has gone beyond: its record would be of another run than config.yaml says."""
    for name, made, what in (("max_steps", past.step, "steps"), ("max_epochs", past.epochs, "epochs")):
        most = trainer.get(name)
        if isinstance(most, int) and -1 != most < made:
            raise UserError(
                f"--resume {directory}: trainer.{name} is {most}, and the run has made or begun {made} {what}\n"
                f"give {made} or more, or leave it out"
            )
