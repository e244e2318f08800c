"""The words of `refconv.functional`: everything that the rule allows, nothing refused for a framework's sake."""

from __future__ import annotations

from typing import Any

from refconv.arguments import choice, is_sequence, pairs_per_axis, per_axis, spatial_size, whole_number
from refconv.conventions import axes
from refconv.conventions.axes import Window
from refconv.conventions.layouts import FormulaUse, Reading, keras_layout

CONV_PADDINGS = ("valid", "same", "causal", "full")
TRANSPOSED_PADDINGS = ("valid", "same", "full")
INTERPOLATIONS = ("nearest", "linear", "bilinear", "trilinear", "cubic", "bicubic", "lanczos3", "lanczos5")


def conv(
    input_size: Any,
    *,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    groups: int = 1,
    data_format: str = "channels_last",
) -> Reading:
    """Read a convolution of any rank.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    kernel_size, strides, dilation_rate : int or sequence of int
        For all axes, or one per axis.
    padding : str, int or sequence
        ``"valid"`` (none), ``"same"`` (``ceil(n / stride)`` outputs, the odd cell at the end), ``"causal"``
        (the dilated kernel less one before, nothing after), ``"full"`` (that much on both sides), or an
        amount: for all sides, per axis, or (before, after) per axis; negative amounts crop.
    groups : int
        Groups of channels and filters.
    data_format : str
        ``"channels_last"`` or ``"channels_first"``.

    Raises
    ------
    ConvError
        If an argument is malformed or the dilated kernel does not fit (G7).

    Notes
    -----
    Source: arXiv:1603.07285, relationships 1 to 6 and 15; ``"same"`` and ``"causal"`` as in Keras.

    Examples
    --------
    >>> conv((224, 224), kernel_size=7, strides=2, padding=3).output_size
    (112, 112)
    """
    return conv_like("conv", "rule", input_size, kernel_size, strides, padding, dilation_rate, groups, data_format)


def depthwise(
    input_size: Any,
    *,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    depth_multiplier: int = 1,
    data_format: str = "channels_last",
) -> Reading:
    """Read a depthwise convolution: the arithmetic of `conv`, one group per channel.

    Raises
    ------
    ConvError
        As `conv`; or if `depth_multiplier` is below 1.

    Notes
    -----
    Source: arXiv:1610.02357; the words as in Keras.

    Examples
    --------
    >>> depthwise((10, 10), kernel_size=3, padding="same", strides=2).output_size
    (5, 5)
    """
    whole_number("depth_multiplier", depth_multiplier, 1)
    return conv_like("depthwise", "rule", input_size, kernel_size, strides, padding, dilation_rate, 1, data_format)


def separable(
    input_size: Any,
    *,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    depth_multiplier: int = 1,
    data_format: str = "channels_last",
) -> Reading:
    """Read a separable convolution, whose strides and dilation belong to its depthwise step alone.

    Raises
    ------
    ConvError
        As `depthwise`.

    Notes
    -----
    Source: arXiv:1610.02357; the words as in Keras.

    Examples
    --------
    >>> separable(12, kernel_size=3, dilation_rate=2).output_size
    (8,)
    """
    whole_number("depth_multiplier", depth_multiplier, 1)
    return conv_like("separable", "rule", input_size, kernel_size, strides, padding, dilation_rate, 1, data_format)


def conv_like(
    layer: str,
    framework: str,
    input_size: Any,
    kernel_size: Any,
    strides: Any,
    padding: Any,
    dilation_rate: Any,
    groups: Any,
    data_format: Any,
    paddings: tuple[str, ...] = CONV_PADDINGS,
    padding_word: str = "padding",
) -> Reading:
    """Read a layer that convolves, for this convention and those that share its words.

    Raises
    ------
    ConvError
        As `conv`.
    """
    sizes = spatial_size("input_size", input_size)
    rank = len(sizes)
    parts = axes.windows(
        sizes,
        per_axis("kernel_size", kernel_size, rank),
        per_axis("strides", strides, rank),
        per_axis("dilation_rate", dilation_rate, rank),
    )
    whole_number("groups", groups, 1)
    if isinstance(padding, str) or not _is_amount(padding):
        mode = choice(padding_word, padding, paddings)
        read = [padded(part, mode) for part in parts]
    else:
        pairs = pairs_per_axis(padding_word, padding, rank)
        read = [(part, lo, hi, part.formula("conv", lo, hi)) for part, (lo, hi) in zip(parts, pairs, strict=True)]
    return axes.conv_reading(layer, framework, keras_layout(layer, rank, data_format or "channels_last"), read, groups)


