"""Separable convolution and its gradients: a depthwise step, then a pointwise one, and back through both.

The steps run back to back. By blocks of rows, so that what is between them never leaves the second cache, 64x56x56
3x3 -> 128 takes as long, on one thread and with the launches that it adds: all 56 rows at once 618 us, by 28 rows 621,
by 14 633, by 8 660. Nine tenths are the pointwise step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from refconv.geometry import ConvGeometry
from refconv.tiled.cpu import ready_conv, ready_conv_grad_weights, ready_conv_transpose, ready_product
from refconv.tiled.depthwise import ready_depthwise, ready_depthwise_grad_input, ready_depthwise_grad_weights
from refconv.tiled.running import empty

Array = npt.NDArray[Any]
DType = np.dtype[Any]

# Bytes between the two steps.
_BETWEEN = 2**21
# As many weights NumPy transposes in the time of some calls, and no kernel need be compiled for that.
_FEW_WEIGHTS, _FEW_FILTERS = 2**14, 2**8
# Cells that are unmixed at once: those of a product all have an entry in its tables.
_ROWS = 2**14


def ready_separable(
    geometry: ConvGeometry, batch: int, channels: int, multiplier: int, filters: int, dtype: DType
) -> Callable[[Array, Array, Array, Array | None, Array | None], Array]:
    """Plan a `separable` of given sizes, once for many calls.

    Parameters
    ----------
    geometry : ConvGeometry
        Of the depthwise step.
    batch, channels, multiplier, filters : int
    dtype : dtype
        Of all arrays.

    Returns
    -------
    callable
        From `x`, `weights`, `pointwise`, `bias` and `out`, the last two arrays or None, to `out`.
    """
    shape, columns = (batch, *geometry.output_size, filters), channels * multiplier
    together = max(1, min(_BETWEEN // (math.prod(geometry.output_size) * columns * dtype.itemsize), batch))
    turns = [
        (
            slice(first, last),
            ready_depthwise(geometry, last - first, channels, multiplier, dtype),
            ready_conv(geometry.pointwise(), last - first, columns, filters, dtype),
        )
        for first in range(0, batch, together)
        for last in [min(first + together, batch)]
    ]

    def call(x: Array, weights: Array, pointwise: Array, bias: Array | None, out: Array | None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        between = empty((together, *geometry.output_size, columns), dtype)
        for images, convolve, mix in turns:
            mixed = convolve(x[images], weights, None, between[: images.stop - images.start])
            mix(mixed, pointwise, bias, out[images])
        return out

    return call


def separable(
    geometry: ConvGeometry,
    x: Array,
    weights: Array,
    pointwise: Array,
    bias: Array | None = None,
    out: Array | None = None,
) -> Array:
    """Convolve each channel by itself, then mix the channels of each cell.

    The steps take turns, some images at a time, so that what is between them stays in the cache.

    Parameters
    ----------
    geometry : ConvGeometry
        Of the depthwise step.
    x : ndarray, shape (batch, in..., channels)
    weights : ndarray, shape (k..., channels, multiplier)
    pointwise : ndarray, shape (1..., channels * multiplier, filters)
    bias : ndarray, shape (filters,), optional
    out : ndarray, shape (batch, out..., filters), optional
        Filled and returned.
    """
    channels, multiplier = weights.shape[-2:]
    call = ready_separable(geometry, len(x), channels, multiplier, pointwise.shape[-1], x.dtype)
    return call(x, weights, pointwise, bias, out)


def _ready_unmix(
    geometry: ConvGeometry, batch: int, columns: int, filters: int, dtype: DType
) -> Callable[[Array, Array], Array]:
    """Plan the gradient to what is between the steps."""
    if columns * filters > _FEW_WEIGHTS or filters > _FEW_FILTERS or batch == 0:
        return ready_conv_transpose(geometry.pointwise().adjoint(), batch, filters, columns, dtype)
    shape = (batch, *geometry.output_size, columns)
    rows = math.prod(shape[:-1])
    # By the kernel that the gradient to the pointwise weights needs anyway.
    turns = [
        (slice(first, last), ready_product(last - first, filters, columns, dtype))
        for first in range(0, rows, _ROWS)
        for last in [min(first + _ROWS, rows)]
    ]

    def call(dy: Array, pointwise: Array) -> Array:
        between = empty(shape, dtype)
        turned = np.ascontiguousarray(pointwise.reshape(columns, filters).T)
        for cells, multiply in turns:
            multiply(dy.reshape(rows, filters)[cells], turned, between.reshape(rows, columns)[cells])
        return between

    return call


def ready_separable_grad_input(
    geometry: ConvGeometry, batch: int, channels: int, multiplier: int, filters: int, dtype: DType
) -> Callable[[Array, Array, Array, Array | None], Array]:
    """Plan the gradient to the input for given sizes, once for many calls.

    Parameters
    ----------
    geometry : ConvGeometry
        Of the depthwise step.
    batch, channels, multiplier, filters : int
    dtype : dtype
        Of all arrays.

    Returns
    -------
    callable
        From `dy`, the weights of both steps and `out`, the last an array or None, to `out`.
    """
    unmix = _ready_unmix(geometry, batch, channels * multiplier, filters, dtype)
    back = ready_depthwise_grad_input(geometry, batch, channels, multiplier, dtype)

    def call(dy: Array, weights: Array, pointwise: Array, out: Array | None) -> Array:
        return back(unmix(dy, pointwise), weights, out)

    return call


def ready_separable_grad_weights(
    geometry: ConvGeometry, batch: int, channels: int, multiplier: int, filters: int, dtype: DType
) -> Callable[[Array, Array, Array, Array, tuple[Array, Array] | None], tuple[Array, Array]]:
    """Plan the gradients to both weights for given sizes, once for many calls.

    Parameters
    ----------
    geometry : ConvGeometry
        Of the depthwise step.
    batch, channels, multiplier, filters : int
    dtype : dtype
        Of all arrays.

    Returns
    -------
    callable
        From `x`, `dy`, the weights of both steps and two arrays to fill, or None, to the two arrays.
    """
    columns = channels * multiplier
    unmix = _ready_unmix(geometry, batch, columns, filters, dtype)
    convolve = ready_depthwise(geometry, batch, channels, multiplier, dtype)
    of_weights = ready_depthwise_grad_weights(geometry, batch, channels, multiplier, dtype)
    of_pointwise = ready_conv_grad_weights(geometry.pointwise(), batch, columns, filters, dtype)

    def call(
        x: Array, dy: Array, weights: Array, pointwise: Array, out: tuple[Array, Array] | None
    ) -> tuple[Array, Array]:
        first, second = out or (None, None)
        first = of_weights(x, unmix(dy, pointwise), first)
        return first, of_pointwise(convolve(x, weights, None, None), dy, second)

    return call
