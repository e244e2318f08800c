"""The contraction turned round, for few filters: lanes over the outputs of a line.

With three filters, thirteen of sixteen lanes would be idle. Here the rows of a tile are the filters and its
lanes neighbouring outputs on the last axis, which read neighbouring data where the data are turned to
(line, channel, place). That holds inside a line only; the few outputs near its ends, which read fewer
kernel elements, are left to the other contraction, so that padding is not multiplied here either.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numba import prange

from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.jit.launch import Compiled
from refconv.tiled.contraction import Array, Sizes, Tile, clear, fetch, set_aside, sum_up
from refconv.tiled.links import Indices, axis_classes
from refconv.tiled.plan import Positions, chains, steps_of
from refconv.tiled.simd import at, lanes_of, registers, set_at

# Columns of the segments.
LINE_COLUMNS = 7
OUTER, OUTERS, OUTPUTS, RUN, RUN_END, CHAIN, OUT_STEP = range(LINE_COLUMNS)


class LinesPlan(NamedTuple):
    """Tables of the contraction with lanes over outputs.

    Attributes
    ----------
    segments : ndarray, shape (segments, 7)
        First line and how many; outputs of a line; first run and end; runs of a chain; from one output to the next.
    outers : ndarray, shape (lines, 2)
        Offsets into the turned data and into the output.
    filters : ndarray, shape (row tiles * rows of a tile,)
        Offset of each filter into the weights; a short last tile repeats the last filter.
    runs : ndarray, shape (runs, 3)
        Offsets of a kernel element into the turned data and into the weights, and steps.
    """

    segments: Indices
    outers: Indices
    filters: Indices
    runs: Indices


def line_classes(axis: AxisGeometry, fewest: int) -> tuple[int, ...]:
    """Return which classes of an axis have `fewest` outputs or more that read neighbouring data.

    Examples
    --------
    >>> line_classes(AxisGeometry(56, 3, pad_before=1, pad_after=1), fewest=16)
    (1,)
    >>> line_classes(AxisGeometry(56, 3, stride=2), fewest=16)
    ()
    """
    return tuple(
        number
        for number, c in enumerate(axis_classes(axis))
        if c.outputs.size >= fewest and (np.diff(c.firsts) == 1).all() and np.unique(np.diff(c.outputs)).size == 1
    )


def lines_plan(
    geometry: ConvGeometry,
    columns: tuple[int, ...],
    batch: int,
    channels: int,
    filters: int,
    rows: int,
    transposed: bool,
) -> LinesPlan:
    """Plan the outputs of the last axis' classes `columns`, all filters; see `refconv.tiled.plan.conv_plan`."""
    read_steps = [*steps_of(geometry.input_size, channels)[:-1], 1]
    write_steps = steps_of(geometry.output_size, filters)
    tap_steps = steps_of(geometry.kernel_size, channels * filters)
    images = Positions(np.arange(batch) * read_steps[0], np.arange(batch) * write_steps[0])
    segments, outers, all_runs = [], [], []
    line_count = run_count = 0
    last = axis_classes(geometry.axes[-1])
    for *leading, along in itertools.product(
        *(axis_classes(axis) for axis in geometry.axes[:-1]), [last[number] for number in columns]
    ):
        starts, runs = images, np.zeros((1, 2), np.int64)
        # A line starts at the first output of its class on the last axis.
        places = [*leading, along._replace(outputs=along.outputs[:1], firsts=along.firsts[:1])]
        for c, read, write, tap in zip(places, read_steps[1:], write_steps[1:], tap_steps[1:], strict=True):
            starts = starts.with_inner(Positions(c.firsts * read, c.outputs * write))
            runs = (runs[:, None] + np.stack([c.steps * read, c.taps * tap], axis=1)).reshape(-1, 2)
        cut, chain = chains(runs, channels, geometry.input_size[-1], 1 if transposed else filters)
        step = int(along.outputs[1] - along.outputs[0]) * write_steps[-1]
        segments.append((line_count, starts.count, along.outputs.size, run_count, run_count + len(cut), chain, step))
        outers.append(np.stack([starts.reads, starts.writes], axis=1))
        all_runs.append(cut)
        line_count, run_count = line_count + starts.count, run_count + len(cut)
    of_filters = np.minimum(np.arange(-(-filters // rows) * rows), filters - 1) * (channels if transposed else 1)
    tables = np.array(segments, np.int64), np.concatenate(outers), of_filters, np.concatenate(all_runs)
    for table in tables:
        table.flags.writeable = False
    return LinesPlan(*tables)


@Compiled
def contract_lines(
    tile_rows: Tile, tile_vectors: Tile, sizes: Sizes, segments: Array, outers: Array, filter_offsets: Array,
    runs: Array, turned: Array, weights: Array, bias: Array, scratch: Array, out: Array,
) -> None:  # fmt: skip
    """Fill the outputs of a convolution, some lines of them after others, all filters."""
    chunks, filters, length, weight_step = sizes
    for chunk in prange(chunks):
        rows, vectors = len(tile_rows), len(tile_vectors)
        lanes = lanes_of(out)
        width = vectors * lanes
        place = chunk * rows * width
        sums, factors = registers(out, tile_rows, tile_vectors), registers(out, (0,), tile_vectors)
        for s in range(segments.shape[0]):
            segment = s * LINE_COLUMNS
            outputs, step = at(segments, segment + OUTPUTS), at(segments, segment + OUT_STEP)
            run_begin, run_end = at(segments, segment + RUN), at(segments, segment + RUN_END)
            chain = at(segments, segment + CHAIN)
            blocks = (outputs + width - 1) // width
            total = at(segments, segment + OUTERS) * blocks
            turn = (chunk + s) % chunks
            for u in range(total * turn // chunks, total * (turn + 1) // chunks):
                outer, begin = at(segments, segment + OUTER) + u // blocks, u % blocks * width
                count = outputs - begin
                for f in range(0, filters, rows):
                    for run in range(run_begin, max(run_end, run_begin + 1), chain):
                        clear(sums, rows * vectors, out)
                        for r in range(run, min(run + chain, run_end)):
                            sum_up(
                                sums, factors, rows, vectors, at(runs, 3 * r + 2),
                                weights, filter_offsets, f, at(runs, 3 * r + 1), weight_step,
                                turned, at(outers, 2 * outer) + at(runs, 3 * r) + begin, length, count, False,
                            )  # fmt: skip
                        if run > run_begin:
                            fetch(sums, rows * vectors, scratch, place)
                        set_aside(sums, rows * vectors, scratch, place)
                    # Neighbouring outputs of a filter lie apart: through memory, one by one.
                    for p in range(min(rows, filters - f)):
                        offset = at(outers, 2 * outer + 1) + begin * step + f + p
                        source = place + p * width
                        for j in range(min(count, width)):
                            set_at(out, offset + j * step, at(scratch, source + j) + at(bias, f + p))
