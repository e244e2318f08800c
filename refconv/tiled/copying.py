"""Layers that mostly move data: padding in every mode, cropping, nearest upsampling, unfolding.

Every output is a datum or a value. `take` says per axis which datum an output takes. Along the last
axis these *sources* are divided into *stretches*, neighbouring data or nothing but the value::

    sources   -1 -1  0  1  2  3  3  3         stretches   the value; data 0 to 3; datum 3; datum 3

The stretches of an image, those of a row joined with those of the next where they can be, are joined to *bands* where
the same lengths come again, as rows do: some data and then some values, so many times. Threads share bands by their
length, however many rows there are. Where there are too many stretches, as in upsampling, the sources are divided
into *runs* that a loop without any lookup fills::

    sources    0  0  1  1  2  2               run    data 0, 1, 2, two times each

Rows of outputs that take the same row of data are filled together. Elements are copied as bits, whatever they are.

`fold`, the adjoint of `unfold`, adds and therefore is an elementwise layer with weights of 1.

Cropping 64x112x112 by 1, float32, two threads, into the same output again; compiled C takes 35 us, PyTorch 35.5:

1. An item of work for every row: 44 us; zero padding 64x16x28x28 by 2 61 us.
2. Shares of stretches, cut by length: 38.2 us. A row that ends costs about 40 ns, and a share another 40.
3. Vectors read and written strictly in order, without unrolling: 36.8 us. LLVM unrolls eight times and mixes reads up.
4. Bands, and as many shares as threads twice: 36.2 us.
5. Asking for the cache lines 256 bytes ahead, of input and output: 35.1 us.
6. Half as much Python beside it, 1.7 us instead of 3.2: the whole call, whose Python meets caches that the copy has
   emptied, falls from 5.4 us above the kernel to 3.8.
7. Where an output does not begin on a cache line, as NumPy's own ones do not, vectors are written from the next one on:
   the whole call from 40.5 us to 37.8, as long as others take. To ask for that at every row: others 0.4 us longer.
8. What is compiled for these arrays called directly, not by Numba's dispatcher: 38.3 us to 37.4 for the whole call,
   beside 36.0 of PyTorch's.
9. Handed to the threading layer without Numba's schedule, and no references counted: the kernel and its launch from
   35.2 us to 34.8, for zero padding from 37.0 to 36.2.
10. Vectors of 32 bytes, eight at a time, each read and written by itself: LLVM would join two. The crop of 3-D padding,
    rows of 7 KB, from 38.8 us to 37.6.
11. At the end of a row, asking for the next one if it begins 1 KB further on or more: that crop to 36.9. Nearer rows
    the processor reads ahead itself: crops in rows of 28 KB were 0.6 us slower.

``memcpy`` and ``rep movsb`` are as fast where input and output begin alike within a cache line, else a tenth slower.
Tried without gain: every other call backwards, so as to begin with what is still in the cores' own caches (0.5 us; what
these hold is copied no faster), huge pages, two rows at a time, rows backwards, prefetching the table of stretches,
``prefetchnta``, ``prefetchw``. Stores around the caches take 3.5 times as long as long as these hold the output, and
threads that take alternate rows up to 3 times.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from refconv.geometry import ConvGeometry
from refconv.jit import launch as launching
from refconv.jit.launch import Kernel
from refconv.jit.parts import inlined
from refconv.jit.shares import Team, share_out
from refconv.tiled.depthwise import fill as fill_elementwise
from refconv.tiled.depthwise import fold_call
from refconv.tiled.links import Indices, axis_links
from refconv.tiled.moves import (
    at_once,
    copy_by_lines,
    copy_stretch,
    fill_stretch,
    read,
    read_some,
    read_wide,
    to_line,
    wide,
    write,
    write_some,
)
from refconv.tiled.rows import steps_of
from refconv.tiled.running import Launch, empty, flat, no_bias, thread_count
from refconv.tiled.simd import at, lanes, set_at

Array = npt.NDArray[Any]
Sizes = tuple[int, ...]
Band = tuple[int, ...]

# Entries of a plan of bands: shares of all images and of one, elements of one, the value as a whole number; from the
# last one on, where the bands of each share begin, where they end, and then the bands.
LINES, SHARES, X_IMAGE, OUT_IMAGE, VALUE, BANDS = range(6)

# Columns of a run of the last axis: first output, outputs a datum, data, first datum, step.
OUT, TIMES, DATA, FIRST, STEP = range(5)

# Cells below this many elements are copied one element at a time.
_FEW = 4

# Stretches are what an axis is divided into if these are at least so many cells long on average.
_SHORTEST = 4
_FEW_STRETCHES = 3

# Rows lie far apart from so many wide reads between them on, 1 KB.
_FAR = 4

# What is cut into so many shares, threads share evenly.
_SHARES = 32
# A share of fewer elements is not worth the loop around it.
_SMALLEST_SHARE = 512

# Multiply-adds that take as long as copying an element.
_WORTH = 10

# What kernels are compiled for; other elements are copied as whole numbers of their size.
_COMPILED = (np.dtype(np.float32), np.dtype(np.float64))
_NUMBERS = {unit: np.dtype(f"i{unit}") for unit in (1, 2, 4, 8)}


@inlined
def _take_share(line: int, plan: Array, x: Array, out: Array) -> None:
    """Fill the bands of one share of one image."""
    shares = at(plan, SHARES)
    image, share = line // shares, BANDS + line % shares
    for band in range(at(plan, share), at(plan, share + 1), 6):
        place, datum = image * at(plan, OUT_IMAGE) + at(plan, band), image * at(plan, X_IMAGE) + at(plan, band + 1)
        data, values, step = at(plan, band + 2), at(plan, band + 3), at(plan, band + 4)
        # What lies near behind a row, the processor reads ahead itself.
        ahead = step if step - data >= _FAR * wide(x) else data
        if to_line(out, place):
            for _ in range(at(plan, band + 5)):
                copy_by_lines(out, place, x, datum, data, datum + ahead)
                if values:
                    fill_stretch(out, place + data, at(plan, VALUE), values)
                place, datum = place + data + values, datum + step
        else:
            for _ in range(at(plan, band + 5)):
                copy_stretch(out, place, x, datum, data, datum + ahead)
                if values:
                    fill_stretch(out, place + data, at(plan, VALUE), values)
                place, datum = place + data + values, datum + step


@Kernel
def take_bands(team: Team, plan: Array, x: Array, out: Array) -> None:
    """Fill all images, each in shares."""
    share_out(team, _take_share, at(plan, LINES), (plan, x, out))


@inlined
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


@inlined
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
            length = (last - first) * times * channels
            copy_stretch(out, begin + other * out_row, out, begin, length, begin + length)


@Kernel
def take_rows(team: Team, lines: int, sizes: Sizes, rows: Array, runs: Array, x: Array, out: Array) -> None:
    """Fill all rows."""
    share_out(team, _take_line, lines, (sizes, rows, runs, x, out))


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


def _bits(value: Any, dtype: np.dtype[Any]) -> int:
    """Return the bits of a number as a whole number."""
    return int(np.full(1, value, dtype).view(_NUMBERS[dtype.itemsize])[0])


def _bands(stretches: Indices) -> Indices:
    """Join stretches that come again to bands: columns of a plan, and a last row for their end."""
    outs, data = stretches.T
    # What is filled with the value behind some data belongs to them.
    begins = np.flatnonzero((data[:-1] >= 0) | (np.arange(len(outs) - 1) == 0))
    firsts, sources = outs[begins], data[begins]
    steps = np.diff(sources, append=-1)
    counts = np.where(sources < 0, 0, outs[begins + 1] - firsts)
    values = np.diff(firsts, append=outs[-1]) - counts
    alike = (counts[:-1] == counts[1:]) & (values[:-1] == values[1:]) & (counts[:-1] > 0)
    # The first two of a band make its step. One that differs from it begins a band, and then the next one need not.
    differs = alike & np.append(False, (steps[:-2] != steps[1:-1]) & alike[:-1])[: len(alike)]
    places = np.arange(len(alike))
    apart = ~alike | (differs & ((places - np.maximum.accumulate(np.where(differs, -1, places))) % 2 == 1))
    band = np.flatnonzero(np.append(True, apart))
    times = np.diff(band, append=len(begins))
    bands = np.stack([firsts, np.maximum(sources, 0), counts, values, steps], axis=1)[band]
    return np.column_stack([bands, times])


def _parted(band: Band, size: int) -> tuple[list[Band], list[Band]]:
    """Divide a band behind so many outputs.

    Examples
    --------
    >>> _parted((100, 7, 5, 2, 9, 4), 15)
    ([(100, 7, 5, 2, 9, 2), (114, 25, 1, 0, 9, 1)], [(115, 26, 4, 2, 9, 1), (121, 34, 5, 2, 9, 1)])
    """
    place, datum, data, values, step, times = band
    whole, rest = divmod(size, data + values)
    middle, source = place + whole * (data + values), datum + whole * step
    copied = min(rest, data)
    before: list[Band] = [(place, datum, data, values, step, whole), (middle, source, copied, rest - copied, step, 1)]
    if not rest:
        return before[:1], [(middle, source, data, values, step, times - whole)]
    left = (middle + rest, source + copied, data - copied, values - rest + copied, step, 1)
    behind = (middle + data + values, source + step, data, values, step, times - whole - 1)
    return [part for part in before if part[-1]], [part for part in (left, behind) if part[-1]]


def _band_plan(batch: int, x_image: int, bands: Indices, value: int) -> Indices:
    """Cut an image into shares, and lay out the plan of `take_bands`."""
    size = int(((bands[:, 2] + bands[:, 3]) * bands[:, 5]).sum())
    wanted = 2 * thread_count()
    shares = max(1, min(wanted // math.gcd(batch, wanted), size // _SMALLEST_SHARE))
    rest: list[Band] = [tuple(band) for band in bands.tolist()][::-1]
    laid: list[Band] = []
    places: list[int] = []
    for share in range(shares):
        places.append(BANDS + shares + 1 + 6 * len(laid))
        # Where shares meet, a cache line begins if the image begins one.
        end = size if share == shares - 1 else size * (share + 1) // shares // 64 * 64
        while rest and rest[-1][0] < end:
            band = rest.pop()
            if band[0] + (band[2] + band[3]) * band[5] > end:
                before, behind = _parted(band, end - band[0])
                laid += before
                rest += behind[::-1]
            else:
                laid.append(band)
    places.append(BANDS + shares + 1 + 6 * len(laid))
    return np.array([batch * shares, shares, x_image, size, value, *places, *itertools.chain(*laid)], np.int64)


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
    shape = (batch, *map(len, sources), channels)
    if batch == 0:
        return lambda x, out: empty(shape, dtype) if out is None else out
    kernel, arguments = _chosen(sources, input_size, batch, channels, _bits(value, dtype))
    return _moving(kernel, math.prod(shape) * _WORTH, arguments, shape, dtype)


def _chosen(
    sources: Sequence[Indices], input_size: Sizes, batch: int, cell: int, value: int
) -> tuple[Kernel, tuple[Any, ...]]:
    """Choose the kernel for cells of so many elements, and all its arguments but the arrays."""
    last, outputs = sources[-1], math.prod(map(len, sources))
    x_image, rows = math.prod(input_size) * cell, _row_sources(sources, input_size)
    breaks = np.count_nonzero(np.where(last[:-1] < 0, last[1:] >= 0, np.diff(last) != 1))
    if any((source < 0).any() for source in sources) or breaks < max(_FEW_STRETCHES, len(last) // _SHORTEST):
        bands = _bands(_stretches(rows, last)) * np.array([cell, cell, cell, cell, cell, 1])
        return take_bands, (_band_plan(batch, x_image, bands, value),)
    firsts = np.flatnonzero(np.concatenate(([True], rows[1:] != rows[:-1])))
    table = np.stack([firsts, np.diff(firsts, append=len(rows)), rows[firsts]], axis=1)
    cuts = max(1, min(-(-_SHARES // (batch * len(table))), outputs * cell // 4096))
    sizes = (cuts, len(table), x_image, outputs * cell, len(last) * cell, cell)
    return take_rows, (batch * len(table) * cuts, sizes, table, np.array(_runs(last), np.int64))


def _moving(
    kernel: Kernel, work: int, arguments: tuple[Any, ...], shape: Sizes, dtype: np.dtype[Any]
) -> Callable[[Array, Array | None], Array]:
    """Return what runs a kernel that moves data."""
    launch = Launch(kernel, work, *arguments)

    def call(x: Array, out: Array | None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        final = launch.on_threads
        if final is not None and launching.threads_are_of_use:
            # As the launch does, with less work a call: beside a copy within the caches, a microsecond is seen.
            with launching.launch_lock:
                final(x.ravel(), out.ravel())
        else:
            launch(flat(x), out.ravel())
        return out

    if dtype in _COMPILED:
        return call
    numbers = _NUMBERS[dtype.itemsize]

    def call_with_numbers(x: Array, out: Array | None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        call(x.view(numbers), out.view(numbers))
        return out

    return call_with_numbers


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


@inlined
def _unfold_line(line: int, sizes: Sizes, rows: Array, begins: Array, runs: Array, x: Array, out: Array) -> None:
    """Copy the patches of one row of outputs."""
    row_count, x_image, outer, inner, channels, out_row = sizes
    image, row = line // row_count, line % row_count
    for o in range(begins.size - 1):
        out0 = line * out_row + o * outer * inner * channels
        for k in range(outer):
            x0 = at(rows, row * outer + k)
            if x0 < 0:
                fill_stretch(out, out0, 0, inner * channels)
            else:
                for r in range(at(begins, o), at(begins, o + 1)):
                    begin, count = out0 + at(runs, 3 * r) * channels, at(runs, 3 * r + 2) * channels
                    if at(runs, 3 * r + 1) < 0:
                        fill_stretch(out, begin, 0, count)
                    else:
                        datum = image * x_image + x0 + at(runs, 3 * r + 1) * channels
                        copy_stretch(out, begin, x, datum, count, datum + count)
            out0 += inner * channels


@Kernel
def unfold_rows(
    team: Team, lines: int, sizes: Sizes, rows: Array, begins: Array, runs: Array, x: Array, out: Array
) -> None:  # fmt: skip
    """Copy all patches."""
    share_out(team, _unfold_line, lines, (sizes, rows, begins, runs, x, out))


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
    elements, inner = math.prod(geometry.kernel_size), geometry.kernel_size[-1]
    shape = (batch, *geometry.output_size, elements * channels)
    if batch == 0:
        return lambda x, out: empty(shape, dtype) if out is None else out
    rows, begins, runs = _unfold_plan(geometry)
    x_image, out_row = math.prod(geometry.input_size) * channels, geometry.output_size[-1] * elements * channels
    sizes = (len(rows), x_image, elements // inner, inner, channels, out_row)
    arguments = (batch * len(rows), sizes, np.where(rows < 0, -1, rows * channels), begins, runs)
    return _moving(unfold_rows, math.prod(shape) * _WORTH, arguments, shape, dtype)


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
    launch = Launch(fill_elementwise, fill.work, *fill.arguments)

    def call(columns: Array, out: Array | None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        launch(flat(columns), ones, zeros, out.reshape(-1))
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
