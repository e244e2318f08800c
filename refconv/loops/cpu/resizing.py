"""Upsampling and resizing: every output takes the nearest datum, or a weighted sum of those around it.

The arrays of all six loops, with one more spatial axis for each rank::

    out      (batch, out..., channels)              zeros on entry
    x        (batch, in..., channels)
    sources  (out,) for each axis                   which datum an output takes
    taps     (out, most taps) for each axis         which data an output reads, -1 where it reads fewer
    weights  (out, most taps) for each axis         their weights; a cell's is the product of its axes'

Which data and weights these are, says `refconv.interpolation.axis_taps`. What weighs nothing is no
tap, so a NaN or an infinity reaches exactly the outputs that read it.
"""

from __future__ import annotations

from typing import Any

from refconv.loops.jit import prange, textbook

Array = Any


@textbook
def nearest1d(out: Array, x: Array, sources: Array) -> None:
    """Take the nearest datum along one axis."""
    batch, length, channels = out.shape
    for cell in prange(batch * length):
        n, o = cell // length, cell % length
        for c in range(channels):
            out[n, o, c] = x[n, sources[o], c]


@textbook
def nearest2d(out: Array, x: Array, row_sources: Array, column_sources: Array) -> None:
    """Take the nearest datum along two axes."""
    batch, height, width, channels = out.shape
    for line in prange(batch * height):
        n, oh = line // height, line % height
        for ow in range(width):
            for c in range(channels):
                out[n, oh, ow, c] = x[n, row_sources[oh], column_sources[ow], c]


@textbook
def nearest3d(out: Array, x: Array, plane_sources: Array, row_sources: Array, column_sources: Array) -> None:
    """Take the nearest datum along three axes."""
    batch, depth, height, width, channels = out.shape
    for plane in prange(batch * depth):
        n, od = plane // depth, plane % depth
        for oh in range(height):
            for ow in range(width):
                for c in range(channels):
                    out[n, od, oh, ow, c] = x[n, plane_sources[od], row_sources[oh], column_sources[ow], c]


@textbook
def interpolate1d(out: Array, x: Array, taps: Array, weights: Array) -> None:
    """Interpolate along one axis."""
    batch, length, channels = out.shape
    for cell in prange(batch * length):
        n, o = cell // length, cell % length
        for t in range(taps.shape[1]):
            i = taps[o, t]
            if i >= 0:
                for c in range(channels):
                    out[n, o, c] += weights[o, t] * x[n, i, c]


@textbook
def interpolate2d(
    out: Array, x: Array, row_taps: Array, row_weights: Array, column_taps: Array, column_weights: Array
) -> None:
    """Interpolate along two axes."""
    batch, height, width, channels = out.shape
    for line in prange(batch * height):
        n, oh = line // height, line % height
        for ow in range(width):
            for th in range(row_taps.shape[1]):
                ih = row_taps[oh, th]
                for tw in range(column_taps.shape[1]):
                    iw = column_taps[ow, tw]
                    if ih >= 0 and iw >= 0:
                        weight = row_weights[oh, th] * column_weights[ow, tw]
                        for c in range(channels):
                            out[n, oh, ow, c] += weight * x[n, ih, iw, c]


@textbook
def interpolate3d(
    out: Array,
    x: Array,
    plane_taps: Array,
    plane_weights: Array,
    row_taps: Array,
    row_weights: Array,
    column_taps: Array,
    column_weights: Array,
) -> None:
    """Interpolate along three axes."""
    batch, depth, height, width, channels = out.shape
    for plane in prange(batch * depth):
        n, od = plane // depth, plane % depth
        for oh in range(height):
            for ow in range(width):
                for td in range(plane_taps.shape[1]):
                    id_ = plane_taps[od, td]
                    for th in range(row_taps.shape[1]):
                        ih = row_taps[oh, th]
                        for tw in range(column_taps.shape[1]):
                            iw = column_taps[ow, tw]
                            if id_ >= 0 and ih >= 0 and iw >= 0:
                                weight = plane_weights[od, td] * row_weights[oh, th] * column_weights[ow, tw]
                                for c in range(channels):
                                    out[n, od, oh, ow, c] += weight * x[n, id_, ih, iw, c]
