"""Regularizers: what large weights, or large outputs, add to the loss, and its gradient.

A regularizer is a function of an array that returns a number: ``L2(0.01)(weights)``; its gradient to
the array is ``L2(0.01).gradient(weights)``. Sums are taken in double precision.

Source: ``keras/src/regularizers/regularizers.py`` of Keras 3.15.1; the names of Keras 1.2.2, 2.3.1 and
TensorFlow 2.4 are read too.

Examples
--------
>>> regularizer = get("l2")
>>> weights = np.array([[1.0, -2.0]])
>>> regularizer(weights), regularizer.gradient(weights)
(0.05, array([[ 0.02, -0.04]]))
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from refconv.arguments import choice, finite_number
from refconv.errors import ConvError
from refconv.identifiers import checked_version, configuration, made, plain, read_identifier, unknown_name

# What a layer takes: a Regularizer, or any function of an array that returns a number.
Function = Callable[[np.ndarray], Any]

_MODULE = "keras.regularizers"


class Regularizer:
    """Base of the regularizers; one of one's own needs `__call__`, and `gradient` to be trained with."""

    def __call__(self, w: Any) -> float:
        """Return what the array `w` adds to the loss."""
        raise NotImplementedError

    def gradient(self, w: Any) -> np.ndarray:
        """Return the gradient of what is added, to every element of `w`; of the type of `w`."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a regularizer from what `get_config` returned."""
        return cls(**config)


class L1L2(Regularizer):
    """The sum ``l1 * sum(|w|) + l2 * sum(w**2)``.

    Parameters
    ----------
    l1, l2 : float
        Factors; None is 0.

    Raises
    ------
    ConvError
        If a factor is negative or no finite number.

    Examples
    --------
    >>> L1L2(l1=1, l2=0.5)(np.array([1.0, -2.0]))
    5.5
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = finite_number("l1", 0.0 if l1 is None else l1, 0)
        self.l2 = finite_number("l2", 0.0 if l2 is None else l2, 0)

    def __call__(self, w: Any) -> float:
        """Return what the array `w` adds to the loss."""
        wide = np.asarray(w, np.float64)
        return float(self.l1 * np.sum(np.abs(wide)) + self.l2 * np.sum(np.square(wide)))

    def gradient(self, w: Any) -> np.ndarray:
        """Return ``l1 * sign(w) + 2 * l2 * w``, of the type of `w`."""
        wide = np.asarray(w, np.float64)
        return _like(w, self.l1 * np.sign(wide) + 2 * self.l2 * wide)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {"l1": self.l1, "l2": self.l2}


class L1(L1L2):
    """The sum ``l1 * sum(|w|)``.

    Parameters
    ----------
    l1 : float
        Factor; None is 0.01.

    Raises
    ------
    ConvError
        If it is negative or no finite number.
    """

    def __init__(self, l1: float | None = 0.01) -> None:
        super().__init__(l1=0.01 if l1 is None else l1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {"l1": self.l1}


class L2(L1L2):
    """The sum ``l2 * sum(w**2)``.

    Parameters
    ----------
    l2 : float
        Factor; None is 0.01.

    Raises
    ------
    ConvError
        If it is negative or no finite number.
    """

    def __init__(self, l2: float | None = 0.01) -> None:
        super().__init__(l2=0.01 if l2 is None else l2)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """The mean of ``|cos|`` of the angles between the rows, or columns, of a matrix, times a factor.

    Parameters
    ----------
    factor : float
        Factor of the mean.
    mode : str
        ``"rows"`` or ``"columns"``.

    Raises
    ------
    ConvError
        If an argument is wrong; on being called, if the array is no matrix, as no kernel of a convolution is.

    Notes
    -----
    One row alone adds 0, where Keras divides by no pairs.

    Examples
    --------
    >>> round(OrthogonalRegularizer(factor=1)(np.array([[1.0, 0.0], [3.0, 4.0]])), 12)
    0.6
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = finite_number("factor", factor, 0)
        self.mode = choice("mode", mode, ("rows", "columns"))

    def __call__(self, w: Any) -> float:
        """Return what the matrix `w` adds to the loss."""
        unit, _ = self._unit_rows(w)
        cosines = unit @ unit.T
        np.fill_diagonal(cosines, 0)
        return float(self.factor * 0.5 * np.sum(np.abs(cosines)) / _pairs(len(unit)))

    def gradient(self, w: Any) -> np.ndarray:
        """Return the gradient of what is added, to every element of `w`; of the type of `w`."""
        unit, norms = self._unit_rows(w)
        cosines = unit @ unit.T
        np.fill_diagonal(cosines, 0)
        to_unit = self.factor / _pairs(len(unit)) * np.sign(cosines) @ unit
        # A row's length does not change its direction: what points along the row has no effect.
        along = np.sum(to_unit * unit, axis=1, keepdims=True) * unit
        rows = (to_unit - along) / norms
        return _like(w, rows if self.mode == "rows" else rows.T)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {"factor": self.factor, "mode": self.mode}

    def _unit_rows(self, w: Any) -> tuple[np.ndarray, np.ndarray]:
        matrix = np.asarray(w, np.float64)
        if matrix.ndim != 2:
            rule = f"compares the rows or columns of a matrix, not an array of shape {matrix.shape}"
            raise ConvError("regularizer", "orthogonal_regularizer", rule, "use 'l1', 'l2' or 'l1_l2'")
        rows = matrix if self.mode == "rows" else matrix.T
        norms = np.maximum(np.sqrt(np.sum(np.square(rows), axis=1, keepdims=True)), 1e-7)
        return rows / norms, norms


