"""Mistakes that no type catches, refused before anything is built: no option is dropped in silence."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from checks.arguments import LARGEST_SEED
from commands.errors import UserError

_BASES = ("LightningModule", "ImageClassifier", "LightningDataModule", "ImageDataModule", "FetchedDataModule")

# jsonargparse fills these fields in and drops what is given for them: field -> where its value comes from.
LINKED = {
    "data.seed": "seed_everything",
    "model.in_channels": "data.in_channels",
    "model.image_size": "data.image_size",
    "model.num_classes": "the dataset's classes",
}
# Trainer option that does not go with one optimizer step a batch -> (values that mean 'off', our option to use instead)
_REPLACED = {
    "gradient_clip_val": ((None, 0), "model.gradient_clip_norm"),
    "gradient_clip_algorithm": ((None,), "model.gradient_clip_norm"),
    "accumulate_grad_batches": ((None, 1), "model.micro_batch_size (the largest chunk of a data.batch_size)"),
}


def check_given(arguments: list[str], files: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Refuse options that would be dropped, and options without a value.

    Args:
        arguments: words of the command line.
        files: names and contents of its configuration files.

    Raises:
        UserError: an option follows from another one, or its value is missing.
    """
    for word, following in zip(arguments, [*arguments[1:], "--"], strict=False):
        field = word.removeprefix("--").partition("=")[0].replace(".init_args.", ".")
        if word.startswith("--") and field in LINKED:
            raise UserError(f"--{field} follows from {LINKED[field]}: set that, and leave --{field} out")
        alone = word.startswith("--") and "=" not in word and following.startswith("--")
        if alone and "." in field and not field.endswith(".help"):
            raise UserError(f"{field}: a value is missing behind --{field}: give it as --{field} VALUE")
    for name, content in files:
        for field in LINKED:
            section, _, key = field.partition(".")
            part = content.get(section)
            options = part.get("init_args") or part if isinstance(part, Mapping) else {}
            if isinstance(options, Mapping) and key in options:
                raise UserError(f"-c {name}: {field} follows from {LINKED[field]}: set that, and leave {field} out")


def check_parsed(command: str, config: Any) -> None:
    """Refuse values that are of the right type and cannot work.

    Args:
        command: `fit` or `test`.
        config: parsed configuration of the command.

    Raises:
        UserError: names the field and the remedy.
    """
    for section in ("trainer", "range_test"):
        if section in config and not hasattr(config[section], "as_dict"):
            raise UserError(f"{section}: expected a mapping of its options, got {config[section]!r}: leave it out")
    if not 0 <= config.seed_everything <= LARGEST_SEED:
        raise UserError(f"seed_everything must lie in [0, {LARGEST_SEED}], got {config.seed_everything}: try 1")
    for field, section in (("model", "models"), ("data", "datasets")):
        if (name := config[field].class_path.rpartition(".")[2]) in _BASES:
            raise UserError(
                f"{field}: {name} is a base class: `cadence list {section}` shows the classes to choose from"
            )
    if config.checkpoint_every < 1:
        raise UserError(f"checkpoint_every must be at least 1 step, got {config.checkpoint_every}: 500 is the default")
    trainer = config.trainer
    if command == "fit" and trainer.max_epochs is None and trainer.max_steps == -1 and trainer.max_time is None:
        raise UserError("trainer.max_epochs is missing: say how long to train, e.g. --trainer.max_epochs 3")
    if trainer.log_every_n_steps is not None and trainer.log_every_n_steps < 1:
        raise UserError(f"trainer.log_every_n_steps must be at least 1, got {trainer.log_every_n_steps}: 50 is usual")
    cores = os.cpu_count() or 1
    accelerator = accelerator_of(trainer.accelerator)
    if accelerator == "cpu" or (accelerator == "auto" and not _cuda()):
        devices = trainer.devices
        if str(devices).lstrip("-").isdigit() and not 1 <= int(devices) <= cores:
            raise UserError(f"trainer.devices must lie in 1 ... {cores}, this machine's cores, got {devices}")


def check_manual(trainer: Mapping[str, Any]) -> None:
    """Refuse Lightning's options that do not go with manual optimization, and name ours.

    Args:
        trainer: the trainer's section of the configuration.

    Raises:
        UserError: names the field and the one to use instead.
    """
    for name, (none, ours) in _REPLACED.items():
        if trainer[name] not in none:
            raise UserError(f"trainer.{name} does not go with Cadence's training step\nset {ours} instead")


def accelerator_of(wanted: Any) -> Any:
    """The accelerator for Lightning: never Apple's GPU, which lacks the float64 in which losses are summed.

    Raises:
        UserError: that GPU is asked for.
    """
    import torch

    if _cuda() or not torch.backends.mps.is_available():
        return wanted
    if wanted in ("gpu", "mps"):
        raise UserError("trainer.accelerator: Apple's GPU lacks the float64 in which losses are summed: set it to cpu")
    return "cpu" if wanted == "auto" else wanted


def _cuda() -> bool:
    import torch

    return torch.cuda.is_available()
