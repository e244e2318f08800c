"""The commands that measure: ``refconv bench`` and ``refconv warmup``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from refconv.arguments import choice, finite_number
from refconv.cli import values
from refconv.cli.commands import commands
from refconv.errors import ConvError

FIGURE_NAME = "refconv-roofline.png"
_DOTS_PER_INCH = 150
_LEAST_SECONDS = 0.01


@commands.command(
    epilog="""\b
Examples:
  refconv bench
  refconv bench --filter "depthwise, 3-D" --threads 1
  refconv bench --filter grad_weights --seconds 3 --json
  refconv bench --scaling
  refconv bench --first-call

\b
A row's limit is the longer of two times: its operations on data at the
machine's peak of multiply-adds, and its bytes (inputs read once, outputs
written once) at the speed of a copy; both are measured in the same run.
"""
)
@click.option("--filter", "wanted", metavar="TEXT", help="Only rows with this in their name or direction; commas: or.")
@click.option("--threads", metavar="N", help="Threads of refconv and of the peers.  [default: all]")
@click.option("--seconds", default="1", show_default=True, metavar="S", help="How long each row is repeated, at least.")
@click.option("--peers", default="torch,keras,scipy", show_default=True, metavar="NAMES", help="Whom to compare with.")
@click.option("--scaling", is_flag=True, help="Instead: how time grows with batch, size, channels and kernel.")
@click.option("--avx2", is_flag=True, help="Keep refconv and PyTorch to AVX2, as without AVX-512.")
@click.option("--first-call", is_flag=True, help="Instead: the first call in a fresh process, cold and warm.")
@click.option(
    "-o",
    "--output",
    "path",
    metavar="FILE",
    help=f"Where the roofline is drawn: .png, .svg or .pdf.  [default: {FIGURE_NAME}; with --json none]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one object instead of a table.")
def bench(
    wanted: str | None,
    threads: str | None,
    seconds: str,
    peers: str,
    scaling: bool,
    avx2: bool,
    first_call: bool,
    path: str | None,
    as_json: bool,
) -> None:
    """Measure every layer, forward and backward, against PyTorch and the machine.

    Each row is the best of many runs, which take turns with those of PyTorch, of Keras on JAX and of SciPy,
    where these are installed. Without PyTorch the rows stand alone.
    """
    from refconv.jit.threads import most_threads

    count = most_threads() if threads is None else values.whole("--threads", threads, 1)
    if count > most_threads():
        raise ConvError("--threads", count, f"there are {most_threads()}", f"use {most_threads()} or fewer")
    duration = _seconds(seconds)
    if scaling and first_call:
        raise ConvError("--first-call", True, "measures something else than --scaling", "leave one of them out")
    for option, given in {"--scaling": scaling, "--first-call": first_call}.items():
        if given and path is not None:
            raise ConvError("-o", path, f"the roofline is not drawn with {option}", "leave one of them out")
    if avx2:
        # The compiler and the peers read what they may use when they are loaded.
        from refconv.bench.restricted import run_with_avx2

        context = click.get_current_context()
        words = {"--filter": wanted, "--threads": threads, "--seconds": seconds, "--peers": peers, "--output": path}
        flags = {"--scaling": scaling, "--first-call": first_call, "--json": as_json}
        options = [text for option, given in words.items() if given is not None for text in (option, given)]
        context.exit(run_with_avx2(["bench", *options, *(flag for flag, given in flags.items() if given)]))
    if scaling:
        _bench_scaling(wanted, count, duration, as_json)
    elif first_call:
        _bench_first_call(wanted, as_json)
    else:
        _bench_rows(wanted, count, duration, peers, path, as_json)


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ConvError("--seconds", text, "not a number", "write --seconds 0.5") from None
    return finite_number("--seconds", number, _LEAST_SECONDS)


def _bench_rows(wanted: str | None, threads: int, seconds: float, peers: str, path: str | None, as_json: bool) -> None:
    from refconv.bench import cases, measure, report
    from refconv.bench.peers import PEERS, installed

    names = [choice("--peers", name.strip(), PEERS) for name in peers.split(",") if name.strip()]
    target = _figure_path(path, as_json)
    chosen = cases.matching(wanted, cases.jobs())
    neighbours = measure.Neighbours()
    with installed(names, threads) as (found, notes), _progress(measure.ROUNDS * len(chosen)) as done:
        rows, limits = measure.measure(chosen, found, threads, seconds, done)
    others = neighbours.share()
    if others is not None and others > measure.BUSY:
        notes.append(f"Other processes took {others:.0%} of the processors: measure again when they are done.")
    device = measure.device()
    for note in notes:
        click.echo(note, err=True)
    if as_json:
        click.echo(json.dumps(report.as_dict(device, threads, limits.flops, limits.bytes, rows), indent=1))
    else:
        from refconv.cli.tables import print_table

        limit = f"{limits.flops / 1e9:.0f} GFLOP/s in registers, copies at {limits.bytes / 1e9:.0f} GB/s"
        title = f"{device}; {threads} thread{'' if threads == 1 else 's'}, float32; {limit}"
        print_table(*report.table(rows), title)
        click.echo("\n" + "\n".join(report.lines(report.summary(rows), len(rows))))
    if target is not None:
        from refconv.bench.roofline import figure
        from refconv.files import write_whole

        drawn = figure(rows, device, threads, limits.flops, limits.bytes)
        write_whole(target, lambda draft: drawn.savefig(draft, dpi=_DOTS_PER_INCH))
        click.echo(f"{target}: the roofline", err=as_json)


def _figure_path(path: str | None, as_json: bool) -> Path | None:
    from refconv.files import check_place

    if path is None:
        return None if as_json else Path(FIGURE_NAME)
    target = Path(path)
    if target.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ConvError("-o", path, "a figure is a .png, .svg or .pdf", f"write -o {FIGURE_NAME}")
    check_place(target)
    return target


def _bench_scaling(wanted: str | None, threads: int, seconds: float, as_json: bool) -> None:
    from refconv.bench import scaling

    def matches(series: scaling.Series) -> bool:
        text = f"{series.title} {series.varied} {series.jobs[0].direction}"
        return any(part.strip().lower() in text for part in (wanted or "").split(","))

    chosen = [series for series in scaling.series() if matches(series)]
    if not chosen:
        raise ConvError("--filter", wanted, "no series has this in its name", "try --filter depthwise, or batch")
    with _progress(len(chosen)) as done:
        fits = scaling.measure(chosen, threads, seconds, done)
    if as_json:
        entries = [
            {
                "name": fit.series.title,
                "direction": fit.series.jobs[0].direction,
                "varied": fit.series.varied,
                "values": fit.series.values,
                "seconds": fit.seconds,
                "exponent": fit.exponent,
                "work_exponent": fit.work_exponent,
                "extra_bytes_of_inputs": fit.extra,
            }
            for fit in fits
        ]
        click.echo(json.dumps({"threads": threads, "series": entries}, indent=1))
    else:
        from refconv.cli.tables import print_table

        title = f"Time as a power of one number, fitted; {threads} thread{'' if threads == 1 else 's'}, float32"
        print_table(scaling.COLUMNS, scaling.table(fits), title)


def _bench_first_call(wanted: str | None, as_json: bool) -> None:
    from refconv.bench import cases, first_call

    chosen = cases.matching(wanted, first_call.first_jobs())
    with _progress(len(chosen)) as done:
        rows = first_call.measure(chosen, done)
    if as_json:
        click.echo(json.dumps([row._asdict() | {"ok": row.ok} for row in rows], indent=1))
    else:
        from refconv.cli.tables import print_table

        bars = f"at most {first_call.COLD_BAR_S:g} s cold and {first_call.WARM_BAR_S:g} s warm"
        print_table(first_call.COLUMNS, first_call.table(rows), f"First call in a fresh process: {bars}")


@commands.command(
    epilog="""\b
