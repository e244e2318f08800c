"""TensorFlow's Keras 2 (`tf.keras`): the signatures of Keras 3, with these differences.

- ``DepthwiseConv`` and ``SeparableConv`` refuse strides above 1 together with a dilation above 1, as
  ``Conv`` does; Keras 3.15 allows it.
- In two dimensions both take one stride for rows and columns: TensorFlow's depthwise operation has no other.
- ``SeparableConv1D`` takes ``padding="causal"``; in Keras 3 only ``Conv1D`` does.

Transposed layers are Keras 3's: a dilation above 1 works at stride 1, whatever the documentation of
``Conv1DTranspose`` says.

Source: ``tf.keras.layers``, Keras 2.15, ``layers/convolutional/base_conv.py``, ``depthwise_conv2d.py``,
``separable_conv1d.py``; TensorFlow, ``core/kernels/depthwise_conv_op.cc``.
"""

from __future__ import annotations

from typing import Any

from refconv.arguments import spatial_size, whole_number
from refconv.conventions import axes, keras, rule
from refconv.conventions.layouts import Reading


def conv(
    input_size: Any,
    *,
    kernel_size: Any,
    strides: Any = 1,
    padding: str = "valid",
    dilation_rate: Any = 1,
    groups: int = 1,
    data_format: str | None = None,
) -> Reading:
    """Read ``Conv1D``, ``Conv2D`` or ``Conv3D``, as Keras 3 does.

    Raises
    ------
    ConvError
        As `refconv.conventions.keras.conv`.

    Notes
    -----
    Source: Keras 2.15, ``layers/convolutional/base_conv.py``.

    Examples
    --------
    >>> conv(10, kernel_size=3, padding="causal", strides=2).output_size
    (5,)
    """
    reading = keras.conv(
        input_size,
        kernel_size=kernel_size,
        strides=strides,
        padding=padding,
        dilation_rate=dilation_rate,
        groups=groups,
        data_format=data_format,
    )
    return reading._replace(framework="tf")


def depthwise(
    input_size: Any,
    *,
    kernel_size: Any,
    strides: Any = 1,
    padding: str = "valid",
    dilation_rate: Any = 1,
    depth_multiplier: int = 1,
    data_format: str | None = None,
) -> Reading:
    """Read ``DepthwiseConv1D`` or ``DepthwiseConv2D``.

    Raises
    ------
    ConvError
        As `refconv.conventions.keras.depthwise`; or if strides and dilation are both above 1, or rows
        and columns have different strides.

    Notes
    -----
    Source: Keras 2.15, ``layers/convolutional/depthwise_conv2d.py``; TensorFlow,
    ``core/kernels/depthwise_conv_op.cc``.

    Examples
    --------
    >>> depthwise((10, 10), kernel_size=3, strides=2).output_size
    (4, 4)
    """
    keras.check_rank("tf", "DepthwiseConv", input_size, (1, 2))
    paddings = keras.word_paddings(input_size, padding)
    return _by_channel(
        "depthwise", input_size, kernel_size, strides, padding, dilation_rate, depth_multiplier, data_format, paddings
    )


def separable(
    input_size: Any,
    *,
    kernel_size: Any,
    strides: Any = 1,
    padding: str = "valid",
    dilation_rate: Any = 1,
    depth_multiplier: int = 1,
    data_format: str | None = None,
) -> Reading:
    """Read ``SeparableConv1D``, which may be causal, or ``SeparableConv2D``.

    Raises
    ------
    ConvError
        As `depthwise`.

    Notes
    -----
    Source: Keras 2.15, ``layers/convolutional/separable_conv1d.py`` and ``separable_conv2d.py``.

    Examples
    --------
    >>> separable(10, kernel_size=3, padding="causal").output_size
    (10,)
    """
    keras.check_rank("tf", "SeparableConv", input_size, (1, 2))
    paddings = keras.word_paddings(input_size, padding, causal=True)
    return _by_channel(
        "separable", input_size, kernel_size, strides, padding, dilation_rate, depth_multiplier, data_format, paddings
    )


def _by_channel(
    layer: str,
    input_size: Any,
    kernel_size: Any,
    strides: Any,
    padding: Any,
    dilation_rate: Any,
    depth_multiplier: Any,
    data_format: Any,
    paddings: tuple[str, ...],
) -> Reading:
    keras.check_strides_and_dilation(input_size, strides, dilation_rate)
    axes.equal_strides("strides", strides, len(spatial_size("input_size", input_size)))
    whole_number("depth_multiplier", depth_multiplier, 1)
    return rule.conv_like(
        layer, "tf", input_size, kernel_size, strides, padding, dilation_rate, 1, data_format, paddings
    )


def conv_transpose(
    input_size: Any,
    *,
    kernel_size: Any,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    dilation_rate: Any = 1,
    data_format: str | None = None,
) -> Reading:
    """Read ``Conv1DTranspose``, ``Conv2DTranspose`` or ``Conv3DTranspose``, as Keras 3 does.

    Raises
    ------
    ConvError
        As `refconv.conventions.keras.conv_transpose`.

    Notes
    -----
    Source: Keras 2.15, ``utils/conv_utils.py``, ``deconv_output_length``.

    Examples
    --------
    >>> conv_transpose(10, kernel_size=3, dilation_rate=2).output_size
    (14,)
    """
    return keras.read_transposed(
        "tf", input_size, kernel_size, strides, padding, output_padding, dilation_rate, data_format
    )


def upsampling(
    input_size: Any, *, size: Any = 2, interpolation: str = "nearest", data_format: str | None = None
) -> Reading:
    """Read ``UpSampling1D``, ``UpSampling2D`` or ``UpSampling3D``, as Keras 3 does.

    TensorFlow's ``"area"``, ``"gaussian"`` and ``"mitchellcubic"`` are not read.

    Raises
    ------
    ConvError
        As `refconv.conventions.keras.upsampling`.

    Notes
    -----
    Source: Keras 2.15, ``layers/reshaping/up_sampling2d.py``.

    Examples
    --------
    >>> upsampling(3).output_size
    (6,)
    """
    return keras.read_upsampling("tf", input_size, size, interpolation, data_format)


def zero_padding(input_size: Any, *, padding: Any = 1, data_format: str | None = None) -> Reading:
    """Read ``ZeroPadding1D``, ``ZeroPadding2D`` or ``ZeroPadding3D``, as Keras 3 does.

    Raises
    ------
    ConvError
        As `refconv.conventions.keras.zero_padding`.

    Notes
    -----
    Source: Keras 2.15, ``layers/reshaping/zero_padding2d.py``.

    Examples
    --------
    >>> zero_padding(3).output_size
    (5,)
    """
    return keras.zero_padding(input_size, padding=padding, data_format=data_format)._replace(framework="tf")


def cropping(input_size: Any, *, cropping: Any = None, data_format: str | None = None) -> Reading:
    """Read ``Cropping1D``, ``Cropping2D`` or ``Cropping3D``, as Keras 3 does.

    Raises
    ------
    ConvError
        As `refconv.conventions.keras.cropping`.

    Notes
    -----
    Source: Keras 2.15, ``layers/reshaping/cropping2d.py``.

    Examples
    --------
    >>> cropping((5, 5)).output_size
    (5, 5)
    """
    return keras.cropping(input_size, cropping=cropping, data_format=data_format)._replace(framework="tf")
