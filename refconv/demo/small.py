"""A version of every layer that is small enough for an animation with numbers in its cells."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

_SEED = 1603


class Small(NamedTuple):
    """A layer and its input, to be animated.

    Attributes
    ----------
    name : str
        The file's name, without the ending.
    arguments : str
        The layer's arguments, briefly.
    layer : object
        One of `refconv.layers`, with small whole numbers as weights.
    x : ndarray, shape (rows, columns, channels)
        Small whole numbers.
    """

    name: str
    arguments: str
    layer: Any
    x: Any


def small_layers() -> tuple[Small, ...]:
    """Return a small version of every part of the demonstration, the same every time."""
    from refconv import layers

    return (
        _small("conv", "3x3, padding same", layers.Conv2D(1, 3, padding="same", use_bias=False), (3, 3, 1)),
        _small("dilated", "3x3, dilation 2", layers.Conv2D(1, 3, dilation_rate=2, use_bias=False), (6, 6, 1)),
        _small("depthwise", "1x3", layers.DepthwiseConv2D((1, 3), use_bias=False), (3, 4, 2)),
        _small("strided", "3x3, stride 2", layers.Conv2D(1, 3, strides=2, use_bias=False), (6, 6, 1)),
        _small(
            "transposed",
            "3x3, stride 2, padding same",
            layers.Conv2DTranspose(1, 3, strides=2, padding="same", use_bias=False),
            (2, 2, 1),
        ),
        _small("upsampling", "size 2, nearest", layers.UpSampling2D(2), (2, 3, 1)),
    )


def _small(name: str, arguments: str, layer: Any, shape: tuple[int, int, int]) -> Small:
    numbers = np.random.default_rng(_SEED)
    layer.build((1, *shape))
    layer.set_weights([numbers.integers(-2, 4, weights.shape) for weights in layer.get_weights()])
    return Small(name, arguments, layer, numbers.integers(1, 6, shape))
