"""One cluster for the tests of this folder."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from records.lock import exclusive
from tests.slurm.cluster import Cluster, installed


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if not installed():
        if os.getuid() != 0:
            pytest.skip("SLURM is not installed, and only root could do that")
        _install()
    if os.getuid() != 0:
        pytest.skip("the daemons of SLURM start the jobs of others, and need root for it")
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as folder:
        found = Cluster(Path(folder))
        try:
            found.start()
            yield found
        finally:
            found.end()


def _install() -> None:
    """Install Debian's packages, once for all workers of the suite."""
    with exclusive(Path(tempfile.gettempdir(), "cadence-tests-slurm.lock"), lambda: None):
        if not installed():
            packages = ["install", "-y", "-qq", "--no-install-recommends", "slurm-wlm", "munge"]
            for words in (["update", "-qq"], packages):
                subprocess.run(
                    ["apt-get", "-o", "DPkg::Lock::Timeout=300", *words], check=True, stdout=subprocess.DEVNULL
                )
