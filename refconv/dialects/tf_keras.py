"""TensorFlow 2.4's Keras 2: its layers' names, signatures, defaults and weight layouts (`tf.keras.layers`).

They are the layers of `refconv.layers`, whose weight layouts are the same in both versions. Besides its own
arguments every layer takes ``input_shape``, ``batch_input_shape``, ``batch_size``, ``weights``, ``name``, ``dtype``,
``trainable``, ``dynamic`` and ``autocast``. What Keras 2 refuses and Keras 3 does not is in
`refconv.conventions.tf`; names of initializers, regularizers and activations mean what they meant in Keras 2.

Source: TensorFlow 2.4, ``tensorflow/python/keras/layers/convolutional.py``, and its documentation.

Examples
--------
>>> import numpy as np
>>> layer = Conv1DTranspose(32, 3, 2, activation="relu", input_shape=(10, 128))
>>> layer.output_shape
(None, 21, 32)
>>> layer(np.ones((4, 10, 128))).shape
(4, 21, 32)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from refconv import layers
from refconv.arguments import choice, is_sequence
from refconv.dialects.legacy import LegacyLayer
from refconv.errors import ConvError
from refconv.functional.arrays import read_array
from refconv.geometry import ConvGeometry
from refconv.layers.base import Shape
from refconv.layers.kernel import KernelLayer
from refconv.layers.reading import truth


class TfLayer(LegacyLayer):
    """Base of the layers of TensorFlow's Keras 2.

    Parameters
    ----------
    dynamic : bool
        Without effect: every layer runs eagerly.
    autocast : bool
        True: floating inputs are cast to the layer's dtype.
    **kwargs
        See `refconv.dialects.legacy.LegacyLayer`.

    Raises
    ------
    ConvError
        If an argument is wrong, or `autocast` is not True.
    """

    keras_version = 2

    def __init__(self, *, dynamic: bool = False, autocast: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dynamic = truth("dynamic", dynamic)
        if not truth("autocast", autocast):
            raise ConvError("autocast", autocast, "inputs are always cast to the layer's dtype", "choose dtype=")


class TfKernel(KernelLayer, TfLayer):
    """Base of the layers of TensorFlow's Keras 2 that slide a kernel."""

    framework = "tf"

    def _axes(self, spatial: tuple[int, ...], channels: int | None) -> ConvGeometry:
        try:
            return super()._axes(spatial, channels)
        except ConvError as error:
            remedy = error.remedy.replace("framework='keras'", "refconv.layers")
            raise ConvError(error.argument, error.value, error.rule, remedy, error.constraint) from None


class TfConvolution(TfKernel):
    """Base of the convolutions, whose input may have several batch axes: shape batch_shape + (spatial..., channels).

    They are taken as one, and given back.
    """

    def __call__(self, inputs: Any) -> np.ndarray:
        """Build the layer if need be, and compute its output; see `refconv.layers.base.Layer`."""
        x, batch = self._one_batch_axis(inputs)
        return _with_batch(super().__call__(x), batch)

    def forward(self, inputs: Any) -> np.ndarray:
        """Compute the output as a call does, and keep what `backward` needs; see `refconv.layers.base.Layer`."""
        x, batch = self._one_batch_axis(inputs)
        return _with_batch(super().forward(x), batch)

    def backward(self, dy: Any) -> np.ndarray:
        """Return the gradient to the input of the last `forward`; see `refconv.layers.base.Layer`."""
        gradient, batch = self._one_batch_axis(dy, "dy")
        return _with_batch(super().backward(gradient), batch)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """Return the shape of the output, its batch axes those of the input.

        Parameters
        ----------
        input_shape : sequence of int or None
            Batch axes and channels included.

        Raises
        ------
        ConvError
            If the layer cannot take such inputs.
        """
        if not is_sequence(input_shape):
            return super().compute_output_shape(input_shape)
        batch_rank = max(len(input_shape) - self.rank - 1, 1)
        batch = tuple(input_shape[: batch_rank - 1])
        return (*batch, *super().compute_output_shape(tuple(input_shape)[batch_rank - 1 :]))

    def _one_batch_axis(self, array: Any, argument: str = "inputs") -> tuple[np.ndarray, tuple[int, ...]]:
        x = read_array(argument, array)
        batch_rank = x.ndim - self.rank - 1
        if batch_rank < 2:
            return x, ()
        batch = x.shape[:batch_rank]
        return x.reshape(math.prod(batch), *x.shape[batch_rank:]), batch


