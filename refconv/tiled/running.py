"""Running a kernel: arrays to fill, and one thread or all, whichever the work is worth."""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from refconv.jit import launch as launching
from refconv.jit.kernel_cache import is_kept
from refconv.jit.launch import Compiled

Array = npt.NDArray[Any]

# Below this many multiply-adds a launch of threads costs more than it saves, some 20 us.
PARALLEL_WORK = 1_000_000

# A kernel that is not on disk for several threads runs on one until it has done as many multiply-adds, about 0.1 s.
WORK_BEFORE_THREADS = 5_000_000_000

# What runs until a kernel is compiled takes some ten times as long, so its work counts as much more.
_MEANWHILE = 10


def available() -> bool:
    """Tell whether the fast path can run: not where the JIT is off."""
    return not numba.config.DISABLE_JIT


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """Allocate an array whose first element begins a cache line.

    Examples
    --------
    >>> empty((3, 5), np.float32).ctypes.data % 64
    0
    """
    kind = np.dtype(dtype)
    memory = np.empty(math.prod(shape) * kind.itemsize + 64, np.uint8)
    # NumPy's own ways to an address take six times as long.
    return np.ndarray(shape, kind, memory, -ctypes.addressof(ctypes.c_char.from_buffer(memory.data)) % 64)


class Launch:
    """A kernel with all its arguments but the arrays, which runs on one thread or on all, whichever the work is worth.

    Compiling for all threads takes twice as long, so a kernel has to do some work before, unless it is on disk.
    So it has for what takes longer to compile than with the arguments `meanwhile`, which give the same bits.

    Numba asks every argument of a call for its type, which takes one to two microseconds. Those of a launch keep
    theirs, so that what is compiled for them is called directly from the third call on.

    Parameters
    ----------
    kernel : Compiled
        What to run.
    work : int
        Multiply-adds of a call.
    *arguments
        The first ones.
    meanwhile : sequence, optional
        What stands for them until more is compiled.

    Attributes
    ----------
    on_one, on_threads : callable or None
        What is compiled for one thread and for all, once it is; it takes the arrays. The second one wants
        `refconv.jit.launch.launch_lock`.
    """

    __slots__ = ("_arguments", "_kernel", "_meanwhile", "_ran", "_work", "on_one", "on_threads")

    def __init__(self, kernel: Compiled, work: int, *arguments: Any, meanwhile: Sequence[Any] | None = None) -> None:
        self._kernel, self._work = kernel, work
        self._arguments, self._meanwhile = arguments, meanwhile
        self._ran = False
        self.on_one: Callable[..., None] | None = None
        self.on_threads: Callable[..., None] | None = None

    def __call__(self, *arrays: Array) -> None:
        """Run it on arrays of the same dtypes and numbers of axes each time."""
        many = launching.threads_are_of_use and self._work >= PARALLEL_WORK
        if many and self.on_threads is not None:
            # As `launching.launch` does, without handing the arguments on once more.
            with launching.launch_lock:
                self.on_threads(*arrays)
        elif not many and self.on_one is not None:
            self.on_one(*arrays)
        else:
            self._ask(many, arrays)

    def _ask(self, many: bool, arrays: tuple[Array, ...]) -> None:
        kernel, work, meanwhile = self._kernel, self._work, self._meanwhile
        arguments = *self._arguments, *arrays
        counted = work if meanwhile is None else _MEANWHILE * work
        worth = kernel.work > WORK_BEFORE_THREADS
        if many and (worth or _is_worth_compiling(kernel, "parallel", counted, arguments)):
            launching.launch(kernel.parallel, *arguments)
            self.on_threads = self._compiled("parallel", arguments)
        elif meanwhile is None or worth or _is_worth_compiling(kernel, "serial", 0 if many else counted, arguments):
            kernel.serial(*arguments)
            if not many:
                self.on_one = self._compiled("serial", arguments)
        else:
            kernel.serial(*meanwhile, *arrays)

    def _compiled(self, variant: str, arguments: tuple[Any, ...]) -> Callable[..., None] | None:
        # To look it up takes as long as a hundred calls save, and many a launch is used once.
        again, self._ran = self._ran, True
        return functools.partial(self._kernel.entry(variant, arguments), *self._arguments) if again else None


_on_disk: dict[tuple[Any, ...], bool] = {}


def _is_worth_compiling(kernel: Compiled, variant: str, work: int, arguments: Sequence[Any]) -> bool:
    kernel.work += work
    # What sets the signatures of one kernel apart.
    key = kernel, variant, arguments[-1].dtype, *(len(size) for size in arguments if type(size) is tuple)
    if key not in _on_disk:
        _on_disk[key] = is_kept(getattr(kernel, variant), arguments)
    return _on_disk[key] or kernel.work > WORK_BEFORE_THREADS


@contextmanager
def in_final_form() -> Iterator[None]:
    """Let every kernel run at once as it does after some work, however long it takes to compile."""
    global WORK_BEFORE_THREADS
    before, WORK_BEFORE_THREADS = WORK_BEFORE_THREADS, -1
    try:
        yield
    finally:
        WORK_BEFORE_THREADS = before


def thread_count() -> int:
    """Return how many threads a kernel may use."""
    return int(numba.config.NUMBA_NUM_THREADS)


def flat(array: Array) -> Array:
    """Return a read-only view on one axis; kernels are compiled for such inputs only, thus once for all ranks."""
    view = array.ravel()
    view.setflags(False)  # type: ignore[call-arg]  # By keyword, as NumPy's stubs want it, takes twice as long.
    return view


@functools.lru_cache(maxsize=256)
def no_bias(filters: int, dtype: np.dtype[Any]) -> Array:
    """Return the bias of filters that have none: zeros, read-only.

    Examples
    --------
    >>> no_bias(3, np.dtype(np.float32))
    array([0., 0., 0.], dtype=float32)
    """
    zeros = np.zeros(filters, dtype)
    zeros.flags.writeable = False
    return zeros
