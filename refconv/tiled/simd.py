"""Machine registers for Numba: vectors of floats as wide as the processor has them.

A *vector* is an LLVM vector of `lanes` float32 or float64, and `registers` is a block of vectors on
the stack. Where every loop over such a block has a trip count that is known when it is compiled,
LLVM unrolls the loop and keeps the whole block in machine registers, so that a register-tiled kernel
is written as plain ``for`` loops. Sizes that must be known then travel as the lengths of tuples,
which are part of their types.

Everything here is called from compiled code only. Offsets count elements of a C-contiguous array of
any rank, from its first one. There is no wrap-around for negative offsets and no bounds check, either
of which would cost the vectors: the caller owns the range. ``load_some`` and ``store_some`` touch the
first lanes only, and neither read nor write the others. With ``NUMBA_BOUNDSCHECK=1`` what is compiled for one
thread raises IndexError instead of leaving an array.

The width follows the features that Numba compiles for, thus also ``NUMBA_CPU_FEATURES``: 64 bytes
with AVX-512, 32 with AVX, else 16 (SSE, NEON).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic, models, register_model

__all__ = [
    "add",
    "at",
    "broadcast",
    "fma",
    "get",
    "lanes",
    "lanes_of",
    "least",
    "load",
    "load_some",
    "multiply",
    "prefetch",
    "put",
    "quotient",
    "registers",
    "set_at",
    "spread",
    "square",
    "store",
    "store_some",
    "total",
    "transpose",
    "vector_bytes",
    "vector_registers",
    "zeros",
]

Codegen = Callable[..., Any]

_I32 = ir.IntType(32)


@functools.cache
def _features() -> tuple[str, frozenset[str]]:
    """Return the architecture that Numba compiles for, and what the processor can do there."""
    triple, _, features = cpu_target.target_context.codegen().magic_tuple()
    return triple.split("-")[0], frozenset(word[1:] for word in features.split(",") if word.startswith("+"))


def vector_bytes() -> int:
    """Return the bytes of a vector register of the processor that Numba compiles for.

    Examples
    --------
    >>> vector_bytes() in (16, 32, 64)
    True
    """
    features = _features()[1]
    return 64 if "avx512f" in features else 32 if "avx" in features else 16


def vector_registers() -> int:
    """Return how many vector registers there are."""
    architecture, features = _features()
    return 16 if architecture in ("x86_64", "i686", "i386") and "avx512f" not in features else 32


def lanes(dtype: npt.DTypeLike) -> int:
    """Return how many numbers of `dtype` a vector holds.

    Examples
    --------
    >>> lanes(np.float32) == 2 * lanes(np.float64)
    True
    """
    return vector_bytes() // np.dtype(dtype).itemsize


def _multiplies_and_adds_at_once() -> bool:
    architecture, features = _features()
    return architecture in ("aarch64", "arm64") or "fma" in features


class VectorType(types.Type):
    """Numba's type of a vector: `lanes` numbers of `dtype`."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        self.lanes = vector_bytes() * 8 // dtype.bitwidth
        super().__init__(name=f"Vector({dtype} x {self.lanes})")


class RegistersType(types.Type):
    """Numba's type of a block of `count` vectors."""

    def __init__(self, vector: VectorType, count: int) -> None:
        self.vector = vector
        self.count = count
        super().__init__(name=f"Registers({count} x {vector})")


def _llvm_vector(vector: VectorType) -> ir.VectorType:
    return ir.VectorType(ir.FloatType() if vector.dtype.bitwidth == 32 else ir.DoubleType(), vector.lanes)


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: VectorType) -> None:
        super().__init__(dmm, fe_type, _llvm_vector(fe_type))


@register_model(RegistersType)
class _RegistersModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: RegistersType) -> None:
        super().__init__(dmm, fe_type, _llvm_vector(fe_type.vector).as_pointer())


def _vector_of(array: Any) -> VectorType:
    return VectorType(array.dtype)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any, count: Any = 1) -> Any:
    """Point at `count` elements from `offset` on; None for what is not touched."""
    if config.BOUNDSCHECK and count is not None:
        _check_bounds(context, builder, _member(context, builder, array_type, array, "nitems"), offset, count)
    return builder.gep(_member(context, builder, array_type, array, "data"), [offset])


