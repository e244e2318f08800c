"""Arrays turned from channels first to channels last and back, in squares that lie in registers.

The contractions want their data channels last. Turned by NumPy, one number at a time, a layer's input and output
take as long as a third of its convolution; here as long as two copies.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from refconv.jit.launch import Kernel
from refconv.jit.parts import inlined
from refconv.jit.shares import Team, share_out
from refconv.tiled.packing import transpose_square
from refconv.tiled.running import PARALLEL_WORK, Launch, empty, flat
from refconv.tiled.simd import lanes_of

Array = npt.NDArray[Any]

# Rows and columns of what a thread turns at a time, in bytes: several cache lines side by side, which stay near it.
# With AVX2 half as many take half as long again, and twice as many as long.
BLOCK = 256

LINE = 64

# From so many numbers on several threads are faster.
PARALLEL_SIZE = 30_000


@inlined
def _turn_block(item: int, sizes: Any, x: Any, turned: Any) -> None:
    _, rows, columns = sizes
    block, lanes = BLOCK // turned.itemsize, lanes_of(turned)
    row_blocks, column_blocks = (rows + block - 1) // block, (columns + block - 1) // block
    matrix, first_row = item // (row_blocks * column_blocks), item // column_blocks % row_blocks * block
    first_column = item % column_blocks * block
    for i in range(first_row, min(first_row + block, rows), lanes):
        for j in range(first_column, min(first_column + block, columns), lanes):
            transpose_square(
                x, (matrix * rows + i) * columns + j, columns, rows - i,
                turned, (matrix * columns + j) * rows + i, rows, columns - j, False,
            )  # fmt: skip


@Kernel
def turn_matrices(team: Team, sizes: Any, x: Any, turned: Any) -> None:
    """Turn each of some matrices (rows, columns) into (columns, rows), block by block."""
    matrices, rows, columns = sizes
    block = BLOCK // turned.itemsize
    row_blocks, column_blocks = (rows + block - 1) // block, (columns + block - 1) // block
    share_out(team, _turn_block, matrices * row_blocks * column_blocks, (sizes, x, turned))


def side_by_side(*shapes: tuple[int, ...], dtype: npt.DTypeLike) -> list[Array]:
    """Allocate several arrays as one block, which a process gives back to the system less often than many.

    Examples
    --------
    >>> [array.shape for array in side_by_side((2, 3), (5,), dtype=np.float32)]
    [(2, 3), (5,)]
    """
    size, places = _places(shapes, np.dtype(dtype).itemsize)
    block = empty((size,), dtype)
    return [block[first:last].reshape(shape) for shape, (first, last) in zip(shapes, places, strict=True)]


@functools.lru_cache(maxsize=64)
def _places(shapes: tuple[tuple[int, ...], ...], itemsize: int) -> tuple[int, list[tuple[int, int]]]:
    """Lay arrays out one behind another, each from a cache line on: elements of all, first and last of each."""
    line, end = LINE // itemsize, 0
    places = []
    for shape in shapes:
        first = -(-end // line) * line
        end = first + math.prod(shape)
        places.append((first, end))
    return end, places


def channels_last(x: Array, out: Array | None = None) -> Array:
    """Return a C-contiguous array (batch, channels, spatial...) as (batch, spatial..., channels).

    Examples
    --------
    >>> channels_last(np.array([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]))[0, :, 1]
    array([4., 5., 6.])
    """
    batch, channels, *sizes = x.shape
    if out is None:
        out = empty((batch, *sizes, channels), x.dtype)
    _turn(x, out, batch, channels, math.prod(sizes))
    return out


def channels_first(x: Array, out: Array | None = None) -> Array:
    """Return a C-contiguous array (batch, spatial..., channels) as (batch, channels, spatial...).

    Examples
    --------
    >>> channels_first(np.array([[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]]))[0, 1]
    array([4., 5., 6.])
    """
    batch, *sizes, channels = x.shape
    if out is None:
        out = empty((batch, channels, *sizes), x.dtype)
    _turn(x, out, batch, math.prod(sizes), channels)
    return out


def _turn(x: Array, out: Array, matrices: int, rows: int, columns: int) -> None:
    _turning(matrices, rows, columns, x.dtype)(flat(x), out.reshape(-1))


@functools.lru_cache(maxsize=256)
def _turning(matrices: int, rows: int, columns: int, dtype: np.dtype[Any]) -> Launch:
    work = PARALLEL_WORK if matrices * rows * columns >= PARALLEL_SIZE else 0
    return Launch(turn_matrices, work, (matrices, rows, columns))
