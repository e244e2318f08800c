"""Arrays on their way into the loops and out again: checks, layouts, dtypes, memory.

Loops see channels-last float64 or int64 only; the result is rounded once, to the result's dtype.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from refconv.arguments import choice
from refconv.errors import ConvError
from refconv.memory import check_memory, too_large

Array = npt.NDArray[Any]

DATA_FORMATS = ("channels_last", "channels_first")

_LARGEST_INT = np.iinfo(np.int64).max


class Description(str):
    """An array in the words of an error message."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def describe(array: Array) -> Description:
    """Say an array's shape and dtype, for an error message.

    Examples
    --------
    >>> describe(np.zeros((2, 3)))
    array of shape (2, 3) and dtype float64
    """
    return Description(f"array of shape {array.shape} and dtype {array.dtype}")


def read_array(argument: str, value: Any) -> Array:
    """Read an array of numbers: float16, float32, float64, or integers of any size.

    Lists are taken as `numpy.asarray` reads them. The array is not copied and not changed.

    Raises
    ------
    ConvError
        If it is complex, bool, longdouble, object, masked or not a regular array, or if a uint64
        does not fit into int64.

    Examples
    --------
    >>> read_array("weights", [[1, 2], [3, 4]]).dtype
    dtype('int64')
    """

    def refuse(what: Any, rule: str, remedy: str) -> NoReturn:
        raise ConvError(argument, what, rule, remedy) from None

    if isinstance(value, np.ma.MaskedArray):
        refuse(describe(value), "a masked array would lose its mask", "fill it first, with x.filled(0)")
    try:
        array = np.asarray(value)
    except Exception as error:  # Any array library may refuse in its own way.
        refuse(Description(type(value).__name__), f"not an array of numbers ({error})", "give a regular array")
    supported = array.dtype.kind in "iu" or (array.dtype.kind == "f" and array.dtype.itemsize <= 8)
    if not supported:
        remedies = {"c": "convolve the real and the imaginary part apart", "b": "convert it with x.astype(int)"}
        remedy = remedies.get(array.dtype.kind, "use float16, float32, float64 or an integer dtype")
        refuse(describe(array), f"dtype {array.dtype} is not supported", remedy)
    if array.dtype.kind == "u" and array.dtype.itemsize == 8 and array.size and array.max() > _LARGEST_INT:
        refuse(describe(array), f"the largest value, {array.max()}, does not fit into int64", "use a float dtype")
    return array


def read_format(data_format: Any) -> str:
    """Read ``"channels_last"`` or ``"channels_first"``.

    Raises
    ------
    ConvError
        For any other word, naming the nearest one.
    """
    return choice("data_format", data_format, DATA_FORMATS)


def read_signal(x: Any, data_format: Any = "channels_last", argument: str = "x") -> Array:
    """Read an array with batch, one to three spatial axes and channels.

    Parameters
    ----------
    x : array_like, shape (batch, spatial..., channels) or (batch, channels, spatial...)
        The batch may be empty.
    data_format : str
        ``"channels_last"`` or ``"channels_first"``.
    argument : str
        Its name in an error message.

    Returns
    -------
    ndarray, shape (batch, spatial..., channels)
        A view where possible.

    Raises
    ------
    ConvError
        If it is no array of numbers, has another rank, or an axis other than the batch is empty.

    Examples
    --------
    >>> read_signal(np.zeros((2, 3, 8, 9)), "channels_first").shape
    (2, 8, 9, 3)
    """
    data_format = read_format(data_format)
    array = read_array(argument, x)
    wanted = "(batch, spatial..., channels)" if data_format == "channels_last" else "(batch, channels, spatial...)"
    if not 3 <= array.ndim <= 5:
        raise ConvError(
            argument,
            describe(array),
            f"has {array.ndim} axes, but batch, channels and one to three spatial axes are 3 to 5",
            f"give shape {wanted}; reshape a single signal to a batch of one",
            "G8",
        )
    if data_format == "channels_first":
        array = np.moveaxis(array, 1, -1)
    if 0 in array.shape[1:]:
        raise ConvError(argument, describe(array), "only the batch may be empty", f"give shape {wanted} without zeros")
    return array


