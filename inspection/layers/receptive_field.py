"""Receptive fields by the recurrence: which pixels a unit can depend on, along one side of the image.

A unit of a feature map sees an interval of pixels; its neighbour sees the same interval, `jump` pixels further. Behind
a window of F units at stride s both follow from the ones before it (field r, jump j): r + (F - 1) j, and j s. Branches
that meet see the union. N stacked F x F convolutions of stride 1 so give N F - N + 1.

An interval has no gaps: what a dilated window leaves out within it, or at the image's border, counts as seen.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Axis:
    """What the units of one tensor see along one side of the image.

    Attributes:
        dim: the tensor's dimension along which the units follow each other; None where they no longer do.
        outer: how many times this side is repeated within `dim`, where a reshape joined it to others; 1 if it is alone.
        size: units along this side.
        low: first pixel that the first unit sees; negative within the padding. Where `whole`, that any unit sees.
        high: last pixel, likewise, inclusive.
        jump: pixels from one unit to the next.
        least, most: first and last pixel that any unit sees: within the image, without what a stride left over.
        whole: every unit sees `low` to `high`, as behind a linear layer or a global mean.
        exact: False where an operation that the recurrence does not know makes this a bound from above.
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
        """The image's own side, `size` pixels along dimension `dim`."""
        return cls(dim=dim, size=size, most=size - 1)

    def pixels(self, unit: int) -> tuple[int, int]:
        """First and last pixel that a unit sees of the image."""
        shift = 0 if self.whole else unit * self.jump
        return max(self.low + shift, self.least), min(self.high + shift, self.most)

    @property
    def field(self) -> int:
        """Pixels across, padding included; of a unit that sees all, those of the image."""
        return self.most - self.least + 1 if self.whole else self.high - self.low + 1


def window(axis: Axis, size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Axis:
    """Behind a convolution or a pooling that leaves `size` units."""
    after = replace(axis, size=size, jump=axis.jump * stride)
    if axis.whole:
        return after
    low = axis.low - padding * axis.jump
    return _limited(replace(after, low=low, high=axis.high + ((kernel - 1) * dilation - padding) * axis.jump))


def narrowed(axis: Axis, size: int, start: int, step: int = 1) -> Axis:
    """Behind a slice of every `step`-th unit from `start` on; padding is a slice from a negative start."""
    shift = 0 if axis.whole else start * axis.jump
    return _limited(replace(axis, size=size, jump=axis.jump * step, low=axis.low + shift, high=axis.high + shift))


def _limited(axis: Axis) -> Axis:
    """With no pixel counted as seen that lies beyond the first and the last unit."""
    last = axis.high if axis.whole else axis.high + (axis.size - 1) * axis.jump
    return replace(axis, least=max(axis.least, axis.low), most=min(axis.most, last))


def joined(axis: Axis, *, exact: bool = True) -> Axis:
    """Behind an operation of which every unit sees all units: the union over the side."""
    high = axis.high if axis.whole else axis.high + (axis.size - 1) * axis.jump
    return replace(axis, dim=None, outer=1, high=high, whole=True, exact=axis.exact and exact)


def union(first: Axis, second: Axis) -> Axis:
    """Where two branches meet, unit by unit: a sum of residuals, or channels side by side.

    Units of unlike steps do not pair off; then each is taken to see all that any of both sees.
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
