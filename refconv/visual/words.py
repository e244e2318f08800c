"""What a picture says: numbers, sizes, titles, captions and alternative text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from refconv.formulas import Explanation
from refconv.geometry import ConvGeometry, TapKind
from refconv.trace import Stage, Stamp, Step

_TITLES = {
    "conv": "Convolution",
    "conv_transpose": "Transposed convolution",
    "depthwise": "Depthwise convolution",
    "pointwise": "Pointwise convolution",
    "separable": "Separable convolution",
    "upsampling": "Upsampling",
    "zero_padding": "Zero padding",
    "cropping": "Cropping",
}
_AXIS_NAMES = {1: (("cell", "cells"),), 2: (("row", "rows"), ("column", "columns"))}


def short(value: float | None) -> str:
    """Write a number in as few characters as a cell holds; whole numbers stay plain.

    Examples
    --------
    >>> [short(value) for value in (3, -0.51234, 12.345, 123456, 2.0, 0.00012)]
    ['3', '−0.51', '12.3', '1.2e5', '2', '1.2e−4']
    """
    if value is None:
        return ""
    size = abs(value)
    if value == int(value) and size < 1e5:
        text = str(int(value))
    elif size >= 1e5 or 0 < size < 0.005:
        digits, exponent = f"{value:.1e}".split("e")
        text = f"{digits.removesuffix('.0')}e{int(exponent)}"
    else:
        text = f"{value:.{0 if size >= 100 else 1 if size >= 10 else 2}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−")


def times(sizes: Sequence[object]) -> str:
    """Write sizes as a product.

    Examples
    --------
    >>> times((5, 3))
    '5×3'
    """
    return "×".join(str(size) for size in sizes)


def place(index: Sequence[int]) -> str:
    """Write an index.

    Examples
    --------
    >>> place((0, 2))
    '(0, 2)'
    """
    return "(" + ", ".join(str(i) for i in index) + ")"


def product(value: float | None, weight: float | None) -> str:
    """Write one term of a sum, the input times the weight.

    Examples
    --------
    >>> product(3, -1)
    '3·(−1)'
    """
    right = short(weight)
    return f"{short(value)}·({right})" if right.startswith("−") else f"{short(value)}·{right}"


def title(stage: Stage) -> str:
    """Name the kind of layer.

    Examples
    --------
    >>> title(Stage("zero-padding", None))
    'Zero padding'
    """
    name = stage.name.replace("-", "_")
    return _TITLES.get(name, stage.name.replace("_", " ").capitalize())


def details(stage: Stage) -> str:
    """Say the arguments of a stage in one line.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> details(Stage("conv", ConvGeometry((AxisGeometry(5, 3, stride=2, pad_before=1, pad_after=2),))))
    'stride 2 · padding 1 before, 2 after'
    """
    geometry = stage.geometry
    if geometry is None:
        return f"{times(input_size(stage))} to {times(stage.output_size)}"
    axes = geometry.axes
    kind = stage.name.replace("-", "_")
    if kind == "upsampling":
        return f"nearest, size {_per_axis([axis.input_dilation for axis in axes])}"
    if kind == "pointwise":
        return "kernel 1, over all channels"
    parts = []
    if all(size == 1 for size in geometry.kernel_size) and not geometry.transposed:
        strides: list[int] = [axis.stride for axis in axes]
        parts = [f"stride {_per_axis(strides)}"] if max(strides) > 1 else []
    elif geometry.transposed:
        parts.append(f"stride {_per_axis([axis.input_dilation for axis in axes])}")
        if any(axis.stride > 1 for axis in axes):
            parts.append(f"window stride {_per_axis([axis.stride for axis in axes])}")
    else:
        parts.append(f"stride {_per_axis([axis.stride for axis in axes])}")
    if any(axis.dilation > 1 for axis in axes):
        parts.append(f"dilation {_per_axis([axis.dilation for axis in axes])}")
    if stampable(geometry):
        parts += _amounts([axis.crop for axis in axes], "crop", "extension")
    else:
        parts += _amounts([(axis.pad_before, axis.pad_after) for axis in axes], "padding", "crop")
    if geometry.groups > 1 and kind in ("conv", "conv_transpose"):
        parts.append(f"{geometry.groups} groups")
    return " · ".join(parts) or "no padding"


def stampable(geometry: ConvGeometry) -> bool:
    """Tell whether a geometry is a transposed convolution, so that its inputs can stamp the kernel.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> stampable(ConvGeometry((AxisGeometry.transposed(3, 2),)))
    True
    """
    return geometry.transposed and all(axis.reversed and axis.stride == 1 for axis in geometry.axes)


def input_size(stage: Stage) -> tuple[int, ...]:
    """Return the data per axis of a stage; of an interpolation, up to the last datum that is read.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> input_size(Stage("conv", ConvGeometry((AxisGeometry(5, 3),))))
    (5,)
    """
    if stage.geometry is not None:
        return stage.geometry.input_size
    return tuple(max(index for row in rows for index, _ in row) + 1 for rows in stage.interpolation or ())


def kernel_note(geometry: ConvGeometry, flipped: bool) -> str:
    """Say what a kernel panel shows beyond its size.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> kernel_note(ConvGeometry((AxisGeometry(9, 3, dilation=2),)), flipped=False)
    'spans 5'
    """
    spans = tuple(axis.dilated_kernel_size for axis in geometry.axes)
    parts = ["flipped"] if flipped else []
    if spans != geometry.kernel_size:
        parts.append(f"spans {times(spans)}")
    return ", ".join(parts)


def input_note(geometry: ConvGeometry) -> str:
    """Say what was done to the input before the kernel slides over it.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> input_note(ConvGeometry((AxisGeometry(5, 3, pad_before=1, pad_after=1),)))
    'padded to 7'
    """
    parts = []
    inserted = [axis.input_dilation - 1 for axis in geometry.axes]
    if max(inserted) > 0:
        count = _per_axis(inserted)
        parts.append(f"{count} zero{'' if count == '1' else 's'} between")
    padded = tuple(axis.padded_size for axis in geometry.axes)
    spread = tuple(axis.dilated_input_size for axis in geometry.axes)
    if padded != spread:
        word = "cropped" if all(p <= s for p, s in zip(padded, spread, strict=True)) else "padded"
        parts.append(f"{word} to {times(padded)}")
    return ", ".join(parts)


def gather_caption(step: Step, first_cells: Sequence[int]) -> str:
    """Say what one output reads.

    Parameters
    ----------
    step : Step
        Of the trace.
    first_cells : sequence of int
        The first cell of the (padded) input per axis, from which rows and columns are counted.
    """
    cells = [term.cell for term in step.terms]
    ranges = _ranges([[c - first for c, first in zip(cell, first_cells, strict=True)] for cell in cells])
    missed = [
        f"{count} on {word}"
        for kind, word in ((TapKind.INSERTED_ZERO, "inserted zeros"), (TapKind.PADDING, "padding"))
        if (count := len({term.cell for term in step.terms if term.kind is kind}))
    ]
    taps = len(set(cells))
    tail = f": {taps - sum(int(m.split()[0]) for m in missed)} of {taps} taps on data, " + ", ".join(missed)
    padded = " of the padded input" if any(first_cells) else " of the input"
    return f"{named('Output', step.output_index)} reads {ranges}{padded}{tail if missed else ''}."


def overlap_caption(step: Step) -> str:
    """Say which stamps cover one output of a transposed convolution."""
    inputs = dict.fromkeys(term.input_index for term in step.terms if term.input_index is not None)
    if not inputs:
        return "No stamp covers it."
    if len(inputs) == 1:
        return f"One stamp covers it, that of input {_listed(inputs)}."
    return (
        f"{len(inputs)} stamps cover it, those of inputs {_listed(inputs)}."
        if len(inputs) < 5
        else (f"{len(inputs)} stamps cover it.")
    )


def stamp_caption(stamp: Stamp) -> str:
    """Say where one input's stamp falls."""
    kept = [term.input_index for term in stamp.terms if term.input_index is not None]
    cropped = len(stamp.terms) - len(kept)
    which = named("Input", stamp.input_index)
    if not kept:
        return f"{which} stamps the kernel on cropped cells only."
    lost = f"; {cropped} of its {len(stamp.terms)} cells are cropped" if cropped else ""
    return f"{which} stamps the kernel on output {_ranges(kept)}{lost}."


