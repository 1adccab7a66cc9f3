from pathlib import Path

import pytest

from records.metrics_csv import MetricsCSV
from records.metrics_rows import read_rows


@pytest.fixture
def logger(tmp_path: Path) -> MetricsCSV:
    return opened(tmp_path)


def opened(folder: Path) -> MetricsCSV:
    return MetricsCSV(folder / "metrics.csv", lambda step: (step / 10, step * 64), lambda: 1.5)


def test_one_row_a_step(logger: MetricsCSV) -> None:
    logger.log_metrics({"train/loss": 0.1}, step=5)
    logger.log_metrics({"train/loss": 0.3}, step=10)
    logger.log_metrics({"val/loss": 1 / 3}, step=10)
    logger.log_metrics({"train/loss": 0.2, "val/loss": 2.0}, step=15)
    assert logger.path.read_text() == (
        "step,epoch,samples,seconds,train/loss,val/loss\n"
        "5,0.5,320,1.5,0.1,\n"
        "10,1.0,640,1.5,0.3,0.3333333333333333\n"
        "15,1.5,960,1.5,0.2,2.0\n"
    )


def test_test_metrics_are_no_training(logger: MetricsCSV) -> None:
    logger.log_metrics({"test/loss": 1.0}, step=5)
    assert not logger.path.exists()


@pytest.mark.parametrize("kept", [0, 4, 5, 7, 10, 15])
def test_resume_cuts_and_goes_on(tmp_path: Path, kept: int) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    rows = [(5, {"a": 1.0}), (10, {"a": 2.0}), (10, {"b": 3.0}), (15, {"a": 4.0}), (15, {"b": 5.0})]
    for folder in (whole, halves):
        folder.mkdir()
        logger = opened(folder)
        for step, metrics in rows:
            logger.log_metrics(metrics, step=step)
    again = opened(halves)
    again.resume(kept)
    assert [int(row["step"]) for row in read_rows(again.path)[1]] == [step for step in (5, 10, 15) if step <= kept]
    for step, metrics in rows:
        if step > kept:
            again.log_metrics(metrics, step=step)
    assert again.path.read_text() == (whole / "metrics.csv").read_text()


def test_a_row_of_the_resumed_step_is_completed(tmp_path: Path) -> None:
    opened(tmp_path).log_metrics({"a": 1.0}, step=5)
    again = opened(tmp_path)
    again.resume(5)
    again.log_metrics({"b": 2.0}, step=5)
    assert read_rows(again.path)[1] == [
        {"step": "5", "epoch": "0.5", "samples": "320", "seconds": "1.5", "a": "1.0", "b": "2.0"}
    ]


def test_a_torn_last_line_is_left_out(logger: MetricsCSV, tmp_path: Path) -> None:
    logger.log_metrics({"a": 1.0}, step=5)
    with logger.path.open("a") as file:
        file.write("10,1.0,64")
    again = opened(tmp_path)
    again.resume(100)
    again.log_metrics({"a": 2.0}, step=10)
    assert [row["step"] for row in read_rows(again.path)[1]] == ["5", "10"]


def test_resume_without_a_file(logger: MetricsCSV) -> None:
    logger.resume(10)
    assert not logger.path.exists()
