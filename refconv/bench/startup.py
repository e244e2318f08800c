"""How long a person waits: ``python -m refconv.bench.startup [--runs N] [--json]``.

Every row is a whole process, timed from its start to its end, several times; the median counts.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import click

import refconv


class Wait(NamedTuple):
    """One thing that a person waits for.

    Attributes
    ----------
    name : str
        What is started.
    arguments : tuple of str
        What Python is given.
    bar_s : float
        The longest it may take, in seconds.
    """

    name: str
    arguments: tuple[str, ...]
    bar_s: float


_LAYER_5X5 = ("conv", "--input", "5x5", "--kernel", "3x3")

WAITS = (
    Wait("import refconv", ("-c", "import refconv"), 0.15),
    Wait("refconv size", ("-m", "refconv", "size", *_LAYER_5X5), 0.4),
    Wait("refconv show, 5x5 3x3 to GIF", ("-m", "refconv", "show", *_LAYER_5X5, "-o", "out.gif"), 3.0),
)


def seconds(arguments: tuple[str, ...], folder: Path) -> float:
    """Return how long Python takes with these arguments, from the process' start to its end.

    Parameters
    ----------
    arguments : tuple of str
        What Python is given.
    folder : Path
        Where it runs, and leaves its files.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails.
    """
    # The process runs in another folder, and must find the package that is measured here.
    environment = os.environ | {"PYTHONPATH": str(Path(refconv.__file__).parents[1])}
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def measure(runs: int = 5) -> list[dict[str, Any]]:
    """Time everything of `WAITS`.

    Parameters
    ----------
    runs : int
        How often each is timed, after one run that warms the disk.

    Returns
    -------
    list of dict
        ``name``, ``median_s``, ``fastest_s``, ``bar_s`` and ``ok`` (the median is under the bar).
    """
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for wait in WAITS:
            seconds(wait.arguments, folder)
            times = [seconds(wait.arguments, folder) for _ in range(runs)]
            median = statistics.median(times)
            rows.append(
                {
                    "name": wait.name,
                    "median_s": round(median, 3),
                    "fastest_s": round(min(times), 3),
                    "bar_s": wait.bar_s,
                    "ok": median < wait.bar_s,
                }
            )
    return rows


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--runs", default=5, show_default=True, type=click.IntRange(1), help="How often each is timed.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects instead of a table.")
def main(runs: int, as_json: bool) -> None:
    """Print how long a person waits, against the bars; exit with 1 if one is missed."""
    import json

    from refconv.cli.tables import print_table

    rows = measure(runs)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        print_table(
            ["what", "median", "fastest", "bar", ""],
            [
                [
                    row["name"],
                    f"{row['median_s']:.3f} s",
                    f"{row['fastest_s']:.3f} s",
                    f"{row['bar_s']:g} s",
                    "ok" if row["ok"] else "MISSED",
                ]
                for row in rows
            ],
            title=f"Felt speed, median of {runs} runs",
        )
    sys.exit(0 if all(row["ok"] for row in rows) else 1)


if __name__ == "__main__":
    main()
