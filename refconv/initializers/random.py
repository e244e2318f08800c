"""Initializers that draw from a distribution whose numbers are their arguments."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from refconv.arguments import finite_number, whole_number
from refconv.errors import ConvError
from refconv.identifiers import checked_version
from refconv.initializers.constant import Initializer


class RandomInitializer(Initializer):
    """Base of the random initializers.

    Parameters
    ----------
    seed : int, optional
        Every call of one initializer gives the same values, as in Keras. Without a seed it draws one
        from Python's `random`, so that ``random.seed(0)`` makes a whole script repeatable.

    Raises
    ------
    ConvError
        If the seed is not a whole number from 0 on.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed if seed is None else whole_number("seed", seed, 0)
        # As Keras draws it.
        self._drawn = random.randint(1, 10**9) if self.seed is None else self.seed

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {"seed": self.seed}

    def _generator(self) -> np.random.Generator:
        # Keras' backends seed with pairs, of which the second is 0 for a number.
        return np.random.default_rng([self._drawn, 0])

    def _normal(self, shape: Sequence[int], mean: float, stddev: float) -> np.ndarray:
        return self._generator().normal(mean, stddev, tuple(shape))

    def _uniform(self, shape: Sequence[int], minval: float, maxval: float) -> np.ndarray:
        return self._generator().uniform(minval, maxval, tuple(shape))

    def _truncated_normal(self, shape: Sequence[int], mean: float, stddev: float) -> np.ndarray:
        generator, size = self._generator(), math.prod(shape)
        kept = np.empty(0)
        while kept.size < size:
            drawn = generator.normal(mean, stddev, size)
            kept = np.append(kept, drawn[np.abs(drawn - mean) <= 2 * stddev])
        return kept[:size].reshape(shape)


class RandomNormal(RandomInitializer):
    """Normally distributed weights.

    Parameters
    ----------
    mean, stddev : float
        Mean and standard deviation.
    seed : int, optional
        See `RandomInitializer`.

    Raises
    ------
    ConvError
        If an argument is wrong.
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = finite_number("mean", mean)
        self.stddev = finite_number("stddev", stddev, 0)

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> np.ndarray:
        """Return values of this shape and type."""
        return self._normal(shape, self.mean, self.stddev).astype(dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomNormal):
    """Normally distributed weights, drawn again where they are more than two deviations from the mean.

    The standard deviation of what is left is 0.88 times `stddev`.

    Parameters
    ----------
    mean, stddev : float
        Mean and standard deviation before truncation.
    seed : int, optional
        See `RandomInitializer`.

    Raises
    ------
    ConvError
        If an argument is wrong.
    """

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> np.ndarray:
        """Return values of this shape and type."""
        return self._truncated_normal(shape, self.mean, self.stddev).astype(dtype)


class RandomUniform(RandomInitializer):
    """Uniformly distributed weights.

    Parameters
    ----------
    minval, maxval : float
        Bounds; the lower one may be drawn, the upper one not.
    seed : int, optional
        See `RandomInitializer`.

    Raises
    ------
    ConvError
        If an argument is wrong.
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval = finite_number("minval", minval)
        self.maxval = finite_number("maxval", maxval, self.minval)

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> np.ndarray:
        """Return values of this shape and type."""
        return self._uniform(shape, self.minval, self.maxval).astype(dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class Orthogonal(RandomInitializer):
    """Orthogonal rows or columns, whichever are fewer, of the weights taken as a matrix, times a gain.

    Parameters
    ----------
    gain : float
        Factor: 1, but 1.1 in Keras 1.
    seed : int, optional
        See `RandomInitializer`.
    version : int
        The last axis makes the columns, but in Keras 1 the first makes the rows. Keras 1 and 2 take a
        singular value decomposition of numbers of NumPy's old generator, whose values for a seed are
        those of Keras 2; Keras 3 takes a QR decomposition.

    Raises
    ------
    ConvError
        If an argument is wrong; on being called, if the weights have one axis.

    Notes
    -----
    Source: Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks" (2014).

    Examples
    --------
    >>> q = Orthogonal(gain=2, seed=1)((2, 3, 4), "float64").reshape(6, 4)
    >>> np.allclose(q.T @ q, 4 * np.eye(4))
    True
    """

    def __init__(self, gain: float | None = None, seed: int | None = None, version: int = 3) -> None:
        super().__init__(seed)
        self.version = checked_version(version)
        default = 1.1 if self.version == 1 else 1.0
        self.gain = finite_number("gain", default if gain is None else gain)

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> np.ndarray:
        """Return values of this shape and type."""
        if len(shape) < 2:
            raise ConvError("shape", tuple(shape), "one axis is no matrix", "use another initializer")
        split = 1 if self.version == 1 else -1
        rows, columns = math.prod(shape[:split]), math.prod(shape[split:])
        matrix = self._by_qr(rows, columns) if self.version == 3 else self._by_svd(rows, columns)
        return (self.gain * matrix.reshape(shape)).astype(dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        config = {**super().get_config(), "gain": self.gain}
        return config if self.version == 3 else {**config, "version": self.version}

    def _by_qr(self, rows: int, columns: int) -> np.ndarray:
        q, r = np.linalg.qr(self._normal((max(rows, columns), min(rows, columns)), 0.0, 1.0))
        # Without it some orthogonal matrices would be likelier than others.
        q = q * np.sign(np.diag(r))
        return q.T if rows < columns else q

    def _by_svd(self, rows: int, columns: int) -> np.ndarray:
        drawn = np.random.RandomState(self._drawn).normal(0.0, 1.0, (rows, columns))
        u, _, v = np.linalg.svd(drawn, full_matrices=False)
        return u if u.shape == (rows, columns) else v
