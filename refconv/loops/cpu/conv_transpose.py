"""Transposed convolution, twice: every input stamps the kernel, or every output gathers.

The arrays of all loops, with one more spatial axis for each rank::

    out      (batch, out..., filters)               zeros on entry
    x        (batch, in..., channels)
    weights  (k..., filters / groups, channels)     the order of the convolution it transposes
    bias     (filters,)

*Scatter* is the adjoint of a convolution: input `i` adds ``weights[k] * x[i]`` to the very output `p`
that the convolution from `out` back to `x` reads through `k` at its output `i`. Its axes are those of that
convolution, ``axis.adjoint()`` of the gather's. A filter of one image has one owner.

*Gather* is the ordinary rule over an input with zeros inserted between its data, the kernel
`reversed`. Its axes are those of `refconv.geometry.AxisGeometry.transposed`. An output has one owner.

Both give the same sums in another order of the terms. Neither multiplies by an inserted zero or by
padding, so an infinite weight there does no harm, while every NaN and infinity that is read counts.

Source: arXiv:1603.07285, section 4.
"""

from __future__ import annotations

from typing import Any

from refconv.geometry import AxisGeometry
from refconv.loops.jit import input_index, prange, textbook

Array = Any


@textbook
def conv_transpose1d_scatter(
    out: Array, x: Array, weights: Array, bias: Array, axis: AxisGeometry, groups: int
) -> None:
    """Stamp the kernel along one axis; `axis` is the convolution's."""
    batch, length, channels = x.shape
    filters, own_filters, own_channels = out.shape[2], weights.shape[1], channels // groups
    for sheet in prange(batch * filters):
        n, f = sheet // filters, sheet % filters
        first = f // own_filters * own_channels
        for i in range(length):
            for k in range(axis.kernel_size):
                p = input_index(i, k, axis)
                if p >= 0:
                    for c in range(first, first + own_channels):
                        out[n, p, f] += weights[k, f % own_filters, c] * x[n, i, c]
        for p in range(out.shape[1]):
            out[n, p, f] += bias[f]


@textbook
def conv_transpose2d_scatter(
    out: Array, x: Array, weights: Array, bias: Array, rows: AxisGeometry, columns: AxisGeometry, groups: int
) -> None:
    """Stamp the kernel along two axes; `rows` and `columns` are the convolution's."""
    batch, height, width, channels = x.shape
    filters, own_filters, own_channels = out.shape[3], weights.shape[2], channels // groups
    for sheet in prange(batch * filters):
        n, f = sheet // filters, sheet % filters
        first = f // own_filters * own_channels
        for ih in range(height):
            for iw in range(width):
                for kh in range(rows.kernel_size):
                    for kw in range(columns.kernel_size):
                        ph = input_index(ih, kh, rows)
                        pw = input_index(iw, kw, columns)
                        if ph >= 0 and pw >= 0:
                            for c in range(first, first + own_channels):
                                out[n, ph, pw, f] += weights[kh, kw, f % own_filters, c] * x[n, ih, iw, c]
        for ph in range(out.shape[1]):
            for pw in range(out.shape[2]):
                out[n, ph, pw, f] += bias[f]


@textbook
def conv_transpose3d_scatter(
    out: Array,
    x: Array,
    weights: Array,
    bias: Array,
    planes: AxisGeometry,
    rows: AxisGeometry,
    columns: AxisGeometry,
    groups: int,
) -> None:
    """Stamp the kernel along three axes; `planes`, `rows` and `columns` are the convolution's."""
    batch, depth, height, width, channels = x.shape
    filters, own_filters, own_channels = out.shape[4], weights.shape[3], channels // groups
    for sheet in prange(batch * filters):
        n, f = sheet // filters, sheet % filters
        m, first = f % own_filters, f // own_filters * own_channels
        for id_ in range(depth):
            for ih in range(height):
                for iw in range(width):
                    for kd in range(planes.kernel_size):
                        for kh in range(rows.kernel_size):
                            for kw in range(columns.kernel_size):
                                pd = input_index(id_, kd, planes)
                                ph = input_index(ih, kh, rows)
                                pw = input_index(iw, kw, columns)
                                if pd >= 0 and ph >= 0 and pw >= 0:
                                    for c in range(first, first + own_channels):
                                        out[n, pd, ph, pw, f] += weights[kd, kh, kw, m, c] * x[n, id_, ih, iw, c]
        for pd in range(out.shape[1]):
            for ph in range(out.shape[2]):
                for pw in range(out.shape[3]):
                    out[n, pd, ph, pw, f] += bias[f]


@textbook
def conv_transpose1d_gather(out: Array, x: Array, weights: Array, bias: Array, axis: AxisGeometry, groups: int) -> None:
    """Gather along one axis of the zero-inserted input."""
    batch, length, filters = out.shape
    own_filters, own_channels = weights.shape[1], x.shape[2] // groups
    for cell in prange(batch * length):
        n, o = cell // length, cell % length
        for f in range(filters):
            first = f // own_filters * own_channels
            for k in range(axis.kernel_size):
                i = input_index(o, k, axis)
                if i >= 0:
                    for c in range(first, first + own_channels):
                        out[n, o, f] += weights[k, f % own_filters, c] * x[n, i, c]
            out[n, o, f] += bias[f]


@textbook
def conv_transpose2d_gather(
    out: Array, x: Array, weights: Array, bias: Array, rows: AxisGeometry, columns: AxisGeometry, groups: int
) -> None:
    """Gather along two axes of the zero-inserted input."""
    batch, height, width, filters = out.shape
    own_filters, own_channels = weights.shape[2], x.shape[3] // groups
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
                            for c in range(first, first + own_channels):
                                out[n, oh, ow, f] += weights[kh, kw, f % own_filters, c] * x[n, ih, iw, c]
                out[n, oh, ow, f] += bias[f]


@textbook
def conv_transpose3d_gather(
    out: Array,
    x: Array,
    weights: Array,
    bias: Array,
    planes: AxisGeometry,
    rows: AxisGeometry,
    columns: AxisGeometry,
    groups: int,
) -> None:
    """Gather along three axes of the zero-inserted input."""
    batch, depth, height, width, filters = out.shape
    own_filters, own_channels = weights.shape[3], x.shape[4] // groups
    for plane in prange(batch * depth):
        n, od = plane // depth, plane % depth
        for oh in range(height):
            for ow in range(width):
                for f in range(filters):
                    m, first = f % own_filters, f // own_filters * own_channels
                    for kd in range(planes.kernel_size):
                        for kh in range(rows.kernel_size):
                            for kw in range(columns.kernel_size):
                                id_ = input_index(od, kd, planes)
                                ih = input_index(oh, kh, rows)
                                iw = input_index(ow, kw, columns)
                                if id_ >= 0 and ih >= 0 and iw >= 0:
                                    for c in range(first, first + own_channels):
                                        out[n, od, oh, ow, f] += weights[kd, kh, kw, m, c] * x[n, id_, ih, iw, c]
                    out[n, od, oh, ow, f] += bias[f]
