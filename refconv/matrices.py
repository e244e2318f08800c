"""The matrix of a layer: every layer here is ``y = C x + b`` with an explicit C.

The entries come from the index rule's taps, so a transposed convolution has the transpose of its
convolution's matrix.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from refconv.errors import ConvError
from refconv.geometry import AxisGeometry, ConvGeometry, input_index
from refconv.memory import check_memory

Array = npt.NDArray[Any]

_LARGEST_INDEX = np.iinfo(np.int64).max
_BYTES_PER_TAP = 200  # A tuple of three ints in a list, and its row of an array.


class _Entries(NamedTuple):
    """A matrix as its entries in row-major order, none twice."""

    rows: Array
    columns: Array
    values: Array
    shape: tuple[int, int]


def matrix(
    layer_or_geometry: Any,
    weights: Any = None,
    *,
    input_shape: Sequence[int | None] | None = None,
    sparse: bool = False,
) -> Array | tuple[Array, Array, Array]:
    """Return the matrix C of a layer or geometry, with ``y = C x + b``.

    `x` and `y` are one image each, channels last, flattened row-major: ``x.reshape(-1)`` of shape
    (in..., channels), and `y` of shape (out..., filters). `b` is ``np.tile(bias, number of outputs)``.

    Parameters
    ----------
    layer_or_geometry : layer or ConvGeometry
        A layer is anything with ``stages(input_shape)``, as in `refconv.layers`.
    weights : array_like, shape (k..., channels / groups, filters), optional
        Of a geometry, in its own reading: those of a `reversed` axis are not yet flipped. All ones,
        with one channel and one filter a group, if not given. A layer has its own.
    input_shape : sequence of int, optional
        Of a layer's input, batch and channels included; the batch may be None.
    sparse : bool
        Return the entries instead of a dense array.

    Returns
    -------
    ndarray, shape (outputs * filters, inputs * channels); or rows, columns, values : ndarray, shape (entries,)
        float64, or int64 for weights of integers. Sparse entries stand in row-major order, none
        twice: one for each weight that reads a datum, also where the weight is 0.

    Raises
    ------
    ConvError
        If the weights do not fit, a layer's input shape is missing, or memory does not suffice.

    Notes
    -----
    Source: arXiv:1603.07285, section 4.1.

    Examples
    --------
    >>> geometry = ConvGeometry((AxisGeometry(4, 3),))
    >>> matrix(geometry, [[[1]], [[2]], [[3]]])
    array([[1, 2, 3, 0],
           [0, 1, 2, 3]])
    >>> rows, columns, values = matrix(geometry, [[[1]], [[2]], [[3]]], sparse=True)
    >>> columns
    array([0, 1, 2, 1, 2, 3])
    """
    if isinstance(layer_or_geometry, ConvGeometry):
        entries = _geometry_entries(layer_or_geometry, weights, dense=not sparse)
    elif hasattr(layer_or_geometry, "stages"):
        if weights is not None:
            raise ConvError("weights", "given", "a layer has its own weights", "leave them out, or give a geometry")
        entries = _layer_entries(layer_or_geometry, input_shape, dense=not sparse)
    else:
        name = type(layer_or_geometry).__name__
        raise ConvError("layer_or_geometry", name, "neither a layer nor a geometry", "give one of refconv.layers")
    if sparse:
        return entries.rows, entries.columns, entries.values
    _check_dense(entries.shape)
    dense = np.zeros(entries.shape, entries.values.dtype)
    dense[entries.rows, entries.columns] = entries.values
    return dense


def _check_dense(shape: tuple[int, int]) -> None:
    check_memory("layer_or_geometry", shape, f"the dense matrix of shape {shape}", 8 * math.prod(shape))


def _layer_entries(layer: Any, input_shape: Sequence[int | None] | None, dense: bool) -> _Entries:
    if input_shape is None:
        raise ConvError("input_shape", None, "the matrix of a layer depends on its input's shape", "give input_shape=")
    channels_first = getattr(layer, "data_format", "channels_last") == "channels_first"
    channels = input_shape[1 if channels_first else -1]
    product: _Entries | None = None
    stages = layer.stages(input_shape)
    for stage in stages:
        if stage.interpolation is not None:
            entries = _interpolation_entries(stage.interpolation, channels, _spatial(input_shape, channels_first))
        else:
            entries = _geometry_entries(stage.geometry, stage.weights, dense=dense and len(stages) == 1)
        product = entries if product is None else _product(entries, product)
    if product is None:
        raise ConvError("layer_or_geometry", type(layer).__name__, "has no stages", "give a layer that computes")
    return product


def _spatial(input_shape: Sequence[int | None], channels_first: bool) -> tuple[Any, ...]:
    return tuple(input_shape[2:] if channels_first else input_shape[1:-1])


def _geometry_entries(geometry: ConvGeometry, weights: Any, dense: bool) -> _Entries:
    kernel = _read_weights(geometry, weights)
    own_channels, filters = kernel.shape[-2:]
    channels = own_channels * geometry.groups
    geometry.check_channels(channels, filters)
    shape = (math.prod(geometry.output_size) * filters, math.prod(geometry.input_size) * channels)
    if max(shape) > _LARGEST_INDEX:
        raise ConvError("layer_or_geometry", shape, "the matrix is beyond 64-bit indices", "use smaller sizes")
    if dense:
        _check_dense(shape)
    listed = sum(axis.output_size * axis.kernel_size for axis in geometry.axes)
    check_memory("layer_or_geometry", shape, f"the list of {listed} taps", _BYTES_PER_TAP * listed)
    terms = [_axis_terms(axis) for axis in geometry.axes]
    count = math.prod(len(outputs) for outputs, _, _ in terms) * own_channels * filters
    # Rows, columns and values, and as much again while they are put in order.
    check_memory("weights", kernel.shape, f"the list of {count} entries", 48 * count)
    outputs = _flat([o for o, _, _ in terms], geometry.output_size)
    elements = _flat([k for _, k, _ in terms], geometry.kernel_size)
    inputs = _flat([i for _, _, i in terms], geometry.input_size)
    values = kernel.reshape(-1, own_channels, filters)[elements]
    c, f = np.ogrid[:own_channels, :filters]
    rows = outputs[:, None, None] * filters + f
    columns = inputs[:, None, None] * channels + f // (filters // geometry.groups) * own_channels + c
    return _in_order(shape, *np.broadcast_arrays(rows, columns, values))


def _axis_terms(axis: AxisGeometry) -> tuple[Array, Array, Array]:
    """Return outputs, kernel elements and inputs of all taps on data."""
    terms = [
        (o, k, i)
        for o in range(axis.output_size)
        for k in range(axis.kernel_size)
        if (i := input_index(o, k, axis)) >= 0
    ]
    outputs, elements, inputs = np.array(terms, np.int64).reshape(-1, 3).T
    return outputs, elements, inputs


def _interpolation_entries(rows_per_axis: Any, channels: Any, sizes: tuple[Any, ...]) -> _Entries:
    """Interpolate every channel by itself: the Kronecker product of the axes' matrices and the identity."""
    terms = [[(o, i, w) for o, row in enumerate(rows) for i, w in row] for rows in rows_per_axis]
    out_sizes = tuple(len(rows) for rows in rows_per_axis)
    outputs = _flat([np.array([o for o, _, _ in axis], np.int64) for axis in terms], out_sizes)
    inputs = _flat([np.array([i for _, i, _ in axis], np.int64) for axis in terms], sizes)
    values = np.ones(1)
    for axis in terms:
        values = np.multiply.outer(values, np.array([w for _, _, w in axis], np.float64)).ravel()
    c = np.arange(channels)
    shape = (math.prod(out_sizes) * channels, math.prod(sizes) * channels)
    each = np.broadcast_arrays(outputs[:, None] * channels + c, inputs[:, None] * channels + c, values[:, None])
    return _sum_doubles(shape, *each)


