"""Names that a configuration may hold, read from the sources without importing them, which would take seconds."""

import ast
from pathlib import Path

from commands.configuration.shipped import header, shipped

HOUSE = Path(__file__).resolve().parents[2]


def contents(section: str) -> dict[str, str]:
    """Names and first lines of one section."""
    if section == "experiments":
        return {name: header(path).what for name, path in shipped().items()}
    if section == "optimizers":
        from optimizers.capabilities import CAPABILITIES

        return {name: capability.description for name, capability in CAPABILITIES.items()}
    if section == "datasets":
        from datamodules import DATASETS

        return {
            name: (ast.get_docstring(_parsed(home)) or "").partition("\n")[0] for name, home in sorted(DATASETS.items())
        }
    return _classes(imported_by(HOUSE / {"models": "lightning_modules", "callbacks": "callbacks"}[section]))


def imported_by(package: Path) -> dict[str, str]:
    """Names that a package's `__init__` imports, and the modules that they come from."""
    statements = ast.parse((package / "__init__.py").read_text()).body
    imports = [statement for statement in statements if isinstance(statement, ast.ImportFrom) and statement.module]
    return {alias.name: str(statement.module) for statement in imports for alias in statement.names}


def _classes(homes: dict[str, str]) -> dict[str, str]:
    """First lines of the docstrings of the classes that a configuration may name, by name."""
    found = {}
    for name, module in sorted(homes.items()):
        for node in _parsed(module).body:
            if isinstance(node, ast.ClassDef) and node.name == name and _can_be_named(node):
                found[name] = (ast.get_docstring(node) or "").partition("\n")[0]
    return found


def _parsed(module: str) -> ast.Module:
    return ast.parse((HOUSE / Path(*module.split(".")).with_suffix(".py")).read_text())


def _can_be_named(node: ast.ClassDef) -> bool:
    """Whether a configuration may name the class: it is neither a base class nor a block of a network."""
    bases = {ast.unparse(base) for base in node.bases}
    return not bases & {"nn.Module", "Exception", "pl.LightningModule"}
