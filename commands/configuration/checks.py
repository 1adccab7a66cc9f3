"""Mistakes that no type catches, refused before anything is built: no option is dropped in silence."""

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from checks.arguments import LARGEST_SEED
from commands.configuration.finite import check_finite
from commands.configuration.monitor import check_monitor
from commands.configuration.nulls import check_nulls
from commands.errors import UserError

_BASES = ("LightningModule", "ImageClassifier", "LightningDataModule", "ImageDataModule", "FetchedDataModule")

# What Lightning reads as a process's rank when it is imported.
_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
# jsonargparse fills these fields in and drops what is given for them: field -> where its value comes from.
LINKED = {
    "data.seed": "seed_everything",
    "model.in_channels": "data.in_channels",
    "model.image_size": "data.image_size",
    "model.num_classes": "the dataset's classes",
}

# PL_FIT__TRAINER__MAX_EPOCHS, PL_TRAINER__MAX_EPOCHS (LightningCLI) and PL_TRAINER_MAX_EPOCHS (Trainer). Others of
# Lightning's variables (PL_GLOBAL_SEED, PL_TORCH_DISTRIBUTED_BACKEND ...) are no options.
# What a launcher says of the processes that it has started on this machine, however many cores that has.
_STARTED = ("LOCAL_WORLD_SIZE", "SLURM_NTASKS_PER_NODE")
_OPTION_IN_ENVIRONMENT = re.compile(
    r"PL_(?:FIT|VALIDATE|TEST|PREDICT)__(.+)|PL_(?:TRAINER|MODEL|DATA|OPTIMIZER|LR_SCHEDULER)(?:_.*)?$|"
    r"PL_(?:CONFIG|SEED_EVERYTHING|RUN_DIR|TEST_AFTER_FIT|CHECKPOINT_EVERY)$"
)


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
        if field == "from" and not word.startswith(
            "--from={"
        ):  # `fit` and the range tests have made a mapping of theirs
            raise UserError("--from goes with fit and the range tests alone: give -c RUN_DIR/config.yaml here")
        alone = word.startswith("--") and "=" not in word and following.startswith("--")
        if alone and "." in field and not field.endswith(".help"):
            raise UserError(f"{field}: a value is missing behind --{field}: give it as --{field} VALUE")
    for name, content in files:
        if not isinstance(content.get("from"), Mapping | None):
            raise UserError(f"-c {name}: from must be a mapping such as {{run: RUN_DIR}}, got {content['from']!r}")
        for field in LINKED:
            section, _, key = field.partition(".")
            part = content.get(section)
            options = part.get("init_args") or part if isinstance(part, Mapping) else {}
            if isinstance(options, Mapping) and key in options:
                raise UserError(f"-c {name}: {field} follows from {LINKED[field]}: set that, and leave {field} out")


def check_environment(environment: Mapping[str, str]) -> None:
    """Refuse options in environment variables, which Lightning may be told to read, and ranks that are no numbers.

    Raises:
        UserError: names the variable, and the option to give instead.
    """
    for name in _RANKS:
        if name in environment and not re.fullmatch(r"[0-9]{1,9}", environment[name]):
            raise UserError(
                f"{name} is {environment[name]!r} in the environment, which is no rank of a process: unset it"
            )
    for name in environment:
        if match := _OPTION_IN_ENVIRONMENT.match(name):
            given = match[1] or re.sub(r"^PL_(TRAINER_(?!_))?", lambda m: "TRAINER__" if m[1] else "", name)
            option = given.lower().replace("__", ".")
            raise UserError(
                f"{name}: options are not read from the environment, as a run follows from its configuration: "
                f"unset it, and give --{option} instead"
            )
    if environment.get("JSONARGPARSE_DEFAULT_ENV", "").lower() == "true":
        raise UserError("JSONARGPARSE_DEFAULT_ENV: options are not read from the environment: unset it")


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
    check_finite(config)
    check_nulls(config)
    if not 0 <= config.seed_everything <= LARGEST_SEED:
        raise UserError(f"seed_everything must lie in [0, {LARGEST_SEED}], got {config.seed_everything}: try 1")
    for field, section in (("model", "models"), ("data", "datasets")):
        if (name := config[field].class_path.rpartition(".")[2]) in _BASES:
            raise UserError(
                f"{field}: {name} is a base class: `cadence list {section}` shows the classes to choose from"
            )
    if config.checkpoint_every < 1:
        raise UserError(f"checkpoint_every must be at least 1 step, got {config.checkpoint_every}: 500 is the default")
    check_monitor(config)
    trainer = config.trainer
    if command == "fit" and trainer.max_epochs is None and trainer.max_steps == -1 and trainer.max_time is None:
        raise UserError("trainer.max_epochs is missing: say how long to train, e.g. --trainer.max_epochs 3")
    if trainer.log_every_n_steps is not None and trainer.log_every_n_steps < 1:
        raise UserError(f"trainer.log_every_n_steps must be at least 1, got {trainer.log_every_n_steps}: 50 is usual")
    cores = os.cpu_count() or 1
    if on_cpu(trainer.accelerator):
        devices = trainer.devices
        most = max(cores, *(int(os.environ.get(name, "0") or 0) for name in _STARTED))
        if str(devices).lstrip("-").isdigit() and not 1 <= int(devices) <= most:
            raise UserError(f"trainer.devices must lie in 1 ... {cores}, this machine's cores, got {devices}")


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


def on_cpu(wanted: Any) -> bool:
    """Whether a run that asks for this accelerator runs on the CPU."""
    accelerator = accelerator_of(wanted)
    return accelerator == "cpu" or (accelerator == "auto" and not _cuda())


def _cuda() -> bool:
    import torch

    return torch.cuda.is_available()
