"""Constraints: where weights are moved to after every step of training.

A constraint is a function of an array of weights that returns the array it allows: ``MaxNorm(2,
axis=[0, 1, 2])(kernel)``. The array itself stays as it is. Norms are taken in double precision.

Source: ``keras/src/constraints/constraints.py`` of Keras 3.15.1; the names of Keras 1.2.2 and 2.3.1 are
read too.

Examples
--------
>>> get("non_neg")(np.array([1.0, -2.0]))
array([1., 0.])
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from refconv.arguments import finite_number, is_sequence, whole_number
from refconv.errors import ConvError
from refconv.identifiers import checked_version, configuration, made, plain, read_identifier, unknown_name

# What a layer takes: a Constraint, or any function of an array that returns one of its shape.
Function = Callable[[np.ndarray], np.ndarray]
Axes = int | Sequence[int]

# Keras' default epsilon, which keeps a norm of 0 from being divided by.
EPSILON = 1e-7

_MODULE = "keras.constraints"


class Constraint:
    """Base of the constraints; one of one's own needs `__call__`."""

    def __call__(self, w: Any) -> np.ndarray:
        """Return the weights that are allowed instead of `w`."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a constraint from what `get_config` returned."""
        return cls(**config)


class NonNeg(Constraint):
    """Weights are at least 0."""

    def __call__(self, w: Any) -> np.ndarray:
        """Return the positive part of `w`."""
        return np.maximum(w, 0)


