"""A bar that is written to a file is drawn once a minute."""

import io
import time
from types import SimpleNamespace

import pytest

from callbacks import TrainingProgress
from trainer.progress import Counter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, stop: float) -> int:
    """Number of times that a bar is drawn until a time of the monotonic clock."""
    monkeypatch.setattr("sys.stderr", stream)
    shown = SimpleNamespace(is_global_zero=True, progress_bar_callback=object())
    with Counter("work", 10**9, shown) as count:
        while time.monotonic() < stop:
            count(1)
            time.sleep(0.01)
    return stream.getvalue().count("work:")


def test_a_file_gets_a_line_when_the_interval_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr("trainer.progress.seconds_between", lambda stream: 0)
    with Counter("work", 3000, SimpleNamespace(is_global_zero=True, progress_bar_callback=object()), 1000) as count:
        count(500)
    assert stream.getvalue() == "work: 1,000 of 3,000 steps\nwork: 1,500 of 3,000 steps\n"


def test_a_file_gets_the_first_drawing_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(Terminal(), monkeypatch, time.monotonic() + 1.3) >= 2
    assert drawn(io.StringIO(), monkeypatch, time.monotonic() + 1.3) == 1


def test_what_was_done_before_is_no_speed_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", Terminal())
    with Counter("work", 100, SimpleNamespace(is_global_zero=True, progress_bar_callback=object()), 90) as count:
        count(1)
        assert (count._bar.n, count._bar.initial) == (91, 90)


def test_the_training_bar_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert TrainingProgress().interval == 60
    monkeypatch.setattr("sys.stdout", Terminal())
    assert TrainingProgress().interval == 0.5 and TrainingProgress(2.0).interval == 2.0
