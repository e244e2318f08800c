"""Arrays turned from channels first to channels last and back."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from refconv.functional import conv, conv_transpose
from refconv.tiled import choose, layouts, running, simd

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="the JIT is off")

SHAPES = [(2, 3, 5), (1, 16, 64), (1, 65, 7, 19), (3, 130, 4, 3, 5), (2, 1, 9), (2, 9, 1), (0, 3, 4), (1, 64, 40, 40)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_turned_as_numpy_does(shape, dtype, monkeypatch):
    first = np.random.default_rng(0).normal(size=shape).astype(dtype)
    last = np.ascontiguousarray(np.moveaxis(first, 1, -1))
    for work in (running.PARALLEL_WORK, 0):
        monkeypatch.setattr(running, "PARALLEL_WORK", work)
        for turn, x, expected in [(layouts.channels_last, first, last), (layouts.channels_first, last, first)]:
            got = turn(x)
            assert got.flags.c_contiguous
            np.testing.assert_array_equal(got, expected)
            # Between cells that nothing may write to.
            memory = np.full(expected.size + 128, np.nan, dtype)
            out = memory[61 : 61 + expected.size].reshape(expected.shape)
            turn(x, out)
            np.testing.assert_array_equal(out, expected)
            assert np.isnan(memory[:61]).all()
            assert np.isnan(memory[61 + expected.size :]).all()


def test_side_by_side():
    arrays = layouts.side_by_side((3, 5), (0, 2), (7,), dtype=np.float64)
    assert [array.shape for array in arrays] == [(3, 5), (0, 2), (7,)]
    for number, array in enumerate(arrays):
        assert array.ctypes.data % layouts.LINE == 0 or not array.size
        array[...] = number
    assert [set(array.ravel().tolist()) for array in arrays] == [{0.0}, set(), {2.0}]


@pytest.mark.parametrize("function", [conv, conv_transpose])
def test_channels_first_gives_the_bits_of_channels_last(function):
    rng = np.random.default_rng(1)
    x, weights = (rng.normal(size=s).astype(np.float32) for s in [(2, 9, 8, 64), (3, 3, 64, 64)])
    first = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    expected = np.moveaxis(function(x, weights, backend="tiled"), -1, 1)
    words = {"data_format": "channels_first", "backend": "tiled"}
    np.testing.assert_array_equal(function(first, weights, **words), expected)
    np.testing.assert_array_equal(function(first[:, :, ::2], weights, **words).shape[:2], expected.shape[:2])
    out = np.full(expected.shape, np.nan, np.float32)
    assert function(first, weights, out=out, **words) is out
    np.testing.assert_array_equal(out, expected)


@pytest.mark.skipif(simd.lanes(np.float32) < 8, reason="20 filters are several blocks")
@pytest.mark.parametrize(("function", "strides"), [(conv, 1), (conv, 2), (conv_transpose, 1), (conv_transpose, 2)])
def test_a_kernel_that_reads_channels_first_gives_the_bits_of_channels_last(function, strides, monkeypatch):
    for name, answer in [("conv_places", None), ("conv_elements", None), ("turns_out", True)]:
        monkeypatch.setattr(choose, name, lambda *_, answer=answer: answer)
    rng = np.random.default_rng(strides)
    for sizes, groups in [((5, 23), 1), ((33,), 2), ((2, 3, 6), 1)]:
        channels, filters = 70 * groups, 20 * groups
        own = (70, filters) if function is conv else (20, channels)
        shapes = [(2, *sizes, channels), (*(3,) * len(sizes), *own), (filters,)]
        x, weights, bias = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
        words = {"strides": strides, "padding": "same", "groups": groups, "backend": "tiled"}
        expected = np.moveaxis(function(x, weights, bias, **words), -1, 1)
        with monkeypatch.context() as patch:
            patch.setattr(layouts, "turn_matrices", None)
            first = np.ascontiguousarray(np.moveaxis(x, -1, 1))
            out = np.full(expected.shape, np.nan, np.float32)
            got = function(first, weights, bias, data_format="channels_first", out=out, **words)
        np.testing.assert_array_equal(got, expected)
