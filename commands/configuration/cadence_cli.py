"""From the command line and YAML files to a model, a datamodule and a trainer, by LightningCLI."""

import contextlib
import copy
import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from jsonargparse import ArgumentError, _loaders_dumpers, _typehints, get_loader, set_loader
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI, instantiate_class
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch.optim import Optimizer

import callbacks
import datamodules
import lightning_modules
import optimizers
from callbacks.counted_samples import CountedSamples
from callbacks.run_history import RunHistory
from callbacks.run_record import RunRecord
from callbacks.start_from import StartFrom
from checks.references import withheld
from commands.arguments import Parser
from commands.configuration.checks import accelerator_of, check_parsed, on_cpu
from commands.configuration.files import read_config
from commands.configuration.lightning_checks import check_parts
from commands.configuration.messages import readable, within
from commands.configuration.options import DESCRIPTIONS, UNRECORDED, UNSAID, add_options
from commands.configuration.references import filled
from commands.configuration.replaced import dropped_by, replaced_lists
from commands.configuration.scheduler import check_scheduler
from commands.configuration.shipped import config_paths
from commands.configuration.signatures import EVALUATIONS, RANGE_TESTS
from commands.configuration.strict_yaml import as_written, within_bounds
from commands.configuration.unions import whole_numbers_first
from commands.configuration.vocabulary import vocabulary_of
from commands.errors import UserError, notice
from datamodules.image_datamodule import ImageDataModule
from lightning_modules import ImageClassifier
from trainer.access import callbacks_of
from trainer.epoch_loop import IdleProfiler, shorten
from trainer.ranks import environment_for, follow_rank
from trainer.shipped_callbacks import ShippedCallbacks
from trainer.shipped_files import ShippedFiles
from trainer.sync_batch_norm import SyncBatchNormOnCPU

# LightningCLI calls jsonargparse by names that newer versions of it deprecate: nothing that a user could mend.
os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")

# It reads files in files, and values of the command line, by the same rules as `-c`.
_loaders_dumpers.yaml_default_loader = as_written(_loaders_dumpers.get_yaml_default_loader())
set_loader("yaml", within_bounds(get_loader("yaml")), (yaml.YAMLError,))

# What a number is must not depend on what else has been imported.
_typehints.sort_subtypes_for_union = whole_numbers_first(_typehints.sort_subtypes_for_union)

# jsonargparse finds a class by its bare name once it is imported, and two of the packages import at first use.
for package in (callbacks, datamodules, lightning_modules, optimizers):
    for exported in package.__all__:
        getattr(package, exported)

# Not a default of the parser's: another class would take the values of Digits for its own options of the same name.
_DIGITS = "--data=datamodules.Digits"
_RUN_DIR = "--run_dir="
DEFAULT_SEED = 1


