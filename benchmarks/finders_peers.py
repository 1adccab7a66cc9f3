"""What people use instead of our range test, each as its own documentation calls it: four finders, three optimizers.

fastai's `lr_find`, pytorch-lr-finder's `range_test` and Lightning's `lr_find` find a rate, from a DataLoader that
shuffles the same training images; then that rate is trained at as those of the grid are. Prodigy, schedule-free AdamW
and D-Adaptation take the optimizer's place, at their default rate, and train on the same samples as every rate does.
"""

import contextlib
import io
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.finders_problems import Problem
from benchmarks.finders_rows import Rows, shown
from benchmarks.finders_start import Start, timed

Found = dict[str, tuple[float | None, int, float, str]]  # rate, steps, seconds and remark, by the finder's name


def peers(start: Start, seed: int, rows: Rows) -> None:
    """Find, train, and add the rows that lack."""
    for package, names, find in FINDERS:
        if not any(rows.lacks(start.problem, seed, name) for name in names):
            continue
        torch.manual_seed(seed)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            found = find(start)
        for name in names:
            rate, made, seconds, note = found[name]
            if rows.lacks(start.problem, seed, name):
                trained = {} if rate is None else start.at_rate(rate)
                said = {"steps": made, "seconds": round(seconds, 3), "note": note, "package": _named(package)}
                rows.add(start.problem, seed, name, rate=shown(rate), **trained, **said)
    for package, name, make in RATE_FREE:
        if rows.lacks(start.problem, seed, name):
            (trained, refreshed), seconds = timed(lambda make=make: _trained(start, make))
            said = {"steps": refreshed, "note": f"{seconds:.3g} s of training", "package": _named(package)}
            rows.add(start.problem, seed, name, **trained, **said)


def fastai(start: Start) -> Found:
    """`Learner.lr_find()`, with three of its rules."""
    from fastai.callback.schedule import minimum, steep, valley
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.optimizer import OptimWrapper

    def make(params: Any, lr: float, **_: Any) -> Any:
        return OptimWrapper(params, opt=start.problem.make, lr=lr)

    with tempfile.TemporaryDirectory() as folder:
        loader = training_loader(start)
        learner = Learner(
            DataLoaders(loader, loader), network(start), loss_func=nn.CrossEntropyLoss(), opt_func=make, path=folder
        )
        with learner.no_bar():
            rules = (valley, steep, minimum)
            rates, seconds = timed(lambda: learner.lr_find(show_plot=False, suggest_funcs=rules))
    made = len(learner.recorder.lrs)
    return {f"fastai, {rule}": (getattr(rates, rule), made, seconds, "") for rule in ("valley", "steep", "minimum")}


def lr_finder(start: Start) -> Found:
    """pytorch-lr-finder's `range_test` and `plot`, as its README calls them."""
    from matplotlib.figure import Figure
    from torch_lr_finder import LRFinder

    model = network(start)
    optimizer = start.problem.optimizer(model.parameters(), 1e-7)
    finder = LRFinder(model, optimizer, nn.CrossEntropyLoss(), device="cpu")
    _, seconds = timed(lambda: finder.range_test(training_loader(start), end_lr=100, num_iter=100))
    _, rate = finder.plot(ax=Figure().subplots())
    return {"pytorch-lr-finder": (float(rate), len(finder.history["lr"]), seconds, "")}


def lightning(start: Start) -> Found:
    """`Tuner.lr_find`, of a module written as its documentation has it."""
    import pytorch_lightning as pl
    from pytorch_lightning.tuner import Tuner

    class Plain(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.lr = network(start), 1e-3

        def training_step(self, batch: list[Tensor], _: int) -> Tensor:
            return F.cross_entropy(self.net(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return start.problem.optimizer(self.parameters(), self.lr)

    with tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(
            accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, default_root_dir=folder, max_epochs=1,
        )  # fmt: skip
        found, seconds = timed(lambda: Tuner(trainer).lr_find(Plain(), training_loader(start)))
    rate = found.suggestion()
    return {"Lightning": (rate, len(found.results["loss"]), seconds, "" if rate else "no suggestion")}


def prodigy(params: list[Tensor], problem: Problem) -> Any:
    """Prodigy at its default rate, 1."""
    from prodigyopt import Prodigy

    return Prodigy(params)


def schedule_free(params: list[Tensor], problem: Problem) -> Any:
    """Schedule-free AdamW at its default rate, .0025, without warm-up."""
    from schedulefree import AdamWScheduleFree

    return AdamWScheduleFree(params)


def d_adaptation(params: list[Tensor], problem: Problem) -> Any:
    """D-Adaptation at its default rate, 1: SGD with the problem's momentum where the problem has SGD, else Adam."""
    from dadaptation import DAdaptAdam, DAdaptSGD

    own = problem.optimizer(params, 1e-3)
    if isinstance(own, torch.optim.SGD):
        return DAdaptSGD(params, momentum=own.defaults["momentum"])
    return DAdaptAdam(params)


FINDERS: tuple[tuple[str, tuple[str, ...], Callable[[Start], Found]], ...] = (
    ("fastai", ("fastai, valley", "fastai, steep", "fastai, minimum"), fastai),
    ("torch-lr-finder", ("pytorch-lr-finder",), lr_finder),
    ("pytorch-lightning", ("Lightning",), lightning),
)
RATE_FREE: tuple[tuple[str, str, Callable[[list[Tensor], Problem], Any]], ...] = (
    ("prodigyopt", "Prodigy", prodigy),
    ("schedulefree", "schedule-free AdamW", schedule_free),
    ("dadaptation", "D-Adaptation", d_adaptation),
)


def training_loader(start: Start) -> Any:
    """The training images in a DataLoader that shuffles them."""
    images, labels = zip(*start.batches(0), strict=True)
    return DataLoader(TensorDataset(torch.cat(images), torch.cat(labels)), start.problem.batch_size, shuffle=True)


def network(start: Start) -> nn.Module:
    """The network with the weights that every training begins with."""
    return _Network(start.copy().module)


class _Network(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleDict(dict(module.named_children()))
        self.whole = [module]  # in a list, so that it is no part: what it is besides a network is nobody's business

    def forward(self, images: Tensor) -> Tensor:
        return self.whole[0](images)

    def train(self, mode: bool = True) -> nn.Module:
        self.whole[0].train(mode)
        return super().train(mode)


def _trained(start: Start, make: Callable[[list[Tensor], Problem], Any]) -> tuple[dict[str, Any], int]:
    """What a rate-free optimizer comes to, and the batches it took besides."""
    copy = start.copy()
    optimizer = copy.optimizer = make(list(copy.module.parameters()), start.problem)
    averages, refreshed = hasattr(optimizer, "train"), 0  # schedule-free's README has batch norm's taken anew
    if averages:
        optimizer.train()

    def step(number: int) -> Tensor:
        loss = copy.gradient(number)
        optimizer.step()
        return loss

    def ready() -> None:
        nonlocal refreshed
        if averages:
            optimizer.eval()
            refreshed = start.refresh(copy)

    return start.trained(copy, step, ready), refreshed


def _named(package: str) -> str:
    return f"{package} {version(package)}"
