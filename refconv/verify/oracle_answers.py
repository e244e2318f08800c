"""What the naive oracle makes of a case, whose words are those of `refconv.functional`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from refconv.verify import oracle as naive
from refconv.verify.gradients import Answer, named, whole_numbers
from refconv.verify.record import Case


def oracle(case: Case, gradients: bool) -> Answer:
    """Answer by the oracle; gradients follow from its linear maps."""
    x = case.arrays["x"]
    linear, constant, weights_gradients = oracle_call(case)
    y = linear(x) + constant
    if not gradients:
        return {"y": y}
    dy = whole_numbers(y.shape)
    found = [naive.adjoint(linear, x.shape[1:], dy), *weights_gradients(dy)]
    if "bias" in case.arrays:
        found.append(dy.sum(axis=tuple(range(dy.ndim - 1))))
    return {"y": y, **named(case, dy, found)}


def oracle_call(case: Case) -> tuple[Callable[[Any], Any], Any, Callable[[Any], list[Any]]]:
    """Return a layer's linear map, what is added to it, and how its weights' gradients follow from dy."""
    x, words, rank = case.arrays["x"], case.words, case.rank
    if case.layer in ("upsampling", "resize"):
        size = amounts_of(words["size"], rank)
        if case.layer == "upsampling":
            size = [n * factor for n, factor in zip(case.input_size, size, strict=True)]
        method, coordinates = words["interpolation"], words.get("coordinates", "half_pixel")
        return lambda x: naive.resize(x, size, method, coordinates), 0, no_gradients
    if case.layer == "pad":
        widths = [(0, 0), *words["padding"], (0, 0)]
        mode = {"replicate": "edge", "circular": "wrap"}.get(words["mode"], words["mode"])
        return lambda x: np.pad(x, widths, mode), 0, no_gradients
    if case.layer in ("zero-padding", "cropping"):
        sign = 1 if case.layer == "zero-padding" else -1
        pairs = [(sign * lo, sign * hi) for lo, hi in pairs_of(words.get("padding", words.get("cropping")), rank)]
        if min(n + lo + hi for n, (lo, hi) in zip(case.input_size, pairs, strict=True)) < 1:
            raise ValueError("nothing is left")
        return lambda x: naive.pad_or_crop(x, [(0, 0), *pairs]), 0, no_gradients
    return oracle_kernel_call(case, x)


def oracle_kernel_call(case: Case, x: Any) -> tuple[Callable[[Any], Any], Any, Callable[[Any], list[Any]]]:
    """Return the same for a layer that has a kernel."""
    words, rank, kernel = case.words, case.rank, case.words["kernel_size"]
    # Unfolding alone has none.
    weights, bias = case.arrays.get("weights", np.zeros(0)), case.arrays.get("bias", 0)
    strides, dilation = amounts_of(words["strides"], rank), amounts_of(words["dilation_rate"], rank)
    groups, mode = words.get("groups", 1), words["padding"]
    shared: dict[str, Any] = {"strides": strides, "dilation": dilation}
    if case.layer == "conv-transpose":
        extra = words.get("output_padding")
        appended = [None] * rank if extra is None else amounts_of(extra, rank)
        if isinstance(mode, str):
            shared["crop"] = [
                naive.crop_of(mode, *axis) for axis in zip(kernel, strides, dilation, appended, strict=True)
            ]
        else:
            shared |= {"crop": pairs_of(mode, rank), "output_padding": [op or 0 for op in appended]}
        return (
            lambda x: naive.conv_transpose(x, weights, groups=groups, **shared),
            bias,
            lambda dy: [naive.conv_transpose_grad_weights(x, dy, kernel, groups, **shared)],
        )
    if isinstance(mode, str):
        axes = zip(case.input_size, kernel, strides, dilation, strict=True)
        shared["pads"] = [naive.padding_of(mode, *axis) for axis in axes]
    else:
        shared["pads"] = pairs_of(mode, rank)
    if case.layer == "unfold":
        return lambda x: naive.unfold(x, kernel, **shared), 0, no_gradients
    if case.layer == "conv":
        return (
            lambda x: naive.conv(x, weights, groups=groups, **shared),
            bias,
            lambda dy: [naive.conv_grad_weights(x, dy, kernel, groups, **shared)],
        )
    channels = x.shape[-1]
    if case.layer == "depthwise":
        return (
            lambda x: naive.depthwise(x, weights, **shared),
            bias,
            lambda dy: [naive.conv_grad_weights(x, dy, kernel, channels, **shared).reshape(weights.shape)],
        )
    mix = case.arrays["pointwise"].reshape(-1, case.arrays["pointwise"].shape[-1])

    def gradients_of_both(dy: Any) -> list[Any]:
        between = naive.depthwise(x, weights, **shared)
        first = naive.conv_grad_weights(x, dy @ mix.T, kernel, channels, **shared).reshape(weights.shape)
        second = np.tensordot(between, dy, (range(dy.ndim - 1), range(dy.ndim - 1)))
        return [first, second.reshape(case.arrays["pointwise"].shape)]

    return lambda x: naive.depthwise(x, weights, **shared) @ mix, bias, gradients_of_both


def no_gradients(dy: Any) -> list[Any]:
    """Return the gradients to the weights of a layer that has none."""
    return []


def amounts_of(value: Any, rank: int) -> list[int]:
    """Read one number for all axes, or one per axis."""
    return [value] * rank if isinstance(value, int) else list(value)


def pairs_of(value: Any, rank: int) -> list[tuple[int, int]]:
    """Read an amount for all sides, one per axis, or (before, after) per axis."""
    return [(each, each) if isinstance(each, int) else tuple(each) for each in amounts_of(value, rank)]
