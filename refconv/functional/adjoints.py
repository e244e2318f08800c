"""Gradients of what has no weights: upsampling, resizing, padding, cropping, unfolding and folding.

Each of these maps is linear, so the gradient to its input is the adjoint map of ``dy``, the gradient to its
output: zero padding and cropping are each other's, and so are unfolding and folding. Interpolation and
padding in the other modes sum, for every datum, the outputs that read it, with the weights with which
they did.

Arguments are those of the forward function, in the same words. The dtype is that of `dy`; of integers it is int64 where
the weights are whole numbers, and float64 where they are fractions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from refconv.arguments import choice, pairs_per_axis, per_axis
from refconv.errors import ConvError
from refconv.functional.arrays import Array, describe, result_dtype, working_arrays
from refconv.functional.backend import check_out, delivered, pick_backend
from refconv.functional.calls import Call, repeated_with
from refconv.functional.moving import Ready, moving_call
from refconv.functional.padding import (
    PAD_MODES,
    check_amount,
    crop_call,
    crop_geometry,
    sources_of,
    zero_pad_call,
    zero_pad_geometry,
)
from refconv.functional.patches import fold_call, patches_geometry, unfold_call
from refconv.functional.resampling import interpolate
from refconv.functional.shapes import read_gradient, read_shape, renamed
from refconv.interpolation import COORDINATES, AxisRows, adjoint_taps, axis_method, axis_taps


def upsample_grad_input(
    dy: Any,
    input_shape: Any,
    *,
    size: Any = 2,
    interpolation: str = "nearest",
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Return the gradient to the input of upsampling.

    Parameters
    ----------
    dy : array_like, shape of the output
        The gradient to the output.
    input_shape : sequence of int
        Shape of the input, batch and channels included.
    size, interpolation, data_format
        As they were given to `upsample`.
    backend : str, optional
        As in `refconv.functional.upsample`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.upsample`.

    Returns
    -------
    ndarray, shape `input_shape`
        For ``"nearest"`` the sum over all copies of a datum.

    Raises
    ------
    ConvError
        If an argument is malformed, the shapes do not fit each other, or memory does not suffice.

    Examples
    --------
    >>> upsample_grad_input([[[1], [2], [3], [4]]], (1, 2, 1), size=2)[0, :, 0]
    array([3, 7])
    >>> upsample_grad_input([[[1.0], [2.0], [3.0], [4.0]]], (1, 2, 1), interpolation="linear")[0, :, 0]
    array([3.25, 6.75])
    """
    return repeated_with(_plan_upsample_grad_input, dy, (input_shape, size, interpolation, data_format, backend), out)


def _plan_upsample_grad_input(
    dy: Any, input_shape: Any, size: Any, interpolation: Any, data_format: Any, backend: Any, out: Any
) -> Call:
    shape = read_shape(input_shape, data_format)
    factors = per_axis("size", size, len(shape) - 2)
    output_size = tuple(n * factor for n, factor in zip(shape[1:-1], factors, strict=True))
    method = axis_method(interpolation, len(shape) - 2)
    return _resizing_adjoint(dy, shape, output_size, method, "half_pixel", data_format, backend, out)


