"""How an argument is read: whole numbers, one value or one per axis, (before, after) pairs, words."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

from refconv.errors import ConvError, unknown_choice


def whole_number(argument: str, value: Any, minimum: int | None = None) -> int:
    """Read one whole number.

    Raises
    ------
    ConvError
        If it is not a whole number (a bool or a float is not), or is below `minimum`.

    Examples
    --------
    >>> whole_number("groups", 2, minimum=1)
    2
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise ConvError(argument, value, "not a whole number", "use an int") from None
    if minimum is not None and number < minimum:
        raise ConvError(argument, value, f"must be at least {minimum}", f"use {minimum} or more")
    return number


def finite_number(argument: str, value: Any, minimum: float | None = None) -> float:
    """Read one finite real number.

    Raises
    ------
    ConvError
        If it is not one (a bool or a string is not), or is below `minimum`.

    Examples
    --------
    >>> finite_number("l2", 0.01, minimum=0)
    0.01
    """
    try:
        if isinstance(value, (bool, str, bytes)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise ConvError(argument, value, "not a number", "use a float") from None
    if not math.isfinite(number):
        raise ConvError(argument, value, "not a finite number", "use a finite float")
    if minimum is not None and number < minimum:
        raise ConvError(argument, value, f"must be at least {minimum:g}", f"use {minimum:g} or more")
    return number


def is_sequence(value: Any) -> bool:
    """Tell whether `value` is a list, tuple or 1-D array, rather than a number or a word."""
    return not isinstance(value, (str, bytes, dict)) and hasattr(value, "__len__") and hasattr(value, "__getitem__")


def per_axis(argument: str, value: Any, rank: int, minimum: int | None = 1) -> tuple[int, ...]:
    """Read a whole number, or one per spatial axis, as a tuple of `rank` numbers.

    Raises
    ------
    ConvError
        If the count is neither 1 nor `rank`, or a number is refused.

    Examples
    --------
    >>> per_axis("strides", 2, 2)
    (2, 2)
    >>> per_axis("strides", (2, 1), 2)
    (2, 1)
    """
    if not is_sequence(value):
        return (whole_number(argument, value, minimum),) * rank
    if len(value) not in (1, rank):
        raise ConvError(
            argument, value, f"has {len(value)} values for {axes_in_words(rank)}", f"give one number, or {rank}"
        )
    numbers = tuple(whole_number(argument, number, minimum) for number in value)
    return numbers * rank if len(numbers) == 1 else numbers


def pairs_per_axis(argument: str, value: Any, rank: int, minimum: int | None = None) -> tuple[tuple[int, int], ...]:
    """Read an amount for all sides, one per axis, or (before, after) per axis, as `rank` pairs.

    In one dimension two numbers are the pair (before, after); in more, they are one per axis.

    Raises
    ------
    ConvError
        If the value has another form, or a number is refused.

    Examples
    --------
    >>> pairs_per_axis("padding", 1, 2)
    ((1, 1), (1, 1))
    >>> pairs_per_axis("padding", ((1, 2), (0, 3)), 2)
    ((1, 2), (0, 3))
    >>> pairs_per_axis("padding", (2, 0), 1)
    ((2, 0),)
    """
    if not is_sequence(value):
        amount = whole_number(argument, value, minimum)
        return ((amount, amount),) * rank
    if rank == 1 and len(value) == 2 and not any(is_sequence(item) for item in value):
        value = (value,)
    if len(value) != rank:
        raise ConvError(
            argument,
            value,
            f"has {len(value)} entries for {axes_in_words(rank)}",
            f"give one number, {rank} numbers, or {rank} (before, after) pairs",
        )
    pairs: list[tuple[int, int]] = []
    for item in value:
        if not is_sequence(item):
            amount = whole_number(argument, item, minimum)
            pairs.append((amount, amount))
        elif len(item) == 2:
            pairs.append((whole_number(argument, item[0], minimum), whole_number(argument, item[1], minimum)))
        else:
            raise ConvError(argument, value, f"{item!r} is not a (before, after) pair", "give two numbers per axis")
    return tuple(pairs)


def choice(argument: str, value: Any, choices: Iterable[str]) -> str:
    """Read one of several words, in any letter case.

    Raises
    ------
    ConvError
        If the word is not among them; the message names the nearest one.

    Examples
    --------
    >>> choice("padding", "SAME", ["valid", "same"])
    'same'
    """
    known = list(choices)
    if isinstance(value, str):
        for word in known:
            if word.lower() == value.lower():
                return word
    raise unknown_choice(argument, value, known)


def spatial_size(argument: str, value: Any) -> tuple[int, ...]:
    """Read the sizes of one to three spatial axes.

    Raises
    ------
    ConvError
        If there are none or more than three, or one is not a positive whole number.

    Examples
    --------
    >>> spatial_size("input_size", (224, 224))
    (224, 224)
    >>> spatial_size("input_size", 10)
    (10,)
    """
    sizes: Sequence[Any] = value if is_sequence(value) else (value,)
    if not 1 <= len(sizes) <= 3:
        raise ConvError(argument, value, f"has {len(sizes)} spatial axes", "give 1, 2 or 3 sizes")
    return tuple(whole_number(argument, size, 1) for size in sizes)


def axes_in_words(rank: int) -> str:
    """Say how many spatial axes there are.

    Examples
    --------
    >>> axes_in_words(1)
    '1 spatial axis'
    """
    return f"{rank} spatial axis" if rank == 1 else f"{rank} spatial axes"
