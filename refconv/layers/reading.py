"""How the arguments that all layers share are read."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from refconv import config, initializers
from refconv.arguments import axes_in_words, choice, is_sequence, whole_number
from refconv.errors import ConvError
from refconv.functional.arrays import describe, read_array

_numbers: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)


def truth(argument: str, value: Any) -> bool:
    """Read True or False.

    Raises
    ------
    ConvError
        If it is anything else.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise ConvError(argument, value, "neither True nor False", "use a bool")
    return bool(value)


def read_data_format(value: Any) -> str:
    """Read a data format; None is what keras.json says.

    Raises
    ------
    ConvError
        If there is no such format.
    """
    return config.image_data_format() if value is None else choice("data_format", value, config.DATA_FORMATS)


def read_initializer(argument: str, value: Any, default: str, version: int = 3) -> initializers.Function:
    """Read an initializer, by a name of this version of Keras; None is the default, as Keras documents.

    Raises
    ------
    ConvError
        If there is no such initializer.
    """
    return initializers.get(default if value is None else value, version, argument)


def checked_shape(input_shape: Any, rank: int) -> tuple[int | None, ...]:
    """Read a shape: batch, `rank` sizes and channels in either order, None where unknown.

    Raises
    ------
    ConvError
        If it has another length, or an entry that is no size.
    """
    if not is_sequence(input_shape):
        raise ConvError(
            "input_shape", input_shape, "not a shape", f"give {rank + 2} sizes, batch and channels included"
        )
    shape = tuple(input_shape)
    if len(shape) != rank + 2:
        rule = f"{len(shape)} sizes, but batch, {axes_in_words(rank)} and channels are {rank + 2}"
        raise ConvError("input_shape", shape, rule, f"give {rank + 2} sizes")
    minimums = (0, *(1,) * (rank + 1))
    try:
        return tuple(
            n if n is None else whole_number("input_shape", n, m) for n, m in zip(shape, minimums, strict=True)
        )
    except ConvError as error:
        rule = f"{error.value!r} is no size: {error.rule}"
        raise ConvError("input_shape", shape, rule, "use whole numbers, or None where unknown") from None


def read_weight(argument: str, value: Any, old: np.ndarray | None, dtype: str) -> np.ndarray:
    """Read new values for the weight `old`, as a copy of type `dtype`.

    Raises
    ------
    ConvError
        If they are no array of numbers of the weight's shape, or there is no such weight.
    """
    array = read_array(argument, value)
    if old is None:
        raise ConvError(argument, describe(array), "the layer has no such weight", "make the layer with use_bias=True")
    if array.shape != old.shape:
        raise ConvError(argument, describe(array), f"the weight has shape {old.shape}", "give this shape")
    return array.astype(dtype)


def float_type(dtype: Any) -> str:
    """Read a float type by name, as NumPy's, or as the policy that Keras' `get_config` writes.

    Raises
    ------
    ConvError
        If it is not one of 16, 32 or 64 bits.

    Examples
    --------
    >>> float_type(None), float_type(np.float64)
    ('float32', 'float64')
    """
    if dtype is None:
        return config.floatx()
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name")
    if dtype is float:  # which is float32 to Keras
        return "float32"
    if not isinstance(dtype, str):
        try:
            dtype = np.dtype(dtype).name
        except TypeError:
            raise ConvError("dtype", dtype, "not a float type", "use 'float32'") from None
    return choice("dtype", dtype, config.FLOAT_TYPES)


def automatic_name(class_name: str) -> str:
    """Return the next name of a class, numbered as Keras does.

    Examples
    --------
    >>> automatic_name("ExampleConv2D"), automatic_name("ExampleConv2D")
    ('example_conv2d', 'example_conv2d_1')
    """
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", class_name)
    name = re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
    number = next(_numbers[name])
    return f"{name}_{number}" if number else name


def checked_name(name: Any) -> str:
    """Read a layer's name.

    Raises
    ------
    ConvError
        If it is empty, no string, or holds a slash, which Keras uses to join names.
    """
    if not isinstance(name, str) or not name or "/" in name:
        raise ConvError("name", name, "not a name", "use a string without '/'")
    return name