def resize_grad_input(
    dy: Any,
    input_shape: Any,
    *,
    size: Any,
    interpolation: str = "bilinear",
    coordinates: str = "half_pixel",
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Return the gradient to the input of resizing.

    Parameters
    ----------
    dy : array_like, shape of the output
        The gradient to the output.
    input_shape : sequence of int
        Shape of the input, batch and channels included.
    size, interpolation, coordinates, data_format
        As they were given to `resize`.
    backend : str, optional
        As in `refconv.functional.upsample`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.upsample`.

    Returns
    -------
    ndarray, shape `input_shape`
        0 where no output read the input.

    Raises
    ------
    ConvError
        If an argument is malformed, the shapes do not fit each other, or memory does not suffice.

    Examples
    --------
    >>> resize_grad_input([[[1.0], [10.0]]], (1, 3, 1), size=2, coordinates="align_corners")[0, :, 0]
    array([ 1.,  0., 10.])
    """
    words = input_shape, size, interpolation, coordinates, data_format, backend
    return repeated_with(_plan_resize_grad_input, dy, words, out)


def _plan_resize_grad_input(
    dy: Any,
    input_shape: Any,
    size: Any,
    interpolation: Any,
    coordinates: Any,
    data_format: Any,
    backend: Any,
    out: Any,
) -> Call:
    shape = read_shape(input_shape, data_format)
    output_size = per_axis("size", size, len(shape) - 2)
    method = axis_method(interpolation, len(shape) - 2)
    coordinates = choice("coordinates", coordinates, COORDINATES)
    return _resizing_adjoint(dy, shape, output_size, method, coordinates, data_format, backend, out)


def zero_pad_grad_input(
    dy: Any,
    input_shape: Any,
    *,
    padding: Any = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Return the gradient to the input of zero padding: `dy` cropped.

    Parameters
    ----------
    dy : array_like, shape of the output
        The gradient to the output.
    input_shape : sequence of int
        Shape of the input, batch and channels included.
    padding, data_format
        As they were given to `zero_pad`.
    backend : str, optional
        As in `refconv.functional.upsample`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.upsample`.

    Returns
    -------
    ndarray, shape `input_shape`
        0 where a negative padding cropped.

    Raises
    ------
    ConvError
        If an argument is malformed, or the shapes do not fit each other.

    Examples
    --------
    >>> zero_pad_grad_input([[[1], [2], [3], [4]]], (1, 2, 1), padding=(2, 0))[0, :, 0]
    array([3, 4])
    """
    return repeated_with(_plan_zero_pad_grad_input, dy, (input_shape, padding, data_format, backend), out)


def _plan_zero_pad_grad_input(
    dy: Any, input_shape: Any, padding: Any, data_format: Any, backend: Any, out: Any
) -> Call:
    shape = read_shape(input_shape, data_format)
    with renamed(input_size=("input_shape", tuple(input_shape))):
        geometry = zero_pad_geometry(shape, padding)
    gradient = read_gradient(dy, (shape[0], *geometry.output_size, shape[-1]), data_format)
    cells = tuple((axis.pad_before, axis.pad_after) for axis in geometry.axes)
    because = ("dy", describe(gradient))
    if min(map(min, cells)) < 0:
        opposite = tuple((-before, -after) for before, after in cells)
        adjoint = zero_pad_geometry(gradient.shape, opposite)
        return zero_pad_call(adjoint, gradient, data_format, backend, out, because)
    return crop_call(crop_geometry(gradient.shape, cells), gradient, data_format, backend, out, because)


def crop_grad_input(
    dy: Any,
    input_shape: Any,
    *,
    cropping: Any = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Return the gradient to the input of cropping: `dy` zero padded.

    Parameters
    ----------
    dy : array_like, shape of the output
        The gradient to the output.
    input_shape : sequence of int
        Shape of the input, batch and channels included.
    cropping, data_format
        As they were given to `crop`.
    backend : str, optional
        As in `refconv.functional.upsample`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.upsample`.

    Returns
    -------
    ndarray, shape `input_shape`
        0 where the input was cropped.

    Raises
    ------
    ConvError
        If an argument is malformed, or the shapes do not fit each other.

    Examples
    --------
    >>> crop_grad_input([[[1], [2]]], (1, 5, 1), cropping=(2, 1))[0, :, 0]
    array([0, 0, 1, 2, 0])
    """
    return repeated_with(_plan_crop_grad_input, dy, (input_shape, cropping, data_format, backend), out)


def _plan_crop_grad_input(dy: Any, input_shape: Any, cropping: Any, data_format: Any, backend: Any, out: Any) -> Call:
    shape = read_shape(input_shape, data_format)
    with renamed(input_size=("input_shape", tuple(input_shape))):
        geometry = crop_geometry(shape, cropping)
    gradient = read_gradient(dy, (shape[0], *geometry.output_size, shape[-1]), data_format)
    cells = tuple((-axis.pad_before, -axis.pad_after) for axis in geometry.axes)
    adjoint = zero_pad_geometry(gradient.shape, cells)
    return zero_pad_call(adjoint, gradient, data_format, backend, out, ("dy", describe(gradient)))


def pad_grad_input(
    dy: Any,
    input_shape: Any,
    *,
    padding: Any,
    mode: str = "constant",
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Return the gradient to the input of padding in any mode.

    Parameters
    ----------
    dy : array_like, shape of the output
        The gradient to the output.
    input_shape : sequence of int
        Shape of the input, batch and channels included.
    padding, mode, data_format
        As they were given to `pad`; the value of ``"constant"`` plays no part.
    backend : str, optional
        As in `refconv.functional.upsample`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.upsample`.

    Returns
    -------
    ndarray, shape `input_shape`
        The sum over all places at which a datum is shown, 0 where it is at none.

    Raises
    ------
    ConvError
        If an argument is malformed, the shapes do not fit each other, or memory does not suffice.

    Examples
    --------
    >>> pad_grad_input([[[1], [2], [3], [4]]], (1, 2, 1), padding=(0, 2), mode="replicate")[0, :, 0]
    array([1, 9])
    """
    return repeated_with(_plan_pad_grad_input, dy, (input_shape, padding, mode, data_format, backend), out)


def _plan_pad_grad_input(
    dy: Any, input_shape: Any, padding: Any, mode: Any, data_format: Any, backend: Any, out: Any
) -> Call:
    shape = read_shape(input_shape, data_format)
    pairs = pairs_per_axis("padding", padding, len(shape) - 2)
    mode = choice("mode", mode, PAD_MODES)
    axes = list(zip(shape[1:-1], pairs, strict=True))
    for n, pair in axes:
        check_amount(n, *pair, mode, padding)
    gradient = read_gradient(dy, (shape[0], *(n + sum(pair) for n, pair in axes), shape[-1]), data_format)

    def rows() -> list[AxisRows]:
        sources = [sources_of(n, *pair, mode).tolist() for n, pair in axes]
        return [tuple(((i, 1.0),) if i >= 0 else () for i in each) for each in sources]

    def tiled() -> list[Any]:
        from refconv.tiled.interpolating import source_taps

        return [source_taps(sources_of(n, *pair, mode).tobytes(), n) for n, pair in axes]

    return _interpolation_adjoint(gradient, shape, rows, tiled, result_dtype(gradient), data_format, backend, out)


def unfold_grad_input(
    dy: Any,
    input_shape: Any,
    *,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Return the gradient to the input of unfolding: `dy` folded.

    Parameters
    ----------
    dy : array_like, shape (batch, outputs..., prod(kernel_size) * channels)
        The gradient to the columns, or with channels first (batch, prod(kernel_size) * channels, outputs...).
    input_shape : sequence of int
        Shape of the input, batch and channels included.
    kernel_size, strides, padding, dilation_rate, data_format
        As they were given to `unfold`.
    backend : str, optional
        As in `refconv.functional.upsample`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.upsample`.

    Returns
    -------
    ndarray, shape `input_shape`
        The sum over all columns that hold a cell.

    Raises
    ------
    ConvError
        If an argument is malformed, the shapes do not fit each other, or memory does not suffice.

    Examples
    --------
    >>> unfold_grad_input([[[1, 2, 3], [20, 30, 40]]], (1, 4, 1), kernel_size=3)[0, :, 0]
    array([ 1, 22, 33, 40])
    """
    words = input_shape, kernel_size, strides, padding, dilation_rate, data_format, backend
    return repeated_with(_plan_unfold_grad_input, dy, words, out)


def _plan_unfold_grad_input(
    dy: Any,
    input_shape: Any,
    kernel_size: Any,
    strides: Any,
    padding: Any,
    dilation_rate: Any,
    data_format: Any,
    backend: Any,
    out: Any,
) -> Call:
    shape = read_shape(input_shape, data_format)
    with renamed(input_size=("input_shape", tuple(input_shape))):
        geometry = patches_geometry(shape[1:-1], kernel_size, strides, padding, dilation_rate)
    column = math.prod(geometry.kernel_size) * shape[-1]
    gradient = read_gradient(dy, (shape[0], *geometry.output_size, column), data_format)
    return fold_call(geometry, gradient, data_format, backend, out, ("dy", describe(gradient)))


def fold_grad_input(
    dy: Any,
    input_shape: Any,
    *,
    output_size: Any,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    data_format: str = "channels_last",
    backend: str | None = None,
    out: Array | None = None,
) -> Array:
    """Return the gradient to the columns of folding: `dy` unfolded.

    Parameters
    ----------
    dy : array_like, shape (batch, spatial..., channels) or (batch, channels, spatial...)
        The gradient to the output.
    input_shape : sequence of int
        Shape of the columns, as `fold` took them.
    output_size, kernel_size, strides, padding, dilation_rate, data_format
        As they were given to `fold`.
    backend : str, optional
        As in `refconv.functional.upsample`.
    out : ndarray, optional
        What to fill and return, as in `refconv.functional.upsample`.

    Returns
    -------
    ndarray, shape `input_shape`
        0 where a column stood on padding.

    Raises
    ------
    ConvError
        If an argument is malformed, the shapes do not fit each other, or memory does not suffice.

    Examples
    --------
    >>> fold_grad_input([[[1], [2], [3], [4]]], (1, 2, 3), output_size=4, kernel_size=3)[0]
    array([[1, 2, 3],
           [2, 3, 4]])
    """
    words = input_shape, output_size, kernel_size, strides, padding, dilation_rate, data_format, backend
    return repeated_with(_plan_fold_grad_input, dy, words, out)


def _plan_fold_grad_input(
    dy: Any,
    input_shape: Any,
    output_size: Any,
    kernel_size: Any,
    strides: Any,
    padding: Any,
    dilation_rate: Any,
    data_format: Any,
    backend: Any,
    out: Any,
) -> Call:
    shape = read_shape(input_shape, data_format)
    sizes = per_axis("output_size", output_size, len(shape) - 2)
    with renamed(input_size="output_size"):
        geometry = patches_geometry(sizes, kernel_size, strides, padding, dilation_rate)
    elements = math.prod(geometry.kernel_size)
    if shape[1:-1] != geometry.output_size or shape[-1] % elements:
        raise ConvError(
            "input_shape",
            tuple(input_shape),
            f"unfolding {sizes} gives {geometry.output_size} outputs and {elements} numbers a channel",
            "give the shape of the columns",
        )
    gradient = read_gradient(dy, (shape[0], *sizes, shape[-1] // elements), data_format)
    return unfold_call(geometry, gradient, data_format, backend, out, ("dy", describe(gradient)))


def _resizing_adjoint(
    dy: Any,
    shape: tuple[int, ...],
    output_size: tuple[int, ...],
    method: str,
    coordinates: str,
    data_format: str,
    backend: Any,
    out: Any,
) -> Call:
    gradient = read_gradient(dy, (shape[0], *output_size, shape[-1]), data_format)
    sizes = list(zip(shape[1:-1], output_size, strict=True))
    dtype = result_dtype(gradient) if method == "nearest" else result_dtype(gradient, np.empty(0))

    def rows() -> list[AxisRows]:
        return [axis_taps(n, m, method, coordinates) for n, m in sizes]

    def tiled() -> list[Any]:
        from refconv.tiled.interpolating import resizing_taps

        return [resizing_taps(n, m, method, coordinates, adjoint=True) for n, m in sizes]

    return _interpolation_adjoint(gradient, shape, rows, tiled, dtype, data_format, backend, out)


def _interpolation_adjoint(
    dy: Array,
    shape: tuple[int, ...],
    rows: Callable[[], list[AxisRows]],
    tiled: Callable[[], list[Any]],
    result: np.dtype[Any],
    data_format: str,
    backend: Any,
    out: Any,
) -> Call:
    """Plan to sum, for every datum, the outputs that read it: interpolation by the transposed rows."""
    because = ("dy", describe(dy))
    check_out(out, shape, result, data_format, dy)
    backend = pick_backend(backend, dy.size, result, dy)
    if backend == "tiled":
        from refconv.tiled.interpolating import ready_interpolate

        def plan(batch: int, channels: int) -> Ready:
            return ready_interpolate(tiled(), dy.shape[1:-1], batch, channels, result)

        return moving_call(plan, dy, shape, result, data_format, out, because)

    def run(dy: Array, out: Array | None) -> Array:
        computed, gradient = working_arrays(shape, result, dy, because=because)
        transposed = [adjoint_taps(axis, n) for axis, n in zip(rows(), shape[1:-1], strict=True)]
        interpolate(computed, gradient, transposed, backend)
        return delivered(computed, result, data_format, out)

    return Call(run, (dy,))
