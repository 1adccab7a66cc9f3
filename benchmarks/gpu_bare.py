"""What the benchmarks on a GPU share: a bare step fed from the device, work counted, and the card's own limits.

Without a GPU all of it runs on the CPU, small, to try the benchmarks' own logic: those times say nothing of a GPU.
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from datamodules import CIFAR10
from lightning_modules import ImageClassifier, MiniGoogLeNet, ResNet
from records.environment import cpu_name, versions

ON_GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if ON_GPU else "cpu")
NETWORKS: dict[str, tuple[type[ImageClassifier], dict[str, Any]]] = {
    "ResNet": (ResNet, {}), "MiniGoogLeNet": (MiniGoogLeNet, {}), "ResNet-8": (ResNet, {"depth": 8}),
}  # fmt: skip
SGD = {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4}


def built(network: str) -> ImageClassifier:
    """A network by its name in NETWORKS, for images of three channels."""
    kind, options = NETWORKS[network]
    return kind(in_channels=3, **options)  # type: ignore[call-arg]


def wait() -> None:
    """Wait until the device has done what it was given."""
    if ON_GPU:
        torch.cuda.synchronize()


class BareStep:
    """The optimizer step that people write: bf16 autocast, channels-last, SGD with torch's defaults.

    Args:
        network: a name in NETWORKS.
        mode: mode of `torch.compile`; None for an eager network.
    """

    def __init__(self, network: str, mode: str | None = None) -> None:
        torch.manual_seed(0)
        self.network = built(network).to(DEVICE, memory_format=torch.channels_last)
        self.called: Any = torch.compile(self.network, mode=mode, dynamic=False) if mode else self.network
        self.optimizer = torch.optim.SGD(self.network.parameters(), **SGD)
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=DEVICE)
        self.correct = torch.zeros((), dtype=torch.int64, device=DEVICE)
        self.scale = torch.tensor([1 / (255 * std) for std in CIFAR10.std], device=DEVICE)
        self.shift = torch.tensor([mean / std for mean, std in zip(CIFAR10.mean, CIFAR10.std, strict=True)]).to(DEVICE)

    def __call__(self, images: Tensor, labels: Tensor) -> None:
        """One step on normalised images (batch, channels, height, width)."""
        self.optimizer.zero_grad()
        with torch.autocast(DEVICE.type, torch.bfloat16):
            logits = self.called(images)
            loss = F.cross_entropy(logits, labels)
        loss.backward()
        self.optimizer.step()
        self.loss_sum.add_(loss.detach(), alpha=len(labels))
        self.correct.add_((logits.detach().argmax(1) == labels).sum())

    def normalized(self, pixels: Tensor) -> Tensor:
        """Float images, channels-last, of uint8 pixels (batch, height, width, channels)."""
        return pixels.float().mul_(self.scale).sub_(self.shift).permute(0, 3, 1, 2)

    def loop(self, batch_size: int, samples: int = 50_000) -> Iterator[None]:
        """Steps without end over random images held on the device, in a new order each pass; yields after each."""
        images = torch.randint(256, (samples, 32, 32, 3), dtype=torch.uint8, device=DEVICE)
        labels = torch.randint(10, (samples,), device=DEVICE)
        while True:
            order = torch.randperm(samples, device=DEVICE)
            for start in range(0, samples - batch_size + 1, batch_size):
                batch = order[start : start + batch_size]
                self(self.normalized(images.index_select(0, batch)), labels.index_select(0, batch))
                yield


class Traffic(TorchDispatchMode):
    """Counts the bytes that operations must move: each input read once, each output written once; views move none."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and add its bytes."""
        results = func(*args, **(kwargs or {}))
        if not func.is_view:
            leaves = [leaf for leaf in tree_leaves((args, kwargs, results)) if isinstance(leaf, Tensor)]
            self.bytes += sum(leaf.numel() * leaf.element_size() for leaf in leaves)
        return results


def work(network: str, batch_size: int) -> tuple[float, float]:
    """Floating-point operations (of convolutions and matrix products) and bytes of one eager step."""
    step = BareStep(network)
    images = torch.randn(batch_size, 3, 32, 32, device=DEVICE).to(memory_format=torch.channels_last)
    labels = torch.randint(10, (batch_size,), device=DEVICE)
    step(images, labels)  # the optimizer's buffers are made in the first step
    with FlopCounterMode(display=False) as operations:
        step(images, labels)
    with Traffic() as traffic:
        step(images, labels)
    return float(operations.get_total_flops()), float(traffic.bytes)


def limits() -> tuple[float, float]:
    """The card's own rates, measured: operations a second of a bf16 product, bytes a second of a copy."""
    side, moved = (8192, 2 << 30) if ON_GPU else (256, 1 << 20)
    one, two = (torch.randn(side, side, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    product = seconds(lambda: torch.mm(one, two), 20)
    source = torch.randint(256, (moved,), dtype=torch.uint8, device=DEVICE)
    target = torch.empty_like(source)
    copy = seconds(lambda: target.copy_(source), 20)
    return 2 * side**3 / product, 2 * source.numel() / copy


def seconds(call: Callable[[], object], times: int) -> float:
    """Seconds of one call, the mean of several between two waits for the device, after two to warm up."""
    call(), call()
    wait()
    begin = time.perf_counter()
    for _ in range(times):
        call()
    wait()
    return (time.perf_counter() - begin) / times


def machine() -> dict[str, Any]:
    """Columns that say where and when something was measured."""
    found = versions()
    return {
        "gpu": torch.cuda.get_device_name() if ON_GPU else "none",
        "cpu": cpu_name(),
        "torch": found["torch"],
        "cuda": torch.version.cuda,
        "lightning": found["pytorch-lightning"],
        "date": datetime.now(UTC).date().isoformat(),
    }
