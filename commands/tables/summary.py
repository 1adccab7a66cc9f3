"""What a terminal shows at the end of a run or of a range test."""

from pathlib import Path
from typing import Any

from commands.tables.layout import lay

SPLITS = {"train (last epoch)": "train/epoch_", "validation (last)": "val/", "test": "test/"}


def print_summary(result: dict[str, Any], directory: Path | None) -> None:
    """Print losses and accuracies by split, the run's cost, and where its record lies.

    Args:
        result: content of the run's result.json.
        directory: the run directory, None if there is none.
    """
    metrics, rows = result["metrics"], []
    for split, prefix in SPLITS.items():
        if {f"{prefix}loss", f"{prefix}accuracy"} <= metrics.keys():
            loss, accuracy = (_number(metrics[f"{prefix}{name}"]) for name in ("loss", "accuracy"))
            rows.append([split, f"{loss:.4f}", f"{accuracy:.2%}", f"{1 - accuracy:.2%}"])
    if rows:
        lay(("split", "loss", "accuracy", "error"), rows)
    elif metrics:
        lay(("logged last", "value"), [[name, f"{_number(value):.4g}"] for name, value in metrics.items()])
    if (best := result.get("best", {})).get("value") is not None:
        after = "" if best["step"] is None else f" after step {best['step']:,}"
        print(f"best.ckpt: {best['monitor']} {best['value']:.4g}{after}")
    print(f"{result['parameters']:,} parameters, {result['steps']:,} steps")
    print(", ".join(f"{name} {value:.1f} s" for name, value in result["seconds"].items() if value))
    if directory is not None:
        print(f"run directory: {directory}")


def print_range_test(rows: list[dict[str, Any]], directory: Path) -> None:
    """Print what a range test found, and where its record lies.

    Args:
        rows: values by the title of their column, numbers or texts; none if the test did not come to an end.
        directory: the run directory.
    """
    if rows:
        cells = [[value if isinstance(value, str) else f"{value:.3g}" for value in row.values()] for row in rows]
        texts = {place for place, value in enumerate(rows[0].values()) if isinstance(value, str)}
        sentences = {place for row in cells for place, cell in enumerate(row) if " " in cell}
        lay(tuple(rows[0]), cells, texts | sentences, broken=sentences)
    print(f"run directory: {directory}")


def _number(value: float | None) -> float:
    """A metric as it was measured: JSON has null for what is no number."""
    return float("nan") if value is None else value
