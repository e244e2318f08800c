"""The contraction kernel element by kernel element, for small maps with many channels.

A map of 7x7 has nine classes of outputs, most of them so few that they leave half a tile empty; and the weights
of a block of filters are more than the cache holds, so that every tile would fetch them anew. Here one kernel
element comes after another. The outputs that read data through it are all of the map but a line or two, whichever
their class, and fill their tiles. Its weights, or some channels of them, are laid out once for all these tiles,
small enough to stay near the processor. Sums wait in the output for the next element, and that is where their chains
end. A sum's terms have a fixed order here, too: bias first, then the chains in the order of the weights.

Measured on Zen 4 with AVX-512, two threads, 3x3 on 7x7x512, GFLOP/s: by classes 130 forward and 100 transposed; by
elements 215 and 190. With the weights copied side by side first, 130: they are read where they stand. Transposed
weights are turned strip by strip; all of them before, 120; without asking for the next strip while the tiles of one
are summed, 165. On 28x28x128 two threads with one block of filters each reach 145, with one half of the outputs each
226: they must not write alternate cache lines.

Where an element is the first to meet its outputs, its sums begin with the bias, and what stands there is not read:
transposed 3x3/3 on 28x28x64 from 212 to 220.

With AVX2 a block of filters is but a cache line wide, and is copied side by side strip by strip, else its lines
would keep to a few sets of the cache: 7x7x512 forward and transposed 195, by classes 115 and 105.

Asking for weights takes 8 instructions beside 12 multiply-adds of AVX2. Alone on a processor that costs nothing, but
where a neighbour shares it, 14x14x256 then fell to 100. Only the first tiles ask, as many as it takes: 140. With
AVX-512 1 to 3 % faster as well; there, a few lines at a time for all tiles alike lost 10 to 20 % on 7x7x512.
So it pays for transposed layers of 28x28x64 with AVX2, 3 to 8 % (packing on one thread takes 5 microseconds, but the
other one has to fetch what it packed: 25); for 3x3/2 on 112x112x64 the classes are faster by 5 % forward.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

from refconv.geometry import ConvGeometry
from refconv.jit.launch import Kernel
from refconv.jit.parts import inlined
from refconv.jit.shares import Team, share_out
from refconv.tiled.contraction import Array, Sizes, Tile, sum_up
from refconv.tiled.links import Indices, axis_links
from refconv.tiled.packing import transpose_square
from refconv.tiled.plan import LONGEST_CHAIN, Positions, steps_of
from refconv.tiled.simd import (
    add,
    at,
    broadcast,
    fma,
    get,
    lanes_of,
    load,
    prefetch,
    put,
    registers,
    store,
    vector_bytes,
    zeros,
)

# Columns of the segments.
ELEMENT_COLUMNS = 6
FIRST_TILE, TILE_COUNT, ELEMENT, CHANNEL, STEPS, FRESH = range(ELEMENT_COLUMNS)

# How a strip of weights is read: where it stands, copied side by side, or transposed.
IN_PLACE, COPIED, TRANSPOSED = range(3)

# Vectors of a cache line.
LINE_VECTORS = 64 // vector_bytes()

# Channels of a chain are a multiple of these, so that they fill squares of vectors.
_SQUARE = 16


class ElementsPlan(NamedTuple):
    """Tables of the contraction by kernel elements.

    Attributes
    ----------
    chunks : ndarray, shape (chunks, 4)
        First segment of each chunk of the outputs, and end; offsets into what is read and what is written.
    segments : ndarray, shape (segments, 6)
        First tile and how many; kernel element, first channel, channels; whether nothing was written to its
        outputs before, so that its sums begin with the bias and nothing is added.
    reads, writes : ndarray, shape (tiles * rows of a tile,)
        Offsets of each row of each tile; a short last tile repeats its last output.
    """

    chunks: Indices
    segments: Indices
    reads: Indices
    writes: Indices


def chain_steps(channels: int) -> int:
    """Return how many channels a chain has; the last one of an element has as many at most.

    Examples
    --------
    >>> chain_steps(512), chain_steps(100)
    (176, 112)
    """
    pieces = -(-channels // LONGEST_CHAIN)
    return -(-channels // (pieces * _SQUARE)) * _SQUARE


def elements_plan(
    geometry: ConvGeometry, batch: int, channels: int, filters: int, rows: int, images: int, pieces: int
) -> ElementsPlan:
    """Plan a convolution; see `refconv.tiled.plan.conv_plan`.

    Parameters
    ----------
    images : int
        Images that a chunk of the outputs holds, or pieces of them.
    pieces : int
        Chunks that as many images are cut into, along themselves and the first axis.
    """
    tables = _Tables(geometry, channels, filters, rows)
    read_step, write_step = (steps_of(sizes, n)[0] for sizes, n in _ends(geometry, channels, filters))
    chunks: list[tuple[int, ...]] = []
    for count in sorted({min(images, batch), batch % images} - {0}, reverse=True):
        shares = [tables.add(piece, pieces, count) for piece in range(pieces)]
        firsts = range(0, batch - count + 1, images) if count == min(images, batch) else [batch - count]
        chunks += [(*share, first * read_step, first * write_step) for first in firsts for share in shares]
    return tables.plan(chunks)


def _ends(geometry: ConvGeometry, channels: int, filters: int) -> tuple[tuple[tuple[int, ...], int], ...]:
    return (geometry.input_size, channels), (geometry.output_size, filters)


class _Tables:
    """A plan that grows by one chunk after another."""

    def __init__(self, geometry: ConvGeometry, channels: int, filters: int, rows: int) -> None:
        self._geometry, self._rows = geometry, rows
        self._reads, self._writes = (steps_of(sizes, n) for sizes, n in _ends(geometry, channels, filters))
        self._links = [axis_links(axis) for axis in geometry.axes]
        own_channels = channels // geometry.groups
        step = chain_steps(own_channels)
        self._chains = [(first, min(step, own_channels - first)) for first in range(0, own_channels, step)]
        self._segments: list[tuple[int, ...]] = []
        self._positions: list[Positions] = []
        self._tiles = 0

    def add(self, piece: int, pieces: int, images: int) -> tuple[int, int]:
        """Add a piece of some images; return its first segment and the end."""
        first_segment = len(self._segments)
        sizes = self._geometry.output_size
        lines = np.arange(images * sizes[0] * piece // pieces, images * sizes[0] * (piece + 1) // pieces)
        image, line = np.divmod(lines, sizes[0])
        elements = []
        for element in itertools.product(*map(range, self._geometry.kernel_size)):
            links = [link[:, k] for link, k in zip(self._links, element, strict=True)]
            elements.append(self._outputs(image, line, links))
        every = self._outputs(image, line, [np.zeros(size, np.int64) for size in sizes])
        # An element that meets no output which another one has met adds to the bias.
        cells = [(outputs.writes - every.writes[0]) // self._writes[-1] for outputs in elements]
        met, written = np.zeros((2, every.count), np.bool_)
        fresh = []
        for own in cells:
            fresh.append(not met[own].any())
            met[own] = True
            written[own] |= fresh[-1]
        # What is left gets its bias by itself.
        self._add_tiles(every.part(~written), 0, [(0, 0)], True)
        for number, (outputs, is_fresh) in enumerate(zip(elements, fresh, strict=True)):
            self._add_tiles(outputs, number, self._chains, is_fresh)
        return first_segment, len(self._segments)

    def _outputs(self, image: Indices, line: Indices, links: list[Indices]) -> Positions:
        kept = links[0][line] >= 0
        image, line = image[kept], line[kept]
        outputs = Positions(
            image * self._reads[0] + links[0][line] * self._reads[1], image * self._writes[0] + line * self._writes[1]
        )
        for link, read, write in zip(links[1:], self._reads[2:], self._writes[2:], strict=True):
            (place,) = np.nonzero(link >= 0)
            outputs = outputs.with_inner(Positions(link[place] * read, place * write))
        return outputs

    def _add_tiles(self, outputs: Positions, number: int, chains: list[tuple[int, int]], fresh: bool) -> None:
        count = -(-outputs.count // self._rows)
        if count:
            filled = np.minimum(np.arange(count * self._rows), outputs.count - 1)
            self._positions.append(Positions(outputs.reads[filled], outputs.writes[filled]))
            self._segments += [
                (self._tiles, count, number, first, steps, int(fresh and first == 0)) for first, steps in chains
            ]
            self._tiles += count

    def plan(self, chunks: list[tuple[int, ...]]) -> ElementsPlan:
        """Return the tables, read-only."""
        tables = (
            np.array(chunks, np.int64),
            np.array(self._segments, np.int64).reshape(-1, ELEMENT_COLUMNS),
            np.concatenate([np.zeros(0, np.int64), *(each.reads for each in self._positions)]),
            np.concatenate([np.zeros(0, np.int64), *(each.writes for each in self._positions)]),
        )
        for table in tables:
            table.flags.writeable = False
        return ElementsPlan(*tables)


@inlined
def sum_ahead(
    sums: Any, factors: Any, rows: int, vectors: int, steps: int, x: Array, reads: Array, tile: int, x0: int,
    strip: Array, place: int, step: int, weights: Array, ahead: int, ahead_step: int, height: int, line: int,
) -> None:  # fmt: skip
    """Do as `sum_up` for one chain, and ask for weights of the next one meanwhile.

    These are asked for in columns of ``2**height`` lines, in as few instructions as can be: with AVX2 the compiler
    would otherwise keep fewer sums in registers.
    """
    lanes = lanes_of(x)
    for k in range(steps):
        prefetch(weights, ahead + (k & (1 << height) - 1) * ahead_step + (k >> height) * line)
        for v in range(vectors):
            put(factors, v, load(strip, place + k * step + v * lanes))
        for p in range(rows):
            datum = broadcast(x, at(reads, tile + p) + x0 + k)
            for v in range(vectors):
                put(sums, p * vectors + v, fma(datum, get(factors, v), get(sums, p * vectors + v)))


@inlined
def lay_out(weights: Array, w0: int, w_step: int, vectors: int, steps: int, strip: Array, place: int) -> None:
    """Copy the weights of some steps side by side."""
    lanes = lanes_of(strip)
    for k in range(steps):
        for v in range(vectors):
            store(strip, place + (k * vectors + v) * lanes, load(weights, w0 + k * w_step + v * lanes))


@inlined
def lay_out_transposed(
    weights: Array, w0: int, w_step: int, vectors: int, steps: int, strip: Array, place: int
) -> None:
    """Copy the weights of some steps, which stand side by side themselves, from line to column."""
    lanes = lanes_of(strip)
    for v in range(vectors):
        for k in range(0, steps, lanes):
            transpose_square(
                weights, w0 + v * lanes * w_step + k, w_step, lanes,
                strip, place + (k * vectors + v) * lanes, vectors * lanes, steps - k, True,
            )  # fmt: skip


@inlined
def _contract_chunk(
    item: int, tile_rows: Tile, tile_vectors: Tile, sizes: Sizes, chunk_table: Array, segments: Array, reads: Array,
    writes: Array, x: Array, weights: Array, bias: Array, strips: Array, out: Array,
) -> None:  # fmt: skip
    """Fill the outputs of one chunk, of one block of filters."""
    chunks, groups, blocks, channels, filters, w_step, w_group, w_block, layout, room, by_chunk = sizes
    rows, vectors = len(tile_rows), len(tile_vectors)
    lanes = lanes_of(out)
    block_size = vectors * lanes
    chunk, block, group = item % chunks, item // chunks % blocks, item // (chunks * blocks)
    if by_chunk:
        chunk, block, group = item // (groups * blocks), item % blocks, item // blocks % groups
    filter0 = group * filters + block * block_size
    x0, out0 = group * channels + at(chunk_table, 4 * chunk + 2), filter0 + at(chunk_table, 4 * chunk + 3)
    weights0 = group * w_group + block * w_block
    per_element = (filters if layout == TRANSPOSED else channels) * w_step
    per_channel = 1 if layout == TRANSPOSED else w_step
    # A cache line, and how many of them a column of a strip has: one a step, or one a filter.
    line, height = lanes * LINE_VECTORS, 30
    if layout == TRANSPOSED:
        height = 0
        while 2 << height <= block_size:
            height += 1
    sums, factors = registers(out, tile_rows, tile_vectors), registers(out, (0,), tile_vectors)
    starts = registers(out, (0, 0), tile_vectors)
    for v in range(vectors):
        put(starts, v, load(bias, filter0 + v * lanes))
        put(starts, vectors + v, zeros(out))
    first, end = at(chunk_table, 4 * chunk), at(chunk_table, 4 * chunk + 1)
    for s in range(first, end):
        segment, following = s * ELEMENT_COLUMNS, min(s + 1, end - 1) * ELEMENT_COLUMNS
        steps, channel = at(segments, segment + STEPS), at(segments, segment + CHANNEL)
        place = weights0 + at(segments, segment + ELEMENT) * per_element + channel * per_channel
        ahead = weights0 + at(segments, following + ELEMENT) * per_element
        ahead += at(segments, following + CHANNEL) * per_channel
        fresh = at(segments, segment + FRESH) != 0
        step, ahead_size = w_step, block_size
        if layout == TRANSPOSED:
            ahead_size = at(segments, following + STEPS)
            lay_out_transposed(weights, place, w_step, vectors, steps, strips, item * room)
        elif layout == COPIED:
            lay_out(weights, place, w_step, vectors, steps, strips, item * room)
        if layout != IN_PLACE:
            place, step = item * room, block_size
        tile, column = at(segments, segment) * rows, 0
        last_column = max(ahead_size - 1, 0) // line
        for _ in range(at(segments, segment + TILE_COUNT)):
            for v in range(vectors):
                put(factors, v, get(starts, v if fresh else vectors + v))
            for p in range(rows):
                for v in range(vectors):
                    put(sums, p * vectors + v, get(factors, v))
            if column <= last_column:
                sum_ahead(
                    sums, factors, rows, vectors, steps, x, reads, tile, x0 + channel, strips, place, step,
                    weights, ahead + column * line, w_step, height, line,
                )  # fmt: skip
                column += max(1, steps >> height)
            else:
                sum_up(
                    sums, factors, rows, vectors, steps, x, reads, tile, x0 + channel, 1,
                    strips, place, step, block_size, True,
                )  # fmt: skip
            if not fresh:
                # A row that fills up a tile stands for an output of the same tile: all are read before one is
                # written.
                for p in range(rows):
                    for v in range(vectors):
                        before = load(out, out0 + at(writes, tile + p) + v * lanes)
                        put(sums, p * vectors + v, add(before, get(sums, p * vectors + v)))
            for p in range(rows):
                for v in range(vectors):
                    store(out, out0 + at(writes, tile + p) + v * lanes, get(sums, p * vectors + v))
            tile += rows


@Kernel
def contract_elements(
    team: Team, tile_rows: Tile, tile_vectors: Tile, sizes: Sizes, chunk_table: Array, segments: Array,
    reads: Array, writes: Array, x: Array, weights: Array, bias: Array, strips: Array, out: Array,
) -> None:  # fmt: skip
    """Fill the outputs of a convolution: one chunk of them, for one block of filters, element by element."""
    chunks, groups, blocks = sizes[:3]
    arguments = (tile_rows, tile_vectors, sizes, chunk_table, segments, reads, writes, x, weights, bias, strips, out)
    share_out(team, _contract_chunk, chunks * groups * blocks, arguments)
