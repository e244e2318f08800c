"""Calls that repeat: the second one skips the plan, and gives what the first one would."""

from __future__ import annotations

import numpy as np
import pytest

from refconv import functional as fn
from refconv.errors import ConvError
from refconv.functional import calls
from refconv.functional.calls import Call, repeated
from refconv.tiled import running

needs_jit = pytest.mark.skipif(not running.available(), reason="the tiled backend needs the JIT")


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(calls, "_kept", {})


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


X, WEIGHTS, BIAS, DY = random(2, 9, 11, 6), random(3, 2, 6, 5), random(5), random(2, 9, 11, 5)
DEPTHWISE, POINTWISE = random(3, 2, 6, 2), random(1, 1, 12, 5)
SAME = {"padding": "same", "backend": "tiled"}

FUNCTIONS = {
    "conv": (lambda **more: fn.conv(X, WEIGHTS, BIAS, **SAME, **more)),
    "conv_transpose": (lambda **more: fn.conv_transpose(DY, WEIGHTS, **SAME, **more)),
    "depthwise_conv": (lambda **more: fn.depthwise_conv(X, DEPTHWISE, **SAME, **more)),
    "separable_conv": (lambda **more: fn.separable_conv(X, DEPTHWISE, POINTWISE, BIAS, **SAME, **more)),
    "conv_grad_input": (lambda **more: fn.conv_grad_input(DY, WEIGHTS, X.shape, **SAME, **more)),
    "conv_grad_weights": (lambda **more: fn.conv_grad_weights(X, DY, (3, 2), **SAME, **more)),
    "conv_transpose_grad_input": (lambda **more: fn.conv_transpose_grad_input(X, WEIGHTS, DY.shape, **SAME, **more)),
    "conv_transpose_grad_weights": (lambda **more: fn.conv_transpose_grad_weights(DY, X, (3, 2), **SAME, **more)),
    "depthwise_conv_grad_input": (
        lambda **more: fn.depthwise_conv_grad_input(random(2, 9, 11, 12), DEPTHWISE, X.shape, **SAME, **more)
    ),
    "depthwise_conv_grad_weights": (
        lambda **more: fn.depthwise_conv_grad_weights(X, random(2, 9, 11, 12), (3, 2), **SAME, **more)
    ),
    "separable_conv_grad_input": (
        lambda **more: fn.separable_conv_grad_input(DY, DEPTHWISE, POINTWISE, X.shape, **SAME, **more)
    ),
    "separable_conv_grad_weights": (
        lambda **more: fn.separable_conv_grad_weights(X, DY, DEPTHWISE, POINTWISE, **SAME, **more)
    ),
    "bias_grad": (lambda **more: fn.bias_grad(DY, backend="tiled", **more)),
    "zero_pad": (lambda **more: fn.zero_pad(X, padding=((1, 2), (0, 1)), backend="tiled", **more)),
    "crop": (lambda **more: fn.crop(X, cropping=2, backend="tiled", **more)),
    "pad": (lambda **more: fn.pad(X, padding=2, mode="reflect", backend="tiled", **more)),
    "upsample": (lambda **more: fn.upsample(X, size=(2, 3), backend="tiled", **more)),
    "upsample_bilinear": (lambda **more: fn.upsample(X, interpolation="bilinear", backend="tiled", **more)),
    "resize": (lambda **more: fn.resize(X, size=(5, 20), backend="tiled", **more)),
    "unfold": (lambda **more: fn.unfold(X, kernel_size=(3, 2), **SAME, **more)),
    "fold": (lambda **more: fn.fold(random(2, 9, 11, 36), output_size=(9, 11), kernel_size=(3, 2), **SAME, **more)),
    "zero_pad_grad_input": (
        lambda **more: fn.zero_pad_grad_input(DY, (2, 7, 9, 5), padding=1, backend="tiled", **more)
    ),
    "crop_grad_input": (lambda **more: fn.crop_grad_input(DY, (2, 11, 13, 5), cropping=1, backend="tiled", **more)),
    "pad_grad_input": (
        lambda **more: fn.pad_grad_input(DY, (2, 7, 9, 5), padding=1, mode="circular", backend="tiled", **more)
    ),
    "upsample_grad_input": (
        lambda **more: fn.upsample_grad_input(DY, (2, 3, 11, 5), size=(3, 1), backend="tiled", **more)
    ),
    "resize_grad_input": (lambda **more: fn.resize_grad_input(DY, (2, 4, 5, 5), size=(9, 11), backend="tiled", **more)),
    "unfold_grad_input": (
        lambda **more: fn.unfold_grad_input(random(2, 9, 11, 36), X.shape, kernel_size=(3, 2), **SAME, **more)
    ),
    "fold_grad_input": (
        lambda **more: fn.fold_grad_input(X, (2, 9, 11, 36), output_size=(9, 11), kernel_size=(3, 2), **SAME, **more)
    ),
}