def _flat(per_axis: Sequence[Array], sizes: Sequence[int]) -> Array:
    """Return the row-major index of every combination of one index per axis."""
    return np.ravel_multi_index(tuple(grid.ravel() for grid in np.meshgrid(*per_axis, indexing="ij")), tuple(sizes))


def _in_order(shape: tuple[int, int], rows: Array, columns: Array, values: Array) -> _Entries:
    order = np.lexsort((columns.ravel(), rows.ravel()))
    return _Entries(rows.ravel()[order], columns.ravel()[order], values.ravel()[order], shape)


def _sum_doubles(shape: tuple[int, int], rows: Array, columns: Array, values: Array) -> _Entries:
    places, which = np.unique(rows.ravel() * shape[1] + columns.ravel(), return_inverse=True)
    sums = np.zeros(len(places), values.dtype)
    np.add.at(sums, which, values.ravel())
    return _Entries(places // shape[1], places % shape[1], sums, shape)


def _product(second: _Entries, first: _Entries) -> _Entries:
    """Return the matrix of `first`, then `second`."""
    start = np.searchsorted(first.rows, second.columns, "left")
    count = np.searchsorted(first.rows, second.columns, "right") - start
    of_second = np.repeat(np.arange(len(count)), count)
    of_first = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(start, count)
    return _sum_doubles(
        (second.shape[0], first.shape[1]),
        second.rows[of_second],
        first.columns[of_first],
        second.values[of_second] * first.values[of_first],
    )


def _read_weights(geometry: ConvGeometry, weights: Any) -> Array:
    if weights is None:
        return np.ones((*geometry.kernel_size, 1, geometry.groups), np.int64)
    array = np.asarray(weights)
    if array.dtype.kind not in "iuf":
        raise ConvError("weights", array.shape, f"dtype {array.dtype} is not supported", "use floats or integers")
    if array.shape[:-2] != geometry.kernel_size or 0 in array.shape:
        wanted = ", ".join(map(str, geometry.kernel_size))
        raise ConvError(
            "weights",
            array.shape,
            f"does not fit the geometry's kernel of size {geometry.kernel_size}",
            f"give shape ({wanted}, channels / groups, filters)",
        )
    return array.astype(np.float64 if array.dtype.kind == "f" else np.int64)
