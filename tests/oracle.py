"""A naive NumPy oracle that materialises padding, inserted zeros, dilated and flipped kernels.

It shares no code with refconv: what it says about sizes and padding is written out again from the
papers' and frameworks' own words. Arrays are channels last, weights as in `refconv.functional`.
"""

from __future__ import annotations

import itertools
import math

import numpy as np


def insert_zeros(array, steps):
    """Spread the leading axes of an array by whole steps, zeros between."""
    shape = [(n - 1) * s + 1 for n, s in zip(array.shape, steps, strict=False)]
    spread = np.zeros((*shape, *array.shape[len(steps) :]), array.dtype)
    spread[tuple(slice(None, None, s) for s in steps)] = array
    return spread


def pad_or_crop(array, pairs):
    """Pad the leading axes by (before, after); negative amounts crop."""
    for axis, (before, after) in enumerate(pairs):
        widths = [(0, 0)] * array.ndim
        widths[axis] = (max(before, 0), max(after, 0))
        array = np.pad(array, widths)
        stop = array.shape[axis] - max(-after, 0)
        array = np.take(array, range(max(-before, 0), stop), axis)
    return array


def padding_of(mode, n, k, s, d):
    """Cells before and after on one axis of a convolution."""
    ke = (k - 1) * d + 1
    if mode == "valid":
        return 0, 0
    if mode == "causal":
        return ke - 1, 0
    if mode == "full":
        return ke - 1, ke - 1
    total = max((math.ceil(n / s) - 1) * s + ke - n, 0)
    return total // 2, total - total // 2


def crop_of(mode, k, s, d, output_padding):
    """Cells cut off the full output of a transposed axis: Keras' table."""
    ke, op = (k - 1) * d + 1, output_padding
    if mode == "full":
        return 0, -(op or 0)
    if mode == "valid":
        return 0, -(max(s - ke, 0) if op is None else op)
    total = ke - s if op is None else ke - ke % 2 - op
    before = max(total // 2, 0)
    return before, total - before


def conv(x, weights, bias=None, *, strides, pads, dilation, groups=1, input_dilation=None, flip=False):
    """Slide a dilated kernel over the padded, zero-inserted input."""
    rank = x.ndim - 2
    kernel = np.flip(weights, range(rank)) if flip else weights
    kernel = insert_zeros(kernel, dilation)
    filters, own = weights.shape[-1], weights.shape[-2]
    images = []
    for image in x:
        padded = pad_or_crop(insert_zeros(image, input_dilation or (1,) * rank), pads)
        sizes = [(n - k) // s + 1 for n, k, s in zip(padded.shape, kernel.shape, strides, strict=False)]
        out = np.zeros((*sizes, filters), np.result_type(x, weights))
        for place in itertools.product(*map(range, sizes)):
            start = [o * s for o, s in zip(place, strides, strict=True)]
            window = padded[tuple(slice(i, i + k) for i, k in zip(start, kernel.shape, strict=False))]
            for f in range(filters):
                first = f // (filters // groups) * own
                out[(*place, f)] = (window[..., first : first + own] * kernel[..., f]).sum()
        images.append(out)
    result = np.stack(images)
    return result if bias is None else result + bias


def conv_transpose(x, weights, bias=None, *, strides, crop, dilation, output_padding=None, groups=1):
    """Stamp the kernel onto the full output, append zeros, crop."""
    rank = x.ndim - 2
    kernel_size, own_filters, channels = weights.shape[:rank], weights.shape[-2], weights.shape[-1]
    own_channels = channels // groups
    full = [
        (n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(x.shape[1:-1], strides, kernel_size, dilation, strict=True)
    ]
    images = []
    for image in x:
        out = np.zeros((*full, own_filters * groups), np.result_type(x, weights))
        for cell in itertools.product(*map(range, image.shape[:-1])):
            for k in itertools.product(*map(range, kernel_size)):
                place = tuple(i * s + j * d for i, s, j, d in zip(cell, strides, k, dilation, strict=True))
                for g in range(groups):
                    inputs = slice(g * own_channels, (g + 1) * own_channels)
                    outputs = slice(g * own_filters, (g + 1) * own_filters)
                    out[place][outputs] += weights[k][:, inputs] @ image[cell][inputs]
        out = pad_or_crop(out, [(0, extra) for extra in output_padding or (0,) * rank])
        images.append(pad_or_crop(out, [(-lo, -hi) for lo, hi in crop]))
    result = np.stack(images)
    return result if bias is None else result + bias


def depthwise(x, weights, bias=None, *, strides, pads, dilation):
    """Convolve each channel by itself."""
    parts = [
        conv(x[..., c : c + 1], weights[..., c : c + 1, :], strides=strides, pads=pads, dilation=dilation)
        for c in range(x.shape[-1])
    ]
    result = np.concatenate(parts, axis=-1)
    return result if bias is None else result + bias
