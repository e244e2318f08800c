"""Layers that mostly move data, on the tiled backend, in either layout.

What treats all channels alike treats those of channels first as images of one channel, so that such an
array need not be transposed. Copies are exact, so the tiled backend takes results of any dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refconv.functional.arrays import Array, bytes_of, describe
from refconv.functional.backend import delivered, direct_out, pick_backend
from refconv.memory import check_memory

Kernel = Callable[[Array, Array | None], Array]


def pick_copying_backend(backend: Any, work: int) -> str:
    """Choose the backend of a layer that copies: the named one, else by work alone.

    Raises
    ------
    ConvError
        If `backend` is not one of `refconv.functional.backend.BACKENDS`, or cannot run.

    Examples
    --------
    >>> pick_copying_backend(None, 10)
    'textbook'
    """
    any_that_is_computed = np.dtype(np.float32)
    return pick_backend(backend, work, any_that_is_computed)


def moved(
    kernel: Kernel,
    x: Array,
    shape: Sequence[int],
    result: np.dtype[Any],
    data_format: str,
    out: Array | None,
    because: tuple[str, object] | None = None,
) -> Array:
    """Run a kernel of the tiled backend that treats all channels alike.

    Parameters
    ----------
    kernel : callable
        Takes an array of shape (batch, in..., channels) and what to fill, or None, and returns it filled.
    x : ndarray, shape (batch, in..., channels)
        The input, as `refconv.functional.arrays.read_signal` returns it.
    shape : sequence of int
        Shape of the output, (batch, out..., channels).
    result : dtype
        Of the output; `x` is converted to it.
    data_format, out
        As the caller gave them.
    because : tuple of str and object, optional
        Argument and value which an error names.

    Raises
    ------
    ConvError
        If memory does not suffice.
    """
    batch, *sizes, channels = (int(size) for size in shape)
    first = data_format == "channels_first"
    source = np.moveaxis(x, -1, 1) if first else x
    fits = source.dtype == result and source.flags.c_contiguous and source.flags.aligned
    size = bytes_of(shape, result) + (0 if fits else bytes_of(x.shape, result))
    argument, value = because or ("x", describe(x))
    check_memory(argument, value, f"the output of shape {(batch, *sizes, channels)}", size)
    source = np.require(source, result, ["C_CONTIGUOUS", "ALIGNED"])
    if not first:
        return delivered(kernel(source, direct_out(out, data_format)), result, data_format, out)
    planes = source.reshape(batch * channels, *x.shape[1:-1], 1)
    direct = out is not None and out.flags.c_contiguous and out.flags.aligned
    target = out.reshape(batch * channels, *sizes, 1) if out is not None and direct else None
    filled = kernel(planes, target).reshape(batch, channels, *sizes)
    if out is None:
        return filled
    if target is None:
        out[...] = filled
    return out
