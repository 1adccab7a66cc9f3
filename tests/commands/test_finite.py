"""No number of a configuration is nan or infinite: walked over all numbers that the command line knows."""

import math
from collections.abc import Iterator
from typing import Any

import pytest

from commands.configuration.cadence_cli import CadenceCLI
from commands.configuration.contents import contents
from commands.configuration.finite import check_finite
from commands.configuration.nulls import check_nulls
from commands.configuration.vocabulary import transform_names
from commands.errors import UserError

NOT_FINITE = (math.nan, math.inf, -math.inf)
FIT = ["fit", "--model", "MLP", "--optimizer", "SGD", "--optimizer.lr", "0.1", "--trainer.max_steps", "1"]
# What a class cannot do without.
NEEDED = {
    "BatchAugmentedCutout": {"size": 2},
    "CyclicalBatchSize": {"lower": 16, "upper": 64, "half_cycle": 3},
    "CyclicalLR": {"lower": 0.01, "upper": 0.1, "half_cycle": 3},
    "MultiStepLR": {"milestones": [0.5, 1.0]},
    "Copies": {"copies": 2}, "CutMix": {"alpha": 1.0}, "Cutout": {"size": 2}, "MixUp": {"alpha": 1.0},
    "Normalize": {"mean": [0.5], "std": [0.5]}, "Pad": {"size": 8}, "RandomCrop": {"padding": 1}, "Resize": {"size": 8},
    "ImageFolder": {"root": "photos"}, "NumpyImages": {"file": "arrays.npz"}, "TorchvisionModel": {"name": "resnet18"},
    "TimmModel": {"name": "resnet18"},
}  # fmt: skip
OF_A_CONFIGURATION = [
    "BatchAugmentedCutout", "BatchSizeRangeTest", "CyclicalBatchSize", "CyclicalLR", "LRRangeTest", "MultiStepLR",
    "TimeToTarget",
]  # fmt: skip


def parsed(*words: str, command: str = "fit") -> Any:
    """A configuration after the parser has read it, and before anything is built."""

    class Parsed(CadenceCLI):
        def instantiate_classes(self) -> None:
            self.model = self.datamodule = self.trainer = None
            self.config_init = self.config

        def _add_configure_optimizers_method_to_model(self, subcommand: str | None) -> None:
            """Nothing is built."""

    return Parsed(command, [*FIT[1:], *words]).config


def numbers(value: Any, name: str = "") -> Iterator[tuple[Any, Any, str]]:
    """(holder, key, name) of every float in a configuration."""
    items = list(enumerate(value)) if isinstance(value, list) else []
    if isinstance(value, dict) or hasattr(value, "as_dict"):
        items = list((value if isinstance(value, dict) else vars(value)).items())
    for key, one in items:
        field = name if isinstance(value, list) or key == "init_args" else f"{name}.{key}".lstrip(".")
        if isinstance(one, float):
            yield value, key, field
        yield from numbers(one, field)


def configurations() -> Iterator[tuple[str, list[str]]]:
    """Words that bring each shipped class into a configuration."""

    def with_needs(option: str, name: str) -> list[str]:
        flag = option.removesuffix("+")
        needs = [word for key, value in NEEDED.get(name, {}).items() for word in (f"--{flag}.{key}", str(value))]
        return [f"--{option}={name}", *needs]

    for section, option in (("models", "model"), ("datasets", "data"), ("optimizers", "optimizer")):
        for name in contents(section):
            yield name, with_needs(option, name)
    for name in transform_names():
        yield name, with_needs("data.augment+", name)
    for name in OF_A_CONFIGURATION:
        yield name, with_needs("trainer.callbacks+", name)
    yield "trainer", ["--trainer.limit_train_batches", "0.5", "--trainer.val_check_interval", "0.5"]
    yield "WandbRecord", ["--trainer.logger", "records.wandb_record.WandbRecord"]
    yield "lr_ratios", ["--model.lr_ratios", "{layers: 0.1}"]


