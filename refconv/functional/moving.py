"""Layers that mostly move data, on the tiled backend, in either layout.

What treats all channels alike treats those of channels first as images of one channel, so that such an
array need not be transposed. Copies are exact, so the tiled backend takes results of any dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refconv.functional.arrays import Array, bytes_of, describe
from refconv.functional.backend import delivered, pick_backend
from refconv.functional.calls import Call
from refconv.functional.fast import tiled_call
from refconv.memory import check_memory

Ready = Callable[[Array, Array | None], Array]


_work_so_far = 0


def pick_copying_backend(backend: Any, work: int) -> str:
    """Choose the backend of a layer that copies: the named one, else by all such work so far.

    Every backend copies the same numbers, so what comes often may leave the textbook, however small it is.

    Raises
    ------
    ConvError
        If `backend` is not one of `refconv.functional.backend.BACKENDS`, or cannot run.

    Examples
    --------
    >>> pick_copying_backend("uncompiled", 10**9)
    'uncompiled'
    """
    global _work_so_far
    if backend is None:
        _work_so_far += work
    any_that_is_computed = np.dtype(np.float32)
    return pick_backend(backend, _work_so_far, any_that_is_computed)


def moving_call(
    plan: Callable[[int, int], Ready],
    x: Array,
    shape: Sequence[int],
    result: np.dtype[Any],
    data_format: str,
    out: Array | None,
    because: tuple[str, object] | None = None,
) -> Call:
    """Return the call of a kernel of the tiled backend that treats all channels alike.

    Parameters
    ----------
    plan : callable
        Takes the numbers of images and of channels, and returns what takes an array of shape
        (batch, in..., channels) and what to fill, or None, and returns it filled.
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
    given = np.moveaxis(x, -1, 1) if first else x
    size = bytes_of(shape, result) + (0 if _fits(given, result) else bytes_of(x.shape, result))
    argument, value = because or ("x", describe(x))
    check_memory(argument, value, f"the output of shape {(batch, *sizes, channels)}", size)
    if not first:
        return tiled_call(plan(batch, channels), (x,), result, data_format, out)
    images, cells = (batch * channels, *x.shape[1:-1], 1), (batch * channels, *sizes, 1)
    ready = plan(batch * channels, 1)

    def run(x: Array, out: Array | None) -> Array:
        source = x if _fits(x, result) else np.require(x, result, ["C_CONTIGUOUS", "ALIGNED"])
        target = out.reshape(cells) if out is not None and _fits(out, result) else None
        filled = ready(source.reshape(images), target)
        if target is not None and out is not None:
            return out
        return delivered(filled.reshape(batch, channels, *sizes), result, out=out)

    return Call(run, (given,), repeats=True)


def _fits(array: Array, result: np.dtype[Any]) -> bool:
    return array.dtype == result and array.flags.c_contiguous and array.flags.aligned
