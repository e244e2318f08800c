"""Which compiled kernels a stretch of code would use, and compiling them ahead of it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, NamedTuple

import numba

import refconv
from refconv.jit.launch import Compiled


class Wanted(NamedTuple):
    """A kernel in one variant, for one set of argument types."""

    kernel: Compiled
    variant: str
    signature: tuple[Any, ...]

    def compile(self) -> None:
        """Load the kernel from disk, or compile it and save it there."""
        getattr(self.kernel, self.variant).compile(self.signature)


def compile_all(kernels: Sequence[Wanted], jobs: int) -> Iterator[Wanted]:
    """Load kernels from disk, or compile them and save them there.

    Parameters
    ----------
    kernels : sequence of Wanted
        Each a function at the top of a module where there are several jobs.
    jobs : int
        Processes that compile at the same time: within one, Numba compiles one kernel at a time.

    Yields
    ------
    Wanted
        Each kernel as it is ready.
    """
    if jobs == 1:
        for kernel in kernels:
            kernel.compile()
            yield kernel
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            under_way = {pool.submit(kernel.compile): kernel for kernel in kernels}
            for ready in as_completed(under_way):
                ready.result()
                yield under_way[ready]
        finally:
            pool.shutdown(cancel_futures=True)


def all_kernels(*rooms: str) -> list[Compiled]:
    """Return every kernel in the modules of the package's rooms, such as ``"tiled"``."""
    found: dict[int, Compiled] = {}
    for room in rooms:
        package = importlib.import_module(f"{refconv.__name__}.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            values = vars(importlib.import_module(module.name)).values()
            found |= {id(value): value for value in values if isinstance(value, Compiled)}
    return list(found.values())


@contextmanager
def recorded(kernels: Sequence[Compiled], running: Sequence[Compiled] = ()) -> Iterator[list[Wanted]]:
    """Let the kernels record what they are called with, and compute nothing.

    Parameters
    ----------
    kernels : sequence of Compiled
        They are themselves again when the context ends.
    running : sequence of Compiled
        Those that compute all the same, because others are planned with what they return.

    Yields
    ------
    list of Wanted
        Each once, in all its variants; filled as the calls come.
    """
    wanted: dict[tuple[int, str], Wanted] = {}

    def recorder(kernel: Compiled) -> Callable[..., None]:
        def record(*arguments: Any) -> None:
            signature = tuple(numba.typeof(argument) for argument in arguments)
            for variant in kernel.variants:
                key = id(kernel), f"{variant} {signature}"
                if key not in wanted:
                    wanted[key] = Wanted(kernel, variant, signature)
                    found.append(wanted[key])
            if kernel in running:
                kernel.py(*arguments)

        return record

    found: list[Wanted] = []
    before = [{name: vars(kernel)[name] for name in kernel.variants if name in vars(kernel)} for kernel in kernels]
    for kernel in kernels:
        vars(kernel).update(dict.fromkeys(kernel.variants, recorder(kernel)))
    try:
        yield found
    finally:
        for kernel, kept in zip(kernels, before, strict=True):
            for name in kernel.variants:
                del vars(kernel)[name]
            vars(kernel).update(kept)
