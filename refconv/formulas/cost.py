"""What a layer costs: its parameters, and its multiply-adds for one input of the batch."""

from __future__ import annotations

import math
from typing import NamedTuple

from refconv.arguments import whole_number
from refconv.errors import ConvError
from refconv.geometry import AxisGeometry, ConvGeometry, dilated_index, input_index

WEIGHTLESS = ("upsampling", "zero-padding", "cropping")


class Cost(NamedTuple):
    """What a layer costs.

    Attributes
    ----------
    parameters : int
        Weights and biases.
    multiply_adds : int
        Every kernel element at every output, or for a transposed layer at every input; borders ignored, as usual.
    useful_multiply_adds : int
        Only those that read data, neither padding nor an inserted zero.
    """

    parameters: int
    multiply_adds: int
    useful_multiply_adds: int


def cost(
    layer: str,
    geometry: ConvGeometry,
    channels: int,
    filters: int | None = None,
    depth_multiplier: int = 1,
    use_bias: bool = True,
) -> Cost:
    """Count a layer's parameters and multiply-adds.

    Parameters
    ----------
    layer : str
        Its kind, such as ``"conv-transpose"``.
    geometry : ConvGeometry
        Its arithmetic.
    channels : int
        Channels of the input.
    filters : int, optional
        Channels of the output; follows from the others for a depthwise layer and those without weights.
    depth_multiplier : int
        Depthwise filters per channel.
    use_bias : bool
        Whether there is a bias per filter.

    Raises
    ------
    ConvError
        If `filters` is missing or contradicts the layer, or channels or filters do not divide into the groups
        (G10, G11).

    Examples
    --------
    >>> cost("conv", ConvGeometry((AxisGeometry(5, 3, pad_before=1, pad_after=1),)), channels=2, filters=4)
    Cost(parameters=28, multiply_adds=120, useful_multiply_adds=104)
    """
    whole_number("channels", channels, 1)
    whole_number("depth_multiplier", depth_multiplier, 1)
    if layer in WEIGHTLESS:
        _check_filters(layer, filters, channels)
        return Cost(0, 0, 0)
    taps = math.prod(geometry.kernel_size)
    places = math.prod(geometry.input_size if layer == "conv-transpose" else geometry.output_size)
    useful = math.prod(data_taps(axis) for axis in geometry.axes)
    if layer == "depthwise":
        made = channels * depth_multiplier
        _check_filters(layer, filters, made)
        return Cost((taps + use_bias) * made, places * taps * made, useful * made)
    if filters is None:
        raise ConvError("filters", None, f"a {layer} layer with channels needs its filters too", "give filters=")
    whole_number("filters", filters, 1)
    if layer == "separable":
        made = channels * depth_multiplier
        mixing = places * made * filters
        parameters = taps * made + (made + use_bias) * filters
        return Cost(parameters, places * taps * made + mixing, useful * made + mixing)
    geometry.check_channels(channels, filters)
    pairs = channels * filters // geometry.groups
    return Cost(taps * pairs + use_bias * filters, places * taps * pairs, useful * pairs)


def _check_filters(layer: str, filters: int | None, made: int) -> None:
    if filters is not None and filters != made:
        raise ConvError("filters", filters, f"this {layer} layer has {made} of them", "leave filters out")


def data_taps(axis: AxisGeometry) -> int:
    """Count the pairs of an output and a kernel element that read a datum.

    Examples
    --------
    >>> data_taps(AxisGeometry(5, 3, pad_before=1, pad_after=1))
    13
    """
    count = 0
    # Along the outputs a kernel element moves by `stride` cells, so its data recur with this period.
    period = axis.input_dilation // math.gcd(axis.input_dilation, axis.stride)
    for k in range(axis.kernel_size):
        start = dilated_index(0, k, axis)
        first = max(-(start // axis.stride), 0)
        last = min((axis.dilated_input_size - 1 - start) // axis.stride, axis.output_size - 1)
        hit = next((o for o in range(first, min(first + period, last + 1)) if input_index(o, k, axis) >= 0), None)
        if hit is not None:
            count += (last - hit) // period + 1
    return count
