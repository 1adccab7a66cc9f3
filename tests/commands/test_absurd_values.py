"""Every argument of every shipped class, with values that nobody wants: a message that names it, or a run, in seconds.

The constructors are asked first, which takes no time. What they accept is run for a step.
"""

import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import torch

import callbacks
import datamodules
import lightning_modules
import optimizers
from commands.configuration.checks import LINKED
from commands.configuration.contents import contents
from commands.configuration.vocabulary import transform_names
from commands.diverging import DIVERGED
from datamodules import transforms
from optimizers.capabilities import CAPABILITIES
from tests.forked import forked

NUMBERS = (-1, 0, 10**9, 6 * 10**9 + 2, 10**30, -(10**30), -0.5, 1e300)
# What a class cannot do without, in its own terms.
NEEDED: dict[str, dict[str, Any]] = {
    "Copies": {"copies": 2},
    "CutMix": {"alpha": 1.0},
    "Cutout": {"size": 2},
    "MixUp": {"alpha": 1.0},
    "Normalize": {"mean": [0.5], "std": [0.5]},
    "Pad": {"size": 8},
    "RandomCrop": {"padding": 1},
    "Resize": {"size": 8},
    "BatchAugmentedCutout": {"size": 2},
    "BatchSizeRangeTest": {"sizes": [16, 32, 64, 128], "steps": 2, "lr": 0.01, "noise_scale": False},
    "CyclicalBatchSize": {"lower": 16, "upper": 64, "half_cycle": 3},
    "CyclicalLR": {"lower": 0.01, "upper": 0.1, "half_cycle": 3},
    "LRRangeTest": {"steps": 20, "seeds": 1},
    "MultiStepLR": {"milestones": [1]},
    "TimeToTarget": {"accuracy": 0.5},
    "AlexNet": {"image_size": 224},
    "VGG19": {"image_size": 224},
}
COMMANDS_OWN = {
    "BestCheckpoint",
    "CountedSamples",
    "LastCheckpoint",
    "RekeyedRandomness",
    "RunRecord",
}  # which no configuration names
HARMLESS = (0, -1, -0.5, 1e300)  # what a constructor takes of these it has thought of; 1e300 is as 10**30

# name -> (kind, class to build, class whose arguments are tried): a base's arguments are tried with one of its classes
CLASSES: dict[str, tuple[str, type, type]] = {
    "ImageClassifier": ("model", lightning_modules.MLP, lightning_modules.ImageClassifier),
    "Digits": ("data", datamodules.Digits, datamodules.ImageDataModule),
}
for kind, package, names in (
    ("model", lightning_modules, contents("models")),
    ("transform", transforms, transform_names()),
    ("callback", callbacks, [name for name in contents("callbacks") if name not in COMMANDS_OWN]),
    ("optimizer", optimizers, CAPABILITIES),
):
    CLASSES |= {name: (kind, getattr(package, name), getattr(package, name)) for name in names}


def arguments(name: str) -> Iterator[tuple[str, Any]]:
    """(argument, value) for each argument that takes a number, or several."""
    kind, _, of = CLASSES[name]
    hints = get_type_hints(of.__init__) if "__init__" in vars(of) else {}
    for option, hint in ((option, str(hint)) for option, hint in hints.items()):
        if f"{kind}.{option}" in LINKED or option == "params" or not ("int" in hint or "float" in hint):
            continue
        several = 2 if "tuple" in hint else 1 if any(word in hint for word in ("list", "Sequence")) else 0
        for number in NUMBERS:
            if isinstance(number, float) and "float" not in hint:
                continue  # a wrong type is the parser's to refuse
            number = float(number) if "float" in hint else number
            yield option, [number] * several if several else {"layers": number} if "dict" in hint else number


def build(name: str, given: dict[str, Any]) -> None:
    kind, of, _ = CLASSES[name]
    if kind == "optimizer":
        of([torch.nn.Parameter(torch.ones(2))], **({"lr": 0.01} | given))
        return
    needed = NEEDED.get(name, {"image_size": 32, "in_channels": 3, "num_classes": 10} if kind == "model" else {})
    with torch.device("meta" if kind == "model" else "cpu"):
        of(**(needed | given))


def test_every_class_is_walked() -> None:
    assert len(CLASSES) > 30 and len([1 for name in CLASSES for _ in arguments(name)]) > 400


@pytest.mark.parametrize("name", CLASSES)
def test_an_absurd_value_is_refused_by_its_name_or_harmless(name: str, tmp_path: Path) -> None:
    kind, of, _ = CLASSES[name]
    for option, value in arguments(name):
        try:
            build(name, {option: value})
        except RuntimeError:
            assert of.__module__.startswith("torch"), f"{name}.{option}={value}"
            done = forked(*fit(name, option, value), cwd=tmp_path)
            assert done.status == 2 and done.err.startswith("cadence: optimizer: one of its numbers"), done
            continue
        except ValueError as error:
            # torch's messages are translated on their way to the user
            assert option in str(error) or of.__module__.startswith("torch"), f"{name}.{option}={value}: {error}"
            continue
        if name == "TrainingProgress":
            continue  # how often a bar is drawn
        number = value[0] if isinstance(value, list) else value
        if number in HARMLESS or of.__module__.startswith("torch") or (kind == "model" and name != "ImageClassifier"):
            continue
        done = forked(*fit(name, option, value), cwd=tmp_path)
        told = done.err.strip().splitlines()
        assert done.status in (0, 1, 2, 3), f"{name}.{option}={value}: {done}"
        assert (
            "Traceback" not in done.err and len(told) <= 3 and (done.status in (0, DIVERGED) or option in done.err)
        ), done


def fit(name: str, option: str, value: Any) -> list[str]:
    """One step on the digits, with one value of one argument."""
    kind, of, _ = CLASSES[name]
    given = json.dumps({"class_path": of.__name__, "init_args": NEEDED.get(name, {}) | {option: value}})
    words = {"model": [], "data": [], "transform": [f"--data.augment=[{given}]"], "optimizer": ["--optimizer", given]}
    words["callback"] = [f"--trainer.callbacks=[{given}]"]
    return [
        "fit", "--model", "MLP", "--model.hidden_sizes", "[8]", "--optimizer", "SGD", "--optimizer.lr", "0.01",
        "--trainer.max_steps", "1", "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false",
        "--test_after_fit", "false", "--trainer.num_sanity_val_steps", "0",
        *([f"--{kind}.{option}={value}"] if kind in ("model", "data") else words[kind]),
    ]  # fmt: skip


def with_little_memory() -> None:
    """Leave this process 150 MB more than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 150 * 2**20,) * 2)


def test_a_step_that_no_memory_holds_is_told_and_the_smaller_one_trains(tmp_path: Path) -> None:
    words = [*fit("ImageClassifier", "label_smoothing", 0.0), "--data.image_size", "28"]
    words += ["--data.batch_size", "1000", "--run_dir", "run"]
    copies = "--trainer.callbacks=[{class_path: BatchAugmentedCutout, init_args: {copies: %d, cutout: false}}]"
    # 3.1 GB of images: a long-lived process has free memory of its own, which no limit counts
    done = forked(*words, copies % 1000, cwd=tmp_path, first=with_little_memory)
    assert done.status == 2 and done.err.startswith("cadence: data.batch_size: there is not enough memory"), done
    words[words.index("1000")], words[-1] = "10", "smaller"
    assert forked(*words, copies % 1000, cwd=tmp_path, first=with_little_memory).status == 0
