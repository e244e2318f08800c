"""Work of a kernel that threads share, or that one thread does, by the same compiled code.

A ``prange`` of Numba's makes it compile a function twice, once for one thread and once more for all, in twice the
time, and prepare a schedule for every launch. Here a kernel is compiled once. It hands what is to be done for each
item to Numba's threading layer itself, whichever that is, or does it at once, as its *team* says. The threads are
those that `numba.set_num_threads` allows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import llvmlite.binding
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["ALONE", "Team", "all_threads", "share_out"]

Codegen = Callable[..., Any]
Team = tuple[int, int]

ALONE: Team = (0, 0)
"""The team that is one thread."""

_BYTE, _NUMBER, _CODE = ir.IntType(8), ir.IntType(64), ir.IntType(32)
_POINTER, _NUMBERS = _BYTE.as_pointer(), _NUMBER.as_pointer()

# What every thread reads: how many items there are, and shares of them; what it may leave: an exception; then the
# arguments.
_ITEMS, _SHARES, _ERROR, _EXCEPTION, _ARGUMENTS = range(5)

# A function of the threading layer takes pointers to what to call, to an address that moves on with each share, to the
# shares, to the step of that address, and to data; then dimensions besides the shares, moving addresses, and threads.
_PARALLEL_FOR = ir.FunctionType(ir.VoidType(), [_POINTER] * 5 + [_NUMBER] * 3).as_pointer()
_THREAD_COUNT = ir.FunctionType(_CODE, []).as_pointer()
_SHARE = ir.FunctionType(ir.VoidType(), [_POINTER.as_pointer(), _NUMBERS, _NUMBERS, _POINTER])


@functools.cache
def all_threads() -> Team:
    """Return the team that is all threads, as addresses of functions of Numba's threading layer, which it starts.

    They travel as arguments, so that what is on disk holds none of them, and one thread by itself starts no others.
    """
    numba.get_num_threads()
    parallel_for, thread_count = map(llvmlite.binding.address_of_symbol, ("numba_parallel_for", "get_num_threads"))
    return parallel_for, thread_count


@intrinsic
def share_out(typingctx: Any, team: Any, part: Any, items: Any, arguments: Any) -> tuple[Any, Codegen]:
    """Call ``part(item, *arguments)`` for each item of a number of them, neighbouring ones on one thread.

    What an item does must not depend on others. An exception ends the share that it is raised in, and is raised again.
    """
    called = part.get_call_type(typingctx, (types.intp, *arguments.types), {})
    compiled = part.dispatcher.get_compile_result(called)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        context.active_code_library.add_linking_library(compiled.library)
        parallel_for, thread_count = cgutils.unpack_tuple(builder, args[0])
        values = cgutils.unpack_tuple(builder, args[3])
        record = ir.LiteralStructType([_NUMBER, _NUMBER, _CODE, _POINTER, *(value.type for value in values)])
        share = _share(context, builder.module, compiled.fndesc, record)

        many = builder.icmp_signed("!=", parallel_for, _NUMBER(0))
        shares, one = (cgutils.alloca_once_value(builder, _NUMBER(1)) for _ in range(2))
        with builder.if_then(many):
            threads = builder.call(builder.inttoptr(thread_count, _THREAD_COUNT), [])
            builder.store(builder.sext(threads, _NUMBER), shares)

        room = cgutils.alloca_once(builder, record)
        contents = args[2], builder.load(shares), _CODE(0), ir.Constant(_POINTER, None), *values
        for index, value in enumerate(contents):
            builder.store(value, _member(builder, room, index))
        data = builder.bitcast(room, _POINTER)
        moving = cgutils.alloca_once_value(builder, data)
        with builder.if_else(many) as (together, alone):
            with together:
                pointers = (builder.bitcast(pointer, _POINTER) for pointer in (share, moving, shares, one, room))
                layer = builder.inttoptr(parallel_for, _PARALLEL_FOR)
                builder.call(layer, [*pointers, _NUMBER(0), _NUMBER(1), builder.load(shares)])
            with alone:
                builder.call(share, [moving, shares, one, data])
        _raise(context, builder, room)
        return context.get_dummy_value()

    return types.void(team, part, types.intp, arguments), codegen


def _member(builder: Any, room: Any, index: int) -> Any:
    return builder.gep(room, [_CODE(0), _CODE(index)], inbounds=True)


def _share(context: Any, module: Any, fndesc: Any, record: Any) -> Any:
    """Write the function that calls a compiled one for each item of some neighbouring shares."""
    function = ir.Function(module, _SHARE, module.get_unique_name("share"))
    function.linkage = "internal"
    # One copy, for one thread and for all.
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    moving, counts, _, data = function.args
    room = builder.bitcast(data, record.as_pointer())
    items, shares, *_ = values = [builder.load(_member(builder, room, n)) for n in range(len(record.elements))]
    first = builder.sub(*(builder.ptrtoint(pointer, _NUMBER) for pointer in (builder.load(moving), data)))
    last = builder.add(first, builder.load(counts))
    begin, end = (builder.udiv(builder.mul(items, share), shares) for share in (first, last))
    part = context.declare_function(module, fndesc)
    with cgutils.for_range_slice(builder, begin, end, _NUMBER(1)) as (item, _):
        arguments = item, *values[_ARGUMENTS:]
        status, _ = context.call_conv.call_function(builder, part, fndesc.restype, fndesc.argtypes, arguments)
        with cgutils.if_unlikely(builder, status.is_error):
            builder.store(status.code, _member(builder, room, _ERROR))
            builder.store(builder.bitcast(status.excinfoptr, _POINTER), _member(builder, room, _EXCEPTION))
            builder.ret_void()
    builder.ret_void()
    return function


def _raise(context: Any, builder: Any, room: Any) -> None:
    """Raise what a share has left."""
    error, exception = (builder.load(_member(builder, room, n)) for n in (_ERROR, _EXCEPTION))
    kind = context.call_conv._get_excinfo_argument(builder.function).type.pointee
    status = context.call_conv._get_return_status(builder, error, builder.bitcast(exception, kind))
    with cgutils.if_unlikely(builder, status.is_error):
        context.call_conv.return_status_propagate(builder, status)
