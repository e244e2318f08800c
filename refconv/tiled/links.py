"""Which data each output of an axis reads: the index rule, written out as tables.

A *link* is a pair (kernel element, datum) of one output. The links of every output are enumerated by
`refconv.geometry.input_index` itself, so that stride, dilation, padding, causality, cropping, inserted
zeros and flipped kernels need no code of their own, and padding and inserted zeros have no links.

Outputs whose links are equal but for a shift of the data form a *class*. A convolution has one class
for the inside and one for each place where the kernel leans over a border; a transposed convolution
has one for each phase. The classes of several axes are their product, and a kernel runs over the
outputs of one class without looking at an index again.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from refconv.geometry import AxisGeometry
from refconv.jit.launch import Kernel
from refconv.jit.rule import input_index

Indices = npt.NDArray[np.int64]

# Links that Python enumerates in about 20 ms; more are left to the compiler.
_UNCOMPILED_LINKS = 40_000


class AxisClass(NamedTuple):
    """Outputs of one axis that read the same kernel elements at the same distances.

    Output ``outputs[j]`` reads, for each `m`, datum ``firsts[j] + steps[m]`` through kernel element
    ``taps[m]``, and nothing else.

    Attributes
    ----------
    taps : ndarray, shape (links,)
        Kernel elements, in the order of the weights; empty where all is padding or inserted zeros.
    steps : ndarray, shape (links,)
        Distance of the datum from the first one.
    outputs, firsts : ndarray, shape (members,)
        Index of each output, ascending, and of the datum under its first link (0 without links).
    """

    taps: Indices
    steps: Indices
    outputs: Indices
    firsts: Indices


@Kernel
def _enumerate(table: Any, axis: AxisGeometry) -> None:
    outputs, kernel_size = table.shape
    for o in range(outputs):
        for k in range(kernel_size):
            table[o, k] = input_index(o, k, axis)


def axis_links(axis: AxisGeometry) -> Indices:
    """Return the datum that each output reads through each kernel element, negative where there is none.

    Returns
    -------
    ndarray, shape (outputs, kernel_size)

    Examples
    --------
    >>> axis_links(AxisGeometry(4, 3, pad_before=1))
    array([[-1,  0,  1],
           [ 0,  1,  2],
           [ 1,  2,  3]])
    """
    plain = AxisGeometry._make([*map(int, axis[:-1]), bool(axis.reversed)])
    table = np.empty((axis.output_size, axis.kernel_size), np.int64)
    enumerate_links = _enumerate.py if table.size <= _UNCOMPILED_LINKS else _enumerate.compiled
    enumerate_links(table, plain)
    return table


@functools.lru_cache(maxsize=256)
def axis_classes(axis: AxisGeometry) -> tuple[AxisClass, ...]:
    """Return the classes of an axis, each output in one of them, in order of their first outputs.

    Examples
    --------
    >>> [(c.taps.tolist(), c.outputs.tolist()) for c in axis_classes(AxisGeometry(5, 3, pad_before=1, pad_after=1))]
    [([1, 2], [0]), ([0, 1, 2], [1, 2, 3]), ([0, 1], [4])]
    >>> [(c.taps.tolist(), c.outputs.tolist()) for c in axis_classes(AxisGeometry.transposed(3, 2, stride=2))]
    [([0], [0, 2, 4]), ([1], [1, 3, 5])]
    """
    table = axis_links(axis)
    outputs = len(table)
    read = table >= 0
    # The datum under the first link; a row without links has none and counts from 0.
    first_link = read.argmax(axis=1)
    firsts = np.maximum(table[np.arange(outputs), first_link], 0)
    shifted = np.where(read, table - firsts[:, None], -1)
    steps_shown = np.where(read, shifted, np.iinfo(np.int64).min)

    # Rows repeat with the period of the phases, so that only rows unlike the one before need a look.
    period = axis.input_dilation // math.gcd(axis.input_dilation, axis.stride)
    like = np.zeros(outputs, np.bool_)
    like[period:] = (steps_shown[period:] == steps_shown[:-period]).all(axis=1)
    representative = np.where(like, -1, np.arange(outputs))
    for phase in range(min(period, outputs)):
        representative[phase::period] = np.maximum.accumulate(representative[phase::period])

    numbers: dict[bytes, int] = {}
    number_of = np.full(outputs, -1, np.int64)
    for row in np.flatnonzero(~like):
        number_of[row] = numbers.setdefault(steps_shown[row].tobytes(), len(numbers))
    number_of = number_of[representative]
    order = np.argsort(number_of, kind="stable")
    bounds = np.searchsorted(number_of[order], np.arange(len(numbers) + 1))
    classes = []
    for number in range(len(numbers)):
        members = order[bounds[number] : bounds[number + 1]]
        taps = np.flatnonzero(read[members[0]])
        classes.append(AxisClass(taps, shifted[members[0], taps], members, firsts[members]))
    return tuple(classes)
