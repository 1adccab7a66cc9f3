"""Shapes and counts of a model, layer by layer, from one forward pass on the meta device, which computes no values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.hooks import RemovableHandle

from inspection.inputs import Input, Inputs, inputs_of
from inspection.layers.arithmetic import is_bias, multiplications, parameter_count
from inspection.layers.field_tracing import Fields, FieldTracer
from inspection.layers.multiply_adds import MultiplyAdds
from inspection.layers.parametrized import kind, layers, parametrizations


@dataclass(frozen=True)
class Layer:
    """One execution of a layer; numbers are for one image.

    Attributes:
        name: path of the layer in the model.
        kind: class of the layer.
        output_shape: shape of its first output without the batch; empty for parameters that belong to no layer.
        kernel, stride, padding, dilation: geometry of a convolution or a pooling, else empty.
        fields: receptive field of its units along height and width (`receptive_field.Axis`), None where unknown.
        activations: number of values that it adds to memory; 0 where it works in place or returns a view, so that a
            unit and its nonlinearity count once.
        weights, biases: number of parameters that no earlier row has counted.
        multiply_adds: number of multiplications in its convolutions and matrix products.
        unknown: operations that may multiply matrices and are not counted: with any, `multiply_adds` is a lower bound.
        written: number of parameters, with its arithmetic.
        multiplied: number of multiplications with its arithmetic, for convolutions and linear layers.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    fields: Fields | None = None
    activations: int = 0
    weights: int = 0
    biases: int = 0
    multiply_adds: int = 0
    unknown: tuple[str, ...] = ()
    written: str = ""
    multiplied: str = ""


@dataclass(frozen=True)
class Trace:
    """All layers in the order of execution.

    Attributes:
        layers: one row for each execution of a layer; parameters that belong to no layer come last.
        inputs: inputs of the module.
        output_shape: shape of the first output, without the batch.
        fields: receptive field of that output's units.
        multiply_adds: number in the whole pass; exceeds the layers' sum where some happen outside of layers.
        unknown: operations that may multiply matrices and are not counted: with any, `multiply_adds` is a lower bound.
    """

    layers: tuple[Layer, ...]
    inputs: tuple[Input, ...]
    output_shape: tuple[int, ...]
    fields: Fields | None
    multiply_adds: int
    unknown: tuple[str, ...] = ()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the first input, without the batch."""
        return self.inputs[0].shape

    def total(self, column: str) -> int:
        """The sum of a column: activations, weights, biases or multiply_adds."""
        return sum(getattr(layer, column) for layer in self.layers)


class NoTensor(ValueError):
    """A module returned no tensor."""


def trace(module: nn.Module, inputs: Inputs) -> Trace:
    """Run one image through the module in evaluation mode, and record what each layer does.

    Args:
        module: model on the meta device; left in evaluation mode.
        inputs: (channels, height, width) of its images, or its inputs.

    Raises:
        NoTensor: the module returns no tensor.
        Exception: whatever the module raises on such an input.
    """
    inputs = inputs_of(inputs)
    batch = [one.empty(1, _dtype(module)) for one in inputs]
    pictures = [tensor for tensor, one in zip(batch, inputs, strict=True) if one.is_picture]
    counter, tracer = MultiplyAdds(), FieldTracer(*pictures)
    rows: list[Layer] = []
    handles = _watch(module, rows, counter, tracer, counted := set[int]())
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # fused attention hides its operations
    try:
        with torch.no_grad(), counter, tracer:
            out = _tensor_in(module.eval()(*batch))
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
        for handle in handles:
            handle.remove()
    if out is None:
        raise NoTensor("it gives no tensor")
    rows += _left_over(module, counted)
    shape = tuple(out.shape[1:])
    return Trace(tuple(rows), inputs, shape, tracer.fields(out), counter.count, _once(counter.unknown))


def _dtype(module: nn.Module) -> torch.dtype:
    return next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)


def _watch(
    module: nn.Module, rows: list[Layer], counter: MultiplyAdds, tracer: FieldTracer, counted: set[int]
) -> list[RemovableHandle]:
    """Hooks that add a row after each layer's forward pass."""
    handles = []
    for part in parametrizations(module):  # computed once for a batch of any size
        aside: list[Any] = []

        def leave(part: nn.Module, inputs: Any, aside: list[Any] = aside) -> None:
            aside.append(counter.aside())
            aside[-1].__enter__()

        def resume(part: nn.Module, inputs: Any, output: Any, aside: list[Any] = aside) -> None:
            aside.pop().__exit__(None, None, None)

        handles += [part.register_forward_pre_hook(leave), part.register_forward_hook(resume)]
    for name, layer in layers(module):
        before: list[tuple[int, int]] = []

        def start(layer: nn.Module, inputs: Any, before: list[tuple[int, int]] = before) -> None:
            before.append((counter.count, len(counter.unknown)))

        def finish(
            layer: nn.Module, inputs: Any, output: Any, before: list[tuple[int, int]] = before, name: str = name
        ) -> None:
            count, known = before.pop()
            multiplied, unknown = counter.count - count, _once(counter.unknown[known:])
            if (out := _tensor_in(output)) is None:
                return
            own = parameter_count(layer, counted)
            rows.append(
                Layer(
                    name or kind(layer),
                    kind(layer),
                    tuple(out.shape[1:]),
                    **_geometry(layer, out.ndim - 2),
                    fields=tracer.fields(out),
                    activations=_new_values(inputs, output),
                    weights=own.weights,
                    biases=own.biases,
                    multiply_adds=multiplied,
                    unknown=unknown,
                    written=own.written,
                    multiplied=multiplications(layer, out.shape[1:], multiplied),
                )
            )

        handles += [layer.register_forward_pre_hook(start), layer.register_forward_hook(finish)]
    return handles


