"""The small table at the end of a run."""

from pathlib import Path
from typing import Any


def print_summary(result: dict[str, Any], directory: Path | None) -> None:
    """Print losses and accuracies by split, the run's cost, and where its record lies."""
    from rich.console import Console
    from rich.table import Table

    table = Table("split", "loss", "accuracy", "error")
    metrics = result["metrics"]
    for split, prefix in (("train (last epoch)", "train/epoch_"), ("validation (last)", "val/"), ("test", "test/")):
        if f"{prefix}loss" in metrics:
            accuracy = metrics[f"{prefix}accuracy"]
            table.add_row(split, f"{metrics[f'{prefix}loss']:.4f}", f"{accuracy:.2%}", f"{1 - accuracy:.2%}")
    console = Console(highlight=False)
    console.print(table)
    seconds = result["seconds"]
    parts = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items() if value)
    console.print(f"{result['parameters']:,} parameters, {result['steps']:,} steps; {parts}")
    if directory is not None:
        console.print(f"run directory: {directory}", soft_wrap=True)
