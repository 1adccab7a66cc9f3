"""What can be named in a configuration, read from the sources and not imported, so that it is told at once."""

import ast
from pathlib import Path

from commands.configuration.shipped import shipped

HOUSE = Path(__file__).resolve().parents[2]


def contents(section: str) -> dict[str, str]:
    """Names and first lines of one section."""
    if section == "experiments":
        return {name: _first_comment(path) for name, path in shipped().items()}
    if section == "optimizers":
        from optimizers.capabilities import CAPABILITIES

        return {name: capability.description for name, capability in CAPABILITIES.items()}
    if section == "datasets":
        from datamodules import DATASETS

        return {
            name: (ast.get_docstring(_parsed(home)) or "").partition("\n")[0] for name, home in sorted(DATASETS.items())
        }
    return _classes(_imported_by(HOUSE / {"models": "lightning_modules", "callbacks": "callbacks"}[section]))


def _first_comment(path: Path) -> str:
    line = path.read_text().partition("\n")[0]
    return line.lstrip("# ") if line.startswith("#") else ""


def _imported_by(package: Path) -> dict[str, str]:
    """Names that a package's `__init__` imports, and the modules that they come from."""
    statements = ast.parse((package / "__init__.py").read_text()).body
    imports = [statement for statement in statements if isinstance(statement, ast.ImportFrom) and statement.module]
    return {alias.name: str(statement.module) for statement in imports for alias in statement.names}


def _classes(homes: dict[str, str]) -> dict[str, str]:
    """The classes among some names that can stand in a configuration, with their docstrings' first lines."""
    found = {}
    for name, module in sorted(homes.items()):
        for node in _parsed(module).body:
            if isinstance(node, ast.ClassDef) and node.name == name and _can_be_named(node):
                found[name] = (ast.get_docstring(node) or "").partition("\n")[0]
    return found


def _parsed(module: str) -> ast.Module:
    return ast.parse((HOUSE / Path(*module.split(".")).with_suffix(".py")).read_text())


def _can_be_named(node: ast.ClassDef) -> bool:
    """Whether the class can stand in a configuration: neither a base of others nor a block within networks."""
    bases = {ast.unparse(base) for base in node.bases}
    return not bases & {"nn.Module", "Exception", "pl.LightningModule"}
