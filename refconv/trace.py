"""The order of an animation: which terms every output sums, with running sums when arrays are given.

A `Stage` is one linear map on the index rule (or, for interpolation, on rows of taps). `trace` goes
through its outputs in row-major order, `trace_stamps` through the inputs of a transposed
convolution, each stamping the kernel onto the output. Everything is summed in plain Python, in the
order of the weights, so that a picture can be checked against the loops.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from refconv.arguments import whole_number
from refconv.errors import ConvError
from refconv.geometry import ConvGeometry, TapKind

# What every output of one interpolated axis reads: pairs of an input index and its weight.
AxisRows = tuple[tuple[tuple[int, float], ...], ...]


class Stage(NamedTuple):
    """One linear map of a layer; a separable layer has two, all others one.

    Attributes
    ----------
    name : str
        What the stage is, such as ``"conv"``, ``"depthwise"`` or ``"pointwise"``.
    geometry : ConvGeometry or None
        Its index rule, read as a gather; None for an interpolation.
    weights : array, shape (k..., channels / groups, filters), or None
        In the geometry's own reading; for a `reversed` axis the kernel elements are not yet flipped.
    bias : array, shape (filters,), or None
        Added to every output of a filter.
    interpolation : tuple of rows per axis, or None
        For each axis, what every output reads (see `refconv.interpolation.axis_taps`); each channel
        is interpolated by itself.
    """

    name: str
    geometry: ConvGeometry | None
    weights: Any = None
    bias: Any = None
    interpolation: tuple[AxisRows, ...] | None = None

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return self.geometry.rank if self.geometry is not None else len(self.interpolation or ())

    @property
    def output_size(self) -> tuple[int, ...]:
        """Outputs per axis."""
        if self.geometry is not None:
            return self.geometry.output_size
        return tuple(len(rows) for rows in self.interpolation or ())


class Term(NamedTuple):
    """One product in the sum of an output.

    Attributes
    ----------
    kind : TapKind
        What the kernel element covers.
    kernel_index : tuple of int
        Which weight it is, per axis.
    cell : tuple of int
        The cell of the dilated input (in a stamp: of the dilated output) it covers, per axis.
    input_index : tuple of int or None
        The datum it reads; None where there is none. In a stamp, the output it adds to.
    channel : int
        The input channel.
    weight, value : float or int or None
        The two factors; None where no arrays were given. Padding and inserted zeros have value 0.
    running_sum : float or int or None
        The sum up to and including this term.
    """

    kind: TapKind
    kernel_index: tuple[int, ...]
    cell: tuple[int, ...]
    input_index: tuple[int, ...] | None
    channel: int
    weight: float | None
    value: float | None
    running_sum: float | None


class Step(NamedTuple):
    """One output: the terms it sums, in the order of the weights.

    Attributes
    ----------
    output_index : tuple of int
        Which output, per axis.
    filter : int
        Which output channel.
    terms : tuple of Term
        Kernel elements in row-major order, the channels of one kernel element together.
    bias : float or int or None
        What is added after the last term; None where the stage has no bias or no arrays were given.
    total : float or int or None
        The output's value.
    """

    output_index: tuple[int, ...]
    filter: int
    terms: tuple[Term, ...]
    bias: float | None
    total: float | None


class Stamp(NamedTuple):
    """One input of a transposed convolution, with what its kernel-shaped stamp adds to the output.

    Attributes
    ----------
    input_index : tuple of int
        Which input, per axis.
    channel, filter : int
        Which input and which output channel.
    terms : tuple of Term
        In the order of the weights; ``running_sum`` is the output's sum after this term. A term of
        kind ``PADDING`` falls on a cell that is cropped.
    """

    input_index: tuple[int, ...]
    channel: int
    filter: int
    terms: tuple[Term, ...]


def trace(stage: Stage | ConvGeometry, x: Any = None, *, filter: int = 0, channel: int | None = None) -> Iterator[Step]:
    """Go through the outputs of one filter in row-major order, term by term.

    Parameters
    ----------
    stage : Stage or ConvGeometry
        The map; a bare geometry has no weights, so its steps carry no numbers.
    x : array, shape (spatial..., channels), or nested lists, optional
        The input. Without it the steps carry indices only.
    filter : int
        The output channel; of an interpolation, the channel.
    channel : int, optional
        Sum over this input channel alone.

    Yields
    ------
    Step
        One per output.

    Raises
    ------
    ConvError
        If `filter` or `channel` does not exist, or `x` and the weights do not fit the geometry.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> geometry = ConvGeometry((AxisGeometry(4, 2),))
    >>> stage = Stage("conv", geometry, weights=[[[1]], [[10]]])
    >>> for step in trace(stage, [[1], [2], [3], [4]]):
    ...     print(step.output_index, [term.running_sum for term in step.terms], step.total)
    (0,) [1, 21] 21
    (1,) [2, 32] 32
    (2,) [3, 43] 43
    """
    stage = as_stage(stage)
    if stage.interpolation is not None:
        yield from _interpolated(stage.interpolation, x, filter)
        return
    reader = _Reader(stage, x, filter, channel)
    assert stage.geometry is not None
    for output_index in stage.geometry.output_indices():
        total: Any = 0 if reader.numeric else None
        terms = []
        for tap in stage.geometry.taps(output_index):
            for c in reader.channels:
                weight = reader.weight(tap.kernel_index, c)
                value = reader.value(tap.input_index, c)
                if reader.numeric:
                    total = total + weight * value
                terms.append(Term(tap.kind, tap.kernel_index, tap.cell, tap.input_index, c, weight, value, total))
        if reader.bias is not None:
            total = total + reader.bias
        yield Step(output_index, filter, tuple(terms), reader.bias, total)


def trace_stamps(
    stage: Stage | ConvGeometry, x: Any = None, *, filter: int = 0, channel: int | None = None
) -> Iterator[Stamp]:
    """Go through the inputs of a transposed convolution in row-major order, each stamping the kernel.

    Parameters
    ----------
    stage, x, filter, channel
        As for `trace`. The bias is what every output starts from.

    Yields
    ------
    Stamp
        One per input and channel.

    Raises
    ------
    ConvError
        As `trace`.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> geometry = ConvGeometry((AxisGeometry.transposed(2, 3, stride=2),))
    >>> stage = Stage("conv_transpose", geometry, weights=[[[1]], [[2]], [[3]]])
    >>> for stamp in trace_stamps(stage, [[1], [10]]):
    ...     print([(term.input_index[0], term.running_sum) for term in stamp.terms])
    [(0, 1), (1, 2), (2, 3)]
    [(2, 13), (3, 20), (4, 30)]
    """
    stage = as_stage(stage)
    if stage.geometry is None:
        raise ConvError("view", "stamp", "an interpolation has no kernel to stamp", "use view='gather'")
    reader = _Reader(stage, x, filter, channel)
    start = reader.bias if reader.bias is not None else 0
    sums: dict[tuple[int, ...], Any] = dict.fromkeys(stage.geometry.output_indices(), start)
    adjoint = stage.geometry.adjoint()
    for input_index in itertools.product(*(range(size) for size in stage.geometry.input_size)):
        for c in reader.channels:
            value = reader.value(input_index, c)
            terms = []
            for tap in adjoint.taps(input_index):
                weight = reader.weight(tap.kernel_index, c)
                running_sum = None
                if reader.numeric and tap.input_index is not None:
                    sums[tap.input_index] = running_sum = sums[tap.input_index] + weight * value
                terms.append(Term(tap.kind, tap.kernel_index, tap.cell, tap.input_index, c, weight, value, running_sum))
            yield Stamp(input_index, c, filter, tuple(terms))


def as_stage(stage: Stage | ConvGeometry) -> Stage:
    """Return a bare geometry as a stage without weights, and a stage as it is.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> as_stage(ConvGeometry((AxisGeometry(4, 2),))).name
    'conv'
    """
    if isinstance(stage, ConvGeometry):
        return Stage("conv_transpose" if stage.transposed else "conv", stage)
    return stage


def filter_channels(stage: Stage, filter: int = 0) -> tuple[int, ...]:
    """Return the input channels that one filter of a stage reads.

    Raises
    ------
    ConvError
        If the stage has no such filter.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> geometry = ConvGeometry((AxisGeometry(4, 1),), groups=2)
    >>> filter_channels(Stage("conv", geometry, weights=[[[1, 2, 3, 4], [5, 6, 7, 8]]]), filter=2)
    (2, 3)
    """
    whole_number("filter", filter, minimum=0)
    if stage.geometry is None or stage.weights is None:
        return (filter if stage.geometry is None else 0,)
    *_, per_group, filters = array_shape(stage.weights)
    if filter >= filters:
        raise ConvError("filter", filter, f"there are {filters} filters", f"use 0 to {filters - 1}")
    first = filter // (filters // stage.geometry.groups) * per_group
    return tuple(range(first, first + per_group))


def array_shape(values: Any) -> tuple[int, ...]:
    """Return the shape of an array or of nested lists.

    Examples
    --------
    >>> array_shape([[1, 2, 3], [4, 5, 6]])
    (2, 3)
    """
    if hasattr(values, "shape"):
        return tuple(int(size) for size in values.shape)
    if isinstance(values, (list, tuple)):
        return (len(values), *(array_shape(values[0]) if values else ()))
    return ()


class _Reader:
    """Looks up the weights of one filter and the values of its channels, as Python numbers."""

    def __init__(self, stage: Stage, x: Any, filter: int, channel: int | None) -> None:
        geometry = stage.geometry
        assert geometry is not None
        self.numeric = x is not None and stage.weights is not None
        self.filter = filter
        self.bias: Any = None
        self.weights = self.x = None
        if stage.weights is not None:
            shape = array_shape(stage.weights)
            if len(shape) != geometry.rank + 2 or shape[: geometry.rank] != geometry.kernel_size:
                expected = (*geometry.kernel_size, "channels / groups", "filters")
                raise ConvError("weights", shape, "the shape does not fit the kernel", f"use {_shape(expected)}")
            geometry.check_channels(shape[-2] * geometry.groups, shape[-1])
            self.weights = _as_lists(stage.weights)
        self.channels = filter_channels(stage, filter)
        if x is not None:
            count = array_shape(stage.weights)[-2] * geometry.groups if stage.weights is not None else "channels"
            expected = (*geometry.input_size, count)
            shape = array_shape(x)
            if shape[:-1] != geometry.input_size or count not in ("channels", shape[-1]):
                raise ConvError("x", shape, "the shape does not fit the layer", f"use {_shape(expected)}")
            self.x = _as_lists(x)
        if channel is not None:
            if channel not in self.channels:
                what_works = " or ".join(str(c) for c in self.channels)
                raise ConvError("channel", channel, f"filter {filter} does not read this channel", f"use {what_works}")
            self.channels = (channel,)
        if self.numeric and stage.bias is not None and channel is None:
            self.bias = _as_lists(stage.bias)[filter]

    def weight(self, kernel_index: Sequence[int], channel: int) -> Any:
        if self.weights is None:
            return None
        per_group = len(_at(self.weights, kernel_index))
        return _at(self.weights, (*kernel_index, channel % per_group, self.filter))

    def value(self, input_index: Sequence[int] | None, channel: int) -> Any:
        if self.x is None:
            return None
        return 0 if input_index is None else _at(self.x, (*input_index, channel))


def _interpolated(rows: tuple[AxisRows, ...], x: Any, channel: int) -> Iterator[Step]:
    values = None if x is None else _as_lists(x)
    if values is not None and array_shape(values)[-1] <= channel:
        raise ConvError("channel", channel, f"there are {array_shape(values)[-1]} channels", "use a smaller one")
    for output_index in itertools.product(*(range(len(axis)) for axis in rows)):
        parts = [axis[o] for axis, o in zip(rows, output_index, strict=True)]
        total: Any = None if values is None else 0
        terms = []
        for numbers in itertools.product(*(range(len(part)) for part in parts)):
            taps = [part[k] for part, k in zip(parts, numbers, strict=True)]
            index = tuple(i for i, _ in taps)
            weight = math.prod(w for _, w in taps)
            value = None if values is None else _at(values, (*index, channel))
            if value is not None:
                total = total + weight * value
            terms.append(Term(TapKind.DATA, numbers, index, index, channel, weight, value, total))
        yield Step(output_index, channel, tuple(terms), None, total)


def _as_lists(values: Any) -> Any:
    return values.tolist() if hasattr(values, "tolist") else values


def _at(nested: Any, index: Sequence[int]) -> Any:
    for i in index:
        nested = nested[i]
    return nested


def _shape(parts: Sequence[object]) -> str:
    return "shape (" + ", ".join(str(part) for part in parts) + ")"
