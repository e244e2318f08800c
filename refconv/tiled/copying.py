"""Layers that mostly move data: padding in every mode, cropping, nearest upsampling, unfolding.

Every output is a datum or a value. `take` says per axis which datum an output takes; along the last
axis these *sources* are divided into *runs* that a loop without any lookup fills::

    sources   -1 -1  0  1  2  3  3  3         runs   the value 2 times; data 0, 1, 2 once each; datum 3 three times
    sources    0  0  1  1  2  2               run    data 0, 1, 2, two times each

Neighbouring data are copied as one stretch of memory. Rows of outputs that take the same row of data are
filled once and then copied. Elements are copied as whole numbers of 2, 4 or 8 bytes, whatever they are,
several small ones at once where the channels allow it.

`fold`, the adjoint of `unfold`, adds and therefore is an elementwise layer with weights of 1.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from refconv.geometry import ConvGeometry
from refconv.jit.launch import Compiled
from refconv.tiled.depthwise import fill as fill_elementwise
from refconv.tiled.depthwise import fold_call
from refconv.tiled.links import Indices, axis_links
from refconv.tiled.moves import move, move_some, moved_at_once, repeat, repeat_some
from refconv.tiled.rows import steps_of
from refconv.tiled.running import empty, flat, run
from refconv.tiled.simd import at, lanes, set_at

Array = npt.NDArray[Any]
Sizes = tuple[int, ...]

# Columns of a run of the last axis: first output, outputs a datum, data, first datum (-1: the value), step.
OUT, TIMES, DATA, FIRST, STEP = range(5)

# Cells below this many elements are copied one element at a time.
_FEW = 4

# What is cut into so many shares, threads share evenly.
_SHARES = 32

# Multiply-adds that take as long as copying an element.
_WORTH = 10

_NUMBERS = {unit: np.dtype(f"i{unit}") for unit in (1, 2, 4, 8)}
_NOTHING = {unit: kind.type(0) for unit, kind in _NUMBERS.items()}

_inlined = njit(forceinline=True, error_model="numpy")


@_inlined
def _copy(out: Array, out0: int, x: Array, x0: int, count: int) -> None:
    """Copy a stretch of memory."""
    step = moved_at_once(out)
    whole = count - count % step
    for i in range(0, whole, step):
        move(out, out0 + i, x, x0 + i)
    if whole < count:
        move_some(out, out0 + whole, x, x0 + whole, count - whole)


@_inlined
def _fill(out: Array, out0: int, value: Any, count: int) -> None:
    """Fill a stretch of memory."""
    step = moved_at_once(out)
    whole = count - count % step
    for i in range(0, whole, step):
        repeat(out, out0 + i, value)
    if whole < count:
        repeat_some(out, out0 + whole, value, count - whole)


@_inlined
def _take_run(
    out: Array, out0: int, x: Array, x0: int, channels: int, times: int, step: int, first: int, last: int,
) -> None:  # fmt: skip
    """Copy the cells of some data of a run, each `times` times."""
    if times == 1 and step == 1:
        _copy(out, out0 + first * channels, x, x0 + first * channels, (last - first) * channels)
    elif channels < _FEW:
        for j in range(first, last):
            for c in range(channels):
                datum = at(x, x0 + j * step * channels + c)
                for t in range(times):
                    set_at(out, out0 + (j * times + t) * channels + c, datum)
    else:
        for j in range(first, last):
            for t in range(times):
                _copy(out, out0 + (j * times + t) * channels, x, x0 + j * step * channels, channels)


@_inlined
def _take_line(line: int, sizes: Sizes, rows: Array, runs: Array, value: Any, x: Array, out: Array) -> None:
    """Fill a share of some neighbouring rows that take the same row of data."""
    cuts, row_count, x_image, out_image, out_row, channels = sizes
    cut, row, image = line % cuts, line // cuts % row_count, line // cuts // row_count
    out0 = image * out_image + at(rows, 3 * row) * out_row
    x0 = at(rows, 3 * row + 2)
    for r in range(0, 5 * runs.shape[0], 5):
        count, times = at(runs, r + DATA), at(runs, r + TIMES)
        first, last = count * cut // cuts, count * (cut + 1) // cuts
        if x0 < 0 or at(runs, r + FIRST) < 0:
            begin = out0 + (at(runs, r + OUT) + first * times) * channels
            for again in range(at(rows, 3 * row + 1)):
                _fill(out, begin + again * out_row, value, (last - first) * times * channels)
        else:
            begin, datum = out0 + at(runs, r + OUT) * channels, image * x_image + x0 + at(runs, r + FIRST) * channels
            _take_run(out, begin, x, datum, channels, times, at(runs, r + STEP), first, last)
            begin += first * times * channels
            for again in range(1, at(rows, 3 * row + 1)):
                _copy(out, begin + again * out_row, out, begin, (last - first) * times * channels)


@Compiled
def take_rows(lines: int, sizes: Sizes, rows: Array, runs: Array, value: Any, x: Array, out: Array) -> None:
    """Fill all rows."""
    for line in prange(lines):
        _take_line(np.int64(line), sizes, rows, runs, value, x, out)


@functools.lru_cache(maxsize=256)
def _take_plan(sources: tuple[bytes, ...], input_size: tuple[int, ...]) -> tuple[Indices, Indices]:
    """Return rows (first row, how many, datum or -1) and runs of the last axis; offsets count cells."""
    axes = [np.frombuffer(source, np.int64) for source in sources]
    row = np.zeros(1, np.int64)
    for source, step in zip(axes[:-1], steps_of(input_size, 1)[:-1], strict=True):
        below = np.where(source < 0, -1, source * step)
        row = np.where((row[:, None] < 0) | (below < 0), -1, row[:, None] + below).ravel()
    begins = np.flatnonzero(np.concatenate(([True], row[1:] != row[:-1])))
    rows = np.stack([begins, np.diff(begins, append=len(row)), row[begins]], axis=1)
    return rows, np.array(_runs(axes[-1]), np.int64)


def _runs(sources: Indices) -> list[tuple[int, int, int, int, int]]:
    """Divide the sources of an axis into runs."""
    runs: list[tuple[int, int, int, int, int]] = []
    out = 0
    for source, group in itertools.groupby(sources.tolist()):
        times = len(list(group))
        if source < 0:
            runs.append((out, 1, times, -1, 0))
        else:
            before = runs[-1] if runs else None
            step = source - before[FIRST] - (before[DATA] - 1) * before[STEP] if before else 0
            if before and before[FIRST] >= 0 and before[TIMES] == times and (before[DATA] == 1 or before[STEP] == step):
                runs[-1] = (before[OUT], times, before[DATA] + 1, before[FIRST], step)
            else:
                runs.append((out, times, 1, source, 1))
        out += times
    return runs


def _as_numbers(unit: int, array: Array) -> Array:
    """View an array as whole numbers of `unit` bytes, on one axis."""
    return array.reshape(-1).view(_NUMBERS[unit])


def _unit(cell: int, x: Array, out: Array) -> int:
    """Return the largest number of bytes that cells and the places of arrays divide into."""
    bits = cell | int(x.__array_interface__["data"][0]) | int(out.__array_interface__["data"][0]) | 8
    return bits & -bits


@functools.lru_cache(maxsize=256)
def _take_call(
    sources: tuple[bytes, ...], input_size: tuple[int, ...], batch: int, channels: int
) -> tuple[int, tuple[int, ...], Indices, Indices]:
    """Return the lines, sizes and tables of `take_rows` for cells of so many numbers."""
    rows, runs = _take_plan(sources, input_size)
    # The plan counts cells, since it serves any number of channels.
    rows = np.where(rows[:, 2:] < 0, rows, rows * [1, 1, channels])
    columns = len(sources[-1]) // 8
    outputs = math.prod(len(source) // 8 for source in sources)
    cuts = max(1, min(-(-_SHARES // (batch * len(rows))), outputs * channels // 4096))
    sizes = (cuts, len(rows), math.prod(input_size) * channels, outputs * channels, columns * channels, channels)
    return batch * len(rows) * cuts, sizes, rows, runs


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
    shape = (len(x), *(len(source) for source in sources), x.shape[-1])
    if out is None:
        out = empty(shape, x.dtype)
    if len(x) == 0:
        return out
    unit = _unit(x.shape[-1] * x.itemsize, x, out)
    channels = x.shape[-1] * x.itemsize // unit
    call = _take_call(tuple(source.tobytes() for source in sources), x.shape[1:-1], len(x), channels)
    filling = _NOTHING[unit] if value == 0 else np.full(8 // x.itemsize, value, x.dtype).view(_NUMBERS[unit])[0]
    data, target = flat(_as_numbers(unit, x)), _as_numbers(unit, out)
    run(take_rows, out.nbytes // unit * _WORTH, *call, filling, data, target)
    return out


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
    elements = math.prod(geometry.kernel_size)
    if out is None:
        out = empty((len(x), *geometry.output_size, elements * x.shape[-1]), x.dtype)
    if len(x) == 0:
        return out
    rows, begins, runs = _unfold_plan(geometry)
    unit = _unit(x.shape[-1] * x.itemsize, x, out)
    channels = x.shape[-1] * x.itemsize // unit
    rows = np.where(rows < 0, -1, rows * channels)
    inner = geometry.kernel_size[-1]
    out_row = geometry.output_size[-1] * elements * channels
    sizes = (len(rows), x[0].nbytes // unit, elements // inner, inner, channels, out_row)
    data, target = flat(_as_numbers(unit, x)), _as_numbers(unit, out)
    run(unfold_rows, out.nbytes // unit * _WORTH, len(x) * len(rows), sizes, rows, begins, runs, data, target)
    return out


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
    if out is None:
        out = empty((len(columns), *geometry.input_size, channels), columns.dtype)
    if len(columns):
        call = fold_call(geometry, len(columns), channels, lanes(columns.dtype))
        ones, zeros = np.ones(channels, columns.dtype), np.zeros(channels, columns.dtype)
        run(fill_elementwise, call.work, *call.arguments, flat(columns), flat(ones), flat(zeros), out.reshape(-1))
    return out
