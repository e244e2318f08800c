"""Vectors on their way from one array to another, of any dtype, unchanged.

The registers of `refconv.tiled.simd` hold floats to compute with. What is only copied may be any
number, and is copied as bits: no NaN changes on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

from refconv.jit.parts import inlined
from refconv.tiled import simd

__all__ = [
    "at_once",
    "copy_by_lines",
    "copy_stretch",
    "fill_stretch",
    "read",
    "read_some",
    "read_wide",
    "to_line",
    "wide",
    "write",
    "write_some",
]

Array = Any
Codegen = Callable[..., Any]

_I32 = ir.IntType(32)

# Vectors of a wide read: so many are on their way at a time. They are read and written in order: LLVM would mix those
# of several rounds up, or the parts of one long vector, which takes a twentieth longer.
_WIDE = 8
# Bytes of each at most: half of those of AVX-512 lie across two cache lines where all of the longer ones do.
_WIDE_BYTES = 32

# Bytes of a cache line.
_LINE = 64


def _wide_bytes() -> int:
    """Return the bytes of each vector of a wide read."""
    return min(simd.vector_bytes(), _WIDE_BYTES)


class BitsType(types.Type):
    """Numba's type of some vectors of numbers that are only copied."""

    def __init__(self, dtype: Any, vectors: int) -> None:
        self.dtype, self.vectors = dtype, vectors
        size = simd.vector_bytes() if vectors == 1 else _wide_bytes()
        self.lanes = size * 8 // dtype.bitwidth
        super().__init__(name=f"Bits({dtype} x {self.lanes} x {vectors})")


def _llvm_vector(bits: BitsType) -> ir.VectorType:
    return ir.VectorType(ir.IntType(bits.dtype.bitwidth), bits.lanes)


def _llvm_vectors(bits: BitsType) -> ir.ArrayType:
    return ir.ArrayType(_llvm_vector(bits), bits.vectors)


@register_model(BitsType)
class _BitsModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: BitsType) -> None:
        super().__init__(dmm, fe_type, _llvm_vectors(fe_type))


def _place(
    context: Any, builder: Any, array_type: Any, array: Any, offset: Any, bits: BitsType, count: Any = None
) -> Any:
    """Point at some vectors, of which the first `count` elements are touched, or all."""
    touched = bits.lanes * bits.vectors if count is None else simd._at_most(builder, count, bits.lanes)
    pointer = simd._pointer(context, builder, array_type, array, offset, touched)
    return builder.bitcast(pointer, _llvm_vector(bits).as_pointer())


def _each(builder: Any, pointer: Any, bits: BitsType) -> list[Any]:
    """Point at each of the vectors that begin at a place."""
    return [builder.gep(pointer, [ir.Constant(_I32, n)]) for n in range(bits.vectors)]


def _together(builder: Any, vectors: list[Any], bits: BitsType) -> Any:
    value = ir.Constant(_llvm_vectors(bits), ir.Undefined)
    for n, vector in enumerate(vectors):
        value = builder.insert_value(value, vector, n)
    return value


def _masked(builder: Any, name: str, result: Any, bits: BitsType, arguments: list[Any]) -> Any:
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    suffix = f"v{bits.lanes}i{bits.dtype.bitwidth}.p0"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.{name}.{suffix}"), arguments)


def _keep_order(builder: Any, bits: BitsType) -> None:
    """Let LLVM neither exchange nor join what stands before and behind; no instruction of the processor."""
    if bits.vectors > 1:
        builder.fence("seq_cst", "singlethread")


def _count(array: Any, vectors: int) -> tuple[Any, Codegen]:
    lanes = BitsType(array.dtype, vectors).lanes * vectors

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return context.get_constant(types.intp, lanes)

    return types.intp(array), codegen


@intrinsic
def at_once(typingctx: Any, array: Any) -> tuple[Any, Codegen]:
    """Return how many elements `read` reads, a constant in compiled code."""
    return _count(array, 1)


@intrinsic
def wide(typingctx: Any, array: Any) -> tuple[Any, Codegen]:
    """Return how many elements `read_wide` reads, a constant in compiled code."""
    return _count(array, _WIDE)


def _reading(array: Any, vectors: int) -> tuple[Any, Codegen]:
    bits = BitsType(array.dtype, vectors)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _place(context, builder, sig.args[0], args[0], args[1], bits)
        read = []
        for pointer in _each(builder, place, bits):
            read.append(builder.load(pointer))
            read[-1].align = bits.dtype.bitwidth // 8
            _keep_order(builder, bits)
        return _together(builder, read, bits)

    return bits(array, types.intp), codegen


@intrinsic
def read(typingctx: Any, array: Any, offset: Any) -> tuple[Any, Codegen]:
    """Read a vector from `offset` on."""
    return _reading(array, 1)


@intrinsic
def read_wide(typingctx: Any, array: Any, offset: Any) -> tuple[Any, Codegen]:
    """Read several vectors from `offset` on."""
    return _reading(array, _WIDE)


