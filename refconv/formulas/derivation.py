"""The derivation of a layer's output size: the formula, the numbers put into it, and what they mean.

Every result is checked against the index rule's own count, so a formula that is put to a layer it does
not fit is an error and not a wrong answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from refconv.errors import ConvError
from refconv.formulas.cost import cost
from refconv.formulas.table import FORMULAS
from refconv.geometry import INSERTED_ZERO_INDEX, AxisGeometry, ConvGeometry, input_index

# From the most specific on; the last holds always. R7 is not here: it speaks of pooling layers.
_CONVOLUTION_NAMES = ("R1", "R3", "R4", "R2", "R5", "R6", "R15", "conv")
_TRANSPOSED_NAMES = ("R8", "R10", "R11", "R9", "R12", "R13", "R14", "transposed")
_MEANINGS = {
    "i": "input i",
    "k": "kernel k",
    "ke": "dilated kernel ke",
    "s": "stride s",
    "d": "dilation d",
    "p": "padding p",
    "lo": "lo (before)",
    "hi": "hi (after)",
    "op": "output padding op",
    "a": "a",
    "total": "total crop",
    "crop": "crop",
    "size": "factor",
}
_CONVOLVING = ("conv", "conv-transpose", "depthwise", "separable")


class FormulaChoice(Protocol):
    """A formula's name and the numbers that one axis puts into it."""

    @property
    def name(self) -> str:
        """Key of `FORMULAS`."""

    @property
    def values(self) -> dict[str, int]:
        """The formula's variables."""


class LayerReading(Protocol):
    """What a layer's arguments mean; `refconv.conventions.Reading` is one."""

    @property
    def layer(self) -> str:
        """Kind of the layer."""

    @property
    def framework(self) -> str:
        """Whose words were read."""

    @property
    def geometry(self) -> ConvGeometry:
        """The layer's arithmetic."""

    @property
    def formulas(self) -> Sequence[FormulaChoice]:
        """The formula of every axis."""

    @property
    def interpolation(self) -> str:
        """An upsampling layer's method."""


@dataclass(frozen=True)
class AxisExplanation:
    """The derivation of one axis' output size.

    Attributes
    ----------
    input_size, result : int
        The axis' input and output size.
    name, title, symbolic, condition, source : str
        The formula; see `Formula`.
    substituted : str
        The formula with its numbers.
    given : str
        What the numbers are, in words.
    unread : int
        Cells at the end that no output reads: what the floor drops.
    dropped : str
        Which cells these are, in words; empty if there are none.
    sharing : range
        All input sizes that give the same output size, this one included; in JSON the first and the last.
    ambiguity : str
        Which of the sizes that a transposed layer may have was chosen, and why; empty for others.
    relationships : tuple of str
        The named relationships of arXiv:1603.07285 that also hold.
    note : str
        What else a reader should know; may be empty.
    """

    input_size: int
    result: int
    name: str
    title: str
    symbolic: str
    condition: str
    source: str
    substituted: str
    given: str
    unread: int
    dropped: str
    sharing: range
    ambiguity: str
    relationships: tuple[str, ...]
    note: str

    def __str__(self) -> str:
        left = self.symbolic.partition(" = ")[0]
        indent = " " * len(left)
        right = self.substituted.partition(" = ")[2]
        lines = [self.symbolic, f"{indent} = {right}"]
        if right != str(self.result):
            lines.append(f"{indent} = {self.result}")
        also = f"Also {', '.join(self.relationships)}." if self.relationships else ""
        sentences = [self.dropped, _sharing_in_words(self), self.ambiguity, self.note, also]
        source = f"Condition: {self.condition}. Source: {self.source}."
        return "\n".join([*lines, f"with {self.given}.", *filter(None, sentences), source])


