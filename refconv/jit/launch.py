"""When a kernel may use several threads, and how it is launched then.

Numba's workqueue layer aborts the process when two threads launch at once, and OpenMP ends a forked
child that launches after its parent did. So launches stand in line, and a forked child of a process
under OpenMP keeps to one thread.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

import numba

from refconv.jit.compiling import KernelCompiler, load_numba
from refconv.jit.kernel_cache import keep_on_disk

launch_lock = threading.Lock()
"""Whoever launches several threads holds it; another one in a forked child."""

threads_are_of_use: bool = numba.config.NUMBA_NUM_THREADS > 1
"""Whether a launch may use more than one thread."""


def _after_fork_in_child() -> None:
    """Keep to one thread in a forked child: OpenMP ends a child that inherited its threads."""
    global launch_lock, threads_are_of_use
    launch_lock = threading.Lock()
    try:
        threads_are_of_use = threads_are_of_use and numba.threading_layer() in ("tbb", "workqueue")
    except ValueError:  # No layer was chosen yet; the default one is OpenMP.
        threads_are_of_use = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def launch(kernel: Callable[..., None], *arguments: Any) -> None:
    """Call a kernel that is compiled for all threads, one launch at a time."""
    with launch_lock:
        kernel(*arguments)


class Compiled:
    """A function that Numba compiles for one thread and for all, each when first called.

    Attributes
    ----------
    py : function
        The function as it is written; a ``prange`` in it is what the threads share.
    serial, parallel : function
        The function compiled for one thread and for all.
    work : int
        What it has done so far, by the count of whoever runs it.
    """

    work = 0

    def __init__(self, function: Callable[..., None]) -> None:
        functools.update_wrapper(cast(Any, self), function)
        self.py = function

    def __reduce__(self) -> str:
        """Pickle by name, as functions are."""
        return self.py.__qualname__

    @functools.cached_property
    def serial(self) -> Callable[..., None]:
        """The function compiled for one thread."""
        return self._compiled(parallel=False)

    @functools.cached_property
    def parallel(self) -> Callable[..., None]:
        """The function compiled for all threads."""
        return self._compiled(parallel=True)

    def entry(self, variant: str, arguments: Sequence[Any]) -> Callable[..., None]:
        """Return what Numba calls for such arguments, which does not ask them for their types.

        Parameters
        ----------
        variant : str
            ``"serial"`` or ``"parallel"``; called before with arguments of these types.
        arguments : sequence
            Of a call.
        """
        dispatcher: Any = getattr(self, variant)
        entry: Callable[..., None] = dispatcher.get_overload(tuple(map(dispatcher.typeof_pyval, arguments)))
        return entry

    def _compiled(self, parallel: bool) -> Callable[..., None]:
        load_numba()
        # The division of Numba's 'python' error model may raise, which costs a loop its threads. While its threads run,
        # Numba lets other ones of Python run anyhow.
        options = {
            "nogil": not parallel,
            "error_model": "numpy",
            "no_cfunc_wrapper": True,
            "pipeline_class": KernelCompiler,
        }
        dispatcher = numba.njit(parallel=parallel, **options)(self.py)
        return keep_on_disk(dispatcher, "parallel" if parallel else "serial")