def dropped(geometry: ConvGeometry) -> str:
    """Name the cells that the floor drops, or nothing where there are none.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> dropped(ConvGeometry((AxisGeometry(6, 3, stride=2), AxisGeometry(5, 3, stride=2))))
    'The floor drops the last row (hatched): no output reads it.'
    """
    parts = []
    total = 0
    for axis, (one, many) in zip(geometry.axes, _AXIS_NAMES[geometry.rank], strict=True):
        if axis.unread:
            parts.append(f"the last {one}" if axis.unread == 1 else f"the last {axis.unread} {many}")
            total += axis.unread
    if not parts:
        return ""
    return f"The floor drops {' and '.join(parts)} (hatched): no output reads {'it' if total == 1 else 'them'}."


def named(what: str, index: Sequence[int]) -> str:
    """Name one cell of a panel.

    Examples
    --------
    >>> named("Output", (3,)), named("Output", (0, 2))
    ('Output 3', 'Output (0, 2)')
    """
    return f"{what} {index[0] if len(index) == 1 else place(index)}"


def _listed(indices: Iterable[Sequence[int]]) -> str:
    words = [str(index[0]) if len(index) == 1 else place(index) for index in indices]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _ranges(cells: Sequence[Sequence[int]]) -> str:
    """Say which rows and columns cells stand in."""
    parts = []
    for a, (one, many) in enumerate(_AXIS_NAMES[len(cells[0])]):
        found = sorted({cell[a] for cell in cells})
        if len(found) == 1:
            parts.append(f"{one} {found[0]}")
        elif found[-1] - found[0] == len(found) - 1:
            parts.append(f"{many} {found[0]}–{found[-1]}")
        elif len(found) <= 4:
            parts.append(f"{many} {', '.join(map(str, found[:-1]))} and {found[-1]}")
        else:
            parts.append(f"{many} {found[0]}–{found[-1]} in steps of {found[1] - found[0]}")
    return ", ".join(parts)


