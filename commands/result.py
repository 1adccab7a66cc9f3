"""What result.json and test.json say, and dashboards with them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from callbacks import LRRangeTest, RunRecord
from commands.configuration.cadence_cli import CadenceCLI
from commands.final_test import keeper_of
from lightning_modules import ImageClassifier
from records.dashboard import Dashboard
from records.environment import commit, device_name, versions
from records.files import write_json
from records.history import KEY
from records.run_directory import RunDirectory
from trainer.access import callbacks_of
from trainer.ranks import processes_of


def named(checkpoint: Path, directory: RunDirectory | None) -> str:
    """The checkpoint's path; within the run directory, which may be moved, if it lies there."""
    inside = directory is not None and checkpoint.resolve().is_relative_to(directory.root.resolve())
    return str(checkpoint.resolve().relative_to(directory.root.resolve()) if directory and inside else checkpoint)


def end_dashboards(
    dashboards: Sequence[Dashboard],
    result: dict[str, Any],
    record: RunRecord,
    directory: RunDirectory,
    exit_code: int = 0,
) -> dict[str, Any]:
    """Tell the dashboards what came out and close them; result.json then counts the time of that, too.

    Args:
        dashboards: the run's.
        result: content of result.json, which is there already.
        record: the run's.
        directory: the run's.
        exit_code: exit status of the run.

    Returns:
        The content as it is now.
    """
    if not dashboards:
        return result
    for dashboard in dashboards:
        dashboard.log_result(result)
        if directory.best.is_file():
            dashboard.log_checkpoint(directory.best, {"run": result[KEY], "metrics": result["metrics"]})
        dashboard.close(exit_code)
    result = result | {"seconds": result["seconds"] | {"logging": round(record.seconds["logging"], 3)}}
    write_json(directory.result, result)
    return result


def best_in(trainer: pl.Trainer) -> dict[str, Any]:
    """What the best checkpoint was chosen by, and its value: null where there is none."""
    keeper = keeper_of(trainer)
    if keeper is None:
        return {}
    return {"best": {"monitor": keeper.monitor, "mode": keeper.mode, "value": keeper.best, "step": keeper.step}}


def result_of(cli: CadenceCLI, trainer: pl.Trainer, record: RunRecord) -> dict[str, Any]:
    """Metrics of the trainer's last run, what it cost, and with what it was made."""
    device = trainer.strategy.root_device
    values = {name: float(value) for name, value in trainer.callback_metrics.items()}
    values |= cli.model.recorded if isinstance(cli.model, ImageClassifier) else {}
    tests = [callback for callback in callbacks_of(trainer) if isinstance(callback, LRRangeTest)]
    updated = next((test.updated_to for test in tests if test.updated_to is not None), None)
    return {
        "metrics": {name: values[name] for name in sorted(values)},
        "steps": trainer.global_step,
        "parameters": sum(parameter.numel() for parameter in cli.model.parameters()),
        "seconds": {name: round(value, 3) for name, value in record.seconds.items()},
        "device": {"type": device.type, "name": device_name(device), **processes_of(trainer)},
        **({} if updated is None else {"lr": updated}),  # in place of the configured one
        **best_in(trainer),
        "validation": None if cli.images is None else cli.images.val,
        "seed": cli.config.seed_everything,
        **({} if (parent := cli.config.get("from")) is None else {"parent": parent.as_dict()}),
        "versions": versions(),
        "commit": commit(),
        **({"metrics_lost": record.lost} if record.lost else {}),
    }