@dataclass(frozen=True)
class Explanation:
    """The derivation of a layer's output size; ``str()`` gives it as text.

    Attributes
    ----------
    layer, framework : str
        Kind of the layer, and whose words described it.
    input_size, output_size : tuple of int
        Sizes of the spatial axes.
    axes : tuple of AxisExplanation
        The derivation of every axis.
    parameters, multiply_adds, useful_multiply_adds : int or None
        See `Cost`; None where the channels are not known.
    """

    layer: str
    framework: str
    input_size: tuple[int, ...]
    output_size: tuple[int, ...]
    axes: tuple[AxisExplanation, ...]
    parameters: int | None = None
    multiply_adds: int | None = None
    useful_multiply_adds: int | None = None

    def __str__(self) -> str:
        sizes = f"{_times(self.input_size)} -> {_times(self.output_size)}"
        paragraphs = [f"{self.layer} ({self.framework}): {sizes}"]
        for axis in dict.fromkeys(self.axes):
            numbers = [str(number) for number, other in enumerate(self.axes) if other == axis]
            which = f"Axis {numbers[0]}" if len(numbers) == 1 else f"Axes {_listed(numbers)}"
            heading = f"{which}: {axis.input_size} -> {axis.result}, {axis.title} ({axis.name})"
            paragraphs.append("\n  ".join([heading, *str(axis).splitlines()]))
        if self.parameters is not None:
            paragraphs.append(f"{self.parameters:,} parameters." if self.parameters else "No parameters.")
        if self.multiply_adds:
            paragraphs[-1] += (
                f" {self.multiply_adds:,} multiply-adds for one input, {self.useful_multiply_adds:,} of them on data."
            )
        return "\n\n".join(paragraphs)

    def as_dict(self) -> dict[str, Any]:
        """Return everything in plain dictionaries, lists, numbers and strings, ready for JSON.

        Examples
        --------
        >>> derive(ConvGeometry((AxisGeometry(5, 3),))).as_dict()["output_size"]
        [3]
        """
        return {name: _plain(value) for name, value in asdict(self).items()}


def derive(
    subject: ConvGeometry | LayerReading,
    *,
    channels: int | None = None,
    filters: int | None = None,
    depth_multiplier: int = 1,
    use_bias: bool = True,
) -> Explanation:
    """Derive the output size of a layer.

    Parameters
    ----------
    subject : ConvGeometry or Reading
        A geometry is explained by the most specific relationship that holds, and a reading by its
        framework's own formula.
    channels, filters, depth_multiplier, use_bias
        With `channels` the layer's parameters and multiply-adds are counted; see `cost`.

    Raises
    ------
    ConvError
        If `filters` are given without `channels`, or the counts do not fit the layer.

    Examples
    --------
    >>> print(derive(ConvGeometry((AxisGeometry(6, 3, stride=2, pad_before=1, pad_after=1),))))
    conv (rule): 6 -> 3
    <BLANKLINE>
    Axis 0: 6 -> 3, padding and strides (R6)
      o = floor((i + 2p - k) / s) + 1
        = floor((6 + 2*1 - 3) / 2) + 1
        = 3
      with input i = 6, padding p = 1, kernel k = 3 and stride s = 2.
      The floor drops the last cell of the padded input: 1 padding cell.
      Input sizes 5 and 6 share this output size.
      Also R15.
      Condition: d = 1. Source: arXiv:1603.07285, relationship 6.
    """
    if isinstance(subject, ConvGeometry):
        geometry = subject
        layer, framework = ("conv-transpose" if geometry.transposed else "conv"), "rule"
        axes = tuple(_explain_axis(layer, axis, None) for axis in geometry.axes)
        interpolated = False
    else:
        geometry, layer, framework = subject.geometry, subject.layer, subject.framework
        uses = zip(geometry.axes, subject.formulas, strict=True)
        axes = tuple(_explain_axis(layer, axis, use) for axis, use in uses)
        interpolated = subject.interpolation != "nearest"
    parameters = multiply_adds = useful = None
    if channels is not None:
        parameters, multiply_adds, useful = cost(layer, geometry, channels, filters, depth_multiplier, use_bias)
        if interpolated:
            multiply_adds = useful = None
    elif filters is not None:
        raise ConvError("channels", None, "filters are given, but not the channels they read", "give channels= too")
    return Explanation(
        layer, framework, geometry.input_size, geometry.output_size, axes, parameters, multiply_adds, useful
    )


def _explain_axis(layer: str, axis: AxisGeometry, use: FormulaChoice | None) -> AxisExplanation:
    inserting = layer == "conv-transpose" or (layer in _CONVOLVING and axis.input_dilation > 1)
    transposed = inserting and axis.stride == 1
    values = _transposed_values(axis) if transposed else _convolution_values(axis)
    holding = [name for name in (_TRANSPOSED_NAMES if transposed else _CONVOLUTION_NAMES) if _holds(name, axis, values)]
    relationships = [name for name in holding if name.startswith("R")] if layer in _CONVOLVING else []
    if use is None or use.name in ("conv", "transposed"):
        name = holding[0] if holding else "jax.conv"
        values = {**(use.values if use else {}), **values}
    else:
        name = use.name
        values = {**values, **use.values}
    formula = FORMULAS[name]
    result = formula.compute(values)
    if result != axis.output_size:
        raise ConvError(
            "formula", name, f"gives {result} where the index rule gives {axis.output_size}", "report this as a bug"
        )
    return AxisExplanation(
        input_size=axis.input_size,
        result=result,
        name=name,
        title=formula.title,
        symbolic=formula.symbolic,
        condition=formula.condition,
        source=formula.source,
        substituted=formula.substitute(values),
        given=_listed([f"{_MEANINGS[variable]} = {values[variable]}" for variable in formula.variables]),
        unread=axis.unread,
        dropped=_dropped(axis, formula.symbolic),
        sharing=_sharing(name, values, result),
        ambiguity=_ambiguity(name, values, axis) if transposed else "",
        relationships=tuple(sorted((other for other in relationships if other != name), key=_number)),
        note=_note(layer, axis, transposed, name),
    )


