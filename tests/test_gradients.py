"""Gradients of the functions: against an oracle, differences, the adjoint identity, the matrix, and PyTorch."""

from __future__ import annotations

import itertools

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ids import plain

import refconv
from refconv import functional as fn
from refconv.errors import ConvError
from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.loops.cpu import gradients as loops
from refconv.verify import oracle

TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}


def random_arrays(*shapes, seed=0, dtype=np.float64):
    generator = np.random.default_rng(seed)
    if np.dtype(dtype).kind in "iu":
        return [generator.integers(-9, 10, shape).astype(dtype) for shape in shapes]
    return [generator.normal(size=shape).astype(dtype) for shape in shapes]


def first(array):
    return np.ascontiguousarray(np.moveaxis(array, -1, 1))


def last(array):
    return np.moveaxis(array, 1, -1)


def shape_first(shape):
    return (shape[0], shape[-1], *shape[1:-1])


# The oracle: padding, inserted zeros and full outputs are materialised, and sliced per kernel element.


def windows(padded_size, kernel_size, strides, dilation):
    """For each kernel element, the slices of the padded input that the outputs read through it."""
    outs = [
        (n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(padded_size, kernel_size, strides, dilation, strict=True)
    ]
    for k in np.ndindex(*kernel_size):
        yield (
            k,
            tuple(
                slice(j * d, j * d + (o - 1) * s + 1, s) for j, d, o, s in zip(k, dilation, outs, strides, strict=True)
            ),
        )


def group(g, groups, count):
    return slice(g * count // groups, (g + 1) * count // groups)


def summed(data, gradient):
    """Sum over all cells what each channel of the one times each of the other is."""
    return np.einsum("pc,pf->cf", data.reshape(-1, data.shape[-1]), gradient.reshape(-1, gradient.shape[-1]))


def oracle_conv(x, weights, dy, strides, pads, dilation, groups=1):
    """Gradients of a convolution to its input and weights."""
    grad_x, grad_weights = np.zeros_like(x), np.zeros_like(weights)
    channels, filters = x.shape[-1], weights.shape[-1]
    for n, image in enumerate(x):
        padded = oracle.pad_or_crop(image, pads)
        grad_padded = np.zeros_like(padded)
        for k, cells in windows(padded.shape[:-1], weights.shape[:-2], strides, dilation):
            for g in range(groups):
                c, f = group(g, groups, channels), group(g, groups, filters)
                grad_weights[k][:, f] += summed(padded[cells][..., c], dy[n][..., f])
                grad_padded[(*cells, c)] += dy[n][..., f] @ weights[k][:, f].T
        grad_x[n] = oracle.pad_or_crop(grad_padded, [(-before, -after) for before, after in pads])
    return grad_x, grad_weights


def oracle_transposed(x, weights, dy, strides, crop, dilation, output_padding, groups=1):
    """Gradients of a transposed convolution to its input and weights."""
    grad_x, grad_weights = np.zeros_like(x), np.zeros_like(weights)
    filters, channels = dy.shape[-1], x.shape[-1]
    for n, image in enumerate(dy):
        full = oracle.pad_or_crop(image, crop)
        full = oracle.pad_or_crop(full, [(0, -extra) for extra in output_padding])
        for k, cells in windows(full.shape[:-1], weights.shape[:-2], strides, dilation):
            for g in range(groups):
                f, c = group(g, groups, filters), group(g, groups, channels)
                grad_weights[k][:, c] += summed(full[cells][..., f], x[n][..., c])
                grad_x[n][..., c] += full[cells][..., f] @ weights[k][:, c]
    return grad_x, grad_weights


# size, kernel, strides, padding, dilation, channels, filters, groups
CONV = [
    ((7,), (3,), (1,), "valid", (1,), 2, 3, 1),
    ((8,), (4,), (3,), "same", (1,), 4, 6, 2),
    ((9,), (3,), (2,), "causal", (2,), 3, 6, 3),
    ((5,), (2,), (1,), "full", (3,), 1, 2, 1),
    ((11,), (2,), (4,), ((3, -1),), (1,), 2, 2, 1),
    ((6, 7), (2, 3), (2, 1), "same", (1, 2), 4, 6, 2),
    ((5, 6), (3, 2), (1, 3), "causal", (1, 1), 2, 4, 2),
    ((7, 6), (3, 4), (2, 2), ((1, 2), (-1, 3)), (1, 1), 2, 3, 1),
    ((5, 5), (1, 1), (3, 2), ((2, 2), (0, 0)), (1, 1), 2, 3, 1),
    ((4, 5, 3), (3, 2, 2), (2, 1, 3), "same", (1, 2, 1), 4, 2, 2),
    ((3, 4, 5), (2, 2, 3), (2, 2, 2), ((1, 0), (-1, 2), (0, 3)), (1, 1, 1), 1, 3, 1),
]


def conv_case(case, dtype=np.float64, batch=2):
    size, kernel, strides, padding, dilation, channels, filters, groups = case
    pads = padding
    if isinstance(padding, str):
        pads = [oracle.padding_of(padding, *numbers) for numbers in zip(size, kernel, strides, dilation, strict=True)]
    x, weights = random_arrays((batch, *size, channels), (*kernel, channels // groups, filters), dtype=dtype, seed=1)
    words = {"strides": strides, "padding": padding, "dilation_rate": dilation, "groups": groups}
    (dy,) = random_arrays(fn.conv(x, weights, **words).shape, dtype=dtype, seed=2)
    return x, weights, dy, words, pads


@pytest.mark.parametrize("case", CONV, ids=str)
def test_conv(case):
    x, weights, dy, words, pads = conv_case(case)
    strides, dilation = words["strides"], words["dilation_rate"]
    grad_x, grad_weights = oracle_conv(x, weights, dy, strides, pads, dilation, words["groups"])
    kernel_size = weights.shape[:-2]
    np.testing.assert_allclose(fn.conv_grad_input(dy, weights, x.shape, **words), grad_x, **TOLERANCE)
    np.testing.assert_allclose(fn.conv_grad_weights(x, dy, kernel_size, **words), grad_weights, **TOLERANCE)

    words["data_format"] = "channels_first"
    result = fn.conv_grad_input(first(dy), weights, shape_first(x.shape), **words)
    assert result.flags.c_contiguous
    np.testing.assert_allclose(last(result), grad_x, **TOLERANCE)
    result = fn.conv_grad_weights(first(x), first(dy), kernel_size, **words)
    np.testing.assert_allclose(result, grad_weights, **TOLERANCE)


# size, kernel, strides, padding, output_padding, dilation, channels, filters, groups
TRANSPOSED = [
    ((4,), (3,), (2,), "valid", None, (1,), 2, 3, 1),
    ((4,), (2,), (3,), "valid", None, (2,), 4, 6, 2),
    ((5,), (4,), (3,), "same", (1,), (1,), 3, 2, 1),
    ((5,), (2,), (4,), "same", None, (1,), 2, 4, 2),
    ((3, 4), (3, 2), (2, 1), "same", None, (1, 2), 4, 6, 2),
    ((3, 4), (2, 4), (3, 2), ((1, 2), (-1, 1)), (2, 0), (1, 1), 2, 3, 1),
    ((2, 3, 2), (2, 3, 2), (1, 2, 3), "valid", (0, 1, 2), (2, 1, 1), 2, 4, 2),
    ((2, 2, 3), (3, 2, 2), (2, 3, 1), "same", None, (1, 1, 1), 3, 2, 1),
]


def transposed_case(case):
    size, kernel, strides, padding, output_padding, dilation, channels, filters, groups = case
    crop, extra = padding, output_padding or (0,) * len(size)
    if isinstance(padding, str):
        extra = (0,) * len(size)
        each = zip(kernel, strides, dilation, output_padding or (None,) * len(size), strict=True)
        crop = [oracle.crop_of(padding, *numbers) for numbers in each]
    x, weights = random_arrays((2, *size, channels), (*kernel, filters // groups, channels), seed=1)
    words = {
        "strides": strides,
        "padding": padding,
        "output_padding": output_padding,
        "dilation_rate": dilation,
        "groups": groups,
    }
    (dy,) = random_arrays(fn.conv_transpose(x, weights, **words).shape, seed=2)
    return x, weights, dy, words, crop, extra


@pytest.mark.parametrize("case", TRANSPOSED, ids=str)
def test_conv_transpose(case):
    x, weights, dy, words, crop, extra = transposed_case(case)
    numbers = words["strides"], crop, words["dilation_rate"], extra, words["groups"]
    grad_x, grad_weights = oracle_transposed(x, weights, dy, *numbers)
    kernel_size = weights.shape[:-2]
    np.testing.assert_allclose(fn.conv_transpose_grad_input(dy, weights, x.shape, **words), grad_x, **TOLERANCE)
    np.testing.assert_allclose(fn.conv_transpose_grad_weights(x, dy, kernel_size, **words), grad_weights, **TOLERANCE)

    words["data_format"] = "channels_first"
    result = fn.conv_transpose_grad_input(first(dy), weights, shape_first(x.shape), **words)
    np.testing.assert_allclose(last(result), grad_x, **TOLERANCE)
    result = fn.conv_transpose_grad_weights(first(x), first(dy), kernel_size, **words)
    np.testing.assert_allclose(result, grad_weights, **TOLERANCE)


def depthwise_case(case, multiplier=2):
    size, kernel, strides, padding, dilation, channels, *_ = case
    words = {"strides": strides, "padding": padding, "dilation_rate": dilation}
    x, weights = random_arrays((2, *size, channels), (*kernel, channels, multiplier), seed=3)
    (dy,) = random_arrays(fn.depthwise_conv(x, weights, **words).shape, seed=4)
    return x, weights, dy, words


@pytest.mark.parametrize("case", CONV, ids=str)
def test_depthwise(case):
    """Channel by channel it is a convolution."""
    x, weights, dy, words = depthwise_case(case)
    *_, pads = conv_case(case)
    parts = [
        oracle_conv(x[..., [c]], weights[..., [c], :], dy[..., 2 * c : 2 * c + 2], words["strides"], pads, case[4])
        for c in range(x.shape[-1])
    ]
    grad_x = np.concatenate([part for part, _ in parts], -1)
    grad_weights = np.concatenate([part for _, part in parts], -2)
    kernel_size = weights.shape[:-2]
    np.testing.assert_allclose(fn.depthwise_conv_grad_input(dy, weights, x.shape, **words), grad_x, **TOLERANCE)
    np.testing.assert_allclose(fn.depthwise_conv_grad_weights(x, dy, kernel_size, **words), grad_weights, **TOLERANCE)

    words["data_format"] = "channels_first"
    result = fn.depthwise_conv_grad_input(first(dy), weights, shape_first(x.shape), **words)
    np.testing.assert_allclose(last(result), grad_x, **TOLERANCE)
    result = fn.depthwise_conv_grad_weights(first(x), first(dy), kernel_size, **words)
    np.testing.assert_allclose(result, grad_weights, **TOLERANCE)


@pytest.mark.parametrize("case", CONV[1::2], ids=str)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_separable_is_two_steps(case, data_format):
    x, depthwise, _, words = depthwise_case(case)
    rank, between = x.ndim - 2, x.shape[-1] * 2
    (pointwise,) = random_arrays((*(1,) * rank, between, 3), seed=5)
    *_, pads = conv_case(case)
    ones = (1,) * rank
    columns = oracle.depthwise(x, depthwise, strides=words["strides"], pads=pads, dilation=case[4])
    (dy,) = random_arrays((*columns.shape[:-1], 3), seed=6)
    grad_columns, grad_pointwise = oracle_conv(columns, pointwise, dy, ones, ((0, 0),) * rank, ones)
    kernel_size = depthwise.shape[:-2]
    grad_depthwise = fn.depthwise_conv_grad_weights(x, grad_columns, kernel_size, **words)
    grad_x = fn.depthwise_conv_grad_input(grad_columns, depthwise, x.shape, **words)

    words["data_format"] = data_format
    turn, back = (first, last) if data_format == "channels_first" else (np.asarray, np.asarray)
    weights = depthwise, pointwise
    results = fn.separable_conv_grad_weights(turn(x), turn(dy), *weights, **words)
    np.testing.assert_allclose(results[0], grad_depthwise, **TOLERANCE)
    np.testing.assert_allclose(results[1], grad_pointwise, **TOLERANCE)
    result = fn.separable_conv_grad_input(turn(dy), *weights, turn(x).shape, **words)
    np.testing.assert_allclose(back(result), grad_x, **TOLERANCE)


def differences(function, array, dy):
    """The gradient of ``sum(function(array) * dy)`` by central differences, exact where it is linear."""
    result = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        step = np.zeros_like(array)
        step[place] = 1
        result[place] = ((function(array + step) - function(array - step)) * dy).sum() / 2
    return result


@pytest.mark.parametrize("case", [CONV[1], CONV[5], CONV[7], CONV[10]], ids=str)
def test_conv_by_differences(case):
    x, weights, dy, words, _ = conv_case(case, batch=1)
    expected = differences(lambda x: fn.conv(x, weights, **words), x, dy)
    np.testing.assert_allclose(fn.conv_grad_input(dy, weights, x.shape, **words), expected, **TOLERANCE)
    expected = differences(lambda weights: fn.conv(x, weights, **words), weights, dy)
    np.testing.assert_allclose(fn.conv_grad_weights(x, dy, weights.shape[:-2], **words), expected, **TOLERANCE)
    expected = differences(lambda bias: fn.conv(x, weights, bias, **words), np.zeros(weights.shape[-1]), dy)
    np.testing.assert_allclose(fn.bias_grad(dy), expected, **TOLERANCE)
    np.testing.assert_allclose(fn.bias_grad(first(dy), data_format="channels_first"), expected, **TOLERANCE)


@pytest.mark.parametrize("case", [TRANSPOSED[2], TRANSPOSED[5], TRANSPOSED[6]], ids=str)
def test_conv_transpose_by_differences(case):
    x, weights, dy, words, *_ = transposed_case(case)
    expected = differences(lambda x: fn.conv_transpose(x, weights, **words), x, dy)
    np.testing.assert_allclose(fn.conv_transpose_grad_input(dy, weights, x.shape, **words), expected, **TOLERANCE)
    expected = differences(lambda weights: fn.conv_transpose(x, weights, **words), weights, dy)
    result = fn.conv_transpose_grad_weights(x, dy, weights.shape[:-2], **words)
    np.testing.assert_allclose(result, expected, **TOLERANCE)


# The maps without weights: forward function, its gradient, the input's shape, the words.
CHANNELWISE = [
    *[
        (fn.upsample, fn.upsample_grad_input, shape, {"size": size, "interpolation": interpolation})
        for interpolation in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
        for shape, size in [((2, 4, 3), 3), ((1, 3, 4, 2), (2, 3)), ((1, 2, 3, 2, 2), (1, 3, 2))]
    ],
    *[
        (fn.resize, fn.resize_grad_input, shape, {"size": size, "interpolation": method, "coordinates": coordinates})
        for method in ("nearest", "bilinear", "bicubic", "lanczos3")
        for coordinates in ("half_pixel", "align_corners", "asymmetric")
        for shape, size in [((1, 5, 2), 3), ((1, 4, 5, 2), (7, 2)), ((1, 3, 2, 4, 1), (2, 5, 1))]
    ],
    (fn.zero_pad, fn.zero_pad_grad_input, (2, 4, 3), {"padding": (2, 1)}),
    (fn.zero_pad, fn.zero_pad_grad_input, (2, 4, 5, 3), {"padding": ((0, 1), (2, 3))}),
    (fn.zero_pad, fn.zero_pad_grad_input, (1, 4, 5, 3), {"padding": ((-1, 2), (3, -2))}),
    (fn.zero_pad, fn.zero_pad_grad_input, (1, 2, 1), {"padding": (-2, 5)}),
    (fn.zero_pad, fn.zero_pad_grad_input, (1, 2, 3, 4, 2), {"padding": ((1, 0), (0, 2), (3, 1))}),
    (fn.crop, fn.crop_grad_input, (2, 6, 3), {"cropping": (2, 1)}),
    (fn.crop, fn.crop_grad_input, (2, 5, 6, 3), {"cropping": ((0, 1), (2, 3))}),
    (fn.crop, fn.crop_grad_input, (1, 3, 4, 5, 2), {"cropping": ((1, 0), (0, 2), (3, 1))}),
    *[
        (fn.pad, fn.pad_grad_input, shape, {"padding": padding, "mode": mode})
        for mode in ("constant", "reflect", "replicate", "circular")
        for shape, padding in [
            ((2, 5, 2), (3, 1)),
            ((1, 4, 5, 2), ((2, -1), (-2, 2))),
            ((1, 3, 4, 2, 2), ((1, 2), (0, 3), (1, 1))),
        ]
    ],
    (fn.pad, fn.pad_grad_input, (1, 2, 1), {"padding": (-2, 5)}),
    (fn.unfold, fn.unfold_grad_input, (2, 7, 2), {"kernel_size": 3, "strides": 2, "padding": "same"}),
    (
        fn.unfold,
        fn.unfold_grad_input,
        (1, 6, 5, 2),
        {"kernel_size": (2, 3), "dilation_rate": 2, "padding": ((1, 2), (-1, 3))},
    ),
    (fn.unfold, fn.unfold_grad_input, (1, 3, 4, 3, 2), {"kernel_size": (2, 3, 1), "strides": (1, 2, 2)}),
    (fn.fold, fn.fold_grad_input, (2, 4, 6), {"output_size": 7, "kernel_size": 3, "strides": 2, "padding": "same"}),
    (
        fn.fold,
        fn.fold_grad_input,
        (1, 2, 1, 24),
        {
            "output_size": (5, 6),
            "kernel_size": (2, 4),
            "strides": (3, 2),
            "dilation_rate": (2, 1),
            "padding": ((1, 0), (-1, 0)),
        },
    ),
]
CHANNELWISE_IDS = [f"{f.__name__}-{s}-{w}" for f, _, s, w in CHANNELWISE]


@pytest.mark.parametrize(("forward", "gradient", "shape", "words"), CHANNELWISE, ids=CHANNELWISE_IDS)
def test_maps_without_weights_by_differences(forward, gradient, shape, words):
    (x,) = random_arrays(shape, seed=7)
    (dy,) = random_arrays(forward(x, **words).shape, seed=8)
    expected = differences(lambda x: forward(x, **words), x, dy)
    np.testing.assert_allclose(gradient(dy, shape, **words), expected, rtol=1e-11, atol=1e-11)
    result = gradient(first(dy), shape_first(shape), data_format="channels_first", **words)
    np.testing.assert_allclose(last(result), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("forward", "gradient", "shape", "words"), CHANNELWISE, ids=CHANNELWISE_IDS)
def test_integers_where_weights_are_whole(forward, gradient, shape, words):
    """The adjoint identity holds exactly, also beyond the integers that a float holds."""
    (x,) = random_arrays(shape, dtype=np.int8)
    y = forward(x, **words)
    dy = np.random.default_rng(9).integers(2**60, 2**61, y.shape)
    fractions = "interpolation" in words and words["interpolation"] != "nearest"
    result = gradient(dy, shape, **words)
    assert result.dtype == (np.float64 if fractions else np.int64)
    if not fractions:
        # Both sides wrap around alike.
        assert (y * dy).sum() == (x * result).sum()


axis_numbers = st.tuples(
    st.integers(1, 6),  # input
    st.integers(1, 3),  # kernel
    st.integers(1, 4),  # stride
    st.integers(1, 3),  # dilation
    st.integers(-2, 4),  # padding before
    st.integers(-2, 4),  # padding after
    st.integers(1, 3),  # input dilation
    st.booleans(),  # reversed
).filter(lambda numbers: AxisGeometry(*numbers).output_size > 0)


@settings(max_examples=80)
@given(
    axes=st.integers(1, 3).flatmap(lambda rank: st.tuples(*[axis_numbers] * rank)),
    groups=st.integers(1, 2),
    own=st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
def test_the_adjoint_identity_by_any_geometry(axes, groups, own):
    """<conv(x, w), dy> == <x, dx> == <w, dw>, exactly in integers."""
    geometry = ConvGeometry(tuple(AxisGeometry(*numbers) for numbers in axes), groups)
    channels, filters = own[0] * groups, own[1] * groups
    x, weights = random_arrays(
        (2, *geometry.input_size, channels), (*geometry.kernel_size, own[0], filters), seed=channels, dtype=np.int64
    )
    y = fn.conv_with(geometry, x, weights)
    (dy,) = random_arrays(y.shape, seed=filters, dtype=np.int64)
    grad_x = fn.conv_grad_input_with(geometry, dy, weights)
    grad_weights = fn.conv_grad_weights_with(geometry, x, dy)
    assert (grad_x.shape, grad_weights.shape) == (x.shape, weights.shape)
    assert (y * dy).sum() == (x * grad_x).sum() == (weights * grad_weights).sum()

    # The transposed convolution from y's place back to x's, with the same weights.
    back = geometry.adjoint()
    z = fn.conv_transpose_with(back, dy, weights)
    assert z.shape == x.shape
    grad_dy = fn.conv_transpose_grad_input_with(back, x, weights)
    grad_weights = fn.conv_transpose_grad_weights_with(back, dy, x)
    assert (grad_dy.shape, grad_weights.shape) == (dy.shape, weights.shape)
    assert (z * x).sum() == (dy * grad_dy).sum() == (weights * grad_weights).sum()
    np.testing.assert_array_equal(grad_dy, y)

    if groups == 1:
        (weights,) = random_arrays((*geometry.kernel_size, channels, 2), dtype=np.int64, seed=3)
        grouped = ConvGeometry(geometry.axes, channels)
        y = fn.conv_with(grouped, x, weights.reshape(*geometry.kernel_size, 1, -1))
        (dy,) = random_arrays(y.shape, seed=4, dtype=np.int64)
        grad_x = fn.depthwise_conv_grad_input_with(geometry, dy, weights)
        grad_weights = fn.depthwise_conv_grad_weights_with(geometry, x, dy)
        assert grad_weights.shape == weights.shape
        assert (y * dy).sum() == (x * grad_x).sum() == (weights * grad_weights).sum()


@pytest.mark.parametrize("case", CONV[1::3], ids=str)
def test_the_input_gradient_is_the_transposed_matrix(case):
    x, weights, dy, words, pads = conv_case(case, batch=1)
    axes = [
        AxisGeometry(n, k, s, d, *pair)
        for n, k, s, d, pair in zip(case[0], case[1], words["strides"], words["dilation_rate"], pads, strict=True)
    ]
    matrix = refconv.matrix(ConvGeometry(tuple(axes), words["groups"]), weights)
    result = fn.conv_grad_input(dy, weights, x.shape, **words)
    np.testing.assert_allclose(result.ravel(), matrix.T @ dy.ravel(), **TOLERANCE)


def test_the_two_input_gradients_are_each_others_loop():
    """To the bit: the same loops in the same order."""
    x, weights, dy, words, _ = conv_case(CONV[5])
    axes = [
        AxisGeometry(n, k, s, d, *oracle.padding_of("same", n, k, s, d))
        for n, k, s, d in zip(x.shape[1:-1], weights.shape, words["strides"], words["dilation_rate"], strict=False)
    ]
    geometry = ConvGeometry(tuple(axes), words["groups"])
    scattered = fn.conv_transpose_with(geometry.adjoint(), dy, weights)
    assert fn.conv_grad_input(dy, weights, x.shape, **words).tobytes() == scattered.tobytes()
    gathered = fn.conv_with(geometry, x, weights)
    assert fn.conv_transpose_grad_input_with(geometry.adjoint(), x, weights).tobytes() == gathered.tobytes()


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_nothing_is_multiplied_by_padding(special):
    """A non-finite gradient at output 0 reaches the data and weights that output 0 met, and no others."""
    x, weights = random_arrays((1, 5, 1), (3, 1, 1))
    words = {"strides": 2, "padding": "same"}
    dy = np.array([[[special], [1.0], [2.0]]])
    assert np.isfinite(fn.conv_grad_weights(x, dy, 3, **words)).ravel().tolist() == [True, False, False]
    assert np.isfinite(fn.conv_grad_input(dy, weights, x.shape, **words)).ravel().tolist() == [
        False,
        False,
        *[True] * 3,
    ]
    x[0, 4, 0] = special
    dy = np.ones((1, 3, 1))
    assert np.isfinite(fn.conv_grad_weights(x, dy, 3, **words)).ravel().tolist() == [True, False, True]
    weights[0] = special
    result = fn.conv_grad_input(dy, weights, x.shape, **words)
    assert np.isfinite(result).ravel().tolist() == [True, False, True, False, True]


def test_no_inserted_zero_is_multiplied():
    x, dy = np.ones((1, 2, 1)), np.zeros((1, 7, 1))
    dy[0, 2] = np.inf  # between the two stamps: no weight made it
    words = {"strides": 5, "output_padding": 0}
    assert fn.conv_transpose(x, np.ones((2, 1, 1)), **words).shape == dy.shape
    assert np.isfinite(fn.conv_transpose_grad_weights(x, dy, 2, **words)).all()
    assert np.isfinite(fn.conv_transpose_grad_input(dy, np.ones((2, 1, 1)), x.shape, **words)).all()
    dy[0, 6] = np.nan
    result = fn.conv_transpose_grad_weights(x, dy, 2, **words).ravel()
    assert np.isnan(result).tolist() == [False, True]


def test_a_nan_reaches_the_data_that_interpolation_read():
    dy = np.zeros((1, 8, 1))
    dy[0, 0] = np.nan
    result = fn.upsample_grad_input(dy, (1, 4, 1), interpolation="linear")
    assert np.isnan(result).ravel().tolist() == [True, False, False, False]
    dy[0, 1] = np.nan
    result = fn.upsample_grad_input(dy, (1, 4, 1), interpolation="linear")
    assert np.isnan(result).ravel().tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("first_dtype", "second_dtype", "result"),
    [
        ("f4", "f8", "f4"),
        ("f8", "f4", "f8"),
        ("f2", "i8", "f2"),
        ("i4", "f4", "f4"),
        ("u1", "i2", "i8"),
        (">f4", "f8", "f4"),
    ],
)
def test_dtypes(first_dtype, second_dtype, result):
    x, weights, dy, words, _ = conv_case(CONV[5])
    weights, dy, x = (np.rint(4 * array) for array in (weights, dy, x))
    kernel_size = weights.shape[:-2]
    grad_x = fn.conv_grad_input(np.abs(dy).astype(first_dtype), weights.astype(second_dtype), x.shape, **words)
    grad_weights = fn.conv_grad_weights(np.abs(x).astype(first_dtype), dy.astype(second_dtype), kernel_size, **words)
    exact = fn.conv_grad_weights(np.abs(x), dy, kernel_size, **words)
    assert (grad_x.dtype, grad_weights.dtype) == (result, result)
    np.testing.assert_array_equal(grad_weights, exact)
    assert fn.bias_grad(np.abs(dy).astype(first_dtype)).dtype == (result if "f" in first_dtype else "i8")


def test_separable_rounds_once():
    """Between its two steps nothing is rounded to float16."""
    x, depthwise, _, words = depthwise_case(CONV[5])
    (pointwise,) = random_arrays((1, 1, 8, 3), seed=5)
    (dy,) = random_arrays(fn.separable_conv(x, depthwise, pointwise, **words).shape, seed=6)
    arrays = [array.astype(np.float16) for array in (x, dy, depthwise, pointwise)]
    wide = [array.astype(np.float64) for array in arrays]
    for narrow, exact in zip(
        fn.separable_conv_grad_weights(*arrays, **words), fn.separable_conv_grad_weights(*wide, **words), strict=True
    ):
        assert narrow.dtype == np.float16
        np.testing.assert_array_equal(narrow, exact.astype(np.float16))
    narrow = fn.separable_conv_grad_input(*arrays[1:], x.shape, **words)
    assert narrow.dtype == np.float16
    np.testing.assert_array_equal(narrow, fn.separable_conv_grad_input(*wide[1:], x.shape, **words).astype(np.float16))


def test_an_empty_batch():
    weights = np.ones((3, 2, 2, 4))
    x, dy = np.zeros((0, 5, 6, 2)), np.zeros((0, 3, 5, 4))
    assert fn.conv_grad_input(dy, weights, x.shape).shape == x.shape
    np.testing.assert_array_equal(fn.conv_grad_weights(x, dy, (3, 2)), np.zeros(weights.shape))
    np.testing.assert_array_equal(fn.bias_grad(dy), np.zeros(4))
    assert fn.conv_transpose_grad_input(x, np.ones((3, 2, 2, 4)), dy.shape).shape == dy.shape
    assert not fn.conv_transpose_grad_weights(dy, x, (3, 2)).any()
    assert not fn.depthwise_conv_grad_weights(x, np.zeros((0, 3, 5, 6)), (3, 2)).any()
    assert fn.upsample_grad_input(np.zeros((0, 4, 1)), (0, 2, 1)).shape == (0, 2, 1)
    assert fn.crop_grad_input(np.zeros((0, 2, 1)), (0, 4, 1)).shape == (0, 4, 1)


def test_arrays_stay_as_they_are():
    x, weights, dy, words, _ = conv_case(CONV[5])
    copies = [array.copy() for array in (x, weights, dy)]
    for array in (x, weights, dy):
        array.flags.writeable = False
    fn.conv_grad_input(dy, weights, x.shape, **words)
    fn.conv_grad_weights(x, dy, weights.shape[:-2], **words)
    fn.bias_grad(dy)
    for array, copy in zip((x, weights, dy), copies, strict=True):
        np.testing.assert_array_equal(array, copy)
    strided = np.repeat(x, 2, axis=-1)[..., ::2], np.asfortranarray(dy)
    np.testing.assert_array_equal(
        fn.conv_grad_weights(*strided, weights.shape[:-2], **words),
        fn.conv_grad_weights(x, dy, weights.shape[:-2], **words),
    )


def axis_of(*numbers):
    return ConvGeometry((AxisGeometry(*numbers),))


X, W, DY = np.zeros((2, 6, 7, 4)), np.zeros((3, 3, 4, 8)), np.zeros((2, 4, 5, 8))

ERRORS = [
    (lambda: fn.conv_grad_input(DY[:, 1:], W, X.shape), "dy", ["(2, 4, 5, 8)", "(2, 3, 5, 8)"]),
    (lambda: fn.conv_grad_input(DY[:1], W, X.shape), "dy", ["(2, 4, 5, 8)"]),
    (lambda: fn.conv_grad_input(DY[..., 1:], W, X.shape), "dy", ["(2, 4, 5, 8)"]),
    (lambda: fn.conv_grad_input(DY[0], W, X.shape), "dy", ["(2, 4, 5, 8)"]),
    (lambda: fn.conv_grad_input(first(DY)[:1], W, (2, 4, 6, 7), data_format="channels_first"), "dy", ["(2, 8, 4, 5)"]),
    (lambda: fn.conv_grad_input(DY.astype(complex), W, X.shape), "dy", ["complex128"]),
    (lambda: fn.conv_grad_input(DY, W, (6, 7)), "input_shape", ["3 to 5 sizes", "(batch, spatial..., channels)"]),
    (lambda: fn.conv_grad_input(DY, W, 6), "input_shape", ["3 to 5 sizes"]),
    (lambda: fn.conv_grad_input(DY, W, (2, 6, None, 4)), "input_shape", ["whole number"]),
    (lambda: fn.conv_grad_input(DY, W, (2, 6, 0, 4)), "input_shape", ["only the batch"]),
    (lambda: fn.conv_grad_input(DY, W, (2, 2, 7, 4)), "input_shape", ["spans 3", "[G7]"]),
    (lambda: fn.conv_grad_input(DY, W, (2, 6, 7, 5)), "weights", ["5 channels", "(3, 3, 5, 8)"]),
    (lambda: fn.conv_grad_input(DY, W[0], X.shape), "weights", ["3 axes", "needs 4"]),
    (lambda: fn.conv_grad_input(DY, W[:0], X.shape), "weights", ["empty"]),
    (lambda: fn.conv_grad_input(DY, W, X.shape, groups=3), "groups", ["4 channels"]),
    (lambda: fn.conv_grad_input(DY, W, X.shape, strides=0), "strides", ["at least 1"]),
    (lambda: fn.conv_grad_input(DY[:, :1, :1], W, X.shape, strides=2**70), "strides", ["2**60"]),
    (lambda: fn.conv_grad_weights(X, DY, 4), "dy", ["(2, 3, 4, any)"]),
    (lambda: fn.conv_grad_weights(X, DY, 8), "x", ["spans 8"]),
    (lambda: fn.conv_grad_weights(X, DY, 3, groups=3), "groups", ["4 channels"]),
    (lambda: fn.conv_grad_weights(X, DY[..., :7], 3, groups=2), "groups", ["7 filters"]),
    (lambda: fn.conv_grad_weights(X, DY[:, :1, :1], 3, strides=2**70), "strides", ["2**60"]),
    (lambda: fn.conv_grad_weights(X[0, 0], DY, 3), "x", ["2 axes"]),
    (lambda: fn.conv_transpose_grad_input(X, W, DY.shape, padding="same"), "dy", ["(2, 4, 5, 4)"]),
    (lambda: fn.conv_transpose_grad_input(X, W, (2, 4, 5, 7)), "weights", ["7 channels", "(3, 3, 4, 7)"]),
    (lambda: fn.conv_transpose_grad_weights(DY, X, 4), "dy", ["(2, 7, 8, any)"]),
    (lambda: fn.depthwise_conv_grad_input(DY, W, (2, 6, 7, 4)), "dy", ["(2, 4, 5, 32)"]),
    (lambda: fn.depthwise_conv_grad_weights(X, DY[..., :6], 3), "dy", ["6 channels", "4"]),
    (lambda: fn.separable_conv_grad_input(DY, W, W, X.shape), "pointwise_weights", ["32"]),
    (lambda: fn.separable_conv_grad_input(DY, W[..., :1], W, X.shape), "pointwise_weights", ["one cell"]),
    (lambda: fn.separable_conv_grad_weights(X, DY, W[:, :, :3], W), "depthwise_weights", ["4 channels"]),
    (lambda: fn.bias_grad(np.zeros(3)), "dy", ["1 axes"]),
    (lambda: fn.upsample_grad_input(DY, (2, 2, 3, 8)), "dy", ["(2, 4, 6, 8)"]),
    (lambda: fn.upsample_grad_input(DY, (2, 2, 3, 8), interpolation="linaer"), "interpolation", ["linear"]),
    (lambda: fn.resize_grad_input(DY, (2, 2, 3, 8), size=3), "dy", ["(2, 3, 3, 8)"]),
    (lambda: fn.zero_pad_grad_input(DY, (2, 2, 3, 8), padding=2), "dy", ["(2, 6, 7, 8)"]),
    (lambda: fn.crop_grad_input(DY, (2, 4, 5, 8)), "dy", ["(2, 2, 3, 8)"]),
    (lambda: fn.crop_grad_input(DY, (2, 2, 5, 8)), "cropping", ["2 of 2 cells"]),
    (lambda: fn.pad_grad_input(DY, (2, 2, 3, 8), padding=2, mode="reflect"), "padding", ["only 1"]),
    (lambda: fn.pad_grad_input(DY, (2, 2, 3, 8), padding=2), "dy", ["(2, 6, 7, 8)"]),
    (lambda: fn.unfold_grad_input(DY, (2, 6, 7, 4), kernel_size=3), "dy", ["(2, 4, 5, 36)"]),
    (lambda: fn.fold_grad_input(X, (2, 4, 5, 8), output_size=(6, 7), kernel_size=3), "input_shape", ["9 numbers"]),
    (lambda: fn.fold_grad_input(X, (2, 4, 5, 18), output_size=(6, 7), kernel_size=3), "dy", ["(2, 6, 7, 2)"]),
    (lambda: fn.fold_grad_input(X, (2, 4, 5, 18), output_size=(2, 7), kernel_size=3), "output_size", ["[G7]"]),
    (lambda: fn.conv_grad_weights_with(axis_of(5, 3), X[0], DY[0]), "x", ["geometry's input is (5,)"]),
    (lambda: fn.conv_grad_input_with(axis_of(6, 2), DY[0], W[0]), "weights", ["is (3,)", "(2,)"]),
    (lambda: fn.conv_grad_input_with(axis_of(6, 3), DY[0], W[0]), "dy", ["(any, 4, 8)"]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "argument", "parts"), ERRORS, ids=plain)
def test_errors(call, argument, parts):
    with pytest.raises(ConvError) as error:
        call()
    assert error.value.argument == argument
    for part in parts:
        assert part in str(error.value)


def test_size_is_said_before_anything_is_allocated():
    with pytest.raises(ConvError, match="GiB") as error:
        fn.conv_grad_input(np.zeros((1, 10, 1)), np.zeros((1, 1, 1)), (1, 10**13, 1), strides=10**12)
    assert error.value.argument == "dy"
    with pytest.raises(ConvError, match="GiB") as error:
        fn.resize_grad_input(np.zeros((1, 2, 1)), (1, 10**13, 1), size=2)
    assert error.value.argument == "dy"


def test_public_names():
    assert refconv.conv_grad_input is fn.conv_grad_input
    assert refconv.pad_grad_input is fn.pad_grad_input


# The bits of the loops.

JIT_IS_OFF = bool(numba.config.DISABLE_JIT)
AXES = (AxisGeometry(6, 3, 2, 1, 1, 2), AxisGeometry(5, 2, 1, 2, -1, 1), AxisGeometry(4, 2, 3, 1, 0, 2, 2, True))
LOOPS = {1: loops.conv1d_grad_weights, 2: loops.conv2d_grad_weights, 3: loops.conv3d_grad_weights}


def run_loop(rank, way, dtype=np.float64):
    """Run a loop, 0 for that of the bias, on 4 channels and 6 filters in 2 groups."""
    generator = np.random.default_rng(rank)
    axes = AXES[:rank]
    shapes = [(3, *(axis.input_size for axis in axes), 4), (3, *(axis.output_size for axis in axes), 6)]
    if np.dtype(dtype).kind == "i":
        arrays = [generator.integers(-(2**62), 2**62, shape) for shape in shapes]
    else:
        arrays = [generator.normal(size=shape) for shape in shapes]
        arrays[0].flat[[0, 5, -1]] = np.nan, np.inf, -0.0
    for array in arrays:
        array.flags.writeable = False  # As a TextbookLoop hands them over.
    if rank == 0:
        loop, out, arguments = loops.grad_bias, np.zeros(6, dtype), (arrays[1],)
    else:
        out = np.zeros((*(axis.kernel_size for axis in axes), 2, 6), dtype)
        loop, arguments = LOOPS[rank], (*arrays, *axes, 2)
    with np.errstate(all="ignore"):
        getattr(loop, way)(out, *arguments)
    return out


@pytest.mark.skipif(JIT_IS_OFF, reason="the JIT is off")
@pytest.mark.parametrize(
    ("rank", "dtype"),
    [
        pytest.param(rank, dtype, marks=() if dtype is np.float64 else pytest.mark.slow)
        for rank, dtype in itertools.product(range(4), (np.float64, np.int64))
    ],
)
def test_compiled_gives_the_same_bits(rank, dtype):
    assert run_loop(rank, "serial", dtype).tobytes() == run_loop(rank, "py", dtype).tobytes()


@pytest.mark.skipif(JIT_IS_OFF, reason="the JIT is off")
@pytest.mark.parametrize("rank", [pytest.param(rank, marks=() if rank == 2 else pytest.mark.slow) for rank in range(4)])
def test_any_number_of_threads_gives_the_same_bits(rank):
    expected = run_loop(rank, "py").tobytes()
    for threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
        numba.set_num_threads(threads)
        assert run_loop(rank, "parallel").tobytes() == expected


# PyTorch's autograd, live.


def torch_arrays(torch, *arrays):
    return [torch.tensor(first(array), requires_grad=True) for array in arrays]


def torch_kernel(torch, weights, transposed=False):
    """Weights (k..., C / g, F) as (F, C / g, k...), or (k..., M / g, C) as (C, M / g, k...): alike."""
    return torch.tensor(np.moveaxis(weights, (-1, -2), (0, 1)).copy(), requires_grad=True)


def of_torch(tensor):
    return last(tensor.detach().numpy())


def of_torch_kernel(tensor):
    return np.moveaxis(tensor.detach().numpy(), (0, 1), (-1, -2))


@pytest.mark.peers
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_conv_against_torch(rank, seed):
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(100 * rank + seed)
    kernel, strides, dilation = (tuple(int(n) for n in generator.integers(1, 4, rank)) for _ in range(3))
    padding = tuple(int(n) for n in generator.integers(0, 3, rank))
    groups = int(generator.integers(1, 3))
    channels, filters = groups * 2, groups * int(generator.integers(1, 4))
    size = tuple(d * (k - 1) + 1 + int(generator.integers(0, 3)) for d, k in zip(dilation, kernel, strict=True))
    words = {"strides": strides, "dilation_rate": dilation, "groups": groups}
    function = getattr(torch.nn.functional, f"conv{rank}d")

    x, weights = random_arrays((2, *size, channels), (*kernel, channels // groups, filters), seed=seed)
    (peer_x,), peer_weights = torch_arrays(torch, x), torch_kernel(torch, weights)
    bias = torch.zeros(filters, dtype=torch.float64, requires_grad=True)
    y = function(peer_x, peer_weights, bias, strides, padding, dilation, groups)
    (dy,) = random_arrays(of_torch(y).shape, seed=seed + 1)
    y.backward(torch.tensor(first(dy)))
    words["padding"] = tuple((p, p) for p in padding)
    np.testing.assert_allclose(fn.conv_grad_input(dy, weights, x.shape, **words), of_torch(peer_x.grad), **TOLERANCE)
    result = fn.conv_grad_weights(x, dy, kernel, **words)
    np.testing.assert_allclose(result, of_torch_kernel(peer_weights.grad), **TOLERANCE)
    np.testing.assert_allclose(fn.bias_grad(dy), bias.grad.numpy(), **TOLERANCE)

    function = getattr(torch.nn.functional, f"conv_transpose{rank}d")
    extra = tuple(int(generator.integers(0, max(s, d))) for s, d in zip(strides, dilation, strict=True))
    small = tuple(min(p, k // 2) for p, k in zip(padding, kernel, strict=True))
    x, weights = random_arrays((2, *size, channels), (*kernel, filters // groups, channels), seed=seed)
    (peer_x,), peer_weights = torch_arrays(torch, x), torch_kernel(torch, weights)
    y = function(peer_x, peer_weights, None, strides, small, extra, groups, dilation)
    (dy,) = random_arrays(of_torch(y).shape, seed=seed + 1)
    y.backward(torch.tensor(first(dy)))
    words |= {"padding": tuple((p, p) for p in small), "output_padding": extra}
    result = fn.conv_transpose_grad_input(dy, weights, x.shape, **words)
    np.testing.assert_allclose(result, of_torch(peer_x.grad), **TOLERANCE)
    result = fn.conv_transpose_grad_weights(x, dy, kernel, **words)
    np.testing.assert_allclose(result, of_torch_kernel(peer_weights.grad), **TOLERANCE)


@pytest.mark.peers
@pytest.mark.parametrize(
    ("mode", "align_corners", "interpolation", "coordinates", "rank"),
    [
        ("nearest", None, "nearest", "asymmetric", 2),
        ("nearest-exact", None, "nearest", "half_pixel", 1),
        ("nearest-exact", None, "nearest", "half_pixel", 2),
        ("nearest-exact", None, "nearest", "half_pixel", 3),
        ("linear", False, "linear", "half_pixel", 1),
        ("linear", True, "linear", "align_corners", 1),
        ("bilinear", False, "bilinear", "half_pixel", 2),
        ("bilinear", True, "bilinear", "align_corners", 2),
        ("trilinear", False, "trilinear", "half_pixel", 3),
        ("trilinear", True, "trilinear", "align_corners", 3),
    ],
)
def test_resize_against_torch(mode, align_corners, interpolation, coordinates, rank):
    torch = pytest.importorskip("torch")
    for size, output_size in [((4, 3, 5), (8, 7, 3)), ((6, 7, 2), (3, 5, 4))]:
        (x,) = random_arrays((2, *size[:rank], 3))
        (peer,) = torch_arrays(torch, x)
        words = {} if align_corners is None else {"align_corners": align_corners}
        y = torch.nn.functional.interpolate(peer, output_size[:rank], mode=mode, **words)
        (dy,) = random_arrays(of_torch(y).shape, seed=1)
        y.backward(torch.tensor(first(dy)))
        result = fn.resize_grad_input(
            dy, x.shape, size=output_size[:rank], interpolation=interpolation, coordinates=coordinates
        )
        # PyTorch's coordinates are rounded; ours are exact fractions.
        np.testing.assert_allclose(result, of_torch(peer.grad), rtol=1e-6, atol=1e-6)


@pytest.mark.peers
@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pad_against_torch(mode, rank):
    torch = pytest.importorskip("torch")
    pairs = ((2, 1), (0, 3), (1, 2))[:rank]
    (x,) = random_arrays((2, *(4, 5, 3)[:rank], 3))
    (peer,) = torch_arrays(torch, x)
    y = torch.nn.functional.pad(peer, [amount for pair in pairs[::-1] for amount in pair], mode=mode)
    (dy,) = random_arrays(of_torch(y).shape, seed=1)
    y.backward(torch.tensor(first(dy)))
    result = fn.pad_grad_input(dy, x.shape, padding=pairs, mode=mode)
    np.testing.assert_allclose(result, of_torch(peer.grad), **TOLERANCE)
