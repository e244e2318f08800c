"""The tiled backend of depthwise and separable convolution against the textbook, bit by bit where that is promised."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from refconv.conventions import rule
from refconv.errors import ConvError
from refconv.functional import (
    conv,
    conv_grad_input,
    depthwise_conv,
    depthwise_conv_grad_input,
    depthwise_conv_grad_weights,
    separable_conv,
    separable_conv_grad_input,
)
from refconv.functional.backend import BACKENDS
from refconv.tiled import depthwise as tiled
from refconv.tiled import running, separable

pytestmark = pytest.mark.skipif(not running.available(), reason="the tiled backend needs the JIT")

# input size, kernel size, strides, padding, dilation, channels, multiplier
# Few enough kernels to compile.
CASES = [
    ((9, 13), (3, 3), 1, "same", 1, 5, 1),
    ((23,), (3,), 2, "same", 1, 5, 1),
    ((8, 9), (3, 2), (2, 1), ((0, 3), (-1, 2)), (1, 2), 5, 2),
    ((4, 5, 13), (1, 3, 3), 1, ((1, 0), (2, 1), (1, 1)), 1, 5, 1),
]
MORE = [
    ((40,), (2,), 1, "causal", 3, 5, 1),
    ((4, 5, 9), (2, 3, 3), 1, "full", 1, 16, 1),
    ((6, 7), (3, 3), 1, "valid", 1, 2, 9),
    ((30,), (9,), 1, "same", 1, 33, 1),
    ((7, 7), (3, 3), 1, "same", 1, 64, 1),
    ((17, 17), (5, 5), 3, "same", 1, 1, 1),
    ((3, 4, 6), (3, 2, 2), (1, 2, 3), "same", (1, 2, 1), 17, 3),
    ((5, 33), (1, 4), (1, 2), "same", 1, 40, 4),
    ((12, 12), (4, 4), 2, "same", 1, 32, 8),
    ((29,), (4,), 1, "causal", 2, 1, 3),
    ((2, 3), (5, 7), 1, "full", 1, 3, 1),
    ((20, 50), (3, 3), 1, "same", (8, 5), 8, 1),
    # Rows that begin at the same address modulo 4096.
    ((7, 64), (3, 3), 1, "same", 1, 16, 1),
    # Vectors that reach over several cells, and rows too short for one.
    ((13, 40), (3, 2), (1, 1), "same", 1, 1, 1),
    ((13, 3), (4, 3), 1, "same", 1, 2, 1),
    ((14, 9), (5, 1), (2, 1), "valid", (1, 1), 20, 1),
    # Runs that do not divide evenly into tiles of the weight gradient.
    ((9, 12), (5, 3), 1, "same", 1, 16, 1),
]
ERROR = {np.float32: 3e-6, np.float64: 1e-14}


def setting(case, dtype=np.float32, batch=2):
    size, kernel, strides, padding, dilation, channels, multiplier = case
    generator = np.random.default_rng(len(size) + channels)
    words = {"strides": strides, "padding": padding, "dilation_rate": dilation}
    geometry = rule.depthwise(size, kernel_size=kernel, depth_multiplier=multiplier, **words).geometry
    shapes = {
        "x": (batch, *size, channels),
        "weights": (*kernel, channels, multiplier),
        "bias": (channels * multiplier,),
        "dy": (batch, *geometry.output_size, channels * multiplier),
    }
    return {name: generator.normal(size=shape).astype(dtype) for name, shape in shapes.items()}, words, geometry


@pytest.fixture(autouse=True)
def in_full(monkeypatch):
    """Run the kernels that take longest to compile, too, which a process does after some work."""
    monkeypatch.setattr(running, "WORK_BEFORE_MORE", -1)


def results(arrays, words, backend):
    """Compute forward and both gradients."""
    x, weights, bias, dy = (arrays[name] for name in ("x", "weights", "bias", "dy"))
    return (
        depthwise_conv(x, weights, bias, **words, backend=backend),
        depthwise_conv_grad_input(dy, weights, x.shape, **words, backend=backend),
        depthwise_conv_grad_weights(x, dy, weights.shape[:-2], **words, backend=backend),
    )


def check(case, dtype):
    arrays, words, _ = setting(case, dtype)
    exact = {name: array.astype(np.float64) for name, array in arrays.items()}
    for ours, right in zip(results(arrays, words, "tiled"), results(exact, words, "textbook"), strict=True):
        assert ours.dtype == dtype
        assert ours.shape == right.shape
        assert np.abs(ours - right).max() <= ERROR[dtype] * np.abs(right).max()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values(case):
    check(case, np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES + MORE, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_more_values(case, dtype):
    check(case, dtype)


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_can_be_forced(backend):
    arrays, words, _ = setting(((4, 5), (3, 3), 1, "same", 1, 5, 1), np.float64)
    for ours, right in zip(results(arrays, words, backend), results(arrays, words, None), strict=True):
        np.testing.assert_allclose(ours, right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("case", CASES[:3], ids=str)
def test_nan_and_infinity_reach_what_they_reach_in_the_textbook(case, special):
    arrays, words, _ = setting(case)
    for name in ("x", "dy", "weights"):
        changed = {**arrays, name: arrays[name].copy()}
        changed[name].reshape(-1)[::37] = special
        for ours, right in zip(results(changed, words, "tiled"), results(changed, words, "textbook"), strict=True):
            for kind in (np.isnan, np.isposinf, np.isneginf):
                np.testing.assert_array_equal(kind(ours), kind(right))


def test_an_infinite_weight_on_padding_does_no_harm():
    x, weights = np.ones((1, 9, 9, 3), np.float32), np.ones((3, 3, 3, 1), np.float32)
    weights[0] = np.inf
    out = depthwise_conv(x, weights, padding="same", backend="tiled")
    assert np.isfinite(out[:, 0]).all()
    assert np.isinf(out[:, 1:]).all()


@pytest.mark.parametrize(
    "case", CASES[:1] + [pytest.param(case, marks=pytest.mark.slow) for case in CASES[1:]], ids=str
)
def test_the_same_bits_for_any_threads_and_any_split_of_the_batch(case, monkeypatch):
    arrays, words, _ = setting(case, batch=3)
    serial = results(arrays, words, "tiled")
    monkeypatch.setattr(running, "PARALLEL_WORK", 0)
    before = numba.get_num_threads()
    try:
        for threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
            numba.set_num_threads(threads)
            for ours, right in zip(results(arrays, words, "tiled"), serial, strict=True):
                np.testing.assert_array_equal(ours, right)
    finally:
        numba.set_num_threads(before)
    for n in range(3):
        own = {name: array[n : n + 1] if name in ("x", "dy") else array for name, array in arrays.items()}
        for ours, right in zip(results(own, words, "tiled")[:2], serial[:2], strict=True):
            np.testing.assert_array_equal(ours[0], right[n])


@pytest.mark.parametrize("case", [CASES[0], CASES[2]], ids=str)
def test_what_runs_until_more_is_compiled_gives_the_same_bits(case, monkeypatch):
    arrays, words, _ = setting(case)
    right = results(arrays, words, "tiled")
    monkeypatch.setattr(running, "WORK_BEFORE_MORE", 10**18)
    monkeypatch.setattr(running, "_on_disk", {})
    monkeypatch.setattr(running, "is_kept", lambda kernel, arguments: False)
    for ours, wanted in zip(results(arrays, words, "tiled"), right, strict=True):
        np.testing.assert_array_equal(ours, wanted)


def guarded(shape, dtype=np.float32):
    """Return an array between guards, and the whole of it."""
    size = int(np.prod(shape))
    memory = np.full(size + 512, -77, dtype)
    return memory[256:-256].reshape(shape), memory


@pytest.mark.parametrize("case", CASES, ids=str)
def test_nothing_outside_the_arrays_is_written_and_no_nan_beside_them_is_read(case):
    arrays, words, geometry = setting(case)
    given = {}
    for name, array in arrays.items():
        given[name], memory = guarded(array.shape)
        memory[:] = np.nan
        given[name][...] = array
    calls = (
        (tiled.depthwise, ("x", "weights", "bias"), arrays["dy"].shape),
        (tiled.depthwise_grad_input, ("dy", "weights"), arrays["x"].shape),
        (tiled.depthwise_grad_weights, ("x", "dy"), arrays["weights"].shape),
    )
    for (function, names, shape), right in zip(calls, results(arrays, words, "tiled"), strict=True):
        out, memory = guarded(shape)
        function(geometry, *(given[name] for name in names), out=out)
        np.testing.assert_array_equal(out, right)
        assert (memory[:256] == -77).all()
        assert (memory[-256:] == -77).all()


def arrangements(array):
    """Give the same array in other memory layouts."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    read_only = array.copy()
    read_only.flags.writeable = False
    return [wide[..., ::2], read_only, np.asfortranarray(array), array.astype(array.dtype.newbyteorder())]


