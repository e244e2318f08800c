"""Unfold (im2col) and fold (col2im): a convolution as one matrix product, and the way back."""

from __future__ import annotations

import math
from typing import Any

from refconv.arguments import per_axis
from refconv.conventions import read
from refconv.errors import ConvError
from refconv.functional.arrays import Array, bytes_of, describe, read_signal, result_dtype, working_arrays
from refconv.functional.backend import check_out, delivered, pick_backend, run_textbook
from refconv.functional.calls import Call, repeated_with
from refconv.functional.fast import check_tiled, tiled_call
from refconv.functional.moving import pick_copying_backend
from refconv.geometry import ConvGeometry
from refconv.loops.cpu import patches
from refconv.memory import check_memory

_UNFOLD = {1: patches.unfold1d, 2: patches.unfold2d, 3: patches.unfold3d}
_FOLD = {1: patches.fold1d, 2: patches.fold2d, 3: patches.fold3d}


def unfold(
    x: Any,
    *,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Lay out, for every output of a convolution, the data that its kernel covers (im2col).

    With channels last, ``conv(x, weights) == unfold(x, ...) @ weights.reshape(-1, filters)``.

    Parameters
    ----------
    x : array_like, shape (batch, spatial..., channels) or (batch, channels, spatial...)
        One to three spatial axes.
    kernel_size, strides, padding, dilation_rate
        As in `refconv.functional.conv`.
    data_format : str
        ``"channels_last"`` or ``"channels_first"``.
    backend : str, optional
        ``"uncompiled"``, ``"textbook"`` or ``"tiled"``; by default the work decides. See
        `refconv.functional.backend`.
    out : ndarray, optional
        Filled and returned; of the result's shape and dtype.

    Returns
    -------
    ndarray, shape (batch, outputs..., prod(kernel_size) * channels)
        With channels first (batch, prod(kernel_size) * channels, outputs...). In a column, kernel
        elements follow each other in row-major order, each with all its channels: the order of
        ``weights.reshape(-1, filters)``. Padding is 0. The dtype is that of `x`, int64 for integers.

    Raises
    ------
    ConvError
        If an argument is malformed, the kernel does not fit, or the result does not fit into memory.

    Notes
    -----
    Source: Chellapilla, Puri and Simard, "High performance convolutional neural networks for document
    processing" (2006). PyTorch's ``unfold`` has the channels before the kernel elements, and all
    outputs on one axis.

    Examples
    --------
    >>> unfold([[[1], [2], [3], [4]]], kernel_size=3)[0]
    array([[1, 2, 3],
           [2, 3, 4]])
    """
    words = kernel_size, strides, padding, dilation_rate, data_format, backend
    return repeated_with(_plan_unfold, x, words, out)


def _plan_unfold(
    x: Any, kernel_size: Any, strides: Any, padding: Any, dilation_rate: Any, data_format: Any, backend: Any, out: Any
) -> Call:
    signal = read_signal(x, data_format)
    geometry = patches_geometry(signal.shape[1:-1], kernel_size, strides, padding, dilation_rate)
    return unfold_call(geometry, signal, data_format, backend, out, ("kernel_size", kernel_size))


def patches_geometry(
    sizes: tuple[int, ...], kernel_size: Any, strides: Any, padding: Any, dilation_rate: Any
) -> ConvGeometry:
    """Read the words of `unfold` and `fold` for such an input of `unfold`."""
    words = {"kernel_size": kernel_size, "strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    return read("conv", sizes, **words).geometry


def unfold_call(
    geometry: ConvGeometry, signal: Array, data_format: str, backend: Any, out: Any, because: tuple[str, object]
) -> Call:
    """Plan the unfolding of an array that is read."""
    dtype = result_dtype(signal)
    batch, channels = signal.shape[0], signal.shape[-1]
    shape = (batch, *geometry.output_size, *geometry.kernel_size, channels)
    columns = (batch, *geometry.output_size, _column_size(geometry, channels))
    check_out(out, columns, dtype, data_format, signal)
    backend = pick_copying_backend(backend, math.prod(columns))
    if backend == "tiled":
        from refconv.tiled import copying

        check_memory(*because, f"the output of shape {columns}", bytes_of(columns, dtype))
        check_tiled(dtype, columns, signal)
        return tiled_call(copying.ready_unfold(geometry, batch, channels, dtype), (signal,), dtype, data_format, out)

    def run(x: Array, out: Array | None) -> Array:
        computed, data = working_arrays(shape, dtype, x, because=because)
        run_textbook(backend, _UNFOLD[geometry.rank], computed, data, *geometry.axes, steps=computed.size)
        return delivered(computed.reshape(columns), dtype, data_format, out)

    return Call(run, (signal,))


def fold(
    columns: Any,
    *,
    output_size: Any,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Add columns back to where `unfold` took them from (col2im).

    This is the adjoint of `unfold` with the same arguments: a cell that several columns hold gets
    their sum, a cell that none holds is 0, and what stood on padding is dropped.

    Parameters
    ----------
    columns : array_like, shape (batch, outputs..., prod(kernel_size) * channels)
        With channels first (batch, prod(kernel_size) * channels, outputs...).
    output_size : int or sequence of int
        Spatial size of the result, which is `unfold`'s input.
    kernel_size, strides, padding, dilation_rate
        As they were given to `unfold`.
    data_format : str
        ``"channels_last"`` or ``"channels_first"``.
    backend : str, optional
        ``"uncompiled"``, ``"textbook"`` or ``"tiled"``; by default the work decides. See
        `refconv.functional.backend`.
    out : ndarray, optional
        Filled and returned; of the result's shape and dtype.

    Returns
    -------
    ndarray, shape (batch, spatial..., channels) or (batch, channels, spatial...)
        The dtype is that of `columns`, int64 for integers.

    Raises
    ------
    ConvError
        If an argument is malformed, or `columns` has not the shape that `unfold` returns.

    Notes
    -----
    Source: the index rule's adjoint, `refconv.geometry.AxisGeometry.adjoint`. PyTorch's ``fold``
    differs in the columns' order as its ``unfold`` does.

    Examples
    --------
    >>> fold([[[1, 2, 3], [2, 3, 4]]], output_size=4, kernel_size=3)[0, :, 0]
    array([1, 4, 6, 4])
    """
    words = output_size, kernel_size, strides, padding, dilation_rate, data_format, backend
    return repeated_with(_plan_fold, columns, words, out)


def _plan_fold(
    columns: Any,
    output_size: Any,
    kernel_size: Any,
    strides: Any,
    padding: Any,
    dilation_rate: Any,
    data_format: Any,
    backend: Any,
    out: Any,
) -> Call:
    signal = read_signal(columns, data_format, argument="columns")
    sizes = per_axis("output_size", output_size, signal.ndim - 2)
    geometry = patches_geometry(sizes, kernel_size, strides, padding, dilation_rate)
    elements = _column_size(geometry, 1)
    if signal.shape[1:-1] != geometry.output_size or signal.shape[-1] % elements:
        raise ConvError(
            "columns",
            describe(signal),
            f"unfolding {sizes} with kernel {geometry.kernel_size} gives {geometry.output_size} outputs "
            f"and {elements} numbers a channel",
            f"give shape (batch, {', '.join(map(str, geometry.output_size))}, {elements} * channels) or the "
            "arguments of unfold",
        )
    return fold_call(geometry, signal, data_format, backend, out, ("output_size", output_size))


def fold_call(
    geometry: ConvGeometry, signal: Array, data_format: str, backend: Any, out: Any, because: tuple[str, object]
) -> Call:
    """Plan the folding of columns that are read."""
    elements = _column_size(geometry, 1)
    batch, channels = signal.shape[0], signal.shape[-1] // elements
    dtype = result_dtype(signal)
    shape = (batch, *geometry.input_size, channels)
    check_out(out, shape, dtype, data_format, signal)
    steps = math.prod(shape) * elements
    backend = pick_backend(backend, steps, dtype, signal)
    if backend == "tiled":
        from refconv.tiled import copying

        check_memory(*because, f"the output of shape {shape}", bytes_of(shape, dtype))
        check_tiled(dtype, shape, signal)
        return tiled_call(copying.ready_fold(geometry, batch, channels, dtype), (signal,), dtype, data_format, out)

    def run(columns: Array, out: Array | None) -> Array:
        computed, data = working_arrays(shape, dtype, columns, because=because)
        data = data.reshape(batch, *geometry.output_size, *geometry.kernel_size, channels)
        run_textbook(backend, _FOLD[geometry.rank], computed, data, *geometry.adjoint().axes, steps=steps)
        return delivered(computed, dtype, data_format, out)

    return Call(run, (signal,))


def _column_size(geometry: ConvGeometry, channels: int) -> int:
    return math.prod(geometry.kernel_size) * channels
