"""Layers that make one array of several: side by side, or added."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from refconv.arguments import is_sequence, whole_number
from refconv.errors import ConvError
from refconv.functional.arrays import Description, describe, read_array
from refconv.layers.any_rank import AnyRankLayer, any_shape, axis_of


class MergingLayer(AnyRankLayer):
    """Base of the layers that take a list of arrays; `backward` returns a list of gradients.

    Parameters
    ----------
    **kwargs
        ``trainable``, ``dtype``, ``name`` and ``activity_regularizer``; see `refconv.layers.base.Layer`.

    Raises
    ------
    ConvError
        If an argument is wrong.
    """

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Return the shape of the output; unknown (None) sizes stay unknown.

        Parameters
        ----------
        input_shape : sequence of shapes
            One for each array, the batch included.

        Raises
        ------
        ConvError
            If they do not fit each other.
        """
        shapes = [any_shape(shape) for shape in input_shape] if is_sequence(input_shape) else []
        if not shapes:
            raise ConvError("input_shape", input_shape, "not a list of shapes", "give one shape for each array")
        if len({len(shape) for shape in shapes}) > 1:
            raise ConvError("input_shape", shapes, "they differ in the number of axes", "give them all as many")
        return tuple(self._size(axis, sizes, shapes) for axis, sizes in enumerate(zip(*shapes, strict=True)))

    def _size(self, axis: int, sizes: tuple[int | None, ...], shapes: list[tuple[int | None, ...]]) -> int | None:
        """Return the size of the output along one axis, from those of the inputs."""
        known = {n for n in sizes if n is not None}
        if len(known) > 1:
            raise ConvError("input_shape", shapes, f"they differ along axis {axis}", "give them the same size there")
        return next(iter(known), None)

    def _checked_inputs(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)) or not inputs:
            what = describe(inputs) if isinstance(inputs, np.ndarray) else Description(type(inputs).__name__)
            raise ConvError("inputs", what, "not a list of arrays", f"{type(self).__name__} merges a list")
        arrays = [read_array(f"inputs[{i}]", array) for i, array in enumerate(inputs)]
        return [x.astype(self.dtype, copy=False) if x.dtype.kind == "f" else x for x in arrays]

    @contextlib.contextmanager
    def _built_for(self, x: Any) -> Iterator[None]:
        try:
            self.build([array.shape for array in x])
            yield
        except ConvError as error:
            if error.argument == "input_shape":
                given = Description(", ".join(map(describe, x)))
                raise ConvError("inputs", given, error.rule, error.remedy) from None
            raise

    def _channels_of(self, shape: Any) -> int | None:
        return None


class Concatenate(MergingLayer):
    """Arrays side by side along an axis.

    Parameters
    ----------
    axis : int
        The axis along which they may differ; by default that of channels-last channels.
    **kwargs
        ``trainable``, ``dtype``, ``name`` and ``activity_regularizer``; see `refconv.layers.base.Layer`.

    Raises
    ------
    ConvError
        If the axis is no whole number.

    Notes
    -----
    Source: ``keras/src/layers/merging/concatenate.py``, Keras 3.15.1.

    Examples
    --------
    >>> Concatenate()([[[1.0]], [[2.0, 3.0]]])
    array([[1., 2., 3.]], dtype=float32)
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = whole_number("axis", axis)

    def call(self, inputs: Any) -> np.ndarray:
        """Compute the output."""
        return np.concatenate(inputs, self.axis)

    def _forward(self, x: Any) -> tuple[np.ndarray, Any]:
        return self.call(x), np.cumsum([array.shape[self.axis] for array in x])[:-1]

    def _backward(self, state: Any, dy: np.ndarray) -> tuple[Any, dict[str, np.ndarray]]:
        return np.split(dy, state, self.axis), {}

    def _size(self, axis: int, sizes: tuple[int | None, ...], shapes: list[tuple[int | None, ...]]) -> int | None:
        if axis != axis_of("axis", self.axis, len(shapes[0])):
            return super()._size(axis, sizes, shapes)
        return None if None in sizes else sum(n for n in sizes if n is not None)


class Add(MergingLayer):
    """The sum of arrays of one shape.

    Parameters
    ----------
    **kwargs
        ``trainable``, ``dtype``, ``name`` and ``activity_regularizer``; see `refconv.layers.base.Layer`.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: ``keras/src/layers/merging/add.py``, Keras 3.15.1, which also repeats axes of length 1.

    Examples
    --------
    >>> Add()([[[1.0, 2.0]], [[10.0, 20.0]]])
    array([[11., 22.]], dtype=float32)
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def call(self, inputs: Any) -> np.ndarray:
        """Compute the output."""
        total: np.ndarray = sum(inputs[1:], start=inputs[0])
        return total

    def _forward(self, x: Any) -> tuple[np.ndarray, Any]:
        return self.call(x), len(x)

    def _backward(self, state: Any, dy: np.ndarray) -> tuple[Any, dict[str, np.ndarray]]:
        return [dy] * state, {}
