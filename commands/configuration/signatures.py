"""Names of options, read from the sources of classes without importing them: torch and Lightning take seconds."""

import ast
from functools import lru_cache
from importlib.machinery import PathFinder
from pathlib import Path

from commands.configuration.checks import LINKED
from commands.configuration.contents import HOUSE, imported_by

OPTIONS = HOUSE / "commands" / "configuration" / "options.py"
SECTIONS = ("model", "data", "optimizer", "lr_scheduler", "trainer")
RANGE_TESTS = {"lr-range-test": "LRRangeTest", "batch-size-range-test": "BatchSizeRangeTest"}
EVALUATIONS = ("test", "validate", "predict")
OF_A_RUN = {"at_step", "update_lr"}  # what a range test alone has no use for


def own_options(command: str) -> set[str]:
    """Options that the parser of a command adds beside the sections, those of other commands among them."""
    found = {"config", "seed_everything", *SECTIONS}
    for node in ast.walk(tree_of(OPTIONS)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            found |= {ast.literal_eval(word).lstrip("-") for word in node.args}
    test = RANGE_TESTS.get(command)
    options = class_options("callbacks", test) if test else None
    found |= {"range_test"} if test else set()
    return found | {f"range_test.{name}" for name in options or () if name not in OF_A_RUN}


def trainer_options() -> list[str] | None:
    """Arguments of Lightning's Trainer; None if its source is not there."""
    place = package_folder("pytorch_lightning")
    return None if place is None else _arguments(place / "trainer" / "trainer.py", "Trainer")


def class_options(section: str, name: str) -> list[str] | None:
    """Options of a class that Cadence names; None for any other.

    Args:
        section: `model`, `data`, `optimizer`, `lr_scheduler`, or `callbacks`.
        name: name of the class, or its import path.
    """
    if section == "lr_scheduler":
        return _scheduler_options(name)
    path, _, short = name.rpartition(".")
    home = homes_of(section).get(short)
    if home is None or (path and path.partition(".")[0] not in (home.partition(".")[0], "optimizers")):
        return None
    if home == "torch.optim":
        place = package_folder("torch")
        found = None if place is None else _arguments(place / "optim" / f"{short.lower()}.py", short)
    else:
        of = "FetchedDataModule" if home == "datamodules.fetched" else short
        found = _arguments(file_of(home), of)
    hidden = {field.partition(".")[2] for field in LINKED if field.startswith(f"{section}.")} | {"self", "params"}
    return None if found is None else [option for option in found if option not in hidden]


def _scheduler_options(name: str) -> list[str] | None:
    """Options of one of torch's schedulers; ReduceLROnPlateau is Lightning's, which has a `monitor` besides."""
    place, short = package_folder("torch"), name.rpartition(".")[2]
    ours = name in (short, f"torch.optim.lr_scheduler.{short}", f"pytorch_lightning.cli.{short}")
    found = _arguments(place / "optim" / "lr_scheduler.py", short) if place is not None and ours else None
    if found is None:
        return None
    own = [option for option in found if option not in ("optimizer", "self")]
    return [*(["monitor"] if short == "ReduceLROnPlateau" else []), *own]


def homes_of(section: str) -> dict[str, str]:
    """Modules of the classes of a section, by name."""
    if section == "data":
        from datamodules import DATASETS, FETCHED

        return {name: "datamodules.fetched" if name in FETCHED else home for name, home in DATASETS.items()}
    if section == "optimizer":
        from optimizers import HOMES
        from optimizers.capabilities import CAPABILITIES

        return {name: HOMES[name] for name in CAPABILITIES}
    package = {"model": "lightning_modules", "callbacks": "callbacks"}.get(section)
    return {} if package is None else imported_by(HOUSE / package)


def _arguments(file: Path, name: str) -> list[str] | None:
    """Arguments of a class's constructor, with its bases' where it hands on **kwargs or has no constructor itself."""
    tree = tree_of(file)
    node = next((node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name), None)
    if node is None:
        return None
    built = next((one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
    own = [] if built is None else [one.arg for one in (*built.args.args, *built.args.kwonlyargs) if one.arg != "self"]
    if built is not None and built.args.kwarg is None:
        return own
    homes = {
        alias.asname or alias.name: statement.module
        for statement in tree.body
        if isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names
    }
    for base in (ast.unparse(base) for base in node.bases):
        if base in homes and (theirs := file_of(homes[base])).is_file():
            inherited = _arguments(theirs, base)
        else:
            inherited = _arguments(file, base)
        if inherited is not None:
            return own + [option for option in inherited if option not in own]
    return None


def file_of(module: str) -> Path:
    """The source of a module of ours."""
    return HOUSE.joinpath(*module.split(".")).with_suffix(".py")


def package_folder(name: str) -> Path | None:
    """The folder of an installed package, which is not imported."""
    spec = PathFinder.find_spec(name)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


@lru_cache(maxsize=64)
def tree_of(file: Path) -> ast.Module:
    """The statements of a source; none where it cannot be read."""
    try:
        return ast.parse(file.read_text())
    except (OSError, ValueError, SyntaxError):
        return ast.Module([], [])
