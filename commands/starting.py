"""A new run that begins from another's weights: which checkpoint, whether it fits, and what is taken of it."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

from callbacks.start_from import StartFrom
from commands.configuration.cadence_cli import CadenceCLI
from commands.configuration.parent import checkpoint_of
from commands.configuration.same_run import flat
from commands.configuration.shipped import config_paths
from commands.errors import UserError
from records.checkpoint_io import Unreadable, read_checkpoint
from records.history import KEY
from records.run_directory import RunDirectory

# Options of an optimizer that may be others where its state is taken: nothing in the state depends on them.
FREE = {"lr", "weight_decay"}
_SHOWN = 3  # parameters that a message names


def starting(cli: CadenceCLI, arguments: Sequence[str]) -> StartFrom | None:
    """The callback that begins a run from its parent, which the configuration is completed with; None without one.

    Args:
        cli: the run's configuration, with the model.
        arguments: words of the command line, with configuration files as paths.

    Raises:
        UserError: there is no such checkpoint, or it does not fit the model.
    """
    parent = cli.config["from"]
    if parent is None:
        return None
    run = RunDirectory(Path(parent.run))
    parent.at, path = _found(parent, run, arguments)
    try:
        content = read_checkpoint(path, mapped=True)
    except Unreadable as error:
        raise UserError(f"--from: {error.what}\ngive --at best or --at last, whichever is whole") from error
    if misfits := misfits_of(content["state_dict"], cli.model.state_dict()):
        more = f"; and {len(misfits) - _SHOWN} more" if len(misfits) > _SHOWN else ""
        raise UserError(
            f"--from: {path} does not fit {type(cli.model).__name__}: {'; '.join(misfits[:_SHOWN])}{more}\n"
            "leave out what makes another network of it, or begin without --from"
        )
    parent.run, parent.step, parent.sha256 = str(run.root.absolute()), content.get("global_step"), digest(path)
    theirs = (content.get(KEY) or {}).get("config", {})
    without = reason_without_state(flat(theirs), flat(yaml.safe_load(cli.resolved())))
    return StartFrom(path, parent.sha256, without)


def misfits_of(theirs: Mapping[str, Any], ours: Mapping[str, torch.Tensor]) -> list[str]:
    """What does not fit between the weights of a checkpoint and those of a model, a text for each."""
    found = []
    for name, value in ours.items():
        if name not in theirs:
            found.append(f"it has no {name}")
        elif theirs[name].shape != value.shape:
            found.append(f"{name} is {list(theirs[name].shape)} there and {list(value.shape)} here")
    return found + [f"it has {name}, which the model lacks" for name in theirs if name not in ours]


def reason_without_state(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Why an optimizer's state cannot be taken over; "" if it can.

    Args:
        theirs: flat configuration of the parent.
        ours: flat configuration of the new run.
    """
    if theirs.get("optimizer") is None:
        return "the checkpoint does not say of which optimizer it is"
    kinds = [str(one.get("optimizer")).rpartition(".")[2] for one in (theirs, ours)]
    if theirs["optimizer"] != ours.get("optimizer"):
        return f"the optimizer is {kinds[1]}, and was {kinds[0]}"
    names = [name for name in ours if name.startswith("optimizer.") and name.rpartition(".")[2] not in FREE]
    names += [name for name in ("model.lr_ratios", "model.spare_biases_and_norms") if name in ours]
    other = next((name for name in names if repr(theirs.get(name)) != repr(ours[name])), None)
    return f"{other} is {ours[other]}, and was {theirs.get(other)}" if other else ""


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _found(parent: Any, run: RunDirectory, arguments: Sequence[str]) -> tuple[str, Path]:
    """Name and path of the parent's checkpoint: with a digest, that very one, of which the new run keeps a copy."""
    if parent.sha256 is None:
        return checkpoint_of(run, parent.at)
    copies = [RunDirectory(Path(file).parent).start for file in config_paths(list(arguments))]
    places = [*copies, run.best if parent.at == "best" else run.last]
    for place in places:
        if place.is_file() and digest(place) == parent.sha256:
            return parent.at, place
    raise UserError(
        f"from.sha256: neither {places[-1]} nor a start.ckpt beside the configuration is that checkpoint\n"
        "put it back; or begin from what is there now: take step and sha256 out of `from`"
    )
