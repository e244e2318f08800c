"""Layers that mostly move data: padding in every mode, cropping, nearest upsampling, unfolding.

Every output is a datum or a value. `take` says per axis which datum an output takes. Along the last
axis these *sources* are divided into *stretches*, neighbouring data or nothing but the value::

    sources   -1 -1  0  1  2  3  3  3         stretches   the value; data 0 to 3; datum 3; datum 3

The stretches of an image, those of a row joined with those of the next where they can be, are shared out by their
length, however many rows there are. Where there are too many of them, as in upsampling, the sources are divided into
*runs* that a loop without any lookup fills::

    sources    0  0  1  1  2  2               run    data 0, 1, 2, two times each

Rows of outputs that take the same row of data are filled together. Elements are copied as whole numbers
of 2, 4 or 8 bytes, whatever they are, several small ones at once where the channels allow it.

`fold`, the adjoint of `unfold`, adds and therefore is an elementwise layer with weights of 1.

Cropping 64x114x114 by 1, float32, two threads; 35.5 us is a plain copy of as much, PyTorch takes 37 to 42 us:

1. An item of work for every row: 44 us; zero padding 64x16x28x28 by 2 61 us.
2. Shares of stretches, cut by length: 39 us; the 3-D padding 49 us. A row that ends costs about 40 ns.

Tried without gain: vectors of 32 bytes, 1 or 8 at a time, prefetching the next row, ``memcpy``, ``rep movsb``. Stores
around the caches take 3.5 times as long as long as these hold the output.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from refconv.geometry import ConvGeometry
from refconv.jit.launch import Compiled
from refconv.tiled.depthwise import fill as fill_elementwise
from refconv.tiled.depthwise import fold_call
from refconv.tiled.links import Indices, axis_links
from refconv.tiled.moves import at_once, read, read_some, read_wide, repeated, wide, write, write_some
from refconv.tiled.rows import steps_of
from refconv.tiled.running import empty, flat, no_bias, run
from refconv.tiled.simd import at, lanes, set_at

Array = npt.NDArray[Any]
Sizes = tuple[int, ...]

# Entries of a plan of stretches: shares of all images and of one, elements of one, the value as a whole number; from
# the last one on, first element of each share and where its first stretch stands, and then the stretches.
LINES, SHARES, X_IMAGE, OUT_IMAGE, VALUE, SHARE = range(6)

# Columns of a run of the last axis: first output, outputs a datum, data, first datum, step.
OUT, TIMES, DATA, FIRST, STEP = range(5)

# Cells below this many elements are copied one element at a time.
_FEW = 4

# Stretches are what an axis is divided into if these are at least so many cells long on average.
_SHORTEST = 4
_FEW_STRETCHES = 3

# What is cut into so many shares, threads share evenly.
_SHARES = 32
# A share of fewer elements is not worth the loop around it.
_SMALLEST_SHARE = 512

# Multiply-adds that take as long as copying an element.
_WORTH = 10

_NUMBERS = {unit: np.dtype(f"i{unit}") for unit in (1, 2, 4, 8)}

_inlined = njit(forceinline=True, error_model="numpy")


@_inlined
def _copy(out: Array, out0: int, x: Array, x0: int, count: int) -> None:
    """Copy a stretch of memory."""
    most, step = wide(out), at_once(out)
    begin, whole = count - count % most, count - count % step
    for i in range(0, begin, most):
        write(out, out0 + i, read_wide(x, x0 + i))
    for i in range(begin, whole, step):
        write(out, out0 + i, read(x, x0 + i))
    if whole < count:
        write_some(out, out0 + whole, count - whole, read_some(x, x0 + whole, count - whole))


@_inlined
def _fill(out: Array, out0: int, value: Any, count: int) -> None:
    """Fill a stretch of memory."""
    step = at_once(out)
    whole = count - count % step
    for i in range(0, whole, step):
        write(out, out0 + i, repeated(out, value))
    if whole < count:
        write_some(out, out0 + whole, count - whole, repeated(out, value))


@_inlined
def _take_share(line: int, plan: Array, x: Array, out: Array) -> None:
    """Fill the stretches, or parts of them, of one share of one image."""
    shares = at(plan, SHARES)
    image, share = line // shares, SHARE + 2 * (line % shares)
    out0, x0 = image * at(plan, OUT_IMAGE), image * at(plan, X_IMAGE)
    begin, stretch, end = at(plan, share), at(plan, share + 1), at(plan, share + 2)
    while begin < end:
        first, source, stop = at(plan, stretch), at(plan, stretch + 1), at(plan, stretch + 2)
        count = min(stop, end) - begin
        if source < 0:
            _fill(out, out0 + begin, out.dtype.type(at(plan, VALUE)), count)
        else:
            _copy(out, out0 + begin, x, x0 + source + begin - first, count)
        begin += count
        stretch += 2


@Compiled
def take_stretches(plan: Array, x: Array, out: Array) -> None:
    """Fill all images, each in shares."""
    for line in prange(at(plan, LINES)):
        _take_share(np.int64(line), plan, x, out)


@_inlined
def _take_cells(out: Array, out0: int, x: Array, x0: int, step: int, channels: int, times: int, count: int) -> None:
    """Copy some cells, each into some neighbouring ones: first the first vectors of all, then the next ones."""
    most, few = wide(out), at_once(out)
    begin, whole = channels - channels % most, channels - channels % few
    for c in range(0, begin, most):
        for j in range(count):
            cells = read_wide(x, x0 + j * step + c)
            place = out0 + j * times * channels + c
            for t in range(times):
                write(out, place + t * channels, cells)
    for c in range(begin, whole, few):
        for j in range(count):
            vector = read(x, x0 + j * step + c)
            place = out0 + j * times * channels + c
            for t in range(times):
                write(out, place + t * channels, vector)
    if whole < channels:
        for j in range(count):
            rest = read_some(x, x0 + j * step + whole, channels - whole)
            place = out0 + j * times * channels + whole
            for t in range(times):
                write_some(out, place + t * channels, channels - whole, rest)


@_inlined
def _take_line(line: int, sizes: Sizes, rows: Array, runs: Array, x: Array, out: Array) -> None:
    """Fill a share of some neighbouring rows that take the same row of data."""
    cuts, row_count, x_image, out_image, out_row, channels = sizes
    cut, row, image = line % cuts, line // cuts % row_count, line // cuts // row_count
    out0, again = image * out_image + at(rows, 3 * row) * out_row, at(rows, 3 * row + 1)
    x0 = image * x_image + at(rows, 3 * row + 2) * channels
    for r in range(0, 5 * runs.shape[0], 5):
        count, times, step = at(runs, r + DATA), at(runs, r + TIMES), at(runs, r + STEP) * channels
        first, last = count * cut // cuts, count * (cut + 1) // cuts
        begin = out0 + (at(runs, r + OUT) + first * times) * channels
        datum = x0 + at(runs, r + FIRST) * channels + first * step
        if channels >= _FEW:
            _take_cells(out, begin, x, datum, step, channels, times, last - first)
        else:
            for j in range(last - first):
                for c in range(channels):
                    number = at(x, datum + j * step + c)
                    for t in range(times):
                        set_at(out, begin + (j * times + t) * channels + c, number)
        for other in range(1, again):
            _copy(out, begin + other * out_row, out, begin, (last - first) * times * channels)


@Compiled
def take_rows(lines: int, sizes: Sizes, rows: Array, runs: Array, x: Array, out: Array) -> None:
    """Fill all rows."""
    for line in prange(lines):
        _take_line(np.int64(line), sizes, rows, runs, x, out)


def _row_sources(sources: Sequence[Indices], input_size: Sizes) -> Indices:
    """Return which row of data each row of outputs takes, in cells, -1 for the value."""
    rows = np.zeros(1, np.int64)
    for source, step in zip(sources[:-1], steps_of(input_size, 1)[:-1], strict=True):
        rows = np.where((rows[:, None] < 0) | (source < 0), -1, rows[:, None] + source * step).ravel()
    return rows


def _stretches(rows: Indices, sources: Indices) -> Indices:
    """Divide the outputs of an image into stretches: first output and datum, in cells; a last one is their end."""
    together = np.where(sources[:-1] < 0, sources[1:] < 0, np.diff(sources) == 1)
    firsts = np.flatnonzero(np.concatenate(([True], ~together)))
    outs = (np.arange(len(rows))[:, None] * len(sources) + firsts).ravel()
    data = np.where((rows[:, None] < 0) | (sources[firsts] < 0), -1, rows[:, None] + sources[firsts]).ravel()
    goes_on = np.where(data[:-1] < 0, data[1:] < 0, (data[1:] >= 0) & (np.diff(data) == np.diff(outs)))
    begins = np.concatenate(([True], ~goes_on))
    return np.append(np.stack([outs[begins], data[begins]], axis=1), [[len(rows) * len(sources), -1]], axis=0)


def _runs(sources: Indices) -> list[tuple[int, int, int, int, int]]:
    """Divide the sources of an axis, none of which is the value, into runs."""
    runs: list[tuple[int, int, int, int, int]] = []
    out = 0
    for source, group in itertools.groupby(sources.tolist()):
        times = len(list(group))
        before = runs[-1] if runs else None
        step = source - before[FIRST] - (before[DATA] - 1) * before[STEP] if before else 0
        if before and before[TIMES] == times and (before[DATA] == 1 or before[STEP] == step):
            runs[-1] = (before[OUT], times, before[DATA] + 1, before[FIRST], step)
        else:
            runs.append((out, times, 1, source, 1))
        out += times
    return runs


def _unit(cell: int) -> int:
    """Return the largest number of bytes that cells divide into."""
    return (cell | 8) & -(cell | 8)


def _bits(value: Any, dtype: np.dtype[Any], unit: int) -> int:
    """Return a number again and again, as one whole number of `unit` bytes."""
    return int(np.full(8 // dtype.itemsize, value, dtype).view(_NUMBERS[unit])[0])


def _stretch_plan(batch: int, x_image: int, stretches: Indices, value: int) -> Indices:
    """Cut an image into shares, and lay out the plan of `take_stretches`."""
    size = int(stretches[-1, 0])
    shares = max(1, min(-(-_SHARES // batch), size // _SMALLEST_SHARE))
    # The elements at which shares meet begin a cache line where the image does.
    begins = np.append(np.arange(shares) * size // shares // 64 * 64, size)
    places = SHARE + 2 * len(begins) + 2 * (np.searchsorted(stretches[:, 0], begins, "right") - 1)
    head = [batch * shares, shares, x_image, size, value]
    return np.concatenate([head, np.stack([begins, places], axis=1).ravel(), stretches.ravel()])


def ready_take(
    sources: Sequence[Indices],
    input_size: Sizes,
    batch: int,
    channels: int,
    dtype: np.dtype[Any],
    value: Any = 0,
) -> Callable[[Array, Array | None], Array]:
    """Plan a `take` of given sizes, once for many calls.

    Parameters
    ----------
    sources : sequence of ndarray
        For each axis, which datum an output takes, -1 for the value.
    input_size : tuple of int
        Of the spatial axes.
    batch, channels : int
    dtype : dtype
        Of 1, 2, 4 or 8 bytes.
    value : number
        Of that dtype.

    Returns
    -------
    callable
        From `x` and `out`, an array or None, to `out`.
    """
    return _ready_take(sources, input_size, batch, channels, dtype, value, _unit(channels * dtype.itemsize))


def _chosen(
    sources: Sequence[Indices], input_size: Sizes, batch: int, cell: int, value: int
) -> tuple[Compiled, tuple[Any, ...]]:
    """Choose the kernel for cells of so many elements, and all its arguments but the arrays."""
    last, outputs = sources[-1], math.prod(map(len, sources))
    x_image, rows = math.prod(input_size) * cell, _row_sources(sources, input_size)
    breaks = np.count_nonzero(np.where(last[:-1] < 0, last[1:] >= 0, np.diff(last) != 1))
    if any((source < 0).any() for source in sources) or breaks < max(_FEW_STRETCHES, len(last) // _SHORTEST):
        stretches = _stretches(rows, last)
        stretches = np.where(stretches < 0, -1, stretches * cell)
        return take_stretches, (_stretch_plan(batch, x_image, stretches, value),)
    firsts = np.flatnonzero(np.concatenate(([True], rows[1:] != rows[:-1])))
    table = np.stack([firsts, np.diff(firsts, append=len(rows)), rows[firsts]], axis=1)
    cuts = max(1, min(-(-_SHARES // (batch * len(table))), outputs * cell // 4096))
    sizes = (cuts, len(table), x_image, outputs * cell, len(last) * cell, cell)
    return take_rows, (batch * len(table) * cuts, sizes, table, np.array(_runs(last), np.int64))


def _ready_take(
    sources: Sequence[Indices],
    input_size: Sizes,
    batch: int,
    channels: int,
    dtype: np.dtype[Any],
    value: Any,
    unit: int,
) -> Callable[[Array, Array | None], Array]:
    shape = (batch, *map(len, sources), channels)
    if batch == 0:
        return lambda x, out: empty(shape, dtype) if out is None else out
    cell = channels * dtype.itemsize // unit
    kernel, arguments = _chosen(sources, input_size, batch, cell, _bits(value, dtype, unit))
    work, numbers = math.prod(shape[:-1]) * cell * _WORTH, _NUMBERS[unit]

    def call(x: Array, out: Array | None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        data, target = flat(x).view(numbers), out.reshape(-1).view(numbers)
        if data.flags.aligned and target.flags.aligned:
            run(kernel, work, *arguments, data, target)
            return out
        return _ready_take(sources, input_size, batch, channels, dtype, value, dtype.itemsize)(x, out)

    return call


def take(x: Array, sources: Sequence[Indices], value: Any = 0, out: Array | None = None) -> Array:
    """Fill every output with the datum it takes on each axis, or with a value.

    Parameters
    ----------
    x : ndarray, shape (batch, in..., channels)
        C-contiguous, of any dtype of 1, 2, 4 or 8 bytes.
    sources : sequence of ndarray
        For each axis, which datum an output takes, -1 for the value.
    value : number
        Of the dtype of `x`.
    out : ndarray, shape (batch, out..., channels), optional
        Filled and returned.
    """
    return ready_take(sources, x.shape[1:-1], len(x), x.shape[-1], x.dtype, value)(x, out)


@_inlined
def _unfold_line(line: int, sizes: Sizes, rows: Array, begins: Array, runs: Array, x: Array, out: Array) -> None:
    """Copy the patches of one row of outputs."""
    row_count, x_image, outer, inner, channels, out_row = sizes
    image, row = line // row_count, line % row_count
    for o in range(begins.size - 1):
        out0 = line * out_row + o * outer * inner * channels
        for k in range(outer):
            x0 = at(rows, row * outer + k)
            if x0 < 0:
                _fill(out, out0, out.dtype.type(0), inner * channels)
            else:
                for r in range(at(begins, o), at(begins, o + 1)):
                    begin, count = out0 + at(runs, 3 * r) * channels, at(runs, 3 * r + 2) * channels
                    if at(runs, 3 * r + 1) < 0:
                        _fill(out, begin, out.dtype.type(0), count)
                    else:
                        _copy(out, begin, x, image * x_image + x0 + at(runs, 3 * r + 1) * channels, count)
            out0 += inner * channels


@Compiled
def unfold_rows(lines: int, sizes: Sizes, rows: Array, begins: Array, runs: Array, x: Array, out: Array) -> None:
    """Copy all patches."""
    for line in prange(lines):
        _unfold_line(np.int64(line), sizes, rows, begins, runs, x, out)


@functools.lru_cache(maxsize=64)
def _unfold_plan(geometry: ConvGeometry) -> tuple[Indices, Indices, Indices]:
    """Return the row of data of each row of outputs and outer kernel element, and runs of the last axis."""
    rows = np.zeros((1, 1), np.int64)
    for axis, step in zip(geometry.axes[:-1], steps_of(geometry.input_size, 1)[:-1], strict=True):
        links = axis_links(axis)
        both = (rows[:, None, :, None] < 0) | (links[None, :, None, :] < 0)
        sums = np.where(both, -1, rows[:, None, :, None] + links[None, :, None, :] * step)
        rows = sums.reshape(rows.shape[0] * len(links), -1)
    runs, begins = [], [0]
    for links in axis_links(geometry.axes[-1]):
        nothing = links < 0
        together = np.where(nothing[:-1], nothing[1:], np.diff(links) == 1)
        bounds = [0, *(np.flatnonzero(~together) + 1), len(links)]
        runs += [(k, max(links[k], -1), end - k) for k, end in itertools.pairwise(bounds)]
        begins.append(len(runs))
    return rows, np.array(begins, np.int64), np.array(runs, np.int64)


def ready_unfold(
    geometry: ConvGeometry, batch: int, channels: int, dtype: np.dtype[Any]
) -> Callable[[Array, Array | None], Array]:
    """Plan an `unfold` of given sizes, once for many calls.

    Parameters
    ----------
    geometry : ConvGeometry
        Any, in one group.
    batch, channels : int
    dtype : dtype
        Of 1, 2, 4 or 8 bytes.

    Returns
    -------
    callable
        From `x` and `out`, an array or None, to `out`.
    """
    return _ready_unfold(geometry, batch, channels, dtype, _unit(channels * dtype.itemsize))


def _ready_unfold(
    geometry: ConvGeometry, batch: int, channels: int, dtype: np.dtype[Any], unit: int
) -> Callable[[Array, Array | None], Array]:
    elements, inner = math.prod(geometry.kernel_size), geometry.kernel_size[-1]
    shape = (batch, *geometry.output_size, elements * channels)
    if batch == 0:
        return lambda x, out: empty(shape, dtype) if out is None else out
    rows, begins, runs = _unfold_plan(geometry)
    cell, numbers = channels * dtype.itemsize // unit, _NUMBERS[unit]
    x_image, out_row = math.prod(geometry.input_size) * cell, geometry.output_size[-1] * elements * cell
    sizes = (len(rows), x_image, elements // inner, inner, cell, out_row)
    arguments = (batch * len(rows), sizes, np.where(rows < 0, -1, rows * cell), begins, runs)
    work = batch * len(rows) * out_row * _WORTH

    def call(x: Array, out: Array | None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        data, target = flat(x).view(numbers), out.reshape(-1).view(numbers)
        if data.flags.aligned and target.flags.aligned:
            run(unfold_rows, work, *arguments, data, target)
            return out
        return _ready_unfold(geometry, batch, channels, dtype, dtype.itemsize)(x, out)

    return call


def unfold(geometry: ConvGeometry, x: Array, out: Array | None = None) -> Array:
    """Copy, for every output of a convolution, the data that its kernel covers; 0 for padding.

    Parameters
    ----------
    geometry : ConvGeometry
        Any, in one group.
    x : ndarray, shape (batch, in..., channels)
        C-contiguous, of any dtype of 1, 2, 4 or 8 bytes.
    out : ndarray, shape (batch, out..., prod(k) * channels), optional
        Filled and returned.
    """
    return ready_unfold(geometry, len(x), x.shape[-1], x.dtype)(x, out)


def ready_fold(
    geometry: ConvGeometry, batch: int, channels: int, dtype: np.dtype[Any]
) -> Callable[[Array, Array | None], Array]:
    """Plan a `fold` of given sizes, once for many calls.

    Parameters
    ----------
    geometry : ConvGeometry
        The convolution's.
    batch, channels : int
        Of the result.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    callable
        From `columns` and `out`, an array or None, to `out`.
    """
    shape = (batch, *geometry.input_size, channels)
    if batch == 0:
        return lambda columns, out: empty(shape, dtype) if out is None else out
    fill = fold_call(geometry, batch, channels, lanes(dtype))
    ones, zeros = flat(np.ones(channels, dtype)), no_bias(channels, dtype)

    def call(columns: Array, out: Array | None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        run(fill_elementwise, fill.work, *fill.arguments, flat(columns), ones, zeros, out.reshape(-1))
        return out

    return call


def fold(geometry: ConvGeometry, columns: Array, out: Array | None = None) -> Array:
    """Add columns back to where `unfold` took them from.

    Parameters
    ----------
    geometry : ConvGeometry
        The convolution's.
    columns : ndarray, shape (batch, out..., prod(k) * channels)
        C-contiguous, float32 or float64.
    out : ndarray, shape (batch, in..., channels), optional
        Filled and returned.
    """
    channels = columns.shape[-1] // math.prod(geometry.kernel_size)
    return ready_fold(geometry, len(columns), channels, columns.dtype)(columns, out)
