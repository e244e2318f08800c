"""What the layers that slide a kernel share."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from refconv import activations, conventions, functional
from refconv.arguments import choice, per_axis
from refconv.conventions.keras import word_paddings
from refconv.errors import ConvError
from refconv.geometry import ConvGeometry
from refconv.layers.base import Layer, Shape, Weight
from refconv.layers.reading import read_data_format, read_initializer, truth


class KernelLayer(Layer):
    """Base of the layers that slide a kernel.

    Parameters
    ----------
    kernel_size, strides, dilation_rate : int or sequence of int
        One number, or one per spatial axis.
    padding : str
        ``"valid"`` or ``"same"``, in any letter case; Conv1D also ``"causal"``.
    data_format : str, optional
        ``"channels_last"`` or ``"channels_first"``; by default what keras.json says.
    activation : str, dict, callable or None
        See `refconv.activations.get`.
    use_bias : bool
        Whether a bias is added to every filter.
    bias_initializer : str or callable
        See `refconv.initializers.get`; None is ``"zeros"``, as Keras documents.
    **kwargs
        See `Layer`.

    Raises
    ------
    ConvError
        If an argument is wrong by itself or with the others.
    """

    kind: str
    # Whose words the arguments are: Keras', where it has such a layer.
    framework = "keras"
    bias = Weight()

    def __init__(
        self,
        *,
        kernel_size: Any,
        strides: Any,
        padding: Any,
        data_format: Any,
        dilation_rate: Any,
        activation: Any,
        use_bias: Any,
        bias_initializer: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._packed: functional.PackedWeights | None = None
        self.kernel_size = per_axis("kernel_size", kernel_size, self.rank)
        self.strides = per_axis("strides", strides, self.rank)
        self.dilation_rate = per_axis("dilation_rate", dilation_rate, self.rank)
        self.padding = self._read_padding(padding)
        self.data_format = read_data_format(data_format)
        self.activation = activations.get(activation, self.keras_version)
        self.use_bias = truth("use_bias", use_bias)
        self.bias_initializer = read_initializer("bias_initializer", bias_initializer, "zeros", self.keras_version)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """Return the shape of the output; unknown (None) batch and sizes stay unknown.

        Parameters
        ----------
        input_shape : sequence of int or None
            Batch and channels included.

        Raises
        ------
        ConvError
            If the layer cannot take such inputs, or its activation such outputs.
        """
        return self._activated_shape(super().compute_output_shape(input_shape))

    def call(self, inputs: np.ndarray) -> np.ndarray:
        """Compute the output of a built layer."""
        return self._activated(self._linear(inputs))

    def _forward(self, x: np.ndarray) -> tuple[np.ndarray, Any]:
        linear = self._linear(x)
        return self._activated(linear), (x, linear)

    def _backward(self, state: Any, dy: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        x, linear = state
        dy = activations.gradient(self.activation, linear, dy).astype(self.dtype, copy=False)
        if dy.shape != linear.shape:
            rule = f"its gradient has shape {dy.shape} for inputs of shape {linear.shape}"
            raise ConvError("activation", self.activation, rule, "return an array of the shape of the inputs")
        gradients = self._weight_gradients(x, dy) if self.trainable else {}
        if self.trainable and self.use_bias:
            gradients["bias"] = functional.bias_grad(dy, data_format=self.data_format)
        return self._input_gradient(dy, x.shape), gradients

    def _packed_kernel(self) -> functional.PackedWeights:
        """Return the kernel with the copies that the fast path made of it, as long as it is the same."""
        kernel = self._arrays["kernel"]
        assert kernel is not None
        if self._packed is None or self._packed.weights is not kernel:
            self._packed = functional.PackedWeights(kernel)
        return self._packed

    def _linear(self, x: np.ndarray) -> np.ndarray:
        """Compute the output before the activation."""
        raise NotImplementedError

    def _input_gradient(self, dy: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Return the gradient to the input, from that to the output before the activation."""
        raise NotImplementedError

    def _weight_gradients(self, x: np.ndarray, dy: np.ndarray) -> dict[str, np.ndarray]:
        """Return the gradients to the kernels by name, from that to the output before the activation."""
        raise NotImplementedError

    def _words(self) -> dict[str, Any]:
        """Return the arguments that `refconv.conventions` and `refconv.functional` share."""
        return {"strides": self.strides, "padding": self.padding, "dilation_rate": self.dilation_rate}

    def _axes(self, spatial: tuple[int, ...], channels: int | None) -> ConvGeometry:
        try:
            words = {"kernel_size": self.kernel_size, **self._words()}
            return conventions.read(self.kind, spatial, self.framework, **words).geometry
        except ConvError as error:
            raise _at_home(error) from None

    def _read_padding(self, padding: Any) -> str:
        try:
            words = word_paddings((1,) * self.rank, padding, causal=self.kind == "conv")
        except ConvError as error:
            raise _at_home(error) from None
        return choice("padding", padding, words)

    def _ample_size(self) -> tuple[int, ...]:
        return tuple((k - 1) * d + 2 for k, d in zip(self.kernel_size, self.dilation_rate, strict=True))

    def _activated(self, outputs: np.ndarray) -> np.ndarray:
        result = np.asarray(self.activation(outputs))
        if result.shape != self._activated_shape(outputs.shape):
            rule = f"returned shape {result.shape} for shape {outputs.shape}"
            raise ConvError("activation", self.activation, rule, "use a function that keeps the shape")
        return result.astype(self.dtype, copy=False)

    def _activated_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        changed = getattr(self.activation, "output_shape", None)
        return shape if changed is None else changed(shape)


def depthwise_weights(kernel: np.ndarray | None) -> np.ndarray | None:
    """Return a depthwise kernel (k..., C, dm) as that of a convolution in C groups, (k..., 1, C * dm).

    Examples
    --------
    >>> depthwise_weights(np.zeros((3, 3, 5, 2))).shape
    (3, 3, 1, 10)
    """
    return None if kernel is None else kernel.reshape(*kernel.shape[:-2], 1, math.prod(kernel.shape[-2:]))


def _at_home(error: ConvError) -> ConvError:
    """Return a convention's error for a layer, which has no framework to choose."""
    remedy = error.remedy.replace("framework='rule'", "refconv.functional")
    return ConvError(error.argument, error.value, error.rule, remedy, error.constraint)
