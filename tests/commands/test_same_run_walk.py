"""Each key of a run's configuration, changed in config.yaml before a resume: followed, or refused by its name."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from commands.configuration.same_run import flat, may_change
from tests.commands.going_on import change, config, contents

CSV = {"class_path": "pytorch_lightning.loggers.CSVLogger", "init_args": {"save_dir": "logs"}}
LR = {"class_path": "callbacks.MultiStepLR", "init_args": {"milestones": [1]}}
FLIP = {"class_path": "datamodules.transforms.RandomHorizontalFlip", "init_args": {}}
# Values that follow from no rule: of options that are null, a text, or of several types.
VALUES: dict[str, Any] = {
    "trainer.accelerator": "auto", "trainer.strategy": "ddp", "trainer.devices": 1, "trainer.precision": "64-true",
    "trainer.logger": CSV, "trainer.callbacks": [LR], "trainer.min_epochs": 1, "trainer.min_steps": 1,
    "trainer.max_steps": 31, "trainer.max_time": "00:01:00:00", "trainer.limit_train_batches": 3,
    "trainer.limit_val_batches": 1, "trainer.limit_test_batches": 1, "trainer.limit_predict_batches": 1,
    "trainer.val_check_interval": 5, "trainer.num_sanity_val_steps": 1, "trainer.gradient_clip_val": 1.0,
    "trainer.gradient_clip_algorithm": "norm", "trainer.deterministic": True, "trainer.benchmark": True,
    "trainer.profiler": "simple", "trainer.plugins": "lightning_fabric.plugins.environments.LightningEnvironment",
    "trainer.default_root_dir": "elsewhere", "trainer.model_registry": "registry", "trainer.fast_dev_run": True,
    "model": {"class_path": "lightning_modules.SmallCNN"}, "model.hidden_sizes": [9], "model.activation": "tanh",
    "model.lr_ratios": {"layers": 0.5}, "model.micro_batch_size": 16, "model.gradient_clip_norm": 1.0,
    "model.init": "normal", "model.compile": True, "model.dropout_input": 0.1,
    "data": {"class_path": "datamodules.MNIST"}, "data.val": "test", "data.augment": [FLIP], "data.image_size": 10,
    "data.fit": "pad", "data.in_channels": 3, "data.val_fraction": 0.25,
    "optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.01}}, "optimizer.betas": [0.8, 0.9],
    "optimizer.foreach": True, "optimizer.fused": True, "on_nonfinite": "go_on",
}  # fmt: skip


def other(name: str, value: Any) -> Any:
    """Another value that an option accepts."""
    if name in VALUES:
        return VALUES[name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2 or 0.25
    raise AssertionError(f"{name}, which is {value!r}, needs another value in VALUES")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Leave no process group, and no variable of one, to the runs that follow in this process."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:It is recommended to use .self.log")  # of ddp in one process
def test_every_key(cadence, stopped: Path, capsys) -> None:
    names = flat(config(stopped))
    run, followed, wrong = stopped.parent / "walked", [], []
    for name, value in names.items():
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(run)
        shutil.copytree(stopped, run)
        (run / "config.yaml").write_text(yaml.safe_dump(change(config(run), name, other(name, value))))
        before = contents(run)
        capsys.readouterr()
        with alone():
            status = cadence("fit", "--resume", run)
        told = capsys.readouterr().err
        if may_change(name):
            followed.append(name)
            now = flat(config(run)).get(name)
            if name == "trainer.num_nodes" and status == 2 and "nothing started a process on the others" in told:
                continue  # as it may change, it is this machine that is refused
            if status != 0 or (now == value and name != "trainer.accelerator"):
                wrong.append((name, status, now, told))
        elif status != 2 or name.rpartition(".")[2] not in told or contents(run) != before:
            wrong.append((name, status, told))
    assert not wrong, "\n".join(map(str, wrong))
    assert len(names) > 65 and len(followed) > 15
