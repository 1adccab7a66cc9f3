"""The wheel holds all that the editable install shows."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[1]


def run(*command: object, cwd: Path, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=clean | environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=HOUSE)
    return next(folder.glob("cadence-*.whl"))


def test_it_holds_every_package_file(wheel: Path) -> None:
    packages = [path.parent.name for path in HOUSE.glob("*/__init__.py")] + ["configs"]
    expected = {
        str(path.relative_to(HOUSE))
        for package in packages
        for path in (HOUSE / package).rglob("*")
        if path.suffix in (".py", ".yaml")
    }
    names = set(zipfile.ZipFile(wheel).namelist())
    assert expected | {"cli.py"} <= names
    assert not any(name.startswith(("tests", "benchmarks", "docs")) for name in names)


def test_help_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    """Without any dependency: help, and what there is to train."""
    environment, elsewhere = tmp_path / "environment", tmp_path / "elsewhere"
    elsewhere.mkdir()
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=elsewhere)
    run(
        sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--offline",
        "--python", environment / "bin" / "python", wheel, cwd=elsewhere,
    )  # fmt: skip
    cadence = environment / "bin" / "cadence"
    assert "cadence fit -c digits_demo" in run(cadence, "--help", cwd=elsewhere)
    listed = run(cadence, "list", cwd=elsewhere)
    assert all(name in listed for name in ("digits_demo", "SmallCNN", "FashionMNIST", "Madam"))


def test_it_trains_by_a_configs_name(wheel: Path, tmp_path: Path) -> None:
    """With this environment's dependencies, and the wheel's files before the checkout's."""
    unpacked, elsewhere = tmp_path / "unpacked", tmp_path / "elsewhere"
    elsewhere.mkdir()
    zipfile.ZipFile(wheel).extractall(unpacked)
    script = f"import cli, sys; assert cli.__file__.startswith({str(unpacked)!r}); sys.exit(cli.main(sys.argv[1:]))"
    arguments = ["--trainer.max_steps", "2", "--trainer.enable_progress_bar", "false", "--run_dir", "run"]
    run(sys.executable, "-c", script, "fit", "-c", "digits_demo", *arguments, cwd=elsewhere, PYTHONPATH=str(unpacked))
    assert (elsewhere / "run" / "result.json").is_file()
