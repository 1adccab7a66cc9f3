"""Errors of fetching and reading datasets; each message names what is wrong and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_REASON_LENGTH = 110


class SourceError(RuntimeError):
    """Base of the errors of this package; the text is at most three lines, for the user."""


class SourceUnreachable(SourceError):
    """One source gave no bytes (no network, no such program, a client that failed); the text is a short phrase."""


class SourceRefused(SourceError):
    """One source gave bytes that are not the dataset's: cut short, altered or hostile.

    Attributes:
        archive: file name of the archive, or the label of the source.
        member: name of the bad file in it; "" if the whole archive is bad.
        why: short phrase.
    """

    def __init__(self, archive: str, member: str, why: str) -> None:
        self.archive, self.member, self.why = archive, member, why
        super().__init__(plain(f"{archive}: {member}: {why}" if member else f"{archive}: {why}"))


class DatasetUnavailable(SourceError):
    """No source gave the dataset.

    Attributes:
        failures: (label of the source, full reason) of each source, in the order of trying.
    """

    def __init__(self, dataset: str, cache_dir: Path, failures: Sequence[tuple[str, str]]) -> None:
        self.dataset, self.failures = dataset, tuple(failures)
        tried = "; ".join(f"{label} ({plain(reason, _REASON_LENGTH)})" for label, reason in self.failures)
        super().__init__(
            f"{dataset} is not in the data cache {cache_dir}, and no source gave it.\n"
            f"Tried: {tried}.\n"
            f"Type `cadence data fetch {dataset}` on a machine with a network, and copy the folder {dataset} from its "
            f"cache into {cache_dir}, or set CADENCE_DATA to the directory that holds it."
        )


class DamagedCache(SourceError):
    """A dataset's files in the cache are not those that were written; nothing was deleted."""

    def __init__(self, dataset: str, file: Path, what: str) -> None:
        self.dataset, self.file, self.what = dataset, file, what
        super().__init__(
            f"the data cache is damaged: {file}: {what}\n"
            f"Type `cadence data fetch --force {dataset}` to replace it (or `cadence data verify` to check every file)."
        )


class CacheNotWritable(SourceError):
    """The cache directory cannot be made or written."""

    def __init__(self, directory: Path, error: OSError) -> None:
        self.directory = directory
        super().__init__(
            f"cannot write to the data cache {directory}: {error.strerror or error}\n"
            "Set CADENCE_DATA to a directory that you can write to, with room for the data (1 GB for CIFAR-10)."
        )


def plain(text: str, most: int = 400) -> str:
    """Return `text` as one line of printable characters, at most `most` of them.

    Names in a hostile archive, and what a client prints, may hold line breaks and a terminal's escape sequences.
    """
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return line if len(line) <= most else line[: most - 3] + "..."
