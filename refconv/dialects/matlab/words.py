"""How MATLAB's arguments are read: name-value pairs, numbers that are all floats, row vectors, arrays."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from refconv.arguments import choice, is_sequence
from refconv.conventions.axes import unknown_word
from refconv.errors import ConvError
from refconv.functional.arrays import Array, describe, read_array

PADDING_VALUES = {
    "symmetric-include-edge": "symmetric",
    "symmetric-exclude-edge": "reflect",
    "replicate": "replicate",
}


def read_pairs(
    function: str, known: Sequence[str], pairs: Sequence[Any], named: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Read name-value arguments in both of MATLAB's forms.

    Parameters
    ----------
    function : str
        Who takes them, for messages.
    known : sequence of str
        The names.
    pairs : sequence
        ``"Name1", value1, "Name2", value2, ...``
    named : dict
        ``Name=value``.

    Returns
    -------
    values : dict
        Value by name.
    spelled : dict of str to str
        How the caller wrote the name.

    Raises
    ------
    ConvError
        If a name is unknown, given twice, or without a value.

    Examples
    --------
    >>> read_pairs("f", ["Stride", "Name"], ("stride", 2), {"Name": "up"})
    ({'Stride': 2, 'Name': 'up'}, {'Stride': 'stride', 'Name': 'Name'})
    """
    words = {name.lower(): name for name in known}
    values: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    for name in pairs[0::2]:
        if not isinstance(name, str):
            raise ConvError("Name", name, "not the name of a value", "give names each followed by its value")
    if len(pairs) % 2:
        raise ConvError(str(pairs[-1]), None, "a name without a value", f"give {pairs[-1]!r}, value")
    for name, value in [*zip(pairs[0::2], pairs[1::2], strict=True), *named.items()]:
        word = words.get(name.lower())
        shown = describe(value) if isinstance(value, np.ndarray) else value
        if name.lower() in ("filtersize", "numfilters"):
            raise ConvError(name, shown, f"is not a name of {function}", "give the filters' size and number first")
        if word is None:
            raise unknown_word(name, shown, function, known)
        if word in values:
            raise ConvError(name, shown, f"{word} is given twice", "give it once")
        values[word], spelled[word] = value, name
    return values, spelled


def plain(value: Any) -> Any:
    """Turn MATLAB's whole numbers, all of them floats, and its row vectors into Python's.

    Examples
    --------
    >>> plain(4.0), plain([[1.0, 2.0]]), plain(np.array([[1, 2], [3, 4]])), plain("same"), plain(2.5)
    (4, [1, 2], [[1, 2], [3, 4]], 'same', 2.5)
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if is_sequence(value):
        items = [plain(item) for item in value]
        return items[0] if len(items) == 1 and is_sequence(items[0]) else items
    is_float = isinstance(value, (float, np.floating))
    return int(value) if is_float and float(value).is_integer() else value


def read_factor(word: str, value: Any) -> float:
    """Read a number that is not negative, and finite.

    Raises
    ------
    ConvError
        If it is anything else.
    """
    value = plain(value)
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not 0 <= value < math.inf:
        raise ConvError(word, value, "not a nonnegative scalar", "use 0 or more")
    return value


def read_padding_value(word: str, value: Any) -> float | str:
    """Read what stands in the padding: a number, or a word for the data themselves again.

    Raises
    ------
    ConvError
        If it is neither.
    """
    number = plain(value)
    if isinstance(number, str):
        return choice(word, number, PADDING_VALUES)
    is_number = isinstance(number, numbers.Real) and not isinstance(number, bool)
    if not is_number or not math.isfinite(number):
        raise ConvError(word, value, "not a number", "use a number, or one of " + ", ".join(map(repr, PADDING_VALUES)))
    return number


def read_name(word: str, value: Any) -> str:
    """Read a layer's name, which may be empty.

    Raises
    ------
    ConvError
        If it is no string, or holds a slash, which joins the names of nested layers.
    """
    if not isinstance(value, str) or "/" in value:
        raise ConvError(word, value, "not a name", "use a string without '/'")
    return value


def read_padded(word: str, value: Any, axes: int) -> Array:
    """Read an array of numbers, and give it the last axes of size 1 that MATLAB drops.

    Raises
    ------
    ConvError
        If it is no array of numbers, or has more axes.

    Examples
    --------
    >>> read_padded("Weights", [[1, 2]], 4).shape
    (1, 2, 1, 1)
    """
    array = read_array(word, value)
    if array.ndim > axes:
        raise ConvError(word, describe(array), f"has {array.ndim} axes", f"give at most {axes}")
    return array.reshape(*array.shape, *(1,) * (axes - array.ndim))


def is_empty(value: Any) -> bool:
    """Tell whether a value is MATLAB's ``[]``, or None."""
    return value is None or (is_sequence(value) and np.size(value) == 0)
