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
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from refconv.conventions import rule
from refconv.errors import ConvError
from refconv.functional.arrays import (
    Array,
    describe,
    loop_dtype,
    read_signal,
    result_dtype,
    working_arrays,
)
from refconv.functional.backend import check_out, delivered, pick_backend, run_textbook
from refconv.functional.calls import Call, repeated, repeated_with
from refconv.functional.convolution import (
    check_index_range,
    conv_call,
    conv_geometry,
    conv_transpose_call,
    plan_conv_transpose_with,
    plan_conv_with,
    run_depthwise,
    transposed_geometry,
)
from refconv.functional.fast import check_tiled, tiled_call
from refconv.functional.kernels import (
    CONV_WEIGHTS,
    DEPTHWISE_WEIGHTS,
    TRANSPOSED_WEIGHTS,
    check_channels,
    read_kernel,
    read_steps,
)
from refconv.functional.shapes import check_input_size, read_gradient, read_shape, renamed
from refconv.geometry import ConvGeometry
from refconv.loops.cpu import gradients as loops

_GRAD_WEIGHTS = {1: loops.conv1d_grad_weights, 2: loops.conv2d_grad_weights, 3: loops.conv3d_grad_weights}


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
    words = input_shape, strides, padding, dilation_rate, groups, data_format, backend
    return repeated(_plan_conv_grad_input, (dy, weights), words, out)


def _plan_conv_grad_input(
    dy: Any,
    weights: Any,
    input_shape: Any,
    strides: Any,
    padding: Any,
    dilation_rate: Any,
    groups: Any,
    data_format: Any,
    backend: Any,
    out: Any,
) -> Call:
    shape = read_shape(input_shape, data_format)
    kernel = read_kernel("weights", weights, len(shape) - 2, CONV_WEIGHTS)
    with renamed(input_size=("input_shape", tuple(input_shape))):
        geometry = conv_geometry(shape, kernel.shape[:-2], strides, padding, dilation_rate, groups)
    geometry.check_channels(shape[-1], kernel.shape[-1])
    check_channels("weights", kernel, -2, shape[-1], geometry.groups)
    gradient = read_gradient(dy, (shape[0], *geometry.output_size, kernel.shape[-1]), data_format)
    check_out(out, shape, result_dtype(gradient, kernel), data_format, gradient, kernel)
    return _backwards(
        conv_transpose_call, geometry.adjoint(), gradient, kernel, None, "scatter", data_format, backend, out
    )


def _backwards(plan: Callable[..., Call], *arguments: Any) -> Call:
    """Plan a gradient as the forward function of `dy` that it is: what is wrong with `x` is wrong with `dy`."""
    with renamed(x="dy"):
        call = plan(*arguments)
    forward, bias = call.run, call.operands[2]

    def run(dy: Array, weights: Array, out: Array | None) -> Array:
        return forward(dy, weights, bias, out)

    def run_named(dy: Array, weights: Array, out: Array | None) -> Array:
        with renamed(x="dy"):
            return forward(dy, weights, bias, out)

    # What repeats has been checked for good.
    return Call(run if call.repeats else run_named, call.operands[:2], call.repeats)


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
    >>> from refconv.geometry import AxisGeometry
    >>> conv_grad_input_with(ConvGeometry((AxisGeometry(4, 3),)), [[[1], [10]]], [[[1]], [[2]], [[3]]]).ravel()
    array([ 1, 12, 23, 30])
    """
    return repeated(_plan_conv_grad_input_with, (dy, weights), (geometry, backend), out)


def _plan_conv_grad_input_with(dy: Any, weights: Any, geometry: ConvGeometry, backend: Any, out: Any) -> Call:
    kernel = read_kernel("weights", weights, geometry.rank, CONV_WEIGHTS)
    gradient = read_gradient(dy, (None, *geometry.output_size, kernel.shape[-1]))
    geometry.check_channels(kernel.shape[-2] * geometry.groups, kernel.shape[-1])
    return _backwards(plan_conv_transpose_with, gradient, kernel, None, geometry.adjoint(), backend, "scatter", out)


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
    words = kernel_size, strides, padding, dilation_rate, groups, data_format, backend
    return repeated(_plan_conv_grad_weights, (x, dy), words, out)


def _plan_conv_grad_weights(
    x: Any,
    dy: Any,
    kernel_size: Any,
    strides: Any,
    padding: Any,
    dilation_rate: Any,
    groups: Any,
    data_format: Any,
    backend: Any,
    out: Any,
) -> Call:
    signal = read_signal(x, data_format)
    with renamed(input_size=("x", describe(signal))):
        geometry = conv_geometry(signal.shape, kernel_size, strides, padding, dilation_rate, groups)
    gradient = read_gradient(dy, (signal.shape[0], *geometry.output_size, None), data_format)
    return _conv_grad_weights(geometry, signal, gradient, data_format, backend, out)


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
    >>> from refconv.geometry import AxisGeometry
    >>> conv_grad_weights_with(ConvGeometry((AxisGeometry(4, 3),)), [[[1], [2], [3], [4]]], [[[1], [10]]]).ravel()
    array([21, 32, 43])
    """
    return repeated(_plan_conv_grad_weights_with, (x, dy), (geometry, backend), out)


