"""Convolution, transposed, depthwise and separable convolution of arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from refconv.arguments import choice
from refconv.conventions import rule
from refconv.errors import ConvError
from refconv.functional.arrays import (
    Array,
    bytes_of,
    describe,
    loop_dtype,
    read_array,
    read_signal,
    result_dtype,
    working_arrays,
)
from refconv.functional.backend import check_out, delivered, pick_backend, run_textbook
from refconv.functional.calls import Call, repeated
from refconv.functional.fast import check_tiled, tiled_call
from refconv.functional.kernels import (
    CONV_WEIGHTS,
    DEPTHWISE_WEIGHTS,
    TRANSPOSED_WEIGHTS,
    check_channels,
    read_kernel,
    read_steps,
)
from refconv.functional.shapes import check_input_size, renamed
from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.loops.cpu import conv as conv_loops
from refconv.loops.cpu import conv_transpose as transposed_loops
from refconv.loops.cpu import depthwise as depthwise_loops
from refconv.memory import check_memory

LOOPS = ("scatter", "gather")

_CONV = {1: conv_loops.conv1d, 2: conv_loops.conv2d, 3: conv_loops.conv3d}
_SCATTER = {
    1: transposed_loops.conv_transpose1d_scatter,
    2: transposed_loops.conv_transpose2d_scatter,
    3: transposed_loops.conv_transpose3d_scatter,
}
_GATHER = {
    1: transposed_loops.conv_transpose1d_gather,
    2: transposed_loops.conv_transpose2d_gather,
    3: transposed_loops.conv_transpose3d_gather,
}
_DEPTHWISE = {
    1: depthwise_loops.depthwise_conv1d,
    2: depthwise_loops.depthwise_conv2d,
    3: depthwise_loops.depthwise_conv3d,
}

# Beyond this a sum of an axis' numbers may leave the 64 bits in which loops compute an index.
_LARGEST_NUMBER = 2**60
_WORDS = {"stride": "strides", "dilation": "dilation_rate", "pad_before": "padding", "pad_after": "padding"}


def conv(
    x: Any,
    weights: Any,
    bias: Any = None,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    groups: int = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Convolve: every output sums the weights times the data under them.

    As in every framework this is a correlation, the kernel is not flipped.

    Parameters
    ----------
    x : array_like, shape (batch, spatial..., channels) or (batch, channels, spatial...)
        One to three spatial axes.
    weights : array_like, shape (k..., channels / groups, filters)
        In this order for both data formats. `refconv.functional.PackedWeights` of them keep what the fast path
        packs for later calls.
    bias : array_like, shape (filters,), optional
        Added to every output of its filter.
    strides, dilation_rate : int or sequence of int
        For all spatial axes, or one per axis.
    padding : str, int or sequence
        ``"valid"``, ``"same"``, ``"causal"``, ``"full"``, or cells: on all sides, per axis, or
        (before, after) per axis; negative amounts crop.
    groups : int
        Groups of neighbouring channels and filters; a filter reads its own group only.
    data_format : str
        ``"channels_last"`` or ``"channels_first"``.
    backend : str, optional
        ``"uncompiled"``, ``"textbook"`` or ``"tiled"``; see `refconv.functional.backend`. By default
        ``"tiled"`` for float32 and float64 above `refconv.functional.backend.TILED_WORK`
        multiply-adds, else ``"textbook"``.
    out : ndarray, optional
        Filled and returned; of the result's shape and dtype.

    Returns
    -------
    ndarray, shape (batch, out..., filters) or (batch, filters, out...)
        Of the dtype of `x` if that is floating, else of the first floating one of `weights` and
        `bias`, else int64. The textbook computes in float64 and rounds once, or in int64, which wraps
        around; the tiled backend computes in the dtype of the result.

    Raises
    ------
    ConvError
        If an argument is malformed, the shapes or groups do not fit each other, or memory does not suffice.

    Notes
    -----
    Padding is left out, not multiplied by zero: NaN and infinities in `x` reach exactly the outputs
    that read them. Source: arXiv:1603.07285, relationships 1 to 6 and 15.

    Examples
    --------
    >>> x = [[[1], [2], [3], [4], [5]]]
    >>> conv(x, [[[1]], [[10]]]).ravel()
    array([21, 32, 43, 54])
    >>> conv(x, [[[1]], [[10]]], strides=2, padding="same").ravel()
    array([21, 43,  5])
    """
    words = strides, padding, dilation_rate, groups, data_format, backend
    return repeated(_plan_conv, (x, weights, bias), words, out)


