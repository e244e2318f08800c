"""The index rule as `refconv.geometry` states it, for compiled code: no kernel has a rule of its own."""

from __future__ import annotations

from numba.extending import register_jitable

from refconv import geometry

__all__ = ["compilable", "input_index"]

# A function that kernels may call, compiled into each of them; it stays an ordinary function.
compilable = register_jitable

compilable(geometry.dilated_index)
input_index = compilable(geometry.input_index)
