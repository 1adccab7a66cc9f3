"""Typed access to attributes that Lightning sets on the trainer without declaring them."""

import copy
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from timeline.stream import Stream


def callbacks_of(trainer: pl.Trainer) -> list[pl.Callback]:
    """The trainer's own list of callbacks, in the order in which they are called."""
    return trainer.callbacks  # type: ignore[attr-defined]


def overrides(one: object, hook: str, base: type) -> bool:
    """Whether an object has a hook of its own, by its class or by itself (as Lightning's LambdaCallback has)."""
    return getattr(getattr(one, hook), "__func__", None) is not getattr(base, hook)


def datamodule_of(trainer: pl.Trainer) -> Any:
    """The datamodule; None where the trainer was given loaders instead."""
    return getattr(trainer, "datamodule", None)


def stream_of(trainer: pl.Trainer) -> Stream | None:
    """The stream of samples, of a datamodule or a loader's batch sampler; None without one, or before it is set up."""
    stream = getattr(datamodule_of(trainer), "stream", None)  # a stranger's may be anything
    if isinstance(stream, Stream):
        return stream
    combined = getattr(getattr(trainer, "fit_loop", None), "_combined_loader", None)
    loaders = [] if combined is None else combined.flattened
    stream = getattr(getattr(loaders[0], "batch_sampler", None), "stream", None) if len(loaders) == 1 else None
    return stream if isinstance(stream, Stream) else None


def copy_of_module(trainer: pl.Trainer) -> Any:
    """A deep copy of the module in training, without its references to trainer and fabric, and not compiled."""
    module: Any = trainer.lightning_module
    compiled = getattr(module, "compiled_call", None)  # it runs with the weights of the module that it was compiled for
    memo: dict[int, Any] = {id(trainer): None, id(module._fabric): None, id(compiled): None}
    for part in module.modules():  # a loss that a module has kept for its epoch's end, with its graph
        kept = [one for value in vars(part).values() for one in (value if isinstance(value, list) else [value])]
        memo |= {id(one): one.detach().clone() for one in kept if isinstance(one, Tensor) and not one.is_leaf}
    copied: Any = copy.deepcopy(module, memo)
    if getattr(module, "_compiler_ctx", None) is not None:  # `torch.compile` has bound the steps to the original
        for name in ("forward", "training_step", "validation_step", "test_step", "predict_step"):
            vars(copied).pop(name, None)
    return copied


def is_fast_dev_run(trainer: pl.Trainer) -> bool:
    """Whether the run only tries out a few steps (`fast_dev_run`)."""
    return bool(trainer.fast_dev_run)  # type: ignore[attr-defined]


def log_every_n_steps(trainer: pl.Trainer) -> int:
    """Number of steps between two rows of metrics."""
    return trainer.log_every_n_steps  # type: ignore[attr-defined]


def row_due(trainer: pl.Trainer) -> bool:
    """Whether a row of metrics is due after the step just done."""
    return trainer.global_step % log_every_n_steps(trainer) == 0


def logged_now(trainer: pl.Trainer) -> set[str]:
    """Names of what the loop that is running has logged: in a validation, nothing of the training around it."""
    names = set()
    for item in () if trainer._results is None else trainer._results.values():
        meta = item.meta
        if not item.has_reset:
            several = meta.dataloader_idx is not None and meta.add_dataloader_idx
            behind = f"/dataloader_idx_{meta.dataloader_idx}" if several else ""
            names |= {f"{name}{behind}" for name in (meta.name, *([meta.forked_name(False)] if meta.forked else []))}
    return names


def ends_a_pass(trainer: pl.Trainer) -> bool:
    """Whether the batch just trained on is the last of its epoch, which is not broken off."""
    return trainer.fit_loop.epoch_loop.batch_progress.is_last_batch


def log_rates(trainer: pl.Trainer, rates: Sequence[float]) -> None:
    """Log the learning rates of the optimizer's groups, as `lr`, or as `lr/0`, `lr/1` ... where there are several."""
    log_row(trainer, {"lr": rates[0]} if len(rates) == 1 else {f"lr/{i}": lr for i, lr in enumerate(rates)})


def log_row(trainer: pl.Trainer, values: dict[str, float]) -> None:
    """Log values to every logger, keyed by the number of finished steps."""
    for logger in trainer.loggers:
        logger.log_metrics(values, step=trainer.global_step)


def rebuildable(loader: Any) -> Any:
    """The loader, of which Lightning makes another that notes the places of its samples.

    Lightning notes a loader's arguments when a hook makes it, and puts others among them by name. So it cannot make one
    whose batch size was given by position: here all have names.
    """
    noted = vars(loader)
    if "__pl_saved_args" in noted:  # into the dictionary itself, as Lightning does once more what is set otherwise
        names = zip(noted["__pl_saved_arg_names"], noted["__pl_saved_args"], strict=False)
        noted["__pl_saved_kwargs"] = {**dict(names), **noted["__pl_saved_kwargs"]}
        noted["__pl_saved_args"] = ()
    return loader
