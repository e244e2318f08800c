"""Depthwise convolution layers in one, two and three dimensions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from refconv import functional
from refconv.arguments import whole_number
from refconv.geometry import ConvGeometry
from refconv.layers.base import Shape, Weight
from refconv.layers.kernel import KernelLayer, depthwise_weights
from refconv.layers.reading import read_initializer
from refconv.trace import Stage


class DepthwiseConvolution(KernelLayer):
    """Base of the depthwise convolution layers.

    Every channel is convolved by itself with `depth_multiplier` kernels: output channel
    ``c * depth_multiplier + m`` reads channel c.

    Parameters
    ----------
    kernel_size, strides, dilation_rate : int or sequence of int
        One number, or one per spatial axis.
    padding : str
        ``"valid"`` or ``"same"``, in any letter case.
    depth_multiplier : int
        Outputs per channel.
    data_format : str, optional
        ``"channels_last"`` or ``"channels_first"``; by default what keras.json says.
    activation : str, dict, callable or None
        See `refconv.activations.get`.
    use_bias : bool
        Whether a bias is added to every output channel.
    depthwise_initializer, bias_initializer : str, dict or callable
        See `refconv.initializers.get`.
    depthwise_regularizer, bias_regularizer, activity_regularizer : str, dict, callable or None
        See `refconv.regularizers.get`.
    depthwise_constraint, bias_constraint : str, dict, callable or None
        See `refconv.constraints.get`.
    **kwargs
        ``trainable``, ``dtype`` and ``name``; see `refconv.layers.base.Layer`.

    Attributes
    ----------
    kernel : ndarray, shape (k..., channels, depth_multiplier)
        Once the layer is built; may be assigned. `depthwise_kernel` is another name of it.
    bias : ndarray, shape (channels * depth_multiplier,), or None
        Likewise.

    Raises
    ------
    ConvError
        If an argument is wrong by itself or with the others.
    """

    kind = "depthwise"
    weight_initializers: ClassVar = {"kernel": "depthwise_initializer", "bias": "bias_initializer"}
    kernel = Weight()

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            use_bias=use_bias,
            bias_initializer=bias_initializer,
            depthwise_regularizer=depthwise_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            depthwise_constraint=depthwise_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self.depth_multiplier = whole_number("depth_multiplier", depth_multiplier, 1)
        self.depthwise_initializer = read_initializer(
            "depthwise_initializer", depthwise_initializer, "glorot_uniform", self.keras_version
        )
        self._axes(self._ample_size(), None)

    @property
    def depthwise_kernel(self) -> np.ndarray:
        """The kernel, by the name that Keras 2 gave it."""
        kernel: np.ndarray = self.kernel
        return kernel

    def _linear(self, x: np.ndarray) -> np.ndarray:
        return functional.depthwise_conv(x, self.kernel, self.bias, data_format=self.data_format, **self._words())

    def _input_gradient(self, dy: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        return functional.depthwise_conv_grad_input(
            dy, self.kernel, input_shape, data_format=self.data_format, **self._words()
        )

    def _weight_gradients(self, x: np.ndarray, dy: np.ndarray) -> dict[str, np.ndarray]:
        words = {"data_format": self.data_format, **self._words()}
        return {"kernel": functional.depthwise_conv_grad_weights(x, dy, self.kernel_size, **words)}

    def _axes(self, spatial: tuple[int, ...], channels: int | None) -> ConvGeometry:
        return replace(super()._axes(spatial, channels), groups=channels or 1)

    def _weight_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        shapes = {"kernel": (*self.kernel_size, channels, self.depth_multiplier)}
        return {**shapes, "bias": (channels * self.depth_multiplier,)} if self.use_bias else shapes

    def _output_channels(self, channels: int | None) -> int | None:
        return None if channels is None else channels * self.depth_multiplier

    def _stages(self, input_shape: Shape, channels: int) -> tuple[Stage, ...]:
        kernel = depthwise_weights(self._arrays.get("kernel"))
        return (Stage("depthwise", self.geometry(input_shape), kernel, self._arrays.get("bias")),)


class DepthwiseConv1D(DepthwiseConvolution):
    """Depthwise convolution over one axis, such as time.

    The input has shape (batch, steps, channels), the output (batch, new_steps, channels * depth_multiplier), or
    with the channels second. The arguments are those of `refconv.layers.depthwise.DepthwiseConvolution`.

    Source: ``keras/src/layers/convolutional/depthwise_conv1d.py``, Keras 3.15.1.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).random((4, 10, 12))
    >>> DepthwiseConv1D(3, 3, depth_multiplier=2, activation="relu")(x).shape
    (4, 3, 24)
    """

    rank = 1


class DepthwiseConv2D(DepthwiseConvolution):
    """Depthwise convolution over two axes, such as the rows and columns of an image.

    The input has shape (batch, rows, columns, channels), the output (batch, new_rows, new_columns, channels *
    depth_multiplier), or with the channels second. The arguments are those of
    `refconv.layers.depthwise.DepthwiseConvolution`.

    Source: ``keras/src/layers/convolutional/depthwise_conv2d.py``, Keras 3.15.1.

    Examples
    --------
    >>> DepthwiseConv2D(kernel_size=3, depth_multiplier=2).compute_output_shape((4, 10, 10, 12))
    (4, 8, 8, 24)
    """

    rank = 2

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            depth_multiplier=depth_multiplier,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            use_bias=use_bias,
            depthwise_initializer=depthwise_initializer,
            bias_initializer=bias_initializer,
            depthwise_regularizer=depthwise_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            depthwise_constraint=depthwise_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )


class DepthwiseConv3D(DepthwiseConvolution):
    """Depthwise convolution over three axes, such as those of a volume.

    The input has shape (batch, n1, n2, n3, channels), the output (batch, o1, o2, o3, channels * depth_multiplier),
    or with the channels second. The arguments are those of `refconv.layers.depthwise.DepthwiseConvolution`.

    Source: the arguments of Keras' DepthwiseConv2D; Keras has no such layer.

    Examples
    --------
    >>> DepthwiseConv3D(kernel_size=3).compute_output_shape((4, 10, 10, 9, 12))
    (4, 8, 8, 7, 12)
    """

    rank = 3
    framework = "rule"

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = (1, 1, 1),
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            depth_multiplier=depth_multiplier,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            use_bias=use_bias,
            depthwise_initializer=depthwise_initializer,
            bias_initializer=bias_initializer,
            depthwise_regularizer=depthwise_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            depthwise_constraint=depthwise_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
