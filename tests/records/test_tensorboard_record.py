"""What the writer of TensorBoard is given: three axes, figures, tables."""

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from records import tensorboard_record
from records.dashboard import RunFacts
from records.tensorboard_record import TensorBoardRecord


class Writer:
    """Stands for TensorBoard's, which may not be installed."""

    made: dict[str, "Writer"] = {}  # noqa: RUF012

    def __init__(self, folder: str, purge_step: int | None = None, filename_suffix: str = "") -> None:
        self.purge_step, self.calls = purge_step, list[tuple[Any, ...]]()
        Writer.made[Path(folder).name] = self

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **_: self.calls.append((name, *arguments))


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TensorBoardRecord:
    module = types.ModuleType("tensorboardX")
    module.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorboardX", module)
    monkeypatch.setattr(tensorboard_record, "find_spec", lambda name: name == "tensorboardX")
    Writer.made.clear()
    made = TensorBoardRecord()
    made.attach(RunFacts(tmp_path, "id", {"a": 1}, lambda step: (step / 16, 64 * step)))
    return made


def scalars(axis: str) -> list[tuple[str, float, int]]:
    return [tuple(call[1:]) for call in Writer.made[axis].calls if call[0] == "add_scalar"]  # type: ignore[misc]


def test_each_row_stands_on_three_axes(record: TensorBoardRecord) -> None:
    record.begin(4, {"run": {"parameters": 5}})
    record.log_metrics({"val/accuracy": 0.5, "epoch": 0.0}, step=8)
    best = ("best/val/accuracy", 0.5)
    for axis, place, after in (("step", 8, 5), ("samples_seen", 512, 257), ("epoch_thousandths", 500, 251)):
        expected = {("val/accuracy", 0.5, place), ("samples_seen", 512, place), ("epoch", 0.5, place), (*best, place)}
        assert set(scalars(axis)) == expected and Writer.made[axis].purge_step == after
    texts = [call for call in Writer.made["step"].calls if call[0] == "add_text"]
    assert [call[1] for call in texts] == ["configuration"] and '"parameters": 5' in texts[0][2]


def test_figures_tables_and_the_result(record: TensorBoardRecord, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (5, 3), (255, 0, 0)).save(tmp_path / "x.png")
    record.log_figure("x", tmp_path / "x.png", 0)
    record.log_rows("table", [{"lr": 0.1, "loss": 2.0}, {"lr": 0.2, "loss": 1.0}], 0)
    record.log_result({"steps": 3})
    record.close()
    calls = {call[1]: call for call in Writer.made["step"].calls if len(call) > 1}
    assert calls["x"][2].shape == (3, 5, 3) and calls["x"][2][0, 0].tolist() == [255, 0, 0]
    assert calls["table"][2].splitlines() == ["| lr | loss |", "| --- | --- |", "| 0.1 | 2.0 |", "| 0.2 | 1.0 |"]
    assert '"steps": 3' in calls["result"][2]
    assert all(writer.calls[-1] == ("close",) for writer in Writer.made.values())


def test_without_the_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorboard_record, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="TensorBoardRecord needs tensorboardX: install it by pip install"):
        TensorBoardRecord()
