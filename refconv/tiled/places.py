"""The contraction turned round, for few filters or few channels: lanes over neighbouring places.

With three filters, thirteen of sixteen lanes would be idle. Here the data are first turned to (channel, place),
padded: all cells of all images, padding included, are numbered through, so that the outputs of an image read
neighbouring places across the ends of its lines. The rows of a tile are filters, and its lanes places::

    sums[filter, lane] += weights[filter, i] * turned[place + lane + reads[i]]

The places between the lines are computed with the others, and not written. A weight gradient multiplies place by
place, too, and adds up the lanes in the end::

    sums[row, filter, lane] += turned_x[place + lane + row_reads[row]] * turned_dy[filter, place + lane]

Padding is multiplied here. It is zero, and so is what it adds, unless it meets a NaN or an infinity: the caller
looks for these, in the weights or in the gradient that comes out, and then takes the other contraction.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np

from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.jit.launch import Kernel
from refconv.jit.parts import called, inlined
from refconv.jit.shares import Team, share_out
from refconv.tiled.contraction import Array, Sizes, Tile, clear, fetch, set_aside
from refconv.tiled.links import AxisClass, Indices, axis_classes
from refconv.tiled.plan import LONGEST_CHAIN, SHORTEST_CHAIN, Positions, steps_of
from refconv.tiled.simd import (
    add,
    at,
    broadcast,
    fma,
    get,
    lanes_of,
    load,
    load_some,
    put,
    registers,
    set_at,
    square,
    store_some,
    total,
    transpose,
    zeros,
)

# Columns of the segments.
SEGMENT_COLUMNS = 7
BLOCK, BLOCKS, OUTPUTS, PRODUCT, PRODUCT_END, CHAIN, OUT_STEP = range(SEGMENT_COLUMNS)

# Fewer channels or filters than this are copied one by one, not by squares.
FEW = 4

# Places that one line may leave between its outputs and those of the next, to go on with it.
GAP = 32


class Turned(NamedTuple):
    """How padded data are laid out, in places.

    Attributes
    ----------
    sources : ndarray, shape (lines,)
        Offset of each line's data, -1 where all of the line is padding.
    before, length, pitch : int
        Of a line: zeros, then data, then zeros up to the next line.
    plane : int
        From one channel to the next.
    """

    sources: Indices
    before: int
    length: int
    pitch: int
    plane: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """Lines, and the numbers."""
        return (self.sources.size, *self[1:])


class PlacesPlan(NamedTuple):
    """Tables of the contraction with lanes over places.

    Attributes
    ----------
    segments : ndarray, shape (segments, 7)
        First block and how many; outputs of a line; first product and end; products of a chain; from one output to
        the next.
    blocks : ndarray, shape (blocks, 3)
        First place; first line with outputs in the block, and end.
    lines : ndarray, shape (lines, 2)
        Place and offset of each line's first output.
    filters : ndarray, shape (row tiles * rows of a tile,)
        Offset of each filter into the weights; a short last tile repeats the last filter.
    products : ndarray, shape (products, 2)
        Offsets into the turned data and into the weights.
    """

    segments: Indices
    blocks: Indices
    lines: Indices
    filters: Indices
    products: Indices


def padded_axis(axis: AxisGeometry) -> AxisGeometry:
    """Return the axis with its padding as data: so many cells that no output reads beyond them.

    Examples
    --------
    >>> padded_axis(AxisGeometry(5, 3, pad_before=1, pad_after=1))[:6]
    (7, 3, 1, 1, 0, 0)
    """
    before, after = (max(0, -(-pad // axis.input_dilation)) for pad in (axis.pad_before, axis.pad_after))
    return axis._replace(
        input_size=axis.input_size + before + after,
        pad_before=axis.pad_before - before * axis.input_dilation,
        pad_after=axis.pad_after - after * axis.input_dilation,
    )


def _cells_before(axis: AxisGeometry) -> int:
    return max(0, -(-axis.pad_before // axis.input_dilation))


def padded_classes(axis: AxisGeometry) -> tuple[AxisClass, ...]:
    """Return the classes of an axis whose padding is data: one for each phase."""
    return axis_classes(padded_axis(axis))


def fits(geometry: ConvGeometry) -> bool:
    """Tell whether the outputs of every line and phase read neighbouring data.

    Examples
    --------
    >>> fits(ConvGeometry((AxisGeometry(9, 3, stride=2),))), fits(ConvGeometry((AxisGeometry.transposed(9, 3, 2),)))
    (False, True)
    """
    return geometry.groups == 1 and all(
        c.taps.size == 0 or (np.diff(c.firsts) == 1).all() for c in padded_classes(geometry.axes[-1])
    )


def turned(geometry: ConvGeometry, batch: int, channels: int, lanes: int) -> Turned:
    """Lay out the padded input of a convolution."""
    before = [_cells_before(axis) for axis in geometry.axes]
    sizes = [padded_axis(axis).input_size for axis in geometry.axes]
    return _laid_out(geometry.input_size, before, sizes, batch, channels, lanes)


def turned_outputs(geometry: ConvGeometry, batch: int, filters: int, lanes: int) -> Turned:
    """Lay out the outputs of a convolution with stride 1, each at the lowest place that it reads."""
    sizes = [padded_axis(axis).input_size for axis in geometry.axes]
    firsts = [int(_lowest(padded_classes(axis)[0])[0]) for axis in geometry.axes]
    return _laid_out(geometry.output_size, firsts, sizes, batch, filters, lanes)


def _lowest(c: AxisClass) -> Indices:
    """Return the lowest datum that each output of a class reads."""
    return c.firsts + c.steps.min()


def _laid_out(
    data: tuple[int, ...], before: list[int], sizes: list[int], batch: int, channels: int, lanes: int
) -> Turned:
    steps = steps_of(data, channels)
    sources = np.arange(batch) * steps[0]
    for size, first, padded, step in zip(data[:-1], before[:-1], sizes[:-1], steps[1:-1], strict=True):
        cells = np.arange(padded) - first
        inside = (cells >= 0) & (cells < size)
        sources = np.where((sources[:, None] >= 0) & inside, sources[:, None] + cells * step, -1).ravel()
    vectors = -(-batch * math.prod(sizes) // lanes)
    # An odd number of vectors, so that the channels do not fall into the same lines of the cache.
    return Turned(sources, before[-1], data[-1], sizes[-1], (vectors | 1) * lanes)


def places_plan(
    geometry: ConvGeometry,
    batch: int,
    channels: int,
    filters: int,
    rows: int,
    width: int,
    plane: int,
    transposed: bool,
) -> PlacesPlan:
    """Plan a convolution in tiles of `rows` filters and `width` places."""
    sizes = [padded_axis(axis).input_size for axis in geometry.axes]
    read_steps = steps_of(sizes, 1)
    write_steps = steps_of(geometry.output_size, filters)
    tap_steps = steps_of(geometry.kernel_size, channels * filters)
    channel_step = 1 if transposed else filters
    images = Positions(np.arange(batch) * read_steps[0], np.arange(batch) * write_steps[0])
    every = [padded_classes(axis) for axis in geometry.axes]
    segments, all_blocks, all_lines, all_products = [], [], [], []
    block_count = line_count = product_count = 0
    for classes in itertools.product(*every):
        last = classes[-1]
        starts, products = images, np.zeros((1, 2), np.int64)
        reads_nothing = not all(c.taps.size for c in classes)
        # A line starts at the first output of its class on the last axis; an output that reads nothing is a line.
        along = slice(None if reads_nothing else 1)
        places = [*classes[:-1], last._replace(outputs=last.outputs[along], firsts=last.firsts[along])]
        outputs = 1 if reads_nothing else last.outputs.size
        for c, read, write, tap in zip(places, read_steps[1:], write_steps[1:], tap_steps[1:], strict=True):
            starts = starts.with_inner(Positions(c.firsts * read, c.outputs * write))
            products = (products[:, None] + np.stack([c.steps * read, c.taps * tap], axis=1)).reshape(-1, 2)
        of_channels = np.arange(channels)[:, None] * np.array([plane, channel_step])
        products = (of_channels[:, None] + products).reshape(-1, 2)
        chain = chain_length(len(products))
        step = int(last.outputs[1] - last.outputs[0]) * write_steps[-1] if outputs > 1 else 0
        if reads_nothing:
            starts = Positions(np.arange(starts.count), starts.writes)
        blocks = _blocks(starts.reads, outputs, width)
        blocks[:, 1:] += line_count
        segments.append((block_count, len(blocks), outputs, product_count, product_count + len(products), chain, step))
        all_blocks.append(blocks)
        all_lines.append(np.stack([starts.reads, starts.writes], axis=1))
        all_products.append(products)
        block_count, line_count, product_count = (
            block_count + len(blocks), line_count + starts.count, product_count + len(products)
        )  # fmt: skip
    of_filters = np.minimum(np.arange(-(-filters // rows) * rows), filters - 1) * (channels if transposed else 1)
    tables = (
        np.array(segments, np.int64),
        np.concatenate(all_blocks),
        np.concatenate(all_lines),
        of_filters,
        np.concatenate(all_products),
    )
    for table in tables:
        table.flags.writeable = False
    return PlacesPlan(*tables)


def chain_length(products: int) -> int:
    """Return how many products are added up at once, see `refconv.tiled.plan.chains`."""
    return min(LONGEST_CHAIN, max(SHORTEST_CHAIN, -(-products // 3)))


def _blocks(starts: Indices, outputs: int, width: int) -> Indices:
    """Cover lines that start at `starts` with blocks of `width` places, from line to line where they lie close."""
    ends = starts + outputs
    apart = np.flatnonzero(starts[1:] - ends[:-1] > GAP) + 1
    firsts, lasts = starts[np.r_[0, apart]], ends[np.r_[apart - 1, len(ends) - 1]]
    counts = -(-(lasts - firsts) // width)
    number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    places = np.repeat(firsts, counts) + number * width
    begin, end = np.searchsorted(ends, places, "right"), np.searchsorted(starts, places + width, "left")
    return np.stack([places, begin, end], axis=1)[begin < end]


@inlined
def fill(array: Array, first: int, count: int) -> None:
    """Write zeros."""
    lanes = lanes_of(array)
    for i in range(0, count, lanes):
        store_some(array, first + i, count - i, zeros(array))


@called
def turn_square(a: Array, a0: int, a_step: int, rows: int, b: Array, b0: int, b_step: int, columns: int) -> None:
    """Copy ``a[i, j]`` to ``b[j, i]``, for as many of `rows` and `columns` as a vector has lanes."""
    lanes = lanes_of(b)
    block = square(b)
    for i in range(lanes):
        put(block, i, load_some(a, a0 + i * a_step, columns if i < rows else 0))
    transpose(block)
    for j in range(lanes):
        store_some(b, b0 + j * b_step, rows if j < columns else 0, get(block, j))


@called
def turn(item: int, items: int, sizes: Sizes, sources: Array, channels: int, x: Array, turned: Array) -> None:
    """Lay out some lines of `x` (line, cell, channel) as (channel, place), with zeros around them."""
    lines, before, length, pitch, plane = sizes
    lanes = lanes_of(turned)
    for line in range(lines * item // items, lines * (item + 1) // items):
        source, place = at(sources, line), line * pitch
        data = length if source >= 0 else 0
        for c in range(channels):
            fill(turned, c * plane + place, pitch)
        place += before
        c = 0
        if channels == 1:
            c = 1
            for i in range(0, data, lanes):
                store_some(turned, place + i, data - i, load_some(x, source + i, data - i))
        while channels - c >= FEW:
            for i in range(0, data, lanes):
                turn_square(
                    x, source + i * channels + c, channels, data - i,
                    turned, c * plane + place + i, plane, channels - c,
                )  # fmt: skip
            c += lanes
        for rest in range(c, channels):
            for i in range(data):
                set_at(turned, rest * plane + place + i, at(x, source + i * channels + rest))
    if item == 0:
        for c in range(channels):
            fill(turned, c * plane + lines * pitch, plane - lines * pitch)
        fill(turned, channels * plane, turned.size - channels * plane)


@called
def write_line(
    sums: Array, source: int, width: int, outputs: int, filters: int, out: Array, out0: int, step: int
) -> None:
    """Write sums (filter, place) as outputs (place, filter), `step` apart."""
    lanes = lanes_of(out)
    f = 0
    if step == 1:
        f = 1
        for j in range(0, outputs, lanes):
            store_some(out, out0 + j, outputs - j, load_some(sums, source + j, outputs - j))
    while filters - f >= FEW:
        for j in range(0, outputs, lanes):
            turn_square(
                sums, source + f * width + j, width, filters - f,
                out, out0 + j * step + f, step, outputs - j,
            )  # fmt: skip
        f += lanes
    for g in range(f, filters):
        for j in range(outputs):
            set_at(out, out0 + j * step + g, at(sums, source + g * width + j))


@inlined
def _convolve_chunk(
    chunk: int, tile_rows: Tile, tile_vectors: Tile, sizes: Sizes, segments: Array, blocks: Array, lines: Array,
    filter_offsets: Array, products: Array, weights: Array, bias: Array, turned: Array, scratch: Array, out: Array,
) -> None:  # fmt: skip
    """Fill the outputs of one chunk of places from turned data."""
    _, chunks, _, filters = sizes
    rows, vectors = len(tile_rows), len(tile_vectors)
    width = vectors * lanes_of(out)
    place = chunk * filter_offsets.size * width
    sums, factors = registers(out, tile_rows, tile_vectors), registers(out, (0,), tile_vectors)
    for s in range(segments.shape[0]):
        segment = s * SEGMENT_COLUMNS
        outputs, step = at(segments, segment + OUTPUTS), at(segments, segment + OUT_STEP)
        first, end = at(segments, segment + PRODUCT), at(segments, segment + PRODUCT_END)
        chain, count = at(segments, segment + CHAIN), at(segments, segment + BLOCKS)
        for b in range(count * chunk // chunks, count * (chunk + 1) // chunks):
            block = 3 * (at(segments, segment + BLOCK) + b)
            begin = at(blocks, block)
            for f in range(0, filters, rows):
                # Outputs that read nothing have one empty chain.
                for product in range(first, max(end, first + 1), chain):
                    clear(sums, rows * vectors, out)
                    for i in range(product, min(product + chain, end)):
                        datum, weight = begin + at(products, 2 * i), at(products, 2 * i + 1)
                        for v in range(vectors):
                            put(factors, v, load(turned, datum + v * lanes_of(out)))
                        for p in range(rows):
                            factor = broadcast(weights, at(filter_offsets, f + p) + weight)
                            for v in range(vectors):
                                put(sums, p * vectors + v, fma(factor, get(factors, v), get(sums, p * vectors + v)))
                    if product > first:
                        fetch(sums, rows * vectors, scratch, place + f * width)
                    if product + chain >= end:
                        for p in range(rows):
                            put(factors, 0, broadcast(bias, min(f + p, filters - 1)))
                            for v in range(vectors):
                                put(sums, p * vectors + v, add(get(sums, p * vectors + v), get(factors, 0)))
                    set_aside(sums, rows * vectors, scratch, place + f * width)
            for line in range(at(blocks, block + 1), at(blocks, block + 2)):
                lane = at(lines, 2 * line) - begin
                skipped = max(0, -lane)
                lane += skipped
                write_line(
                    scratch, place + lane, width, min(width - lane, outputs - skipped), filters,
                    out, at(lines, 2 * line + 1) + skipped * step, step,
                )  # fmt: skip


@Kernel
def convolve_places(
    team: Team, tile_rows: Tile, tile_vectors: Tile, sizes: Sizes, layout: Sizes, sources: Array, segments: Array,
    blocks: Array, lines: Array, filter_offsets: Array, products: Array, x: Array, weights: Array, bias: Array,
    turned: Array, scratch: Array, out: Array,
) -> None:  # fmt: skip
    """Fill the outputs of a convolution: the data are turned, then one chunk of places after another is computed."""
    turns, chunks, channels, _ = sizes
    share_out(team, turn, turns, (turns, layout, sources, channels, x, turned))
    arguments = (
        tile_rows, tile_vectors, sizes, segments, blocks, lines, filter_offsets, products, weights, bias, turned,
        scratch, out,
    )  # fmt: skip
    share_out(team, _convolve_chunk, chunks, arguments)


@inlined
def _turn_either(
    item: int, sizes: Sizes, x_layout: Sizes, x_sources: Array, dy_layout: Sizes, dy_sources: Array, x: Array,
    dy: Array, turned_x: Array, turned_dy: Array,
) -> None:  # fmt: skip
    """Turn some lines of one operand."""
    turns, channels, filters = sizes[0], sizes[3], sizes[4]
    if item < turns:
        turn(item, turns, x_layout, x_sources, channels, x, turned_x)
    else:
        turn(item - turns, turns, dy_layout, dy_sources, filters, dy, turned_dy)


@inlined
def _multiply_share(
    share: int, tile_rows: Tile, tile_vectors: Tile, sizes: Sizes, reads: Array, dy_reads: Array, turned_x: Array,
    turned_dy: Array, scratch: Array, out: Array,
) -> None:  # fmt: skip
    """Multiply some places of turned operands, for some tiles."""
    _, owners, parts, _, _, places, together = sizes
    tile_size = len(tile_rows) * len(tile_vectors) * lanes_of(out)
    filter_blocks = dy_reads.size // len(tile_vectors)
    tiles = reads.size // len(tile_rows) * filter_blocks
    rows, vectors, lanes = len(tile_rows), len(tile_vectors), lanes_of(out)
    owner, part = share % owners, share // owners
    begin, end = places * part // parts, places * (part + 1) // parts
    sums, factors = registers(out, tile_rows, tile_vectors), registers(out, (0,), tile_vectors)
    for block in range(begin, end, together):
        for tile in range(tiles * owner // owners, tiles * (owner + 1) // owners):
            row, f = tile // filter_blocks * rows, tile % filter_blocks * vectors
            clear(sums, rows * vectors, out)
            for k in range(block, min(block + together, end)):
                for v in range(vectors):
                    put(factors, v, load(turned_dy, at(dy_reads, f + v) + k * lanes))
                for p in range(rows):
                    data = load(turned_x, at(reads, row + p) + k * lanes)
                    for v in range(vectors):
                        put(sums, p * vectors + v, fma(data, get(factors, v), get(sums, p * vectors + v)))
            place = (part * tiles + tile) * tile_size
            if block > begin:
                fetch(sums, rows * vectors, scratch, place)
            set_aside(sums, rows * vectors, scratch, place)


@Kernel
def gradient_places(
    team: Team, tile_rows: Tile, tile_vectors: Tile, sizes: Sizes, x_layout: Sizes, x_sources: Array, dy_layout: Sizes,
    dy_sources: Array, reads: Array, writes: Array, dy_reads: Array, x: Array, dy: Array, turned_x: Array,
    turned_dy: Array, scratch: Array, out: Array,
) -> None:  # fmt: skip
    """Fill the gradient of a convolution's weights: both operands are turned, multiplied place by place, added up."""
    turns, owners, parts, _, filters, _, _ = sizes
    operands = (sizes, x_layout, x_sources, dy_layout, dy_sources, x, dy, turned_x, turned_dy)
    share_out(team, _turn_either, 2 * turns, operands)
    arguments = (tile_rows, tile_vectors, sizes, reads, dy_reads, turned_x, turned_dy, scratch, out)
    share_out(team, _multiply_share, owners * parts, arguments)
    tile_size = len(tile_rows) * len(tile_vectors) * lanes_of(out)
    filter_blocks = dy_reads.size // len(tile_vectors)
    tiles = reads.size // len(tile_rows) * filter_blocks
    for tile in range(tiles):
        row, f = tile // filter_blocks * len(tile_rows), tile % filter_blocks * len(tile_vectors)
        for i in range(len(tile_rows) * len(tile_vectors)):
            p, v = i // len(tile_vectors), i % len(tile_vectors)
            if at(writes, row + p) >= 0 and f + v < filters:
                place = tile * tile_size + i * lanes_of(out)
                sum_of_parts = load(scratch, place)
                for part in range(1, parts):
                    sum_of_parts = add(sum_of_parts, load(scratch, place + part * tiles * tile_size))
                set_at(out, at(writes, row + p) + f + v, total(sum_of_parts))


