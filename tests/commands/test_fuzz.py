"""Configurations that a machine makes up: each is taken or refused in a message, within seconds of a processor.

Nothing is trained: objects are built, as `fit` builds them before it asks for data. The examples do not change.
"""

import signal
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands.configuration.files import checked, read_config
from commands.configuration.shipped import shipped
from commands.errors import UserError, lines_of
from commands.session import configured
from tests.forked import LIMIT

KEYS = st.sampled_from(
    [
        "model", "data", "trainer", "optimizer", "seed_everything", "run_dir", "checkpoint_every", "test_after_fit",
        "class_path", "init_args", "dict_kwargs", "hidden_sizes", "activation", "lr_ratios", "batch_size", "augment",
        "val_fraction", "image_size", "callbacks", "logger", "max_steps", "max_epochs", "devices", "precision",
        "lr", "betas", "padding", "config", "range_test", "help", "<<", "",
    ]
)  # fmt: skip
WORDS = st.sampled_from(
    [
        "MLP", "SmallCNN", "Digits", "MNIST", "Adam", "SGD", "RandomCrop", "Cutout", "LRRangeTest", "CyclicalLR",
        "EarlyStopping", "torch.nn.Linear", "os.path.join", "nowhere.Net", "lightning_modules", "${HOME}", "${X", "~",
        "relu", "auto", "cpu", "1e3", ".inf", "[1", "{a", "a: b", "[/foo]", "\x1b[31m", "\x00", "ü", "null", "*a", "!x",
    ]
)  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=8) | st.integers(10**18, 10**40)
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
PARTS = {
    "model": st.fixed_dictionaries(
        {"class_path": st.sampled_from(["MLP", "SmallCNN"]) | WORDS},
        optional={"init_args": st.dictionaries(KEYS, TREES, max_size=2)},
    ),
    "data": st.dictionaries(st.just("class_path"), WORDS) | st.dictionaries(KEYS, TREES, max_size=2),
    "optimizer": st.fixed_dictionaries({"class_path": WORDS}, optional={"init_args": TREES}),
    "trainer": st.dictionaries(KEYS, TREES, max_size=3),
}
CONFIGS = st.fixed_dictionaries({}, optional={name: part | TREES for name, part in PARTS.items()})
GOOD = ["--model=MLP", "--model.hidden_sizes=[8]", "--optimizer=Adam", "--trainer.max_steps=1"]
END = "...\n"  # of a document that is one word
FLAGS = st.sampled_from(
    [
        "--model", "--model.hidden_sizes", "--model.init_args.activation", "--data", "--data.batch_size",
        "--data.augment+", "--data.augment.padding", "--optimizer", "--optimizer.lr", "--optimizer.betas", "--trainer",
        "--trainer.max_steps", "--trainer.callbacks+", "--trainer.callbacks.lower", "--trainer.devices",
        "--seed_everything", "--checkpoint_every", "--run_dir", "--config", "-c", "--x", "-", "--", "--=",
    ]
)  # fmt: skip

few = settings(max_examples=40, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
many = settings(few, max_examples=300)


@pytest.fixture(autouse=True)
def _limited() -> Iterator[None]:
    """Nothing here may take more of a processor than the limit, whatever the clock says."""

    def over(number: int, frame: Any) -> None:
        raise AssertionError(f"took more than {LIMIT} s")

    before = signal.signal(signal.SIGVTALRM, over)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


def told(work: Callable[[], object]) -> None:
    """Do the work: it may end in a mistake of the user's alone, told in one to three printable lines."""
    signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT)
    try:
        work()
    except UserError as error:
        lines = lines_of(str(error))
        assert 1 <= len(lines) <= 3 and all(line.isprintable() for line in lines)


@few
@given(config=CONFIGS)
def test_configurations(config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True))
    told(lambda: configured("fit", checked([*GOOD, "--config", str(path)])))


@few
@given(words=st.lists(st.tuples(FLAGS, TREES), min_size=1, max_size=3))
def test_command_lines(words: list[tuple[str, Any]]) -> None:
    given = [f"{flag}={yaml.safe_dump(value, default_flow_style=True).removesuffix(END)}" for flag, value in words]
    told(lambda: configured("fit", checked([*GOOD, *given])))


@many
@given(text=st.text(alphabet="ab:-[]{}&*!|>'\"%@`,?# \n\t~<1.\\\x85\ufeff" + string.digits, max_size=60))
def test_texts_that_may_be_yaml(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_text(text)
    told(lambda: read_config(path))


@many
@given(
    name=st.sampled_from(sorted(shipped())),
    cuts=st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 5), st.text(max_size=3)), min_size=1, max_size=4),
)
def test_a_shipped_file_that_somebody_has_spoilt(
    name: str, cuts: list[tuple[int, int, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = shipped()[name].read_text()
    for place, length, instead in cuts:
        text = text[: place % len(text)] + instead + text[place % len(text) + length :]
    path: Path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_text(text, errors="ignore")
    told(lambda: read_config(path))
