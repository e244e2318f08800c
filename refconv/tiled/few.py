"""Convolutions and weight gradients with few filters or channels, planned once for many calls.

See `refconv.tiled.places`. Each plan is a callable that fills `out` and tells whether it could: where a NaN or
an infinity may have met the zeros of the padding, `out` is to be computed in the other way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from refconv.geometry import ConvGeometry
from refconv.tiled import choose, places
from refconv.tiled.running import Launch, empty, flat
from refconv.tiled.simd import lanes

Array = npt.NDArray[Any]
DType = np.dtype[Any]

# Vectors of places that all tiles of a weight gradient go through before the next ones.
TOGETHER = 64


def _finite(numbers: Array) -> bool:
    return bool(np.isfinite(numbers).all())


def ready_conv(
    geometry: ConvGeometry, batch: int, channels: int, filters: int, dtype: DType, transposed: bool
) -> Callable[[Array, Array, Array, Array], bool] | None:
    """Plan a convolution with lanes over places, if that is the cheaper way.

    Returns
    -------
    callable or None
        Takes x, weights, bias and what to fill, and returns whether it filled it.
    """
    lane_count = lanes(dtype)
    tile = choose.conv_places(geometry, channels, filters, lane_count)
    if tile is None:
        return None
    layout = places.turned(geometry, batch, channels, lane_count)
    width = tile.vectors * lane_count
    plan = places.places_plan(geometry, batch, channels, filters, tile.rows, width, layout.plane, transposed)
    work = choose.multiply_adds(geometry, batch, channels, filters)
    chunks = choose.chunks(work, 1)
    sizes = (min(chunks, layout.sources.size), chunks, channels, filters)
    turned_size, scratch_size = channels * layout.plane + width, chunks * plan.filters.size * width
    launch = Launch(
        places.convolve_places, work, (0,) * tile.rows, (0,) * tile.vectors, sizes, layout.sizes, layout.sources, *plan
    )

    def call(x: Array, weights: Array, bias: Array, out: Array) -> bool:
        flat_weights = flat(weights)
        if not _finite(flat_weights):
            return False
        memory = empty((turned_size + scratch_size,), dtype)
        launch(flat(x), flat_weights, flat(bias), memory[:turned_size], memory[turned_size:], out.reshape(-1))
        return True

    return call


def ready_gradient(
    geometry: ConvGeometry, batch: int, channels: int, filters: int, dtype: DType
) -> Callable[[Array, Array, Array], bool] | None:
    """Plan a weight gradient with lanes over places, if that is the cheaper way.

    Returns
    -------
    callable or None
        Takes x, dy and what to fill, and returns whether that is right.
    """
    lane_count = lanes(dtype)
    tile = choose.gradient_places(geometry, batch, channels, filters, lane_count)
    if tile is None:
        return None
    of_x = places.turned(geometry, batch, channels, lane_count)
    of_dy = places.turned_outputs(geometry, batch, filters, lane_count)
    tables, count = places.gradient_tables(geometry, batch, channels, filters, tile.rows, tile.vectors, of_x, of_dy)
    tile_count = tables.reads.size // tile.rows * (tables.dy_reads.size // tile.vectors)
    vectors = -(-count // lane_count)
    owners, parts = choose.places_shares(tile_count, vectors)
    work = choose.multiply_adds(geometry, batch, channels, filters)
    turns = min(choose.chunks(work, 1), of_x.sources.size)
    sizes = (turns, owners, parts, channels, filters, vectors, TOGETHER)
    x_size, dy_size = channels * of_x.plane + lane_count, filters * of_dy.plane + lane_count
    scratch_size = parts * tile_count * tile.rows * tile.vectors * lane_count
    launch = Launch(
        places.gradient_places, work,
        (0,) * tile.rows, (0,) * tile.vectors, sizes, of_x.sizes, of_x.sources, of_dy.sizes, of_dy.sources, *tables,
    )  # fmt: skip

    def call(x: Array, dy: Array, out: Array) -> bool:
        flat_out = out.reshape(-1)
        memory = empty((x_size + dy_size + scratch_size,), dtype)
        for_x, for_dy, scratch = memory[:x_size], memory[x_size : x_size + dy_size], memory[x_size + dy_size :]
        launch(flat(x), flat(dy), for_x, for_dy, scratch, flat_out)
        return _finite(flat_out)

    return call
