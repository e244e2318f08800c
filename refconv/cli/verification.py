"""What ``refconv verify`` shows: a bar while it asks, then a table and what is worth saying about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from refconv.cli.tables import print_table

if TYPE_CHECKING:
    from refconv.verify.sweep import Report, Tally

_MOST_DIFFERENCES = 5
_COUNTS = {
    "with gradients": "gradients",
    "both refuse": "refused",
    "known faults": "faults",
    "differing": "differing",
}


@contextmanager
def progress_bar(seconds: int) -> Iterator[Callable[[str, float], None]]:
    """Yield what is called with the peer asked and the share of the time; it moves a bar if there is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description:18}"), BarColumn(), TimeElapsedColumn(), TextColumn(f"of {seconds} s"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("starting", total=1.0)
        yield lambda peer, share: progress.update(task, completed=share, description=peer)


def print_report(report: Report) -> None:
    """Print a table of layer types by peers, then what was skipped, known faults, and what differs."""
    from refconv.verify.sweep import layers_of

    peers = list(report.tallies)
    rows = [[layer, *(_cell(report.tallies[peer].get(layer)) for peer in peers)] for layer in layers_of(peers) if peers]
    totals = [["all", *(str(_sum(report, peer, "cases")) for peer in peers)]]
    totals += [[name, *(str(_sum(report, peer, count)) for peer in peers)] for name, count in _COUNTS.items()]
    if peers:
        heads = [peer.replace("-", "\n", 1).replace("onnxruntime", "onnx\nruntime") for peer in peers]
        print_table(["layer", *heads], [*rows, *totals], f"Random layers compared (seed {report.seed})")
        click.echo("\nA second number is the largest error; where there is none, all values are equal.")
    _print_notes(report)


def _cell(tally: Tally | None) -> str:
    if tally is None:
        return ""
    wrong = f" ({tally.differing} differ)" if tally.differing else ""
    error = f"\n{tally.largest_error:.0e}" if tally.largest_error else ""
    return f"{tally.cases}{wrong}{error}"


def _sum(report: Report, peer: str, count: str) -> int:
    return sum(getattr(tally, count) for tally in report.tallies[peer].values())


def _print_notes(report: Report) -> None:
    packages = dict(sorted(pair for versions in report.versions.values() for pair in versions.items()))
    click.echo("Compared with " + ", ".join(f"{name} {version}" for name, version in packages.items()) + ".")
    for peer, reason in report.skipped.items():
        click.echo(f"Skipped {peer}: {reason}.")
    if report.faults:
        click.echo("\nKnown faults of others, as cases that differ of those that may:")
        from refconv.verify.faults import FAULTS

        for reason, (covered, differing) in report.faults.items():
            click.echo(f"  {differing}/{covered}  {reason} (seen in {FAULTS[reason].seen_in})")
    for reason in report.failed.values():
        click.echo(f"\nFailed: {reason}")
    for text in report.differences[:_MOST_DIFFERENCES]:
        click.echo(f"\nDiffers: {text}")
    if len(report.differences) > _MOST_DIFFERENCES:
        click.echo(f"\n{len(report.differences)} differ in all; --json names every one.")
