"""Vectors on their way from one array to another, of any dtype, unchanged.

The registers of `refconv.tiled.simd` hold floats to compute with. What is only copied may be any
number, and is copied as bits: no NaN changes on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from refconv.tiled import simd

__all__ = ["move", "move_some", "moved_at_once", "repeat", "repeat_some"]

Codegen = Callable[..., Any]

_I32 = ir.IntType(32)


def _lanes(array: Any) -> int:
    return simd.vector_bytes() * 8 // int(array.dtype.bitwidth)


def _vector(array: Any) -> ir.VectorType:
    return ir.VectorType(ir.IntType(array.dtype.bitwidth), _lanes(array))


def _place(context: Any, builder: Any, array_type: Any, array: Any, offset: Any, count: Any = None) -> Any:
    """Point at a vector, of which the first `count` elements are touched, or all."""
    lanes = _lanes(array_type)
    touched = lanes if count is None else simd._at_most(builder, count, lanes)
    pointer = simd._pointer(context, builder, array_type, array, offset, touched)
    return builder.bitcast(pointer, _vector(array_type).as_pointer())


def _store_some(builder: Any, array_type: Any, value: Any, pointer: Any, count: Any) -> None:
    lanes, bits = _lanes(array_type), array_type.dtype.bitwidth
    mask = simd._mask(builder, count, lanes)
    kind = ir.FunctionType(ir.VoidType(), [value.type, pointer.type, _I32, mask.type])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.v{lanes}i{bits}.p0")
    builder.call(function, [value, pointer, ir.Constant(_I32, bits // 8), mask])


@intrinsic
def moved_at_once(typingctx: Any, array: Any) -> tuple[Any, Codegen]:
    """Return how many elements a vector holds, a constant in compiled code."""
    count = _lanes(array)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return context.get_constant(types.intp, count)

    return types.intp(array), codegen


@intrinsic
def move(typingctx: Any, out: Any, out0: Any, x: Any, x0: Any) -> tuple[Any, Codegen]:
    """Copy a vector from `x0` of an array to `out0` of another one of that dtype."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value = builder.load(_place(context, builder, sig.args[2], args[2], args[3]))
        value.align = sig.args[0].dtype.bitwidth // 8
        place = _place(context, builder, sig.args[0], args[0], args[1])
        builder.store(value, place).align = sig.args[0].dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(out, types.intp, x, types.intp), codegen


@intrinsic
def move_some(typingctx: Any, out: Any, out0: Any, x: Any, x0: Any, count: Any) -> tuple[Any, Codegen]:
    """Copy the first `count` elements of a vector, and touch no other."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector, lanes, bits = _vector(out), _lanes(out), out.dtype.bitwidth
        pointer = _place(context, builder, sig.args[2], args[2], args[3], args[4])
        mask = simd._mask(builder, args[4], lanes)
        kind = ir.FunctionType(vector, [pointer.type, _I32, mask.type, vector])
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.v{lanes}i{bits}.p0")
        value = builder.call(function, [pointer, ir.Constant(_I32, bits // 8), mask, ir.Constant(vector, None)])
        place = _place(context, builder, sig.args[0], args[0], args[1], args[4])
        _store_some(builder, sig.args[0], value, place, args[4])
        return context.get_dummy_value()

    return types.void(out, types.intp, x, types.intp, types.intp), codegen


def _spread(builder: Any, array: Any, value: Any) -> Any:
    return simd._splat(builder, value, _vector(array))


@intrinsic
def repeat(typingctx: Any, out: Any, out0: Any, value: Any) -> tuple[Any, Codegen]:
    """Write a vector of one number at `out0`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _place(context, builder, sig.args[0], args[0], args[1])
        builder.store(_spread(builder, out, args[2]), place).align = out.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(out, types.intp, out.dtype), codegen


@intrinsic
def repeat_some(typingctx: Any, out: Any, out0: Any, value: Any, count: Any) -> tuple[Any, Codegen]:
    """Write `count` times one number at `out0`, at most a vector."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _place(context, builder, sig.args[0], args[0], args[1], args[3])
        _store_some(builder, sig.args[0], _spread(builder, out, args[2]), place, args[3])
        return context.get_dummy_value()

    return types.void(out, types.intp, out.dtype, types.intp), codegen
