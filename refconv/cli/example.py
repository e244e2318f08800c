"""Small whole numbers for the cells of ``refconv show --values``, the same every time."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from refconv.conventions import Reading

_SEED = 1664
# A depthwise layer of one channel would look like a convolution.
_DEPTHWISE_CHANNELS = 2


def example_input(reading: Reading) -> Any:
    """Return an input of small whole numbers: one channel per group, two of a depthwise layer.

    Returns
    -------
    nested lists, shape (spatial..., channels)

    Examples
    --------
    >>> from refconv.conventions import read
    >>> example_input(read("conv", 4, kernel_size=3))
    [[4], [3], [1], [5]]
    """
    return _whole_numbers(random.Random(_SEED), (*reading.geometry.input_size, _channels(reading)), 1, 5)


def example_weights(reading: Reading, depth_multiplier: int = 1) -> Any:
    """Return weights of small whole numbers in the order of Keras' layers; None where a layer has none.

    A convolution has one filter per group, a separable layer one filter and two arrays.

    Returns
    -------
    nested lists, a pair of them, or None

    Examples
    --------
    >>> from refconv.conventions import read
    >>> example_weights(read("conv", 4, kernel_size=3))
    [[[2]], [[1]], [[-2]]]
    """
    numbers = random.Random(_SEED + 1)
    kernel, groups = reading.geometry.kernel_size, reading.geometry.groups
    if reading.layer in ("conv", "conv-transpose"):
        return _whole_numbers(numbers, (*kernel, 1, groups), -2, 3)
    if reading.layer not in ("depthwise", "separable"):
        return None
    depthwise = _whole_numbers(numbers, (*kernel, _channels(reading), depth_multiplier), -2, 3)
    if reading.layer == "depthwise":
        return depthwise
    pointwise = (*(1,) * len(kernel), _channels(reading) * depth_multiplier, 1)
    return depthwise, _whole_numbers(numbers, pointwise, -2, 3)


def _channels(reading: Reading) -> int:
    return _DEPTHWISE_CHANNELS if reading.layer in ("depthwise", "separable") else reading.geometry.groups


def _whole_numbers(numbers: random.Random, shape: tuple[int, ...], low: int, high: int) -> Any:
    if not shape:
        return numbers.randint(low, high)
    return [_whole_numbers(numbers, shape[1:], low, high) for _ in range(shape[0])]
