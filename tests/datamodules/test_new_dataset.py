"""A stranger's dataset in the IDX layout: one file, one line, a configuration; then every command knows it."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import datamodules
from commands.configuration.contents import contents
from datamodules.sources import sha256
from tests.datamodules.sources import tiny

HOUSE = Path(__file__).resolve().parents[2]
LINE = '    "CIFAR10": "datamodules.cifar10",\n'

FILE = '''"""Strokes and dots, 6 x 6 grey, 40 to train and 20 to test."""

from pathlib import Path

from datamodules.sources import DatasetSpec, IdxLayout, InstalledFiles

SPEC = DatasetSpec(
    name="Strokes",
    image_shape=(6, 6, 1),
    train=40,
    test=20,
    classes=("stroke", "dot"),
    mean=(0.5,),
    std=(0.3,),
    sha256={sha256},
    sources=(InstalledFiles(Path({folder!r}), IdxLayout("", gzipped=True)),),
)
'''

CONFIG = """# MLP on strokes and dots, two steps on them.
# cost: seconds
model:
  class_path: MLP
  init_args:
    hidden_sizes: [4]
data:
  class_path: Strokes
  init_args:
    batch_size: 8
    val_fraction: 0.25
optimizer: SGD
trainer:
  max_steps: 2
"""


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    made: dict[str, np.ndarray] = {}
    for split, n in (("train", 40), ("test", 20)):
        made[f"{split}_images"] = generator.integers(0, 256, (n, 6, 6, 1), dtype=np.uint8)
        made[f"{split}_labels"] = (np.arange(n) % 2).astype(np.uint8)
    return made


@pytest.fixture
def house(tmp_path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """A copy of the house with the dataset added, and the dataset's files in a folder elsewhere."""
    copy, files = tmp_path / "house", tmp_path / "files"
    for package in HOUSE.glob("*/__init__.py"):
        shutil.copytree(package.parent, copy / package.parent.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HOUSE / "cli.py", copy)
    files.mkdir()
    for name, data in tiny.idx_files(".", gzipped=True, arrays=arrays).items():
        (files / name).write_bytes(data)

    hashes = {name: sha256(array) for name, array in arrays.items()}
    (copy / "datamodules" / "strokes.py").write_text(FILE.format(sha256=hashes, folder=str(files)))
    entries = copy / "datamodules" / "__init__.py"
    text = entries.read_text()
    assert text.count(LINE) == 1
    entries.write_text(text.replace(LINE, LINE + '    "Strokes": "datamodules.strokes",\n'))
    (copy / "configs" / "experiments").mkdir(parents=True)
    (copy / "configs" / "experiments" / "mlp_strokes.yaml").write_text(CONFIG)
    return copy


def test_one_file_one_line_and_a_configuration(house: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = os.environ | {"CADENCE_DATA": str(tmp_path / "cache"), "PYTHONPATH": str(house)}

    def cadence(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, house / "cli.py", *arguments],
            cwd=elsewhere, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    listed = cadence("list", "datasets", "experiments")
    assert "Strokes       Strokes and dots, 6 x 6 grey, 40 to train and 20 to test." in listed
    assert "mlp_strokes  MLP on strokes and dots" in listed
    assert "Strokes" in cadence("data", "--help")
    cadence("fit", "-c", "mlp_strokes", "--run_dir", "run", "--trainer.enable_progress_bar", "false")  # fetches it too
    assert '"steps": 2' in (elsewhere / "run" / "result.json").read_text()
    assert len(cadence("data", "verify", "strokes").splitlines()) == 5
    assert "Strokes: 60 images of 6 x 6 x 1, 2 classes" in cadence("data", "show", "Strokes")


@pytest.mark.parametrize("name", datamodules.FETCHED)
def test_a_spec_makes_one_class(name: str) -> None:
    made = getattr(datamodules, name)
    assert (
        made is getattr(datamodules, name) and pickle.loads(pickle.dumps(made)) is made
    )  # as a spawned process has it
    assert (made.__name__, made.dataset, made(in_channels=3).in_channels) == (name, name, 3)
    assert made.__doc__.partition("\n")[0] == contents("datasets")[name]


@pytest.mark.parametrize("action", ["fetch", "verify"])
def test_a_fetch_does_not_wait_for_torch(house: Path, tmp_path: Path, action: str) -> None:
    code = f"import sys; from cli import main; main(['data', '{action}', 'Strokes']); print('torch' in sys.modules)"
    environment = os.environ | {"CADENCE_DATA": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=house, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"
