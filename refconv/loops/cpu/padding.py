"""Padding in any mode: every output takes one datum, or keeps the value beside the data.

The arrays of all three loops, with one more spatial axis for each rank::

    out      (batch, out..., channels)              the value on entry
    x        (batch, in..., channels)
    sources  (out,) for each axis                   which datum an output takes, -1 for the value

Which datum that is in each mode, says `refconv.functional.padding`.
"""

from __future__ import annotations

from typing import Any

from refconv.loops.jit import prange, textbook

Array = Any


@textbook
def pad1d(out: Array, x: Array, sources: Array) -> None:
    """Pad one axis."""
    batch, length, channels = out.shape
    for cell in prange(batch * length):
        n, o = cell // length, cell % length
        i = sources[o]
        if i >= 0:
            for c in range(channels):
                out[n, o, c] = x[n, i, c]


@textbook
def pad2d(out: Array, x: Array, row_sources: Array, column_sources: Array) -> None:
    """Pad two axes."""
    batch, height, width, channels = out.shape
    for line in prange(batch * height):
        n, oh = line // height, line % height
        ih = row_sources[oh]
        for ow in range(width):
            iw = column_sources[ow]
            if ih >= 0 and iw >= 0:
                for c in range(channels):
                    out[n, oh, ow, c] = x[n, ih, iw, c]


@textbook
def pad3d(out: Array, x: Array, plane_sources: Array, row_sources: Array, column_sources: Array) -> None:
    """Pad three axes."""
    batch, depth, height, width, channels = out.shape
    for plane in prange(batch * depth):
        n, od = plane // depth, plane % depth
        id_ = plane_sources[od]
        for oh in range(height):
            ih = row_sources[oh]
            for ow in range(width):
                iw = column_sources[ow]
                if id_ >= 0 and ih >= 0 and iw >= 0:
                    for c in range(channels):
                        out[n, od, oh, ow, c] = x[n, id_, ih, iw, c]
