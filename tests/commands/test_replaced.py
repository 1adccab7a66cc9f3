"""A list or mapping that a later file or option replaces, and what another class does not take, are said."""

from pathlib import Path

import pytest
import yaml

from commands.configuration.replaced import replaced_lists

STOPPING = {"class_path": "EarlyStopping", "init_args": {"monitor": "val/loss", "patience": 3}}
WHOLE = {
    "model": {"class_path": "MLP", "init_args": {"hidden_sizes": [8], "lr_ratios": {"layers": 0.5}}},
    "data": {"class_path": "Digits", "init_args": {"augment": [{"class_path": "MixUp"}], "batch_size": 32}},
    "optimizer": {"class_path": "Adam", "init_args": {"lr": 0.01, "betas": [0.8, 0.99]}},
    "trainer": {"max_epochs": 1, "callbacks": [{"class_path": "callbacks.MultiStepLR", "init_args": {"at": [1]}}]},
}


def texts(*arguments: str, **files: dict) -> list[str]:
    """What is said of a command line, where `NAME` in it stands for a file of that content."""
    contents = {f"{name}.yaml": content for name, content in files.items()}
    words = [word for name in files for word in ("--config", f"{name}.yaml")]
    return replaced_lists([*words, *arguments], contents)


def test_callbacks_of_a_second_file_replace_those_of_the_first() -> None:
    (text,) = texts(one=WHOLE, two={"trainer": {"callbacks": [STOPPING]}})
    assert text == (
        "trainer.callbacks of one.yaml, [MultiStepLR], is replaced by that of two.yaml, [EarlyStopping]: "
        "to keep both, write `callbacks+:` in the later file"
    )


@pytest.mark.parametrize(
    ("later", "said"),
    [
        ({"data": {"augment": [{"class_path": "CutMix"}]}}, ["data.augment of one.yaml, [MixUp]", "[CutMix]"]),
        ({"data": {"init_args": {"augment": None}}}, ["data.augment of one.yaml, [MixUp]", "null"]),
        ({"model": {"init_args": {"hidden_sizes": [300]}}}, ["model.hidden_sizes of one.yaml, [8]", "[300]"]),
        (
            {"model": {"init_args": {"lr_ratios": {"out": 1}}}},
            ["model.lr_ratios of one.yaml", "{'out': 1}", "all of it"],
        ),
        ({"optimizer": {"init_args": {"betas": [0.9, 0.9]}}}, ["optimizer.betas of one.yaml, [0.8, 0.99]"]),
    ],
)
def test_every_list_and_mapping(later: dict, said: list[str]) -> None:
    (text,) = texts(one=WHOLE, two=later)
    assert all(part in text for part in said), text


def test_an_option_replaces_too() -> None:
    (text,) = texts("--trainer.callbacks", "EarlyStopping", "--trainer.callbacks.monitor", "val/loss", one=WHOLE)
    assert text.endswith("by that of --trainer.callbacks, EarlyStopping: to keep both, give --trainer.callbacks+=VALUE")
    (text,) = texts("--data.augment=[RandomCrop]", one={"data": {"augment": ["Cutout"]}})
    assert "data.augment of one.yaml, [Cutout], is replaced by that of --data.augment, [RandomCrop]" in text


def test_what_is_added_or_the_same_is_not_replaced() -> None:
    assert texts(one=WHOLE, two={"trainer": {"callbacks+": [STOPPING], "max_epochs": 4}}) == []
    assert texts("--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor=val/loss", one=WHOLE) == []
    assert texts(one=WHOLE, two=WHOLE) == []
    assert texts(one={"trainer": {"callbacks": []}}, two=WHOLE) == []


def test_what_was_added_is_replaced_with_the_rest() -> None:
    (text,) = texts(one=WHOLE, two={"trainer": {"callbacks+": [STOPPING]}}, three={"trainer": {"callbacks": []}})
    assert "trainer.callbacks of two.yaml, [MultiStepLR, EarlyStopping], is replaced by that of three.yaml, []" in text


MONITOR = {"class_path": "LearningRateMonitor"}
RUN = ["--trainer.max_steps", "1", "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"]


def test_a_run_says_it_once_and_goes_on_and_the_remedy_holds(cadence, capfd) -> None:
    Path("stop.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": [MONITOR]}}))
    Path("add.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks+": [MONITOR]}}))
    for later, said in (("stop.yaml", 1), ("add.yaml", 0)):
        assert cadence("fit", "-c", "digits_mixup", "-c", "first.yaml", "-c", later, *RUN, "--run_dir", later[:-5]) == 0
        err = capfd.readouterr().err
        assert err.count("\n") == said, err
    callbacks = yaml.safe_load(Path("add", "config.yaml").read_text())["trainer"]["callbacks"]
    assert [one["class_path"].rpartition(".")[2] for one in callbacks] == ["TimeToTarget", "LearningRateMonitor"]


def test_options_that_another_class_does_not_take_are_told(cadence, capfd) -> None:
    assert cadence("fit", "-c", "one.yaml", "--optimizer", "SGD", "--model", "SmallCNN", *RUN, "--run_dir", "run") == 0
    assert sorted(line for line in capfd.readouterr().err.splitlines() if line.startswith("cadence:")) == [
        "cadence: SGD takes the place of Adam, and has no betas (0.8, 0.99): it is dropped",
        "cadence: SmallCNN takes the place of MLP, and has no hidden_sizes [8]: it is dropped",
    ]


def test_options_at_their_defaults_are_no_loss(cadence, capfd) -> None:
    """The configuration that a run leaves names every option."""
    assert cadence("fit", "--model", "MLP", "--optimizer", "Adam", *RUN, "--run_dir", "run") == 0
    capfd.readouterr()
    assert cadence("fit", "-c", "run/config.yaml", "--optimizer", "SGD", *RUN, "--run_dir", "again") == 0
    assert capfd.readouterr().err == ""


@pytest.fixture(autouse=True)
def _files(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(
        "model: {class_path: MLP, init_args: {hidden_sizes: [8]}}\n"
        "optimizer: {class_path: Adam, init_args: {lr: 0.01, betas: [0.8, 0.99]}}\n"
    )
    (tmp_path / "first.yaml").write_text("trainer: {callbacks: [{class_path: TimeToTarget}]}\n")


def test_numbers_that_an_option_gives_are_meant() -> None:
    assert texts("--model.hidden_sizes=[784, 256]", "--trainer.max_epochs", "3", one=WHOLE) == []
    (text,) = texts(one=WHOLE, two={"model": {"init_args": {"hidden_sizes": [300]}}})
    assert text.startswith("model.hidden_sizes of one.yaml, [8], is replaced by that of two.yaml, [300]")
