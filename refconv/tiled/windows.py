"""Register operations of elementwise layers: sliding windows, and channels with several filters each.

As in `refconv.tiled.simd`, whatever must be known when a kernel is compiled travels as the length of a
tuple. A window is written out as straight-line code here, because LLVM does not unroll a loop as long.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from refconv.tiled import simd

__all__ = ["correlate", "narrow", "slide", "slide_some", "unknown", "widen"]

Codegen = Callable[..., Any]

_I32 = ir.IntType(32)
_I64 = ir.IntType(64)


class _Writer:
    """Writes out reads of vectors, masked if `count` lanes are given, and multiply-adds."""

    def __init__(self, context: Any, builder: Any, vector: Any, count: Any) -> None:
        self.context, self.builder, self.vector, self.count = context, builder, vector, count
        self.llvm = simd._llvm_vector(vector)
        self.mask = None if count is None else simd._mask(builder, count, vector.lanes)

    def reads(self, array_type: Any, array: Any, first: Any, distance: Any) -> Iterator[Any]:
        """Read the vector from `first` on, then the one that lies `distance` behind it, and so on.

        Each pointer is made of the one before: as multiples of `distance` they would all need registers.
        """
        builder, vector = self.builder, self.vector
        offset, pointer = first, simd._pointer(self.context, builder, array_type, array, first, None)
        while True:
            if config.BOUNDSCHECK:
                simd._vector_pointer(self.context, builder, array_type, array, offset, vector, self.count)
            yield self._read(builder.bitcast(pointer, self.llvm.as_pointer()))
            offset, pointer = builder.add(offset, distance), builder.gep(pointer, [distance])

    def _read(self, pointer: Any) -> Any:
        builder, vector = self.builder, self.vector
        if self.mask is None:
            value = builder.load(pointer)
            value.align = vector.dtype.bitwidth // 8
            return value
        kind = ir.FunctionType(self.llvm, [pointer.type, _I32, self.mask.type, self.llvm])
        name = f"llvm.masked.load.{simd._suffix(vector)}.p0"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        alignment = ir.Constant(_I32, vector.dtype.bitwidth // 8)
        return builder.call(function, [pointer, alignment, self.mask, ir.Constant(self.llvm, None)])

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        builder = self.builder
        if not simd._multiplies_and_adds_at_once():
            return builder.fadd(builder.fmul(a, b), c)
        kind = ir.FunctionType(self.llvm, [self.llvm] * 3)
        name = f"llvm.fma.{simd._suffix(self.vector)}"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [a, b, c])


def _uses(rows: int, size: int, step: int) -> list[list[tuple[int, int]]]:
    """List, for each datum of a window, the outputs and kernel elements that meet there."""
    return [
        [(p, j - p * step) for p in range(rows) if 0 <= j - p * step < size] for j in range((rows - 1) * step + size)
    ]


def _slide_code(vector: Any, rows: int, size: int, step: int, masked: bool) -> Codegen:
    """Write out a window of `size` kernel elements over `rows` outputs, `step` data apart."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        sums, _, _, x, x0, x_step, weights, w0, w_step, count = args
        writer = _Writer(context, builder, vector, count if masked else None)
        pointers = [builder.gep(sums, [ir.Constant(_I64, p)]) for p in range(rows)]
        totals = [builder.load(pointer) for pointer in pointers]
        kernel = list(itertools.islice(writer.reads(sig.args[6], weights, w0, w_step), size))
        for uses, datum in zip(_uses(rows, size, step), writer.reads(sig.args[3], x, x0, x_step), strict=False):
            for p, k in uses:
                totals[p] = writer.multiply_add(datum, kernel[k], totals[p])
        for pointer, total in zip(pointers, totals, strict=True):
            builder.store(total, pointer)
        return context.get_dummy_value()

    return codegen


@intrinsic
def correlate(
    typingctx: Any,
    sums: Any,
    first: Any,
    window: Any,
    stride: Any,
    whole: Any,
    x: Any,
    x0: Any,
    x_step: Any,
    gradients: Any,
    count: Any,
) -> tuple[Any, Codegen]:
    """Add to each sum ``first + k`` the terms ``x[p * len(stride) + k] * gradients[p]`` for `k` below ``len(window)``.

    Element `j` of `x` is the vector from ``x0 + j * x_step`` on, its first `count` lanes if `whole` is empty. Each is
    loaded once.
    """
    vector, rows, size, step, masked = sums.vector, gradients.count, len(window), len(stride), len(whole) == 0

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        writer = _Writer(context, builder, vector, args[9] if masked else None)
        places = [builder.add(args[1], ir.Constant(_I64, k)) for k in range(size)]
        pointers = [builder.gep(args[0], [place]) for place in places]
        totals = [builder.load(pointer) for pointer in pointers]
        factors = [builder.load(builder.gep(args[8], [ir.Constant(_I64, p)])) for p in range(rows)]
        for uses, datum in zip(_uses(rows, size, step), writer.reads(sig.args[5], *args[5:8]), strict=False):
            for p, k in uses:
                totals[k] = writer.multiply_add(datum, factors[p], totals[k])
        for pointer, total in zip(pointers, totals, strict=True):
            builder.store(total, pointer)
        return context.get_dummy_value()

    offset = types.intp
    return types.void(sums, offset, window, stride, whole, x, offset, offset, gradients, offset), codegen


