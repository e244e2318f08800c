"""How long the first call takes in a fresh process: with no kernel on disk, and with all that it needs.

A child process for each, as a user's program is one; the clock runs inside it, from the import to the result.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import refconv
from refconv.bench.cases import FRESH, Job, jobs

COLD_BAR_S = 3.0
WARM_BAR_S = 0.5

_WARM_RUNS = 3

_CHILD = """
import json, sys, time
start = time.perf_counter()
import refconv.functional
imported = time.perf_counter()
from refconv.bench import cases, ours
job = cases.jobs()[int(sys.argv[1])]
call = ours.call(job, ours.random_data(job.case))
begin = time.perf_counter()
call()
print(json.dumps([imported - start, time.perf_counter() - begin]))
"""


class FirstCall(NamedTuple):
    """One layer's first call.

    Attributes
    ----------
    name, direction : str
        Of the job.
    import_s : float
        Seconds of ``import refconv.functional``, the fastest.
    cold_s, warm_s : float
        Seconds of the call, with an empty cache on disk, and with a full one, the fastest.
    """

    name: str
    direction: str
    import_s: float
    cold_s: float
    warm_s: float

    @property
    def ok(self) -> bool:
        """Whether both are under their bar."""
        return self.cold_s <= COLD_BAR_S and self.warm_s <= WARM_BAR_S


def first_jobs() -> list[Job]:
    """List one job for each layer type, number of axes and direction."""
    found: dict[tuple[str, int, str], Job] = {}
    for job in jobs():
        if job.way == FRESH:
            found.setdefault((job.case.layer, job.case.rank, job.direction), job)
    return list(found.values())


def measure(wanted: Sequence[Job], done: Callable[[str], None] = lambda name: None) -> list[FirstCall]:
    """Time the first calls of jobs, each from an empty cache and then again.

    Raises
    ------
    subprocess.CalledProcessError
        If a child fails.
    """
    found = []
    for job in wanted:
        with tempfile.TemporaryDirectory() as folder:
            number = jobs().index(job)
            cold = _child(number, folder)
            warm = [_child(number, folder) for _ in range(_WARM_RUNS)]
        imported = min(entry[0] for entry in [cold, *warm])
        found.append(FirstCall(job.name, job.direction, imported, cold[1], min(entry[1] for entry in warm)))
        done(f"{job.name} {job.direction}")
    return found


def _child(number: int, folder: str) -> tuple[float, float]:
    root = str(Path(refconv.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": root, "NUMBA_CACHE_DIR": folder}
    command = [sys.executable, "-c", _CHILD, str(number)]
    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    imported, called = json.loads(printed)
    return imported, called


COLUMNS = ("layer", "direction", "import s", "cold s", "warm s", "")


def table(rows: Sequence[FirstCall]) -> list[list[str]]:
    """Return a line of `COLUMNS` for each row."""
    return [
        [row.name, row.direction, f"{row.import_s:.2f}", f"{row.cold_s:.2f}", f"{row.warm_s:.2f}", _mark(row)]
        for row in rows
    ]


def _mark(row: FirstCall) -> str:
    return "ok" if row.ok else "MISSED"
