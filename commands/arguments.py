"""Arguments of a command, by argparse, with mistakes told the way Cadence tells them."""

import argparse
import difflib
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NoReturn

from commands.errors import UserError
from records.files import expanded

FIGURES = (".png", ".pdf", ".svg")
WIDTH = 80


class Parser(argparse.ArgumentParser):
    """argparse without abbreviations, whose every mistake is a `UserError`.

    Options are added by `value` and `switch`. A value may follow behind a space or an equals sign, and may begin with
    a minus; of an option given twice, the last value counts.

    Args:
        command: words behind `cadence` that the parser belongs to.
        usage: what follows the command, as its help shows it.
        description: text below the usage.
        examples: text at the end.
        add_help: whether `--help` is answered here.
    """

    def __init__(
        self, command: str, usage: str = "", description: str = "", examples: str = "", add_help: bool = True
    ) -> None:
        super().__init__(
            prog=f"cadence {command}",
            usage=f"cadence {command} {usage}",
            description=description,
            epilog=examples,
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=WIDTH),
            allow_abbrev=False,
            add_help=add_help,
        )
        self.examples: dict[str, str] = {}
        self.once: set[str] = set()
        self.switches: list[str] = []

    def value(self, flag: str, example: str, once: bool = False, **settings: Any) -> None:
        """Add an option that takes one value; `example` is told where the value is missing; `once` refuses a second."""
        self.examples[flag] = example
        if once:
            self.once.add(flag)
        self.add_argument(flag, **settings)

    def switch(self, flag: str, **settings: Any) -> None:
        """Add an option that takes no value."""
        self.switches.append(flag)
        self.add_argument(flag, action="store_true", **settings)

    @property
    def flags(self) -> list[str]:
        """Names of the options, with their dashes."""
        return [*self.examples, *self.switches]

    def figure(self, usual: str) -> None:
        """Add `--out FIGURE`, the path that a figure is written to."""
        self.value(
            "--out", usual, type=figure_path, default=Path(usual), metavar="FIGURE",
            help=f"where the figure goes, a .png, .pdf or .svg; {usual} by default",
        )  # fmt: skip

    def split(
        self, arguments: Sequence[str], given: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """The values of the parser's options, and the rest of the arguments, in their order.

        Args:
            arguments: words of the command line.
            given: values of the words before them, which these add to.

        Raises:
            UserError: an option has no value, a wrong one, or one where it takes none.
        """
        return self.parse_known_args(self._joined(arguments), given)

    def words(
        self, arguments: Sequence[str], given: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As `split`, for a command whose rest holds no options.

        Raises:
            UserError: also where the rest holds one.
        """
        given, rest = self.split(arguments, given)
        for word in rest:
            if word.startswith("-"):
                flag = word.partition("=")[0]
                hint = nearest(flag, self.flags) or f"`{self.prog} --help` shows all"
                raise UserError(f"{flag}: there is no such option: {hint}")
        return given, rest

    def error(self, message: str) -> NoReturn:
        """Tell argparse's complaint, of which `type` functions say what is wrong and how to mend it."""
        raise UserError(re.sub(r"^argument (\S+): ", r"\1 ", message))

    def _joined(self, arguments: Sequence[str]) -> list[str]:
        """The arguments with `--flag value` as `--flag=value`: argparse takes `-1,5` for another option."""
        joined, rest = [], iter(arguments)
        values: dict[str, str] = {}
        for word in rest:
            flag, equals, value = word.partition("=")
            if flag in self.switches and equals:
                raise UserError(f"{flag} takes no value, got {value!r}: give {flag} alone, or leave it out")
            if flag in self.examples:
                value = value if equals else next(rest, "")
                if not value or (value.startswith("--") and not equals):
                    raise UserError(f"{flag} needs a value: give it as {flag} {self.examples[flag]}")
                if flag in self.once and flag in values:
                    raise UserError(f"{flag} is given twice, as {values[flag]} and as {value}: give it once")
                values[flag] = value
                word = f"{flag}={value}"
            joined.append(word)
        return joined


def path_of(text: str) -> Path:
    """A path whose `~` is the user's home, also behind an equals sign, where a shell leaves it; a `type` of an option.

    Raises:
        argparse.ArgumentTypeError: a character of it cannot be shown, so nobody could name it again.
    """
    if not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} holds a character that cannot be shown: name another")
    return expanded(text)


def figure_path(text: str) -> Path:
    """The path of a figure that can be written, as `type` of an option."""
    path = path_of(text)
    if path.suffix not in FIGURES:
        name = path.with_suffix(".png") if path.name else "figure.png"
        raise argparse.ArgumentTypeError(f"{text}: the figure must end in {', '.join(FIGURES)}: name it {name}")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text}: there is no folder {path.parent}: make it, or name another")
    return path


def one_of(choices: Collection[str]) -> Callable[[str], str]:
    """A `type` that takes some words alone."""

    def convert(text: str) -> str:
        if text not in choices:
            hint = nearest(text, choices) or "choose one of them"
            raise argparse.ArgumentTypeError(f"must be one of {', '.join(choices)}, got {text!r}: {hint}")
        return text

    return convert


def whole_number(text: str, usual: int) -> int:
    """A whole number from 1 on; `usual` is told as the remedy."""
    if not re.fullmatch(r"[+-]?\d{1,9}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text}: {usual} is usual")
    return int(text)


def yaml_value(text: str) -> Any:
    """A number, a truth, a list or a text, as YAML has them; a `type` of an option."""
    import yaml

    from commands.configuration.strict_yaml import as_written

    try:
        value = yaml.load(text, Loader=as_written(yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no value: give a number, true, false, a text or [a, list]"
        ) from error
    if isinstance(value, str):
        try:
            return float(value)  # YAML takes 1e-3 for a text
        except ValueError:
            return value
    return value


def nearest(word: str, names: Collection[str]) -> str:
    """`nearest: NAME`, or "" where no name is like the word."""
    near = difflib.get_close_matches(word, names, n=1)
    return f"nearest: {near[0]}" if near else ""
