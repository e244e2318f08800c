"""Plans of elementwise layers: which rows of outputs read what, in offsets.

A depthwise convolution multiplies a datum with a weight of the same channel. One axis is gone *along*:
its outputs of a class (`refconv.tiled.links`) are divided into *pieces* that lie at equal distances, and
each sums over the *taps* of that axis. What an output reads along the other axes is a list of *runs*, one
for each kernel element of these, and outputs with one list form *rows* or *strips*.

A *row* is all outputs along the last axis at one place of the others. A *strip* is part of a row that is
gone along another axis: all outputs on the last axis whose taps are the same. Where these are
neighbours, and so are the data that they read, places and channels of a strip are one flat axis of lanes.

In a piece whose taps read data at equal distances too, an output shares data with its neighbours. If
these distances fit, the piece is a *window* (`refconv.tiled.windows`): at dilation 2, for instance,
the outputs 0, 2, 4, ... are one such piece and 1, 3, 5, ... another.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from refconv.geometry import AxisGeometry
from refconv.tiled.links import AxisClass, Indices, axis_classes

# Columns of a plan's rows, of its strips, which begin like those of rows, and of its pieces.
ROW_X, ROW_OUT, ROW_RUN, ROW_RUN_END, ROW_CLASS = range(5)
STRIP_COUNT, STRIP_X_STEP, STRIP_OUT_STEP, STRIP_LANES = range(4, 8)
OUT, OUT_STEP, X, X_STEP, COUNT, TAP, TAP_END, WINDOW = range(8)
# Columns of the rows of a weight gradient: offsets, place of the tiles of the first piece, rows that are summed up with
# this one and from it on.
LINE_COLUMNS = 4
LINE_X, LINE_OUT, LINE_TILES, LINE_SAME = range(LINE_COLUMNS)

# A longer window leaves no registers for the sums, and compiles for seconds.
_LONGEST_WINDOW = 16


class Piece(NamedTuple):
    """Outputs of one class on the last axis, at equal distances, in indices.

    Output ``out + j * out_step`` reads data relative to ``first + j * first_step``, for `j` below `outputs`.
    """

    out: int
    out_step: int
    first: int
    first_step: int
    outputs: int


class Window(NamedTuple):
    """A piece's taps read neighbouring data: `size` of them, an output's first `stride` after the last one's."""

    size: int
    stride: int


class RowPlan(NamedTuple):
    """Tables of an elementwise layer, in elements of the arrays.

    Attributes
    ----------
    rows : ndarray, shape (rows, 5)
        Offset into what is read, and into what is written, first run and end, number of the runs' list.
    runs, taps : ndarray, shape (..., 2)
        Offsets into what is read and into the weights.
    pieces : ndarray, shape (pieces, 8)
        First offset written, step; first offset read, step; outputs; first tap and end; whether it is a window.
    window : Window or None
        What the windows have in common.
    widest : int
        Outputs of the largest window, of the largest piece if there is none.
    """

    rows: Indices
    runs: Indices
    pieces: Indices
    taps: Indices
    window: Window | None
    widest: int


class StripPlan(NamedTuple):
    """Tables of an elementwise layer that is gone along any axis, in elements of the arrays.

    Attributes
    ----------
    strips : ndarray, shape (rows * strips of a row, 8)
        Offset into what is read, and into what is written, first run and end, segments, from one segment to the
        next in what is read, and in what is written, lanes of a segment.
    row_strips : int
        Strips of a row.
    runs, taps, pieces, window, widest
        As of a `RowPlan`.
    """

    strips: Indices
    row_strips: int
    runs: Indices
    pieces: Indices
    taps: Indices
    window: Window | None
    widest: int


class Steps(NamedTuple):
    """Elements from one index to the next: of what is read, of what is written, of the weights, per axis.

    `reads_of_taps` is what a kernel element adds to the offset of what it reads.
    """

    reads: tuple[int, ...]
    writes: tuple[int, ...]
    weights: tuple[int, ...]
    reads_of_taps: tuple[int, ...]


def steps_of(sizes: tuple[int, ...], last: int) -> tuple[int, ...]:
    """Return the elements from one index of each axis to the next.

    Examples
    --------
    >>> steps_of((4, 5), 3)
    (15, 3)
    """
    return tuple(math.prod(sizes[axis + 1 :]) * last for axis in range(len(sizes)))


@functools.lru_cache(maxsize=256)
def row_plan(axes: tuple[AxisGeometry, ...], steps: Steps, least_window: int | None) -> RowPlan:
    """Plan an elementwise layer row by row.

    Parameters
    ----------
    axes : tuple of AxisGeometry
        Of the layer as a gather.
    steps : Steps
        Of its arrays.
    least_window : int or None
        As of `strip_plan`.
    """
    last = len(axes) - 1
    x, out, number, lists = _places(axes, steps, range(last))
    ends = np.cumsum([len(runs) for runs in lists])
    begins = ends - [len(runs) for runs in lists]
    rows = np.stack([x, out, begins[number], ends[number], number], axis=1)
    pieces, taps, window = _pieces(axes[last], steps, last, least_window)
    plan = RowPlan(rows, np.concatenate(lists), pieces, taps, window, _widest(pieces))
    _freeze(plan)
    return plan


