"""Gradients to weights and biases: every weight sums what it was multiplied by.

The arrays of the loops for weights, with one more spatial axis for each rank::

    out      (k..., channels / groups, filters)     zeros on entry
    x        (batch, in..., channels)               the convolution's input
    dy       (batch, out..., filters)               the gradient to its output

Convolution multiplied ``weights[k, c, f]`` by the datum that kernel element `k` reads at output `o`,
so the weight's gradient is the sum of these data times ``dy[o, f]``. It is found along the very axes of
the convolution. Padding and inserted zeros are left out, not multiplied, so a NaN or an infinity in `x`
or `dy` reaches exactly the weights that met it. Each weight has one owner and its terms are added image
by image, in the order of the outputs.

No other gradient has a loop of its own. That of a transposed convolution's weights is this one with `x`
and `dy` in each other's place, along the adjoint axes; a depthwise convolution is one in as many groups
as channels. And the gradient to the input of a linear map is its adjoint, which is a loop already: of
convolution the scatter loop of `refconv.loops.cpu.conv_transpose` and of that convolution; of zero padding
cropping, of unfolding folding, and back; of interpolation and of the other padding modes interpolation,
by the transposed tables of taps.

Source: arXiv:1603.07285, section 4; Rumelhart, Hinton and Williams, "Learning representations by
back-propagating errors" (1986).
"""

from __future__ import annotations

from typing import Any

from refconv.geometry import AxisGeometry
from refconv.loops.jit import input_index, prange, textbook

Array = Any


@textbook
def conv1d_grad_weights(out: Array, x: Array, dy: Array, axis: AxisGeometry, groups: int) -> None:
    """Sum what each weight of a convolution along one axis met."""
    _, own_channels, filters = out.shape
    own_filters = filters // groups
    for line in prange(axis.kernel_size * own_channels):
        k, c = line // own_channels, line % own_channels
        for n in range(dy.shape[0]):
            for o in range(dy.shape[1]):
                i = input_index(o, k, axis)
                if i >= 0:
                    for g in range(groups):
                        datum = x[n, i, g * own_channels + c]
                        for f in range(g * own_filters, (g + 1) * own_filters):
                            out[k, c, f] += datum * dy[n, o, f]


@textbook
def conv2d_grad_weights(
    out: Array, x: Array, dy: Array, rows: AxisGeometry, columns: AxisGeometry, groups: int
) -> None:
    """Sum what each weight of a convolution along two axes met."""
    _, width, own_channels, filters = out.shape
    own_filters = filters // groups
    for line in prange(rows.kernel_size * width * own_channels):
        kh, kw, c = line // own_channels // width, line // own_channels % width, line % own_channels
        for n in range(dy.shape[0]):
            for oh in range(dy.shape[1]):
                ih = input_index(oh, kh, rows)
                for ow in range(dy.shape[2]):
                    iw = input_index(ow, kw, columns)
                    if ih >= 0 and iw >= 0:
                        for g in range(groups):
                            datum = x[n, ih, iw, g * own_channels + c]
                            for f in range(g * own_filters, (g + 1) * own_filters):
                                out[kh, kw, c, f] += datum * dy[n, oh, ow, f]


@textbook
def conv3d_grad_weights(
    out: Array, x: Array, dy: Array, planes: AxisGeometry, rows: AxisGeometry, columns: AxisGeometry, groups: int
) -> None:
    """Sum what each weight of a convolution along three axes met."""
    _, height, width, own_channels, filters = out.shape
    own_filters = filters // groups
    for line in prange(planes.kernel_size * height * width * own_channels):
        k, c = line // own_channels, line % own_channels
        kd, kh, kw = k // width // height, k // width % height, k % width
        for n in range(dy.shape[0]):
            for od in range(dy.shape[1]):
                id_ = input_index(od, kd, planes)
                for oh in range(dy.shape[2]):
                    ih = input_index(oh, kh, rows)
                    for ow in range(dy.shape[3]):
                        iw = input_index(ow, kw, columns)
                        if id_ >= 0 and ih >= 0 and iw >= 0:
                            for g in range(groups):
                                datum = x[n, id_, ih, iw, g * own_channels + c]
                                for f in range(g * own_filters, (g + 1) * own_filters):
                                    out[kd, kh, kw, c, f] += datum * dy[n, od, oh, ow, f]


@textbook
def grad_bias(out: Array, dy: Array) -> None:
    """Sum the gradient of all outputs of each filter; `dy` has shape (cells, filters), `out` (filters,)."""
    for f in prange(out.shape[0]):
        for cell in range(dy.shape[0]):
            out[f] += dy[cell, f]
