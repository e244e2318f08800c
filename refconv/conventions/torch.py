"""PyTorch: the arguments of `torch.nn`'s layers, and their refusals."""

from __future__ import annotations

from typing import Any

from refconv.arguments import choice, is_sequence, pairs_per_axis, per_axis, spatial_size, whole_number
from refconv.conventions import axes
from refconv.conventions.axes import Window
from refconv.conventions.layouts import SPATIAL_LETTERS, DimensionNumbers, Reading
from refconv.errors import ConvError, unknown_choice

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")
# torch.nn.Upsample's modes per rank, and what refconv calls their method.
UPSAMPLE_MODES = {
    1: {"nearest": "nearest", "nearest-exact": "nearest", "linear": "linear"},
    2: {"nearest": "nearest", "nearest-exact": "nearest", "bilinear": "bilinear", "bicubic": "bicubic"},
    3: {"nearest": "nearest", "nearest-exact": "nearest", "trilinear": "trilinear"},
}


def _layout(layer: str, rank: int) -> DimensionNumbers:
    letters = SPATIAL_LETTERS[rank]
    weights = {"conv": "OI" + letters, "conv-transpose": "IO" + letters}.get(layer, "")
    return DimensionNumbers("NC" + letters, weights, "NC" + letters)


def conv(
    input_size: Any,
    *,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Reading:
    """Read ``Conv1d``, ``Conv2d`` or ``Conv3d``.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    kernel_size, stride, dilation : int or sequence of int
        For all axes, or one per axis.
    padding : int, sequence of int, or str
        The same amount on both sides of an axis; or ``"valid"``; or ``"same"``, at stride 1 only, the odd
        cell at the end. Lower case only.
    groups : int
        Groups of channels and filters.
    padding_mode : str
        ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``. It changes what stands in the
        padding, not the geometry: the rule sees its amount.

    Raises
    ------
    ConvError
        If PyTorch refuses it: different amounts before and after, a negative one, ``"same"`` with a
        stride, a reflection as wide as its input; or if the dilated kernel does not fit.

    Notes
    -----
    Source: PyTorch 2.13, ``torch/nn/modules/conv.py``.

    Examples
    --------
    >>> conv((224, 224), kernel_size=7, stride=2, padding=3).output_size
    (112, 112)
    """
    sizes = spatial_size("input_size", input_size)
    rank = len(sizes)
    steps = per_axis("stride", stride, rank)
    parts = axes.windows(sizes, per_axis("kernel_size", kernel_size, rank), steps, per_axis("dilation", dilation, rank))
    whole_number("groups", groups, 1)
    if isinstance(padding, str) and padding == "same":
        if max(steps) > 1:
            remedy = "use stride=1, or say how much, as in padding=1"
            raise ConvError("padding", padding, f"PyTorch has 'same' at stride 1 only, not {stride!r}", remedy)
        pairs = [axes.same_padding(part) for part in parts]
        read = [(part, lo, hi, part.formula("conv.same", lo, hi)) for part, (lo, hi) in zip(parts, pairs, strict=True)]
    else:
        if isinstance(padding, str) and padding != "valid":
            raise unknown_choice("padding", padding, ("valid", "same"))
        amounts = (0,) * rank if isinstance(padding, str) else _symmetric("padding", padding, rank)
        pairs = [(p, p) for p in amounts]
        read = [(part, p, p, part.formula("torch.conv", p, p)) for part, p in zip(parts, amounts, strict=True)]
    _check_mode(padding_mode, padding, sizes, pairs)
    return axes.conv_reading("conv", "torch", _layout("conv", rank), read, groups)


def _check_mode(mode: Any, padding: Any, sizes: tuple[int, ...], pairs: list[tuple[int, int]]) -> None:
    if mode not in PADDING_MODES:
        raise unknown_choice("padding_mode", mode, PADDING_MODES)
    for n, pair in zip(sizes, pairs, strict=True):
        # A reflection leaves out the border cell itself, so it has one cell less to give.
        most = {"reflect": n - 1, "circular": n}.get(mode, max(pair))
        if max(pair) > most:
            rule_broken = f"padding_mode={mode!r} has {most} cells to give on an axis of {n}"
            raise ConvError("padding", padding, rule_broken, f"pad at most {most}")


def _symmetric(word: str, value: Any, rank: int) -> tuple[int, ...]:
    if is_sequence(value) and any(is_sequence(item) for item in value):
        raise ConvError(
            word,
            value,
            "PyTorch pads both sides of an axis alike",
            "give one amount per axis, put a ZeroPad layer before, or use framework='rule'",
        )
    return per_axis(word, value, rank, 0)


def conv_transpose(
    input_size: Any,
    *,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    padding_mode: str = "zeros",
    output_size: Any = None,
) -> Reading:
    """Read ``ConvTranspose1d``, ``ConvTranspose2d`` or ``ConvTranspose3d``.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    kernel_size, stride, dilation : int or sequence of int
        For all axes, or one per axis.
    padding : int or sequence of int
        Cells cropped on both sides of an axis of the full output.
    output_padding : int or sequence of int
        Cells more at the end, below the stride or the dilation.
    groups : int
        Groups of channels and filters.
    padding_mode : str
        ``"zeros"``.
    output_size : int or sequence of int, optional
        The call's argument: from the smallest size to it plus the stride less 1; it replaces
        `output_padding`.

    Raises
    ------
    ConvError
        If PyTorch refuses it: different amounts before and after, a word (its constructor takes
        ``"same"`` and reads four letters), too large an output padding, an output size out of range,
        another padding mode; or if nothing is left of the output.

    Notes
    -----
    Source: PyTorch 2.13, ``torch/nn/modules/conv.py``, ``_ConvTransposeNd._output_padding``; for the
    bound on `output_padding`, ``aten/src/ATen/native/Convolution.cpp``.

    Examples
    --------
    >>> conv_transpose(10, kernel_size=3, stride=2, padding=1, output_padding=1).output_size
    (20,)
    >>> conv_transpose((6, 6), kernel_size=3, stride=2, padding=1, output_size=(12, 12)).output_size
    (12, 12)
    """
    sizes = spatial_size("input_size", input_size)
    rank = len(sizes)
    steps, rates = per_axis("stride", stride, rank), per_axis("dilation", dilation, rank)
    parts = axes.windows(sizes, per_axis("kernel_size", kernel_size, rank), steps, rates)
    whole_number("groups", groups, 1)
    if isinstance(padding, str):
        raise ConvError("padding", padding, "PyTorch's transposed layers take no word here", "give an amount")
    if padding_mode != "zeros":
        rule_broken = "PyTorch's transposed layers pad with zeros only"
        raise ConvError("padding_mode", padding_mode, rule_broken, "use 'zeros'")
    crops = _symmetric("padding", padding, rank)
    if output_size is None:
        extra = per_axis("output_padding", output_padding, rank, 0)
        for op, part in zip(extra, parts, strict=True):
            most = max(part.stride, part.dilation) - 1
            if op > most:
                rule_broken = "must be below the stride or the dilation, whichever is larger"
                raise ConvError("output_padding", output_padding, rule_broken, f"use at most {most}")
    else:
        extra = _extra_for(output_size, parts, crops)
    read = [
        (part, p, p - op, part.formula("torch.transposed", p, p, op=op))
        for part, p, op in zip(parts, crops, extra, strict=True)
    ]
    return axes.transposed_reading("torch", _layout("conv-transpose", rank), read, groups, crop_value=padding)


def _extra_for(output_size: Any, parts: tuple[Window, ...], crops: tuple[int, ...]) -> tuple[int, ...]:
    smallest = tuple(part.full_size - 2 * p for part, p in zip(parts, crops, strict=True))
    wanted = per_axis("output_size", output_size, len(parts), 1)
    extra = tuple(size - least for size, least in zip(wanted, smallest, strict=True))
    if any(not 0 <= op < part.stride for op, part in zip(extra, parts, strict=True)):
        largest = tuple(least + part.stride - 1 for least, part in zip(smallest, parts, strict=True))
        rule_broken = "no output padding below the stride gives this size"
        raise ConvError("output_size", output_size, rule_broken, f"the sizes here go from {smallest} to {largest}")
    return extra


def upsampling(input_size: Any, *, scale_factor: Any = 2, mode: str = "nearest") -> Reading:
    """Read ``Upsample`` with a whole scale factor.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    scale_factor : int or sequence of int
        Factor for all axes, or one per axis.
    mode : str
        ``"nearest"`` or ``"nearest-exact"``, the same for whole factors; ``"linear"`` in one dimension,
        ``"bilinear"`` or ``"bicubic"`` in two, ``"trilinear"`` in three.

    Raises
    ------
    ConvError
        If the factor is not whole, or the mode not one of this rank.

    Notes
    -----
    Source: PyTorch 2.13, ``torch/nn/modules/upsampling.py``. Its bicubic coefficient is -0.75 and its
    borders are repeated, where Keras has -0.5 and renormalises; sizes are the same.

    Examples
    --------
    >>> upsampling((3, 4), scale_factor=(2, 3)).output_size
    (6, 12)
    """
    sizes = spatial_size("input_size", input_size)
    factors = per_axis("scale_factor", scale_factor, len(sizes))
    modes = UPSAMPLE_MODES[len(sizes)]
    method = modes[choice("mode", mode, modes)]
    return axes.upsampling_reading("torch", _layout("upsampling", len(sizes)), sizes, factors, method)


def zero_padding(input_size: Any, *, padding: Any) -> Reading:
    """Read ``ZeroPad1d``, ``ZeroPad2d`` or ``ZeroPad3d``; a negative amount crops.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    padding : int or sequence of int
        For all sides; or before and after for each axis, the *last* axis first: (left, right, top, bottom).

    Raises
    ------
    ConvError
        If `padding` is malformed or leaves nothing.

    Notes
    -----
    Source: PyTorch 2.13, ``torch/nn/modules/padding.py``.

    Examples
    --------
    >>> zero_padding((3, 4), padding=(1, 2, 0, 3)).output_size
    (6, 7)
    """
    sizes = spatial_size("input_size", input_size)
    rank = len(sizes)
    if is_sequence(padding):
        if len(padding) != 2 * rank or any(is_sequence(item) for item in padding):
            rule_broken = f"ZeroPad{rank}d takes one number or {2 * rank}, the last axis first"
            raise ConvError("padding", padding, rule_broken, "give (before, after) of each axis in one row")
        ends = [whole_number("padding", amount) for amount in padding]
        pairs = [(ends[2 * axis], ends[2 * axis + 1]) for axis in reversed(range(rank))]
    else:
        pairs = list(pairs_per_axis("padding", padding, rank))
    layout = _layout("zero-padding", rank)
    return axes.bordered_reading("zero-padding", "torch", layout, sizes, pairs, word="padding", value=padding)


def cropping(input_size: Any, **words: Any) -> Reading:
    """Refuse a cropping layer, which PyTorch does not have.

    Raises
    ------
    ConvError
        Always; a ``ZeroPad`` layer with negative amounts crops.
    """
    raise axes.refuse("torch", "cropping", "use zero-padding with negative amounts, or framework='rule'")


def depthwise(input_size: Any, **words: Any) -> Reading:
    """Refuse a depthwise layer, which PyTorch does not have.

    Raises
    ------
    ConvError
        Always; a convolution whose groups are its channels is one.
    """
    raise axes.refuse("torch", "depthwise", "use conv with as many groups as channels, or framework='rule'")


def separable(input_size: Any, **words: Any) -> Reading:
    """Refuse a separable layer, which PyTorch does not have.

    Raises
    ------
    ConvError
        Always; two convolutions in a row are one.
    """
    raise axes.refuse("torch", "separable", "use conv with as many groups as channels, or framework='rule'")
