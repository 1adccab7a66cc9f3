"""jsonargparse's messages, shortened to the field, what was given, what is expected and the remedy."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from commands.configuration.lightning_parts import BY_FIELD
from commands.configuration.translations import translated
from commands.working_directory import hidden_by_ours

FIELDS = {
    "LightningModule": "model",
    "LightningDataModule": "data",
    "Optimizer": "optimizer",
    "LRScheduler": "lr_scheduler",
    "ReduceLROnPlateau": "lr_scheduler",
    "Callback": "trainer.callbacks",
    "Logger": "trainer.logger",
    "Profiler": "trainer.profiler",
    "Strategy": "trainer.strategy",
    "LayerSync": "trainer.plugins",
    "BatchTransform": "data.augment",
}
EXAMPLES = {
    "model": "--model SmallCNN; `cadence list models` shows all",
    "data": "--data Digits; `cadence list datasets` shows all",
    "lr_scheduler": "--lr_scheduler StepLR --lr_scheduler.step_size 30",
    "optimizer": "--optimizer Adam --optimizer.lr 0.001; `cadence list optimizers` shows all",
}
# What people write by another project's habit -> what stands for it here.
ELSEWHERE = {
    "lr_scheduler.interval": "a scheduler steps once an epoch, as by LightningCLI's option: for a rate that changes at "
    "each step leave it out, and give --trainer.callbacks+=CyclicalLR or --trainer.callbacks+=MultiStepLR",
    "lr_scheduler.frequency": "a scheduler steps once an epoch, as by LightningCLI's option: leave it out, and choose "
    "the scheduler's own numbers of epochs",
    "ckpt_path": "a run goes on by --resume RUN_DIR, and `cadence test --checkpoint PATH` tests a checkpoint",
}
TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "Sequence": "a list such as [300]",
    "Iterable": "a list",
    "list": "a list",
    "dict": "a mapping such as {name: 0.1}",
}


@dataclass(frozen=True)
class Vocabulary:
    """The names that a mistyped name may stand for.

    Attributes:
        classes: names of classes, by the field that takes them.
        options: the options of a class, by its import path.
        fields: all options of the command, without their leading dashes.
        command: name of the command as it is typed; its help shows all options.
    """

    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    options: Callable[[str], Sequence[str]] = lambda path: ()
    fields: Sequence[str] = ()
    command: str = "cadence fit"


def readable(message: str, vocabulary: Vocabulary | None = None, checkpoint: str = "the checkpoint") -> str:
    """At most three lines of a parser's or a library's message: the field, what is wrong with it, and the remedy.

    Args:
        message: text from the parser or library, returned unchanged if it is not a known one.
        vocabulary: names among which the nearest is looked for.
        checkpoint: name of the checkpoint that was being loaded.
    """
    vocabulary = vocabulary or Vocabulary()
    lines = [line.strip().removeprefix("- ").strip() for line in message.splitlines()]
    keys: list[str] = []
    built = ""  # the field whose class is being built: a constructor's complaint does not name it
    holder = ""
    for place, line in enumerate(lines):
        if match := re.match(r'Parser key "([^"]+)":(.*)', line):
            keys.append(match[1])
            line = match[2].strip()
            if (refused := _refused(".".join(keys), _given(lines[place:]).strip("'"))) is not None:
                return refused
        elif match := re.match(r"Problem with given class_path '([^']+)':", line):
            holder = match[1]
        elif match := re.match(r"Subtypes: \[(.*)\]", line):
            built = next((name for base, name in FIELDS.items() if re.search(rf"\b{base}\b", match[1])), built)
        if (found := _complaint(line, ".".join(keys), holder, lines[place:], vocabulary)) is not None:
            return found
    if (keys or built) and (inner := _constructor(lines)) is not None:
        return translated(within(".".join(keys) or built, inner), checkpoint)
    return translated(message, checkpoint)


def within(field: str, complaint: str) -> str:
    """A constructor's complaint, preceded by the field that names the class."""
    names_an_argument = re.match(r"[a-z][\w.]*( must\b| \d|\[|:)", complaint)
    return f"{field}{'.' if names_an_argument else ': '}{complaint}"


