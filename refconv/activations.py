"""Activation functions: what a layer does to every output at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from refconv.errors import ConvError, unknown_choice

Activation = Callable[[np.ndarray], np.ndarray]


def linear(x: np.ndarray) -> np.ndarray:
    """Return `x` as it is.

    Parameters
    ----------
    x : ndarray, any shape
        Values.
    """
    return x


def relu(x: np.ndarray) -> np.ndarray:
    """Return the positive part of `x`, ``max(x, 0)``.

    Parameters
    ----------
    x : ndarray, any shape
        Values; NaN stays NaN.

    Examples
    --------
    >>> relu(np.array([-1.5, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    return np.maximum(x, 0)


NAMES: dict[str, Activation] = {"linear": linear, "relu": relu}


def get(identifier: Any) -> Activation:
    """Return the activation that `identifier` stands for.

    Parameters
    ----------
    identifier : str, callable or None
        A name, a function of an array, or None for `linear`.

    Raises
    ------
    ConvError
        If it is none of these.

    Examples
    --------
    >>> get("relu") is relu, get(None) is linear, get(np.tanh) is np.tanh
    (True, True, True)
    """
    if identifier is None:
        return linear
    if isinstance(identifier, str) and identifier in NAMES:
        return NAMES[identifier]
    if callable(identifier):
        return identifier
    error = unknown_choice("activation", identifier, NAMES)
    raise ConvError("activation", identifier, f"{error.rule}, and not a function of an array", error.remedy)


def serialize(activation: Activation) -> Any:
    """Return what `get` turns into `activation` again: its name, or the function itself.

    Examples
    --------
    >>> serialize(relu)
    'relu'
    """
    return next((name for name, function in NAMES.items() if function is activation), activation)