def _is_amount(value: Any) -> bool:
    return is_sequence(value) or hasattr(value, "__index__") or isinstance(value, float)


def padded(part: Window, mode: str) -> tuple[Window, int, int, FormulaUse]:
    """Return one axis of a convolution whose padding is a word: its padding before and after, its formula.

    Source: ``"same"`` from TensorFlow's ``tf.nn.convolution``, ``"causal"`` from Keras' ``Conv1D``, ``"full"`` from
    arXiv:1603.07285, relationship 4.

    Examples
    --------
    >>> padded(Window(6, 3, 2), "same")[1:3], padded(Window(6, 3, 2), "causal")[1:3]
    ((0, 1), (2, 0))
    """
    reach = part.dilated_kernel_size - 1
    lo, hi = {"valid": (0, 0), "same": axes.same_padding(part), "causal": (reach, 0), "full": (reach, reach)}[mode]
    return part, lo, hi, part.formula("conv" if mode == "valid" else f"conv.{mode}", lo, hi)


def conv_transpose(
    input_size: Any,
    *,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    output_padding: Any = None,
    dilation_rate: Any = 1,
    groups: int = 1,
    data_format: str = "channels_last",
) -> Reading:
    """Read a transposed convolution of any rank.

    Every input stamps the kernel onto the full output of ``(n - 1) * stride + dilated kernel`` cells;
    `output_padding` zeros are appended to it, then it is cropped.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    kernel_size, strides, dilation_rate : int or sequence of int
        For all axes, or one per axis.
    padding : str, int or sequence
        ``"valid"`` and ``"same"`` as in Keras' table; ``"full"`` crops nothing, even where ``"valid"`` would
        append zeros (a stride above the kernel); or the cells to crop: on all sides, per axis, or
        (before, after) per axis; negative amounts append zeros.
    output_padding : int or sequence of int, optional
        Zeros appended after the last cell of the full output. None is not 0: it lets ``"valid"`` and
        ``"same"`` choose the size.
    groups : int
        Groups of channels and filters.
    data_format : str
        ``"channels_last"`` or ``"channels_first"``.

    Raises
    ------
    ConvError
        If an argument is malformed or the crop leaves nothing.

    Notes
    -----
    Source: arXiv:1603.07285, relationships 8 to 14; ``"valid"`` and ``"same"`` from Keras' file
    ``backend/common/backend_utils.py``, ``compute_conv_transpose_output_shape``.

    Examples
    --------
    >>> conv_transpose(10, kernel_size=3, strides=2).output_size
    (21,)
    >>> conv_transpose(10, kernel_size=3, strides=2, padding=1, output_padding=1).output_size
    (20,)
    """
    sizes = spatial_size("input_size", input_size)
    rank = len(sizes)
    parts = axes.windows(
        sizes,
        per_axis("kernel_size", kernel_size, rank),
        per_axis("strides", strides, rank),
        per_axis("dilation_rate", dilation_rate, rank),
    )
    whole_number("groups", groups, 1)
    extra = (None,) * rank if output_padding is None else per_axis("output_padding", output_padding, rank, 0)
    if isinstance(padding, str) or not _is_amount(padding):
        mode = choice("padding", padding, TRANSPOSED_PADDINGS)
        read = [keras_transposed(part, mode, op) for part, op in zip(parts, extra, strict=True)]
    else:
        pairs = pairs_per_axis("padding", padding, rank)
        read = [_cropped(part, lo, hi, op or 0) for part, (lo, hi), op in zip(parts, pairs, extra, strict=True)]
    layout = keras_layout("conv-transpose", rank, data_format)
    return axes.transposed_reading("rule", layout, read, groups, crop_value=padding)


def _cropped(part: Window, lo: int, hi: int, op: int) -> tuple[Window, int, int, FormulaUse]:
    return part, lo, hi - op, part.formula("transposed", lo, hi - op, op=op)