def _per_axis(values: Sequence[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else times(values)


def _amounts(pairs: Sequence[tuple[int, int]], positive: str, negative: str) -> list[str]:
    """Say amounts before and after, under one word where they add and another where they cut."""
    parts = []
    for word, sign in ((positive, 1), (negative, -1)):
        amounts = [(max(sign * before, 0), max(sign * after, 0)) for before, after in pairs]
        if not any(before or after for before, after in amounts):
            continue
        if len(set(amounts)) == 1:
            before, after = amounts[0]
            parts.append(f"{word} {before}" if before == after else f"{word} {before} before, {after} after")
        else:
            parts.append(f"{word} " + times([b if b == a else f"{b}:{a}" for b, a in amounts]))
    return parts or [f"{positive} 0"]


def sizes(stage: Stage) -> str:
    """Say the sizes of input, kernel and output.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry
    >>> sizes(Stage("conv", ConvGeometry((AxisGeometry(5, 3),))))
    'input 5, kernel 3, output 3'
    """
    kernel = f"kernel {times(stage.geometry.kernel_size)}, " if stage.geometry is not None else ""
    return f"input {times(input_size(stage))}, {kernel}output {times(stage.output_size)}"


def alt_text(parts: Sequence[tuple[str, str, Sequence[str], Sequence[str]]], frames: int, numeric: bool) -> str:
    """Describe an animation for someone who does not see it.

    Parameters
    ----------
    parts : sequence of (title, sizes, formulas, remarks)
        One for each stage.
    frames : int
        How many there are.
    numeric : bool
        Whether there are numbers in the cells.

    Examples
    --------
    >>> alt_text([("Convolution, stride 1", "input 5, kernel 3, output 3", [], [])], 3, False)
    'Animation in 3 frames. Convolution, stride 1: input 5, kernel 3, output 3.'
    """
    sentences = [f"Animation in {frames} frames."] if frames > 1 else []
    for title, sizes_in_words, formulas_in_words, remarks in parts:
        sentences.append(f"{title}: {sizes_in_words}.")
        sentences += [f"{formula}." for formula in formulas_in_words]
        sentences += remarks
    if numeric:
        sentences.append("Numbers stand in the cells and each sum is written out term by term.")
    return " ".join(sentences)


def formulas(explanation: Explanation) -> tuple[str, ...]:
    """Return the output size's formula per axis with its numbers, equal axes once.

    Examples
    --------
    >>> from refconv.formulas import derive
    >>> from refconv.geometry import AxisGeometry
    >>> formulas(derive(ConvGeometry((AxisGeometry(5, 3, stride=2),))))
    ('R5: o = floor((i - k) / s) + 1 = floor((5 - 3) / 2) + 1 = 2',)
    """
    lines = []
    for axis in explanation.axes:
        name = axis.name if axis.name.startswith("R") else ", ".join([*axis.relationships[:1], axis.title])
        substituted = axis.substituted.partition(" = ")[2]
        result = "" if substituted == str(axis.result) else f" = {axis.result}"
        lines.append(f"{name}: {axis.symbolic} = {substituted}{result}")
    if len(set(lines)) == 1:
        return (lines[0],)
    names = [one for one, _ in _AXIS_NAMES[len(lines)]]
    return tuple(f"{name.capitalize()}s, {line}" for name, line in zip(names, lines, strict=True))


def typeset(formula: str) -> str:
    """Write a formula with a minus sign, multiplication dots and floor and ceiling brackets.

    Examples
    --------
    >>> typeset("o = floor((i - 2*p) / s) + 1")
    'o = ⌊(i − 2·p) / s⌋ + 1'
    """
    text = formula.replace("*", "·").replace(" - ", " − ").replace("(-", "(−")
    for word, left, right in (("floor(", "⌊", "⌋"), ("ceil(", "⌈", "⌉")):
        while (start := text.find(word)) >= 0:
            first = start + len(word)
            depth = 1
            for end in range(first, len(text)):
                depth += {"(": 1, ")": -1}.get(text[end], 0)
                if depth == 0:
                    break
            text = f"{text[:start]}{left}{text[first:end]}{right}{text[end + 1 :]}"
    return text
