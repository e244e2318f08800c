"""The index rule: which input every kernel element of every output reads.

This is the one place where the rule of convolution arithmetic stands. Loops compile it, pictures
trace it, closed formulas are checked against it by enumeration. In the vocabulary of XLA's
``WindowDimension``, on one spatial axis::

    i = o * stride + k * dilation - pad_before         output o, kernel element k (from the far end if `reversed`)
    padding         if i < 0 or i > (input_size - 1) * input_dilation
    inserted zero   else, if i % input_dilation != 0   (strictly between the first and the last datum)
    datum           else, at i // input_dilation

A map of one axis (input 5, kernel 3, stride 2, padding 1 before and after)::

    padded input     .  0  1  2  3  4  .        . is padding
    output 0        [k0 k1 k2]
    output 1              [k0 k1 k2]
    output 2                    [k0 k1 k2]

A transposed convolution is the same rule at stride 1 over an input with ``input_dilation - 1`` zeros
inserted between neighbours, the kernel `reversed`; see `AxisGeometry.transposed`.

Specification
-------------
Every check names the constraint it enforces.

- G1. ``input_size >= 1``
- G2. ``kernel_size >= 1``
- G3. ``stride >= 1``
- G4. ``dilation >= 1``
- G5. ``input_dilation >= 1``
- G6. Padding is a whole number; a negative amount crops.
- G7. ``dilated_kernel_size <= padded_size``, so that there is at least one output.
- G8. There are one to three spatial axes.
- G9. ``groups >= 1``
- G10. The input channels divide by `groups`.
- G11. The filters divide by `groups`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any, NamedTuple

from refconv.arguments import whole_number
from refconv.errors import ConvError

PADDING_INDEX = -1
INSERTED_ZERO_INDEX = -2


class AxisGeometry(NamedTuple):
    """One spatial axis of a convolution, in whole numbers.

    Attributes
    ----------
    input_size, kernel_size : int
        Number of data and of kernel elements.
    stride, dilation : int
        Step between outputs, and between kernel elements.
    pad_before, pad_after : int
        Cells added before the first and after the last (dilated) datum; negative crops.
    input_dilation : int
        Step between data; ``input_dilation - 1`` zeros stand between neighbours.
    reversed : bool
        Whether kernel elements are counted from the far end (the kernel is flipped).

    Examples
    --------
    >>> axis = AxisGeometry(input_size=6, kernel_size=3, stride=2, pad_before=1, pad_after=1)
    >>> axis.output_size, axis.padded_size, axis.unread
    (3, 8, 1)
    """

    input_size: int
    kernel_size: int
    stride: int = 1
    dilation: int = 1
    pad_before: int = 0
    pad_after: int = 0
    input_dilation: int = 1
    reversed: bool = False

    @classmethod
    def transposed(
        cls,
        input_size: int,
        kernel_size: int,
        stride: int = 1,
        dilation: int = 1,
        crop_before: int = 0,
        crop_after: int = 0,
    ) -> AxisGeometry:
        """Build the axis of a transposed convolution from the crop of its full output.

        The full output has ``(input_size - 1) * stride + dilated_kernel_size`` cells; `crop_before`
        and `crop_after` of them are dropped, and a negative crop appends zeros.

        Source: arXiv:1603.07285, section 4; read as a gather over the zero-inserted input.

        Examples
        --------
        >>> AxisGeometry.transposed(10, 3, stride=2).output_size
        21
        """
        reach = (kernel_size - 1) * dilation
        return cls(
            input_size=input_size,
            kernel_size=kernel_size,
            dilation=dilation,
            pad_before=reach - crop_before,
            pad_after=reach - crop_after,
            input_dilation=stride,
            reversed=True,
        )

    @property
    def dilated_kernel_size(self) -> int:
        """Cells from the first to the last kernel element, both counted."""
        return (self.kernel_size - 1) * self.dilation + 1

    @property
    def dilated_input_size(self) -> int:
        """Cells from the first to the last datum, inserted zeros counted."""
        return (self.input_size - 1) * self.input_dilation + 1

    @property
    def padded_size(self) -> int:
        """Cells that the kernel may cover: data, inserted zeros and padding."""
        return self.dilated_input_size + self.pad_before + self.pad_after

    @property
    def output_size(self) -> int:
        """Number of places where the whole dilated kernel fits, 0 where it never does."""
        return max((self.padded_size - self.dilated_kernel_size) // self.stride + 1, 0)

    @property
    def unread(self) -> int:
        """Cells at the far end of the padded input that no output reads: what the floor drops."""
        if self.output_size == 0:
            return self.padded_size
        return self.padded_size - ((self.output_size - 1) * self.stride + self.dilated_kernel_size)

    @property
    def crop(self) -> tuple[int, int]:
        """Cells cut off the full output of a transposed axis, before and after; negative extends."""
        reach = self.dilated_kernel_size - 1
        return reach - self.pad_before, reach - self.pad_after

    def adjoint(self) -> AxisGeometry:
        """Return the axis of the adjoint map: the transposed convolution of a convolution, and back.

        Its input is this axis' output and the other way round: what output `o` reads through kernel
        element `k`, the adjoint adds to through the same `k`.

        Examples
        --------
        >>> AxisGeometry(5, 3, stride=2).adjoint() == AxisGeometry.transposed(2, 3, stride=2)
        True
        """
        pad_before = self.dilated_kernel_size - 1 - self.pad_before
        covered = (self.input_size - 1) * self.input_dilation + self.dilated_kernel_size
        return AxisGeometry(
            input_size=self.output_size,
            kernel_size=self.kernel_size,
            stride=self.input_dilation,
            dilation=self.dilation,
            pad_before=pad_before,
            pad_after=covered - ((self.output_size - 1) * self.stride + 1) - pad_before,
            input_dilation=self.stride,
            reversed=not self.reversed,
        )

    def input_sizes_sharing_output(self) -> range:
        """Return all input sizes that give this axis' output size, other numbers unchanged.

        Examples
        --------
        >>> AxisGeometry(6, 3, stride=2, pad_before=1, pad_after=1).input_sizes_sharing_output()
        range(5, 7)
        """
        # The padded sizes that share an output are `stride` consecutive ones, of which every
        # `input_dilation`-th is the padded size of some input.
        smallest = (self.output_size - 1) * self.stride + self.dilated_kernel_size
        fixed = 1 + self.pad_before + self.pad_after
        first = max(-((fixed - smallest) // self.input_dilation) + 1, 1)
        last = (smallest + self.stride - 1 - fixed) // self.input_dilation + 1
        return range(first, last + 1)

    def check(self, argument: str = "geometry") -> AxisGeometry:
        """Return this axis if it satisfies G1 to G7.

        Raises
        ------
        ConvError
            Naming the constraint that is broken and what would work.
        """
        for number, name in (
            ("G1", "input_size"),
            ("G2", "kernel_size"),
            ("G3", "stride"),
            ("G4", "dilation"),
            ("G5", "input_dilation"),
        ):
            if whole_number(name, getattr(self, name)) < 1:
                raise ConvError(name, getattr(self, name), "must be at least 1", "use 1 or more", number)
        for name in ("pad_before", "pad_after"):
            whole_number(name, getattr(self, name))
        if self.output_size < 1:
            padding = self.pad_before + self.pad_after
            missing = self.dilated_kernel_size - 1 - padding
            smallest = max(-(-missing // self.input_dilation) + 1, 1)
            raise ConvError(
                argument,
                self.input_size,
                f"the dilated kernel spans {self.dilated_kernel_size} but the padded input is {self.padded_size}",
                f"the smallest input here is {smallest}, or use padding='same'",
                "G7",
            )
        return self

    def taps(self, output_index: int) -> tuple[Tap, ...]:
        """Return what each kernel element reads at one output, in the order of the weights.

        Examples
        --------
        >>> [tap.kind.name for tap in AxisGeometry(5, 3, pad_before=1, pad_after=1).taps(0)]
        ['PADDING', 'DATA', 'DATA']
        """
        return tuple(_axis_tap(self, output_index, k) for k in range(self.kernel_size))


def dilated_index(o: int, k: int, axis: AxisGeometry) -> int:
    """Return the cell of the dilated input that kernel element `k` covers at output `o`."""
    if axis.reversed:
        k = axis.kernel_size - 1 - k
    return o * axis.stride + k * axis.dilation - axis.pad_before


def input_index(o: int, k: int, axis: AxisGeometry) -> int:
    """Return the datum that kernel element `k` reads at output `o`, or a negative number.

    `PADDING_INDEX` (-1) is padding and `INSERTED_ZERO_INDEX` (-2) a zero between two data. This is
    the index rule; Numba compiles this very function for every loop.

    Examples
    --------
    >>> axis = AxisGeometry(5, 3, stride=2, pad_before=1, pad_after=1)
    >>> [input_index(1, k, axis) for k in range(3)]
    [1, 2, 3]
    >>> input_index(0, 0, axis)
    -1
    """
    i = dilated_index(o, k, axis)
    if i < 0 or i > (axis.input_size - 1) * axis.input_dilation:
        return PADDING_INDEX
    if i % axis.input_dilation != 0:
        return INSERTED_ZERO_INDEX
    return i // axis.input_dilation


class TapKind(Enum):
    """What stands under a kernel element."""

    DATA = "data"
    PADDING = "padding"
    INSERTED_ZERO = "inserted zero"


class Tap(NamedTuple):
    """One kernel element at one output.

    Attributes
    ----------
    kind : TapKind
        What it covers.
    kernel_index : tuple of int
        Which weight it is, per axis.
    cell : tuple of int
        The cell of the dilated input it covers, per axis; negative in the padding before.
    input_index : tuple of int or None
        The datum it reads, per axis; None where there is none.
    """

    kind: TapKind
    kernel_index: tuple[int, ...]
    cell: tuple[int, ...]
    input_index: tuple[int, ...] | None


def _axis_tap(axis: AxisGeometry, o: int, k: int) -> Tap:
    index = input_index(o, k, axis)
    kind = {PADDING_INDEX: TapKind.PADDING, INSERTED_ZERO_INDEX: TapKind.INSERTED_ZERO}.get(index, TapKind.DATA)
    return Tap(kind, (k,), (dilated_index(o, k, axis),), (index,) if kind is TapKind.DATA else None)


@dataclass(frozen=True)
class ConvGeometry:
    """All spatial axes of a convolution, and its groups.

    Parameters
    ----------
    axes : tuple of AxisGeometry
        One to three axes, the slowest first.
    groups : int
        Number of groups that channels and filters are divided into.

    Raises
    ------
    ConvError
        If a constraint of this module's specification is broken.

    Examples
    --------
    >>> geometry = ConvGeometry((AxisGeometry(5, 3, stride=2), AxisGeometry(7, 3)))
    >>> geometry.output_size
    (2, 5)
    """

    axes: tuple[AxisGeometry, ...]
    groups: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", tuple(self.axes))
        if not 1 <= len(self.axes) <= 3:
            raise ConvError("axes", len(self.axes), "there are one to three spatial axes", "give 1, 2 or 3", "G8")
        for axis in self.axes:
            axis.check("input_size")
        if whole_number("groups", self.groups) < 1:
            raise ConvError("groups", self.groups, "must be at least 1", "use 1 or more", "G9")

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return len(self.axes)

    @property
    def input_size(self) -> tuple[int, ...]:
        """Data per axis."""
        return tuple(axis.input_size for axis in self.axes)

    @property
    def kernel_size(self) -> tuple[int, ...]:
        """Kernel elements per axis."""
        return tuple(axis.kernel_size for axis in self.axes)

    @property
    def output_size(self) -> tuple[int, ...]:
        """Outputs per axis."""
        return tuple(axis.output_size for axis in self.axes)

    @property
    def transposed(self) -> bool:
        """Whether this is a transposed convolution: zero insertion or a flipped kernel on some axis."""
        return any(axis.reversed or axis.input_dilation > 1 for axis in self.axes)

    def adjoint(self) -> ConvGeometry:
        """Return the geometry of the adjoint map: input and output change places."""
        return ConvGeometry(tuple(axis.adjoint() for axis in self.axes), self.groups)

    def pointwise(self) -> ConvGeometry:
        """Return the geometry of a step that mixes the channels of each output, as after a depthwise one.

        Examples
        --------
        >>> ConvGeometry((AxisGeometry(9, 3, stride=2),)).pointwise().axes[0][:2]
        (4, 1)
        """
        return ConvGeometry(tuple(AxisGeometry(size, 1) for size in self.output_size))

    def check_channels(self, channels: int, filters: int) -> None:
        """Check that the channels and the filters divide into the groups (G10, G11).

        Raises
        ------
        ConvError
            Naming the count that does not divide.
        """
        for number, name, count in (("G10", "channels", channels), ("G11", "filters", filters)):
            if count % self.groups:
                divisors = [str(g) for g in range(1, count + 1) if count % g == 0]
                raise ConvError(
                    "groups",
                    self.groups,
                    f"the {count} {name} do not divide into {self.groups} groups",
                    f"{count} divides by " + ", ".join(divisors[:12]),
                    number,
                )

    def taps(self, output_index: Sequence[int]) -> tuple[Tap, ...]:
        """Return what each kernel element reads at one output, in the order of the weights.

        A kernel element is on padding if any axis is, else on an inserted zero if any axis is.

        Examples
        --------
        >>> geometry = ConvGeometry((AxisGeometry(4, 3), AxisGeometry(4, 3, pad_before=1)))
        >>> [tap.kind.name for tap in geometry.taps((0, 0))][:3]
        ['PADDING', 'DATA', 'DATA']
        """
        per_axis = [axis.taps(o) for axis, o in zip(self.axes, output_index, strict=True)]
        return tuple(_combine(parts) for parts in itertools.product(*per_axis))

    def output_indices(self) -> Iterator[tuple[int, ...]]:
        """Go through all outputs in row-major order."""
        return itertools.product(*(range(size) for size in self.output_size))


def _combine(parts: tuple[Tap, ...]) -> Tap:
    kinds = {part.kind for part in parts}
    kind = next(k for k in (TapKind.PADDING, TapKind.INSERTED_ZERO, TapKind.DATA) if k in kinds)
    index = tuple(part.input_index[0] for part in parts if part.input_index) if kind is TapKind.DATA else None
    return Tap(kind, tuple(p.kernel_index[0] for p in parts), tuple(p.cell[0] for p in parts), index)


class ReceptiveField(NamedTuple):
    """What one output of a stack of layers sees on one axis of the stack's input.

    Attributes
    ----------
    size : int
        The most input data that one output spans, from the first to the last, borders ignored.
    jump : fractions.Fraction
        Input data between neighbouring outputs; below 1 after an upsampling layer.
    start : fractions.Fraction
        Centre of output 0's field, in input data; negative where it leans into the padding.
    """

    size: int
    jump: Fraction
    start: Fraction


def receptive_field(
    stack: Sequence[Any], input_shape: Sequence[int | None] | None = None
) -> tuple[ReceptiveField, ...]:
    """Return the receptive field, jump and start of a stack of layers, per axis.

    Parameters
    ----------
    stack : sequence of ConvGeometry, or of layers
        From the input on. A layer is anything with ``geometry(input_shape)`` and
        ``compute_output_shape(input_shape)``.
    input_shape : sequence of int, optional
        Shape of the stack's input, batch and channels included; needed where layers stand in the stack.

    Raises
    ------
    ConvError
        If the stack is empty, mixes ranks, or holds layers while `input_shape` is missing.

    Notes
    -----
    Source: the jump and size recursions of Araujo et al., "Computing Receptive Fields of
    Convolutional Neural Networks" (Distill, 2019), here on the index rule itself, so that zero
    insertion and its phases are exact.

    Examples
    --------
    >>> first = ConvGeometry((AxisGeometry(32, 3, dilation=2),))
    >>> second = ConvGeometry((AxisGeometry(28, 3, stride=2),))
    >>> receptive_field([first, second])
    (ReceptiveField(size=7, jump=Fraction(2, 1), start=Fraction(3, 1)),)
    """
    geometries: list[ConvGeometry] = []
    for layer in stack:
        if isinstance(layer, ConvGeometry):
            geometries.append(layer)
            continue
        if input_shape is None:
            raise ConvError("input_shape", None, "a stack of layers needs its input's shape", "give input_shape=")
        geometries.append(layer.geometry(input_shape))
        input_shape = layer.compute_output_shape(input_shape)
    ranks = {geometry.rank for geometry in geometries}
    if len(ranks) != 1:
        raise ConvError("stack", stack, "needs at least one layer, all of one rank", "give layers of one rank")
    return tuple(_axis_field([geometry.axes[a] for geometry in geometries]) for a in range(ranks.pop()))


def _axis_field(axes: Sequence[AxisGeometry]) -> ReceptiveField:
    jump, start = Fraction(1), Fraction(0)
    for axis in axes:
        jump /= axis.input_dilation
        start += jump * (Fraction(axis.dilated_kernel_size - 1, 2) - axis.pad_before)
        jump *= axis.stride
    # The phase of an output within the inserted zeros repeats after as many outputs as this.
    period = jump.denominator
    for axis in axes:
        period *= axis.input_dilation
    spans = [span for o in range(period) if (span := _span(axes, o))]
    return ReceptiveField(max(spans, default=0), jump, start)


def _span(axes: Sequence[AxisGeometry], output_index: int) -> int:
    """Count the data from the first to the last that one output reads, on an axis without borders."""
    seen = {output_index}
    for axis in reversed(axes):
        cells = {dilated_index(o, k, axis) for o in seen for k in range(axis.kernel_size)}
        seen = {cell // axis.input_dilation for cell in cells if cell % axis.input_dilation == 0}
    return max(seen) - min(seen) + 1 if seen else 0
