"""How the text of an option is read: ``7x7``, ``3``, ``same``, ``1:2``, ``1:2x0:3``, ``-1``."""

from __future__ import annotations

import re

from refconv.arguments import axes_in_words, spatial_size, whole_number
from refconv.errors import ConvError

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_SEPARATOR = re.compile(r"[xX]")
_WORD = re.compile(r"[A-Za-z][A-Za-z_-]+")

Amount = int | tuple[int, int]


def whole(option: str, text: str, minimum: int | None = None) -> int:
    """Read one whole number.

    Raises
    ------
    ConvError
        If it is not one, or is below `minimum`.

    Examples
    --------
    >>> whole("--groups", "2")
    2
    """
    if not _NUMBER.fullmatch(text.strip()):
        raise ConvError(option, text, "not a whole number", f"write {option} 2")
    return whole_number(option, int(text), minimum)


def sizes(option: str, text: str) -> tuple[int, ...]:
    """Read the sizes of one to three axes, joined by x.

    Raises
    ------
    ConvError
        If the text has another form, or a size is not positive.

    Examples
    --------
    >>> sizes("--input", "224x160")
    (224, 160)
    """
    parts = _SEPARATOR.split(text.strip())
    if not all(_NUMBER.fullmatch(part) for part in parts):
        raise ConvError(option, text, "not sizes joined by x", f"write {option} 10, 10x8 or 10x8x6")
    return spatial_size(option, tuple(int(part) for part in parts))


def per_axis(option: str, text: str, rank: int) -> int | tuple[int, ...]:
    """Read one whole number, or one per axis joined by x.

    Raises
    ------
    ConvError
        If the text has another form, or the count is neither 1 nor `rank`.

    Examples
    --------
    >>> per_axis("--kernel", "3", 2)
    3
    >>> per_axis("--kernel", "7x5", 2)
    (7, 5)
    """
    numbers = tuple(entry[0] for entry in _entries(option, text, rank, pairs=False))
    return numbers[0] if len(numbers) == 1 else numbers


def amounts(option: str, text: str, rank: int) -> int | tuple[Amount, ...]:
    """Read amounts of padding or cropping: one for all sides, one per axis, or ``before:after`` per axis.

    Parameters
    ----------
    option : str
        The option's name, for the message.
    text : str
        What was typed. A single ``before:after`` counts for every axis.
    rank : int
        Number of spatial axes.

    Raises
    ------
    ConvError
        If the text has another form, or the count of axes is neither 1 nor `rank`.

    Examples
    --------
    >>> amounts("--padding", "-1", 2)
    -1
    >>> amounts("--padding", "1:2", 2)
    ((1, 2), (1, 2))
    >>> amounts("--padding", "1x0:3", 2)
    (1, (0, 3))
    """
    entries = _entries(option, text, rank, pairs=True)
    read: tuple[Amount, ...] = tuple(entry[0] if len(entry) == 1 else (entry[0], entry[1]) for entry in entries)
    if len(read) == 1:
        return read[0] if isinstance(read[0], int) else read * rank
    return read


def padding(option: str, text: str, rank: int) -> str | int | tuple[Amount, ...]:
    """Read a padding or a cropping: a word such as ``same``, or amounts.

    Examples
    --------
    >>> padding("--padding", "same", 2)
    'same'
    >>> padding("--padding", "1:2x0:3", 2)
    ((1, 2), (0, 3))
    """
    return text if _WORD.fullmatch(text) else amounts(option, text, rank)


def _entries(option: str, text: str, rank: int, *, pairs: bool) -> tuple[tuple[int, ...], ...]:
    """Split the text into one or `rank` entries, each of one number or, with `pairs`, of two."""
    entries = [part.split(":") for part in _SEPARATOR.split(text.strip())]
    most = 2 if pairs else 1
    if not all(len(entry) <= most and all(map(_NUMBER.fullmatch, entry)) for entry in entries):
        if pairs:
            rule = "not a whole number, a before:after pair, or one of these per axis joined by x"
            remedy = f"write {option} 3, {option} 1:2 or {option} 1:2x0:3"
        else:
            rule, remedy = "not a whole number, nor one per axis joined by x", f"write {option} 3 or {option} 3x5"
        raise ConvError(option, text, rule, remedy)
    if len(entries) not in (1, rank):
        remedy = "give one for all axes" + (f", or {rank} joined by x" if rank > 1 else "")
        if rank == 1 and pairs and len(entries) == 2:
            remedy = f"before and after are written {option} {':'.join(entry[0] for entry in entries)}"
        raise ConvError(option, text, f"has {len(entries)} values for {axes_in_words(rank)}", remedy)
    return tuple(tuple(int(number) for number in entry) for entry in entries)