class MinMaxNorm(Constraint):
    """Norms are moved to between two bounds.

    Parameters
    ----------
    min_value, max_value : float
        Bounds of the norm.
    rate : float
        How far a norm is moved to the nearest allowed one: 1 all the way.
    axis : int or sequence of int
        Axes whose elements make up a norm. The default, 0, fits a matrix; one norm for every filter of a
        convolution's kernel (k..., channels, filters) needs all axes but the last, ``[0, 1, 2]`` in
        two dimensions.

    Raises
    ------
    ConvError
        If an argument is wrong; on being called, if the weights have no such axis.

    Examples
    --------
    >>> MinMaxNorm(2, 3)(np.array([[3.0, 0.6], [4.0, 0.8]])).round(6)
    array([[1.8, 1.2],
           [2.4, 1.6]])
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axes = 0) -> None:
        self.min_value = _number("min_value", min_value, 0)
        self.max_value = _number("max_value", max_value, self.min_value)
        self.rate = _number("rate", rate, 0)
        self.axis = _axes(axis)

    def __call__(self, w: Any) -> np.ndarray:
        """Return `w` with its norms moved."""
        norms, wide = _norms(w, self.axis)
        wanted = self.rate * np.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return _like(w, wide * (wanted / (EPSILON + norms)))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


class MaxNorm(Constraint):
    """Norms are at most a bound.

    Parameters
    ----------
    max_value : float
        Bound of the norm.
    axis : int or sequence of int
        Axes whose elements make up a norm. The default, 0, fits a matrix; one norm for every filter of a
        convolution's kernel (k..., channels, filters) needs all axes but the last, ``[0, 1, 2]`` in
        two dimensions.

    Raises
    ------
    ConvError
        If an argument is wrong; on being called, if the weights have no such axis.

    Examples
    --------
    >>> MaxNorm(2)(np.array([[3.0, 0.6], [4.0, 0.8]])).round(6)
    array([[1.2, 0.6],
           [1.6, 0.8]])
    """

    def __init__(self, max_value: float = 2, axis: Axes = 0) -> None:
        self.max_value = _number("max_value", max_value, 0)
        self.axis = _axes(axis)

    def __call__(self, w: Any) -> np.ndarray:
        """Return `w` with its norms bounded."""
        norms, wide = _norms(w, self.axis)
        return _like(w, wide * (np.minimum(norms, self.max_value) / (EPSILON + norms)))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {"max_value": self.max_value, "axis": self.axis}


class UnitNorm(Constraint):
    """Norms are 1.

    Parameters
    ----------
    axis : int or sequence of int
        Axes whose elements make up a norm. The default, 0, fits a matrix; one norm for every filter of a
        convolution's kernel (k..., channels, filters) needs all axes but the last, ``[0, 1, 2]`` in
        two dimensions.

    Raises
    ------
    ConvError
        If an axis is no whole number; on being called, if the weights have no such axis.

    Examples
    --------
    >>> UnitNorm()(np.array([[3.0], [4.0]])).round(6)
    array([[0.6],
           [0.8]])
    """

    def __init__(self, axis: Axes = 0) -> None:
        self.axis = _axes(axis)

    def __call__(self, w: Any) -> np.ndarray:
        """Return `w` divided by its norms."""
        norms, wide = _norms(w, self.axis)
        return _like(w, wide / (EPSILON + norms))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {"axis": self.axis}


def _number(argument: str, value: Any, minimum: float) -> float:
    number = finite_number(argument, value, minimum)
    # A whole number stays one, as in Keras' configurations.
    return int(value) if isinstance(value, (int, np.integer)) else number


def _axes(axis: Any) -> Any:
    return [whole_number("axis", item) for item in axis] if is_sequence(axis) else whole_number("axis", axis)


def _norms(w: Any, axis: Any) -> tuple[np.ndarray, np.ndarray]:
    wide = np.asarray(w, np.float64)
    axes = tuple(axis) if isinstance(axis, list) else axis
    try:
        return np.sqrt(np.sum(np.square(wide), axis=axes, keepdims=True)), wide
    except ValueError:
        rule = f"not an axis, or not different axes, of weights of shape {wide.shape}"
        raise ConvError("axis", axis, rule, f"use numbers from 0 to {wide.ndim - 1}") from None


def _like(w: Any, values: np.ndarray) -> np.ndarray:
    dtype = np.asarray(w).dtype
    return values.astype(dtype, copy=False) if dtype.kind == "f" else values


_CLASSES: tuple[type[Constraint], ...] = (MaxNorm, NonNeg, UnitNorm, MinMaxNorm)
NAMES: dict[str, type[Constraint]] = {
    "max_norm": MaxNorm,
    "non_neg": NonNeg,
    "unit_norm": UnitNorm,
    "min_max_norm": MinMaxNorm,
}
# Keras 1's words for the arguments.
_RENAMED = {"m": "max_value", "low": "min_value", "high": "max_value"}


def get(identifier: Any, version: int = 3, argument: str = "constraint") -> Function | None:
    """Return the constraint that `identifier` stands for.

    Parameters
    ----------
    identifier : str, dict, Constraint, class, callable or None
        A name of Keras 1, 2 or 3, a configuration dictionary of any of them, a function of an array that
        returns one of its shape, or None.
    version : int
        Which Keras a name is one of; the numbers are the same in all.
    argument : str
        Name of the argument, for messages.

    Raises
    ------
    ConvError
        If it is none of these.

    Examples
    --------
    >>> get("maxnorm").get_config(), get({"name": "MaxNorm", "m": 3, "axis": 1}).get_config()
    ({'max_value': 2, 'axis': 0}, {'max_value': 3, 'axis': 1})
    """
    checked_version(version)
    if identifier is None:
        return None
    named = read_identifier(argument, identifier)
    if named is not None:
        kind = {plain(name): kind for name, kind in NAMES.items()}.get(plain(named.name))
        if kind is None:
            raise unknown_name(argument, named.name, NAMES, "a function of an array")
        config = {_RENAMED.get(word, word): value for word, value in named.config.items()}
        constraint: Function = made(argument, named.name, kind, config)
        return constraint
    if inspect.isclass(identifier) and identifier in _CLASSES:
        return identifier()
    if callable(identifier) and not inspect.isclass(identifier):
        function: Function = identifier
        return function
    raise unknown_name(argument, identifier, NAMES, "a function of an array")


def serialize(constraint: Function | None) -> Any:
    """Return what `get` turns into `constraint` again: its configuration as Keras writes it, or itself.

    Examples
    --------
    >>> serialize(NonNeg())
    {'module': 'keras.constraints', 'class_name': 'NonNeg', 'config': {}, 'registered_name': None}
    """
    return configuration(_MODULE, constraint) if type(constraint) in _CLASSES else constraint