@intrinsic
def ask(typingctx: Any, array: Any, offset: Any) -> tuple[Any, Codegen]:
    """Ask for the cache lines of a wide read; the offset may lie anywhere, also outside the array."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = simd._pointer(context, builder, sig.args[0], args[0], args[1], None)
        line = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        for begin in range(0, _WIDE * _wide_bytes(), _LINE):
            # Asking to write gains nothing.
            simd._ask_for(builder, builder.gep(line, [ir.Constant(_I32, begin)]), nearness=3)
        return context.get_dummy_value()

    return types.void(array, types.intp), codegen


@intrinsic
def to_line(typingctx: Any, array: Any, offset: Any) -> tuple[Any, Codegen]:
    """Return how many elements there are from `offset` on until a cache line begins."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = simd._pointer(context, builder, sig.args[0], args[0], args[1], None)
        address = builder.ptrtoint(pointer, args[1].type)
        before = builder.and_(builder.neg(address), address.type(_LINE - 1))
        return builder.udiv(before, address.type(sig.args[0].dtype.bitwidth // 8))

    return types.intp(array, types.intp), codegen


@intrinsic
def read_some(typingctx: Any, array: Any, offset: Any, count: Any) -> tuple[Any, Codegen]:
    """Read the first `count` elements of a vector, and touch no other."""
    bits = BitsType(array.dtype, 1)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector, alignment = _llvm_vector(bits), ir.Constant(_I32, bits.dtype.bitwidth // 8)
        mask = simd._mask(builder, args[2], bits.lanes)
        pointer = _place(context, builder, sig.args[0], args[0], args[1], bits, args[2])
        some = _masked(builder, "load", vector, bits, [pointer, alignment, mask, ir.Constant(vector, None)])
        return _together(builder, [some], bits)

    return bits(array, types.intp, types.intp), codegen


@intrinsic
def repeated(typingctx: Any, array: Any, number: Any) -> tuple[Any, Codegen]:
    """Return a vector of elements whose bits are the last ones of a whole number."""
    bits = BitsType(array.dtype, 1)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector = _llvm_vector(bits)
        element = args[1] if vector.element == args[1].type else builder.trunc(args[1], vector.element)
        return _together(builder, [simd._splat(builder, element, vector)], bits)

    return bits(array, types.int64), codegen


@intrinsic
def write(typingctx: Any, array: Any, offset: Any, value: Any) -> tuple[Any, Codegen]:
    """Write what was read from `offset` on."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _place(context, builder, sig.args[0], args[0], args[1], value)
        for n, pointer in enumerate(_each(builder, place, value)):
            builder.store(builder.extract_value(args[2], n), pointer).align = value.dtype.bitwidth // 8
            _keep_order(builder, value)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), codegen


@intrinsic
def write_some(typingctx: Any, array: Any, offset: Any, count: Any, value: Any) -> tuple[Any, Codegen]:
    """Write the first `count` elements of a vector, and touch no other."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        mask, alignment = simd._mask(builder, args[2], value.lanes), ir.Constant(_I32, value.dtype.bitwidth // 8)
        pointer = _place(context, builder, sig.args[0], args[0], args[1], value, args[2])
        some = builder.extract_value(args[3], 0)
        _masked(builder, "store", ir.VoidType(), value, [some, pointer, alignment, mask])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, value), codegen


@inlined
def copy_stretch(out: Array, out0: int, x: Array, x0: int, count: int, following: int) -> None:
    """Copy a stretch of memory, and ask for the data that follow it."""
    most, step = wide(out), at_once(out)
    # An end that is no multiple of the step, as far as LLVM can tell, keeps it from unrolling, which here costs time.
    for i in range(0, count - 2 * most + 1, most):
        ask(x, x0 + i + most)
        ask(out, out0 + i + most)
        write(out, out0 + i, read_wide(x, x0 + i))
    if count >= most:
        i = count - count % most - most
        ask(x, following)
        ask(out, out0 + i + most)
        write(out, out0 + i, read_wide(x, x0 + i))
    if count % most:
        whole = count - count % step
        for i in range(count - count % most, whole, step):
            write(out, out0 + i, read(x, x0 + i))
        if whole < count:
            write_some(out, out0 + whole, count - whole, read_some(x, x0 + whole, count - whole))


@inlined
def copy_by_lines(out: Array, out0: int, x: Array, x0: int, count: int, following: int) -> None:
    """Copy a stretch of memory, its vectors from where a cache line begins."""
    before = simd.least(to_line(out, out0), count)
    for i in range(0, before, at_once(out)):
        write_some(out, out0 + i, before - i, read_some(x, x0 + i, before - i))
    copy_stretch(out, out0 + before, x, x0 + before, count - before, following)


@inlined
def fill_stretch(out: Array, out0: int, bits: int, count: int) -> None:
    """Fill a stretch of memory with an element of such bits."""
    step = at_once(out)
    whole = count - count % step
    for i in range(0, whole, step):
        write(out, out0 + i, repeated(out, bits))
    if whole < count:
        write_some(out, out0 + whole, count - whole, repeated(out, bits))
