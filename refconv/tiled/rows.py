"""Plans of elementwise layers: which rows of outputs read what, in offsets.

A depthwise convolution multiplies a datum with a weight of the same channel, so that its outputs are
filled row by row. A *row* is all outputs along the last axis at one place of the others. What it reads
there is a list of *runs*, one for each kernel element of the other axes, and every run sums over the
*taps* of the last axis. Along that axis the outputs of a class (`refconv.tiled.links`) are divided into
*pieces* that lie at equal distances.

In a piece whose taps read data at equal distances too, an output shares data with its neighbours. If
these distances fit, the piece is a *window* (`refconv.tiled.windows`): at dilation 2, for instance,
the outputs 0, 2, 4, ... are one such piece and 1, 3, 5, ... another.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np

from refconv.geometry import AxisGeometry
from refconv.tiled.links import AxisClass, Indices, axis_classes

# Columns of a plan's rows, and of its pieces.
ROW_X, ROW_OUT, ROW_RUN, ROW_RUN_END, ROW_CLASS = range(5)
OUT, OUT_STEP, X, X_STEP, COUNT, TAP, TAP_END, WINDOW = range(8)

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
    """Plan an elementwise layer.

    Parameters
    ----------
    axes : tuple of AxisGeometry
        Of the layer as a gather.
    steps : Steps
        Of its arrays.
    least_window : int or None
        Outputs below which a piece is no window; None for no windows at all.
    """
    rows, runs = _rows(axes[:-1], steps)
    pieces, taps, window = _pieces(axes[-1], steps, least_window)
    is_window = pieces[:, WINDOW] == 1
    widest = int(pieces[is_window if is_window.any() else slice(None), COUNT].max())
    for table in (rows, runs, pieces, taps):
        table.flags.writeable = False
    return RowPlan(rows, runs, pieces, taps, window, widest)


def _rows(axes: tuple[AxisGeometry, ...], steps: Steps) -> tuple[Indices, Indices]:
    """List the rows, in row-major order, and the runs of each product class."""
    x = out = number = np.zeros(1, np.int64)
    classes = [axis_classes(axis) for axis in axes]
    for d, axis in enumerate(axes):
        own_number, firsts = np.empty(axis.output_size, np.int64), np.empty(axis.output_size, np.int64)
        for i, c in enumerate(classes[d]):
            own_number[c.outputs], firsts[c.outputs] = i, c.firsts
        x = (x[:, None] + firsts * steps.reads[d]).ravel()
        out = (out[:, None] + np.arange(axis.output_size) * steps.writes[d]).ravel()
        number = (number[:, None] * len(classes[d]) + own_number).ravel()
    lists = []
    for combination in itertools.product(*classes):
        runs = np.zeros((1, 2), np.int64)
        for d, c in enumerate(combination):
            runs = (runs[:, None] + _offsets(c, steps.reads[d], steps.reads_of_taps[d], steps.weights[d])).reshape(
                -1, 2
            )
        lists.append(runs)
    ends = np.cumsum([len(runs) for runs in lists])
    begins = ends - [len(runs) for runs in lists]
    return np.stack([x, out, begins[number], ends[number], number], axis=1), np.concatenate(lists)


def _offsets(c: AxisClass, read: int, read_of_tap: int, weight: int) -> Indices:
    return np.stack([c.steps * read + c.taps * read_of_tap, c.taps * weight], axis=1)


def _pieces(axis: AxisGeometry, steps: Steps, least_window: int | None) -> tuple[Indices, Indices, Window | None]:
    """Divide the outputs of the last axis into pieces, and list the taps of each class."""
    read, write, weight, read_of_tap = (values[-1] for values in steps)
    found: list[tuple[Piece, int, int, Window | None]] = []
    lists, tap = [], 0
    for c in axis_classes(axis):
        lists.append(_offsets(c, read, read_of_tap, weight))
        ends = (tap, tap + c.taps.size)
        for piece in _at_equal_distances(c):
            windows = _windows(c, piece, least_window) if read_of_tap == 0 and least_window else []
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


def gradient_tiles(plan: RowPlan, size: int) -> tuple[Indices, Indices, Indices]:
    """List the kernel elements that each piece of each row reads through, in tiles of `size`.

    Returns
    -------
    tiles : ndarray, shape (lists of runs * pieces, 2)
        First entry of the other tables and end, whole tiles.
    reads, writes : ndarray, shape (entries,)
        Offset into what is read, and into the weights; -1 there where an entry fills up a tile.
    """
    lists = {int(row[ROW_CLASS]): plan.runs[row[ROW_RUN] : row[ROW_RUN_END]] for row in plan.rows}
    tiles = np.zeros((max(lists) + 1, len(plan.pieces), 2), np.int64)
    entries, total = [np.zeros((0, 2), np.int64)], 0
    for number, runs in lists.items():
        for p, piece in enumerate(plan.pieces):
            taps = plan.taps[piece[TAP] : piece[TAP_END]]
            offsets = (runs[:, None] + taps).reshape(-1, 2)
            if len(offsets):
                filling = np.tile([[offsets[-1, 0], -1]], (-len(offsets) % size, 1))
                entries += [offsets, filling]
            tiles[number, p] = total, total + -(-len(offsets) // size) * size
            total = tiles[number, p, 1]
    reads, writes = np.ascontiguousarray(np.concatenate(entries).T)
    return tiles.reshape(-1, 2), reads, writes
