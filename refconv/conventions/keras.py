"""Keras 3: `keras.layers`' arguments and refusals (`refconv.conventions.tf` holds what Keras 2 does otherwise).

The classes are ConvND, ConvNDTranspose, DepthwiseConv1D/2D, SeparableConv1D/2D, UpSamplingND,
ZeroPaddingND and CroppingND; the rank follows from the input's size. An unset ``data_format`` is
``"channels_last"`` here; the user's configuration file is the layers' business.
"""

from __future__ import annotations

from typing import Any

from refconv.arguments import choice, pairs_per_axis, per_axis, spatial_size, whole_number
from refconv.conventions import rule
from refconv.conventions.layouts import Reading
from refconv.errors import ConvError

INTERPOLATIONS_2D = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


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
    """Read ``Conv1D``, ``Conv2D`` or ``Conv3D``.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    kernel_size, strides, dilation_rate : int or sequence of int
        For all axes, or one per axis.
    padding : str
        ``"valid"``, ``"same"`` or, in one dimension, ``"causal"``, in any letter case.
    groups : int
        Groups of channels and filters.
    data_format : str, optional
        ``"channels_last"`` or ``"channels_first"``.

    Raises
    ------
    ConvError
        If Keras refuses it: an amount of padding, ``"causal"`` in two or three dimensions, strides
        above 1 together with a dilation above 1; or if the dilated kernel does not fit.

    Notes
    -----
    Source: Keras 3.15, ``layers/convolutional/base_conv.py`` and ``utils/argument_validation.py``.

    Examples
    --------
    >>> conv((28, 28), kernel_size=3, strides=2, padding="same").output_size
    (14, 14)
    """
    check_strides_and_dilation(input_size, strides, dilation_rate)
    paddings = word_paddings(input_size, padding, causal=True)
    return rule.conv_like(
        "conv", "keras", input_size, kernel_size, strides, padding, dilation_rate, groups, data_format, paddings
    )


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
    """Read ``DepthwiseConv1D`` or ``DepthwiseConv2D``; strides and dilation may both be above 1.

    Raises
    ------
    ConvError
        If Keras refuses it: three dimensions, an amount of padding, ``"causal"``; or if the dilated
        kernel does not fit.

    Notes
    -----
    Source: Keras 3.15, ``layers/convolutional/base_depthwise_conv.py``.

    Examples
    --------
    >>> depthwise((10, 10), kernel_size=3, strides=2, dilation_rate=2).output_size
    (3, 3)
    """
    check_rank("keras", "DepthwiseConv", input_size, (1, 2))
    paddings = word_paddings(input_size, padding)
    whole_number("depth_multiplier", depth_multiplier, 1)
    return rule.conv_like(
        "depthwise", "keras", input_size, kernel_size, strides, padding, dilation_rate, 1, data_format, paddings
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
    """Read ``SeparableConv1D`` or ``SeparableConv2D``; strides and dilation may both be above 1.

    Raises
    ------
    ConvError
        If Keras refuses it, as `depthwise`.

    Notes
    -----
    Source: Keras 3.15, ``layers/convolutional/base_separable_conv.py``.

    Examples
    --------
    >>> separable((10, 10), kernel_size=3, padding="same").output_size
    (10, 10)
    """
    check_rank("keras", "SeparableConv", input_size, (1, 2))
    paddings = word_paddings(input_size, padding)
    whole_number("depth_multiplier", depth_multiplier, 1)
    return rule.conv_like(
        "separable", "keras", input_size, kernel_size, strides, padding, dilation_rate, 1, data_format, paddings
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
    """Read ``Conv1DTranspose``, ``Conv2DTranspose`` or ``Conv3DTranspose``.

    The sizes are those of the table at `refconv.conventions.rule.keras_transposed`. ``"same"`` keeps
    the size at stride 1 only; `output_padding` None is not 0.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    kernel_size, strides, dilation_rate : int or sequence of int
        For all axes, or one per axis.
    padding : str
        ``"valid"`` or ``"same"``, in any letter case.
    output_padding : int or sequence of int, optional
        Below the stride on every axis.
    data_format : str, optional
        ``"channels_last"`` or ``"channels_first"``.

    Raises
    ------
    ConvError
        If Keras refuses it: another padding, strides above 1 together with a dilation above 1, an output
        padding that is not below the stride; or if nothing is left of the output.

    Notes
    -----
    Source: Keras 3.15, ``layers/convolutional/base_conv_transpose.py`` and
    ``backend/common/backend_utils.py``.

    Examples
    --------
    >>> conv_transpose(10, kernel_size=3, strides=2).output_size
    (21,)
    >>> conv_transpose((7, 7), kernel_size=3, strides=2, padding="same").output_size
    (14, 14)
    """
    return read_transposed(
        "keras", input_size, kernel_size, strides, padding, output_padding, dilation_rate, data_format
    )


def read_transposed(
    framework: str,
    input_size: Any,
    kernel_size: Any,
    strides: Any,
    padding: Any,
    output_padding: Any,
    dilation_rate: Any,
    data_format: Any,
) -> Reading:
    """Read a transposed layer for Keras 3 and for Keras 2, which agree on it.

    Raises
    ------
    ConvError
        As `conv_transpose`.
    """
    check_strides_and_dilation(input_size, strides, dilation_rate)
    word_paddings(input_size, padding)
    if output_padding is not None:
        rank = len(spatial_size("input_size", input_size))
        steps = per_axis("strides", strides, rank)
        if any(op >= s for op, s in zip(per_axis("output_padding", output_padding, rank, 0), steps, strict=True)):
            rule_broken = f"must be below the stride on every axis, and strides are {steps}"
            raise ConvError("output_padding", output_padding, rule_broken, f"use at most {min(steps) - 1}, or none")
    reading = rule.conv_transpose(
        input_size,
        kernel_size=kernel_size,
        strides=strides,
        padding=padding,
        output_padding=output_padding,
        dilation_rate=dilation_rate,
        data_format=data_format or "channels_last",
    )
    return reading._replace(framework=framework)


def upsampling(
    input_size: Any, *, size: Any = 2, interpolation: str = "nearest", data_format: str | None = None
) -> Reading:
    """Read ``UpSampling1D``, ``UpSampling2D`` or ``UpSampling3D``.

    Raises
    ------
    ConvError
        If `size` is malformed, or `interpolation` is one that the class does not have: only the 2-D
        class has others than ``"nearest"``.

    Notes
    -----
    Source: Keras 3.15, ``layers/reshaping/up_sampling1d.py``, ``2d`` and ``3d``.

    Examples
    --------
    >>> upsampling((3, 4), size=(2, 3), interpolation="bilinear").output_size
    (6, 12)
    """
    return read_upsampling("keras", input_size, size, interpolation, data_format)


def read_upsampling(framework: str, input_size: Any, size: Any, interpolation: Any, data_format: Any) -> Reading:
    """Read an upsampling layer for Keras 3 and for Keras 2, which agree on it.

    Raises
    ------
    ConvError
        As `upsampling`.
    """
    rank = len(spatial_size("input_size", input_size))
    method = choice("interpolation", interpolation, INTERPOLATIONS_2D)
    if rank != 2 and method != "nearest":
        raise ConvError("interpolation", interpolation, f"UpSampling{rank}D only repeats its input", "use 'nearest'")
    data_format = data_format or "channels_last"
    reading = rule.upsampling(input_size, size=size, interpolation=method, data_format=data_format)
    return reading._replace(framework=framework)


def zero_padding(input_size: Any, *, padding: Any = 1, data_format: str | None = None) -> Reading:
    """Read ``ZeroPadding1D``, ``ZeroPadding2D`` or ``ZeroPadding3D``.

    Raises
    ------
    ConvError
        If `padding` is malformed or negative.

    Notes
    -----
    Source: Keras 3.15, ``layers/reshaping/zero_padding1d.py``, ``2d`` and ``3d``.

    Examples
    --------
    >>> zero_padding((3, 4), padding=((1, 2), (0, 3))).output_size
    (6, 7)
    """
    rank = len(spatial_size("input_size", input_size))
    pairs_per_axis("padding", padding, rank, 0)
    reading = rule.zero_padding(input_size, padding=padding, data_format=data_format or "channels_last")
    return reading._replace(framework="keras")


def cropping(input_size: Any, *, cropping: Any = None, data_format: str | None = None) -> Reading:
    """Read ``Cropping1D``, ``Cropping2D`` or ``Cropping3D``, whose defaults are 1, 0 and 1.

    Raises
    ------
    ConvError
        If `cropping` is malformed, negative, or leaves nothing.

    Notes
    -----
    Source: Keras 3.15, ``layers/reshaping/cropping1d.py``, ``2d`` and ``3d``.

    Examples
    --------
    >>> cropping((28, 28), cropping=((2, 2), (4, 4))).output_size, cropping(5).output_size
    ((24, 20), (3,))
    """
    if cropping is None:
        cropping = 0 if len(spatial_size("input_size", input_size)) == 2 else 1
    reading = rule.cropping(input_size, cropping=cropping, data_format=data_format or "channels_last")
    return reading._replace(framework="keras")


def check_strides_and_dilation(input_size: Any, strides: Any, dilation_rate: Any) -> None:
    """Refuse a stride above 1 on any axis together with a dilation above 1 on any.

    Raises
    ------
    ConvError
        Naming both.
    """
    rank = len(spatial_size("input_size", input_size))
    steps, rates = per_axis("strides", strides, rank), per_axis("dilation_rate", dilation_rate, rank)
    if max(steps) > 1 and max(rates) > 1:
        rule_broken = f"Keras does not combine strides above 1 with dilation_rate = {dilation_rate!r}"
        raise ConvError("strides", strides, rule_broken, "use strides=1 or dilation_rate=1, or framework='rule'")


def word_paddings(input_size: Any, padding: Any, causal: bool = False) -> tuple[str, ...]:
    """Return the words a layer takes for its padding, having checked that `padding` is one of them.

    Raises
    ------
    ConvError
        If it is not.
    """
    rank = len(spatial_size("input_size", input_size))
    words = ("valid", "same", "causal") if causal and rank == 1 else ("valid", "same")
    if not isinstance(padding, str):
        raise ConvError(
            "padding",
            padding,
            "Keras' layers take a word here",
            f"use one of {', '.join(map(repr, words))}, a ZeroPadding layer before, or framework='rule'",
        )
    if padding.lower() == "causal" and "causal" not in words:
        rule_broken = "causal padding belongs to Conv1D" if not causal else "causal padding is for one dimension"
        raise ConvError("padding", padding, rule_broken, "use 'valid' or 'same', or framework='rule'")
    choice("padding", padding, words)
    return words


def check_rank(framework: str, layer: str, input_size: Any, ranks: tuple[int, ...]) -> None:
    """Refuse a rank for which the framework has no class.

    Raises
    ------
    ConvError
        Naming the class that does not exist.
    """
    sizes = spatial_size("input_size", input_size)
    if len(sizes) not in ranks:
        classes = " and ".join(f"{layer}{rank}D" for rank in ranks)
        rule_broken = f"{framework} has no {layer}{len(sizes)}D"
        raise ConvError("input_size", input_size, rule_broken, f"there is {classes}; or use framework='rule'")
