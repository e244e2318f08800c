"""Tables for people: drawn by rich on a terminal, plain aligned columns anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Print rows under their column names, on standard output.

    Parameters
    ----------
    columns : sequence of str
        The heads, one per column.
    rows : sequence of sequences of str
        The cells; a cell may hold several lines.
    title : str
        Stands above the table.
    """
    if sys.stdout.isatty():
        _print_drawn(columns, rows, title)
    else:
        click.echo(plain_table(columns, rows, title))


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> str:
    """Return the table as text, its columns two blanks apart.

    Examples
    --------
    >>> print(plain_table(["kernel", "stride"], [["3x3", "1"], ["11x11", "2"]]))
    kernel  stride
    3x3     1
    11x11   2
    """
    lines: list[list[str]] = []
    for row in [columns, *rows]:
        cells = [cell.split("\n") for cell in row]
        height = max(len(cell) for cell in cells)
        lines += [[cell[n] if n < len(cell) else "" for cell in cells] for n in range(height)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
    body = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
    return f"{title}\n\n{body}" if title else body


def _print_drawn(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold underline")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(highlight=False)
    if title:
        console.print(Text(title, style="bold"), end="\n\n")
    console.print(table)