def test_every_number_of_every_class_is_held_to_it() -> None:
    walked = set()
    for name, words in configurations():
        config = parsed(*words)
        check_finite(config)
        for holder, key, field in numbers(config):
            before = holder[key]
            for value in NOT_FINITE:
                holder[key] = value
                with pytest.raises(UserError, match=f"^{field} must be a finite number, got -?(nan|inf): give one"):
                    check_finite(config)
            holder[key] = before
            walked.add((name, field))
    ways = {
        "optimizer.eps", "trainer.callbacks.gamma", "trainer.logger.init_timeout", "trainer.limit_train_batches",
        "data.augment.mean", "data.val_fraction", "model.dropout", "model.lr_ratios.layers",
    }  # fmt: skip
    assert ways <= {field for _, field in walked}


def test_a_null_is_refused_where_a_number_is_meant() -> None:
    """Every number of every shipped class, and what is no number; where null is a default, it is taken."""
    walked = set()
    for _, words in configurations():
        config = parsed(*words)
        check_nulls(config)
        for holder, key, field in numbers(config):
            before, holder[key] = holder[key], None
            try:
                check_nulls(config)
            except UserError as error:
                assert str(error).startswith(f"{field} is null, which is no value of it")
                walked.add(field)
            holder[key] = before
    assert {
        "optimizer.lr",
        "data.val_fraction",
        "model.dropout",
        "data.augment.mean",
        "trainer.callbacks.gamma",
    } <= walked


@pytest.mark.parametrize(
    "field",
    ["data.batch_size", "data.drop_last", "data.fit", "model.hidden_sizes", "optimizer.lr"],
)
def test_a_null_is_told_by_its_field(cadence, field: str, capsys) -> None:
    assert cadence(*FIT, f"--{field}", "null") == 2
    told = f"cadence: {field} is null, which is no value of it: give one, or leave it out for the default"
    assert capsys.readouterr().err.strip().splitlines()[-1] == told


@pytest.mark.parametrize(("command", "option"), [("lr-range-test", "lower"), ("batch-size-range-test", "lr")])
def test_so_is_every_number_of_a_range_test(command: str, option: str) -> None:
    config = parsed(f"--range_test.{option}", "0.1", command=command)
    fields = [field for holder, key, field in numbers(config) if field.startswith("range_test.")]
    assert fields
    for holder, key, field in numbers(config):
        before, holder[key] = holder[key], math.nan
        with pytest.raises(UserError, match=f"^{field} must be a finite number"):
            check_finite(config)
        holder[key] = before


@pytest.mark.parametrize("text", [".nan", ".inf", "-.inf", "-inf", "1e400", "-1e400", "nan", "inf"])
@pytest.mark.parametrize("field", ["optimizer.lr", "data.val_fraction", "trainer.limit_val_batches"])
def test_every_spelling_is_refused(cadence, field: str, text: str, capsys) -> None:
    assert cadence(*FIT, f"--{field}", text) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith(f"cadence: {field} must be a finite number, got"), told


@pytest.mark.parametrize(("text", "value"), [("010", 10), ("1_6", 16), ("0x10", 16), ("12", 12)])
def test_a_whole_number_is_what_it_looks_like(text: str, value: int) -> None:
    assert parsed("--data.batch_size", text).data.init_args.batch_size == value


@pytest.mark.parametrize("text", ["1:30", "1:30.5"])
def test_a_clock_is_no_number(cadence, text: str, capsys) -> None:
    assert cadence(*FIT, "--optimizer.lr", text) == 2
    assert f"optimizer.lr: expected a number, got '{text}'" in capsys.readouterr().err
    assert parsed("--trainer.max_time", "10:00:00:00").trainer.max_time == "10:00:00:00"


@pytest.mark.parametrize("text", ["-0.1", "-1e-3", "-.5", "-1"])
def test_a_negative_number_is_a_value(cadence, text: str, capsys) -> None:
    assert cadence(*FIT, "--optimizer.lr", text) == 2
    assert f"optimizer.lr must be positive, got {float(text):g}" in capsys.readouterr().err


class Clipped:
    """A user's class with an infinity of its own as a default."""

    def __init__(self, most: float = math.inf) -> None:
        """Nothing."""


def test_a_default_of_a_users_class_may_be_infinite() -> None:
    path = f"{__name__}.Clipped"
    check_finite({"model": {"class_path": path, "init_args": {"most": math.inf}}})
    with pytest.raises(UserError, match=r"^model\.most must be a finite number, got nan"):
        check_finite({"model": {"class_path": path, "init_args": {"most": math.nan}}})
