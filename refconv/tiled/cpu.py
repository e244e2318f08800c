"""Convolutions and their gradients on the CPU, as fast as it can: arrays and geometries in, arrays out.

Arrays are float32 or float64, all of one call alike, C-contiguous and channels last; `refconv.functional`
makes them so. They are computed in that dtype, with fused multiply-adds where the processor has them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.tiled import choose, contraction, elements, few, packing
from refconv.tiled.packed import PackedWeights
from refconv.tiled.plan import GradientPlan, Plan, conv_plan, gradient_plan
from refconv.tiled.running import PARALLEL_WORK, Launch, empty, flat, no_bias, thread_count
from refconv.tiled.simd import lanes

Array = npt.NDArray[Any]
DType = np.dtype[Any]

# Takes x, weights, bias or None, and what to fill or None.
ReadyConv = Callable[..., Array]

# Packing fewer weights than this takes one thread less time than compiling it for several is worth.
PARALLEL_PACKING = 500_000


class ConvChoice(NamedTuple):
    """How a convolution is run: its tile, its tables, and numbers of the kernel."""

    tile: choose.Tile
    packed: bool
    plan: Plan
    sizes: tuple[int, ...]
    pack_sizes: tuple[int, ...]
    work: int
    planes: tuple[int, int]


@functools.lru_cache(maxsize=256)
def _conv_choice(
    geometry: ConvGeometry,
    batch: int,
    channels: int,
    filters: int,
    lane_count: int,
    transposed: bool,
    first: bool = False,
) -> ConvChoice:
    groups = geometry.groups
    own_channels, own_filters = channels // groups, filters // groups
    tile = choose.conv_tile(geometry, batch, own_channels, own_filters, lane_count)
    block_size = tile.vectors * lane_count
    blocks = -(-own_filters // block_size)
    taps = math.prod(geometry.kernel_size)
    packed = transposed or choose.packs(own_filters, block_size)
    if packed:
        steps = block_size, blocks * taps * own_channels * block_size, taps * own_channels * block_size
    else:
        steps = filters, own_filters, block_size
    work = choose.multiply_adds(geometry, batch, own_channels, filters)
    chunks = choose.chunks(work, groups * blocks)
    planes = (math.prod(geometry.input_size), math.prod(geometry.output_size)) if first else (1, 1)
    plan = conv_plan(geometry, batch, channels, filters, tile.rows, steps[0], chunks, *planes)
    read = batch * math.prod(geometry.input_size) * channels
    by_chunk = int(taps * own_channels * filters <= read)
    sizes = (chunks, groups, blocks, own_channels, own_filters, *steps, by_chunk)
    pack_sizes = taps, groups, blocks, own_channels, own_filters
    return ConvChoice(tile, packed, plan, sizes, pack_sizes, work, planes)


class ElementsChoice(NamedTuple):
    """How a convolution is run kernel element by kernel element."""

    tile: choose.Tile
    plan: elements.ElementsPlan
    sizes: tuple[int, ...]
    work: int


@functools.lru_cache(maxsize=256)
def _elements_choice(
    geometry: ConvGeometry,
    batch: int,
    channels: int,
    filters: int,
    lane_count: int,
    transposed: bool,
    thread_count: int,
) -> ElementsChoice | None:
    groups = geometry.groups
    own_channels, own_filters = channels // groups, filters // groups
    tile = choose.conv_elements(geometry, own_channels, own_filters, lane_count, transposed)
    if tile is None:
        return None
    block_size = tile.vectors * lane_count
    blocks = own_filters // block_size
    images, pieces, by_chunk = choose.element_chunks(geometry, batch, groups * blocks, thread_count)
    plan = elements.elements_plan(geometry, batch, channels, filters, tile.rows, images, pieces)
    ends = len(plan.chunks), groups, blocks, own_channels, own_filters
    layout = elements.COPIED if choose.packs(own_filters, block_size) else elements.IN_PLACE
    if transposed:
        layout = elements.TRANSPOSED
    room = elements.chain_steps(own_channels) * block_size
    by_step = (channels, own_channels, block_size * channels) if transposed else (filters, own_filters, block_size)
    work = choose.multiply_adds(geometry, batch, own_channels, filters)
    return ElementsChoice(
        tile,
        plan,
        (*ends, *by_step, layout, room, int(by_chunk)),
        work,
    )


def _ready_elements(choice: ElementsChoice, shape: tuple[int, ...], filters: int, dtype: DType) -> ReadyConv:
    none = no_bias(filters, dtype)
    rows, vectors = (0,) * choice.tile.rows, (0,) * choice.tile.vectors
    layout, strip = choice.sizes[-3:-1]
    room = math.prod(choice.sizes[:3]) * strip
    launch = Launch(elements.contract_elements, choice.work, rows, vectors, choice.sizes, *choice.plan)

    def call(x: Array, weights: Array | PackedWeights, bias: Array | None = None, out: Array | None = None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        # Laying strips out costs less than to compare the weights with those that a packed copy was made of.
        weights = flat(weights.weights if isinstance(weights, PackedWeights) else weights)
        strips = weights if layout == elements.IN_PLACE else flat(empty((room,), dtype))
        launch(flat(x), weights, flat(none if bias is None else bias), strips, out.reshape(-1))
        return out

    return call


def _ready(
    geometry: ConvGeometry, batch: int, channels: int, filters: int, dtype: DType, transposed: bool
) -> ReadyConv:
    shape = (batch, *geometry.output_size, filters)
    if batch == 0:
        return lambda x, weights, bias=None, out=None: empty(shape, dtype) if out is None else out
    in_places = few.ready_conv(geometry, batch, channels, filters, dtype, transposed)
    none = no_bias(filters, dtype)

    @functools.cache
    def otherwise() -> ReadyConv:
        return _ready_contraction(geometry, batch, channels, filters, dtype, transposed)

    if in_places is None:
        return otherwise()

    def call(x: Array, weights: Array | PackedWeights, bias: Array | None = None, out: Array | None = None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        own = weights.weights if isinstance(weights, PackedWeights) else weights
        if in_places(x, own, none if bias is None else bias, out):
            return out
        return otherwise()(x, weights, bias, out)

    return call


def _ready_contraction(
    geometry: ConvGeometry, batch: int, channels: int, filters: int, dtype: DType, transposed: bool
) -> ReadyConv:
    shape = (batch, *geometry.output_size, filters)
    by_element = _elements_choice(geometry, batch, channels, filters, lanes(dtype), transposed, thread_count())
    if by_element is not None:
        return _ready_elements(by_element, shape, filters, dtype)
    choice = _conv_choice(geometry, batch, channels, filters, lanes(dtype), transposed)
    none = no_bias(filters, dtype)
    rows, vectors = (0,) * choice.tile.rows, (0,) * choice.tile.vectors
    lay_out = _laying_out(choice, dtype, transposed)
    launch = Launch(contraction.contract, choice.work, rows, vectors, choice.sizes, *choice.plan)

    def call(x: Array, weights: Array | PackedWeights, bias: Array | None = None, out: Array | None = None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        launch(flat(x), flat(lay_out(weights)), flat(none if bias is None else bias), out.reshape(-1))
        return out

    return call


def _laying_out(choice: ConvChoice, dtype: DType, transposed: bool) -> Callable[[Array | PackedWeights], Array]:
    """Return what gives the weights as the kernel of a choice reads them."""
    if not choice.packed:
        return lambda weights: weights.weights if isinstance(weights, PackedWeights) else weights
    taps, groups, blocks, channels, _ = choice.pack_sizes
    size = groups * blocks * taps * channels * choice.tile.vectors * lanes(dtype)
    work = PARALLEL_WORK if size >= PARALLEL_PACKING else 0
    kernel = packing.pack_transposed if transposed else packing.pack
    launch = Launch(kernel, work, (0,) * choice.tile.vectors, choice.pack_sizes)
    key = choice.tile.vectors, choice.pack_sizes, transposed

    def pack(weights: Array) -> Array:
        packed = empty((size,), dtype)
        launch(flat(weights), packed)
        return packed

    def lay_out(weights: Array | PackedWeights) -> Array:
        if isinstance(weights, PackedWeights):
            return weights.packed(key, functools.partial(pack, weights.weights))
        return pack(weights)

    return lay_out


def ready_first(
    geometry: ConvGeometry, batch: int, channels: int, filters: int, dtype: DType, transposed: bool = False
) -> ReadyConv | None:
    """Plan a convolution of data with channels first, whose results have them first, too.

    Parameters
    ----------
    geometry : ConvGeometry
        Any, also with inserted zeros or a `reversed` kernel.
    batch, channels, filters : int
        Of the arrays, all groups together.
    dtype : dtype
        Of all arrays.
    transposed : bool
        Whether the weights are those of a transposed convolution.

    Returns
    -------
    callable or None
        As `conv` or `conv_transpose` without the geometry, for x of shape (batch, channels, in...), and with the same
        bits; None where it is better to turn the data before and the results after: so where several blocks of filters
        read them, each from one cache line a channel.
    """
    lane_count = lanes(dtype)
    groups = geometry.groups
    if (
        batch == 0
        or choose.conv_places(geometry, channels, filters, lane_count) is not None
        or choose.conv_elements(geometry, channels // groups, filters // groups, lane_count, transposed) is not None
    ):
        return None
    choice = _conv_choice(geometry, batch, channels, filters, lane_count, transposed, first=True)
    blocks = choice.sizes[2]
    if blocks > 1 or not choose.turns_out(geometry, choice.tile, lane_count):
        return None
    shape = (batch, filters, *geometry.output_size)
    none = no_bias(filters, dtype)
    rows, vectors = (0,) * choice.tile.rows, (0,) * choice.tile.vectors
    room = math.prod(choice.sizes[:3]) * contraction.WAITING * choice.tile.vectors * lane_count
    lay_out = _laying_out(choice, dtype, transposed)
    launch = Launch(
        contraction.contract_first, choice.work, rows, vectors, choice.sizes, choice.planes, *choice.plan
    )  # fmt: skip

    def call(x: Array, weights: Array | PackedWeights, bias: Array | None = None, out: Array | None = None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        waiting, offsets = empty((room,), dtype), flat(none if bias is None else bias)
        launch(flat(x), flat(lay_out(weights)), offsets, waiting, out.reshape(-1))
        return out

    return call


def ready_conv(geometry: ConvGeometry, batch: int, channels: int, filters: int, dtype: DType) -> ReadyConv:
    """Plan a convolution of given sizes, once for many calls.

    Parameters
    ----------
    geometry : ConvGeometry
        Any, also with inserted zeros or a `reversed` kernel.
    batch, channels, filters : int
        Of the arrays, all groups together.
    dtype : dtype
        Of all arrays.

    Returns
    -------
    callable
        As `conv` without the geometry.
    """
    return _ready(geometry, batch, channels, filters, dtype, transposed=False)


def conv(
    geometry: ConvGeometry,
    x: Array,
    weights: Array | PackedWeights,
    bias: Array | None = None,
    out: Array | None = None,
) -> Array:
    """Convolve.

    Parameters
    ----------
    geometry : ConvGeometry
        Any, also with inserted zeros or a `reversed` kernel.
    x : ndarray, shape (batch, in..., channels)
    weights : ndarray or PackedWeights, shape (k..., channels / groups, filters)
    bias : ndarray, shape (filters,), optional
    out : ndarray, shape (batch, out..., filters), optional
        Filled and returned.
    """
    filters = weights.shape[-1]
    return ready_conv(geometry, x.shape[0], x.shape[-1], filters, x.dtype)(x, weights, bias, out)


def ready_conv_transpose(geometry: ConvGeometry, batch: int, channels: int, filters: int, dtype: DType) -> ReadyConv:
    """Plan a transposed convolution of given sizes, once for many calls.

    Parameters
    ----------
    geometry : ConvGeometry
        The gather's.
    batch, channels, filters : int
        Of the arrays, all groups together.
    dtype : dtype
        Of all arrays.

    Returns
    -------
    callable
        As `conv_transpose` without the geometry.
    """
    return _ready(geometry, batch, channels, filters, dtype, transposed=True)


def conv_transpose(
    geometry: ConvGeometry,
    x: Array,
    weights: Array | PackedWeights,
    bias: Array | None = None,
    out: Array | None = None,
) -> Array:
    """Convolve transposed, phase by phase; also the input gradient of a convolution, with its adjoint geometry.

    Parameters
    ----------
    geometry : ConvGeometry
        The gather's.
    x : ndarray, shape (batch, in..., channels)
    weights : ndarray or PackedWeights, shape (k..., filters / groups, channels)
    bias : ndarray, shape (filters,), optional
    out : ndarray, shape (batch, out..., filters), optional
        Filled and returned.
    """
    filters = weights.shape[-2] * geometry.groups
    return ready_conv_transpose(geometry, x.shape[0], x.shape[-1], filters, x.dtype)(x, weights, bias, out)


class GradientChoice(NamedTuple):
    """How a weight gradient is run: its tile, its tables, and numbers of the kernel."""

    tile: choose.Tile
    plan: GradientPlan
    sizes: tuple[int, ...]
    work: int


@functools.lru_cache(maxsize=256)
def _gradient_choice(
    geometry: ConvGeometry, batch: int, channels: int, filters: int, lane_count: int
) -> GradientChoice:
    groups = geometry.groups
    own_channels, own_filters = channels // groups, filters // groups
    rows = math.prod(geometry.kernel_size) * own_channels
    tile, by_element = choose.gradient_tile(geometry, batch, own_channels, own_filters, lane_count)
    blocks = -(-own_filters // (tile.vectors * lane_count))
    outputs = batch * math.prod(geometry.output_size)
    owners, parts, by_owner = choose.gradient_shares(-(-rows // tile.rows), groups * blocks, outputs)
    plan = gradient_plan(geometry, batch, channels, filters, tile.rows, owners, parts, by_element)
    work = choose.multiply_adds(geometry, batch, own_channels, filters)
    sizes = (owners, parts, groups, blocks, own_channels, own_filters, rows * filters, int(by_owner))
    return GradientChoice(tile, plan, sizes, work)


def ready_conv_grad_weights(
    geometry: ConvGeometry, batch: int, channels: int, filters: int, dtype: DType
) -> Callable[[Array, Array, Array | None], Array]:
    """Plan the gradient of a convolution's weights for given sizes, once for many calls.

    Parameters
    ----------
    geometry : ConvGeometry
        Of the convolution.
    batch, channels, filters : int
        Of the arrays, all groups together.
    dtype : dtype
        Of all arrays.

    Returns
    -------
    callable
        As `conv_grad_weights` without the geometry.
    """
    shape = (*geometry.kernel_size, channels // geometry.groups, filters)
    if batch == 0:
        return lambda x, dy, out: _zeros(shape, dtype, out)
    in_places = few.ready_gradient(geometry, batch, channels, filters, dtype)

    @functools.cache
    def otherwise() -> Callable[[Array, Array, Array | None], Array]:
        return _ready_gradient(geometry, batch, channels, filters, dtype)

    if in_places is None:
        return otherwise()

    def call(x: Array, dy: Array, out: Array | None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        return out if in_places(x, dy, out) else otherwise()(x, dy, out)

    return call


def _ready_gradient(
    geometry: ConvGeometry, batch: int, channels: int, filters: int, dtype: DType
) -> Callable[[Array, Array, Array | None], Array]:
    shape = (*geometry.kernel_size, channels // geometry.groups, filters)
    choice = _gradient_choice(geometry, batch, channels, filters, lanes(dtype))
    parts = choice.sizes[1]
    rows, vectors = (0,) * choice.tile.rows, (0,) * choice.tile.vectors
    launch = Launch(contraction.contract_gradient, choice.work, rows, vectors, choice.sizes, *choice.plan)

    def call(x: Array, dy: Array, out: Array | None) -> Array:
        if out is None:
            out = empty(shape, dtype)
        sums = out[None] if parts == 1 else empty((parts, *shape), dtype)
        launch(flat(x), flat(dy), sums.reshape(-1))
        if parts > 1:
            with np.errstate(all="ignore"):  # As silent as compiled code is about NaN and infinity.
                np.add.reduce(sums, axis=0, out=out)
        return out

    return call


def _zeros(shape: tuple[int, ...], dtype: DType, out: Array | None) -> Array:
    if out is None:
        out = empty(shape, dtype)
    out.fill(0)
    return out


def conv_grad_weights(geometry: ConvGeometry, x: Array, dy: Array, out: Array | None = None) -> Array:
    """Return the gradient of a convolution's weights.

    Parameters
    ----------
    geometry : ConvGeometry
        Of the convolution.
    x : ndarray, shape (batch, in..., channels)
    dy : ndarray, shape (batch, out..., filters)
        Gradient of the output.
    out : ndarray, shape (k..., channels / groups, filters), optional
        Filled and returned.
    """
    return ready_conv_grad_weights(geometry, x.shape[0], x.shape[-1], dy.shape[-1], x.dtype)(x, dy, out)


def ready_product(rows: int, steps: int, columns: int, dtype: DType) -> Callable[[Array, Array, Array], None]:
    """Plan a product of two matrices, once for many calls: the gradient of `rows` weights that each read one line.

    A row comes out the same whatever rows there are besides, as long as `steps` are few.

    Returns
    -------
    callable
        From arrays of ``rows * steps`` and ``steps * columns`` numbers to one of ``rows * columns``, which is filled.
    """
    if steps >= 2 * choose.LEAST_PART:
        raise ValueError(f"{steps} steps")
    lines = ConvGeometry((AxisGeometry(rows, rows), AxisGeometry(steps, 1)))
    fill = _ready_gradient(lines, 1, 1, columns, dtype)
    shape = rows, 1, 1, columns

    def call(a: Array, b: Array, out: Array) -> None:
        fill(a, b, out.reshape(shape))

    return call


def ready_bias_grad(cells: int, filters: int, dtype: DType) -> Callable[[Array, Array | None], Array]:
    """Plan the gradient of a bias for so many cells, once for many calls.

    A bias is the weight of a channel that is 1 everywhere.

    Returns
    -------
    callable
        From the output's gradient and what to fill, or None, to the sums.
    """
    if cells == 0:
        return lambda dy, out: _zeros((filters,), dtype, out)
    ready = ready_conv_grad_weights(ConvGeometry((AxisGeometry(cells, 1),)), 1, 1, filters, dtype)
    ones = np.ones(cells, dtype)

    def call(dy: Array, out: Array | None) -> Array:
        if out is None:
            out = empty((filters,), dtype)
        ready(ones, dy, out.reshape(1, 1, filters))
        return out

    return call


def conv_transpose_grad_weights(geometry: ConvGeometry, x: Array, dy: Array, out: Array | None = None) -> Array:
    """Return the gradient of a transposed convolution's weights.

    Parameters
    ----------
    geometry : ConvGeometry
        The gather's.
    x : ndarray, shape (batch, in..., channels)
    dy : ndarray, shape (batch, out..., filters)
        Gradient of the output.
    out : ndarray, shape (k..., filters / groups, channels), optional
        Filled and returned.
    """
    return conv_grad_weights(geometry.adjoint(), dy, x, out)
