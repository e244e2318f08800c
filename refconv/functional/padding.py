"""Padding in every mode, and cropping."""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refconv.arguments import choice, pairs_per_axis
from refconv.conventions import read
from refconv.errors import ConvError
from refconv.functional.arrays import Array, read_signal, result_dtype, working_arrays
from refconv.functional.backend import check_out, delivered, run_textbook
from refconv.functional.calls import Call, repeated_with
from refconv.functional.moving import Ready, moving_call, pick_copying_backend
from refconv.geometry import ConvGeometry
from refconv.loops.cpu import cropping as cropping_loops
from refconv.loops.cpu import padding as padding_loops
from refconv.loops.cpu import zero_padding
from refconv.loops.jit import TextbookLoop

Because = tuple[str, object] | None
"""Argument and value which an error about memory names."""

PAD_MODES = ("constant", "reflect", "symmetric", "replicate", "circular")

_ZERO_PAD = {1: zero_padding.zero_pad1d, 2: zero_padding.zero_pad2d, 3: zero_padding.zero_pad3d}
_CROP = {1: cropping_loops.crop1d, 2: cropping_loops.crop2d, 3: cropping_loops.crop3d}
_PAD = {1: padding_loops.pad1d, 2: padding_loops.pad2d, 3: padding_loops.pad3d}


