"""Gradients of a separable convolution: back through the pointwise step, then through the depthwise one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.tiled.cpu import ready_conv_grad_weights, ready_conv_transpose
from refconv.tiled.depthwise import ready_depthwise, ready_depthwise_grad_input, ready_depthwise_grad_weights

Array = npt.NDArray[Any]
DType = np.dtype[Any]


def _mixing(geometry: ConvGeometry) -> ConvGeometry:
    return ConvGeometry(tuple(AxisGeometry(size, 1) for size in geometry.output_size))


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
    unmix = ready_conv_transpose(_mixing(geometry).adjoint(), batch, filters, channels * multiplier, dtype)
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
    columns, mixing = channels * multiplier, _mixing(geometry)
    unmix = ready_conv_transpose(mixing.adjoint(), batch, filters, columns, dtype)
    convolve = ready_depthwise(geometry, batch, channels, multiplier, dtype)
    of_weights = ready_depthwise_grad_weights(geometry, batch, channels, multiplier, dtype)
    of_pointwise = ready_conv_grad_weights(mixing, batch, columns, filters, dtype)

    def call(
        x: Array, dy: Array, weights: Array, pointwise: Array, out: tuple[Array, Array] | None
    ) -> tuple[Array, Array]:
        first, second = out or (None, None)
        first = of_weights(x, unmix(dy, pointwise), first)
        return first, of_pointwise(convolve(x, weights, None, None), dy, second)

    return call
