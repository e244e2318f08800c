"""refconv's answer to a question that was put to a peer, and how far the two agree."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from refconv import conventions, functional
from refconv.conventions.layouts import Reading, from_canonical, to_canonical
from refconv.errors import ConvError
from refconv.functional.arrays import Array
from refconv.verify.record import Case

ONNX_PAD_MODES = {"edge": "replicate", "wrap": "circular"}

ROUNDED = 1e-11
"""How far interpolations, whose weights are rounded, may be apart; all else is exact."""

ROUNDED_TO_FLOAT32 = 1e-4
"""The same for ONNX, whose factors of scale are float32, and for what else interpolates in float32."""

IN_FLOAT32 = ("onnx-reference", "onnxruntime", "keras-numpy", "keras-tensorflow")

Gradients = dict[str, Array]


class Call(NamedTuple):
    """A layer's output, and what returns the gradients to its arrays, by name, for one to the output."""

    y: Array
    backward: Callable[[Array], Gradients]


class Outcome(NamedTuple):
    """What came of comparing a case: how it differs, or an empty text.

    Attributes
    ----------
    difference : str
        What differs, in words.
    part : str
        The array that differs: ``"y"``, or what is only about gradients.
    error : float
        The largest difference of two numbers.
    compared : int
        How many arrays were compared: the output, and its gradients if there are any.
    """

    difference: str
    part: str = "y"
    error: float = 0.0
    compared: int = 0


def answer(case: Case) -> Gradients:
    """Compute what the peer computed, from the same words, in the peer's own layout.

    Returns
    -------
    dict of str to ndarray
        ``y``, and where the peer chose a ``dy`` also ``dx``, ``dweights`` and so on.

    Raises
    ------
    ConvError
        If the rule refuses the case.
    """
    if case.layer in OTHER_FUNCTIONS:
        call = OTHER_FUNCTIONS[case.layer](case)
        gradients = call.backward(case.arrays["dy"]) if "dy" in case.arrays else {}
        return {"y": call.y, **{f"d{name}": array for name, array in gradients.items()}}
    reading = conventions.read(case.layer, case.input_size, case.framework, **case.words)
    layout = reading.layout
    call = LAYERS[case.layer](case, reading, to_canonical(case.arrays["x"], layout.input))
    assert call.y.shape[1:-1] == reading.output_size, f"{case}: {call.y.shape[1:-1]} is not {reading.output_size}"
    found = {"y": from_canonical(call.y, layout.output)}
    if "dy" in case.arrays:
        gradients = call.backward(to_canonical(case.arrays["dy"], layout.output))
        found["dx"] = from_canonical(gradients.pop("x"), layout.input)
        if "weights" in gradients:
            found["dweights"] = from_canonical(gradients.pop("weights"), layout.weights, _is_transposed(reading))
        found |= {f"d{name}": array for name, array in gradients.items()}
    return found


def compare(case: Case) -> Outcome:
    """Compare refconv's answer with the peer's.

    JAX answers a kernel that does not fit with an empty array, where everyone else refuses.
    """
    peer = case.arrays.get("y")
    refused = "" if peer is not None and peer.size else case.refusal or "no outputs"
    try:
        ours = answer(case)
    except ConvError as error:
        return Outcome("" if refused else f"{case}: refused ({error}), the peer answers {_shape(peer)}")
    except Exception as error:
        # Whatever else happens here is a fault of refconv's own, and no reason to compare nothing further.
        return Outcome(f"{case}: {type(error).__name__}: {error}")
    if refused:
        return Outcome(f"{case}: {_shape(ours['y'])}, the peer refuses ({refused})")
    tolerance = _tolerance(case)
    compared = [name for name in ("y", "dx", "dweights", "dpointwise", "dbias") if name in case.arrays]
    furthest = 0.0
    for name in compared:
        mine, theirs = ours[name], case.arrays[name]
        if mine.shape != theirs.shape:
            return Outcome(f"{case}: {name} {mine.shape} is not the peer's {theirs.shape}", name)
        apart = float(np.max(np.abs(mine - theirs), initial=0.0))
        # Not a number is further than any number.
        if not apart <= tolerance:
            return Outcome(f"{case}: {name} off by {apart:.3g}", name, apart)
        furthest = max(furthest, apart)
    if case.refusal:
        return Outcome(f"{case}: the peer refuses the gradients ({case.refusal})", "gradients", furthest, len(compared))
    return Outcome("", "", furthest, len(compared))


