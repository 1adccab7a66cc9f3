"""What Lightning restores from a checkpoint, and what it would leave out without a word."""

import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Timer
from pytorch_lightning.plugins.precision import DoublePrecision

from trainer.access import callbacks_of

_RESTORERS = "pytorch_lightning.trainer.connectors.checkpoint_connector"
_MIGRATION = "pytorch_lightning.utilities.migration"


def while_restoring(error: BaseException) -> bool:
    """Whether an error comes from restoring a checkpoint."""
    names = (frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(name.startswith((_RESTORERS, _MIGRATION)) for name in names)


def widen(trainer: pl.Trainer, module: pl.LightningModule) -> None:
    """Make a module double where the trainer trains in 64-true.

    Lightning does so after it has read the checkpoint, whose weights would pass through float32 and lose half their
    digits.
    """
    if isinstance(trainer.precision_plugin, DoublePrecision):
        module.double()


def lacking(trainer: pl.Trainer, checkpoint: Mapping[str, Any]) -> list[str]:
    """Parts that the trainer's loops and callbacks would keep, and a checkpoint has not.

    Lightning begins such a part anew: a loop would count from 0. Of a callback from elsewhere only the whole state
    counts, as its keys may come and go; and a run may be given a `max_time`, which is a Timer, when it goes on.
    """
    found = list(_missing("loops.fit_loop", trainer.fit_loop.state_dict(), checkpoint["loops"].get("fit_loop")))
    for callback in callbacks_of(trainer):
        if not isinstance(callback, Timer) and (kept := callback.state_dict()):
            name, state = f"callbacks.{type(callback).__name__}", checkpoint["callbacks"].get(callback.state_key)
            ours = type(callback).__module__.startswith("callbacks.")
            found += _missing(name, dict.fromkeys(kept) if ours else {}, state)
    return found


def _missing(name: str, wanted: Mapping[str, Any], there: Any) -> Iterator[str]:
    if not isinstance(there, Mapping):
        yield name
        return
    for key, value in wanted.items():
        if key not in there:
            yield f"{name}.{key}"
        elif isinstance(value, Mapping):
            yield from _missing(f"{name}.{key}", value, there[key])
