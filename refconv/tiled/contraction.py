"""The contraction: one register-tiled kernel behind every convolution and all its gradients.

A *tile* is a block of sums held in registers, some rows by some vectors of lanes::

    sums[row, lane] += x[reads[row] + run_reads[r] + k * x_step] * weights[run_weights[r] + k * weight_step + lane]

over the runs `r` of a segment and the steps `k` of a run: one number of `x` is spread over all lanes
and multiplied with a vector of `weights`. The tables of offsets are the whole difference between
convolution, transposed convolution, their gradients, one to three axes, strides and dilations; see
`refconv.tiled.plan`. A row's sum takes its terms in the order of the tables, whatever the tile is. Chains of some
200 terms are summed by themselves and then added up, which keeps rounding errors small; the first one begins with
the bias, and earlier ones wait in the output.

With channels first, a kernel reads its data as they are: one block of filters of 64 reads a number once, whichever
way the next channel lies. Its outputs wait in the cache until some can be turned together. Measured on Zen 4 with
AVX-512, two threads, 3x3 on 56x56x64, whole calls:

1. All data turned before, all outputs after: 1061 us, channels last 1011; beside PyTorch's calls, which empty the
   caches, 1178 to 1205.
2. So: 1047 us, beside PyTorch's calls 1169 to 1173; 1x1 on 28x28x256 130 for 270. Reading is 10 of what it takes more
   than channels last, and turning the rest.

Asking for the cache lines of the outputs ahead, more or fewer outputs that wait, edges in the same chunk as the lines
that they end, and squares turned as soon as they are full changed nothing or made it slower. With AVX2, whose blocks
are of 16 filters, this is no faster than to turn all.

The sizes of the tile travel as the lengths of two tuples, so that kernels for all of them are
compiled from the functions of this module and found again on disk.
"""

from __future__ import annotations

from typing import Any

from refconv.jit.launch import Kernel
from refconv.jit.parts import inlined
from refconv.jit.shares import Team, share_out
from refconv.tiled.packing import transpose_square
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
    store,
    store_some,
    zeros,
)

Array = Any
Sizes = Any
Tile = Any

# Columns of the segments of a convolution.
CONV_COLUMNS = 8
OUTER, OUTERS, TILE, TILES, RUN, RUN_END, CHAIN, TURN = range(CONV_COLUMNS)

# Channels first: outputs that wait to be turned, and fewer neighbours than which are stored one by one.
WAITING = 48
LEAST_TURNED = 4

# Columns of the segments of a weight gradient.
GRADIENT_COLUMNS = 9
FIRST_TILE, TILE_COUNT, FIRST_RUN, LAST_RUN, RUNS_TOGETHER, STEPS, X_STEP, DY_STEP, FRESH = range(GRADIENT_COLUMNS)


@inlined
def sum_up(
    sums: Any, factors: Any, rows: int, vectors: int, length: int, x: Array, reads: Array, tile: int, x0: int,
    x_step: int, weights: Array, w0: int, w_step: int, count: int, whole: bool,
) -> None:  # fmt: skip
    """Add the terms of one run to the sums of a tile; `count` lanes exist, all of them if `whole`."""
    lanes = lanes_of(x)
    for k in range(length):
        for v in range(vectors):
            offset = w0 + k * w_step + v * lanes
            if whole:
                put(factors, v, load(weights, offset))
            else:
                put(factors, v, load_some(weights, offset, count - v * lanes))
        for p in range(rows):
            datum = broadcast(x, at(reads, tile + p) + x0 + k * x_step)
            for v in range(vectors):
                put(sums, p * vectors + v, fma(datum, get(factors, v), get(sums, p * vectors + v)))


@inlined
def clear(sums: Any, count: int, out: Array) -> None:
    """Set the sums of a tile to zero."""
    for i in range(count):
        put(sums, i, zeros(out))


@inlined
def begin(sums: Any, factors: Any, rows: int, vectors: int, biases: Any) -> None:
    """Set the sums of every row of a tile to the biases."""
    for v in range(vectors):
        put(factors, v, get(biases, v))
    for p in range(rows):
        for v in range(vectors):
            put(sums, p * vectors + v, get(factors, v))


@inlined
def set_aside(sums: Any, count: int, scratch: Array, place: int) -> None:
    """Store the sums of a tile, to go on with its next chain."""
    for i in range(count):
        store(scratch, place + i * lanes_of(scratch), get(sums, i))


