"""The values that a MATLAB layer's weights and bias start from."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np

from refconv.arguments import choice
from refconv.dialects.matlab.words import read_padded
from refconv.errors import ConvError
from refconv.functional.arrays import Array, describe

WEIGHTS = ("glorot", "he", "narrow-normal", "zeros", "ones")
BIAS = ("zeros", "narrow-normal", "ones")

Initializer = str | Callable[[tuple[int, ...]], Any]


def read_initializer(argument: str, value: Any) -> Initializer:
    """Read the name of an initializer, or a function of the size.

    Raises
    ------
    ConvError
        If it is neither.

    Examples
    --------
    >>> read_initializer("WeightsInitializer", "He"), read_initializer("BiasInitializer", np.ones) is np.ones
    ('he', True)
    """
    if callable(value):
        function: Callable[[tuple[int, ...]], Any] = value
        return function
    names = WEIGHTS if argument == "WeightsInitializer" else BIAS
    try:
        return choice(argument, value, names)
    except ConvError as error:
        raise ConvError(argument, value, f"{error.rule}, and no function of the size", error.remedy) from None


def initial_values(argument: str, initializer: Initializer, size: tuple[int, ...], inputs: int, outputs: int) -> Array:
    """Return the values of an initializer.

    Parameters
    ----------
    argument : str
        Whose initializer it is, for messages.
    initializer : str or callable
        What `read_initializer` returned.
    size : tuple of int
        MATLAB's size of the array.
    inputs, outputs : int
        ``prod(FilterSize) * NumChannels`` and ``prod(FilterSize) * NumFilters``.

    Returns
    -------
    ndarray, shape `size`
        Drawn anew at every call, from Python's `random`, so that ``random.seed(0)`` makes a script repeatable.

    Raises
    ------
    ConvError
        If a function returned no array of this size.

    Notes
    -----
    Source: MATLAB's documentation of ``transposedConv3dLayer``: "glorot" is uniform of variance
    ``2 / (inputs + outputs)``, "he" normal of variance ``2 / inputs``, "narrow-normal" normal of standard
    deviation 0.01; neither is truncated.

    Examples
    --------
    >>> initial_values("BiasInitializer", "ones", (1, 1, 3), 1, 1)
    array([[[1., 1., 1.]]])
    """
    if callable(initializer):
        made = read_padded(argument, initializer(size), len(size))
        if made.shape != size:
            raise ConvError(argument, describe(made), f"the size asked for was {size}", "return an array of it")
        return made
    if initializer in ("zeros", "ones"):
        return np.full(size, 1.0 if initializer == "ones" else 0.0)
    generator = np.random.default_rng(random.randrange(2**32))
    if initializer == "glorot":
        # A uniform distribution on (-limit, limit) has variance limit^2 / 3.
        limit = math.sqrt(6 / (inputs + outputs))
        return generator.uniform(-limit, limit, size)
    return generator.normal(0, math.sqrt(2 / inputs) if initializer == "he" else 0.01, size)
