"""Upsampling by whole factors, and resizing to a given size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refconv.arguments import choice, per_axis
from refconv.functional.arrays import Array, read_signal, result_dtype, working_arrays
from refconv.functional.backend import check_out, delivered, pick_backend, run_textbook
from refconv.functional.calls import Call, repeated_with
from refconv.functional.moving import Ready, moving_call, pick_copying_backend
from refconv.interpolation import COORDINATES, AxisRows, axis_method, axis_taps
from refconv.loops.cpu import resizing

_NEAREST = {1: resizing.nearest1d, 2: resizing.nearest2d, 3: resizing.nearest3d}
_INTERPOLATE = {1: resizing.interpolate1d, 2: resizing.interpolate2d, 3: resizing.interpolate3d}


def upsample(
    x: Any,
    *,
    size: Any = 2,
    interpolation: str = "nearest",
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Upsample by a whole factor on each axis.

    Parameters
    ----------
    x : array_like, shape (batch, spatial..., channels) or (batch, channels, spatial...)
        One to three spatial axes.
    size : int or sequence of int
        Factor for all axes, or one per axis.
    interpolation : str
        ``"nearest"`` repeats every datum; ``"bilinear"`` (or ``"linear"``, in three dimensions
        ``"trilinear"``), ``"bicubic"`` (or ``"cubic"``), ``"lanczos3"`` and ``"lanczos5"`` interpolate
        between cell centres, in any number of dimensions.
    data_format : str
        ``"channels_last"`` or ``"channels_first"``.
    backend : str, optional
        ``"uncompiled"``, ``"textbook"`` or ``"tiled"``; by default the work decides. See
        `refconv.functional.backend`.
    out : ndarray, optional
        Filled and returned; of the result's shape and dtype.

    Returns
    -------
    ndarray
        Each spatial axis is `size` times as long. The dtype is that of `x`; of integers it is int64
        for ``"nearest"`` and float64 otherwise, since the weights are fractions.

    Raises
    ------
    ConvError
        If an argument is malformed, or the result does not fit into memory.

    Notes
    -----
    Source: Keras 3.15, ``layers/reshaping/up_sampling2d.py``, whose results these are for floats; it
    rounds interpolated integers to their own dtype, or cuts them off, as its backend has it.

    Examples
    --------
    >>> upsample([[[1.0], [2.0]]], size=2)[0, :, 0]
    array([1., 1., 2., 2.])
    >>> upsample([[[1.0], [2.0]]], size=2, interpolation="linear")[0, :, 0]
    array([1.  , 1.25, 1.75, 2.  ])
    """
    return repeated_with(_plan_upsample, x, (size, interpolation, data_format, backend), out)


def _plan_upsample(x: Any, size: Any, interpolation: Any, data_format: Any, backend: Any, out: Any) -> Call:
    signal = read_signal(x, data_format)
    rank = signal.ndim - 2
    factors = per_axis("size", size, rank)
    output_size = tuple(n * factor for n, factor in zip(signal.shape[1:-1], factors, strict=True))
    method = axis_method(interpolation, rank)
    return _resizing_call(signal, output_size, method, "half_pixel", data_format, backend, out, because=("size", size))


