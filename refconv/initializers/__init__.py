"""Initializers: the values that a layer's weights start from.

An initializer is a function of ``(shape, dtype=...)`` that returns an array. Random ones draw from
NumPy in double precision and round once. One with a seed gives the same values at every call, and
those of Keras 3's NumPy backend for the same seed; JAX, PyTorch and TensorFlow draw others.

MATLAB's initializers stand in `refconv.dialects.matlab`.

Source: ``keras/src/initializers`` of Keras 3.15.1; ``keras/initializations.py`` of Keras 1.2.2 and
``keras/initializers.py`` of Keras 2.3.1 for what was different then.

Examples
--------
>>> get("ones")((2,))
array([1., 1.], dtype=float32)
>>> kernel = get("he_uniform")((3, 3, 2, 4))
>>> bool(np.all(np.abs(kernel) <= np.sqrt(6 / (9 * 2))))
True
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from refconv.identifiers import checked_version, configuration, made, plain, read_identifier, unknown_name
from refconv.initializers.constant import STFT, Constant, Given, Identity, Initializer, Ones, Zeros
from refconv.initializers.random import Orthogonal, RandomInitializer, RandomNormal, RandomUniform, TruncatedNormal
from refconv.initializers.scaling import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
    fans,
)

__all__ = [
    "NAMES",
    "STFT",
    "Constant",
    "Function",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomInitializer",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "fans",
    "get",
    "serialize",
]

# What a layer takes: an Initializer, or any function of (shape, dtype=...).
Function = Callable[..., np.ndarray]

_MODULE = "keras.initializers"

NAMES: dict[str, type[Initializer]] = {
    "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal,
    "he_uniform": HeUniform,
    "he_normal": HeNormal,
    "lecun_uniform": LecunUniform,
    "lecun_normal": LecunNormal,
    "zeros": Zeros,
    "ones": Ones,
    "constant": Constant,
    "identity": Identity,
    "random_normal": RandomNormal,
    "random_uniform": RandomUniform,
    "truncated_normal": TruncatedNormal,
    "variance_scaling": VarianceScaling,
    "orthogonal": Orthogonal,
    "stft": STFT,
}
_ALSO: dict[str, type[Initializer]] = {
    "zero": Zeros,
    "one": Ones,
    "normal": RandomNormal,
    "uniform": RandomUniform,
    "identityinitializer": Identity,
    "orthogonalinitializer": Orthogonal,
    "stftinitializer": STFT,
}


def get(identifier: Any, version: int = 3, argument: str = "initializer") -> Function:
    """Return the initializer that `identifier` stands for.

    Parameters
    ----------
    identifier : str, dict, Initializer, class, callable or ndarray
        A name of Keras 1, 2 or 3 (in snake case, or the class name), a configuration dictionary, a function
        of ``(shape, dtype=...)`` that returns an array, or the array itself, of the weights' shape.
    version : int
        Which Keras a name is one of: the normal distributions of Keras 1 are not truncated, and its
        orthogonal matrices have the gain 1.1.
    argument : str
        Name of the argument, for messages.

    Raises
    ------
    ConvError
        If it is none of these.

    Examples
    --------
    >>> get("bias_initializer")
    Traceback (most recent call last):
        ...
    refconv.errors.ConvError: `initializer` = 'bias_initializer': not one of ...
    >>> get("he_normal", version=1).distribution, get("he_normal").distribution
    ('untruncated_normal', 'truncated_normal')
    """
    initializer: Function
    named = read_identifier(argument, identifier)
    if named is not None:
        kind = ({plain(name): kind for name, kind in NAMES.items()} | _ALSO).get(plain(named.name))
        if kind is None:
            raise unknown_name(argument, named.name, NAMES, "a function of (shape, dtype=...)")
        config = dict(named.config)
        # What `serialize` wrote says its version itself, where it is not 3.
        written = isinstance(identifier, dict) and "module" in identifier
        if checked_version(version) < 3 and not written and "version" in inspect.signature(kind).parameters:
            config = {"version": version, **config}
        initializer = made(argument, named.name, kind, config)
        return initializer
    if isinstance(identifier, np.ndarray):
        return Given(argument, identifier)
    if inspect.isclass(identifier) and issubclass(identifier, Initializer):
        initializer = made(argument, identifier.__name__, identifier, {})
        return initializer
    if callable(identifier) and not inspect.isclass(identifier):
        function: Function = identifier
        return function
    raise unknown_name(argument, identifier, NAMES, "a function of (shape, dtype=...)")


def serialize(initializer: Function) -> Any:
    """Return what `get` turns into `initializer` again: its configuration as Keras writes it, or itself.

    Examples
    --------
    >>> serialize(RandomNormal(seed=3))["config"]
    {'seed': 3, 'mean': 0.0, 'stddev': 0.05}
    """
    return configuration(_MODULE, initializer) if type(initializer) in NAMES.values() else initializer
