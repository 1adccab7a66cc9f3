"""Words: an argument's line stands alone, as `--help` prints it, and where a thing comes from is said in the docs."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[1]
ROOMS = sorted(path.parent for path in HOUSE.glob("*/__init__.py"))
FILES = [*sorted(file for room in ROOMS for file in room.rglob("*.py")), HOUSE / "cli.py"]
# Words that lean on the argument's name ("steps: of a sweep") instead of saying what it is ("number of steps in ...").
LEANING = {
    "about", "above", "after", "along", "among", "as", "at", "before", "behind", "below", "beside", "between",
    "beyond", "by", "during", "for", "from", "if", "in", "into", "like", "of", "off", "on", "onto", "out",
    "over", "past", "per", "since", "through", "till", "to", "toward", "towards", "under", "until", "up",
    "upon", "via", "when", "where", "which", "who", "whom", "whose", "with", "within", "without", "asked",
    "called", "chosen", "counted", "cut", "divided", "done", "drawn", "filled", "found", "given", "increasing",
    "joined", "kept", "known", "laid", "likewise", "listed", "logged", "made", "measured", "named", "passed",
    "printed", "put", "read", "seen", "set", "shown", "sorted", "spread", "taken", "told", "used", "wanted",
}  # fmt: skip

every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(HOUSE)))


def entries(docstring: str) -> Iterator[tuple[str, str]]:
    """Names and first words of a docstring's `Args:` and `Attributes:`."""
    section, inside = re.compile(r"^( *)(Args|Attributes):$"), None
    for line in docstring.splitlines():
        if match := section.match(line):
            inside = len(match[1]) + 4
        elif inside is not None and line.strip():
            indent = len(line) - len(line.lstrip())
            if indent < inside:
                inside = None
            elif indent == inside and (entry := re.match(r"([\w, *]+): +(\S+)", line.strip())):
                yield entry[1], entry[2].strip(".,;:()")


@every_file
def test_an_argument_s_line_stands_alone(file: Path) -> None:
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            told = entries(ast.get_docstring(node) or "")
            found += [f"{getattr(node, 'name', '')}: {name}: {word} ..." for name, word in told if word in LEANING]
    assert not found, f"say what it is: {found}"


def test_sources_are_named_in_docs_and_studies_alone() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=HOUSE, capture_output=True, text=True, check=True).stdout.split()
    elsewhere = ("docs/", "studies/", "configs/studies/", "benchmarks/", "tests/test_words")
    files = [name for name in listed if name.endswith((".py", ".yaml")) and not name.startswith(elsewhere)]
    found = []
    for name in files:
        for number, line in enumerate((HOUSE / name).read_text().splitlines(), 1):
            if re.search(r"\bhomework|\bproblem [1-4]\b|\breport's\b", line, re.IGNORECASE):
                found.append(f"{name}:{number}: {line.strip()}")
    assert not found, "\n".join(found)