@functools.lru_cache(maxsize=256)
def strip_plan(
    axes: tuple[AxisGeometry, ...], steps: Steps, channels: tuple[int, int], along: int, least_window: int | None
) -> StripPlan:
    """Plan an elementwise layer that is gone along one axis.

    Parameters
    ----------
    axes : tuple of AxisGeometry
        Of the layer as a gather.
    steps : Steps
        Of its arrays.
    channels : tuple of int
        Of a cell of what is read, and of a cell of what is written.
    along : int
        Number of the axis.
    least_window : int or None
        Outputs below which a piece is no window; None for no windows at all.
    """
    last = len(axes) - 1
    x, out, number, lists = _places(axes, steps, [d for d in range(last) if d != along])
    segments = np.array([(0, 0, 0, 1, 0, 0, max(channels))], np.int64)
    if along != last:
        classes = axis_classes(axes[last])
        segments = np.array(
            [(i, *_segments(piece, steps, channels)) for i, c in enumerate(classes) for piece in _at_equal_distances(c)]
        )
        lists = [_combined(runs, _offsets(c, steps, last)) for runs in lists for c in classes]
        number = number * len(classes)
    ends = np.cumsum([len(runs) for runs in lists])
    begins = ends - [len(runs) for runs in lists]
    own = number[:, None] + segments[:, 0]
    places = [x[:, None] + segments[:, 1], out[:, None] + segments[:, 2], begins[own], ends[own]]
    forms = [np.broadcast_to(column, own.shape) for column in segments[:, 3:].T]
    strips = np.stack([*places, *forms], axis=-1).reshape(-1, 8)
    pieces, taps, window = _pieces(axes[along], steps, along, least_window)
    plan = StripPlan(strips, len(segments), np.concatenate(lists), pieces, taps, window, _widest(pieces))
    _freeze(plan)
    return plan


def _segments(piece: Piece, steps: Steps, channels: tuple[int, int]) -> tuple[int, ...]:
    """Return where a strip begins in what is read and written, its segments, their steps and lanes."""
    x_step, out_step = piece.first_step * steps.reads[-1], piece.out_step * steps.writes[-1]
    begin = piece.first * steps.reads[-1], piece.out * steps.writes[-1]
    if (x_step, out_step) == channels and not any(steps.reads_of_taps):
        return *begin, 1, 0, 0, piece.outputs * max(channels)
    return *begin, piece.outputs, x_step, out_step, max(channels)


def _freeze(plan: RowPlan | StripPlan) -> None:
    for table in plan:
        if isinstance(table, np.ndarray):
            table.flags.writeable = False


def _widest(pieces: Indices) -> int:
    is_window = pieces[:, WINDOW] == 1
    return int(pieces[is_window if is_window.any() else slice(None), COUNT].max())


def _places(
    axes: tuple[AxisGeometry, ...], steps: Steps, numbers: Iterable[int]
) -> tuple[Indices, Indices, Indices, list[Indices]]:
    """List the places on some axes, in row-major order.

    Returns
    -------
    x, out, number : ndarray, shape (places,)
        Offset into what is read, and into what is written, and the number of each one's product class.
    lists : list of ndarray
        The runs of each product class.
    """
    x = out = number = np.zeros(1, np.int64)
    lists = [np.zeros((1, 2), np.int64)]
    for d in numbers:
        axis, classes = axes[d], axis_classes(axes[d])
        own_number, firsts = np.empty(axis.output_size, np.int64), np.empty(axis.output_size, np.int64)
        for i, c in enumerate(classes):
            own_number[c.outputs], firsts[c.outputs] = i, c.firsts
        x = (x[:, None] + firsts * steps.reads[d]).ravel()
        out = (out[:, None] + np.arange(axis.output_size) * steps.writes[d]).ravel()
        number = (number[:, None] * len(classes) + own_number).ravel()
        lists = [_combined(runs, _offsets(c, steps, d)) for runs in lists for c in classes]
    return x, out, number, lists


def _combined(runs: Indices, more: Indices) -> Indices:
    return np.asarray(runs[:, None] + more).reshape(-1, 2)


def _offsets(c: AxisClass, steps: Steps, d: int) -> Indices:
    """List what each tap of a class on axis `d` adds to the offset of what is read, and of the weights."""
    return np.stack([c.steps * steps.reads[d] + c.taps * steps.reads_of_taps[d], c.taps * steps.weights[d]], axis=1)


def _pieces(
    axis: AxisGeometry, steps: Steps, d: int, least_window: int | None
) -> tuple[Indices, Indices, Window | None]:
    """Divide the outputs of axis `d` into pieces, and list the taps of each class."""
    read, write = steps.reads[d], steps.writes[d]
    found: list[tuple[Piece, int, int, Window | None]] = []
    lists, tap = [], 0
    for c in axis_classes(axis):
        lists.append(_offsets(c, steps, d))
        ends = (tap, tap + c.taps.size)
        for piece in _at_equal_distances(c):
            windows = _windows(c, piece, least_window) if steps.reads_of_taps[d] == 0 and least_window else []
            found += [(part, *ends, window) for part, window in windows] or [(piece, *ends, None)]
        tap = ends[1]
    sizes = [(piece.outputs, own) for piece, _, _, own in found if own]
    window = max(sizes)[1] if sizes else None
    table = [
        (
            *(piece.out * write, piece.out_step * write, piece.first * read, piece.first_step * read),
            *(piece.outputs, first, end, int(own is not None and own == window)),
        )
        for piece, first, end, own in found
    ]
    return np.array(table, np.int64), np.concatenate(lists), window