def result_dtype(*arrays: Array | None) -> np.dtype[Any]:
    """Return the dtype of a result: the first floating one of `arrays`, in order, else int64.

    Examples
    --------
    >>> result_dtype(np.zeros(2, np.float32), np.zeros(3, np.float64))
    dtype('float32')
    >>> result_dtype(np.zeros(2, np.int8), np.zeros(3, np.uint16))
    dtype('int64')
    """
    floats = (array.dtype.newbyteorder("=") for array in arrays if array is not None and array.dtype.kind == "f")
    return next(floats, np.dtype(np.int64))


def loop_dtype(result: npt.DTypeLike) -> np.dtype[Any]:
    """Return the dtype in which loops compute for a result of dtype `result`.

    Examples
    --------
    >>> loop_dtype(np.float16)
    dtype('float64')
    """
    return np.dtype(np.float64 if np.dtype(result).kind == "f" else np.int64)


def working_arrays(
    output_shape: Sequence[int], result: npt.DTypeLike, *arrays: Array, because: tuple[str, object] | None = None
) -> list[Array]:
    """Allocate the zero-filled output of a loop and convert its inputs, if memory suffices.

    Parameters
    ----------
    output_shape : sequence of int
        Shape of the output, in the loop's layout.
    result : dtype
        Dtype of the final result; loops compute in `loop_dtype` of it.
    *arrays : ndarray
        The loop's inputs. Their values are not changed; what is no C-contiguous array of the
        loops' dtype is copied.
    because : tuple of str and object, optional
        Argument and value which an error names; the first array as ``x`` if not given.

    Returns
    -------
    list of ndarray
        The output, then the inputs.

    Raises
    ------
    ConvError
        If all of that together does not fit into memory. Nothing is allocated then.

    Examples
    --------
    >>> out, x = working_arrays((1, 2, 1), np.float32, np.ones((1, 4, 1), np.float32))
    >>> out.dtype, x.dtype
    (dtype('float64'), dtype('float64'))
    """
    shape = tuple(int(size) for size in output_shape)
    argument, value = because or ("x", describe(arrays[0]))
    computed = loop_dtype(result)
    size = bytes_of(shape, computed)
    if np.dtype(result) != computed:
        size += bytes_of(shape, result)
    size += sum(bytes_of(array.shape, computed) for array in arrays if not _fits_loops(array, computed))
    what = f"the output of shape {shape}"
    check_memory(argument, value, what, size)
    try:
        return [
            np.zeros(shape, computed),
            *(np.require(array, computed, ["C_CONTIGUOUS", "ALIGNED"]) for array in arrays),
        ]
    except (MemoryError, ValueError):  # NumPy's own limit on the size of an array is a ValueError.
        raise too_large(argument, value, what, size, "that cannot be allocated") from None


def _fits_loops(array: Array, computed: np.dtype[Any]) -> bool:
    return array.dtype == computed and array.flags.c_contiguous and array.flags.aligned


def bytes_of(shape: Sequence[int], dtype: npt.DTypeLike) -> int:
    """Return the size of an array in bytes, however large.

    Examples
    --------
    >>> bytes_of((10**9, 10**9), float) == 8 * 10**18
    True
    """
    size = np.dtype(dtype).itemsize
    for count in shape:
        size *= int(count)
    return size


def finished(out: Array, result: npt.DTypeLike, data_format: str = "channels_last") -> Array:
    """Round a loop's output once to the result's dtype, and give it the caller's layout.

    Parameters
    ----------
    out : ndarray, shape (batch, spatial..., channels)
        What a loop filled.
    result : dtype
        Dtype of the result.
    data_format : str
        ``"channels_last"`` or ``"channels_first"``.

    Examples
    --------
    >>> finished(np.ones((1, 4, 2)), np.float16, "channels_first").shape
    (1, 2, 4)
    """
    if read_format(data_format) == "channels_first":
        out = np.moveaxis(out, -1, 1)
    # A value above float16's largest becomes inf, as in any float16 arithmetic.
    with np.errstate(all="ignore"):
        return np.ascontiguousarray(out, dtype=result)
