"""Runs on a GPU: the samples of a CPU, every architecture in half precision, exact resumes, no step that waits.

Each also runs on the CPU, for its own logic: slow, and without what only a GPU has.
"""

import hashlib
import shutil
from math import isfinite
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.precision import MixedPrecision

import commands.session
from commands.configuration.cadence_cli import CadenceCLI
from lightning_modules import VGG19, AlexNet
from tests.commands.test_resume import rows, weights
from tests.lightning_modules.test_architectures import SMALL, batch_for
from tests.stopping import StopAfter

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


@pytest.fixture(params=[pytest.param("cuda", marks=pytest.mark.gpu), pytest.param("cpu", marks=pytest.mark.slow)])
def device(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def fit(cadence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str):
    """Run `cadence fit` on the device, with callbacks of the test's own; returns the run's directory."""
    build, plugins = CadenceCLI.build_trainer, commands.session.plugins_of

    def scaled(cli: CadenceCLI) -> list[Any]:
        return [*plugins(cli), MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu"))]

    def run(*words: str, add: tuple[pl.Callback, ...] = (), status: int = 0) -> Path:
        folder = tmp_path / f"run{len(list(tmp_path.glob('run*')))}"
        if device == "cpu":
            words += ("--trainer.accelerator", "cpu")
            if "16-mixed" in words:  # what a user may not ask of a CPU
                place = words.index("16-mixed")
                words = (*words[: place - 1], *words[place + 1 :])
                monkeypatch.setattr(commands.session, "plugins_of", scaled)
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
def test_a_gpu_trains_on_what_a_cpu_does(fit, device: str, more: tuple[str, ...]) -> None:
    run = ("--model", "SmallCNN", *DIGITS, *more, "--trainer.max_epochs", "2", "--test_after_fit", "false")
    cpu, there, resident = Digests(), Digests(), Digests()
    fit(*run, "--trainer.accelerator", "cpu", add=(cpu,))
    fit(*run, add=(there,))
    fit(*run, *RESIDENT, add=(resident,))
    assert len(cpu.seen) > 30 and cpu.seen == there.seen == resident.seen
    assert (cpu.devices, there.devices, resident.devices) == ({"cpu"}, {device}, {device})


class Dtypes(pl.Callback):
    """The dtype of the logits, and the weights before the first step."""

    def on_train_start(self, trainer, pl_module) -> None:
        self.before = {name: value.clone() for name, value in pl_module.state_dict().items()}
        self.logits: set[torch.dtype] = set()
        pl_module.register_forward_hook(lambda module, images, logits: self.logits.add(logits.dtype))


DTYPES = {"bf16-mixed": torch.bfloat16, "bf16-true": torch.bfloat16, "16-mixed": torch.float16}


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize(
    ("model", "options"), [*SMALL, (AlexNet, {}), (VGG19, {})], ids=lambda v: getattr(v, "__name__", "")
)
def test_every_architecture_trains_in_half_precision(
    fit, device: str, model: Any, options: dict[str, Any], precision: str
) -> None:
    if device == "cpu" and model in (AlexNet, VGG19):
        pytest.skip("minutes on a CPU")
    shape, size = batch_for(model, options, 1)[0].shape, "32" if device == "cuda" else "4"
    fixed = ("in_channels", "image_size", "num_classes")  # they follow from the data
    words = [word for name, value in options.items() if name not in fixed for word in (f"--model.{name}", str(value))]
    data = ("--data.in_channels", str(shape[1]), "--data.image_size", str(shape[2]), "--data.batch_size", size)
    # Adam steps by about its rate: beside batch norm's scale of 1 a bfloat16 weight takes no less than .004.
    rate = ("--optimizer.lr", "0.01") if precision == "bf16-true" else ()
    steps = ("--trainer.max_steps", "8", "--trainer.log_every_n_steps", "1", "--test_after_fit", "false", *rate)
    kept = Dtypes()
    run = fit("--model", model.__name__, *words, *DIGITS, *data, *steps, "--trainer.precision", precision, add=(kept,))
    losses = [float(row["train/loss"]) for row in rows(run) if row.get("train/loss")]
    assert len(losses) == 8 and all(isfinite(loss) for loss in losses)
    assert kept.logits == {DTYPES[precision]}
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
def test_resumed_equals_unbroken(fit, cadence, device: str, model: tuple[str, ...], precision: str) -> None:
    if "--model.compile" in model and shutil.which("g++") is None:
        pytest.skip("torch compiles by g++")
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

    def __init__(self, first: int, last: int, device: str) -> None:
        self.device = device
        self.first, self.last, self.done = first, last, 0

    def on_train_batch_end(self, trainer, *_: object) -> None:
        self.done += 1
        if self.device == "cuda" and self.done in (self.first, self.last):
            torch.cuda.set_sync_debug_mode("error" if self.done == self.first else "default")

    def on_exception(self, *_: object) -> None:
        if self.device == "cuda":
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize(
    "more",
    [RESIDENT, (), (*RESIDENT, *AUGMENTED), (*RESIDENT, *CROPPED, *COPIES), (*RESIDENT, *POLICIES)],
    ids=["resident", "from the host", "mixed", "copies", "policies"],
)
def test_no_step_waits_for_the_device(fit, device: str, more: tuple[str, ...], precision: str) -> None:
    watch = NoWaiting(4, 12, device)
    steps = ("--trainer.max_steps", "14", "--trainer.log_every_n_steps", "1000", "--test_after_fit", "false")
    fit(*RESNET, *DIGITS, *more, *steps, "--trainer.precision", precision, add=(watch,))
    assert watch.done == 14


@pytest.mark.parametrize(
    "words",
    [("lr-range-test",), ("batch-size-range-test", "--range_test.sizes", "[16,32,64]", "--range_test.steps", "10")],
    ids=lambda words: words[0],
)
def test_range_tests_run_in_mixed_precision(cadence, device: str, words: tuple[str, ...]) -> None:
    run = ("--model", "MLP", "--model.hidden_sizes", "[16]", *DIGITS, "--trainer.precision", "bf16-mixed")
    run += ("--trainer.accelerator", {"cuda": "gpu"}.get(device, device))
    assert cadence(*words, *run, "--run_dir", "run") in (0, 1), "0: a suggestion, 1: none to be made of so few steps"


CYCLE = (
    "--trainer.callbacks+=CyclicalBatchSize", "--trainer.callbacks.lower", "16", "--trainer.callbacks.upper", "96",
    "--trainer.callbacks.half_cycle", "1", "--trainer.max_epochs", "2", "--test_after_fit", "false",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated", "ignore:TensorFloat32 tensor cores")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles by g++")
@pytest.mark.parametrize(("more", "graphs"), [(("--trainer.max_epochs", "2"), 2), (CYCLE, 1)], ids=["fixed", "cycle"])
def test_compiled_steps_are_the_plain_ones_to_rounding(fit, device: str, more: tuple[str, ...], graphs: int) -> None:
    from torch._dynamo.utils import counters

    run = ("--model", "MLP", "--model.hidden_sizes", "[16]", *DIGITS, *more)
    plain = fit(*run)
    counters.clear()
    compiled = fit(*run, "--model.compile", "true")
    assert counters["stats"]["unique_graphs"] == graphs
    torch.compiler.reset()
    mine, theirs = weights(compiled), weights(plain)
    assert list(mine) == list(theirs)
    for name, weight in theirs.items():
        torch.testing.assert_close(mine[name].cpu(), weight.cpu(), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("name", ["Madam", "NesterovRMSprop"])
def test_our_optimizers_keep_float32_copies_in_bf16_true(fit, device: str, name: str) -> None:
    run = ("--model", "MLP", "--model.hidden_sizes", "[16]", *DIGITS[:2], "--optimizer", name, "--optimizer.lr", "1e-4")
    zeros = ("--optimizer.zero_tensors", "sgd") if name == "Madam" else ()
    folder = fit(*run, *zeros, "--trainer.max_epochs", "1", "--trainer.precision", "bf16-true")
    state = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True, map_location="cpu")
    for kept, weight in zip(state["optimizer_states"][0]["state"].values(), state["state_dict"].values(), strict=True):
        assert torch.equal(kept["master"].to(torch.bfloat16), weight)
        assert kept["master"].dtype == torch.float32 and not torch.equal(kept["master"], weight.float())
