"""Transposed convolution against the oracle, scatter against gather, and the adjoint identity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refconv.errors import ConvError
from refconv.functional import conv, conv_transpose, conv_transpose_with, conv_with
from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.verify import oracle

TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}

# input size, kernel size, strides, padding, output padding, dilation, channels, filters, groups
CASES = [
    ((5,), (3,), 2, "valid", None, 1, 2, 3, 1),
    ((4,), (2,), 5, "valid", None, 1, 2, 2, 2),
    ((4,), (4,), 3, "same", None, 2, 6, 4, 2),
    ((4,), (2,), 4, "same", None, 1, 2, 1, 1),
    ((4,), (5,), 3, "same", 2, 1, 2, 3, 1),
    ((3,), (4,), 2, "valid", 1, 1, 1, 2, 1),
    ((3,), (2,), 4, "full", None, 2, 3, 3, 3),
    ((5,), (3,), 2, (2, -3), 1, 1, 2, 2, 1),
    ((3, 4), (3, 2), 2, "valid", None, 1, 2, 3, 1),
    ((3, 2), (2, 5), (3, 2), "same", None, (1, 2), 4, 6, 2),
    ((3, 4), (4, 3), (1, 3), ((1, 2), (-1, 0)), (0, 2), (2, 1), 2, 3, 1),
    ((4, 3), (3, 3), 2, 1, 1, 1, 4, 2, 2),
    ((2, 3, 2), (2, 3, 2), 2, "valid", None, 1, 2, 3, 1),
    ((2, 3, 3), (3, 2, 4), (1, 3, 2), "same", None, (2, 1, 1), 2, 4, 2),
    ((3, 2, 2), (2, 2, 3), 2, ((0, 1), (1, 0), (-1, 2)), (1, 0, 1), 1, 1, 2, 1),
]


def per_axis(value, rank):
    return value if isinstance(value, tuple) else (value,) * rank


def expected_of(x, weights, bias, strides, padding, output_padding, dilation, groups):
    rank = x.ndim - 2
    strides, dilation, extra = per_axis(strides, rank), per_axis(dilation, rank), per_axis(output_padding, rank)
    if isinstance(padding, str):
        numbers = zip(weights.shape[:-2], strides, dilation, extra, strict=True)
        crop, appended = [oracle.crop_of(padding, *axis) for axis in numbers], None
    else:
        crop = [padding] if rank == 1 else [p if isinstance(p, tuple) else (p, p) for p in per_axis(padding, rank)]
        appended = [op or 0 for op in extra]
    return oracle.conv_transpose(
        x, weights, bias, strides=strides, crop=crop, dilation=dilation, output_padding=appended, groups=groups
    )


def arrays_of(case, dtype=np.float64, batch=2):
    size, kernel, *_, channels, filters, groups = case
    generator = np.random.default_rng(len(size))
    shapes = [(batch, *size, channels), (*kernel, filters // groups, channels), (filters,)]
    return [(9 * generator.normal(size=shape)).astype(dtype) for shape in shapes]


def words_of(case):
    _, _, strides, padding, output_padding, dilation, _, _, groups = case
    names = ("strides", "padding", "output_padding", "dilation_rate", "groups")
    return dict(zip(names, (strides, padding, output_padding, dilation, groups), strict=True))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values(case):
    x, weights, bias = arrays_of(case)
    expected = expected_of(x, weights, bias, *words_of(case).values())
    np.testing.assert_allclose(conv_transpose(x, weights, bias, **words_of(case)), expected, **TOLERANCE)
    first = conv_transpose(np.moveaxis(x, -1, 1), weights, bias, data_format="channels_first", **words_of(case))
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), expected, **TOLERANCE)


@pytest.mark.parametrize("dtype", ["i1", "i4", "i8"])
@pytest.mark.parametrize("case", CASES[2::4], ids=str)
def test_integers_are_exact(case, dtype):
    x, weights, bias = arrays_of(case, dtype)
    wide = [array.astype(np.int64) for array in (x, weights, bias)]
    result = conv_transpose(x, weights, bias, **words_of(case))
    assert result.dtype == np.int64
    np.testing.assert_array_equal(result, expected_of(*wide, *words_of(case).values()))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_floats_are_rounded_once(dtype):
    x, weights, bias = arrays_of(CASES[9], dtype)
    wide = [array.astype(np.float64) for array in (x, weights, bias)]
    result = conv_transpose(x, weights, bias, **words_of(CASES[9]))
    assert result.dtype == dtype
    exact = expected_of(*wide, *words_of(CASES[9]).values())
    np.testing.assert_allclose(result, exact.astype(dtype), rtol=np.finfo(dtype).eps)


def test_keras_documented_example():
    out = conv_transpose(np.zeros((4, 10, 128), np.float32), np.zeros((3, 32, 128), np.float32), strides=2)
    assert out.shape == (4, 21, 32)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_empty_batch(rank):
    assert conv_transpose(np.zeros((0, *[3] * rank, 2)), np.zeros((*[2] * rank, 4, 2)), strides=2).shape == (
        0,
        *[6] * rank,
        4,
    )


def test_inserted_zeros_are_left_out_rather_than_multiplied():
    weights = np.array([1.0, np.inf]).reshape(2, 1, 1)
    x = np.ones((1, 3, 1))
    geometry = ConvGeometry((AxisGeometry.transposed(3, 2, stride=3, crop_after=-2),))
    for loop in ("scatter", "gather"):
        out = conv_transpose_with(geometry, x, weights, loop=loop)[0, :, 0]
        np.testing.assert_array_equal(out, [1, np.inf, 0, 1, np.inf, 0, 1, np.inf, 0, 0])


def test_non_finite_values_reach_those_outputs_only_that_read_them():
    x = np.array([np.nan, 1.0, -np.inf]).reshape(1, 3, 1)
    out = conv_transpose(x, np.ones((2, 1, 1)), strides=2)[0, :, 0]
    np.testing.assert_array_equal(out, [np.nan, np.nan, 1, 1, -np.inf, -np.inf])


@st.composite
def axes(draw, rank):
    numbers = st.tuples(st.integers(1, 7), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
    parts = []
    for _ in range(rank):
        n, k, s, d = draw(numbers)
        lo, hi = draw(st.integers(-3, 4)), draw(st.integers(-3, 4))
        lacking = (k - 1) * d + 1 - n - lo - hi
        parts.append(AxisGeometry(n, k, s, d, lo, hi + max(lacking, 0)))
    return tuple(parts)


@settings(max_examples=80)
@given(parts=st.integers(1, 3).flatmap(lambda rank: axes(rank)), groups=st.integers(1, 2), seed=st.integers(0, 99))
def test_scatter_gather_and_convolution_are_one(parts, groups, seed):
    """<conv(x), y> == <x, conv_transpose(y)>, by both loops and by conv with swapped weights."""
    geometry = ConvGeometry(parts, groups)
    generator = np.random.default_rng(seed)
    own_channels, own_filters = generator.integers(1, 4, 2)
    filters = int(own_filters) * groups
    x = generator.integers(-9, 10, (1, *geometry.input_size, int(own_channels) * groups))
    weights = generator.integers(-9, 10, (*geometry.kernel_size, int(own_channels), filters))
    y = generator.integers(-9, 10, (1, *geometry.output_size, filters))
    back = conv_transpose_with(geometry.adjoint(), y, weights)
    assert back.shape == x.shape
    assert (conv_with(geometry, x, weights) * y).sum() == (x * back).sum()
    np.testing.assert_array_equal(conv_transpose_with(geometry.adjoint(), y, weights, loop="gather"), back)
    parts_of_groups = np.split(weights, groups, axis=-1)
    swapped = np.concatenate([np.swapaxes(part, -1, -2) for part in parts_of_groups], axis=-1)
    np.testing.assert_array_equal(conv_with(geometry.adjoint(), y, swapped), back)


@settings(max_examples=40)
@given(axis=axes(1), seed=st.integers(0, 99))
def test_the_same_words_transpose_a_convolution(axis, seed):
    """Padding of the convolution is the crop here, what its floor drops the output padding."""
    (part,) = axis
    generator = np.random.default_rng(seed)
    x = generator.integers(-9, 10, (2, part.input_size, 2))
    weights = generator.integers(-9, 10, (part.kernel_size, 2, 3))
    words = {"strides": part.stride, "dilation_rate": part.dilation, "padding": (part.pad_before, part.pad_after)}
    y = conv(x, weights, **words)
    back = conv_transpose(y, weights, output_padding=part.unread, **words)
    assert back.shape == x.shape
    assert (y * y).sum() == (x * back).sum()


@settings(max_examples=60)
@given(
    n=st.integers(1, 5),
    k=st.integers(1, 6),
    s=st.integers(1, 5),
    d=st.integers(1, 3),
    mode=st.sampled_from(["valid", "same", "full"]),
    op=st.one_of(st.none(), st.integers(0, 4)),
)
def test_padding_words(n, k, s, d, mode, op):
    generator = np.random.default_rng(n)
    x, weights = generator.normal(size=(1, n, 2)), generator.normal(size=(k, 1, 2))
    words = {"strides": s, "padding": mode, "output_padding": op, "dilation_rate": d}
    if (n - 1) * s + (k - 1) * d + 1 <= sum(oracle.crop_of(mode, k, s, d, op)):
        with pytest.raises(ConvError, match="nothing is left"):
            conv_transpose(x, weights, **words)
        return
    result = conv_transpose(x, weights, **words)
    np.testing.assert_allclose(result, expected_of(x, weights, None, s, mode, op, d, 1), **TOLERANCE)


X, W = np.zeros((1, 5, 6, 4)), np.zeros((3, 2, 8, 4))

ERRORS = [
    ({"x": np.zeros((5, 4))}, "x", ["2 axes"]),
    ({"weights": np.zeros((3, 2, 8, 5))}, "weights", ["5 channels", "4 channels", "(3, 2, 8, 4)"]),
    ({"weights": np.zeros((3, 8, 4))}, "weights", ["(k..., filters / groups, channels)"]),
    ({"bias": np.zeros(4)}, "bias", ["8 filters"]),
    ({"groups": 2, "bias": np.zeros(8)}, "bias", ["16 filters"]),
    ({"groups": 3}, "groups", ["4 channels", "[G10]"]),
    ({"padding": "causal"}, "padding", ["'valid', 'same', 'full'"]),
    ({"padding": 8}, "padding", ["nothing is left"]),
    ({"output_padding": -1}, "output_padding", ["at least 0"]),
    ({"strides": (1, 0)}, "strides", ["at least 1"]),
    ({"dilation_rate": "2"}, "dilation_rate", ["whole number"]),
    ({"data_format": "last"}, "data_format", ["channels_last"]),
    ({"padding": -(10**12)}, "x", ["GiB"]),
]


@pytest.mark.parametrize(("wrong", "argument", "parts"), ERRORS, ids=lambda value: str(value)[:30])
def test_errors(wrong, argument, parts):
    words = {"x": X, "weights": W, **wrong}
    with pytest.raises(ConvError) as error:
        conv_transpose(words.pop("x"), words.pop("weights"), words.pop("bias", None), **words)
    assert error.value.argument == argument
    for part in parts:
        assert part in str(error.value)


def test_unknown_loop():
    geometry = ConvGeometry((AxisGeometry.transposed(3, 2),))
    with pytest.raises(ConvError, match="did you mean 'gather'"):
        conv_transpose_with(geometry, np.zeros((1, 3, 1)), np.zeros((2, 1, 1)), loop="gathering")
