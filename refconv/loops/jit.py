"""How the textbook loops are run: uncompiled while there is little to do, then compiled.

A loop is written once, as a plain function of an output array, input arrays and axes. `textbook`
makes a `TextbookLoop` of it, which runs that one body in three ways with the same bits:

- uncompiled, by Python itself, so that a 5x5 lesson is answered at once (about 1 us a step);
- compiled for one thread (1 to 8 ns a step, after 0.4 to 0.9 s of compilation);
- compiled for all threads (after 1.3 to 3.8 s of it).

From the cache on disk either kernel comes in 0.02 s, the first of a process in 0.3 s.

What a loop has been asked to do so far decides, in steps of its innermost statement: see
`UNCOMPILED_STEPS` and `SERIAL_STEPS`. With ``NUMBA_DISABLE_JIT=1`` everything runs uncompiled.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from numba import prange

from refconv import geometry
from refconv.jit import launch as launching
from refconv.jit.launch import Compiled, launch
from refconv.jit.rule import compilable, input_index

__all__ = ["SERIAL_STEPS", "UNCOMPILED_STEPS", "TextbookLoop", "compilable", "input_index", "prange", "textbook"]

UNCOMPILED_STEPS = 100_000
"""A loop runs uncompiled until its steps so far exceed this: about 0.1 s."""

SERIAL_STEPS = 200_000_000
"""A loop runs on one thread until its steps so far exceed this: 0.2 to 1.6 s."""

PARALLEL_STEPS = 100_000
"""A call below this, about 0.1 ms, is not worth waking threads for."""


class TextbookLoop(Compiled):
    """A textbook loop that can run uncompiled or compiled.

    Call it as ``loop(out, *arguments, steps=...)``. `out` must be filled with zeros or whatever
    the loop adds to. All arrays are float64 or int64 and C-contiguous; all but `out` are handed
    to the loop read-only.

    Attributes
    ----------
    py : function
        The loop as it is written; a ``prange`` in it is what the threads share.
    serial, parallel : function
        The loop compiled for one thread and for all; compiled when first called.
    """

    variants = ("serial", "parallel")

    def __init__(self, function: Callable[..., None]) -> None:
        super().__init__(function)
        self._steps_so_far: dict[np.dtype[Any], int] = {}

    @functools.cached_property
    def serial(self) -> Callable[..., None]:
        """The loop compiled for one thread."""
        return self.compile("serial", nogil=True)

    @functools.cached_property
    def parallel(self) -> Callable[..., None]:
        """The loop compiled for all threads; while they run, Numba lets other ones of Python run, too."""
        return self.compile("parallel", parallel=True)

    def __call__(self, out: np.ndarray[Any, Any], *arguments: Any, steps: int) -> None:
        """Run the loop.

        Parameters
        ----------
        out : array
            What the loop adds to.
        *arguments
            The loop's other arguments: arrays, axes, whole numbers.
        steps : int
            How often the innermost statement runs, roughly.
        """
        prepared = _all_prepared(out, arguments)
        so_far = self._steps_so_far[out.dtype] = self._steps_so_far.get(out.dtype, 0) + steps
        if so_far <= UNCOMPILED_STEPS or numba.config.DISABLE_JIT:
            self.uncompiled(out, *arguments)
        elif so_far <= SERIAL_STEPS or steps < PARALLEL_STEPS or not launching.threads_are_of_use:
            self.serial(out, *prepared)
        else:
            launch(self.parallel, out, *prepared)

    def uncompiled(self, out: np.ndarray[Any, Any], *arguments: Any) -> None:
        """Run the loop as plain Python, however long that takes."""
        # Compiled loops overflow and divide by zero silently, so this does too.
        with np.errstate(all="ignore"):
            self.py(out, *_all_prepared(out, arguments))


def textbook(function: Callable[..., None]) -> TextbookLoop:
    """Make a textbook loop of a function ``(out, *arguments)`` that fills `out`."""
    return TextbookLoop(function)


def _all_prepared(out: np.ndarray[Any, Any], arguments: Sequence[Any]) -> list[Any]:
    prepared = [_prepared(argument) for argument in arguments]
    _refuse_other_arrays([out, *prepared])
    return prepared


def _prepared(argument: Any) -> Any:
    """Give an argument the one type a loop is compiled for."""
    if isinstance(argument, np.ndarray):
        view = argument.view()
        view.flags.writeable = False
        return view
    if isinstance(argument, geometry.AxisGeometry):
        return geometry.AxisGeometry._make([*map(int, argument[:-1]), bool(argument.reversed)])
    return argument


def _refuse_other_arrays(arguments: list[Any]) -> None:
    for array in arguments:
        if isinstance(array, np.ndarray) and not (
            array.dtype in (np.float64, np.int64) and array.dtype.isnative and array.flags.c_contiguous
        ):
            raise TypeError(f"a textbook loop takes C-contiguous float64 or int64 arrays, not {array.dtype}")
