"""Weights laid out for the contraction, squares of a vector's size transposed in registers.

A transposing copy of scalars touches a new cache line for every number it writes; the squares make it three to
four times faster.
"""

from __future__ import annotations

from typing import Any

from refconv.jit.launch import Kernel
from refconv.jit.parts import inlined
from refconv.jit.shares import Team, share_out
from refconv.tiled.simd import get, lanes_of, load, load_some, put, square, store, store_some, transpose


@inlined
def _pack_tap(item: int, tile_vectors: Any, sizes: Any, weights: Any, packed: Any) -> None:
    taps, groups, blocks, channels, filters = sizes
    lanes = lanes_of(packed)
    block_size = len(tile_vectors) * lanes
    tap = item % taps
    block, group = item // taps % blocks, item // (taps * blocks)
    count = filters - block * block_size
    source = tap * channels * groups * filters + group * filters + block * block_size
    target = item * channels * block_size
    for _ in range(channels):
        for v in range(len(tile_vectors)):
            vector = load_some(weights, source + v * lanes, count - v * lanes)
            store(packed, target + v * lanes, vector)
        source += groups * filters
        target += block_size


@Kernel
def pack(team: Team, tile_vectors: Any, sizes: Any, weights: Any, packed: Any) -> None:
    """Lay out weights (taps, channels, filters) as (groups, blocks, taps, channels, lanes of a block)."""
    taps, groups, blocks = sizes[:3]
    share_out(team, _pack_tap, groups * blocks * taps, (tile_vectors, sizes, weights, packed))


@inlined
def transpose_square(
    a: Any, a0: Any, a_step: Any, rows: Any, b: Any, b0: Any, b_step: Any, columns: Any, fill: Any
) -> None:
    """Copy ``a[i, j]`` to ``b[j, i]``, for a vector of `i` of which `rows` exist, and as many `j`.

    For the `i` that do not exist, zeros are written where `fill` says so, else nothing.
    """
    lanes = lanes_of(b)
    block = square(b)
    if rows >= lanes and columns >= lanes:
        for i in range(lanes):
            put(block, i, load(a, a0 + i * a_step))
        transpose(block)
        for j in range(lanes):
            store(b, b0 + j * b_step, get(block, j))
    else:
        for i in range(lanes):
            put(block, i, load_some(a, a0 + i * a_step, columns if i < rows else 0))
        transpose(block)
        for j in range(min(lanes, columns)):
            store_some(b, b0 + j * b_step, lanes if fill else rows, get(block, j))


@inlined
def _pack_transposed_tap(item: int, tile_vectors: Any, sizes: Any, weights: Any, packed: Any) -> None:
    taps, groups, blocks, channels, filters = sizes
    lanes = lanes_of(packed)
    block_size = len(tile_vectors) * lanes
    tap = item % taps
    block, group = item // taps % blocks, item // (taps * blocks)
    for v in range(len(tile_vectors)):
        f = block * block_size + v * lanes
        source = (tap * filters + f) * groups * channels + group * channels
        target = item * channels * block_size + v * lanes
        for c in range(0, channels, lanes):
            transpose_square(
                weights, source + c, groups * channels, filters - f,
                packed, target + c * block_size, block_size, channels - c, True,
            )  # fmt: skip


@Kernel
def pack_transposed(team: Team, tile_vectors: Any, sizes: Any, weights: Any, packed: Any) -> None:
    """Lay out weights (taps, filters, channels) as (groups, blocks, taps, channels, lanes of a block)."""
    taps, groups, blocks = sizes[:3]
    share_out(team, _pack_transposed_tap, groups * blocks * taps, (tile_vectors, sizes, weights, packed))
