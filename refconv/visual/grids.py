"""The cells of a panel before it has a place: which is padding, which is dropped, what each reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from refconv.geometry import AxisGeometry, ConvGeometry, TapKind
from refconv.trace import Stage
from refconv.visual import words
from refconv.visual.metrics import DIGIT, LETTER, SIZES

Index = tuple[int, ...]


class Grid(NamedTuple):
    """The cells of a panel before it has a place: kinds and indices by row and column."""

    role: str
    title: str
    note: str
    first: tuple[int, int]
    rows: int
    columns: int
    kinds: dict[tuple[int, int], str]
    indices: dict[tuple[int, int], Index]
    unread: frozenset[tuple[int, int]]


def input_grid(geometry: ConvGeometry, title: str) -> Grid:
    """Return the input as the kernel slides over it: inserted zeros, padding and crop shown."""
    per_axis = [_axis_cells(axis) for axis in geometry.axes]
    if geometry.rank == 1:
        per_axis.insert(0, {0: ("data", None, False)})
    kinds: dict[tuple[int, int], str] = {}
    index: dict[tuple[int, int], Index] = {}
    unread = set()
    for r, (row_kind, row_index, row_unread) in per_axis[0].items():
        for c, (column_kind, column_index, column_unread) in per_axis[1].items():
            pair = {row_kind, column_kind}
            kinds[r, c] = next(k for k in ("cropped", "padding", "inserted", "data") if k in pair)
            parts = (column_index,) if geometry.rank == 1 else (row_index, column_index)
            if all(part is not None for part in parts):
                index[r, c] = tuple(part for part in parts if part is not None)
            if (row_unread or column_unread) and kinds[r, c] != "cropped":
                unread.add((r, c))
    rows, columns = per_axis
    first = (min(rows), min(columns))
    note = words.input_note(geometry)
    return Grid("input", title, note, first, len(rows), len(columns), kinds, index, frozenset(unread))


def _axis_cells(axis: AxisGeometry) -> dict[int, tuple[str, int | None, bool]]:
    """Return kind, datum and whether the floor drops it, for every cell of one axis.

    A cell is what a one-wide kernel reads there, so that the index rule decides its kind.
    """
    before, after = max(axis.pad_before, 0), max(axis.pad_after, 0)
    ruler = AxisGeometry(axis.input_size, 1, pad_before=before, pad_after=after, input_dilation=axis.input_dilation)
    last_read = max(tap.cell[0] for tap in axis.taps(axis.output_size - 1))
    cells = {}
    for o in range(ruler.output_size):
        (tap,) = ruler.taps(o)
        cell = tap.cell[0]
        kind = {TapKind.DATA: "data", TapKind.PADDING: "padding", TapKind.INSERTED_ZERO: "inserted"}[tap.kind]
        beyond = axis.dilated_input_size + axis.pad_after
        if cell < -axis.pad_before or cell >= beyond:
            kind = "cropped"
        datum = tap.input_index[0] if tap.input_index is not None else None
        cells[cell] = (kind, datum, kind != "cropped" and cell > last_read)
    return cells


def kernel_grid(geometry: ConvGeometry, title: str) -> Grid:
    """Return the kernel as it lies on the input: dilated, and flipped where the geometry reverses it."""
    taps = geometry.taps((0,) * geometry.rank)
    lows = [min(tap.cell[a] for tap in taps) for a in range(geometry.rank)]
    index = {}
    for tap in taps:
        at = [cell - low for cell, low in zip(tap.cell, lows, strict=True)]
        index[(0, at[0]) if geometry.rank == 1 else (at[0], at[1])] = tap.kernel_index
    spans = [axis.dilated_kernel_size for axis in geometry.axes]
    rows, columns = (1, spans[0]) if geometry.rank == 1 else (spans[0], spans[1])
    flipped = any(axis.reversed and axis.kernel_size > 1 for axis in geometry.axes)
    note = words.kernel_note(geometry, flipped)
    return Grid("kernel", title, note, (0, 0), rows, columns, dict.fromkeys(index, "data"), index, frozenset())


def interpolation_kernel(stage: Stage) -> Grid:
    """Return a grid that holds the weights of any one output of an interpolation."""
    sizes = tuple(max(len(row) for row in rows) for rows in stage.interpolation or ())
    return plain_grid("kernel", f"Kernel {words.times(sizes)}", sizes)._replace(note="of this output")


def plain_grid(role: str, title: str, sizes: Sequence[int]) -> Grid:
    """Return a grid of data only."""
    rows, columns = (1, sizes[0]) if len(sizes) == 1 else (sizes[0], sizes[1])
    index: dict[tuple[int, int], Index] = {
        (r, c): (c,) if len(sizes) == 1 else (r, c) for r in range(rows) for c in range(columns)
    }
    return Grid(role, title, "", (0, 0), rows, columns, dict.fromkeys(index, "data"), index, frozenset())


def output_grid(stage: Stage, title: str, view: str) -> Grid:
    """Return the output; where inputs stamp on it, with the cells of the full output that are cropped."""
    grid = plain_grid("output", title, stage.output_size)
    if view == "gather" or stage.geometry is None:
        return grid
    ranges = []
    for axis in stage.geometry.axes:
        before, after = axis.crop
        ranges.append(range(min(-before, 0), axis.output_size + max(after, 0)))
    if stage.geometry.rank == 1:
        ranges.insert(0, range(1))
    rows, columns = ranges
    kinds = {(r, c): "data" if (r, c) in grid.kinds else "cropped" for r in rows for c in columns}
    note = (
        "" if len(kinds) == len(grid.kinds) else f"cropped from {words.times([len(r) for r in ranges[-stage.rank :]])}"
    )
    return grid._replace(first=(rows[0], columns[0]), rows=len(rows), columns=len(columns), kinds=kinds, note=note)


def label_width(grid: Grid) -> float:
    """Return the width of a panel's label, in pixels at scale 1."""
    title = 20 + len(grid.title) * SIZES["label"] * DIGIT
    return max(title, len(grid.note) * SIZES["note"] * LETTER + 20)
