"""How the weights of a layer are read, and checked against the channels of its input."""

from __future__ import annotations

import math
from typing import Any

from refconv.arguments import axes_in_words
from refconv.errors import ConvError
from refconv.functional.arrays import Array, describe, read_array

CONV_WEIGHTS = "(k..., channels / groups, filters)"
TRANSPOSED_WEIGHTS = "(k..., filters / groups, channels)"
DEPTHWISE_WEIGHTS = "(k..., channels, multiplier)"
POINTWISE_WEIGHTS = "(1..., channels * multiplier, filters)"


def read_kernel(argument: str, weights: Any, rank: int, wanted: str) -> Array:
    """Read the weights of a layer over `rank` axes.

    Parameters
    ----------
    argument : str
        Its name in an error message.
    weights : array_like
        Of `rank` kernel sizes and two sizes more.
    rank : int
        Number of spatial axes.
    wanted : str
        Such a shape in words, one of those above.

    Raises
    ------
    ConvError
        If it is no array of numbers, has another number of axes, or an empty one.

    Examples
    --------
    >>> read_kernel("weights", [[[1, 2]]], 1, CONV_WEIGHTS).shape
    (1, 1, 2)
    """
    array = read_array(argument, weights)
    if array.ndim != rank + 2:
        raise ConvError(
            argument,
            describe(array),
            f"has {array.ndim} axes, but for the {axes_in_words(rank)} of the input it needs {rank + 2}",
            f"give shape {wanted} with {rank} kernel {'size' if rank == 1 else 'sizes'}",
            "G8",
        )
    if 0 in array.shape:
        raise ConvError(argument, describe(array), "no axis may be empty", f"give shape {wanted} without zeros", "G2")
    return array


def check_channels(argument: str, weights: Array, axis: int, channels: int, groups: int = 1) -> None:
    """Check that weights are for the channels that the input has.

    Parameters
    ----------
    argument : str
        Its name in an error message.
    weights : ndarray
        What `read_kernel` returned.
    axis : int
        That of `weights` which is as long as one group has channels.
    channels, groups : int
        Of the input.

    Raises
    ------
    ConvError
        If they are not.
    """
    because = f"the input has {channels} channels"
    if groups != 1:
        because += f" in {groups} groups of {channels // groups}"
    _check_size(argument, weights, axis, channels // groups, because)


def read_steps(depthwise: Any, pointwise: Any, channels: int, rank: int) -> tuple[Array, Array]:
    """Read the weights of a separable convolution's two steps.

    Parameters
    ----------
    depthwise, pointwise : array_like
        Of shape (k..., channels, multiplier) and (1..., channels * multiplier, filters).
    channels, rank : int
        Of the input.

    Raises
    ------
    ConvError
        If they do not fit the input or each other.

    Examples
    --------
    >>> first, second = read_steps([[[1, 2]]], [[[1, 2, 3], [4, 5, 6]]], 1, 1)
    >>> first.shape, second.shape
    ((1, 1, 2), (1, 2, 3))
    """
    first = read_kernel("depthwise_weights", depthwise, rank, DEPTHWISE_WEIGHTS)
    second = read_kernel("pointwise_weights", pointwise, rank, POINTWISE_WEIGHTS)
    check_channels("depthwise_weights", first, -2, channels)
    between = math.prod(first.shape[-2:])
    _check_size("pointwise_weights", second, -2, between, f"the depthwise step gives {between} channels")
    if second.shape[:-2] != (1,) * rank:
        rule = f"its kernel size is {second.shape[:-2]}, but a pointwise kernel covers one cell"
        raise ConvError("pointwise_weights", describe(second), rule, f"give shape {POINTWISE_WEIGHTS}")
    return first, second


def _check_size(argument: str, weights: Array, axis: int, channels: int, because: str) -> None:
    if weights.shape[axis] != channels:
        right = list(weights.shape)
        right[axis] = channels
        rule = f"is for {weights.shape[axis]} channels, but {because}"
        raise ConvError(argument, describe(weights), rule, f"give shape {tuple(right)}", "G10")
