"""Initializers: the values that a layer's weights start from."""

from __future__ import annotations

import inspect
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refconv.arguments import whole_number
from refconv.errors import ConvError, unknown_choice

Initializer = Callable[..., np.ndarray]


class Zeros:
    """All weights zero.

    Examples
    --------
    >>> Zeros()((2,))
    array([0., 0.], dtype=float32)
    """

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> np.ndarray:
        """Return zeros of this shape."""
        return np.zeros(tuple(shape), dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {}


class Ones:
    """All weights one.

    Examples
    --------
    >>> Ones()((2,))
    array([1., 1.], dtype=float32)
    """

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> np.ndarray:
        """Return ones of this shape."""
        return np.ones(tuple(shape), dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {}


class GlorotUniform:
    """Uniform between -limit and limit, where ``limit = sqrt(6 / (fan_in + fan_out))``.

    Parameters
    ----------
    seed : int, optional
        Every call of one initializer gives the same values, as in Keras. Without a seed it draws
        one from Python's `random`, so that ``random.seed(0)`` makes a whole script repeatable.

    Raises
    ------
    ConvError
        If the seed is not a whole number from 0 on.

    Notes
    -----
    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks" (2010), equation 16. The numbers are NumPy's, so they differ from those that Keras
    draws from the same seed.

    Examples
    --------
    >>> weights = GlorotUniform(seed=1)((3, 3, 2, 4))
    >>> bool(np.all(np.abs(weights) <= np.sqrt(6 / (9 * 2 + 9 * 4))))
    True
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed if seed is None else whole_number("seed", seed, 0)
        self._drawn = random.randrange(2**32) if self.seed is None else self.seed

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> np.ndarray:
        """Return values of this shape."""
        limit = math.sqrt(6 / max(2, sum(fans(shape))))
        return np.random.default_rng(self._drawn).uniform(-limit, limit, tuple(shape)).astype(dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {"seed": self.seed}


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """Count the inputs and the outputs of one output and one input, from the shape of the weights.

    They are the kernel elements times the last but one and times the last axis, for every layer: the
    inputs of a depthwise kernel (k..., C, dm) are taken to be k*C, and those of a transposed one
    (k..., M, C) are k*M.

    Source: ``compute_fans`` in ``keras/src/initializers/random_initializers.py``, Keras 3.15.1.

    Examples
    --------
    >>> fans((3, 3, 2, 4)), fans((5,))
    ((18, 36), (5, 5))
    """
    if len(shape) < 2:
        size = math.prod(shape)
        return size, size
    elements = math.prod(shape[:-2])
    return elements * shape[-2], elements * shape[-1]


NAMES: dict[str, type[Zeros] | type[Ones] | type[GlorotUniform]] = {
    "glorot_uniform": GlorotUniform,
    "zeros": Zeros,
    "ones": Ones,
}


def get(argument: str, identifier: Any) -> Initializer:
    """Return the initializer that `identifier` stands for.

    Parameters
    ----------
    argument : str
        Name of the argument, for messages.
    identifier : str, dict, class or callable
        A name (Keras' snake case or its class name), what `serialize` returned, or a function of
        ``(shape, dtype=...)`` that returns an array.

    Raises
    ------
    ConvError
        If it is none of these.

    Examples
    --------
    >>> get("bias_initializer", "ones")((2,))
    array([1., 1.], dtype=float32)
    """
    word, arguments = identifier, {}
    if isinstance(identifier, dict) and "class_name" in identifier:
        word, arguments = identifier["class_name"], identifier.get("config", {})
    if isinstance(word, str):
        for name, kind in NAMES.items():
            if word in (name, kind.__name__):
                return _made(argument, identifier, kind, arguments)
    for kind in NAMES.values():
        if identifier is kind:
            return kind()
    if callable(identifier) and not inspect.isclass(identifier):
        return identifier
    shown = f"an array of shape {identifier.shape}" if isinstance(identifier, np.ndarray) else word
    error = unknown_choice(argument, shown, NAMES)
    raise ConvError(argument, shown, f"{error.rule}, and not a function of (shape, dtype=...)", error.remedy)


def serialize(initializer: Initializer) -> Any:
    """Return what `get` turns into `initializer` again: its class and arguments, or itself.

    Examples
    --------
    >>> serialize(GlorotUniform(seed=3))
    {'class_name': 'GlorotUniform', 'config': {'seed': 3}}
    """
    if isinstance(initializer, (GlorotUniform, Zeros, Ones)):
        return {"class_name": type(initializer).__name__, "config": initializer.get_config()}
    return initializer


def _made(argument: str, identifier: Any, kind: type, arguments: dict[str, Any]) -> Initializer:
    known = inspect.signature(kind).parameters
    # Keras writes out its newer arguments as None.
    given = {name: value for name, value in arguments.items() if name in known or value is not None}
    for name in given:
        if name not in known:
            raise ConvError(argument, identifier, f"{kind.__name__} has no argument {name!r}", "leave it out")
    return kind(**given)
