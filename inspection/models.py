"""Models by name, built on the meta device: Cadence's, torchvision's, or any `nn.Module` by import path."""

import difflib
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from math import inf
from typing import Any

import torch
from torch import nn

from inspection import first_line
from inspection.inputs import Input, Inputs, inputs_of

Builder = Callable[..., nn.Module]
_NAMED = {"bool": bool, "int": int, "str": str}


@dataclass(frozen=True)
class Found:
    """A model that was found, but not built yet.

    Attributes:
        name: name by which it was found.
        builder: class or function that builds it.
        fixed: arguments that the user cannot set.
        default_shape: default shape of its images, (channels, height, width); None where the options decide.
    """

    name: str
    builder: Builder
    fixed: Mapping[str, Any]
    default_shape: tuple[int, int, int] | None

    def shape(self, options: Mapping[str, Any]) -> tuple[int, ...]:
        """The shape of one image, (channels, height, width), from the options and the constructor's defaults.

        Raises:
            ValueError: neither gives the shape.
        """
        if self.default_shape is not None:
            return self.default_shape
        known = {**_defaults(self.builder), **options}
        channels, side = known.get("in_channels"), known.get("image_size", 32 if self._ours else None)
        if not isinstance(channels, int) or not isinstance(side, int):
            raise ValueError(f"{self.name} does not tell the size of its images: give it, e.g. --input-shape 3,32,32")
        return channels, side, side

    def build(self, options: Mapping[str, Any], inputs: Inputs | None = None) -> nn.Module:
        """The model on the meta device.

        Args:
            options: arguments of the constructor.
            inputs: (channels, height, width) of its images, or its inputs. An image sets `in_channels` and `image_size`
                where the constructor takes them.

        Raises:
            ValueError: the constructor refuses, or knows no such option; or the module takes other inputs.
        """
        given = () if inputs is None else inputs_of(inputs)
        options = dict(options)
        accepted = _accepted(self.builder)
        if self._ours:
            self._refuse_other_than_images(given)
        if given and given[0].is_picture and len(given[0].shape) == 3:
            for name, size in zip(("in_channels", "image_size"), given[0].shape, strict=False):
                if name in accepted:
                    options.setdefault(name, size)
        for name, value in options.items():
            self._check(name, value, accepted)
        try:
            with torch.device("meta"), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # warnings of libraries about their own defaults
                model = self.builder(**options, **self.fixed)
        except Exception as error:
            if not isinstance(error, RuntimeError) and "meta" not in str(error):
                raise ValueError(_told(self.name, error)) from error
            model = self._built(options).to("meta")  # the constructor reads values, which the meta device has none of
        if not isinstance(model, nn.Module):
            raise ValueError(f"{self.name} makes no torch.nn.Module but a {type(model).__name__}: name a module")
        self._check_number(model, len(given) or 1)
        return model

    def _built(self, options: Mapping[str, Any]) -> nn.Module:
        try:
            return self.builder(**options, **self.fixed)
        except Exception as error:
            raise ValueError(_told(self.name, error)) from error

    def _refuse_other_than_images(self, inputs: Sequence[Input]) -> None:
        for one in inputs:
            if len(one.shape) != 3 or one.dtype is not None:
                raise ValueError(f"{self.name} takes images, got {one}: give C,H,W, e.g. --input-shape 3,32,32")

    def _check_number(self, model: nn.Module, number: int) -> None:
        needed, taken, most = _inputs(model)
        if not most or not set(needed) <= set(taken):
            raise ValueError(f"{self.name} takes no input by its position: only modules that do can be described")
        if number < len(needed):
            listed = f"{len(needed)} inputs ({', '.join(needed)})"
            raise ValueError(f"{self.name} takes {listed}: give an --input-shape for each, in their order")
        if number > most:
            listed = f"{most} input{'s' if most > 1 else ''} ({', '.join(taken)})"
            raise ValueError(f"{self.name} takes {listed}, got {number}: give --input-shape as many times")

    @property
    def _ours(self) -> bool:
        return self.builder.__module__.startswith("lightning_modules.")

    def _check(self, name: str, value: Any, accepted: Mapping[str, Any]) -> None:
        if name not in accepted and accepted.get("**") is None:
            near = difflib.get_close_matches(name, accepted, n=1)
            hint = f"nearest: {near[0]}" if near else f"it has: {', '.join(accepted) or 'none'}"
            raise ValueError(f"{name}={value}: {self.name} has no such option; {hint}")
        kind = accepted.get(name)
        kind = _NAMED.get(kind, kind) if isinstance(kind, str) else kind
        if kind in (bool, int, str) and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            wanted = {bool: "true or false", int: "a whole number", str: "text"}[kind]
            raise ValueError(f"{name}={value}: {self.name} takes {wanted} for it")


