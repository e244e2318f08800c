"""What the machine can do at most: multiply-adds in registers, and bytes copied between two arrays."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from refconv.jit.launch import Kernel
from refconv.jit.parts import inlined
from refconv.jit.shares import Team, share_out
from refconv.tiled.moves import copy_stretch
from refconv.tiled.running import PARALLEL_WORK, Launch, empty
from refconv.tiled.simd import add, fma, get, lanes, lanes_of, load, put, registers, store, vector_registers

# Items of work, many enough that threads share them evenly.
_ITEMS = 32
_REPEATS = 4000

# About as much as the memory-bound layers of `refconv bench` move: more than the processor's own caches hold.
COPY_BYTES = 2**23


@inlined
def _multiply_add_vectors(item: int, sums: Any, repeats: int, numbers: Any, out: Any) -> None:
    block = registers(out, sums, (0,))
    step = lanes_of(out)
    factor = load(numbers, 0)
    for i in range(len(sums)):
        put(block, i, load(numbers, i * step))
    for _ in range(repeats):
        for i in range(len(sums)):
            put(block, i, fma(get(block, i), factor, factor))
    total = get(block, 0)
    for i in range(1, len(sums)):
        total = add(total, get(block, i))
    store(out, item * step, total)


@Kernel
def multiply_add(team: Team, sums: Any, repeats: int, numbers: Any, out: Any) -> None:
    """Multiply and add in registers, again and again; the numbers are read once."""
    share_out(team, _multiply_add_vectors, out.size // lanes_of(out), (sums, repeats, numbers, out))


@inlined
def _copy_part(part: int, parts: int, source: Any, target: Any) -> None:
    size = source.size // parts
    copy_stretch(target, part * size, source, part * size, size, (part + 1) * size)


@Kernel
def copy(team: Team, parts: int, source: Any, target: Any) -> None:
    """Copy an array whose size the parts divide."""
    share_out(team, _copy_part, parts, (parts, source, target))


def fma_speed(dtype: Any = np.float32) -> Callable[[], float]:
    """Return what measures once how many floating-point operations a second there are, two a multiply-add."""
    count = vector_registers() * 3 // 4
    numbers = np.full(count * lanes(dtype), 0.5, dtype)
    out = np.zeros(_ITEMS * lanes(dtype), dtype)
    operations = 2 * out.size * count * _REPEATS
    sums = (0,) * count
    launch = Launch(multiply_add, PARALLEL_WORK, sums, _REPEATS)
    return lambda: operations / _seconds(launch, numbers, out)


def copy_speed(size: int = COPY_BYTES) -> Callable[[], float]:
    """Return what measures once how many bytes a second a copy moves: those it reads and those it writes.

    Parameters
    ----------
    size : int
        Bytes moved: half of them read, half of them written, between arrays that stay the same.
    """
    count = size // 2 // 4 // 1024 // _ITEMS * 1024 * _ITEMS
    # Side by side, so that they begin alike within a page: how else they do changes the speed by a tenth.
    source, target = both = empty((2, count), np.float32)
    # Written to once, so that no page is missing.
    both.fill(1)
    launch = Launch(copy, PARALLEL_WORK, _ITEMS)
    return lambda: 2 * source.nbytes / _seconds(launch, source, target)


def _seconds(launch: Launch, *arrays: Any) -> float:
    start = time.perf_counter()
    launch(*arrays)
    return time.perf_counter() - start