def _at_equal_distances(c: AxisClass) -> list[Piece]:
    """Divide a class into pieces, as long as can be."""
    pieces, begin, total = [], 0, c.outputs.size
    changes = np.flatnonzero((np.diff(c.outputs, 2) != 0) | (np.diff(c.firsts, 2) != 0)) + 1
    for change in [*changes, total - 1]:
        # The output at a change ends its piece, so what changes at the first of the next one is nothing.
        if change <= begin < total - 1:
            continue
        count = int(change) + 1 - begin
        step = int(c.outputs[begin + 1] - c.outputs[begin]) if count > 1 else 0
        first_step = int(c.firsts[begin + 1] - c.firsts[begin]) if count > 1 else 0
        pieces.append(Piece(int(c.outputs[begin]), step, int(c.firsts[begin]), first_step, count))
        begin += count
    return pieces


def _windows(c: AxisClass, piece: Piece, least: int) -> list[tuple[Piece, Window]]:
    """Divide a piece into windows of at least `least` outputs, or return an empty list."""
    size = c.taps.size
    if not 2 <= size <= _LONGEST_WINDOW or np.unique(np.diff(c.steps)).size > 1 or piece.first_step == 0:
        return []
    distance = int(c.steps[1] - c.steps[0])
    if np.unique(np.diff(c.taps)).size > 1 or distance == 0:
        return []
    parts = abs(distance) // math.gcd(distance, piece.first_step)
    stride = parts * piece.first_step // distance
    # Data must be passed in the order of the taps, so where these go back, outputs do.
    if abs(stride) >= size or piece.outputs // parts < least:
        return []
    windows: list[tuple[Piece, Window]] = []
    for part in range(parts):
        count = len(range(part, piece.outputs, parts))
        begin, step = (part, parts) if stride > 0 else (part + (count - 1) * parts, -parts)
        first = Piece(
            piece.out + begin * piece.out_step,
            step * piece.out_step,
            piece.first + begin * piece.first_step,
            step * piece.first_step,
            count,
        )
        windows.append((first, Window(size, abs(stride))))
    return windows


class GradientTable(NamedTuple):
    """Tables of a weight gradient in one, every number of an entry being its place there.

    Attributes
    ----------
    table : ndarray
        Rows by `LINE_COLUMNS`, then pieces as of a `RowPlan`, then for each list of runs and each piece the first
        kernel element and end, in whole tiles, then kernel elements: offset into what is read, and into the weights,
        -1 there where one only fills up a tile.
    first_piece, pieces : int
        Place of the pieces, and how many there are.
    """

    table: Indices
    first_piece: int
    pieces: int


def gradient_table(plan: RowPlan, size: int, together: int) -> GradientTable:
    """List the kernel elements that each piece of each row reads through, in tiles of `size`.

    At most `together` rows with the same elements are summed up at once.
    """
    lists = {int(row[ROW_CLASS]): plan.runs[row[ROW_RUN] : row[ROW_RUN_END]] for row in plan.rows}
    tiles = np.zeros((max(lists) + 1, len(plan.pieces), 2), np.int64)
    entries, total = [np.zeros((0, 2), np.int64)], 0
    for number, runs in lists.items():
        for p, piece in enumerate(plan.pieces):
            taps = plan.taps[piece[TAP] : piece[TAP_END]]
            offsets = (runs[:, None] + taps).reshape(-1, 2)
            if len(offsets):
                # Runs that are read at once remain so where they fill up a tile.
                missing = -len(offsets) % size
                repeated = np.resize(offsets[-len(taps) :, 0], missing)
                entries += [offsets, np.stack([repeated, np.full(missing, -1)], axis=1)]
            tiles[number, p] = total, total + -(-len(offsets) // size) * size
            total = tiles[number, p, 1]
    x, out, own = plan.rows[:, ROW_X], plan.rows[:, ROW_OUT], plan.rows[:, ROW_CLASS]
    ends = np.flatnonzero(np.diff(own, append=-1)) + 1
    same = ends[np.searchsorted(ends, np.arange(own.size), "right")] - np.arange(own.size)
    first_piece = own.size * LINE_COLUMNS
    first_tile = first_piece + plan.pieces.size
    lines = np.stack([x, out, first_tile + own * tiles[0].size, np.minimum(same, together)], axis=1)
    parts = lines, plan.pieces, first_tile + tiles.size + 2 * tiles, *entries
    table = np.concatenate([part.ravel() for part in parts])
    table.flags.writeable = False
    return GradientTable(table, first_piece, len(plan.pieces))
