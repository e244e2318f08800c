"""JAX: `jax.lax.conv_general_dilated` and `jax.lax.conv_transpose`."""

from __future__ import annotations

from typing import Any

from refconv.arguments import is_sequence, per_axis, spatial_size, whole_number
from refconv.conventions import axes
from refconv.conventions.axes import Window
from refconv.conventions.layouts import SPATIAL_LETTERS, DimensionNumbers, FormulaUse, Reading
from refconv.errors import ConvError, unknown_choice
from refconv.geometry import AxisGeometry, ConvGeometry

CONV_PADDINGS = ("SAME", "VALID", "SAME_LOWER")
TRANSPOSED_PADDINGS = ("SAME", "VALID")


def conv(
    input_size: Any,
    *,
    kernel_size: Any,
    window_strides: Any = 1,
    padding: Any = "VALID",
    lhs_dilation: Any = 1,
    rhs_dilation: Any = 1,
    feature_group_count: int = 1,
    dimension_numbers: Any = None,
) -> Reading:
    """Read ``conv_general_dilated``, which inserts zeros into its input where `lhs_dilation` is above 1.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    kernel_size, window_strides, lhs_dilation, rhs_dilation : int or sequence of int
        For all axes, or one per axis.
    padding : str or sequence of pairs
        ``"SAME"``, ``"VALID"`` or ``"SAME_LOWER"``, in any letter case and without `lhs_dilation`; or
        (before, after) of the dilated input per axis, where a negative amount crops.
    feature_group_count : int
        Groups of channels and filters.
    dimension_numbers : tuple of three str, optional
        By default ``("NCHW", "OIHW", "NCHW")`` and its like in other ranks.

    Raises
    ------
    ConvError
        If JAX refuses it: a word together with `lhs_dilation`, amounts that are not pairs; or if the
        dilated kernel does not fit (JAX returns an empty array there).

    Notes
    -----
    Source: JAX 0.10, ``jax/_src/lax/convolution.py`` and ``lax.py``, ``padtype_to_pads``.

    Examples
    --------
    >>> conv((5, 5), kernel_size=3, padding=((2, 2), (2, 2)), lhs_dilation=2).output_size
    (11, 11)
    """
    sizes = spatial_size("input_size", input_size)
    rank = len(sizes)
    dilations = per_axis("lhs_dilation", lhs_dilation, rank)
    parts = [
        part._replace(input_dilation=a)
        for part, a in zip(
            axes.windows(
                sizes,
                per_axis("kernel_size", kernel_size, rank),
                per_axis("window_strides", window_strides, rank),
                per_axis("rhs_dilation", rhs_dilation, rank),
            ),
            dilations,
            strict=True,
        )
    ]
    whole_number("feature_group_count", feature_group_count, 1)
    if isinstance(padding, str):
        if padding.upper() not in CONV_PADDINGS:
            raise unknown_choice("padding", padding, CONV_PADDINGS)
        if max(dilations) > 1:
            rule_broken = f"JAX takes no word beside lhs_dilation = {lhs_dilation!r}"
            raise ConvError("padding", padding, rule_broken, "give (before, after) pairs, or use conv_transpose")
        read = [_by_word(part, padding.upper()) for part in parts]
    else:
        pairs = _pairs(padding, rank)
        read = [(part, lo, hi, part.formula("jax.conv", lo, hi)) for part, (lo, hi) in zip(parts, pairs, strict=True)]
    layout = _layout("conv", rank, dimension_numbers)
    return axes.conv_reading("conv", "jax", layout, read, feature_group_count)


def _by_word(part: Window, word: str) -> tuple[Window, int, int, FormulaUse]:
    if word == "VALID":
        return part, 0, 0, part.formula("jax.conv", 0, 0)
    lo, hi = axes.same_padding(part, odd_one_first=word == "SAME_LOWER")
    return part, lo, hi, part.formula("conv.same", lo, hi)


def _pairs(padding: Any, rank: int) -> list[tuple[int, int]]:
    if not is_sequence(padding) or len(padding) != rank or not all(is_sequence(p) and len(p) == 2 for p in padding):
        rule_broken = f"JAX takes a word or {rank} (before, after) pairs"
        raise ConvError("padding", padding, rule_broken, f"as in {((1, 1),) * rank}")
    return [(whole_number("padding", lo), whole_number("padding", hi)) for lo, hi in padding]


def _layout(layer: str, rank: int, dimension_numbers: Any, transpose_kernel: bool = False) -> DimensionNumbers:
    letters = SPATIAL_LETTERS[rank]
    if dimension_numbers is None:
        if layer == "conv":
            dimension_numbers = ("NC" + letters, "OI" + letters, "NC" + letters)
        else:
            dimension_numbers = (f"N{letters}C", letters + "IO", f"N{letters}C")
    if not is_sequence(dimension_numbers) or len(dimension_numbers) != 3:
        rule_broken = "dimension numbers are three words, for input, weights and output"
        raise ConvError("dimension_numbers", dimension_numbers, rule_broken, "as in ('NHWC', 'HWIO', 'NHWC')")
    data, weights, output = map(str, dimension_numbers)
    orders = {spec.translate({ord(letter): None for letter in ends}) for spec, ends in _ends(data, weights, output)}
    once = all(
        len(set(spec)) == len(spec) == rank + 2 and set(ends) <= set(spec)
        for spec, ends in _ends(data, weights, output)
    )
    if not once or len(orders) != 1:
        raise ConvError(
            "dimension_numbers",
            dimension_numbers,
            f"each word names its two ends and the same {rank} spatial letters in one order",
            "as in ('NHWC', 'HWIO', 'NHWC')",
        )
    if transpose_kernel:
        # The weights are those of the convolution being transposed: what it calls its input is our output.
        weights = weights.translate(str.maketrans("IO", "OI"))
    return DimensionNumbers(data, weights, output)


