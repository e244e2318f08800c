"""The demonstration from beginning to end: what it prints and what it writes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from refconv.cli.tables import print_table
from refconv.demo.checks import Result, results
from refconv.demo.figure import figure
from refconv.demo.parts import parts, photograph
from refconv.demo.small import Small, small_layers
from refconv.errors import ConvError
from refconv.files import write_whole
from refconv.visual import animate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURE_NAME = "feature_maps.png"
_DOTS_PER_INCH = 120


def run(folder: str | Path) -> bool:
    """Run a photograph through six layers, check every size, and write figure and animations.

    Parameters
    ----------
    folder : str or Path
        Where the files go; it is made if need be, and files of an earlier run are replaced.

    Returns
    -------
    bool
        Whether every size was the same by formula, by counting and by the loops.

    Raises
    ------
    ConvError
        If `folder` is a file.
    """
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise ConvError("-o", str(folder), "is a file, and the demonstration writes a folder", "name another")
    target.mkdir(parents=True, exist_ok=True)
    image = photograph()
    small = small_layers()
    with _progress(len(parts()) + 1 + len(small)) as advance:
        shown = []
        for result in results(image):
            shown.append(result)
            advance(result.part.title)
        _save(figure(image, shown), target / FIGURE_NAME)
        advance("feature maps")
        for one in small:
            animate(one.layer, one.x).save(target / f"{one.name}.gif", progress=False)
            advance(f"{one.name}.gif")
    _print_sizes(image, shown)
    _print_files(target, small)
    return all(result.agrees for result in shown)


@contextmanager
def _progress(steps: int) -> Iterator[Callable[[str], None]]:
    """Yield what is called after each step with what was done; it moves a bar if there is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description:24}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("starting", total=steps)
        yield lambda done: progress.update(task, advance=1, description=done)


def _save(drawn: Figure, path: Path) -> None:
    write_whole(path, lambda draft: drawn.savefig(draft, format="png", dpi=_DOTS_PER_INCH))


def _print_sizes(image: Any, shown: list[Result]) -> None:
    rows = []
    for result in shown:
        source = f"the {result.part.after} maps" if result.part.after else "the photograph"
        arguments = f"{result.part.arguments}, on {source}"
        rows.append([f"{type(result.part.layer).__name__}, {arguments}", "", "", "", ""])
        for axis, name in enumerate(("rows", "cols")):
            sizes = [result.derived[axis], result.counted[axis], result.computed[axis]]
            mark = _mark(len(set(sizes)) == 1)
            rows.append([f" {name}  {result.formulas[axis]}", *map(str, sizes), mark])
    height, width, channels = image.shape[1:]
    title = f"A photograph of {height}x{width} pixels and {channels} channels through {len(shown)} layers"
    print_table(["layer and formula", "output", "count", "loops", ""], rows, title)
    differing = sum(not result.agrees for result in shown)
    click.echo(
        f"\n{differing} of {len(shown)} layers DIFFER; please report this."
        if differing
        else "\nEvery size agrees: by formula, by counting, and in what the loops returned."
    )


def _mark(agrees: bool) -> str:
    drawn = "utf" in (sys.stdout.encoding or "").lower()
    return ("✓" if drawn else "ok") if agrees else ("✗" if drawn else "NO")


def _print_files(folder: Path, small: tuple[Small, ...]) -> None:
    click.echo(f"\nWritten to {folder.resolve()}:")
    click.echo(f"  {FIGURE_NAME:18}the photograph and all feature maps")
    for one in small:
        shape = "x".join(map(str, one.x.shape[:-1]))
        click.echo(f"  {one.name + '.gif':18}{type(one.layer).__name__}, {one.arguments}, on {shape} cells")