def _plan_conv_grad_weights_with(x: Any, dy: Any, geometry: ConvGeometry, backend: Any, out: Any) -> Call:
    signal = read_signal(x)
    check_input_size(geometry, signal)
    gradient = read_gradient(dy, (signal.shape[0], *geometry.output_size, None))
    return _conv_grad_weights(geometry, signal, gradient, "channels_last", backend, out)


def _conv_grad_weights(geometry: ConvGeometry, x: Array, dy: Array, data_format: str, backend: Any, out: Any) -> Call:
    channels, filters = x.shape[-1], dy.shape[-1]
    geometry.check_channels(channels, filters)
    shape = (*geometry.kernel_size, channels // geometry.groups, filters)
    return _grad_weights(geometry, shape, x, dy, result_dtype(x, dy), data_format, backend, out)


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
    words = input_shape, strides, padding, output_padding, dilation_rate, groups, data_format, backend
    return repeated(_plan_conv_transpose_grad_input, (dy, weights), words, out)


def _plan_conv_transpose_grad_input(
    dy: Any,
    weights: Any,
    input_shape: Any,
    strides: Any,
    padding: Any,
    output_padding: Any,
    dilation_rate: Any,
    groups: Any,
    data_format: Any,
    backend: Any,
    out: Any,
) -> Call:
    shape = read_shape(input_shape, data_format)
    kernel = read_kernel("weights", weights, len(shape) - 2, TRANSPOSED_WEIGHTS)
    with renamed(input_size=("input_shape", tuple(input_shape))):
        geometry = transposed_geometry(
            shape, kernel.shape[:-2], strides, padding, output_padding, dilation_rate, groups
        )
    filters = kernel.shape[-2] * geometry.groups
    geometry.check_channels(shape[-1], filters)
    check_channels("weights", kernel, -1, shape[-1])
    gradient = read_gradient(dy, (shape[0], *geometry.output_size, filters), data_format)
    return _backwards(conv_call, geometry.adjoint(), gradient, kernel, None, data_format, backend, out)


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
    >>> from refconv.geometry import AxisGeometry
    >>> stamp = ConvGeometry((AxisGeometry.transposed(2, 3, stride=2),))
    >>> conv_transpose_grad_input_with(stamp, [[[1], [2], [3], [4], [5]]], [[[1]], [[2]], [[3]]]).ravel()
    array([14, 26])
    """
    return repeated(_plan_conv_transpose_grad_input_with, (dy, weights), (geometry, backend), out)


def _plan_conv_transpose_grad_input_with(dy: Any, weights: Any, geometry: ConvGeometry, backend: Any, out: Any) -> Call:
    kernel = read_kernel("weights", weights, geometry.rank, TRANSPOSED_WEIGHTS)
    filters = kernel.shape[-2] * geometry.groups
    gradient = read_gradient(dy, (None, *geometry.output_size, filters))
    geometry.check_channels(kernel.shape[-1], filters)
    return _backwards(plan_conv_with, gradient, kernel, None, geometry.adjoint(), backend, out)


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
    words = kernel_size, strides, padding, output_padding, dilation_rate, groups, data_format, backend
    return repeated(_plan_conv_transpose_grad_weights, (x, dy), words, out)


def _plan_conv_transpose_grad_weights(
    x: Any,
    dy: Any,
    kernel_size: Any,
    strides: Any,
    padding: Any,
    output_padding: Any,
    dilation_rate: Any,
    groups: Any,
    data_format: Any,
    backend: Any,
    out: Any,
) -> Call:
    signal = read_signal(x, data_format)
    with renamed(input_size=("x", describe(signal))):
        geometry = transposed_geometry(
            signal.shape, kernel_size, strides, padding, output_padding, dilation_rate, groups
        )
    gradient = read_gradient(dy, (signal.shape[0], *geometry.output_size, None), data_format)
    return _conv_transpose_grad_weights(geometry, signal, gradient, data_format, backend, out)


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
    >>> from refconv.geometry import AxisGeometry
    >>> stamp = ConvGeometry((AxisGeometry.transposed(2, 3, stride=2),))
    >>> conv_transpose_grad_weights_with(stamp, [[[1], [10]]], [[[1], [2], [3], [4], [5]]]).ravel()
    array([31, 42, 53])
    """
    return repeated(_plan_conv_transpose_grad_weights_with, (x, dy), (geometry, backend), out)


def _plan_conv_transpose_grad_weights_with(x: Any, dy: Any, geometry: ConvGeometry, backend: Any, out: Any) -> Call:
    signal = read_signal(x)
    check_input_size(geometry, signal)
    gradient = read_gradient(dy, (signal.shape[0], *geometry.output_size, None))
    return _conv_transpose_grad_weights(geometry, signal, gradient, "channels_last", backend, out)


def _conv_transpose_grad_weights(
    geometry: ConvGeometry, x: Array, dy: Array, data_format: str, backend: Any, out: Any
) -> Call:
    channels, filters = x.shape[-1], dy.shape[-1]
    geometry.check_channels(channels, filters)
    shape = (*geometry.kernel_size, filters // geometry.groups, channels)
    # The roles are swapped for the sums, not for the caller, who gives the input first.
    call = _grad_weights(geometry.adjoint(), shape, dy, x, result_dtype(x, dy), data_format, backend, out)
    run = call.run
    return Call(lambda x, dy, out: run(dy, x, out), call.operands[::-1], call.repeats)


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
    words = input_shape, strides, padding, dilation_rate, data_format, backend
    return repeated(_plan_depthwise_grad_input, (dy, weights), words, out)


def _plan_depthwise_grad_input(
    dy: Any,
    weights: Any,
    input_shape: Any,
    strides: Any,
    padding: Any,
    dilation_rate: Any,
    data_format: Any,
    backend: Any,
    out: Any,
) -> Call:
    shape = read_shape(input_shape, data_format)
    kernel = read_kernel("weights", weights, len(shape) - 2, DEPTHWISE_WEIGHTS)
    check_channels("weights", kernel, -2, shape[-1])
    with renamed(input_size=("input_shape", tuple(input_shape))):
        geometry = _depthwise_geometry(shape, kernel.shape[:-2], strides, padding, dilation_rate)
    filters = math.prod(kernel.shape[-2:])
    gradient = read_gradient(dy, (shape[0], *geometry.output_size, filters), data_format)
    return _depthwise_grad_input(geometry, gradient, kernel, data_format, backend, out)


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
    >>> from refconv.geometry import AxisGeometry
    >>> geometry = ConvGeometry((AxisGeometry(3, 2),))
    >>> depthwise_conv_grad_input_with(geometry, [[[1, 2], [10, 20]]], [[[1, 5]], [[2, 7]]]).ravel()
    array([ 11, 126, 160])
    """
    return repeated(_plan_depthwise_grad_input_with, (dy, weights), (geometry, backend), out)


def _plan_depthwise_grad_input_with(dy: Any, weights: Any, geometry: ConvGeometry, backend: Any, out: Any) -> Call:
    kernel = read_kernel("weights", weights, geometry.rank, DEPTHWISE_WEIGHTS)
    gradient = read_gradient(dy, (None, *geometry.output_size, math.prod(kernel.shape[-2:])))
    return _depthwise_grad_input(geometry, gradient, kernel, "channels_last", backend, out)


def _depthwise_grad_input(
    geometry: ConvGeometry, dy: Array, weights: Array, data_format: str, backend: Any, out: Any
) -> Call:
    *kernel_size, channels, multiplier = weights.shape
    result = result_dtype(dy, weights)
    shape = (len(dy), *geometry.input_size, channels)
    backend = pick_backend(backend, dy.size * math.prod(kernel_size), result, dy, weights)
    if backend == "tiled":
        from refconv.tiled import depthwise

        check_index_range(geometry.axes)
        check_out(out, shape, result, data_format, dy, weights)
        check_tiled(result, shape, dy, weights)
        ready = depthwise.ready_depthwise_grad_input(geometry, shape[0], channels, multiplier, result)
        return tiled_call(ready, (dy, weights), result, data_format, out)
    grouped = weights.reshape(*kernel_size, 1, channels * multiplier)
    adjoint = replace(geometry, groups=channels).adjoint()
    return _backwards(conv_transpose_call, adjoint, dy, grouped, None, "scatter", data_format, backend, out)


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
    words = kernel_size, strides, padding, dilation_rate, data_format, backend
    return repeated(_plan_depthwise_grad_weights, (x, dy), words, out)


def _plan_depthwise_grad_weights(
    x: Any,
    dy: Any,
    kernel_size: Any,
    strides: Any,
    padding: Any,
    dilation_rate: Any,
    data_format: Any,
    backend: Any,
    out: Any,
) -> Call:
    signal = read_signal(x, data_format)
    with renamed(input_size=("x", describe(signal))):
        geometry = _depthwise_geometry(signal.shape, kernel_size, strides, padding, dilation_rate)
    gradient = read_gradient(dy, (signal.shape[0], *geometry.output_size, None), data_format)
    return _depthwise_grad_weights(geometry, signal, gradient, data_format, backend, out)


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
    >>> from refconv.geometry import AxisGeometry
    >>> geometry = ConvGeometry((AxisGeometry(3, 2),))
    >>> depthwise_conv_grad_weights_with(geometry, [[[1], [2], [3]]], [[[1, 2], [10, 20]]]).ravel()
    array([21, 42, 32, 64])
    """
    return repeated(_plan_depthwise_grad_weights_with, (x, dy), (geometry, backend), out)


def _plan_depthwise_grad_weights_with(x: Any, dy: Any, geometry: ConvGeometry, backend: Any, out: Any) -> Call:
    signal = read_signal(x)
    check_input_size(geometry, signal)
    gradient = read_gradient(dy, (signal.shape[0], *geometry.output_size, None))
    return _depthwise_grad_weights(geometry, signal, gradient, "channels_last", backend, out)


def _depthwise_grad_weights(
    geometry: ConvGeometry, x: Array, dy: Array, data_format: str, backend: Any, out: Any
) -> Call:
    channels = x.shape[-1]
    if dy.shape[-1] % channels:
        written = f"{dy.shape[-1]} channels are no multiple of the input's {channels}"
        raise ConvError("dy", describe(dy), written, "give channels * multiplier", "G11")
    dtype = result_dtype(x, dy)
    multiplier = dy.shape[-1] // channels
    shape = (*geometry.kernel_size, channels, multiplier)
    check_out(out, shape, dtype, "channels_last", x, dy)
    backend = pick_backend(backend, dy.size * math.prod(geometry.kernel_size), dtype, x, dy)
    if backend == "tiled":
        from refconv.tiled import depthwise

        check_index_range(geometry.axes)
        check_tiled(dtype, shape, x, dy)
        ready = depthwise.ready_depthwise_grad_weights(geometry, len(x), channels, multiplier, dtype)
        return tiled_call(ready, (x, dy), dtype, data_format, out, signals=2, gives_signal=False)
    grouped = (*geometry.kernel_size, 1, dy.shape[-1])
    call = _grad_weights(replace(geometry, groups=channels), grouped, x, dy, dtype, "channels_last", backend, None)

    def run(x: Array, dy: Array, out: Array | None) -> Array:
        return delivered(call.run(x, dy, None).reshape(shape), dtype, out=out)

    return Call(run, call.operands)


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
    operands = dy, depthwise_weights, pointwise_weights
    words = input_shape, strides, padding, dilation_rate, data_format, backend
    return repeated(_plan_separable_grad_input, operands, words, out)


def _plan_separable_grad_input(
    dy: Any,
    depthwise_weights: Any,
    pointwise_weights: Any,
    input_shape: Any,
    strides: Any,
    padding: Any,
    dilation_rate: Any,
    data_format: Any,
    backend: Any,
    out: Any,
) -> Call:
    shape = read_shape(input_shape, data_format)
    depthwise, pointwise = read_steps(depthwise_weights, pointwise_weights, shape[-1], len(shape) - 2)
    with renamed(input_size=("input_shape", tuple(input_shape))):
        geometry = _depthwise_geometry(shape, depthwise.shape[:-2], strides, padding, dilation_rate)
    gradient = read_gradient(dy, (shape[0], *geometry.output_size, pointwise.shape[-1]), data_format)
    operands = gradient, depthwise, pointwise
    result = result_dtype(*operands)
    check_out(out, shape, result, data_format, *operands)
    backend = _separable_backend(backend, result, *operands)
    mixing = geometry.pointwise()
    if backend == "tiled":
        from refconv.tiled import separable

        channels, multiplier = depthwise.shape[-2:]
        check_tiled(result, (shape[0], *geometry.output_size, pointwise.shape[-2]), *operands)
        check_index_range(geometry.axes)
        ready = separable.ready_separable_grad_input(
            geometry, shape[0], channels, multiplier, pointwise.shape[-1], result
        )
        return tiled_call(ready, operands, result, data_format, out)

    def run(dy: Array, depthwise: Array, pointwise: Array, out: Array | None) -> Array:
        exact = dy.astype(loop_dtype(result), copy=False)
        between = conv_grad_input_with(mixing, exact, pointwise, backend=backend)
        computed = depthwise_conv_grad_input_with(geometry, between, depthwise, backend=backend)
        return delivered(computed, result, data_format, out)

    return Call(run, operands)


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
    out: tuple[Array, Array] | None = None,
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
    out : tuple of ndarray, optional
        Two arrays to fill and return, as in `refconv.functional.conv`.

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
    operands = x, dy, depthwise_weights, pointwise_weights
    words = strides, padding, dilation_rate, data_format, backend
    return repeated(_plan_separable_grad_weights, operands, words, out)


def _plan_separable_grad_weights(
    x: Any,
    dy: Any,
    depthwise_weights: Any,
    pointwise_weights: Any,
    strides: Any,
    padding: Any,
    dilation_rate: Any,
    data_format: Any,
    backend: Any,
    out: Any,
) -> Call:
    signal = read_signal(x, data_format)
    depthwise, pointwise = read_steps(depthwise_weights, pointwise_weights, signal.shape[-1], signal.ndim - 2)
    with renamed(input_size=("x", describe(signal))):
        geometry = _depthwise_geometry(signal.shape, depthwise.shape[:-2], strides, padding, dilation_rate)
    gradient = read_gradient(dy, (signal.shape[0], *geometry.output_size, pointwise.shape[-1]), data_format)
    operands = signal, gradient, depthwise, pointwise
    result = result_dtype(*operands)
    _check_pair(out, (depthwise.shape, pointwise.shape), result, *operands)
    backend = _separable_backend(backend, result, gradient, signal, depthwise, pointwise)
    mixing = geometry.pointwise()
    if backend == "tiled":
        from refconv.tiled import separable

        channels, multiplier = depthwise.shape[-2:]
        between = (signal.shape[0], *geometry.output_size, 2 * pointwise.shape[-2])
        check_tiled(result, between, *operands)
        check_index_range(geometry.axes)
        ready = separable.ready_separable_grad_weights(
            geometry, len(signal), channels, multiplier, pointwise.shape[-1], result
        )
        return tiled_call(ready, operands, result, data_format, out, signals=2, gives_signal=False)

    def run(
        x: Array, dy: Array, depthwise: Array, pointwise: Array, out: tuple[Array, Array] | None
    ) -> tuple[Array, Array]:
        exact = loop_dtype(result)
        between = conv_grad_input_with(mixing, dy.astype(exact, copy=False), pointwise, backend=backend)
        data = x.astype(exact, copy=False)
        columns = run_depthwise(geometry, exact, data, depthwise, np.zeros(between.shape[-1], np.int64), backend)
        of_depthwise = depthwise_conv_grad_weights_with(geometry, data, between, backend=backend)
        of_pointwise = conv_grad_weights_with(mixing, columns, dy, backend=backend)
        first, second = out or (None, None)
        return delivered(of_depthwise, result, out=first), delivered(of_pointwise, result, out=second)

    return Call(run, operands)


def bias_grad(
    dy: Any, *, data_format: str = "channels_last", backend: str | None = None, out: Array | None = None
) -> Array:
    """Return the gradient to a bias: the sum of `dy` over the batch and all places.

    Parameters
    ----------
    dy : array_like, shape (batch, out..., filters) or (batch, filters, out...)
        The gradient to the output.
    data_format : str
        ``"channels_last"`` or ``"channels_first"``.
    backend : str, optional
        As in `refconv.functional.conv`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.conv`.

    Returns
    -------
    ndarray, shape (filters,)
        Of the dtype of `dy`, int64 for integers.

    Raises
    ------
    ConvError
        If `dy` is malformed, or memory does not suffice.

    Examples
    --------
    >>> bias_grad([[[1, 10], [2, 20]]])
    array([ 3, 30])
    """
    return repeated_with(_plan_bias_grad, dy, (data_format, backend), out)


def _plan_bias_grad(dy: Any, data_format: Any, backend: Any, out: Any) -> Call:
    gradient = read_signal(dy, data_format, "dy")
    filters, result = gradient.shape[-1], result_dtype(gradient)
    check_out(out, (filters,), result, "channels_last", gradient)
    backend = pick_backend(backend, gradient.size, result, gradient)
    if backend == "tiled":
        from refconv.tiled import cpu

        with renamed(x="dy"):
            check_tiled(result, gradient.shape[:-1], gradient)
        ready = cpu.ready_bias_grad(gradient.size // filters, filters, result)
        return tiled_call(ready, (gradient,), result, data_format, out, gives_signal=False)

    def run(dy: Array, out: Array | None) -> Array:
        computed, cells = working_arrays((filters,), result, dy, because=("dy", describe(dy)))
        cells = cells.reshape(-1, filters)
        run_textbook(backend, loops.grad_bias, computed, cells, steps=cells.size)
        return delivered(computed, result, out=out)

    return Call(run, (gradient,))


def _grad_weights(
    geometry: ConvGeometry,
    shape: tuple[int, ...],
    x: Array,
    dy: Array,
    result: np.dtype[Any],
    data_format: str,
    backend: str | None,
    out: Array | None,
) -> Call:
    """Plan to sum what each weight of the convolution by `geometry` met."""
    check_index_range(geometry.axes)
    check_out(out, shape, result, "channels_last", x, dy)
    steps = math.prod(shape) * math.prod(dy.shape[:-1])
    backend = pick_backend(backend, steps, result, x, dy)
    if backend == "tiled":
        from refconv.tiled import cpu

        check_tiled(result, shape, x, dy)
        ready = cpu.ready_conv_grad_weights(geometry, len(x), x.shape[-1], dy.shape[-1], result)
        return tiled_call(ready, (x, dy), result, data_format, out, signals=2, gives_signal=False)
    loop = _GRAD_WEIGHTS[geometry.rank]

    def run(x: Array, dy: Array, out: Array | None) -> Array:
        computed, x, dy = working_arrays(shape, result, x, dy)
        run_textbook(backend, loop, computed, x, dy, *geometry.axes, geometry.groups, steps=steps)
        return delivered(computed, result, out=out)

    return Call(run, (x, dy))


def _depthwise_geometry(
    shape: Sequence[int], kernel_size: Any, strides: Any, padding: Any, dilation_rate: Any
) -> ConvGeometry:
    return rule.depthwise(
        shape[1:-1], kernel_size=kernel_size, strides=strides, padding=padding, dilation_rate=dilation_rate
    ).geometry


def _separable_backend(backend: str | None, result: np.dtype[Any], dy: Array, *others: Array) -> str:
    """Choose one backend for both steps of a separable convolution."""
    depthwise, pointwise = others[-2:]
    work = dy.size // dy.shape[-1] * (depthwise.size + pointwise.size)
    return pick_backend(backend, work, result, dy, *others)


def _check_pair(out: Any, shapes: Sequence[tuple[int, ...]], result: np.dtype[Any], *arrays: Array) -> None:
    """Check that two results can be written to `out`."""
    if out is None:
        return
    if not isinstance(out, tuple) or len(out) != 2:
        raise ConvError("out", type(out).__name__, "there are two results", "give a tuple of two arrays")
    check_out(out[0], shapes[0], result, "channels_last", *arrays)
    check_out(out[1], shapes[1], result, "channels_last", *arrays, out[0])
