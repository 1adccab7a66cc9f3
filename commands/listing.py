"""`cadence list`: what there is, read from the sources and not imported, so that it answers at once."""

from commands.configuration.contents import contents
from commands.errors import UserError

SECTIONS = {
    "experiments": "cadence fit -c NAME",
    "models": "--model NAME",
    "datasets": "--data NAME",
    "optimizers": "--optimizer NAME",
    "callbacks": "--trainer.callbacks+=NAME",
}


def run(arguments: list[str]) -> int:
    """Print all sections, or those named; returns the exit status."""
    if any(word in ("-h", "--help") for word in arguments):
        print(f"usage: cadence list [{' | '.join(SECTIONS)}]")
        return 0
    if unknown := [word for word in arguments if word not in SECTIONS]:
        raise UserError(f"cadence list: there is no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    for section in arguments or SECTIONS:
        entries = contents(section)
        width = max(map(len, entries))
        print(f"{section} ({SECTIONS[section]})")
        for name, line in entries.items():
            print(f"  {name:<{width}}  {line}")
        print()
    return 0
