"""ONNX: the attributes of the operators Conv, ConvTranspose, Resize and Pad."""

from __future__ import annotations

from typing import Any

from refconv.arguments import choice, is_sequence, per_axis, spatial_size, whole_number
from refconv.conventions import axes
from refconv.conventions.axes import Window
from refconv.conventions.layouts import SPATIAL_LETTERS, DimensionNumbers, FormulaUse, Reading
from refconv.errors import ConvError, unknown_choice

AUTO_PADS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
RESIZE_MODES = {"nearest": "nearest", "linear": "linear", "cubic": "cubic"}


def _layout(layer: str, rank: int) -> DimensionNumbers:
    letters = SPATIAL_LETTERS[rank]
    weights = {"conv": "OI" + letters, "conv-transpose": "IO" + letters}.get(layer, "")
    return DimensionNumbers("NC" + letters, weights, "NC" + letters)


def _auto_pad(auto_pad: Any, pads: Any) -> str:
    if auto_pad not in AUTO_PADS:
        raise unknown_choice("auto_pad", auto_pad, AUTO_PADS)
    if auto_pad != "NOTSET" and pads is not None:
        raise ConvError("pads", pads, f"pads cannot stand beside auto_pad={auto_pad!r}", "leave one of the two out")
    return str(auto_pad)


def _pads(pads: Any, rank: int, minimum: int | None = 0) -> list[tuple[int, int]]:
    if pads is None:
        return [(0, 0)] * rank
    if not is_sequence(pads) or len(pads) != 2 * rank:
        rule_broken = f"pads are {2 * rank} numbers here: all begins, then all ends"
        raise ConvError("pads", pads, rule_broken, f"as in {[1] * 2 * rank}")
    ends = [whole_number("pads", amount, minimum) for amount in pads]
    return list(zip(ends[:rank], ends[rank:], strict=True))


def conv(
    input_size: Any,
    *,
    kernel_shape: Any,
    strides: Any = 1,
    pads: Any = None,
    auto_pad: str = "NOTSET",
    dilations: Any = 1,
    group: int = 1,
) -> Reading:
    """Read the operator Conv.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    kernel_shape, strides, dilations : int or sequence of int
        For all axes, or one per axis.
    pads : sequence of int, optional
        All begins, then all ends.
    auto_pad : str
        ``"NOTSET"`` (`pads` count), ``"VALID"``, ``"SAME_UPPER"`` (``ceil(n / stride)`` outputs, the odd cell
        at the end) or ``"SAME_LOWER"`` (at the beginning).
    group : int
        Groups of channels and filters.

    Raises
    ------
    ConvError
        If ONNX refuses it: an unknown `auto_pad`, or `pads` beside one; a negative or missing number
        in `pads`; or if the dilated kernel does not fit.

    Notes
    -----
    Source: ONNX operator Conv-22, ``onnx/defs/nn/defs.cc``, and ``onnx/reference/ops/op_conv.py``.

    Examples
    --------
    >>> conv((5, 5), kernel_shape=2, auto_pad="SAME_LOWER").geometry.axes[0].pad_before
    1
    """
    sizes = spatial_size("input_size", input_size)
    rank = len(sizes)
    parts = axes.windows(
        sizes,
        per_axis("kernel_shape", kernel_shape, rank),
        per_axis("strides", strides, rank),
        per_axis("dilations", dilations, rank),
    )
    whole_number("group", group, 1)
    mode = _auto_pad(auto_pad, pads)
    if mode.startswith("SAME"):
        pairs = [axes.same_padding(part, odd_one_first=mode == "SAME_LOWER") for part in parts]
        name = "conv.same"
    else:
        pairs, name = _pads(pads, rank), "onnx.conv"
    read = [(part, lo, hi, part.formula(name, lo, hi)) for part, (lo, hi) in zip(parts, pairs, strict=True)]
    return axes.conv_reading("conv", "onnx", _layout("conv", rank), read, group)


