import subprocess
import sys

import pytest

from datamodules.sources import terminal_progress
from tests.datamodules.sources import tiny

_CALLS = [("MNIST: a", 0, None), ("MNIST: a", 5, 10), ("MNIST: b [c]", 0, None), ("MNIST: a", 10, 10)]


def test_without_a_terminal_one_line_a_source(capfd: pytest.CaptureFixture[str]) -> None:
    with terminal_progress() as progress:
        for call in _CALLS:
            progress(*call)
    assert capfd.readouterr() == ("", "MNIST: a\nMNIST: b [c]\n")


def test_in_a_terminal_a_bar(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with terminal_progress() as progress:
        for call in _CALLS:
            progress(*call)
    out, err = capfd.readouterr()
    assert out == "" and "MNIST: a" in err and "10/10 bytes" in err


def test_nothing_is_loaded_or_shown_for_a_cached_start(capfd: pytest.CaptureFixture[str]) -> None:
    code = """
import sys
from datamodules.sources import terminal_progress
with terminal_progress():
    pass
print(sorted({"torch", "torchvision", "sklearn", "PIL", "rich"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tiny.ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
