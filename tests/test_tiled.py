"""The fast path: the textbook's results, whatever the tile, the shape, the threads and the layout."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import subprocess
import sys
from unittest import mock

import numba
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from refconv.bench.restricted import AVX2
from refconv.errors import ConvError
from refconv.functional import conv, conv_transpose, conv_transpose_with, conv_with
from refconv.functional.backend import BACKENDS, TILED_WORK
from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.tiled import choose, cpu, few, packing, running, simd
from refconv.tiled.links import axis_classes, axis_links
from refconv.tiled.plan import conv_plan, gradient_plan
from refconv.tiled.simd import _features

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="the JIT is off")

TOLERANCE = {np.float32: {"rtol": 2e-5, "atol": 2e-5}, np.float64: {"rtol": 1e-12, "atol": 1e-12}}


def simd_features():
    return _features()[1]


def random(shape, dtype=np.float32, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def operands(geometry, batch, channels, filters, transposed=False, dtype=np.float32):
    groups = geometry.groups
    ends = (filters // groups, channels) if transposed else (channels // groups, filters)
    x = random((batch, *geometry.input_size, channels), dtype)
    weights = random((*geometry.kernel_size, *ends), dtype, 1)
    return x, weights, random((filters,), dtype, 2), random((batch, *geometry.output_size, filters), dtype, 3)


@st.composite
def axes(draw, transposed=False):
    n, k = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    before, after = draw(st.integers(-2, 5)), draw(st.integers(-2, 5))
    if transposed:
        axis = AxisGeometry.transposed(n, k, stride, dilation, before, after)
    else:
        axis = AxisGeometry(n, k, stride, dilation, before, after)
    assume(axis.output_size >= 1)
    return axis


@st.composite
def cases(draw, transposed=False):
    rank = draw(st.integers(1, 3))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    geometry = ConvGeometry(tuple(draw(axes(transposed)) for _ in range(rank)), groups)
    channels, filters = draw(st.sampled_from([1, 2, 5])) * groups, draw(st.sampled_from([1, 3, 17, 20])) * groups
    return geometry, draw(st.integers(1, 3)), channels, filters


# What each direction computes, tiled and as the textbook does it.


def forward(geometry, arrays, transposed, run=None):
    x, weights, bias, _ = arrays
    if run == "textbook":
        by = conv_transpose_with if transposed else conv_with
        return by(geometry, *(a.astype(float) for a in (x, weights, bias)), backend="textbook")
    return (cpu.conv_transpose if transposed else cpu.conv)(geometry, x, weights, bias)


def grad_input(geometry, arrays, transposed, run=None):
    _, weights, _, dy = arrays
    if run == "textbook":
        by = conv_with if transposed else conv_transpose_with
        return by(geometry.adjoint(), dy.astype(float), weights.astype(float), backend="textbook")
    return (cpu.conv if transposed else cpu.conv_transpose)(geometry.adjoint(), dy, weights)


def grad_weights(geometry, arrays, transposed, run=None):
    """As the loop over links sums them, in NumPy: independent of plans."""
    x, _, _, dy = arrays
    if run != "textbook":
        by = cpu.conv_transpose_grad_weights if transposed else cpu.conv_grad_weights
        return by(geometry, x, dy)
    x, dy, groups = x.astype(float), dy.astype(float), geometry.groups
    channels, filters = x.shape[-1] // groups, dy.shape[-1] // groups
    links = [axis_links(axis) for axis in geometry.axes]
    sums = np.zeros((groups, *geometry.kernel_size, channels, filters))
    for k in itertools.product(*map(range, geometry.kernel_size)):
        at = [link[:, tap] for link, tap in zip(links, k, strict=True)]
        outputs = np.ix_(*(np.flatnonzero(a >= 0) for a in at))
        inputs = np.ix_(*(a[a >= 0] for a in at))
        read = x[(slice(None), *inputs)].reshape(-1, groups, channels)
        gradient = dy[(slice(None), *outputs)].reshape(-1, groups, filters)
        sums[(slice(None), *k)] = np.einsum("pgc,pgf->gcf", read, gradient)
    if transposed:
        return np.moveaxis(np.swapaxes(sums, -1, -2), 0, -2).reshape(*geometry.kernel_size, filters, -1)
    return np.moveaxis(sums, 0, -2).reshape(*geometry.kernel_size, channels, -1)


DIRECTIONS = [forward, grad_input, grad_weights]


def check(geometry, batch, channels, filters, transposed, direction, dtype=np.float32):
    arrays = operands(geometry, batch, channels, filters, transposed, dtype)
    copies = [array.copy() for array in arrays]
    got = direction(geometry, arrays, transposed)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, direction(geometry, arrays, transposed, "textbook"), **TOLERANCE[dtype])
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("direction", DIRECTIONS)
@hypothesis_settings(max_examples=25)
@given(cases())
def test_convolution_as_the_textbook(direction, case):
    check(*case, transposed=False, direction=direction)


@pytest.mark.parametrize("direction", DIRECTIONS)
@hypothesis_settings(max_examples=25)
@given(cases(transposed=True))
def test_transposed_convolution_as_the_textbook(direction, case):
    check(*case, transposed=True, direction=direction)


@pytest.mark.parametrize("by_element", [False, True])
@hypothesis_settings(max_examples=25)
@given(cases())
def test_both_orders_of_a_weight_gradient_as_the_textbook(by_element, case):
    tile = choose.tiles()[-1]
    with mock.patch.multiple(choose, gradient_tile=lambda *_: (tile, by_element), gradient_places=lambda *_: None):
        check(*case, transposed=False, direction=grad_weights)


@contextlib.contextmanager
def in_places():
    """Let lanes run over places wherever they can, as if the other way were never cheaper."""
    with mock.patch.multiple(choose, cost=lambda *_: math.inf, gradient_cost=lambda *_: math.inf):
        yield


@pytest.mark.parametrize("direction", DIRECTIONS)
@hypothesis_settings(max_examples=25)
@given(st.booleans(), st.data())
def test_lanes_over_places_as_the_textbook(direction, transposed, data):
    case = data.draw(cases(transposed))
    with in_places():
        check(*case, transposed=transposed, direction=direction)


# Shapes that meet every tile, full and partial, and lanes over outputs; more than one block and chunk.
SHAPES = [
    (ConvGeometry((AxisGeometry(40, 3, 1, 1, 1, 1), AxisGeometry(41, 3, 1, 1, 2, 0))), 1, 3, 64),
    (ConvGeometry((AxisGeometry(19, 5, 2, 1, 2, 2), AxisGeometry(40, 3, 1, 2, 2, 2)), 2), 2, 6, 2 * 33),
    (ConvGeometry((AxisGeometry(9, 3, 1, 1, 1, 1), AxisGeometry(70, 5, 1, 1, 2, 2))), 2, 20, 3),
    (ConvGeometry((AxisGeometry(5000, 3, 1, 4, 8, 0),)), 1, 4, 14),
    (ConvGeometry((AxisGeometry(50, 7, 1, 1, 3, 3), AxisGeometry(60, 7, 1, 1, 3, 3))), 1, 1, 1),
    (ConvGeometry((AxisGeometry(9, 3, 1, 1, 1, 1), AxisGeometry(7, 2, 2, 1, 1, 0)), 2), 3, 2 * 200, 2 * 64),
]
PEER_SHAPES = [
    (ConvGeometry((AxisGeometry(14, 3, 1, 1, 1, 1),) * 2), 1, 256, 64),
    (ConvGeometry((AxisGeometry(7, 3, 1, 1, 1, 1),) * 2), 1, 512, 64),
]
TRANSPOSED_SHAPES = [
    (ConvGeometry((AxisGeometry.transposed(9, 4, 2, 1, 1, 1), AxisGeometry.transposed(20, 3, 3))), 1, 17, 32),
    (ConvGeometry((AxisGeometry.transposed(5, 3, 2, 1, 1, 0), AxisGeometry.transposed(40, 5, 2, 1, 2, 1))), 2, 20, 3),
    (ConvGeometry((AxisGeometry.transposed(7, 4, 2, 1, 1, 1), AxisGeometry.transposed(6, 3, 3))), 2, 64, 64),
]
# Those that go kernel element by kernel element.
ELEMENTS_SHAPES = [(*SHAPES[-1], False), (*TRANSPOSED_SHAPES[-1], True)]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("case", SHAPES, ids=str)
def test_large_shapes(direction, case):
    check(*case, transposed=False, direction=direction)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("case", TRANSPOSED_SHAPES, ids=str)
def test_large_transposed_shapes(direction, case):
    check(*case, transposed=True, direction=direction)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_float64(direction):
    check(*SHAPES[1], transposed=False, direction=direction, dtype=np.float64)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_empty_batch(direction):
    geometry, _, channels, filters = SHAPES[0]
    arrays = operands(geometry, 0, channels, filters)
    got = direction(geometry, arrays, transposed=False)
    assert got.shape == {"forward": arrays[3].shape, "grad_input": arrays[0].shape}.get(
        direction.__name__, arrays[1].shape
    )
    assert not got.any()


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("case", [SHAPES[0], SHAPES[2], *SHAPES[4:]], ids=str)
def test_any_number_of_threads_gives_the_same_bits(direction, case, monkeypatch):
    arrays = operands(*case)
    monkeypatch.setattr(running, "PARALLEL_WORK", math.inf)
    serial = direction(case[0], arrays, transposed=False)
    monkeypatch.setattr(running, "PARALLEL_WORK", 0)
    for threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
        numba.set_num_threads(threads)
        for _ in range(3):
            np.testing.assert_array_equal(direction(case[0], arrays, transposed=False), serial)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("work", [0, math.inf], ids=["one thread", "all threads"])
def test_a_launch_calls_what_is_compiled_for_it(dtype, work, monkeypatch):
    monkeypatch.setattr(running.launching, "threads_are_of_use", True)
    launch = running.Launch(packing.pack, work, (0,), (1, 1, 1, 3, 2))
    weights = random((3, 2), dtype)
    width = simd.lanes(weights.dtype)
    expected = np.pad(weights, ((0, 0), (0, width - 2)))
    for n in range(4):
        packed = running.empty((3 * width,), dtype)
        launch(running.flat(weights), packed)
        np.testing.assert_array_equal(packed.reshape(3, width), expected)
        assert ((launch.on_threads if work else launch.on_one) is None) == (n == 0)
        assert (launch.on_one if work else launch.on_threads) is None


@pytest.mark.parametrize("case", SHAPES, ids=str)
def test_a_batch_gives_the_bits_of_its_images(case):
    geometry, _, channels, filters = case
    x, weights, bias, _ = operands(geometry, 3, channels, filters)
    together = cpu.conv(geometry, x, weights, bias)
    for n in range(3):
        np.testing.assert_array_equal(cpu.conv(geometry, x[n : n + 1], weights, bias)[0], together[n])


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("operand", ["x", "weights", "dy"])
@pytest.mark.parametrize(
    "case",
    [*((*SHAPES[number], False) for number in (1, 2, 4)), (*TRANSPOSED_SHAPES[1], True), *ELEMENTS_SHAPES],
    ids=str,
)
def test_nan_and_infinity_spread_as_in_the_textbook(case, operand, special):
    geometry, batch, channels, filters, transposed = case
    x, weights, bias, dy = operands(geometry, batch, channels, filters, transposed)
    array = {"x": x, "weights": weights, "dy": dy}[operand]
    # At a border, where padding might multiply it, and inside.
    array[(0,) * array.ndim] = special
    array[(-1,) * array.ndim] = -special
    array[tuple(size // 2 for size in array.shape)] = special
    for direction in DIRECTIONS:
        got = direction(geometry, (x, weights, bias, dy), transposed)
        with np.errstate(invalid="ignore"):
            expected = direction(geometry, (x, weights, bias, dy), transposed, "textbook")
        if direction is not grad_weights:
            np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
            np.testing.assert_array_equal(np.isposinf(got), np.isposinf(expected))
        np.testing.assert_array_equal(np.isfinite(got), np.isfinite(expected))


GUARD = 64
GUARD_BYTE = 0xFF  # Every float of it is NaN, so that a lane read from it spoils what it meets.


def guarded(array, kept):
    """Copy an array between guard bytes, at an odd multiple of its item size."""
    memory = np.full(array.nbytes + 2 * GUARD + array.itemsize, GUARD_BYTE, np.uint8)
    view = memory[GUARD + array.itemsize :][: array.nbytes].view(array.dtype).reshape(array.shape)
    view[...] = array
    kept.append((memory, GUARD + array.itemsize, array.nbytes))
    return view


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(
    "case", [*((*case, False) for case in SHAPES), *((*case, True) for case in TRANSPOSED_SHAPES)], ids=str
)
def test_nothing_is_read_or_written_outside_the_arrays(direction, case, monkeypatch):
    *shape, transposed = case
    kept = []
    for module in (cpu, few):
        monkeypatch.setattr(module, "empty", lambda size, dtype: guarded(np.full(size, np.nan, dtype), kept))
    arrays = [guarded(array, kept) for array in operands(*shape, transposed)]
    got = direction(shape[0], arrays, transposed)
    assert len(kept) > len(arrays)
    for memory, start, size in kept:
        assert (memory[:start] == GUARD_BYTE).all()
        assert (memory[start + size :] == GUARD_BYTE).all()
    expected = direction(shape[0], arrays, transposed, "textbook")
    np.testing.assert_allclose(got, expected, **TOLERANCE[np.float32])


@pytest.mark.parametrize("case", [*SHAPES, *TRANSPOSED_SHAPES], ids=str)
def test_plans_stay_inside_the_arrays_and_are_small(case):
    geometry, batch, channels, filters = case
    own = channels // geometry.groups
    plan = conv_plan(geometry, batch, channels, filters, rows=6, weight_step=filters)
    written = []
    for outer, outers, tile, tiles, run, run_end, _, _ in plan.segments:
        for o in range(outer, outer + outers):
            inside = slice(tile * 6, (tile + tiles) * 6)
            written.append(plan.outers[o, 1] + plan.writes[inside])
            for r in range(run, run_end):
                length = plan.runs[r, 2]
                first = plan.outers[o, 0] + plan.reads[inside] + plan.runs[r, 0]
                assert first.min() >= 0
                assert first.max() + length <= batch * math.prod(geometry.input_size) * channels - channels + own
                assert 0 <= plan.runs[r, 1] <= math.prod(geometry.kernel_size) * own * filters - length * filters
    every = np.unique(np.concatenate(written))
    np.testing.assert_array_equal(every, np.arange(batch * math.prod(geometry.output_size)) * filters)
    products = math.prod(len(axis_classes(axis)) for axis in geometry.axes)
    assert plan.size <= products * 2 * 70_000


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("case", ELEMENTS_SHAPES, ids=str)
def test_plans_by_elements_hold_every_link_once(case, threads):
    geometry, batch, channels, filters, transposed = case
    cpu._elements_choice.cache_clear()
    choice = cpu._elements_choice(geometry, batch, channels, filters, 16, transposed, threads)
    rows, plan = choice.tile.rows, choice.plan
    found, begun = [], set()
    for first, end, x0, out0 in plan.chunks:
        for tile, tiles, element, channel, steps, fresh in plan.segments[first:end]:
            inside = slice(tile * rows, (tile + tiles) * rows)
            links = np.unique(np.stack([plan.reads[inside] + x0, plan.writes[inside] + out0]), axis=1)
            found += [(element, channel, steps, *link) for link in links.T]
            outputs = set(links[1].tolist())
            # Whoever comes first adds to the bias, and everybody else to what stands there.
            assert outputs.isdisjoint(begun) if fresh else outputs <= begun
            begun |= outputs
    assert len(set(found)) == len(found)
    every = [axis_links(axis) for axis in geometry.axes]
    own, outputs = channels // geometry.groups, math.prod(geometry.output_size)
    links = batch * sum(
        math.prod((e[:, k] >= 0).sum() for e, k in zip(every, element, strict=True))
        for element in itertools.product(*map(range, geometry.kernel_size))
    )
    assert sum(steps for _, _, steps, _, _ in found) == links * own
    assert len(begun) == batch * outputs


@pytest.mark.parametrize("threads", [1, 3, 7])
def test_chunks_by_elements_depend_on_the_threads_and_sums_do_not(threads, monkeypatch):
    for *case, transposed in ELEMENTS_SHAPES:
        arrays = operands(*case, transposed)
        expected = forward(case[0], arrays, transposed)
        monkeypatch.setattr(cpu, "thread_count", lambda: threads)
        np.testing.assert_array_equal(forward(case[0], arrays, transposed), expected)
        monkeypatch.undo()


def test_tables_of_large_images_are_small_and_quick(monkeypatch):
    axis = AxisGeometry(2048, 3, 1, 1, 1, 1)
    plan = conv_plan(ConvGeometry((axis, axis)), 8, 1, 1, rows=14, weight_step=1)
    assert plan.size < 8 * 2048 * 2048 * 4 / 50
    gradient = gradient_plan(ConvGeometry((axis, axis)), 1, 64, 64, rows=6, owners=16, parts=1)
    assert sum(table.nbytes for table in gradient) < 64 * 2048 * 2048 * 4 / 50


@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_the_tile_fits_the_filters(lanes):
    square = ConvGeometry((AxisGeometry(28, 3, 1, 1, 1, 1),) * 2)
    for filters in range(1, 200):
        tile = choose.conv_tile(square, 1, 32, filters, lanes)
        blocks = -(-filters // (tile.vectors * lanes))
        assert (blocks * tile.vectors * lanes - filters) <= 4 * lanes
    assert choose.conv_tile(square, 1, 32, lanes, lanes).vectors == 1


def test_out_is_filled_and_returned():
    geometry, batch, channels, filters = SHAPES[0]
    x, weights, bias, dy = operands(geometry, batch, channels, filters)
    out = np.full_like(dy, np.nan)
    assert cpu.conv(geometry, x, weights, bias, out) is out
    np.testing.assert_array_equal(out, cpu.conv(geometry, x, weights, bias))
    of_weights = np.full_like(weights, np.nan)
    assert cpu.conv_grad_weights(geometry, x, dy, of_weights) is of_weights
    np.testing.assert_array_equal(of_weights, cpu.conv_grad_weights(geometry, x, dy))


@pytest.mark.parametrize("case", [SHAPES[1], SHAPES[-1]], ids=str)
def test_packed_weights_are_packed_once(case, monkeypatch):
    geometry, batch, channels, filters = case
    x, weights, bias, dy = operands(geometry, batch, channels, filters)
    kept = cpu.PackedWeights(weights)
    first = cpu.conv(geometry, x, kept, bias), cpu.conv_transpose(geometry.adjoint(), dy, kept)
    np.testing.assert_array_equal(first[0], cpu.conv(geometry, x, weights, bias))
    np.testing.assert_array_equal(first[1], cpu.conv_transpose(geometry.adjoint(), dy, weights))
    for kernel in ("pack", "pack_transposed"):
        monkeypatch.setattr(cpu.packing, kernel, None)
    np.testing.assert_array_equal(cpu.conv(geometry, x, kept, bias), first[0])
    np.testing.assert_array_equal(cpu.conv_transpose(geometry.adjoint(), dy, kept), first[1])


# The functions.


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("function", [conv, conv_transpose])
def test_every_backend(function, backend, data_format):
    x, weights, bias = random((2, 6, 7, 4)), random((3, 2, 2, 6), seed=1), random((6,), seed=2)
    if function is conv_transpose:
        weights = random((3, 2, 3, 4), seed=1)
    if data_format == "channels_first":
        x = np.moveaxis(x, -1, 1)
    words = {"strides": 2, "padding": "same", "groups": 2, "data_format": data_format}
    expected = function(*(a.astype(float) for a in (x, weights, bias)), **words)
    got = function(x, weights, bias, backend=backend, **words)
    np.testing.assert_allclose(got, expected, **TOLERANCE[np.float32])
    assert got.flags.c_contiguous
    out = np.full_like(got, np.nan)
    assert function(x, weights, bias, backend=backend, out=out, **words) is out
    np.testing.assert_array_equal(out, got)
    apart = np.full((*got.shape, 2), np.nan, got.dtype)[..., 0]
    np.testing.assert_array_equal(function(x, weights, bias, backend=backend, out=apart, **words), got)


def test_the_work_decides():
    small, large = random((1, 8, 1)), random((1, TILED_WORK // 9 + 50, 3))
    for dtype, tiled in [(np.float32, True), (np.float64, True), (np.float16, False), (np.int16, False)]:
        kernel = random((3, 3, 1)).astype(dtype)
        got = conv(large.astype(dtype), kernel)
        np.testing.assert_array_equal(got, conv(large.astype(dtype), kernel, backend=["textbook", "tiled"][tiled]))
    kernel = random((3, 1, 1))
    np.testing.assert_array_equal(conv(small, kernel), conv(small, kernel, backend="textbook"))
    mixed = random((3, 3, 1), np.float64)
    np.testing.assert_array_equal(conv(large, mixed), conv(large, mixed, backend="textbook"))


def strange(array):
    """The same values: Fortran order, every second element, byte-swapped and read-only, unaligned."""
    yield np.asfortranarray(array)
    apart = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    apart[..., ::2] = array
    yield apart[..., ::2]
    swapped = array.astype(array.dtype.newbyteorder())
    swapped.flags.writeable = False
    yield swapped
    memory = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    memory[...] = array
    yield memory


def test_strange_arrays():
    x, weights = random((1, 9, 8, 5)), random((3, 3, 5, 7), seed=1)
    expected = conv(x, weights, backend="tiled")
    for other, kernel in zip(strange(x), strange(weights), strict=True):
        np.testing.assert_array_equal(conv(other, kernel, backend="tiled"), expected)


@pytest.mark.parametrize(
    ("words", "argument"),
    [
        ({"backend": "tile"}, "backend"),
        ({"backend": "tiled", "x": np.ones((1, 5, 1), np.float16)}, "backend"),
        ({"backend": "tiled", "x": np.ones((1, 5, 1), int), "weights": np.ones((3, 1, 1), int)}, "backend"),
        ({"out": np.zeros((1, 4, 1), np.float32)}, "out"),
        ({"out": np.zeros((1, 3, 1))}, "out"),
        ({"out": [[[0.0]] * 3]}, "out"),
        ({"out": np.broadcast_to(np.float32(0), (1, 3, 1))}, "out"),
    ],
)
def test_what_a_backend_or_out_refuses(words, argument):
    arrays = {"x": np.ones((1, 5, 1), np.float32), "weights": np.ones((3, 1, 1), np.float32)}
    with pytest.raises(ConvError) as error:
        conv(**(arrays | words))
    assert error.value.argument == argument


def test_out_may_not_be_an_operand():
    x = random((1, 5, 1))
    with pytest.raises(ConvError, match="shares memory"):
        conv(x, np.ones((1, 1, 1), np.float32), out=x)


# Each test a process of its own.

SCRIPT = """
import os, sys
import numpy as np
from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.functional import conv_with, conv_transpose_with
from refconv.tiled import cpu, running, simd

