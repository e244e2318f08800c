"""Separable convolution layers in one, two and three dimensions."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from refconv import functional
from refconv.arguments import whole_number
from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.layers.base import Shape, Weight
from refconv.layers.kernel import KernelLayer, depthwise_weights
from refconv.layers.reading import read_initializer
from refconv.trace import Stage


class SeparableConvolution(KernelLayer):
    """Base of the separable convolution layers.

    A depthwise convolution, and then a pointwise one (of kernel size 1) that mixes its outputs.

    Parameters
    ----------
    filters : int
        Channels of the output.
    kernel_size, strides, dilation_rate : int or sequence of int
        Of the depthwise step: one number, or one per spatial axis.
    padding : str
        ``"valid"`` or ``"same"``, in any letter case.
    data_format : str, optional
        ``"channels_last"`` or ``"channels_first"``; by default what keras.json says.
    depth_multiplier : int
        Outputs of the depthwise step per channel.
    activation : str, dict, callable or None
        See `refconv.activations.get`.
    use_bias : bool
        Whether a bias is added to every filter.
    depthwise_initializer, pointwise_initializer, bias_initializer : str, dict or callable
        See `refconv.initializers.get`.
    depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer : str, dict, callable or None
        See `refconv.regularizers.get`.
    depthwise_constraint, pointwise_constraint, bias_constraint : str, dict, callable or None
        See `refconv.constraints.get`.
    **kwargs
        ``trainable``, ``dtype`` and ``name``; see `refconv.layers.base.Layer`.

    Attributes
    ----------
    depthwise_kernel : ndarray, shape (k..., channels, depth_multiplier)
        Once the layer is built; may be assigned.
    pointwise_kernel : ndarray, shape (1..., channels * depth_multiplier, filters)
        Likewise.
    bias : ndarray, shape (filters,), or None
        Likewise.

    Raises
    ------
    ConvError
        If an argument is wrong by itself or with the others.
    """

    kind = "separable"
    weight_initializers: ClassVar = {
        "depthwise_kernel": "depthwise_initializer",
        "pointwise_kernel": "pointwise_initializer",
        "bias": "bias_initializer",
    }
    depthwise_kernel = Weight()
    pointwise_kernel = Weight()

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
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
            pointwise_regularizer=pointwise_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            depthwise_constraint=depthwise_constraint,
            pointwise_constraint=pointwise_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self.filters = whole_number("filters", filters, 1)
        self.depth_multiplier = whole_number("depth_multiplier", depth_multiplier, 1)
        self.depthwise_initializer = read_initializer(
            "depthwise_initializer", depthwise_initializer, "glorot_uniform", self.keras_version
        )
        self.pointwise_initializer = read_initializer(
            "pointwise_initializer", pointwise_initializer, "glorot_uniform", self.keras_version
        )
        self._axes(self._ample_size(), None)

    def _linear(self, x: np.ndarray) -> np.ndarray:
        words = {"data_format": self.data_format, **self._words()}
        return functional.separable_conv(x, self.depthwise_kernel, self.pointwise_kernel, self.bias, **words)

    def _input_gradient(self, dy: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        kernels = self.depthwise_kernel, self.pointwise_kernel
        words = {"data_format": self.data_format, **self._words()}
        return functional.separable_conv_grad_input(dy, *kernels, input_shape, **words)

    def _weight_gradients(self, x: np.ndarray, dy: np.ndarray) -> dict[str, np.ndarray]:
        kernels = self.depthwise_kernel, self.pointwise_kernel
        words = {"data_format": self.data_format, **self._words()}
        depthwise, pointwise = functional.separable_conv_grad_weights(x, dy, *kernels, **words)
        return {"depthwise_kernel": depthwise, "pointwise_kernel": pointwise}

    def _weight_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        shapes = {
            "depthwise_kernel": (*self.kernel_size, channels, self.depth_multiplier),
            "pointwise_kernel": (*(1,) * self.rank, channels * self.depth_multiplier, self.filters),
        }
        return {**shapes, "bias": (self.filters,)} if self.use_bias else shapes

    def _output_channels(self, channels: int | None) -> int | None:
        return self.filters

    def _stages(self, input_shape: Shape, channels: int) -> tuple[Stage, ...]:
        geometry = self.geometry(input_shape)
        pointwise = ConvGeometry(tuple(AxisGeometry(size, 1) for size in geometry.output_size))
        return (
            Stage(
                "depthwise",
                ConvGeometry(geometry.axes, groups=channels),
                depthwise_weights(self._arrays.get("depthwise_kernel")),
            ),
            Stage("pointwise", pointwise, self._arrays.get("pointwise_kernel"), self._arrays.get("bias")),
        )


class SeparableConv1D(SeparableConvolution):
    """Separable convolution over one axis, such as time.

    The input has shape (batch, steps, channels), the output (batch, new_steps, filters), or with the channels
    second. The arguments are those of `refconv.layers.separable.SeparableConvolution`.

    Source: ``keras/src/layers/convolutional/separable_conv1d.py``, Keras 3.15.1.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).random((4, 10, 12))
    >>> SeparableConv1D(3, 4, 3, activation="relu")(x).shape
    (4, 3, 3)
    """

    rank = 1


class SeparableConv2D(SeparableConvolution):
    """Separable convolution over two axes, such as the rows and columns of an image.

    The input has shape (batch, rows, columns, channels), the output (batch, new_rows, new_columns, filters), or
    with the channels second. The arguments are those of `refconv.layers.separable.SeparableConvolution`.

    Source: ``keras/src/layers/convolutional/separable_conv2d.py``, Keras 3.15.1.

    Examples
    --------
    >>> layer = SeparableConv2D(3, 4, depth_multiplier=2)
    >>> layer.build((None, None, None, 12))
    >>> layer.depthwise_kernel.shape, layer.pointwise_kernel.shape
    ((4, 4, 12, 2), (1, 1, 24, 3))
    """

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            depth_multiplier=depth_multiplier,
            activation=activation,
            use_bias=use_bias,
            depthwise_initializer=depthwise_initializer,
            pointwise_initializer=pointwise_initializer,
            bias_initializer=bias_initializer,
            depthwise_regularizer=depthwise_regularizer,
            pointwise_regularizer=pointwise_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            depthwise_constraint=depthwise_constraint,
            pointwise_constraint=pointwise_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )


class SeparableConv3D(SeparableConvolution):
    """Separable convolution over three axes, such as those of a volume.

    The input has shape (batch, n1, n2, n3, channels), the output (batch, o1, o2, o3, filters), or with the channels
    second. The arguments are those of `refconv.layers.separable.SeparableConvolution`.

    Source: the arguments of Keras' SeparableConv2D; Keras has no such layer.

    Examples
    --------
    >>> SeparableConv3D(3, 4).compute_output_shape((4, 10, 10, 9, 12))
    (4, 7, 7, 6, 3)
    """

    rank = 3
    framework = "rule"

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1, 1),
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            depth_multiplier=depth_multiplier,
            activation=activation,
            use_bias=use_bias,
            depthwise_initializer=depthwise_initializer,
            pointwise_initializer=pointwise_initializer,
            bias_initializer=bias_initializer,
            depthwise_regularizer=depthwise_regularizer,
            pointwise_regularizer=pointwise_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            depthwise_constraint=depthwise_constraint,
            pointwise_constraint=pointwise_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
