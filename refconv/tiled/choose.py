"""Which tile a contraction uses, how its work is cut, and whether weights are packed: simple rules.

The rules count, they do not measure at run time, so that a call does the same work every time. A step
of a tile of `rows` x `vectors` multiplies ``rows * vectors`` vectors, at least the `LATENCY` that must be
under way to keep the multipliers busy, and loads ``rows + vectors``, each for a quarter. What a tile costs
besides its steps (its sums are cleared, added to and stored) is `OVERHEAD` a vector. The cheapest tile wins:
one that wastes neither lanes on filters that are not there nor rows on outputs that are not there.

Measured on Zen 4 with AVX-512, one thread, 3x3 on 56x56x64, GFLOP/s: 6x4 112 to 115, 8x2 107, 14x2 107; 7x4, 9x3
and 5x5 do not fit into the registers and fall to 70, 72 and 89. With AVX2 6x2 just fits: two threads 4 % faster than
5x2 in 26 of 28 layers, 3x3 on 28x28x128 from 200 to 209. Where chains waited on the stack and stores had masks, the
compiler stored half of its sums at every step, and 6x2 fell to 118.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import NamedTuple

from refconv.geometry import ConvGeometry
from refconv.tiled.links import axis_classes
from refconv.tiled.places import FEW, fits, fits_gradient, padded_axis, padded_classes
from refconv.tiled.plan import ELEMENT_BLOCK, GRADIENT_BLOCK, LONGEST_CHAIN
from refconv.tiled.simd import vector_registers

LATENCY = 8
OVERHEAD = 4

# The same for a tile of a weight gradient, whose sums may be in a cache farther away.
GRADIENT_OVERHEAD = 8

# Where lanes are places: turning a vector of data, copying one, and writing one output of one filter.
TURNING = 6
COPYING = 3
SCATTERING = 2

# Lanes over places are considered for so many filters, in vectors.
MOST_FILTERS = 2

# A chunk of one block of filters below this many multiply-adds, some 5 us, is not worth handing out.
CHUNK = 250_000
MOST_CHUNKS = 16

# Outputs of a weight gradient that are worth being divided from the others.
LEAST_PART = 256

# So many tiles of a weight gradient can be divided evenly.
EVEN_TILES = 64

# Outputs from which on half a tile of a weight gradient takes longer than to add two parts up.
MANY_OUTPUTS = 4096

# Where one kernel element comes after another: a chain's sums are added to the output, for each vector of them (where
# these are 32 bytes, that is longer beside the chain), and a vector of weights is transposed, or copied.
ADDING = 1
ADDING_NARROW = 2
TRANSPOSING = 6
LAYING_OUT = 2

# Packing a vector of weights before, on one thread, from which the others have to fetch it.
PACKING = 40

# Shorter chains start and end too often.
LEAST_CHANNELS = 48

# Vectors of weights for a block of filters that are near to all of its tiles: 512 KiB.
STRIP = 2**13

# Links of an image that have an entry in the tables each, and outputs that stay in the cache meanwhile.
MOST_LINKS = 2**16
CHUNK_OUTPUTS = 2048

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
    return (Tile(6, 2), Tile(3, 3), Tile(8, 1))


@functools.lru_cache(maxsize=1024)
def class_sizes(geometry: ConvGeometry) -> tuple[tuple[int, int], ...]:
    """Return, for every class: its outputs and their links."""
    axes = [[(c.outputs.size, c.taps.size) for c in axis_classes(axis)] for axis in geometry.axes]
    return tuple(
        (math.prod(size for size, _ in classes), math.prod(taps for _, taps in classes))
        for classes in itertools.product(*axes)
    )


@functools.lru_cache(maxsize=1024)
def padded_sizes(geometry: ConvGeometry) -> tuple[tuple[int, int, int], ...]:
    """Return, for every phase of a convolution of padded data: its lines, the outputs of a line, its links."""
    axes = [[(c.outputs.size, c.taps.size) for c in padded_classes(axis)] for axis in geometry.axes]
    return tuple(
        (math.prod(size for size, _ in phase[:-1]), phase[-1][0], math.prod(taps for _, taps in phase))
        for phase in itertools.product(*axes)
    )


def multiply_adds(geometry: ConvGeometry, batch: int, channels: int, filters: int) -> int:
    """Return how many products of data and weights there are; channels of one group, all filters."""
    return batch * channels * filters * sum(outputs * links for outputs, links in class_sizes(geometry))


def cost(geometry: ConvGeometry, batch: int, channels: int, filters: int, lanes: int, tile: Tile) -> float:
    """Return what a convolution costs with a tile, in vectors multiplied; channels and filters of one group."""
    blocks = -(-filters // (tile.vectors * lanes))
    overhead = OVERHEAD * tile.rows * tile.vectors
    return blocks * sum(
        -(-batch * outputs // tile.rows) * (links * channels * tile.step_cost + overhead)
        for outputs, links in class_sizes(geometry)
    )


def places_tiles() -> tuple[Tile, ...]:
    """Return the tiles with lanes over places, whose rows are filters."""
    if vector_registers() >= 32:
        return (Tile(1, 8), Tile(2, 8), Tile(3, 7), Tile(5, 4), Tile(6, 4))
    return (Tile(1, 6), Tile(2, 4), Tile(3, 3), Tile(5, 2), Tile(6, 2))


def turning(places: int, channels: int, lanes: int) -> float:
    """Return what it costs to turn data."""
    return places / lanes * (COPYING if channels == 1 else TURNING * -(-channels // lanes))


def places_cost(geometry: ConvGeometry, channels: int, filters: int, lanes: int, tile: Tile) -> float:
    """Return what an image costs with lanes over places, turning the data included."""
    pitch = padded_axis(geometry.axes[-1]).input_size
    places = math.prod(padded_axis(axis).input_size for axis in geometry.axes)
    row_tiles = -(-filters // tile.rows)
    total = turning(places, channels, lanes)
    for lines, outputs, links in padded_sizes(geometry):
        blocks = lines * min(pitch / (tile.vectors * lanes), -(-outputs // (tile.vectors * lanes)))
        total += blocks * row_tiles * (links * channels * tile.step_cost + OVERHEAD * tile.rows * tile.vectors)
        written = turning(lines * outputs, filters, lanes)
        total += written if filters == 1 or filters >= FEW else SCATTERING * lines * outputs * filters
    return total


def conv_places(geometry: ConvGeometry, channels: int, filters: int, lanes: int) -> Tile | None:
    """Choose the tile with lanes over places, if that is the cheaper way.

    That does not depend on the batch, whose images are then computed alike by themselves.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> square = ConvGeometry((AxisGeometry(112, 3, pad_before=1, pad_after=1),) * 2)
    >>> conv_places(square, 64, 64, lanes=16), conv_places(square, 64, 3, lanes=16)
    (None, Tile(rows=3, vectors=...))
    """
    if filters > MOST_FILTERS * lanes or not fits(geometry):
        return None

    def needed(tile: Tile) -> float:
        return places_cost(geometry, channels, filters, lanes, tile)

    tile = min(places_tiles(), key=needed)
    plain = min(cost(geometry, 1, channels, filters, lanes, rest) for rest in tiles())
    return tile if needed(tile) < 0.9 * plain else None


def gradient_places(geometry: ConvGeometry, batch: int, channels: int, filters: int, lanes: int) -> Tile | None:
    """Choose the tile of a weight gradient with lanes over places, whose vectors are filters, if that is cheaper.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> square = ConvGeometry((AxisGeometry(112, 3, pad_before=1, pad_after=1),) * 2)
    >>> gradient_places(square, 1, 64, 64, lanes=16) is None, gradient_places(square, 1, 64, 3, lanes=16) is None
    (True, False)
    """
    if min(channels, filters) > MOST_FILTERS * lanes or not fits_gradient(geometry):
        return None
    rows = math.prod(geometry.kernel_size) * channels
    places = batch * math.prod(padded_axis(axis).input_size for axis in geometry.axes)
    turned = turning(places, channels, lanes) + turning(places, filters, lanes)

    def needed(tile: Tile) -> float:
        return turned + -(-rows // tile.rows) * -(-filters // tile.vectors) * tile.step_cost * places / lanes

    tile = min(places_gradient_tiles(), key=needed)
    plain = min(
        gradient_cost(geometry, batch, channels, filters, lanes, *way)
        for way in itertools.product(tiles(), (False, True))
    )
    return tile if needed(tile) < 0.9 * plain else None


def places_gradient_tiles() -> tuple[Tile, ...]:
    """Return the tiles of a weight gradient with lanes over places."""
    if vector_registers() >= 32:
        return (Tile(8, 1), Tile(8, 2), Tile(8, 3), Tile(6, 4))
    return (Tile(8, 1), Tile(6, 2), Tile(4, 3))


def places_shares(tile_count: int, places: int) -> tuple[int, int]:
    """Choose into how many shares the tiles and the places of a weight gradient are divided; places in vectors."""
    # At least two parts: a thread then reads what it has turned itself.
    owners = max(1, min(tile_count // 4, MOST_CHUNKS // 4))
    return owners, max(1, min(MOST_CHUNKS // 2 // owners, places // 64))


def conv_tile(geometry: ConvGeometry, batch: int, channels: int, filters: int, lanes: int) -> Tile:
    """Choose the cheapest tile; channels and filters of one group.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> square = ConvGeometry((AxisGeometry(56, 3, pad_before=1, pad_after=1),) * 2)
    >>> conv_tile(square, 1, 64, 8, lanes=16).vectors
    1
    """
    return min(tiles(), key=lambda tile: cost(geometry, batch, channels, filters, lanes, tile))


@functools.lru_cache(maxsize=1024)
def element_sizes(geometry: ConvGeometry) -> tuple[int, ...]:
    """Return, for every kernel element, how many outputs of an image read data through it."""
    axes = []
    for axis in geometry.axes:
        counts = [0] * axis.kernel_size
        for c in axis_classes(axis):
            for tap in c.taps.tolist():
                counts[tap] += c.outputs.size
        axes.append(counts)
    return tuple(map(math.prod, itertools.product(*axes)))


def elements_cost(
    geometry: ConvGeometry, channels: int, filters: int, lanes: int, tile: Tile, transposed: bool
) -> float:
    """Return what an image costs kernel element by kernel element, in vectors multiplied; see `cost`."""
    sizes = element_sizes(geometry)
    adding = ADDING if vector_registers() >= 32 else ADDING_NARROW
    step = tile.step_cost * channels + adding * tile.rows * tile.vectors * -(-channels // LONGEST_CHAIN)
    bias = math.prod(geometry.output_size) * adding * tile.vectors
    each = TRANSPOSING if transposed else LAYING_OUT if packs(filters, tile.vectors * lanes) else 0
    laying_out = each * len(sizes) * channels * tile.vectors
    return filters // (tile.vectors * lanes) * (sum(-(-size // tile.rows) * step for size in sizes) + bias + laying_out)


def conv_elements(geometry: ConvGeometry, channels: int, filters: int, lanes: int, transposed: bool) -> Tile | None:
    """Choose the tile for going kernel element by kernel element, if that is the cheaper way; of one group.

    That does not depend on the batch, whose images are then computed alike by themselves.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> small, large = (ConvGeometry((AxisGeometry(n, 3, pad_before=1, pad_after=1),) * 2) for n in (7, 112))
    >>> conv_elements(small, 512, 512, 16, False) is None, conv_elements(large, 32, 64, 16, False) is None
    (False, True)
    """
    whole = [tile for tile in tiles() if filters % (tile.vectors * lanes) == 0 and tile.vectors > 1]
    sizes = element_sizes(geometry)
    if not whole or channels < LEAST_CHANNELS or len(sizes) == 1 or not 0 < sum(sizes) <= MOST_LINKS:
        return None
    tile = min(whole, key=lambda tile: elements_cost(geometry, channels, filters, lanes, tile, transposed))

    def by_class(tile: Tile) -> float:
        strip = len(sizes) * channels * tile.vectors
        each = PACKING if transposed or packs(filters, tile.vectors * lanes) else 0
        packing = each * strip * -(-filters // (tile.vectors * lanes))
        far = 1.1 if strip > STRIP else 1.0
        chains = sum(sizes) * channels / LONGEST_CHAIN - math.prod(geometry.output_size)
        adding = 2 * max(chains, 0) * filters / lanes
        return cost(geometry, 1, channels, filters, lanes, tile) * far + adding + packing

    fewest = elements_cost(geometry, channels, filters, lanes, tile, transposed)
    return tile if fewest < min(map(by_class, tiles())) else None


def element_chunks(geometry: ConvGeometry, batch: int, blocks: int, threads: int) -> tuple[int, int, bool]:
    """Choose how many images make a chunk, into how many they are cut, and whether threads share the chunks.

    Each thread has some blocks of filters, at least two side by side: writing alternate cache lines, they would take
    them from each other. Or else it has some chunks, all blocks of them. A chunk stays in the cache.
    """
    outputs = math.prod(geometry.output_size)
    images = min(batch, max(1, CHUNK_OUTPUTS // (2 * outputs)))
    least = min(-(-images * outputs // CHUNK_OUTPUTS), images * geometry.output_size[0])
    if blocks >= 2 * threads and blocks % threads == 0:
        return images, least, False
    images = min(images, -(-batch // threads)) if batch >= threads else images
    chunks = -(-batch // images)
    even = next(pieces for pieces in range(least, least + threads) if pieces * chunks % threads == 0)
    return images, min(even, images * geometry.output_size[0]), True


def turns_out(geometry: ConvGeometry, tile: Tile, lanes: int) -> bool:
    """Choose whether a convolution of channels first turns its own outputs, and not all at once when it is done.

    Most of them must be neighbours, so that they fill the vectors that are stored. And the narrow tile has no register
    to spare for places that are not side by side: 16 filters on 56x56 take 440 us so, 330 with all turned.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> same, transposed = AxisGeometry(56, 3, pad_before=1, pad_after=1), AxisGeometry.transposed(28, 4, stride=2)
    >>> [turns_out(ConvGeometry((axis, axis)), Tile(6, 4), 16) for axis in (same, transposed)]
    [True, False]
    """
    axis = geometry.axes[-1]
    along = [c.outputs for c in axis_classes(axis)]
    neighbours = sum(own.size for own in along if own.size >= lanes and own[-1] - own[0] == own.size - 1)
    return tile.vectors > 1 and 4 * neighbours >= 3 * axis.output_size


def packs(filters: int, block_size: int) -> bool:
    """Choose whether the weights of a group are packed: where a block is cut short, or is a narrow strip of many.

    Strips of four cache lines and more are read as fast where they stand.
    """
    return filters % block_size != 0 or (block_size < filters and block_size < NARROW)


def chunks(multiply_adds: int, blocks: int) -> int:
    """Choose into how many chunks the outputs of each block of filters are cut: as few as keep threads busy."""
    return max(1, min(-(-MOST_CHUNKS // blocks), multiply_adds // (blocks * CHUNK)))


def gradient_cost(
    geometry: ConvGeometry, batch: int, channels: int, filters: int, lanes: int, tile: Tile, by_element: bool
) -> float:
    """Return what a weight gradient costs, in vectors multiplied; channels and filters of one group."""
    blocks = -(-filters // (tile.vectors * lanes))
    overhead = GRADIENT_OVERHEAD * tile.rows * tile.vectors
    sizes, longest = class_sizes(geometry), GRADIENT_BLOCK
    if by_element:
        sizes, longest = tuple((outputs, 1) for outputs in element_sizes(geometry)), ELEMENT_BLOCK
    return blocks * sum(
        -(-links * channels // tile.rows)
        * (batch * outputs * tile.step_cost + -(-batch * outputs // longest) * overhead)
        for outputs, links in sizes
    )


def gradient_tile(geometry: ConvGeometry, batch: int, channels: int, filters: int, lanes: int) -> tuple[Tile, bool]:
    """Choose the tile of a weight gradient, and whether each kernel element sums by itself.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> small = ConvGeometry((AxisGeometry(7, 3, pad_before=1, pad_after=1),) * 2)
    >>> gradient_tile(small, 1, 512, 512, lanes=16)[1], gradient_tile(small, 1, 1, 6, lanes=16)[0].vectors
    (True, 1)
    """

    def needed(way: tuple[Tile, bool]) -> float:
        # Alike, the tables of all elements together are smaller.
        return gradient_cost(geometry, batch, channels, filters, lanes, *way) * (1.1 if way[1] else 1)

    return min(itertools.product(tiles(), (False, True)), key=needed)


def gradient_shares(tile_count: int, blocks: int, outputs: int) -> tuple[int, int, bool]:
    """Choose into how many shares the rows and the outputs of a weight gradient are divided, and who has which.

    The rows are divided first, each with one owner. Only where they are too few to keep several threads busy
    are the outputs, too; never by the number of threads, so that the sums are always the same.
    Threads whose blocks of filters are neighbours write alternate cache lines, and take them from each other. So each
    has some rows, all blocks of them, unless tiles are so few that this would be uneven.
    """
    owners = max(1, min(tile_count // 2, -(-MOST_CHUNKS // blocks)))
    parts = 1 if owners * blocks >= MOST_CHUNKS // 2 else -(-MOST_CHUNKS // 2 // (owners * blocks))
    if parts == 1 and tile_count * blocks % 2 and outputs >= MANY_OUTPUTS:
        # Of an odd number of tiles two threads cannot have as many each.
        owners, parts = -(-owners // 2), 2
    return owners, max(1, min(parts, outputs // LEAST_PART)), tile_count >= EVEN_TILES