class GradientTables(NamedTuple):
    """Tables of a weight gradient with lanes over places.

    Attributes
    ----------
    reads, writes : ndarray, shape (row tiles * rows of a tile,)
        Offset of each row's kernel element and channel into the turned data, and of its weights, -1 where the row is
        not used.
    dy_reads : ndarray, shape (filter blocks * vectors of a tile,)
        Offset of each filter into the turned gradient.
    """

    reads: Indices
    writes: Indices
    dy_reads: Indices


def gradient_tables(
    geometry: ConvGeometry, batch: int, channels: int, filters: int, rows: int, vectors: int, x: Turned, dy: Turned
) -> tuple[GradientTables, int]:
    """Plan the gradient of a convolution's weights, all of whose strides are 1, in tiles of `rows` and `vectors`.

    Returns
    -------
    tables : GradientTables
    places : int
        From the first output to the last.
    """
    sizes = [padded_axis(axis).input_size for axis in geometry.axes]
    steps = steps_of(sizes, 1)
    elements, taps = np.zeros(1, np.int64), np.zeros(1, np.int64)
    last_place = (batch - 1) * steps[0]
    for axis, step, tap_step in zip(geometry.axes, steps[1:], steps_of(geometry.kernel_size, 1)[1:], strict=True):
        (only,) = padded_classes(axis)
        elements = (elements[:, None] + (only.steps - only.steps.min()) * step).ravel()
        taps = (taps[:, None] + only.taps * tap_step).ravel()
        last_place += int(_lowest(only)[-1]) * step
    used = elements.size * channels
    reads = (elements[:, None] + np.arange(channels) * x.plane).ravel()
    writes = (taps[:, None] * channels + np.arange(channels)).ravel() * filters
    row = np.arange(-(-used // rows) * rows)
    filled = np.minimum(row, used - 1)
    of_filters = np.minimum(np.arange(-(-filters // vectors) * vectors), filters - 1) * dy.plane
    tables = reads[filled], np.where(row < used, writes[filled], -1), of_filters
    for table in tables:
        table.flags.writeable = False
    return GradientTables(*tables), last_place + 1


def fits_gradient(geometry: ConvGeometry) -> bool:
    """Tell whether all outputs read neighbouring data, along every axis."""
    return geometry.groups == 1 and all(
        len(classes) == 1 and classes[0].taps.size == axis.kernel_size and bool((np.diff(classes[0].firsts) == 1).all())
        for axis in geometry.axes
        for classes in [padded_classes(axis)]
    )
