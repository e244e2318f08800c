"""What `refconv bench` measures: layers of every type, with the work that each of their directions needs.

A *case* is a layer and the shape of its input; a *job* is a case in one direction, called in one way.
The shapes are those in which convolutions are met: compute-bound, memory-bound and small ones, odd
channels and filters, strides, dilations and groups, one to three axes, one image and several.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

from refconv import conventions
from refconv.errors import ConvError
from refconv.formulas.cost import cost
from refconv.geometry import ConvGeometry
from refconv.interpolation import axis_method, axis_taps

FORWARD, GRAD_INPUT, GRAD_WEIGHTS = DIRECTIONS = ("forward", "grad_input", "grad_weights")

FRESH, REUSED, LAYER, CHANNELS_FIRST = WAYS = ("fresh", "reused", "layer", "channels first")
"""A function that allocates its output; one that is given `out=`; a layer, which keeps its packed weights; and
a function on arrays in the other data format."""

_MARKS = {FRESH: "", REUSED: " out=", LAYER: " (layer)", CHANNELS_FIRST: " (channels first)"}

# Bytes of a float32.
_ITEM = 4


class Case(NamedTuple):
    """A layer and the shape of its input.

    Attributes
    ----------
    layer : str
        One of `refconv.conventions.LAYERS`.
    size : tuple of int
        Spatial size of the input.
    channels, filters : int
        Of the input and of the output.
    kernel, stride, dilation, groups : int
        Alike on all axes.
    padding : tuple of int
        Cells before and after every axis; of a transposed layer and of cropping, cells cut off.
    batch : int
        Images.
    factor, interpolation : int, str
        Of upsampling.
    ways : tuple of str
        Some of `WAYS`; the last two are measured forward only.
    """

    layer: str
    size: tuple[int, ...]
    channels: int
    filters: int
    kernel: int = 1
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    dilation: int = 1
    groups: int = 1
    batch: int = 1
    factor: int = 1
    interpolation: str = "nearest"
    ways: tuple[str, ...] = (FRESH,)

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return len(self.size)

    @property
    def has_weights(self) -> bool:
        """Whether there is a gradient to weights."""
        return self.layer in ("conv", "conv-transpose", "depthwise", "separable")

    @property
    def name(self) -> str:
        """The case in a line, such as ``conv 2-D 64x56x56 3x3 -> 64``."""
        batch = f"{self.batch} of " if self.batch > 1 else ""
        words = [f"{self.layer} {self.rank}-D {batch}{_joined((self.channels, *self.size))}"]
        if self.has_weights:
            kernel = _joined((self.kernel,) * self.rank) if self.rank > 1 else f"k{self.kernel}"
            words.append(kernel + (f"/{self.stride}" if self.stride > 1 else ""))
            words += [f"dilation {self.dilation}"] * (self.dilation > 1) + [f"groups {self.groups}"] * (self.groups > 1)
            words += ["causal"] * (self.padding[0] > self.padding[1])
            words.append(f"-> {self.filters}")
        elif self.layer == "upsampling":
            words.append(f"x{self.factor} {self.interpolation}")
        else:
            words.append(f"by {self.padding[0]}")
        return " ".join(words)

    @property
    def words(self) -> dict[str, Any]:
        """The layer's arguments in the words of `refconv.functional`."""
        pairs = (self.padding,) * self.rank
        if self.layer == "upsampling":
            return {"size": self.factor, "interpolation": self.interpolation}
        if self.layer == "cropping":
            return {"cropping": pairs}
        if self.layer == "zero-padding":
            return {"padding": pairs}
        words = {"strides": self.stride, "padding": pairs, "dilation_rate": self.dilation}
        return {**words, "groups": self.groups} if self.layer in ("conv", "conv-transpose") else words

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input, channels last."""
        return (self.batch, *self.size, self.channels)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the output, channels last."""
        return (self.batch, *_geometry(self).output_size, self.filters)

    @property
    def weight_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the weights, as `refconv.functional` takes them."""
        kernel = (self.kernel,) * self.rank
        if self.layer == "conv":
            return ((*kernel, self.channels // self.groups, self.filters),)
        if self.layer == "conv-transpose":
            return ((*kernel, self.filters // self.groups, self.channels),)
        depthwise = (*kernel, self.channels, self.filters // self.channels if self.layer == "depthwise" else 1)
        if self.layer == "separable":
            return depthwise, (*(1,) * self.rank, self.channels, self.filters)
        return (depthwise,) if self.layer == "depthwise" else ()


class Job(NamedTuple):
    """A case in one direction, called in one way."""

    case: Case
    direction: str = FORWARD
    way: str = FRESH

    @property
    def name(self) -> str:
        """The case's name, and the way if it is not the plain one."""
        return self.case.name + _MARKS[self.way]

    @property
    def result_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of what is computed, channels last."""
        case = self.case
        if self.direction == GRAD_WEIGHTS:
            return case.weight_shapes
        return (case.output_shape if self.direction == FORWARD else case.input_shape,)

    @property
    def flops(self) -> int:
        """Floating-point operations: two for every multiply-add on data, none for those on padding or inserted zeros.

        The gradient to the weights of a separable layer needs what stands between its steps twice over: its
        value and its gradient.
        """
        return _flops(self.case, self.direction)

    @property
    def bytes(self) -> int:
        """Bytes of all arrays that are read, once, and of those that are written, once."""
        case = self.case
        x, y = math.prod(case.input_shape), math.prod(case.output_shape)
        if case.layer in ("cropping", "zero-padding"):
            return 2 * _ITEM * min(x, y) if self._shrinks else _ITEM * (x + y)
        weights = sum(math.prod(shape) for shape in case.weight_shapes)
        again = weights if case.layer == "separable" and self.direction == GRAD_WEIGHTS else 0
        return _ITEM * (x + y + weights + again)

    @property
    def _shrinks(self) -> bool:
        return (self.case.layer == "cropping") == (self.direction == FORWARD)


@functools.cache
def _geometry(case: Case) -> ConvGeometry:
    words = {key: value for key, value in case.words.items() if key != "interpolation"}
    if case.has_weights:
        words["kernel_size"] = case.kernel
    return conventions.read(case.layer, case.size, **words).geometry


@functools.cache
def _flops(case: Case, direction: str) -> int:
    if case.layer == "upsampling":
        return _upsampling_flops(case, direction)
    depth = case.filters // case.channels if case.layer == "depthwise" else 1
    useful = cost(case.layer, _geometry(case), case.channels, case.filters, depth, False).useful_multiply_adds
    twice = case.layer == "separable" and direction == GRAD_WEIGHTS
    return 2 * useful * case.batch * (2 if twice else 1)


def _upsampling_flops(case: Case, direction: str) -> int:
    """Count a copy as none, and its adjoint, a sum, as an addition for each output."""
    outputs = math.prod(case.output_shape)
    if case.interpolation == "nearest":
        return 0 if direction == FORWARD else outputs
    method = axis_method(case.interpolation, case.rank)
    pairs = math.prod(sum(map(len, axis_taps(n, n * case.factor, method))) for n in case.size)
    return 2 * pairs * case.batch * case.channels


def _joined(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))


def _channelwise(layer: str, size: tuple[int, ...], channels: int, **words: Any) -> Case:
    """Make a case of a layer that keeps the channels apart: its output is as large as its input, or larger."""
    return Case(layer, size, channels, channels, **{"ways": (FRESH, REUSED), **words})


# A kernel of 3 whose output is as large as its input.
_THREE: dict[str, Any] = {"kernel": 3, "padding": (1, 1)}

CASES: tuple[Case, ...] = (
    Case("conv", (56, 56), 64, 64, **_THREE, ways=(FRESH, REUSED, LAYER, CHANNELS_FIRST)),
    Case("conv", (28, 28), 128, 128, **_THREE, ways=(FRESH, LAYER)),
    Case("conv", (14, 14), 256, 256, **_THREE, ways=(FRESH, LAYER)),
    Case("conv", (7, 7), 512, 512, **_THREE, ways=(FRESH, LAYER)),
    Case("conv", (224, 224), 3, 64, kernel=7, stride=2, padding=(3, 3)),
    Case("conv", (56, 56), 64, 256),
    Case("conv", (112, 112), 64, 64, kernel=3, stride=2, padding=(1, 1)),
    Case("conv", (32, 32), 32, 32, **_THREE, batch=8),
    Case("conv", (56, 56), 64, 64, kernel=3, padding=(2, 2), dilation=2),
    Case("conv", (56, 56), 64, 64, **_THREE, groups=4),
    Case("conv", (57, 57), 5, 17, **_THREE),
    Case("conv", (28, 28), 1, 6, kernel=5, padding=(2, 2)),
    Case("conv", (256, 256), 1, 1, kernel=7, padding=(3, 3)),
    Case("conv", (4096,), 64, 64, kernel=9, padding=(4, 4)),
    Case("conv", (8192,), 32, 32, kernel=2, padding=(8, 0), dilation=8),
    Case("conv", (16, 28, 28), 16, 32, **_THREE),
    Case("conv-transpose", (28, 28), 64, 32, kernel=4, stride=2, padding=(1, 1), ways=(FRESH, LAYER)),
    Case("conv-transpose", (28, 28), 64, 64, kernel=3, stride=3),
    Case("conv-transpose", (1024,), 64, 64, kernel=4, stride=2, padding=(1, 1)),
    Case("conv-transpose", (8, 14, 14), 32, 16, kernel=4, stride=2, padding=(1, 1)),
    _channelwise("depthwise", (112, 112), 64, **_THREE, ways=(FRESH, REUSED, LAYER)),
    _channelwise("depthwise", (112, 112), 64, kernel=3, stride=2, padding=(1, 1)),
    _channelwise("depthwise", (57, 57), 20, kernel=5, padding=(2, 2)),
    _channelwise("depthwise", (8192,), 64, kernel=9, padding=(4, 4)),
    _channelwise("depthwise", (16, 28, 28), 32, **_THREE),
    Case("separable", (56, 56), 64, 128, **_THREE, ways=(FRESH, LAYER)),
    _channelwise("upsampling", (56, 56), 64, factor=2),
    _channelwise("upsampling", (56, 56), 64, factor=2, interpolation="bilinear"),
    _channelwise("upsampling", (4096,), 64, factor=4),
    _channelwise("upsampling", (8, 28, 28), 32, factor=2),
    _channelwise("zero-padding", (112, 112), 64, padding=(1, 1)),
    _channelwise("zero-padding", (16, 28, 28), 64, padding=(2, 2)),
    _channelwise("cropping", (112, 112), 64, padding=(1, 1)),
)


def jobs(cases: tuple[Case, ...] = CASES) -> list[Job]:
    """List all jobs of the cases, by case, way and direction.

    Examples
    --------
    >>> [job.direction for job in jobs((Case("zero-padding", (4,), 2, 2, padding=(1, 1)),))]
    ['forward', 'grad_input']
    """
    found = []
    for case in cases:
        for way in case.ways:
            found.append(Job(case, FORWARD, way))
            if way in (FRESH, REUSED):
                found.append(Job(case, GRAD_INPUT, way))
            # A gradient to weights is small: a buffer for it saves nothing.
            if way == FRESH and case.has_weights:
                found.append(Job(case, GRAD_WEIGHTS, way))
    return found


def matching(wanted: str | None, among: list[Job]) -> list[Job]:
    """Keep the jobs whose name and direction hold one of the texts, which commas divide.

    Raises
    ------
    ConvError
        If none does.

    Examples
    --------
    >>> {job.case.layer for job in matching("3-d, cropping", jobs())} >= {"cropping", "depthwise"}
    True
    """
    if not wanted:
        return among
    texts = [text.strip().lower() for text in wanted.split(",") if text.strip()]
    found = [job for job in among if any(text in f"{job.name} {job.direction}".lower() for text in texts)]
    if not found:
        example = among[0].name if among else ""
        raise ConvError("filter", wanted, "no row has this in its name or direction", f"a name is {example!r}")
    return found
