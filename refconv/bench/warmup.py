"""Which kernels there are to compile ahead, so that no first call waits for the compiler.

The layers of the bench and a few more are called in every direction with kernels that record what they
are called with and compute nothing. What they would have used is compiled then and kept on disk by
`refconv.jit.kernel_cache`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from refconv.bench import ours
from refconv.bench.cases import CASES, FRESH, REUSED, Case, Job, jobs
from refconv.jit.warming import Wanted, all_kernels, recorded
from refconv.tiled.running import in_final_form

# Every tile is the best one for some number of filters.
_FILTERS = (1, 5, 8, 16, 24, 32, 48, 64)
_KERNELS = (1, 2, 3, 4, 5, 7)
_STRIDES = (1, 2)

# What plans are made with.
_PLANNING = ("refconv.tiled.links",)

_TILED: tuple[Any, ...] = (np.float32, np.float64)
_TEXTBOOK: tuple[Any, ...] = (np.float64, np.int64)


def wanted_kernels() -> list[Wanted]:
    """List the kernels of all layer types: tiled in float32 and float64, textbook in float64 and int64."""
    kernels = all_kernels("loops", "tiled")
    planning = [kernel for kernel in kernels if kernel.py.__module__ in _PLANNING]
    with recorded(kernels, planning) as found, np.errstate(all="ignore"), in_final_form():
        for job in [job for job in jobs((*CASES, *_more_cases())) if job.way != REUSED]:
            data = ours.random_data(job.case)
            for dtype in _TILED:
                ours.call(job, data.of(dtype), "tiled")()
        for job in _textbook_jobs():
            data = ours.random_data(job.case)
            for dtype in _TEXTBOOK:
                ours.call(job, data.of(dtype), "textbook")()
    return found


def _more_cases() -> Iterator[Case]:
    for filters in _FILTERS:
        yield Case("conv", (14, 14), 32, filters, kernel=3, padding=(1, 1))
        yield Case("conv-transpose", (14, 14), 32, filters, kernel=4, stride=2, padding=(1, 1))
    for kernel in _KERNELS:
        for stride in _STRIDES:
            for channels in (24, 64):
                yield Case("depthwise", (28, 28), channels, channels, kernel=kernel, stride=stride)


def _textbook_jobs() -> list[Job]:
    """List one job for each layer type, number of axes, interpolation and direction."""
    alike = {
        (job.case.layer, job.case.rank, job.case.interpolation, job.direction): job
        for job in jobs()
        if job.way == FRESH
    }
    return list(alike.values())
