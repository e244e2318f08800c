"""Functions that are only ever part of kernels, compiled as little as that needs.

Numba makes each function executable by itself, with an entry from Python and fully optimised, also where only
other compiled functions call it. Kernels are made of many small functions, so that this is a third to half of the
time that they take to compile. What stands here is optimised as part of a kernel, and only there.

Parts count no references: they own no array, and what is not optimised before it is linked keeps its counting, which
took a third of the time of a depthwise kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core.codegen import JITCodeLibrary

from refconv.jit.compiling import KernelCompiler

__all__ = ["called", "inlined"]


class _Part(JITCodeLibrary):
    """Code that waits to be linked into a kernel."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Return 0: there is nothing to call."""
        return 0

    @property
    def codegen(self) -> Any:
        """What is told the function's environment, which nothing asks for."""
        return self

    def set_env(self, name: str, environment: Any) -> None:
        """Keep no environment."""


class _PartCompiler(KernelCompiler):
    """The compiler of kernels, but for a library that only they use."""

    def __init__(self, typing_context: Any, target_context: Any, library: Any, *rest: Any) -> None:
        library = _Part(target_context.codegen(), "part")
        super().__init__(typing_context, target_context, library, *rest)


_OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "_nrt": False,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "pipeline_class": _PartCompiler,
}


def inlined(function: Callable[..., Any]) -> Any:
    """Let kernels call a function, each call written out in its place.

    Examples
    --------
    >>> import numpy as np
    >>> from refconv.jit.launch import Kernel
    >>> @inlined
    ... def square(number):
    ...     return number * number
    >>> @Kernel
    ... def squares(numbers):
    ...     for i in range(numbers.size):
    ...         numbers[i] = square(numbers[i])
    >>> numbers = np.array([1.0, 2.0, 3.0])
    >>> squares.compiled(numbers)
    >>> numbers
    array([1., 4., 9.])
    """
    return njit(forceinline=True, **_OPTIONS)(function)


def called(function: Callable[..., Any]) -> Any:
    """Let kernels call a function that is in each kernel once, too long to be written out for every call."""
    return njit(**_OPTIONS)(function)
