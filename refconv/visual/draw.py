"""From a scene to Matplotlib artists: the only room that knows how anything looks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from refconv.visual import theme as colours
from refconv.visual.metrics import SIZES
from refconv.visual.scene import Box, Cell, Legend, Panel, Scene, Text
from refconv.visual.theme import THEMES, Theme

DPI = 100
GUTTER = 1.0
BOLD = {"title", "heading", "label", "total"}
QUIET = {"details", "running", "muted", "note", "key"}

Point = tuple[float, float]


def new_figure(width: float, height: float, theme: str, scale: float = 1.0) -> tuple[Figure, Axes]:
    """Return a figure of its own, unknown to pyplot, with one axes that fills it."""
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI * scale, facecolor=THEMES[theme].paper)
    FigureCanvasAgg(figure)
    return figure, figure.add_axes((0.0, 0.0, 1.0, 1.0))


def draw_scene(ax: Axes, scene: Scene, theme: str = "light", tile_scale: float | None = None) -> Axes:
    """Draw one frame into an axes, which becomes exactly as wide and high as the frame.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Is cleared first.
    scene : Scene
        What to draw.
    theme : str
        ``"light"`` or ``"dark"``.
    tile_scale : float, optional
        Draw a storyboard's tile, which this factor makes smaller: the panels without title, sums and
        captions, named by the scene's summary in letters that stay large.
    """
    if ax.axison:
        ax.clear()
    else:
        # Drawn before, by this function: ticks and labels, whose renewal takes longest, are off already.
        for artist in (*ax.collections, *ax.texts):
            artist.remove()
    left, top, width, height = (0.0, 0.0, scene.width, scene.height)
    if tile_scale is not None:
        left, top, width, height = tile_area(scene, tile_scale)
    ax.set_xlim(left, left + width)
    ax.set_ylim(top + height, top)
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.apply_aspect()
    brush = _Brush(ax, THEMES[theme], ax.get_window_extent().width / width * 72 / ax.figure.dpi)
    brush.rectangle((left, top, width, height), brush.theme.paper, zorder=0)
    for panel in scene.panels:
        brush.panel(panel)
    brush.boxes(scene.boxes, 0.14 if scene.legend is not None else 0.24)
    brush.lines(
        [[(line.x0, line.y0), (line.x1, line.y1)] for line in scene.lines], colours.KERNEL, 1.2, zorder=4, alpha=0.75
    )
    if tile_scale is not None:
        label = f"{scene.number}.  {scene.summary}"
        brush.write(left, top + 9 / tile_scale, label, 12 / tile_scale, brush.theme.ink, bold=True)
        return ax
    for text in scene.texts:
        brush.words(text)
    if scene.frames > 1:
        brush.words(Text("muted", scene.width - 28, 34, f"{scene.number} / {scene.frames}", "right"))
    for key in scene.keys:
        brush.key(key.kind, key.x, key.y, key.text)
    if scene.legend is not None:
        brush.legend(scene.legend)
    return ax


def tile_area(scene: Scene, tile_scale: float) -> tuple[float, float, float, float]:
    """Return the part of a frame that a storyboard's tile shows: x, y, width, height."""
    left, top, width, height = scene.stage_area
    above = 26 / tile_scale
    return left - 4, top - above, width + 8, height + above + 6


@lru_cache(maxsize=256)
def _font(size: float, bold: bool) -> FontProperties:
    return FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")


