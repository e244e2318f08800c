"""Random layers in each framework's own words, with asymmetric arrays of small whole numbers.

Whole numbers keep every sum exact, so that answers are compared for equality. Nothing here imports
what is verified.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from refconv.verify.record import Case

MOST_VALUES = 2500
LARGEST = {1: 9, 2: 7, 3: 4}
LARGEST_KERNEL = {1: 5, 2: 4, 3: 3}
LARGEST_STRIDE = {1: 5, 2: 4, 3: 3}
RULE_METHODS = ("nearest", "linear", "cubic", "lanczos3", "lanczos5")

Draw = Callable[["Dice"], tuple[dict[str, Any], dict[str, np.ndarray]]]


class Source(Protocol):
    """Where numbers come from: NumPy's generator, or what a property test draws."""

    def integers(self, low: int, high: int, size: tuple[int, ...] | None = None) -> Any:
        """Return one whole number from low up to high - 1, or an array of them."""

    def random(self) -> float:
        """Return a number from 0 up to 1."""


class Dice:
    """The numbers of a layer of one rank, from a source."""

    def __init__(self, rng: Source, rank: int, grouped: bool = True) -> None:
        self.rng = rng
        self.most_groups = 3 if grouped else 1
        self.rank = rank
        self.batch = self.number(1, 2)
        self.size = [self.number(1 if rank > 1 else 2, LARGEST[rank]) for _ in range(rank)]
        self.kernel = [self.number(1, LARGEST_KERNEL[rank]) for _ in range(rank)]
        self.bias = self.chance(0.5)

    def number(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def numbers(self, low: int, high: int) -> list[int]:
        return [self.number(low, high) for _ in range(self.rank)]

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def pick(self, *choices: Any) -> Any:
        return choices[self.number(0, len(choices) - 1)]

    def number_or_numbers(self, low: int, high: int) -> int | list[int]:
        return self.number(low, high) if self.chance(0.4) else self.numbers(low, high)

    def stride_and_dilation(self, together: float) -> tuple[int | list[int], int | list[int]]:
        """Draw a stride and a dilation, both above 1 with a given probability only."""
        stride, dilation = self.number_or_numbers(1, LARGEST_STRIDE[self.rank]), self.number_or_numbers(1, 3)
        if not self.chance(together):
            if self.chance(0.6):
                dilation = 1
            else:
                stride = 1
        return stride, dilation

    def groups(self) -> tuple[int, int, int]:
        """Draw groups, channels and filters, channels and filters unequal."""
        groups = min(self.pick(1, 1, 2, 3), self.most_groups)
        a, b = self.pick((1, 2), (2, 1), (1, 3), (2, 3), (3, 1)) if groups == 1 else self.pick((1, 2), (2, 1))
        return groups, groups * a, groups * b

    def values(self, *shape: int) -> np.ndarray:
        return self.rng.integers(-9, 10, shape).astype(np.float64)

    def input(self, channels: int, channels_last: bool) -> np.ndarray:
        shape = (*self.size, channels) if channels_last else (channels, *self.size)
        return self.values(self.batch, *shape)

    def arrays(self, x: np.ndarray, weights: np.ndarray, filters: int) -> dict[str, np.ndarray]:
        arrays = {"x": x, "weights": weights}
        if self.bias:
            arrays["bias"] = self.values(filters)
        return arrays

    def target_size(self) -> list[int]:
        return self.numbers(1, LARGEST[self.rank] + 3)


def keras_words(dice: Dice, together: float) -> tuple[dict[str, Any], bool]:
    strides, dilation_rate = dice.stride_and_dilation(together)
    data_format = dice.pick("channels_last", "channels_last", "channels_first")
    words = {
        "kernel_size": dice.kernel,
        "strides": strides,
        "padding": dice.pick("valid", "same"),
        "dilation_rate": dilation_rate,
        "data_format": data_format,
    }
    return words, data_format == "channels_last"


def keras_conv(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    words, channels_last = keras_words(dice, together=0.1)
    if dice.rank == 1:
        words["padding"] = dice.pick("valid", "same", "causal")
    groups, channels, filters = dice.groups()
    words["groups"] = groups
    weights = dice.values(*dice.kernel, channels // groups, filters)
    return words, dice.arrays(dice.input(channels, channels_last), weights, filters)


def keras_conv_transpose(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    words, channels_last = keras_words(dice, together=0.1)
    strides = words["strides"]
    if dice.chance(0.6):
        largest = (strides if isinstance(strides, int) else min(strides)) - (0 if dice.chance(0.1) else 1)
        words["output_padding"] = dice.number_or_numbers(0, largest)
    _, channels, filters = dice.groups()
    weights = dice.values(*dice.kernel, filters, channels)
    return words, dice.arrays(dice.input(channels, channels_last), weights, filters)


def keras_depthwise(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    words, channels_last = keras_words(dice, together=0.3)
    if dice.chance(0.7):
        words["strides"] = dice.number(1, 3)
    channels, multiplier = dice.number(2, 3), dice.number(1, 3)
    weights = dice.values(*dice.kernel, channels, multiplier)
    return words, dice.arrays(dice.input(channels, channels_last), weights, channels * multiplier)


def keras_separable(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    words, channels_last = keras_words(dice, together=0.3)
    if dice.chance(0.7):
        words["strides"] = dice.number(1, 3)
    channels, multiplier, filters = dice.number(2, 3), dice.number(1, 2), dice.number(1, 4)
    arrays = dice.arrays(dice.input(channels, channels_last), dice.values(*dice.kernel, channels, multiplier), filters)
    arrays["pointwise"] = dice.values(*[1] * dice.rank, channels * multiplier, filters)
    return words, arrays


def keras_upsampling(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    words: dict[str, Any] = {"size": dice.number(1, 3) if dice.rank == 1 else dice.number_or_numbers(1, 3)}
    channels_last = True
    if dice.rank > 1:
        channels_last = dice.chance(0.6)
        words["data_format"] = "channels_last" if channels_last else "channels_first"
    if dice.rank == 2:
        words["interpolation"] = dice.pick("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
    return words, {"x": dice.input(2, channels_last)}


def keras_pairs(dice: Dice, high: int) -> Any:
    if dice.chance(0.2):
        return dice.number(0, high)
    if dice.rank == 1:
        return dice.numbers(0, high) + dice.numbers(0, high)
    if dice.chance(0.3):
        return dice.numbers(0, high)
    return [[dice.number(0, high), dice.number(0, high)] for _ in range(dice.rank)]


def keras_zero_padding(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    channels_last = dice.chance(0.6)
    data_format = "channels_last" if channels_last else "channels_first"
    return {"padding": keras_pairs(dice, 3), "data_format": data_format}, {"x": dice.input(2, channels_last)}


def keras_cropping(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    channels_last = dice.rank == 1 or dice.chance(0.6)
    words: dict[str, Any] = {"cropping": keras_pairs(dice, 2)}
    if dice.rank > 1:
        words["data_format"] = "channels_last" if channels_last else "channels_first"
    dice.size = [size + 2 for size in dice.size]
    return words, {"x": dice.input(2, channels_last)}


def keras_resize(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    interpolation = dice.pick("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
    words = {"size": dice.target_size(), "interpolation": interpolation, "data_format": "channels_last"}
    return words, {"x": dice.input(2, channels_last=True)}


def torch_conv(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    stride, dilation = dice.stride_and_dilation(together=0.4)
    groups, channels, filters = dice.groups()
    words = {
        "kernel_size": dice.kernel,
        "stride": stride,
        "padding": dice.pick(0, dice.number_or_numbers(0, 3), dice.number_or_numbers(0, 3), "valid"),
        "dilation": dilation,
        "groups": groups,
        "padding_mode": dice.pick("zeros", "zeros", "zeros", "reflect", "replicate", "circular"),
    }
    if dice.chance(0.2):
        words |= {"padding": "same", "stride": 1}
    weights = dice.values(filters, channels // groups, *dice.kernel)
    return words, dice.arrays(dice.input(channels, channels_last=False), weights, filters)


def torch_conv_transpose(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    stride, dilation = dice.stride_and_dilation(together=0.4)
    groups, channels, filters = dice.groups()
    words = {
        "kernel_size": dice.kernel,
        "stride": stride,
        "padding": dice.number_or_numbers(0, 2),
        "dilation": dilation,
        "groups": groups,
    }
    strides, dilations, paddings = (
        [value] * dice.rank if isinstance(value, int) else value for value in (stride, dilation, words["padding"])
    )
    if dice.chance(0.3):
        words["output_size"] = [
            (n - 1) * s + (k - 1) * d + 1 - 2 * p + dice.number(0, s - 1 + dice.chance(0.05))
            for n, s, k, d, p in zip(dice.size, strides, dice.kernel, dilations, paddings, strict=True)
        ]
    elif dice.chance(0.6):
        words["output_padding"] = [
            dice.number(0, max(s, d) - 1 + dice.chance(0.05)) for s, d in zip(strides, dilations, strict=True)
        ]
    weights = dice.values(channels, filters // groups, *dice.kernel)
    return words, dice.arrays(dice.input(channels, channels_last=False), weights, filters)


def torch_resize(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    mode = dice.pick("nearest", "nearest-exact", ("linear", "bilinear", "trilinear")[dice.rank - 1])
    if dice.rank == 2 and dice.chance(0.4):
        mode = "bicubic"
    words: dict[str, Any] = {"size": dice.target_size(), "mode": mode}
    if "linear" in mode:
        words["align_corners"] = dice.chance(0.5)
    return words, {"x": dice.input(2, channels_last=False)}


def torch_pad(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    mode = dice.pick("constant", "reflect", "replicate", "circular")
    dice.size = [size + 1 for size in dice.size]
    most = [size if mode == "circular" else size - 1 if mode == "reflect" else 3 for size in reversed(dice.size)]
    words = {"pad": [dice.number(0, min(3, m)) for m in most for _ in range(2)], "mode": mode}
    if mode == "constant":
        words["value"] = dice.number(-3, 3)
    return words, {"x": dice.input(2, channels_last=False)}


def torch_zero_padding(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    words = {"padding": dice.number(0, 2) if dice.chance(0.2) else [dice.number(-1, 3) for _ in range(2 * dice.rank)]}
    return words, {"x": dice.input(2, channels_last=False)}


def torch_upsampling(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    mode = dice.pick("nearest", "nearest-exact", ("linear", "bilinear", "trilinear")[dice.rank - 1])
    factors = dice.number_or_numbers(1, 3)
    return {"scale_factor": factors, "mode": mode}, {"x": dice.input(2, channels_last=False)}


def torch_unfold(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    words = {
        "kernel_size": dice.kernel,
        "dilation": dice.numbers(1, 2),
        "padding": dice.numbers(0, 2),
        "stride": dice.numbers(1, 3),
    }
    return words, {"x": dice.input(2, channels_last=False)}


def torch_fold(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    words, _ = torch_unfold(dice)
    places = [
        (n + 2 * p - (k - 1) * d - 1) // s + 1
        for n, p, k, d, s in zip(
            dice.size, words["padding"], dice.kernel, words["dilation"], words["stride"], strict=True
        )
    ]
    columns = dice.values(dice.batch, 2 * int(np.prod(dice.kernel)), int(np.prod(np.maximum(places, 0))))
    return {"output_size": dice.size, **words}, {"x": columns}


def jax_arrays(
    dice: Dice, words: dict[str, Any], default: tuple[str, str, str], weights: np.ndarray, channels: int, filters: int
) -> dict[str, np.ndarray]:
    """Draw the order of the axes, and put arrays into it; `weights` come with their ends last."""
    spatial = "DHW"[-dice.rank :]
    last, first = f"N{spatial}C", f"NC{spatial}"
    numbers = dice.pick(default, (last, f"{spatial}IO", last), (first, f"IO{spatial}", last))
    if numbers != default:
        words["dimension_numbers"] = list(numbers)
    x = dice.input(channels, channels_last=True)
    x = x.transpose([last.index(letter) for letter in numbers[0]])
    weights = weights.transpose([f"{spatial}IO".index(letter) for letter in numbers[1]])
    arrays = {"x": x, "weights": weights}
    if dice.bias and numbers[2].endswith("C"):
        arrays["bias"] = dice.values(filters)
    return arrays


def jax_conv(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    groups, channels, filters = dice.groups()
    words: dict[str, Any] = {
        "kernel_size": dice.kernel,
        "window_strides": dice.numbers(1, LARGEST_STRIDE[dice.rank]),
        "padding": dice.pick("SAME", "SAME_LOWER", "VALID", None, None),
        "rhs_dilation": dice.numbers(1, 3),
        "feature_group_count": groups,
    }
    if dice.chance(0.1 if words["padding"] else 0.6):
        words["lhs_dilation"] = dice.numbers(1, 3)
    if words["padding"] is None:
        words["padding"] = [[dice.number(-1, 4), dice.number(-1, 4)] for _ in range(dice.rank)]
    weights = dice.values(*dice.kernel, channels // groups, filters)
    spatial = "DHW"[-dice.rank :]
    default = (f"NC{spatial}", f"OI{spatial}", f"NC{spatial}")
    return words, jax_arrays(dice, words, default, weights, channels, filters)


def jax_conv_transpose(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    _, channels, filters = dice.groups()
    words = {
        "kernel_size": dice.kernel,
        "strides": dice.numbers(1, LARGEST_STRIDE[dice.rank]),
        "padding": dice.pick("SAME", "VALID", [[dice.number(0, 4), dice.number(0, 4)] for _ in range(dice.rank)]),
        "rhs_dilation": dice.numbers(1, 2),
        "transpose_kernel": dice.chance(0.5),
    }
    if dice.chance(0.3):
        words["use_consistent_padding"] = True
    ends = (filters, channels) if words["transpose_kernel"] else (channels, filters)
    weights = dice.values(*dice.kernel, *ends)
    spatial = "DHW"[-dice.rank :]
    default = (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C")
    return words, jax_arrays(dice, words, default, weights, channels, filters)


def jax_resize(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    x = dice.input(2, channels_last=True)
    method = dice.pick("nearest", "linear", "cubic", "lanczos3", "lanczos5")
    return {"shape": [x.shape[0], *dice.target_size(), x.shape[-1]], "method": method}, {"x": x}


def onnx_words(dice: Dice) -> dict[str, Any]:
    words: dict[str, Any] = {"kernel_shape": dice.kernel, "strides": dice.numbers(1, LARGEST_STRIDE[dice.rank])}
    padding = dice.pick("pads", "pads", "SAME_UPPER", "SAME_LOWER", "VALID")
    if padding == "pads":
        words["pads"] = dice.numbers(0, 2) + dice.numbers(0, 2)
    else:
        words["auto_pad"] = padding
    words["dilations"] = dice.numbers(1, 2) if not padding.startswith("SAME") or dice.chance(0.2) else [1] * dice.rank
    return words


def onnx_conv(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    groups, channels, filters = dice.groups()
    weights = dice.values(filters, channels // groups, *dice.kernel)
    return {**onnx_words(dice), "group": groups}, dice.arrays(dice.input(channels, False), weights, filters)


def onnx_conv_transpose(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    words = onnx_words(dice)
    groups, channels, filters = dice.groups()
    words["group"] = groups
    if dice.chance(0.4):
        words["output_padding"] = [
            dice.number(0, max(s, d) - 1) for s, d in zip(words["strides"], words["dilations"], strict=True)
        ]
    if dice.chance(0.4):
        words.pop("pads", None)
        words["output_shape"] = [
            max((n - 1) * s + (k - 1) * d + 1 - dice.number(-2, 3), 1)
            for n, s, k, d in zip(dice.size, words["strides"], dice.kernel, words["dilations"], strict=True)
        ]
    weights = dice.values(channels, filters // groups, *dice.kernel)
    return words, dice.arrays(dice.input(channels, False), weights, filters)


def onnx_resize(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    x = dice.input(2, channels_last=False)
    words: dict[str, Any] = {
        "sizes": [*x.shape[:2], *dice.target_size()],
        "mode": dice.pick("nearest", "linear", "cubic") if dice.rank == 2 else dice.pick("nearest", "linear"),
        "coordinate_transformation_mode": dice.pick("half_pixel", "align_corners", "asymmetric"),
    }
    if words["mode"] == "cubic":
        words |= {"cubic_coeff_a": -0.5, "exclude_outside": 1}
    if words["mode"] == "nearest":
        # On a tie Keras and JAX take the later datum; ONNX lets its user say so.
        asymmetric = words["coordinate_transformation_mode"] == "asymmetric"
        words["nearest_mode"] = "floor" if asymmetric else "round_prefer_ceil"
    return words, {"x": x}


def onnx_pad(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    dice.size = [size + 1 for size in dice.size]
    mode = dice.pick("constant", "reflect", "edge", "wrap")
    before, after = ([dice.number(0, min(3, size - 1)) for size in dice.size] for _ in range(2))
    return {"pads": [0, 0, *before, 0, 0, *after], "mode": mode}, {"x": dice.input(2, channels_last=False)}


def onnx_zero_padding(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    pads = [dice.number(-1, 3) for _ in range(2 * dice.rank)]
    return {"pads": pads}, {"x": dice.input(2, channels_last=False)}


def onnx_upsampling(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    words = {"scales": dice.numbers(1, 3), "mode": dice.pick("nearest", "linear")}
    return words, {"x": dice.input(2, channels_last=False)}


def onnx_fold(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    words = {
        "image_shape": dice.size,
        "block_shape": dice.kernel,
        "dilations": dice.numbers(1, 2),
        "pads": dice.numbers(0, 2) + dice.numbers(0, 2),
        "strides": dice.numbers(1, 3),
    }
    places = [
        (n + words["pads"][a] + words["pads"][a + dice.rank] - (k - 1) * d - 1) // s + 1
        for a, (n, k, d, s) in enumerate(zip(dice.size, dice.kernel, words["dilations"], words["strides"], strict=True))
    ]
    return words, {"x": dice.values(dice.batch, 2 * int(np.prod(dice.kernel)), int(np.prod(np.maximum(places, 0))))}


def pairs(dice: Dice, low: int, high: int) -> Any:
    """Draw amounts in the words of `refconv.functional`: for all sides, per axis, or before and after."""
    if dice.chance(0.3):
        # Two numbers on one axis are before and after; on more, one number an axis.
        return dice.number_or_numbers(low, high) if dice.rank > 1 else dice.number(low, high)
    return [[dice.number(low, high), dice.number(low, high)] for _ in range(dice.rank)]


def rule_words(dice: Dice, *paddings: str) -> dict[str, Any]:
    strides, dilation_rate = dice.stride_and_dilation(together=0.5)
    padding = dice.pick(*paddings, pairs(dice, -1, 3))
    return {"kernel_size": dice.kernel, "strides": strides, "padding": padding, "dilation_rate": dilation_rate}


def rule_conv(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    groups, channels, filters = dice.groups()
    words = {**rule_words(dice, "valid", "same", "causal", "full"), "groups": groups}
    weights = dice.values(*dice.kernel, channels // groups, filters)
    return words, dice.arrays(dice.input(channels, channels_last=True), weights, filters)


def rule_conv_transpose(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    groups, channels, filters = dice.groups()
    words = {**rule_words(dice, "valid", "same", "full"), "groups": groups}
    if dice.chance(0.5):
        words["output_padding"] = dice.number_or_numbers(0, 3)
    weights = dice.values(*dice.kernel, filters // groups, channels)
    return words, dice.arrays(dice.input(channels, channels_last=True), weights, filters)


def rule_depthwise(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    channels, multiplier = dice.number(2, 3), dice.number(1, 3)
    weights = dice.values(*dice.kernel, channels, multiplier)
    words = rule_words(dice, "valid", "same", "causal", "full")
    return words, dice.arrays(dice.input(channels, channels_last=True), weights, channels * multiplier)


def rule_separable(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    channels, multiplier, filters = dice.number(2, 3), dice.number(1, 2), dice.number(1, 4)
    arrays = dice.arrays(dice.input(channels, True), dice.values(*dice.kernel, channels, multiplier), filters)
    arrays["pointwise"] = dice.values(*[1] * dice.rank, channels * multiplier, filters)
    return rule_words(dice, "valid", "same", "causal", "full"), arrays


def rule_upsampling(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    words = {"size": dice.number_or_numbers(1, 3), "interpolation": dice.pick(*RULE_METHODS)}
    return words, {"x": dice.input(2, channels_last=True)}


def rule_zero_padding(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    return {"padding": pairs(dice, -1, 3)}, {"x": dice.input(2, channels_last=True)}


def rule_cropping(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    dice.size = [size + 2 for size in dice.size]
    return {"cropping": pairs(dice, 0, 2)}, {"x": dice.input(2, channels_last=True)}


def rule_resize(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    words = {
        "size": dice.target_size(),
        "interpolation": dice.pick(*RULE_METHODS),
        "coordinates": dice.pick("half_pixel", "align_corners", "asymmetric"),
    }
    return words, {"x": dice.input(2, channels_last=True)}


def rule_pad(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    dice.size = [size + 1 for size in dice.size]
    mode = dice.pick("constant", "reflect", "symmetric", "replicate", "circular")
    words = {"padding": [[dice.number(0, min(3, n - 1)), dice.number(0, min(3, n - 1))] for n in dice.size]}
    return {**words, "mode": mode}, {"x": dice.input(2, channels_last=True)}


def rule_unfold(dice: Dice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    words = rule_words(dice, "valid", "same", "causal", "full")
    return words, {"x": dice.input(2, channels_last=True)}


# What is drawn for each peer: the layer, its drawer, the ranks, and its share of the cases.
Drawers = list[tuple[str, Draw, tuple[int, ...], int]]
KERAS: Drawers = [
    ("conv", keras_conv, (1, 2, 3), 4),
    ("conv-transpose", keras_conv_transpose, (1, 2, 3), 5),
    ("depthwise", keras_depthwise, (1, 2), 3),
    ("separable", keras_separable, (1, 2), 3),
    ("upsampling", keras_upsampling, (1, 2, 2, 3), 2),
    ("zero-padding", keras_zero_padding, (1, 2, 3), 1),
    ("cropping", keras_cropping, (1, 2, 3), 1),
    ("resize", keras_resize, (2,), 2),
]
ONNX: Drawers = [
    ("conv", onnx_conv, (1, 2, 3), 4),
    ("conv-transpose", onnx_conv_transpose, (1, 2, 3), 5),
    ("resize", onnx_resize, (1, 2), 2),
    ("upsampling", onnx_upsampling, (1, 2), 1),
    ("zero-padding", onnx_zero_padding, (1, 2, 3), 1),
    ("pad", onnx_pad, (1, 2, 3), 1),
    ("fold", onnx_fold, (1, 2, 3), 1),
]
DRAWERS: dict[str, Drawers] = {
    "oracle": [
        ("conv", rule_conv, (1, 2, 3), 5),
        ("conv-transpose", rule_conv_transpose, (1, 2, 3), 5),
        ("depthwise", rule_depthwise, (1, 2, 3), 3),
        ("separable", rule_separable, (1, 2, 3), 3),
        ("upsampling", rule_upsampling, (1, 2, 3), 2),
        ("zero-padding", rule_zero_padding, (1, 2, 3), 1),
        ("cropping", rule_cropping, (1, 2, 3), 1),
        ("resize", rule_resize, (1, 2, 3), 2),
        ("pad", rule_pad, (1, 2, 3), 2),
        ("unfold", rule_unfold, (1, 2, 3), 1),
    ],
    "keras-jax": KERAS,
    "keras-numpy": KERAS,
    "keras-tensorflow": KERAS,
    "keras-torch": KERAS,
    "torch": [
        ("conv", torch_conv, (1, 2, 3), 5),
        ("conv-transpose", torch_conv_transpose, (1, 2, 3), 5),
        ("upsampling", torch_upsampling, (1, 2, 3), 1),
        ("zero-padding", torch_zero_padding, (1, 2, 3), 1),
        ("resize", torch_resize, (1, 2, 2, 3), 2),
        ("pad", torch_pad, (1, 2, 3), 2),
        ("unfold", torch_unfold, (2,), 2),
        ("fold", torch_fold, (2,), 2),
    ],
    "jax": [
        ("conv", jax_conv, (1, 2, 3), 5),
        ("conv-transpose", jax_conv_transpose, (1, 2, 3), 5),
        ("resize", jax_resize, (1, 2, 3), 2),
    ],
    "onnx-reference": ONNX,
    # Its Col2Im miscounts the columns of a dilated kernel in 1-D and 3-D, and reads outside (onnxruntime 18156).
    "onnxruntime": [*ONNX[:-1], ("fold", onnx_fold, (2,), 1)],
}


class Turn(NamedTuple):
    """What is drawn next: a layer of a rank, by a drawer."""

    layer: str
    drawer: Draw
    rank: int


def draw(peer: str, count: int, seed: int) -> Iterator[Case]:
    """Draw the cases that are stored for a peer, without answers: all of one layer type before the next."""
    rng = np.random.default_rng([seed, zlib.crc32(peer.encode())])
    turns = [(layer, drawer, ranks) for layer, drawer, ranks, share in DRAWERS[peer] for _ in range(share)]
    for drawn in range(count):
        layer, drawer, ranks = turns[drawn % len(turns)]
        turn = Turn(layer, drawer, ranks[drawn // len(turns) % len(ranks)])
        # ONNX's reference fails wherever a ConvTranspose has groups, which few cases are enough to show.
        grouped = (peer, layer) != ("onnx-reference", "conv-transpose") or drawn % 8 == 0
        yield draw_small(peer, turn, rng, grouped)


def draw_alternately(peer: str, seed: int) -> Iterator[Case]:
    """Draw cases without end, the layer types and ranks taking turns, so that a few show every one."""
    rng = np.random.default_rng([seed, zlib.crc32(peer.encode())])
    layers = [(copy, layer, drawer, ranks) for layer, drawer, ranks, share in DRAWERS[peer] for copy in range(share)]
    layers.sort(key=lambda each: each[0])
    for turn in itertools.count():
        for copy, layer, drawer, ranks in layers:
            grouped = (peer, layer) != ("onnx-reference", "conv-transpose") or copy == 0
            yield draw_small(peer, Turn(layer, drawer, ranks[(turn + copy) % len(ranks)]), rng, grouped)


def draw_small(peer: str, turn: Turn, source: Source, grouped: bool = True) -> Case:
    """Draw until a case is small enough to be stored, and has an input."""
    while True:
        case = draw_case(peer, turn, source, grouped)
        if is_small(case):
            return case


def draw_case(peer: str, turn: Turn, source: Source, grouped: bool = True) -> Case:
    """Draw one case, of any size."""
    words, arrays = turn.drawer(Dice(source, turn.rank, grouped))
    return Case(peer, turn.layer, words, arrays)


def is_small(case: Case) -> bool:
    """Return whether a case is small enough to be stored, and has an input."""
    return case.size <= MOST_VALUES // 3 and case.arrays["x"].size > 0