def resize(
    x: Any,
    *,
    size: Any,
    interpolation: str = "bilinear",
    coordinates: str = "half_pixel",
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Resize to a given size, without antialiasing.

    Parameters
    ----------
    x : array_like, shape (batch, spatial..., channels) or (batch, channels, spatial...)
        One to three spatial axes.
    size : int or sequence of int
        Size of the result on all spatial axes, or on each.
    interpolation : str
        As in `upsample`.
    coordinates : str
        ``"half_pixel"`` (cell centres, as Keras, JAX, PyTorch's default), ``"align_corners"`` (the first
        and the last datum stay at the borders), or ``"asymmetric"`` (the left edges of cells, as
        PyTorch's ``"nearest"``); see `refconv.interpolation`.
    data_format : str
        ``"channels_last"`` or ``"channels_first"``.
    backend : str, optional
        ``"uncompiled"``, ``"textbook"`` or ``"tiled"``; by default the work decides. See
        `refconv.functional.backend`.
    out : ndarray, optional
        Filled and returned; of the result's shape and dtype.

    Returns
    -------
    ndarray
        The dtype is that of `x`; of integers it is int64 for ``"nearest"`` and float64 otherwise.

    Raises
    ------
    ConvError
        If an argument is malformed, or the result does not fit into memory.

    Notes
    -----
    Source: `refconv.interpolation`, which names the frameworks' own words for each method.

    Examples
    --------
    >>> resize([[[1.0], [2.0], [4.0]]], size=5, coordinates="align_corners")[0, :, 0]
    array([1. , 1.5, 2. , 3. , 4. ])
    """
    return repeated_with(_plan_resize, x, (size, interpolation, coordinates, data_format, backend), out)


def _plan_resize(
    x: Any, size: Any, interpolation: Any, coordinates: Any, data_format: Any, backend: Any, out: Any
) -> Call:
    signal = read_signal(x, data_format)
    rank = signal.ndim - 2
    output_size = per_axis("size", size, rank)
    method = axis_method(interpolation, rank)
    coordinates = choice("coordinates", coordinates, COORDINATES)
    return _resizing_call(signal, output_size, method, coordinates, data_format, backend, out, because=("size", size))


def _resizing_call(
    signal: Array,
    output_size: tuple[int, ...],
    method: str,
    coordinates: str,
    data_format: str,
    backend: Any,
    out: Array | None,
    because: tuple[str, object],
) -> Call:
    nearest = method == "nearest"
    dtype = result_dtype(signal) if nearest else result_dtype(signal, np.empty(0))
    shape = (signal.shape[0], *output_size, signal.shape[-1])
    check_out(out, shape, dtype, data_format, signal)
    sizes = list(zip(signal.shape[1:-1], output_size, strict=True))
    work = math.prod(shape)
    picked = pick_copying_backend(backend, work) if nearest else pick_backend(backend, work, dtype, signal)
    if picked == "tiled":
        plan = _tiled(sizes, method, coordinates, dtype)
        return moving_call(plan, signal, shape, dtype, data_format, out, because)

    def run(x: Array, out: Array | None) -> Array:
        computed, data = working_arrays(shape, dtype, x, because=because)
        rows = [axis_taps(n, m, method, coordinates) for n, m in sizes]
        if nearest:
            sources = (_taps(axis)[:, 0].copy() for axis in rows)
            run_textbook(picked, _NEAREST[len(rows)], computed, data, *sources, steps=computed.size)
        else:
            interpolate(computed, data, rows, picked)
        return delivered(computed, dtype, data_format, out)

    return Call(run, (signal,))


def _tiled(
    sizes: Sequence[tuple[int, int]], method: str, coordinates: str, dtype: np.dtype[Any]
) -> Callable[[int, int], Ready]:
    """Return the plan of the tiled backend to resize axes from the first to the second size."""
    from refconv.tiled import copying, interpolating

    input_size = tuple(n for n, _ in sizes)

    def plan(batch: int, channels: int) -> Ready:
        taps = [interpolating.resizing_taps(n, m, method, coordinates) for n, m in sizes]
        if method == "nearest":
            return copying.ready_take([axis.data for axis in taps], input_size, batch, channels, dtype)
        return interpolating.ready_interpolate(taps, input_size, batch, channels, dtype)

    return plan


def interpolate(out: Array, x: Array, rows: Sequence[AxisRows], backend: str = "textbook") -> None:
    """Add to every output the data that its rows name, times the product of their weights.

    Parameters
    ----------
    out : ndarray, shape (batch, out..., channels)
        What is added to.
    x : ndarray, shape (batch, in..., channels)
        The data, both as `working_arrays` returns them.
    rows : sequence of tuple
        For each axis one row per output, as `refconv.interpolation.axis_taps` returns them.
    backend : str
        ``"textbook"`` or ``"uncompiled"``.
    """
    # Weights that are whole numbers stay exact among integers.
    tables = [table for axis in rows for table in (_taps(axis), _weights(axis).astype(out.dtype))]
    steps = out.size * math.prod(table.shape[1] for table in tables[::2])
    run_textbook(backend, _INTERPOLATE[len(rows)], out, x, *tables, steps=steps)


def _taps(rows: AxisRows) -> Array:
    """Return which data each output reads, shape (outputs, most taps), -1 where a row has fewer."""
    most = max(map(len, rows))
    return np.array([[i for i, _ in row] + [-1] * (most - len(row)) for row in rows], np.int64)


def _weights(rows: AxisRows) -> Array:
    """Return the weights of what each output reads, shape (outputs, most taps)."""
    most = max(map(len, rows))
    return np.array([[weight for _, weight in row] + [0.0] * (most - len(row)) for row in rows], np.float64)
