"""From the steps of a trace to the scenes of a picture: which cells, boxes and words stand where.

In two dimensions the panels stand in columns, in one dimension in bands beneath each other::

    gather   Kernel | Input (zeros inserted, padded) -> Output
    stamp    Kernel | Input -> Output, accumulating
    both     Kernel, flipped | Input, zeros inserted -> Output <- Input | Kernel

Several channels are planes: one Kernel and Input for each, above one another.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from refconv.visual import words
from refconv.visual.contents import Content, Contents, Picture, Slot, Where, frame_count, reads
from refconv.visual.grids import Grid, Index, label_width
from refconv.visual.metrics import (
    CAPTION_HEIGHT,
    COLUMN_GAP,
    DIGIT,
    LABEL_HEIGHT,
    LARGEST_CELL,
    LETTER,
    LINE_GAP,
    MARGIN,
    NOTED_LABEL_HEIGHT,
    PLANE_GAP,
    SIZES,
    SMALLEST_CELL,
    TALLEST,
    TALLEST_PLANES,
    TERM_HEIGHT,
    WIDEST,
)
from refconv.visual.scene import Box, Cell, Key, Legend, Line, Panel, Scene, Text
from refconv.visual.sums import NAME_WIDTH, TOTAL_WIDTH, sum_texts, term_pitch, term_rows

Places = dict[Where, tuple[float, float]]


def compose(picture: Picture, chosen: Sequence[int] | None = None, size: tuple[float, float] = (0, 0)) -> list[Scene]:
    """Lay out the frames of one stage.

    Parameters
    ----------
    picture : Picture
        What is to be shown.
    chosen : sequence of int, optional
        Numbers of the frames wanted; by default all.
    size : tuple of float
        The least width and height.

    Returns
    -------
    list of Scene
        All of one size.
    """
    return _Layout(picture, chosen).scenes(size)


class _Layout(Contents):
    """Finds one layout that holds all frames, and places them in it."""

    def __init__(self, picture: Picture, chosen: Sequence[int] | None) -> None:
        super().__init__(picture, chosen)
        self._text_sizes: dict[Where, tuple[float, float]] = {}

    def _sums_width(self) -> float:
        """Return the width that every sum needs to stand in one row."""
        sums = [terms for content in self.contents for _, terms, _ in content.sums]
        return max((NAME_WIDTH + TOTAL_WIDTH + len(terms) * term_pitch(terms) for terms in sums), default=0.0)

    def scenes(self, size: tuple[float, float]) -> list[Scene]:
        area_y = MARGIN + 62 + (26 if self.picture.view == "both" and self.rank == 2 else 0)
        cell, places, area_width, area_height = self._places()
        width = max(area_width + 2 * MARGIN, 660, size[0], min(self._sums_width() + 2 * MARGIN, WIDEST))
        # Lines that belong to all frames are counted over all frames, so that nothing jumps.
        rows = [term_rows(content.sums, width - 2 * MARGIN) for content in self.contents]
        sums_height = max(sum(len(lines) for _, lines, _ in frame) for frame in rows) * TERM_HEIGHT
        captions = [self._captions(content, width) for content in self.contents]
        captions_height = max(len(lines) for lines in captions) * CAPTION_HEIGHT
        kinds = self._key_kinds()
        keys_height = 34 if kinds or self.numeric else 0
        free = size[1] - (area_y + area_height + 26 + sums_height + captions_height + keys_height + MARGIN - 8)
        extra = max(free, 0) / 2
        area_height += 2 * extra
        left = (width - area_width) / 2 if self.rank == 2 else MARGIN
        moved = {key: (x + left, y + area_y + extra) for key, (x, y) in places.items()}
        sums_y = area_y + area_height + 26
        captions_y = sums_y + sums_height
        keys_y = captions_y + captions_height + 12
        height = keys_y + (keys_height - 12 if keys_height else 0) + MARGIN - 8
        panels_area = (left, area_y + extra, area_width, area_height - 2 * extra)
        scenes = []
        for content, frame_rows, frame_captions, number in zip(self.contents, rows, captions, self.chosen, strict=True):
            texts = self._heads(width)
            texts += sum_texts(frame_rows, sums_y)
            for i, (role, text) in enumerate(frame_captions):
                texts.append(Text(role, MARGIN, captions_y + CAPTION_HEIGHT * (i + 0.5), text))
            scenes.append(
                Scene(
                    width=width,
                    height=height,
                    number=number + 1,
                    frames=frame_count(self.picture),
                    summary=content.summary,
                    panels=tuple(self._panel(slot, content, moved[slot.key, slot.plane], cell) for slot in self.slots),
                    boxes=tuple(self._box(content_box, moved, cell) for content_box in content.boxes),
                    lines=tuple(line for ends in content.lines for line in self._lines(*ends, moved, cell)),
                    texts=tuple(texts),
                    keys=_keys(kinds, keys_y + 8),
                    legend=self._legend(width, keys_y),
                    stage_area=panels_area,
                )
            )
        return scenes

    def _places(self) -> tuple[int, Places, float, float]:
        """Return the cells' side, where each grid begins, and the size of the whole."""
        tallest = TALLEST if len(self.picture.channels) < 3 else TALLEST_PLANES
        for cell in range(LARGEST_CELL, SMALLEST_CELL - 1, -1):
            places, width, height = self._columns(cell) if self.rank == 2 else self._bands(cell)
            if width <= WIDEST - 2 * MARGIN and height <= tallest:
                break
        return cell, places, width, height

    def _columns(self, cell: int) -> tuple[Places, float, float]:
        """Place the panels of a two-dimensional picture for one size of cell.

        A column holds the planes of one kind of panel; where both views of a single plane are shown,
        a kernel stands beneath its input.
        """
        label = NOTED_LABEL_HEIGHT if any(slot.grid.note for slot in self.slots) else LABEL_HEIGHT
        planes = max(plane for _, plane in self.grids) + 1
        keys = ("kernel", "input", "output", "input2", "kernel2")
        columns = [found for key in keys if (found := [where for where in self.grids if where[0] == key])]
        if planes == 1 and len(columns) == 5:
            columns = [[("input", 0), ("kernel", 0)], [("output", 0)], [("input2", 0), ("kernel2", 0)]]
        alone = {where for where in self.grids if where == ("output", 0) and ("output", planes - 1) not in self.grids}
        tall = [
            max(g.rows for w, g in self.grids.items() if w[1] == p and w not in alone) * cell for p in range(planes)
        ]
        tops = [sum(tall[:p]) + p * (label + PLANE_GAP) + label for p in range(planes)]
        stacks = [sum(self.grids[where].rows * cell + label + PLANE_GAP for where in c) - PLANE_GAP for c in columns]
        height = tops[-1] + tall[-1] if planes > 1 else max(stacks)
        places: Places = {}
        x = 0.0
        for column, stack, following in zip(columns, stacks, [*columns[1:], []], strict=True):
            y = (height - stack) / 2
            for where in column:
                rows = self.grids[where].rows * cell
                in_plane = planes > 1 and where not in alone
                places[where] = (x, tops[where[1]] + (tall[where[1]] - rows) / 2 if in_plane else y + label)
                y += label + rows + PLANE_GAP
            x += max(max(self.grids[where].columns * cell, label_width(self.grids[where])) for where in column)
            if following:
                x += LINE_GAP if ("output", 0) in (*column, *following) else COLUMN_GAP
        return places, x, height

    def _bands(self, cell: int) -> tuple[Places, float, float]:
        """Place the panels of a one-dimensional picture beneath one another for one size of cell."""
        places: Places = {}
        left = max(label_width(grid) for grid in self.grids.values()) + 18
        y = 6.0
        bands = []
        planes = len(self.picture.channels)
        for keys in (("kernel", "input"), ("output",), ("input2", "kernel2")):
            for plane in range(max(planes, len(self.picture.filters))):
                bands += [(key, plane) for key in keys if (key, plane) in self.grids]
        for number, (key, plane) in enumerate(bands):
            grid = self.grids[key, plane]
            before = bands[number - 1][0] if number else ""
            if number:
                crossing = "output" in (key, before) and key != before
                y += 68 if crossing else 34
            places[key, plane] = (self._shift(grid) * cell, y)
            y += max(cell, 34)
        # An output longer than the input would begin before it.
        first = min(x for x, _ in places.values())
        places = {where: (x - first + left, top) for where, (x, top) in places.items()}
        right = max(places[where][0] + grid.columns * cell for where, grid in self.grids.items())
        return places, right, y

    def _shift(self, grid: Grid) -> float:
        """Return how many cells a band is moved to the right, so that related cells stand above one another."""
        main = self.grids.get(("input", 0))
        if main is None or grid is main or grid.role == "kernel":
            return 0.0
        geometry = self.geometry
        aligned = (
            geometry is not None
            and geometry.axes[0].stride == 1
            and geometry.output_size == tuple(axis.dilated_input_size for axis in geometry.axes)
        )
        if aligned and grid.role == "output" and self.picture.view == "gather":
            return float(grid.first[1] - main.first[1])
        return (main.columns - grid.columns) / 2

    def _heads(self, width: float) -> list[Text]:
        texts = [
            Text("title", MARGIN, MARGIN + 6, self.picture.title),
            Text("details", MARGIN, MARGIN + 32, self.picture.details),
        ]
        if self.picture.view == "both" and self.rank == 2:
            y = MARGIN + 66
            texts.append(Text("heading", MARGIN, y, "Gather: zeros inserted, kernel flipped"))
            texts.append(Text("heading", width - MARGIN, y, "Stamp: each input adds a kernel", "right"))
        return texts

    def _panel(self, slot: Slot, content: Content, at: tuple[float, float], cell: float) -> Panel:
        grid = slot.grid
        key = (slot.key, slot.plane)
        values = self.static_values(slot) | content.values.get(key, {})
        weights = content.weights.get(key, {})
        faint = grid.role == "input" and not reads(self.picture, slot.plane)
        cells = []
        for row in range(grid.rows):
            for column in range(grid.columns):
                where = (row + grid.first[0], column + grid.first[1])
                kind = grid.kinds.get(where, "hole")
                index = grid.indices.get(where)
                text, level = "", None
                if kind in ("inserted", "padding") and (kind == "inserted" or self.numeric):
                    text = "0"
                elif index in values and kind != "hole":
                    scale = self.scales[grid.role]
                    text, level = words.short(values[index]), (values[index] / scale if scale else 0.0)
                elif grid.role == "kernel" and index is not None:
                    text = self.letters.get(index, "")
                if grid.role == "output" and kind == "data" and index not in content.done:
                    kind = "pending"
                    if self.picture.view != "stamp":
                        text, level = "", None
                    else:
                        level = None
                if self.geometry is None and grid.role == "kernel" and index not in values and self.numeric:
                    kind = "hole"
                cells.append(Cell(row, column, kind, text, weights.get(where, ""), level, where in grid.unread, faint))
        x, y = at
        label_x, label_y = (x, y - 30.0 if grid.note else y - 13.0)
        if self.rank == 1:
            label_x, label_y = float(MARGIN), y + cell / 2 - (8 if grid.note else 0)
        number_size, weight_size = self._sizes(slot, cell)
        return Panel(
            role=grid.role,
            title=grid.title,
            note=grid.note,
            label_x=label_x,
            label_y=label_y,
            x=x,
            y=y,
            rows=grid.rows,
            columns=grid.columns,
            cell=float(cell),
            number_size=number_size,
            weight_size=weight_size,
            cells=tuple(cells),
        )

    def _sizes(self, slot: Slot, cell: float) -> tuple[float, float]:
        """Return the sizes of numbers and of weights at which the longest of all frames fits its cell."""
        key = (slot.key, slot.plane)
        if key not in self._text_sizes:
            numbers = [words.short(value) for value in self.static_values(slot).values()]
            weights = ["0"]
            for content in self.contents:
                numbers += [words.short(value) for value in content.values.get(key, {}).values()]
                weights += content.weights.get(key, {}).values()
            number = max((len(text) for text in numbers), default=1)
            weight = max(len(text) for text in weights)
            self._text_sizes[key] = (
                float(round(cell * min(0.34, 0.86 / (DIGIT * number)))),
                float(round(cell * min(0.25, 0.62 / (DIGIT * weight)))),
            )
        return self._text_sizes[key]

    def _rectangle(
        self, key: str, plane: int, cells: Sequence[Index], places: Places, cell: float
    ) -> tuple[float, float, float, float]:
        grid = self.grids[key, plane]
        x, y = places[key, plane]
        at = [self.at(c) for c in cells]
        top, bottom = min(r for r, _ in at), max(r for r, _ in at)
        left, right = min(c for _, c in at), max(c for _, c in at)
        return (
            x + (left - grid.first[1]) * cell,
            y + (top - grid.first[0]) * cell,
            (right - left + 1) * cell,
            (bottom - top + 1) * cell,
        )

    def _box(
        self,
        box: tuple[str, str, int, list[Index], float],
        places: Places,
        cell: float,
    ) -> Box:
        role, key, plane, cells, inset = box
        x, y, width, height = self._rectangle(key, plane, cells, places, cell)
        return Box(role, x + inset, y + inset, width - 2 * inset, height - 2 * inset)

    def _lines(
        self,
        source: tuple[str, int, list[Index]],
        target: tuple[str, int, list[Index]],
        places: Places,
        cell: float,
    ) -> list[Line]:
        """Join the corners of the source that face the target with the target's; of a stamping input, the middles."""
        ax, ay, aw, ah = self._rectangle(*source, places, cell)
        bx, by, bw, bh = self._rectangle(*target, places, cell)
        if self.rank == 1:
            ends = (ay + ah, by) if ay < by else (ay, by + bh)
            if source[0] == "input2":
                return [Line(ax + aw / 2, ends[0], bx + bw / 2, ends[1])]
            return [Line(ax, ends[0], bx, ends[1]), Line(ax + aw, ends[0], bx + bw, ends[1])]
        across = (ax + aw, bx) if ax < bx else (ax, bx + bw)
        if source[0] == "input2":
            return [Line(across[0], ay + ah / 2, across[1], by + bh / 2)]
        return [Line(across[0], ay, across[1], by), Line(across[0], ay + ah, across[1], by + bh)]

    # Words

    def _captions(self, content: Content, width: float) -> list[tuple[str, str]]:
        room = int((width - 2 * MARGIN) / (SIZES["caption"] * LETTER))
        lines = []
        for formula in self.picture.formulas:
            lines += [("formula", line) for line in textwrap.wrap(words.typeset(formula), room)]
        for text in (*content.captions, *self.picture.remarks):
            lines += [("caption", line) for line in textwrap.wrap(text, room)]
        return lines

    def _key_kinds(self) -> list[tuple[str, str]]:
        kinds: set[str] = set()
        for slot in self.slots:
            kinds |= set(slot.grid.kinds.values())
            if slot.grid.unread:
                kinds.add("unread")
        meanings = {
            "padding": "padding",
            "inserted": "inserted zero",
            "unread": "dropped by the floor",
            "cropped": "cropped",
        }
        found = [(kind, text) for kind, text in meanings.items() if kind in kinds]
        if self.picture.view == "both":
            found.append(("stamp", "a stamp on the output"))
        return found

    def _legend(self, width: float, y: float) -> Legend | None:
        if not self.numeric:
            return None
        parts = [f"{role} ±{words.short(scale)}" for role, scale in self.scales.items() if scale]
        text = ", ".join(parts)
        bar = 96.0
        x = width - MARGIN - bar - len(text) * SIZES["key"] * LETTER - 10
        return Legend(x, y + 1, bar, 13.0, text)


def _keys(kinds: Sequence[tuple[str, str]], y: float) -> tuple[Key, ...]:
    keys = []
    x = float(MARGIN)
    for kind, text in kinds:
        keys.append(Key(kind, x, y, text))
        x += 24 + len(text) * SIZES["key"] * LETTER + 16
    return tuple(keys)
