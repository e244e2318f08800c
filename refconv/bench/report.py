"""What `refconv bench` says of its rows: one object, or a table and the bars."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from refconv.bench.measure import WRONG, Row

GEOMETRIC_MEAN_BAR = 1.5
LOWEST_BAR = 0.9
COMPUTE_BAR = 0.85
MEMORY_BAR = 0.5

MANY_FILTERS = 32
"""Rows with fewer filters leave lanes of the vectors empty; no bar is set on their share of the limit."""


class Summary(NamedTuple):
    """All rows in a few numbers; None where no row counts.

    Attributes
    ----------
    geometric_mean : float
        Of the peer's time over ours.
    lowest : Row
        The one where this is lowest.
    compute, memory : float
        Median fraction of the limit: over rows bound by arithmetic with at least `MANY_FILTERS` filters, and over rows
        bound by memory whose output is reused.
    others : dict
        By library, the geometric mean of its time over ours, and of how many rows.
    """

    geometric_mean: float | None
    lowest: Row | None
    compute: float | None
    memory: float | None
    others: dict[str, tuple[float, int]]


def summary(rows: Sequence[Row]) -> Summary:
    """Sum up the rows."""
    compared = [(row.ratio, row) for row in rows if row.ratio is not None]
    others: dict[str, list[float]] = {name: [] for name in _OTHERS}
    for row in rows:
        for name, seconds in other_times(row).items():
            others[name].append(seconds / row.seconds)
    compute = [row.limit_fraction for row in rows if row.limit == "compute" and row.filters >= MANY_FILTERS]
    memory = [row.limit_fraction for row in rows if row.limit == "memory" and row.reused_output]
    return Summary(
        statistics.geometric_mean(ratio for ratio, _ in compared) if compared else None,
        min(compared, key=lambda entry: entry[0])[1] if compared else None,
        statistics.median(compute) if compute else None,
        statistics.median(memory) if memory else None,
        {name: (statistics.geometric_mean(ratios), len(ratios)) for name, ratios in others.items() if ratios},
    )


def as_dict(device: str, threads: int, flops: float, moved: float, rows: Sequence[Row]) -> dict[str, Any]:
    """Return all that was measured as one object for JSON.

    Parameters
    ----------
    device : str
        The machine.
    threads : int
        That were used.
    flops, moved : float
        The machine's limits, a second.
    rows : sequence of Row
        What was measured.
    """
    return {
        "device": device,
        "threads": threads,
        "fma_peak_gflops": _short(flops / 1e9),
        "copy_gbytes": _short(moved / 1e9),
        "rows": [{name: _short(value) for name, value in row._asdict().items()} for row in rows],
    }


def _short(value: Any) -> Any:
    """Keep five digits of a float."""
    if isinstance(value, dict):
        return {name: _short(entry) for name, entry in value.items()}
    return float(f"{value:.5g}") if isinstance(value, float) else value


_COLUMNS = (
    *("layer", "direction", "ms", "GFLOP/s", "GB/s", "of limit", "PyTorch ms", "ratio"),
    *("error", "its", "extra KiB"),
)
_OTHERS = ("Keras", "SciPy")


def other_times(row: Row) -> dict[str, float]:
    """Return the seconds of the other libraries' fastest ways, by library."""
    times = {name: [s for way, s in row.others.items() if way.startswith(name)] for name in _OTHERS}
    return {name: min(found) for name, found in times.items() if found}


def table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns, and a line for each row; one that is wrong is marked."""
    libraries = [name for name in _OTHERS if any(name in other_times(row) for row in rows)]
    lines = _main_columns(rows)
    for line, row in zip(lines, rows, strict=True):
        times = other_times(row)
        line += [_number(times[name] * 1e3) if name in times else "" for name in libraries]
    return [*_COLUMNS, *(f"{name} ms" for name in libraries)], lines


def _main_columns(rows: Sequence[Row]) -> list[list[str]]:
    return [
        [
            row.name,
            row.direction,
            _number(row.seconds * 1e3),
            _number(row.gflops) if row.flops else "",
            _number(row.bytes / row.seconds / 1e9) if row.limit == "memory" else "",
            f"{row.limit_fraction:4.0%} {row.limit}",
            "" if row.peer_seconds is None else _number(row.peer_seconds * 1e3),
            "" if row.ratio is None else f"{row.ratio:.2f}",
            f"{row.error:.0e}" + (" WRONG" if not row.error <= WRONG else ""),
            "" if row.peer_error is None else f"{row.peer_error:.0e}",
            _number(row.extra_bytes / 1024),
        ]
        for row in rows
    ]


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def lines(found: Summary, row_count: int) -> list[str]:
    """Say the summary, each number beside its bar."""
    said = []
    if found.geometric_mean is not None and found.lowest is not None:
        lowest = found.lowest
        said.append(
            f"PyTorch's time over refconv's, {row_count} rows: geometric mean "
            + _against(found.geometric_mean, GEOMETRIC_MEAN_BAR, "{:.2f}")
            + f"; lowest {_against(lowest.ratio or 0.0, LOWEST_BAR, '{:.2f}')}: {lowest.name} {lowest.direction}"
        )
    for name, (mean, count) in found.others.items():
        said.append(f"{name}'s time over refconv's, {count} rows: geometric mean {mean:.2f}")
    if found.compute is not None:
        said.append(
            f"Median share of the limit, bound by arithmetic, {MANY_FILTERS} filters or more: "
            + _against(found.compute, COMPUTE_BAR, "{:.0%}")
        )
    if found.memory is not None:
        said.append(
            "Median share of the limit, bound by memory, output reused: " + _against(found.memory, MEMORY_BAR, "{:.0%}")
        )
    return said


def _against(value: float, bar: float, form: str) -> str:
    return f"{form.format(value)} (bar {form.format(bar)}{'' if value >= bar else ', MISSED'})"