geometry = ConvGeometry((AxisGeometry(30, 3, 1, 1, 1, 1), AxisGeometry(40, 3, 1, 1, 1, 1)))
rng = np.random.default_rng(0)
x, weights, dy = (rng.normal(size=s).astype(np.float32) for s in [(1, 30, 40, 9), (3, 3, 9, 35), (1, 30, 40, 35)])
EXPECTED = conv_with(geometry, x.astype(float), weights.astype(float), backend="textbook")

def right(_=None):
    return bool(np.allclose(cpu.conv(geometry, x, weights), EXPECTED, 1e-4, 1e-4))
"""


def run_alone(script, **environment):
    settings = os.environ | environment
    done = subprocess.run([sys.executable, "-c", SCRIPT + script], env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.skipif("avx2" not in simd_features(), reason="no AVX2 here")
def test_with_avx2_only():
    script = (
        "adjoint = geometry.adjoint()\n"
        "dx = conv_transpose_with(adjoint, dy.astype(float), weights.astype(float), backend='textbook')\n"
        "few = conv_transpose_with(adjoint, dy.astype(float), weights[:, :, :2].astype(float), backend='textbook')\n"
        "small = ConvGeometry((AxisGeometry(7, 3, 1, 1, 1, 1),) * 2)\n"
        "a, b = (rng.normal(size=s).astype(np.float32) for s in [(1, 7, 7, 256), (3, 3, 256, 32)])\n"
        "y = conv_with(small, a.astype(float), b.astype(float), backend='textbook')\n"
        "print(simd.vector_bytes(), right(), np.allclose(cpu.conv(small, a, b), y, 1e-4, 1e-3),"
        "cpu._elements_choice(small, 1, 256, 32, 8, False, 1) is not None,"
        "np.allclose(cpu.conv_transpose(adjoint, dy, weights), dx, 1e-4, 1e-4),"
        "np.allclose(cpu.conv_transpose(adjoint, dy, weights[:, :, :2].copy()), few, 1e-4, 1e-4))"
    )
    assert run_alone(script, **AVX2) == ["32", *["True"] * 5]


@pytest.mark.parametrize("layer", ["workqueue", "default"])
def test_many_python_threads_may_call(layer):
    script = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    print(set(pool.map(right, range(100))))"
    )
    assert run_alone(script, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="2") == ["{True}"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_may_call():
    script = (
        "import warnings\n"
        "warnings.simplefilter('ignore')\n"
        "assert right()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if right() else 1)\n"
        "print(os.waitpid(child, 0)[1], right())"
    )
    assert run_alone(script, NUMBA_THREADING_LAYER="omp", NUMBA_NUM_THREADS="2") == ["0", "True"]


def test_without_the_jit_the_textbook_answers():
    script = (
        "print(np.array_equal(conv_with(geometry, x, weights[..., :1]), EXPECTED[..., :1].astype(np.float32)))\n"
        "try:\n    conv_with(geometry, x, weights, backend='tiled')\n"
        "except ValueError as error:\n    print('JIT' in str(error))"
    )
    small = SCRIPT.replace("30", "6").replace("40", "7")
    done = subprocess.run(
        [sys.executable, "-c", small + script],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["True", "True"], done.stderr


@pytest.mark.peers
@pytest.mark.parametrize("case", [*SHAPES[:3], *PEER_SHAPES], ids=str)
def test_no_less_exact_than_twice_pytorch(case):
    torch = pytest.importorskip("torch")
    geometry, batch, channels, filters = case
    arrays = operands(geometry, batch, channels, filters)
    x, weights, bias, _ = arrays
    axes = range(1, geometry.rank + 1)
    first, last = (0, geometry.rank + 1, *axes), (0, *(a + 1 for a in axes), 1)
    padded = np.pad(x, ((0, 0), *((axis.pad_before, axis.pad_after) for axis in geometry.axes), (0, 0)))
    weights_last = (geometry.rank + 1, geometry.rank, *range(geometry.rank))
    peer = torch.tensor(padded.transpose(first)), torch.tensor(weights.transpose(weights_last))
    words = {
        "stride": [axis.stride for axis in geometry.axes],
        "dilation": [axis.dilation for axis in geometry.axes],
        "groups": geometry.groups,
    }
    convolve = [torch.nn.functional.conv1d, torch.nn.functional.conv2d, torch.nn.functional.conv3d][geometry.rank - 1]
    theirs = convolve(*peer, torch.tensor(bias), **words).numpy().transpose(last)
    exact = forward(geometry, arrays, False, "textbook")
    error = np.abs(forward(geometry, arrays, False) - exact)
    # The largest of few errors is chance, and so is any below the rounding of the result itself.
    assert np.sqrt((error**2).mean()) <= 2 * np.sqrt(((theirs - exact) ** 2).mean())
    assert error.max() <= 2 * np.abs(theirs - exact).max() + np.finfo(np.float32).eps * np.abs(exact).max()
