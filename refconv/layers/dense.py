"""The fully connected layer."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from refconv import activations
from refconv.arguments import whole_number
from refconv.errors import ConvError
from refconv.layers.any_rank import AnyRankLayer
from refconv.layers.base import Weight
from refconv.layers.reading import read_initializer, truth


class Dense(AnyRankLayer):
    """Every output a weighted sum of all channels at its position: ``activation(x @ kernel + bias)``.

    Parameters
    ----------
    units : int
        Channels of the output.
    activation : str, dict, callable or None
        See `refconv.activations.get`.
    use_bias : bool
        Whether a bias is added.
    kernel_initializer, bias_initializer : str, dict or callable
        See `refconv.initializers.get`.
    kernel_regularizer, bias_regularizer, activity_regularizer : str, dict, callable or None
        See `refconv.regularizers.get`.
    kernel_constraint, bias_constraint : str, dict, callable or None
        See `refconv.constraints.get`.
    **kwargs
        ``trainable``, ``dtype`` and ``name``; see `refconv.layers.base.Layer`.

    Attributes
    ----------
    kernel : ndarray, shape (channels, units)
        Once the layer is built; may be assigned.
    bias : ndarray, shape (units,), or None
        Likewise.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: ``keras/src/layers/core/dense.py``, Keras 3.15.1.

    Examples
    --------
    >>> layer = Dense(1, kernel_initializer="ones", bias_initializer="ones")
    >>> layer([[1.0, 2.0], [3.0, 4.0]])
    array([[4.],
           [8.]], dtype=float32)
    """

    weight_initializers: ClassVar = {"kernel": "kernel_initializer", "bias": "bias_initializer"}
    kernel = Weight()
    bias = Weight()
    fewest_axes = 2

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self.units = whole_number("units", units, 1)
        self.activation = activations.get(activation, self.keras_version)
        self.use_bias = truth("use_bias", use_bias)
        self.kernel_initializer = read_initializer(
            "kernel_initializer", kernel_initializer, "glorot_uniform", self.keras_version
        )
        self.bias_initializer = read_initializer("bias_initializer", bias_initializer, "zeros", self.keras_version)

    def call(self, inputs: np.ndarray) -> np.ndarray:
        """Compute the output of a built layer."""
        return self._activated(self._linear(inputs))

    def _forward(self, x: np.ndarray) -> tuple[np.ndarray, Any]:
        linear = self._linear(x)
        return self._activated(linear), (x, linear)

    def _backward(self, state: Any, dy: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        x, linear = state
        wide = np.asarray(activations.gradient(self.activation, linear, dy), np.float64)
        gradients = {}
        if self.trainable:
            rows = wide.reshape(-1, self.units)
            gradients["kernel"] = (x.reshape(-1, x.shape[-1]).T @ rows).astype(self.dtype)
            gradients["bias"] = rows.sum(0).astype(self.dtype)
        return (wide @ self.kernel.T).astype(self.dtype), gradients

    def _linear(self, x: np.ndarray) -> np.ndarray:
        # In double precision, and rounded once, as in the loops.
        wide = x.astype(np.float64) @ self.kernel
        return (wide if self.bias is None else wide + self.bias).astype(self.dtype)

    def _activated(self, linear: np.ndarray) -> np.ndarray:
        outputs = np.asarray(self.activation(linear))
        if outputs.shape != self._activated_shape(linear.shape):
            rule = f"returned shape {outputs.shape} for shape {linear.shape}"
            raise ConvError("activation", self.activation, rule, "use a function that keeps the shape")
        return outputs.astype(self.dtype, copy=False)

    def _activated_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        changed = getattr(self.activation, "output_shape", None)
        return shape if changed is None else changed(shape)

    def _output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return self._activated_shape((*shape[:-1], self.units))

    def _weight_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {"kernel": (channels, self.units)}
        return {**shapes, "bias": (self.units,)} if self.use_bias else shapes
