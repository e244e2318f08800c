"""What peers are asked for besides the output: the gradient to it that they choose, and the names of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from refconv.verify.record import Case

# The arrays that a gradient is wanted to, in the order in which layers hold them.
PARTS = ("weights", "pointwise", "bias")
Answer = dict[str, Any]


def whole_numbers(shape: Sequence[int]) -> np.ndarray:
    """Return a gradient to an output: the same small whole numbers for the same shape."""
    return np.random.default_rng(list(shape)).integers(-9, 10, shape).astype(np.float64)


def named(case: Case, dy: np.ndarray, gradients: Sequence[Any]) -> Answer:
    """Name the gradients to the input and to the arrays of a case, in the order of `PARTS`."""
    names = ["dx", *(f"d{part}" for part in PARTS if part in case.arrays)]
    return {"dy": dy, **dict(zip(names, gradients, strict=True))}