def _convolution_values(axis: AxisGeometry) -> dict[str, int]:
    values = {
        "i": axis.input_size,
        "k": axis.kernel_size,
        "ke": axis.dilated_kernel_size,
        "s": axis.stride,
        "d": axis.dilation,
        "a": axis.input_dilation,
        "lo": axis.pad_before,
        "hi": axis.pad_after,
    }
    return values | ({"p": axis.pad_before} if axis.pad_before == axis.pad_after else {})


def _transposed_values(axis: AxisGeometry) -> dict[str, int]:
    lo, hi = axis.crop
    stride = axis.input_dilation
    values = {
        "i": axis.input_size,
        "k": axis.kernel_size,
        "ke": axis.dilated_kernel_size,
        "s": stride,
        "d": axis.dilation,
        "lo": lo,
        "hi": hi,
    }
    return values | ({"p": lo, "a": lo - hi} if 0 <= lo - hi < stride else {})


def _holds(name: str, axis: AxisGeometry, values: dict[str, int]) -> bool:
    """Tell whether a relationship holds; those about convolutions know no inserted zeros."""
    if name in _CONVOLUTION_NAMES and axis.input_dilation > 1:
        return False
    needs_padding = name.startswith("R")
    return (not needs_padding or "p" in values) and FORMULAS[name].applies(values)


def _dropped(axis: AxisGeometry, symbolic: str) -> str:
    if axis.unread == 0:
        return ""
    # A kernel of one element at stride 1 visits the cells of the padded input one by one.
    cells = axis._replace(kernel_size=1, stride=1, dilation=1)
    under = [input_index(cell, 0, cells) for cell in range(axis.padded_size - axis.unread, axis.padded_size)]
    data = [index for index in under if index >= 0]
    zeros = under.count(INSERTED_ZERO_INDEX)
    padding = len(under) - len(data) - zeros
    parts = []
    if data:
        parts.append(f"{'datum' if len(data) == 1 else 'data'} {_few(data)} (counted from 0)")
    if zeros:
        parts.append(f"{zeros} inserted zero{'' if zeros == 1 else 's'}")
    if padding:
        parts.append(f"{padding} padding cell{'' if padding == 1 else 's'}")
    cells_in_words = "the last cell" if axis.unread == 1 else f"the last {axis.unread} cells"
    subject = f"The floor drops {cells_in_words}" if "floor" in symbolic else f"No output reads {cells_in_words}"
    return f"{subject} of the padded input: {_listed(parts)}."


def _sharing(name: str, values: dict[str, int], result: int) -> range:
    """Return the input sizes for which the layer, described by the same words, has this output size."""
    formula = FORMULAS[name]

    # Output sizes never fall as the input grows, so both ends are found by doubling and halving,
    # however large the stride is.
    def reach(direction: int, limit: int | None) -> int:
        def shares(step: int) -> bool:
            if limit is not None and step > limit:
                return False
            return formula.compute({**values, "i": values["i"] + direction * step}) == result

        good, bad = 0, 1
        while shares(bad):
            good, bad = bad, 2 * bad
        while bad - good > 1:
            middle = (good + bad) // 2
            good, bad = (middle, bad) if shares(middle) else (good, middle)
        return good

    return range(values["i"] - reach(-1, values["i"] - 1), values["i"] + reach(1, None) + 1)


def _sharing_in_words(axis: AxisExplanation) -> str:
    return f"Input sizes {_few(axis.sharing)} share this output size." if len(axis.sharing) > 1 else ""


