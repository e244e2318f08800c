"""Margins, gaps and sizes of type, in pixels at scale 1."""

from __future__ import annotations

MARGIN = 28
LABEL_HEIGHT, NOTED_LABEL_HEIGHT = 28, 46
PLANE_GAP = 14
LINE_GAP = 84
COLUMN_GAP = 34
# The most that a frame is wide and its panels are high; more where three channels stand above one another.
WIDEST, TALLEST, TALLEST_PLANES = 960, 500, 640
LARGEST_CELL, SMALLEST_CELL = 54, 20
TERM_HEIGHT = 42
CAPTION_HEIGHT = 21
# Mean widths of DejaVu Sans as a part of the font's size: of words, and of digits and bold letters.
LETTER, DIGIT = 0.53, 0.63
SIZES = {
    "title": 20.0,
    "details": 13.5,
    "heading": 13.5,
    "label": 14.0,
    "note": 11.5,
    "caption": 13.5,
    "formula": 13.5,
    "term": 14.0,
    "running": 11.5,
    "total": 15.0,
    "key": 11.5,
    "muted": 12.0,
}