def test_any_memory_layout():
    arrays, words, _ = setting(CASES[0])
    right = results(arrays, words, "tiled")
    arranged = {name: arrangements(array) for name, array in arrays.items()}
    for number in range(4):
        given = {name: arranged[name][number] for name in arrays}
        copies = {name: array.copy() for name, array in given.items()}
        for ours, expected in zip(results(given, words, "tiled"), right, strict=True):
            np.testing.assert_array_equal(ours, expected)
        for name in given:
            np.testing.assert_array_equal(given[name], copies[name])


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("backend", ["textbook", "tiled"])
def test_out(data_format, backend):
    arrays, words, _ = setting(CASES[0])
    x, pointwise = arrays["x"], np.random.default_rng(1).normal(size=(1, 1, 5, 7)).astype(np.float32)
    if data_format == "channels_first":
        x = np.moveaxis(x, -1, 1)
    words = {**words, "data_format": data_format, "backend": backend}
    for function, weights in ((depthwise_conv, [arrays["weights"]]), (separable_conv, [arrays["weights"], pointwise])):
        right = function(x, *weights, **words)
        out = np.full(right.shape, np.nan, np.float32)
        assert function(x, *weights, **words, out=out) is out
        np.testing.assert_array_equal(out, right)
        wide = np.full((*right.shape[:-1], 2 * right.shape[-1]), np.nan, np.float32)
        function(x, *weights, **words, out=wide[..., ::2])
        np.testing.assert_array_equal(wide[..., ::2], right)
        assert np.isnan(wide[..., 1::2]).all()


