"""Every shipped experiment runs, says what it is, and holds nothing but what differs from the defaults."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import datamodules
import lightning_modules
import optimizers
from commands.configuration.shipped import CONFIGS, Header, header, shipped
from docs.site import experiments as table
from lightning_modules import ImageClassifier

EXPERIMENTS = shipped()
# 61 and 140 million parameters on 224 x 224 images, and as many in a checkpoint
HEAVY = {"alexnet_cifar10", "vgg19_cifar10"}
NAMES = [pytest.param(name, marks=pytest.mark.slow if name in HEAVY else ()) for name in EXPERIMENTS]

# The experiments that there must be at least.
EXPECTED = {
    "digits_demo",
    "small_cnn_mnist",
    "sigmoid_mlp_mnist",
    *(f"mlp_mnist_init_{init}" for init in ("zero", "normal", "glorot")),
    "mlp_mnist_best_search_cell",
    "strided_cnn_mnist",
    "strided_cnn_mnist_l2",
    *(
        f"thirteen_layer_cnn_{data}_{name}"
        for data in ("cifar10", "fashion_mnist")
        for name in ("sgd", "adam", "madam")
    ),
    *(
        f"mlp_cifar10_{name}_{regularisation}"
        for name in ("adagrad", "rmsprop", "nesterov_rmsprop", "adadelta", "adam")
        for regularisation in ("l2", "dropout")
    ),
    "minigooglenet_fashion_mnist",
    "alexnet_cifar10",
    "vgg19_cifar10",
    "resnet44_cifar10",
    "resnet44_cifar10_cutout",
    "resnet44_cifar10_batch_augmented_cutout",
    *(
        f"{name}_{policy}"
        for name in ("digits", "fashion_mnist", "fashion_mnist_small_cnn")
        for policy in ("clr", "cyclical_batch_size")
    ),
    "digits_rate_and_batch_cycles",
    *(f"{name}_lr_candidates" for name in ("fashion_mnist", "fashion_mnist_small_cnn")),
}


def content(name: str) -> dict[str, Any]:
    return yaml.safe_load(EXPERIMENTS[name].read_text())


def two_steps(run: Path, name: str) -> list[str]:
    small = ["--data.batch_size", "2", "--data.eval_batch_size", "2"] if name in HEAVY else []
    if any("RangeTest" in policy["class_path"] for policy in content(name)["trainer"].get("callbacks", [])):
        small += ["--trainer.fast_dev_run", "2"]  # which cuts range tests short too
    return [
        "fit", "-c", name, "--run_dir", str(run), "--trainer.max_steps", "2", "--trainer.limit_val_batches", "1",
        "--trainer.limit_train_batches", "2", "--trainer.limit_test_batches", "1", "--trainer.log_every_n_steps", "1",
        "--trainer.enable_progress_bar", "false", *small,
    ]  # fmt: skip


def test_every_expected_experiment_is_there() -> None:
    assert set(EXPERIMENTS) >= EXPECTED


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("stand_ins")
def test_runs_two_steps_from_any_folder(cadence, tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    assert cadence(*two_steps(run, name)) == 0
    result = json.loads((run / "result.json").read_text())
    assert result["steps"] == 2
    tested = set() if "RangeTest" in EXPERIMENTS[name].read_text() else {"test/accuracy"}
    assert {"train/loss", "val/loss"} | tested <= set(result["metrics"])


@pytest.mark.parametrize("name", ["mlp_cifar10_nesterov_rmsprop_dropout", "resnet44_cifar10_cutout", "small_cnn_mnist"])
@pytest.mark.usefixtures("stand_ins")
def test_resolved_configuration_resolves_to_itself(cadence, tmp_path: Path, name: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    shallow = ["--model.depth", "8"] if "resnet" in name else []
    assert cadence(*two_steps(first, name), *shallow) == 0
    assert cadence("fit", "-c", first / "config.yaml", "--run_dir", second) == 0
    assert (second / "config.yaml").read_text() == (first / "config.yaml").read_text()
    assert losses(second) == losses(first)


def losses(run: Path) -> dict[str, float]:
    return json.loads((run / "result.json").read_text())["metrics"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_says_what_it_is_and_what_it_holds_out(name: str) -> None:
    first, *rest = EXPERIMENTS[name].read_text().splitlines()
    assert re.fullmatch(r"# .{20,120}\.", first), "the first line is the comment that `cadence list` shows"
    assert all(len(line) <= 120 for line in rest)
    assert "val_fraction" in content(name)["data"]["init_args"], (
        "state the held-out share, also where it is the default"
    )
    assert {"model", "data", "optimizer", "trainer"} <= set(content(name))
    assert "max_epochs" in content(name)["trainer"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_holds_deltas_alone(name: str) -> None:
    experiment = content(name)
    for part, package in (("model", lightning_modules), ("data", datamodules), ("optimizer", optimizers)):
        given = experiment[part]
        if isinstance(given, str):
            continue
        assert given.get("init_args"), f"{part}: write the class name alone where no argument differs"
        defaults = defaults_of(getattr(package, given["class_path"]))
        repeated = {key for key, value in given["init_args"].items() if defaults.get(key, ...) == value}
        # an experiment is nothing without its learning rate, and its held-out share is always stated
        assert repeated <= {"val_fraction", "lr"}, f"{part}: {sorted(repeated)} repeat the default"


def defaults_of(kind: type) -> dict[str, Any]:
    parameters = dict(inspect.signature(kind).parameters)
    if issubclass(kind, ImageClassifier):
        parameters |= inspect.signature(ImageClassifier).parameters
    return {key: parameter.default for key, parameter in parameters.items()}


COSTS = {"seconds", "minutes", "an hour", "hours", "GPU"}  # as docs/experiments.md explains them
PAGE = (CONFIGS.parent / "docs" / "experiments.md").read_text()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_says_what_it_costs_and_where_it_comes_from(name: str) -> None:
    told = header(EXPERIMENTS[name])
    assert told.cost in COSTS, "below the first line: `# cost: minutes`"
    source = re.sub(r" P\d.*", "", told.source)
    assert not source or f"*{source}*" in PAGE, "docs/experiments.md explains every source, in asterisks"
    assert told.source or told.published.startswith("none"), "what is published has a source"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_loses_no_field_of_its_header_to_a_misspelling(name: str) -> None:
    fields = re.findall(r"^#\s*(\w+)\s*:", EXPERIMENTS[name].read_text(), flags=re.MULTILINE)
    assert sorted(fields) == sorted({*fields} & {"cost", "source", "published"})


def test_the_page_explains_costs_and_marks_where_the_table_comes() -> None:
    assert all(cost.removeprefix("an ") in PAGE.partition("<!-- experiments -->\n")[0] for cost in COSTS)


def test_a_header_is_the_first_line_and_the_fields_below_it(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("# A net.\n# cost: minutes\n# a note: it holds\n# published: 9 %: a lot\nmodel: MLP\n# source: x\n")
    assert header(path) == Header("A net.", "minutes", "", "9 %: a lot")
    path.write_text("model: MLP  # source: x\n")
    assert header(path) == Header("", "", "", "none")


def test_the_site_has_a_row_for_each() -> None:
    shown = table().replace("<wbr>", "")  # where a name may be broken
    rows = {
        row[1]: row[2].split(" | ") for row in re.finditer(r"^\| <code>(\w+)</code> \| (.*) \|$", shown, re.MULTILINE)
    }
    assert set(rows) == set(EXPERIMENTS)
    for name, (source, what, published, cost) in rows.items():
        told = header(EXPERIMENTS[name])
        assert (source.removeprefix("-"), f"{what}.", cost) == (told.source, told.what, told.cost)
        assert re.sub(r"\[(.*?)\]\(\1\)", r"docs/\1", published) == told.published


def test_the_list_of_experiments_alone_tells_it_too(cadence, capsys: pytest.CaptureFixture[str]) -> None:
    assert cadence("list", "experiments") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "SmallCNN on MNIST" in told and "cost: minutes; source: small CNN report; published: about 97 % test" in told
    assert cadence("list") == 0
    assert "cost:" not in capsys.readouterr().out
