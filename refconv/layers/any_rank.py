"""What the layers that take arrays with any number of axes share: they slide nothing."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from refconv.arguments import is_sequence, whole_number
from refconv.errors import ConvError
from refconv.functional.arrays import describe, read_array
from refconv.geometry import ConvGeometry
from refconv.layers.base import Layer, Shape
from refconv.trace import Stage


class AnyRankLayer(Layer):
    """Base of the layers that take arrays with any number of axes, the first of them the batch.

    Parameters
    ----------
    **kwargs
        ``trainable``, ``dtype`` and ``name``; see `refconv.layers.base.Layer`.

    Raises
    ------
    ConvError
        If an argument is wrong.
    """

    # Of an array, the batch included.
    fewest_axes = 1

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """Return the shape of the output; unknown (None) sizes stay unknown.

        Parameters
        ----------
        input_shape : sequence of int or None
            Batch included.

        Raises
        ------
        ConvError
            If the layer cannot take such inputs.
        """
        shape = self._checked_shape(input_shape)
        channels = self._channels_of(shape)
        if self.built and self._arrays and channels not in (None, self._channels):
            rule = f"{channels} channels, but {self.name!r} was built for {self._channels}"
            raise ConvError("input_shape", shape, rule, f"give {self._channels} channels, or make a new layer")
        return self._output_shape(shape)

    def geometry(self, input_shape: Shape) -> ConvGeometry:
        """Refuse: the layer slides no kernel.

        Raises
        ------
        ConvError
            Always.
        """
        self._slides_nothing()

    def stages(self, input_shape: Shape) -> tuple[Stage, ...]:
        """Refuse: the layer slides no kernel.

        Raises
        ------
        ConvError
            Always.
        """
        self._slides_nothing()

    def _slides_nothing(self) -> NoReturn:
        rule = "the layer slides no kernel over axes of space"
        raise ConvError("layer", self, rule, "choose a convolution, upsampling, padding or cropping layer")

    def _checked_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return any_shape(input_shape, self.fewest_axes)

    def _known_channels(self, input_shape: Shape) -> int:
        channels = self._channels_of(tuple(input_shape))
        if channels is None:
            raise ConvError("input_shape", tuple(input_shape), "the channels are unknown", "give a whole number")
        return channels

    def _checked_inputs(self, inputs: Any) -> np.ndarray:
        x = read_array("inputs", inputs)
        if x.ndim < self.fewest_axes:
            rule = f"{x.ndim} axes, but {type(self).__name__} takes {self.fewest_axes} or more"
            raise ConvError("inputs", describe(x), rule, "give the batch as the first axis")
        return x.astype(self.dtype, copy=False) if x.dtype.kind == "f" else x

    def _output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape

    def _channels_of(self, shape: tuple[int | None, ...]) -> int | None:
        """Return how many channels there are, if known."""
        return shape[-1]


def any_shape(input_shape: Any, fewest: int = 1, argument: str = "input_shape") -> tuple[int | None, ...]:
    """Read a shape of any length: the batch, which may be empty, and sizes from 1 on, None where unknown.

    Raises
    ------
    ConvError
        If it is shorter than `fewest`, or an entry is no size.

    Examples
    --------
    >>> any_shape([None, 3])
    (None, 3)
    """
    if not is_sequence(input_shape) or len(input_shape) < fewest:
        raise ConvError(argument, input_shape, "not the shape of a batch", f"give {fewest} sizes or more")
    shape = tuple(input_shape)
    try:
        return tuple(n if n is None else whole_number(argument, n, min(i, 1)) for i, n in enumerate(shape))
    except ConvError as error:
        rule = f"{error.value!r} is no size: {error.rule}"
        raise ConvError(argument, shape, rule, "use whole numbers, or None where unknown") from None


def axis_of(argument: str, axis: int, axes: int) -> int:
    """Return an axis counted from the first; the batch is none of a layer's axes.

    Raises
    ------
    ConvError
        If there is no such axis.

    Examples
    --------
    >>> axis_of("axis", -1, 4)
    3
    """
    number = axis + axes if axis < 0 else axis
    if not 0 < number < axes:
        rule = f"not an axis of an array with {axes}, the first of them the batch"
        raise ConvError(argument, axis, rule, f"use -1, or 1 to {axes - 1}" if axes > 1 else "give more axes")
    return number
