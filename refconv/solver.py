"""The inverse question: which layers turn one size into another."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from refconv import conventions
from refconv.arguments import choice, pairs_per_axis, per_axis, spatial_size, whole_number
from refconv.errors import ConvError
from refconv.geometry import AxisGeometry

LAYERS = ("conv", "conv-transpose", "depthwise", "separable", "upsampling")
_PADDINGS = {"conv": ("valid", "same", "causal", "full"), "conv-transpose": ("valid", "same", "full")}
_MOST_SOLUTIONS = 100_000


class Solution(NamedTuple):
    """The arguments of one layer that does what was asked, per axis.

    Attributes
    ----------
    kernel, stride, dilation : tuple of int
        Sizes and steps; the kernel and stride of an upsampling are both its factor.
    padding : tuple of (int, int)
        Cells before and after: added to a convolution's input, or cropped off a transposed one's full output.
    output_padding : tuple of int
        Zeros appended to the full output of a transposed layer before it is cropped; 0 for others.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    output_padding: tuple[int, ...]


class _AxisSolution(NamedTuple):
    kernel: int
    stride: int
    dilation: int
    padding: tuple[int, int]
    output_padding: int


class _Fixed(NamedTuple):
    """What the caller has fixed on one axis; None where the solver is free."""

    kernel: int | None
    stride: int | None
    dilation: int | None
    padding: tuple[int, int] | str | None
    output_padding: int | None


class _Bounds(NamedTuple):
    kernel: int
    stride: int
    dilation: int
    padding: int | None
    asymmetry: int


def solve(
    input_size: Any,
    output_size: Any,
    *,
    layer: str = "conv",
    kernel_size: Any = None,
    strides: Any = None,
    padding: Any = None,
    dilation_rate: Any = None,
    output_padding: Any = None,
    max_kernel: int = 7,
    max_stride: int = 4,
    max_dilation: int = 2,
    max_padding: int | None = None,
    max_asymmetry: int = 1,
    per_axis: bool = False,
) -> list[Solution]:
    """Find all layers that turn `input_size` into `output_size`.

    Parameters
    ----------
    input_size, output_size : int or sequence of int
        Sizes of the one to three spatial axes.
    layer : str
        ``"conv"``, ``"conv-transpose"``, ``"depthwise"``, ``"separable"`` or ``"upsampling"``; underscores are
        accepted.
    kernel_size, strides, dilation_rate, output_padding : int or sequence of int, optional
        Fixed values, for all axes or one per axis; they may exceed the bounds.
    padding : str, int or sequence, optional
        A fixed padding: a word or amounts, as `refconv.functional` takes them.
    max_kernel, max_stride, max_dilation : int
        The largest values tried.
    max_padding : int, optional
        The most padding (or crop) tried on one side; by default the dilated kernel less one, beyond which
        outputs would see no data.
    max_asymmetry : int
        The largest difference tried between the padding before and after.
    per_axis : bool
        Whether what is not fixed may differ from axis to axis.

    Returns
    -------
    list of Solution
        Ordered by, first to last: total asymmetry of the padding, dilation, output padding, stride, kernel,
        padding; so plain layers come first. Empty if there is none within the bounds.

    Raises
    ------
    ConvError
        If an argument is wrong or does not belong to the layer, or `per_axis` would give more than 100,000.

    Notes
    -----
    Of several ways to write the same layer only the first in this order is kept. A kernel of 1 is the same
    at every dilation, so it stands with dilation 1 unless the dilation is fixed. In a transposed layer
    `output_padding` takes back what is cropped after: where both are free, a crop of (1, 0) at stride 2 is
    written as (1, 1) with an output padding of 1. An output padding is tried up to the stride less one.
    A padding given as a word is returned as the amounts it stands for. An upsampling has at most one solution.

    Examples
    --------
    >>> solve(224, 112, kernel_size=7, strides=2, dilation_rate=1, max_asymmetry=0)
    [Solution(kernel=(7,), stride=(2,), dilation=(1,), padding=((3, 3),), output_padding=(0,))]
    >>> [found.output_padding for found in solve(7, 14, layer="conv-transpose", kernel_size=3, strides=2, padding=1)]
    [(1,)]
    """
    sizes, wanted = spatial_size("input_size", input_size), spatial_size("output_size", output_size)
    if len(sizes) != len(wanted):
        raise ConvError("output_size", output_size, f"{len(wanted)} axes for an input of {len(sizes)}", "match them")
    name = choice("layer", layer.replace("_", "-") if isinstance(layer, str) else layer, LAYERS)
    fixed = _read_fixed(name, len(sizes), kernel_size, strides, padding, dilation_rate, output_padding)
    bounds = _Bounds(
        whole_number("max_kernel", max_kernel, 1),
        whole_number("max_stride", max_stride, 1),
        whole_number("max_dilation", max_dilation, 1),
        None if max_padding is None else whole_number("max_padding", max_padding, 0),
        whole_number("max_asymmetry", max_asymmetry, 0),
    )
    if name == "upsampling":
        return _upsampling(sizes, wanted)
    kind = "conv-transpose" if name == "conv-transpose" else "conv"
    found = [_axis_solutions(kind, n, o, given, bounds) for n, o, given in zip(sizes, wanted, fixed, strict=True)]
    if per_axis:
        count = math.prod(len({_map_of(one) for one in axis}) for axis in found)
        if count > _MOST_SOLUTIONS:
            raise ConvError("per_axis", True, f"there are {count:,} combinations", "fix an argument or lower a bound")
        # What differs between the ways to write one axis is settled before the axes are combined.
        tuples: Iterable[tuple[_AxisSolution, ...]] = itertools.product(*(_first_of_each(axis) for axis in found))
    else:
        tuples = _alike(found, fixed)
    solutions = [_together(axes) for axes in tuples]
    kept: dict[Any, Solution] = {}
    for solution in sorted(solutions, key=_order):
        kept.setdefault(tuple(_map_of(_AxisSolution(*axis)) for axis in zip(*solution, strict=True)), solution)
    return list(kept.values())


