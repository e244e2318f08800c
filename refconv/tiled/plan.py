"""Plans: the tables of offsets that make one contraction any convolution.

A plan of a convolution walks through the product of the axes' classes (`refconv.tiled.links`). The
outputs of one product class share their links, so that the class is one *segment*: some tiles of
outputs, each with an offset to read from and one to write to, and some *runs*, which every output of
the segment sums over. A run is a kernel element with its channels; where neighbouring kernel elements
read neighbouring data, the whole row of elements is one run. Padding and inserted zeros are in no
run, so nothing is multiplied by them.

Tiles go through the outputs of a class across rows and images, and a short last tile repeats its last
output. Their table holds at most `MOST_OUTPUTS` outputs: of a larger class it holds some rows, and a
second table the offset of every such block of rows, so that tables stay at 64 KiB a class whatever the image.

All of it is NumPy on whole axes; a plan is built in about a millisecond, and kept.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.tiled.links import AxisClass, Indices, axis_classes, axis_links

# Products that are added up in one go, before their sum is added to the others': a sum in float32 is the more
# exact the shorter its chains are, and at this length as exact as PyTorch's.
LONGEST_CHAIN = 192
SHORTEST_CHAIN = 80

# A chain of several runs can be shorter without cutting any.
LONGEST_TOGETHER = 160

MOST_OUTPUTS = 4096
LEAST_OUTPUTS = 1024


class Plan(NamedTuple):
    """Tables of a contraction, in elements of the arrays; see `refconv.tiled.contraction`.

    Attributes
    ----------
    segments : ndarray, shape (segments, 8)
        First outer block and how many; first tile and how many; first run and end; runs of a chain; which share
        of the tiles the first chunk has.
    outers : ndarray, shape (outer blocks, 2)
        Offsets into what is read and what is written.
    reads, writes : ndarray, shape (tiles * rows of a tile,)
        Offsets of each row of each tile.
    runs : ndarray, shape (runs, 3)
        Offsets into what is read and into the weights, and steps.
    """

    segments: Indices
    outers: Indices
    reads: Indices
    writes: Indices
    runs: Indices

    @property
    def size(self) -> int:
        """Bytes of all tables."""
        return sum(table.nbytes for table in self)


@dataclass(frozen=True)
class Positions:
    """Where some outputs lie: offsets into what is read and into what is written."""

    reads: Indices
    writes: Indices

    @property
    def count(self) -> int:
        """Number of outputs."""
        return self.reads.size

    def with_inner(self, inner: Positions) -> Positions:
        """Return all sums of one of these and one of `inner`, the inner ones fastest."""
        return Positions(
            (self.reads[:, None] + inner.reads).ravel(),
            (self.writes[:, None] + inner.writes).ravel(),
        )

    def part(self, keep: slice | npt.NDArray[np.bool_]) -> Positions:
        """Return some of them."""
        return Positions(self.reads[keep], self.writes[keep])

    def uniform(self) -> bool:
        """Tell whether each lies as far from the one before as all do."""
        return all(np.unique(np.diff(offsets)).size <= 1 for offsets in (self.reads, self.writes))


ORIGIN = Positions(np.zeros(1, np.int64), np.zeros(1, np.int64))


def conv_plan(
    geometry: ConvGeometry,
    batch: int,
    channels: int,
    filters: int,
    rows: int,
    weight_step: int,
    chunks: int = 1,
    channel_step: int = 1,
    filter_step: int = 1,
) -> Plan:
    """Plan a convolution of `batch` images.

    Parameters
    ----------
    geometry : ConvGeometry
        Any, also of a transposed convolution.
    batch, channels, filters : int
        Of the arrays, all groups together.
    rows : int
        Outputs of a tile.
    weight_step : int
        From the weights of one channel to those of the next, which is also the next kernel element's
        first after an element's last.
    chunks : int
        Into how many the tiles of each segment are divided, as evenly as can be all together.
    channel_step, filter_step : int
        From one channel of an image to the next, and from one filter of an output: 1 if they come last, or if they
        come first the size of an image of one channel.
    """
    own_channels = channels // geometry.groups
    read_steps = _steps_of_places(geometry.input_size, channels, channel_step)
    write_steps = _steps_of_places(geometry.output_size, filters, filter_step)
    tap_steps = steps_of(geometry.kernel_size, own_channels * weight_step)
    images = Positions(np.arange(batch) * read_steps[0], np.arange(batch) * write_steps[0])
    tables = _Tables(rows)
    for classes in itertools.product(*(axis_classes(axis) for axis in geometry.axes)):
        places = [
            Positions(c.firsts * read, c.outputs * write)
            for c, read, write in zip(classes, read_steps[1:], write_steps[1:], strict=True)
        ]
        length = own_channels
        if geometry.groups == 1 and _one_run(classes[-1]):
            length *= classes[-1].taps.size
            classes = (*classes[:-1], classes[-1]._replace(taps=classes[-1].taps[:1], steps=classes[-1].steps[:1]))
        runs = np.zeros((1, 2), np.int64)
        for c, read, tap in zip(classes, read_steps[1:], tap_steps[1:], strict=True):
            runs = (runs[:, None] + np.stack([c.steps * read, c.taps * tap], axis=1)).reshape(-1, 2)
        cut, together = chains(runs, length, 1, weight_step)
        if channel_step != 1:
            cut, together = _by_elements(runs, length, together, own_channels, channel_step, weight_step)
        tables.add(blocks_of_outputs([images, *places], rows), cut, together)
    return tables.plan(chunks)


def steps_of(sizes: Sequence[int], last: int) -> list[int]:
    """Return the elements from one index of an axis to the next, before them those of the whole."""
    return [math.prod(sizes[axis:]) * last for axis in range(len(sizes) + 1)]


def _steps_of_places(sizes: Sequence[int], count: int, step: int) -> list[int]:
    """Return the elements from one image to the next, and from one index of each axis, channels `step` apart."""
    return steps_of(sizes, count) if step == 1 else [math.prod(sizes) * count, *steps_of(sizes, 1)[1:]]


def _one_run(c: AxisClass) -> bool:
    """Tell whether neighbouring kernel elements read neighbouring data."""
    return c.taps.size > 0 and bool((np.diff(c.taps) == 1).all() and (np.diff(c.steps) == 1).all())


def chains(runs: Indices, length: int, read_step: int, weight_step: int) -> tuple[Indices, int]:
    """Cut runs of `length` steps so that a sum has three chains, or more where they would be longer than the longest.

    Returns
    -------
    runs : ndarray, shape (runs, 3)
        Offsets into what is read and into the weights, and steps.
    together : int
        Runs of a chain.

    Examples
    --------
    >>> chains(np.array([[0, 0]]), 160, 1, 10)
    (array([[  0,   0,  80],
           [ 80, 800,  80]]), 1)
    """
    longest = min(LONGEST_CHAIN, max(SHORTEST_CHAIN, len(runs) * length // 3))
    pieces = -(-length // longest)
    bounds = np.array([length * piece // pieces for piece in range(pieces + 1)], np.int64)
    starts, steps = bounds[:-1], np.diff(bounds)
    cut = np.stack(
        [
            (runs[:, :1] + starts * read_step).ravel(),
            (runs[:, 1:] + starts * weight_step).ravel(),
            np.tile(steps, len(runs)),
        ],
        axis=1,
    )
    return cut, max(1, min(longest, LONGEST_TOGETHER) // int(steps.max()))


def _by_elements(
    runs: Indices, length: int, together: int, channels: int, channel_step: int, weight_step: int
) -> tuple[Indices, int]:
    """Cut runs as `chains` does, and where a kernel element ends: its last channel is far from the next one's first."""
    pieces, _ = chains(np.zeros_like(runs), length, 1, 1)
    starts, ends = pieces[:, 0], pieces[:, 0] + pieces[:, 2]
    elements = starts // channels
    # All pieces are cut into as many runs, of which some may be empty.
    most = int(np.max((ends - 1) // channels - elements, initial=0)) + 1
    numbers = elements[:, None] + np.arange(most)
    begins = np.maximum(starts[:, None], numbers * channels)
    steps = np.maximum(np.minimum(ends[:, None], (numbers + 1) * channels) - begins, 0)
    firsts = np.repeat(runs, len(pieces) // max(len(runs), 1), axis=0)
    reads = firsts[:, :1] + numbers + (begins - numbers * channels) * channel_step
    weights = firsts[:, 1:] + begins * weight_step
    return np.stack([reads, weights, steps], axis=2).reshape(-1, 3), together * most


def blocks_of_outputs(axes: Sequence[Positions], rows: int) -> Iterator[tuple[Positions, Positions]]:
    """Divide all outputs of a class into blocks that lie alike.

    Yields
    ------
    blocks, inside : Positions
        The outputs are all sums of one of `blocks` and one of `inside`.
    """
    inside = ORIGIN
    for depth in reversed(range(len(axes))):
        axis = axes[depth]
        if inside.count * axis.count <= MOST_OUTPUTS:
            inside = axis.with_inner(inside)
            continue
        together = _lines_together(axis, inside.count, rows)
        whole = axis.count - axis.count % together
        around = ORIGIN
        for outer in axes[:depth]:
            around = around.with_inner(outer)
        first = Positions(axis.reads[:together] - axis.reads[0], axis.writes[:together] - axis.writes[0])
        yield around.with_inner(axis.part(slice(0, whole, together))), first.with_inner(inside)
        if whole < axis.count:
            rest = first.part(slice(axis.count - whole))
            yield around.with_inner(axis.part(slice(whole, whole + 1))), rest.with_inner(inside)
        return
    yield ORIGIN, inside


def _lines_together(axis: Positions, outputs: int, rows: int) -> int:
    """Choose how many lines of `outputs` a block holds: enough to waste little on the last tile."""
    least = -(-LEAST_OUTPUTS // outputs)
    if least == 1 or not axis.uniform():
        return 1
    counts = range(least, min(2 * least, axis.count) + 1)
    return min(counts, key=lambda count: (-(-count * outputs // rows) * rows / (count * outputs), count))


class _Tables:
    """A plan that grows by one segment after another."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._segments: list[tuple[int, ...]] = []
        self._outers: list[Indices] = []
        self._inside: list[Indices] = []
        self._runs: list[Indices] = []
        self._counts = [0, 0, 0]

    def add(self, blocks: Iterable[tuple[Positions, Positions]], runs: Indices, together: int) -> None:
        """Add the outputs of `blocks`, which all sum over `runs`, some of them `together` a chain."""
        first_run = self._counts[2]
        self._runs.append(runs)
        self._counts[2] += len(runs)
        for outer, inside in blocks:
            tiles = -(-inside.count // self._rows)
            filled = np.minimum(np.arange(tiles * self._rows), inside.count - 1)
            self._segments.append(
                (self._counts[0], outer.count, self._counts[1], tiles, first_run, self._counts[2], together)
            )
            self._outers.append(np.stack([outer.reads, outer.writes], axis=1))
            self._inside.append(np.stack([inside.reads[filled], inside.writes[filled]]))
            self._counts[0] += outer.count
            self._counts[1] += tiles

    def plan(self, chunks: int) -> Plan:
        """Return the tables, read-only."""
        reads, writes = np.concatenate([np.zeros((2, 0), np.int64), *self._inside], axis=1)
        none = np.zeros((0, 2), np.int64)
        segments = np.array(self._segments, np.int64).reshape(-1, 7)
        runs = np.concatenate([np.zeros((0, 3), np.int64), *self._runs])
        tables = (
            np.concatenate([segments, _turns(segments, runs, chunks)[:, None]], axis=1),
            np.concatenate([none, *self._outers]),
            reads,
            writes,
            runs,
        )
        for table in tables:
            table.flags.writeable = False
        return Plan(*tables)


def _turns(segments: Indices, runs: Indices, chunks: int) -> Indices:
    """Choose which share of each segment's tiles the first chunk has, so that neighbouring chunks have as much to do.

    A share more or less of a long segment is a tile, and the short ones make up for it.
    """
    steps = np.concatenate([[0], np.cumsum(runs[:, 2])])
    costs = steps[segments[:, 5]] - steps[segments[:, 4]]
    turns = np.zeros(len(segments), np.int64)
    done = np.zeros(chunks)
    rolled = (np.arange(chunks)[:, None] + np.arange(chunks)) % chunks
    for s in np.argsort(-costs, kind="stable"):
        total = segments[s, 1] * segments[s, 3]
        tiles = np.diff(total * np.arange(chunks + 1) // chunks)
        ahead = np.cumsum(done + costs[s] * (tiles[rolled] - total / chunks), axis=1)
        turns[s] = np.abs(ahead).max(axis=1).argmin()
        done += costs[s] * (tiles[rolled[turns[s]]] - total / chunks)
    return turns


class GradientPlan(NamedTuple):
    """Tables of the contraction of a weight gradient.

    A row of a tile is a kernel element and a channel; its lanes are filters, and it sums over outputs.

    Attributes
    ----------
    segments : ndarray, shape (segments, 9)
        First tile and how many; first run and end; runs that all tiles sum over before the next ones; steps of
        a run; from one step to the next in what was read and in the output's gradient; whether these are the first
        sums of the rows, so that nothing is added to.
    shares : ndarray, shape (parts * owners + 1,)
        First segment of each owner of rows, for each part of the outputs.
    reads, writes : ndarray, shape (tiles * rows of a tile,)
        Offset of each row's kernel element and channel, and of its weights, -1 where the row is not used.
    runs : ndarray, shape (runs, 2)
        Offsets of a line of outputs: of what the first one reads, and of its gradient.
    """

    segments: Indices
    shares: Indices
    reads: Indices
    writes: Indices
    runs: Indices


# Outputs whose data stay in the cache while all rows sum over them; those of one kernel element at a time may be more.
GRADIENT_BLOCK = 112
ELEMENT_BLOCK = 200


def gradient_plan(
    geometry: ConvGeometry,
    batch: int,
    channels: int,
    filters: int,
    rows: int,
    owners: int,
    parts: int,
    by_element: bool = False,
) -> GradientPlan:
    """Plan the gradient of a convolution's weights.

    Parameters
    ----------
    geometry : ConvGeometry
        Of the convolution.
    batch, channels, filters : int
        Of the arrays, all groups together.
    rows : int
        Kernel elements and channels of a tile.
    owners, parts : int
        Into how many shares the rows are divided, and into how many the outputs, whose sums are then
        added up in order.
    by_element : bool
        Whether each kernel element sums over its own outputs, once, rather than all together over those of one class
        after another: for small images, most of whose outputs lie at a border.
    """
    own_channels = channels // geometry.groups
    read_steps = steps_of(geometry.input_size, channels)
    dy_steps = steps_of(geometry.output_size, filters)
    tap_steps = steps_of(geometry.kernel_size, own_channels)
    images = Positions(np.arange(batch) * read_steps[0], np.arange(batch) * dy_steps[0])
    bounds = _bounds(tap_steps[0], own_channels if by_element else tap_steps[0], rows, owners)
    longest = ELEMENT_BLOCK if by_element else GRADIENT_BLOCK
    fresh = np.ones(tap_steps[0], np.bool_)
    reads: list[Indices] = []
    writes: list[Indices] = []
    runs: list[Indices] = []
    segments: list[list[tuple[int, ...]]] = [[] for _ in range(owners * parts)]
    tile_count = run_count = 0

    def add_tiles(mine: Indices) -> tuple[int, int]:
        nonlocal tile_count
        count = -(-len(mine) // rows)
        filled = np.minimum(np.arange(count * rows), max(len(mine) - 1, 0))
        reads.append(mine[filled, 0])
        writes.append(np.where(np.arange(count * rows) < len(mine), mine[filled, 1] * filters, -1))
        tile_count += count
        return tile_count - count, count

    def add_zeros(owner: int, mine: Indices) -> None:
        if len(mine):
            tiles = add_tiles(mine)
            for part in range(parts):
                segments[part * owners + owner].append((*tiles, 0, 0, 1, 0, 0, 0, 1))

    split = _element_classes if by_element else axis_classes
    every = itertools.product(*(split(axis) for axis in geometry.axes))
    # The class that sums into most rows first, so that few have to be set to zero before.
    ordered = sorted(every, key=lambda classes: -math.prod(c.taps.size for c in classes))
    for number, classes in enumerate(ordered):
        if not all(c.taps.size and c.outputs.size for c in classes):
            continue
        elements = np.zeros((1, 2), np.int64)
        for c, read, tap in zip(classes, read_steps[1:], tap_steps[1:], strict=True):
            elements = (elements[:, None] + np.stack([c.steps * read, c.taps * tap], axis=1)).reshape(-1, 2)
        # Offset of what is read, and number of the row.
        table = (elements[:, None] + np.arange(own_channels)[:, None]).reshape(-1, 2)
        places = [
            Positions(c.firsts * read, c.outputs * write)
            for c, read, write in zip(classes, read_steps[1:], dy_steps[1:], strict=True)
        ]
        lines = list(_lines([images, *places], longest))
        for owner in range(owners):
            mine = table[(table[:, 1] >= bounds[owner]) & (table[:, 1] < bounds[owner + 1])]
            if not len(mine):
                continue
            new = bool(fresh[mine[:, 1]].all())
            if not new:
                add_zeros(owner, mine[fresh[mine[:, 1]]])
            fresh[mine[:, 1]] = False
            tiles = add_tiles(mine)
            first_line = run_count
            # Single lines would otherwise all fall to the last part.
            for turn, (starts, length, steps) in enumerate(lines, number):
                block = max(1, longest // length)
                for part in range(parts):
                    of_part = [first_line + (len(starts) * p + turn % parts) // parts for p in (part, part + 1)]
                    segments[part * owners + owner].append((*tiles, *of_part, block, length, *steps, int(new)))
                first_line, new = first_line + len(starts), False
        runs.extend(starts for starts, _, _ in lines)
        run_count += sum(len(starts) for starts, _, _ in lines)
    for owner in range(owners):
        never = bounds[owner] + np.flatnonzero(fresh[bounds[owner] : bounds[owner + 1]])
        add_zeros(owner, np.stack([np.zeros_like(never), never], axis=1))
    tables = (
        np.array([segment for share in segments for segment in share], np.int64).reshape(-1, 9),
        np.cumsum([0, *map(len, segments)]),
        np.concatenate([np.zeros(0, np.int64), *reads]),
        np.concatenate([np.zeros(0, np.int64), *writes]),
        np.concatenate([np.zeros((0, 2), np.int64), *runs]),
    )
    for table in tables:
        table.flags.writeable = False
    return GradientPlan(*tables)


def _bounds(all_rows: int, together: int, rows: int, owners: int) -> list[int]:
    """Divide rows, so many of which share tiles, between owners: whole tiles each, so that none wastes part of one."""
    tiles = -(-together // rows)
    total = all_rows // together * tiles
    firsts = (total * owner // owners for owner in range(owners + 1))
    return [tile // tiles * together + tile % tiles * rows for tile in firsts]


def _element_classes(axis: AxisGeometry) -> tuple[AxisClass, ...]:
    """Return, for each kernel element of an axis, the outputs that read data through it."""
    table = axis_links(axis)
    classes = []
    for k in range(axis.kernel_size):
        outputs = np.flatnonzero(table[:, k] >= 0)
        classes.append(AxisClass(np.array([k]), np.zeros(1, np.int64), outputs, table[outputs, k]))
    return tuple(classes)


def _lines(axes: Sequence[Positions], longest: int) -> Iterator[tuple[Indices, int, tuple[int, int]]]:
    """Divide all outputs of a class into lines of equal steps, at most `longest`, along the axis where it is longest.

    Yields
    ------
    lines : ndarray, shape (lines, 2)
        Offsets of each line's first output.
    length : int
        Outputs of a line.
    steps : tuple of int
        From one output of a line to the next.
    """
    uniform = [axis for axis in range(len(axes)) if axes[axis].uniform()]
    along = max(uniform, key=lambda axis: (axes[axis].count, axis), default=None)
    line = ORIGIN if along is None else axes[along]
    starts = ORIGIN
    for axis, positions in enumerate(axes):
        if axis != along:
            starts = starts.with_inner(positions)
    steps = (int(line.reads[1] - line.reads[0]), int(line.writes[1] - line.writes[0])) if line.count > 1 else (0, 0)
    pieces = -(-line.count // longest)
    bounds = [line.count * piece // pieces for piece in range(pieces + 1)]
    for length in sorted({b - a for a, b in itertools.pairwise(bounds)}):
        firsts = [a for a, b in itertools.pairwise(bounds) if b - a == length]
        lines = starts.with_inner(Positions(line.reads[firsts], line.writes[firsts]))
        yield np.stack([lines.reads, lines.writes], axis=1), length, steps
