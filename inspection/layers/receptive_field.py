"""Receptive fields by recurrence: on which pixels a unit can depend, along one side of the image.

A unit of a feature map sees an interval of pixels; its neighbour sees the same interval, `jump` pixels further. A
window of F units with stride s turns field r and jump j into r + (F - 1) j and j s. Where branches meet, a unit sees
the union. So N stacked F x F convolutions of stride 1 give N F - N + 1.

Intervals have no gaps: pixels that a dilated window skips within its interval, or at the border, count as seen.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Axis:
    """What the units of one tensor see along one side of the image.

    Attributes:
        dim: dimension of the tensor along which the units are ordered by place; None where there is none any more.
        outer: number of times this side is repeated within `dim` after a reshape merged dimensions; 1 if it is alone.
        size: number of units along this side.
        low: first pixel that the first unit (any unit, if `whole`) sees; negative within the padding.
        high: last pixel that the first unit (any unit, if `whole`) sees, inclusive.
        jump: distance in pixels from one unit's interval to the next one's.
        least, most: first and last pixel of the image that any unit sees, without pixels that a stride leaves over.
        whole: whether every unit sees `low` to `high`, as after a linear layer or a global mean.
        exact: whether the interval is exact; False for an upper bound, after an operation without a rule.
    """

    dim: int | None
    size: int
    outer: int = 1
    low: int = 0
    high: int = 0
    jump: int = 1
    least: int = 0
    most: int = 0
    whole: bool = False
    exact: bool = True

    @classmethod
    def of_image(cls, dim: int, size: int) -> "Axis":
        """The axis of the image itself, `size` pixels along dimension `dim`."""
        return cls(dim=dim, size=size, most=size - 1)

    def pixels(self, unit: int) -> tuple[int, int]:
        """First and last pixel of the image that a unit sees."""
        shift = 0 if self.whole else unit * self.jump
        return max(self.low + shift, self.least), min(self.high + shift, self.most)

    @property
    def field(self) -> int:
        """Width of a unit's interval in pixels, padding included; without padding if every unit sees everything."""
        return self.most - self.least + 1 if self.whole else self.high - self.low + 1


def window(axis: Axis, size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Axis:
    """The axis after a convolution or a pooling with `size` units in its output."""
    after = replace(axis, size=size, jump=axis.jump * stride)
    if axis.whole:
        return after
    low = axis.low - padding * axis.jump
    return _limited(replace(after, low=low, high=axis.high + ((kernel - 1) * dilation - padding) * axis.jump))


def narrowed(axis: Axis, size: int, start: int, step: int = 1) -> Axis:
    """The axis after a slice: every `step`-th unit from `start` on; padding is a slice from a negative start."""
    shift = 0 if axis.whole else start * axis.jump
    return _limited(replace(axis, size=size, jump=axis.jump * step, low=axis.low + shift, high=axis.high + shift))


def _limited(axis: Axis) -> Axis:
    """The axis with `least` and `most` cut to the pixels that the first to the last unit see."""
    last = axis.high if axis.whole else axis.high + (axis.size - 1) * axis.jump
    return replace(axis, least=max(axis.least, axis.low), most=min(axis.most, last))


def joined(axis: Axis, *, exact: bool = True) -> Axis:
    """The axis after an operation whose every output unit sees all input units: the union over the side."""
    high = axis.high if axis.whole else axis.high + (axis.size - 1) * axis.jump
    return replace(axis, dim=None, outer=1, high=high, whole=True, exact=axis.exact and exact)


def union(first: Axis, second: Axis) -> Axis:
    """The axis where two branches meet unit by unit: a residual sum, or concatenated channels.

    If the branches differ in size or jump, their units do not correspond; each is then assumed to see what any sees.
    """
    alike = (first.dim, first.size, first.outer, first.jump) == (second.dim, second.size, second.outer, second.jump)
    exact = first.exact and second.exact
    laid = first if first.dim is not None else second
    whole = first.whole or second.whole or not alike
    if whole:
        first, second = joined(first), joined(second)
        exact = exact and (alike or laid.dim is None or first.whole)
    return replace(
        laid,
        low=min(first.low, second.low),
        high=max(first.high, second.high),
        least=min(first.least, second.least),
        most=max(first.most, second.most),
        whole=whole,
        exact=exact,
    )