def zero_pad(
    x: Any,
    *,
    padding: Any = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Add zeros around the data.

    Parameters
    ----------
    x : array_like, shape (batch, spatial..., channels) or (batch, channels, spatial...)
        One to three spatial axes.
    padding : int or sequence
        Cells on all sides, per axis, or (before, after) per axis; negative amounts crop.
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
        The dtype is that of `x`, int64 for integers.

    Raises
    ------
    ConvError
        If an argument is malformed, nothing is left, or the result does not fit into memory.

    Notes
    -----
    Source: Keras 3.15, ``layers/reshaping/zero_padding2d.py``; negative amounts are the index rule's own.

    Examples
    --------
    >>> zero_pad([[[1], [2]]], padding=(1, 2))[0, :, 0]
    array([0, 1, 2, 0, 0])
    """
    return repeated_with(_plan_zero_pad, x, (padding, data_format, backend), out)


def _plan_zero_pad(x: Any, padding: Any, data_format: Any, backend: Any, out: Any) -> Call:
    signal = read_signal(x, data_format)
    geometry = zero_pad_geometry(signal.shape, padding)
    return zero_pad_call(geometry, signal, data_format, backend, out, ("padding", padding))


def crop(
    x: Any,
    *,
    cropping: Any = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Cut cells off the borders.

    Parameters
    ----------
    x : array_like, shape (batch, spatial..., channels) or (batch, channels, spatial...)
        One to three spatial axes.
    cropping : int or sequence
        Cells on all sides, per axis, or (before, after) per axis, not negative.
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
        The dtype is that of `x`, int64 for integers.

    Raises
    ------
    ConvError
        If an argument is malformed, or nothing is left.

    Notes
    -----
    Source: Keras 3.15, ``layers/reshaping/cropping2d.py``.

    Examples
    --------
    >>> crop([[[1], [2], [3], [4]]], cropping=(1, 0))[0, :, 0]
    array([2, 3, 4])
    """
    return repeated_with(_plan_crop, x, (cropping, data_format, backend), out)


def _plan_crop(x: Any, cropping: Any, data_format: Any, backend: Any, out: Any) -> Call:
    signal = read_signal(x, data_format)
    geometry = crop_geometry(signal.shape, cropping)
    return crop_call(geometry, signal, data_format, backend, out)


def pad(
    x: Any,
    *,
    padding: Any,
    mode: str = "constant",
    value: Any = 0,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Add cells around the data: a value, or the data themselves again.

    Parameters
    ----------
    x : array_like, shape (batch, spatial..., channels) or (batch, channels, spatial...)
        One to three spatial axes.
    padding : int or sequence
        Cells on all sides, per axis, or (before, after) per axis. Negative amounts crop, and the
        other side is padded with what is left.
    mode : str
        What follows ``1 2 3`` when it is padded by two: ``"constant"`` ``v v``, ``"reflect"`` ``2 1``
        (at most one less than there are data), ``"symmetric"`` ``3 2`` (at most as many as there are data),
        ``"replicate"`` ``3 3``, ``"circular"`` ``1 2`` (at most as many as there are data).
    value : number
        The value v of ``"constant"``, within the range of the result's dtype.
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
        The dtype is that of `x`, int64 for integers.

    Raises
    ------
    ConvError
        If an argument is malformed, a mode has too few data, nothing is left, or the result does not
        fit into memory.

    Notes
    -----
    Source: PyTorch 2.13, ``torch.nn.functional.pad``, for the modes and their limits; ``"symmetric"`` is
    that of ``numpy.pad``. Where one side
    is cropped and the other padded beyond what is left, its ``"reflect"`` shows cropped data again.

    Examples
    --------
    >>> [pad([[[1], [2], [3]]], padding=(0, 2), mode=mode)[0, 3:, 0].tolist() for mode in PAD_MODES]
    [[0, 0], [2, 1], [3, 2], [3, 3], [1, 2]]
    """
    return repeated_with(_plan_pad, x, (padding, mode, value, data_format, backend), out)


def _plan_pad(x: Any, padding: Any, mode: Any, value: Any, data_format: Any, backend: Any, out: Any) -> Call:
    signal = read_signal(x, data_format)
    pairs = pairs_per_axis("padding", padding, signal.ndim - 2)
    mode = choice("mode", mode, PAD_MODES)
    input_size = signal.shape[1:-1]
    for n, (before, after) in zip(input_size, pairs, strict=True):
        check_amount(n, before, after, mode, padding)
    dtype = result_dtype(signal)
    number = _read_value(value, mode, dtype)
    spatial = tuple(n + before + after for n, (before, after) in zip(input_size, pairs, strict=True))
    shape = (signal.shape[0], *spatial, signal.shape[-1])
    check_out(out, shape, dtype, data_format, signal)
    backend = pick_copying_backend(backend, math.prod(shape))
    because = ("padding", padding)

    def sources() -> list[Array]:
        return [sources_of(n, *pair, mode) for n, pair in zip(input_size, pairs, strict=True)]

    if backend == "tiled":
        plan = _taking(sources, input_size, dtype, number)
        return moving_call(plan, signal, shape, dtype, data_format, out, because)

    def run(x: Array, out: Array | None) -> Array:
        computed, data = working_arrays(shape, dtype, x, because=because)
        computed.fill(number)
        run_textbook(backend, _PAD[len(pairs)], computed, data, *sources(), steps=computed.size)
        return delivered(computed, dtype, data_format, out)

    return Call(run, (signal,))


def zero_pad_geometry(shape: Sequence[int], padding: Any) -> ConvGeometry:
    """Read the words of `zero_pad` for an input of this shape, channels last."""
    return read("zero-padding", tuple(shape[1:-1]), padding=padding).geometry


def crop_geometry(shape: Sequence[int], cropping: Any) -> ConvGeometry:
    """Read the words of `crop` for an input of this shape, channels last."""
    return read("cropping", tuple(shape[1:-1]), cropping=cropping).geometry


def zero_pad_call(
    geometry: ConvGeometry, x: Array, data_format: str, backend: Any, out: Any, because: Because = None
) -> Call:
    """Plan zero padding of an array that is read."""
    return _border_call(_ZERO_PAD[geometry.rank], geometry, x, data_format, backend, out, because)


def crop_call(
    geometry: ConvGeometry, x: Array, data_format: str, backend: Any, out: Any, because: Because = None
) -> Call:
    """Plan cropping of an array that is read."""
    return _border_call(_CROP[geometry.rank], geometry, x, data_format, backend, out, because)


def _border_call(
    loop: TextbookLoop,
    geometry: ConvGeometry,
    x: Array,
    data_format: str,
    backend: Any,
    out: Any,
    because: Because,
) -> Call:
    shape = (x.shape[0], *geometry.output_size, x.shape[-1])
    dtype = result_dtype(x)
    check_out(out, shape, dtype, data_format, x)
    backend = pick_copying_backend(backend, math.prod(shape))
    if backend == "tiled":
        plan = _taking(lambda: _border_sources(geometry), geometry.input_size, dtype, 0)
        return moving_call(plan, x, shape, dtype, data_format, out, because)

    def run(x: Array, out: Array | None) -> Array:
        computed, data = working_arrays(shape, dtype, x, because=because)
        run_textbook(backend, loop, computed, data, *geometry.axes, steps=computed.size)
        return delivered(computed, dtype, data_format, out)

    return Call(run, (x,))


def _border_sources(geometry: ConvGeometry) -> list[Array]:
    """Return which datum each output of zero padding or cropping takes, per axis."""
    return [sources_of(axis.input_size, axis.pad_before, axis.pad_after, "constant") for axis in geometry.axes]


def _taking(
    sources: Callable[[], list[Array]], input_size: tuple[int, ...], dtype: np.dtype[Any], value: float
) -> Callable[[int, int], Ready]:
    """Return the plan of the tiled backend to take data; it makes the tables once memory is known to suffice."""
    from refconv.tiled import copying

    return lambda batch, channels: copying.ready_take(sources(), input_size, batch, channels, dtype, value)


def check_amount(n: int, before: int, after: int, mode: str, padding: Any) -> None:
    """Check that an axis of `n` data can be padded in this mode.

    Raises
    ------
    ConvError
        If nothing is left, or `mode` has fewer data to show again; naming `padding`.
    """
    left = n - max(-before, 0) - max(-after, 0)
    if n + before + after < 1 or (left < 1 and mode != "constant"):
        raise ConvError("padding", padding, f"takes all {n} cells of an axis, so nothing is left", "crop less")
    limit = {"reflect": left - 1, "symmetric": left, "circular": left}.get(mode)
    if limit is not None and max(before, after) > limit:
        raise ConvError(
            "padding",
            padding,
            f"pads {max(before, after)} cells, but mode {mode!r} has only {limit} to show again on an axis of {left}",
            f"use at most {limit}, or mode='replicate'",
        )


def _read_value(value: Any, mode: str, dtype: np.dtype[Any]) -> int | float:
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number:
        raise ConvError("value", value, "not a real number", "use a number")
    if mode != "constant" and value != 0:
        raise ConvError(
            "value", value, f"mode {mode!r} has no value of its own", "leave it out, or use mode='constant'"
        )
    if dtype.kind == "i":
        bounds = np.iinfo(dtype)
        if not bounds.min <= value <= bounds.max or value != int(value):
            raise ConvError("value", value, "integers are padded with a whole number of 64 bits", "use x.astype(float)")
        return int(value)
    if value not in (math.inf, -math.inf) and abs(value) > float(np.finfo(dtype).max):
        raise ConvError("value", value, f"is beyond the range of {dtype}", f"use at most {np.finfo(dtype).max:g}")
    return float(value)


@functools.lru_cache(maxsize=256)
def sources_of(n: int, before: int, after: int, mode: str) -> Array:
    """Return which datum each output takes, -1 for the value; shape (n + before + after,)."""
    left = range(max(-before, 0), n - max(-after, 0))
    sources = np.array([_source(i, left, mode) for i in range(-before, n + after)], np.int64)
    sources.flags.writeable = False
    return sources


def _source(i: int, left: range, mode: str) -> int:
    """Return the datum, of those left, that stands at `i` among or beside them."""
    if i in left:
        return i
    if mode == "constant":
        return -1
    if mode == "circular":
        return left[(i - left.start) % len(left)]
    border = left[0] if i < left.start else left[-1]
    if mode == "replicate":
        return border
    # The mirror stands in the border cell itself, or between it and the next.
    between = 0 if mode == "reflect" else -1 if i < left.start else 1
    return 2 * border - i + between
