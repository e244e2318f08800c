"""Unfold (im2col) and fold (col2im): a convolution as one matrix product, and the way back."""

from __future__ import annotations

import math
from typing import Any

from refconv.arguments import per_axis
from refconv.conventions import read
from refconv.errors import ConvError
from refconv.functional.arrays import Array, bytes_of, describe, read_signal, result_dtype, working_arrays
from refconv.functional.backend import (
    check_out,
    delivered,
    direct_out,
    pick_backend,
    run_textbook,
    tiled_arrays,
)
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
    signal = read_signal(x, data_format)
    words = {"kernel_size": kernel_size, "strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    geometry = read("conv", signal.shape[1:-1], **words).geometry
    dtype = result_dtype(signal)
    batch, channels = signal.shape[0], signal.shape[-1]
    shape = (batch, *geometry.output_size, *geometry.kernel_size, channels)
    columns = (batch, *geometry.output_size, _column_size(geometry, channels))
    check_out(out, columns, dtype, data_format, signal)
    backend = pick_copying_backend(backend, math.prod(columns))
    because = ("kernel_size", kernel_size)
    if backend == "tiled":
        from refconv.tiled import copying

        check_memory(*because, f"the output of shape {columns}", bytes_of(columns, dtype))
        (data,) = tiled_arrays(dtype, columns, signal)
        return delivered(copying.unfold(geometry, data, direct_out(out, data_format)), dtype, data_format, out)
    computed, data = working_arrays(shape, dtype, signal, because=because)
    run_textbook(backend, _UNFOLD[geometry.rank], computed, data, *geometry.axes, steps=computed.size)
    return delivered(computed.reshape(columns), dtype, data_format, out)


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
    signal = read_signal(columns, data_format, argument="columns")
    sizes = per_axis("output_size", output_size, signal.ndim - 2)
    words = {"kernel_size": kernel_size, "strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    geometry = read("conv", sizes, **words).geometry
    batch, column_size = signal.shape[0], signal.shape[-1]
    elements = _column_size(geometry, 1)
    if signal.shape[1:-1] != geometry.output_size or column_size % elements:
        raise ConvError(
            "columns",
            describe(signal),
            f"unfolding {sizes} with kernel {geometry.kernel_size} gives {geometry.output_size} outputs "
            f"and {elements} numbers a channel",
            f"give shape (batch, {', '.join(map(str, geometry.output_size))}, {elements} * channels) or the "
            "arguments of unfold",
        )
    channels = column_size // elements
    dtype = result_dtype(signal)
    shape = (batch, *sizes, channels)
    check_out(out, shape, dtype, data_format, signal)
    steps = math.prod(shape) * elements
    backend = pick_backend(backend, steps, dtype, signal)
    because = ("output_size", output_size)
    if backend == "tiled":
        from refconv.tiled import copying

        check_memory(*because, f"the output of shape {shape}", bytes_of(shape, dtype))
        (data,) = tiled_arrays(dtype, shape, signal)
        return delivered(copying.fold(geometry, data, direct_out(out, data_format)), dtype, data_format, out)
    computed, data = working_arrays(shape, dtype, signal, because=because)
    data = data.reshape(batch, *geometry.output_size, *geometry.kernel_size, channels)
    run_textbook(backend, _FOLD[geometry.rank], computed, data, *geometry.adjoint().axes, steps=steps)
    return delivered(computed, dtype, data_format, out)


def _column_size(geometry: ConvGeometry, channels: int) -> int:
    return math.prod(geometry.kernel_size) * channels
