"""Classes of the user's own, in the folder where a command is called: importable, behind Cadence's packages."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
OWN = (
    "callbacks", "checks", "cli", "commands", "configs", "datamodules", "figures", "inspection", "lightning_modules",
    "optimizers", "records", "studies", "timeline", "trainer",
)  # fmt: skip


@contextlib.contextmanager
def importable() -> Iterator[None]:
    """Let modules in the working directory be imported in the block, where no installed one has their name."""
    before, here = list(sys.path), Path.cwd()
    if here.resolve() != HOUSE:
        sys.path[:] = [path for path in sys.path if path not in ("", str(here))] + [str(here)]
    try:
        yield
    finally:
        sys.path[:] = before


def hidden_by_ours(name: str) -> str:
    """What to say of a class that is not found, if Cadence's own package of that name hides the user's; else "".

    Args:
        name: import path of the class.
    """
    package = name.partition(".")[0]
    here = Path.cwd()
    if package not in OWN or here.resolve() == HOUSE:
        return ""
    theirs = [path for path in (here / package, here / f"{package}.py") if path.exists()]
    return f"Cadence's own package {package!r} hides {theirs[0]}: rename that one" if theirs else ""
