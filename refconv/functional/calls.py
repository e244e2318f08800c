"""Calls that come again: what depends on shapes, dtypes and words only is worked out once.

A function of this room first reads its words, checks its arrays, finds the geometry and chooses a kernel, which
takes longer than a small convolution itself. That part, its *plan*, returns a `Call`: what is left to do
with the arrays. Where the next call's arrays look the same and its words are the same, the kept
`Call` runs at once. What arrays contain plays no part, and errors are not kept.
"""

from __future__ import annotations

import math
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

# NumPy's function without what first asks the types of its arguments whether they have one of their own: half the time.
_may_share_memory = getattr(np.may_share_memory, "_implementation", np.may_share_memory)

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


# What to run, and of the words that it was planned for those that others may equal, each with its place.
_Kept = tuple[Callable[..., Any], tuple[tuple[int, Any], ...]]

_kept: dict[tuple[Any, ...], _Kept] = {}


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
    outs = out if type(out) is tuple else (out,)
    parts: list[Any] = [plan, words, type(out)]
    try:
        for array in operands + outs:
            if array is None:
                parts.append(None)
            else:
                parts += type(array) in _ARRAYS, array.shape, array.dtype, array.flags.num
        kept = _kept.get(key := tuple(parts))
    except (AttributeError, TypeError):  # What is no array, or a word that may change.
        return _planned(plan, operands, words, out)
    if kept is None:
        return _first(plan, operands, words, out, key)
    for place, word in kept[1]:
        if words[place] is not word and not _are_alike(words[place], word):
            return _first(plan, operands, words, out, key)
    if outs is out:
        for n, array in enumerate(outs):
            check_apart(array, *operands, *outs[:n])
    elif out is not None:
        for array in operands:
            if array is not None and _may_share_memory(out, array):
                check_apart(out, array)
    return kept[0](*operands, out)


def repeated_with(plan: Callable[..., Call], x: Any, words: tuple[Any, ...], out: Any = None) -> Any:
    """Make a call as `repeated` does, of one operand, thus with less work: where data are only moved, it counts.

    Parameters
    ----------
    plan, words
        As in `repeated`.
    x : array_like
        The operand.
    out : ndarray, optional
        What to fill.

    Raises
    ------
    ConvError
        Whatever the plan finds wrong.
    """
    try:
        key: tuple[Any, ...]
        if out is None:
            key = plan, words, type(x), x.shape, x.dtype, x.flags.num
        else:
            key = plan, words, type(x), x.shape, x.dtype, x.flags.num, type(out), out.shape, out.dtype, out.flags.num
        kept = _kept.get(key)
    except (AttributeError, TypeError):
        return _planned(plan, (x,), words, out)
    if kept is None:
        return _first(plan, (x,), words, out, key)
    for place, word in kept[1]:
        if words[place] is not word and not _are_alike(words[place], word):
            return _first(plan, (x,), words, out, key)
    if out is not None and _may_share_memory(out, x):
        check_apart(out, x)
    return kept[0](x, out)


def _are_alike(given: Any, word: Any) -> bool:
    """Tell whether a word that equals a kept one is the same, as 1 and True are not, nor 0.0 and -0.0."""
    if type(given) is not type(word) or (type(given) is tuple and not _are_plain(given)):
        return False
    return type(given) is not float or math.copysign(1, given) == math.copysign(1, word)


def _first(
    plan: Callable[..., Call],
    operands: tuple[Any, ...],
    words: tuple[Any, ...],
    out: Any,
    key: tuple[Any, ...],
) -> Any:
    """Make a call, and keep it if it can be kept."""
    call = plan(*operands, *words, out)
    if not call.repeats or not _may_repeat(operands, out if type(out) is tuple else (out,), words):
        return call.run(*call.operands, out)
    # Operands as they come from the caller: weights keep what they are packed to.
    result = call.run(*operands, out)
    if _bytes(operands) + _bytes(result) <= _LARGEST_KEPT:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        numbers = tuple((place, word) for place, word in enumerate(words) if type(word) in (int, float, tuple))
        _kept[key] = call.run, numbers
    return result


def _planned(plan: Callable[..., Call], operands: tuple[Any, ...], words: tuple[Any, ...], out: Any) -> Any:
    call = plan(*operands, *words, out)
    return call.run(*call.operands, out)


def _may_repeat(operands: tuple[Any, ...], outs: tuple[Any, ...], words: tuple[Any, ...]) -> bool:
    """Tell whether arrays that look the same, and the same words, always make the same call."""
    fitting = all(
        array is None or (type(array) in _ARRAYS and array.flags.num & _FITTING == _FITTING) for array in operands
    )
    fillable = all(
        array is None or (type(array) is np.ndarray and array.flags.num & _FILLABLE == _FILLABLE) for array in outs
    )
    # NaN equals nothing, so it would never be found again.
    others = tuple(word for word in words if type(word) is not float or word != word)
    return fitting and fillable and _are_plain(others)


# A bool equals a whole number, and is none as an argument.
_PLAIN = frozenset({int, str, type(None), ConvGeometry})


def _are_plain(words: tuple[Any, ...]) -> bool:
    if _PLAIN.issuperset(map(type, words)):
        return True
    for word in words:
        kind = type(word)
        if kind not in _PLAIN and not (kind is tuple and _are_plain(word)):
            return False
    return True


def _bytes(arrays: Any) -> int:
    several = arrays if type(arrays) is tuple else (arrays,)
    return sum(array.nbytes for array in several if array is not None)