def _tolerance(case: Case) -> float:
    """Return how far numbers may be apart: sums of whole numbers are exact, interpolations rounded."""
    if not any(method in str(word) for word in case.words.values() for method in ("linear", "cubic", "lanczos")):
        return 0.0
    return ROUNDED_TO_FLOAT32 if case.peer in IN_FLOAT32 else ROUNDED


def disagreement(case: Case) -> str:
    """Say how refconv's answer differs from the peer's, or return an empty string."""
    return compare(case).difference


def conv(case: Case, reading: Reading, x: Array) -> Call:
    """Convolve."""
    weights = to_canonical(case.arrays["weights"], reading.layout.weights)
    mode = case.words.get("padding_mode", "zeros")
    if mode != "zeros":
        return padded_conv(reading, x, weights, case.arrays.get("bias"), mode)
    return _conv_by(reading, x, weights, case.arrays.get("bias"))


def _conv_by(reading: Reading, x: Array, weights: Array, bias: Any) -> Call:
    geometry = reading.geometry

    def backward(dy: Array) -> Gradients:
        return {
            "x": functional.conv_grad_input_with(geometry, dy, weights),
            "weights": functional.conv_grad_weights_with(geometry, x, dy),
            **_to_bias(bias, dy),
        }

    return Call(functional.conv_with(geometry, x, weights, bias), backward)


def _to_bias(bias: Any, dy: Array) -> Gradients:
    return {} if bias is None else {"bias": functional.bias_grad(dy)}


def padded_conv(reading: Reading, x: Array, weights: Array, bias: Any, mode: str) -> Call:
    """Pad with other values than zeros, then convolve what results without padding."""
    numbers = same_strides(reading)
    padding = {"padding": numbers.pop("padding"), "mode": mode}
    numbers["groups"] = reading.geometry.groups
    padded = functional.pad(x, **padding)

    def backward(dy: Array) -> Gradients:
        to_padded = functional.conv_grad_input(dy, weights, padded.shape, **numbers)
        return {
            "x": functional.pad_grad_input(to_padded, x.shape, **padding),
            "weights": functional.conv_grad_weights(padded, dy, reading.geometry.kernel_size, **numbers),
            **_to_bias(bias, dy),
        }

    return Call(functional.conv(padded, weights, bias, **numbers), backward)


def _is_transposed(reading: Reading) -> bool:
    """Return whether a layer stamps its kernel.

    JAX's default transposed layer inserts the zeros but does not flip the kernel: an ordinary gather.
    """
    return reading.layer == "conv-transpose" and reading.geometry.axes[0].reversed


def conv_transpose(case: Case, reading: Reading, x: Array) -> Call:
    """Convolve transposed, by stamping and by gathering, which are the same."""
    geometry, bias = reading.geometry, case.arrays.get("bias")
    stamps = _is_transposed(reading)
    weights = to_canonical(case.arrays["weights"], reading.layout.weights, transposed=stamps)
    if not stamps:
        return _conv_by(reading, x, weights, bias)
    scattered = functional.conv_transpose_with(geometry, x, weights, bias, loop="scatter")
    gathered = functional.conv_transpose_with(geometry, x, weights, bias, loop="gather")
    np.testing.assert_array_equal(scattered, gathered, str(case))

    def backward(dy: Array) -> Gradients:
        return {
            "x": functional.conv_transpose_grad_input_with(geometry, dy, weights),
            "weights": functional.conv_transpose_grad_weights_with(geometry, x, dy),
            **_to_bias(bias, dy),
        }

    return Call(scattered, backward)


