"""What the conventions share: a framework's numbers, once read, made into axes, formulas and a `Reading`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from refconv.arguments import per_axis
from refconv.conventions.layouts import DimensionNumbers, FormulaUse, Reading
from refconv.errors import ConvError, unknown_choice
from refconv.geometry import AxisGeometry, ConvGeometry

# What to write instead where the kernel does not fit, in each framework's own words.
_KEEPS_SIZE = {
    "rule": "padding='same'",
    "keras": "padding='same'",
    "tf": "padding='same'",
    "keras1": "border_mode='same'",
    "onnx": "auto_pad='SAME_UPPER'",
    "jax": "padding='SAME'",
    "matlab": "Padding='same'",
}


class Window(NamedTuple):
    """Kernel, stride and dilation of one axis, and the input's size and dilation."""

    input_size: int
    kernel_size: int
    stride: int = 1
    dilation: int = 1
    input_dilation: int = 1

    @property
    def dilated_kernel_size(self) -> int:
        """Cells from the first to the last kernel element."""
        return (self.kernel_size - 1) * self.dilation + 1

    @property
    def full_size(self) -> int:
        """Cells of a transposed layer's output before any crop."""
        return (self.input_size - 1) * self.stride + self.dilated_kernel_size

    def formula(self, name: str, before: int, after: int, **more: int) -> FormulaUse:
        """Return the use of a formula, with every number of this axis under its usual letter."""
        values = {
            "i": self.input_size,
            "n": self.input_size,
            "k": self.kernel_size,
            "ke": self.dilated_kernel_size,
            "s": self.stride,
            "d": self.dilation,
            "a": self.input_dilation,
            "lo": before,
            "hi": after,
        }
        if before == after:
            values["p"] = before
        return FormulaUse(name, values | more)


