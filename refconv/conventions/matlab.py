"""MATLAB's Deep Learning Toolbox: `convolution1dLayer` to `3d` and `transposedConv1dLayer` to `3d`.

Words are MATLAB's own, such as ``FilterSize``; a row vector is a tuple, a matrix of two rows a tuple of
two tuples. Axes are in MATLAB's order: height, width, depth. Its arrays stand in memory with the first
axis fastest, so that a raw dump is read with ``order="F"``.

Source: the documentation of these functions (R2024b); MATLAB itself was not run.
"""

from __future__ import annotations

from typing import Any

from refconv.arguments import choice, is_sequence, per_axis, spatial_size, whole_number
from refconv.conventions import axes, rule
from refconv.conventions.axes import Window
from refconv.conventions.layouts import DimensionNumbers, FormulaUse, Reading
from refconv.errors import ConvError

_LETTERS = ("", "W", "HW", "HWD")


def _layout(layer: str, rank: int) -> DimensionNumbers:
    letters = _LETTERS[rank]
    return DimensionNumbers(letters + "CN", letters + ("OI" if layer == "conv-transpose" else "IO"), letters + "CN")


def conv(input_size: Any, *, FilterSize: Any, Stride: Any = 1, Padding: Any = 0, DilationFactor: Any = 1) -> Reading:
    """Read ``convolution1dLayer``, ``convolution2dLayer`` or ``convolution3dLayer``.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis: height, width, depth.
    FilterSize, Stride, DilationFactor : int or sequence of int
        For all axes, or one per axis.
    Padding : str, int or sequence
        ``"same"`` (``ceil(n / Stride)`` outputs, the odd cell at the end); in one dimension ``"causal"``; or
        an amount that is not negative: for all edges; one per axis; in one dimension ``[l r]``, in two
        ``[t b l r]``; or a matrix of two rows, before and after, as ``[t l f; b r bk]``.

    Raises
    ------
    ConvError
        If MATLAB refuses it, or the dilated filter does not fit.

    Notes
    -----
    Source: MATLAB's documentation of ``convolution1dLayer``, ``convolution2dLayer``, ``convolution3dLayer``.

    Examples
    --------
    >>> conv((28, 28), FilterSize=3, Stride=2, Padding=(1, 0, 1, 0)).output_size
    (14, 14)
    """
    sizes = spatial_size("input_size", input_size)
    rank = len(sizes)
    parts = axes.windows(
        sizes,
        per_axis("FilterSize", FilterSize, rank),
        per_axis("Stride", Stride, rank),
        per_axis("DilationFactor", DilationFactor, rank),
    )
    if isinstance(Padding, str):
        mode = choice("Padding", Padding, ("same", "causal"))
        if mode == "causal" and rank != 1:
            raise ConvError("Padding", Padding, "belongs to convolution1dLayer", "use 'same' or amounts")
        read = [rule.padded(part, mode) for part in parts]
    else:
        pairs = edges("Padding", Padding, rank)
        read = [
            (part, lo, hi, part.formula("matlab.conv", lo, hi)) for part, (lo, hi) in zip(parts, pairs, strict=True)
        ]
    return axes.conv_reading("conv", "matlab", _layout("conv", rank), read)


def edges(word: str, value: Any, rank: int) -> list[tuple[int, int]]:
    """Read MATLAB's forms of an amount per edge as (before, after) per axis."""
    if not is_sequence(value):
        amount = whole_number(word, value, 0)
        return [(amount, amount)] * rank
    if len(value) == 2 and all(is_sequence(row) and len(row) == rank for row in value):
        before, after = value
    elif any(is_sequence(item) for item in value):
        rule_broken = f"a matrix has two rows, before and after, of {rank} numbers"
        raise ConvError(word, value, rule_broken, f"as in {((1,) * rank, (0,) * rank)}")
    elif rank < 3 and len(value) == 2 * rank:
        before, after = value[0::2], value[1::2]
    elif len(value) == rank:
        before = after = value
    else:
        forms = ("", "[l r]", "[a b] or [t b l r]", "[a b c] or [t l f; b r bk]")
        rule_broken = f"has {len(value)} numbers for {rank} axes"
        raise ConvError(word, value, rule_broken, f"give one number, or {forms[rank]}")
    return [(whole_number(word, lo, 0), whole_number(word, hi, 0)) for lo, hi in zip(before, after, strict=True)]


