"""Vectors in compiled code: every intrinsic against NumPy, and no access beyond the lanes asked for."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from refconv.tiled import simd

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="the JIT is off")

DTYPES = [np.float32, np.float64]


@numba.njit
def arithmetic(a, b, c, out):
    lanes = simd.lanes_of(out)
    x, y = simd.load(a, 0), simd.broadcast(b, 1)
    simd.store(out, 0, simd.fma(x, y, simd.load(c, 0)))
    simd.store(out, lanes, simd.add(x, y))
    simd.store(out, 2 * lanes, simd.multiply(x, simd.spread(a, simd.at(c, 2))))
    simd.store(out, 3 * lanes, simd.zeros(out))
    simd.set_at(out, 4 * lanes, simd.at(a, 1))


@numba.njit
def copy_some(a, count, out):
    simd.store_some(out, 0, count, simd.load_some(a, 0, count))


@numba.njit
def spread_some(a, count, out):
    simd.store(out, 0, simd.load_some(a, 0, count))


@numba.njit
def turn(a, out):
    lanes = simd.lanes_of(out)
    block = simd.square(out)
    for i in range(lanes):
        simd.put(block, i, simd.load(a, i * lanes))
    simd.transpose(block)
    for i in range(lanes):
        simd.store(out, i * lanes, simd.get(block, i))


@numba.njit
def peak(a, out, rows, columns):
    sums = simd.registers(out, rows, columns)
    for i in range(len(rows) * len(columns)):
        simd.put(sums, i, simd.zeros(out))
    for k in range(100):
        for i in range(len(rows) * len(columns)):
            simd.put(sums, i, simd.fma(simd.load(a, k), simd.load(a, k), simd.get(sums, i)))
    for i in range(len(rows) * len(columns)):
        simd.store(out, i * simd.lanes_of(out), simd.get(sums, i))


def numbers(count, dtype):
    return np.random.default_rng(0).normal(size=count).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_arithmetic(dtype):
    lanes = simd.lanes(dtype)
    a, b, c = (numbers(lanes, dtype) + shift for shift in range(3))
    out = np.full(4 * lanes + 1, np.nan, dtype)
    arithmetic(a, b, c, out)
    exact = (a.astype(np.longdouble) * b[1] + c).astype(dtype)
    np.testing.assert_allclose(out[:lanes], exact, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(out[lanes : 2 * lanes], a + b[1])
    np.testing.assert_array_equal(out[2 * lanes : 3 * lanes], a * c[2])
    np.testing.assert_array_equal(out[3 * lanes : 4 * lanes], 0)
    assert out[-1] == a[1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_masks_touch_the_first_lanes_only(dtype):
    lanes = simd.lanes(dtype)
    a = numbers(lanes, dtype)
    for count in range(-3, lanes + 3):
        real = min(max(count, 0), lanes)
        out = np.full(lanes, 7, dtype)
        copy_some(a, count, out)
        np.testing.assert_array_equal(out, np.where(np.arange(lanes) < real, a, 7))
        spread_some(a, count, out)
        np.testing.assert_array_equal(out, np.where(np.arange(lanes) < real, a, 0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_transpose(dtype):
    lanes = simd.lanes(dtype)
    a = numbers(lanes * lanes, dtype)
    out = np.zeros_like(a)
    turn(a, out)
    np.testing.assert_array_equal(out.reshape(lanes, lanes), a.reshape(lanes, lanes).T)


@pytest.mark.skipif(simd.vector_bytes() < 32, reason="names of wide x86 registers")
def test_a_block_lives_in_machine_registers():
    out = np.zeros(6 * simd.lanes(np.float32), np.float32)
    peak(numbers(200, np.float32), out, (0,) * 3, (0,) * 2)
    (assembly,) = peak.inspect_asm().values()
    register = {32: "ymm", 64: "zmm"}[simd.vector_bytes()]
    multiplies = [line for line in assembly.splitlines() if "vfmadd" in line and register in line]
    assert len(multiplies) >= 6