def _member(context: Any, builder: Any, array_type: Any, array: Any, name: str) -> Any:
    """Read a member of an array's record, which Numba's own way would first copy as a whole."""
    record = context.data_model_manager[array_type]
    return builder.extract_value(array, record.get_field_position(name))


def _check_bounds(context: Any, builder: Any, size: Any, offset: Any, count: Any) -> None:
    """Raise IndexError if some of the elements, one or more, lie outside an array of `size`."""
    if isinstance(count, int):
        count = ir.Constant(size.type, count)
    before = builder.icmp_signed("<", offset, size.type(0))
    behind = builder.icmp_signed(">", builder.add(offset, count), size)
    touched = builder.icmp_signed(">", count, size.type(0))
    with cgutils.if_unlikely(builder, builder.and_(touched, builder.or_(before, behind))):
        context.call_conv.return_user_exc(builder, IndexError, ("a kernel leaves its array",))


def _at_most(builder: Any, count: Any, lane_count: int) -> Any:
    """Return how many lanes a mask of `count` lets through."""
    most = count.type(lane_count)
    return builder.select(builder.icmp_signed("<", count, most), count, most)


def _vector_pointer(
    context: Any, builder: Any, array_type: Any, array: Any, offset: Any, vector: VectorType, count: Any = None
) -> Any:
    """Point at a vector, of which the first `count` lanes are touched, or all."""
    touched = vector.lanes if count is None else _at_most(builder, count, vector.lanes)
    pointer = _pointer(context, builder, array_type, array, offset, touched)
    return builder.bitcast(pointer, _llvm_vector(vector).as_pointer())


def _suffix(vector: VectorType) -> str:
    return f"v{vector.lanes}f{vector.dtype.bitwidth}"


def _splat(builder: Any, scalar: Any, vector: ir.VectorType) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_I32, vector.count), None))


def _mask(builder: Any, count: Any, lane_count: int) -> Any:
    """Set the lanes below `count`."""
    numbers = ir.VectorType(_I32, lane_count)
    each = ir.Constant(numbers, [ir.Constant(_I32, lane) for lane in range(lane_count)])
    return builder.icmp_signed("<", each, _splat(builder, builder.trunc(count, _I32), numbers))


@intrinsic
def lanes_of(typingctx: Any, array: Any) -> tuple[Any, Codegen]:
    """Return the lanes of a vector of the array's dtype, a constant in compiled code."""
    count = _vector_of(array).lanes

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return context.get_constant(types.intp, count)

    return types.intp(array), codegen


@intrinsic
def at(typingctx: Any, array: Any, offset: Any) -> tuple[Any, Codegen]:
    """Read one element of an array of any dtype, as a scalar."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_pointer(context, builder, sig.args[0], *args))

    return array.dtype(array, types.intp), codegen


@intrinsic
def least(typingctx: Any, a: Any, b: Any) -> tuple[Any, Codegen]:
    """Return the smaller of two offsets; Numba would compile its own ``min`` as a function."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.icmp_signed("<", *args), *args)

    return types.intp(types.intp, types.intp), codegen


@intrinsic
def quotient(typingctx: Any, a: Any, b: Any) -> tuple[Any, Codegen]:
    """Divide offsets, neither of them negative; by 1, as most often, at once."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = builder.block
        with builder.if_then(builder.icmp_signed("!=", args[1], args[1].type(1))):
            divided, behind = builder.udiv(*args), builder.block
        result = builder.phi(args[0].type)
        result.add_incoming(args[0], first)
        result.add_incoming(divided, behind)
        return result

    return types.intp(types.intp, types.intp), codegen


@intrinsic
def set_at(typingctx: Any, array: Any, offset: Any, value: Any) -> tuple[Any, Codegen]:
    """Write one element of an array of any dtype."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _pointer(context, builder, sig.args[0], args[0], args[1]))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), codegen


