"""Depthwise convolution and its gradients: every channel by itself, a vector of channels at a time.

The elementwise twin of `refconv.tiled.contraction`, on the tables of `refconv.tiled.rows`. A tile is
some outputs below each other by a vector of lanes, whose sums stay in registers::

    sums[p, lane] += x[read + p * step + tap + lane] * weights[tap + channel(lane)]

over the kernel elements that read data there; padding and inserted zeros are in no table. Where
outputs share data the kernel is a sliding window: each vector of `x` is loaded once for all sums it
goes into. Neighbouring cells of a row are one flat axis of lanes, so that no lane is empty whatever the
number of channels; the weights are repeated for vectors that reach over several cells.

With several filters a channel, forward spreads each datum over its channel's filters by shuffles in
registers, and backward sums over the filters of a channel in registers before it stores.

The gradient to the weights keeps the sums of all kernel elements in registers, while it goes along a
row of outputs, and loads a vector of `x` once for all elements of a window. Rows are summed up in blocks
that the geometry fixes, so that no bit depends on threads.

Every output's terms come in one order, whatever the tile, then the bias.

What it took, 64x112x112 with a 3x3 kernel, microseconds on one thread of a processor with AVX-512 whose
multiply-adds alone take 123 (and 5x5 on 57x57x20; 3x3 on 256x256x1 at twice its size):

- tiles of neighbours on a row, 14 cells by 16 channels: 217 (73; 820)
- tiles of 6 rows along the flat axis: 210 (50; 64), and 400 where loads wait for stores
- multiples of steps worked out in the loop instead of kept in registers, which ran out: 195
- no divisions where the divisor is 1: 169 (48; 55)
- where loads would wait for stores, tiles of neighbours, a vector of channels at a time: 200
- prefetching: nothing gained in either order, and 10 % lost along the flat axis
- tiles at constant steps, the last one apart, and pointers that step from datum to datum: from 193 to 175. The same
  loop in C takes 165 in any order of rows, cells and channels; windows cut short to stay in the first cache: 190
- parts that count references: 262
- with AVX2, 11 cells by 8 channels instead of 5, 2.2 instructions a multiply-add instead of 2.9: alone 1 to 6 % less
  time, 20 % less beside a neighbour who shares the processor

The gradient to the weights (and for 3x3x3 on 16x28x28x32):

- a datum loaded for every kernel element that it meets: 240 (567)
- up to 8 outputs at once, a datum loaded once for a window, a vector of channels at a time: 173 (275)
- rows that read through the same elements summed up at once, up to a block: a tenth less, 14x14x512 a sixth
- one channel: lanes over places, as convolutions of few filters have them. 3x3 on 256x256 falls from 210 to 61
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.jit.launch import Kernel
from refconv.jit.parts import inlined
from refconv.jit.shares import Team, share_out
from refconv.tiled.cpu import ready_conv, ready_conv_grad_weights, ready_conv_transpose
from refconv.tiled.rows import (
    COUNT,
    LINE_COLUMNS,
    LINE_OUT,
    LINE_SAME,
    LINE_TILES,
    LINE_X,
    OUT,
    OUT_STEP,
    ROW_OUT,
    ROW_RUN,
    ROW_RUN_END,
    ROW_X,
    STRIP_COUNT,
    STRIP_LANES,
    STRIP_OUT_STEP,
    STRIP_X_STEP,
    TAP,
    TAP_END,
    WINDOW,
    X_STEP,
    Steps,
    StripPlan,
    X,
    gradient_table,
    row_plan,
    steps_of,
    strip_plan,
)
from refconv.tiled.running import Launch, empty, flat, no_bias
from refconv.tiled.simd import (
    add,
    at,
    fma,
    get,
    lanes,
    lanes_of,
    least,
    load,
    load_some,
    put,
    quotient,
    registers,
    store,
    store_some,
    vector_bytes,
    vector_registers,
    zeros,
)
from refconv.tiled.windows import correlate, narrow, slide, slide_some, unknown, widen

Array = Any
Tile = Any
Sizes = Any

MOST_FILTERS = 8
"""Filters a channel that these kernels serve; more are a convolution in groups of one channel."""


# Outputs that are worth a kernel of their own.
_LEAST_WINDOW = 4
# What a plan is cut into, so that threads share it evenly.
_SHARES = 16
_ALL = 2**62
# Loads wait for stores that are still under way to an address like theirs, modulo `_PAGE` bytes. Where each row
# begins at such an address, a tile of several rows meets that all the time, and is half as fast. Tiles along a
# row do not meet it, but pay only if rows have some cells.
_PAGE, _LEAST_ROW = 4096, 56
# Outputs that the gradient to the weights sums up before it rounds to the sum of all.
_BLOCK = 256
_PARTS = 16
# Bytes of a cache line.
_LINE = 64


@inlined
def _cut(count: int, share: int, shares: int) -> tuple[int, int]:
    """Return the first and the end of a share of `count` things."""
    return quotient(count * share, shares), quotient(count * (share + 1), shares)


@inlined
def _read(array: Array, offset: int, v: int, rest: int, whole: bool) -> Any:
    """Read vector `v` from `offset` on, where `rest` numbers exist."""
    offset += v * lanes_of(array)
    return load(array, offset) if whole else load_some(array, offset, rest - v * lanes_of(array))


@inlined
def _read_data(data: Array, vectors: int, spread: Tile, x: Array, offset: int, rest: int, whole: bool) -> None:
    """Read a datum's channels, each as often as it has filters."""
    if len(spread) == 1:
        for v in range(vectors):
            put(data, v, _read(x, offset, v, rest, whole))
    elif whole:
        widen(data, load(x, offset))
    else:
        widen(data, load_some(x, offset, quotient(rest, len(spread))))


