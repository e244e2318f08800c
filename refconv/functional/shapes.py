"""How the shapes of a layer's input and output are read and checked, and how errors name them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from refconv.arguments import is_sequence, whole_number
from refconv.errors import ConvError
from refconv.functional.arrays import Array, describe, read_array, read_format, read_signal
from refconv.geometry import ConvGeometry


def read_shape(input_shape: Any, data_format: Any = "channels_last") -> tuple[int, ...]:
    """Read the shape of the forward pass' input.

    Parameters
    ----------
    input_shape : sequence of int
        Batch, one to three spatial axes and channels, in the order of `data_format`.
    data_format : str
        ``"channels_last"`` or ``"channels_first"``.

    Returns
    -------
    tuple of int
        (batch, spatial..., channels).

    Raises
    ------
    ConvError
        If it has another length, or an entry that is no size.

    Examples
    --------
    >>> read_shape((2, 3, 8, 9), "channels_first")
    (2, 8, 9, 3)
    """
    data_format = read_format(data_format)
    wanted = "(batch, spatial..., channels)" if data_format == "channels_last" else "(batch, channels, spatial...)"
    if not is_sequence(input_shape) or not 3 <= len(input_shape) <= 5:
        rule = "batch, channels and one to three spatial axes are 3 to 5 sizes"
        raise ConvError("input_shape", input_shape, rule, f"give {wanted}", "G8")
    batch, *sizes = (whole_number("input_shape", size) for size in input_shape)
    if batch < 0 or min(sizes) < 1:
        raise ConvError("input_shape", tuple(input_shape), "only the batch may be empty", f"give {wanted}", "G1")
    return (batch, *sizes[1:], sizes[0]) if data_format == "channels_first" else (batch, *sizes)


def read_gradient(dy: Any, shape: Sequence[int | None], data_format: Any = "channels_last") -> Array:
    """Read the gradient to an output.

    Parameters
    ----------
    dy : array_like, shape of the output
        In the order of `data_format`.
    shape : sequence of int or None
        The output's (batch, spatial..., channels), None where any number will do.
    data_format : str
        ``"channels_last"`` or ``"channels_first"``.

    Returns
    -------
    ndarray, shape (batch, spatial..., channels)
        A view where possible.

    Raises
    ------
    ConvError
        If it is no array of numbers or has another shape.

    Examples
    --------
    >>> read_gradient([[[1, 2, 3]]], (None, 3, 1), "channels_first").shape
    (1, 3, 1)
    """
    signal = read_signal(dy, data_format, "dy")
    fits = len(signal.shape) == len(shape) and all(
        wanted in (None, size) for size, wanted in zip(signal.shape, shape, strict=True)
    )
    if not fits:
        batch, *sizes, channels = ("any" if size is None else str(size) for size in shape)
        order = [batch, *sizes, channels] if read_format(data_format) == "channels_last" else [batch, channels, *sizes]
        written = f"({', '.join(order)})"
        given = describe(read_array("dy", dy))
        raise ConvError("dy", given, f"the output has shape {written}", f"give shape {written}")
    return signal


def check_input_size(geometry: ConvGeometry, x: Array) -> None:
    """Check that an input is as large as a geometry says.

    Raises
    ------
    ConvError
        If it is not.
    """
    if x.shape[1:-1] != geometry.input_size:
        raise ConvError(
            "x",
            describe(x),
            f"its spatial size is {x.shape[1:-1]}, but the geometry's input is {geometry.input_size}",
            f"give shape (batch, {', '.join(map(str, geometry.input_size))}, channels)",
        )


@contextlib.contextmanager
def renamed(**names: str | tuple[str, object]) -> Iterator[None]:
    """Let an error name what the caller gave.

    Parameters
    ----------
    **names
        For the name of an argument in an error its name here, or its name and value.

    Examples
    --------
    >>> with renamed(x="dy"):
    ...     raise ConvError("x", 0, "too small")
    Traceback (most recent call last):
        ...
    refconv.errors.ConvError: `dy` = 0: too small.
    """
    try:
        yield
    except ConvError as error:
        if error.argument not in names:
            raise
        name = names[error.argument]
        argument, value = (name, error.value) if isinstance(name, str) else name
        raise ConvError(argument, value, error.rule, error.remedy, error.constraint) from None
