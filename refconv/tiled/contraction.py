"""The contraction: one register-tiled kernel behind every convolution and all its gradients.

A *tile* is a block of sums held in registers, some rows by some vectors of lanes::

    sums[row, lane] += x[reads[row] + run_reads[r] + k * x_step] * weights[run_weights[r] + k * weight_step + lane]

over the runs `r` of a segment and the steps `k` of a run: one number of `x` is spread over all lanes
and multiplied with a vector of `weights`. The tables of offsets are the whole difference between
convolution, transposed convolution, their gradients, one to three axes, strides and dilations; see
`refconv.tiled.plan`. A row's sum starts at zero, takes its terms in the order of the tables, and
meets what it is added to (a bias, or what stands in the output) at the end, whatever the tile is.

The sizes of the tile travel as the lengths of two tuples, so that kernels for all of them are
compiled from the functions of this module and found again on disk.
"""

from __future__ import annotations

from typing import Any

from numba import njit, prange

from refconv.jit.launch import Compiled
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
    store,
    store_some,
    zeros,
)

Array = Any
Sizes = Any
Tile = Any

# Columns of the segments of a convolution.
CONV_COLUMNS = 7
OUTER, OUTERS, TILE, TILES, RUN, RUN_END, LENGTH = range(CONV_COLUMNS)

# Columns of the segments of a weight gradient.
GRADIENT_COLUMNS = 7
FIRST_TILE, TILE_COUNT, FIRST_RUN, LAST_RUN, STEPS, X_STEP, DY_STEP = range(GRADIENT_COLUMNS)

inlined = njit(forceinline=True, error_model="numpy")


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
def store_with_bias(
    sums: Any, factors: Any, rows: int, vectors: int, bias: Array, first: int, out: Array, writes: Array, tile: int,
    out0: int, count: int,
) -> None:  # fmt: skip
    """Add the bias of each lane to the sums of a tile, and store them."""
    lanes = lanes_of(out)
    for v in range(vectors):
        put(factors, v, load_some(bias, first + v * lanes, count - v * lanes))
    for p in range(rows):
        offset = out0 + at(writes, tile + p)
        for v in range(vectors):
            total = add(get(sums, p * vectors + v), get(factors, v))
            if count >= (v + 1) * lanes:
                store(out, offset + v * lanes, total)
            else:
                store_some(out, offset + v * lanes, count - v * lanes, total)


@Compiled
def contract(
    tile_rows: Tile, tile_vectors: Tile, sizes: Sizes, segments: Array, outers: Array, reads: Array, writes: Array,
    runs: Array, x: Array, weights: Array, bias: Array, out: Array,
) -> None:  # fmt: skip
    """Fill the outputs of a convolution: one chunk of them after another, for one block of filters."""
    chunks, groups, blocks, channels, filters, w_step, w_group, w_block, by_chunk = sizes
    for item in prange(chunks * groups * blocks):
        rows, vectors = len(tile_rows), len(tile_vectors)
        block_size = vectors * lanes_of(out)
        chunk, block = item % chunks, item // chunks
        if by_chunk:
            chunk, block = item // (groups * blocks), item % (groups * blocks)
        group, block = block // blocks, block % blocks
        first = group * filters + block * block_size
        count = filters - block * block_size
        sums, factors = registers(out, tile_rows, tile_vectors), registers(out, (0,), tile_vectors)
        for s in range(segments.shape[0]):
            segment = s * CONV_COLUMNS
            tiles = at(segments, segment + TILES)
            total = at(segments, segment + OUTERS) * tiles
            # The short segments would otherwise all fall to the last chunk.
            turn = (chunk + s) % chunks
            for u in range(total * turn // chunks, total * (turn + 1) // chunks):
                outer = at(segments, segment + OUTER) + u // tiles
                tile = (at(segments, segment + TILE) + u % tiles) * rows
                for i in range(rows * vectors):
                    put(sums, i, zeros(out))
                for r in range(at(segments, segment + RUN), at(segments, segment + RUN_END)):
                    sum_up(
                        sums, factors, rows, vectors, at(segments, segment + LENGTH),
                        x, reads, tile, at(outers, 2 * outer) + group * channels + at(runs, 2 * r), 1,
                        weights, group * w_group + block * w_block + at(runs, 2 * r + 1), w_step, count, True,
                    )  # fmt: skip
                out0 = at(outers, 2 * outer + 1) + first
                store_with_bias(sums, factors, rows, vectors, bias, first, out, writes, tile, out0, count)


@Compiled
def contract_gradient(
    tile_rows: Tile, tile_vectors: Tile, sizes: Sizes, segments: Array, shares: Array, reads: Array, writes: Array,
    runs: Array, x: Array, dy: Array, out: Array,
) -> None:  # fmt: skip
    """Add the gradient of a convolution's weights to `out`: one share of the rows, for one block of filters."""
    owners, parts, groups, blocks, channels, filters, size = sizes
    for item in prange(owners * parts * groups * blocks):
        rows, vectors = len(tile_rows), len(tile_vectors)
        lanes = lanes_of(out)
        block, group, share = item % blocks, item // blocks % groups, item // (blocks * groups)
        count = filters - block * vectors * lanes
        dy0 = group * filters + block * vectors * lanes
        out0 = share // owners * size + dy0
        sums, factors = registers(out, tile_rows, tile_vectors), registers(out, (0,), tile_vectors)
        for s in range(at(shares, share), at(shares, share + 1)):
            segment = s * GRADIENT_COLUMNS
            first, tiles = at(segments, segment + FIRST_TILE), at(segments, segment + TILE_COUNT)
            for tile in range(first * rows, (first + tiles) * rows, rows):
                for i in range(rows * vectors):
                    put(sums, i, zeros(out))
                for r in range(at(segments, segment + FIRST_RUN), at(segments, segment + LAST_RUN)):
                    sum_up(
                        sums, factors, rows, vectors, at(segments, segment + STEPS),
                        x, reads, tile, at(runs, 2 * r) + group * channels, at(segments, segment + X_STEP),
                        dy, at(runs, 2 * r + 1) + dy0, at(segments, segment + DY_STEP), count, False,
                    )  # fmt: skip
                for p in range(rows):
                    offset = at(writes, tile + p)
                    # A row that only fills up a tile is written nowhere.
                    if offset >= 0:
                        for v in range(vectors):
                            place, rest = out0 + offset + v * lanes, count - v * lanes
                            store_some(out, place, rest, add(load_some(out, place, rest), get(sums, p * vectors + v)))
