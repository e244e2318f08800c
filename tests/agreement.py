"""refconv's answer to a question that was put to a peer, and how far the two agree."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from golden.record import Case

from refconv import conventions, functional
from refconv.conventions.layouts import from_canonical, to_canonical
from refconv.errors import ConvError

ONNX_PAD_MODES = {"edge": "replicate", "wrap": "circular"}


def answer(case: Case) -> np.ndarray:
    """Compute what the peer computed, from the same words, in the peer's own layout."""
    if case.layer in OTHER_FUNCTIONS:
        return OTHER_FUNCTIONS[case.layer](case)
    reading = conventions.read(case.layer, case.input_size, case.framework, **case.words)
    y = LAYERS[case.layer](case, reading, to_canonical(case.arrays["x"], reading.layout.input))
    assert y.shape[1:-1] == reading.output_size, f"{case}: {y.shape[1:-1]} is not {reading.output_size}"
    return from_canonical(y, reading.layout.output)


def disagreement(case: Case) -> str:
    """Say how refconv's answer differs from the recorded one, or return an empty string.

    JAX answers a kernel that does not fit with an empty array, where everyone else refuses.
    """
    peer = case.arrays.get("y")
    refused = case.refusal or (peer is not None and peer.size == 0 and "no outputs")
    try:
        ours = answer(case)
    except ConvError as error:
        return "" if refused else f"{case}: refused ({error}), the peer answers {peer.shape}"
    if refused:
        return f"{case}: {ours.shape}, the peer refuses ({refused})"
    if ours.shape != peer.shape:
        return f"{case}: {ours.shape} is not the peer's {peer.shape}"
    # Sums of whole numbers are exact; interpolations are rounded, by ONNX with scales in float32.
    rounded = any(method in str(word) for word in case.words.values() for method in ("linear", "cubic", "lanczos"))
    tolerance = 0 if not rounded else 1e-4 if case.framework == "onnx" else 1e-11
    furthest = float(np.max(np.abs(ours - peer)))
    return "" if furthest <= tolerance else f"{case}: off by {furthest:.3g}"


def conv(case: Case, reading: Any, x: np.ndarray) -> np.ndarray:
    weights = to_canonical(case.arrays["weights"], reading.layout.weights)
    mode = case.words.get("padding_mode", "zeros")
    if mode != "zeros":
        return padded_conv(reading.geometry, x, weights, case.arrays.get("bias"), mode)
    return functional.conv_with(reading.geometry, x, weights, case.arrays.get("bias"))


def padded_conv(geometry: Any, x: np.ndarray, weights: np.ndarray, bias: Any, mode: str) -> np.ndarray:
    """Pad with other values than zeros, then convolve what results without padding."""
    padding = tuple((axis.pad_before, axis.pad_after) for axis in geometry.axes)
    return functional.conv(
        functional.pad(x, padding=padding, mode=mode),
        weights,
        bias,
        strides=tuple(axis.stride for axis in geometry.axes),
        dilation_rate=tuple(axis.dilation for axis in geometry.axes),
        groups=geometry.groups,
    )


def conv_transpose(case: Case, reading: Any, x: np.ndarray) -> np.ndarray:
    flipped = reading.geometry.axes[0].reversed
    weights = to_canonical(case.arrays["weights"], reading.layout.weights, transposed=flipped)
    bias = case.arrays.get("bias")
    # JAX's default transposed layer inserts the zeros but does not flip the kernel: an ordinary gather.
    if not flipped:
        return functional.conv_with(reading.geometry, x, weights, bias)
    scattered = functional.conv_transpose_with(reading.geometry, x, weights, bias, loop="scatter")
    gathered = functional.conv_transpose_with(reading.geometry, x, weights, bias, loop="gather")
    np.testing.assert_array_equal(scattered, gathered, str(case))
    return scattered


def same_strides(reading: Any) -> dict[str, Any]:
    """Return what a geometry says in the words of `functional`."""
    axes = reading.geometry.axes
    return {
        "strides": tuple(axis.stride for axis in axes),
        "padding": tuple((axis.pad_before, axis.pad_after) for axis in axes),
        "dilation_rate": tuple(axis.dilation for axis in axes),
    }


def depthwise(case: Case, reading: Any, x: np.ndarray) -> np.ndarray:
    weights = to_canonical(case.arrays["weights"], reading.layout.weights)
    return functional.depthwise_conv(x, weights, case.arrays.get("bias"), **same_strides(reading))


