"""The command line's options, the same for every framework, put into each framework's own words."""

from __future__ import annotations

from typing import Any

from refconv.arguments import choice, pairs_per_axis, spatial_size
from refconv.conventions import FRAMEWORKS, read
from refconv.conventions.layouts import Reading, layer_name
from refconv.errors import ConvError

OPTIONS = (
    "kernel",
    "stride",
    "padding",
    "dilation",
    "output_padding",
    "output_shape",
    "groups",
    "depth_multiplier",
    "size",
    "interpolation",
    "cropping",
)

_KERAS_CONV = {"kernel": "kernel_size", "stride": "strides", "padding": "padding", "dilation": "dilation_rate"}
_KERAS_DEPTHWISE = _KERAS_CONV | {"depth_multiplier": "depth_multiplier"}
_KERAS = {
    "conv": _KERAS_CONV | {"groups": "groups"},
    "conv-transpose": _KERAS_CONV | {"output_padding": "output_padding"},
    "depthwise": _KERAS_DEPTHWISE,
    "separable": _KERAS_DEPTHWISE,
    "upsampling": {"size": "size", "interpolation": "interpolation"},
    "zero-padding": {"padding": "padding"},
    "cropping": {"cropping": "cropping"},
}
_TORCH_CONV = {
    "kernel": "kernel_size",
    "stride": "stride",
    "padding": "padding",
    "dilation": "dilation",
    "groups": "groups",
}
_ONNX_CONV = {
    "kernel": "kernel_shape",
    "stride": "strides",
    "padding": "pads",
    "dilation": "dilations",
    "groups": "group",
}
_KERAS1_CONV = {"kernel": "kernel_size", "stride": "subsample", "padding": "border_mode"}

# Framework, layer, option: the framework's word. What is missing, the framework does not have.
WORDS: dict[str, dict[str, dict[str, str]]] = {
    "rule": _KERAS | {"conv-transpose": _KERAS["conv-transpose"] | {"groups": "groups"}},
    "keras": _KERAS,
    "tf": _KERAS,
    "keras1": {
        "conv": _KERAS1_CONV | {"dilation": "atrous_rate"},
        "conv-transpose": _KERAS1_CONV | {"output_shape": "output_shape"},
        "separable": _KERAS1_CONV | {"depth_multiplier": "depth_multiplier"},
        "upsampling": {"size": "size"},
        "zero-padding": {"padding": "padding"},
        "cropping": {"cropping": "cropping"},
    },
    "torch": {
        "conv": _TORCH_CONV,
        "conv-transpose": _TORCH_CONV | {"output_padding": "output_padding", "output_shape": "output_size"},
        "upsampling": {"size": "scale_factor", "interpolation": "mode"},
        "zero-padding": {"padding": "padding"},
    },
    "onnx": {
        "conv": _ONNX_CONV,
        "conv-transpose": _ONNX_CONV | {"output_padding": "output_padding", "output_shape": "output_shape"},
        "upsampling": {"size": "scales", "interpolation": "mode"},
        "zero-padding": {"padding": "pads"},
    },
    "jax": {
        "conv": {
            "kernel": "kernel_size",
            "stride": "window_strides",
            "padding": "padding",
            "dilation": "rhs_dilation",
            "groups": "feature_group_count",
        },
        "conv-transpose": {
            "kernel": "kernel_size",
            "stride": "strides",
            "padding": "padding",
            "dilation": "rhs_dilation",
        },
    },
    "matlab": {
        "conv": {"kernel": "FilterSize", "stride": "Stride", "padding": "Padding", "dilation": "DilationFactor"},
        "conv-transpose": {"kernel": "FilterSize", "stride": "Stride", "padding": "Cropping", "cropping": "Cropping"},
    },
}


