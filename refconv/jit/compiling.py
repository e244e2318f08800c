"""How kernels are compiled: by Numba's own compiler, without what takes time and finds nothing in them.

Kernels have no closures, no comprehensions and no arithmetic on whole arrays. And Python's garbage collector, which
would go through all of Numba again and again while it allocates, stands still meanwhile: a seventh of the time.

Tried and dropped: functions that are not simplified one by one before they are linked (a tenth less time to compile,
but kernels of other code, whose speed nothing vouched for), no cheap optimisation before the full one (no faster).
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from numba.core.compiler import Compiler
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import PassManager
from numba.core.typed_passes import NopythonRewrites
from numba.core.untyped_passes import InlineClosureLikes

_IDLE_PASSES = (InlineClosureLikes, NopythonRewrites)


class KernelCompiler(Compiler):
    """Numba's compiler, without the passes that find nothing in a kernel; a ``prange`` needs them all."""

    def define_pipelines(self) -> list[PassManager]:
        """Return the passes, in order."""
        (usual,) = super().define_pipelines()
        if self.state.flags.auto_parallel.enabled:
            return [usual]
        passes = PassManager("kernel")
        for step, description in usual.passes:
            if step not in _IDLE_PASSES:
                passes.add_pass(step, description)
        passes.finalize()
        return [passes]

    def compile_extra(self, function: Callable[..., None]) -> Any:
        """Compile a function."""
        with uncollected():
            return _with_room(super().compile_extra, function)


def _with_room(call: Callable[..., Any], *arguments: Any) -> Any:
    return call(*arguments)


# Python takes memory for its frames 16 KB at a time, and gives it back as soon as it can. Numba goes in and out of deep
# calls thousands of times, across the end of such a piece if one happens to be there, which took up to a third of the
# time. A function with a stack of its own of more than 256 KB is given a piece of 512 KB, which the calls below share.
_with_room.__code__ = _with_room.__code__.replace(co_stacksize=(2**18 + 2**16) // 8)


def load_numba() -> None:
    """Load what Numba loads before its first kernel, but not SciPy's linear algebra, which takes 0.1 s and more.

    Numba only asks then whether it is there, for functions that no kernel calls, and again when it compiles one.
    """
    name = "numba.np.arraymath"
    if name in sys.modules:
        return
    with global_compiler_lock:
        linalg: Any = importlib.import_module("numba.np.linalg")
        usual, linalg.ensure_blas = linalg.ensure_blas, _ensure_scipy
        try:
            importlib.import_module(name)
        finally:
            linalg.ensure_blas = usual


def _ensure_scipy() -> None:
    if importlib.util.find_spec("scipy") is None:
        raise ImportError("no SciPy")


_stopped = False


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Let nothing be collected meanwhile: only one thread at a time, that which holds Numba's lock, is here.

    Examples
    --------
    >>> import gc
    >>> with uncollected():
    ...     gc.isenabled()
    False
    >>> gc.isenabled()
    True
    """
    global _stopped
    with global_compiler_lock:
        if not gc.isenabled():
            yield
            return
        _stopped = True
        gc.disable()
        try:
            yield
        finally:
            _resume()


def _resume() -> None:
    """Collect again, also in a forked child whose parent was compiling on another thread."""
    global _stopped
    if _stopped:
        _stopped = False
        gc.enable()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_resume)
