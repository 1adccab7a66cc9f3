"""Which metric chooses best.ckpt, and which way."""

from typing import Any

from commands.errors import UserError
from records.best_values import sense

USUAL = ("val/accuracy", "max")
_WAYS = {1.0: "max", -1.0: "min"}


def monitor_of(config: Any) -> tuple[str, str]:
    """Name of the metric, and `min` or `max`.

    Args:
        config: parsed configuration, that `check_monitor` has accepted.
    """
    if config.monitor is None:
        return USUAL
    return config.monitor, config.monitor_mode or _WAYS[sense(config.monitor) or 1.0]


def check_monitor(config: Any) -> None:
    """Refuse a monitor whose better value nobody can tell, or that has nothing to choose.

    Args:
        config: parsed configuration of a command.

    Raises:
        UserError: names the option and the remedy.
    """
    name, mode = config.monitor, config.monitor_mode
    if name is None:
        if mode is not None:
            raise UserError("monitor_mode goes with monitor alone: name the metric too, e.g. --monitor val/loss")
        return
    if not name or not name.isprintable() or name != name.strip():
        raise UserError(f"monitor must be the name of a metric, got {name!r}: val/accuracy is usual")
    if mode is None and sense(name) is None:
        raise UserError(
            f"monitor_mode is missing: say whether a larger or a smaller {name} is better, --monitor_mode max or min"
        )
    if config.trainer.enable_checkpointing is False:
        raise UserError(
            "monitor chooses best.ckpt, and trainer.enable_checkpointing is false, so that there is none: "
            "leave one of them out"
        )