def nearest(word: str, names: Sequence[str], most: int = 3) -> str:
    """The names like `word`, joined by commas; compared without case; "" if none is near."""
    by_lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), by_lower, n=most, cutoff=0.5)
    return ", ".join(by_lower[name] for name in near)


def _complaint(line: str, key: str, holder: str, rest: list[str], vocabulary: Vocabulary) -> str | None:
    """The mistake that a line tells of, and its remedy; None if it tells of none."""
    if match := re.match(r"Option '(.+)' is not accepted|Group '(.+)' does not accept option '(.+)'", line):
        given = match[1] or f"{match[2]}.{match[3]}"
        return unknown_option(key, given, holder, vocabulary) if key else unknown_field(given, vocabulary)
    if match := re.match(r"the following arguments are required: (.+)", line):
        return _missing(key, match[1], holder)
    if match := re.match(r"Unable to load config '(.*)'", line):
        return f"{key.rpartition('.')[2]}: {match[1]!r} is neither a mapping of options nor a YAML file of them"
    if match := re.match(r"(Unexpected config: |Key must be a string, got: )(.*?)[.:]?$", line):
        return f"{key and key + ': '}{match[2]} has no value, or is no name of an option: give NAME: VALUE"
    if match := re.match(r"unrecognized arguments: (.+)", line):
        return unknown_field(match[1].split()[0], vocabulary)
    if match := re.match(r"Expected a dot import path string: (.+)", line):
        return _unknown_class(key, match[1], "", vocabulary)
    if match := re.match(r"Import path does not correspond to a subclass of (\w+)", line):
        return f"{key}: {_given(rest)} is not a {match[1]}" + _classes(key, "", vocabulary)
    if match := re.match(r"(No module named .+|cannot import name .+|module .+ has no attribute .+)", line):
        return _unknown_class(key, holder, f" ({match[1]})", vocabulary)
    if re.match(r"Expected an? (?!path\b)", line) and key:
        return _wrong_type(key, line, rest)
    if match := re.match(r"argument (\S+): expected one argument", line):
        option = match[1].rpartition("/")[2]
        return f"{option.lstrip('-')}: a value is missing behind {option}: give it as {option} VALUE"
    if (match := re.match(r"Not a valid subclass of (\w+)", line)) and key:
        return f"{key}: {_given(rest)} is not a {match[1]}" + _classes(key, "", vocabulary)
    return None


def _refused(key: str, given: str) -> str | None:
    """Why a name that Lightning ships is refused, also where the library behind it is not installed."""
    name = given.rpartition(".")[2]
    part = BY_FIELD.get(key, {}).get(name)
    return f"{key}: {name} {part.instead}" if part is not None and part.instead else None


def unknown_option(key: str, option: str, holder: str, vocabulary: Vocabulary) -> str:
    """That a class has no such option, and which come near.

    Args:
        key: field that takes the class.
        option: name that was given.
        holder: import path of the class.
        vocabulary: names to choose from.
    """
    name = holder.rpartition(".")[2]
    if (elsewhere := ELSEWHERE.get(f"{key}.{option}")) is not None:
        return f"{key}.{option}: {elsewhere}"
    if name in FIELDS and name != "ReduceLROnPlateau":  # jsonargparse puts the base class where none is named
        return f"{key} is missing, but {key}.{option} is given: name one, e.g. {EXAMPLES.get(key, '')}"
    options = vocabulary.options(holder)
    near = nearest(option, options)
    own = f"it has: {', '.join(options)}" if options else f"see `{vocabulary.command} --help`"
    hint = f"nearest: {near}" if near else own
    return f"{key}.{option}: {name} has no such option\n{hint}"


def unknown_field(word: str, vocabulary: Vocabulary) -> str:
    """That a command has no such option, and which come near.

    Args:
        word: word of the command line, with its dashes if it has any; or key of a file.
        vocabulary: names to choose from.
    """
    name = word.lstrip("-").partition("=")[0]
    if (elsewhere := ELSEWHERE.get(name.partition(".")[0])) is not None:
        return f"{name}: {elsewhere}"
    near = nearest(name, vocabulary.fields) or nearest(name.partition(".")[0], vocabulary.fields)
    if not word.startswith("-") and not near:
        how = "an option is --NAME VALUE, or NAME: VALUE in a file"
        return f"{name!r} is not expected here: {how}; `{vocabulary.command} --help` shows all"
    hint = f"nearest: {near}; " if near else ""
    return f"{name}: there is no such option\n{hint}`{vocabulary.command} --help` shows all"


