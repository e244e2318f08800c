"""Colours: Okabe and Ito's, which readers with any colour vision tell apart, on light or dark paper."""

from __future__ import annotations

from typing import NamedTuple

INPUT = "#56B4E9"
OUTPUT = "#F0E442"
KERNEL = "#D55E00"
ROLES = {"input": INPUT, "kernel": KERNEL, "output": OUTPUT}

# From −1 over 0 to 1, pale enough for black numbers; the ends differ in lightness from the middle
# and from each other in hue under every kind of colour vision (after ColorBrewer's PRGn).
DIVERGING = ("#B18CC4", "#D9C4E3", "#F7F7F7", "#C4E5BF", "#79C285")


class Theme(NamedTuple):
    """The colours that depend on the paper.

    Attributes
    ----------
    paper, ink, quiet : str
        Background, text, and secondary text.
    line : str
        Borders of cells.
    empty : str
        Fill of an output that is not computed yet.
    weight_on_paper : str
        The subscript where a cell is unfilled.
    """

    paper: str
    ink: str
    quiet: str
    line: str
    empty: str
    weight_on_paper: str


THEMES = {
    "light": Theme("#FFFFFF", "#16181D", "#565C66", "#7B828C", "#F4F5F7", "#9A3F00"),
    "dark": Theme("#15171C", "#F1F2F4", "#B4BAC4", "#7B828C", "#23262D", "#FFA868"),
}

# On filled cells, which are pale in both themes.
CELL_INK = "#101216"
CELL_WEIGHT = "#7A2D00"
CELL_LINE = "#4A5058"


def diverging(level: float) -> str:
    """Return the colour of a value between -1 and 1.

    Examples
    --------
    >>> diverging(0.0)
    '#F7F7F7'
    """
    position = (min(max(level, -1.0), 1.0) + 1) / 2 * (len(DIVERGING) - 1)
    low = min(int(position), len(DIVERGING) - 2)
    part = position - low
    left, right = (_channels(DIVERGING[i]) for i in (low, low + 1))
    return "#" + "".join(f"{round(a + (b - a) * part):02X}" for a, b in zip(left, right, strict=True))


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def mixed(colour: str, other: str, part: float) -> str:
    """Return a colour moved towards another.

    Examples
    --------
    >>> mixed("#000000", "#FFFFFF", 0.5)
    '#808080'
    """
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * part):02X}" for a, b in pairs)