def same_strides(reading: Reading) -> dict[str, Any]:
    """Return what a geometry says in the words of `functional`."""
    axes = reading.geometry.axes
    return {
        "strides": tuple(axis.stride for axis in axes),
        "padding": tuple((axis.pad_before, axis.pad_after) for axis in axes),
        "dilation_rate": tuple(axis.dilation for axis in axes),
    }


def depthwise(case: Case, reading: Reading, x: Array) -> Call:
    """Convolve each channel by itself."""
    weights, bias = to_canonical(case.arrays["weights"], reading.layout.weights), case.arrays.get("bias")
    numbers = same_strides(reading)

    def backward(dy: Array) -> Gradients:
        return {
            "x": functional.depthwise_conv_grad_input(dy, weights, x.shape, **numbers),
            "weights": functional.depthwise_conv_grad_weights(x, dy, reading.geometry.kernel_size, **numbers),
            **_to_bias(bias, dy),
        }

    return Call(functional.depthwise_conv(x, weights, bias, **numbers), backward)


def separable(case: Case, reading: Reading, x: Array) -> Call:
    """Convolve each channel by itself, then mix them."""
    weights, bias = to_canonical(case.arrays["weights"], reading.layout.weights), case.arrays.get("bias")
    pointwise = case.arrays["pointwise"]
    numbers = same_strides(reading)

    def backward(dy: Array) -> Gradients:
        first, second = functional.separable_conv_grad_weights(x, dy, weights, pointwise, **numbers)
        to_input = functional.separable_conv_grad_input(dy, weights, pointwise, x.shape, **numbers)
        return {"x": to_input, "weights": first, "pointwise": second, **_to_bias(bias, dy)}

    return Call(functional.separable_conv(x, weights, pointwise, bias, **numbers), backward)


def upsampling(case: Case, reading: Reading, x: Array) -> Call:
    """Upsample by whole factors."""
    words: dict[str, Any] = {
        "size": tuple(axis.kernel_size for axis in reading.geometry.axes),
        "interpolation": reading.interpolation,
    }
    return Call(functional.upsample(x, **words), lambda dy: {"x": functional.upsample_grad_input(dy, x.shape, **words)})


def zero_padding(case: Case, reading: Reading, x: Array) -> Call:
    """Add zeros around; negative amounts crop."""
    padding = same_strides(reading)["padding"]
    if min(map(min, padding)) < 0:
        return Call(
            functional.pad(x, padding=padding),
            lambda dy: {"x": functional.pad_grad_input(dy, x.shape, padding=padding)},
        )
    return Call(
        functional.zero_pad(x, padding=padding),
        lambda dy: {"x": functional.zero_pad_grad_input(dy, x.shape, padding=padding)},
    )


def cropping(case: Case, reading: Reading, x: Array) -> Call:
    """Cut cells off."""
    cells = tuple((-axis.pad_before, -axis.pad_after) for axis in reading.geometry.axes)
    return Call(
        functional.crop(x, cropping=cells), lambda dy: {"x": functional.crop_grad_input(dy, x.shape, cropping=cells)}
    )


def _data_format(case: Case) -> str:
    return "channels_last" if case.channels_last else "channels_first"


def resize(case: Case) -> Call:
    """Interpolate to a size, in the coordinates that each framework means."""
    words, x = case.words, case.arrays["x"]
    coordinates = words.get("coordinate_transformation_mode", words.get("coordinates", "half_pixel"))
    if case.framework == "torch" and (words["mode"] == "nearest" or words.get("align_corners")):
        coordinates = "asymmetric" if words["mode"] == "nearest" else "align_corners"
    size = words.get("size") or words.get("sizes", [])[2:] or words["shape"][1:-1]
    method = words.get("interpolation") or words.get("method") or words["mode"].removesuffix("-exact")
    ours = {
        "size": size,
        "interpolation": method,
        "coordinates": coordinates,
        "data_format": _data_format(case),
    }
    return Call(functional.resize(x, **ours), lambda dy: {"x": functional.resize_grad_input(dy, x.shape, **ours)})


