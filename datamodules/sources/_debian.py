"""Datasets that lie in Debian packages: the installed files, or the package got with apt-get, which needs no root."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from datamodules.sources._archives import read_files, read_tar
from datamodules.sources._clients import Watch, phrase, require, run_client, stop
from datamodules.sources._errors import SourceUnreachable
from datamodules.sources._spec import Bytes, DatasetSpec, Layout, Progress

_LISTS_SIZE = 40 << 20  # what `apt-get update` writes, about


@dataclass(frozen=True)
class InstalledFiles:
    """The files of an installed Debian package."""

    folder: Path
    layout: Layout

    @property
    def label(self) -> str:
        """Name in messages."""
        return f"installed files in {self.folder}"

    def collect(self, spec: DatasetSpec, scratch: Path, report: Progress) -> dict[str, Bytes]:
        """Return the arrays of the installed files (see Source)."""
        if not self.folder.is_dir():
            raise SourceUnreachable("not there")
        return self.layout.decode(spec, read_files(self.folder, self.layout.members(spec)), str(self.folder))


@dataclass(frozen=True)
class DebianPackage:
    """A Debian package, in the version that the site offers; `size` is roughly the number of bytes of its archive."""

    package: str
    size: int
    layout: Layout

    @property
    def label(self) -> str:
        """Name in messages."""
        return f"Debian package {self.package}"

    def collect(self, spec: DatasetSpec, scratch: Path, report: Progress) -> dict[str, Bytes]:
        """Return the arrays of the package (see Source); it is neither installed nor unpacked."""
        dpkg_deb = require("dpkg-deb")
        self._download(scratch, report, spec.name)
        archives = [path for path in scratch.glob("*.deb") if path.is_file() and not path.is_symlink()]
        if len(archives) != 1:
            raise SourceUnreachable(f"apt-get download left {len(archives)} archives instead of one")
        files = _read_deb(dpkg_deb, archives[0], self.layout.members(spec))
        return self.layout.decode(spec, files, archives[0].name)

    def _download(self, scratch: Path, report: Progress, dataset: str) -> None:
        watch = Watch(scratch, report, f"{dataset}: {self.label}", self.size)
        try:
            run_client(_apt_get(scratch, "download", self.package), watch, _PLAIN)
            return
        except SourceUnreachable as error:
            first = error
        # A fresh machine has empty package lists, or old ones; lists of our own need no root and change nothing there.
        (scratch / "lists" / "partial").mkdir(parents=True)
        own_lists = f"-oDir::State::Lists={scratch / 'lists'}"
        lists = Watch(scratch, report, f"{dataset}: package lists", _LISTS_SIZE)
        no_lists: SourceUnreachable | None = None
        try:
            run_client(_apt_get(scratch, own_lists, "-oAPT::Update::Error-Mode=any", "update"), lists, _PLAIN)
        except SourceUnreachable as error:
            no_lists = error  # of one archive of several, perhaps: the package may be in another
        try:
            run_client(_apt_get(scratch, own_lists, "download", self.package), watch, _PLAIN)
        except SourceUnreachable as error:
            remedy = ", run 'apt-get update' first" if "locate package" in str(first) else ""
            raise SourceUnreachable(f"{no_lists or error}{remedy}") from first


_PLAIN = {"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def _apt_get(scratch: Path, *arguments: str) -> list[str]:
    cache = scratch / "apt-cache"
    (cache / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    options = ["-qq", "-oAcquire::Retries=1", f"-oDir::Cache={cache}"]
    if os.geteuid() == 0:  # apt's unprivileged user could not enter a scratch folder of root's
        options.append("-oAPT::Sandbox::User=root")
    return ["apt-get", *options, *arguments]


def _read_deb(dpkg_deb: str, path: Path, wanted: dict[str, int]) -> dict[str, bytes]:
    """Read members of the package's file system, streamed by dpkg-deb."""
    command = [dpkg_deb, "--fsys-tarfile", path.name]
    errors = path.with_suffix(".errors")
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            command, cwd=path.parent, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr
        )
    assert process.stdout is not None
    try:
        with process.stdout as stream:
            files = read_tar(stream, wanted, path.name)
        process.wait(timeout=60)
    finally:
        stop(process)
    if process.returncode != 0:
        raise SourceUnreachable(f"dpkg-deb: {phrase(errors.read_text(errors='replace'))}")
    return files
