"""The command line, frozen: what a script or a configuration may name does not change unnoticed.

Renew the frozen list with `python -m tests.commands.test_surface`, and read the difference.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli import COMMANDS

FROZEN = Path(__file__).with_name("surface.txt")
HEAVY = ("numpy", "rich", "torch", "torchvision", "pytorch_lightning", "jsonargparse", "sklearn", "matplotlib", "wandb")
ROOT = Path(__file__).parents[2]
TRAINERS = (
    "fit",
    "test",
    "validate",
    "predict",
    "lr-range-test",
    "batch-size-range-test",
)  # the commands that build a trainer


class _Found(Exception):
    pass


def parser_of(command: str) -> Any:
    """The parser of a command that builds a trainer, before it parses anything."""
    from commands.configuration.cadence_cli import CadenceCLI

    class Parserless(CadenceCLI):
        def parse_arguments(self, parser: Any, args: Any) -> None:
            raise _Found(parser)

    with pytest.raises(_Found) as found:
        Parserless(command, [])
    return found.value.args[0]


def surface() -> list[str]:
    """All names, a line each, with the options of Cadence's classes and without those of torch's and Lightning's."""
    import callbacks
    import datamodules
    import lightning_modules
    import optimizers
    from cli import COMMANDS
    from commands.configuration.contents import contents
    from commands.configuration.vocabulary import options, own_and_trainer_fields, transform_names
    from commands.data import NAMES, SHOWN
    from commands.listing import SECTIONS
    from optimizers.capabilities import CAPABILITIES

    lines = [f"command {name}" for name in COMMANDS]
    lines += [f"list {name}" for name in SECTIONS] + [f"data fetch {name}" for name in NAMES]
    lines += [f"data show {name}" for name in SHOWN]
    for command in TRAINERS:
        own = [name for name in own_and_trainer_fields(parser_of(command)) if not name.startswith("trainer.")]
        lines += [f"{command} --{name}" for name in own]
    lines += [f"experiment {name}" for name in contents("experiments")]
    groups = {
        "model": (lightning_modules.__name__, contents("models")),
        "data": (datamodules.__name__, contents("datasets")),
        "transform": ("datamodules.transforms", transform_names()),
        "callback": (callbacks.__name__, contents("callbacks")),
        "optimizer": (optimizers.__name__, [name for name, row in CAPABILITIES.items() if row.ours]),
    }
    for kind, (package, names) in groups.items():
        for name in names:
            lines += [f"{kind} {name}", *(f"{kind} {name} {option}" for option in options(f"{package}.{name}"))]
    lines += [f"optimizer {name}" for name, row in CAPABILITIES.items() if not row.ours]
    return sorted(lines)


def test_surface_is_the_frozen_one() -> None:
    frozen, now = FROZEN.read_text().splitlines(), surface()
    gone, new = sorted(set(frozen) - set(now)), sorted(set(now) - set(frozen))
    assert not gone, f"no longer there: {gone}; if meant: python -m tests.commands.test_surface"
    assert not new, f"new: {new}; if meant: python -m tests.commands.test_surface"


ACTIONS = ("data fetch", "data verify", "data show")
LIGHT = [[*command.split(), "--help"] for command in (*COMMANDS, *ACTIONS)]


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["fti"], *LIGHT])
def test_answers_without_importing_anything_heavy(arguments: list[str]) -> None:
    code = f"import sys; from cli import main; main({arguments}); print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    if arguments in LIGHT:
        assert done.stdout.startswith(f"usage: cadence {' '.join(arguments[:-1])} ")


@pytest.mark.parametrize("command", TRAINERS)
def test_help_is_complete_and_quiet(command: str) -> None:
    done = subprocess.run([sys.executable, "cli.py", command, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == ""
    frozen = FROZEN.read_text().splitlines()
    expected = [line.partition(" ")[2] for line in frozen if line.startswith(f"{command} --")]
    expected += [line.split()[1] for line in frozen if line.startswith(("model ", "data ", "optimizer "))]
    names = set(expected) - {"fetch", "show"}
    text = "".join(done.stdout.split())  # the help breaks long lines, and names with them
    assert sorted(name for name in names if name not in text) == []


if __name__ == "__main__":
    FROZEN.write_text("\n".join(surface()) + "\n")