def find(name: str) -> Found:
    """Look up a model by name, without building it.

    Args:
        name: class of `lightning_modules`, model of torchvision, or import path `package.module.Class`.

    Raises:
        ValueError: there is none, or it is no module; names the nearest.
    """
    if "." in name:
        return _imported(name)
    from torchvision.models import list_models

    theirs = list_models()
    if name in theirs:
        return _of_torchvision(name)
    import lightning_modules  # takes seconds, which models of torchvision and import paths are spared

    ours = [known for known in lightning_modules.__all__ if known != "ImageClassifier"]
    if name in ours:
        return Found(name, getattr(lightning_modules, name), {}, None)
    by_lower = {known.lower(): known for known in [*theirs, *ours]}
    near = [by_lower[word] for word in difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.5)]
    hint = f"nearest: {', '.join(near)}" if near else f"there are {', '.join(ours)}"
    raise ValueError(f"there is no model {name!r}: {hint}; torchvision's by name, others as package.module.Class")


def _of_torchvision(name: str) -> Found:
    """The untrained model, for images of the size at which its published weights were tested, mostly 224."""
    from torchvision.models import get_model_builder, get_model_weights

    builder = get_model_builder(name)
    off = {key: None for key in ("weights", "weights_backbone") if key in inspect.signature(builder).parameters}
    published = next(iter(get_model_weights(name)), None)
    side = getattr(getattr(published, "transforms", None), "keywords", {}).get("crop_size", 224)
    side = side if isinstance(side, int) else 224
    return Found(name, builder, off, (3, side, side))


def _imported(path: str) -> Found:
    module, _, attribute = path.rpartition(".")
    try:
        builder = getattr(import_module(module), attribute)
    except AttributeError as error:
        raise ValueError(f"{path}: {module} has no {attribute}: check the spelling") from error
    except Exception as error:
        raise ValueError(f"{path} cannot be imported ({type(error).__name__}: {error}): check the path") from error
    abstract = inspect.isclass(builder) and (builder is nn.Module or not issubclass(builder, nn.Module))
    if abstract or not callable(builder):
        raise ValueError(f"{path} is no class of torch.nn.Module: name one, as package.module.Class")
    return Found(path, builder, {}, None)


def _accepted(builder: Builder) -> dict[str, Any]:
    """Names and annotations of a constructor's arguments, with those of base classes that its `**kwargs` pass on.

    The key `**` stands for arguments of any name.
    """
    accepted: dict[str, Any] = {}
    bases = inspect.getmro(builder) if inspect.isclass(builder) else ()
    constructors = [vars(base)["__init__"] for base in bases if "__init__" in vars(base)] or [builder]
    for constructor in constructors:
        parameters = inspect.signature(constructor).parameters.values()
        named = (p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != "self")
        accepted |= {p.name: p.annotation for p in named if p.name not in accepted}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return accepted
    return accepted | {"**": object}


def _defaults(builder: Builder) -> dict[str, Any]:
    return {name: p.default for name, p in inspect.signature(builder).parameters.items() if p.default is not p.empty}


def _told(name: str, error: Exception) -> str:
    first = first_line(error)
    if not isinstance(error, ValueError):
        return f"{name} cannot be built ({type(error).__name__}: {first}): see to its options"
    return first if first.startswith(name) else f"{name}: {first}"


def _inputs(module: nn.Module) -> tuple[list[str], list[str], float]:
    """Names of the inputs that `forward` requires, of all that it takes by position, and how many these may be."""
    parameters = inspect.signature(module.forward).parameters.values()
    taken = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return needed, taken, inf if any(p.kind is p.VAR_POSITIONAL for p in parameters) else len(taken)
