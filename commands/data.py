"""`cadence data`: datasets fetched, verified and shown."""

from commands.errors import UserError
from commands.figure_path import figure_path
from datamodules import DATASETS, FETCHED

NAMES, SHOWN = tuple(FETCHED), tuple(DATASETS)
USAGE = f"""usage: cadence data fetch [--force] NAME...    fetch datasets into the cache; --force replaces what is there
       cadence data verify [NAME...]       check every array in the cache by its SHA-256
       cadence data show NAME [--out dataset.png]    images by class and split, and a figure of some

datasets: {", ".join(NAMES)}; to show, Digits too, which needs no download
The cache is $CADENCE_DATA, by default ~/.cache/cadence/data."""


def run(arguments: list[str]) -> int:
    """Run `fetch`, `verify` or `show`; returns the exit status, 2 where a dataset is missing or damaged."""
    if not arguments or any(word in ("-h", "--help") for word in arguments):
        print(USAGE)
        return 0
    action, *names = arguments
    if action == "show":
        return _show(names)
    force = "--force" in names
    names = [_known(name) for name in names if name != "--force"]
    if action == "fetch":
        if not names:
            raise UserError(f"cadence data fetch: name a dataset: {', '.join(NAMES)}")
        return _fetch(names, force)
    if action == "verify" and not force:
        return _verify(names or list(NAMES))
    raise UserError(f"cadence data {' '.join(arguments)}: there are `fetch`, `verify` and `show`: see --help")


def _known(name: str, names: tuple[str, ...] = NAMES) -> str:
    by_lower = {known.lower(): known for known in names}
    if name.lower() not in by_lower:
        raise UserError(f"cadence data: unknown dataset {name!r}; there are {', '.join(names)}")
    return by_lower[name.lower()]


def _show(words: list[str]) -> int:
    out, names = figure_path(words, "dataset.png")
    if len(names) != 1:
        raise UserError(f"cadence data show: name one dataset: {', '.join(SHOWN)}")
    name = _known(names[0], SHOWN)

    from commands.data_show import show

    show(name, out)
    return 0


def _fetch(names: list[str], force: bool) -> int:
    from datamodules.sources import fetch, terminal_progress

    for name in names:
        try:
            with terminal_progress() as progress:
                directory = fetch(name, force=force, progress=progress)
        except (RuntimeError, OSError) as error:
            raise UserError(str(error)) from error
        print(f"{name}: verified, in {directory}")
    return 0


def _verify(names: list[str]) -> int:
    from datamodules.sources import verify

    status = 0
    for name in names:
        try:
            checks = verify(name)
        except (RuntimeError, OSError) as error:
            raise UserError(str(error)) from error
        for file, good, message in checks:
            print(f"{name}: {file}: {'ok' if good else 'BAD'}{': ' + message if message else ''}")
            status = status if good else 2
    return status
