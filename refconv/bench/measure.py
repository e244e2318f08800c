"""Timing: interleaved, the best of many runs, beside the limits of the machine in the same minutes.

A machine that does other things as well makes some runs slower and none faster, so the best run of each
contender counts. They take turns, so that what slows the machine for a while slows all of them. A turn is a
few runs in a row: the first ones still share the processor with threads of the contender before, which
wait for more work for a while. A slow spell can outlast a row, so all rows are measured in several rounds, each
with arrays of its own; so it is not one unlucky place in memory that counts, either.
"""

from __future__ import annotations

import gc
import math
import os
import platform
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from refconv.bench import ours
from refconv.bench.cases import REUSED, Job
from refconv.bench.peers import Contender, Peer
from refconv.jit.threads import threads
from refconv.tiled.limits import copy_speed, fma_speed
from refconv.tiled.running import in_final_form
from refconv.tiled.simd import vector_bytes

ROUNDS = 16
"""How often all rows are measured."""

# A turn lasts at least this, and this many runs; of calls that take longer than `_SLOW_S`, one.
_TURN_S = 0.004
_TURN_RUNS = 2
_SLOW_S = 0.1
_LEAST_TURNS = 3

# A best run counts once a few others came near it, or when patience ends.
_CONFIRMED_BY = 3
_ALIKE = 1.05
_PATIENCE = 4

BUSY = 0.1
"""Share of the processors from which on other processes spoil the rows."""

WRONG = 1e-3
"""An error, against float64 and relative to the largest value, that is no rounding error."""


class Row(NamedTuple):
    """One measured job.

    Attributes
    ----------
    name, direction : str
        Of the job.
    seconds : float
        Of refconv's best run.
    peer, peer_seconds : str, float
        PyTorch in the way that was its fastest, and that way's best run; None without PyTorch.
    gflops : float
        refconv's operations a second, in units of 1e9.
    flops, bytes : int
        What the job needs at least: see `refconv.bench.cases.Job`.
    limit : str
        ``"compute"`` or ``"memory"``: which of them needs more time at the machine's best.
    limit_fraction : float
        That time over `seconds`.
    error, peer_error : float
        Largest deviation from the textbook in float64, over the largest value there.
    extra_bytes : int
        Most that the call held at a time besides its inputs, its result, and the tables it keeps for the next call.
    peak_bytes : int
        The same with inputs and result.
    filters : int
        Of the case.
    reused_output : bool
        Whether `out=` was given.
    others : dict
        Seconds of the other contenders by name.
    """

    name: str
    direction: str
    seconds: float
    peer: str | None
    peer_seconds: float | None
    gflops: float
    flops: int
    bytes: int
    limit: str
    limit_fraction: float
    error: float
    peer_error: float | None
    extra_bytes: int
    peak_bytes: int
    filters: int
    reused_output: bool
    others: dict[str, float]

    @property
    def ratio(self) -> float | None:
        """The peer's time over ours."""
        return None if self.peer_seconds is None else self.peer_seconds / self.seconds


class Limits:
    """The machine's best so far: multiply-adds in registers, and bytes copied.

    Attributes
    ----------
    flops, bytes : float
        A second.
    """

    def __init__(self) -> None:
        self._measure = fma_speed(), copy_speed()
        # The first call of each waits for the compiler.
        self.flops, self.bytes = (measure() for measure in self._measure)

    def again(self, seconds: float = 0.05) -> None:
        """Measure both for a while; the best counts."""
        end = time.perf_counter() + seconds
        while True:
            flops, moved = (measure() for measure in self._measure)
            self.flops, self.bytes = max(self.flops, flops), max(self.bytes, moved)
            if time.perf_counter() > end:
                return

    def of(self, flops: int, moved: int) -> tuple[str, float]:
        """Return which limit binds so much work, and the seconds that it takes at least."""
        compute, memory = flops / self.flops, moved / self.bytes
        return ("compute", compute) if compute >= memory else ("memory", memory)


class Timing(NamedTuple):
    """A job as it was timed, to be set against the limits when all are known.

    Attributes
    ----------
    job : Job
        What was timed.
    seconds : float
        Of refconv's best run.
    others : dict
        Seconds of the peers' best runs by name.
    error : float
        Of refconv's result.
    errors : dict
        Of the peers' results, by name.
    extra_bytes : int
        As in `Row`.
    """

    job: Job
    seconds: float
    others: dict[str, float]
    error: float
    errors: dict[str, float]
    extra_bytes: int

    def row(self, limits: Limits) -> Row:
        """Compare with what the machine can do, and with PyTorch in the way that was its fastest."""
        job = self.job
        limit, least = limits.of(job.flops, job.bytes)
        ranked = dict(sorted(self.others.items(), key=lambda entry: entry[1]))
        peer = next((name for name in ranked if name.startswith("PyTorch")), None)
        case = job.case
        arrays = [case.input_shape, case.output_shape, *case.weight_shapes]
        held = 4 * sum(map(math.prod, arrays))
        return Row(
            job.name,
            job.direction,
            self.seconds,
            peer,
            None if peer is None else ranked.pop(peer),
            job.flops / self.seconds / 1e9,
            job.flops,
            job.bytes,
            limit,
            least / self.seconds,
            self.error,
            None if peer is None else self.errors[peer],
            self.extra_bytes,
            held + self.extra_bytes,
            case.filters,
            job.way == REUSED,
            ranked,
        )


