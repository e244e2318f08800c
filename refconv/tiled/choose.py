"""Which tile a contraction uses, how its work is cut, and whether weights are packed: simple rules.

The rules count, they do not measure at run time, so that a call does the same work every time. A step
of a tile of `rows` x `vectors` multiplies ``rows * vectors`` vectors, at least the `LATENCY` that must be
under way to keep the multipliers busy, and loads ``rows + vectors``, each for a quarter. What a tile costs
besides its steps (its sums are cleared, added to and stored) is `OVERHEAD` a vector. The cheapest tile wins:
one that wastes neither lanes on filters that are not there nor rows on outputs that are not there.

Measured on Zen 4 with AVX-512, one thread, 3x3 on 56x56x64, GFLOP/s: 6x4 112 to 115, 8x2 107, 14x2 107; 7x4, 9x3
and 5x5 do not fit into the registers and fall to 70, 72 and 89.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import NamedTuple

from refconv.geometry import ConvGeometry
from refconv.tiled.lines import line_classes
from refconv.tiled.links import axis_classes
from refconv.tiled.simd import vector_registers

LATENCY = 8
OVERHEAD = 4

# Turning a vector of data, and writing one output of one filter, where lanes are outputs.
TURNING = 4
SCATTERING = 2

# A chunk of one block of filters below this many multiply-adds, some 5 us, is not worth handing out.
CHUNK = 250_000
MOST_CHUNKS = 16

# Filters of a strip of weights that is better packed.
NARROW = 64


class Tile(NamedTuple):
    """Sums held in registers: `rows` of `vectors` vectors each."""

    rows: int
    vectors: int

    @property
    def step_cost(self) -> float:
        """Cost of one step, in vectors multiplied."""
        return max(self.rows * self.vectors, LATENCY) + (self.rows + self.vectors) / 4


def tiles() -> tuple[Tile, ...]:
    """Return the tiles that fit into the registers, the best first.

    Examples
    --------
    >>> all(rows * vectors + vectors < 32 for rows, vectors in tiles())
    True
    """
    if vector_registers() >= 32:
        return (Tile(6, 4), Tile(8, 2), Tile(8, 1))
    return (Tile(6, 2), Tile(4, 3), Tile(8, 1))


@functools.lru_cache(maxsize=1024)
def class_sizes(geometry: ConvGeometry) -> tuple[tuple[int, int, int, int], ...]:
    """Return, for every class: its number on the last axis, its lines, the outputs of a line, its links."""
    axes = [[(n, c.outputs.size, c.taps.size) for n, c in enumerate(axis_classes(axis))] for axis in geometry.axes]
    return tuple(
        (
            combination[-1][0],
            math.prod(size for _, size, _ in combination[:-1]),
            combination[-1][1],
            math.prod(taps for _, _, taps in combination),
        )
        for combination in itertools.product(*axes)
    )


def multiply_adds(geometry: ConvGeometry, batch: int, channels: int, filters: int) -> int:
    """Return how many products of data and weights there are; channels of one group, all filters."""
    return (
        batch * channels * filters * sum(lines * outputs * links for _, lines, outputs, links in class_sizes(geometry))
    )


def cost(
    geometry: ConvGeometry,
    batch: int,
    channels: int,
    filters: int,
    lanes: int,
    tile: Tile,
    without: tuple[int, ...] = (),
) -> float:
    """Return what a convolution costs with a tile, in vectors multiplied; channels and filters of one group."""
    blocks = -(-filters // (tile.vectors * lanes))
    overhead = OVERHEAD * tile.rows * tile.vectors
    return blocks * sum(
        -(-batch * lines * outputs // tile.rows) * (links * channels * tile.step_cost + overhead)
        for number, lines, outputs, links in class_sizes(geometry)
        if number not in without
    )


def lines_cost(
    geometry: ConvGeometry, batch: int, channels: int, filters: int, lanes: int, tile: Tile, columns: tuple[int, ...]
) -> float:
    """Return what the classes `columns` of the last axis cost with lanes over outputs, turning the data included."""
    row_tiles = -(-filters // tile.rows)
    total: float = TURNING * batch * math.prod(geometry.input_size) * channels // lanes
    for number, lines, outputs, links in class_sizes(geometry):
        if number in columns:
            blocks = -(-outputs // (tile.vectors * lanes))
            total += batch * lines * blocks * row_tiles * links * channels * tile.step_cost
            total += SCATTERING * batch * lines * outputs * filters
    return total


def lines_tiles() -> tuple[Tile, ...]:
    """Return the tiles with lanes over outputs, whose rows are filters."""
    if vector_registers() >= 32:
        return (Tile(3, 7), Tile(6, 4), Tile(3, 4))
    return (Tile(3, 3), Tile(6, 2))


def conv_lines(
    geometry: ConvGeometry, batch: int, channels: int, filters: int, lanes: int
) -> tuple[Tile, tuple[int, ...]] | None:
    """Choose the tile and the classes of the last axis that are cheaper with lanes over outputs, if any.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> square = ConvGeometry((AxisGeometry(112, 3, pad_before=1, pad_after=1),) * 2)
    >>> conv_lines(square, 1, 64, 64, lanes=16) is None, conv_lines(square, 1, 64, 3, lanes=16)
    (True, (Tile(rows=3, vectors=...), (1,)))
    """
    columns = line_classes(geometry.axes[-1], lanes)
    if geometry.groups > 1 or not columns or filters > lanes + 1:
        return None
    tile = min(lines_tiles(), key=lambda tile: lines_cost(geometry, batch, channels, filters, lanes, tile, columns))
    turned = lines_cost(geometry, batch, channels, filters, lanes, tile, columns) + min(
        cost(geometry, batch, channels, filters, lanes, rest, columns) for rest in tiles()
    )
    plain = min(cost(geometry, batch, channels, filters, lanes, rest) for rest in tiles())
    return (tile, columns) if turned < 0.8 * plain else None


def conv_tile(
    geometry: ConvGeometry, batch: int, channels: int, filters: int, lanes: int, without: tuple[int, ...] = ()
) -> Tile:
    """Choose the cheapest tile; channels and filters of one group, classes of the last axis left out.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> square = ConvGeometry((AxisGeometry(56, 3, pad_before=1, pad_after=1),) * 2)
    >>> conv_tile(square, 1, 64, 8, lanes=16).vectors
    1
    """
    return min(tiles(), key=lambda tile: cost(geometry, batch, channels, filters, lanes, tile, without))


def packs(filters: int, block_size: int) -> bool:
    """Choose whether the weights of a group are packed: where a block is cut short, or is a narrow strip of many.

    Strips of four cache lines and more are read as fast where they stand.
    """
    return filters % block_size != 0 or (block_size < filters and block_size < NARROW)


def chunks(multiply_adds: int, blocks: int) -> int:
    """Choose into how many chunks the outputs of each block of filters are cut: as few as keep threads busy."""
    return max(1, min(-(-MOST_CHUNKS // blocks), multiply_adds // (blocks * CHUNK)))


def gradient_tile(rows: int, filters: int, lanes: int) -> Tile:
    """Choose the tile of a weight gradient with `rows` kernel elements and channels; filters of one group.

    Examples
    --------
    >>> gradient_tile(9, 6, lanes=16).vectors
    1
    """

    def wasted(tile: Tile) -> float:
        return -(-rows // tile.rows) * -(-filters // (tile.vectors * lanes)) * tile.step_cost

    return min(tiles(), key=wasted)


def gradient_shares(tile_count: int, blocks: int, outputs: int) -> tuple[int, int]:
    """Choose into how many shares the rows and the outputs of a weight gradient are divided.

    The rows are divided first, each with one owner. Only where they are too few to keep several threads busy
    are the outputs, too; never by the number of threads, so that the sums are always the same.
    """
    owners = max(1, min(tile_count // 2, -(-MOST_CHUNKS // blocks)))
    parts = 1 if owners * blocks >= MOST_CHUNKS // 2 else -(-MOST_CHUNKS // 2 // (owners * blocks))
    return owners, max(1, min(parts, outputs // 256))