@needs_jit
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_repeated_call_gives_the_same_and_fills_out(name):
    first = FUNCTIONS[name]()
    assert len(calls._kept) == 1
    second = FUNCTIONS[name]()
    pair = isinstance(first, tuple)
    out = tuple(np.full_like(array, np.nan) for array in first) if pair else np.full_like(first, np.nan)
    third, fourth = FUNCTIONS[name](out=out), FUNCTIONS[name](out=out)
    assert third is fourth is out or (pair and all(a is b for a, b in zip(fourth, out, strict=True)))
    for found in (second, fourth):
        np.testing.assert_array_equal(
            np.concatenate([np.ravel(a) for a in found]), np.concatenate([*map(np.ravel, first)])
        )


@needs_jit
def test_new_data_of_the_same_shape_are_computed():
    fn.conv(X, WEIGHTS, **SAME)
    other = random(*X.shape, seed=1)
    expected = fn.conv(other.astype(float), WEIGHTS, padding="same", backend="textbook")
    np.testing.assert_allclose(fn.conv(other, WEIGHTS, **SAME), expected, rtol=1e-4, atol=1e-4)
    assert len(calls._kept) == 1


@needs_jit
def test_the_gradient_of_a_bias_is_the_sum_over_all_places():
    for shape in [(2, 9, 11, 5), (1, 7, 1), (3, 40, 50, 33), (0, 4, 3)]:
        dy, out = random(*shape), np.full(shape[-1], np.nan, np.float32)
        expected = dy.astype(float).sum(axis=tuple(range(dy.ndim - 1)))
        assert fn.bias_grad(dy, backend="tiled", out=out) is out
        np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(fn.bias_grad(dy, backend="textbook"), expected, rtol=1e-6)
        np.testing.assert_array_equal(fn.bias_grad(dy, backend="tiled"), out)


@needs_jit
def test_channels_first_repeats_too():
    x, words = np.moveaxis(X, -1, 1).copy(), {**SAME, "data_format": "channels_first"}
    expected = np.moveaxis(fn.conv(X, WEIGHTS, **SAME), -1, 1)
    for _ in range(2):
        np.testing.assert_array_equal(fn.conv(x, WEIGHTS, **words), expected)
    dy = np.moveaxis(DY, -1, 1).copy()
    for _ in range(2):
        found = fn.conv_grad_weights(x, dy, (3, 2), **words)
        np.testing.assert_array_equal(found, fn.conv_grad_weights(X, DY, (3, 2), **SAME))


@needs_jit
def test_what_looks_different_is_planned_anew():
    plain = fn.conv(X, WEIGHTS, **SAME)
    np.testing.assert_array_equal(fn.conv(X[:, ::-1], WEIGHTS, **SAME).shape, plain.shape)
    reversed_rows = fn.conv(np.ascontiguousarray(X[:, ::-1]), WEIGHTS, **SAME)
    np.testing.assert_array_equal(fn.conv(X[:, ::-1], WEIGHTS, **SAME), reversed_rows)
    np.testing.assert_array_equal(fn.conv(X.astype(">f4"), WEIGHTS, **SAME), plain)
    assert fn.conv(X.astype(float), WEIGHTS, **SAME).dtype == np.float64
    np.testing.assert_allclose(fn.conv(X, WEIGHTS, BIAS, **SAME), plain + BIAS, rtol=1e-5, atol=1e-5)
    assert fn.conv(X, WEIGHTS, strides=[2, 2], **SAME).shape == (2, 5, 6, 5)


@needs_jit
@pytest.mark.parametrize("wrong", [True, 1.0, "1", 0, (1, True)])
def test_what_equals_a_kept_word_is_still_refused(wrong):
    fn.conv(X, WEIGHTS, strides=1, **SAME)
    fn.conv(X, WEIGHTS, strides=(1, 1), **SAME)
    for _ in range(2):
        with pytest.raises(ConvError, match="strides"):
            fn.conv(X, WEIGHTS, strides=wrong, **SAME)


