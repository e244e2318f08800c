"""Gradients of convolution, transposed, depthwise and separable convolution.

For a loss L of the output y, ``dy`` is dL/dy, and these functions return dL/dx and dL/dweights. All of these maps
are linear in `x` and in `weights`, so dL/dx does not depend on `x` nor dL/dweights on `weights`, save for
the two steps of a separable convolution. The gradient to the input is the adjoint map: a transposed convolution
for a convolution and the other way round, with the same weights in the same order.

Arguments are those of the forward function, `refconv.functional.conv` and the others, in the same
words; of the input or the weights only the size is wanted where their values play no part. Dtypes too
follow the same rule: the first floating one of the arrays given. Small work, and all work in float16 and in
integers, is the textbook loops' and rounded once; `refconv.functional.backend` says when the fast path takes over.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from refconv.conventions import rule
from refconv.errors import ConvError
from refconv.functional.arrays import (
    Array,
    describe,
    finished,
    loop_dtype,
    read_signal,
    result_dtype,
    working_arrays,
)
from refconv.functional.backend import check_out, delivered, direct_out, pick_backend, run_textbook, tiled_arrays
from refconv.functional.convolution import check_index_range, conv_transpose_with, conv_with, depthwise_conv
from refconv.functional.shapes import read_gradient, read_kernel, read_shape, renamed
from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.loops.cpu import gradients as loops

_GRAD_WEIGHTS = {1: loops.conv1d_grad_weights, 2: loops.conv2d_grad_weights, 3: loops.conv3d_grad_weights}

_CONV_WEIGHTS = "(k..., channels / groups, filters)"
_TRANSPOSED_WEIGHTS = "(k..., filters / groups, channels)"
_DEPTHWISE_WEIGHTS = "(k..., channels, multiplier)"
_POINTWISE_WEIGHTS = "(1..., channels * multiplier, filters)"


def conv_grad_input(
    dy: Any,
    weights: Any,
    input_shape: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    groups: int = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Return the gradient to the input of a convolution: its transposed convolution of `dy`.

    Parameters
    ----------
    dy : array_like, shape (batch, out..., filters) or (batch, filters, out...)
        The gradient to the output.
    weights : array_like, shape (k..., channels / groups, filters)
        As they were given to `conv`.
    input_shape : sequence of int
        Shape of the input, batch and channels included.
    strides, padding, dilation_rate, groups, data_format
        As they were given to `conv`.
    backend : str, optional
        As in `refconv.functional.conv`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.conv`.

    Returns
    -------
    ndarray, shape `input_shape`
        0 where no output read the input. Of the dtype of `dy` if that is floating, else of `weights`,
        else int64.

    Raises
    ------
    ConvError
        If an argument is malformed, the shapes do not fit each other, or memory does not suffice.

    Notes
    -----
    Source: arXiv:1603.07285, section 4.

    Examples
    --------
    >>> conv_grad_input([[[1], [10]]], [[[1]], [[2]], [[3]]], (1, 6, 1), strides=2).ravel()
    array([ 1,  2, 13, 20, 30,  0])
    """
    shape = read_shape(input_shape, data_format)
    kernel = read_kernel("weights", weights, len(shape) - 2, _CONV_WEIGHTS)
    with renamed(input_size=("input_shape", tuple(input_shape))):
        reading = rule.conv(
            shape[1:-1],
            kernel_size=kernel.shape[:-2],
            strides=strides,
            padding=padding,
            dilation_rate=dilation_rate,
            groups=groups,
        )
    geometry = reading.geometry
    geometry.check_channels(shape[-1], kernel.shape[-1])
    _check_size("weights", kernel, -2, shape[-1] // geometry.groups, f"the input has {shape[-1]} channels")
    gradient = read_gradient(dy, (shape[0], *geometry.output_size, kernel.shape[-1]), data_format)
    dtype = result_dtype(gradient, kernel)
    check_out(out, shape, dtype, data_format, gradient, kernel)
    target = direct_out(out, data_format)
    result = conv_grad_input_with(geometry, gradient, kernel, backend=backend, out=target)
    return delivered(result, dtype, data_format, out)


def conv_grad_input_with(
    geometry: ConvGeometry, dy: Any, weights: Any, *, backend: str | None = None, out: Array | None = None
) -> Array:
    """Return the gradient to the input of a convolution by a ready geometry.

    Parameters
    ----------
    geometry : ConvGeometry
        The convolution's; also one with inserted zeros or a `reversed` kernel.
    dy : array_like, shape (batch, out..., filters)
        The gradient to the output.
    weights : array_like, shape (k..., channels / groups, filters)
        As they were given to `conv_with`.
    backend : str, optional
        As in `refconv.functional.conv`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.conv`.

    Returns
    -------
    ndarray, shape (batch, in..., channels)
        Of a dtype chosen as in `conv_grad_input`.

    Raises
    ------
    ConvError
        If the arrays do not fit the geometry or each other, or memory does not suffice.

    Examples
    --------
    >>> conv_grad_input_with(ConvGeometry((AxisGeometry(4, 3),)), [[[1], [10]]], [[[1]], [[2]], [[3]]]).ravel()
    array([ 1, 12, 23, 30])
    """
    kernel = read_kernel("weights", weights, geometry.rank, _CONV_WEIGHTS)
    gradient = read_gradient(dy, (None, *geometry.output_size, kernel.shape[-1]))
    geometry.check_channels(kernel.shape[-2] * geometry.groups, kernel.shape[-1])
    with renamed(x="dy"):
        return conv_transpose_with(geometry.adjoint(), gradient, kernel, backend=backend, out=out)


def conv_grad_weights(
    x: Any,
    dy: Any,
    kernel_size: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    groups: int = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Return the gradient to the weights of a convolution.

    Parameters
    ----------
    x : array_like, shape (batch, spatial..., channels) or (batch, channels, spatial...)
        The input.
    dy : array_like, shape (batch, out..., filters) or (batch, filters, out...)
        The gradient to the output.
    kernel_size : int or sequence of int
        Size of the kernel on all spatial axes, or on each.
    strides, padding, dilation_rate, groups, data_format
        As they were given to `conv`.
    backend : str, optional
        As in `refconv.functional.conv`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.conv`.

    Returns
    -------
    ndarray, shape (k..., channels / groups, filters)
        Of the dtype of `x` if that is floating, else of `dy`, else int64.

    Raises
    ------
    ConvError
        If an argument is malformed, the shapes do not fit each other, or memory does not suffice.

    Notes
    -----
    Padding is left out, not multiplied by zero: NaN and infinities reach exactly the weights that met
    them. Each weight sums its terms in one order, whatever the number of threads.

    Examples
    --------
    >>> conv_grad_weights([[[1], [2], [3], [4]]], [[[1], [10]]], 3).ravel()
    array([21, 32, 43])
    """
    signal = read_signal(x, data_format)
    with renamed(input_size=("x", describe(signal))):
        reading = rule.conv(
            signal.shape[1:-1],
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            dilation_rate=dilation_rate,
            groups=groups,
        )
    gradient = read_gradient(dy, (signal.shape[0], *reading.geometry.output_size, None), data_format)
    return conv_grad_weights_with(reading.geometry, signal, gradient, backend=backend, out=out)


def conv_grad_weights_with(
    geometry: ConvGeometry, x: Any, dy: Any, *, backend: str | None = None, out: Array | None = None
) -> Array:
    """Return the gradient to the weights of a convolution by a ready geometry.

    Parameters
    ----------
    geometry : ConvGeometry
        The convolution's; also one with inserted zeros or a `reversed` kernel.
    x : array_like, shape (batch, in..., channels)
        The input.
    dy : array_like, shape (batch, out..., filters)
        The gradient to the output.
    backend : str, optional
        As in `refconv.functional.conv`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.conv`.

    Returns
    -------
    ndarray, shape (k..., channels / groups, filters)
        In the order in which `conv_with` takes them, of a dtype chosen as in `conv_grad_weights`.

    Raises
    ------
    ConvError
        If the arrays do not fit the geometry or each other, or memory does not suffice.

    Examples
    --------
    >>> conv_grad_weights_with(ConvGeometry((AxisGeometry(4, 3),)), [[[1], [2], [3], [4]]], [[[1], [10]]]).ravel()
    array([21, 32, 43])
    """
    signal = _read_input(geometry, x)
    gradient = read_gradient(dy, (signal.shape[0], *geometry.output_size, None))
    channels, filters = signal.shape[-1], gradient.shape[-1]
    geometry.check_channels(channels, filters)
    shape = (*geometry.kernel_size, channels // geometry.groups, filters)
    return _grad_weights(geometry, shape, signal, gradient, result_dtype(signal, gradient), backend, out)


def conv_transpose_grad_input(
    dy: Any,
    weights: Any,
    input_shape: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    output_padding: Any = None,
    dilation_rate: Any = 1,
    groups: int = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Return the gradient to the input of a transposed convolution: the convolution of `dy` that it transposes.

    Parameters
    ----------
    dy : array_like, shape (batch, out..., filters) or (batch, filters, out...)
        The gradient to the output.
    weights : array_like, shape (k..., filters / groups, channels)
        As they were given to `conv_transpose`.
    input_shape : sequence of int
        Shape of the input, batch and channels included.
    strides, padding, output_padding, dilation_rate, groups, data_format
        As they were given to `conv_transpose`.
    backend : str, optional
        As in `refconv.functional.conv`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.conv`.

    Returns
    -------
    ndarray, shape `input_shape`
        Of a dtype chosen as in `conv_grad_input`.

    Raises
    ------
    ConvError
        If an argument is malformed, the shapes do not fit each other, or memory does not suffice.

    Notes
    -----
    Source: arXiv:1603.07285, section 4.

    Examples
    --------
    >>> dy = [[[1], [2], [3], [4], [5]]]
    >>> conv_transpose_grad_input(dy, [[[1]], [[2]], [[3]]], (1, 2, 1), strides=2).ravel()
    array([14, 26])
    """
    shape = read_shape(input_shape, data_format)
    kernel = read_kernel("weights", weights, len(shape) - 2, _TRANSPOSED_WEIGHTS)
    with renamed(input_size=("input_shape", tuple(input_shape))):
        reading = rule.conv_transpose(
            shape[1:-1],
            kernel_size=kernel.shape[:-2],
            strides=strides,
            padding=padding,
            output_padding=output_padding,
            dilation_rate=dilation_rate,
            groups=groups,
        )
    geometry = reading.geometry
    filters = kernel.shape[-2] * geometry.groups
    geometry.check_channels(shape[-1], filters)
    _check_size("weights", kernel, -1, shape[-1], f"the input has {shape[-1]} channels")
    gradient = read_gradient(dy, (shape[0], *geometry.output_size, filters), data_format)
    dtype = result_dtype(gradient, kernel)
    check_out(out, shape, dtype, data_format, gradient, kernel)
    target = direct_out(out, data_format)
    result = conv_transpose_grad_input_with(geometry, gradient, kernel, backend=backend, out=target)
    return delivered(result, dtype, data_format, out)


def conv_transpose_grad_input_with(
    geometry: ConvGeometry, dy: Any, weights: Any, *, backend: str | None = None, out: Array | None = None
) -> Array:
    """Return the gradient to the input of a transposed convolution by a ready geometry.

    Parameters
    ----------
    geometry : ConvGeometry
        The gather's, as in `conv_transpose_with`.
    dy : array_like, shape (batch, out..., filters)
        The gradient to the output.
    weights : array_like, shape (k..., filters / groups, channels)
        As they were given to `conv_transpose_with`.
    backend : str, optional
        As in `refconv.functional.conv`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.conv`.

    Returns
    -------
    ndarray, shape (batch, in..., channels)
        Of a dtype chosen as in `conv_grad_input`.

    Raises
    ------
    ConvError
        If the arrays do not fit the geometry or each other, or memory does not suffice.

    Examples
    --------
    >>> stamp = ConvGeometry((AxisGeometry.transposed(2, 3, stride=2),))
    >>> conv_transpose_grad_input_with(stamp, [[[1], [2], [3], [4], [5]]], [[[1]], [[2]], [[3]]]).ravel()
    array([14, 26])
    """
    kernel = read_kernel("weights", weights, geometry.rank, _TRANSPOSED_WEIGHTS)
    filters = kernel.shape[-2] * geometry.groups
    gradient = read_gradient(dy, (None, *geometry.output_size, filters))
    geometry.check_channels(kernel.shape[-1], filters)
    with renamed(x="dy"):
        return conv_with(geometry.adjoint(), gradient, kernel, backend=backend, out=out)


def conv_transpose_grad_weights(
    x: Any,
    dy: Any,
    kernel_size: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    output_padding: Any = None,
    dilation_rate: Any = 1,
    groups: int = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Return the gradient to the weights of a transposed convolution.

    Parameters
    ----------
    x : array_like, shape (batch, spatial..., channels) or (batch, channels, spatial...)
        The input.
    dy : array_like, shape (batch, out..., filters) or (batch, filters, out...)
        The gradient to the output.
    kernel_size : int or sequence of int
        Size of the kernel on all spatial axes, or on each.
    strides, padding, output_padding, dilation_rate, groups, data_format
        As they were given to `conv_transpose`.
    backend : str, optional
        As in `refconv.functional.conv`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.conv`.

    Returns
    -------
    ndarray, shape (k..., filters / groups, channels)
        Of a dtype chosen as in `conv_grad_weights`.

    Raises
    ------
    ConvError
        If an argument is malformed, the shapes do not fit each other, or memory does not suffice.

    Notes
    -----
    This is the gradient to the weights of the convolution from the output back to the input, whose input
    is `dy` and whose gradient is `x`. Source: arXiv:1603.07285, section 4.

    Examples
    --------
    >>> conv_transpose_grad_weights([[[1], [10]]], [[[1], [2], [3], [4], [5]]], 3, strides=2).ravel()
    array([31, 42, 53])
    """
    signal = read_signal(x, data_format)
    with renamed(input_size=("x", describe(signal))):
        reading = rule.conv_transpose(
            signal.shape[1:-1],
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            output_padding=output_padding,
            dilation_rate=dilation_rate,
            groups=groups,
        )
    gradient = read_gradient(dy, (signal.shape[0], *reading.geometry.output_size, None), data_format)
    return conv_transpose_grad_weights_with(reading.geometry, signal, gradient, backend=backend, out=out)


def conv_transpose_grad_weights_with(
    geometry: ConvGeometry, x: Any, dy: Any, *, backend: str | None = None, out: Array | None = None
) -> Array:
    """Return the gradient to the weights of a transposed convolution by a ready geometry.

    Parameters
    ----------
    geometry : ConvGeometry
        The gather's, as in `conv_transpose_with`.
    x : array_like, shape (batch, in..., channels)
        The input.
    dy : array_like, shape (batch, out..., filters)
        The gradient to the output.
    backend : str, optional
        As in `refconv.functional.conv`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.conv`.

    Returns
    -------
    ndarray, shape (k..., filters / groups, channels)
        Of a dtype chosen as in `conv_grad_weights`.

    Raises
    ------
    ConvError
        If the arrays do not fit the geometry or each other, or memory does not suffice.

    Examples
    --------
    >>> stamp = ConvGeometry((AxisGeometry.transposed(2, 3, stride=2),))
    >>> conv_transpose_grad_weights_with(stamp, [[[1], [10]]], [[[1], [2], [3], [4], [5]]]).ravel()
    array([31, 42, 53])
    """
    signal = _read_input(geometry, x)
    gradient = read_gradient(dy, (signal.shape[0], *geometry.output_size, None))
    channels, filters = signal.shape[-1], gradient.shape[-1]
    geometry.check_channels(channels, filters)
    shape = (*geometry.kernel_size, filters // geometry.groups, channels)
    return _grad_weights(geometry.adjoint(), shape, gradient, signal, result_dtype(signal, gradient), backend, out)


def depthwise_conv_grad_input(
    dy: Any,
    weights: Any,
    input_shape: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Return the gradient to the input of a depthwise convolution.

    Parameters
    ----------
    dy : array_like, shape (batch, out..., channels * multiplier) or (batch, channels * multiplier, out...)
        The gradient to the output.
    weights : array_like, shape (k..., channels, multiplier)
        As they were given to `depthwise_conv`.
    input_shape : sequence of int
        Shape of the input, batch and channels included.
    strides, padding, dilation_rate, data_format
        As they were given to `depthwise_conv`.
    backend : str, optional
        As in `refconv.functional.conv`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.conv`.

    Returns
    -------
    ndarray, shape `input_shape`
        Of a dtype chosen as in `conv_grad_input`.

    Raises
    ------
    ConvError
        If an argument is malformed, the shapes do not fit each other, or memory does not suffice.

    Examples
    --------
    >>> depthwise_conv_grad_input([[[1, 2], [10, 20]]], [[[1, 5]], [[2, 7]]], (1, 3, 1)).ravel()
    array([ 11, 126, 160])
    """
    shape = read_shape(input_shape, data_format)
    kernel = read_kernel("weights", weights, len(shape) - 2, _DEPTHWISE_WEIGHTS)
    _check_size("weights", kernel, -2, shape[-1], f"the input has {shape[-1]} channels")
    with renamed(input_size=("input_shape", tuple(input_shape))):
        geometry = _depthwise_geometry(shape, kernel.shape[:-2], strides, padding, dilation_rate)
    filters = math.prod(kernel.shape[-2:])
    gradient = read_gradient(dy, (shape[0], *geometry.output_size, filters), data_format)
    dtype = result_dtype(gradient, kernel)
    check_out(out, shape, dtype, data_format, gradient, kernel)
    target = direct_out(out, data_format)
    result = depthwise_conv_grad_input_with(geometry, gradient, kernel, backend=backend, out=target)
    return delivered(result, dtype, data_format, out)


def depthwise_conv_grad_input_with(
    geometry: ConvGeometry, dy: Any, weights: Any, *, backend: str | None = None, out: Array | None = None
) -> Array:
    """Return the gradient to the input of a depthwise convolution by a ready geometry.

    Parameters
    ----------
    geometry : ConvGeometry
        The convolution's; its groups are not used.
    dy : array_like, shape (batch, out..., channels * multiplier)
        The gradient to the output.
    weights : array_like, shape (k..., channels, multiplier)
        As they were given to `depthwise_conv`.
    backend : str, optional
        As in `refconv.functional.conv`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.conv`.

    Returns
    -------
    ndarray, shape (batch, in..., channels)
        Of a dtype chosen as in `conv_grad_input`.

    Raises
    ------
    ConvError
        If the arrays do not fit the geometry or each other, or memory does not suffice.

    Examples
    --------
    >>> geometry = ConvGeometry((AxisGeometry(3, 2),))
    >>> depthwise_conv_grad_input_with(geometry, [[[1, 2], [10, 20]]], [[[1, 5]], [[2, 7]]]).ravel()
    array([ 11, 126, 160])
    """
    kernel = read_kernel("weights", weights, geometry.rank, _DEPTHWISE_WEIGHTS)
    *kernel_size, channels, multiplier = kernel.shape
    gradient = read_gradient(dy, (None, *geometry.output_size, channels * multiplier))
    result = result_dtype(gradient, kernel)
    shape = (len(gradient), *geometry.input_size, channels)
    backend = pick_backend(backend, gradient.size * math.prod(kernel_size), result, gradient, kernel)
    if backend == "tiled":
        from refconv.tiled import depthwise

        check_index_range(geometry.axes)
        check_out(out, shape, result, "channels_last", gradient, kernel)
        target = direct_out(out, "channels_last")
        gradient, kernel = tiled_arrays(result, shape, gradient, kernel)
        return delivered(depthwise.depthwise_grad_input(geometry, gradient, kernel, target), result, out=out)
    grouped = kernel.reshape(*kernel_size, 1, channels * multiplier)
    with renamed(x="dy"):
        adjoint = replace(geometry, groups=channels).adjoint()
        return conv_transpose_with(adjoint, gradient, grouped, backend=backend, out=out)


def depthwise_conv_grad_weights(
    x: Any,
    dy: Any,
    kernel_size: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Return the gradient to the weights of a depthwise convolution.

    Parameters
    ----------
    x : array_like, shape (batch, spatial..., channels) or (batch, channels, spatial...)
        The input.
    dy : array_like, shape (batch, out..., channels * multiplier) or (batch, channels * multiplier, out...)
        The gradient to the output.
    kernel_size : int or sequence of int
        Size of the kernel on all spatial axes, or on each.
    strides, padding, dilation_rate, data_format
        As they were given to `depthwise_conv`.
    backend : str, optional
        As in `refconv.functional.conv`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.conv`.

    Returns
    -------
    ndarray, shape (k..., channels, multiplier)
        Of a dtype chosen as in `conv_grad_weights`.

    Raises
    ------
    ConvError
        If an argument is malformed, the shapes do not fit each other, or memory does not suffice.

    Examples
    --------
    >>> depthwise_conv_grad_weights([[[1], [2], [3]]], [[[1, 2], [10, 20]]], 2)
    array([[[21, 42]],
           [[32, 64]]])
    """
    signal = read_signal(x, data_format)
    with renamed(input_size=("x", describe(signal))):
        geometry = _depthwise_geometry(signal.shape, kernel_size, strides, padding, dilation_rate)
    gradient = read_gradient(dy, (signal.shape[0], *geometry.output_size, None), data_format)
    return depthwise_conv_grad_weights_with(geometry, signal, gradient, backend=backend, out=out)


def depthwise_conv_grad_weights_with(
    geometry: ConvGeometry, x: Any, dy: Any, *, backend: str | None = None, out: Array | None = None
) -> Array:
    """Return the gradient to the weights of a depthwise convolution by a ready geometry.

    Parameters
    ----------
    geometry : ConvGeometry
        The convolution's; its groups are not used.
    x : array_like, shape (batch, in..., channels)
        The input.
    dy : array_like, shape (batch, out..., channels * multiplier)
        The gradient to the output.
    backend : str, optional
        As in `refconv.functional.conv`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.conv`.

    Returns
    -------
    ndarray, shape (k..., channels, multiplier)
        Of a dtype chosen as in `conv_grad_weights`.

    Raises
    ------
    ConvError
        If the arrays do not fit the geometry or each other, or memory does not suffice.

    Examples
    --------
    >>> geometry = ConvGeometry((AxisGeometry(3, 2),))
    >>> depthwise_conv_grad_weights_with(geometry, [[[1], [2], [3]]], [[[1, 2], [10, 20]]]).ravel()
    array([21, 42, 32, 64])
    """
    signal = _read_input(geometry, x)
    channels = signal.shape[-1]
    gradient = read_gradient(dy, (signal.shape[0], *geometry.output_size, None))
    if gradient.shape[-1] % channels:
        written = f"{gradient.shape[-1]} channels are no multiple of the input's {channels}"
        raise ConvError("dy", describe(gradient), written, "give channels * multiplier", "G11")
    dtype = result_dtype(signal, gradient)
    shape = (*geometry.kernel_size, channels, gradient.shape[-1] // channels)
    check_out(out, shape, dtype, "channels_last", signal, gradient)
    work = gradient.size * math.prod(geometry.kernel_size)
    backend = pick_backend(backend, work, dtype, signal, gradient)
    if backend == "tiled":
        from refconv.tiled import depthwise

        check_index_range(geometry.axes)
        target = direct_out(out, "channels_last")
        signal, gradient = tiled_arrays(dtype, shape, signal, gradient)
        computed = depthwise.depthwise_grad_weights(geometry, signal, gradient, target)
        return delivered(computed, dtype, out=out)
    grouped = (*geometry.kernel_size, 1, gradient.shape[-1])
    result = _grad_weights(replace(geometry, groups=channels), grouped, signal, gradient, dtype, backend)
    return delivered(result.reshape(shape), dtype, out=out)


def separable_conv_grad_input(
    dy: Any,
    depthwise_weights: Any,
    pointwise_weights: Any,
    input_shape: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Return the gradient to the input of a separable convolution, back through both steps.

    Parameters
    ----------
    dy : array_like, shape (batch, out..., filters) or (batch, filters, out...)
        The gradient to the output.
    depthwise_weights : array_like, shape (k..., channels, multiplier)
        As they were given to `separable_conv`.
    pointwise_weights : array_like, shape (1..., channels * multiplier, filters)
        Likewise.
    input_shape : sequence of int
        Shape of the input, batch and channels included.
    strides, padding, dilation_rate, data_format
        As they were given to `separable_conv`.
    backend : str, optional
        As in `refconv.functional.conv`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.conv`.

    Returns
    -------
    ndarray, shape `input_shape`
        Of the first floating dtype of `dy`, the depthwise and the pointwise weights, else int64;
        nothing is rounded between the two steps, save on the fast path.

    Raises
    ------
    ConvError
        If an argument is malformed, the shapes do not fit each other, or memory does not suffice.

    Examples
    --------
    >>> separable_conv_grad_input([[[1], [2]]], [[[1], [2]], [[1], [2]]], [[[1], [-1]]], (1, 3, 2))
    array([[[ 1, -2],
            [ 3, -6],
            [ 2, -4]]])
    """
    shape = read_shape(input_shape, data_format)
    depthwise, pointwise = _read_steps(depthwise_weights, pointwise_weights, shape[-1], len(shape) - 2)
    with renamed(input_size=("input_shape", tuple(input_shape))):
        geometry = _depthwise_geometry(shape, depthwise.shape[:-2], strides, padding, dilation_rate)
    gradient = read_gradient(dy, (shape[0], *geometry.output_size, pointwise.shape[-1]), data_format)
    result = result_dtype(gradient, depthwise, pointwise)
    check_out(out, shape, result, data_format, gradient, depthwise, pointwise)
    backend = _separable_backend(backend, result, gradient, depthwise, pointwise)
    between = _grad_between(geometry, gradient, pointwise, result, backend)
    target = direct_out(out, data_format) if between.dtype == result else None
    computed = depthwise_conv_grad_input_with(geometry, between, depthwise, backend=backend, out=target)
    return delivered(computed, result, data_format, out)


def separable_conv_grad_weights(
    x: Any,
    dy: Any,
    depthwise_weights: Any,
    pointwise_weights: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
) -> tuple[Array, Array]:
    """Return the gradients to both weights of a separable convolution.

    The gradient to the weights of each step depends on the weights of the other.

    Parameters
    ----------
    x : array_like, shape (batch, spatial..., channels) or (batch, channels, spatial...)
        The input.
    dy : array_like, shape (batch, out..., filters) or (batch, filters, out...)
        The gradient to the output.
    depthwise_weights : array_like, shape (k..., channels, multiplier)
        As they were given to `separable_conv`.
    pointwise_weights : array_like, shape (1..., channels * multiplier, filters)
        Likewise.
    strides, padding, dilation_rate, data_format
        As they were given to `separable_conv`.
    backend : str, optional
        As in `refconv.functional.conv`.

    Returns
    -------
    depthwise : ndarray, shape (k..., channels, multiplier)
        Of the first floating dtype of the arrays given, in their order, else int64.
    pointwise : ndarray, shape (1..., channels * multiplier, filters)
        Of the same dtype; nothing is rounded between the two steps, save on the fast path.

    Raises
    ------
    ConvError
        If an argument is malformed, the shapes do not fit each other, or memory does not suffice.

    Examples
    --------
    >>> x = [[[1, 10], [2, 20], [3, 30]]]
    >>> weights = [[[1], [2]], [[1], [2]]], [[[1], [-1]]]
    >>> depthwise, pointwise = separable_conv_grad_weights(x, [[[1], [2]]], *weights)
    >>> depthwise.ravel(), pointwise.ravel()
    (array([  5, -50,   8, -80]), array([ 13, 260]))
    """
    signal = read_signal(x, data_format)
    depthwise, pointwise = _read_steps(depthwise_weights, pointwise_weights, signal.shape[-1], signal.ndim - 2)
    with renamed(input_size=("x", describe(signal))):
        geometry = _depthwise_geometry(signal.shape, depthwise.shape[:-2], strides, padding, dilation_rate)
    gradient = read_gradient(dy, (signal.shape[0], *geometry.output_size, pointwise.shape[-1]), data_format)
    result = result_dtype(signal, gradient, depthwise, pointwise)
    backend = _separable_backend(backend, result, gradient, signal, depthwise, pointwise)
    between = _grad_between(geometry, gradient, pointwise, result, backend)
    signal = signal.astype(between.dtype, copy=False)
    grad_depthwise = depthwise_conv_grad_weights_with(geometry, signal, between, backend=backend)
    # The same geometry in numbers, so that the words need not be read twice.
    columns = depthwise_conv(
        signal,
        depthwise,
        strides=tuple(axis.stride for axis in geometry.axes),
        padding=tuple((axis.pad_before, axis.pad_after) for axis in geometry.axes),
        dilation_rate=tuple(axis.dilation for axis in geometry.axes),
        backend=backend,
    )
    grad_pointwise = conv_grad_weights_with(_mixing(geometry), columns, gradient, backend=backend)
    return finished(grad_depthwise, result), finished(grad_pointwise, result)


def bias_grad(dy: Any, *, data_format: str = "channels_last") -> Array:
    """Return the gradient to a bias: the sum of `dy` over the batch and all places.

    Parameters
    ----------
    dy : array_like, shape (batch, out..., filters) or (batch, filters, out...)
        The gradient to the output.
    data_format : str
        ``"channels_last"`` or ``"channels_first"``.

    Returns
    -------
    ndarray, shape (filters,)
        Of the dtype of `dy`, int64 for integers.

    Raises
    ------
    ConvError
        If `dy` is malformed.

    Examples
    --------
    >>> bias_grad([[[1, 10], [2, 20]]])
    array([ 3, 30])
    """
    gradient = read_signal(dy, data_format, "dy")
    filters, result = gradient.shape[-1], result_dtype(gradient)
    out, cells = working_arrays((filters,), result, gradient, because=("dy", describe(gradient)))
    loops.grad_bias(out, cells.reshape(-1, filters), steps=gradient.size)
    return finished(out, result)


def _grad_weights(
    geometry: ConvGeometry,
    shape: tuple[int, ...],
    x: Array,
    dy: Array,
    result: np.dtype[Any],
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Sum what each weight of the convolution by `geometry` met."""
    check_index_range(geometry.axes)
    check_out(out, shape, result, "channels_last", x, dy)
    steps = math.prod(shape) * math.prod(dy.shape[:-1])
    backend = pick_backend(backend, steps, result, x, dy)
    if backend == "tiled":
        from refconv.tiled import cpu

        target = direct_out(out, "channels_last")
        x, dy = tiled_arrays(result, shape, x, dy)
        computed = cpu.conv_grad_weights(geometry, x, dy, target)
        return delivered(computed, result, out=out)
    computed, x, dy = working_arrays(shape, result, x, dy)
    run_textbook(backend, _GRAD_WEIGHTS[geometry.rank], computed, x, dy, *geometry.axes, geometry.groups, steps=steps)
    return delivered(computed, result, out=out)


def _depthwise_geometry(
    shape: Sequence[int], kernel_size: Any, strides: Any, padding: Any, dilation_rate: Any
) -> ConvGeometry:
    return rule.depthwise(
        shape[1:-1], kernel_size=kernel_size, strides=strides, padding=padding, dilation_rate=dilation_rate
    ).geometry


def _mixing(geometry: ConvGeometry) -> ConvGeometry:
    """Return the geometry of the pointwise step that follows a depthwise one."""
    return ConvGeometry(tuple(AxisGeometry(size, 1) for size in geometry.output_size))


def _separable_backend(backend: str | None, result: np.dtype[Any], dy: Array, *others: Array) -> str:
    """Choose one backend for both steps of a separable convolution."""
    depthwise, pointwise = others[-2:]
    work = dy.size // dy.shape[-1] * (depthwise.size + pointwise.size)
    return pick_backend(backend, work, result, dy, *others)


def _grad_between(geometry: ConvGeometry, dy: Array, pointwise: Array, result: np.dtype[Any], backend: str) -> Array:
    """Return the gradient to what stands between the steps of a separable convolution, not yet rounded."""
    dtype = result if backend == "tiled" else loop_dtype(result)
    return conv_grad_input_with(_mixing(geometry), dy.astype(dtype, copy=False), pointwise, backend=backend)


def _read_steps(depthwise: Any, pointwise: Any, channels: int, rank: int) -> tuple[Array, Array]:
    first = read_kernel("depthwise_weights", depthwise, rank, _DEPTHWISE_WEIGHTS)
    second = read_kernel("pointwise_weights", pointwise, rank, _POINTWISE_WEIGHTS)
    _check_size("depthwise_weights", first, -2, channels, f"the input has {channels} channels")
    between = math.prod(first.shape[-2:])
    _check_size("pointwise_weights", second, -2, between, f"the depthwise step gives {between} channels")
    if second.shape[:-2] != (1,) * rank:
        size = second.shape[:-2]
        rule_broken = f"its kernel size is {size}, but a pointwise kernel covers one cell"
        raise ConvError("pointwise_weights", describe(second), rule_broken, f"give shape {_POINTWISE_WEIGHTS}")
    return first, second


def _read_input(geometry: ConvGeometry, x: Any) -> Array:
    signal = read_signal(x)
    if signal.shape[1:-1] != geometry.input_size:
        wanted = ", ".join(map(str, geometry.input_size))
        raise ConvError(
            "x",
            describe(signal),
            f"its spatial size is {signal.shape[1:-1]}, but the geometry's input is {geometry.input_size}",
            f"give shape (batch, {wanted}, channels)",
        )
    return signal


def _check_size(argument: str, array: Array, axis: int, size: int, because: str) -> None:
    if array.shape[axis] != size:
        right = list(array.shape)
        right[axis] = size
        rule_broken = f"has {array.shape[axis]} where {because}"
        raise ConvError(argument, describe(array), rule_broken, f"give shape {tuple(right)}", "G10")
