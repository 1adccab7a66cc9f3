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
from tests.commands.test_mistakes import FIT, MISTAKES, MODEL, OPTIMIZER, TEST, split, world
from tests.commands.test_surface import TRAINERS, parser_of
from tests.forked import Done, forked

__all__ = ["world"]
HOUSE = Path(__file__).parents[2]
ROOMS = [path.parent for path in HOUSE.glob("*/__init__.py") if path.parent.name not in ("studies", "figures")]
FIELD = r"(?:data|model|trainer|optimizer)\.[a-z_.]+"
IN_QUOTES = r"'([^']*)'"
NAMED = (rf"(?:class|section|action|model|is no) {IN_QUOTES}", rf"got {IN_QUOTES}", r"-c (\S+): there is no such file")
CYCLE = "--trainer.callbacks=[{class_path:CyclicalLR,init_args:{lower:0.1,upper:1,half_cycle:1}}]"

READ: set[tuple[str, ...]] = set()  # help and lists that were followed already: they say the same each time
SMALL = ["--data.batch_size=4", "--data.eval_batch_size=4", "--trainer.limit_val_batches=1", "--test_after_fit=false"]

# mistake -> what somebody types who does what its message says in words; paths as in `test_mistakes.world`
BY_HAND: dict[str, list[str]] = {
    "rate below all": [*FIT, "--optimizer.lr", "0.5"],
    "a parent of a drawing": ["plot-schedule", "-c", "run/config.yaml"],
    "a parent of a test": ["test", "-c", "run/config.yaml", "--run_dir", "run"],
    "unknown dataset to fetch": ["data", "verify", "--help"],
    "nothing to fetch": ["data", "fetch", "--help"],
    "model that is no module": ["fit", "--model", "MLP", *OPTIMIZER],
    "unknown accelerator": [*FIT, "--trainer.accelerator", "auto"],
    "unknown strategy": [*FIT, "--trainer.strategy", "auto"],
    "option far from all": [*FIT, "--model.init", "glorot"],
    "option without a value": [*FIT, "--data.batch_size", "32"],
    "run_dir without a value": [*FIT, "--run_dir", "new", "--data", "Digits"],
    "--resume with a run_dir": ["fit", "--resume=run"],
    "missing option of a transform": [*FIT, "--data.augment+=RandomCrop", "--data.augment.padding", "1"],
    "option that follows from another": FIT,
    "seed of the data": [*FIT, "--seed_everything", "7"],
    "wrong type": [*FIT, "--data.batch_size", "16"],
    "wrong type of a list": [*FIT, "--model.hidden_sizes", "[300]"],
    "wrong type of an item": [*FIT, "--model.hidden_sizes", "[3]"],
    "wrong truth": [*FIT, "--test_after_fit", "true"],
    "wrong learning rate": [*FIT, "--optimizer.lr", "0.5"],
    "wrong seed": [*FIT, "--seed_everything", "3"],
    "negative batch": [*FIT, "--data.batch_size", "3"],
    "nothing to train on": [*FIT, "--data.val_fraction", "0.5"],
    "images of another size than the model's": [*FIT, "--data.image_size", "16"],
    "colour by hand": [*FIT, "--data.in_channels", "3"],
    "a layer that no memory holds": [*FIT, "--model.hidden_sizes", "[100]"],
    "micro-batch of none": FIT,
    "ratio of no parameter": [*FIT, "--model.lr_ratios", "{layers: 2}"],
    "micro-batch of one": [
        "fit",
        "--model",
        "ThirteenLayerCNN",
        *OPTIMIZER,
        "--data.image_size",
        "32",
        "--model.micro_batch_size",
        "2",
    ],
    "last batch of one": [
        "fit",
        "--model",
        "ThirteenLayerCNN",
        *OPTIMIZER,
        "--data.image_size",
        "32",
        "--data.batch_size",
        "997",
        "--data.drop_last",
        "true",
    ],
    "groups 3": ["fit", "--model", "AlexNet", "--model.groups", "2", "--data.image_size", "224", *OPTIMIZER],
    "images smaller than their own": [*FIT, "--data.image_size", "4", "--data.fit", "resize"],
    "channels that there are not": [*FIT, "--data.in_channels", "3"],
    "9,999 devices": [*FIT, "--trainer.devices", "1"],
    "Lightning's clipping": [*FIT, "--model.gradient_clip_norm", "1"],
    "Lightning's accumulation": [*FIT, "--data.batch_size", "32", "--model.micro_batch_size", "16"],
    "run_dir below a file": [*FIT, "--run_dir", "other/run"],
    "run_dir that cannot be written": [*FIT, "--run_dir", "other"],
    "occupied run_dir": [*FIT, "--run_dir", "other"],
    "two runs to resume": ["fit", "--resume", "run"],
    "resume of nothing": ["fit", "--resume", "run"],
    "resume of no run": ["fit", "--resume", "run"],
    "resume without a value": ["fit", "--resume", "run"],
    "test of nothing": ["test", "--run_dir", "run"],
    "missing checkpoint": [*TEST, "--checkpoint", "run/checkpoints/last.ckpt"],
    "damaged checkpoint": [*TEST, "--checkpoint", "run/checkpoints/last.ckpt"],
    "text for a checkpoint": [*TEST, "--checkpoint", "run/checkpoints/last.ckpt"],
    "code in a checkpoint": [*TEST, "--checkpoint", "run/checkpoints/last.ckpt"],
    "weights alone": [*TEST, "--checkpoint", "run/checkpoints/last.ckpt"],
    "wrong checkpoint for the model": ["test", "--run_dir", "run"],
    "test of a run that is not": ["test", "--run_dir", "run"],
    "list for a file": ["fit", "-c", "whole.yaml", *OPTIMIZER],
    "binary file": ["fit", "-c", "whole.yaml", *OPTIMIZER],
    "empty file": ["fit", "-c", "whole.yaml", *OPTIMIZER],
    "linked option in a file": ["fit", "-c", "whole.yaml", *OPTIMIZER],
    "unknown section in a file": ["fit", "-c", "whole.yaml", *OPTIMIZER],
    "unknown option in a file": ["fit", "-c", "whole.yaml", *OPTIMIZER],
}
# Mistakes of other commands -> what is typed, where the message tells it in words
MORE: dict[str, tuple[str, str]] = {
    "a misspelt network": ("describe Smalcnn", ""),
    "a wrong option of a network": ("describe SmallCNN x=1", "describe SmallCNN num_classes=5"),
    "a wrong form": ("describe SmallCNN --format tabel", ""),
    "a short shape": ("describe SmallCNN --input-shape 3", ""),
    "a shape of nothing": ("describe SmallCNN --input-shape 0,1,1", ""),
    "small images": ("describe AlexNet --input-shape 3,32,32", "describe AlexNet --input-shape 3,224,224"),
    "a misspelt optimizer": ("describe SmallCNN --optimizer Adm", ""),
    "a misspelt option of an optimizer": ("describe SmallCNN --optimizer Adam --optimizer.lrr 1", ""),
    "layers as csv with measures": ("describe SmallCNN --format csv --measure cpu", "describe MLP --format json"),
    "nothing to compare": ("describe SmallCNN --compare", "describe SmallCNN --compare AlexNet"),
    "a batch of nothing": ("describe SmallCNN --batch-size 0", ""),
    "one step for a gradient": ("gradient-check -c digits_demo --n 5", ""),
    "no weights": ("gradient-check -c digits_demo --weights 0", ""),
    "a check of nothing": ("gradient-check --weights 3", ""),
    "a figure of text": ("plot-schedule -c digits_demo --out x.txt", "plot-schedule -c digits_demo --out x.png"),
    "a figure in no folder": (
        "plot-schedule -c digits_demo --out no/x.png",
        "plot-schedule -c digits_demo --out x.png",
    ),
    "a schedule of a range test": (
        "plot-schedule -c digits_clr",
        f"plot-schedule -c digits_clr {CYCLE}",
    ),
    "a run that is not": ("plot-runs none", "plot-runs run"),
    "a misspelt axis": ("plot-runs run --against epok", ""),
    "a study that is not": ("study run nostudy", "study show mlp_initialization"),
    "no study": ("study run", ""),
    "a policy without bounds": (
        "fit -c digits_demo --trainer.callbacks+=CyclicalLR --trainer.callbacks.half_cycle 1",
        "fit -c digits_demo --trainer.callbacks+=CyclicalLR --trainer.callbacks.half_cycle 1 "
        "--trainer.callbacks.lower 0.1 --trainer.callbacks.upper 1 --trainer.max_steps 1",
    ),
    "a target that nothing measures": (
        "fit -c digits_demo --trainer.max_steps 1 --trainer.callbacks+=TimeToTarget --trainer.callbacks.accuracy 0.5 "
        "--data.val_fraction 0",
        "fit -c digits_demo --trainer.max_steps 1 --trainer.callbacks+=TimeToTarget --trainer.callbacks.accuracy 0.5",
    ),
    "momentum of nothing": ("fit -c digits_demo --trainer.max_steps 1 --optimizer SGD --optimizer.nesterov true", ""),
}
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
