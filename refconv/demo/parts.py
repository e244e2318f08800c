"""The photograph, and the layers it runs through.

The photograph is matplotlib's own sample of Grace Hopper (public domain). The weights are chosen by
hand, so that every map shows something that can be recognised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LUMINANCE = np.array([0.299, 0.587, 0.114])

BLUR = np.outer([1, 2, 1], [1, 2, 1]) / 16
SHARPEN = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
SOBEL_X = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 4
DOT = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
BILINEAR = np.outer([1, 2, 1], [1, 2, 1]) / 4


class Map(NamedTuple):
    """One feature map as it is shown.

    Attributes
    ----------
    caption : str
        What it shows.
    kind : str
        ``"grey"`` from 0 to 1, ``"signed"`` around 0, or ``"colour"`` (three maps as red, green, blue).
    channels : slice
        Which channels of the output it is.
    """

    caption: str
    kind: str
    channels: slice


class Part(NamedTuple):
    """One layer of the demonstration.

    Attributes
    ----------
    name : str
        File name of its animation, without the ending.
    title : str
        What it is called in the figure.
    layer : object
        One of `refconv.layers`, with its weights set.
    arguments : str
        The layer's arguments, briefly.
    maps : tuple of Map
        What its output shows.
    after : str
        Name of the part whose output it reads; empty for the photograph.
    """

    name: str
    title: str
    layer: Any
    arguments: str
    maps: tuple[Map, ...]
    after: str = ""


def photograph() -> NDArray[np.float32]:
    """Return the photograph.

    Returns
    -------
    ndarray, shape (1, 150, 128, 3), float32
        Red, green and blue in [0, 1]; each pixel is the mean of 4 x 4 of the file's.
    """
    from matplotlib import cbook
    from matplotlib.image import imread

    pixels = imread(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False), format="jpg")[:600, :512]
    blocks = pixels.reshape(150, 4, 128, 4, 3).astype(np.float64)
    return (blocks.mean(axis=(1, 3)) / 255).astype(np.float32)[np.newaxis]


def gabor(size: int, degrees: float) -> NDArray[np.float64]:
    """Return a striped patch, such as the first layer of a trained network learns.

    Parameters
    ----------
    size : int
        Rows and columns.
    degrees : float
        Direction across the stripes.
    """
    centre = (size - 1) / 2
    y, x = (np.indices((size, size)) - centre) / centre
    across = x * np.cos(np.radians(degrees)) + y * np.sin(np.radians(degrees))
    patch = np.exp(-2.5 * (x**2 + y**2)) * np.sin(np.pi * across)
    return patch / np.abs(patch).sum()


def grey(*patches: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights that see the photograph's luminance: shape (rows, columns, 3, patches)."""
    return np.stack([patch[..., np.newaxis] * LUMINANCE for patch in patches], axis=-1)


def parts() -> tuple[Part, ...]:
    """Return the layers in the order they run, their weights set."""
    from refconv import layers

    four = (
        Map("blur", "grey", slice(0, 1)),
        Map("sharpen", "grey", slice(1, 2)),
        Map("left-right edges", "signed", slice(2, 3)),
        Map("up-down edges", "signed", slice(3, 4)),
    )
    weights = grey(BLUR, SHARPEN, SOBEL_X, SOBEL_X.T)
    shifts = np.zeros((1, 9, 3, 1))
    shifts[0, [0, 4, 8], [0, 1, 2]] = 1
    window = np.outer(np.hanning(9)[1:-1], np.hanning(9)[1:-1])
    window /= window.sum()
    warm = (window[..., np.newaxis] * [1, -1, 0])[..., np.newaxis]
    learned = np.concatenate([grey(window, gabor(7, 0), gabor(7, 60)), warm], axis=-1)
    stamps = np.zeros((3, 3, 4, 4))
    for stamp, patch in enumerate((DOT, np.ones((3, 3)) / 4, BILINEAR)):
        stamps[:, :, stamp, 0] = patch
    stamps[:, :, 3, 3] = BILINEAR
    reduced = (
        Map("smooth window", "grey", slice(0, 1)),
        Map("stripes at 0°", "signed", slice(1, 2)),
        Map("stripes at 60°", "signed", slice(2, 3)),
        Map("red against green", "signed", slice(3, 4)),
    )
    return (
        _part("conv", "Convolution", layers.Conv2D, weights, four, "3x3, padding same", (4, 3), padding="same"),
        _part(
            "dilated", "Dilated convolution", layers.Conv2D, weights, four, "3x3, dilation 4", (4, 3), dilation_rate=4
        ),
        _part(
            "depthwise",
            "Depthwise convolution",
            layers.DepthwiseConv2D,
            shifts,
            (
                Map("red, moved right", "grey", slice(0, 1)),
                Map("green, kept", "grey", slice(1, 2)),
                Map("blue, moved left", "grey", slice(2, 3)),
                Map("all three", "colour", slice(0, 3)),
            ),
            "1x9, padding same",
            ((1, 9),),
            padding="same",
        ),
        _part("strided", "Strided convolution", layers.Conv2D, learned, reduced, "7x7, stride 2", (4, 7), strides=2),
        _part(
            "transposed",
            "Transposed convolution",
            layers.Conv2DTranspose,
            stamps,
            (
                Map("dot: gaps", "grey", slice(0, 1)),
                Map("flat: checkerboard", "grey", slice(1, 2)),
                Map("pyramid: smooth", "grey", slice(2, 3)),
                Map("red against green", "signed", slice(3, 4)),
            ),
            "3x3, stride 2",
            (4, 3),
            after="strided",
            strides=2,
        ),
        Part(
            "upsampling",
            "Upsampling",
            layers.UpSampling2D(2, interpolation="bicubic"),
            "size 2, bicubic",
            reduced,
            after="strided",
        ),
    )


def _part(
    name: str,
    title: str,
    kind: Callable[..., Any],
    weights: Any,
    maps: tuple[Map, ...],
    arguments: str,
    positional: tuple[Any, ...],
    after: str = "",
    **words: Any,
) -> Part:
    layer = kind(*positional, use_bias=False, **words)
    layer.build((None, None, None, weights.shape[3 if name == "transposed" else 2]))
    layer.set_weights([weights])
    return Part(name, title, layer, arguments, maps, after)
