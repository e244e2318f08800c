"""How many threads a compiled kernel is launched on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numba

from refconv.errors import ConvError


def most_threads() -> int:
    """Return how many threads there can be: as many as processors, or what ``NUMBA_NUM_THREADS`` says."""
    return int(numba.config.NUMBA_NUM_THREADS)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Launch kernels on so many threads.

    Raises
    ------
    ConvError
        If there are not so many.
    """
    if not 1 <= count <= most_threads():
        raise ConvError("threads", count, f"there are 1 to {most_threads()}", f"use {most_threads()}")
    before = numba.get_num_threads()
    numba.set_num_threads(count)
    try:
        yield
    finally:
        numba.set_num_threads(before)
