"""Convolution against the oracle: values on random asymmetric data."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from refconv.errors import ConvError
from refconv.functional import conv, conv_with
from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.verify import oracle

TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}


def random_arrays(*shapes, seed=0, dtype=np.float64):
    generator = np.random.default_rng(seed)
    if np.dtype(dtype).kind in "iu":
        low = 0 if np.dtype(dtype).kind == "u" else -9
        return [generator.integers(low, 10, shape).astype(dtype) for shape in shapes]
    return [generator.normal(size=shape).astype(dtype) for shape in shapes]


# input size, kernel size, strides, padding, dilation, channels, filters, groups
CASES = [
    ((7,), (3,), 1, "valid", 1, 2, 3, 1),
    ((8,), (4,), 3, "same", 1, 4, 6, 2),
    ((9,), (3,), 2, "causal", 2, 3, 3, 3),
    ((5,), (2,), 1, "full", 3, 1, 2, 1),
    ((6,), (2,), 4, (3, -1), 1, 2, 2, 1),
    ((6, 5), (3, 2), 1, "valid", 1, 2, 3, 1),
    ((6, 7), (2, 3), (2, 1), "same", (1, 2), 4, 6, 2),
    ((5, 6), (3, 2), (1, 3), "causal", 1, 2, 4, 2),
    ((4, 3), (2, 3), 1, "full", (2, 1), 3, 2, 1),
    ((7, 6), (3, 4), 2, ((1, 2), (-1, 3)), 1, 2, 3, 1),
    ((5, 5), (1, 1), (3, 2), (2, 0), 1, 2, 3, 1),
    ((4, 5, 6), (2, 3, 1), 1, "valid", 1, 2, 2, 1),
    ((4, 5, 3), (3, 2, 2), (2, 1, 3), "same", (1, 2, 1), 4, 2, 2),
    ((3, 4, 5), (2, 2, 3), 2, ((1, 0), (-1, 2), (0, 3)), 1, 1, 3, 1),
    ((3, 3, 4), (2, 1, 2), 1, "full", (1, 3, 2), 2, 1, 1),
    ((3, 4, 4), (2, 2, 2), (1, 2, 1), "causal", 1, 3, 3, 3),
]


def per_axis(value, rank):
    return value if isinstance(value, tuple) else (value,) * rank


def pairs(padding, size, kernel, strides, dilation):
    if isinstance(padding, str):
        return [oracle.padding_of(padding, *numbers) for numbers in zip(size, kernel, strides, dilation, strict=True)]
    if len(size) == 1:
        return [padding]
    return [p if isinstance(p, tuple) else (p, p) for p in padding]


def expected_of(x, weights, bias, strides, padding, dilation, groups):
    rank = x.ndim - 2
    strides, dilation = per_axis(strides, rank), per_axis(dilation, rank)
    pads = pairs(padding, x.shape[1:-1], weights.shape[:-2], strides, dilation)
    return oracle.conv(x, weights, bias, strides=strides, pads=pads, dilation=dilation, groups=groups)


def arrays_of(case, dtype=np.float64, batch=2):
    size, kernel, *_, channels, filters, groups = case
    return random_arrays(
        (batch, *size, channels), (*kernel, channels // groups, filters), (filters,), dtype=dtype, seed=len(size)
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values(case):
    _, _, strides, padding, dilation, *_, groups = case
    x, weights, bias = arrays_of(case)
    words = {"strides": strides, "padding": padding, "dilation_rate": dilation, "groups": groups}
    expected = expected_of(x, weights, bias, strides, padding, dilation, groups)
    np.testing.assert_allclose(conv(x, weights, bias, **words), expected, **TOLERANCE)
    first = conv(np.moveaxis(x, -1, 1), weights, bias, data_format="channels_first", **words)
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), expected, **TOLERANCE)
    assert first.flags.c_contiguous


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u4", "i8", "u8"])
@pytest.mark.parametrize("case", CASES[1::5], ids=str)
def test_integers_are_exact(case, dtype):
    _, _, strides, padding, dilation, *_, groups = case
    x, weights, bias = arrays_of(case, dtype)
    result = conv(x, weights, bias, strides=strides, padding=padding, dilation_rate=dilation, groups=groups)
    wide = [array.astype(np.int64) for array in (x, weights, bias)]
    assert result.dtype == np.int64
    np.testing.assert_array_equal(result, expected_of(*wide, strides, padding, dilation, groups))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_floats_are_rounded_once(dtype):
    x, weights, bias = arrays_of(CASES[6], dtype)
    _, _, strides, padding, dilation, *_, groups = CASES[6]
    wide = [array.astype(np.float64) for array in (x, weights, bias)]
    exact = expected_of(*wide, strides, padding, dilation, groups)
    result = conv(x, weights, bias, strides=strides, padding=padding, dilation_rate=dilation, groups=groups)
    assert result.dtype == dtype
    # The oracle sums in another order: one rounding of either sum differs by at most one unit.
    np.testing.assert_allclose(result, exact.astype(dtype), rtol=np.finfo(dtype).eps)
    assert (result == exact.astype(dtype)).mean() > 0.95


@pytest.mark.parametrize(
    ("x", "weights", "bias", "result"),
    [
        ("f4", "f8", "f8", "f4"),
        ("f2", "i8", None, "f2"),
        ("i4", "f4", "f8", "f4"),
        ("u1", "i2", "f2", "f2"),
        ("u1", "i2", None, "i8"),
        (">f4", ">f8", None, "f4"),
        (">i2", "<i8", "i1", "i8"),
    ],
)
def test_result_dtype(x, weights, bias, result):
    arrays = random_arrays((1, 5, 2), (3, 2, 4), (4,), dtype=np.int64)
    arrays[0] = abs(arrays[0])
    given_bias = None if bias is None else arrays[2].astype(bias)
    out = conv(arrays[0].astype(x), arrays[1].astype(weights), given_bias)
    assert out.dtype == np.dtype(result)
    assert out.dtype.isnative
    np.testing.assert_array_equal(out, conv(arrays[0], arrays[1], None if bias is None else arrays[2]))


def test_float16_overflow_is_infinite():
    x = np.full((1, 4, 1), 60000, np.float16)
    assert np.isposinf(conv(x, np.ones((2, 1, 1), np.float16))).all()


def test_any_memory_layout_and_nothing_modified():
    x, weights, bias = random_arrays((2, 6, 7, 3), (3, 2, 3, 4), (4,))
    expected = conv(x, weights, bias)
    wide = np.zeros((4, 6, 14, 3))
    wide[::2, ::-1, ::2] = x
    unaligned = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float64).reshape(x.shape)
    unaligned[...] = x
    variants = [np.asfortranarray(x), wide[::2, ::-1, ::2], x.astype(">f8"), unaligned, x.tolist()]
    frozen = x.copy()
    frozen.flags.writeable = False
    for variant in [*variants, frozen]:
        before = np.array(variant)
        np.testing.assert_array_equal(conv(variant, np.asfortranarray(weights), bias.astype(">f8")), expected)
        np.testing.assert_array_equal(variant, before)
    assert x.flags.writeable


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_empty_batch(rank):
    out = conv(np.zeros((0, *[5] * rank, 2), np.float32), np.zeros((*[3] * rank, 2, 4)), strides=2)
    assert out.shape == (0, *[2] * rank, 4)
    assert out.dtype == np.float32


def test_non_finite_values_reach_those_outputs_only_that_read_them():
    x = np.ones((1, 6, 1))
    x[0, 0], x[0, 5] = np.nan, np.inf
    out = conv(x, [[[1.0]], [[2.0]], [[0.5]]], padding=2)[0, :, 0]
    assert np.isnan(out[:3]).all()
    assert np.isfinite(out[3:5]).all()
    assert np.isposinf(out[5:]).all()


def test_padding_is_left_out_rather_than_multiplied():
    weights = np.array([np.inf, 1.0, np.nan]).reshape(3, 1, 1)
    out = conv(np.ones((1, 3, 1)), weights, padding=1)[0, :, 0]
    assert np.isnan(out[:2]).all()
    assert np.isposinf(out[2])
    assert conv(np.ones((1, 1, 1)), weights, padding=1)[0, 0, 0] == 1


def test_integers_wrap_around():
    big = np.full((1, 2, 1), 2**62, np.int64)
    assert conv(big, np.ones((2, 1, 1), np.int64)).item() == -(2**63)


@settings(max_examples=60)
@given(st.data())
def test_any_geometry(data):
    """Gathering by a ready geometry, inserted zeros and flipped kernels included."""
    rank = data.draw(st.integers(1, 2))
    whole = st.integers
    axes = []
    for _ in range(rank):
        numbers = [data.draw(whole(1, 6)), data.draw(whole(1, 4)), data.draw(whole(1, 3)), data.draw(whole(1, 3))]
        axis = AxisGeometry(
            *numbers,
            pad_before=data.draw(whole(-2, 5)),
            pad_after=data.draw(whole(-2, 5)),
            input_dilation=data.draw(whole(1, 3)),
            reversed=data.draw(st.booleans()),
        )
        axes.append(
            axis if axis.output_size else axis._replace(pad_after=axis.pad_after + axis.dilated_kernel_size + 4)
        )
    if rank == 2:
        axes[1] = axes[1]._replace(reversed=axes[0].reversed)
    groups = data.draw(whole(1, 2))
    own, filters = data.draw(whole(1, 2)), groups * data.draw(whole(1, 2))
    geometry = ConvGeometry(tuple(axes), groups)
    x, weights, bias = random_arrays(
        (1, *geometry.input_size, own * groups), (*geometry.kernel_size, own, filters), (filters,), seed=filters
    )
    # Padding beyond a crop of everything is beyond the oracle's slices.
    assume(all(a.dilated_input_size + min(a.pad_before, 0) + min(a.pad_after, 0) > 0 for a in axes))
    expected = oracle.conv(
        x,
        weights,
        bias,
        strides=[a.stride for a in axes],
        pads=[(a.pad_before, a.pad_after) for a in axes],
        dilation=[a.dilation for a in axes],
        groups=groups,
        input_dilation=[a.input_dilation for a in axes],
        flip=axes[0].reversed,
    )
    np.testing.assert_allclose(conv_with(geometry, x, weights, bias), expected, **TOLERANCE)


@settings(max_examples=40)
@given(
    n=st.integers(1, 9),
    k=st.integers(1, 4),
    s=st.integers(1, 5),
    d=st.integers(1, 3),
    mode=st.sampled_from(["same", "causal", "full"]),
)
def test_padding_words(n, k, s, d, mode):
    x, weights = random_arrays((1, n, 2), (k, 2, 1), seed=n)
    expected = expected_of(x, weights, None, s, mode, d, 1)
    np.testing.assert_allclose(conv(x, weights, strides=s, padding=mode, dilation_rate=d), expected, **TOLERANCE)


X, W = np.zeros((1, 6, 7, 4)), np.zeros((3, 3, 4, 8))

ERRORS = [
    ({"x": np.zeros((6, 4))}, "x", ["2 axes", "batch"]),
    ({"x": np.zeros((1, 2, 3, 4, 5, 6))}, "x", ["6 axes"]),
    ({"x": np.zeros((1, 6, 0, 4))}, "x", ["only the batch may be empty"]),
    ({"x": np.zeros((1, 6, 7, 4), complex)}, "x", ["complex128", "imaginary"]),
    ({"x": np.zeros((1, 6, 7, 4), bool)}, "x", ["bool", "astype(int)"]),
    ({"x": np.zeros((1, 6, 7, 4), object)}, "x", ["object"]),
    ({"x": np.zeros((1, 6, 7, 4), "M8[s]")}, "x", ["datetime64"]),
    ({"x": "pixels"}, "x", ["float32"]),
    ({"x": [[[1], [2, 3]]]}, "x", ["regular array"]),
    ({"x": np.ma.masked_array(X)}, "x", ["mask"]),
    ({"x": np.full((1, 6, 7, 4), 2**63, np.uint64)}, "x", ["9223372036854775808", "int64"]),
    ({"weights": np.zeros((3, 3, 4))}, "weights", ["3 axes", "needs 4", "(k..., channels / groups, filters)"]),
    ({"weights": np.zeros((3, 0, 4, 8))}, "weights", ["empty"]),
    ({"weights": np.zeros((3, 3, 5, 8))}, "weights", ["5 channels", "(3, 3, 4, 8)", "[G10]"]),
    ({"weights": np.zeros((3, 3, 4, 8), complex)}, "weights", ["complex"]),
    ({"bias": np.zeros(7)}, "bias", ["8 filters", "(8,)"]),
    ({"bias": np.zeros((8, 1))}, "bias", ["(8,)"]),
    ({"groups": 3}, "groups", ["4 channels", "1, 2, 4", "[G10]"]),
    ({"groups": 2}, "weights", ["2 groups of 2", "(3, 3, 2, 8)"]),
    ({"groups": 2, "weights": np.zeros((3, 3, 2, 7))}, "groups", ["7 filters", "[G11]"]),
    ({"groups": 0}, "groups", ["at least 1"]),
    ({"strides": 0}, "strides", ["at least 1"]),
    ({"strides": (1, 2, 3)}, "strides", ["2"]),
    ({"strides": 1.5}, "strides", ["whole number"]),
    ({"dilation_rate": -1}, "dilation_rate", ["at least 1"]),
    ({"dilation_rate": 3}, "x", ["spans 7", "padded input is 6", "smallest input here is 7", "same", "[G7]"]),
    ({"padding": "sane"}, "padding", ["did you mean 'same'"]),
    ({"padding": ((1, 2, 3), 1)}, "padding", ["pair"]),
    ({"padding": -3}, "x", ["[G7]"]),
    ({"data_format": "channel_last"}, "data_format", ["did you mean 'channels_last'"]),
    ({"strides": 2**70}, "strides", ["2**60"]),
]


@pytest.mark.parametrize(("wrong", "argument", "parts"), ERRORS, ids=lambda value: str(value)[:30])
def test_errors(wrong, argument, parts):
    words = {"x": X, "weights": W, **wrong}
    with pytest.raises(ConvError) as error:
        conv(words.pop("x"), words.pop("weights"), words.pop("bias", None), **words)
    assert error.value.argument == argument
    for part in parts:
        assert part in str(error.value)


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="longdouble is float64 here")
def test_longdouble_is_refused():
    with pytest.raises(ConvError, match="is not supported; use float16"):
        conv(X.astype(np.longdouble), W)


def test_size_is_said_before_anything_is_allocated():
    with pytest.raises(ConvError, match=r"output of shape \(1, 20000000000\d*, 7, 8\) needs \d\S+ GiB") as error:
        conv(X, W, padding=((10**12, 10**12), (1, 1)))
    assert error.value.argument == "x"
    with pytest.raises(ConvError, match="GiB"):
        conv(X, W, padding=10**40)


@pytest.mark.parametrize(
    ("x", "weights", "argument"),
    [(np.zeros((1, 5, 7, 4)), W, "x"), (X, np.zeros((3, 2, 4, 8)), "weights"), (np.zeros((1, 6, 4)), W, "weights")],
)
def test_arrays_fit_their_geometry(x, weights, argument):
    geometry = ConvGeometry((AxisGeometry(6, 3), AxisGeometry(7, 3)))
    with pytest.raises(ConvError) as error:
        conv_with(geometry, x, weights)
    assert error.value.argument == argument


def test_every_rank_agrees_with_the_next():
    """A convolution of rank r is one of rank r + 1 with an axis of size 1."""
    for rank, axis in itertools.product([1, 2], [1, 2]):
        x, weights = random_arrays((2, *[5, 6][:rank], 2), (*[3, 2][:rank], 2, 3))
        deeper = conv(np.expand_dims(x, axis), np.expand_dims(weights, axis - 1))
        np.testing.assert_array_equal(deeper, np.expand_dims(conv(x, weights), axis))