def pad(case: Case) -> Call:
    """Pad in any mode."""
    words, rank, x = case.words, case.rank, case.arrays["x"]
    if case.framework == "torch":
        pairs = list(zip(words["pad"][::2], words["pad"][1::2], strict=True))[::-1]
    elif case.framework == "onnx":
        pads = words["pads"]
        pairs = list(zip(pads[2 : 2 + rank], pads[4 + rank :], strict=True))
    else:
        pairs = words["padding"]
    ours = {
        "padding": pairs,
        "mode": ONNX_PAD_MODES.get(words["mode"], words["mode"]),
        "data_format": _data_format(case),
    }
    return Call(
        functional.pad(x, value=words.get("value", 0), **ours),
        lambda dy: {"x": functional.pad_grad_input(dy, x.shape, **ours)},
    )


def unfold(case: Case) -> Call:
    """Unfold, and put the columns in the peer's order."""
    words, x = case.words, case.arrays["x"]
    if case.framework == "rule":
        return Call(functional.unfold(x, **words), lambda dy: {"x": functional.unfold_grad_input(dy, x.shape, **words)})
    signal = np.moveaxis(x, 1, -1)
    ours = {
        "kernel_size": words["kernel_size"],
        "strides": words["stride"],
        "padding": words["padding"],
        "dilation_rate": words["dilation"],
    }
    columns = functional.unfold(signal, **ours)
    taps = math.prod(words["kernel_size"])

    def backward(dy: Array) -> Gradients:
        gradient = _from_torch_columns(dy, taps).reshape(columns.shape)
        return {"x": np.moveaxis(functional.unfold_grad_input(gradient, signal.shape, **ours), -1, 1)}

    return Call(_to_torch_columns(columns, taps), backward)


def _to_torch_columns(columns: Array, taps: int) -> Array:
    """Put columns in PyTorch's order: channels outermost, outputs last."""
    apart = columns.reshape(len(columns), math.prod(columns.shape[1:-1]), taps, columns.shape[-1] // taps)
    return apart.transpose(0, 3, 2, 1).reshape(len(columns), columns.shape[-1], apart.shape[1])


def _from_torch_columns(columns: Array, taps: int) -> Array:
    """Put PyTorch's columns in refconv's order, all outputs on one axis."""
    batch, column, places = columns.shape
    return columns.reshape(batch, column // taps, taps, places).transpose(0, 3, 2, 1).reshape(batch, places, column)


def fold(case: Case) -> Call:
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
    if min(places) > 0:
        columns = _from_torch_columns(columns, taps)
        columns = columns.reshape(len(columns), *places, columns.shape[-1])
    ours = {
        "output_size": size,
        "kernel_size": kernel,
        "strides": strides,
        "padding": padding,
        "dilation_rate": dilations,
    }
    folded = functional.fold(columns, **ours)

    def backward(dy: Array) -> Gradients:
        gradient = functional.fold_grad_input(np.moveaxis(dy, 1, -1), columns.shape, **ours)
        return {"x": _to_torch_columns(gradient, taps)}

    return Call(np.moveaxis(folded, -1, 1), backward)


def _shape(array: Array | None) -> str:
    return "nothing" if array is None else str(array.shape)


LAYERS: dict[str, Callable[[Case, Reading, Array], Call]] = {
    "conv": conv,
    "conv-transpose": conv_transpose,
    "depthwise": depthwise,
    "separable": separable,
    "upsampling": upsampling,
    "zero-padding": zero_padding,
    "cropping": cropping,
}
OTHER_FUNCTIONS: dict[str, Callable[[Case], Call]] = {
    "resize": resize,
    "pad": pad,
    "unfold": unfold,
    "fold": fold,
}