def _unknown_class(key: str, name: str, reason: str, vocabulary: Vocabulary) -> str:
    if hidden := hidden_by_ours(name):
        return f"{key}: there is no class {name!r}\n{hidden}"
    return f"{key}: there is no class {name!r}{reason}" + _classes(key, name, vocabulary)


def _classes(key: str, name: str, vocabulary: Vocabulary) -> str:
    known = vocabulary.classes.get(key, ())
    if near := nearest(name, known) if name else "":
        return f"\nnearest: {near}" + (f"; `{command}` shows all" if (command := _listing(key)) else "")
    if known:
        return f"\nthere are {', '.join(known)}"
    return "\ngive its import path, package.module.Class"


def _listing(key: str) -> str:
    match = re.search("`(.+)`", EXAMPLES.get(key, ""))
    return match[1] if match else ""


def _missing(key: str, names: str, holder: str) -> str:
    if not key and names in EXAMPLES:
        return f"{names} is missing: name one, e.g. {EXAMPLES[names]}"
    if refusal := _refused(key, holder):
        return refusal
    name = names.split(",")[0]
    owner = f"{holder.rpartition('.')[2]} needs " if holder else "needed: "
    return f"{key + '.' if key else ''}{name} is missing: {owner}{names}"


def _wrong_type(key: str, line: str, rest: list[str]) -> str | None:
    """`Expected a TYPE. Got value: V`, or one such line for each type of a union with the value below them.

    None if null is the only type: another line then says what is wrong.
    """
    inline = re.match(r"Expected an? (.+?)\. Got value: (.*)", line)
    if inline:
        kinds, value = [inline[1]], inline[2]
    else:
        stop = next((i for i, other in enumerate(rest) if other.startswith("Given value type:")), len(rest))
        kinds = [match[1] for other in rest[:stop] if (match := re.match(r"Expected an? (.+)", other))]
        value = _given(rest).strip("'")
    choices = [choice.strip().strip("'") for kind in kinds if "Literal[" in kind for choice in _inside(kind).split(",")]
    others = [
        _type_name(kind) for kind in kinds if not any(word in kind for word in ("Literal[", "NoneType", "dot import"))
    ]
    expected = " or ".join(dict.fromkeys(others + (["one of " + ", ".join(dict.fromkeys(choices))] if choices else [])))
    if not expected:
        return None
    if "${" in value:
        value = value.strip("'\"")
        filled = f'--{key} "${value.strip("${}")}"'
        told = f"{key}: expected {expected}, got {value}, and a reference stands for text"
        return f"{told}\nlet the shell fill it in: {filled}"
    if "a number" in others and value.strip("'").lstrip("+-").lower() in ("inf", "infinity", "nan"):
        return f"{key} must be a finite number, got {value}: give one, or leave it out for the default"
    near = nearest(value, choices, most=1)
    return f"{key}: expected {expected}, got {value!r}" + (f"\nnearest: {near}" if near else "")


def _inside(kind: str) -> str:
    return kind[kind.index("[") + 1 : kind.rindex("]")]


def _type_name(kind: str) -> str:
    match = re.match(r"<class '(.+)'>", kind)
    name = (match[1] if match else kind).rpartition(".")[2]
    return TYPES.get(name.partition("[")[0], name)


def _given(rest: list[str]) -> str:
    """The value in the next line that begins with `Given value:`."""
    values = (line.removeprefix("Given value: ") for line in rest if line.startswith("Given value: "))
    value = next(values, "what is given")
    if nested := re.match(r"NestedArg\(key='.*?', val=(.*)\)$", value):
        return nested[1]
    return repr(value)


def _constructor(lines: list[str]) -> str | None:
    """The complaint of a class's constructor, found among those about the union of types around it."""
    skipped = ("Does not validate", "Subtypes:", "Errors:", "Given value", "Problem with", "Parser key", "Expected a")
    return next((line for line in lines if line and not line.startswith(skipped)), None)
