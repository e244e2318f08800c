"""Keras 1.2: its layers' old words, as they worked on TensorFlow.

``border_mode="full"``, which its documentation has for the Theano backend only, is read for
convolutions and for ``Deconvolution2D``, with Theano's padding and sizes. Everything else follows
TensorFlow: Theano flipped the kernel, and under ``"same"`` padded ``k // 2`` on both sides whatever the
stride (so ``Convolution3D``'s note on slicing is Theano's way, which can start elsewhere).

The kernel's size is `kernel_size`, or the class's own words: ``filter_length`` in one dimension,
``nb_row`` and ``nb_col`` in two, ``kernel_dim1`` to ``kernel_dim3`` in three. ``dim_ordering`` is ``"th"`` (channels
first) when unset, as its documentation says; 1-D layers always have their channels last.
"""

from __future__ import annotations

from typing import Any

from refconv.arguments import choice, is_sequence, pairs_per_axis, per_axis, spatial_size, whole_number
from refconv.conventions import axes, rule
from refconv.conventions.axes import Window
from refconv.conventions.layouts import SPATIAL_LETTERS, DimensionNumbers, FormulaUse, Reading
from refconv.errors import ConvError

KERNEL_WORDS = ((), ("filter_length",), ("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3"))
BORDER_MODES = ("valid", "same", "full")
PAD_WORDS = ((), ("left_pad", "right_pad"), ("top_pad", "bottom_pad", "left_pad", "right_pad"))


def _kernel(kernel_size: Any, words: dict[str, Any], rank: int, others: tuple[str, ...]) -> tuple[int, ...]:
    own = KERNEL_WORDS[rank]
    for word, value in words.items():
        if word not in own:
            raise axes.unknown_word(word, value, "Keras 1's layer", ("kernel_size", *own, *others))
    if kernel_size is not None:
        return per_axis("kernel_size", kernel_size, rank)
    missing = [word for word in own if word not in words]
    if missing:
        rule_broken = f"a {rank}-D kernel needs it"
        raise ConvError(missing[0], None, rule_broken, f"give {', '.join(own)}, or kernel_size")
    return tuple(whole_number(word, words[word], 1) for word in own)


def _layout(layer: str, rank: int, dim_ordering: Any) -> DimensionNumbers:
    letters = SPATIAL_LETTERS[rank]
    if rank == 1:
        # Convolution1D ran as a 2-D one with a second axis of one cell, which its weights still show.
        return DimensionNumbers("NWC", "W1IO" if layer == "conv" else "", "NWC")
    if choice("dim_ordering", dim_ordering, ("th", "tf")) == "tf":
        data, weights = f"N{letters}C", letters + ("IM" if layer == "separable" else "IO")
    else:
        data, weights = f"NC{letters}", ("MI" if layer == "separable" else "OI") + letters
    return DimensionNumbers(data, weights if layer in ("conv", "conv-transpose", "separable") else "", data)


def conv(
    input_size: Any,
    *,
    kernel_size: Any = None,
    subsample: Any = 1,
    subsample_length: Any = None,
    border_mode: str = "valid",
    atrous_rate: Any = 1,
    dim_ordering: str = "th",
    **kernel_words: Any,
) -> Reading:
    """Read ``Convolution1D``, ``2D``, ``3D``, and ``AtrousConvolution1D``, ``2D`` where `atrous_rate` is given.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    kernel_size : int or sequence of int, optional
        For all axes, or one per axis; or the class's own words.
    subsample : int or sequence of int
        The stride.
    subsample_length : int, optional
        The stride, in one dimension.
    border_mode : str
        ``"valid"``, ``"same"`` or ``"full"``.
    atrous_rate : int or sequence of int
        The dilation, the same on both axes; in one or two dimensions, without a stride.
    dim_ordering : str
        ``"th"`` or ``"tf"``.
    **kernel_words
        ``filter_length``; ``nb_row``, ``nb_col``; or ``kernel_dim1`` to ``kernel_dim3``.

    Raises
    ------
    ConvError
        If Keras 1 refuses it on TensorFlow: a stride together with `atrous_rate`, different rates for
        rows and columns, an atrous layer in three dimensions; or if the dilated kernel does not fit.

    Notes
    -----
    Source: Keras 1.2.2, ``layers/convolutional.py``, ``utils/np_utils.py``, ``backend/tensorflow_backend.py``.

    Examples
    --------
    >>> conv((256, 256), nb_row=3, nb_col=3, border_mode="same").output_size
    (256, 256)
    >>> conv(10, filter_length=3, border_mode="full").output_size
    (12,)
    """
    sizes = spatial_size("input_size", input_size)
    rank = len(sizes)
    kernel = _kernel(kernel_size, kernel_words, rank, ("subsample", "border_mode", "atrous_rate"))
    word, steps = _steps(subsample, subsample_length, rank)
    rates = per_axis("atrous_rate", atrous_rate, rank)
    if max(rates) > 1:
        _check_atrous(word, steps, atrous_rate, rates)
    mode = choice("border_mode", border_mode, BORDER_MODES)
    read = [rule.padded(part, mode) for part in axes.windows(sizes, kernel, steps, rates)]
    return axes.conv_reading("conv", "keras1", _layout("conv", rank, dim_ordering), read)


