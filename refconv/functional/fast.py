"""Calls of the fast path: operands as its kernels want them, and its results as the caller wants them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from refconv.functional.arrays import Array, bytes_of, describe
from refconv.functional.backend import delivered, direct_out
from refconv.functional.calls import Call
from refconv.memory import check_memory


def check_tiled(result: np.dtype[Any], shape: tuple[int, ...], *operands: Array) -> None:
    """Check that memory suffices for an output of this shape and for the operands that must be copied.

    Raises
    ------
    ConvError
        If it does not.
    """
    copied = [array for array in operands if not _fits(array, result)]
    size = bytes_of(shape, result) + sum(bytes_of(array.shape, result) for array in copied)
    check_memory("x", describe(operands[0]), f"the output of shape {shape}", size)


def tiled_call(
    ready: Callable[..., Any],
    operands: tuple[Any, ...],
    result: np.dtype[Any],
    data_format: str = "channels_last",
    out: Any = None,
    *,
    signals: int = 1,
    gives_signal: bool = True,
    shape: tuple[int, ...] | None = None,
    ready_first: Callable[..., Any] | None = None,
) -> Call:
    """Return the call of a kernel of the tiled backend.

    Parameters
    ----------
    ready : callable
        Takes the operands, C-contiguous, channels last and of the result's dtype, and what to fill or None;
        returns an array, or a tuple of some, and then fills as many.
    operands : tuple of ndarray or None
        Channels last.
    result : dtype
        Of the result.
    data_format, out
        As the caller gave them; `out` is checked already.
    signals : int
        How many of the operands, the first ones, have the caller's data format.
    gives_signal : bool
        Whether the result has it, too.
    shape : tuple of int, optional
        Of the result, channels last, where there is one signal and a kernel may be given what to fill.
    ready_first : callable, optional
        As `ready`, but the signals and the result have channels first.
    """
    from refconv.tiled import layouts

    first = data_format == "channels_first"
    if first:
        operands = (*(np.moveaxis(array, -1, 1) for array in operands[:signals]), *operands[signals:])
    # What only copies takes other dtypes, too, which NumPy turns.
    turns = result.kind == "f" and result.itemsize >= 4
    result_format = data_format if gives_signal else "channels_last"
    if all(array is None or _fits(array, result) for array in operands):
        if not first and _direct(out, result_format) is out:
            return Call(ready, operands, repeats=True)
        if first and shape is not None and (out is None or _fits(out, result)):
            if ready_first is not None:
                return Call(ready_first, operands, repeats=True)
            if turns:
                return Call(_turned(ready, operands[0].shape, shape, result), operands, repeats=True)

    def run(*given: Any) -> Any:
        *arrays, out = given
        target = _direct(out, result_format)
        if first:
            arrays[:signals] = [_channels_last(array, result, turns) for array in arrays[:signals]]
        fitting = [array if array is None or _fits(array, result) else _fitted(array, result) for array in arrays]
        computed = ready(*fitting, target)
        if isinstance(computed, tuple):
            targets = (None,) * len(computed) if out is None else out
            return tuple(delivered(array, result, out=target) for array, target in zip(computed, targets, strict=True))
        fills = turns and computed.dtype == result and (out is None or _fits(out, result))
        if result_format == "channels_first" and fills:
            return layouts.channels_first(computed, out)
        return delivered(computed, result, result_format, out)

    return Call(run, operands, repeats=True)


def _turned(
    ready: Callable[..., Any], x_shape: tuple[int, ...], shape: tuple[int, ...], result: np.dtype[Any]
) -> Callable[..., Array]:
    """Return what turns an input of this shape, channels first, to channels last, and the output of `ready` back."""
    from refconv.tiled import layouts

    batch, channels, *sizes = x_shape
    turned_shape = (batch, *sizes, channels)

    def run(*given: Any) -> Array:
        x, *others, out = given
        turned, target = layouts.side_by_side(turned_shape, shape, dtype=result)
        return layouts.channels_first(ready(layouts.channels_last(x, turned), *others, target), out)

    return run


def _channels_last(array: Array, result: np.dtype[Any], turns: bool) -> Array:
    from refconv.tiled import layouts

    return layouts.channels_last(array) if turns and _fits(array, result) else np.moveaxis(array, 1, -1)


def _direct(out: Any, data_format: str) -> Any:
    """Return `out` if a kernel can fill it, else None."""
    if isinstance(out, tuple):
        return out if all(direct_out(array, data_format) is array for array in out) else None
    return direct_out(out, data_format)


def _fits(array: Array, result: np.dtype[Any]) -> bool:
    return array.dtype == result and array.flags.c_contiguous and array.flags.aligned


def _fitted(array: Array, result: np.dtype[Any]) -> Array:
    return np.require(array, result, ["C_CONTIGUOUS", "ALIGNED"])
