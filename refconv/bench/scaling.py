"""How time grows with the work: batch, size, channels and kernel are doubled one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from refconv.bench import ours
from refconv.bench.cases import FORWARD, GRAD_INPUT, GRAD_WEIGHTS, Case, Job
from refconv.bench.measure import best_times, extra_bytes
from refconv.jit.threads import threads
from refconv.tiled.running import in_final_form

_BASE = Case("conv", (56, 56), 64, 64, kernel=3, padding=(1, 1))
_DEPTHWISE = Case("depthwise", (112, 112), 64, 64, kernel=3, padding=(1, 1))


class Series(NamedTuple):
    """Cases that differ in one number.

    Attributes
    ----------
    title, varied : str
        What is measured, and which number differs.
    values : tuple of int
        That number.
    jobs : tuple of Job
        One a value.
    """

    title: str
    varied: str
    values: tuple[int, ...]
    jobs: tuple[Job, ...]


class Fit(NamedTuple):
    """How a series grew.

    Attributes
    ----------
    series : Series
        What was measured.
    seconds : tuple of float
        Of the best runs.
    exponent : float
        Of time as a power of the varied number, fitted.
    work_exponent : float
        Of the operations as a power of it.
    extra : tuple of float
        Most that a call held besides its arrays, over its input and its weights.
    """

    series: Series
    seconds: tuple[float, ...]
    exponent: float
    work_exponent: float
    extra: tuple[float, ...]


def series() -> list[Series]:
    """List what is measured."""

    def varied(title: str, name: str, direction: str, values: Sequence[int], case_of: Callable[[int], Case]) -> Series:
        return Series(title, name, tuple(values), tuple(Job(case_of(value), direction) for value in values))

    found = []
    for direction in (FORWARD, GRAD_INPUT, GRAD_WEIGHTS):
        found += [
            varied("conv", "batch", direction, (1, 2, 4, 8), lambda n: _BASE._replace(batch=n)),
            varied("conv", "size", direction, (14, 28, 56, 112), lambda n: _BASE._replace(size=(n, n))),
            varied("conv", "channels", direction, (32, 64, 128, 256), lambda n: _BASE._replace(channels=n, filters=n)),
            varied("conv", "kernel", direction, (3, 5, 7, 9), _with_kernel),
        ]
    found.append(varied("depthwise", "batch", FORWARD, (1, 2, 4, 8), lambda n: _DEPTHWISE._replace(batch=n)))
    sizes = (28, 56, 112, 224)
    found.append(varied("depthwise", "size", FORWARD, sizes, lambda n: _DEPTHWISE._replace(size=(n, n))))
    return found


def _with_kernel(size: int) -> Case:
    return _BASE._replace(kernel=size, padding=(size // 2, size // 2))


def measure(
    wanted: Sequence[Series], thread_count: int, seconds: float, done: Callable[[str], None] = lambda name: None
) -> list[Fit]:
    """Time all series; all sizes of one take turns.

    Parameters
    ----------
    wanted : sequence of Series
        What to measure.
    thread_count : int
        Threads.
    seconds : float
        How long each series is repeated, at least.
    done : callable
        Called with the name of each series when it is done.
    """
    fits = []
    with threads(thread_count), in_final_form():
        for each in wanted:
            calls = [ours.call(job, ours.random_data(job.case)) for job in each.jobs]
            # What is compiled and planned once counts neither as time nor as memory.
            for call in calls:
                call()
            extra = tuple(_extra(job, call) for job, call in zip(each.jobs, calls, strict=True))
            times = best_times(calls, seconds)
            work = [job.flops for job in each.jobs]
            fits.append(Fit(each, tuple(times), exponent(each.values, times), exponent(each.values, work), extra))
            done(f"{each.title} {each.varied}")
    return fits


def exponent(values: Sequence[float], amounts: Sequence[float]) -> float:
    """Fit ``amount = a * value**exponent`` by least squares of the logarithms.

    Examples
    --------
    >>> round(exponent([1, 2, 4], [3.0, 12.0, 48.0]), 6)
    2.0
    """
    return float(np.polyfit(np.log(values), np.log(amounts), 1)[0])


def _extra(job: Job, call: Callable[[], object]) -> float:
    case = job.case
    read = 4 * (math.prod(case.input_shape) + sum(map(math.prod, case.weight_shapes)))
    return extra_bytes(call, 4 * sum(map(math.prod, job.result_shapes))) / read


COLUMNS = ("layer", "direction", "grows", "ms", "exponent", "of the work", "extra memory")


def table(fits: Sequence[Fit]) -> list[list[str]]:
    """Return a line of `COLUMNS` for each series."""
    return [
        [
            fit.series.title,
            fit.series.jobs[0].direction,
            f"{fit.series.varied} " + ", ".join(map(str, fit.series.values)),
            ", ".join(f"{seconds * 1e3:.3g}" for seconds in fit.seconds),
            f"{fit.exponent:.2f}",
            f"{fit.work_exponent:.2f}",
            f"{max(fit.extra):.0%} of input and weights",
        ]
        for fit in fits
    ]
