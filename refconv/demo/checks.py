"""Every output size three times: derived by a formula, counted on the index rule, returned by the loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from refconv.demo.parts import Part, parts
from refconv.geometry import AxisGeometry, dilated_index


class Result(NamedTuple):
    """What a layer returned, and the three ways to its size.

    Attributes
    ----------
    part : Part
        The layer.
    output : ndarray
        Its feature maps, shape (1, rows, columns, channels).
    input_size, derived, counted, computed : tuple of int
        Spatial sizes: of the input, by the closed formula, by counting, and of the array that the loops filled.
    formulas : tuple of str
        Per axis, the right-hand side of the formula with its numbers.
    """

    part: Part
    output: Any
    input_size: tuple[int, ...]
    derived: tuple[int, ...]
    counted: tuple[int, ...]
    computed: tuple[int, ...]
    formulas: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether the three sizes are the same."""
        return self.derived == self.counted == self.computed


def results(image: Any) -> Iterator[Result]:
    """Run the photograph through every layer and count each output size.

    Parameters
    ----------
    image : ndarray, shape (1, rows, columns, 3)
        The photograph.

    Yields
    ------
    Result
        One per part, in order.
    """
    from refconv.questions import explain

    outputs = {"": image}
    for part in parts():
        x = outputs[part.after]
        outputs[part.name] = y = part.layer(x)
        explanation = explain(part.layer, x.shape)
        yield Result(
            part=part,
            output=y,
            input_size=x.shape[1:-1],
            derived=tuple(axis.result for axis in explanation.axes),
            counted=counted(part.layer, x.shape),
            computed=y.shape[1:-1],
            formulas=tuple(axis.substituted.partition(" = ")[2] for axis in explanation.axes),
        )


def counted(layer: Any, input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Count a layer's outputs one by one, without a formula.

    An output exists while every kernel element stands within the padded input; an interpolated one
    while its centre lies within the input.

    Parameters
    ----------
    layer : object
        One of `refconv.layers`.
    input_shape : tuple of int
        Shape of its input, batch and channels included.
    """
    (stage, *_) = layer.stages(input_shape)
    if stage.geometry is not None:
        return tuple(_count(axis) for axis in stage.geometry.axes)
    sizes = []
    for size, factor in zip(input_shape[1:-1], layer.size, strict=True):
        outputs = 0
        while (outputs + 0.5) / factor < size:
            outputs += 1
        sizes.append(outputs)
    return tuple(sizes)


def _count(axis: AxisGeometry) -> int:
    cells = range(-axis.pad_before, axis.dilated_input_size + axis.pad_after)
    outputs = 0
    while all(dilated_index(outputs, k, axis) in cells for k in range(axis.kernel_size)):
        outputs += 1
    return outputs
