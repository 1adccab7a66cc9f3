"""What stands behind `cadence`: one command a file, each with a `run`, and how their mistakes are told.

| a new command touches | what |
|---|---|
| commands/NAME.py | `run(call: Call) -> int`, which returns the exit status |
| cli.py | a line of its table: name, module, line of help |
| tests/commands/test_NAME.py | its test; surface.txt, which a command writes, gets its name |
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """What a command is called with.

    Attributes:
        command: name that was typed, as several commands may share a module.
        arguments: words that follow the name.
        started: `time.monotonic()` when the process began.
        alone: whether nothing above it, such as a study, looks after the job that it runs in.
    """

    command: str
    arguments: list[str]
    started: float
    alone: bool = True