def _ambiguity(name: str, values: dict[str, int], axis: AxisGeometry) -> str:
    """Say which of the sizes that a convolution takes to the layer's input was chosen, and why."""
    stride, result = axis.input_dilation, axis.output_size
    if stride == 1:
        return ""
    extra, why = _choice_of_size(name, values, axis)
    lo, hi = axis.crop[0], axis.crop[1] + extra
    if ".same" in name or values.get("crop", 0) == axis.dilated_kernel_size - 1 > 0:
        smallest, padding = stride * (axis.input_size - 1) + 1, "'same' padding"
    else:
        smallest, padding = result - extra, f"padding {lo if lo == hi else (lo, hi)}"
    sizes = range(smallest, smallest + stride)
    chosen = f"{result} is chosen" if result in sizes else f"{result} is not among them"
    return (
        f"A convolution with kernel {axis.dilated_kernel_size}, stride {stride} and {padding} takes "
        f"{_few(sizes)} alike to {axis.input_size}; {chosen}: {why}."
    )


def _choice_of_size(name: str, values: dict[str, int], axis: AxisGeometry) -> tuple[int, str]:
    """Return by how much the size exceeds the smallest possible one, and why it was chosen."""
    stride, ke, op = axis.input_dilation, axis.dilated_kernel_size, values.get("op")
    if name == "onnx.transposed.output_shape":
        by_itself = (
            ", which SAME_UPPER and SAME_LOWER set to s * i'" if axis.output_size == stride * axis.input_size else ""
        )
        return 0, f"it is the output_shape{by_itself}"
    if name == "keras1.transposed":
        return values["a"], "it is the output_shape"
    if name.endswith(".same"):
        return 0, "'same' by itself takes the largest, the stride times the input"
    if name == "keras.transposed.same.output_padding":
        parity = "" if ke % 2 else ", counted from s(i' - 1) where the kernel is even"
        return 0, f"output_padding is {op}{parity}"
    if name == "keras.transposed.valid":
        missing = max(stride - ke, 0)
        if missing:
            return missing, f"'valid' by itself appends {missing} where the stride is above the kernel"
        return 0, "'valid' by itself takes the smallest"
    extra = values["a"] if name in _TRANSPOSED_NAMES and name != "transposed" else op or 0
    if extra == 0:
        return 0, "without output padding it is the smallest"
    if extra == op:
        found = ", given or found from output_size," if name == "torch.transposed" else ""
        return extra, f"the output padding{found} adds {extra} to the smallest"
    return extra, f"a = {extra} fewer cells are cropped after than before"


def _note(layer: str, axis: AxisGeometry, transposed: bool, name: str) -> str:
    ke, s = axis.dilated_kernel_size, axis.input_dilation if transposed else axis.stride
    sentences = []
    if axis.dilation > 1 and axis.kernel_size > 1:
        sentences.append(
            f"The dilated kernel spans ke = d(k - 1) + 1 = {axis.dilation}({axis.kernel_size} - 1) + 1 = {ke} cells."
        )
    if layer in ("upsampling", "zero-padding", "cropping"):
        return ""
    if transposed:
        lo, hi = axis.crop
        full = s * (axis.input_size - 1) + ke
        if (lo, hi) != (0, 0):
            sentences.append(f"The full output, s(i' - 1) + ke = {full} cells, is {_cropped(lo, hi)}.")
        if max(lo, hi) >= ke:
            sentences.append("The equivalent direct convolution crops its own input, for more than ke - 1 is cropped.")
        return " ".join(sentences)
    if name == "conv.same":
        total = axis.pad_before + axis.pad_after
        sentences.append(
            f"The padding is max((o - 1)s + ke - i, 0) = {total}: {axis.pad_before} before, {axis.pad_after} after."
        )
    if min(axis.pad_before, axis.pad_after) < 0:
        sentences.append(f"The input is {_cropped(-axis.pad_before, -axis.pad_after)}.")
    if s > ke and axis.output_size > 1:
        sentences.append(
            f"The stride is above the kernel: {s - ke} of every {s} cells lie between the windows, unread."
        )
    return " ".join(sentences)


def _cropped(lo: int, hi: int) -> str:
    """Say what is done to both ends; a negative crop appends zeros."""
    ends = ((lo, "before"), (hi, "after"))
    removed = [f"{amount} {end}" for amount, end in ends if amount > 0]
    added = [f"{-amount} {end}" for amount, end in ends if amount < 0]
    parts = [f"cropped by {_listed(removed)}"] if removed else []
    return _listed(parts + ([f"extended by {_listed(added)}"] if added else []))


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _few(numbers: Sequence[int]) -> str:
    return _listed(list(map(str, numbers))) if len(numbers) < 5 else f"{numbers[0]} to {numbers[-1]}"


def _times(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))


def _number(name: str) -> int:
    return int(name.removeprefix("R"))


def _plain(value: Any) -> Any:
    """Return tuples as lists, and ranges as their first and last, all the way down."""
    if isinstance(value, range):
        return [value[0], value[-1]]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