def windows(
    input_size: Sequence[int], kernel_size: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[Window, ...]:
    """Return one `Window` per axis."""
    return tuple(Window(*numbers) for numbers in zip(input_size, kernel_size, strides, dilations, strict=True))


def equal_strides(word: str, strides: Any, rank: int) -> tuple[int, ...]:
    """Read the strides of TensorFlow's depthwise operation, which takes one for rows and columns.

    Source: TensorFlow, ``core/kernels/depthwise_conv_op.cc``.

    Raises
    ------
    ConvError
        If they differ; it names `word`.
    """
    steps = per_axis(word, strides, rank)
    if len(set(steps)) > 1:
        rule_broken = "TensorFlow's depthwise operation takes one stride for rows and columns"
        raise ConvError(word, strides, rule_broken, "use equal strides, or framework='keras'")
    return steps


def same_padding(window: Window, odd_one_first: bool = False) -> tuple[int, int]:
    """Return the padding that makes ``ceil(input_size / stride)`` outputs, the odd cell at the end or first.

    Source: TensorFlow's ``SAME`` (``tf.nn.convolution``), which Keras, ONNX's SAME_UPPER and JAX share.

    Examples
    --------
    >>> same_padding(Window(6, 3, 2)), same_padding(Window(6, 3, 2), odd_one_first=True)
    ((0, 1), (1, 0))
    """
    outputs = -(-window.input_size // window.stride)
    total = max((outputs - 1) * window.stride + window.dilated_kernel_size - window.input_size, 0)
    less, more = total // 2, total - total // 2
    return (more, less) if odd_one_first else (less, more)


def conv_reading(
    layer: str,
    framework: str,
    layout: DimensionNumbers,
    axes: Sequence[tuple[Window, int, int, FormulaUse]],
    groups: int = 1,
) -> Reading:
    """Make the `Reading` of a convolution from each axis' window, padding before, after, and formula.

    Raises
    ------
    ConvError
        If the dilated kernel does not fit in the padded input (G7).
    """
    made = []
    for window, before, after, _ in axes:
        axis = AxisGeometry(
            window.input_size,
            window.kernel_size,
            window.stride,
            window.dilation,
            before,
            after,
            input_dilation=window.input_dilation,
        )
        _check_fits(axis, framework)
        made.append(axis)
    return Reading(layer, ConvGeometry(tuple(made), groups), layout, framework, tuple(use for *_, use in axes))


def _check_fits(axis: AxisGeometry, framework: str) -> None:
    if axis.output_size > 0:
        return
    missing = axis.dilated_kernel_size - 1 - axis.pad_before - axis.pad_after
    smallest = max(-(-missing // axis.input_dilation) + 1, 1)
    kernel = f"the dilated kernel spans {axis.dilated_kernel_size} but the padded input is {max(axis.padded_size, 0)}"
    instead = f", or use {_KEEPS_SIZE[framework]}" if framework in _KEEPS_SIZE and axis.input_dilation == 1 else ""
    raise ConvError("input_size", axis.input_size, kernel, f"the smallest input here is {smallest}{instead}", "G7")


def transposed_reading(
    framework: str,
    layout: DimensionNumbers,
    axes: Sequence[tuple[Window, int, int, FormulaUse]],
    groups: int = 1,
    *,
    crop_word: str = "padding",
    crop_value: Any = None,
) -> Reading:
    """Make the `Reading` of a transposed layer from each axis' window, crop before, after, and formula.

    Raises
    ------
    ConvError
        If the crop leaves nothing of the full output; it names `crop_word`.
    """
    made = []
    for window, before, after, _ in axes:
        if window.full_size - before - after < 1:
            raise ConvError(
                crop_word,
                crop_value,
                f"the full output has {window.full_size} cells and {before + after} are cropped, so nothing is left",
                "use another padding" if isinstance(crop_value, str) else f"crop at most {window.full_size - 1} in all",
            )
        axis = AxisGeometry.transposed(
            window.input_size, window.kernel_size, window.stride, window.dilation, before, after
        )
        made.append(axis)
    geometry = ConvGeometry(tuple(made), groups)
    return Reading("conv-transpose", geometry, layout, framework, tuple(use for *_, use in axes))


def upsampling_reading(
    framework: str, layout: DimensionNumbers, input_size: Sequence[int], size: Sequence[int], interpolation: str
) -> Reading:
    """Make the `Reading` of an upsampling by whole factors.

    Nearest upsampling by f stamps a kernel of f ones at stride f.
    """
    parts = [Window(n, factor, factor) for n, factor in zip(input_size, size, strict=True)]
    axes = tuple(AxisGeometry.transposed(part.input_size, part.kernel_size, part.stride) for part in parts)
    formulas = tuple(part.formula("upsampling", 0, 0, size=part.stride, f=part.stride) for part in parts)
    return Reading("upsampling", ConvGeometry(axes), layout, framework, formulas, interpolation)


def bordered_reading(
    layer: str,
    framework: str,
    layout: DimensionNumbers,
    input_size: Sequence[int],
    borders: Sequence[tuple[int, int]],
    *,
    word: str,
    value: Any,
) -> Reading:
    """Make the `Reading` of a zero-padding or cropping layer from each axis' cells before and after.

    Raises
    ------
    ConvError
        If the cropping leaves nothing; it names `word`.
    """
    sign = -1 if layer == "cropping" else 1
    axes = []
    formulas = []
    for n, (before, after) in zip(input_size, borders, strict=True):
        if n + sign * (before + after) < 1:
            raise ConvError(
                word,
                value,
                f"takes {-sign * (before + after)} of {n} cells, so nothing is left",
                f"take at most {n - 1} in all",
            )
        axes.append(AxisGeometry(n, 1, pad_before=sign * before, pad_after=sign * after))
        formulas.append(Window(n, 1).formula(layer.replace("-", "_"), before, after))
    return Reading(layer, ConvGeometry(tuple(axes)), layout, framework, tuple(formulas))


def unknown_word(word: str, value: Any, what: str, known: Iterable[str]) -> ConvError:
    """Build the error for a word that a layer does not take, naming the nearest one it does.

    Examples
    --------
    >>> print(unknown_word("stride", 2, "Keras' layer", ["kernel_size", "strides"]))
    `stride` = 2: is not a word of Keras' layer; did you mean 'strides'? It takes kernel_size, strides.
    """
    words = list(known)
    nearest = unknown_choice(word, word, words).remedy
    remedy = f"it takes {', '.join(words)}"
    if nearest.endswith("?"):
        remedy = f"{nearest} I{remedy[1:]}"
    return ConvError(word, value, f"is not a word of {what}", remedy)


def refuse(framework: str, layer: str, remedy: str) -> ConvError:
    """Build the error for a layer type that a framework does not have."""
    return ConvError("framework", framework, f"has no {layer} layer", remedy)
