"""Depthwise convolution and its gradients: every channel by itself, a vector of channels at a time.

The elementwise twin of `refconv.tiled.contraction`, on the tables of `refconv.tiled.rows`. A tile is
some neighbouring outputs by some vectors of channels, whose sums stay in registers::

    sums[p, lane] += x[read + p * step + tap + lane] * weights[tap + lane]

over the kernel elements that read data there; padding and inserted zeros are in no table. Where
outputs share data the kernel is a sliding window: each vector of `x` is loaded once for all sums it
goes into.

With several filters a channel, forward spreads each datum over its channel's filters by shuffles in
registers, and backward sums over the filters of a channel in registers before it stores.

The gradient to the weights keeps the sums of all kernel elements in registers, while it goes along a
row of outputs. Rows are summed up in blocks that the geometry fixes, so that no bit depends on threads.

Every output's terms come in the order of the weights, then the bias, whatever the tile.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange

from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.jit.launch import Compiled
from refconv.tiled.cpu import conv, conv_grad_weights, conv_transpose
from refconv.tiled.rows import (
    COUNT,
    OUT,
    OUT_STEP,
    ROW_CLASS,
    ROW_OUT,
    ROW_RUN,
    ROW_RUN_END,
    ROW_X,
    TAP,
    TAP_END,
    WINDOW,
    X_STEP,
    Steps,
    X,
    gradient_tiles,
    row_plan,
    steps_of,
)
from refconv.tiled.running import empty, flat, no_bias, run
from refconv.tiled.simd import (
    add,
    at,
    fma,
    get,
    lanes,
    lanes_of,
    load,
    load_some,
    put,
    registers,
    store,
    store_some,
    vector_registers,
    zeros,
)
from refconv.tiled.windows import narrow, prefetch, prefetch_to_write, slide, slide_some, widen

Array = Any
Tile = Any
Sizes = Any

MOST_FILTERS = 8
"""Filters a channel that these kernels serve; more are a convolution in groups of one channel."""

_inlined = njit(forceinline=True, error_model="numpy")

# Outputs that are worth a kernel of their own.
_LEAST_WINDOW = 4
# What a plan is cut into, so that threads share it evenly.
_SHARES = 32
# Outputs that the gradient to the weights sums up before it rounds to the sum of all.
_BLOCK = 256
_PARTS = 16
# Bytes between the two steps of a separable convolution.
_BETWEEN = 2**21


@_inlined
def _read(array: Array, offset: int, v: int, rest: int, whole: bool) -> Any:
    """Read vector `v` from `offset` on, where `rest` numbers exist."""
    offset += v * lanes_of(array)
    return load(array, offset) if whole else load_some(array, offset, rest - v * lanes_of(array))


@_inlined
def _read_data(data: Array, vectors: int, spread: Tile, x: Array, offset: int, rest: int, whole: bool) -> None:
    """Read a datum's channels, each as often as it has filters."""
    if len(spread) == 1:
        for v in range(vectors):
            put(data, v, _read(x, offset, v, rest, whole))
    elif whole:
        widen(data, load(x, offset))
    else:
        widen(data, load_some(x, offset, rest // len(spread)))


@_inlined
def _write(
    sums: Array, first: int, vectors: int, gathered: Tile, bias: Array, b0: int, out: Array, offset: int, rest: int,
    whole: bool,
) -> None:  # fmt: skip
    """Add the bias to the sums of an output, and store them."""
    if len(gathered) > 1:
        left = rest // len(gathered)
        store_some(out, offset, left, add(narrow(sums, first, gathered), load_some(bias, b0, left)))
    elif whole:
        for v in range(vectors):
            step = v * lanes_of(out)
            store(out, offset + step, add(get(sums, first + v), load(bias, b0 + step)))
    else:
        for v in range(vectors):
            step = v * lanes_of(out)
            total = add(get(sums, first + v), load_some(bias, b0 + step, rest - step))
            store_some(out, offset + step, rest - step, total)


@_inlined
def _tiles(
    tile_rows: Tile, tile_vectors: Tile, spread: Tile, gathered: Tile, whole: Tile, piece: int, first: int, last: int,
    run: int, run_end: int, pieces: Array, runs: Array, taps: Array, filters: int, x: Array, x0: int, weights: Array,
    bias: Array, out: Array, out0: int, out_ahead: int,
) -> None:  # fmt: skip
    """Fill the outputs from `first` to `last` of a piece."""
    rows, vectors, multiple = len(tile_rows), len(tile_vectors), len(whole) > 0
    sums = registers(out, tile_rows, tile_vectors)
    factors, data = registers(out, (0,), tile_vectors), registers(out, (0,), tile_vectors)
    x_step, out_step = at(pieces, piece + X_STEP), at(pieces, piece + OUT_STEP)
    x0 += at(pieces, piece + X)
    out0 += at(pieces, piece + OUT)
    for begin in range(first, last, rows):
        # A short last tile begins early and fills some outputs again, with the same bits.
        o = min(begin, at(pieces, piece + COUNT) - rows)
        for c in range(0, filters, vectors * lanes_of(out)):
            rest = filters - c
            for i in range(rows * vectors):
                put(sums, i, zeros(out))
            for r in range(run, run_end):
                for t in range(at(pieces, piece + TAP), at(pieces, piece + TAP_END)):
                    w0 = at(runs, 2 * r + 1) + at(taps, 2 * t + 1) + c
                    for v in range(vectors):
                        put(factors, v, _read(weights, w0, v, rest, multiple))
                    datum = x0 + o * x_step + at(runs, 2 * r) + at(taps, 2 * t) + c // len(spread)
                    for p in range(rows):
                        _read_data(data, vectors, spread, x, datum + p * x_step, rest, multiple)
                        for v in range(vectors):
                            put(sums, p * vectors + v, fma(get(data, v), get(factors, v), get(sums, p * vectors + v)))
            own = c // len(gathered)
            for p in range(rows):
                for v in range(vectors if len(gathered) == 1 else 1):
                    prefetch_to_write(out, out0 + out_ahead + (o + p) * out_step + own + v * lanes_of(out))
                place = out0 + (o + p) * out_step + own
                _write(sums, p * vectors, vectors, gathered, bias, own, out, place, rest, multiple)


@_inlined
def _windows(
    tile_rows: Tile, window: Tile, stride: Tile, whole: Tile, piece: int, first: int, last: int, run: int,
    run_end: int, pieces: Array, runs: Array, taps: Array, filters: int, x: Array, x0: int, x_ahead: int,
    weights: Array, bias: Array, out: Array, out0: int, out_ahead: int,
) -> None:  # fmt: skip
    """Fill the outputs from `first` to `last` of a piece that is a window."""
    rows, block = len(tile_rows), lanes_of(out)
    sums = registers(out, tile_rows, (0,))
    x_step, out_step = at(pieces, piece + X_STEP), at(pieces, piece + OUT_STEP)
    tap = at(pieces, piece + TAP)
    distance, w_step = at(taps, 2 * tap + 2) - at(taps, 2 * tap), at(taps, 2 * tap + 3) - at(taps, 2 * tap + 1)
    x0 += at(pieces, piece + X) + at(taps, 2 * tap)
    out0 += at(pieces, piece + OUT)
    w0 = at(taps, 2 * tap + 1)
    for begin in range(first, last, rows):
        o = min(begin, at(pieces, piece + COUNT) - rows)
        for c in range(0, filters, block):
            for p in range(rows):
                put(sums, p, zeros(out))
            rest = filters - c
            # The row that the next line reads first, and the one that it writes.
            for p in range(rows):
                prefetch(x, x0 + (o + p) * x_step + c + x_ahead)
                prefetch_to_write(out, out0 + (o + p) * out_step + c + out_ahead)
            for r in range(run, run_end):
                data, kernel = x0 + o * x_step + at(runs, 2 * r) + c, w0 + at(runs, 2 * r + 1) + c
                if len(whole) > 0:
                    slide(sums, window, stride, x, data, distance, weights, kernel, w_step, rest)
                else:
                    slide_some(sums, window, stride, x, data, distance, weights, kernel, w_step, rest)
            for p in range(rows):
                _write(sums, p, 1, (0,), bias, c, out, out0 + (o + p) * out_step + c, rest, len(whole) > 0)


@_inlined
def _line(
    line: int, tile_rows: Tile, tile_vectors: Tile, spread: Tile, gathered: Tile, whole: Tile, window_rows: Tile,
    window: Tile, stride: Tile, sizes: Sizes, rows: Array, runs: Array, pieces: Array, taps: Array, x: Array,
    weights: Array, bias: Array, out: Array,
) -> None:  # fmt: skip
    """Fill a share of the outputs of one row."""
    _, cuts, row_count, x_image, out_image, filters, x_ahead, out_ahead = sizes
    cut, row, image = line % cuts, line // cuts % row_count, line // cuts // row_count
    x0 = image * x_image + at(rows, 5 * row + ROW_X)
    out0 = image * out_image + at(rows, 5 * row + ROW_OUT)
    run, run_end = at(rows, 5 * row + ROW_RUN), at(rows, 5 * row + ROW_RUN_END)
    for piece in range(0, 8 * pieces.shape[0], 8):
        count = at(pieces, piece + COUNT)
        size = 1
        if len(window) > 1 and at(pieces, piece + WINDOW) and count >= len(window_rows):
            size = len(window_rows)
        elif count >= len(tile_rows):
            size = len(tile_rows)
        tiles = (count + size - 1) // size
        first, last = tiles * cut // cuts * size, min(tiles * (cut + 1) // cuts * size, count)
        if len(window) > 1 and size == len(window_rows):
            _windows(
                window_rows, window, stride, whole, piece, first, last, run, run_end, pieces, runs, taps,
                filters, x, x0, x_ahead + at(runs, 2 * run_end - 2), weights, bias, out, out0, out_ahead,
            )  # fmt: skip
        elif size == len(tile_rows):
            _tiles(
                tile_rows, tile_vectors, spread, gathered, whole, piece, first, last, run, run_end, pieces,
                runs, taps, filters, x, x0, weights, bias, out, out0, out_ahead,
            )  # fmt: skip
        else:
            _tiles(
                (0,), tile_vectors, spread, gathered, whole, piece, first, last, run, run_end, pieces, runs,
                taps, filters, x, x0, weights, bias, out, out0, out_ahead,
            )  # fmt: skip


@Compiled
def fill(
    tile_rows: Tile, tile_vectors: Tile, spread: Tile, gathered: Tile, whole: Tile, window_rows: Tile, window: Tile,
    stride: Tile, sizes: Sizes, rows: Array, runs: Array, pieces: Array, taps: Array, x: Array, weights: Array,
    bias: Array, out: Array,
) -> None:  # fmt: skip
    """Fill the outputs of an elementwise layer; without windows where `window` is shorter than two."""
    for line in prange(sizes[0]):
        _line(
            np.int64(line), tile_rows, tile_vectors, spread, gathered, whole, window_rows, window, stride, sizes, rows,
            runs, pieces, taps, x, weights, bias, out,
        )  # fmt: skip


@_inlined
def _gradient_line(
    line: int, tile_rows: Tile, tile_vectors: Tile, spread: Tile, whole: Tile, sizes: Sizes, rows: Array,
    pieces: Array, tiles: Array, reads: Array, writes: Array, x: Array, dy: Array, part: int, sums: Array,
) -> None:  # fmt: skip
    """Add what a share of the outputs of one row gives to the sums of a part."""
    _, _, cuts, row_count, x_image, out_image, filters, part_size, x_ahead, dy_ahead = sizes
    count, vectors, multiple = len(tile_rows), len(tile_vectors), len(whole) > 0
    block = registers(sums, tile_rows, tile_vectors)
    gradient, data = registers(sums, (0,), tile_vectors), registers(sums, (0,), tile_vectors)
    cut, row, image = line % cuts, line // cuts % row_count, line // cuts // row_count
    for c in range(0, filters, vectors * lanes_of(sums)):
        rest = filters - c
        x_row = image * x_image + at(rows, 5 * row + ROW_X) + c // len(spread)
        dy_row = image * out_image + at(rows, 5 * row + ROW_OUT) + c
        for number in range(pieces.shape[0]):
            piece, place = 8 * number, 2 * (at(rows, 5 * row + ROW_CLASS) * pieces.shape[0] + number)
            outputs = at(pieces, piece + COUNT)
            x_step, dy_step = at(pieces, piece + X_STEP), at(pieces, piece + OUT_STEP)
            x0, dy0 = x_row + at(pieces, piece + X), dy_row + at(pieces, piece + OUT)
            first, last = at(tiles, place), at(tiles, place + 1)
            for tile in range(first, last, count):
                for i in range(count * vectors):
                    put(block, i, zeros(sums))
                for o in range(outputs * cut // cuts, outputs * (cut + 1) // cuts):
                    for v in range(vectors):
                        prefetch(x, x0 + o * x_step + at(reads, tile + count - 1) + x_ahead + v * lanes_of(sums))
                        prefetch(dy, dy0 + o * dy_step + dy_ahead + v * lanes_of(sums))
                        put(gradient, v, _read(dy, dy0 + o * dy_step, v, rest, multiple))
                    for t in range(count):
                        datum = x0 + o * x_step + at(reads, tile + t)
                        _read_data(data, vectors, spread, x, datum, rest, multiple)
                        for v in range(vectors):
                            i = t * vectors + v
                            put(block, i, fma(get(data, v), get(gradient, v), get(block, i)))
                for t in range(count):
                    for v in range(vectors):
                        offset = part * part_size + at(writes, tile + t) + c + v * lanes_of(sums)
                        # A short last tile repeats a kernel element, which must be added once.
                        left = rest - v * lanes_of(sums) if at(writes, tile + t) >= 0 else 0
                        total = add(load_some(sums, offset, left), get(block, t * vectors + v))
                        store_some(sums, offset, left, total)


@Compiled
def sum_up(
    tile_rows: Tile, tile_vectors: Tile, spread: Tile, whole: Tile, sizes: Sizes, rows: Array, pieces: Array,
    tiles: Array, reads: Array, writes: Array, x: Array, dy: Array, sums: Array,
) -> None:  # fmt: skip
    """Add the gradients to all weights to the sums of each part, which are zeros on entry."""
    for part in prange(sizes[0]):
        for line in range(sizes[1] * part // sizes[0], sizes[1] * (part + 1) // sizes[0]):
            _gradient_line(
                np.int64(line), tile_rows, tile_vectors, spread, whole, sizes, rows, pieces, tiles, reads,
                writes, x, dy, np.int64(part), sums,
            )  # fmt: skip


class Call(NamedTuple):
    """All arguments of a kernel but the arrays, and its multiply-adds."""

    arguments: tuple[Any, ...]
    work: int


def _lengths(*lengths: int) -> tuple[tuple[int, ...], ...]:
    return tuple((0,) * length for length in lengths)


def _vectors(most: int, filters: int, lane_count: int) -> tuple[int, bool]:
    """Choose the vectors of a block, and tell whether blocks leave no rest."""
    blocks, rest = divmod(filters, lane_count)
    if rest:
        return max(v for v in (1, 2, 4) if v == 1 or v <= min(most, blocks)), False
    return max(v for v in (1, 2, 4) if v <= most and blocks % v == 0), True


@functools.lru_cache(maxsize=256)
def _fill_call(
    axes: tuple[AxisGeometry, ...], steps: Steps, batch: int, filters: int, spread: int, gathered: int, lane_count: int
) -> Call:
    multiplier, sums = max(spread, gathered), vector_registers() // 2
    plan = row_plan(axes, steps, _LEAST_WINDOW if multiplier == 1 else None)
    window_rows, window = 1, (1, 1)
    if plan.window:
        fitting = [rows for rows in (14, 12, 8, 5, 4) if rows <= min(plan.widest, sums * 7 // 8)]
        window_rows = min(fitting, key=lambda rows: -(-plan.widest // rows) * (rows + 1))
        window = plan.window
        vectors, whole = _vectors(4, filters, lane_count)
        tile_rows = 1
    elif multiplier == 1:
        vectors, whole = _vectors(2, filters, lane_count)
        tile_rows = sums // vectors
    else:
        vectors, whole = multiplier, filters % (multiplier * lane_count) == 0
        tile_rows = max(sums // multiplier, 1)
    rows = len(plan.rows)
    cuts = max(1, min(plan.widest // max(tile_rows, window_rows), -(-_SHARES // (batch * rows))))
    images = (_size(steps.reads, axes, "input_size"), _size(steps.writes, axes, "output_size"))
    sizes = (batch * rows * cuts, cuts, rows, *images, filters, *_ahead(axes, steps))
    lengths = _lengths(tile_rows, vectors, spread, gathered, int(whole), window_rows, *window)
    work = batch * math.prod(axis.output_size * axis.kernel_size for axis in axes) * filters
    return Call((*lengths, sizes, plan.rows, plan.runs, plan.pieces, plan.taps), work)


def _ahead(axes: tuple[AxisGeometry, ...], steps: Steps) -> tuple[int, int]:
    """Return how far ahead the next row is read and written; on a single axis the processor knows."""
    return (axes[-2].stride * steps.reads[-2], steps.writes[-2]) if len(axes) > 1 else (0, 0)


def _size(steps: tuple[int, ...], axes: tuple[AxisGeometry, ...], size: str) -> int:
    return steps[0] * int(getattr(axes[0], size))


@functools.lru_cache(maxsize=256)
def _depthwise_call(
    geometry: ConvGeometry, batch: int, channels: int, multiplier: int, lane_count: int, backward: bool
) -> Call:
    axes = geometry.adjoint().axes if backward else geometry.axes
    filters = channels * multiplier
    read, written = (filters, channels) if backward else (channels, filters)
    steps = Steps(
        steps_of(tuple(axis.input_size for axis in axes), read),
        steps_of(tuple(axis.output_size for axis in axes), written),
        steps_of(geometry.kernel_size, filters),
        (0,) * geometry.rank,
    )
    times = (1, multiplier) if backward else (multiplier, 1)
    return _fill_call(axes, steps, batch, filters, *times, lane_count)


@functools.lru_cache(maxsize=256)
def fold_call(geometry: ConvGeometry, batch: int, channels: int, lane_count: int) -> Call:
    """Return the arguments of `fill` that add columns (batch, out..., k..., channels) back to their image.

    As a layer its input are the columns, and its weights, of which there are only those of one element, are 1.
    """
    axes = geometry.adjoint().axes
    elements = math.prod(geometry.kernel_size)
    steps = Steps(
        steps_of(geometry.output_size, elements * channels),
        steps_of(geometry.input_size, channels),
        (0,) * geometry.rank,
        steps_of(geometry.kernel_size, channels),
    )
    return _fill_call(axes, steps, batch, channels, 1, 1, lane_count)


def ready_depthwise(
    geometry: ConvGeometry, batch: int, channels: int, multiplier: int, dtype: np.dtype[Any]
) -> Callable[[Array, Array, Array | None, Array | None], Array]:
    """Plan a `depthwise` of given sizes, once for many calls.

    Parameters
    ----------
    geometry : ConvGeometry
        Any, in one group.
    batch, channels, multiplier : int
    dtype : dtype
        Of all arrays.

    Returns
    -------
    callable
        From `x`, `weights`, `bias` and `out`, the last two arrays or None, to `out`.
    """
    filters = channels * multiplier
    if multiplier > MOST_FILTERS:
        grouped, own_shape = ConvGeometry(geometry.axes, channels), (*geometry.kernel_size, 1, filters)
        return lambda x, weights, bias, out: conv(grouped, x, weights.reshape(own_shape), bias, out)
    shape, none = (batch, *geometry.output_size, filters), no_bias(filters, dtype)
    if batch == 0:
        return lambda x, weights, bias, out: empty(shape, dtype) if out is None else out
    arguments, work = _depthwise_call(geometry, batch, channels, multiplier, lanes(dtype), False)

    def call(x: Array, weights: Array, bias: Array | None, out: Array | None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        run(fill, work, *arguments, flat(x), flat(weights), flat(none if bias is None else bias), out.reshape(-1))
        return out

    return call


def depthwise(
    geometry: ConvGeometry, x: Array, weights: Array, bias: Array | None = None, out: Array | None = None
) -> Array:
    """Convolve each channel by itself.

    Parameters
    ----------
    geometry : ConvGeometry
        Any, in one group.
    x : ndarray, shape (batch, in..., channels)
    weights : ndarray, shape (k..., channels, multiplier)
    bias : ndarray, shape (channels * multiplier,), optional
    out : ndarray, shape (batch, out..., channels * multiplier), optional
        Filled and returned.
    """
    channels, multiplier = weights.shape[-2:]
    return ready_depthwise(geometry, len(x), channels, multiplier, x.dtype)(x, weights, bias, out)


def ready_separable(
    geometry: ConvGeometry, batch: int, channels: int, multiplier: int, filters: int, dtype: np.dtype[Any]
) -> Callable[[Array, Array, Array, Array | None, Array | None], Array]:
    """Plan a `separable` of given sizes, once for many calls.

    Parameters
    ----------
    geometry : ConvGeometry
        Of the depthwise step.
    batch, channels, multiplier, filters : int
    dtype : dtype
        Of all arrays.

    Returns
    -------
    callable
        From `x`, `weights`, `pointwise`, `bias` and `out`, the last two arrays or None, to `out`.
    """
    shape, columns = (batch, *geometry.output_size, filters), channels * multiplier
    together = max(1, min(_BETWEEN // (math.prod(geometry.output_size) * columns * dtype.itemsize), batch))
    mixing = ConvGeometry(tuple(AxisGeometry(size, 1) for size in geometry.output_size))
    turns = [
        (slice(first, last), ready_depthwise(geometry, last - first, channels, multiplier, dtype))
        for first in range(0, batch, together)
        for last in [min(first + together, batch)]
    ]

    def call(x: Array, weights: Array, pointwise: Array, bias: Array | None, out: Array | None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        between = empty((together, *geometry.output_size, columns), dtype)
        for images, convolve in turns:
            mixed = convolve(x[images], weights, None, between[: images.stop - images.start])
            conv(mixing, mixed, pointwise, bias, out[images])
        return out

    return call


def separable(
    geometry: ConvGeometry,
    x: Array,
    weights: Array,
    pointwise: Array,
    bias: Array | None = None,
    out: Array | None = None,
) -> Array:
    """Convolve each channel by itself, then mix the channels of each cell.

    The steps take turns, some images at a time, so that what is between them stays in the cache.

    Parameters
    ----------
    geometry : ConvGeometry
        Of the depthwise step.
    x : ndarray, shape (batch, in..., channels)
    weights : ndarray, shape (k..., channels, multiplier)
    pointwise : ndarray, shape (1..., channels * multiplier, filters)
    bias : ndarray, shape (filters,), optional
    out : ndarray, shape (batch, out..., filters), optional
        Filled and returned.
    """
    channels, multiplier = weights.shape[-2:]
    call = ready_separable(geometry, len(x), channels, multiplier, pointwise.shape[-1], x.dtype)
    return call(x, weights, pointwise, bias, out)


def ready_depthwise_grad_input(
    geometry: ConvGeometry, batch: int, channels: int, multiplier: int, dtype: np.dtype[Any]
) -> Callable[[Array, Array, Array | None], Array]:
    """Plan a `depthwise_grad_input` of given sizes, once for many calls.

    Parameters
    ----------
    geometry : ConvGeometry
        Of the convolution.
    batch, channels, multiplier : int
    dtype : dtype
        Of all arrays.

    Returns
    -------
    callable
        From `dy`, `weights` and `out`, the last an array or None, to `out`.
    """
    if multiplier > MOST_FILTERS:
        grouped = ConvGeometry(geometry.adjoint().axes, channels)
        own_shape = (*geometry.kernel_size, 1, channels * multiplier)
        return lambda dy, weights, out: conv_transpose(grouped, dy, weights.reshape(own_shape), None, out)
    shape, none = (batch, *geometry.input_size, channels), no_bias(channels, dtype)
    if batch == 0:
        return lambda dy, weights, out: empty(shape, dtype) if out is None else out
    arguments, work = _depthwise_call(geometry, batch, channels, multiplier, lanes(dtype), True)

    def call(dy: Array, weights: Array, out: Array | None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        run(fill, work, *arguments, flat(dy), flat(weights), none, out.reshape(-1))
        return out

    return call


def depthwise_grad_input(geometry: ConvGeometry, dy: Array, weights: Array, out: Array | None = None) -> Array:
    """Return the gradient to the input of a depthwise convolution.

    Parameters
    ----------
    geometry : ConvGeometry
        Of the convolution.
    dy : ndarray, shape (batch, out..., channels * multiplier)
    weights : ndarray, shape (k..., channels, multiplier)
    out : ndarray, shape (batch, in..., channels), optional
        Filled and returned.
    """
    channels, multiplier = weights.shape[-2:]
    return ready_depthwise_grad_input(geometry, len(dy), channels, multiplier, dy.dtype)(dy, weights, out)


@functools.lru_cache(maxsize=256)
def _gradient_call(geometry: ConvGeometry, batch: int, channels: int, multiplier: int, lane_count: int) -> Call:
    filters = channels * multiplier
    steps = Steps(
        steps_of(geometry.input_size, channels),
        steps_of(geometry.output_size, filters),
        steps_of(geometry.kernel_size, filters),
        (0,) * geometry.rank,
    )
    plan = row_plan(geometry.axes, steps, None)
    elements = math.prod(geometry.kernel_size)
    most = vector_registers() * 7 // 8 - (0 if multiplier == 1 else multiplier)
    if multiplier == 1:
        vectors, whole = _vectors(2 if elements <= most // 2 else 1, filters, lane_count)
    else:
        vectors, whole = multiplier, filters % (multiplier * lane_count) == 0
    tile = -(-elements // -(-elements // max(most // vectors, 1)))
    tiles, reads, writes = gradient_tiles(plan, tile)
    rows, cuts = len(plan.rows), -(-plan.widest // _BLOCK)
    lines = batch * rows * cuts
    images = (_size(steps.reads, geometry.axes, "input_size"), _size(steps.writes, geometry.axes, "output_size"))
    sizes = (min(_PARTS, lines), lines, cuts, rows, *images, filters, elements * filters, *_ahead(geometry.axes, steps))
    lengths = _lengths(tile, vectors, multiplier, int(whole))
    work = batch * math.prod(geometry.output_size) * elements * filters
    return Call((*lengths, sizes, plan.rows, plan.pieces, tiles, reads, writes), work)


def ready_depthwise_grad_weights(
    geometry: ConvGeometry, batch: int, channels: int, multiplier: int, dtype: np.dtype[Any]
) -> Callable[[Array, Array, Array | None], Array]:
    """Plan a `depthwise_grad_weights` of given sizes, once for many calls.

    Parameters
    ----------
    geometry : ConvGeometry
        Of the convolution.
    batch, channels, multiplier : int
    dtype : dtype
        Of all arrays.

    Returns
    -------
    callable
        From `x`, `dy` and `out`, the last an array or None, to `out`.
    """
    shape = (*geometry.kernel_size, channels, multiplier)
    if multiplier > MOST_FILTERS:
        grouped, own_shape = ConvGeometry(geometry.axes, channels), (*shape[:-2], 1, channels * multiplier)

        def call_grouped(x: Array, dy: Array, out: Array | None) -> Array:
            if out is None:
                out = empty(shape, dtype)
            conv_grad_weights(grouped, x, dy, out.reshape(own_shape))
            return out

        return call_grouped
    if batch == 0:

        def call_empty(x: Array, dy: Array, out: Array | None) -> Array:
            if out is None:
                out = empty(shape, dtype)
            out.fill(0)
            return out

        return call_empty
    arguments, work = _gradient_call(geometry, batch, channels, multiplier, lanes(dtype))
    parts = arguments[4][0]

    def call(x: Array, dy: Array, out: Array | None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        sums = empty((parts, *shape), dtype)
        sums.fill(0)
        run(sum_up, work, *arguments, flat(x), flat(dy), sums.reshape(-1))
        with np.errstate(all="ignore"):  # As silent as compiled code is about NaN and infinity.
            np.add.reduce(sums, axis=0, out=out)
        return out

    return call


def depthwise_grad_weights(geometry: ConvGeometry, x: Array, dy: Array, out: Array | None = None) -> Array:
    """Return the gradient to the weights of a depthwise convolution.

    Parameters
    ----------
    geometry : ConvGeometry
        Of the convolution.
    x : ndarray, shape (batch, in..., channels)
    dy : ndarray, shape (batch, out..., channels * multiplier)
    out : ndarray, shape (k..., channels, multiplier), optional
        Filled and returned.
    """
    batch, channels = len(x), x.shape[-1]
    multiplier = dy.shape[-1] // channels
    return ready_depthwise_grad_weights(geometry, batch, channels, multiplier, x.dtype)(x, dy, out)
