"""Unfold (im2col) and fold (col2im): what a kernel covers at every output, as columns, and back.

The arrays of all six loops, with one more spatial axis for each rank::

    image    (batch, in..., channels)               zeros on entry, where it is filled
    patches  (batch, out..., k..., channels)        zeros on entry, where they are filled

Unfold gathers along a convolution's axes: a patch holds the datum under each kernel element, and 0
for padding. Fold is its adjoint and gathers along the adjoint axes: a cell of the image gets the sum
of all that unfold would have copied from there.

Source: the index rule; a convolution is the product of the patches and the weights.
"""

from __future__ import annotations

from typing import Any

from refconv.geometry import AxisGeometry
from refconv.loops.jit import input_index, prange, textbook

Array = Any


@textbook
def unfold1d(patches: Array, image: Array, axis: AxisGeometry) -> None:
    """Copy the patches of one axis."""
    batch, length, _, channels = patches.shape
    for cell in prange(batch * length):
        n, o = cell // length, cell % length
        for k in range(axis.kernel_size):
            i = input_index(o, k, axis)
            if i >= 0:
                for c in range(channels):
                    patches[n, o, k, c] = image[n, i, c]


@textbook
def unfold2d(patches: Array, image: Array, rows: AxisGeometry, columns: AxisGeometry) -> None:
    """Copy the patches of two axes."""
    batch, height, width, _, _, channels = patches.shape
    for line in prange(batch * height):
        n, oh = line // height, line % height
        for ow in range(width):
            for kh in range(rows.kernel_size):
                ih = input_index(oh, kh, rows)
                for kw in range(columns.kernel_size):
                    iw = input_index(ow, kw, columns)
                    if ih >= 0 and iw >= 0:
                        for c in range(channels):
                            patches[n, oh, ow, kh, kw, c] = image[n, ih, iw, c]


@textbook
def unfold3d(patches: Array, image: Array, planes: AxisGeometry, rows: AxisGeometry, columns: AxisGeometry) -> None:
    """Copy the patches of three axes."""
    batch, depth, height, width, _, _, _, channels = patches.shape
    for plane in prange(batch * depth):
        n, od = plane // depth, plane % depth
        for oh in range(height):
            for ow in range(width):
                for kd in range(planes.kernel_size):
                    id_ = input_index(od, kd, planes)
                    for kh in range(rows.kernel_size):
                        ih = input_index(oh, kh, rows)
                        for kw in range(columns.kernel_size):
                            iw = input_index(ow, kw, columns)
                            if id_ >= 0 and ih >= 0 and iw >= 0:
                                for c in range(channels):
                                    patches[n, od, oh, ow, kd, kh, kw, c] = image[n, id_, ih, iw, c]


@textbook
def fold1d(image: Array, patches: Array, axis: AxisGeometry) -> None:
    """Sum the patches of one axis, along its adjoint."""
    batch, length, channels = image.shape
    for cell in prange(batch * length):
        n, i = cell // length, cell % length
        for k in range(axis.kernel_size):
            o = input_index(i, k, axis)
            if o >= 0:
                for c in range(channels):
                    image[n, i, c] += patches[n, o, k, c]


@textbook
def fold2d(image: Array, patches: Array, rows: AxisGeometry, columns: AxisGeometry) -> None:
    """Sum the patches of two axes, along their adjoints."""
    batch, height, width, channels = image.shape
    for line in prange(batch * height):
        n, ih = line // height, line % height
        for iw in range(width):
            for kh in range(rows.kernel_size):
                oh = input_index(ih, kh, rows)
                for kw in range(columns.kernel_size):
                    ow = input_index(iw, kw, columns)
                    if oh >= 0 and ow >= 0:
                        for c in range(channels):
                            image[n, ih, iw, c] += patches[n, oh, ow, kh, kw, c]


@textbook
def fold3d(image: Array, patches: Array, planes: AxisGeometry, rows: AxisGeometry, columns: AxisGeometry) -> None:
    """Sum the patches of three axes, along their adjoints."""
    batch, depth, height, width, channels = image.shape
    for plane in prange(batch * depth):
        n, id_ = plane // depth, plane % depth
        for ih in range(height):
            for iw in range(width):
                for kd in range(planes.kernel_size):
                    od = input_index(id_, kd, planes)
                    for kh in range(rows.kernel_size):
                        oh = input_index(ih, kh, rows)
                        for kw in range(columns.kernel_size):
                            ow = input_index(iw, kw, columns)
                            if od >= 0 and oh >= 0 and ow >= 0:
                                for c in range(channels):
                                    image[n, id_, ih, iw, c] += patches[n, od, oh, ow, kd, kh, kw, c]