def conv_transpose(input_size: Any, *, FilterSize: Any, Stride: Any = 1, Cropping: Any = 0) -> Reading:
    """Read ``transposedConv1dLayer``, ``transposedConv2dLayer`` or ``transposedConv3dLayer``.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis: height, width, depth.
    FilterSize, Stride : int or sequence of int
        For all axes, or one per axis.
    Cropping : str, int or sequence
        ``"same"``: n * Stride outputs, ``FilterSize - Stride`` cells cropped in all, the odd one at the
        bottom, right, back. A filter smaller than the stride is undocumented there; zeros are appended at the
        end, so that the documented size holds. Or an amount, in the forms of `conv`'s ``Padding``: what
        is cut off the output (not, as the documentation says, off the input).

    Raises
    ------
    ConvError
        If MATLAB refuses it, or nothing is left of the output.

    Notes
    -----
    Source: MATLAB's documentation of ``transposedConv1dLayer``, ``transposedConv2dLayer``,
    ``transposedConv3dLayer``.

    Examples
    --------
    >>> conv_transpose((7, 7), FilterSize=11, Stride=4, Cropping="same").output_size
    (28, 28)
    >>> conv_transpose((4, 4, 4), FilterSize=3, Cropping=((0, 0, 1), (1, 0, 1))).output_size
    (5, 6, 4)
    """
    sizes = spatial_size("input_size", input_size)
    rank = len(sizes)
    steps = per_axis("Stride", Stride, rank)
    parts = axes.windows(sizes, per_axis("FilterSize", FilterSize, rank), steps, (1,) * rank)
    if isinstance(Cropping, str):
        choice("Cropping", Cropping, ("same",))
        read = [_same_crop(part) for part in parts]
    else:
        pairs = edges("Cropping", Cropping, rank)
        read = [
            (part, lo, hi, part.formula("matlab.transposed", lo, hi))
            for part, (lo, hi) in zip(parts, pairs, strict=True)
        ]
    layout = _layout("conv-transpose", rank)
    return axes.transposed_reading("matlab", layout, read, crop_word="Cropping", crop_value=Cropping)


def _same_crop(part: Window) -> tuple[Window, int, int, FormulaUse]:
    total = part.kernel_size - part.stride
    lo = max(total // 2, 0)
    return part, lo, total - lo, part.formula("matlab.transposed.same", lo, total - lo)


def depthwise(input_size: Any, **words: Any) -> Reading:
    """Refuse a depthwise layer: ``groupedConvolution2dLayer`` is not read.

    Raises
    ------
    ConvError
        Always.
    """
    raise axes.refuse("matlab", "depthwise", "use conv, whose sizes are the same, or framework='rule'")


def separable(input_size: Any, **words: Any) -> Reading:
    """Refuse a separable layer: in MATLAB it is a grouped convolution and another.

    Raises
    ------
    ConvError
        Always.
    """
    raise axes.refuse("matlab", "separable", "use conv, whose sizes are the same, or framework='rule'")


def upsampling(input_size: Any, **words: Any) -> Reading:
    """Refuse an upsampling layer: ``resize2dLayer`` is not read.

    Raises
    ------
    ConvError
        Always.
    """
    raise axes.refuse("matlab", "upsampling", "use framework='rule', or refconv.resize")


def zero_padding(input_size: Any, **words: Any) -> Reading:
    """Refuse a zero-padding layer: in MATLAB the convolution pads.

    Raises
    ------
    ConvError
        Always.
    """
    raise axes.refuse("matlab", "zero-padding", "use conv with Padding, or framework='rule'")


def cropping(input_size: Any, **words: Any) -> Reading:
    """Refuse a cropping layer: ``crop2dLayer`` crops to another input's size.

    Raises
    ------
    ConvError
        Always.
    """
    raise axes.refuse("matlab", "cropping", "use framework='rule'")
