"""The questions that a person asks of a layer: how large is its output, and why."""

from __future__ import annotations

from typing import Any

from refconv import conventions
from refconv.arguments import is_sequence, spatial_size
from refconv.conventions import Reading
from refconv.errors import ConvError
from refconv.formulas import Explanation, derive
from refconv.geometry import ConvGeometry

# A layer object's attributes that say what it does to sizes, in Keras' words.
_WORDS = (
    "kernel_size",
    "strides",
    "padding",
    "dilation_rate",
    "output_padding",
    "groups",
    "size",
    "interpolation",
    "cropping",
)


def output_size(layer: Any, input_shape: Any = None, *, framework: str = "rule", **words: Any) -> tuple[int, ...]:
    """Return the size of a layer's output on every spatial axis.

    Parameters
    ----------
    layer : str, ConvGeometry, Reading or layer object
        A kind of layer, such as ``"conv-transpose"``, whose arguments are `words`; or a thing that has its own.
    input_shape : int or sequence of int
        For a kind of layer the sizes of the spatial axes; for a layer object its whole input shape. A
        geometry and a reading have their own.
    framework : str
        Whose words are used; one of `refconv.conventions.FRAMEWORKS`.
    **words
        The layer's arguments.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Examples
    --------
    >>> output_size("conv", (224, 224), kernel_size=7, strides=2, padding=3)
    (112, 112)
    >>> output_size("conv-transpose", 10, framework="torch", kernel_size=3, stride=2, padding=1)
    (19,)
    """
    return _subject(layer, input_shape, framework, words)[0].output_size


def explain(
    layer: Any,
    input_shape: Any = None,
    *,
    framework: str = "rule",
    channels: int | None = None,
    filters: int | None = None,
    depth_multiplier: int | None = None,
    use_bias: bool | None = None,
    **words: Any,
) -> Explanation:
    """Derive the size of a layer's output.

    Parameters
    ----------
    layer, input_shape, framework, **words
        As in `output_size`.
    channels, filters : int, optional
        Channels of the input and of the output: with them parameters and multiply-adds are counted. A layer
        object knows them.
    depth_multiplier : int, optional
        Depthwise filters per channel, 1 by default.
    use_bias : bool, optional
        Whether there is a bias per filter, true by default.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Examples
    --------
    >>> print(explain("conv-transpose", 10, framework="keras", kernel_size=3, strides=2))
    conv-transpose (keras): 10 -> 21
    <BLANKLINE>
    Axis 0: 10 -> 21, Keras' transposed convolution, 'valid' (keras.transposed.valid)
      o' = s(i' - 1) + max(ke, s)
         = 2(10 - 1) + max(3, 2)
         = 21
      with stride s = 2, input i = 10 and dilated kernel ke = 3.
      A convolution with kernel 3, stride 2 and padding 0 takes 21 and 22 alike to 10; 21 is chosen: 'valid' by itself
      takes the smallest.
      Also R12, R13, R14.
      Condition: output_padding is not given. Source: ...
    """
    subject, counts = _subject(layer, input_shape, framework, words)
    given = {
        "channels": channels,
        "filters": filters,
        "depth_multiplier": depth_multiplier,
        "use_bias": use_bias,
    }
    for name, value in given.items():
        if value is None:
            continue
        if counts.get(name, value) != value:
            raise ConvError(name, value, f"this layer's own is {counts[name]}", f"leave {name} out")
        counts[name] = value
    return derive(subject, **counts)


def _subject(
    layer: Any, input_shape: Any, framework: str, words: dict[str, Any]
) -> tuple[ConvGeometry | Reading, dict[str, Any]]:
    """Return what is to be explained, and the channels and the like that it knows itself."""
    if isinstance(layer, str):
        if input_shape is None:
            raise ConvError("input_shape", None, "a kind of layer needs the sizes of its input", "give (28, 28), or 28")
        return conventions.read(layer, input_shape, framework, **words), {}
    if words:
        raise ConvError(
            next(iter(words)), next(iter(words.values())), "this layer has its own arguments", "leave it out"
        )
    if isinstance(layer, (ConvGeometry, Reading)):
        geometry = layer if isinstance(layer, ConvGeometry) else layer.geometry
        if input_shape is not None and spatial_size("input_shape", input_shape) != geometry.input_size:
            raise ConvError(
                "input_shape", input_shape, f"the geometry is one for {geometry.input_size}", "leave input_shape out"
            )
        return layer, {}
    if not hasattr(layer, "compute_output_shape") or not hasattr(layer, "kind"):
        raise ConvError("layer", layer, "neither a kind of layer, a geometry nor a layer", "give 'conv' or a layer")
    if hasattr(layer, "reading"):
        # A layer in another framework's words reads them itself.
        reading: tuple[Reading, dict[str, Any]] = layer.reading(input_shape)
        return reading
    return _reading_of(layer, input_shape)


def _reading_of(layer: Any, input_shape: Any) -> tuple[Reading, dict[str, Any]]:
    if not is_sequence(input_shape):
        raise ConvError(
            "input_shape", input_shape, "a layer needs its whole input shape", "give (batch, ..., channels)"
        )
    layer.compute_output_shape(input_shape)
    last = layer.data_format == "channels_last"
    spatial = spatial_size("input_shape", input_shape[1:-1] if last else input_shape[2:])
    words = {word: getattr(layer, word) for word in _WORDS if hasattr(layer, word)}
    counts = {
        name: getattr(layer, name) for name in ("filters", "depth_multiplier", "use_bias") if hasattr(layer, name)
    }
    channels = input_shape[-1 if last else 1]
    if channels is None:
        counts.pop("filters", None)
    return conventions.read(layer.kind, spatial, "keras", **words), counts | {"channels": channels}
