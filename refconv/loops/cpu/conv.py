"""Convolution: every output sums weights times the data under them.

The arrays of all three loops, with one more spatial axis for each rank::

    out      (batch, out..., filters)               zeros on entry
    x        (batch, in..., channels)
    weights  (k..., channels / groups, filters)
    bias     (filters,)

Filters and channels stand in `groups` runs of neighbours; a filter reads the channels of its own
group. Kernel elements on padding and on inserted zeros are left out rather than multiplied by zero,
so that an infinite weight there does no harm, while every NaN and infinity that is read does count.
Each output has one owner and its terms are added in the order of the weights, then the bias.

Source: arXiv:1603.07285, sections 2 and 5.1; groups as in `jax.lax.conv_general_dilated`.
"""

from __future__ import annotations

from typing import Any

from refconv.geometry import AxisGeometry
from refconv.loops.jit import input_index, prange, textbook

Array = Any


@textbook
def conv1d(out: Array, x: Array, weights: Array, bias: Array, axis: AxisGeometry, groups: int) -> None:
    """Convolve along one axis."""
    batch, length, filters = out.shape
    own_filters, own_channels = filters // groups, weights.shape[1]
    for cell in prange(batch * length):
        n, o = cell // length, cell % length
        for f in range(filters):
            first = f // own_filters * own_channels
            for k in range(axis.kernel_size):
                i = input_index(o, k, axis)
                if i >= 0:
                    for c in range(own_channels):
                        out[n, o, f] += weights[k, c, f] * x[n, i, first + c]
            out[n, o, f] += bias[f]


@textbook
def conv2d(
    out: Array, x: Array, weights: Array, bias: Array, rows: AxisGeometry, columns: AxisGeometry, groups: int
) -> None:
    """Convolve along two axes."""
    batch, height, width, filters = out.shape
    own_filters, own_channels = filters // groups, weights.shape[2]
    for line in prange(batch * height):
        n, oh = line // height, line % height
        for ow in range(width):
            for f in range(filters):
                first = f // own_filters * own_channels
                for kh in range(rows.kernel_size):
                    for kw in range(columns.kernel_size):
                        ih = input_index(oh, kh, rows)
                        iw = input_index(ow, kw, columns)
                        if ih >= 0 and iw >= 0:
                            for c in range(own_channels):
                                out[n, oh, ow, f] += weights[kh, kw, c, f] * x[n, ih, iw, first + c]
                out[n, oh, ow, f] += bias[f]


@textbook
def conv3d(
    out: Array,
    x: Array,
    weights: Array,
    bias: Array,
    planes: AxisGeometry,
    rows: AxisGeometry,
    columns: AxisGeometry,
    groups: int,
) -> None:
    """Convolve along three axes."""
    batch, depth, height, width, filters = out.shape
    own_filters, own_channels = filters // groups, weights.shape[3]
    for plane in prange(batch * depth):
        n, od = plane // depth, plane % depth
        for oh in range(height):
            for ow in range(width):
                for f in range(filters):
                    first = f // own_filters * own_channels
                    for kd in range(planes.kernel_size):
                        for kh in range(rows.kernel_size):
                            for kw in range(columns.kernel_size):
                                id_ = input_index(od, kd, planes)
                                ih = input_index(oh, kh, rows)
                                iw = input_index(ow, kw, columns)
                                if id_ >= 0 and ih >= 0 and iw >= 0:
                                    for c in range(own_channels):
                                        out[n, od, oh, ow, f] += (
                                            weights[kd, kh, kw, c, f] * x[n, id_, ih, iw, first + c]
                                        )
                    out[n, od, oh, ow, f] += bias[f]
