"""A run's record for TensorBoard: event files in the run directory."""

import json
import math
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from pytorch_lightning.utilities.rank_zero import rank_zero_only

from records.dashboard import Dashboard

# Folders of event files, a run each at TensorBoard, by what stands on their axis: whole numbers, as TensorBoard has it.
AXES = {"step": ("step", 1), "samples_seen": ("samples_seen", 1), "epoch_thousandths": ("epoch", 1000)}


class TensorBoardRecord(Dashboard):
    """Log for TensorBoard, with the same keys, axes, figures and tables as at W&B; a resumed run goes on in its curves.

    Its files lie in the run directory, a folder for each axis: TensorBoard shows each as a run, and an epoch in
    thousandths. What a resume trains once more replaces what was there. It needs tensorboardX, or tensorboard.

    Args:
        folder: folder below the run directory.
    """

    SERVICE: ClassVar[str] = "TensorBoard"

    def __init__(self, folder: str = "tensorboard") -> None:
        super().__init__()
        if find_spec("tensorboardX") is None and find_spec("tensorboard") is None:
            raise ValueError("TensorBoardRecord needs tensorboardX: install it by pip install tensorboardX")
        self.folder = folder
        self._writers: dict[str, Any] = {}
        self._tested_at: int | None = None  # the last step of a run that was trained before, and is only tested now

    @property
    def name(self) -> str:
        """The folder below the run directory."""
        return self.folder

    @property
    def version(self) -> str:
        """A run has one record."""
        return ""

    @rank_zero_only
    def save(self) -> None:
        """Bring what was logged to the disk: a resumed run goes on behind it."""
        for writer in self._writers.values():
            writer.flush()

    def __getstate__(self) -> dict[str, Any]:
        """Without the writers: a spawned process makes its own."""
        return self.__dict__ | {"_writers": {}, "_open": False}

    def _begin(self) -> None:
        root = (self.facts.directory or Path.cwd()) / self.folder
        steps = [] if self.trains else [step for step, _ in self.rows_so_far()]
        self._tested_at = max(steps, default=None)
        after = self._places(self.step)
        own = f".{time.time_ns()}"  # two starts of a run within a second would write the same file
        for axis in AXES:
            purged = {"purge_step": after[axis] + 1} if self.trains else {}  # a later test takes nothing back
            self._writers[axis] = _writer()(str(root / axis), filename_suffix=own, **purged)
        self._text("configuration", self.config)

    def _configure(self, added: dict[str, Any]) -> None:
        self._text("configuration", self.config)

    def _row(self, row: dict[str, Any], best: dict[str, float]) -> None:
        values, places = (
            {name: value for name, value in row.items() if name != "step"} | best,
            self._places(row["step"]),
        )
        if self._tested_at is not None:
            values = {name: value for name, value in values.items() if name.startswith("test/")}
            places = {"step": self._tested_at}
        for axis, place in places.items():
            for name, value in values.items():
                self._writers[axis].add_scalar(name, value, place)

    def _figure(self, name: str, path: Path, step: int) -> None:
        import numpy as np
        from PIL import Image  # the writer draws by it, too

        with Image.open(path) as picture:
            self._writers["step"].add_image(name, np.asarray(picture.convert("RGB")), step, dataformats="HWC")

    def _table(self, name: str, rows: list[dict[str, Any]], step: int) -> None:
        lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
        text = "\n".join("| " + " | ".join(map(str, cells)) + " |" for cells in lines)
        self._writers["step"].add_text(name, text, step)

    def _result(self, result: dict[str, Any]) -> None:
        self._text("result", result)

    def _end(self, exit_code: int, goes_on: bool) -> None:
        while self._writers:
            self._writers.popitem()[1].close()

    def _text(self, name: str, content: dict[str, Any]) -> None:
        lines = json.dumps(content, indent=2, default=str).splitlines()
        self._writers["step"].add_text(name, "\n".join(f"    {line}" for line in lines), self.step)

    def _places(self, step: int) -> dict[str, int]:
        values = self.on_axes({}, step)
        values["epoch"] = values["epoch"] if math.isfinite(values["epoch"]) else 0.0
        return {axis: round(values[name] * factor) for axis, (name, factor) in AXES.items()}


def _writer() -> Any:
    """The class of tensorboardX, which brings nothing else along, else torch's."""
    if find_spec("tensorboardX") is not None:
        from tensorboardX import SummaryWriter
    else:
        from torch.utils.tensorboard import SummaryWriter
    return SummaryWriter
