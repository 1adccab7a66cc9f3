"""The words behind `cadence describe`: models with their options, and what is asked about them."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from commands.errors import UserError

FORMATS = ("table", "csv", "markdown", "json")
DEVICES = ("cpu", "cuda")
_DEFAULTS = {
    "--input-shape": "",
    "--format": "table",
    "--batch-size": "64",
    "--precision": "32-true",
    "--optimizer": "SGD",
    "--measure": "",
}
_ALL = (*_DEFAULTS, "--compare", "--no-bias")

Model = tuple[str, dict[str, Any]]


@dataclass
class Arguments:
    """What the command line asks for.

    Attributes:
        models: one, or two to compare: name, and options of its constructor.
        texts: the options of one value, as they were given.
        optimizer_options: of the optimizer's constructor.
        biases: whether convolutions and linear layers keep theirs.
    """

    models: list[Model] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=lambda: dict(_DEFAULTS))
    optimizer_options: dict[str, Any] = field(default_factory=dict)
    biases: bool = True

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """(channels, height, width), None where the model is to decide."""
        text = self.texts["--input-shape"]
        if not text:
            return None
        sizes = text.split(",")
        if len(sizes) != 3 or not all(re.fullmatch(r"[+-]?\d{1,7}", size.strip()) for size in sizes):
            raise UserError(f"--input-shape must be C,H,W in whole numbers, got {text}: e.g. --input-shape 3,32,32")
        if any(int(size) < 1 for size in sizes):
            raise UserError(f"--input-shape must be positive, got {text}: e.g. --input-shape 3,32,32")
        return tuple(int(size) for size in sizes)

    @property
    def batch_size(self) -> int:
        """Images in a batch."""
        text = self.texts["--batch-size"]
        if not re.fullmatch(r"[+-]?\d{1,9}", text) or int(text) < 1:
            raise UserError(f"--batch-size must be a whole number of at least 1, got {text}: try 64")
        return int(text)

    @property
    def format(self) -> str:
        """One of FORMATS."""
        return self._one_of("--format", FORMATS)

    @property
    def measure(self) -> str | None:
        """One of DEVICES, None where nothing is to be measured."""
        return self._one_of("--measure", DEVICES) if self.texts["--measure"] else None

    def precision(self, known: Mapping[str, Any]) -> str:
        """One of the known ones."""
        return self._one_of("--precision", tuple(known))

    def _one_of(self, flag: str, choices: tuple[str, ...]) -> str:
        text = self.texts[flag]
        if text not in choices:
            raise UserError(f"{flag} must be one of {', '.join(choices)}, got {text}: choose one of them")
        return text


def parsed(words: list[str]) -> Arguments:
    """The command line, word by word.

    Raises:
        UserError: an unknown option, one without a value, or no model.
    """
    given, rest = Arguments(), iter(words)
    for word in rest:
        flag, equals, value = word.partition("=")
        if flag == "--no-bias" and not equals:
            given.biases = False
        elif flag.startswith("--"):
            _require_known(flag)
            value = value if equals else next(rest, "")
            if not value or (value.startswith("--") and not equals):
                raise UserError(f"{flag} needs a value: give it as {flag} VALUE")
            _take(given, flag, value, word)
        elif equals and given.models:
            given.models[-1][1][flag] = _value(word, value)
        elif equals or given.models:
            what = "an option before any model" if equals else "a second model"
            raise UserError(f"{word}: {what}: cadence describe MODEL [KEY=VALUE ...] [--compare OTHER]")
        else:
            given.models.append((word, {}))
    if not given.models:
        raise UserError("name a model: cadence describe SmallCNN; `cadence list models` shows Cadence's")
    return given


def _require_known(flag: str) -> None:
    if flag not in (*_DEFAULTS, "--compare") and not flag.startswith("--optimizer."):
        near = difflib.get_close_matches(flag, _ALL, n=1)
        hint = f"nearest: {near[0]}" if near else "`cadence describe --help` shows all"
        raise UserError(f"{flag}: there is no such option; {hint}")


def _take(given: Arguments, flag: str, value: str, word: str) -> None:
    if flag == "--compare":
        if len(given.models) != 1:
            raise UserError("--compare goes once, behind the first model: cadence describe MODEL --compare OTHER")
        given.models.append((value, {}))
    elif flag in given.texts:
        given.texts[flag] = value
    else:
        given.optimizer_options[flag.partition(".")[2]] = _value(word, value)


def _value(word: str, text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{word}: {text!r} is no value: give a number, true, false, a text or [a, list]") from error
    if isinstance(value, str):
        try:
            return float(value)  # YAML takes 1e-3 for a text
        except ValueError:
            return value
    return value