def _steps(subsample: Any, subsample_length: Any, rank: int) -> tuple[str, tuple[int, ...]]:
    if subsample_length is None:
        return "subsample", per_axis("subsample", subsample, rank)
    if rank != 1:
        raise ConvError("subsample_length", subsample_length, "belongs to Convolution1D", "use subsample")
    return "subsample_length", per_axis("subsample_length", subsample_length, 1)


def _check_atrous(word: str, steps: tuple[int, ...], atrous_rate: Any, rates: tuple[int, ...]) -> None:
    if len(rates) == 3:
        raise ConvError("atrous_rate", atrous_rate, "Keras 1 has no 3-D atrous layer", "use framework='keras'")
    if len(set(rates)) > 1:
        rule_broken = "TensorFlow's atrous convolution took one rate for rows and columns"
        raise ConvError("atrous_rate", atrous_rate, rule_broken, "use equal rates, or framework='keras'")
    if max(steps) > 1:
        rule_broken = f"Keras 1 does not combine it with {word} above 1 on TensorFlow"
        raise ConvError("atrous_rate", atrous_rate, rule_broken, f"use {word}=1 or atrous_rate=1")


def conv_transpose(
    input_size: Any,
    *,
    kernel_size: Any = None,
    output_shape: Any,
    subsample: Any = 1,
    border_mode: str = "valid",
    dim_ordering: str = "th",
    **kernel_words: Any,
) -> Reading:
    """Read ``Deconvolution2D``, whose output shape the caller has to give.

    It is legal if a convolution with these arguments maps it to the input's size; Keras 1 itself
    never checked. With s the subsample, i the input and k the kernel:

    ===========  ==================================  =====================================================
    border_mode  legal output sizes                  crop of the full output
    ===========  ==================================  =====================================================
    valid        ``s(i-1)+k`` and up to s - 1 more   none; what is more is zeros at the end
    same         ``s(i-1)+1`` to ``s i``             ``max(s(i-1)+k-o, 0) // 2`` before, the rest after
    full         ``s(i-1)-k+2`` and s - 1 more       ``k - 1`` before, as much less what is more after
    ===========  ==================================  =====================================================

    Parameters
    ----------
    input_size : sequence of int
        Rows and columns.
    kernel_size : int or sequence of int, optional
        For both axes, or one per axis; or ``nb_row`` and ``nb_col``.
    output_shape : sequence of int
        Rows and columns of the output; or, as in Keras 1, its whole shape, batch and filters included.
    subsample : int or sequence of int
        The stride.
    border_mode : str
        ``"valid"``, ``"same"`` or ``"full"``.
    dim_ordering : str
        ``"th"`` or ``"tf"``.
    **kernel_words
        ``nb_row``, ``nb_col``.

    Raises
    ------
    ConvError
        If the output shape is not legal, naming the legal sizes; or if the input is not two-dimensional.

    Notes
    -----
    Source: Keras 1.2.2, ``layers/convolutional.py`` and its documented examples;
    TensorFlow's ``conv2d_transpose`` for the crop.

    Examples
    --------
    >>> conv_transpose((12, 12), nb_row=3, nb_col=3, output_shape=(None, 3, 14, 14)).output_size
    (14, 14)
    >>> conv_transpose((12, 12), kernel_size=3, subsample=2, output_shape=(25, 26)).output_size
    (25, 26)
    """
    sizes = spatial_size("input_size", input_size)
    if len(sizes) != 2:
        raise ConvError("input_size", input_size, "Keras 1 has Deconvolution2D only", "give rows and columns")
    kernel = _kernel(kernel_size, kernel_words, 2, ("output_shape", "subsample", "border_mode"))
    parts = axes.windows(sizes, kernel, per_axis("subsample", subsample, 2), (1, 1))
    mode = choice("border_mode", border_mode, BORDER_MODES)
    layout = _layout("conv-transpose", 2, dim_ordering)
    shape = output_shape
    if is_sequence(output_shape) and len(output_shape) == 4:
        shape = output_shape[layout.output.index("H") : layout.output.index("W") + 1]
    wanted = per_axis("output_shape", shape, 2)
    ranges = [_legal_sizes(part, mode) for part in parts]
    if any(size not in legal for size, legal in zip(wanted, ranges, strict=True)):
        rule_broken = f"border_mode={mode!r} cannot give this size"
        rows, columns = (_in_words(legal) for legal in ranges)
        raise ConvError("output_shape", output_shape, rule_broken, f"legal are {rows} rows and {columns} columns")
    read = [_to_shape(part, size, mode) for part, size in zip(parts, wanted, strict=True)]
    return axes.transposed_reading("keras1", layout, read, crop_word="border_mode", crop_value=mode)


