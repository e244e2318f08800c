"""Weights that are used again, together with the copies that kernels read them from."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class PackedWeights:
    """Weights together with their packed copies, for a layer that calls often.

    Where the weights have changed, in place too, the copies are made anew.

    Parameters
    ----------
    weights : ndarray
        C-contiguous. Not copied.

    Examples
    --------
    >>> weights = np.ones((3, 2, 5), np.float32)
    >>> kept = PackedWeights(weights)
    >>> kept.packed("doubled", lambda: 2 * weights) is kept.packed("doubled", lambda: 2 * weights)
    True
    >>> weights[0] = 7
    >>> kept.packed("doubled", lambda: 2 * weights).max()
    np.float32(14.0)
    """

    def __init__(self, weights: Array) -> None:
        self.weights = weights
        self._packed_from: Array | None = None
        self._copies: dict[Hashable, Array] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weights."""
        return self.weights.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the weights."""
        return self.weights.dtype

    @property
    def flags(self) -> Any:
        """NumPy's flags of the weights."""
        return self.weights.flags

    @property
    def nbytes(self) -> int:
        """Bytes of the weights, without the copies."""
        return self.weights.nbytes

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.weights, dtype, copy=copy)

    def packed(self, key: Hashable, pack: Callable[[], Array]) -> Array:
        """Return the copy of this key, which `pack` makes where there is none of the present weights."""
        if not self._unchanged():
            self._copies.clear()
            self._packed_from = self.weights.copy()
        if key not in self._copies:
            self._copies[key] = pack()
        return self._copies[key]

    def _unchanged(self) -> bool:
        # As bits, so that NaN equals itself.
        bits = f"u{self.weights.itemsize}"
        before = self._packed_from
        return before is not None and np.array_equal(before.view(bits), self.weights.view(bits))
