"""A misspelt option is refused at once, from the sources alone; what this lets pass, the parser proper judges."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from commands.configuration.messages import Vocabulary, unknown_field, unknown_option
from commands.configuration.signatures import SECTIONS, class_options, own_options, trainer_options
from commands.errors import UserError

OPEN = {"help", "class_path", "init_args", "dict_kwargs"}  # names that jsonargparse adds to those of a class
HELP = {"help", "print_config"}
DEFAULT = {"data": "Digits"}


def check_names(
    command: str, asker: str, flags: Iterable[str], arguments: list[str], files: Iterable[tuple[str, Mapping[str, Any]]]
) -> None:
    """Refuse an option that does not exist, on the command line or in a file.

    Args:
        command: command whose parser reads the arguments.
        asker: command as it is typed, if another passes the arguments on.
        flags: options of the asker's own, which are a remedy too.
        arguments: words of the command line.
        files: names and contents of its configuration files.

    Raises:
        UserError: names the option and the nearest.
    """
    trainer = trainer_options()
    if trainer is None:
        return
    own = own_options(command)
    shown = (own - {"trainer"}) | {flag.lstrip("-") for flag in flags} | {f"trainer.{name}" for name in trainer}
    vocabulary = Vocabulary(fields=sorted(shown), command=f"cadence {asker}")
    chosen: dict[str, str] = dict(DEFAULT)
    for _, content in files:
        named = {section: name for section in SECTIONS if (name := _named(content.get(section)))}
        for key in _keys(content):
            _check(key.removesuffix("+"), key, own, trainer, chosen | named, vocabulary)  # `callbacks+:` adds to a list
        chosen |= named
    chosen |= _named_by(arguments)
    for word in arguments:
        if word.startswith("--"):
            key = word.removeprefix("--").partition("=")[0].removesuffix("+")
            if not key:
                raise UserError(
                    f"{word!r} is not expected here: options have names, and `cadence {asker} --help` shows them"
                )
            _check(key, word, own, trainer, chosen, vocabulary)


def _check(
    key: str, word: str, own: set[str], trainer: list[str], chosen: Mapping[str, str], vocabulary: Vocabulary
) -> None:
    head, _, rest = key.partition(".")
    name = rest.removeprefix("init_args.").partition(".")[0]
    if head == "trainer" and rest:
        if name not in {*trainer, *OPEN}:
            raise UserError(unknown_field(word, vocabulary))
    elif head in SECTIONS:
        options = class_options(head, chosen[head]) if head in chosen else None
        if name and options is not None and name not in {*options, *OPEN}:
            holder = chosen[head]
            told = Vocabulary(options=lambda path: options, command=vocabulary.command)
            raise UserError(unknown_option(head, name, holder, told))
    elif (key if head == "range_test" and rest else head) not in own | HELP:
        raise UserError(unknown_field(word, vocabulary))


def _named(section: Any) -> str:
    """The class that a section of a file names; "" if none."""
    name = section.get("class_path", "") if isinstance(section, Mapping) else section
    return name if isinstance(name, str) else ""


def _named_by(arguments: list[str]) -> dict[str, str]:
    """The classes that a command line names, by section."""
    found = {}
    for word, following in zip(arguments, [*arguments[1:], ""], strict=False):
        flag, equals, value = word.partition("=")
        section = flag.removeprefix("--").removesuffix(".class_path")
        if flag.startswith("--") and section in SECTIONS:
            found[section] = value if equals else following
    return found


def _keys(content: Mapping[str, Any]) -> Iterator[str]:
    """The options in a file, as a command line would name them."""
    for section, part in content.items():
        yield section
        if section in (*SECTIONS, "range_test") and isinstance(part, Mapping):
            inner = part.get("init_args")
            names = [*part, *(inner if isinstance(inner, Mapping) else ())]
            yield from (f"{section}.{name}" for name in names if isinstance(name, str))  # others are the parser's
