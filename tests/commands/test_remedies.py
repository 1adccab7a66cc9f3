"""Every remedy is followed to the letter: it leads to a result, or to another message.

`test_mistakes.py` has the mistakes. What their messages tell to type is read out of them here; what they tell in words
is in BY_HAND. A second walk goes over all messages in the sources: what they name must exist.
"""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import COMMANDS
from commands.configuration.checks import LINKED
from commands.configuration.contents import contents
from commands.configuration.lightning_parts import SCHEDULERS
from commands.configuration.signatures import class_options
from commands.configuration.vocabulary import options, own_and_trainer_fields, transform_names
from tests.commands.mistakes import MISTAKES, MODEL
from tests.commands.remedies import BY_HAND, MORE
from tests.commands.test_mistakes import split, world
from tests.commands.test_surface import TRAINERS, parser_of
from tests.forked import Done, forked

__all__ = ["world"]
HOUSE = Path(__file__).parents[2]
ROOMS = [path.parent for path in HOUSE.glob("*/__init__.py") if path.parent.name not in ("studies", "figures")]
FIELD = r"(?:data|model|trainer|optimizer)\.[a-z_.]+"
IN_QUOTES = r"'([^']*)'"
NAMED = (rf"(?:class|section|action|model|is no) {IN_QUOTES}", rf"got {IN_QUOTES}", r"-c (\S+): there is no such file")

READ: set[tuple[str, ...]] = set()  # help and lists that were followed already: they say the same each time
SMALL = ["--data.batch_size=4", "--data.eval_batch_size=4", "--trainer.limit_val_batches=1", "--test_after_fit=false"]

# What the message says to mend cannot be typed: an editor, or the cache of datasets.
ELSEWHERE = {"tab", "open bracket", "damaged cache", "cache below a file"}


def typed(words: list[str], told: str) -> Iterator[list[str]]:
    """Command lines that a message tells to type, or to change in the one that was typed."""
    text = " ".join(told.split())
    for command in re.findall(r"`cadence ([^`]*)`", text):
        if not re.search(r"\b[A-Z]{2,}\b", command):  # RUN_DIR and the like stand for something
            yield shlex.split(command)
    if match := re.search(r"\n\s+cadence (.*)$", told):
        yield shlex.split(match[1])
    if match := re.search(r"e\.g\. ((?:--\S+ \S+ ?)+?)(?:;|$)", text):
        flag, *value = match[1].split()
        place = words.index(flag) if flag in words else len(words)
        yield [*words[:place], flag, *value, *words[place + 2 :]]
    if match := re.search(rf"set ({FIELD}) to ([\w.]+)", text):
        yield [*words, f"--{match[1]}={match[2]}"]
    if (near := re.search(r"nearest: (\S+?)[,;]?(?: |$)", text)) is not None:
        changed = [replaced(word, text, near[1]) for word in words]
        if changed != words:  # else it is in a file
            yield changed
    if match := re.search(r"\bgot ([^\s:,]+): (?:half its side, |try |Madam's own is )?(\[[^]]*\]|[\d.e-]+)", text):
        number = match[1].strip("[]")
        wrong = [word for word in words if _is(word.strip("[]").split(",")[0], number)]
        yield [match[2] if word in wrong[-1:] else word for word in words]
    if match := re.search(r"half its side, (\d+), is usual", text):
        yield [*words[:-1], match[1]]


def _is(word: str, number: str) -> bool:
    """Whether a word is the number that a message names, in whatever form it was typed."""
    try:
        return abs(float(word)) == abs(float(number))
    except ValueError:
        return word.lstrip("-") == number.lstrip("-")


def replaced(word: str, text: str, near: str) -> str:
    """A word of the command line with the nearest name in place of the misspelt one."""
    for pattern in (
        rf"(?:class|section|action|model|is no) {IN_QUOTES}",
        rf"got {IN_QUOTES}",
        r"-c (\S+): there is no such file",
    ):
        if (match := re.search(pattern, text)) and match[1] in word:
            return word.replace(match[1], near)
    if match := re.search(r"(\S+): there is no such option", text):
        return word.replace(match[1].lstrip("-"), near.lstrip("-"))
    if match := re.search(r"(\S+): \w+ has no such option", text):
        return word.replace(match[1], f"{match[1].rpartition('.')[0]}.{near}")
    return word


@pytest.fixture
def folder(world: Path, tmp_path: Path) -> Path:
    """A copy of the world, as following a remedy changes it."""
    import shutil

    copy = tmp_path / "world"
    shutil.copytree(world, copy)
    (copy / "whole.yaml").write_text("model: {class_path: MLP, init_args: {hidden_sizes: [8]}}\n")
    return copy


