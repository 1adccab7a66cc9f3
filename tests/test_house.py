"""What the import contracts cannot say: where private names of libraries are used, and how large a file may be."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[1]
ROOMS = sorted(path.parent.name for path in HOUSE.glob("*/__init__.py"))
FILES = [*sorted(file for room in ROOMS for file in (HOUSE / room).rglob("*.py")), HOUSE / "cli.py"]
LIBRARIES = ("torch", "pytorch_lightning", "lightning_fabric", "jsonargparse", "torchmetrics")
# Where private names of these libraries may be used; those of torch's dispatch modes in `inspection` too.
OPEN = ("trainer", "commands/configuration")
DISPATCH = ("torch.utils._python_dispatch", "torch.utils._pytree", "_schema", "_cdata")

every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(HOUSE)))


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def of_libraries(tree: ast.Module) -> Iterator[str]:
    """Private modules and names that a file imports from the libraries, and private attributes of others' objects.

    An attribute is a file's own if the file itself defines or sets it.
    """
    own = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.attr if isinstance(node, ast.Attribute) else node.id)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in LIBRARIES:
            yield from (node.module for part in node.module.split(".") if private(part))
            yield from (f"{node.module}.{alias.name}" for alias in node.names if private(alias.name))
        elif isinstance(node, ast.Import):
            yield from (
                alias.name
                for alias in node.names
                if alias.name.split(".")[0] in LIBRARIES and any(map(private, alias.name.split(".")))
            )
        elif isinstance(node, ast.Attribute) and private(node.attr) and node.attr not in own | {"_asdict"}:
            yield node.attr


@every_file
def test_private_names_of_libraries_are_used_behind_the_door_alone(file: Path) -> None:
    place = str(file.relative_to(HOUSE))
    if place.startswith(OPEN):
        return
    found = list(of_libraries(ast.parse(file.read_text())))
    if place.startswith("inspection"):
        found = [name for name in found if not name.endswith(DISPATCH)]
    if place.startswith("optimizers"):
        found = [name for name in found if not name.startswith("_foreach_")]  # torch's documented functions on lists
    assert not found, f"{place} uses {found}: put that into trainer/ or commands/configuration/, and ask it from there"


# Short files that have a reason: one dataset a file, the memory layout below all transforms, what a server imports, and
# one kind of exhibit a file.
SHORT = (
    "datamodules/digits.py", "datamodules/transforms/_layout.py", "studies/server.py", "studies/exhibits/text.py",
)  # fmt: skip


@every_file
def test_a_file_has_one_reason_to_exist(file: Path) -> None:
    lines = len(file.read_text().splitlines())
    assert lines <= 300
    alone = file.name == "__init__.py" or str(file.relative_to(HOUSE)) in SHORT
    assert alone or lines >= 25, "fold it into the file that needs it, or give its reason in SHORT"


@every_file
def test_nobody_imports_the_front_door(file: Path) -> None:
    if file.name == "cli.py":
        return
    for node in ast.walk(ast.parse(file.read_text())):
        assert not (isinstance(node, ast.ImportFrom) and node.module == "cli")
        assert not (isinstance(node, ast.Import) and any(alias.name == "cli" for alias in node.names))
