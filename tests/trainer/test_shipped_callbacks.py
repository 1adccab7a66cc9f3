"""What a run on a CPU cannot show of Lightning's callbacks."""

from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging
from torch import nn

from trainer.shipped_callbacks import ShippedCallbacks


class Net(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)


@pytest.mark.parametrize(("asked", "device"), [(None, "meta"), ("cpu", "cpu")])
def test_averages_are_made_where_the_weights_will_be_trained(asked: str | None, device: str) -> None:
    """Lightning calls `setup` before it moves the module; `meta` stands for a GPU."""
    average, module = EMAWeightAveraging(device=asked), Net()
    trainer: Any = SimpleNamespace(callbacks=[average], strategy=SimpleNamespace(root_device=torch.device("meta")))
    ShippedCallbacks().setup(trainer, module, "fit")
    average.setup(trainer, module, "fit")
    assert {value.device.type for value in average._average_model.module.parameters()} == {device}
    assert {value.device.type for value in module.parameters()} == {"cpu"}
