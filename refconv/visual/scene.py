"""What a frame shows, as pure data: panels of cells, outlines, lines, sums and captions.

All lengths are pixels at scale 1, x to the right and y down, so that a drawing routine has nothing
to decide but colours. Everything here turns into JSON with `Scene.as_dict`.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Cell(NamedTuple):
    """One cell of a panel.

    Attributes
    ----------
    row, column : int
        Where it stands in its panel.
    kind : str
        ``"data"``, ``"padding"``, ``"inserted"`` (a zero between two data), ``"pending"`` (an output
        not computed yet) or ``"cropped"``.
    text : str
        The number in it, if any.
    weight : str
        The weight that multiplies it in this frame, its subscript.
    level : float or None
        Its value between -1 and 1 on the colour map; None for the panel's own colour.
    unread : bool
        Whether no output reads it: what the floor drops.
    faint : bool
        Whether it takes no part in this frame's filter.
    """

    row: int
    column: int
    kind: str
    text: str = ""
    weight: str = ""
    level: float | None = None
    unread: bool = False
    faint: bool = False


class Panel(NamedTuple):
    """A labelled grid: the input, the kernel or the output (one channel of it).

    Attributes
    ----------
    role : str
        ``"input"``, ``"kernel"`` or ``"output"``; it decides the colour.
    title, note : str
        The label with the size, and what is to be said beneath it.
    label_x, label_y : float
        Where the label begins (its left end, the middle of its first line).
    x, y : float
        The upper left corner of the first cell.
    rows, columns : int
        Cells.
    cell : float
        Side of a cell.
    number_size, weight_size : float
        Sizes of the numbers and of the subscripts, the same in all frames.
    cells : tuple of Cell
        In row-major order.
    """

    role: str
    title: str
    note: str
    label_x: float
    label_y: float
    x: float
    y: float
    rows: int
    columns: int
    cell: float
    number_size: float
    weight_size: float
    cells: tuple[Cell, ...]


class Box(NamedTuple):
    """A rectangle over cells.

    `role` is ``"window"`` (the effective kernel where it stands), ``"tap"`` (a kernel element's
    translucent fill), ``"current"`` (the output of this frame), ``"stamp"`` (where an input's stamp
    falls) or ``"effective"`` (the span of a dilated kernel, in its own panel).
    """

    role: str
    x: float
    y: float
    width: float
    height: float


class Line(NamedTuple):
    """A line from a corner of the kernel to the output cell (or from an input to its stamp)."""

    x0: float
    y0: float
    x1: float
    y1: float


class Text(NamedTuple):
    """Words at a place.

    `role` is ``"title"``, ``"details"``, ``"heading"``, ``"caption"``, ``"formula"``, ``"term"``,
    ``"running"``, ``"total"`` or ``"muted"``; `align` is where x stands in it.
    """

    role: str
    x: float
    y: float
    text: str
    align: str = "left"


class Key(NamedTuple):
    """One entry of the key: a sample cell and what it means."""

    kind: str
    x: float
    y: float
    text: str


class Legend(NamedTuple):
    """The value map's legend, centred on zero, with what its ends stand for."""

    x: float
    y: float
    width: float
    height: float
    text: str


class Scene(NamedTuple):
    """One frame.

    Attributes
    ----------
    width, height : float
        In pixels at scale 1.
    number, frames : int
        Which frame it is, from 1, and of how many.
    summary : str
        The frame in a few words, for a storyboard's tile.
    panels, boxes, lines : tuples
        What is drawn, from the bottom up.
    texts, keys, legend
        What is said about it.
    stage_area : tuple of float
        The part of the frame that holds the panels: x, y, width, height.
    """

    width: float
    height: float
    number: int
    frames: int
    summary: str
    panels: tuple[Panel, ...]
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    texts: tuple[Text, ...]
    keys: tuple[Key, ...]
    legend: Legend | None
    stage_area: tuple[float, float, float, float]

    def as_dict(self) -> dict[str, Any]:
        """Return the scene in dictionaries, lists, numbers and strings only, ready for JSON."""
        plain = _plain(self)
        assert isinstance(plain, dict)
        return plain


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        return {name: _plain(item) for name, item in value._asdict().items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