def _ends(data: str, weights: str, output: str) -> tuple[tuple[str, str], ...]:
    return (data, "NC"), (weights, "IO"), (output, "NC")


def conv_transpose(
    input_size: Any,
    *,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "VALID",
    rhs_dilation: Any = 1,
    dimension_numbers: Any = None,
    transpose_kernel: bool = False,
    use_consistent_padding: bool = False,
) -> Reading:
    """Read ``jax.lax.conv_transpose``.

    A word means the padding of the convolution being transposed, pairs mean padding of the dilated
    input, unless `use_consistent_padding` says that they too mean the convolution's. The kernel is not
    flipped, so this is not the adjoint, unless `transpose_kernel` is true.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    kernel_size, strides, rhs_dilation : int or sequence of int
        For all axes, or one per axis.
    padding : str or sequence of pairs
        ``"SAME"``, ``"VALID"`` (capitals only), or (before, after) per axis.
    dimension_numbers : tuple of three str, optional
        By default ``("NHWC", "HWIO", "NHWC")`` and its like in other ranks.
    transpose_kernel : bool
        Flip the kernel, and swap its input and output channels.
    use_consistent_padding : bool
        Whether pairs mean the padding of the convolution being transposed.

    Raises
    ------
    ConvError
        If JAX refuses it: another word, amounts that are not pairs; or if the dilated kernel does not
        fit in the padded input.

    Notes
    -----
    Source: JAX 0.10, ``jax/_src/lax/convolution.py``, ``conv_transpose`` and ``_conv_transpose_padding``.

    Examples
    --------
    >>> conv_transpose(10, kernel_size=3, strides=2).output_size
    (21,)
    >>> conv_transpose(10, kernel_size=3, strides=2, padding=[(0, 0)]).output_size
    (17,)
    """
    sizes = spatial_size("input_size", input_size)
    rank = len(sizes)
    parts = axes.windows(
        sizes,
        per_axis("kernel_size", kernel_size, rank),
        per_axis("strides", strides, rank),
        per_axis("rhs_dilation", rhs_dilation, rank),
    )
    if isinstance(padding, str):
        if padding not in TRANSPOSED_PADDINGS:
            raise unknown_choice("padding", padding, TRANSPOSED_PADDINGS)
        pairs = [_transposed_padding(part, padding) for part in parts]
    else:
        pairs = _pairs(padding, rank)
        if use_consistent_padding:
            reaches = [part.dilated_kernel_size - 1 for part in parts]
            pairs = [(reach - lo, reach - hi) for reach, (lo, hi) in zip(reaches, pairs, strict=True)]
    made = []
    for part, (lo, hi) in zip(parts, pairs, strict=True):
        axis = AxisGeometry(
            part.input_size, part.kernel_size, 1, part.dilation, lo, hi, part.stride, bool(transpose_kernel)
        )
        if axis.output_size < 1:
            rule_broken = (
                f"the dilated kernel spans {axis.dilated_kernel_size} "
                f"but the dilated and padded input is {max(axis.padded_size, 0)}"
            )
            raise ConvError("padding", padding, rule_broken, "pad the dilated input more, or use 'VALID'", "G7")
        made.append(axis)
    formulas = tuple(part.formula("jax.transposed", lo, hi) for part, (lo, hi) in zip(parts, pairs, strict=True))
    layout = _layout("conv-transpose", rank, dimension_numbers, bool(transpose_kernel))
    return Reading("conv-transpose", ConvGeometry(tuple(made)), layout, "jax", formulas)


def _transposed_padding(part: Window, word: str) -> tuple[int, int]:
    """Return JAX's padding of the dilated input for the word of the convolution being transposed."""
    ke, s = part.dilated_kernel_size, part.stride
    if word == "VALID":
        return ke - 1, max(ke, s) - 1
    total = ke + s - 2
    before = ke - 1 if s > ke - 1 else -(-total // 2)
    return before, total - before


def depthwise(input_size: Any, **words: Any) -> Reading:
    """Refuse a depthwise layer: in JAX it is a convolution whose feature groups are its channels.

    Raises
    ------
    ConvError
        Always.
    """
    raise axes.refuse("jax", "depthwise", "use conv with as many groups as channels, or framework='rule'")


def separable(input_size: Any, **words: Any) -> Reading:
    """Refuse a separable layer: in JAX it is two convolutions in a row.

    Raises
    ------
    ConvError
        Always.
    """
    raise axes.refuse("jax", "separable", "use conv with as many groups as channels, or framework='rule'")


def upsampling(input_size: Any, **words: Any) -> Reading:
    """Refuse an upsampling layer: ``jax.image.resize`` takes a size, not factors.

    Raises
    ------
    ConvError
        Always.
    """
    raise axes.refuse("jax", "upsampling", "use framework='rule', or refconv.resize")


def zero_padding(input_size: Any, **words: Any) -> Reading:
    """Refuse a zero-padding layer: JAX has a function, ``jax.lax.pad``.

    Raises
    ------
    ConvError
        Always.
    """
    raise axes.refuse("jax", "zero-padding", "use framework='rule'")


def cropping(input_size: Any, **words: Any) -> Reading:
    """Refuse a cropping layer: JAX has a function, ``jax.lax.slice``.

    Raises
    ------
    ConvError
        Always.
    """
    raise axes.refuse("jax", "cropping", "use framework='rule'")
