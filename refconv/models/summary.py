"""A model's layers as a table: names, output shapes, numbers of weights."""

from __future__ import annotations

from typing import Any, NamedTuple

from refconv.layers import Layer
from refconv.layers.container import Container

_TITLES = ("Layer (type)", "Output Shape", "Param #")


class Row(NamedTuple):
    """A layer in the table.

    Attributes
    ----------
    layer : str
        Its name and class, moved in by how deep inside containers it stands.
    shape : str
        Shape of its output.
    parameters : str
        How many numbers its weights hold.
    """

    layer: str
    shape: str
    parameters: str


def summary(model: Container) -> str:
    """Return the table of a built model, as Keras prints it.

    Parameters
    ----------
    model : Container
        Layers inside containers stand below them, moved in.
    """
    rows = _rows(model)
    widths = [max(map(len, column)) + 4 for column in zip(_TITLES, *rows, strict=True)]
    width = sum(widths)
    lines = [f'Model: "{model.name}"', "_" * width, _line(_TITLES, widths), "=" * width]
    lines += [_line(row, widths) for row in rows]
    lines.append("=" * width)
    trained, fixed = model.trainable_weights, model.non_trainable_weights
    for title, arrays in (("Total", [*trained, *fixed]), ("Trainable", trained), ("Non-trainable", fixed)):
        size = sum(array.nbytes for array in arrays)
        lines.append(f"{title} params: {sum(array.size for array in arrays):,} ({_bytes(size)})")
    lines.append("_" * width)
    return "\n".join(lines)


def _rows(model: Container) -> list[Row]:
    rows: list[Row] = []
    depth = 0

    def visit(layer: Layer, shape: Any) -> Any:
        nonlocal depth
        after = layer.compute_output_shape(shape)
        indent = "  " * depth
        rows.append(Row(f"{indent}{layer.name} ({type(layer).__name__})", str(after), f"{layer.count_params():,}"))
        if isinstance(layer, Container):
            depth += 1
            layer.walk(shape, visit)
            depth -= 1
        return after

    model.walk(model.input_shape, visit)
    return rows


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    return (" " + "".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))).rstrip()


def _bytes(size: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} GB"