X, W = np.ones((1, 6, 6, 3), np.float32), np.ones((3, 3, 3, 1), np.float32)


@pytest.mark.parametrize(
    ("out", "part"),
    [
        (np.zeros((1, 4, 4, 4), np.float32), "shape (1, 4, 4, 3)"),
        (np.zeros((1, 4, 4, 3)), "float32"),
        (np.zeros((1, 4, 4, 3), ">f4"), "float32"),
        (np.broadcast_to(np.float32(0), (1, 4, 4, 3)), "read-only"),
        (X[:, :4, :4], "shares memory"),
        ([0], "not an array"),
    ],
)
def test_out_that_does_not_fit(out, part):
    with pytest.raises(ConvError, match="`out`") as error:
        depthwise_conv(X, W, out=out)
    assert part in str(error.value)


def test_backend_that_cannot():
    with pytest.raises(ConvError, match="`backend`"):
        depthwise_conv(X.astype(np.float16), W.astype(np.float16), backend="tiled")
    with pytest.raises(ConvError, match="did you mean 'tiled'"):
        depthwise_conv(X, W, backend="tield")


@pytest.mark.parametrize("multiplier", [1, 2])
def test_separable(multiplier):
    arrays, words, _ = setting(((9, 13) if multiplier == 1 else (8, 9), (3, 3), 1, "same", 1, 5, multiplier), batch=3)
    generator = np.random.default_rng(3)
    pointwise, bias = generator.normal(size=(1, 1, 5 * multiplier, 7)), generator.normal(size=7)
    exact = separable_conv(
        arrays["x"].astype(float), arrays["weights"].astype(float), pointwise, bias, **words, backend="textbook"
    )
    second = pointwise.astype(np.float32), bias.astype(np.float32)
    ours = separable_conv(arrays["x"], arrays["weights"], *second, **words, backend="tiled")
    assert np.abs(ours - exact).max() < 1e-5 * np.abs(exact).max()
    between = depthwise_conv(arrays["x"], arrays["weights"], **words, backend="tiled")
    np.testing.assert_array_equal(ours, conv(between, *second, backend="tiled"))


def test_separable_takes_images_together_or_apart(monkeypatch):
    arrays, words, geometry = setting(CASES[0], batch=3)
    pointwise = np.random.default_rng(3).normal(size=(1, 1, 5, 2)).astype(np.float32)
    dy = np.random.default_rng(4).normal(size=(3, *geometry.output_size, 2)).astype(np.float32)
    x, weights = arrays["x"], arrays["weights"]

    def back(dy):
        return separable_conv_grad_input(dy, weights, pointwise, (len(dy), *x.shape[1:]), **words, backend="tiled")

    together = separable.separable(geometry, x, weights, pointwise), back(dy)
    between = conv_grad_input(dy, pointwise, (3, *geometry.output_size, 5), backend="textbook")
    right = depthwise_conv_grad_input(between, weights, x.shape, **words, backend="textbook")
    np.testing.assert_allclose(together[1], right, rtol=0, atol=1e-5 * np.abs(right).max())
    np.testing.assert_array_equal(together[1], np.concatenate([back(dy[n : n + 1]) for n in range(3)]))
    monkeypatch.setattr(separable, "_BETWEEN", 1)
    np.testing.assert_array_equal(separable.separable(geometry, x, weights, pointwise), together[0])
    monkeypatch.setattr(separable, "_ROWS", 100)
    ready = separable.ready_separable_grad_input(geometry, 3, 5, 1, 2, x.dtype)
    np.testing.assert_array_equal(ready(dy, weights, pointwise, None), together[1])


def test_empty_batch():
    arrays, words, _ = setting(CASES[0], batch=0)
    forward, grad_input, grad_weights = results(arrays, words, "tiled")
    assert forward.shape == (0, 9, 13, 5)
    assert grad_input.shape == arrays["x"].shape
    assert not grad_weights.any()