def keras_transposed(part: Window, mode: str, op: int | None) -> tuple[Window, int, int, FormulaUse]:
    """Return one axis of Keras' table of transposed convolutions: its crop before and after, its formula.

    ========================  ==========================  =====================================
    mode                      output size                 crop of the full output
    ========================  ==========================  =====================================
    valid                     ``(n-1)s + max(ke, s)``     0 and ``-max(s - ke, 0)``
    valid, output padding     ``full + op``               0 and ``-op``
    same                      ``n s``                     ``t = ke - s``: ``max(t//2, 0)``, the rest
    same, output padding      ``(n-1)s + ke%2 + op``      ``t = ke - ke%2 - op``: ``max(t//2, 0)``, the rest
    ========================  ==========================  =====================================

    Source: Keras 3.15, ``backend/common/backend_utils.py``, whose JAX crops it follows.

    Examples
    --------
    >>> keras_transposed(Window(10, 3, 2), "same", None)[1:3]
    (0, 1)
    """
    ke, s = part.dilated_kernel_size, part.stride
    if mode == "full":
        return _cropped(part, 0, 0, op or 0)
    name = f"keras.transposed.{mode}" + ("" if op is None else ".output_padding")
    if mode == "valid":
        lo, hi = 0, -max(s - ke, 0) if op is None else -op
    else:
        total = ke - s if op is None else ke - ke % 2 - op
        lo = max(total // 2, 0)
        hi = total - lo
    return part, lo, hi, part.formula(name, lo, hi, **({} if op is None else {"op": op}))


def upsampling(
    input_size: Any, *, size: Any = 2, interpolation: str = "nearest", data_format: str = "channels_last"
) -> Reading:
    """Read an upsampling by whole factors.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    size : int or sequence of int
        Factor for all axes, or one per axis.
    interpolation : str
        ``"nearest"``, ``"linear"`` (also ``"bilinear"``, ``"trilinear"``), ``"cubic"`` (also ``"bicubic"``),
        ``"lanczos3"`` or ``"lanczos5"``.
    data_format : str
        ``"channels_last"`` or ``"channels_first"``.

    Raises
    ------
    ConvError
        If an argument is malformed.

    Notes
    -----
    Source: Keras 3.15, ``layers/reshaping/up_sampling2d.py``.

    Examples
    --------
    >>> upsampling((3, 4), size=(2, 3)).output_size
    (6, 12)
    """
    sizes = spatial_size("input_size", input_size)
    factors = per_axis("size", size, len(sizes))
    method = choice("interpolation", interpolation, INTERPOLATIONS)
    return axes.upsampling_reading("rule", keras_layout("upsampling", len(sizes), data_format), sizes, factors, method)


def zero_padding(input_size: Any, *, padding: Any = 1, data_format: str = "channels_last") -> Reading:
    """Read a layer that adds zeros around its input.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    padding : int or sequence
        Cells on all sides, per axis, or (before, after) per axis; negative amounts crop.
    data_format : str
        ``"channels_last"`` or ``"channels_first"``.

    Raises
    ------
    ConvError
        If an argument is malformed, or nothing is left.

    Notes
    -----
    Source: Keras 3.15, ``layers/reshaping/zero_padding2d.py``; negative amounts are this convention's own.

    Examples
    --------
    >>> zero_padding((3, 4), padding=((1, 2), (0, 3))).output_size
    (6, 7)
    """
    return _bordered("zero-padding", input_size, "padding", padding, data_format)


def cropping(input_size: Any, *, cropping: Any = 0, data_format: str = "channels_last") -> Reading:
    """Read a layer that cuts cells off its input's borders.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    cropping : int or sequence
        Cells on all sides, per axis, or (before, after) per axis, not negative.
    data_format : str
        ``"channels_last"`` or ``"channels_first"``.

    Raises
    ------
    ConvError
        If an argument is malformed, or nothing is left.

    Notes
    -----
    Source: Keras 3.15, ``layers/reshaping/cropping2d.py``.

    Examples
    --------
    >>> cropping((28, 28), cropping=((2, 2), (4, 4))).output_size
    (24, 20)
    """
    return _bordered("cropping", input_size, "cropping", cropping, data_format)


def _bordered(layer: str, input_size: Any, word: str, value: Any, data_format: Any) -> Reading:
    sizes = spatial_size("input_size", input_size)
    pairs = pairs_per_axis(word, value, len(sizes), None if layer == "zero-padding" else 0)
    layout = keras_layout(layer, len(sizes), data_format)
    return axes.bordered_reading(layer, "rule", layout, sizes, pairs, word=word, value=value)