def _read_fixed(
    layer: str, rank: int, kernel_size: Any, strides: Any, padding: Any, dilation_rate: Any, output_padding: Any
) -> tuple[_Fixed, ...]:
    free = (None,) * rank
    if layer == "upsampling":
        words = {"kernel_size": kernel_size, "strides": strides, "padding": padding, "dilation_rate": dilation_rate}
        for word, value in words.items():
            if value is not None:
                raise ConvError(word, value, "an upsampling has none", "leave it out")
    if layer != "conv-transpose" and output_padding is not None:
        raise ConvError("output_padding", output_padding, f"a {layer} layer has none", "use layer='conv-transpose'")
    kernels = free if kernel_size is None else per_axis("kernel_size", kernel_size, rank)
    steps = free if strides is None else per_axis("strides", strides, rank)
    rates = free if dilation_rate is None else per_axis("dilation_rate", dilation_rate, rank)
    extras = free if output_padding is None else per_axis("output_padding", output_padding, rank, 0)
    pads: Sequence[tuple[int, int] | str | None] = free
    if isinstance(padding, str):
        words_known = _PADDINGS["conv-transpose" if layer == "conv-transpose" else "conv"]
        pads = (choice("padding", padding, words_known),) * rank
    elif padding is not None:
        pads = pairs_per_axis("padding", padding, rank)
    return tuple(itertools.starmap(_Fixed, zip(kernels, steps, rates, pads, extras, strict=True)))


