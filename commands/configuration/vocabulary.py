"""The names that a command knows: classes by field, the options of a class, all options."""

import inspect
from collections.abc import Sequence
from importlib import import_module

from jsonargparse import ArgumentParser

import datamodules.transforms as transforms
from commands.arguments import Parser
from commands.configuration.checks import LINKED
from commands.configuration.contents import contents
from commands.configuration.lightning_parts import (
    CALLBACKS,
    LOGGERS,
    PLUGINS,
    PROFILERS,
    SCHEDULERS,
    STRATEGIES,
    that_work,
)
from commands.configuration.messages import Vocabulary
from commands.configuration.signatures import EVALUATIONS

DASHBOARDS = ("records.wandb_record.WandbRecord", "records.tensorboard_record.TensorBoardRecord")


def vocabulary_of(parser: ArgumentParser, asker: Parser | None = None) -> Vocabulary:
    """The vocabulary of `fit`, `test` or a range test, or of a command that passes its arguments on to one of them."""
    own = [flag.lstrip("-") for flag in asker.flags] if asker else []
    command = asker.prog if asker else parser.prog
    fields = sorted({*own, *own_and_trainer_fields(parser)})
    return Vocabulary(classes=classes(), options=options, fields=fields, command=command)


def classes() -> dict[str, list[str]]:
    """Names of classes, by the field that takes them."""
    return {
        "model": list(contents("models")),
        "data": list(contents("datasets")),
        "optimizer": list(contents("optimizers")),
        "lr_scheduler": that_work(SCHEDULERS),
        "data.augment": transform_names(),
        "trainer.callbacks": sorted([*contents("callbacks"), *that_work(CALLBACKS)]),
        "trainer.logger": [*that_work(LOGGERS), *DASHBOARDS],
        "trainer.profiler": that_work(PROFILERS),
        "trainer.strategy": that_work(STRATEGIES),
        "trainer.plugins": that_work(PLUGINS),
    }


def transform_names() -> list[str]:
    """Transforms that `data.augment` takes."""
    return _subclasses_in(transforms, transforms.BatchTransform)


def options(path: str) -> list[str]:
    """The options of the class at an import path, in their order, without those that follow from others."""
    module, _, name = path.rpartition(".")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(getattr(import_module(module), name), fail_untyped=False)
    field = {"datamodules": "data", "lightning_modules": "model"}.get(module.partition(".")[0])
    return [key for key in parser.get_defaults().as_dict() if f"{field}.{key}" not in LINKED]


def own_and_trainer_fields(parser: ArgumentParser) -> list[str]:
    """All options of a command, without those of its model, data and optimizer."""
    keys = parser.get_defaults().keys()  # a Namespace: iterating over itself fails
    names = {key.partition(".init_args")[0].removesuffix(".class_path") for key in keys}
    names |= {"config", "model", "data", "optimizer", "lr_scheduler"} | (
        set() if parser.prog.split()[-1] in EVALUATIONS else {"resume", "at"}
    )
    return sorted(names - {"trainer"})


def _subclasses_in(package: object, base: type) -> list[str]:
    names: Sequence[str] = getattr(package, "__all__", ())
    found = [getattr(package, name) for name in names]
    classes = [one for one in found if inspect.isclass(one) and issubclass(one, base)]
    return sorted(one.__name__ for one in classes if not inspect.isabstract(one))