def _with_batch(array: np.ndarray, batch: tuple[int, ...]) -> np.ndarray:
    return array.reshape(*batch, *array.shape[1:]) if batch else array


class Conv1D(TfConvolution, layers.Conv1D):
    """Convolution over one axis, such as time; ``padding`` may be ``"causal"``.

    The arguments are those of `refconv.layers.conv.Convolution`, and those that every layer here takes.
    The data format is ``"channels_last"`` unless told, whatever keras.json says.

    Source: TensorFlow 2.4, ``python/keras/layers/convolutional.py``.

    Examples
    --------
    >>> Conv1D(32, 3, padding="causal", dilation_rate=2, input_shape=(10, 128)).output_shape
    (None, 10, 32)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str = "channels_last",
        dilation_rate: Any = 1,
        groups: int = 1,
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
            dilation_rate=dilation_rate,
            groups=groups,
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


class Conv2D(TfConvolution, layers.Conv2D):
    """Convolution over two axes, such as the rows and columns of an image.

    The arguments are those of `refconv.layers.conv.Convolution`, and those that every layer here takes.

    Source: TensorFlow 2.4, ``python/keras/layers/convolutional.py``.

    Examples
    --------
    >>> Conv2D(8, 3, input_shape=(28, 28, 3)).output_shape
    (None, 26, 26, 8)
    """


class Conv3D(TfConvolution, layers.Conv3D):
    """Convolution over three axes, such as those of a volume.

    The arguments are those of `refconv.layers.conv.Convolution`, and those that every layer here takes.

    Source: TensorFlow 2.4, ``python/keras/layers/convolutional.py``.

    Examples
    --------
    >>> Conv3D(8, 3, input_shape=(9, 9, 9, 3)).output_shape
    (None, 7, 7, 7, 8)
    """


class Conv1DTranspose(TfKernel, layers.Conv1DTranspose):
    """Transposed convolution over one axis, such as time.

    The input has shape (batch_size, steps, channels), the output (batch_size, new_steps, filters), or with the
    channels second. ``output_padding`` must be below the stride, and None is not 0: with n steps, stride s,
    kernel size k and dilation d, and ``ke = (k - 1) d + 1``, there are

    ===========  ==========================  =================================
    padding      output_padding None         output_padding p
    ===========  ==========================  =================================
    ``"valid"``  ``(n - 1) s + max(ke, s)``  ``(n - 1) s + ke + p``
    ``"same"``   ``n s``                     ``(n - 1) s + ke - 2 (ke // 2) + p``
    ===========  ==========================  =================================

    new steps. So ``"same"`` keeps the size at stride 1 only, and the documentation's
    ``(timesteps - 1) * strides + kernel_size - 2 * padding + output_padding`` holds where output_padding is given,
    with ke for kernel_size and 0 or ``ke // 2`` for padding.

    The arguments are those of `refconv.layers.conv_transpose.ConvolutionTranspose`, and those that every layer here
    takes.

    Raises
    ------
    ConvError
        If ``padding`` is ``"causal"``, strides and dilation are both above 1, ``output_padding`` is not below the
        stride, or another argument is wrong. It is a ValueError.

    Notes
    -----
    TensorFlow 2.4's documentation says that a dilation above 1 is not supported; here it works at stride 1,
    as in Keras 3.
    Source: TensorFlow 2.4, ``python/keras/layers/convolutional.py``.

    Examples
    --------
    >>> Conv1DTranspose(32, 3, 2, input_shape=(10, 128)).output_shape
    (None, 21, 32)
    >>> Conv1DTranspose(32, 3, dilation_rate=2, input_shape=(10, 128)).output_shape
    (None, 14, 32)
    """


class Conv2DTranspose(TfKernel, layers.Conv2DTranspose):
    """Transposed convolution over two axes, such as the rows and columns of an image.

    The sizes are those of `Conv1DTranspose` per axis.
    The arguments are those of `refconv.layers.conv_transpose.ConvolutionTranspose`, and those that every layer here
    takes.

    Source: TensorFlow 2.4, ``python/keras/layers/convolutional.py``.

    Examples
    --------
    >>> Conv2DTranspose(8, 3, 2, padding="same", input_shape=(28, 28, 3)).output_shape
    (None, 56, 56, 8)
    """


class Conv3DTranspose(TfKernel, layers.Conv3DTranspose):
    """Transposed convolution over three axes, such as those of a volume.

    The sizes are those of `Conv1DTranspose` per axis.
    The arguments are those of `refconv.layers.conv_transpose.ConvolutionTranspose`, and those that every layer here
    takes.

    Notes
    -----
    ``output_padding`` stands before ``data_format``; in Keras 3 it stands after it. TensorFlow 2.4 took
    ``dilation_rate`` and did not use it; here it works at stride 1, as in Keras 3.
    Source: TensorFlow 2.4, ``python/keras/layers/convolutional.py``.

    Examples
    --------
    >>> Conv3DTranspose(8, 3, 2, input_shape=(4, 4, 4, 3)).output_shape
    (None, 9, 9, 9, 8)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
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


class SeparableConv1D(TfKernel, layers.SeparableConv1D):
    """Separable convolution over one axis; ``padding`` may be ``"causal"``, as nowhere in Keras 3.

    The arguments are those of `refconv.layers.separable.SeparableConvolution`, and those that every layer here takes.
    Strides and dilation are not both above 1.

    Source: TensorFlow 2.4, ``python/keras/layers/convolutional.py``.

    Examples
    --------
    >>> SeparableConv1D(8, 3, padding="causal", input_shape=(10, 3)).output_shape
    (None, 10, 8)
    """

    def _read_padding(self, padding: Any) -> str:
        return choice("padding", padding, ("valid", "same", "causal"))


class SeparableConv2D(TfKernel, layers.SeparableConv2D):
    """Separable convolution over the rows and columns of images.

    The arguments are those of `refconv.layers.separable.SeparableConvolution`, and those that every layer here takes.
    Strides and dilation are not both above 1, and rows and columns have one stride.

    Source: TensorFlow 2.4, ``python/keras/layers/convolutional.py``.

    Examples
    --------
    >>> SeparableConv2D(8, 3, depth_multiplier=2, input_shape=(28, 28, 3)).output_shape
    (None, 26, 26, 8)
    """


class DepthwiseConv1D(TfKernel, layers.DepthwiseConv1D):
    """Depthwise convolution over one axis, such as time.

    The arguments are those of `refconv.layers.depthwise.DepthwiseConvolution`, and those that every layer here takes.
    Strides and dilation are not both above 1.

    Source: Keras 2.15, ``layers/convolutional/depthwise_conv1d.py``; TensorFlow 2.4 did not have it yet.

    Examples
    --------
    >>> DepthwiseConv1D(3, depth_multiplier=2, input_shape=(10, 4)).output_shape
    (None, 8, 8)
    """


class DepthwiseConv2D(TfKernel, layers.DepthwiseConv2D):
    """Depthwise convolution over the rows and columns of images.

    The arguments are those of `refconv.layers.depthwise.DepthwiseConvolution`, and those that every layer here takes.
    Strides and dilation are not both above 1, and rows and columns have one stride.

    Source: TensorFlow 2.4, ``python/keras/layers/convolutional.py``.

    Examples
    --------
    >>> DepthwiseConv2D(3, depth_multiplier=2, input_shape=(28, 28, 3)).output_shape
    (None, 26, 26, 6)
    """


class UpSampling1D(layers.UpSampling1D, TfLayer):
    """Repetition of every step `size` times.

    The arguments are those of `refconv.layers.upsampling.UpSampling1D`, and those that every layer here takes.

    Source: TensorFlow 2.4, ``python/keras/layers/convolutional.py``.

    Examples
    --------
    >>> UpSampling1D(3, input_shape=(4, 5)).output_shape
    (None, 12, 5)
    """


class UpSampling2D(layers.UpSampling2D, TfLayer):
    """Enlargement of images by whole factors, by repetition or by interpolation.

    TensorFlow 2.4 had ``"nearest"`` and ``"bilinear"``; ``"bicubic"``, ``"lanczos3"`` and ``"lanczos5"`` came later.

    The arguments are those of `refconv.layers.upsampling.UpSampling2D`, and those that every layer here takes.

    Source: TensorFlow 2.4, ``python/keras/layers/convolutional.py``.

    Examples
    --------
    >>> UpSampling2D((2, 3), interpolation="bilinear", input_shape=(4, 4, 5)).output_shape
    (None, 8, 12, 5)
    """


class UpSampling3D(layers.UpSampling3D, TfLayer):
    """Repetition of every cell of a volume by whole factors.

    The arguments are those of `refconv.layers.upsampling.UpSampling3D`, and those that every layer here takes.

    Source: TensorFlow 2.4, ``python/keras/layers/convolutional.py``.

    Examples
    --------
    >>> UpSampling3D(input_shape=(2, 3, 4, 5)).output_shape
    (None, 4, 6, 8, 5)
    """


class ZeroPadding1D(layers.ZeroPadding1D, TfLayer):
    """Zeros before the first step and after the last; the channels are last.

    The arguments are those of `refconv.layers.zero_padding.ZeroPadding1D`, and those that every layer here takes.

    Source: TensorFlow 2.4, ``python/keras/layers/convolutional.py``.

    Examples
    --------
    >>> ZeroPadding1D((1, 2), input_shape=(4, 5)).output_shape
    (None, 7, 5)
    """

    def __init__(self, padding: Any = 1, **kwargs: Any) -> None:
        if "data_format" in kwargs:
            raise self._unknown_argument("data_format", kwargs["data_format"])
        super().__init__(padding=padding, data_format="channels_last", **kwargs)


class ZeroPadding2D(layers.ZeroPadding2D, TfLayer):
    """Zeros around the rows and columns of images.

    The arguments are those of `refconv.layers.zero_padding.ZeroPadding2D`, and those that every layer here takes.

    Source: TensorFlow 2.4, ``python/keras/layers/convolutional.py``.

    Examples
    --------
    >>> ZeroPadding2D(((1, 0), (0, 2)), input_shape=(4, 4, 5)).output_shape
    (None, 5, 6, 5)
    """


class ZeroPadding3D(layers.ZeroPadding3D, TfLayer):
    """Zeros around the three axes of volumes.

    The arguments are those of `refconv.layers.zero_padding.ZeroPadding3D`, and those that every layer here takes.

    Source: TensorFlow 2.4, ``python/keras/layers/convolutional.py``.

    Examples
    --------
    >>> ZeroPadding3D((1, 2, 3), input_shape=(4, 4, 4, 5)).output_shape
    (None, 6, 8, 10, 5)
    """

    def __init__(self, padding: Any = (1, 1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding=padding, data_format=data_format, **kwargs)


class Cropping1D(layers.Cropping1D, TfLayer):
    """The steps without the first few and the last few.

    The arguments are those of `refconv.layers.cropping.Cropping1D`, and those that every layer here takes.

    Source: TensorFlow 2.4, ``python/keras/layers/convolutional.py``.

    Examples
    --------
    >>> Cropping1D((1, 2), input_shape=(8, 5)).output_shape
    (None, 5, 5)
    """


class Cropping2D(layers.Cropping2D, TfLayer):
    """Images without cells at their borders.

    The arguments are those of `refconv.layers.cropping.Cropping2D`, and those that every layer here takes.

    Source: TensorFlow 2.4, ``python/keras/layers/convolutional.py``.

    Examples
    --------
    >>> Cropping2D(((2, 2), (4, 4)), input_shape=(28, 28, 3)).output_shape
    (None, 24, 20, 3)
    """


class Cropping3D(layers.Cropping3D, TfLayer):
    """Volumes without cells at their borders.

    The arguments are those of `refconv.layers.cropping.Cropping3D`, and those that every layer here takes.

    Source: TensorFlow 2.4, ``python/keras/layers/convolutional.py``.

    Examples
    --------
    >>> Cropping3D((2, 4, 2), input_shape=(28, 28, 10, 3)).output_shape
    (None, 24, 20, 6, 3)
    """


# Keras' long names.
Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
Convolution1DTranspose, Convolution2DTranspose = Conv1DTranspose, Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D

__all__ = [
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "Convolution3D",
    "Convolution3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
]
