"""The homework's problem 3: AlexNet's parameters, VGG19's table, stacked filters, and the inception modules."""

import math

from docs.described import Layer, as_code, as_command, own, sizes, spread, summed, times, told
from docs.pages import table
from studies.counted import stacked_field
from studies.study import SHIPPED

ALEXNET, VGG19 = "AlexNet num_classes=1000", "VGG19 num_classes=1000"
INCEPTION = "NaiveInception --compare ReducedInception"
WITH_WINDOW = ("Conv2d", "MaxPool2d", "Linear")


def answers() -> dict[str, str]:
    """Values for the template from all four questions, by name."""
    return texts() | alexnet() | vgg19() | stacks() | inception()


def texts() -> dict[str, str]:
    """What the study of the same question says in words."""
    folder = SHIPPED / "architectures"
    return {f"{path.stem}_text": path.read_text().strip() for path in folder.glob("*.md")}


def alexnet() -> dict[str, str]:
    """3.1: each layer's parameters, with two groups and without."""
    grouped, whole = told(ALEXNET), told(f"{ALEXNET} groups=1")
    rows = [
        (layer["layer"], _window(layer), times(layer["output"]), as_code(layer["written_out"]))
        for layer in grouped["layers"]
        if layer["kind"] in WITH_WINDOW
    ]
    pairs = zip(whole["layers"], grouped["layers"], strict=True)
    return {
        "alexnet_command": as_command(ALEXNET),
        "alexnet_table": table(("layer", "window", "output", "parameters"), rows),
        "alexnet_sum": summed(filter(None, map(own, grouped["layers"]))),
        "alexnet_weights": f"{grouped['weights']:,}",
        "alexnet_biases": f"{grouped['biases']:,}",
        "alexnet_changed": ", ".join(as_code(one["written_out"]) for one, two in pairs if own(one) != own(two)),
        "alexnet_whole": f"{own(whole):,}",
    }


def vgg19() -> dict[str, str]:
    """3.2: the homework's table 1."""
    command = f"{VGG19} --no-bias"
    found, names = told(command), {"Conv2d": "CONV3-{}", "MaxPool2d": "POOL2", "Linear": "FC"}
    rows, activations = [], math.prod(found["input_shape"])
    rows.append(("Input", f"`{spread(found['input_shape'])} = {activations:,}`", "0"))
    pools, early = 0, 0
    for layer in (layer for layer in found["layers"] if layer["kind"] in names):
        shape = sizes(layer["output"])
        product = f"{spread(shape)} = " if len(shape) > 1 else ""
        kept = f"`{product}{layer['activations']:,}`"
        rows.append((names[layer["kind"]].format(shape[0]), kept, as_code(layer["written_out"]) or "0"))
        pools += layer["kind"] == "MaxPool2d"
        early += layer["activations"] if pools < 2 and layer["kind"] == "Conv2d" else 0
    activations += found["activations"]
    rows.append(("TOTAL", f"{activations:,}", f"{found['weights']:,}"))
    first = next(layer for layer in found["layers"] if layer["kind"] == "Linear")
    return {
        "vgg_command": as_command(command),
        "vgg_table": table(("layer", "activations (memory)", "parameters (compute)"), rows),
        "vgg_activation_bytes": f"{4 * activations / 1e6:.1f} MB",
        "vgg_weight_bytes": f"{4 * found['weights'] / 1e6:.1f} MB",
        "vgg_biased": f"{own(told(VGG19)):,}",
        "vgg_early_activations": f"{100 * early / activations:.0f} %",
        "vgg_first_linear": f"{100 * first['weights'] / found['weights']:.0f} %",
    }


def stacks() -> dict[str, str]:
    """3.3: receptive fields of N convolutions of F x F, as traced."""
    windows = (3, 5, 7)
    rows = [(str(n), *(str(stacked_field(n, size)) for size in windows)) for n in range(1, 6)]
    field, weights = stacked_field(3, 5), 3 * 5 * 5
    return {
        "stack_table": table(("N", *(f"F = {size}" for size in windows)), rows),
        "stack_field": str(field),
        "stack_weights": str(weights),
        "stack_single": str(field**2),
        "stack_times": f"{field**2 / weights:.2f}",
    }


def inception() -> dict[str, str]:
    """3.4: output sizes, multiplications and what the reduction saves."""
    models = told(INCEPTION)["models"]
    counts = [model["multiply_adds"] for model in models]
    small = [model["multiply_adds"] for model in told(f"{INCEPTION} --input-shape 256,28,28")["models"]]
    filled = {
        "inception_command": as_command(INCEPTION),
        "inception_ratio": f"{counts[0]:,} / {counts[1]:,} = {counts[0] / counts[1]:.3f}",
        "inception_saving": f"{100 * (1 - counts[1] / counts[0]):.2f} %",
        "naive_small": f"{small[0]:,}",
        "reduced_small": f"{small[1]:,}",
    }
    for name, model in zip(("naive", "reduced"), models, strict=True):
        rows = [layer for layer in model["layers"] if layer["multiply_adds"]]
        cells = [(row["layer"], times(row["output"]), as_code(row["multiply_adds_written_out"])) for row in rows]
        last = {layer["layer"].partition(".")[0]: sizes(layer["output"])[0] for layer in model["layers"]}
        side = " x ".join(map(str, model["output_shape"][1:]))
        filled |= {
            f"{name}_output": f"{side} x ({' + '.join(map(str, last.values()))}) = {side} x {model['output_shape'][0]}",
            f"{name}_table": table(("convolution", "output", "multiplications"), cells),
            f"{name}_sum": summed(row["multiply_adds"] for row in rows),
        }
    return filled


def _window(layer: Layer) -> str:
    if not layer["kernel"]:
        return ""
    return f"{times(layer['kernel'])}, stride {layer['stride'].split('x')[0]}, padding {layer['padding'].split('x')[0]}"