@inlined
def fetch(sums: Any, count: int, scratch: Array, place: int) -> None:
    """Add what was set aside to the sums of a tile."""
    lanes = lanes_of(scratch)
    for i in range(count):
        put(sums, i, add(load(scratch, place + i * lanes), get(sums, i)))


@inlined
def add_before(
    sums: Any, rows: int, vectors: int, out: Array, writes: Array, tile: int, out0: int, count: int
) -> None:  # fmt: skip
    """Add what the chain before has stored to the sums of a tile."""
    lanes = lanes_of(out)
    for p in range(rows):
        offset = out0 + at(writes, tile + p)
        for v in range(vectors):
            before = load_some(out, offset + v * lanes, count - v * lanes)
            put(sums, p * vectors + v, add(before, get(sums, p * vectors + v)))


@inlined
def store_tile(
    sums: Any, rows: int, vectors: int, out: Array, writes: Array, tile: int, out0: int, count: int
) -> None:  # fmt: skip
    """Store the sums of a tile, of each row the first `count` lanes."""
    lanes = lanes_of(out)
    for p in range(rows):
        offset = out0 + at(writes, tile + p)
        for v in range(vectors):
            if count >= (v + 1) * lanes:
                store(out, offset + v * lanes, get(sums, p * vectors + v))
            else:
                store_some(out, offset + v * lanes, count - v * lanes, get(sums, p * vectors + v))


@inlined
def _contract_chunk(
    item: int, tile_rows: Tile, tile_vectors: Tile, sizes: Sizes, segments: Array, outers: Array, reads: Array,
    writes: Array, runs: Array, x: Array, weights: Array, bias: Array, out: Array,
) -> None:  # fmt: skip
    """Fill the outputs of one chunk, of one block of filters."""
    chunks, groups, blocks, channels, filters, w_step, w_group, w_block, by_chunk = sizes
    rows, vectors = len(tile_rows), len(tile_vectors)
    block_size = vectors * lanes_of(out)
    chunk, block = item % chunks, item // chunks
    if by_chunk:
        chunk, block = item // (groups * blocks), item % (groups * blocks)
    group, block = block // blocks, block % blocks
    first = group * filters + block * block_size
    count = filters - block * block_size
    sums, factors = registers(out, tile_rows, tile_vectors), registers(out, (0,), tile_vectors)
    biases = registers(out, (0,), tile_vectors)
    for v in range(vectors):
        put(biases, v, load_some(bias, first + v * lanes_of(out), count - v * lanes_of(out)))
    x_group, weights_block = group * channels, group * w_group + block * w_block
    for s in range(segments.shape[0]):
        segment = s * CONV_COLUMNS
        tiles = at(segments, segment + TILES)
        total = at(segments, segment + OUTERS) * tiles
        turn = (chunk + at(segments, segment + TURN)) % chunks
        unit, end = total * turn // chunks, total * (turn + 1) // chunks
        if unit == end:
            continue
        run_begin, run_end = at(segments, segment + RUN), at(segments, segment + RUN_END)
        chain = at(segments, segment + CHAIN)
        outer = at(segments, segment + OUTER) + unit // tiles
        first_tile = at(segments, segment + TILE) * rows
        tile, tile_end = first_tile + unit % tiles * rows, first_tile + tiles * rows
        for _ in range(unit, end):
            out0 = at(outers, 2 * outer + 1) + first
            begin(sums, factors, rows, vectors, biases)
            run = run_begin
            while True:
                stop = min(run + chain, run_end)
                for r in range(run, stop):
                    sum_up(
                        sums, factors, rows, vectors, at(runs, 3 * r + 2),
                        x, reads, tile, at(outers, 2 * outer) + x_group + at(runs, 3 * r), 1,
                        weights, weights_block + at(runs, 3 * r + 1), w_step, count, True,
                    )  # fmt: skip
                # A row that fills up a tile stands for an output of the same tile: all are read before one is
                # written.
                if run > run_begin:
                    add_before(sums, rows, vectors, out, writes, tile, out0, count)
                store_tile(sums, rows, vectors, out, writes, tile, out0, count)
                run = stop
                if run >= run_end:
                    break
                clear(sums, rows * vectors, out)
            tile += rows
            if tile == tile_end:
                tile = first_tile
                outer += 1


