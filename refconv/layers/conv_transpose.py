"""Transposed convolution layers in one, two and three dimensions."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from refconv import functional
from refconv.arguments import per_axis, whole_number
from refconv.layers.base import Shape, Weight
from refconv.layers.kernel import KernelLayer
from refconv.layers.reading import read_initializer
from refconv.trace import Stage


class ConvolutionTranspose(KernelLayer):
    """Base of the transposed convolution layers.

    A transposed convolution is the adjoint of a convolution, not its inverse: every input stamps
    the kernel onto the output, `strides` apart, and the stamps are summed.

    Parameters
    ----------
    filters : int
        Channels of the output.
    kernel_size, strides, dilation_rate : int or sequence of int
        One number, or one per spatial axis; strides and dilation above 1 do not go together.
    padding : str
        ``"valid"`` or ``"same"``, in any letter case; ``"same"`` gives ``input * stride`` outputs.
    output_padding : int or sequence of int, optional
        Below the stride; None lets `padding` choose the size, which is not what 0 does.
    data_format : str, optional
        ``"channels_last"`` or ``"channels_first"``; by default what keras.json says.
    activation : str, dict, callable or None
        See `refconv.activations.get`.
    use_bias : bool
        Whether a bias is added to every filter.
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
    kernel : ndarray, shape (k..., filters, channels)
        Once the layer is built; may be assigned.
    bias : ndarray, shape (filters,), or None
        Likewise.

    Raises
    ------
    ConvError
        If an argument is wrong by itself or with the others.
    """

    kind = "conv-transpose"
    weight_initializers: ClassVar = {"kernel": "kernel_initializer", "bias": "bias_initializer"}
    kernel = Weight()

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            use_bias=use_bias,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self.filters = whole_number("filters", filters, 1)
        self.output_padding = (
            None if output_padding is None else per_axis("output_padding", output_padding, self.rank, 0)
        )
        self.kernel_initializer = read_initializer(
            "kernel_initializer", kernel_initializer, "glorot_uniform", self.keras_version
        )
        self._axes(self._ample_size(), None)

    def _linear(self, x: np.ndarray) -> np.ndarray:
        words = {"data_format": self.data_format, **self._words()}
        return functional.conv_transpose(x, self._packed_kernel(), self.bias, **words)

    def _input_gradient(self, dy: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        return functional.conv_transpose_grad_input(
            dy, self.kernel, input_shape, data_format=self.data_format, **self._words()
        )

    def _weight_gradients(self, x: np.ndarray, dy: np.ndarray) -> dict[str, np.ndarray]:
        words = {"data_format": self.data_format, **self._words()}
        return {"kernel": functional.conv_transpose_grad_weights(x, dy, self.kernel_size, **words)}

    def _words(self) -> dict[str, Any]:
        return {**super()._words(), "output_padding": self.output_padding}

    def _weight_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        shapes = {"kernel": (*self.kernel_size, self.filters, channels)}
        return {**shapes, "bias": (self.filters,)} if self.use_bias else shapes

    def _output_channels(self, channels: int | None) -> int | None:
        return self.filters

    def _stages(self, input_shape: Shape, channels: int) -> tuple[Stage, ...]:
        geometry = self.geometry(input_shape)
        kernel = self._arrays.get("kernel")
        # Read as a gather, the channels are what is summed over and come before the filters.
        gathered = None if kernel is None else kernel.swapaxes(-1, -2)
        return (Stage("conv-transpose", geometry, gathered, self._arrays.get("bias")),)


class Conv1DTranspose(ConvolutionTranspose):
    """Transposed convolution over one axis, such as time.

    The input has shape (batch, steps, channels), the output (batch, new_steps, filters), or with the channels
    second. The arguments are those of `refconv.layers.conv_transpose.ConvolutionTranspose`.

    Source: ``keras/src/layers/convolutional/conv1d_transpose.py``, Keras 3.15.1.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).random((4, 10, 128))
    >>> Conv1DTranspose(32, 3, 2, activation="relu")(x).shape
    (4, 21, 32)
    """

    rank = 1


class Conv2DTranspose(ConvolutionTranspose):
    """Transposed convolution over two axes, such as the rows and columns of an image.

    The input has shape (batch, rows, columns, channels), the output (batch, new_rows, new_columns, filters), or
    with the channels second. The arguments are those of `refconv.layers.conv_transpose.ConvolutionTranspose`.

    Source: ``keras/src/layers/convolutional/conv2d_transpose.py``, Keras 3.15.1.

    Examples
    --------
    >>> Conv2DTranspose(32, 2, 2).compute_output_shape((4, 10, 8, 128))
    (4, 20, 16, 32)
    """

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
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
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            output_padding=output_padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )


class Conv3DTranspose(ConvolutionTranspose):
    """Transposed convolution over three axes, such as those of a volume.

    The input has shape (batch, n1, n2, n3, channels), the output (batch, o1, o2, o3, filters), or with the channels
    second. The arguments are those of `refconv.layers.conv_transpose.ConvolutionTranspose`, `data_format` before
    `output_padding`.

    Source: ``keras/src/layers/convolutional/conv3d_transpose.py``, Keras 3.15.1.

    Examples
    --------
    >>> Conv3DTranspose(32, 2, 2).compute_output_shape((4, 10, 8, 12, 128))
    (4, 20, 16, 24, 32)
    """

    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        output_padding: Any = None,
        dilation_rate: Any = (1, 1, 1),
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
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            output_padding=output_padding,
            dilation_rate=dilation_rate,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