def _legal_sizes(part: Window, mode: str) -> range:
    smallest = part.full_size - _smallest_crop(part, mode)
    return range(max(smallest, 1), smallest + part.stride)


def _smallest_crop(part: Window, mode: str) -> int:
    return {"valid": 0, "same": part.kernel_size - 1, "full": 2 * (part.kernel_size - 1)}[mode]


def _in_words(sizes: range) -> str:
    if not sizes:
        return "no"
    return str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"


def _to_shape(part: Window, size: int, mode: str) -> tuple[Window, int, int, FormulaUse]:
    total = part.full_size - size
    lo = {"valid": 0, "same": max(total, 0) // 2, "full": part.kernel_size - 1}[mode]
    # The 2p of its documentation's o = s(i - 1) + a + k - 2p, which is odd where an even kernel is halved.
    crop = _smallest_crop(part, mode)
    numbers = {"a": size - (part.full_size - crop), "crop": crop, "output_shape": size}
    return part, lo, total - lo, part.formula("keras1.transposed", lo, total - lo, **numbers)


def separable(
    input_size: Any,
    *,
    kernel_size: Any = None,
    subsample: Any = 1,
    border_mode: str = "valid",
    depth_multiplier: int = 1,
    dim_ordering: str = "th",
    **kernel_words: Any,
) -> Reading:
    """Read ``SeparableConvolution2D``, which had no dilation and ran on TensorFlow only.

    Raises
    ------
    ConvError
        If Keras 1 refuses it: another rank, ``"full"``, different strides for rows and columns; or if
        the kernel does not fit.

    Notes
    -----
    Source: Keras 1.2.2, ``layers/convolutional.py``; TensorFlow, ``core/kernels/depthwise_conv_op.cc``.

    Examples
    --------
    >>> separable((10, 10), kernel_size=3, border_mode="same", subsample=(2, 2)).output_size
    (5, 5)
    """
    sizes = spatial_size("input_size", input_size)
    if len(sizes) != 2:
        raise ConvError("input_size", input_size, "Keras 1 has SeparableConvolution2D only", "give rows and columns")
    kernel = _kernel(kernel_size, kernel_words, 2, ("subsample", "border_mode", "depth_multiplier"))
    steps = axes.equal_strides("subsample", subsample, 2)
    whole_number("depth_multiplier", depth_multiplier, 1)
    mode = choice("border_mode", border_mode, ("valid", "same"))
    read = [rule.padded(part, mode) for part in axes.windows(sizes, kernel, steps, (1, 1))]
    return axes.conv_reading("separable", "keras1", _layout("separable", 2, dim_ordering), read)


def depthwise(input_size: Any, **words: Any) -> Reading:
    """Refuse a depthwise layer, which Keras 1 did not have.

    Raises
    ------
    ConvError
        Always.
    """
    raise axes.refuse("keras1", "depthwise", "use separable, or framework='keras'")


def upsampling(input_size: Any, *, size: Any = 2, length: Any = None, dim_ordering: str = "th") -> Reading:
    """Read ``UpSampling1D`` (whose factor is `length`), ``UpSampling2D`` or ``UpSampling3D``: they repeat.

    Raises
    ------
    ConvError
        If the factor is malformed, or `length` is given in two or three dimensions.

    Notes
    -----
    Source: Keras 1.2.2, ``layers/convolutional.py``.

    Examples
    --------
    >>> upsampling(4, length=3).output_size
    (12,)
    """
    sizes = spatial_size("input_size", input_size)
    rank = len(sizes)
    if length is not None and rank != 1:
        raise ConvError("length", length, "belongs to UpSampling1D", "use size")
    factors = per_axis("size", size, rank) if length is None else per_axis("length", length, rank)
    layout = _layout("upsampling", rank, dim_ordering)
    return axes.upsampling_reading("keras1", layout, sizes, factors, "nearest")


def zero_padding(input_size: Any, *, padding: Any = 1, dim_ordering: str = "th") -> Reading:
    """Read ``ZeroPadding1D``, ``ZeroPadding2D`` or ``ZeroPadding3D``.

    Parameters
    ----------
    input_size : int or sequence of int
        Size of each spatial axis.
    padding : int, sequence of int or dict
        For all sides, or one per axis. In one dimension also (left, right) or a dict of ``left_pad`` and
        ``right_pad``; in two also (top, bottom, left, right) or a dict of ``top_pad``, ``bottom_pad``,
        ``left_pad`` and ``right_pad``. In three dimensions both sides are alike.
    dim_ordering : str
        ``"th"`` or ``"tf"``.

    Raises
    ------
    ConvError
        If `padding` is malformed, negative, or asymmetric in three dimensions.

    Notes
    -----
    Source: Keras 1.2.2, ``layers/convolutional.py``.

    Examples
    --------
    >>> zero_padding((3, 4), padding=(1, 2, 0, 3)).output_size
    (6, 7)
    """
    sizes = spatial_size("input_size", input_size)
    rank = len(sizes)
    value = padding
    if isinstance(padding, dict) and rank < 3:
        for word in padding:
            choice("padding", word, PAD_WORDS[rank])
        value = tuple(padding.get(word, 0) for word in PAD_WORDS[rank])
    if is_sequence(value) and any(is_sequence(item) for item in value):
        forms = ("", "(left, right)", "(top, bottom, left, right)", "one amount per axis, the same on both sides")
        raise ConvError(
            "padding", padding, f"Keras 1 writes {rank}-D padding without inner pairs", f"use {forms[rank]}"
        )
    if rank == 2 and is_sequence(value) and len(value) == 4:
        value = (tuple(value[:2]), tuple(value[2:]))
    pairs = pairs_per_axis("padding", value, rank, 0)
    layout = _layout("zero-padding", rank, dim_ordering)
    return axes.bordered_reading("zero-padding", "keras1", layout, sizes, pairs, word="padding", value=padding)


def cropping(input_size: Any, *, cropping: Any = None, dim_ordering: str = "th") -> Reading:
    """Read ``Cropping1D``, ``Cropping2D`` or ``Cropping3D``, whose defaults are 1, 0 and 1.

    Raises
    ------
    ConvError
        If `cropping` is malformed, negative, or leaves nothing.

    Notes
    -----
    Source: Keras 1.2.2, ``layers/convolutional.py``.

    Examples
    --------
    >>> cropping((28, 28), cropping=((2, 2), (4, 4))).output_size
    (24, 20)
    """
    sizes = spatial_size("input_size", input_size)
    rank = len(sizes)
    if cropping is None:
        cropping = 0 if rank == 2 else 1
    pairs = pairs_per_axis("cropping", cropping, rank, 0)
    layout = _layout("cropping", rank, dim_ordering)
    return axes.bordered_reading("cropping", "keras1", layout, sizes, pairs, word="cropping", value=cropping)
