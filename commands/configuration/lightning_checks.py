"""What a configuration takes from Lightning, refused by name where it would have no effect here, or another one."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from pytorch_lightning.callbacks import Checkpoint, ModelCheckpoint, ProgressBar

from commands.configuration import lightning_parts as parts
from commands.configuration.lightning_parts import Part
from commands.configuration.trainer_checks import check_device, check_numbers, check_ours, warn_of_slow_bfloat16
from commands.errors import UserError
from datamodules.image_datamodule import ImageDataModule
from lightning_modules import ImageClassifier

_SHIPPED = ("pytorch_lightning", "lightning_fabric", "torch")


def check_parts(command: str, config: Any) -> None:
    """Refuse what Lightning or torch ship and a run of Cadence cannot use, before anything of it is built.

    Args:
        command: `fit`, `test` or a range test.
        config: parsed configuration of the command.

    Raises:
        UserError: names the field, why it is refused and what to use instead.
    """
    trainer, ours = config.trainer, _derives(config.model.class_path, ImageClassifier)
    for name, part in parts.TRAINER.items():
        if name in trainer and part.instead and _applies(part, ours) and trainer[name] not in part.off:
            raise UserError(f"trainer.{name} {part.instead}")
    for field, table in parts.BY_FIELD.items():
        for given in _listed(config[field]):
            _check(field, given, table, ours)
    if any(given is True for given in _listed(trainer.logger)):
        raise UserError(
            "trainer.logger: metrics.csv is there anyway: name a logger to add to it, e.g. CSVLogger, or leave it out"
        )
    _check_doubles(config)
    if ours:
        _check_checkpoints(trainer)
        if trainer.sync_batchnorm and config.model.init_args.micro_batch_size is not None:
            raise UserError(
                "trainer.sync_batchnorm does not go with model.micro_batch_size, as chunks are normalised one by one: "
                "leave one of them out"
            )
    check_numbers(command, trainer)
    check_device(trainer)
    warn_of_slow_bfloat16(trainer)
    if _derives(config.data.class_path, ImageDataModule):
        check_ours(trainer)


def configured_classes(config: Any, field: str) -> list[type]:
    """Classes that a field of the trainer's section names, in their order."""
    named = [_named(given.class_path) for given in _listed(config.trainer[field]) if hasattr(given, "class_path")]
    return [kind for kind in named if isinstance(kind, type)]


def _check_checkpoints(trainer: Any) -> None:
    """Refuse what Lightning's ModelCheckpoint leaves undone where a module takes its optimizer steps itself."""
    for given in _listed(trainer.callbacks):
        if _derives(given.class_path, ModelCheckpoint) and given.init_args.get("train_time_interval"):
            raise UserError(
                "trainer.callbacks: ModelCheckpoint's train_time_interval has no effect with Cadence's models: "
                "set every_n_train_steps or every_n_epochs instead"
            )


def _check_doubles(config: Any) -> None:
    """Refuse callbacks that contradict a switch of the trainer's, or each other."""
    kinds = configured_classes(config, "callbacks")
    for base, switch in ((ProgressBar, "enable_progress_bar"), (Checkpoint, "enable_checkpointing")):
        found = [kind.__name__ for kind in kinds if issubclass(kind, base)]
        if found and config.trainer[switch] is False:
            raise UserError(
                f"trainer.{switch} is false, and {found[0]} is among trainer.callbacks: leave one of them out"
            )
        if len(found) > 1 and base is ProgressBar:
            raise UserError(f"trainer.callbacks: {' and '.join(found)} would draw over each other: keep one of them")


def _check(field: str, given: Any, table: Mapping[str, Part], ours: bool) -> None:
    for name, itself in _names(given):
        part = table.get(name)
        if part is not None and part.instead and _applies(part, ours) and (itself or not part.base):
            raise UserError(f"{field}: {name} {part.instead}")


def _names(given: Any) -> Iterator[tuple[str, bool]]:
    """Names under which a given value may stand in a table, and whether each is the value's own, not a base's."""
    if not hasattr(given, "class_path"):
        if isinstance(given, str | int) and not isinstance(given, bool):
            yield str(given), True
        return
    kind = _named(given.class_path)
    for one in kind.__mro__ if isinstance(kind, type) else ():  # a function that makes one is a stranger's
        if one.__module__.partition(".")[0] in _SHIPPED:
            yield one.__name__, one is kind


def _derives(path: str, base: type) -> bool:
    kind = _named(path)
    return isinstance(kind, type) and issubclass(kind, base)


def _applies(part: Part, ours: bool) -> bool:
    return ours or not part.ours_alone


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _named(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)
