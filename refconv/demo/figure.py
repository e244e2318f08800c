"""The photograph and all feature maps on one page."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from refconv.demo.checks import Result

# Inches of the figure.
_MAP_WIDTH, _MAP_HEIGHT, _GAP, _MARGIN = 1.45, 1.70, 0.08, 0.45
_CARD_WIDTH = 4 * _MAP_WIDTH + 3 * _GAP
_CARD_HEIGHT = _MAP_HEIGHT + 1.05
_BANNER_HEIGHT = 2.15
_INK, _FAINT, _SIGNED = "#222222", "#666666", "RdBu_r"


def figure(image: Any, shown: list[Result]) -> Figure:
    """Draw the photograph and every layer's feature maps, labelled with their sizes.

    Parameters
    ----------
    image : ndarray, shape (1, rows, columns, 3)
        The photograph.
    shown : list of Result
        What is drawn, two layers a row.
    """
    rows = -(-len(shown) // 2)
    width = 2 * _CARD_WIDTH + 3 * _MARGIN
    height = _MARGIN + _BANNER_HEIGHT + rows * _CARD_HEIGHT
    canvas = Figure(figsize=(width, height), facecolor="white")
    sheet = _Sheet(canvas, width, height)
    _draw_banner(sheet, image)
    for place, result in enumerate(shown):
        left = _MARGIN + (place % 2) * (_CARD_WIDTH + _MARGIN)
        top = _MARGIN + _BANNER_HEIGHT + (place // 2) * _CARD_HEIGHT
        _draw_card(sheet, result, left, top)
    return canvas


class _Sheet(NamedTuple):
    """A figure that is laid out in inches from its upper left corner."""

    figure: Figure
    width: float
    height: float

    def text(self, left: float, top: float, text: str, **style: Any) -> None:
        self.figure.text(left / self.width, 1 - top / self.height, text, **{"color": _INK, "va": "top", **style})

    def axes(self, left: float, top: float, width: float, height: float) -> Any:
        bottom = self.height - top - height
        box = (left / self.width, bottom / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(box, xticks=[], yticks=[])


def _draw_banner(sheet: _Sheet, image: Any) -> None:
    rows, columns, channels = image.shape[1:]
    sheet.axes(_MARGIN, _MARGIN, _MAP_WIDTH, _MAP_HEIGHT).imshow(image[0])
    left = _MARGIN + _MAP_WIDTH + 0.3
    sheet.text(left, _MARGIN, "One photograph, six layers", size=22, weight="bold")
    sheet.text(
        left,
        _MARGIN + 0.5,
        f"Input: {rows}x{columns} pixels, {channels} channels (Grace Hopper, from matplotlib's sample data).\n"
        "Every map was computed by refconv's explicit loops. Every size was derived by its formula,\n"
        "counted on the index rule, and compared with what the loops returned. Of the last two layers' maps,\n"
        "the face is shown enlarged.",
        size=11,
        linespacing=1.5,
        color=_FAINT,
    )
    bar = sheet.axes(left + 0.75, _MARGIN + 1.55, 2.2, 0.14)
    bar.imshow(np.linspace(-1, 1, 256)[np.newaxis], cmap=_SIGNED, aspect="auto")
    sheet.text(left, _MARGIN + 1.54, "negative", size=9.5, color=_FAINT)
    sheet.text(
        left + 3.05, _MARGIN + 1.54, "positive (0 is white, the ends are each map's largest)", size=9.5, color=_FAINT
    )


def _draw_card(sheet: _Sheet, result: Result, left: float, top: float) -> None:
    part = result.part
    sheet.text(left, top, part.title, size=14, weight="bold")
    source = f", on the {part.after} maps" if part.after else ""
    sheet.text(left + _CARD_WIDTH, top + 0.04, part.arguments + source, size=10.5, ha="right", color=_FAINT)
    sizes = f"{'x'.join(map(str, result.input_size))} → {'x'.join(map(str, result.computed))}"
    rows = f"rows: {result.formulas[0]} = {result.derived[0]}"
    sheet.text(left, top + 0.28, sizes, size=9, family="monospace")
    sheet.text(left + _CARD_WIDTH, top + 0.28, rows, size=9, ha="right", family="monospace")
    for n, shown in enumerate(part.maps):
        x = left + n * (_MAP_WIDTH + _GAP)
        axes = sheet.axes(x, top + 0.52, _MAP_WIDTH, _MAP_HEIGHT)
        pixels = result.output[0, :, :, shown.channels]
        _draw_map(axes, _face(pixels) if part.after else pixels, shown.kind)
        sheet.text(x + _MAP_WIDTH / 2, top + 0.52 + _MAP_HEIGHT + 0.05, shown.caption, size=9, ha="center")


def _face(pixels: Any) -> Any:
    rows, columns = pixels.shape[:2]
    return pixels[rows // 16 : rows // 16 + rows // 2, columns // 4 : columns // 4 + columns // 2]


def _draw_map(axes: Any, pixels: Any, kind: str) -> None:
    if kind == "colour":
        axes.imshow(np.clip(pixels, 0, 1), aspect="auto")
    elif kind == "grey":
        axes.imshow(pixels[..., 0], cmap="gray", vmin=0, vmax=1, aspect="auto")
    else:
        largest = np.quantile(np.abs(pixels), 0.995)
        axes.imshow(pixels[..., 0], cmap=_SIGNED, vmin=-largest, vmax=largest, aspect="auto")
    for side in axes.spines.values():
        side.set_color("#bbbbbb")
