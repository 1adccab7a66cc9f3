"""Packages that are no part of the lock, installed beside the environment for a test."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[1]


def installed(folder: Path, *packages: str) -> Path:
    """A folder with the packages, without what they need."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *packages]
    subprocess.run(pip, check=True)
    return folder


def python(packages: Path, cwd: Path, *words: object, env: Mapping[str, str] | None = None) -> str:
    """What Python prints with these words behind it, and the packages and Cadence in its path."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HOUSE), str(packages)])} | dict(env or {})
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout
