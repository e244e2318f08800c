"""Which code computes a result, and where it is written.

There are three backends. ``"uncompiled"`` and ``"textbook"`` run the loops of `refconv.loops` as plain
Python or as `refconv.loops.jit` sees fit; they compute in float64 or int64 and round once to the dtype of
the result. ``"tiled"`` is the fast path, for results in float32 and float64: it computes in the dtype of the
result, with fused multiply-adds, so that a float32 sum is as exact as any framework's float32 sum, and
less than the textbook's. Where none is named, the work of a call decides, so that the same call always gives the same
bits. What only copies gives the same numbers on all three, so there the work of all such calls so far decides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refconv.arguments import choice
from refconv.errors import ConvError
from refconv.functional.arrays import Array, describe, finished
from refconv.loops.jit import TextbookLoop

BACKENDS = ("uncompiled", "textbook", "tiled")

TILED_WORK = 100_000
"""Multiply-adds above which the fast path is taken: as many as Python does in 0.1 s."""

_TILED_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def pick_backend(backend: Any, work: int, result: np.dtype[Any], *arrays: Array) -> str:
    """Choose the backend: the named one, else by dtype and work.

    Parameters
    ----------
    backend : str or None
        What the caller asked for.
    work : int
        Multiply-adds.
    result : dtype
        Of the result.
    *arrays : ndarray
        All operands; the fast path is taken unasked only where none has to be rounded first.

    Raises
    ------
    ConvError
        If `backend` is not one of `BACKENDS`, or cannot compute this.

    Examples
    --------
    >>> pick_backend(None, 10**9, np.dtype(np.float16))
    'textbook'
    """
    if backend is None:
        alike = all(array.dtype.newbyteorder("=") == result for array in arrays)
        return "tiled" if work > TILED_WORK and result in _TILED_DTYPES and alike and _can_compile() else "textbook"
    named = choice("backend", backend, BACKENDS)
    if named == "tiled" and result not in _TILED_DTYPES:
        rule = f"computes float32 and float64 only, but the result is {result}"
        raise ConvError("backend", backend, rule, "use backend='textbook'")
    if named == "tiled" and not _can_compile():
        raise ConvError("backend", backend, "needs Numba's JIT, which is off", "use backend='textbook'")
    return named


def _can_compile() -> bool:
    from refconv.tiled import running

    return running.available()


def run_textbook(backend: str, loop: TextbookLoop, out: Array, *arguments: Any, steps: int) -> None:
    """Run a textbook loop, uncompiled if that is what the backend says."""
    if backend == "uncompiled":
        loop.uncompiled(out, *arguments)
    else:
        loop(out, *arguments, steps=steps)


def check_out(out: Any, shape: tuple[int, ...], result: np.dtype[Any], data_format: str, *arrays: Array) -> None:
    """Check that a result of this shape, channels last, can be written to `out`.

    Raises
    ------
    ConvError
        If `out` is no writable array of the caller's layout and the result's dtype, or shares memory with
        an operand.
    """
    if out is None:
        return
    if not isinstance(out, np.ndarray):
        raise ConvError("out", out, "not an array", "give a NumPy array, or leave it out")
    wanted = (shape[0], shape[-1], *shape[1:-1]) if data_format == "channels_first" else shape
    if out.shape != wanted or out.dtype != result:
        rule = f"the result has shape {wanted} and dtype {result}"
        raise ConvError("out", describe(out), rule, f"give np.empty({wanted}, np.{result})")
    if not out.flags.writeable:
        raise ConvError("out", describe(out), "read-only", "give an array that may be written to")
    check_apart(out, *arrays)


def check_apart(out: Array, *arrays: Array | None) -> None:
    """Check that what is filled is no part of what is read.

    Raises
    ------
    ConvError
        If `out` shares memory with one of the arrays.
    """
    for array in arrays:
        if array is not None and np.may_share_memory(out, array):
            raise ConvError("out", describe(out), "shares memory with an operand", "give an array of its own")


def direct_out(out: Array | None, data_format: str) -> Array | None:
    """Return `out` if a kernel that fills C-contiguous channels-last arrays can fill it."""
    fits = out is not None and data_format == "channels_last" and out.flags.c_contiguous and out.flags.aligned
    return out if fits else None


def delivered(
    computed: Array, result: npt.DTypeLike, data_format: str = "channels_last", out: Array | None = None
) -> Array:
    """Round a result once and give it the caller's layout, in `out` if there is one.

    Examples
    --------
    >>> out = np.zeros((1, 2, 4))
    >>> delivered(np.ones((1, 4, 2)), float, "channels_first", out) is out
    True
    """
    if out is None:
        return finished(computed, result, data_format)
    if out is not computed:
        with np.errstate(all="ignore"):
            out[...] = np.moveaxis(computed, -1, 1) if data_format == "channels_first" else computed
    return out