@inlined
def _write(
    sums: Array, first: int, vectors: int, gathered: Tile, offsets: Array, out: Array, place: int, rest: int,
    whole: bool,
) -> None:  # fmt: skip
    """Add the bias to the sums of an output, and store them."""
    if len(gathered) > 1:
        store_some(out, place, quotient(rest, len(gathered)), add(narrow(sums, first, gathered), get(offsets, 0)))
        return
    for v in range(vectors):
        step, total = v * lanes_of(out), add(get(sums, first + v), get(offsets, v))
        if whole:
            store(out, place + step, total)
        else:
            store_some(out, place + step, rest - step, total)


@inlined
def _outputs(
    vectors: Tile, spread: Tile, gathered: Tile, filters: int, begin_lane: int, end_lane: int, share: int, shares: int,
    strip: int, piece: int, tables: Array, x: Array, x0: int, weights: Array, bias: Array, out: Array, out0: int,
) -> None:  # fmt: skip
    """Fill a share of some lanes of a strip's piece, one output after another."""
    sums, offsets = registers(out, (0,), vectors), registers(out, (0,), vectors)
    factors, data = registers(out, (0,), vectors), registers(out, (0,), vectors)
    count, block = len(vectors), len(vectors) * lanes_of(out)
    length, segments = at(tables, strip + STRIP_LANES), at(tables, strip + STRIP_COUNT)
    first, last = _cut(at(tables, piece + COUNT) * segments, share, shares)
    for i in range(first, last):
        o = quotient(i, segments)
        segment = i - o * segments
        x_place = x0 + o * at(tables, piece + X_STEP) + segment * at(tables, strip + STRIP_X_STEP)
        place = out0 + o * at(tables, piece + OUT_STEP) + segment * at(tables, strip + STRIP_OUT_STEP)
        # The blocks that begin in the range.
        for lane in range(quotient(begin_lane + block - 1, block) * block, least(end_lane, length), block):
            c, rest = lane - quotient(lane, filters) * filters, length - lane
            for v in range(count if len(gathered) == 1 else 1):
                own, own_rest = quotient(c, len(gathered)), quotient(rest, len(gathered))
                put(offsets, v, _read(bias, own, v, own_rest, False))
            for v in range(count):
                put(sums, v, zeros(out))
            for r in range(at(tables, strip + ROW_RUN), at(tables, strip + ROW_RUN_END), 2):
                run_x, run_w = x_place + quotient(lane, len(spread)) + at(tables, r), at(tables, r + 1) + c
                for t in range(at(tables, piece + TAP), at(tables, piece + TAP_END), 2):
                    _read_data(data, count, spread, x, run_x + at(tables, t), rest, False)
                    for v in range(count):
                        put(factors, v, _read(weights, run_w + at(tables, t + 1), v, rest, False))
                        put(sums, v, fma(get(data, v), get(factors, v), get(sums, v)))
            _write(sums, 0, count, gathered, offsets, out, place + quotient(lane, len(gathered)), rest, False)


