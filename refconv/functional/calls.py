"""Calls that come again: what depends on shapes, dtypes and words only is worked out once.

A function of this room first reads its words, checks its arrays, finds the geometry and chooses a kernel, which
takes longer than a small convolution itself. That part, its *plan*, returns a `Call`: what is left to do
with the arrays. Where the next call's arrays look the same and its words are the same, the kept
`Call` runs at once. What arrays contain plays no part, and errors are not kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from refconv.functional.arrays import Array
from refconv.functional.backend import check_apart
from refconv.geometry import ConvGeometry
from refconv.tiled.packed import PackedWeights

_MOST_KEPT = 1024

# Beyond this many bytes memory may not suffice the next time, and the plan, which checks that, takes no time worth it.
_LARGEST_KEPT = 2**28

_ARRAYS = (np.ndarray, PackedWeights)

# NumPy's flags of arrays: C-contiguous and aligned, which kernels want, and writeable too.
_FITTING, _FILLABLE = 0x101, 0x501


class Call(NamedTuple):
    """What is left of a call when its plan is made.

    Attributes
    ----------
    run : callable
        Takes operands like those of the plan, None among them, and what to fill or None, and returns the result.
    operands : tuple
        What to give it this time.
    repeats : bool
        Whether `run` serves all operands of the same shapes and dtypes, as they come from the caller.
    """

    run: Callable[..., Any]
    operands: tuple[Array | None, ...]
    repeats: bool = False


_kept: dict[tuple[Any, ...], Callable[..., Any]] = {}


def repeated(plan: Callable[..., Call], operands: tuple[Any, ...], words: tuple[Any, ...], out: Any = None) -> Any:
    """Make a call, without its plan if the same one was made before.

    Parameters
    ----------
    plan : callable
        Takes the operands, the words and `out`, checks them all and returns a `Call`.
    operands : tuple
        What the caller gave for arrays, None for what there is not.
    words : tuple
        Everything else the caller gave.
    out : ndarray or tuple of ndarray, optional
        What to fill.

    Raises
    ------
    ConvError
        Whatever the plan finds wrong.
    """
    key = _key(plan, operands, words, out)
    run = None if key is None else _kept.get(key)
    if run is None:
        call = plan(*operands, *words, out)
        result = call.run(*call.operands, out)
        if key is not None and call.repeats and _bytes(operands) + _bytes(result) <= _LARGEST_KEPT:
            if len(_kept) >= _MOST_KEPT:
                _kept.clear()
            _kept[key] = call.run
        return result
    if type(out) is tuple:
        for n, array in enumerate(out):
            check_apart(array, *operands, *out[:n])
    elif out is not None:
        check_apart(out, *operands)
    return run(*operands, out)


def _key(
    plan: Callable[..., Call], operands: tuple[Any, ...], words: tuple[Any, ...], out: Any
) -> tuple[Any, ...] | None:
    """Return all that a plan depends on, or None if that is more than shapes, dtypes and plain words."""
    parts: list[Any] = [plan]
    for array in operands:
        if array is None:
            parts.append(None)
        elif type(array) in _ARRAYS and array.flags.num & _FITTING == _FITTING:
            parts += (array.shape, array.dtype)
        else:
            return None
    for array in out if type(out) is tuple else (out,):
        if array is None:
            parts.append(None)
        elif type(array) is np.ndarray and array.flags.num & _FILLABLE == _FILLABLE:
            parts += (array.shape, array.dtype)
        else:
            return None
    return (*parts, words) if _are_plain(words) else None


# A bool equals a whole number, and is none as an argument.
_PLAIN = frozenset({int, str, type(None), ConvGeometry})


def _are_plain(words: tuple[Any, ...]) -> bool:
    for word in words:
        kind = type(word)
        if kind not in _PLAIN and not (kind is tuple and _are_plain(word)):
            return False
    return True


def _bytes(arrays: Any) -> int:
    several = arrays if type(arrays) is tuple else (arrays,)
    return sum(array.nbytes for array in several if array is not None)
