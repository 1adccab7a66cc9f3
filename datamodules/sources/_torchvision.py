"""Datasets from torchvision's mirrors: torchvision downloads and checks its MD5, the files are decoded here."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from datamodules.sources._archives import read_files, read_tgz
from datamodules.sources._clients import Watch, run_client
from datamodules.sources._errors import SourceUnreachable
from datamodules.sources._spec import Bytes, DatasetSpec, Layout, Progress

_CHILD = Path(__file__).with_name("_torchvision_child.py")


@dataclass(frozen=True)
class TorchvisionMirrors:
    """One of torchvision's datasets; `archive` is its tar in the root folder, or None where it has single files.

    `size` is roughly the number of bytes that the download writes.
    """

    dataset: str
    size: int
    layout: Layout
    archive: str | None = None
    label: str = "torchvision's mirrors"

    def collect(self, spec: DatasetSpec, scratch: Path, report: Progress) -> dict[str, Bytes]:
        """Return the arrays of the downloaded files (see Source)."""
        # -P: the folder of this package stays off the child's path
        command = [sys.executable, "-P", str(_CHILD), self.dataset, str(scratch)]
        run_client(command, Watch(scratch, report, f"{spec.name}: {self.label}", self.size))
        wanted = self.layout.members(spec)
        if self.archive is None:
            return self.layout.decode(spec, read_files(scratch, wanted), self.label)
        if not (scratch / self.archive).is_file():
            raise SourceUnreachable(f"torchvision left no {self.archive}")
        return self.layout.decode(spec, read_tgz(scratch / self.archive, wanted), self.archive)
