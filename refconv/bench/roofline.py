"""The roofline: how fast each row is against what the machine can do with its operations and its bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from refconv.bench.measure import Row

# Okabe and Ito's colours, by layer.
_COLOURS = {
    "conv": "#0072B2",
    "conv-transpose": "#E69F00",
    "depthwise": "#009E73",
    "separable": "#CC79A7",
    "upsampling": "#D55E00",
    "zero-padding": "#56B4E9",
    "cropping": "#8A8A8A",
}
_MARKERS = {"forward": "o", "grad_input": "<", "grad_weights": "s"}
_DIRECTIONS = {"forward": "forward", "grad_input": "input gradient", "grad_weights": "weight gradient"}
_INK, _QUIET, _RULE, _GRID = "#16181D", "#565C66", "#3A3F47", "#E6E8EB"


def figure(rows: Sequence[Row], device: str, threads: int, flops: float, moved: float) -> Figure:
    """Draw the roofline of measured rows.

    Parameters
    ----------
    rows : sequence of Row
        Those that compute stand by their operations a byte; those that only move data stand by themselves.
    device : str
        The machine.
    threads : int
        That were used.
    flops, moved : float
        The machine's limits, a second.
    """
    computing = [row for row in rows if row.flops]
    moving = [row for row in rows if not row.flops]
    canvas = Figure(figsize=(11, 6.6), facecolor="white", layout="constrained")
    canvas.get_layout_engine().set(w_pad=0.12, h_pad=0.12)  # type: ignore[union-attr, call-arg]
    wide, narrow = canvas.subplots(1, 2, width_ratios=(4.3, 1))
    _draw_roof(wide, computing, flops / 1e9, moved / 1e9)
    _draw_moving(narrow, moving, moved / 1e9)
    title = "Every layer against what the machine can do"
    canvas.suptitle(title, x=0.012, ha="left", fontsize=17, weight="bold", color=_INK)
    on = f"{threads} thread" + ("" if threads == 1 else "s")
    named = any(row.peer for row in rows)
    peer = "   Rings: PyTorch at the same work, in its fastest way." if named else ""
    wide.set_title(f"{device}; {on}, float32.{peer}", loc="left", fontsize=9.5, color=_QUIET, pad=10)
    present = dict.fromkeys(_layer(row) for row in rows)
    handles = [_handle("o", _COLOURS[layer], layer) for layer in _COLOURS if layer in present]
    handles += [_handle(_MARKERS[name], _QUIET, text) for name, text in _DIRECTIONS.items()]
    handles += [_handle("o", "none", "PyTorch", _QUIET)] if named else []
    canvas.legend(handles=handles, loc="outside lower center", frameon=False, fontsize=9, labelcolor=_INK, ncols=6)
    return canvas


def _layer(row: Row) -> str:
    return row.name.split()[0]


def _handle(marker: str, colour: str, label: str, edge: str = "white") -> Line2D:
    style: dict[str, Any] = {"markersize": 8, "markeredgecolor": edge, "markeredgewidth": 1}
    return Line2D([], [], linestyle="none", marker=marker, markerfacecolor=colour, label=label, **style)


def _draw_roof(axes: Any, rows: Sequence[Row], peak: float, copy: float) -> None:
    intensities = [row.flops / row.bytes for row in rows] or [1.0]
    speeds = [speed for row in rows for speed in _speeds(row)] or [peak]
    left, right = min(*intensities, peak / copy / 4) / 1.6, max(*intensities, peak / copy * 4) * 1.6
    axes.set(xscale="log", yscale="log", xlim=(left, right), ylim=(min(*speeds, copy * left) / 1.5, peak * 1.7))
    ridge = peak / copy
    axes.plot([left, ridge, right], [left * copy, peak, peak], color=_RULE, linewidth=1.6, zorder=2)
    axes.fill_between([left, ridge, right], [left * copy, peak, peak], peak * 10, color="#F4F5F7", zorder=0)
    axes.annotate(
        f"multiply-adds in registers: {peak:.0f} GFLOP/s", (right / 1.1, peak), (0, 5), textcoords="offset points",
        ha="right", fontsize=9.5, color=_INK,
    )  # fmt: skip
    axes.text(
        ridge / 3, copy * ridge / 3 * 1.15, f"copying: {copy:.0f} GB/s", fontsize=9.5, color=_INK, ha="center",
        va="bottom", rotation=math.degrees(math.atan(copy)), rotation_mode="anchor", transform_rotates_text=True,
    )  # fmt: skip
    for row in rows:
        x = row.flops / row.bytes
        ours, *peer = _speeds(row)
        if peer:
            axes.plot([x, x], [ours, *peer], color=_COLOURS[_layer(row)], alpha=0.35, linewidth=1, zorder=2)
            axes.plot(x, *peer, marker="o", markersize=5, markerfacecolor="white", color=_QUIET, zorder=3)
        _point(axes, x, ours, row)
    axes.set_xlabel("operations on data a byte of inputs and outputs", color=_INK)
    axes.set_ylabel("GFLOP/s", color=_INK)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    _plain(axes)


def _draw_moving(axes: Any, rows: Sequence[Row], copy: float) -> None:
    axes.axhline(copy, color=_RULE, linewidth=1.6, zorder=2)
    axes.axhspan(copy, copy * 100, color="#F4F5F7", zorder=0)
    speeds = [copy]
    for number, row in enumerate(rows):
        ours = row.bytes / row.seconds / 1e9
        speeds.append(ours)
        if row.peer_seconds is not None:
            peer = row.bytes / row.peer_seconds / 1e9
            speeds.append(peer)
            axes.plot([number] * 2, [ours, peer], color=_COLOURS[_layer(row)], alpha=0.35, linewidth=1, zorder=2)
            axes.plot(number, peer, marker="o", markersize=5, markerfacecolor="white", color=_QUIET, zorder=3)
        _point(axes, number, ours, row)
    axes.set(ylim=(0, max(speeds) * 1.12), xlim=(-1, max(len(rows), 1)), xticks=[])
    axes.set_ylabel("GB/s", color=_INK)
    axes.set_xlabel("rows without arithmetic\n(dark rim: output reused)", color=_INK)
    _plain(axes)


def _speeds(row: Row) -> list[float]:
    peer = [] if row.peer_seconds is None else [row.flops / row.peer_seconds / 1e9]
    return [row.gflops, *peer]


def _point(axes: Any, x: float, y: float, row: Row) -> None:
    rim = _INK if row.reused_output else "white"
    axes.plot(
        x, y, marker=_MARKERS[row.direction], markersize=8, markerfacecolor=_COLOURS[_layer(row)],
        markeredgecolor=rim, markeredgewidth=1, zorder=4,
    )  # fmt: skip


def _plain(axes: Any) -> None:
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#B7BCC4")
    axes.tick_params(colors=_QUIET, which="both", labelsize=9, length=0)