@Kernel
def contract(
    team: Team, tile_rows: Tile, tile_vectors: Tile, sizes: Sizes, segments: Array, outers: Array, reads: Array,
    writes: Array, runs: Array, x: Array, weights: Array, bias: Array, out: Array,
) -> None:  # fmt: skip
    """Fill the outputs of a convolution: one chunk of them after another, for one block of filters."""
    chunks, groups, blocks = sizes[:3]
    arguments = (tile_rows, tile_vectors, sizes, segments, outers, reads, writes, runs, x, weights, bias, out)
    share_out(team, _contract_chunk, chunks * groups * blocks, arguments)


@inlined
def turn_out(
    waiting: Array, place: int, outputs: int, vectors: int, writes: Array, tile: int, out: Array, out0: int,
    plane: int, count: int,
) -> None:  # fmt: skip
    """Store waiting outputs (output, filter) as (filter, place); `count` filters exist, `plane` apart."""
    lanes = lanes_of(out)
    width = vectors * lanes
    begin = 0
    while begin < outputs:
        write = at(writes, tile + begin)
        end = begin + 1
        while end < outputs and at(writes, tile + end) - write == end - begin:
            end += 1
        if end - begin < LEAST_TURNED:
            for i in range(begin, end):
                for f in range(min(count, width)):
                    set_at(out, out0 + write + i - begin + f * plane, at(waiting, place + i * width + f))
        else:
            for v in range(vectors):
                for line in range(begin, end, lanes):
                    # The last square of a line goes over numbers of the one before again, rather than be cut short.
                    i = max(begin, min(line, end - lanes))
                    transpose_square(
                        waiting, place + i * width + v * lanes, width, end - i,
                        out, out0 + write + i - begin + v * lanes * plane, plane, count - v * lanes, False,
                    )  # fmt: skip
        begin = end


