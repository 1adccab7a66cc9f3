"""docs/architectures.md: the homework's problem 3 and every network's table, from `cadence describe`.

    python docs/architectures.py

The measured memory is read from results/memory.csv, which `benchmarks/memory.py` writes.
"""

import csv
from pathlib import Path

from docs.described import as_code, own, times, told
from docs.pages import table, write
from docs.problem_3 import ALEXNET, VGG19, answers

MEMORY = Path(__file__).parents[1] / "results" / "memory.csv"
PARTS = ("forward", "training_step")
NETWORKS = {
    "SmallCNN": "small CNN report, MNIST",
    "MLP hidden_sizes=[300]": "small CNN report's linear network, MNIST",
    "StridedCNN": "MLP initialisation report, MNIST",
    "MLP hidden_sizes=[512,384]": "MLP initialisation report, MNIST",
    "ThirteenLayerCNN": "Madam report, CIFAR-10",
    "MLP hidden_sizes=[1000,1000] --input-shape 3,32,32": "homework P1, CIFAR-10",
    "MiniGoogLeNet": "homework P2, Fashion-MNIST",
    "ResNet": "homework P4, CIFAR-10, 44 layers",
}


def values() -> dict[str, str]:
    """Values for the template, by name."""
    return answers() | networks() | memory()


def networks() -> dict[str, str]:
    """Totals of every network, and a table of layers for those that the sources print or use."""
    sources = NETWORKS | {ALEXNET: "homework P3, ImageNet", VGG19: "homework P3, ImageNet"}
    found = {command: told(command) for command in sources}
    totals = [
        (f"`{command}`", source, times(found[command]["input_shape"]),
         *(f"{found[command][key]:,}" for key in ("weights", "biases", "multiply_adds", "activations")),
         f"{found[command]['predicted_bytes']['training_step'] / 1e6:,.1f} MB")
        for command, source in sources.items()
    ]  # fmt: skip
    headings = ("network", "from", "image", "weights", "biases", "multiply-adds", "activations", "step of 64 images")
    parts = []
    for command, source in NETWORKS.items():
        cells = [
            (layer["layer"], layer["kind"], times(layer["output"]), layer["field"], as_code(layer["written_out"]))
            for layer in found[command]["layers"]
            if own(layer)
        ]
        layers = table(("layer", "kind", "output", "receptive field", "parameters"), cells)
        parts.append(f"### {command.partition(' --')[0]}\n\n{source}: {own(found[command]):,} parameters.\n\n{layers}")
    return {"networks_table": table(headings, totals), "networks": "\n\n".join(parts)}


def memory() -> dict[str, str]:
    """Measured memory beside the prediction, from results/memory.csv."""
    with MEMORY.open(newline="") as file:
        rows = list(csv.DictReader(file))
    cells = [
        (row["network"], times(row["input_shape"]), row["batch_size"], row["device"],
         *(f"{int(row[f'{part}_{way}']):,}" for part in PARTS for way in ("predicted", "measured")),
         *(f"{float(row[f'{part}_ratio']):.3f}" for part in PARTS))
        for row in rows
    ]  # fmt: skip
    headings = (
        "network", "image", "batch", "on", "forward, predicted", "measured", "step, predicted", "measured",
        "forward, ratio", "step, ratio",
    )  # fmt: skip
    ratios = [abs(float(row[f"{part}_ratio"]) - 1) for row in rows for part in PARTS]
    kinds = dict.fromkeys(f"{row['device_name']}, torch {row['torch']}" for row in rows)
    return {
        "memory_table": table(headings, cells),
        "memory_worst": f"{100 * max(ratios):.1f} %",
        "memory_where": f"{'; '.join(kinds)}; n = 1, the second of two steps",
    }


if __name__ == "__main__":
    write(Path(__file__), values())
