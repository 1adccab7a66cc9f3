"""`cadence list`: what can be named, read from the sources and not imported, so that it answers at once."""

from commands import Call
from commands.arguments import Parser, nearest
from commands.configuration.contents import contents
from commands.configuration.shipped import Header, header, shipped
from commands.errors import UserError

SECTIONS = {
    "experiments": "cadence fit -c NAME",
    "models": "--model NAME",
    "datasets": "--data NAME",
    "optimizers": "--optimizer NAME",
    "callbacks": "--trainer.callbacks+=NAME",
}


def run(call: Call) -> int:
    """Print all sections, or those named; returns the exit status."""
    parser = Parser(
        call.command,
        f"[{' | '.join(SECTIONS)}] ...",
        "Print the names of all sections, or of those given. `cadence list experiments` tells of each besides what it\n"
        "costs, where it comes from and what was published for it.",
    )
    _, sections = parser.words(call.arguments)
    for section in sections:
        if section not in SECTIONS:
            hint = nearest(section, SECTIONS) or f"there are {', '.join(SECTIONS)}"
            raise UserError(f"cadence list: there is no section {section!r}: {hint}")
    for section in sections or SECTIONS:
        entries = contents(section)
        width = max(map(len, entries))
        print(f"{section} ({SECTIONS[section]})")
        for name, line in entries.items():
            print(f"  {name:<{width}}  {line}")
            if sections and section == "experiments":
                print(f"  {'':<{width}}  {provenance(header(shipped()[name]))}")
        print()
    return 0


def provenance(told: Header) -> str:
    """Cost, source and published figures of an experiment, in a line."""
    source = f"source: {told.source}; " if told.source else ""
    return f"cost: {told.cost}; {source}published: {told.published}"
