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
from refconv.jit.launch import Kernel
from refconv.jit.shares import ALONE, all_threads

Array = npt.NDArray[Any]

# Below this many multiply-adds a launch of threads costs more than it saves, some 20 us.
PARALLEL_WORK = 1_000_000

# What takes long to compile and is not on disk waits until a kernel has done as many multiply-adds: the ten times
# slower one that runs meanwhile takes about 0.1 s for them.
WORK_BEFORE_MORE = 500_000_000


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

    What takes long to compile has to do some work before, unless it is on disk; until then the kernel runs with the
    arguments `meanwhile`, which give the same bits.

    Numba asks every argument of a call for its type, which takes one to two microseconds. Those of a launch keep
    theirs, so that what is compiled for them is called directly from the third call on.

    Parameters
    ----------
    kernel : Kernel
        What to run; its first argument is the team.
    work : int
        Multiply-adds of a call.
    *arguments
        The next ones.
    meanwhile : sequence, optional
        What stands for them until more is compiled.

    Attributes
    ----------
    on_one, on_threads : callable or None
        What is compiled for these arguments, with one thread or all for a team, once it was called so; it takes the
        arrays. The second one wants `refconv.jit.launch.launch_lock`.
    """

    __slots__ = ("_arguments", "_kernel", "_meanwhile", "_ran", "_work", "on_one", "on_threads")

    def __init__(self, kernel: Kernel, work: int, *arguments: Any, meanwhile: Sequence[Any] | None = None) -> None:
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
        own: Sequence[Any] = self._arguments
        if self._meanwhile is not None and not self._is_worth_compiling(arrays):
            own = self._meanwhile
        arguments = all_threads() if many else ALONE, *own, *arrays
        if many:
            launching.launch(self._kernel.compiled, *arguments)
        else:
            self._kernel.compiled(*arguments)
        # To look it up takes as long as a hundred calls save, and many a launch is used once.
        final = own is self._arguments
        entry = self._kernel.entry(arguments) if final and self._ran else None
        if entry is not None:
            found = functools.partial(entry, *arguments[: 1 + len(own)])
            if many:
                self.on_threads = found
            else:
                self.on_one = found
        self._ran = final

    def _is_worth_compiling(self, arrays: tuple[Array, ...]) -> bool:
        kernel, arguments = self._kernel, (ALONE, *self._arguments, *arrays)
        kernel.work += self._work
        # What sets the signatures of one kernel apart.
        key = kernel, arrays[-1].dtype, *(len(size) for size in arguments if type(size) is tuple)
        if key not in _on_disk:
            _on_disk[key] = is_kept(kernel.compiled, arguments)
        return _on_disk[key] or kernel.work > WORK_BEFORE_MORE


_on_disk: dict[tuple[Any, ...], bool] = {}


@contextmanager
def in_final_form() -> Iterator[None]:
    """Let every kernel run at once as it does after some work, however long it takes to compile."""
    global WORK_BEFORE_MORE
    before, WORK_BEFORE_MORE = WORK_BEFORE_MORE, -1
    try:
        yield
    finally:
        WORK_BEFORE_MORE = before


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
