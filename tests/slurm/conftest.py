"""One cluster for the tests of this folder."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster, installed


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if not installed():
        if os.getuid() != 0:
            pytest.skip("SLURM is not installed, and only root could do that")
        for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "slurm-wlm", "munge"]):
            subprocess.run(["apt-get", *words], check=True, stdout=subprocess.DEVNULL)
    if os.getuid() != 0:
        pytest.skip("the daemons of SLURM start the jobs of others, and need root for it")
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as folder:
        found = Cluster(Path(folder))
        try:
            found.start()
            yield found
        finally:
            found.end()
