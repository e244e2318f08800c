"""Zero padding: every output is the datum under it, or stays 0 beside the data.

The arrays of all three loops, with one more spatial axis for each rank::

    out      (batch, out..., channels)              zeros on entry
    x        (batch, in..., channels)

An axis is that of a convolution whose kernel has one element, of weight 1.
"""

from __future__ import annotations

from typing import Any

from refconv.geometry import AxisGeometry
from refconv.loops.jit import input_index, prange, textbook

Array = Any


@textbook
def zero_pad1d(out: Array, x: Array, axis: AxisGeometry) -> None:
    """Pad one axis."""
    batch, length, channels = out.shape
    for cell in prange(batch * length):
        n, o = cell // length, cell % length
        i = input_index(o, 0, axis)
        if i >= 0:
            for c in range(channels):
                out[n, o, c] = x[n, i, c]


@textbook
def zero_pad2d(out: Array, x: Array, rows: AxisGeometry, columns: AxisGeometry) -> None:
    """Pad two axes."""
    batch, height, width, channels = out.shape
    for line in prange(batch * height):
        n, oh = line // height, line % height
        ih = input_index(oh, 0, rows)
        for ow in range(width):
            iw = input_index(ow, 0, columns)
            if ih >= 0 and iw >= 0:
                for c in range(channels):
                    out[n, oh, ow, c] = x[n, ih, iw, c]


@textbook
def zero_pad3d(out: Array, x: Array, planes: AxisGeometry, rows: AxisGeometry, columns: AxisGeometry) -> None:
    """Pad three axes."""
    batch, depth, height, width, channels = out.shape
    for plane in prange(batch * depth):
        n, od = plane // depth, plane % depth
        id_ = input_index(od, 0, planes)
        for oh in range(height):
            ih = input_index(oh, 0, rows)
            for ow in range(width):
                iw = input_index(ow, 0, columns)
                if id_ >= 0 and ih >= 0 and iw >= 0:
                    for c in range(channels):
                        out[n, od, oh, ow, c] = x[n, id_, ih, iw, c]
