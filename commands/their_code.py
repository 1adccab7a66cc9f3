"""An error in somebody else's code: the lines of their files that it came by, and its message."""

import linecache
import re
import sysconfig
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from commands.errors import UserError, lines_of, printable
from commands.working_directory import HOUSE, OWN

_OURS = (*OWN, "tests", "benchmarks", "docs")
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_SHOWN = 5  # lines of their files
_FROM_A_WORKER = re.compile(r"Caught \w+ in DataLoader worker process \d+\.\nOriginal Traceback")
_LINE_OF_A_TRACEBACK = re.compile(r'^\s*File "(.+?)", line (\d+), in (.+)$', re.MULTILINE)


@dataclass(frozen=True)
class Place:
    """A line of a file, and the function that it is in."""

    file: str
    line: int
    function: str

    @property
    def theirs(self) -> bool:
        """Whether the file is neither Cadence's nor a library's."""
        return not self.ours and Path(self.file).is_absolute() and not self._of_a_library

    @property
    def ours(self) -> bool:
        """Whether the file is Cadence's."""
        path = Path(self.file)
        inside = path.is_relative_to(HOUSE) and path.relative_to(HOUSE).parts[0].removesuffix(".py") in _OURS
        return inside and not (self._of_a_library and "site-packages" not in str(HOUSE))

    @property
    def _of_a_library(self) -> bool:
        parts = Path(self.file).parts
        return self.file.startswith(_LIBRARIES) or "site-packages" in parts or "dist-packages" in parts

    def told(self) -> str:
        """The place and its line, in a line; the path as seen from the working directory."""
        path, here = Path(self.file), Path.cwd()
        where = path.relative_to(here) if path.is_relative_to(here) else path
        return printable(f"{where}:{self.line} in {self.function}: {linecache.getline(self.file, self.line).strip()}")


def told_of_theirs(error: BaseException) -> list[str]:
    """Lines that tell of an error raised in somebody else's code, or in a library that it called; none of any other.

    Args:
        error: the error, or what Cadence made of it.
    """
    for one in _chain(error):
        if places := _places(one):
            more = lines_of(str(error)) if isinstance(error, UserError) else []
            said = lines_of(str(one))
            more = [line for line in more if not any(_repeats(line, text) for text in said)]
            return [place.told() for place in places[-_SHOWN:]] + _message(one) + more
        if not isinstance(one, UserError) and _raised_by_ours(one):
            return []  # it has been judged, as what a network takes for images is by `describe`
    return []


def _repeats(line: str, text: str) -> bool:
    """Whether a line says a message's line again, with the name of a field before it at most."""
    return line[:100] in text or re.fullmatch(rf"[\w.]+: {re.escape(text)}", line) is not None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that it came of."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _places(error: BaseException) -> list[Place]:
    """Places in their files, if the last place that is in no library is one of them."""
    if isinstance(error, SyntaxError) and error.filename:
        place = Place(str(Path(error.filename).absolute()), error.lineno or 1, "import")
        return [place] if place.theirs else []
    if match := _FROM_A_WORKER.search(str(error)):
        found = [Place(m[1], int(m[2]), m[3]) for m in _LINE_OF_A_TRACEBACK.finditer(str(error), match.end())]
    else:
        frames = traceback.extract_tb(error.__traceback__)
        found = [Place(frame.filename, frame.lineno or 1, frame.name) for frame in frames]
    last = next((place for place in reversed(found) if place.ours or place.theirs), None)
    return [place for place in found if place.theirs] if last is not None and last.theirs else []


def _raised_by_ours(error: BaseException) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and Place(frames[-1].filename, 1, "").ours


def _message(error: BaseException) -> list[str]:
    """Type and message of an error; of one in a loader's worker, those that it had there."""
    text = str(error)
    if _FROM_A_WORKER.search(text):
        return lines_of(text.rstrip().splitlines()[-1])
    return lines_of(f"{type(error).__name__}: {text}")
