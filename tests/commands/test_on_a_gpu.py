"""Runs on a GPU: the samples of a CPU, every architecture in mixed precision, exact resumes, no step that waits."""

import hashlib
from math import isfinite
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from commands.configuration.cadence_cli import CadenceCLI
from lightning_modules import VGG19, AlexNet
from tests.commands.test_resume import rows, weights
from tests.lightning_modules.test_architectures import SMALL, batch_for
from tests.stopping import StopAfter

pytestmark = pytest.mark.gpu

DIGITS = (
    "--data",
    "Digits",
    "--optimizer",
    "Adam",
    "--optimizer.lr",
    "0.001",
    "--trainer.enable_progress_bar",
    "false",
)
CROPPED = ("--data.augment+=RandomCrop", "--data.augment.padding", "1", "--data.augment+=RandomHorizontalFlip")
AUGMENTED = (
    *CROPPED, "--data.augment+=Cutout", "--data.augment.size", "3", "--data.augment+=MixUp", "--data.augment+=CutMix",
)  # fmt: skip
COPIES = (
    "--trainer.callbacks+=BatchAugmentedCutout",
    "--trainer.callbacks.copies",
    "3",
    "--trainer.callbacks.size",
    "3",
)
POLICIES = (
    "--trainer.callbacks+=CyclicalLR", "--trainer.callbacks.lower", "0.001", "--trainer.callbacks.upper", "0.01",
    "--trainer.callbacks.half_cycle", "1", "--trainer.callbacks+=CyclicalBatchSize", "--trainer.callbacks.lower", "16",
    "--trainer.callbacks.upper", "64", "--trainer.callbacks.half_cycle", "1",
    "--trainer.callbacks+=TimeToTarget", "--trainer.callbacks.warm_up_steps", "3",
)  # fmt: skip
RESNET = ("--model", "ResNet", "--model.depth", "8")
RESIDENT = ("--data.device_resident", "true")


