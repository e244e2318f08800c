"""Depthwise and separable convolution against the oracle, and against grouped convolution."""

from __future__ import annotations

import numpy as np
import pytest

from refconv.errors import ConvError
from refconv.functional import conv, depthwise_conv, separable_conv
from refconv.verify import oracle

TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}

# input size, kernel size, strides, padding, dilation, channels, multiplier
CASES = [
    ((7,), (3,), 2, "same", 2, 3, 2),
    ((6,), (4,), 1, (2, -1), 1, 2, 1),
    ((8,), (2,), 3, "causal", 3, 2, 3),
    ((6, 5), (3, 2), 1, "valid", 1, 2, 3),
    ((6, 7), (2, 3), (3, 2), "same", (2, 1), 3, 2),
    ((5, 4), (2, 2), 1, ((0, 2), (1, -1)), 1, 4, 1),
    ((4, 5, 3), (2, 3, 2), (2, 1, 3), "same", (1, 2, 1), 2, 2),
    ((3, 4, 4), (3, 2, 1), 1, "full", 1, 3, 1),
]


def per_axis(value, rank):
    return value if isinstance(value, tuple) else (value,) * rank


def setting(case, dtype=np.float64):
    size, kernel, strides, padding, dilation, channels, multiplier = case
    rank = len(size)
    generator = np.random.default_rng(rank)
    shapes = [(2, *size, channels), (*kernel, channels, multiplier), (channels * multiplier,)]
    arrays = [(9 * generator.normal(size=shape)).astype(dtype) for shape in shapes]
    words = {"strides": strides, "padding": padding, "dilation_rate": dilation}
    numbers = list(zip(size, kernel, per_axis(strides, rank), per_axis(dilation, rank), strict=True))
    if isinstance(padding, str):
        pads = [oracle.padding_of(padding, *axis) for axis in numbers]
    else:
        pads = [padding] if rank == 1 else list(padding)
    exact = {"strides": per_axis(strides, rank), "pads": pads, "dilation": per_axis(dilation, rank)}
    return arrays, words, exact


@pytest.mark.parametrize("case", CASES, ids=str)
def test_depthwise_values(case):
    (x, weights, bias), words, exact = setting(case)
    result = depthwise_conv(x, weights, bias, **words)
    np.testing.assert_allclose(result, oracle.depthwise(x, weights, bias, **exact), **TOLERANCE)
    first = depthwise_conv(np.moveaxis(x, -1, 1), weights, bias, data_format="channels_first", **words)
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), result)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_depthwise_is_convolution_with_a_group_per_channel(case):
    (x, weights, bias), words, _ = setting(case)
    channels = weights.shape[-2]
    grouped = weights.reshape(*weights.shape[:-2], 1, -1)
    np.testing.assert_array_equal(
        depthwise_conv(x, weights, bias, **words), conv(x, grouped, bias, groups=channels, **words)
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_separable_values(case):
    (x, weights, _), words, exact = setting(case)
    rank, between = x.ndim - 2, weights.shape[-2] * weights.shape[-1]
    generator = np.random.default_rng(7)
    pointwise, bias = generator.normal(size=(*[1] * rank, between, 5)), generator.normal(size=5)
    expected = oracle.depthwise(x, weights, **exact) @ pointwise.reshape(between, 5) + bias
    np.testing.assert_allclose(separable_conv(x, weights, pointwise, bias, **words), expected, rtol=1e-11, atol=1e-11)
    first = separable_conv(np.moveaxis(x, -1, 1), weights, pointwise, bias, data_format="channels_first", **words)
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("case", CASES[::3], ids=str)
def test_integers_are_exact(case):
    (x, weights, bias), words, exact = setting(case, np.int16)
    wide = [array.astype(np.int64) for array in (x, weights, bias)]
    result = depthwise_conv(x, weights, bias, **words)
    assert result.dtype == np.int64
    np.testing.assert_array_equal(result, oracle.depthwise(*wide, **exact))


def test_separable_rounds_once():
    """The depthwise step's result lies beyond float16, the layer's does not."""
    x = np.full((1, 2, 1), 60000, np.float16)
    out = separable_conv(x, np.ones((2, 1, 1), np.float16), np.full((1, 1, 1), 0.25, np.float16))
    assert out.dtype == np.float16
    assert out.item() == 30000


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_empty_batch(rank):
    x, weights = np.zeros((0, *[4] * rank, 2), np.float32), np.zeros((*[3] * rank, 2, 3), np.float32)
    assert depthwise_conv(x, weights).shape == (0, *[2] * rank, 6)
    assert separable_conv(x, weights, np.zeros((*[1] * rank, 6, 5))).shape == (0, *[2] * rank, 5)


def test_padding_is_left_out_rather_than_multiplied():
    weights = np.array([np.inf, 1.0]).reshape(2, 1, 1)
    out = depthwise_conv(np.array([[[2.0], [-3.0]]]), weights, padding=(1, 0))
    np.testing.assert_array_equal(out.ravel(), [2, np.inf])


X, D, P = np.zeros((1, 6, 6, 3)), np.zeros((3, 3, 3, 2)), np.zeros((1, 1, 6, 4))


@pytest.mark.parametrize(
    ("arrays", "words", "argument", "part"),
    [
        ((X, np.zeros((3, 3, 2, 2)), P), {}, "depthwise_weights", "(3, 3, 3, 2)"),
        ((X, np.zeros((3, 3, 3)), P), {}, "depthwise_weights", "3 axes"),
        ((X, D, np.zeros((1, 1, 5, 4))), {}, "pointwise_weights", "gives 6 channels"),
        ((X, D, np.zeros((1, 2, 6, 4))), {}, "pointwise_weights", "covers one cell"),
        ((X, D, np.zeros((6, 4))), {}, "pointwise_weights", "2 axes"),
        ((X, D, P, np.zeros(3)), {}, "bias", "4 filters"),
        ((X, D, P), {"strides": 0}, "strides", "at least 1"),
        ((X, D, P), {"padding": "vlaid"}, "padding", "did you mean 'valid'"),
        ((X, D, P), {"dilation_rate": 4}, "x", "[G7]"),
        ((X, D, P), {"padding": 10**13}, "x", "GiB"),
        ((X.astype(complex), D, P), {}, "x", "complex"),
    ],
)
def test_separable_errors(arrays, words, argument, part):
    with pytest.raises(ConvError) as error:
        separable_conv(*arrays, **words)
    assert error.value.argument == argument
    assert part in str(error.value)


@pytest.mark.parametrize(
    ("arrays", "argument"),
    [((X, np.zeros((3, 3, 4, 1))), "weights"), ((X, D, np.zeros(3)), "bias"), ((X[0], D), "weights")],
)
def test_depthwise_errors(arrays, argument):
    with pytest.raises(ConvError) as error:
        depthwise_conv(*arrays)
    assert error.value.argument == argument
