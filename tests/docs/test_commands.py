"""Every command that a page shows is typed as it stands there, up to where it would train, fetch or compute."""

import contextlib
import re
import shlex
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

import cli
from commands.data import ACTIONS
from tests.docs.test_paths import PAGES
from tests.docs.test_your_study import write_study

# Where a command has understood all its words, and begins to work.
WORK = (
    "commands.configuration.cadence_cli.CadenceCLI.instantiate_classes",
    "inspection.description.describe",
    "datamodules.sources.fetch",
    "commands.data._print_and_draw",
    "studies.local.Launcher.resolve",
    "studies.report.write.report",
)
OWN_MODULE = """from torch import nn

class MyNetwork(nn.Linear):
    def __init__(self, width: int): super().__init__(1, width)
"""


# What may stand behind a command's name where a page speaks of the command, and does not call it.
NAMED_ALONE: dict[str, list[list[str]]] = {"list": [], "data": [[], *([action] for action in ACTIONS)]}


class Understood(Exception):
    """A command has begun to work."""


def typed(text: str) -> set[str]:
    """The commands of code blocks, and those between backticks that hold no name for the reader to choose."""
    text = text.replace("\\\n", " ")
    lines = re.findall(r"^ *(?:\S*/)?cadence +(.+)$", text, re.MULTILINE)
    lines += re.findall(r"`cadence ([^`]+)`", text)
    lines = [re.sub(r"\s+", " ", line.partition(" #")[0]).strip() for line in lines]
    return {line for line in lines if not re.search(r"\b[A-Z]+_?DIR\b|\bNAME\b|\bCOMMAND\b|-c$", line)}


COMMANDS = sorted(set.union(*(typed(page.read_text()) for page in PAGES)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of one step."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    words = ["fit", "-c", "digits_demo", "--run_dir", str(folder), "--trainer.max_steps", "1"]
    assert cli.main([*words, "--trainer.accelerator", "cpu"]) == 0
    return folder


@pytest.fixture(autouse=True)
def stops(monkeypatch: pytest.MonkeyPatch) -> None:
    def understood(*_: object, **__: object) -> NoReturn:
        raise Understood

    for place in WORK:
        monkeypatch.setattr(place, understood)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_a_page_is_understood(command: str, cadence, tmp_path: Path, run: Path) -> None:
    words = shlex.split(command)
    assert words[0] in cli.COMMANDS or words[0].startswith("--")
    for name in {found for word in words for found in re.findall(r"^runs/[\w-]+", word)}:
        shutil.copytree(run, tmp_path / f"{name}1" if name.endswith("-") else tmp_path / name)  # runs/name-*
    write_study(tmp_path)
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "my_module.py").write_text(OWN_MODULE)
    page = next(page for page in PAGES if page.name == "your_code.md")
    (tmp_path / "mine.py").write_text(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)[0])
    words = [part for word in words for part in (map(str, Path().glob(word)) if "*" in word else [word])]
    if "--help" in words or words[1:] in NAMED_ALONE.get(words[0], [[]]):
        return  # a command's name alone, or with its action's; helps have tests of their own
    with contextlib.suppress(Understood):
        assert cadence(*words, "--debug") == 0


@pytest.mark.parametrize(
    "command",
    ["fit -c small_cnn_mnst", "fit -c small_cnn_mnist --optimizer.lrr 1", "describe VGG19 --mesure cpu",
     "describe ResNet deep=3", "plot-runs runs/none", "data fetch MNST", "data show --outt a.png MNIST", "list modles"],
)  # fmt: skip
def test_a_command_with_a_mistake_would_be_found(command: str, cadence) -> None:
    assert cadence(*command.split()) == 2


def test_what_counts_as_a_command() -> None:
    text = "    cadence a  b # c\n```\n.venv/bin/cadence d \\\n  --e\n```\nthe `cadence f` of `cadence g NAME`"
    assert typed(text) == {"a b", "d --e", "f"}
