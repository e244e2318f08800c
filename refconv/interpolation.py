"""Which data an interpolated value is made of, and with which weights.

Every method is separable: on each axis, output `o` has a coordinate in the input, and reads the data
around it. `axis_taps` lists what it reads; upsampling, resizing, the matrix and the picture all use it.

Where output `o` of `output_size` stands among the data ``0 ... input_size - 1``::

    half_pixel       (o + 1/2) * input_size / output_size - 1/2       cells have width one, data at their centres
    align_corners    o * (input_size - 1) / (output_size - 1)         first and last data meet; 0 for one output
    asymmetric       o * input_size / output_size                     data at the left edges of their cells

What the datum at distance `d` from there weighs::

    nearest          1 for one datum, 0 for the others
    linear           1 - d                                  up to d = 1
    cubic            Keys' kernel with a = -1/2             up to d = 2
    lanczos3, 5      sinc(d) sinc(d / 3), or 5              up to d = 3, or 5

Data outside the input are dropped and the weights divided by their sum, so that constants stay
constant. There is no antialiasing: a smaller output reads no more data than a larger one.

Sources
-------
Keys, "Cubic convolution interpolation for digital image processing" (1981), for the cubic kernel.
`keras.ops.image.resize` and `jax.image.resize(antialias=False)` for the borders; in ONNX's words
``cubic_coeff_a=-0.5, exclude_outside=1``. PyTorch's bicubic differs: ``a = -0.75``, the edge repeated.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from refconv.arguments import choice, whole_number
from refconv.errors import ConvError

METHODS = ("nearest", "linear", "bilinear", "trilinear", "cubic", "bicubic", "lanczos3", "lanczos5")
COORDINATES = ("half_pixel", "align_corners", "asymmetric")

AxisRows = tuple[tuple[tuple[int, float], ...], ...]

_SAME_ON_AN_AXIS = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}


def axis_method(interpolation: str, rank: int, argument: str = "interpolation") -> str:
    """Read the name of a method, and return the name of what it does on each axis.

    Keras' "bilinear" and "bicubic" are accepted in every rank, "trilinear" in three dimensions.

    Raises
    ------
    ConvError
        If there is no such method, or it is not one of `rank` axes.

    Examples
    --------
    >>> axis_method("bilinear", 2), axis_method("trilinear", 3), axis_method("lanczos3", 1)
    ('linear', 'linear', 'lanczos3')
    """
    method = choice(argument, interpolation, METHODS)
    if method == "trilinear" and rank != 3:
        raise ConvError(argument, interpolation, f"has three axes, the input {rank}", "use 'linear'")
    return _SAME_ON_AN_AXIS.get(method, method)


def axis_taps(input_size: int, output_size: int, method: str, coordinates: str = "half_pixel") -> AxisRows:
    """Return, for every output on one axis, the data it reads and their weights.

    Parameters
    ----------
    input_size, output_size : int
        Numbers of data and of outputs, at least 1.
    method : str
        One of `METHODS`.
    coordinates : str
        One of `COORDINATES`.

    Returns
    -------
    tuple of rows
        Row `o` is a tuple of (index, weight), the indices rising, the weights not zero, their sum 1.
        "nearest" takes the datum whose cell holds the coordinate: the nearer one, on a tie the later;
        in "asymmetric" coordinates, where cells begin at their data, the one before.

    Raises
    ------
    ConvError
        If a size is not a positive whole number, or a word is unknown.

    Examples
    --------
    >>> axis_taps(2, 4, "linear")
    (((0, 1.0),), ((0, 0.75), (1, 0.25)), ((0, 0.25), (1, 0.75)), ((1, 1.0),))
    >>> [row[0][0] for row in axis_taps(3, 6, "nearest")]
    [0, 0, 1, 1, 2, 2]
    """
    whole_number("input_size", input_size, 1)
    whole_number("output_size", output_size, 1)
    method = choice("method", method, METHODS)
    method = _SAME_ON_AN_AXIS.get(method, method)
    coordinates = choice("coordinates", coordinates, COORDINATES)
    places = [_coordinate(o, input_size, output_size, coordinates) for o in range(output_size)]
    if method == "nearest":
        halves = 0 if coordinates == "asymmetric" else 1
        return tuple((((2 * above + halves * below) // (2 * below), 1.0),) for above, below in places)
    return tuple(_weighted(above, below, input_size, *_KERNELS[method]) for above, below in places)


def adjoint_taps(rows: AxisRows, input_size: int) -> AxisRows:
    """Return, for every datum on one axis, the outputs that read it and their weights.

    These are the rows of the transposed matrix: interpolation by them is the adjoint of that by `rows`,
    the way back of a gradient.

    Parameters
    ----------
    rows : tuple of rows
        As `axis_taps` returns them.
    input_size : int
        Number of data.

    Returns
    -------
    tuple of rows
        Row `i` is a tuple of (output, weight), the outputs rising; empty for a datum that none reads.

    Examples
    --------
    >>> adjoint_taps(axis_taps(2, 4, "linear"), 2)
    (((0, 1.0), (1, 0.75), (2, 0.25)), ((1, 0.25), (2, 0.75), (3, 1.0)))
    """
    readers: list[list[tuple[int, float]]] = [[] for _ in range(input_size)]
    for o, row in enumerate(rows):
        for i, weight in row:
            readers[i].append((o, weight))
    return tuple(map(tuple, readers))


def _coordinate(o: int, input_size: int, output_size: int, coordinates: str) -> tuple[int, int]:
    """Return where output `o` stands among the data, as an exact fraction (above, below)."""
    if coordinates == "half_pixel":
        return (2 * o + 1) * input_size - output_size, 2 * output_size
    if coordinates == "asymmetric":
        return o * input_size, output_size
    return o * (input_size - 1), max(output_size - 1, 1)


def _weighted(
    above: int, below: int, input_size: int, radius: int, kernel: Callable[[float], float]
) -> tuple[tuple[int, float], ...]:
    """Return the data within `radius` of the coordinate above / below, with weights that sum to 1."""
    before = above // below
    near = range(max(before - radius + 1, 0), min(before + radius, input_size - 1) + 1)
    taps = [(i, kernel(abs(above - i * below) / below)) for i in near]
    total = math.fsum(weight for _, weight in taps)
    return tuple((i, weight / total) for i, weight in taps if weight != 0)


def _linear(distance: float) -> float:
    return max(1 - distance, 0.0)


def _cubic(distance: float) -> float:
    if distance >= 2:
        return 0.0
    if distance >= 1:
        return ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return (1.5 * distance - 2.5) * distance * distance + 1


def _lanczos(radius: int) -> Callable[[float], float]:
    def kernel(distance: float) -> float:
        if distance == 0:
            return 1.0
        # The sine of a multiple of pi is not 0 in floating point, but the weight there is.
        if distance >= radius or distance == int(distance):
            return 0.0
        angle = math.pi * distance
        return radius * math.sin(angle) * math.sin(angle / radius) / (angle * angle)

    return kernel


_KERNELS: dict[str, tuple[int, Callable[[float], float]]] = {
    "linear": (1, _linear),
    "cubic": (2, _cubic),
    "lanczos3": (3, _lanczos(3)),
    "lanczos5": (5, _lanczos(5)),
}
