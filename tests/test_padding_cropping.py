"""Padding in every mode and cropping, against np.pad, slices and PyTorch."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refconv import crop, pad, zero_pad
from refconv.errors import ConvError
from refconv.geometry import AxisGeometry
from refconv.loops.cpu import cropping as cropping_loops
from refconv.loops.cpu import padding as padding_loops
from refconv.loops.cpu import zero_padding

IN_NUMPY = {
    "constant": "constant",
    "reflect": "reflect",
    "symmetric": "symmetric",
    "replicate": "edge",
    "circular": "wrap",
}
SHAPES = {1: (2, 5, 3), 2: (2, 4, 5, 3), 3: (2, 3, 4, 5, 3)}
PAIRS = ((1, 2), (0, 2), (2, 1))
DTYPES = [np.float16, np.float32, np.float64, np.int64, np.int8, np.uint16]


def signal(shape, dtype=np.float64):
    return np.abs(np.random.default_rng(math.prod(shape)).normal(size=shape) * 20).astype(dtype)


def around(pairs):
    return ((0, 0), *pairs, (0, 0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_zero_pad_equals_numpy(rank, dtype):
    x = signal(SHAPES[rank], dtype)
    pairs = PAIRS[:rank]
    y = zero_pad(x, padding=pairs)
    assert y.dtype == (dtype if x.dtype.kind == "f" else np.int64)
    np.testing.assert_array_equal(y, np.pad(x, around(pairs)))
    first = zero_pad(np.moveaxis(x, -1, 1), padding=pairs, data_format="channels_first")
    np.testing.assert_array_equal(first, np.moveaxis(y, -1, 1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_crop_equals_a_slice(rank, dtype):
    x = signal(SHAPES[rank], dtype)
    pairs = ((1, 1), (0, 2), (3, 1))[:rank]
    expected = x[(slice(None), *(slice(lo, n - hi) for n, (lo, hi) in zip(x.shape[1:-1], pairs, strict=True)))]
    y = crop(x, cropping=pairs)
    assert y.dtype == (dtype if x.dtype.kind == "f" else np.int64)
    np.testing.assert_array_equal(y, expected)
    first = crop(np.moveaxis(x, -1, 1), cropping=pairs, data_format="channels_first")
    np.testing.assert_array_equal(first, np.moveaxis(expected, -1, 1))


@pytest.mark.parametrize("mode", IN_NUMPY)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_pad_equals_numpy(rank, mode, dtype):
    x = signal(SHAPES[rank], dtype)
    pairs = PAIRS[:rank]
    y = pad(x, padding=pairs, mode=mode)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.pad(x, around(pairs), mode=IN_NUMPY[mode]))
    first = pad(np.moveaxis(x, -1, 1), padding=pairs, mode=mode, data_format="channels_first")
    np.testing.assert_array_equal(first, np.moveaxis(y, -1, 1))


amounts = st.integers(-3, 6)


@given(st.integers(1, 6), amounts, amounts, st.sampled_from(sorted(IN_NUMPY)))
def test_pad_crops_first_then_pads_what_is_left(n, before, after, mode):
    x = np.arange(1, n + 1)[None, :, None]
    left = x[:, max(-before, 0) : n - max(-after, 0)] if max(-before, 0) < n - max(-after, 0) else x[:, :0]
    size = left.shape[1]
    limit = {"reflect": size - 1, "symmetric": size, "circular": size}.get(mode, math.inf)
    pairs = around(((max(before, 0), max(after, 0)),))
    if size < 1:
        possible = mode == "constant" and n + before + after >= 1
        expected = np.zeros((1, max(n + before + after, 0), 1))
    else:
        possible = max(before, after) <= limit
        expected = np.pad(left, pairs, mode=IN_NUMPY[mode]) if possible else None
    if possible:
        np.testing.assert_array_equal(pad(x, padding=(before, after), mode=mode), expected)
    else:
        with pytest.raises(ConvError, match="`padding` ="):
            pad(x, padding=(before, after), mode=mode)


pairs_2d = st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2)


@given(pairs_2d, st.integers(1, 4), st.integers(1, 4))
def test_crop_undoes_padding(pairs, height, width):
    x = signal((1, height, width, 2))
    np.testing.assert_array_equal(crop(zero_pad(x, padding=pairs), cropping=pairs), x)
    np.testing.assert_array_equal(crop(pad(x, padding=pairs, mode="replicate"), cropping=pairs), x)


@given(st.tuples(*[st.tuples(st.integers(-2, 3), st.integers(-2, 3))] * 2))
def test_constant_padding_by_zero_is_zero_padding(pairs):
    x = signal((2, 5, 6, 1))
    np.testing.assert_array_equal(pad(x, padding=pairs), zero_pad(x, padding=pairs))


def test_negative_padding_is_cropping():
    x = signal((1, 5, 6, 2))
    np.testing.assert_array_equal(zero_pad(x, padding=((-1, -2), (0, -3))), crop(x, cropping=((1, 2), (0, 3))))


@pytest.mark.parametrize("value", [2.5, -1, math.inf, -math.inf, math.nan, np.float32(0.1), Fraction(1, 4), 60000])
def test_values_of_floats(value):
    x = signal((1, 3, 2), np.float16)
    y = pad(x, padding=1, value=value)
    assert y.dtype == np.float16
    np.testing.assert_array_equal(y, np.pad(x, around(((1, 1),)), constant_values=np.float16(float(value))))


@pytest.mark.parametrize("value", [7, -1, 3.0, np.uint8(9), 2**63 - 1, -(2**63)])
def test_values_of_integers(value):
    x = signal((1, 3, 2), np.int8)
    np.testing.assert_array_equal(pad(x, padding=1, value=value)[0, 0], [int(value)] * 2)


def test_large_integers_and_odd_floats_are_copied_exactly():
    large = np.array([2**62 + 1, -(2**63), 2**63 - 1])[None, :, None]
    odd = np.array([-0.0, np.nan, np.inf, 5e-324])[None, :, None]
    for x in (large, odd):
        for y in (zero_pad(x, padding=1), pad(x, padding=1, mode="replicate"), pad(x, padding=1, value=3)):
            assert y[:, 1:-1].tobytes() == x.tobytes()
        assert crop(x, cropping=(1, 0)).tobytes() == x[:, 1:].tobytes()


def test_layouts_batches_and_no_changes_to_the_input():
    base = signal((4, 5, 6, 3))
    for function in (zero_pad, crop, lambda x: pad(x, padding=2, mode="reflect")):
        expected = function(base)
        for x in (np.asfortranarray(base), base[::-1][::-1], base.astype(">f8"), base.tolist()):
            np.testing.assert_array_equal(function(x), expected)
        frozen = base.copy()
        frozen.setflags(write=False)
        np.testing.assert_array_equal(function(frozen), expected)
        np.testing.assert_array_equal(frozen, base)
        assert function(base[:0]).shape == (0, *expected.shape[1:])
    assert not np.shares_memory(zero_pad(base, padding=0), base)
    assert not np.shares_memory(crop(base, cropping=0), base)
    np.testing.assert_array_equal(zero_pad(base), np.pad(base, around(((1, 1), (1, 1)))))
    np.testing.assert_array_equal(crop(base), base[:, 1:-1, 1:-1])


X = np.ones((1, 4, 5, 2))
INTEGERS = np.ones((1, 4, 5, 2), int)


@pytest.mark.parametrize(
    ("function", "x", "words", "message"),
    [
        (zero_pad, X, {"padding": (1, 2, 3)}, "`padding` = .*has 3 entries for 2 spatial axes"),
        (zero_pad, X, {"padding": 1.5}, "`padding` = 1.5: not a whole number"),
        (zero_pad, X, {"padding": ((1, 2), (1, 2, 3))}, r"`padding` = .*\(1, 2, 3\) is not a \(before, after\) pair"),
        (zero_pad, X, {"padding": -2}, "`padding` = -2: takes 4 of 4 cells, so nothing is left"),
        (zero_pad, X, {"padding": 10**9}, "`padding` = 1000000000"),
        (zero_pad, X, {"data_format": "NHWC"}, "`data_format` = 'NHWC'"),
        (zero_pad, X[0, 0], {}, "`x` = .*has 2 axes"),
        (zero_pad, X + 0j, {}, "`x` = .*complex128 is not supported"),
        (crop, X, {"cropping": ((2, 2), (0, 0))}, "`cropping` = .*takes 4 of 4 cells, so nothing is left"),
        (crop, X, {"cropping": -1}, "`cropping` = -1: must be at least 0"),
        (crop, X, {"cropping": "all"}, "`cropping` = 'all'"),
        (pad, X, {"padding": 1, "mode": "mirror"}, "`mode` = 'mirror'.*not one of 'constant'"),
        (pad, X, {"padding": 1, "mode": "reflct"}, "`mode` = 'reflct'.*did you mean 'reflect'"),
        (
            pad,
            X,
            {"padding": 4, "mode": "reflect"},
            "pads 4 cells.*only 3 to show again on an axis of 4; use at most 3",
        ),
        (pad, X, {"padding": 5, "mode": "circular"}, "pads 5 cells.*only 4 to show again on an axis of 4"),
        (pad, X, {"padding": ((-3, 2), 0), "mode": "circular"}, "pads 2 cells.*only 1 to show again on an axis of 1"),
        (pad, X, {"padding": ((-4, 2), 0), "mode": "replicate"}, "takes all 4 cells of an axis, so nothing is left"),
        (pad, X, {"padding": -2}, "`padding` = -2: takes all 4 cells"),
        (pad, X, {"padding": "same"}, "`padding` = 'same'"),
        (pad, X, {"padding": 1, "value": "zero"}, "`value` = 'zero': not a real number"),
        (pad, X, {"padding": 1, "value": True}, "`value` = True: not a real number"),
        (pad, X, {"padding": 1, "value": 1j}, "`value` = 1j: not a real number"),
        (pad, X, {"padding": 1, "value": None}, "`value` = None: not a real number"),
        (pad, X, {"padding": 1, "value": np.ones(3)}, "`value` = .*not a real number"),
        (pad, X, {"padding": 1, "value": 1, "mode": "reflect"}, "mode 'reflect' has no value of its own"),
        (pad, X, {"padding": 1, "value": 10**400}, "is beyond the range of float64"),
        (
            pad,
            X.astype(np.float16),
            {"padding": 1, "value": 70000},
            "is beyond the range of float16; use at most 65504",
        ),
        (pad, INTEGERS, {"padding": 1, "value": 0.5}, "`value` = 0.5: integers are padded with a whole number"),
        (pad, INTEGERS, {"padding": 1, "value": math.nan}, "`value` = nan: integers are padded with"),
        (pad, INTEGERS, {"padding": 1, "value": 2**63}, "integers are padded with a whole number of 64 bits"),
    ],
)
def test_refusals(function, x, words, message):
    with pytest.raises(ConvError, match=message):
        function(x, **words)


def loop_cases(rank):
    axes = [AxisGeometry(n, 1, pad_before=1, pad_after=-1) for n in SHAPES[rank][1:-1]]
    inner = [AxisGeometry(n, 1, pad_before=-1, pad_after=-1) for n in SHAPES[rank][1:-1]]
    sources = [np.array([1, -1, 0, 2]) for _ in axes]
    return [
        (getattr(zero_padding, f"zero_pad{rank}d"), [axis.output_size for axis in axes], axes),
        (getattr(cropping_loops, f"crop{rank}d"), [axis.output_size for axis in inner], inner),
        (getattr(padding_loops, f"pad{rank}d"), [4] * rank, sources),
    ]


def check_bits(rank, ways, dtype):
    x = signal(SHAPES[rank], dtype)
    for loop, size, arguments in loop_cases(rank):
        plain = np.full((x.shape[0], *size, x.shape[-1]), 7, dtype)
        loop.py(plain, x, *arguments)
        for way in ways:
            compiled = np.full_like(plain, 7)
            getattr(loop, way)(compiled, x, *arguments)
            assert plain.tobytes() == compiled.tobytes()


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_loops_have_the_same_bits_compiled(rank):
    check_bits(rank, ["serial"], np.float64)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_all_loops_have_the_same_bits_compiled(rank, dtype):
    check_bits(rank, ["serial", "parallel"], dtype)


@pytest.mark.peers
@pytest.mark.parametrize("mode", [mode for mode in IN_NUMPY if mode != "symmetric"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_torch(rank, mode):
    torch = pytest.importorskip("torch")
    x = np.moveaxis(signal(SHAPES[rank]), -1, 1)
    pairs = ((1, 2), (-1, 2), (2, -2))[:rank]
    backwards = [amount for pair in reversed(pairs) for amount in pair]
    if mode == "circular" and rank > 1:  # its circular mode fails where it must crop
        pairs = ((1, 2), (0, 3), (2, 0))[:rank]
        backwards = [amount for pair in reversed(pairs) for amount in pair]
    words = {"value": -2.5} if mode == "constant" else {}
    theirs = torch.nn.functional.pad(torch.tensor(x.copy()), backwards, mode=mode, **words).numpy()
    ours = pad(x, padding=pairs, mode=mode, data_format="channels_first", **words)
    np.testing.assert_array_equal(ours, theirs)