def _pairs(size: int) -> float:
    return max(size * (size - 1) / 2, 1)


def _like(w: Any, values: np.ndarray) -> np.ndarray:
    dtype = np.asarray(w).dtype
    return values.astype(dtype, copy=False) if dtype.kind == "f" else values


_CLASSES: tuple[type[Regularizer], ...] = (L1, L2, L1L2, OrthogonalRegularizer)
NAMES: dict[str, type[Regularizer]] = {
    "l1": L1,
    "l2": L2,
    "l1_l2": L1L2,
    "orthogonal_regularizer": OrthogonalRegularizer,
}
# Keras 1 had names of their own for the regularizers of outputs, and for the class.
_OLD_NAMES: dict[str, type[Regularizer]] = {
    "activityl1": L1,
    "activityl2": L2,
    "activityl1l2": L1L2,
    "l1l2regularizer": L1L2,
    "weightregularizer": L1L2,
    "activityregularizer": L1L2,
}


def get(identifier: Any, version: int = 3, argument: str = "regularizer") -> Function | None:
    """Return the regularizer that `identifier` stands for.

    Parameters
    ----------
    identifier : str, dict, Regularizer, class, callable or None
        A name of Keras 1, 2 or 3, a configuration dictionary of any of them, a function of an array that
        returns a number, or None.
    version : int
        Which Keras a name is one of: ``"l1_l2"`` has the factors 0 in Keras 3, and 0.01 before.
    argument : str
        Name of the argument, for messages.

    Raises
    ------
    ConvError
        If it is none of these.

    Examples
    --------
    >>> get("l1_l2").get_config(), get("l1l2", version=1).get_config()
    ({'l1': 0.0, 'l2': 0.0}, {'l1': 0.01, 'l2': 0.01})
    >>> get({"name": "WeightRegularizer", "l1": 0.5}).get_config()
    {'l1': 0.5, 'l2': 0.0}
    """
    old = checked_version(version) < 3
    if identifier is None:
        return None
    named = read_identifier(argument, identifier)
    if named is not None:
        known = {plain(name): kind for name, kind in NAMES.items()} | _OLD_NAMES
        kind = known.get(plain(named.name))
        if kind is None:
            raise unknown_name(argument, named.name, NAMES, "a function of an array")
        config = dict(named.config)
        if "l" in config and kind in (L1, L2):
            config[kind.__name__.lower()] = config.pop("l")
        # In lower case it is the function, in capitals the class, whose factors were always 0.
        if old and kind is L1L2 and named.name.islower():
            config = {"l1": 0.01, "l2": 0.01, **config}
        regularizer: Function = made(argument, named.name, kind, config)
        return regularizer
    if inspect.isclass(identifier) and identifier in _CLASSES:
        return identifier()
    if callable(identifier) and not inspect.isclass(identifier):
        function: Function = identifier
        return function
    raise unknown_name(argument, identifier, NAMES, "a function of an array")


def gradient(regularizer: Function, w: Any, argument: str = "regularizer") -> np.ndarray:
    """Return the gradient to `w` of any regularizer that has one.

    Raises
    ------
    ConvError
        If it is a plain function, whose gradient is not known.

    Examples
    --------
    >>> gradient(L1(0.5), np.array([3.0, -4.0]))
    array([ 0.5, -0.5])
    """
    pull_back = getattr(regularizer, "gradient", None)
    if pull_back is None:
        remedy = "give a name, or an object with __call__(w) and gradient(w)"
        raise ConvError(argument, regularizer, "a function whose gradient is not known", remedy)
    return np.asarray(pull_back(w))


def serialize(regularizer: Function | None) -> Any:
    """Return what `get` turns into `regularizer` again: its configuration as Keras writes it, or itself.

    Examples
    --------
    >>> serialize(L2(0.5))
    {'module': 'keras.regularizers', 'class_name': 'L2', 'config': {'l2': 0.5}, 'registered_name': None}
    """
    return configuration(_MODULE, regularizer) if type(regularizer) in _CLASSES else regularizer