@pytest.fixture
def fit(cadence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run `cadence fit` with callbacks of the test's own; returns the run's directory."""
    build = CadenceCLI.build_trainer

    def run(*words: str, add: tuple[pl.Callback, ...] = (), status: int = 0) -> Path:
        folder = tmp_path / f"run{len(list(tmp_path.glob('run*')))}"
        with monkeypatch.context() as patch:
            patch.setattr(CadenceCLI, "build_trainer", lambda self, extra, **kw: build(self, [*add, *extra], **kw))
            assert cadence("fit", *words, "--run_dir", folder) == status
        return folder

    return run


class Digests(pl.Callback):
    """What every step trains on: hashes of images and labels, and where they are."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.devices: set[str] = set()

    def on_train_batch_start(self, trainer, pl_module, batch: Any, batch_idx: int) -> None:
        self.devices |= {tensor.device.type for tensor in batch}
        content = b"".join(tensor.cpu().contiguous().numpy().tobytes() for tensor in batch)
        self.seen.append(hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("more", [AUGMENTED, (*CROPPED, *COPIES)], ids=["mixed", "copies"])
def test_a_gpu_trains_on_what_a_cpu_does(fit, more: tuple[str, ...]) -> None:
    run = ("--model", "SmallCNN", *DIGITS, *more, "--trainer.max_epochs", "2", "--test_after_fit", "false")
    cpu, there, resident = Digests(), Digests(), Digests()
    fit(*run, "--trainer.accelerator", "cpu", add=(cpu,))
    fit(*run, add=(there,))
    fit(*run, *RESIDENT, add=(resident,))
    assert len(cpu.seen) > 30 and cpu.seen == there.seen == resident.seen
    assert (cpu.devices, there.devices, resident.devices) == ({"cpu"}, {"cuda"}, {"cuda"})


class Dtypes(pl.Callback):
    """The dtype of the logits, and the weights before the first step."""

    def on_train_start(self, trainer, pl_module) -> None:
        self.before = {name: value.clone() for name, value in pl_module.state_dict().items()}
        self.logits: set[torch.dtype] = set()
        pl_module.register_forward_hook(lambda module, images, logits: self.logits.add(logits.dtype))


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
@pytest.mark.parametrize(
    ("model", "options"), [*SMALL, (AlexNet, {}), (VGG19, {})], ids=lambda v: getattr(v, "__name__", "")
)
def test_every_architecture_trains_in_mixed_precision(fit, model: Any, options: dict[str, Any], precision: str) -> None:
    shape = batch_for(model, options, 1)[0].shape
    fixed = ("in_channels", "image_size", "num_classes")  # they follow from the data
    words = [word for name, value in options.items() if name not in fixed for word in (f"--model.{name}", str(value))]
    data = ("--data.in_channels", str(shape[1]), "--data.image_size", str(shape[2]), "--data.batch_size", "32")
    kept, steps = (
        Dtypes(),
        ("--trainer.max_steps", "8", "--trainer.log_every_n_steps", "1", "--test_after_fit", "false"),
    )
    run = fit("--model", model.__name__, *words, *DIGITS, *data, *steps, "--trainer.precision", precision, add=(kept,))
    losses = [float(row["train/loss"]) for row in rows(run) if row.get("train/loss")]
    assert len(losses) == 8 and all(isfinite(loss) for loss in losses)
    assert kept.logits == {torch.bfloat16 if precision == "bf16-mixed" else torch.float16}
    after = weights(run)
    assert all(value.isfinite().all() for value in after.values())
    still = [name for name, value in after.items() if torch.equal(value.cpu(), kept.before[name].cpu())]
    assert not still, f"unmoved: {still}"


DROPPING = ("--model", "MLP", "--model.dropout_hidden", "0.3")
GRAPHS = ("--model.compile", "reduce-overhead")


@pytest.mark.filterwarnings(  # what torch 2.11 says of itself when it compiles and records
    "ignore:`torch.jit.script_method` is deprecated",
    "ignore:TensorFloat32 tensor cores for float32",
    "ignore:The CUDA Graph is empty",
)
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("model", [RESNET, DROPPING, (*DROPPING, *GRAPHS)], ids=["ResNet", "MLP", "compiled MLP"])
def test_resumed_equals_unbroken(fit, cadence, model: tuple[str, ...], precision: str) -> None:
    run = (
        *model, *DIGITS, *AUGMENTED, "--data.batch_size", "128", "--data.drop_last", "true",
        "--trainer.precision", precision, "--trainer.deterministic", "true", "--trainer.max_epochs", "2",
        "--trainer.log_every_n_steps", "3",
    )  # fmt: skip
    whole = fit(*run)
    broken = fit(*run, add=(StopAfter(5),), status=130)
    assert cadence("fit", "--resume", broken) == 0
    assert rows(broken) == rows(whole)
    mine, theirs = weights(broken), weights(whole)
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


class NoWaiting(pl.Callback):
    """From one step's end to another's, whatever makes the host wait for the device is an error."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last, self.done = first, last, 0

    def on_train_batch_end(self, trainer, *_: object) -> None:
        self.done += 1
        if self.done in (self.first, self.last):
            torch.cuda.set_sync_debug_mode("error" if self.done == self.first else "default")

    def on_exception(self, *_: object) -> None:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize(
    "more",
    [RESIDENT, (), (*RESIDENT, *AUGMENTED), (*RESIDENT, *CROPPED, *COPIES), (*RESIDENT, *POLICIES)],
    ids=["resident", "from the host", "mixed", "copies", "policies"],
)
def test_no_step_waits_for_the_device(fit, more: tuple[str, ...], precision: str) -> None:
    watch = NoWaiting(4, 12)
    steps = ("--trainer.max_steps", "14", "--trainer.log_every_n_steps", "1000", "--test_after_fit", "false")
    fit(*RESNET, *DIGITS, *more, *steps, "--trainer.precision", precision, add=(watch,))
    assert watch.done == 14


@pytest.mark.parametrize(
    "words",
    [("lr-range-test",), ("batch-size-range-test", "--range_test.sizes", "[16,32,64]", "--range_test.steps", "10")],
    ids=lambda words: words[0],
)
def test_range_tests_run_in_mixed_precision(cadence, words: tuple[str, ...]) -> None:
    run = ("--model", "MLP", "--model.hidden_sizes", "[16]", *DIGITS, "--trainer.precision", "bf16-mixed")
    assert cadence(*words, *run, "--run_dir", "run") in (0, 1), "0: a suggestion, 1: none to be made of so few steps"
