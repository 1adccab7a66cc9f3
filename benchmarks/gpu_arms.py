"""Ways to train on a GPU that `gpu_step.py` gives turns: `cadence fit`, alone or as a guest, and stock Lightning."""

import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

from gpu_bare import NETWORKS, ON_GPU, SGD, built, wait

WORKERS = 12 if ON_GPU else 1  # of stock's DataLoader


class Fit:
    """A `cadence fit` that trains some steps at each of its turns.

    Args:
        network: name of the network.
        batch_size: number of images in a step.
        more: further words of the command line.
    """

    def __init__(self, network: str, batch_size: int, more: tuple[str, ...] = ()) -> None:
        kind, options = NETWORKS[network]
        given = [word for name, value in options.items() for word in (f"--model.{name}", str(value))]
        self.words = (
            "fit", "--model", kind.__name__, *given, *more, "--data", "CIFAR10", "--data.batch_size", str(batch_size),
            "--data.val_fraction", "0", "--data.device_resident", "true", "--data.drop_last", "true",
            "--data.augment+=RandomCrop", "--data.augment.padding", "4", "--data.augment+=RandomHorizontalFlip",
            "--optimizer", "SGD", "--optimizer.lr", "0.01", "--optimizer.momentum", "0.9",
            "--optimizer.weight_decay", "0.0001", "--trainer.precision", "bf16-mixed", "--trainer.max_epochs", "1000",
            "--test_after_fit", "false", "--debug",
        )  # fmt: skip
        self.samples, self.done, self.waits = max(50_000, 400 * batch_size) if ON_GPU else 40 * batch_size, 0, -1
        self.after_step: Callable[[], None] = lambda: None

    def run(self) -> None:
        """Train until `after_step` ends the process, or the thread."""
        import numpy as np
        import pytorch_lightning as pl

        import cli
        from commands.configuration.cadence_cli import CadenceCLI
        from datamodules import CIFAR10

        arm = self

        class Pace(pl.Callback):
            def on_train_batch_end(self, *_: object) -> None:
                arm.step_done()

        pixels = np.random.default_rng(0).integers(0, 256, (self.samples, 32, 32, 3), np.uint8)
        labels = np.arange(self.samples) % 10
        CIFAR10.prepare_data = lambda self: None  # type: ignore[method-assign]
        CIFAR10.load = lambda self: (pixels, labels, pixels[:512], labels[:512])  # type: ignore[method-assign]
        build = CadenceCLI.build_trainer

        def with_pace(self: Any, extra: list[Any], **kw: Any) -> Any:
            CadenceCLI.build_trainer = build  # type: ignore[method-assign]
            return build(self, [*extra, Pace()], **kw)

        CadenceCLI.build_trainer = with_pace  # type: ignore[method-assign]
        with tempfile.TemporaryDirectory() as folder:
            status = cli.main([*self.words, "--run_dir", f"{folder}/run"])
            raise SystemExit(f"cadence fit ended with status {status}")

    def step_done(self) -> None:
        """Count a step; of some, count what makes the host wait for the device."""
        import torch

        self.done += 1
        if not ON_GPU:
            self.after_step()
            return
        if self.done == 10:
            self._caught = warnings.catch_warnings(record=True)
            self._warned = self._caught.__enter__() or []
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
        elif self.done == 40:  # a row of metrics, which is read, comes after step 50
            torch.cuda.set_sync_debug_mode("default")
            self._caught.__exit__(None, None, None)
            self.waits = sum("synchronizing" in str(warning.message) for warning in self._warned)
        self.after_step()


class Guest:
    """A fit in a thread of its own, which runs only while `turn` waits for it."""

    def __init__(self, fit: Fit) -> None:
        self.go, self.back, self.left, self.failed = threading.Semaphore(0), threading.Semaphore(0), 1, False
        fit.after_step = self._step_done
        threading.Thread(target=self._run, args=(fit,), daemon=True).start()
        self._wait()

    def turn(self, steps: int) -> None:
        """Train some steps."""
        self.left = steps
        self.go.release()
        self._wait()

    def _run(self, fit: Fit) -> None:
        try:
            fit.run()
        finally:
            self.failed = True
            self.back.release()

    def _wait(self) -> None:
        self.back.acquire()
        if self.failed:
            raise SystemExit("cadence fit ended before its turn: its message is above")

    def _step_done(self) -> None:
        self.left -= 1
        if not self.left:
            self.back.release()
            self.go.acquire()


def stock(network: str, batch_size: int) -> float:
    """Seconds a step of Lightning as its tutorials write it, with worker processes."""
    import numpy as np
    import pytorch_lightning as pl
    import torch
    import torch.nn.functional as F
    import torchmetrics
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms

    from datamodules import CIFAR10

    warm_up, steps = max(20 * 64 // batch_size, WORKERS), max(200 * 64 // batch_size, 2 * WORKERS)
    if not ON_GPU:
        warm_up, steps = 1, 2
    pixels = np.random.default_rng(0).integers(0, 256, (batch_size * (warm_up + steps + WORKERS), 32, 32, 3), np.uint8)

    class Images(Dataset):
        transform = transforms.Compose([
            transforms.RandomCrop(32, 4), transforms.RandomHorizontalFlip(), transforms.ToTensor(),
            transforms.Normalize(CIFAR10.mean, CIFAR10.std),
        ])  # fmt: skip

        def __len__(self) -> int:
            return len(pixels)

        def __getitem__(self, index: int) -> tuple[Any, int]:
            return self.transform(Image.fromarray(pixels[index])), index % 10

    class Net(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = built(network)
            self.accuracy = torchmetrics.Accuracy(task="multiclass", num_classes=10)

        def training_step(self, batch: Any, _: int) -> Any:
            x, y = batch
            logits = self.net(x)
            loss = F.cross_entropy(logits, y)
            self.accuracy(logits, y)
            self.log("train_loss", loss, prog_bar=True)
            self.log("train_acc", self.accuracy, prog_bar=True)
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), **SGD)

    class Clock(pl.Callback):
        done, since, spent = 0, 0.0, 0.0

        def on_train_batch_end(self, *_: object) -> None:
            self.done += 1
            if self.done in (warm_up, warm_up + steps):
                wait()
                self.since, self.spent = time.perf_counter(), time.perf_counter() - self.since

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(
            max_steps=warm_up + steps, precision="bf16-mixed", callbacks=[clock], default_root_dir=folder,
            enable_model_summary=False, enable_checkpointing=False, logger=False,
        )  # fmt: skip
        trainer.fit(Net(), DataLoader(Images(), batch_size, shuffle=True, num_workers=WORKERS, pin_memory=True))
    return clock.spent / steps