@inlined
def _tiles(
    tile_rows: Tile, tile_vectors: Tile, window: Tile, stride: Tile, spread: Tile, gathered: Tile, whole: Tile,
    along_lanes: int, filters: int, begin_lane: int, end_lane: int, share: int, shares: int, strip: int, piece: int,
    tables: Array, x: Array, x0: int, weights: Array, bias: Array, out: Array, out0: int,
) -> None:  # fmt: skip
    """Fill a share of some lanes of a strip's piece: a window, or not if `window` is shorter than two."""
    rows, vectors, multiple = len(tile_rows), len(tile_vectors), len(whole) > 0
    block = vectors * lanes_of(out)
    sums = registers(out, tile_rows, tile_vectors)
    factors, data = registers(out, (0,), tile_vectors), registers(out, (0,), tile_vectors)
    offsets = registers(out, (0,), tile_vectors)
    run, run_end = at(tables, strip + ROW_RUN), at(tables, strip + ROW_RUN_END)
    length, segments = at(tables, strip + STRIP_LANES), at(tables, strip + STRIP_COUNT)
    first_tap, tap_end = at(tables, piece + TAP), at(tables, piece + TAP_END)
    x_step, out_step, outputs = at(tables, piece + X_STEP), at(tables, piece + OUT_STEP), at(tables, piece + COUNT)
    distance, w0, w_step = np.int64(0), np.int64(0), np.int64(0)
    if len(window) > 1:
        x0, w0 = x0 + at(tables, first_tap), at(tables, first_tap + 1)
        distance = at(tables, first_tap + 2) - at(tables, first_tap)
        w_step = at(tables, first_tap + 3) - w0
    # The blocks that begin in the range.
    skipped = quotient(begin_lane + block - 1, block)
    blocks = quotient(least(end_lane, length) + block - 1, block) - skipped
    if blocks <= 0:
        return
    # A short last tile begins early and fills some outputs again, with the same bits; so does a last block.
    tiles, last_output = quotient(outputs + rows - 1, rows), outputs - rows
    last_lane = length - block if multiple else _ALL
    outers, inners, further = blocks, tiles, np.int64(0)
    x_more, out_more = rows * x_step, rows * out_step
    if along_lanes:
        outers, inners, further = tiles * segments, blocks, np.int64(block)
        x_more, out_more = np.int64(block // len(spread)), np.int64(block // len(gathered))
    c_more = further - quotient(further, filters) * filters
    first, last = _cut(outers * inners, share, shares)
    for outer in range(quotient(first, inners), quotient(last + inners - 1, inners)):
        begin, end = first - least(first, outer * inners), least(last - outer * inners, inners)
        # First all but the last one, at equal distances, then that.
        for turn in range(unknown(2)):
            inner, count = begin, end - 1 - begin
            if turn:
                inner, count = end - 1, np.int64(1)
            tile, segment, number = inner, np.int64(0), outer
            if along_lanes:
                tile, number = quotient(outer, segments), inner
                segment = outer - tile * segments
            o, lane = least(tile * rows, last_output), least((skipped + number) * block, last_lane)
            c = lane - quotient(lane, filters) * filters
            x_place = x0 + segment * at(tables, strip + STRIP_X_STEP) + o * x_step + quotient(lane, len(spread))
            place = out0 + segment * at(tables, strip + STRIP_OUT_STEP) + o * out_step + quotient(lane, len(gathered))
            for _ in range(count):
                # Read before anything is stored, or the compiler would read it again for each output.
                rest = length - lane
                for v in range(vectors if len(gathered) == 1 else 1):
                    own, own_rest = quotient(c, len(gathered)), quotient(rest, len(gathered))
                    put(offsets, v, _read(bias, own, v, own_rest, multiple and len(gathered) == 1))
                for i in range(rows * vectors):
                    put(sums, i, zeros(out))
                for r in range(run, run_end, 2):
                    run_x, run_w = x_place + at(tables, r), w0 + at(tables, r + 1) + c
                    if len(window) > 1:
                        if multiple:
                            slide(
                                sums, window, stride, x, run_x, unknown(distance), weights, run_w, unknown(w_step), rest
                            )  # fmt: skip
                        else:
                            slide_some(
                                sums, window, stride, x, run_x, unknown(distance), weights, run_w, unknown(w_step), rest
                            )  # fmt: skip
                    else:
                        for t in range(first_tap, tap_end, 2):
                            for v in range(vectors):
                                put(factors, v, _read(weights, run_w + at(tables, t + 1), v, rest, multiple))
                            for p in range(rows):
                                datum = run_x + at(tables, t) + p * x_step
                                _read_data(data, vectors, spread, x, datum, rest, multiple)
                                for v in range(vectors):
                                    i = p * vectors + v
                                    put(sums, i, fma(get(data, v), get(factors, v), get(sums, i)))
                step = unknown(out_step)
                for p in range(rows):
                    _write(sums, p * vectors, vectors, gathered, offsets, out, place + p * step, rest, multiple)
                x_place, place, lane, c = x_place + x_more, place + out_more, lane + further, c + c_more
                if c >= filters:
                    c -= filters


@inlined
def _line(
    line: int, piece: int, begin_lane: int, end_lane: int, tile_rows: Tile, tile_vectors: Tile, single: Tile,
    spread: Tile, gathered: Tile, whole: Tile, window: Tile, stride: Tile, sizes: Sizes, tables: Array, x: Array,
    weights: Array, bias: Array, out: Array,
) -> None:  # fmt: skip
    """Fill some lanes of a share of the outputs of a strip's piece."""
    _, _, _, along_lanes, least_outputs, row_strips, shares, rows, x_image, out_image, filters, _, _ = sizes
    place = quotient(line, row_strips)
    strip_of_row, place_of_row = line - place * row_strips, quotient(place, shares)
    share, image = place - place_of_row * shares, quotient(place_of_row, rows)
    strip = 8 * ((place_of_row - image * rows) * row_strips + strip_of_row)
    x0 = image * x_image + at(tables, strip + ROW_X) + at(tables, piece + X)
    out0 = image * out_image + at(tables, strip + ROW_OUT) + at(tables, piece + OUT)
    if at(tables, piece + COUNT) < least_outputs:
        if len(single) > 0:
            _outputs(
                single, spread, gathered, filters, begin_lane, end_lane, share, shares, strip, piece, tables, x, x0,
                weights, bias, out, out0,
            )  # fmt: skip
    elif len(window) > 1 and at(tables, piece + WINDOW):
        _tiles(
            tile_rows, (0,), window, stride, (0,), (0,), whole, along_lanes, filters, begin_lane, end_lane, share,
            shares, strip, piece, tables, x, x0, weights, bias, out, out0,
        )  # fmt: skip
    elif len(tile_vectors) > 0:
        _tiles(
            tile_rows, tile_vectors, (0,), stride, spread, gathered, whole, along_lanes, filters, begin_lane,
            end_lane, share, shares, strip, piece, tables, x, x0, weights, bias, out, out0,
        )  # fmt: skip


@inlined
def _fill_part(
    part: int, tile_rows: Tile, tile_vectors: Tile, single: Tile, spread: Tile, gathered: Tile, whole: Tile,
    window: Tile, stride: Tile, sizes: Sizes, tables: Array, x: Array, weights: Array, bias: Array, out: Array,
) -> None:  # fmt: skip
    """Fill the outputs of some lines."""
    first, last = _cut(sizes[1], part, sizes[0])
    begin_lane, step = np.int64(0), sizes[2]
    while begin_lane < sizes[10] or begin_lane == 0:
        for piece in range(sizes[11], sizes[12], 8):
            for line in range(first, last):
                _line(
                    line, piece, begin_lane, begin_lane + step, tile_rows, tile_vectors, single, spread, gathered,
                    whole, window, stride, sizes, tables, x, weights, bias, out,
                )  # fmt: skip
        begin_lane += step


@Kernel
def fill(
    team: Team, tile_rows: Tile, tile_vectors: Tile, single: Tile, spread: Tile, gathered: Tile, whole: Tile,
    window: Tile, stride: Tile, sizes: Sizes, tables: Array, x: Array, weights: Array, bias: Array, out: Array,
) -> None:  # fmt: skip
    """Fill the outputs of an elementwise layer.

    There are no windows if `window` is shorter than two, no other tiles of several rows without `tile_vectors`,
    and no rows by themselves without `single`.
    """
    arguments = (
        tile_rows, tile_vectors, single, spread, gathered, whole, window, stride, sizes, tables, x, weights,
        bias, out,
    )  # fmt: skip
    share_out(team, _fill_part, sizes[0], arguments)


@inlined
def _gradient_lines(
    row: int, same: int, image: int, share: int, c: int, tile_rows: Tile, tile_vectors: Tile, together: Tile,
    window: Tile, stride: Tile, spread: Tile, whole: Tile, sizes: Sizes, table: Array, x: Array, dy: Array, own: int,
    sums: Array,
) -> None:  # fmt: skip
    """Add what a block of channels gives to the sums from `own` on, in a share of the outputs of some like rows."""
    _, _, cuts, _, x_image, out_image, filters, _, _, _, first_piece, pieces = sizes
    count, vectors, multiple = len(tile_rows), len(tile_vectors), len(whole) > 0
    block, gradients = registers(sums, tile_rows, tile_vectors), registers(sums, together, (0,))
    gradient, data = registers(sums, (0,), tile_vectors), registers(sums, (0,), tile_vectors)
    rest = filters - c
    for number in range(pieces):
        piece, entry = first_piece + 8 * number, at(table, row + LINE_TILES) + 2 * number
        x_step, dy_step = at(table, piece + X_STEP), at(table, piece + OUT_STEP)
        x_piece = image * x_image + at(table, piece + X) + quotient(c, len(spread))
        dy_piece = image * out_image + at(table, piece + OUT) + c
        begin, end = _cut(at(table, piece + COUNT), share, cuts)
        for tile in range(at(table, entry), at(table, entry + 1), 2 * count):
            for i in range(count * vectors):
                put(block, i, zeros(sums))
            for line in range(row, row + LINE_COLUMNS * same, LINE_COLUMNS):
                x0, dy0 = x_piece + at(table, line + LINE_X), dy_piece + at(table, line + LINE_OUT)
                o = begin
                if len(window) > 1 and at(table, piece + WINDOW):
                    distance = at(table, tile + 2) - at(table, tile)
                    while o + len(together) <= end:
                        for p in range(len(together)):
                            put(gradients, p, _read(dy, dy0 + (o + p) * unknown(dy_step), 0, rest, multiple))
                        for t in range(0, count, len(window)):
                            datum = x0 + o * x_step + at(table, tile + 2 * t)
                            correlate(block, t, window, stride, whole, x, datum, unknown(distance), gradients, rest)
                        o += len(together)
                while o < end:
                    for v in range(vectors):
                        put(gradient, v, _read(dy, dy0 + o * dy_step, v, rest, multiple))
                    for t in range(count):
                        datum = x0 + o * x_step + at(table, tile + 2 * t)
                        _read_data(data, vectors, spread, x, datum, rest, multiple)
                        for v in range(vectors):
                            i = t * vectors + v
                            put(block, i, fma(get(data, v), get(gradient, v), get(block, i)))
                    o += 1
            for t in range(count):
                write = at(table, tile + 2 * t + 1)
                # A short last tile repeats a kernel element, which must be added once.
                if write >= 0:
                    for v in range(vectors):
                        offset, left = own + write + c + v * lanes_of(sums), rest - v * lanes_of(sums)
                        if multiple:
                            store(sums, offset, add(load(sums, offset), get(block, t * vectors + v)))
                        else:
                            total = add(load_some(sums, offset, left), get(block, t * vectors + v))
                            store_some(sums, offset, left, total)


@inlined
def _sum_up_part(
    item: int, tile_rows: Tile, tile_vectors: Tile, together: Tile, window: Tile, stride: Tile, spread: Tile,
    whole: Tile, sizes: Sizes, table: Array, x: Array, dy: Array, sums: Array,
) -> None:  # fmt: skip
    """Sum up what some lines give to the gradients of some channels' weights."""
    parts, lines, cuts, rows, filters, size, chunks, wide = (
        sizes[0], sizes[1], sizes[2], sizes[3], sizes[6], sizes[7], sizes[8], sizes[9]
    )  # fmt: skip
    part = quotient(item, chunks)
    chunk = item - part * chunks
    own, block = part * size, len(tile_vectors) * lanes_of(sums)
    first, last = _cut(lines, part, parts)
    first_c, end_c = _cut(quotient(filters + wide - 1, wide), chunk, chunks)
    # Some channels at a time, so that the first cache holds the rows that several outputs read.
    for begin in range(first_c * wide, least(end_c * wide, filters), wide):
        for c in range(begin, least(begin + wide, filters), lanes_of(sums)):
            for i in range(own + c, own + size, filters):
                store_some(sums, i, filters - c, zeros(sums))
        line = first
        while line < last:
            place = quotient(line, cuts)
            image = quotient(place, rows)
            row = LINE_COLUMNS * (place - image * rows)
            same = least(at(table, row + LINE_SAME), last - line)
            for c in range(begin, least(begin + wide, filters), block):
                _gradient_lines(
                    row, same, image, line - place * cuts, c, tile_rows, tile_vectors, together, window, stride,
                    spread, whole, sizes, table, x, dy, own, sums,
                )  # fmt: skip
            line += same


@Kernel
def sum_up(
    team: Team, tile_rows: Tile, tile_vectors: Tile, together: Tile, window: Tile, stride: Tile, spread: Tile,
    whole: Tile, sizes: Sizes, table: Array, x: Array, dy: Array, sums: Array, out: Array,
) -> None:  # fmt: skip
    """Fill the gradients to all weights; `sums` is room for those of each part."""
    parts, size, chunks = sizes[0], sizes[7], sizes[8]
    arguments = (tile_rows, tile_vectors, together, window, stride, spread, whole, sizes, table, x, dy, sums)
    share_out(team, _sum_up_part, parts * chunks, arguments)
    for i in range(0, size, lanes_of(sums)):
        total = load_some(sums, i, size - i)
        for part in range(1, parts):
            total = add(total, load_some(sums, part * size + i, size - i))
        store_some(out, i, size - i, total)


class Call(NamedTuple):
    """All arguments of `fill` but the arrays, and its multiply-adds.

    Those of `by_row` are for each row by itself. Where a vector may reach over several cells, weights and bias are
    repeated so that it finds its lanes in a row: `repeated` are the channels of such a row, and `repeated_bias` those
    of the bias.
    """

    arguments: tuple[Any, ...]
    work: int
    by_row: tuple[Any, ...]
    repeated: Array | None = None
    repeated_bias: Array | None = None


def _lengths(*lengths: int) -> tuple[tuple[int, ...], ...]:
    return tuple((0,) * length for length in lengths)


def _vectors(filters: int, lane_count: int) -> int:
    """Choose the vectors of a block that the channels are divided into, without a rest if they allow."""
    return next((v for v in (4, 2) if filters % (v * lane_count) == 0), 4)


@functools.lru_cache(maxsize=256)
def _fill_call(
    axes: tuple[AxisGeometry, ...], steps: Steps, batch: int, spread: int, gathered: int, filters: int, lane_count: int
) -> Call:
    multiplier, sums = max(spread, gathered), vector_registers() // 2
    channels = filters // spread, filters // gathered
    plan, sideways = _chosen_plan(axes, steps, channels, lane_count)
    single = multiplier if multiplier > 1 else _vectors(filters, lane_count)
    repeated = repeated_bias = None
    if filters % (single * lane_count) and plan.strips[:, STRIP_LANES].max() > filters:
        repeated = np.arange(filters + single * lane_count) % filters
        repeated_bias = np.arange(channels[1] + single * lane_count) % channels[1]
        steps = steps._replace(weights=tuple(step // filters * repeated.size for step in steps.weights))
        plan, sideways = _chosen_plan(axes, steps, channels, lane_count)
    counts, windows = plan.pieces[:, COUNT], plan.pieces[:, WINDOW] == 1
    if plan.window:
        # Sums, the kernel elements of a window, a datum or two.
        most = 6 if sideways else max(vector_registers() - plan.window.size - 2, 5)
        many = (14, 12, 8, 5, 4) if vector_registers() >= 32 else (11, 9, 7, 5, 4)
        fitting = [rows for rows in ((6, 5, 4) if sideways else many) if rows <= min(plan.widest, most)]
        rows = min(fitting, key=lambda rows: -(-plan.widest // rows) * (rows + 2))
    else:
        rows = min(max(sums // (2 * multiplier), 1), plan.widest)
    vectors = multiplier if (~windows & (counts >= rows)).any() else 0
    alone = _lengths(1, 0, single, spread, gathered, 0, 1, 1)
    single = single if (counts < rows).any() else 0
    whole = plan.strips[:, STRIP_LANES].min() >= multiplier * lane_count
    count = len(plan.strips) // plan.row_strips
    shares = -(-_SHARES // (batch * count))
    lines = batch * len(plan.strips) * shares
    # A cache line of channels at a time, so that the first cache holds the rows that its windows share.
    step = lane_count * _LINE // vector_bytes() if plan.window and not sideways else _ALL
    images = (_size(steps.reads, axes, "input_size"), _size(steps.writes, axes, "output_size"))
    along_lanes = int(step == _ALL)
    table, *pieces = _table(plan)
    sizes = (
        *(min(_SHARES, lines), lines, step, along_lanes, rows, plan.row_strips, shares, count, *images, filters),
        *pieces,
    )
    lengths = _lengths(rows, vectors, single, spread, gathered, int(whole), *(plan.window or (1, 1)))
    work = batch * math.prod(axis.output_size * axis.kernel_size for axis in axes) * filters
    by_row = (*alone, (*sizes[:4], _ALL, *sizes[5:]), table)
    return Call((*lengths, sizes, table), work, by_row, repeated, repeated_bias)


def _table(plan: StripPlan) -> tuple[Array, int, int]:
    """Return all tables of a plan in one, each number of a run or tap as its place there; first piece and end."""
    strips, pieces = plan.strips.copy(), plan.pieces.copy()
    first = strips.size + plan.runs.size
    end = first + pieces.size
    strips[:, [ROW_RUN, ROW_RUN_END]] = strips.size + 2 * strips[:, [ROW_RUN, ROW_RUN_END]]
    pieces[:, [TAP, TAP_END]] = end + 2 * pieces[:, [TAP, TAP_END]]
    table = np.concatenate([part.ravel() for part in (strips, plan.runs, pieces, plan.taps)])
    table.flags.writeable = False
    return table, first, end


def _chosen_plan(
    axes: tuple[AxisGeometry, ...], steps: Steps, channels: tuple[int, int], lane_count: int
) -> tuple[StripPlan, bool]:
    """Choose the axis that is gone along, and tell whether it is another one than the last."""
    last = len(axes) - 1
    # Windows need data that lie at the same distance, and several filters a channel none.
    least_window = _LEAST_WINDOW if channels[0] == channels[1] else None
    order = sorted(range(last), key=lambda d: (axes[d].kernel_size, d), reverse=True)
    if last and max(channels) % lane_count == 0 and axes[-1].output_size >= _LEAST_ROW:
        page = _PAGE * lane_count // vector_bytes()
        order.insert(0 if steps.reads[-2] % page == steps.writes[-2] % page == 0 else last, last)
    else:
        order.append(last)
    for along in order:
        plan = strip_plan(axes, steps, channels, along, least_window)
        if plan.window:
            return plan, along < last
    return strip_plan(axes, steps, channels, max(last - 1, 0), least_window), last > 0


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
    return _fill_call(axes, steps, batch, *times, filters, lane_count)


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
    return _fill_call(axes, steps, batch, 1, 1, channels, lane_count)


def _is_grouped(geometry: ConvGeometry, batch: int, channels: int, multiplier: int) -> bool:
    """Tell whether a convolution in groups is run instead: of nothing, for many filters, or of one channel.

    Of one channel, lanes over places keep none idle: 8192, k9 11 us instead of 27; 256x256, 3x3/2 75 instead of 103.
    But windows fill theirs, too, where rows are read whole: 256x256, 3x3 24 us instead of 52.
    """
    strided = any(axis.stride > 1 for axis in geometry.axes)
    return batch == 0 or multiplier > MOST_FILTERS or (channels == 1 and (geometry.rank == 1 or strided))


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
    if _is_grouped(geometry, batch, channels, multiplier):
        grouped, own_shape = ConvGeometry(geometry.axes, channels), (*geometry.kernel_size, 1, filters)
        convolve = ready_conv(grouped, batch, channels, filters, dtype)
        return lambda x, weights, bias, out: convolve(x, weights.reshape(own_shape), bias, out)
    shape = (batch, *geometry.output_size, filters)
    filling = _filling(
        _depthwise_call(geometry, batch, channels, multiplier, lanes(dtype), False), filters, filters, dtype
    )

    def call(x: Array, weights: Array, bias: Array | None, out: Array | None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        filling(x, weights, bias, out)
        return out

    return call


def _filling(
    call: Call, filters: int, written: int, dtype: np.dtype[Any]
) -> Callable[[Array, Array, Array | None, Array], None]:
    """Return what fills the last of its arguments, `written` channels a cell, by a call."""
    arguments, work, by_row, repeated, repeated_bias = call
    launch = Launch(fill, work, *arguments, meanwhile=by_row)
    if repeated is None or repeated_bias is None:
        none = no_bias(written, dtype)

        def fill_directly(x: Array, weights: Array, bias: Array | None, out: Array) -> None:
            offsets = none if bias is None else flat(bias)
            launch(flat(x), flat(weights), offsets, out.reshape(-1))

        return fill_directly
    zeros, most = no_bias(repeated_bias.size, dtype), repeated_bias

    def fill_repeated(x: Array, weights: Array, bias: Array | None, out: Array) -> None:
        rows = weights.reshape(-1, filters).take(repeated, axis=1)
        offsets = zeros if bias is None else flat(bias.take(most))
        launch(flat(x), flat(rows), offsets, out.reshape(-1))

    return fill_repeated


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
    if _is_grouped(geometry, batch, channels, multiplier):
        grouped = ConvGeometry(geometry.adjoint().axes, channels)
        own_shape = (*geometry.kernel_size, 1, channels * multiplier)
        back = ready_conv_transpose(grouped, batch, channels * multiplier, channels, dtype)
        return lambda dy, weights, out: back(dy, weights.reshape(own_shape), None, out)
    shape = (batch, *geometry.input_size, channels)
    own = _depthwise_call(geometry, batch, channels, multiplier, lanes(dtype), True)
    filling = _filling(own, channels * multiplier, channels, dtype)

    def call(dy: Array, weights: Array, out: Array | None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        filling(dy, weights, None, out)
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
def _gradient_call(
    geometry: ConvGeometry, batch: int, channels: int, multiplier: int, lane_count: int
) -> tuple[tuple[Any, ...], int]:
    """Return all arguments of `sum_up` but the arrays, and its multiply-adds."""
    filters = channels * multiplier
    steps = Steps(
        steps_of(geometry.input_size, channels),
        steps_of(geometry.output_size, filters),
        steps_of(geometry.kernel_size, filters),
        (0,) * geometry.rank,
    )
    plan = row_plan(geometry.axes, steps, _LEAST_WINDOW if multiplier == 1 else None)
    elements, most = math.prod(geometry.kernel_size), vector_registers() * 7 // 8
    together, vectors = 0, multiplier
    if plan.window:
        runs, size = elements // plan.window.size, plan.window.size
        # Sums of some runs and the gradients of some outputs are in registers, besides a datum or two.
        room = vector_registers() - 2
        fitting = [count for count in range(1, runs + 1) if count * size + 4 <= room] or [1]
        tile = size * min(fitting, key=lambda count: (-runs % count, -count))
        counts = [count for count in (8, 7, 6, 5, 4) if count <= min(room - tile, plan.widest)] or [4]
        together = min(counts, key=lambda count: plan.widest % count * 2 + plan.widest // count)
    else:
        if multiplier == 1 and elements <= most // 2 and filters % (2 * lane_count) == 0:
            vectors = 2
        elif multiplier > 1:
            most -= multiplier
        tile = -(-elements // -(-elements // max(most // vectors, 1)))
    whole = filters % (vectors * lane_count) == 0
    rows, cuts = len(plan.rows), -(-plan.widest // _BLOCK)
    lines = batch * rows * cuts
    images = (_size(steps.reads, geometry.axes, "input_size"), _size(steps.writes, geometry.axes, "output_size"))
    cells = batch * math.prod(geometry.output_size)
    parts, wide = min(_PARTS, lines, -(-cells // _BLOCK)), max(vectors, _LINE // vector_bytes()) * lane_count
    wide = -(-wide // (vectors * lane_count)) * vectors * lane_count
    chunks = min(-(-_PARTS // parts), -(-filters // wide))
    numbers = parts, lines, cuts, rows, *images, filters, elements * filters, chunks, wide
    lengths = _lengths(tile, vectors, max(together, 1), *(plan.window or (1, 1)), multiplier, int(whole))
    work = batch * math.prod(geometry.output_size) * elements * filters
    # As many rows at once as give no more outputs than a block.
    same = _BLOCK // plan.widest if cuts == 1 else 1
    table, *pieces = gradient_table(plan, tile, same)
    return (*lengths, (*numbers, *pieces), table), work


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
    # Sums over places leave lanes of one channel idle, whatever is read.
    if channels == 1 or _is_grouped(geometry, batch, channels, multiplier):
        grouped, own_shape = ConvGeometry(geometry.axes, channels), (*shape[:-2], 1, channels * multiplier)
        of_weights = ready_conv_grad_weights(grouped, batch, channels, channels * multiplier, dtype)

        def call_grouped(x: Array, dy: Array, out: Array | None) -> Array:
            if out is None:
                out = empty(shape, dtype)
            of_weights(x, dy, out.reshape(own_shape))
            return out

        return call_grouped
    arguments, work = _gradient_call(geometry, batch, channels, multiplier, lanes(dtype))
    parts = arguments[7][0]
    launch = Launch(sum_up, work, *arguments)

    def call(x: Array, dy: Array, out: Array | None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        launch(flat(x), flat(dy), empty((parts * out.size,), dtype), out.reshape(-1))
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