class _Brush:
    """Draws in the pixels of a scene; `points` is what one of them measures on paper."""

    def __init__(self, ax: Axes, theme: Theme, points: float) -> None:
        self.ax = ax
        self.theme = theme
        self.points = points

    # Shapes

    def rectangle(self, box: tuple[float, float, float, float], fill: str, zorder: float) -> None:
        self.polygons([box], [fill], ["none"], 0.0, zorder)

    def polygons(
        self,
        boxes: Iterable[tuple[float, float, float, float]],
        fills: list[Any],
        edges: list[Any],
        width: float,
        zorder: float,
        dashed: bool = False,
        alpha: float | None = None,
    ) -> None:
        corners = [[(x, y), (x + w, y), (x + w, y + h), (x, y + h)] for x, y, w, h in boxes]
        if not corners:
            return
        shapes = PolyCollection(
            corners,
            facecolors=fills,
            edgecolors=edges,
            linewidths=width * self.points,
            linestyles=[(0, (3.2, 2.4))] if dashed else "solid",
            zorder=zorder,
            alpha=alpha,
            joinstyle="miter",
            clip_on=False,
        )
        self.ax.add_collection(shapes, autolim=False)

    def lines(
        self, segments: list[list[Point]], colour: str, width: float, zorder: float, alpha: float | None = None
    ) -> None:
        if segments:
            lines = LineCollection(
                segments,
                colors=colour,
                linewidths=width * self.points,
                zorder=zorder,
                alpha=alpha,
                capstyle="round",
                clip_on=False,
            )
            self.ax.add_collection(lines, autolim=False)

    # Panels

    def panel(self, panel: Panel) -> None:
        chip = 11.0
        self.polygons(
            [(panel.label_x + 1, panel.label_y - chip / 2, chip, chip)],
            [colours.ROLES[panel.role]],
            [self.theme.line],
            0.8,
            2,
        )
        self.words(Text("label", panel.label_x + 19, panel.label_y, panel.title))
        if panel.note:
            self.words(Text("note", panel.label_x + 19, panel.label_y + 17, panel.note))
        side = panel.cell - 2 * GUTTER
        solid, dashed = [], []
        fills, edges, dash_edges = [], [], []
        stripes: dict[str, list[list[Point]]] = {"dark": [], "light": []}
        crosses: list[list[Point]] = []
        for cell in panel.cells:
            if cell.kind == "hole":
                continue
            box = (panel.x + cell.column * panel.cell + GUTTER, panel.y + cell.row * panel.cell + GUTTER, side, side)
            if cell.kind in ("padding", "cropped"):
                dashed.append((box[0] + 0.5, box[1] + 0.5, side - 1, side - 1))
                dash_edges.append(self.theme.line)
            else:
                solid.append(box)
                fills.append(self._fill(panel.role, cell))
                edges.append(self.theme.line if cell.kind in ("pending", "inserted") else colours.CELL_LINE)
            if cell.kind == "inserted":
                stripes["light"] += _diagonals(box, 4, rising=False)
            if cell.unread:
                stripes["light" if cell.kind in ("padding", "inserted") else "dark"] += _diagonals(box, 5, rising=True)
            if cell.kind == "cropped":
                x, y, w, h = box
                inset = w * 0.2
                crosses += [
                    [(x + inset, y + inset), (x + w - inset, y + h - inset)],
                    [(x + inset, y + h - inset), (x + w - inset, y + inset)],
                ]
        self.polygons(solid, fills, edges, 0.9, 1.5)
        if any(cell.level is not None for cell in panel.cells):
            self._frame(panel)
        self.polygons(dashed, ["none"], dash_edges, 1.0, 1.6, dashed=True)
        self.lines(stripes["dark"], colours.CELL_LINE, 1.0, 1.8, 0.75)
        self.lines(stripes["light"], self.theme.line, 0.9, 1.8, 0.7)
        self.lines(crosses, self.theme.quiet, 1.2, 1.8, 0.8)
        for cell in panel.cells:
            self._numbers(panel, cell)

    def _frame(self, panel: Panel) -> None:
        """Outline the data in the panel's own colour, which the values' colours have taken from the cells."""
        inside = [cell for cell in panel.cells if cell.kind in ("data", "inserted", "pending")]
        rows = [cell.row for cell in inside]
        columns = [cell.column for cell in inside]
        x = panel.x + min(columns) * panel.cell - 1.5
        y = panel.y + min(rows) * panel.cell - 1.5
        width = (max(columns) - min(columns) + 1) * panel.cell + 3
        height = (max(rows) - min(rows) + 1) * panel.cell + 3
        self.polygons([(x, y, width, height)], ["none"], [colours.ROLES[panel.role]], 3.0, 1.2)

    def _fill(self, role: str, cell: Cell) -> str:
        if cell.kind == "pending":
            return self.theme.empty
        if cell.kind == "inserted":
            return self.theme.paper
        colour = colours.ROLES[role] if cell.level is None else colours.diverging(cell.level)
        return colours.mixed(colour, self.theme.paper, 0.75) if cell.faint else colour

    def _numbers(self, panel: Panel, cell: Cell) -> None:
        x = panel.x + (cell.column + 0.5) * panel.cell
        y = panel.y + (cell.row + 0.5) * panel.cell
        filled = cell.kind == "data" and not cell.faint
        if cell.text:
            size = panel.number_size
            if cell.weight:
                y -= panel.cell * 0.09
                x -= panel.cell * (0.08 if len(cell.text) < 4 else 0.0)
            quiet = cell.kind in ("padding", "inserted", "cropped")
            dark_fill = panel.role == "kernel" and cell.level is None
            ink = self.theme.quiet if quiet else colours.CELL_INK if filled or dark_fill else self.theme.ink
            if cell.kind == "inserted" or cell.unread:
                fill = self.theme.paper if cell.kind == "padding" else self._fill(panel.role, cell)
                self._patch_behind(x, y, size, len(cell.text), fill)
            self.write(x, y, cell.text, size, ink, "center", zorder=6)
        if cell.weight:
            colour = colours.CELL_WEIGHT if filled else self.theme.weight_on_paper
            size = panel.weight_size
            right = panel.x + (cell.column + 0.93) * panel.cell
            self.write(right, panel.y + (cell.row + 0.80) * panel.cell, cell.weight, size, colour, "right", True, 6)

    def _patch_behind(self, x: float, y: float, size: float, letters: int, fill: str) -> None:
        width = size * (0.62 * letters + 0.35)
        self.rectangle((x - width / 2, y - size * 0.55, width, size * 1.1), fill, 1.9)

    def boxes(self, boxes: tuple[Box, ...], fill: float) -> None:
        taps = [
            (b.x + GUTTER, b.y + GUTTER, b.width - 2 * GUTTER, b.height - 2 * GUTTER) for b in boxes if b.role == "tap"
        ]
        self.polygons(taps, [colours.KERNEL], ["none"], 0.0, 3, alpha=fill)
        for role, width in (("effective", 1.5), ("stamp", 1.5), ("window", 2.6), ("current", 2.6)):
            outlines = [(b.x, b.y, b.width, b.height) for b in boxes if b.role == role]
            self.polygons(outlines, ["none"], [colours.KERNEL], width, 5, alpha=None if width > 2 else 0.85)

    # Words

    def words(self, text: Text) -> None:
        ink = self.theme.quiet if text.role in QUIET else self.theme.ink
        self.write(text.x, text.y, text.text, SIZES[text.role], ink, text.align, text.role in BOLD)

    def write(
        self,
        x: float,
        y: float,
        words: str,
        size: float,
        colour: str,
        align: str = "left",
        bold: bool = False,
        zorder: float = 6,
    ) -> None:
        self.ax.text(
            x,
            y,
            words,
            color=colour,
            fontproperties=_font(round(size * self.points, 2), bold),
            horizontalalignment=align,
            verticalalignment="center_baseline",
            zorder=zorder,
            parse_math=False,
            usetex=False,
            clip_on=False,
        )

    def key(self, kind: str, x: float, y: float, words: str) -> None:
        side = 15.0
        if kind == "stamp":
            self.polygons([(x + 2, y - 5.5, 11, 11)], ["none"], [colours.KERNEL], 1.5, 5)
        else:
            unread = kind == "unread"
            cell = Cell(0, 0, "data" if unread else kind, unread=unread)
            sample = Panel(
                "input", "", "", x, y, x - GUTTER, y - side / 2 - GUTTER, 1, 1, side + 2 * GUTTER, 0, 0, (cell,)
            )
            self._sample(sample)
        self.write(x + 22, y, words, SIZES["key"], self.theme.quiet)

    def _sample(self, panel: Panel) -> None:
        (cell,) = panel.cells
        box = (panel.x + GUTTER, panel.y + GUTTER, panel.cell - 2 * GUTTER, panel.cell - 2 * GUTTER)
        if cell.kind in ("padding", "cropped"):
            self.polygons([box], ["none"], [self.theme.line], 1.0, 2, dashed=True)
        else:
            self.polygons([box], [self.theme.paper], [self.theme.line], 0.9, 2)
        if cell.kind == "inserted":
            self.lines(_diagonals(box, 3, rising=False), self.theme.line, 0.9, 3)
        if cell.unread:
            self.lines(_diagonals(box, 3, rising=True), self.theme.ink, 0.9, 3)
        if cell.kind == "cropped":
            x, y, w, h = box
            self.lines(
                [[(x + 3, y + 3), (x + w - 3, y + h - 3)], [(x + 3, y + h - 3), (x + w - 3, y + 3)]],
                self.theme.quiet,
                1.2,
                3,
            )

    def legend(self, legend: Legend) -> None:
        parts = 48
        step = legend.width / parts
        boxes = [(legend.x + i * step, legend.y, step + 0.5, legend.height) for i in range(parts)]
        fills = [colours.diverging(2 * i / (parts - 1) - 1) for i in range(parts)]
        self.polygons(boxes, fills, ["none"], 0.0, 2)
        self.polygons([(legend.x, legend.y, legend.width, legend.height)], ["none"], [self.theme.line], 0.9, 3)
        middle = legend.y + legend.height / 2
        for x, words in ((0.09, "−"), (0.5, "0"), (0.91, "+")):
            self.write(legend.x + legend.width * x, middle, words, 10.5, colours.CELL_INK, "center")
        self.write(legend.x + legend.width + 10, middle, legend.text, SIZES["key"], self.theme.quiet)


def _diagonals(box: tuple[float, float, float, float], count: int, rising: bool) -> list[list[Point]]:
    """Return evenly spaced diagonals of a square, `count` on either side of a corner's half."""
    x, y, w, h = box
    lines = []
    for i in range(1, 2 * count):
        t = i / count
        low, high = max(0.0, t - 1), min(1.0, t)
        ends = [(low, high), (high, low)]
        if not rising:
            ends = [(u, 1 - v) for u, v in ends]
        lines.append([(x + u * w, y + v * h) for u, v in ends])
    return lines