def _slide_signature(sums: Any, window: Any, stride: Any, x: Any, weights: Any) -> Any:
    whole = types.intp
    return types.void(sums, window, stride, x, whole, whole, weights, whole, whole, whole)


@intrinsic
def slide(
    typingctx: Any,
    sums: Any,
    window: Any,
    stride: Any,
    x: Any,
    x0: Any,
    x_step: Any,
    weights: Any,
    w0: Any,
    w_step: Any,
    count: Any,
) -> tuple[Any, Codegen]:
    """Add to each sum `p` the terms ``x[p * len(stride) + k] * weights[k]`` for `k` below ``len(window)``.

    Element `j` of `x` is the vector from ``x0 + j * x_step`` on, likewise of `weights`. Each is loaded
    once, and a sum's terms come in the order of `k`. `count` is not used.
    """
    code = _slide_code(sums.vector, sums.count, len(window), len(stride), masked=False)
    return _slide_signature(sums, window, stride, x, weights), code


@intrinsic
def slide_some(
    typingctx: Any,
    sums: Any,
    window: Any,
    stride: Any,
    x: Any,
    x0: Any,
    x_step: Any,
    weights: Any,
    w0: Any,
    w_step: Any,
    count: Any,
) -> tuple[Any, Codegen]:
    """Do as `slide`, reading the first `count` lanes only."""
    code = _slide_code(sums.vector, sums.count, len(window), len(stride), masked=True)
    return _slide_signature(sums, window, stride, x, weights), code


def _picked(builder: Any, vectors: list[Any], lanes: list[int]) -> Any:
    """Make a vector of the given lanes of all `vectors` in a row."""
    count = len(lanes)
    result = ir.Constant(vectors[0].type, ir.Undefined)
    for number, vector in enumerate(vectors):
        # Of this vector where the lane lies in it, else what was picked so far.
        chosen = [count + lane % count if lane // count == number else i for i, lane in enumerate(lanes)]
        if chosen != list(range(count)):
            mask = ir.Constant(ir.VectorType(_I32, count), [ir.Constant(_I32, lane) for lane in chosen])
            result = builder.shuffle_vector(result, vector, mask)
    return result


@intrinsic
def widen(typingctx: Any, block: Any, value: Any) -> tuple[Any, Codegen]:
    """Fill a block with the lanes of a vector, each repeated as often as the block has vectors."""
    times, lanes = block.count, block.vector.lanes

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        for v in range(times):
            wide = _picked(builder, [args[1]], [(v * lanes + lane) // times for lane in range(lanes)])
            builder.store(wide, builder.gep(args[0], [ir.Constant(_I64, v)]))
        return context.get_dummy_value()

    return types.void(block, block.vector), codegen


@intrinsic
def narrow(typingctx: Any, block: Any, first: Any, times: Any) -> tuple[Any, Codegen]:
    """Sum every ``len(times)`` neighbouring lanes of as many vectors of a block from `first` on."""
    vector, count = block.vector, len(times)
    lanes = vector.lanes

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        offsets = [builder.add(args[1], ir.Constant(_I64, v)) for v in range(count)]
        vectors = [builder.load(builder.gep(args[0], [offset])) for offset in offsets]
        total = _picked(builder, vectors, [lane * count for lane in range(lanes)])
        for m in range(1, count):
            total = builder.fadd(total, _picked(builder, vectors, [lane * count + m for lane in range(lanes)]))
        return total

    return vector(block, types.intp, times), codegen


@intrinsic
def unknown(typingctx: Any, number: Any) -> tuple[Any, Codegen]:
    """Return a whole number as it is, but keep the compiler from working out multiples of it ahead of time.

    It would keep every one in a register, and has not as many.
    """

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.asm(ir.FunctionType(_I64, [_I64]), "", "=r,0", args, side_effect=True)

    return types.intp(types.intp), codegen