def _plan_conv(
    x: Any,
    weights: Any,
    bias: Any,
    strides: Any,
    padding: Any,
    dilation_rate: Any,
    groups: Any,
    data_format: Any,
    backend: Any,
    out: Any,
) -> Call:
    signal = read_signal(x, data_format)
    kernel = read_kernel("weights", weights, signal.ndim - 2, CONV_WEIGHTS)
    with renamed(input_size=("x", describe(signal))):
        geometry = conv_geometry(signal.shape, kernel.shape[:-2], strides, padding, dilation_rate, groups)
    return conv_call(geometry, signal, kernel, bias, data_format, backend, out)


def conv_geometry(
    shape: Sequence[int], kernel_size: Any, strides: Any, padding: Any, dilation_rate: Any, groups: Any
) -> ConvGeometry:
    """Read the words of `conv` for an input of this shape, channels last."""
    return rule.conv(
        shape[1:-1],
        kernel_size=kernel_size,
        strides=strides,
        padding=padding,
        dilation_rate=dilation_rate,
        groups=groups,
    ).geometry


def conv_with(
    geometry: ConvGeometry,
    x: Any,
    weights: Any,
    bias: Any = None,
    *,
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Convolve by a ready geometry; `conv` for those who have one.

    Parameters
    ----------
    geometry : ConvGeometry
        Also one with inserted zeros or a `reversed` kernel.
    x : array_like, shape (batch, in..., channels)
        As large as the geometry's input.
    weights : array_like, shape (k..., channels / groups, filters)
        In the geometry's own reading: those of a `reversed` axis are not yet flipped.
    bias : array_like, shape (filters,), optional
        Added to every output of its filter.
    backend, out
        As in `conv`.

    Returns
    -------
    ndarray, shape (batch, out..., filters)
        Of a dtype chosen as in `conv`.

    Raises
    ------
    ConvError
        If the arrays do not fit the geometry or each other, or memory does not suffice.

    Examples
    --------
    >>> stamp = ConvGeometry((AxisGeometry.transposed(2, 3, stride=2),))
    >>> conv_with(stamp, [[[1], [10]]], [[[1]], [[2]], [[3]]]).ravel()
    array([ 1,  2, 13, 20, 30])
    """
    return repeated(plan_conv_with, (x, weights, bias), (geometry, backend), out)


def plan_conv_with(x: Any, weights: Any, bias: Any, geometry: ConvGeometry, backend: Any, out: Any) -> Call:
    """Plan `conv_with`."""
    signal = read_signal(x)
    kernel = read_kernel("weights", weights, signal.ndim - 2, CONV_WEIGHTS)
    _check_geometry(geometry, signal, kernel)
    return conv_call(geometry, signal, kernel, bias, "channels_last", backend, out)


def conv_call(
    geometry: ConvGeometry, x: Array, weights: Array, bias: Any, data_format: str, backend: Any, out: Any
) -> Call:
    """Plan a convolution of arrays that are read."""
    channels, filters = x.shape[-1], weights.shape[-1]
    geometry.check_channels(channels, filters)
    check_channels("weights", weights, -2, channels, geometry.groups)
    offsets = _read_bias(bias, filters)
    operands = (x, weights) if bias is None else (x, weights, offsets)
    result = result_dtype(*operands)
    shape = (x.shape[0], *geometry.output_size, filters)
    check_out(out, shape, result, data_format, *operands)
    work = math.prod(shape) * math.prod(weights.shape[:-1])
    backend = pick_backend(backend, work, result, *operands)
    if backend == "tiled":
        from refconv.tiled import cpu

        check_tiled(result, shape, *operands)
        check_index_range(geometry.axes)
        sizes = x.shape[0], channels, filters, result
        first = cpu.ready_first(geometry, *sizes) if data_format == "channels_first" else None
        given = (x, weights, None if bias is None else offsets)
        ready = cpu.ready_conv(geometry, *sizes)
        return tiled_call(ready, given, result, data_format, out, shape=shape, ready_first=first)

    def run(x: Array, weights: Array, bias: Array, out: Array | None) -> Array:
        return delivered(_run_conv(geometry, result, x, weights, bias, backend), result, data_format, out)

    return Call(run, (x, weights, offsets))


def _run_conv(
    geometry: ConvGeometry, result: np.dtype[Any], x: Array, weights: Array, bias: Array, backend: str = "textbook"
) -> Array:
    shape = (x.shape[0], *geometry.output_size, weights.shape[-1])
    out, x, weights, bias = working_arrays(shape, result, x, weights, bias)
    check_index_range(geometry.axes)
    steps = out.size * math.prod(weights.shape[:-1])
    run_textbook(backend, _CONV[geometry.rank], out, x, weights, bias, *geometry.axes, geometry.groups, steps=steps)
    return out


def conv_transpose(
    x: Any,
    weights: Any,
    bias: Any = None,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    output_padding: Any = None,
    dilation_rate: Any = 1,
    groups: int = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Convolve transposed: every input stamps the kernel, scaled by its value, onto the output.

    Parameters
    ----------
    x : array_like, shape (batch, spatial..., channels) or (batch, channels, spatial...)
        One to three spatial axes.
    weights : array_like, shape (k..., filters / groups, channels)
        The weights of the convolution that this transposes.
    bias : array_like, shape (filters,), optional
        Added to every output of its filter.
    strides, dilation_rate : int or sequence of int
        For all spatial axes, or one per axis; the stride is the step between stamps.
    padding : str, int or sequence
        ``"valid"`` and ``"same"`` as in Keras; ``"full"`` crops nothing; or the cells to crop off the full
        output: on all sides, per axis, or (before, after) per axis; negative amounts append zeros.
    output_padding : int or sequence of int, optional
        Zeros appended to the full output before it is cropped. None is not 0: it lets ``"valid"``
        and ``"same"`` choose the size.
    groups : int
        Groups of neighbouring channels and filters.
    data_format : str
        ``"channels_last"`` or ``"channels_first"``.
    backend : str, optional
        ``"uncompiled"``, ``"textbook"`` or ``"tiled"``; see `refconv.functional.backend`. By default
        ``"tiled"`` for float32 and float64 above `refconv.functional.backend.TILED_WORK`
        multiply-adds, else ``"textbook"``.
    out : ndarray, optional
        Filled and returned; of the result's shape and dtype.

    Returns
    -------
    ndarray, shape (batch, out..., filters) or (batch, filters, out...)
        Of a dtype chosen as in `conv`.

    Raises
    ------
    ConvError
        If an argument is malformed, the shapes or groups do not fit each other, the crop leaves
        nothing, or memory does not suffice.

    Notes
    -----
    Inserted zeros are left out, not multiplied. Source: arXiv:1603.07285, relationships 8 to 14.

    Examples
    --------
    >>> conv_transpose([[[1], [10]]], [[[1]], [[2]], [[3]]], strides=2).ravel()
    array([ 1,  2, 13, 20, 30])
    """
    words = strides, padding, output_padding, dilation_rate, groups, data_format, backend
    return repeated(_plan_conv_transpose, (x, weights, bias), words, out)


def _plan_conv_transpose(
    x: Any,
    weights: Any,
    bias: Any,
    strides: Any,
    padding: Any,
    output_padding: Any,
    dilation_rate: Any,
    groups: Any,
    data_format: Any,
    backend: Any,
    out: Any,
) -> Call:
    signal = read_signal(x, data_format)
    kernel = read_kernel("weights", weights, signal.ndim - 2, TRANSPOSED_WEIGHTS)
    with renamed(input_size=("x", describe(signal))):
        geometry = transposed_geometry(
            signal.shape, kernel.shape[:-2], strides, padding, output_padding, dilation_rate, groups
        )
    return conv_transpose_call(geometry, signal, kernel, bias, "scatter", data_format, backend, out)


def transposed_geometry(
    shape: Sequence[int],
    kernel_size: Any,
    strides: Any,
    padding: Any,
    output_padding: Any,
    dilation_rate: Any,
    groups: Any,
) -> ConvGeometry:
    """Read the words of `conv_transpose` for an input of this shape, channels last."""
    return rule.conv_transpose(
        shape[1:-1],
        kernel_size=kernel_size,
        strides=strides,
        padding=padding,
        output_padding=output_padding,
        dilation_rate=dilation_rate,
        groups=groups,
    ).geometry


def conv_transpose_with(
    geometry: ConvGeometry,
    x: Any,
    weights: Any,
    bias: Any = None,
    loop: str | None = None,
    *,
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Convolve transposed by a ready geometry, by either of the two loops.

    Parameters
    ----------
    geometry : ConvGeometry
        The gather's: an input with inserted zeros, the kernel `reversed`.
    x : array_like, shape (batch, in..., channels)
        As large as the geometry's input.
    weights : array_like, shape (k..., filters / groups, channels)
        As in `conv_transpose`.
    bias : array_like, shape (filters,), optional
        Added to every output of its filter.
    loop : str, optional
        The textbook loop: ``"scatter"``, where every input stamps the kernel, or ``"gather"``, where every
        output reads the zero-inserted input. The same sums in another order. By default the textbook
        scatters, if it is the backend.
    backend, out
        As in `conv`.

    Returns
    -------
    ndarray, shape (batch, out..., filters)
        Of a dtype chosen as in `conv`.

    Raises
    ------
    ConvError
        If the arrays do not fit the geometry or each other, or memory does not suffice.

    Examples
    --------
    >>> stamp = ConvGeometry((AxisGeometry.transposed(2, 3, stride=2),))
    >>> conv_transpose_with(stamp, [[[1], [10]]], [[[1]], [[2]], [[3]]], loop="gather").ravel()
    array([ 1,  2, 13, 20, 30])
    """
    if loop is not None:
        loop = choice("loop", loop, LOOPS)
        backend = "textbook" if backend is None else backend
    return repeated(plan_conv_transpose_with, (x, weights, bias), (geometry, backend, loop or "scatter"), out)


def plan_conv_transpose_with(
    x: Any, weights: Any, bias: Any, geometry: ConvGeometry, backend: Any, loop: str, out: Any
) -> Call:
    """Plan `conv_transpose_with`."""
    signal = read_signal(x)
    kernel = read_kernel("weights", weights, signal.ndim - 2, TRANSPOSED_WEIGHTS)
    _check_geometry(geometry, signal, kernel)
    return conv_transpose_call(geometry, signal, kernel, bias, loop, "channels_last", backend, out)


def conv_transpose_call(
    geometry: ConvGeometry, x: Array, weights: Array, bias: Any, loop: str, data_format: str, backend: Any, out: Any
) -> Call:
    """Plan a transposed convolution of arrays that are read."""
    channels, filters = x.shape[-1], weights.shape[-2] * geometry.groups
    geometry.check_channels(channels, filters)
    check_channels("weights", weights, -1, channels)
    offsets = _read_bias(bias, filters)
    operands = (x, weights) if bias is None else (x, weights, offsets)
    result = result_dtype(*operands)
    axes = tuple(axis.adjoint() for axis in geometry.axes) if loop == "scatter" else geometry.axes
    shape = (x.shape[0], *geometry.output_size, filters)
    check_out(out, shape, result, data_format, *operands)
    backend = pick_backend(backend, x.size * math.prod(weights.shape[:-1]), result, *operands)
    if backend == "tiled":
        from refconv.tiled import cpu

        check_tiled(result, shape, *operands)
        check_index_range(geometry.axes)
        sizes = x.shape[0], channels, filters, result
        first = cpu.ready_first(geometry, *sizes, transposed=True) if data_format == "channels_first" else None
        given = (x, weights, None if bias is None else offsets)
        ready = cpu.ready_conv_transpose(geometry, *sizes)
        return tiled_call(ready, given, result, data_format, out, shape=shape, ready_first=first)
    loops = _SCATTER if loop == "scatter" else _GATHER

    def run(x: Array, weights: Array, bias: Array, out: Array | None) -> Array:
        computed, x, weights, bias = working_arrays(shape, result, x, weights, bias)
        check_index_range(axes)
        stamped = x.size if loop == "scatter" else computed.size // filters * channels
        steps = stamped * math.prod(weights.shape[:-1])
        run_textbook(backend, loops[geometry.rank], computed, x, weights, bias, *axes, geometry.groups, steps=steps)
        return delivered(computed, result, data_format, out)

    return Call(run, (x, weights, offsets))


def depthwise_conv(
    x: Any,
    weights: Any,
    bias: Any = None,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Convolve every channel by itself, with as many filters each as the depth multiplier.

    Parameters
    ----------
    x : array_like, shape (batch, spatial..., channels) or (batch, channels, spatial...)
        One to three spatial axes.
    weights : array_like, shape (k..., channels, multiplier)
        Output channel ``c * multiplier + m`` reads input channel `c` through ``weights[..., c, m]``.
    bias : array_like, shape (channels * multiplier,), optional
        Added to every output of its channel.
    strides, padding, dilation_rate, data_format, backend, out
        As in `conv`.

    Returns
    -------
    ndarray, shape (batch, out..., channels * multiplier) or (batch, channels * multiplier, out...)
        Of a dtype chosen as in `conv`.

    Raises
    ------
    ConvError
        If an argument is malformed, the shapes do not fit each other, or memory does not suffice.

    Notes
    -----
    Source: arXiv:1610.02357; the order of the channels as in Keras' DepthwiseConv2D.

    Examples
    --------
    >>> x = [[[1, 10], [2, 20], [3, 30]]]
    >>> depthwise_conv(x, [[[1], [2]], [[1], [2]]])
    array([[[  3,  60],
            [  5, 100]]])
    """
    words = strides, padding, dilation_rate, data_format, backend
    return repeated(_plan_depthwise, (x, weights, bias), words, out)


def _plan_depthwise(
    x: Any,
    weights: Any,
    bias: Any,
    strides: Any,
    padding: Any,
    dilation_rate: Any,
    data_format: Any,
    backend: Any,
    out: Any,
) -> Call:
    signal = read_signal(x, data_format)
    kernel = read_kernel("weights", weights, signal.ndim - 2, DEPTHWISE_WEIGHTS)
    check_channels("weights", kernel, -2, signal.shape[-1])
    geometry = _depthwise_geometry(signal, kernel, strides, padding, dilation_rate)
    offsets = _read_bias(bias, kernel.shape[-2] * kernel.shape[-1])
    operands = (signal, kernel) if bias is None else (signal, kernel, offsets)
    result = result_dtype(*operands)
    shape = (signal.shape[0], *geometry.output_size, offsets.size)
    check_out(out, shape, result, data_format, *operands)
    backend = pick_backend(backend, math.prod(shape) * math.prod(kernel.shape[:-2]), result, *operands)
    if backend == "tiled":
        from refconv.tiled import depthwise

        check_tiled(result, shape, *operands)
        check_index_range(geometry.axes)
        channels, multiplier = kernel.shape[-2:]
        ready = depthwise.ready_depthwise(geometry, shape[0], channels, multiplier, result)
        return tiled_call(ready, (signal, kernel, None if bias is None else offsets), result, data_format, out)

    def run(x: Array, weights: Array, bias: Array, out: Array | None) -> Array:
        return delivered(run_depthwise(geometry, result, x, weights, bias, backend), result, data_format, out)

    return Call(run, (signal, kernel, offsets))


def _depthwise_geometry(x: Array, weights: Array, strides: Any, padding: Any, dilation_rate: Any) -> ConvGeometry:
    with renamed(input_size=("x", describe(x))):
        reading = rule.depthwise(
            x.shape[1:-1],
            kernel_size=weights.shape[:-2],
            strides=strides,
            padding=padding,
            dilation_rate=dilation_rate,
            depth_multiplier=weights.shape[-1],
        )
    return reading.geometry


def run_depthwise(
    geometry: ConvGeometry, result: np.dtype[Any], x: Array, weights: Array, bias: Array, backend: str = "textbook"
) -> Array:
    """Run the loops of a depthwise convolution; the result is not yet rounded."""
    shape = (x.shape[0], *geometry.output_size, weights.shape[-2] * weights.shape[-1])
    out, x, weights, bias = working_arrays(shape, result, x, weights, bias)
    check_index_range(geometry.axes)
    steps = out.size * math.prod(weights.shape[:-2])
    run_textbook(backend, _DEPTHWISE[geometry.rank], out, x, weights, bias, *geometry.axes, steps=steps)
    return out


def separable_conv(
    x: Any,
    depthwise_weights: Any,
    pointwise_weights: Any,
    bias: Any = None,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Convolve every channel by itself, then mix the channels at each place.

    Strides, padding and dilation belong to the first, depthwise step.

    Parameters
    ----------
    x : array_like, shape (batch, spatial..., channels) or (batch, channels, spatial...)
        One to three spatial axes.
    depthwise_weights : array_like, shape (k..., channels, multiplier)
        As in `depthwise_conv`.
    pointwise_weights : array_like, shape (1..., channels * multiplier, filters)
        The convolution of kernel size 1 that follows.
    bias : array_like, shape (filters,), optional
        Added at the end.
    strides, padding, dilation_rate, data_format, backend, out
        As in `conv`.

    Returns
    -------
    ndarray, shape (batch, out..., filters) or (batch, filters, out...)
        Of a dtype chosen as in `conv`; the textbook rounds nothing between the two steps.

    Raises
    ------
    ConvError
        If an argument is malformed, the shapes do not fit each other, or memory does not suffice.

    Notes
    -----
    Source: arXiv:1610.02357, as in Keras' SeparableConv2D.

    Examples
    --------
    >>> x = [[[1, 10], [2, 20], [3, 30]]]
    >>> separable_conv(x, [[[1], [2]], [[1], [2]]], [[[1], [-1]]]).ravel()
    array([-57, -95])
    """
    operands = x, depthwise_weights, pointwise_weights, bias
    words = strides, padding, dilation_rate, data_format, backend
    return repeated(_plan_separable, operands, words, out)


def _plan_separable(
    x: Any,
    depthwise_weights: Any,
    pointwise_weights: Any,
    bias: Any,
    strides: Any,
    padding: Any,
    dilation_rate: Any,
    data_format: Any,
    backend: Any,
    out: Any,
) -> Call:
    signal = read_signal(x, data_format)
    depthwise, pointwise = read_steps(depthwise_weights, pointwise_weights, signal.shape[-1], signal.ndim - 2)
    geometry = _depthwise_geometry(signal, depthwise, strides, padding, dilation_rate)
    channels, multiplier = depthwise.shape[-2:]
    between = channels * multiplier
    filters = pointwise.shape[-1]
    offsets = _read_bias(bias, filters)
    operands = (signal, depthwise, pointwise) if bias is None else (signal, depthwise, pointwise, offsets)
    result = result_dtype(*operands)
    cells = (signal.shape[0], *geometry.output_size)
    check_out(out, (*cells, filters), result, data_format, *operands)
    work = math.prod(cells) * between * (math.prod(geometry.kernel_size) + filters)
    backend = pick_backend(backend, work, result, *operands)

    # Both steps at once, so that nothing is allocated for the first if the second does not fit.
    size = bytes_of((*cells, between + filters), result if backend == "tiled" else loop_dtype(result))
    check_memory("x", describe(signal), f"the output of shape {(*cells, filters)}", size)
    if backend == "tiled":
        from refconv.tiled import separable

        check_index_range(geometry.axes)
        ready = separable.ready_separable(geometry, cells[0], channels, multiplier, filters, result)
        given = signal, depthwise, pointwise, None if bias is None else offsets
        return tiled_call(ready, given, result, data_format, out)

    def run(x: Array, depthwise: Array, pointwise: Array, bias: Array, out: Array | None) -> Array:
        no_offsets = np.zeros(between, np.int64)
        columns = run_depthwise(geometry, loop_dtype(result), x, depthwise, no_offsets, backend)
        computed = _run_conv(geometry.pointwise(), result, columns, pointwise, bias, backend)
        return delivered(computed, result, data_format, out)

    return Call(run, (signal, depthwise, pointwise, offsets))


def _read_bias(bias: Any, filters: int) -> Array:
    if bias is None:
        return np.zeros(filters, np.int64)
    array = read_array("bias", bias)
    if array.shape != (filters,):
        raise ConvError("bias", describe(array), f"there are {filters} filters", f"give shape ({filters},)")
    return array


def _check_geometry(geometry: ConvGeometry, x: Array, weights: Array) -> None:
    check_input_size(geometry, x)
    if weights.shape[:-2] != geometry.kernel_size:
        raise ConvError(
            "weights",
            describe(weights),
            f"its kernel size is {weights.shape[:-2]}, but the geometry's is {geometry.kernel_size}",
            f"give shape ({', '.join(map(str, geometry.kernel_size))}, ..., ...)",
        )


def check_index_range(axes: Sequence[AxisGeometry]) -> None:
    """Check that no number of these axes takes an index beyond the 64 bits in which loops compute it.

    Raises
    ------
    ConvError
        Naming the argument that is too large.
    """
    for axis in axes:
        for name, number in [*axis._asdict().items(), ("input_dilation", axis.dilated_input_size)]:
            if abs(number) >= _LARGEST_NUMBER:
                raise ConvError(_WORDS.get(name, name), number, "the loops index with 64 bits", "stay below 2**60")
