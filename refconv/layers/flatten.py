"""Flattening: what stands between convolutions and a dense layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from refconv.layers.any_rank import AnyRankLayer
from refconv.layers.reading import read_data_format


class Flatten(AnyRankLayer):
    """All axes but the batch made one.

    The elements of channels-first inputs are taken in the order that channels-last ones have.

    Parameters
    ----------
    data_format : str, optional
        ``"channels_last"`` or ``"channels_first"``; by default what keras.json says.
    **kwargs
        ``trainable``, ``dtype`` and ``name``; see `refconv.layers.base.Layer`.

    Raises
    ------
    ConvError
        If there is no such data format.

    Notes
    -----
    Source: ``keras/src/layers/reshaping/flatten.py``, Keras 3.15.1.

    Examples
    --------
    >>> Flatten().compute_output_shape((None, 4, 4, 3))
    (None, 48)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = read_data_format(data_format)

    def call(self, inputs: np.ndarray) -> np.ndarray:
        """Compute the output."""
        return np.reshape(self._ordered(inputs), (len(inputs), math.prod(inputs.shape[1:])))

    def _forward(self, x: np.ndarray) -> tuple[np.ndarray, Any]:
        return self.call(x), x.shape

    def _backward(self, state: Any, dy: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        if self.data_format == "channels_last" or len(state) < 3:
            return dy.reshape(state), {}
        return np.moveaxis(dy.reshape((state[0], *state[2:], state[1])), -1, 1), {}

    def _ordered(self, x: np.ndarray) -> np.ndarray:
        return np.moveaxis(x, 1, -1) if self.data_format == "channels_first" and x.ndim > 2 else x

    def _output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        known = [n for n in shape[1:] if n is not None]
        return (shape[0], math.prod(known) if len(known) == len(shape) - 1 else None)
