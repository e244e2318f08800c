"""The one exception of refconv, and how its message is built."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ConvError(ValueError):
    """An argument that breaks a rule of convolution arithmetic.

    The message reads: the argument and its value, the rule it breaks, the number of the
    constraint where the specification in `refconv.geometry` has one, and what would work.

    Parameters
    ----------
    argument : str
        Name of the argument, as the caller spelled it.
    value : object
        What was given.
    rule : str
        The rule that is broken, as a clause without a full stop.
    remedy : str
        What would work, as a sentence without a full stop.
    constraint : str
        The number of the constraint, such as ``"G7"``.

    Examples
    --------
    >>> raise ConvError("strides", 0, "a stride is at least 1", "use 1 or more")
    Traceback (most recent call last):
        ...
    refconv.errors.ConvError: `strides` = 0: a stride is at least 1; use 1 or more.
    """

    def __init__(self, argument: str, value: object, rule: str, remedy: str = "", constraint: str = "") -> None:
        self.argument = argument
        self.value = value
        self.rule = rule
        self.remedy = remedy
        self.constraint = constraint
        number = f" [{constraint}]" if constraint else ""
        what_works = f"; {remedy}" if remedy else ""
        stop = "" if remedy.endswith("?") else "."
        super().__init__(f"`{argument}` = {value!r}: {rule}{number}{what_works}{stop}")

    def __reduce__(self) -> tuple[type[ConvError], tuple[object, ...]]:
        # ValueError would pickle the finished message as if it were the argument's name.
        return type(self), (self.argument, self.value, self.rule, self.remedy, self.constraint)


def unknown_choice(argument: str, value: object, choices: Iterable[str]) -> ConvError:
    """Build the error for a word that is not among `choices`, naming the nearest one.

    Examples
    --------
    >>> print(unknown_choice("padding", "sane", ["valid", "same"]))
    `padding` = 'sane': not one of 'valid', 'same'; did you mean 'same'?
    """
    known = list(choices)
    near = difflib.get_close_matches(str(value).lower(), [word.lower() for word in known], n=1, cutoff=0.5)
    nearest = next((word for word in known if near and word.lower() == near[0]), None)
    rule = "not one of " + ", ".join(repr(word) for word in known)
    return ConvError(argument, value, rule, f"did you mean {nearest!r}?" if nearest else f"use {known[0]!r}")