def read_options(
    layer: str,
    input_size: Any,
    framework: str = "rule",
    *,
    kernel: Any = None,
    stride: Any = None,
    padding: Any = None,
    dilation: Any = None,
    output_padding: Any = None,
    output_shape: Any = None,
    groups: Any = None,
    depth_multiplier: Any = None,
    size: Any = None,
    interpolation: Any = None,
    cropping: Any = None,
) -> Reading:
    """Read a layer from uniform options, each of which stands for a word of the framework.

    Parameters
    ----------
    layer : str
        One of `refconv.conventions.LAYERS`.
    input_size : int or sequence of int
        Size of each spatial axis.
    framework : str
        One of `refconv.conventions.FRAMEWORKS`.
    kernel, stride, dilation, output_padding, output_shape, size : int or sequence of int, optional
        For all axes, or one per axis.
    padding, cropping : str, int or sequence, optional
        A word, whose hyphens may stand for underscores (``same-lower``); an amount for all sides; or per
        axis an amount or a (before, after) pair. In ONNX a word is its `auto_pad`, and ``same`` is
        SAME_UPPER. In MATLAB both are a transposed layer's Cropping.
    groups, depth_multiplier : int, optional
        Counts.
    interpolation : str, optional
        An upsampling layer's method, in the framework's word.

    Raises
    ------
    ConvError
        If the framework's layer has no such option, misses one, or refuses a value; it names the option.

    Examples
    --------
    >>> read_options("conv", (224, 224), "torch", kernel=7, stride=2, padding=3).output_size
    (112, 112)
    >>> read_options("conv", (5, 5), "onnx", kernel=2, padding="same-lower").geometry.axes[0].pad_before
    1
    """
    given = {
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "output_padding": output_padding,
        "output_shape": output_shape,
        "groups": groups,
        "depth_multiplier": depth_multiplier,
        "size": size,
        "interpolation": interpolation,
        "cropping": cropping,
    }
    given = {option: value for option, value in given.items() if value is not None}
    layer = layer_name(layer)
    framework = choice("framework", framework, FRAMEWORKS)
    sizes = spatial_size("input_size", input_size)
    # A layer that the framework lacks is refused by its own convention, whatever the options.
    if layer not in WORDS[framework]:
        return read(layer, sizes, framework)
    known = WORDS[framework][layer]
    for option, value in given.items():
        if option not in known:
            rule_broken = f"{framework}'s {layer} layer has no such option"
            raise ConvError(option, value, rule_broken, f"it has {', '.join(known)}")
    if "padding" in given and "cropping" in given:
        raise ConvError("cropping", cropping, "padding is given too, and is the same here", "leave one of the two out")
    words: dict[str, Any] = {}
    for option, value in given.items():
        words |= _in_words(option, known[option], value, framework, layer, len(sizes))
    try:
        return read(layer, sizes, framework, **words)
    except ConvError as error:
        raise _named_by_option(error, known, given) from None


def _in_words(option: str, word: str, value: Any, framework: str, layer: str, rank: int) -> dict[str, Any]:
    """Return the framework's word and value for an option's value."""
    if option not in ("padding", "cropping"):
        return {word: value}
    if isinstance(value, str):
        return _padding_word(word, value, framework)
    if word == "border_mode":
        remedy = "use valid, same or full, or a zero-padding layer before"
        raise ConvError(option, value, "Keras 1's layers take a word here", remedy)
    if framework in ("rule", "keras", "tf") or layer == "cropping":
        return {word: value}
    pairs = pairs_per_axis(option, value, rank)
    if framework == "jax":
        return {word: pairs}
    if framework == "onnx":
        return {word: [lo for lo, _ in pairs] + [hi for _, hi in pairs]}
    if framework == "matlab":
        return {word: tuple(zip(*pairs, strict=True))}
    if framework == "torch" and layer == "zero-padding":
        return {word: tuple(amount for pair in reversed(pairs) for amount in pair)}
    if all(lo == hi for lo, hi in pairs):
        return {word: tuple(lo for lo, _ in pairs)}
    if framework == "keras1" and rank < 3:
        return {word: tuple(amount for pair in pairs for amount in pair)}
    rule_broken = f"{framework}'s {layer} layer has the same amount on both sides of an axis"
    raise ConvError(option, value, rule_broken, "give one number" + (", or one per axis" if rank > 1 else ""))


def _padding_word(word: str, value: str, framework: str) -> dict[str, Any]:
    value = value.replace("-", "_")
    if framework == "onnx":
        value = value.upper()
        return {"auto_pad": "SAME_UPPER" if value == "SAME" else value}
    if framework == "jax":
        value = value.upper()
    elif framework in ("torch", "matlab", "keras1"):
        value = value.lower()
    return {word: value}


def _named_by_option(error: ConvError, known: dict[str, str], given: dict[str, Any]) -> ConvError:
    """Return the error with the option's name for the framework's word."""
    words = {word: option for option, word in known.items() if option in given} | {"auto_pad": "padding"}
    option = words.get(error.argument) or next((o for o, word in known.items() if word == error.argument), None)
    if option is None:
        return error
    value = given.get(option, error.value)
    remedy = error.remedy.replace(f"give {error.argument}=", f"give {option}")
    named = ConvError(option, value, error.rule, remedy, error.constraint)
    if error.remedy.endswith("?"):
        named.args = (str(named).removesuffix("."),)
    return named