def measure(
    jobs: Sequence[Job],
    peers: dict[str, Peer],
    thread_count: int,
    seconds: float,
    done: Callable[[str], None] = lambda name: None,
) -> tuple[list[Row], Limits]:
    """Measure jobs beside their peers.

    Parameters
    ----------
    jobs : sequence of Job
        What to measure.
    peers : dict
        As `refconv.bench.peers.installed` yields them.
    thread_count : int
        Threads of refconv; the peers have theirs.
    seconds : float
        How long each job is repeated, at least, in all `ROUNDS` together.
    done : callable
        Called with the name of each job when it is done, in each round.

    Returns
    -------
    rows : list of Row
        One a job.
    limits : Limits
        Of the machine, the best of the whole time.
    """
    with threads(thread_count), in_final_form():
        limits = Limits()
        limits.again(min(2 * seconds, 2.0))
        timings: dict[Job, Timing] = {}
        for _ in range(ROUNDS):
            for job in jobs:
                timings[job] = _timing(job, peers, seconds / ROUNDS, timings.get(job))
                limits.again(min(seconds / 20, 0.05))
                done(f"{job.name} {job.direction}")
    return [timings[job].row(limits) for job in jobs], limits


def _timing(job: Job, peers: dict[str, Peer], seconds: float, before: Timing | None) -> Timing:
    data = ours.random_data(job.case)
    call = ours.call(job, data)
    contenders = [contender for peer in peers.values() for contender in peer(job, data)]
    if before is None:
        before = _checked(job, data, call, contenders)
    own, *others = best_times([call, *(contender.call for contender in contenders)], seconds)
    best = {c.name: min(time, before.others[c.name]) for c, time in zip(contenders, others, strict=True)}
    return before._replace(seconds=min(own, before.seconds), others=best)


def _checked(job: Job, data: ours.Data, call: Callable[[], Any], contenders: Sequence[Contender]) -> Timing:
    """Find what a job's errors are and what it allocates; its kernels are compiled and its calls planned meanwhile."""
    expected = ours.reference(job, data)
    error = error_of(ours.results(job, call()), expected)
    kept = job.way == REUSED
    extra = extra_bytes(call, 0 if kept else 4 * sum(map(math.prod, job.result_shapes)))
    errors = {c.name: error_of(c.results(c.call()), expected) for c in contenders}
    return Timing(job, math.inf, dict.fromkeys(errors, math.inf), error, errors, extra)


def best_times(calls: Sequence[Callable[[], Any]], seconds: float) -> list[float]:
    """Return the seconds of each call's best run.

    Parameters
    ----------
    calls : sequence of callable
        They take turns.
    seconds : float
        How long to go on, at least; up to `_PATIENCE` times as long while a best run is one of its kind.
    """
    fastest: list[list[float]] = [[] for _ in calls]
    with _no_collection():
        start, turns = time.perf_counter(), 0
        while True:
            for number, call in enumerate(calls):
                fastest[number] = sorted(fastest[number] + _turn(call))[:_CONFIRMED_BY]
            turns += 1
            elapsed = time.perf_counter() - start
            settled = all(times[-1] <= _ALIKE * times[0] for times in fastest)
            if turns >= _LEAST_TURNS and elapsed > seconds * (1 if settled else _PATIENCE):
                return [times[0] for times in fastest]


def _turn(call: Callable[[], Any]) -> list[float]:
    """Run a few times in a row, and return the seconds of each run."""
    times: list[float] = []
    begin = now = time.perf_counter()
    while len(times) < _TURN_RUNS or now - begin < _TURN_S:
        start = time.perf_counter()
        call()
        now = time.perf_counter()
        times.append(now - start)
        if times[-1] > _SLOW_S:
            break
    return times


@contextmanager
def _no_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def error_of(found: Sequence[Any], expected: Sequence[Any]) -> float:
    """Return the largest deviation, over the largest value.

    Examples
    --------
    >>> error_of([np.array([1.0, 2.5])], [np.array([1.0, 2.0])])
    0.25
    """
    pairs = [(np.asarray(a, np.float64), np.asarray(b, np.float64)) for a, b in zip(found, expected, strict=True)]
    return max(float(np.abs(a - b).max() / (np.abs(b).max() or 1.0)) for a, b in pairs)


def extra_bytes(call: Callable[[], Any], result: int) -> int:
    """Return the most bytes that a call allocates at a time, without those of its result.

    What is counted is what Python and NumPy allocate; compiled kernels allocate nothing.
    """
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        returned = call()
        peak = tracemalloc.get_traced_memory()[1]
        del returned
    finally:
        if not tracing:
            tracemalloc.stop()
    return max(peak - before - result, 0)


class Neighbours:
    """Watches how much of the processors other processes take."""

    def __init__(self) -> None:
        self._start = _processor_seconds()

    def share(self) -> float | None:
        """Return the share that others took since the start, or None where the system does not tell."""
        now = _processor_seconds()
        if self._start is None or now is None:
            return None
        busy, total, own = (after - before for before, after in zip(self._start, now, strict=True))
        return max(busy - own, 0.0) / total if total > 0 else None


def _processor_seconds() -> tuple[float, float, float] | None:
    """Return the seconds of all processors, busy and in total, and those of this process."""
    try:
        first = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0]
        ticks = [int(number) / os.sysconf("SC_CLK_TCK") for number in first.split()[1:9]]
    except (OSError, ValueError, AttributeError):
        return None
    idle, waiting = ticks[3:5]
    own = os.times()
    return sum(ticks) - idle - waiting, sum(ticks), own.user + own.system


def device() -> str:
    """Name the processor, how many there are, and the width of its vectors."""
    return f"{_processor()}, {os.cpu_count()} cores, vectors of {8 * vector_bytes()} bits"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
