"""Interpolation and the adjoints of all resampling: weighted sums of rows, then of the cells of a row.

Every such map is separable. A row of outputs first sums the rows of data that it reads into a row of
its own, which stays in the cache, and then each output sums cells of that row: for an upsampling by two with
a 4-tap method 6 multiply-adds an output instead of 16. Both steps take their terms in the order of the
data. What weighs nothing is no term, so that a NaN or an infinity reaches exactly the outputs that read it.
Where rows save nothing, every output sums all that it reads: the adjoint of nearest upsampling by two is 1.5 times
as fast that way, a bilinear one at most 0.9 times, with 20 channels 0.5 times.

The adjoint is the same map by transposed taps; see `refconv.interpolation.adjoint_taps`.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from refconv.interpolation import adjoint_taps, axis_taps
from refconv.jit.launch import Kernel
from refconv.jit.parts import inlined
from refconv.jit.shares import Team, share_out
from refconv.tiled.rows import steps_of
from refconv.tiled.running import Launch, empty, flat
from refconv.tiled.simd import (
    at,
    broadcast,
    fma,
    get,
    lanes,
    lanes_of,
    load,
    load_some,
    put,
    registers,
    set_at,
    spread,
    store,
    store_some,
    zeros,
)

Array = npt.NDArray[Any]
Sizes = tuple[int, ...]

# Parts of the work, each with a row of its own to sum up in.
_PARTS = 16
# Elements of a cell below which its numbers are summed one at a time.
_FEW = 4


class Taps:
    """What each output of an axis reads, and with which weights.

    Parameters
    ----------
    rows : iterable of sequences
        For each output its (datum, weight) pairs.

    Attributes
    ----------
    begins : ndarray, shape (outputs + 1,)
        First tap of each output, and the end of the last one.
    data, weights : ndarray, shape (taps,)
    """

    def __init__(self, rows: Iterable[Sequence[tuple[int, float]]]) -> None:
        rows = list(rows)
        self.begins = np.cumsum([0, *map(len, rows)])
        self.data = np.array([i for row in rows for i, _ in row], np.int64)
        self.weights = np.array([weight for row in rows for _, weight in row], np.float64)

    def __len__(self) -> int:
        return len(self.begins) - 1

    @property
    def unchanged(self) -> bool:
        """Whether every output is the datum of its number."""
        each = np.arange(len(self))
        return (
            np.array_equal(self.data, each)
            and np.array_equal(self.begins[:-1], each)
            and bool((self.weights == 1).all())
        )


@functools.lru_cache(maxsize=256)
def resizing_taps(input_size: int, output_size: int, method: str, coordinates: str, adjoint: bool = False) -> Taps:
    """Return the taps of `refconv.interpolation.axis_taps`, or of their adjoint."""
    rows = axis_taps(input_size, output_size, method, coordinates)
    return Taps(adjoint_taps(rows, input_size) if adjoint else rows)


@functools.lru_cache(maxsize=256)
def source_taps(sources: bytes, input_size: int) -> Taps:
    """Return the taps of the adjoint of taking data; `sources` are those of `refconv.tiled.copying.take`."""
    taken = np.frombuffer(sources, np.int64).tolist()
    return Taps(adjoint_taps(tuple(((i, 1.0),) if i >= 0 else () for i in taken), input_size))


@inlined
def _sum_block(
    block: Array, vectors: int, out: Array, out0: int, x: Array, x0: int, step: int, begins: Array, data: Array,
    weights: Array, number: int, rest: int, whole: bool,
) -> None:  # fmt: skip
    """Sum what one output reads, in one block of neighbouring elements."""
    lane_count = lanes_of(out)
    for v in range(vectors):
        put(block, v, zeros(out))
    for tap in range(at(begins, number), at(begins, number + 1)):
        weight = broadcast(weights, tap)
        place = x0 + at(data, tap) * step
        for v in range(vectors):
            if whole:
                put(block, v, fma(load(x, place + v * lane_count), weight, get(block, v)))
            else:
                put(block, v, fma(load_some(x, place + v * lane_count, rest - v * lane_count), weight, get(block, v)))
    for v in range(vectors):
        if whole:
            store(out, out0 + v * lane_count, get(block, v))
        else:
            store_some(out, out0 + v * lane_count, rest - v * lane_count, get(block, v))


@inlined
def _sum_vectors(
    tile: Any, out: Array, out0: int, x: Array, x0: int, step: int, begins: Array, data: Array, weights: Array,
    number: int, count: int,
) -> None:  # fmt: skip
    """Sum what one output reads, for `count` neighbouring elements."""
    lane_count = lanes_of(out)
    wide, narrow = registers(out, (0,), tile), registers(out, (0,), (0,))
    whole = count - count % (len(tile) * lane_count)
    for c in range(0, whole, len(tile) * lane_count):
        _sum_block(wide, len(tile), out, out0 + c, x, x0 + c, step, begins, data, weights, number, 0, True)
    for c in range(whole, count, lane_count):
        _sum_block(narrow, 1, out, out0 + c, x, x0 + c, step, begins, data, weights, number, count - c, False)


@inlined
def _sum_cells(
    tile: Any, out: Array, out0: int, x: Array, x0: int, channels: int, begins: Array, data: Array, weights: Array
) -> None:  # fmt: skip
    """Sum cells of a row for each of its outputs."""
    outputs = begins.size - 1
    if channels >= _FEW:
        for o in range(outputs):
            _sum_vectors(tile, out, out0 + o * channels, x, x0, channels, begins, data, weights, o, channels)
    else:
        for o in range(outputs):
            begin, end = at(begins, o), at(begins, o + 1)
            if end - begin == 2:
                a, b = x0 + at(data, begin) * channels, x0 + at(data, begin + 1) * channels
                of_a, of_b = at(weights, begin), at(weights, begin + 1)
                for c in range(channels):
                    set_at(out, out0 + o * channels + c, of_a * at(x, a + c) + of_b * at(x, b + c))
            else:
                for c in range(channels):
                    total = out.dtype.type(0)
                    for tap in range(begin, end):
                        total += at(weights, tap) * at(x, x0 + at(data, tap) * channels + c)
                    set_at(out, out0 + o * channels + c, total)


@inlined
def _sum_lines(
    part: int, tile: Any, sizes: Sizes, row_begins: Array, row_data: Array, row_weights: Array, begins: Array,
    data: Array, weights: Array, x: Array, sums: Array, out: Array,
) -> None:  # fmt: skip
    """Fill the outputs of one part."""
    parts, lines, rows, x_image, x_row, out_row, channels = sizes
    own = part * x_row
    for line in range(lines * part // parts, lines * (part + 1) // parts):
        image, row = line // rows, line % rows
        _sum_vectors((0, 0, 0, 0), sums, own, x, image * x_image, x_row, row_begins, row_data, row_weights, row, x_row)
        _sum_cells(tile, out, line * out_row, sums, own, channels, begins, data, weights)


@Kernel
def sum_rows(
    team: Team, tile: Any, sizes: Sizes, row_begins: Array, row_data: Array, row_weights: Array, begins: Array,
    data: Array, weights: Array, x: Array, sums: Array, out: Array,
) -> None:  # fmt: skip
    """Fill all outputs, by way of one row of `sums` for each part."""
    arguments = (tile, sizes, row_begins, row_data, row_weights, begins, data, weights, x, sums, out)
    share_out(team, _sum_lines, sizes[0], arguments)


@inlined
def _sum_window(
    block: Array, vectors: int, out: Array, out0: int, x: Array, x0: int, x_row: int, channels: int,
    row_taps: tuple[int, int], row_data: Array, row_weights: Array, cell_taps: tuple[int, int], data: Array,
    weights: Array, rest: int, whole: bool,
) -> None:  # fmt: skip
    """Sum all cells that one output reads, in one block of neighbouring elements."""
    lane_count = lanes_of(out)
    for v in range(vectors):
        put(block, v, zeros(out))
    for row in range(row_taps[0], row_taps[1]):
        begin = x0 + at(row_data, row) * x_row
        for tap in range(cell_taps[0], cell_taps[1]):
            weight = spread(out, at(row_weights, row) * at(weights, tap))
            place = begin + at(data, tap) * channels
            for v in range(vectors):
                if whole:
                    put(block, v, fma(load(x, place + v * lane_count), weight, get(block, v)))
                else:
                    put(block, v, fma(load_some(x, place, rest), weight, get(block, v)))
    for v in range(vectors):
        if whole:
            store(out, out0 + v * lane_count, get(block, v))
        else:
            store_some(out, out0, rest, get(block, v))


@inlined
def _sum_windows(
    tile: Any, out: Array, out0: int, x: Array, x0: int, x_row: int, channels: int, row_taps: tuple[int, int],
    row_data: Array, row_weights: Array, begins: Array, data: Array, weights: Array, first: int, last: int,
) -> None:  # fmt: skip
    """Sum all that each of the outputs of a row from `first` to `last` reads."""
    lane_count = lanes_of(out)
    block, narrow = registers(out, (0,), tile), registers(out, (0,), (0,))
    whole = channels - channels % (len(tile) * lane_count)
    for o in range(first, last):
        taps, here = (at(begins, o), at(begins, o + 1)), out0 + o * channels
        if channels < _FEW:
            for c in range(channels):
                total = out.dtype.type(0)
                for row in range(row_taps[0], row_taps[1]):
                    begin, weight = x0 + at(row_data, row) * x_row + c, at(row_weights, row)
                    for tap in range(taps[0], taps[1]):
                        total += weight * at(weights, tap) * at(x, begin + at(data, tap) * channels)
                set_at(out, here + c, total)
        else:
            for c in range(0, whole, len(tile) * lane_count):
                _sum_window(
                    block, len(tile), out, here + c, x, x0 + c, x_row, channels, row_taps, row_data, row_weights,
                    taps, data, weights, 0, True,
                )  # fmt: skip
            for c in range(whole, channels, lane_count):
                _sum_window(
                    narrow, 1, out, here + c, x, x0 + c, x_row, channels, row_taps, row_data, row_weights,
                    taps, data, weights, channels - c, False,
                )  # fmt: skip


@inlined
def _sum_line(
    line: int, tile: Any, sizes: Sizes, row_begins: Array, row_data: Array, row_weights: Array, begins: Array,
    data: Array, weights: Array, x: Array, out: Array,
) -> None:  # fmt: skip
    """Fill the outputs of one row, or of a cut of it."""
    cuts, rows, x_image, x_row, out_row, channels = sizes
    cut, number, length = line % cuts, line // cuts, begins.size - 1
    row, image = number % rows, number // rows
    _sum_windows(
        tile, out, number * out_row, x, image * x_image, x_row, channels,
        (at(row_begins, row), at(row_begins, row + 1)), row_data, row_weights, begins, data, weights,
        length * cut // cuts, length * (cut + 1) // cuts,
    )  # fmt: skip


@Kernel
def sum_windows(
    team: Team, tile: Any, lines: int, sizes: Sizes, row_begins: Array, row_data: Array, row_weights: Array,
    begins: Array, data: Array, weights: Array, x: Array, out: Array,
) -> None:  # fmt: skip
    """Fill all outputs, each by itself."""
    arguments = (tile, sizes, row_begins, row_data, row_weights, begins, data, weights, x, out)
    share_out(team, _sum_line, lines, arguments)


@functools.lru_cache(maxsize=64)
def _row_taps(taps: tuple[Taps, ...], input_size: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[Array, Array, Array]:
    """Return the taps of all axes but the last one together; data count rows."""
    begins, data, weights = np.array([0, 1]), np.zeros(1, np.int64), np.ones(1)
    for axis, step in zip(taps, steps_of(input_size, 1), strict=True):
        counts = np.multiply.outer(np.diff(begins), np.diff(axis.begins)).ravel()
        pairs = [
            (slice(*outer), slice(*inner))
            for outer in itertools.pairwise(begins.tolist())
            for inner in itertools.pairwise(axis.begins.tolist())
        ]
        data = np.concatenate([np.add.outer(data[a], axis.data[b] * step).ravel() for a, b in pairs])
        weights = np.concatenate([np.multiply.outer(weights[a], axis.weights[b]).ravel() for a, b in pairs])
        begins = np.concatenate(([0], np.cumsum(counts)))
    return begins, data, weights.astype(dtype)


def ready_interpolate(
    taps: Sequence[Taps], input_size: Sizes, batch: int, channels: int, dtype: np.dtype[Any]
) -> Callable[[Array, Array | None], Array]:
    """Plan an `interpolate` of given sizes, once for many calls.

    Parameters
    ----------
    taps : sequence of Taps
        For each axis.
    input_size : tuple of int
        Of the spatial axes.
    batch, channels : int
    dtype : dtype
        float32 or float64.

    Returns
    -------
    callable
        From `x` and `out`, an array or None, to `out`.
    """
    shape = (batch, *map(len, taps), channels)
    if batch == 0:
        return lambda x, out: empty(shape, dtype) if out is None else out
    last = taps[-1]
    tables = *_row_taps(tuple(taps[:-1]), input_size[:-1], dtype), last.begins, last.data, last.weights.astype(dtype)
    tile = (0,) * max(v for v in (1, 2, 4) if v == 1 or v * lanes(dtype) <= channels)
    rows, row_taps, cell_taps = math.prod(shape[1:-2]), tables[1].size, last.data.size
    x_row, out_row = input_size[-1] * channels, shape[-2] * channels
    x_image = math.prod(input_size) * channels
    separately = row_taps * x_row + rows * cell_taps * channels
    at_once = row_taps * cell_taps * channels
    # Few numbers of a cell are summed one by one, those of a row by vectors.
    if all(axis.unchanged for axis in taps[:-1]) or (at_once <= separately and channels >= _FEW):
        cuts = max(1, min(2 * _PARTS // (batch * rows), out_row // 4096))
        numbers = batch * rows * cuts, (cuts, rows, x_image, x_row, out_row, channels)
        by_windows = Launch(sum_windows, batch * at_once, tile, *numbers, *tables)

        def call(x: Array, out: Array | None) -> Array:
            if out is None:
                out = empty(shape, dtype)
            by_windows(flat(x), out.reshape(-1))
            return out

        return call
    parts = min(_PARTS, batch * rows)
    sizes = (parts, batch * rows, rows, x_image, x_row, out_row, channels)
    by_rows = Launch(sum_rows, batch * separately, tile, sizes, *tables)

    def call_by_rows(x: Array, out: Array | None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        sums = empty((parts * x_row,), dtype)
        by_rows(flat(x), sums, out.reshape(-1))
        return out

    return call_by_rows


def interpolate(x: Array, taps: Sequence[Taps], out: Array | None = None) -> Array:
    """Fill every output with the sum of the data it reads, times the product of their weights.

    Parameters
    ----------
    x : ndarray, shape (batch, in..., channels)
        C-contiguous, float32 or float64.
    taps : sequence of Taps
        For each axis.
    out : ndarray, shape (batch, out..., channels), optional
        Filled and returned.
    """
    return ready_interpolate(taps, x.shape[1:-1], len(x), x.shape[-1], x.dtype)(x, out)