def _left_over(module: nn.Module, counted: set[int]) -> list[Layer]:
    """A row for each parameter of no executed layer: position embeddings, block scales, unused layers."""
    rows = []
    for name, parameter in module.named_parameters():
        if id(parameter) not in counted:
            counted.add(id(parameter))
            weights, biases = (0, parameter.numel()) if is_bias(name) else (parameter.numel(), 0)
            written = f"{'*'.join(map(str, parameter.shape))} = {parameter.numel():,}"
            rows.append(Layer(name, "in no layer", (), weights=weights, biases=biases, written=written))
    return rows


def _geometry(layer: nn.Module, sides: int) -> dict[str, tuple[int, ...]]:
    kernel = getattr(layer, "kernel_size", None)
    if kernel is None:
        return {}
    given = {
        "kernel": kernel,
        "stride": getattr(layer, "stride", 1) or kernel,  # a pooling's own default
        "dilation": getattr(layer, "dilation", 1),
        "padding": getattr(layer, "padding", 0),
    }
    same, given["padding"] = given["padding"] == "same", 0 if isinstance(given["padding"], str) else given["padding"]
    values = {key: (value,) * sides if isinstance(value, int) else tuple(value) for key, value in given.items()}
    if same:
        windows = zip(values["kernel"], values["dilation"], strict=True)
        values["padding"] = tuple(apart * (side - 1) // 2 for side, apart in windows)
    return values


def _new_values(inputs: Any, output: Any) -> int:
    """Number of values in the output, without tensors in a storage of the inputs; each storage counts once."""
    there = {_storage(one) for one in tree_leaves(inputs) if isinstance(one, Tensor)}
    new = {_storage(one): one.numel() for one in tree_leaves(output) if isinstance(one, Tensor)}
    return sum(count for storage, count in new.items() if storage not in there)


def _once(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _tensor_in(output: Any) -> Tensor | None:
    tensors: list[Tensor] = [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
    return tensors[0] if tensors else None


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
