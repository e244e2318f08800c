"""Keras 1's words for arguments, read and said in the words of `refconv.layers`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from refconv import activations, config, constraints, initializers, regularizers
from refconv.arguments import choice, per_axis, whole_number
from refconv.layers.reading import truth

VERSION = 1

# Keras 1's word: the one for the same thing in `refconv.layers`.
NEWER_WORDS = {
    "nb_filter": "filters",
    "border_mode": "padding",
    "subsample": "strides",
    "atrous_rate": "dilation_rate",
    "dim_ordering": "data_format",
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "bias": "use_bias",
    "length": "size",
}

DATA_FORMATS = {"th": "channels_first", "tf": "channels_last"}


def read_dim_ordering(value: Any) -> str:
    """Return the data format that a dim_ordering means; ``"default"`` is what keras.json says, else ``"th"``.

    Raises
    ------
    ConvError
        If there is no such ordering.

    Examples
    --------
    >>> read_dim_ordering("tf"), read_dim_ordering("default")
    ('channels_last', 'channels_first')
    """
    ordering = choice("dim_ordering", value, ("th", "tf", "default"))
    return DATA_FORMATS[config.image_dim_ordering() if ordering == "default" else ordering]


def newer(rank: int, words: dict[str, Any]) -> dict[str, Any]:
    """Return a layer's arguments in the words of `refconv.layers`, each one read.

    Parameters
    ----------
    rank : int
        Spatial axes.
    words : dict
        Keras 1's arguments by name; others stay as they are.

    Raises
    ------
    ConvError
        Naming Keras 1's word, if a value is wrong.

    Examples
    --------
    >>> newer(2, {"nb_filter": 4, "subsample": 2, "bias": False})
    {'filters': 4, 'strides': (2, 2), 'use_bias': False}
    """
    readers: dict[str, Callable[[Any], Any]] = {
        "nb_filter": lambda value: whole_number("nb_filter", value, 1),
        "subsample": lambda value: per_axis("subsample", value, rank),
        "atrous_rate": lambda value: per_axis("atrous_rate", value, rank),
        "dim_ordering": read_dim_ordering,
        "init": lambda value: initializers.get(value, VERSION, "init"),
        "activation": lambda value: activations.get(value, VERSION),
        "bias": lambda value: truth("bias", value),
        "length": lambda value: whole_number("length", value, 1),
    }
    for word in words:
        if word.endswith("_regularizer"):
            readers[word] = partial(regularizers.get, version=VERSION, argument=word)
        elif word.endswith("_constraint"):
            readers[word] = partial(constraints.get, version=VERSION, argument=word)
    return {
        NEWER_WORDS.get(word, word): readers[word](value) if word in readers else value for word, value in words.items()
    }