def _upsampling(sizes: Sequence[int], wanted: Sequence[int]) -> list[Solution]:
    if any(o % n for n, o in zip(sizes, wanted, strict=True)):
        return []
    factors = tuple(o // n for n, o in zip(sizes, wanted, strict=True))
    rank = len(sizes)
    return [Solution(factors, factors, (1,) * rank, ((0, 0),) * rank, (0,) * rank)]


def _axis_solutions(kind: str, n: int, o: int, fixed: _Fixed, bounds: _Bounds) -> list[_AxisSolution]:
    """Return every way to write every solution of one axis."""
    kernels = range(1, bounds.kernel + 1) if fixed.kernel is None else (fixed.kernel,)
    strides = range(1, bounds.stride + 1) if fixed.stride is None else (fixed.stride,)
    dilations = range(1, bounds.dilation + 1) if fixed.dilation is None else (fixed.dilation,)
    borders = _transposed_borders if kind == "conv-transpose" else _conv_borders
    return [
        _AxisSolution(kernel, stride, dilation, pair, extra)
        for kernel, stride, dilation in itertools.product(kernels, strides, dilations)
        for pair, extra in borders(AxisGeometry(n, kernel, stride, dilation), o, fixed, bounds)
    ]


def _conv_borders(axis: AxisGeometry, o: int, fixed: _Fixed, bounds: _Bounds) -> Iterable[tuple[tuple[int, int], int]]:
    if isinstance(fixed.padding, str):
        word = fixed.padding
        try:
            read = conventions.read(
                "conv",
                axis.input_size,
                kernel_size=axis.kernel_size,
                strides=axis.stride,
                dilation_rate=axis.dilation,
                padding=word,
            )
        except ConvError:
            return
        pairs: Iterable[tuple[int, int]] = [(read.geometry.axes[0].pad_before, read.geometry.axes[0].pad_after)]
    elif fixed.padding is not None:
        pairs = [fixed.padding]
    else:
        smallest = (o - 1) * axis.stride + axis.dilated_kernel_size - axis.input_size
        pairs = _pairs(range(smallest, smallest + axis.stride), axis, bounds)
    for before, after in pairs:
        if axis._replace(pad_before=before, pad_after=after).output_size == o:
            yield (before, after), 0


def _transposed_borders(
    axis: AxisGeometry, o: int, fixed: _Fixed, bounds: _Bounds
) -> Iterable[tuple[tuple[int, int], int]]:
    n, kernel, stride, dilation = axis[:4]
    extras = range(stride) if fixed.output_padding is None else (fixed.output_padding,)
    if isinstance(fixed.padding, str):
        # Words read a missing output padding otherwise than one of 0.
        for extra in (*((None,) if fixed.output_padding is None else ()), *extras):
            try:
                read = conventions.read(
                    "conv-transpose",
                    n,
                    kernel_size=kernel,
                    strides=stride,
                    dilation_rate=dilation,
                    padding=fixed.padding,
                    output_padding=extra,
                )
            except ConvError:
                continue
            if read.output_size == (o,):
                before, after = read.geometry.axes[0].crop
                yield (before, after + (extra or 0)), extra or 0
        return
    full = AxisGeometry.transposed(n, kernel, stride, dilation).output_size
    for extra in extras:
        total = full + extra - o
        pairs = _pairs(range(total, total + 1), axis, bounds) if fixed.padding is None else [fixed.padding]
        for before, after in pairs:
            if AxisGeometry.transposed(n, kernel, stride, dilation, before, after - extra).output_size == o:
                yield (before, after), extra


def _pairs(totals: range, axis: AxisGeometry, bounds: _Bounds) -> Iterable[tuple[int, int]]:
    """Go through the pairs of amounts within the bounds whose sum is one of `totals`."""
    most = axis.dilated_kernel_size - 1 if bounds.padding is None else bounds.padding
    for total, difference in itertools.product(totals, range(-bounds.asymmetry, bounds.asymmetry + 1)):
        before, odd = divmod(total - difference, 2)
        if not odd and 0 <= before <= most and 0 <= total - before <= most:
            yield before, total - before


def _alike(found: Sequence[list[_AxisSolution]], fixed: Sequence[_Fixed]) -> Iterable[tuple[_AxisSolution, ...]]:
    """Go through the combinations of axes in which what is free is the same on every axis."""
    by_choice = [{_free_part(one, given): one for one in axis} for axis, given in zip(found, fixed, strict=True)]
    for part in by_choice[0]:
        if all(part in axis for axis in by_choice):
            yield tuple(axis[part] for axis in by_choice)


def _free_part(one: _AxisSolution, given: _Fixed) -> tuple[Any, ...]:
    return tuple(value if fixed is None else None for value, fixed in zip(one, given, strict=True))


def _map_of(one: _AxisSolution) -> tuple[int, ...]:
    """Return what two ways to write the same layer have in common."""
    before, after = one.padding
    dilation = 1 if one.kernel == 1 else one.dilation
    return one.kernel, one.stride, dilation, before, after - one.output_padding


def _first_of_each(axis: Sequence[_AxisSolution]) -> list[_AxisSolution]:
    kept: dict[tuple[int, ...], _AxisSolution] = {}
    for one in sorted(axis, key=lambda one: _order(_together([one]))):
        kept.setdefault(_map_of(one), one)
    return list(kept.values())


def _together(axes: Sequence[_AxisSolution]) -> Solution:
    return Solution(
        tuple(axis.kernel for axis in axes),
        tuple(axis.stride for axis in axes),
        tuple(axis.dilation for axis in axes),
        tuple(axis.padding for axis in axes),
        tuple(axis.output_padding for axis in axes),
    )


def _order(solution: Solution) -> tuple[Any, ...]:
    asymmetry = sum(abs(after - before) for before, after in solution.padding)
    return (
        asymmetry,
        solution.dilation,
        solution.output_padding,
        solution.stride,
        solution.kernel,
        solution.padding,
    )
