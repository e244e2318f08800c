"""All frames on one page, for print."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from refconv.visual.draw import draw_scene, new_figure, tile_area
from refconv.visual.metrics import LETTER, MARGIN, SIZES
from refconv.visual.scene import Scene, Text
from refconv.visual.words import typeset

# The page is about as wide to high as a sheet of A4 on its side.
PAGE_ASPECT = 1.41
# The most that a tile is wide.
TILE_WIDTH = 400.0
GAP = 26.0
LINE = 21.0


def storyboard(
    scenes: Sequence[Scene],
    title: str,
    formulas: Sequence[str],
    theme: str,
    tick: Callable[[], None],
    scale: float = 1.0,
) -> Figure:
    """Return a figure with every frame as a tile, under one title and above one key.

    Parameters
    ----------
    scenes : sequence of Scene
        The frames.
    title : str
        Stands above them.
    formulas : sequence of str
        The derivation of the output size.
    theme : str
        ``"light"`` or ``"dark"``.
    tick : callable
        Called after each tile.
    scale : float
        Pixels per pixel of the scenes.
    """
    scale_down = min(1.0, TILE_WIDTH / max(scene.stage_area[2] + 8 for scene in scenes))
    areas = [tile_area(scene, scale_down) for scene in scenes]
    tile_width = max(width for _, _, width, _ in areas) * scale_down
    tile_height = max(height for _, _, _, height in areas) * scale_down
    columns = _columns(len(scenes), tile_width, tile_height)
    rows = -(-len(scenes) // columns)
    width = max(columns * (tile_width + GAP) - GAP, 640.0) + 2 * MARGIN
    room = int((width - 2 * MARGIN) / (SIZES["formula"] * LETTER))
    head = _head(scenes[0], title, formulas, room)
    top = max(text.y for text in head) + 30
    bottom = 46.0 if scenes[0].keys or scenes[0].legend else 18.0
    height = top + rows * (tile_height + GAP) + bottom
    figure, page = new_figure(width, height, theme, scale)
    first = scenes[0]
    legend = first.legend
    keys = tuple(key._replace(y=height - bottom + 10) for key in first.keys)
    if legend is not None:
        legend = legend._replace(x=legend.x + width - first.width, y=height - bottom + 4)
    empty = first._replace(
        width=width, height=height, panels=(), boxes=(), lines=(), texts=tuple(head), keys=keys, legend=legend, frames=0
    )
    draw_scene(page, empty, theme)
    left = (width - columns * (tile_width + GAP) + GAP) / 2
    for number, scene in enumerate(scenes):
        row, column = divmod(number, columns)
        x, y = left + column * (tile_width + GAP), top + row * (tile_height + GAP)
        _, _, own_width, own_height = areas[number]
        tile_size = own_width * scale_down, own_height * scale_down
        tile = figure.add_axes(
            (x / width, 1 - (y + tile_size[1]) / height, tile_size[0] / width, tile_size[1] / height)
        )
        draw_scene(tile, scene, theme, scale_down)
        tick()
    return figure


def _columns(count: int, width: float, height: float) -> int:
    """Return the number of columns that makes the page most nearly as wide to high as a sheet."""

    def misfit(columns: int) -> float:
        rows = -(-count // columns)
        page = columns * (width + GAP) / (rows * (height + GAP) + 140)
        return abs(math.log(page / PAGE_ASPECT)) + 0.15 * (rows * columns - count) / count

    return min(range(1, count + 1), key=misfit)


def _head(scene: Scene, title: str, formulas: Sequence[str], room: int) -> list[Text]:
    lines = [text._replace(text=title) if text.role == "title" else text for text in scene.texts]
    lines = [text for text in lines if text.role in ("title", "details")]
    y = max(text.y for text in lines) + LINE + 3
    for formula in formulas:
        for line in textwrap.wrap(typeset(formula), room):
            lines.append(Text("formula", MARGIN, y, line))
            y += LINE
    return lines
