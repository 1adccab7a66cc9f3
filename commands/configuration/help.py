"""The help of the commands that train or test, from the sources of what it shows: importing those takes seconds."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from commands.arguments import WIDTH
from commands.configuration import signatures
from commands.configuration.contents import contents
from commands.configuration.lightning_parts import SCHEDULERS, that_work
from commands.configuration.signatures import OF_A_RUN, OPTIONS, RANGE_TESTS, file_of, homes_of, package_folder, tree_of

INDENT, COLUMN = "  ", 24
SEED = ("seed_everything", "1", "Seed of everything in the run.")
CONFIG = """\
  -h, --help            show this page
  -c, --config CONFIG   name of a shipped experiment, or a YAML file; one after
                        the other, if there are several
  --print_config        print the resolved configuration, and do nothing else"""
MORE = (
    "Options of a class follow its field: `--model MLP --model.hidden_sizes [100]`. "
    "`cadence {command} --model.help MLP` shows a class's own, and `cadence {command} -c NAME --help` all options with "
    "their types, for which torch is loaded."
)
FIELDS = {
    "model": ("models", "a network"),
    "data": ("datasets", "a dataset"),
    "optimizer": ("optimizers", "an optimizer"),
    "trainer.callbacks+": ("callbacks", "a callback; again for another"),
}

Row = tuple[str, str, str]


def help_of(command: str) -> str:
    """The page that `cadence COMMAND --help` prints.

    Args:
        command: `fit`, `test` or a range test.
    """
    parts = [
        f"usage: cadence {command} [-c CONFIG] [options]",
        _wrapped(_descriptions()[command]),
        "options:\n" + CONFIG,
    ]
    parts[-1] += "\n" + _table([SEED, *_own(command)])
    if command in RANGE_TESTS:
        parts.append(
            "the test:\n"
            + _table([(f"range_test.{name}", default, said) for name, default, said in _of_test(RANGE_TESTS[command])])
        )
    for field, (section, what) in FIELDS.items():
        names = [*contents(section)]
        parts.append(f"--{field} NAME, {what}:\n" + _wrapped(", ".join(names), INDENT))
    schedulers = ", ".join(that_work(SCHEDULERS))
    parts.append("--lr_scheduler NAME, one of torch's schedules:\n" + _wrapped(schedulers, INDENT))
    parts.append(
        "Lightning's Trainer:\n" + _table([(f"trainer.{name}", default, said) for name, default, said in _of_trainer()])
    )
    return "\n\n".join([*parts, _wrapped(MORE.format(command=command))])


def _descriptions() -> dict[str, str]:
    for node in tree_of(OPTIONS).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DESCRIPTIONS":
            found: dict[str, str] = ast.literal_eval(node.value)
            return found
    raise RuntimeError(f"{OPTIONS} describes no command")


def _own(command: str) -> list[Row]:
    """Options that the parser of a command adds: name, default, help."""
    added = next(
        node for node in tree_of(OPTIONS).body if isinstance(node, ast.FunctionDef) and node.name == "add_options"
    )
    found = []
    for node in _reached(added.body, command):
        if isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            said = {keyword.arg: keyword.value for keyword in node.keywords}
            name = str(ast.literal_eval(node.args[0])).lstrip("-")
            found.append((name, _default(said.get("default")), str(ast.literal_eval(said["help"]))))
    return found


def _reached(statements: list[ast.stmt], command: str) -> Iterator[ast.Call]:
    """Calls in these statements, without those under a condition on the command that does not hold."""
    for statement in statements:
        if isinstance(statement, ast.If):
            known = vars(signatures) | {"command": command}
            holds = eval(compile(ast.Expression(statement.test), str(OPTIONS), "eval"), known)
            yield from _reached(statement.body if holds else statement.orelse, command)
        else:
            yield from (node for node in ast.walk(statement) if isinstance(node, ast.Call))


def _of_test(name: str) -> list[Row]:
    rows = _of_class(file_of(homes_of("callbacks")[name]), name)
    return [row for row in rows if row[0] not in OF_A_RUN]


def _of_trainer() -> list[Row]:
    place = package_folder("pytorch_lightning")
    return [] if place is None else _of_class(place / "trainer" / "trainer.py", "Trainer")


def _of_class(file: Path, name: str) -> list[Row]:
    """Arguments of a class's constructor: name, default, and what its docstring, or the constructor's, says of it."""
    node = next(node for node in tree_of(file).body if isinstance(node, ast.ClassDef) and node.name == name)
    built = next(one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__")
    said = _arguments_in(ast.get_docstring(node) or "") | _arguments_in(ast.get_docstring(built) or "")
    given = built.args.args[1:]
    defaults = [None] * (len(given) - len(built.args.defaults)) + list(built.args.defaults)
    pairs = [*zip(given, defaults, strict=True), *zip(built.args.kwonlyargs, built.args.kw_defaults, strict=True)]
    return [(one.arg, _default(default), said.get(one.arg, "")) for one, default in pairs]


def _arguments_in(docstring: str) -> dict[str, str]:
    """What a docstring says of each argument, its first paragraph, as plain text."""
    _, _, rest = inspect.cleandoc(docstring).partition("Args:\n")
    found: dict[str, list[str]] = {}
    name, ended = "", False
    for line in textwrap.dedent(re.split(r"\n(?=\S)", rest)[0]).splitlines():
        if begun := re.match(r"(\w+): ?(.*)", line):
            name, ended = begun[1], False
            found[name] = [begun[2]]
        elif name:
            ended = ended or not line.strip()
            if not ended:
                found[name].append(line.strip())
    return {name: _plain(" ".join(lines)) for name, lines in found.items()}


def _plain(text: str) -> str:
    """Text without the marks of reStructuredText, and without a default, which stands behind it."""
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"\1", text).replace("``", "")
    return re.sub(r"\s*Default: \S+\.?$", "", text).strip()


def _default(node: ast.expr | None) -> str:
    if node is None:
        return ""
    return {"None": "null", "True": "true", "False": "false"}.get(said := ast.unparse(node), said.strip("'"))


def _table(rows: list[Row]) -> str:
    lines = []
    for name, default, said in rows:
        told = " ".join([said, *([f"({default})"] if default not in ("", "null") else [])]).strip()
        flag = f"{INDENT}--{name}"
        text = _wrapped(told, " " * COLUMN)
        lines.append(f"{flag:<{COLUMN}}{text.lstrip()}" if len(flag) < COLUMN else f"{flag}\n{text}".rstrip())
    return "\n".join(line.rstrip() for line in lines)


def _wrapped(text: str, indent: str = "") -> str:
    wrapped = textwrap.wrap(text, WIDTH - 2, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
    return "\n".join(wrapped)