def conv_transpose(
    input_size: Any,
    *,
    kernel_shape: Any,
    strides: Any = 1,
    pads: Any = None,
    auto_pad: str = "NOTSET",
    dilations: Any = 1,
    group: int = 1,
    output_padding: Any = 0,
    output_shape: Any = None,
) -> Reading:
    """Read the operator ConvTranspose.

    With an output shape, given or, under SAME, ``input * stride``, the crop is what is left over:
    ``total = stride (n - 1) + output_padding + ke - output_shape``. SAME_UPPER crops ``total // 2`` at the
    beginning, NOTSET and SAME_LOWER that much at the end; a negative total appends zeros at the end,
    as ONNX Runtime does (the reference evaluator puts them first under SAME).

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    kernel_shape, strides, dilations : int or sequence of int
        For all axes, or one per axis.
    pads : sequence of int, optional
        Cells to crop: all begins, then all ends. Ignored when `output_shape` is given, as the operator says.
    auto_pad : str
        ``"NOTSET"``, ``"VALID"``, ``"SAME_UPPER"`` or ``"SAME_LOWER"``.
    group : int
        Groups of channels and filters.
    output_padding : int or sequence of int
        Cells more at the end, below the stride or the dilation.
    output_shape : int or sequence of int, optional
        Size of each spatial axis of the output.

    Raises
    ------
    ConvError
        If ONNX refuses it, as `conv`, or too large an output padding; or if nothing is left of the output.

    Notes
    -----
    Source: ONNX operator ConvTranspose-22, ``onnx/defs/nn/defs.cc``, and
    ``onnx/reference/ops/op_conv_transpose.py``.

    Examples
    --------
    >>> conv_transpose((3, 3), kernel_shape=3, strides=(3, 2), output_shape=(10, 8)).output_size
    (10, 8)
    """
    sizes = spatial_size("input_size", input_size)
    rank = len(sizes)
    parts = axes.windows(
        sizes,
        per_axis("kernel_shape", kernel_shape, rank),
        per_axis("strides", strides, rank),
        per_axis("dilations", dilations, rank),
    )
    whole_number("group", group, 1)
    mode = _auto_pad(auto_pad, pads)
    extra = per_axis("output_padding", output_padding, rank, 0)
    for op, part in zip(extra, parts, strict=True):
        most = max(part.stride, part.dilation) - 1
        if op > most:
            rule_broken = "must be below the stride or the dilation, whichever is larger"
            raise ConvError("output_padding", output_padding, rule_broken, f"use at most {most}")
    if output_shape is None and not mode.startswith("SAME"):
        read = [
            (part, lo, hi - op, part.formula("onnx.transposed", lo, hi, op=op))
            for part, (lo, hi), op in zip(parts, _pads(pads, rank), extra, strict=True)
        ]
    else:
        wanted = (
            tuple(part.input_size * part.stride for part in parts)
            if output_shape is None
            else per_axis("output_shape", output_shape, rank, 1)
        )
        read = [_to_shape(part, op, size, mode) for part, op, size in zip(parts, extra, wanted, strict=True)]
    layout = _layout("conv-transpose", rank)
    return axes.transposed_reading("onnx", layout, read, group, crop_word="pads", crop_value=pads)


def _to_shape(part: Window, op: int, size: int, mode: str) -> tuple[Window, int, int, FormulaUse]:
    total = part.full_size + op - size
    if total < 0:
        lo = 0
    else:
        lo = total // 2 if mode == "SAME_UPPER" else total - total // 2
    hi = total - lo
    use = part.formula("onnx.transposed.output_shape", lo, hi, op=op, total=total, output_shape=size)
    return part, lo, hi - op, use


def upsampling(input_size: Any, *, scales: Any = 2, mode: str = "nearest") -> Reading:
    """Read the operator Resize with whole scales of the spatial axes and half-pixel coordinates.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    scales : int or sequence of int
        Factor for all axes, or one per axis.
    mode : str
        ``"nearest"``, ``"linear"`` or ``"cubic"``.

    Raises
    ------
    ConvError
        If a scale is not whole, or the mode unknown.

    Notes
    -----
    Source: ONNX operator Resize-19, ``onnx/defs/tensor/defs.cc``. Its default cubic coefficient is -0.75
    with repeated borders; sizes are the same.

    Examples
    --------
    >>> upsampling((3, 4), scales=(2, 3)).output_size
    (6, 12)
    """
    sizes = spatial_size("input_size", input_size)
    factors = per_axis("scales", scales, len(sizes))
    method = RESIZE_MODES[choice("mode", mode, RESIZE_MODES)]
    return axes.upsampling_reading("onnx", _layout("upsampling", len(sizes)), sizes, factors, method)


def zero_padding(input_size: Any, *, pads: Any) -> Reading:
    """Read the operator Pad in its constant mode; a negative amount crops.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    pads : sequence of int
        All begins, then all ends, of the spatial axes.

    Raises
    ------
    ConvError
        If `pads` is malformed or leaves nothing.

    Notes
    -----
    Source: ONNX operator Pad-24, ``onnx/defs/tensor/defs.cc``.

    Examples
    --------
    >>> zero_padding((3, 4), pads=(1, 0, 2, 3)).output_size
    (6, 7)
    """
    sizes = spatial_size("input_size", input_size)
    pairs = _pads(pads, len(sizes), minimum=None)
    layout = _layout("zero-padding", len(sizes))
    return axes.bordered_reading("zero-padding", "onnx", layout, sizes, pairs, word="pads", value=pads)


def cropping(input_size: Any, **words: Any) -> Reading:
    """Refuse a cropping layer: ONNX has Slice, and Pad with negative amounts.

    Raises
    ------
    ConvError
        Always.
    """
    raise axes.refuse("onnx", "cropping", "use zero-padding with negative pads, or framework='rule'")


def depthwise(input_size: Any, **words: Any) -> Reading:
    """Refuse a depthwise layer: in ONNX it is a Conv whose group is its channels.

    Raises
    ------
    ConvError
        Always.
    """
    raise axes.refuse("onnx", "depthwise", "use conv with as many groups as channels, or framework='rule'")


def separable(input_size: Any, **words: Any) -> Reading:
    """Refuse a separable layer: in ONNX it is two Convs in a row.

    Raises
    ------
    ConvError
        Always.
    """
    raise axes.refuse("onnx", "separable", "use conv with as many groups as channels, or framework='rule'")
