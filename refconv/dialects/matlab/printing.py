"""A layer as MATLAB prints it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from refconv.arguments import is_sequence


def printed(class_name: str, name: str, groups: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the text of a layer, its names set flush right.

    Parameters
    ----------
    class_name, name : str
        Of the layer.
    groups : mapping
        Properties and their values, by the heading they stand under.

    Examples
    --------
    >>> print(printed("ReLULayer", "relu1", {"Hyperparameters": {"Stride": (4, 4)}}))
      ReLULayer with properties:
    <BLANKLINE>
          Name: 'relu1'
    <BLANKLINE>
       Hyperparameters
        Stride: [4 4]
    <BLANKLINE>
      Show all properties
    """
    width = 4 + max(len(word) for group in groups.values() for word in group)
    lines = [f"  {class_name} with properties:", "", f"{'Name':>{width}}: {value_text(name)}", ""]
    for heading, group in groups.items():
        lines += [f"   {heading}", *(f"{word:>{width}}: {value_text(value)}" for word, value in group.items()), ""]
    return "\n".join([*lines, "  Show all properties"])


def value_text(value: Any) -> str:
    """Return a property's value: a word, number or row vector itself, of a larger array the size and class.

    Examples
    --------
    >>> [value_text(value) for value in ("auto", 2, (4, 4, 2), ((0, 0, 0), (0, 0, 0)), [])]
    ["'auto'", '2', '[4 4 2]', '[2x3 double]', '[]']
    >>> value_text(np.zeros((3, 3, 1, 8), np.float32))
    '[3x3x1x8 single]'
    """
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, np.ndarray) or (is_sequence(value) and any(is_sequence(item) for item in value)):
        array = np.asarray(value)
        if array.size == 0:
            return "[]"
        kind = "single" if array.dtype == np.float32 else "double"
        return f"[{'x'.join(map(str, array.shape))} {kind}]"
    if is_sequence(value):
        return "[" + " ".join(map(str, value)) + "]"
    if callable(value):
        return f"@{getattr(value, '__name__', type(value).__name__)}"
    return f"{value:g}" if isinstance(value, float) else str(value)
