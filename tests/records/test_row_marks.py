"""What a checkpoint knows of the rows before it: which are missing or changed is told, and what came later is not."""

import random
from pathlib import Path
from typing import Any

import pytest

from records.metrics_csv import MetricsCSV

ROWS = [(5, {"a": 1.0}), (10, {"a": 0.1 + 0.2}), (10, {"b": 3e-9}), (15, {"a": float("nan")}), (20, {"a": 5.0})]


@pytest.fixture
def marked(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    logger = opened(tmp_path / "metrics.csv")
    for step, metrics in ROWS:
        logger.log_metrics(metrics, step=step)
    mark = logger.mark()
    for step, metrics in ((20, {"b": 1.0}), (25, {"a": 1.0}), (30, {"c": 1.0})):  # a new column: all rows get longer
        logger.log_metrics(metrics, step=step)
    return logger.path, mark


def opened(path: Path) -> MetricsCSV:
    return MetricsCSV(path, lambda step: (step / 10, step * 64), lambda: 1.5)


def test_what_came_later_is_nothing_missing(marked: tuple[Path, dict[str, Any]]) -> None:
    path, mark = marked
    assert opened(path).missing(20, mark) == ""
    again = opened(path)
    again.resume(20)
    assert again.mark()["closed"] == mark["closed"] and again.missing(20, again.mark()) == ""
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))  # an editor's
    assert opened(path).missing(20, mark) == ""


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda text: "", "from the first step to step 20 are not all there: 0 of 4 rows"),
        (lambda text: "\0" * len(text), "from the first step to step 20 are not all there: 0 of 4 rows"),
        (lambda text: text[: text.index("\n15,") + 1], "after step 10 to step 20 are not all there: 2 of 4 rows"),
        (lambda text: text[: text.index("\n20,") + 4], "after step 15 to step 20 are not all there: 3 of 4 rows"),
        (lambda text: text.replace("\n15,", "\n\0\0,"), "after step 10 to step 20 are not all there: 2 of 4 rows"),
        (lambda text: without(text, 2), "after step 5 to step 20 are not all there: 3 of 4 rows"),
        (lambda text: text.replace("3e-09", "4e-09"), "after step 5 to step 20 are not as they were written"),
        (lambda text: text.replace("20,2.0,1280,1.5,5.0", "20,2.0,1280,1.5,"), "after step 15 to step 20 are not as"),
        (lambda text: text + 2 * "20,2.0,1280,1.5,5.0,,\n", "up to step 20 are 6 instead of 4"),
        (lambda text: "step,loss\n5,1\n", "from the first step to step 20 are not all there"),
    ],
)  # fmt: skip
def test_what_is_missing_is_told(marked: tuple[Path, dict[str, Any]], edit, told: str) -> None:
    path, mark = marked
    before = path.read_text()
    path.write_text(edit(before))
    assert path.read_text() != before and opened(path).missing(20, mark).startswith(told)


def test_a_missing_file_is_told(marked: tuple[Path, dict[str, Any]]) -> None:
    path, mark = marked
    path.unlink()
    assert opened(path).missing(20, mark) == "from the first step to step 20 are not all there: 0 of 4 rows"
    assert opened(path).missing(0, opened(path).mark()) == ""


def test_every_byte_counts(marked: tuple[Path, dict[str, Any]]) -> None:
    path, mark = marked
    whole = path.read_bytes()
    until = whole.index(b"20,2.0") + len(b"20,2.0,1280,1.5,5.0")
    heading = whole.index(b"\n")
    for place in random.Random(1).sample(range(heading + 1, until), 60):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert opened(path).missing(20, mark), place


def without(text: str, line: int) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(lines[:line] + lines[line + 1 :])
