"""A naive NumPy oracle that materialises padding, inserted zeros, dilated and flipped kernels.

It shares no code with the rest of refconv: what it says about sizes and padding is written out again from the
papers' and frameworks' own words. Arrays are channels last, weights as in `refconv.functional`. Gradients
follow from the forward functions alone: all of them are linear, so each is put to unit arrays.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Pairs = Sequence[Sequence[int]]


def insert_zeros(array: Array, steps: Sequence[int]) -> Array:
    """Spread the leading axes of an array by whole steps, zeros between."""
    shape = [(n - 1) * s + 1 for n, s in zip(array.shape, steps, strict=False)]
    spread = np.zeros((*shape, *array.shape[len(steps) :]), array.dtype)
    spread[tuple(slice(None, None, s) for s in steps)] = array
    return spread


def pad_or_crop(array: Array, pairs: Pairs) -> Array:
    """Pad the leading axes by (before, after); negative amounts crop."""
    for axis, (before, after) in enumerate(pairs):
        widths = [(0, 0)] * array.ndim
        widths[axis] = (max(before, 0), max(after, 0))
        array = np.pad(array, widths)
        stop = array.shape[axis] - max(-after, 0)
        array = np.take(array, range(max(-before, 0), stop), axis)
    return array


def padding_of(mode: str, n: int, k: int, s: int, d: int) -> tuple[int, int]:
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


def crop_of(mode: str, k: int, s: int, d: int, output_padding: int | None) -> tuple[int, int]:
    """Cells cut off the full output of a transposed axis: Keras' table."""
    ke, op = (k - 1) * d + 1, output_padding
    if mode == "full":
        return 0, -(op or 0)
    if mode == "valid":
        return 0, -(max(s - ke, 0) if op is None else op)
    total = ke - s if op is None else ke - ke % 2 - op
    before = max(total // 2, 0)
    return before, total - before


def conv(
    x: Array,
    weights: Array,
    bias: Array | None = None,
    *,
    strides: Sequence[int],
    pads: Pairs,
    dilation: Sequence[int],
    groups: int = 1,
    input_dilation: Sequence[int] | None = None,
    flip: bool = False,
) -> Array:
    """Slide a dilated kernel over the padded, zero-inserted input."""
    rank = x.ndim - 2
    kernel = insert_zeros(np.flip(weights, tuple(range(rank))) if flip else weights, dilation)
    own, filters = weights.shape[-2:]
    images = np.moveaxis(x, 0, -1)  # (spatial..., channels, batch): the spatial axes lead
    padded = pad_or_crop(insert_zeros(images, input_dilation or (1,) * rank), pads)
    sizes = [(n - k) // s + 1 for n, k, s in zip(padded.shape, kernel.shape, strides, strict=False)]
    if min(sizes) < 1:
        raise ValueError(f"the kernel does not fit: {sizes} outputs")
    out = np.zeros((*sizes, filters, len(x)), np.result_type(x, weights))
    for place in itertools.product(*map(range, sizes)):
        start = [o * s for o, s in zip(place, strides, strict=True)]
        window = padded[tuple(slice(i, i + k) for i, k in zip(start, kernel.shape, strict=False))]
        for g, mine in enumerate(np.array_split(range(filters), groups)):
            read = window[..., g * own : (g + 1) * own, :]
            out[place][mine] = np.tensordot(kernel[..., mine], read, (range(rank + 1), range(rank + 1)))
    result = np.moveaxis(out, -1, 0)
    return result if bias is None else result + bias


def conv_transpose(
    x: Array,
    weights: Array,
    bias: Array | None = None,
    *,
    strides: Sequence[int],
    crop: Pairs,
    dilation: Sequence[int],
    output_padding: Sequence[int] | None = None,
    groups: int = 1,
) -> Array:
    """Stamp the kernel onto the full output, append zeros, crop."""
    rank = x.ndim - 2
    kernel_size, own_filters, channels = weights.shape[:rank], weights.shape[-2], weights.shape[-1]
    own_channels = channels // groups
    full = [
        (n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(x.shape[1:-1], strides, kernel_size, dilation, strict=True)
    ]
    images = np.moveaxis(x, 0, -1)
    out = np.zeros((*full, own_filters * groups, len(x)), np.result_type(x, weights))
    for cell in itertools.product(*map(range, x.shape[1:-1])):
        for k in itertools.product(*map(range, kernel_size)):
            place = tuple(i * s + j * d for i, s, j, d in zip(cell, strides, k, dilation, strict=True))
            for g in range(groups):
                inputs = slice(g * own_channels, (g + 1) * own_channels)
                outputs = slice(g * own_filters, (g + 1) * own_filters)
                out[place][outputs] += weights[k][:, inputs] @ images[cell][inputs]
    out = pad_or_crop(out, [(0, extra) for extra in output_padding or (0,) * rank])
    result = np.moveaxis(pad_or_crop(out, [(-lo, -hi) for lo, hi in crop]), -1, 0)
    if not result.size:
        raise ValueError("the crop leaves nothing")
    return result if bias is None else result + bias


def depthwise(
    x: Array, weights: Array, bias: Array | None = None, *, strides: Sequence[int], pads: Pairs, dilation: Sequence[int]
) -> Array:
    """Convolve each channel by itself."""
    parts = [
        conv(x[..., c : c + 1], weights[..., c : c + 1, :], strides=strides, pads=pads, dilation=dilation)
        for c in range(x.shape[-1])
    ]
    result = np.concatenate(parts, axis=-1)
    return result if bias is None else result + bias


def unfold(x: Array, kernel_size: Sequence[int], **words: Any) -> Array:
    """Lay what each output reads into one column: convolve with every unit kernel."""
    shape = (*kernel_size, x.shape[-1])
    count = math.prod(shape)
    return conv(x, np.eye(count).reshape(*shape, count), **words)


def interpolation_matrix(n: int, m: int, method: str, coordinates: str = "half_pixel") -> Array:
    """Return the dense (m, n) matrix of an interpolation: row `o` weighs the data around its place.

    Data outside are left out and the rest weighed up, which for two taps is the same as repeating the edge.
    """
    o, i = np.arange(m)[:, None], np.arange(n)[None, :]
    if method == "nearest":
        # In whole numbers, so that a tie is one: it goes to the later datum.
        nearest = {
            "half_pixel": (2 * o + 1) * n // (2 * m),
            "align_corners": (2 * o * (n - 1) + m - 1) // (2 * max(m - 1, 1)),
            "asymmetric": o * n // m,
        }[coordinates]
        return (i == nearest).astype(float)
    place = {
        "half_pixel": (o + 0.5) * n / m - 0.5,
        "align_corners": o * (n - 1) / max(m - 1, 1),
        "asymmetric": o * n / m,
    }[coordinates]
    t = np.abs(place - i)
    if method.endswith("cubic"):
        near, far = (1.5 * t - 2.5) * t * t + 1, ((-0.5 * t + 2.5) * t - 4) * t + 2
        weights = np.where(t <= 1, near, np.where(t < 2, far, 0))
    elif method.startswith("lanczos"):
        reach = int(method.removeprefix("lanczos"))
        weights = np.where(t < reach, np.sinc(t) * np.sinc(t / reach), 0)
    else:
        weights = np.maximum(1 - t, 0)
    return weights / weights.sum(axis=1, keepdims=True)


def resize(x: Array, size: Sequence[int], method: str, coordinates: str = "half_pixel") -> Array:
    """Interpolate one axis after the other."""
    for axis, m in enumerate(size, start=1):
        rows = interpolation_matrix(x.shape[axis], m, method, coordinates)
        x = np.moveaxis(np.tensordot(rows, x, (1, axis)), 0, axis)
    return x


def adjoint(linear: Callable[[Array], Array], shape: tuple[int, ...], dy: Array) -> Array:
    """Return the gradient to the input of a linear map from batches of `shape`: the map of all unit inputs, by dy."""
    count = math.prod(shape)
    y = linear(np.eye(count).reshape(count, *shape))
    return np.tensordot(dy, y, (range(1, dy.ndim), range(1, dy.ndim))).reshape(len(dy), *shape)


def conv_grad_weights(x: Array, dy: Array, kernel_size: Sequence[int], groups: int = 1, **words: Any) -> Array:
    """Return the gradient to the weights of `conv`: what unit kernels read, by dy."""
    parts = []
    for own, gradient in zip(np.split(x, groups, -1), np.split(dy, groups, -1), strict=True):
        columns = unfold(own, kernel_size, **words)
        summed = np.tensordot(columns, gradient, (range(dy.ndim - 1), range(dy.ndim - 1)))
        parts.append(summed.reshape(*kernel_size, own.shape[-1], -1))
    return np.concatenate(parts, axis=-1)


def conv_transpose_grad_weights(
    x: Array, dy: Array, kernel_size: Sequence[int], groups: int = 1, **words: Any
) -> Array:
    """Return the gradient to the weights of `conv_transpose`: what unit kernels stamp, by dy."""
    count = math.prod(kernel_size)
    units = np.eye(count).reshape(*kernel_size, count, 1)
    gradients = np.split(dy, groups, -1)
    parts = []
    for c in range(x.shape[-1]):
        gradient = gradients[c * groups // x.shape[-1]]
        stamped = conv_transpose(x[..., c : c + 1], units, **words)
        summed = np.tensordot(stamped, gradient, (range(dy.ndim - 1), range(dy.ndim - 1)))
        parts.append(summed.reshape(*kernel_size, -1))
    return np.stack(parts, axis=-1)
