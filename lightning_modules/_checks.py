"""Checks of the architectures' arguments: each ValueError names the argument, the value given and the remedy."""

from collections.abc import Sequence


def require_positive(**sizes: int) -> None:
    """Raise ValueError unless every named size is at least 1."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}: give a positive whole number")


def require_probability(**probabilities: float) -> None:
    """Raise ValueError unless every named dropout probability lies in [0, 1)."""
    for name, probability in probabilities.items():
        if not 0 <= probability < 1:
            raise ValueError(f"{name} must lie in [0, 1), got {probability}: try 0.5, or 0 for no dropout")


def require_choice(name: str, value: object, choices: Sequence[object]) -> None:
    """Raise ValueError unless `value` is one of `choices`."""
    if value not in choices:
        listed = ", ".join(map(str, choices))
        raise ValueError(f"{name} must be one of {listed}, got {value}: choose one of them")


def require_image_size(architecture: str, image_size: int, *, exactly: int) -> None:
    """Raise ValueError unless images have the one size that a fixed chain of layers takes."""
    if image_size != exactly:
        raise ValueError(
            f"{architecture} takes images of {exactly} x {exactly}, got {image_size} x {image_size}: "
            f"set data.init_args.image_size to {exactly}"
        )


def require_image_size_from(architecture: str, image_size: int, *, smallest: int) -> None:
    """Raise ValueError where the last feature map would be empty."""
    if image_size < smallest:
        raise ValueError(
            f"{architecture} takes images of {smallest} x {smallest} or larger, got {image_size} x {image_size}: "
            f"set data.init_args.image_size to {smallest} or more"
        )