@needs_jit
def test_a_float_is_kept_as_it_is():
    words = {"padding": 1, "backend": "tiled"}
    for value in (0.0, -0.0, 1, 1.0, -0.0, 0.0, 0, np.nan, float("nan"), -np.nan, 2.5, 2.5):
        expected = np.full(1, value, np.float32).view(np.int32)
        assert fn.pad(X, value=value, **words)[0, 0, 0, 0].view(np.int32) == expected
    before = len(calls._kept)
    fn.pad(X, value=2.5, **words)
    fn.pad(X, value=np.nan, **words)
    assert len(calls._kept) == before
    with pytest.raises(ConvError, match="value"):
        fn.pad(X, value=True, **words)
    fn.pad(X, value=1.0, **words)
    with pytest.raises(ConvError, match="padding"):
        fn.pad(X, padding=1.0, backend="tiled")


@needs_jit
def test_out_is_checked_every_time():
    out = np.empty((2, 9, 11, 6), np.float32)
    weights = random(3, 2, 6, 6)
    for _ in range(2):
        assert fn.conv(X, weights, out=out, **SAME) is out
    with pytest.raises(ConvError, match="shares memory"):
        fn.conv(out, weights, out=out, **SAME)
    locked = out.copy()
    locked.flags.writeable = False
    with pytest.raises(ConvError, match="read-only"):
        fn.conv(X, weights, out=locked, **SAME)
    strided = np.empty((2, 9, 11, 12), np.float32)[..., ::2]
    assert fn.conv(X, weights, out=strided, **SAME) is strided
    np.testing.assert_array_equal(strided, out)
    first, second = fn.separable_conv_grad_weights(X, DY, DEPTHWISE, POINTWISE, **SAME)
    memory = np.empty(first.size + second.size, np.float32)
    both = memory[: first.size].reshape(first.shape), memory[1 : second.size + 1].reshape(second.shape)
    for _ in range(2):
        with pytest.raises(ConvError, match="shares memory"):
            fn.separable_conv_grad_weights(X, DY, DEPTHWISE, POINTWISE, out=both, **SAME)
    with pytest.raises(ConvError, match="tuple of two"):
        fn.separable_conv_grad_weights(X, DY, DEPTHWISE, POINTWISE, out=first, **SAME)


@needs_jit
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_packed_weights_repeat_until_they_change(data_format, monkeypatch):
    from refconv.tiled import cpu, packing

    packings = []

    class Counted(cpu.Launch):
        def __call__(self, *arrays):
            super().__call__(*arrays)
            if self._kernel is packing.pack_transposed:
                packings.append(arrays)

    monkeypatch.setattr(cpu, "Launch", Counted)
    calls._kept.clear()
    weights = random(3, 3, 40, 24)
    x = random(1, 20, 20, 24) if data_format == "channels_last" else random(1, 24, 20, 20)
    kept, words = fn.PackedWeights(weights), {**SAME, "strides": 2, "data_format": data_format}
    for _ in range(3):
        expected = fn.conv_transpose(x, weights.copy(), **words)
        packings.clear()
        for _ in range(3):
            np.testing.assert_array_equal(fn.conv_transpose(x, kept, **words), expected)
        assert len(packings) == 1
        weights[1, 1] *= -2
    # Also where no call of these shapes came before.
    calls._kept.clear()
    packings.clear()
    kept = fn.PackedWeights(weights)
    for _ in range(3):
        fn.conv_transpose(x, kept, **words)
    assert len(packings) == 1


@needs_jit
def test_a_layer_keeps_its_packed_kernel_until_it_changes():
    from refconv.layers import Conv2DTranspose

    layer, x = Conv2DTranspose(40, 3, strides=2, use_bias=False), random(1, 20, 20, 24)
    layer(x)
    for change in ("assign", "in place", "nothing"):
        if change == "assign":
            layer.kernel = random(3, 3, 40, 24, seed=5)
        elif change == "in place":
            layer.kernel[1] = 3
        for _ in range(2):
            np.testing.assert_array_equal(layer(x), fn.conv_transpose(x, layer.kernel, strides=2))


def plan_twice(x, word, out):
    plan_twice.plans += 1
    return Call(lambda x, out: x * word, (x,), repeats=True)


def test_no_more_are_kept_than_said(monkeypatch):
    monkeypatch.setattr(calls, "_MOST_KEPT", 3)
    plan_twice.plans = 0
    x = np.ones(3)
    for word in [1, 2, 1, 2, 3, 4, 4]:
        np.testing.assert_array_equal(repeated(plan_twice, (x,), (word,)), x * word)
        assert len(calls._kept) <= 3
    assert plan_twice.plans == 4


def test_large_operands_are_planned_every_time(monkeypatch):
    monkeypatch.setattr(calls, "_LARGEST_KEPT", 16)
    plan_twice.plans = 0
    for _ in range(2):
        repeated(plan_twice, (np.ones(3),), (1,))
    assert plan_twice.plans == 2
    assert not calls._kept
