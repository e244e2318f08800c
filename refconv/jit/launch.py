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
    """A function that Numba compiles, in one variant or several, each when first called.

    Attributes
    ----------
    py : function
        The function as it is written.
    variants : tuple of str
        Attributes that are the function compiled.
    """

    variants: tuple[str, ...]

    def __init__(self, function: Callable[..., None]) -> None:
        functools.update_wrapper(cast(Any, self), function)
        self.py = function

    def __reduce__(self) -> str:
        """Pickle by name, as functions are."""
        return self.py.__qualname__

    def compile(self, variant: str, **options: Any) -> Callable[..., None]:
        """Return the function compiled in a variant, with options of Numba's."""
        load_numba()
        # The division of Numba's 'python' error model may raise, which costs a loop its threads.
        dispatcher = numba.njit(
            error_model="numpy", no_cfunc_wrapper=True, pipeline_class=KernelCompiler, **options
        )(self.py)  # fmt: skip
        return keep_on_disk(dispatcher, variant)


class Kernel(Compiled):
    """A function that Numba compiles once, for one thread and for all.

    Attributes
    ----------
    compiled : function
        The function compiled. If threads share its work, by `refconv.jit.shares`, its first argument is their team.
    work : int
        What it has done so far, by the count of whoever runs it.
    """

    variants = ("compiled",)
    work = 0

    @functools.cached_property
    def compiled(self) -> Callable[..., None]:
        """The function compiled; it owns no array, and counts no references."""
        return self.compile("compiled", nogil=True, _nrt=False)

    def entry(self, arguments: Sequence[Any]) -> Callable[..., None] | None:
        """Return what Numba calls for such arguments, which does not ask them for their types.

        Parameters
        ----------
        arguments : sequence
            Of a call that was made before.

        Returns
        -------
        callable or None
            None where calls are only recorded, by `refconv.jit.warming`.
        """
        dispatcher: Any = self.compiled
        if not hasattr(dispatcher, "get_overload"):
            return None
        entry: Callable[..., None] = dispatcher.get_overload(tuple(map(dispatcher.typeof_pyval, arguments)))
        return entry