def run(folder: Path, cache: str, *words: str) -> Done:
    return forked(*words, cwd=folder, env={"CADENCE_DATA": cache})


def without_notices(err: str) -> str:
    """What a mistake is told in, without notices of what an option replaces."""
    return "\n".join(line for line in err.strip().splitlines() if " is replaced by " not in line)


@pytest.mark.parametrize("name", [name for name in MISTAKES if name not in ELSEWHERE])
def test_a_remedy_leads_on(name: str, folder: Path) -> None:
    words, cache = split(MISTAKES[name][0])
    lead_on(words, BY_HAND.get(name), folder, cache)


@pytest.mark.parametrize("name", MORE)
def test_a_remedy_of_another_command_leads_on(name: str, folder: Path) -> None:
    words, by_hand = MORE[name]
    lead_on(words.split(), by_hand.split() or None, folder, "cache")


def lead_on(words: list[str], by_hand: list[str] | None, folder: Path, cache: str) -> None:
    """Make a mistake, and do what its message says."""
    done = run(folder, cache, *words)
    assert done.status == 2, done
    told = without_notices(done.err)
    followed = [*typed(words, told), *([by_hand] if by_hand else [])]
    assert followed, f"nothing to type, and not in BY_HAND: {told}"
    for command in followed:
        if command[0] == "list" or command[-1] == "--help":
            if tuple(command) in READ:
                continue
            READ.add(tuple(command))
        if command[0] == "fit" and "AlexNet" in command:
            command = [*command, *SMALL]
        done = forked(*command, cwd=folder, env={"CADENCE_DATA": cache}, limit=60)
        assert done.status in (0, 2) and "Traceback" not in done.err, (command, done)
        assert done.status == 0 or without_notices(done.err) != told, (command, told)


def test_what_is_by_hand_is_there() -> None:
    assert set(BY_HAND) | ELSEWHERE <= set(MISTAKES) and MODEL[1] == "MLP"


def messages() -> Iterator[tuple[str, str]]:
    """(place, text) of every string in the sources that is no docstring, with an ellipsis for what is filled in."""
    for file in sorted(path for room in ROOMS for path in room.rglob("*.py")):
        tree = ast.parse(file.read_text())
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
        for node in ast.walk(tree):
            place = f"{file.relative_to(HOUSE)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.JoinedStr):
                parts = (str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                yield place, "".join(parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside | docstrings:
                yield place, node.value


def test_what_messages_name_exists() -> None:
    known = {"trainer", "range_test", "help", "print_config", "debug", *LINKED}
    for command in TRAINERS:
        known |= set(own_and_trainer_fields(parser_of(command)))
    for section, package, names in (
        ("model", "lightning_modules", contents("models")),
        ("data", "datamodules", contents("datasets")),
        ("data.augment", "datamodules.transforms", transform_names()),
        ("trainer.callbacks", "callbacks", contents("callbacks")),
        ("optimizer", "optimizers", contents("optimizers")),
    ):
        known |= {f"{section}.{option}" for name in names for option in options(f"{package}.{name}")}
    known |= {f"lr_scheduler.{option}" for name in SCHEDULERS for option in class_options("lr_scheduler", name) or ()}
    assert "trainer.max_epochs" in known and "data.augment.padding" in known
    sources = [path.read_text() for path in (HOUSE / "commands").glob("*.py")]
    light = {flag for source in sources for flag in re.findall(r'"(--[\w-]+)"', source)}
    found, wrong = 0, []
    for place, text in messages():
        text = re.sub(r"\\\d", "…", text)  # a translation's groups
        if "\\" in text or (text.startswith("--") and not place.startswith("commands")):
            continue  # a pattern, or an option of another program
        for command in re.findall(r"`cadence ([a-z-]+)\b", text):
            wrong += [] if command in COMMANDS else [f"{place}: there is no cadence {command}"]
        for flag in re.findall(r"(?<![\w-])(--[a-z_][\w.-]*)(?![\w….-])", text):
            found += 1
            name = re.sub(r"\.(init_args|help|[A-Z]+)\b|\.$", "", flag.removeprefix("--"))
            wrong += [] if flag in light or name in known else [f"{place}: there is no {flag}"]
        for field in re.findall(rf"(?<![\w./-]){FIELD}(?![a-z_.…(])", text):  # a name before a bracket is Python's
            found += 1
            name = field.rstrip(".").replace("init_args.", "")
            wrong += [] if name in known or name.endswith(".py") else [f"{place}: there is no {field}"]
    assert not wrong, "\n".join(wrong)
    assert found > 100
