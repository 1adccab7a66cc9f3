"""The resolved configuration of a command line, without building anything of it."""

from commands.configuration.cadence_cli import CadenceCLI
from commands.configuration.files import checked


class _Parsed(CadenceCLI):
    """Parses, and stops there."""

    def instantiate_classes(self) -> None:
        """Build nothing."""

    def _set_seed(self) -> None:
        """Seed nothing: the caller's generators are its own."""


def resolved(command: str, arguments: list[str]) -> str:
    """The configuration of `cadence COMMAND ARGUMENTS` as YAML, with every default.

    Args:
        command: `fit`, `test` or a range test.
        arguments: words behind the command.

    Raises:
        UserError: a mistake in the arguments, as the command itself tells it.
    """
    return _Parsed(command, checked(arguments, command)).resolved()