@intrinsic
def prefetch(typingctx: Any, array: Any, offset: Any) -> tuple[Any, Codegen]:
    """Ask for the cache line of one element; the offset may lie anywhere, also outside the array."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _ask_for(builder, _pointer(context, builder, sig.args[0], args[0], args[1], None), nearness=2)
        return context.get_dummy_value()

    return types.void(array, types.intp), codegen


def _ask_for(builder: Any, pointer: Any, nearness: int) -> None:
    """Ask for a cache line of data, to be read, into the processor's first cache with 3, into its second with 2."""
    line = builder.bitcast(pointer, ir.IntType(8).as_pointer())
    kind = ir.FunctionType(ir.VoidType(), [line.type, _I32, _I32, _I32])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(function, [line, *(ir.Constant(_I32, flag) for flag in (0, nearness, 1))])


@intrinsic
def load(typingctx: Any, array: Any, offset: Any) -> tuple[Any, Codegen]:
    """Read the numbers from `offset` on."""
    vector = _vector_of(array)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value = builder.load(_vector_pointer(context, builder, sig.args[0], args[0], args[1], vector))
        value.align = vector.dtype.bitwidth // 8
        return value

    return vector(array, types.intp), codegen


@intrinsic
def load_some(typingctx: Any, array: Any, offset: Any, count: Any) -> tuple[Any, Codegen]:
    """Read the first `count` numbers from `offset` on; the other lanes are 0 and not read."""
    vector = _vector_of(array)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array, offset, count = args
        pointer = _vector_pointer(context, builder, sig.args[0], array, offset, vector, count)
        rest, mask = ir.Constant(_llvm_vector(vector), None), _mask(builder, count, vector.lanes)
        kind = ir.FunctionType(rest.type, [pointer.type, _I32, mask.type, rest.type])
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.{_suffix(vector)}.p0")
        return builder.call(function, [pointer, ir.Constant(_I32, vector.dtype.bitwidth // 8), mask, rest])

    return vector(array, types.intp, types.intp), codegen


@intrinsic
def store(typingctx: Any, array: Any, offset: Any, value: Any) -> tuple[Any, Codegen]:
    """Write a vector from `offset` on."""
    vector = _vector_of(array)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _vector_pointer(context, builder, sig.args[0], args[0], args[1], vector)
        builder.store(args[2], pointer).align = vector.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), codegen


def _store_masked(builder: Any, vector: VectorType, pointer: Any, count: Any, value: Any) -> None:
    mask = _mask(builder, count, vector.lanes)
    kind = ir.FunctionType(ir.VoidType(), [_llvm_vector(vector), pointer.type, _I32, mask.type])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.{_suffix(vector)}.p0")
    builder.call(function, [value, pointer, ir.Constant(_I32, vector.dtype.bitwidth // 8), mask])


@intrinsic
def store_some(typingctx: Any, array: Any, offset: Any, count: Any, value: Any) -> tuple[Any, Codegen]:
    """Write the first `count` lanes of a vector from `offset` on, and nothing else."""
    vector = _vector_of(array)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _vector_pointer(context, builder, sig.args[0], args[0], args[1], vector, args[2])
        if vector_bytes() == 64:
            _store_masked(builder, vector, pointer, args[2], args[3])
            return context.get_dummy_value()
        # Without AVX-512 a mask costs as much as a dozen stores.
        all_lanes = builder.icmp_signed(">=", args[2], args[2].type(vector.lanes))
        with builder.if_else(all_lanes) as (whole, part):
            with whole:
                builder.store(args[3], pointer).align = vector.dtype.bitwidth // 8
            with part:
                _store_masked(builder, vector, pointer, args[2], args[3])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, vector), codegen


@intrinsic
def broadcast(typingctx: Any, array: Any, offset: Any) -> tuple[Any, Codegen]:
    """Read the number at `offset` into every lane."""
    vector = _vector_of(array)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        scalar = builder.load(_pointer(context, builder, sig.args[0], *args))
        return _splat(builder, scalar, _llvm_vector(vector))

    return vector(array, types.intp), codegen


@intrinsic
def spread(typingctx: Any, array: Any, value: Any) -> tuple[Any, Codegen]:
    """Copy a number of the array's dtype into every lane."""
    vector = _vector_of(array)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _splat(builder, args[1], _llvm_vector(vector))

    return vector(array, array.dtype), codegen


@intrinsic
def zeros(typingctx: Any, array: Any) -> tuple[Any, Codegen]:
    """Make a vector of zeros, of the array's dtype."""
    vector = _vector_of(array)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(_llvm_vector(vector), None)

    return vector(array), codegen


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> tuple[Any, Codegen]:
    """Return ``a * b + c``, rounded once where the processor can."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if not _multiplies_and_adds_at_once():
            return builder.fadd(builder.fmul(args[0], args[1]), args[2])
        kind = ir.FunctionType(_llvm_vector(a), [_llvm_vector(a)] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.{_suffix(a)}")
        return builder.call(function, args)

    return a(a, b, c), codegen


@intrinsic
def add(typingctx: Any, a: Any, b: Any) -> tuple[Any, Codegen]:
    """Return ``a + b``."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.fadd(*args)

    return a(a, b), codegen


@intrinsic
def multiply(typingctx: Any, a: Any, b: Any) -> tuple[Any, Codegen]:
    """Return ``a * b``."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.fmul(*args)

    return a(a, b), codegen


@intrinsic
def total(typingctx: Any, value: Any) -> tuple[Any, Codegen]:
    """Sum the lanes of a vector: halves, then quarters, and so on."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        (vector,) = args
        count = vector.type.count
        while count > 1:
            count //= 2
            halves = [
                ir.Constant(
                    ir.VectorType(_I32, count), [ir.Constant(_I32, lane) for lane in range(first, first + count)]
                )
                for first in (0, count)
            ]
            vector = builder.fadd(*(builder.shuffle_vector(vector, vector, half) for half in halves))
        return builder.extract_element(vector, ir.Constant(_I32, 0))

    return value.dtype(value), codegen


@intrinsic
def registers(typingctx: Any, array: Any, rows: Any, columns: Any) -> tuple[Any, Codegen]:
    """Reserve ``len(rows) * len(columns)`` vectors of the array's dtype."""
    block = RegistersType(_vector_of(array), len(rows) * len(columns))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        with builder.goto_entry_block():
            return builder.alloca(_llvm_vector(block.vector), size=ir.Constant(_I32, block.count))

    return block(array, rows, columns), codegen


@intrinsic
def square(typingctx: Any, array: Any) -> tuple[Any, Codegen]:
    """Reserve as many vectors of the array's dtype as one has lanes."""
    vector = _vector_of(array)
    block = RegistersType(vector, vector.lanes)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        with builder.goto_entry_block():
            return builder.alloca(_llvm_vector(vector), size=ir.Constant(_I32, block.count))

    return block(array), codegen


@intrinsic
def get(typingctx: Any, block: Any, index: Any) -> tuple[Any, Codegen]:
    """Return one vector of a block."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(builder.gep(args[0], [args[1]]))

    return block.vector(block, types.intp), codegen


@intrinsic
def put(typingctx: Any, block: Any, index: Any, value: Any) -> tuple[Any, Codegen]:
    """Set one vector of a block."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], builder.gep(args[0], [args[1]]))
        return context.get_dummy_value()

    return types.void(block, types.intp, block.vector), codegen


@intrinsic
def transpose(typingctx: Any, block: Any) -> tuple[Any, Codegen]:
    """Transpose the matrix whose rows are the vectors of a `square` block, in registers."""
    count = block.vector.lanes

    def shuffled(builder: Any, a: Any, b: Any, lanes: list[int]) -> Any:
        numbers = ir.Constant(ir.VectorType(_I32, count), [ir.Constant(_I32, lane) for lane in lanes])
        return builder.shuffle_vector(a, b, numbers)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointers = [builder.gep(args[0], [ir.Constant(ir.IntType(64), i)]) for i in range(count)]
        rows = [builder.load(pointer) for pointer in pointers]
        # Each round swaps, between rows that lie `distance` apart, the blocks off the diagonal.
        distance = 1
        while distance < count:
            upper = [lane if not lane & distance else count + lane - distance for lane in range(count)]
            lower = [lane + distance if not lane & distance else count + lane for lane in range(count)]
            for i in range(count):
                if not i & distance:
                    a, b = rows[i], rows[i + distance]
                    rows[i], rows[i + distance] = shuffled(builder, a, b, upper), shuffled(builder, a, b, lower)
            distance *= 2
        for pointer, row in zip(pointers, rows, strict=True):
            builder.store(row, pointer)
        return context.get_dummy_value()

    return types.void(block), codegen