Examples:
  refconv warmup
  NUMBA_CACHE_DIR=/srv/kernels refconv warmup
"""
)
@click.option("--jobs", metavar="N", help="Processes that compile at the same time.  [default: one for each processor]")
def warmup(jobs: str | None) -> None:
    """Compile all kernels ahead, and keep them on disk for later processes.

    A kernel that is there already is only loaded, so a warmup that was
    interrupted goes on where it was.
    """
    from refconv.bench.warmup import wanted_kernels
    from refconv.jit.kernel_cache import cache_folder
    from refconv.jit.threads import most_threads
    from refconv.jit.warming import compile_all

    count = most_threads() if jobs is None else values.whole("--jobs", jobs, 1)
    folder = cache_folder()
    if folder is None:
        raise ConvError("NUMBA_CACHE_DIR", None, "no folder can keep kernels here", "name one: NUMBA_CACHE_DIR=kernels")
    start = time.perf_counter()
    kernels = wanted_kernels()
    with _progress(len(kernels)) as done:
        for ready in compile_all(kernels, count):
            done(ready.kernel.py.__name__)
    click.echo(f"{len(kernels)} kernels ready in {time.perf_counter() - start:.1f} s, kept in {folder}")


@contextmanager
def _progress(steps: int) -> Iterator[Callable[[str], None]]:
    """Yield what is called after each step with what was done; it moves a bar if there is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns: tuple[Any, ...] = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("", total=steps)
        yield lambda done: progress.update(task, advance=1, description=done)