def separable(case: Case, reading: Any, x: np.ndarray) -> np.ndarray:
    weights = to_canonical(case.arrays["weights"], reading.layout.weights)
    pointwise = case.arrays["pointwise"]
    return functional.separable_conv(x, weights, pointwise, case.arrays.get("bias"), **same_strides(reading))


def upsampling(case: Case, reading: Any, x: np.ndarray) -> np.ndarray:
    factors = tuple(axis.kernel_size for axis in reading.geometry.axes)
    return functional.upsample(x, size=factors, interpolation=reading.interpolation)


def zero_padding(case: Case, reading: Any, x: np.ndarray) -> np.ndarray:
    padding = same_strides(reading)["padding"]
    if min(map(min, padding)) < 0:
        return functional.pad(x, padding=padding)
    return functional.zero_pad(x, padding=padding)


def cropping(case: Case, reading: Any, x: np.ndarray) -> np.ndarray:
    return functional.crop(x, cropping=tuple((-axis.pad_before, -axis.pad_after) for axis in reading.geometry.axes))


def resize(case: Case) -> np.ndarray:
    words, data_format = case.words, "channels_last" if case.channels_last else "channels_first"
    coordinates = words.get("coordinate_transformation_mode", "half_pixel")
    if case.framework == "torch" and (words["mode"] == "nearest" or words.get("align_corners")):
        coordinates = "asymmetric" if words["mode"] == "nearest" else "align_corners"
    size = words.get("size") or words.get("sizes", [])[2:] or words["shape"][1:-1]
    method = words.get("interpolation") or words.get("method") or words["mode"].removesuffix("-exact")
    return functional.resize(
        case.arrays["x"], size=size, interpolation=method, coordinates=coordinates, data_format=data_format
    )


def pad(case: Case) -> np.ndarray:
    words, rank = case.words, case.rank
    if case.framework == "torch":
        pairs = list(zip(words["pad"][::2], words["pad"][1::2], strict=True))[::-1]
    else:
        pads = words["pads"]
        pairs = list(zip(pads[2 : 2 + rank], pads[4 + rank :], strict=True))
    return functional.pad(
        case.arrays["x"],
        padding=pairs,
        mode=ONNX_PAD_MODES.get(words["mode"], words["mode"]),
        value=words.get("value", 0),
        data_format="channels_first",
    )


def unfold(case: Case) -> np.ndarray:
    """Unfold, and put the columns in PyTorch's order: channels outermost, outputs last."""
    words = case.words
    columns = functional.unfold(
        np.moveaxis(case.arrays["x"], 1, -1),
        kernel_size=words["kernel_size"],
        strides=words["stride"],
        padding=words["padding"],
        dilation_rate=words["dilation"],
    )
    taps = math.prod(words["kernel_size"])
    apart = columns.reshape(len(columns), -1, taps, case.arrays["x"].shape[1])
    return apart.transpose(0, 3, 2, 1).reshape(len(columns), -1, apart.shape[1])


def fold(case: Case) -> np.ndarray:
    """Put the columns of PyTorch or ONNX in refconv's order, and fold them."""
    words, columns = case.words, case.arrays["x"]
    size = words.get("output_size") or words["image_shape"]
    kernel = words.get("kernel_size") or words["block_shape"]
    rank, taps = len(size), math.prod(kernel)
    if case.framework == "torch":
        strides, dilations = words["stride"], words["dilation"]
        padding = [(amount, amount) for amount in words["padding"]]
    else:
        strides, dilations = words["strides"], words["dilations"]
        padding = list(zip(words["pads"][:rank], words["pads"][rank:], strict=True))
    places = [
        (n + before + after - (k - 1) * d - 1) // s + 1
        for n, k, s, d, (before, after) in zip(size, kernel, strides, dilations, padding, strict=True)
    ]
    batch, channels = len(columns), columns.shape[1] // taps
    if min(places) > 0:
        apart = columns.reshape(batch, channels, taps, -1).transpose(0, 3, 2, 1)
        columns = apart.reshape(batch, *places, taps * channels)
    folded = functional.fold(
        columns, output_size=size, kernel_size=kernel, strides=strides, padding=padding, dilation_rate=dilations
    )
    return np.moveaxis(folded, -1, 1)


LAYERS: dict[str, Callable[[Case, Any, np.ndarray], np.ndarray]] = {
    "conv": conv,
    "conv-transpose": conv_transpose,
    "depthwise": depthwise,
    "separable": separable,
    "upsampling": upsampling,
    "zero-padding": zero_padding,
    "cropping": cropping,
}
OTHER_FUNCTIONS: dict[str, Callable[[Case], np.ndarray]] = {
    "resize": resize,
    "pad": pad,
    "unfold": unfold,
    "fold": fold,
}
