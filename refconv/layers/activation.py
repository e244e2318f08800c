"""An activation function as a layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from refconv import activations
from refconv.errors import ConvError
from refconv.layers.any_rank import AnyRankLayer


class Activation(AnyRankLayer):
    """An activation function as a layer of its own.

    Parameters
    ----------
    activation : str, dict or callable
        See `refconv.activations.get`.
    **kwargs
        ``trainable``, ``dtype``, ``name`` and ``activity_regularizer``; see `refconv.layers.base.Layer`.

    Raises
    ------
    ConvError
        If there is no such activation.

    Notes
    -----
    Source: ``keras/src/layers/activations/activation.py``, Keras 3.15.1.

    Examples
    --------
    >>> Activation("relu")([[-1.0, 2.0]])
    array([[0., 2.]], dtype=float32)
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation, self.keras_version)

    def call(self, inputs: np.ndarray) -> np.ndarray:
        """Compute the output."""
        outputs = np.asarray(self.activation(inputs))
        expected = self.compute_output_shape(inputs.shape)
        if outputs.shape != expected:
            rule = f"returned shape {outputs.shape} for shape {inputs.shape}"
            raise ConvError("activation", self.activation, rule, f"return shape {expected}")
        return outputs.astype(self.dtype, copy=False)

    def _backward(self, state: Any, dy: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        dx = activations.gradient(self.activation, state, dy)
        if dx.shape != state.shape:
            rule = f"its gradient has shape {dx.shape} for inputs of shape {state.shape}"
            raise ConvError("activation", self.activation, rule, "return an array of the shape of the inputs")
        return dx.astype(self.dtype, copy=False), {}

    def _output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        changed = getattr(self.activation, "output_shape", None)
        return shape if changed is None else changed(shape)