@inlined
def _contract_first_chunk(
    item: int, tile_rows: Tile, tile_vectors: Tile, sizes: Sizes, planes: Sizes, segments: Array, outers: Array,
    reads: Array, writes: Array, runs: Array, x: Array, weights: Array, bias: Array, waiting: Array, out: Array,
) -> None:  # fmt: skip
    """Fill the outputs of one chunk, of one block of filters, channels first."""
    chunks, groups, blocks, channels, filters, w_step, w_group, w_block, by_chunk = sizes
    x_step, plane = planes
    rows, vectors = len(tile_rows), len(tile_vectors)
    lanes = lanes_of(out)
    block_size = vectors * lanes
    chunk, block = item % chunks, item // chunks
    if by_chunk:
        chunk, block = item // (groups * blocks), item % (groups * blocks)
    group, block = block // blocks, block % blocks
    first = group * filters + block * block_size
    count = filters - block * block_size
    sums, factors = registers(out, tile_rows, tile_vectors), registers(out, (0,), tile_vectors)
    biases = registers(out, (0,), tile_vectors)
    for v in range(vectors):
        put(biases, v, load_some(bias, first + v * lanes, count - v * lanes))
    x_group, weights_block = group * channels * x_step, group * w_group + block * w_block
    place = item * WAITING * block_size
    for s in range(segments.shape[0]):
        segment = s * CONV_COLUMNS
        tiles = at(segments, segment + TILES)
        total = at(segments, segment + OUTERS) * tiles
        turn = (chunk + at(segments, segment + TURN)) % chunks
        run_begin, run_end = at(segments, segment + RUN), at(segments, segment + RUN_END)
        chain = at(segments, segment + CHAIN)
        outputs, end = 0, total * (turn + 1) // chunks
        for u in range(total * turn // chunks, end):
            outer = at(segments, segment + OUTER) + u // tiles
            tile = (at(segments, segment + TILE) + u % tiles) * rows
            begin(sums, factors, rows, vectors, biases)
            run = run_begin
            while True:
                stop = min(run + chain, run_end)
                for r in range(run, stop):
                    sum_up(
                        sums, factors, rows, vectors, at(runs, 3 * r + 2),
                        x, reads, tile, at(outers, 2 * outer) + x_group + at(runs, 3 * r), x_step,
                        weights, weights_block + at(runs, 3 * r + 1), w_step, count, True,
                    )  # fmt: skip
                if run > run_begin:
                    fetch(sums, rows * vectors, waiting, place + outputs * block_size)
                set_aside(sums, rows * vectors, waiting, place + outputs * block_size)
                run = stop
                if run >= run_end:
                    break
                clear(sums, rows * vectors, out)
            outputs += rows
            if outputs + rows > WAITING or u + 1 == end or (u + 1) % tiles == 0:
                out0, first_write = at(outers, 2 * outer + 1) + first * plane, tile + rows - outputs
                turn_out(waiting, place, outputs, vectors, writes, first_write, out, out0, plane, count)
                outputs = 0


@Kernel
def contract_first(
    team: Team, tile_rows: Tile, tile_vectors: Tile, sizes: Sizes, planes: Sizes, segments: Array, outers: Array,
    reads: Array, writes: Array, runs: Array, x: Array, weights: Array, bias: Array, waiting: Array, out: Array,
) -> None:  # fmt: skip
    """Fill the outputs of a convolution, channels first: some tiles of them wait to be turned together."""
    chunks, groups, blocks = sizes[:3]
    arguments = (
        tile_rows, tile_vectors, sizes, planes, segments, outers, reads, writes, runs, x, weights, bias,
        waiting, out,
    )  # fmt: skip
    share_out(team, _contract_first_chunk, chunks * groups * blocks, arguments)


@inlined
def _contract_share(
    item: int, tile_rows: Tile, tile_vectors: Tile, sizes: Sizes, segments: Array, shares: Array, reads: Array,
    writes: Array, runs: Array, x: Array, dy: Array, out: Array,
) -> None:  # fmt: skip
    """Fill one share of the rows, for one block of filters."""
    owners, _, groups, blocks, channels, filters, size, by_owner = sizes
    rows, vectors = len(tile_rows), len(tile_vectors)
    lanes = lanes_of(out)
    owner, block = item % owners, item // owners % blocks
    group, part = item // (owners * blocks) % groups, item // (owners * blocks * groups)
    if by_owner:
        block, group = item % blocks, item // blocks % groups
        owner = item // (blocks * groups) % owners
    share = part * owners + owner
    count = filters - block * vectors * lanes
    dy0 = group * filters + block * vectors * lanes
    out0 = part * size + dy0
    sums, factors = registers(out, tile_rows, tile_vectors), registers(out, (0,), tile_vectors)
    for s in range(at(shares, share), at(shares, share + 1)):
        segment = s * GRADIENT_COLUMNS
        first = at(segments, segment + FIRST_TILE) * rows
        last = first + at(segments, segment + TILE_COUNT) * rows
        run_end, together = at(segments, segment + LAST_RUN), at(segments, segment + RUNS_TOGETHER)
        first_run = at(segments, segment + FIRST_RUN)
        # Rows that sum over nothing have one empty run.
        for run in range(first_run, max(run_end, first_run + 1), together):
            fresh = at(segments, segment + FRESH) != 0 and run == first_run
            for tile in range(first, last, rows):
                clear(sums, rows * vectors, out)
                for r in range(run, min(run + together, run_end)):
                    x0, dy_r = at(runs, 2 * r) + group * channels, at(runs, 2 * r + 1) + dy0
                    # Masks need registers, of which there are few.
                    if count >= vectors * lanes:
                        sum_up(
                            sums, factors, rows, vectors, at(segments, segment + STEPS),
                            x, reads, tile, x0, at(segments, segment + X_STEP),
                            dy, dy_r, at(segments, segment + DY_STEP), count, True,
                        )  # fmt: skip
                    else:
                        sum_up(
                            sums, factors, rows, vectors, at(segments, segment + STEPS),
                            x, reads, tile, x0, at(segments, segment + X_STEP),
                            dy, dy_r, at(segments, segment + DY_STEP), count, False,
                        )  # fmt: skip
                for p in range(rows):
                    offset = at(writes, tile + p)
                    # A row that only fills up a tile is written nowhere.
                    if offset >= 0:
                        for v in range(vectors):
                            place, rest = out0 + offset + v * lanes, count - v * lanes
                            if not fresh:
                                before = load_some(out, place, rest)
                                put(sums, p * vectors + v, add(before, get(sums, p * vectors + v)))
                            store_some(out, place, rest, get(sums, p * vectors + v))


@Kernel
def contract_gradient(
    team: Team, tile_rows: Tile, tile_vectors: Tile, sizes: Sizes, segments: Array, shares: Array, reads: Array,
    writes: Array, runs: Array, x: Array, dy: Array, out: Array,
) -> None:  # fmt: skip
    """Fill the gradient of a convolution's weights: one share of the rows after another, for one block of filters."""
    owners, parts, groups, blocks = sizes[:4]
    arguments = (tile_rows, tile_vectors, sizes, segments, shares, reads, writes, runs, x, dy, out)
    share_out(team, _contract_share, owners * parts * groups * blocks, arguments)
