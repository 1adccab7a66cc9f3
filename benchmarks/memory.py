"""How near predicted memory comes to measured: ResNet-44, MiniGoogLeNet and VGG19 at several batch sizes.

    python benchmarks/memory.py [--device cpu] [--out results/memory.csv]

A row a network and batch size, 32-true, SGD with momentum 0.9: the most bytes of a forward pass in evaluation mode and
of a training step, as `inspection/memory/predicted.py` predicts them and as the device's allocator gave them out to
real steps on random images. On one core it takes about two minutes, and 3 GB.
"""

import argparse
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch

from inspection.description import describe
from inspection.models import find
from records.environment import device_name, versions
from records.files import write_csv
from trainer.process import settle

CASES = {
    "ResNet": ((3, 32, 32), (8, 64, 128)),
    "MiniGoogLeNet": ((3, 32, 32), (8, 64, 128)),
    "VGG19": ((3, 224, 224), (2, 8)),
}
MOMENTUM = 0.9
TARGET = 0.1


def measure(network: str, shape: tuple[int, ...], batch_size: int, device: str) -> dict[str, Any]:
    """One row.

    Args:
        network: name of a model, as `cadence describe` takes it.
        shape: shape of its images, (channels, height, width).
        batch_size: number of images in a batch.
        device: device to measure on, cpu or cuda.
    """
    found = describe(
        network,
        find(network).build({}, shape),
        shape,
        batch_size=batch_size,
        optimizer=partial(torch.optim.SGD, momentum=MOMENTUM),
        measure_on=device,
        channels_last=True,
    )
    assert found.measured is not None
    row: dict[str, Any] = {
        "network": network,
        "input_shape": "x".join(map(str, shape)),
        "batch_size": batch_size,
        "precision": found.precision,
        "optimizer": f"SGD, momentum {MOMENTUM}",
    }
    for quantity in ("forward", "training_step"):
        predicted, measured = getattr(found.memory, quantity), getattr(found.measured, quantity)
        row |= {
            f"{quantity}_predicted": predicted,
            f"{quantity}_measured": measured,
            f"{quantity}_ratio": f"{predicted / measured:.4f}",
        }
    return row | {
        "met": "yes" if abs(float(row["training_step_ratio"]) - 1) <= TARGET else "no",
        "device": device,
        "device_name": device_name(torch.device(device)),
        "threads": torch.get_num_threads(),
        "torch": versions()["torch"],
        "date": datetime.now(UTC).date().isoformat(),
    }


def main() -> None:
    """Measure, print the table, and write it as CSV where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    settle()
    layout = "{:<14} {:>5} {:>14} {:>14} {:>7} {:>14} {:>14} {:>7} {:>4}"
    print(layout.format("", "", "forward", "", "", "training step", "", "", ""))
    print(layout.format("network", "batch", *("predicted", "measured", "ratio") * 2, "met"))
    rows = []
    for network, (shape, batch_sizes) in CASES.items():
        for batch_size in batch_sizes:
            row = measure(network, shape, batch_size, options.device)
            both = [
                shown
                for name in ("forward", "training_step")
                for shown in (f"{row[f'{name}_predicted']:,}", f"{row[f'{name}_measured']:,}", row[f"{name}_ratio"])
            ]
            print(layout.format(network, batch_size, *both, row["met"]), flush=True)
            rows.append(row)
    first = rows[0]
    print(f"bytes; {first['device_name']}, {first['threads']} threads, torch {first['torch']}; {first['date']}")
    if options.out:
        write_csv(options.out, rows)


if __name__ == "__main__":
    main()
