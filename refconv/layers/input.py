"""The shape of a model's input, declared as a layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from refconv.arguments import is_sequence, whole_number
from refconv.errors import ConvError
from refconv.layers.any_rank import AnyRankLayer, any_shape


class Input(AnyRankLayer):
    """The shape of a model's input, as the first of its layers; arrays pass through.

    Parameters
    ----------
    shape : sequence of int or None
        Shape of one sample, without the batch.
    batch_size : int, optional
        By default unknown.
    **kwargs
        ``trainable``, ``dtype`` and ``name``; see `refconv.layers.base.Layer`.

    Attributes
    ----------
    batch_input_shape : tuple of int or None
        Shape of the input, the batch included.

    Raises
    ------
    ConvError
        If an argument is wrong, or on being called with another shape.

    Examples
    --------
    >>> Input((28, 28, 1)).batch_input_shape
    (None, 28, 28, 1)
    """

    def __init__(self, shape: Any, batch_size: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not is_sequence(shape):
            raise ConvError("shape", shape, "not a shape", "give the sizes of one sample, without the batch")
        self.batch_size = batch_size if batch_size is None else whole_number("batch_size", batch_size, 0)
        self.shape = any_shape((None, *shape), argument="shape")[1:]
        self.batch_input_shape = (self.batch_size, *self.shape)

    def call(self, inputs: np.ndarray) -> np.ndarray:
        """Return the input."""
        return inputs

    def _forward(self, x: np.ndarray) -> tuple[np.ndarray, Any]:
        return x, None

    def _backward(self, state: Any, dy: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return dy, {}

    def _output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        declared = (self.batch_size, *self.shape)
        fits = len(shape) == len(declared)
        if not fits or any(n != m for n, m in zip(shape, declared, strict=True) if None not in (n, m)):
            raise ConvError("input_shape", shape, f"{self.name!r} declares {declared}", "give inputs of that shape")
        return shape

    def _channels_of(self, shape: tuple[int | None, ...]) -> int | None:
        return None