class CadenceCLI(LightningCLI):
    """LightningCLI with Cadence's defaults: one command, one flat configuration, mistakes as `UserError`.

    Args:
        command: `fit`, `test` or a range test.
        arguments: words behind the command, with configuration files as paths.
        asker: parser of another command that passes these arguments on; mistakes are told in its name.
        check: function that may refuse the parsed configuration before anything is built.
    """

    def __init__(
        self,
        command: str,
        arguments: list[str],
        asker: Parser | None = None,
        check: "Callable[[CadenceCLI], None] | None" = None,
    ) -> None:
        self.command, self.arguments, self.asker, self.check = command, arguments, asker, check
        self._resolved: str | None = None
        super().__init__(
            model_class=pl.LightningModule,
            subclass_mode_model=True,
            datamodule_class=pl.LightningDataModule,
            subclass_mode_data=True,
            save_config_callback=None,
            trainer_defaults={"logger": False, "enable_model_summary": False, "enable_checkpointing": True},
            seed_everything_default=DEFAULT_SEED,
            parser_kwargs={
                "exit_on_error": False,
                "prog": f"cadence {command}",
                "description": DESCRIPTIONS[command],
                "dump_header": None,
                "allow_abbrev": False,
            },
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            run=False,
        )

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the seed as a number, never true or false: a run is a function of it."""
        parser.add_argument(
            "--seed_everything", type=int, default=self.seed_everything_default, help="Seed of everything in the run."
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options beside model, data and trainer."""
        add_options(parser, self.command)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse `arguments`; a mistake becomes a `UserError`."""
        with dropped_by(parser) as dropped, warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            try:
                words = [word for word in self.arguments if not word.startswith(_RUN_DIR)]
                self.config = parser.parse_args([_DIGITS, *words])
            except ArgumentError as error:
                raise UserError(readable(str(error), vocabulary_of(parser, self.asker))) from error
            except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
                raise UserError(
                    readable(f"{type(error).__name__}: {error}", vocabulary_of(parser, self.asker))
                ) from error
        if paths := [word.removeprefix(_RUN_DIR) for word in self.arguments if word.startswith(_RUN_DIR)]:
            self.config.run_dir = paths[-1]  # a path is a text, whatever YAML would read in it
        if self.command in RANGE_TESTS and not self._test_given():
            self._take_own_test()
        for place in UNRECORDED:
            if place in self.config:
                self.config[place] = filled(self.config[place], os.environ, place)
        check_parsed(self.command, self.config)
        check_parts(self.command, self.config)
        check_scheduler(self.command, self.config)
        if self.check is not None:
            self.check(self)
        files = {path: read_config(Path(path)) for path in config_paths(self.arguments)}
        for text in (*replaced_lists(self.arguments, files), *dropped):
            notice(text)

    def instantiate_classes(self) -> None:
        """Build the objects; a constructor's ValueError becomes a `UserError`.

        They get the environment's values, while `config`, and what loggers are told of it, keep the references.
        """
        recorded = self.config
        self.config = filled(recorded.clone(), os.environ)
        try:
            super().instantiate_classes()
        except (ValueError, TypeError, OSError, ImportError, MisconfigurationException) as error:
            message = readable(str(error))
            own = recorded.range_test if "range_test" in recorded else ()  # whose constructor does not say its field
            raise UserError(within("range_test", message) if message.split()[0] in own else message) from error
        finally:
            self.config = recorded
        for part in (self.model, self.datamodule):  # what a logger is given of their hyperparameters
            if hasattr(part, "_hparams_initial"):  # set by `save_hyperparameters`
                part._hparams_initial = withheld(part._hparams_initial)

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Build no trainer yet: the command adds its callbacks and loggers first, and then calls `build_trainer`."""
        return None  # type: ignore[return-value]

    def build_trainer(self, extra_callbacks: list[Callback], **kwargs: Any) -> pl.Trainer:
        """The trainer of the configuration, with the command's own callbacks and arguments."""
        try:
            config = {**self._get(self.config_init, "trainer"), **kwargs}
            config["profiler"] = config["profiler"] or IdleProfiler()
            config["accelerator"] = accelerator_of(config["accelerator"])
            plugins = listed(config["plugins"])
            config["plugins"] = [*plugins, *environment_for(config, plugins)]
            if config["sync_batchnorm"] and on_cpu(config["accelerator"]):
                config["plugins"].append(SyncBatchNormOnCPU())
                config["sync_batchnorm"] = False  # torch's, which needs GPUs
            trainer = self._instantiate_trainer(config, extra_callbacks)
        except (ValueError, TypeError, RuntimeError, ImportError, MisconfigurationException) as error:
            raise UserError(readable(f"trainer: {error}")) from error
        callbacks_of(trainer).sort(key=_place)
        follow_rank(trainer)
        shorten(trainer, (ImageClassifier, ImageDataModule))
        return trainer

    def resolved(self) -> str:
        """The resolved configuration as YAML: fed to `-c`, it gives the same run in another directory."""
        if self._resolved is None:  # nothing changes the configuration once it is parsed, and YAML takes its time
            self._resolved = self._dumped(self.config.clone())
        return self._resolved

    def reparsed(self, config: dict[str, Any]) -> dict[str, Any]:
        """A resolved configuration as this version would resolve it: with options that have come since, by default.

        It is returned as it is where this version does not accept it.
        """
        try:
            return yaml.safe_load(self._dumped(self.parser.parse_object(copy.deepcopy(config))))
        except (ArgumentError, OSError, ValueError, TypeError, AttributeError, KeyError):
            return config

    def _dumped(self, config: Any) -> str:
        for key in ("config", "split", *UNRECORDED, *(key for key in UNSAID if config.get(key) is None)):
            config.pop(key, None)
        return self.parser.dump(config, skip_none=False, format="yaml")

    def _test_given(self) -> bool:
        """Whether settings of the test are given, by options or by the record of such a test."""
        given = any(word.startswith("--range_test") for word in self.arguments)
        return given or any("range_test" in read_config(Path(path)) for path in config_paths(self.arguments))

    def _take_own_test(self) -> None:
        """Settings of the configuration's own test of this kind, if it has one, become those of the command's."""
        given = listed(self.config.trainer.callbacks)
        path = f"callbacks.{RANGE_TESTS[self.command]}"
        own = next((callback for callback in given if callback.class_path == path), None)
        if own is not None:
            for name in vars(self.config.range_test):
                self.config.range_test[name] = own.init_args[name]
            self.config.trainer.callbacks = [callback for callback in given if callback is not own]

    def _add_configure_optimizers_method_to_model(self, subcommand: str | None) -> None:
        init = self._get(self.config_init, "optimizer")
        if not isinstance(self.model, ImageClassifier):
            self.auto_configure_optimizers = True
            super()._add_configure_optimizers_method_to_model(subcommand)
        elif init is not None:
            self.model.optimizer_factory = lambda groups: _optimizer(groups, init)
        elif self.command not in EVALUATIONS:
            raise UserError("optimizer is missing: name one, e.g. --optimizer Adam --optimizer.lr 0.001")

    def name(self) -> str:
        """The run's name: that of its first configuration file, else of its model."""
        files = config_paths(self.arguments)
        return Path(files[0]).stem if files else type(self.model).__name__

    @property
    def images(self) -> ImageDataModule | None:
        """The datamodule if it is one of Cadence's, else None."""
        return self.datamodule if isinstance(self.datamodule, ImageDataModule) else None


def _place(callback: Callback) -> int:
    """Who is called first: what the run's record is made by, then what looks after Lightning's own, then all others."""
    if isinstance(callback, RunRecord | RunHistory | StartFrom | CountedSamples):
        return 0
    return 1 if isinstance(callback, ShippedFiles | ShippedCallbacks) else 2


def listed(value: Any) -> list[Any]:
    """The value of a field that takes none, one or several, as a list."""
    return value if isinstance(value, list) else [value] if value else []


def _optimizer(groups: list[dict[str, Any]], init: dict[str, Any]) -> Optimizer:
    try:
        return instantiate_class(groups, init)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        message = readable(str(error))
        raise ValueError(message if message.startswith("optimizer") else within("optimizer", message)) from error
