"""Depthwise convolution: every channel has its own filters and reads nothing else.

The arrays of all three loops, with one more spatial axis for each rank::

    out      (batch, out..., channels * multiplier)   zeros on entry
    x        (batch, in..., channels)
    weights  (k..., channels, multiplier)
    bias     (channels * multiplier,)

Output channel ``c * multiplier + m`` reads input channel ``c``. Kernel elements on padding are left
out rather than multiplied by zero. Each output has one owner and its terms are added in the order
of the weights, then the bias.

Source: arXiv:1610.02357; the order of the output channels as in Keras' DepthwiseConv2D.
"""

from __future__ import annotations

from typing import Any

from refconv.geometry import AxisGeometry
from refconv.loops.jit import input_index, prange, textbook

Array = Any


@textbook
def depthwise_conv1d(out: Array, x: Array, weights: Array, bias: Array, axis: AxisGeometry) -> None:
    """Convolve each channel by itself along one axis."""
    batch, length, filters = out.shape
    multiplier = weights.shape[2]
    for cell in prange(batch * length):
        n, o = cell // length, cell % length
        for f in range(filters):
            c, m = f // multiplier, f % multiplier
            for k in range(axis.kernel_size):
                i = input_index(o, k, axis)
                if i >= 0:
                    out[n, o, f] += weights[k, c, m] * x[n, i, c]
            out[n, o, f] += bias[f]


@textbook
def depthwise_conv2d(
    out: Array, x: Array, weights: Array, bias: Array, rows: AxisGeometry, columns: AxisGeometry
) -> None:
    """Convolve each channel by itself along two axes."""
    batch, height, width, filters = out.shape
    multiplier = weights.shape[3]
    for line in prange(batch * height):
        n, oh = line // height, line % height
        for ow in range(width):
            for f in range(filters):
                c, m = f // multiplier, f % multiplier
                for kh in range(rows.kernel_size):
                    for kw in range(columns.kernel_size):
                        ih = input_index(oh, kh, rows)
                        iw = input_index(ow, kw, columns)
                        if ih >= 0 and iw >= 0:
                            out[n, oh, ow, f] += weights[kh, kw, c, m] * x[n, ih, iw, c]
                out[n, oh, ow, f] += bias[f]


@textbook
def depthwise_conv3d(
    out: Array,
    x: Array,
    weights: Array,
    bias: Array,
    planes: AxisGeometry,
    rows: AxisGeometry,
    columns: AxisGeometry,
) -> None:
    """Convolve each channel by itself along three axes."""
    batch, depth, height, width, filters = out.shape
    multiplier = weights.shape[4]
    for plane in prange(batch * depth):
        n, od = plane // depth, plane % depth
        for oh in range(height):
            for ow in range(width):
                for f in range(filters):
                    c, m = f // multiplier, f % multiplier
                    for kd in range(planes.kernel_size):
                        for kh in range(rows.kernel_size):
                            for kw in range(columns.kernel_size):
                                id_ = input_index(od, kd, planes)
                                ih = input_index(oh, kh, rows)
                                iw = input_index(ow, kw, columns)
                                if id_ >= 0 and ih >= 0 and iw >= 0:
                                    out[n, od, oh, ow, f] += weights[kd, kh, kw, c, m] * x[n, id_, ih, iw, c]
                    out[n, od, oh, ow, f] += bias[f]
