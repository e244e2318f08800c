"""Keras-style layers, against a small NumPy oracle, `refconv.functional`, and Keras itself."""

from __future__ import annotations

import importlib.util
import inspect
import itertools
import json
import math
import os
import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from refconv import ConvError, functional, initializers, layers

RNG = np.random.default_rng(20240607)


# The oracle materialises padding and stamps kernels; it imports nothing of what it checks.


def same_pads(n: int, k: int, s: int, d: int) -> tuple[int, int]:
    total = max((math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0)
    return total // 2, total - total // 2


def oracle_conv(x, w, strides, padding, dilation, groups=1):
    sizes, kernel = x.shape[1:-1], w.shape[:-2]
    ways = {
        "valid": lambda n, k, s, d: (0, 0),
        "same": same_pads,
        "causal": lambda n, k, s, d: ((k - 1) * d, 0),
    }
    pads = [ways[padding](*numbers) for numbers in zip(sizes, kernel, strides, dilation, strict=True)]
    x = np.pad(np.asarray(x, float), [(0, 0), *pads, (0, 0)])
    outs = [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(x.shape[1:-1], kernel, strides, dilation, strict=True)]
    y = np.zeros((x.shape[0], *outs, w.shape[-1]))
    per_in, per_out = w.shape[-2], w.shape[-1] // groups
    for k in np.ndindex(*kernel):
        cut = tuple(
            slice(i * d, i * d + (o - 1) * s + 1, s) for i, d, o, s in zip(k, dilation, outs, strides, strict=True)
        )
        part = x[(slice(None), *cut)]
        for g in range(groups):
            ins, filters = slice(g * per_in, (g + 1) * per_in), slice(g * per_out, (g + 1) * per_out)
            y[..., filters] += part[..., ins] @ np.asarray(w, float)[k][:, filters]
    return y


def oracle_transposed(x, w, strides, padding, output_padding, dilation):
    kernel = w.shape[:-2]
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    sizes = x.shape[1:-1]
    full = np.zeros(
        (x.shape[0], *((n - 1) * s + ke for n, s, ke in zip(sizes, strides, spans, strict=True)), w.shape[-2])
    )
    for i in np.ndindex(*sizes):
        for k in np.ndindex(*kernel):
            at = tuple(a * s + b * d for a, s, b, d in zip(i, strides, k, dilation, strict=True))
            full[(slice(None), *at)] += x[(slice(None), *i)] @ np.asarray(w, float)[k].T
    for axis, (ke, s) in enumerate(zip(spans, strides, strict=True)):
        op = None if output_padding is None else output_padding[axis]
        if padding == "valid":
            lo, hi = 0, -max(s - ke, 0) if op is None else -op
        else:
            total = ke - s if op is None else ke - ke % 2 - op
            lo = max(total // 2, 0)
            hi = total - lo
        ends = [(0, 0)] * full.ndim
        ends[axis + 1] = (0, max(-hi, 0))
        full = np.pad(full, ends)
        full = np.moveaxis(np.moveaxis(full, axis + 1, 0)[lo : full.shape[axis + 1] - max(hi, 0)], 0, axis + 1)
    return full


def oracle_depthwise(x, w, strides, padding, dilation):
    parts = [
        oracle_conv(x[..., c : c + 1], w[..., c : c + 1, :], strides, padding, dilation) for c in range(x.shape[-1])
    ]
    return np.concatenate(parts, axis=-1)


def oracle_separable(x, w, p, strides, padding, dilation):
    return oracle_depthwise(x, w, strides, padding, dilation) @ np.asarray(p, float).reshape(p.shape[-2:])


SIZES = {1: (9,), 2: (9, 7), 3: (7, 5, 6)}


def made(name: str, rank: int, channels: int, *args: Any, **kwargs: Any):
    """Make and build a layer with random weights, and random input for it, as the layer sees it."""
    layer = getattr(layers, name)(*args, **kwargs)
    shape = (2, *SIZES[rank], channels)
    if layer.data_format == "channels_first":
        shape = (2, channels, *SIZES[rank])
    layer.build(shape)
    layer.set_weights([RNG.normal(size=w.shape) for w in layer.weights])
    return layer, RNG.normal(size=shape)


def last(layer, x):
    return np.moveaxis(x, 1, -1) if layer.data_format == "channels_first" else x


def check(layer, x, expected) -> None:
    """Compare with the oracle: float32 layers round once, at the end of sums in double precision."""
    y = layer(x)
    assert y.dtype == layer.dtype
    assert y.shape == layer.compute_output_shape(x.shape)
    if layer.activation is not None and "relu" in repr(layer.activation):
        expected = np.maximum(expected, 0)
    tolerance = {"float16": 2e-2, "float32": 2e-6, "float64": 1e-12}[layer.dtype]
    np.testing.assert_allclose(last(layer, y), expected, rtol=tolerance, atol=tolerance * 10)


WINDOWS = [
    {"kernel_size": 3},
    {"kernel_size": 2, "strides": 2, "padding": "same"},
    {"kernel_size": 3, "strides": 3, "padding": "VALID", "use_bias": False},
    {"kernel_size": 2, "dilation_rate": 2, "padding": "same", "activation": "relu"},
    {"kernel_size": 2, "strides": 3, "data_format": "channels_first", "dtype": "float64"},
]


@pytest.mark.parametrize("options", [*WINDOWS, {"kernel_size": 2, "groups": 2}], ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv_against_the_oracle(rank: int, options: dict[str, Any]) -> None:
    layer, x = made(f"Conv{rank}D", rank, 4, 6, **options)
    bias = 0 if layer.bias is None else layer.bias
    # The layer rounds its input to its own type first.
    x_used = last(layer, x.astype(layer.dtype))
    y = oracle_conv(x_used, layer.kernel, layer.strides, layer.padding, layer.dilation_rate, layer.groups)
    check(layer, x, y + bias)


@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (1, 3)])
def test_causal_conv_against_the_oracle(strides: int, dilation: int) -> None:
    layer, x = made("Conv1D", 1, 3, 2, 3, strides=strides, dilation_rate=dilation, padding="causal")
    y = oracle_conv(x.astype("float32"), layer.kernel, layer.strides, "causal", layer.dilation_rate)
    check(layer, x, y + layer.bias)


@pytest.mark.parametrize(
    "options",
    [
        *WINDOWS,
        {"kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 1},
        {"kernel_size": 2, "strides": 3, "padding": "valid", "output_padding": 0},
        {"kernel_size": 1, "strides": 3, "padding": "same"},
    ],
    ids=str,
)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv_transpose_against_the_oracle(rank: int, options: dict[str, Any]) -> None:
    layer, x = made(f"Conv{rank}DTranspose", rank, 3, 2, **options)
    assert layer.kernel.shape == (*layer.kernel_size, 2, 3)
    bias = 0 if layer.bias is None else layer.bias
    x_used = last(layer, x.astype(layer.dtype))
    y = oracle_transposed(x_used, layer.kernel, layer.strides, layer.padding, layer.output_padding, layer.dilation_rate)
    check(layer, x, y + bias)


BOTH = {"kernel_size": 2, "strides": 2, "dilation_rate": 2}


@pytest.mark.parametrize("options", [*WINDOWS, BOTH, {"kernel_size": 2, "depth_multiplier": 3}], ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_depthwise_against_the_oracle(rank: int, options: dict[str, Any]) -> None:
    layer, x = made(f"DepthwiseConv{rank}D", rank, 3, **options)
    assert layer.depthwise_kernel is layer.kernel
    bias = 0 if layer.bias is None else layer.bias
    y = oracle_depthwise(
        last(layer, x.astype(layer.dtype)), layer.kernel, layer.strides, layer.padding, layer.dilation_rate
    )
    check(layer, x, y + bias)


@pytest.mark.parametrize("options", [*WINDOWS, BOTH, {"kernel_size": 2, "depth_multiplier": 3}], ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_separable_against_the_oracle(rank: int, options: dict[str, Any]) -> None:
    layer, x = made(f"SeparableConv{rank}D", rank, 3, 4, **options)
    bias = 0 if layer.bias is None else layer.bias
    y = oracle_separable(
        last(layer, x.astype(layer.dtype)),
        layer.depthwise_kernel,
        layer.pointwise_kernel,
        layer.strides,
        layer.padding,
        layer.dilation_rate,
    )
    check(layer, x, y + bias)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_upsampling_repeats(data_format: str) -> None:
    x1, x2, x3 = (RNG.integers(0, 99, (2, *SIZES[rank], 3)) for rank in (1, 2, 3))
    np.testing.assert_array_equal(layers.UpSampling1D(3)(x1), np.repeat(x1, 3, axis=1))
    first = data_format == "channels_first"
    for layer, x in (
        (layers.UpSampling2D((3, 2), data_format), x2),
        (layers.UpSampling3D((2, 1, 3), data_format), x3),
    ):
        expected = x
        for axis, size in enumerate(layer.size):
            expected = np.repeat(expected, size, axis=axis + 1)
        y = layer(np.moveaxis(x, -1, 1) if first else x)
        assert y.dtype == np.int64
        np.testing.assert_array_equal(last(layer, y), expected)


def test_bilinear_upsampling_against_interp() -> None:
    x = RNG.normal(size=(1, 4, 5, 2))
    y = layers.UpSampling2D((3, 2), interpolation="Bilinear", dtype="float64")(x)
    for axis, size in ((1, 3), (2, 2)):
        n = x.shape[axis]
        at = (np.arange(n * size) + 0.5) / size - 0.5
        x = np.apply_along_axis(lambda line, at=at, n=n: np.interp(at, np.arange(n), line), axis, x)
    np.testing.assert_allclose(y, x, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method", ["bilinear", "bicubic", "lanczos3", "lanczos5"])
def test_interpolating_upsampling_is_that_of_functional(method: str) -> None:
    x = RNG.normal(size=(2, 3, 4, 5)).astype("float32")
    layer = layers.UpSampling2D(2, "channels_first", method)
    expected = functional.upsample(x, size=2, interpolation=method, data_format="channels_first")
    np.testing.assert_array_equal(layer(x), expected)
    assert layer(RNG.integers(0, 9, (1, 2, 3, 3))).dtype == np.float32
    with pytest.raises(ConvError, match="use 'nearest', or stages"):
        layer.geometry((2, 3, 4, 5))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_zero_padding_and_cropping(rank: int) -> None:
    pairs = ((1, 2), (0, 3), (2, 1))[:rank]
    argument = pairs[0] if rank == 1 else pairs
    x = RNG.normal(size=(2, *SIZES[rank], 3)).astype("float32")
    padded = layers.__dict__[f"ZeroPadding{rank}D"](argument)
    np.testing.assert_array_equal(padded(x), np.pad(x, [(0, 0), *pairs, (0, 0)]))
    cropped = layers.__dict__[f"Cropping{rank}D"](argument)
    cut = tuple(slice(before, n - after) for n, (before, after) in zip(SIZES[rank], pairs, strict=True))
    np.testing.assert_array_equal(cropped(x), x[(slice(None), *cut)])
    assert padded.padding == cropped.cropping == argument
    np.testing.assert_array_equal(cropped(padded(x)), x)
    if rank > 1:
        first = layers.__dict__[f"Cropping{rank}D"](argument, data_format="channels_first")
        np.testing.assert_array_equal(last(first, first(np.moveaxis(x, -1, 1))), cropped(x))


def test_padding_amounts_are_read_as_keras_reads_them() -> None:
    assert layers.ZeroPadding1D(2).padding == (2, 2)
    assert layers.ZeroPadding2D((1, 2)).padding == ((1, 1), (2, 2))
    assert layers.ZeroPadding3D().padding == ((1, 1), (1, 1), (1, 1))
    assert layers.Cropping1D().cropping == (1, 1)
    assert layers.Cropping2D().cropping == ((0, 0), (0, 0))
    assert layers.Cropping3D((2, 4, 2)).cropping == ((2, 2), (4, 4), (2, 2))


# What the layers share with functional, with a geometry, and with their stages.

EXAMPLES: list[tuple[str, int, tuple[Any, ...], dict[str, Any]]] = [
    *((f"Conv{r}D", r, (4, 2, 2), {"groups": 2, "padding": "same"}) for r in (1, 2, 3)),
    *((f"Conv{r}DTranspose", r, (3, 2, 3), {"padding": "same"}) for r in (1, 2, 3)),
    ("Conv2DTranspose", 2, (3, (3, 2), (2, 1)), {"data_format": "channels_first"}),
    *((f"DepthwiseConv{r}D", r, (3, 2), {"depth_multiplier": 2}) for r in (1, 2, 3)),
    *((f"SeparableConv{r}D", r, (3, 2), {"depth_multiplier": 2, "dilation_rate": 2}) for r in (1, 2, 3)),
    ("SeparableConv2D", 2, (3, (3, 2)), {"data_format": "channels_first", "use_bias": False}),
    *((f"UpSampling{r}D", r, (), {}) for r in (1, 2, 3)),
    ("UpSampling2D", 2, ((1, 3), "channels_first"), {"interpolation": "bicubic"}),
    *((f"ZeroPadding{r}D", r, (2,), {}) for r in (1, 2, 3)),
    *((f"Cropping{r}D", r, (1,), {}) for r in (1, 2, 3)),
]


@pytest.mark.parametrize(("name", "rank", "args", "kwargs"), EXAMPLES, ids=str)
def test_stages_compute_what_the_layer_computes(name: str, rank: int, args: Any, kwargs: Any) -> None:
    layer, x = made(name, rank, 4, *args, dtype="float64", **kwargs)
    value = last(layer, x)
    for stage in layer.stages(x.shape):
        if stage.geometry is None:
            for axis, rows in enumerate(stage.interpolation):
                matrix = np.zeros((len(rows), value.shape[axis + 1]))
                for o, row in enumerate(rows):
                    for i, weight in row:
                        matrix[o, i] += weight
                value = np.moveaxis(np.tensordot(matrix, value, (1, axis + 1)), 0, axis + 1)
        else:
            value = functional.conv_with(stage.geometry, value, stage.weights, stage.bias)
    np.testing.assert_allclose(last(layer, layer(x)), value, rtol=1e-12, atol=1e-12)
    if stage.geometry is not None:
        shape = layer.compute_output_shape(x.shape)
        spatial = shape[2:] if layer.data_format == "channels_first" else shape[1:-1]
        assert layer.geometry(x.shape).output_size == spatial


def test_an_unbuilt_layer_has_stages_without_weights() -> None:
    for name, args in (
        ("Conv2D", (4, 3)),
        ("Conv2DTranspose", (4, 3)),
        ("SeparableConv2D", (4, 3)),
        ("DepthwiseConv2D", (3,)),
    ):
        stages = getattr(layers, name)(*args).stages((None, 8, 8, 6))
        assert all(stage.weights is None and stage.bias is None for stage in stages)
        assert stages[0].geometry is not None
    assert [stage.name for stage in layers.SeparableConv1D(4, 3).stages((1, 8, 6))] == ["depthwise", "pointwise"]
    assert layers.SeparableConv1D(4, 3).stages((1, 8, 6))[0].geometry.groups == 6
    assert layers.DepthwiseConv2D(3).geometry((None, 8, 8, 6)).groups == 6


@pytest.mark.parametrize(("name", "rank", "args", "kwargs"), EXAMPLES, ids=str)
def test_a_configuration_makes_an_equal_layer(name: str, rank: int, args: Any, kwargs: Any) -> None:
    layer, x = made(name, rank, 4, *args, **kwargs)
    config = layer.get_config()
    json.dumps(config)
    before = json.dumps(config)
    twin = type(layer).from_config(config)
    assert json.dumps(config) == before
    assert twin.get_config() == config
    assert twin.name == layer.name
    twin.build(x.shape)
    twin.set_weights(layer.get_weights())
    np.testing.assert_array_equal(twin(x), layer(x))


def test_functions_survive_a_configuration() -> None:
    layer = layers.Conv1D(2, 3, activation=np.tanh, kernel_initializer=ramp)
    twin = layers.Conv1D.from_config(layer.get_config())
    x = RNG.normal(size=(1, 6, 2)).astype("float32")
    np.testing.assert_array_equal(twin(x), layer(x))
    np.testing.assert_allclose(layer(x), np.tanh(functional.conv(x, ramp((3, 2, 2)))), rtol=1e-6)


def ramp(shape, dtype="float32"):
    return np.arange(math.prod(shape), dtype=dtype).reshape(shape) / 10


def described(**changes: Any) -> dict[str, Any]:
    return {
        "activation": {"class_name": "leaky_relu", "config": {"negative_slope": 0.1}},
        "kernel_initializer": {"class_name": "HeUniform", "config": {"seed": 3}},
        "bias_initializer": {"class_name": "Constant", "config": {"value": 0.25}},
        "kernel_regularizer": "l2",
        "bias_regularizer": {"class_name": "L1", "config": {"l1": 0.5}},
        "activity_regularizer": {"class_name": "L1L2", "config": {"l1": 0.125, "l2": 0.0}},
        "kernel_constraint": {"class_name": "MaxNorm", "config": {"max_value": 3, "axis": [0, 1]}},
        "bias_constraint": "non_neg",
        **changes,
    }


def test_every_argument_that_names_something_survives_a_configuration() -> None:
    layer = layers.Conv1D(2, 3, **described())
    config = layer.get_config()
    assert json.loads(json.dumps(config))["kernel_constraint"] == {
        "module": "keras.constraints",
        "class_name": "MaxNorm",
        "config": {"max_value": 3, "axis": [0, 1]},
        "registered_name": None,
    }
    twin = layers.Conv1D.from_config(config)
    assert twin.get_config() == config
    x = RNG.normal(size=(1, 6, 2)).astype("float32")
    np.testing.assert_array_equal(twin(x), layer(x))
    z = oracle_conv(x, layer.kernel, (1,), "valid", (1,)) + 0.25
    np.testing.assert_allclose(layer(x), np.where(z > 0, z, 0.1 * z), rtol=1e-5, atol=1e-6)
    w = np.array([-2.0, 3.0])
    assert layer.kernel_regularizer(w) == pytest.approx(0.01 * 13)
    assert layer.bias_regularizer(w) == pytest.approx(2.5)
    assert layer.activity_regularizer(w) == pytest.approx(0.625)
    assert layer.bias_constraint(w).tolist() == [0, 3]


def test_layers_without_weights_have_an_activity_regularizer() -> None:
    for kind in (layers.UpSampling1D, layers.ZeroPadding2D, layers.Cropping3D):
        layer = kind(activity_regularizer="l2")
        assert layer.activity_regularizer(np.ones(3)) == pytest.approx(0.03)
        assert kind.from_config(layer.get_config()).get_config() == layer.get_config()
        assert "activity_regularizer" not in kind().get_config()


def test_glu_halves_the_channels() -> None:
    for data_format, shape in (("channels_last", (2, 5, 3)), ("channels_first", (2, 3, 6))):
        layer = layers.Conv1D(4, 3, activation="glu", data_format=data_format)
        x = RNG.normal(size=shape)
        assert layer(x).shape == layer.compute_output_shape(shape) == (2, *{5: (3, 2), 3: (4, 2)}[shape[1]])
    assert layers.Conv1D(4, 3, activation="glu").compute_output_shape((None, None, 3)) == (None, None, 2)


@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D"])
def test_softmax_is_over_the_last_axis(name: str) -> None:
    args = (3,) if name == "DepthwiseConv2D" else (4, 3)
    layer, x = made(name, 2, 4, *args, activation="softmax", dtype="float64")
    np.testing.assert_allclose(layer(x).sum(axis=-1), 1, rtol=1e-12)


# Shapes.


@pytest.mark.parametrize(
    ("name", "args", "shape", "expected"),
    [
        ("Conv1D", (32, 3), (4, 10, 128), (4, 8, 32)),
        ("Conv2D", (32, 3), (4, 10, 10, 128), (4, 8, 8, 32)),
        ("Conv3D", (32, 3), (4, 10, 10, 10, 128), (4, 8, 8, 8, 32)),
        ("Conv1DTranspose", (32, 3, 2), (4, 10, 128), (4, 21, 32)),
        ("Conv2DTranspose", (32, 2, 2), (4, 10, 8, 128), (4, 20, 16, 32)),
        ("Conv3DTranspose", (32, 2, 2), (4, 10, 8, 12, 128), (4, 20, 16, 24, 32)),
        ("DepthwiseConv2D", (3,), (4, 10, 10, 12), (4, 8, 8, 12)),
        ("Conv1D", (32, 3), (None, None, 128), (None, None, 32)),
        ("Conv2D", (32, 3), (None, 10, None, 128), (None, 8, None, 32)),
        ("Conv1DTranspose", (32, 3, 2), (None, None, 128), (None, None, 32)),
        ("SeparableConv2D", (5, 3), (None, None, 9, None), (None, None, 7, 5)),
        ("DepthwiseConv1D", (3, 1, "same", 2), (None, None, 4), (None, None, 8)),
        ("DepthwiseConv1D", (3, 1, "same", 2), (None, 6, None), (None, 6, None)),
        ("UpSampling2D", ((2, 3),), (None, None, 4, 1), (None, None, 12, 1)),
        ("ZeroPadding1D", (), (None, None, None), (None, None, None)),
        ("Cropping3D", (2,), (None, None, 5, 6, 1), (None, None, 1, 2, 1)),
    ],
    ids=str,
)
def test_output_shapes(name: str, args: Any, shape: Any, expected: Any) -> None:
    assert getattr(layers, name)(*args).compute_output_shape(shape) == expected


def test_keras_documented_examples() -> None:
    """Every example in the docstrings of Keras 3.15.1's layers, whose positional arguments are taken as they stand."""
    x = RNG.random((4, 10, 128))
    assert layers.Conv1DTranspose(32, 3, 2, activation="relu")(x).shape == (4, 21, 32)
    assert layers.Conv1D(32, 3, activation="relu")(x).shape == (4, 8, 32)
    x = RNG.random((4, 10, 12))
    # These documented examples pass 2 for the padding, which Keras' own classes refuse too.
    with pytest.raises(ConvError, match="`padding` = 2"):
        layers.DepthwiseConv1D(3, 3, 2, activation="relu")
    with pytest.raises(ConvError, match="`padding` = 2"):
        layers.SeparableConv1D(3, 4, 3, 2, activation="relu")
    assert layers.DepthwiseConv1D(3, 3, depth_multiplier=3, activation="relu")(x).shape == (4, 3, 36)
    assert layers.SeparableConv1D(3, 4, 3, activation="relu")(x).shape == (4, 3, 3)
    x = np.arange(12).reshape(2, 2, 3)
    assert layers.UpSampling1D(size=2)(x).tolist() == np.repeat(x, 2, axis=1).tolist()
    assert layers.ZeroPadding1D(padding=2)(x)[:, 2:4].tolist() == x.tolist()
    x = np.arange(4).reshape(1, 1, 2, 2)
    assert layers.ZeroPadding2D(padding=1)(x)[0, 1].tolist() == [[0, 0], [0, 1], [2, 3], [0, 0]]
    x = np.arange(12).reshape(2, 3, 2)
    assert layers.Cropping1D(cropping=1)(x).tolist() == [[[2, 3]], [[8, 9]]]
    x = np.zeros((2, 28, 28, 3))
    assert layers.Cropping2D(cropping=((2, 2), (4, 4)))(x).shape == (2, 24, 20, 3)
    assert layers.Cropping3D(cropping=(2, 4, 2))(np.zeros((2, 28, 28, 10, 3))).shape == (2, 24, 20, 6, 3)
    assert layers.UpSampling3D(size=(2, 2, 2))(np.ones((2, 1, 2, 1, 3))).shape == (2, 2, 4, 2, 3)


def test_an_empty_batch_has_an_empty_output() -> None:
    assert layers.Conv2D(3, 2)(np.zeros((0, 5, 5, 2))).shape == (0, 4, 4, 3)
    assert layers.UpSampling2D(interpolation="bilinear")(np.zeros((0, 5, 5, 2))).shape == (0, 10, 10, 2)


def test_positional_order_of_data_format_and_output_padding() -> None:
    assert layers.Conv2DTranspose(1, 3, 2, "same", 1, "channels_first").output_padding == (1, 1)
    layer = layers.Conv3DTranspose(1, 3, 2, "same", "channels_first", 1)
    assert (layer.data_format, layer.output_padding) == ("channels_first", (1, 1, 1))


# Weights, names and types.


def test_weights_are_built_copied_and_counted() -> None:
    layer = layers.SeparableConv2D(5, 3, depth_multiplier=2)
    assert layer.weights == []
    assert not layer.built
    with pytest.raises(AttributeError, match="call the layer, or build"):
        _ = layer.depthwise_kernel
    assert not hasattr(layer, "bias")
    layer.build((None, None, None, 4))
    assert [w.shape for w in layer.get_weights()] == [(3, 3, 4, 2), (1, 1, 8, 5), (5,)]
    assert layer.count_params() == 72 + 40 + 5
    kernel = layer.depthwise_kernel.copy()
    layer.build((2, 9, 9, 4))
    np.testing.assert_array_equal(layer.depthwise_kernel, kernel)
    copies = layer.get_weights()
    copies[0][:] = 7
    np.testing.assert_array_equal(layer.depthwise_kernel, kernel)
    given = [np.ones((3, 3, 4, 2)), np.ones((1, 1, 8, 5)), np.arange(5)]
    layer.set_weights(given)
    given[0][:] = 9
    assert layer.depthwise_kernel.max() == 1
    assert {w.dtype for w in layer.weights} == {np.dtype("float32")}
    assert len(layer.trainable_weights) == 3
    layer.trainable = False
    assert (len(layer.trainable_weights), len(layer.non_trainable_weights)) == (0, 3)
    assert layers.Cropping1D().count_params() == 0


def test_a_weight_may_be_assigned() -> None:
    layer = layers.Conv1D(1, 2)
    layer.build((1, 4, 1))
    layer.kernel = [[[1]], [[10]]]
    layer.bias = [0.5]
    assert layer([[[1], [2], [3]]]).ravel().tolist() == [21.5, 32.5]
    with pytest.raises(ConvError, match=r"`kernel` = array of shape \(3, 1, 1\).*has shape \(2, 1, 1\)"):
        layer.kernel = np.ones((3, 1, 1))
    assert layer.kernel.shape == (2, 1, 1)


def test_names_are_numbered_as_in_keras() -> None:
    one, two = layers.Conv2DTranspose(1, 1), layers.Conv2DTranspose(1, 1)
    head, _, number = two.name.rpartition("_")
    assert head == "conv2d_transpose"
    assert one.name in (f"{head}_{int(number) - 1}", head)
    assert layers.UpSampling3D().name.startswith("up_sampling3d")
    assert layers.SeparableConv1D(1, 1, name="mine").name == "mine"
    assert repr(layers.SeparableConv1D(1, 1, name="mine")) == "<SeparableConv1D name=mine, built=False>"


def test_layers_compute_in_floatx() -> None:
    x = RNG.random((2, 5, 3))
    for name, args in (("Conv1D", (2, 3)), ("UpSampling1D", ()), ("ZeroPadding1D", ()), ("Cropping1D", ())):
        assert getattr(layers, name)(*args)(x).dtype == np.float32
        assert getattr(layers, name)(*args, dtype="float64")(x).dtype == np.float64
        assert getattr(layers, name)(*args, dtype=np.float16)(x).dtype == np.float16
    assert layers.Conv1D(2, 3)(np.ones((1, 5, 3), int)).dtype == np.float32
    assert layers.ZeroPadding1D()(np.ones((1, 5, 3), np.uint8)).dtype == np.int64
    assert layers.Conv1D(2, 3, activation=lambda y: y.astype("float64"))(x).dtype == np.float32
    assert layers.Conv1D(2, 3, dtype=float).dtype == "float32", "as in Keras"


def test_inputs_are_not_changed() -> None:
    x = RNG.normal(size=(1, 5, 3)).astype("float32")
    kept = x.copy()
    layers.Conv1D(3, 1, activation="relu")(x)
    y = layers.Cropping1D(0)(x)
    y[:] = 0
    np.testing.assert_array_equal(x, kept)


def test_relu_and_linear() -> None:
    x = np.array([[[-1.0], [0.0], [2.0], [np.nan]]], np.float32)
    layer = layers.Conv1D(1, 1, activation="relu", kernel_initializer="ones")
    np.testing.assert_array_equal(layer(x).ravel(), [0, 0, 2, np.nan])
    layer = layers.Conv1D(1, 1, activation="linear", kernel_initializer="Ones", bias_initializer="ones")
    np.testing.assert_array_equal(layer(x).ravel(), [0, 1, 3, np.nan])


# Initializers.


@pytest.mark.parametrize(
    ("name", "args", "channels", "fan_in", "fan_out"),
    [
        ("Conv2D", (40, 5), 30, 25 * 30, 25 * 40),
        ("Conv2DTranspose", (40, 5), 30, 25 * 40, 25 * 30),
        ("DepthwiseConv2D", (5, 1, "valid", 20), 60, 25 * 60, 25 * 20),
        ("Conv1D", (300, 5), 30, 5 * 30, 5 * 300),
    ],
)
def test_glorot_uniform_fills_its_bounds(name: str, args: Any, channels: int, fan_in: int, fan_out: int) -> None:
    random.seed(3)
    layer = getattr(layers, name)(*args)
    values = _built(layer, channels).ravel()
    limit = math.sqrt(6 / (fan_in + fan_out))
    assert values.dtype == np.float32
    assert np.abs(values).max() <= limit * (1 + 1e-6)
    assert np.abs(values).max() > 0.999 * limit
    # Four standard errors of the mean and of the variance of a uniform distribution.
    n = values.size
    assert abs(values.mean()) < 4 * limit / math.sqrt(3 * n)
    assert values.var() == pytest.approx(limit**2 / 3, abs=4 * limit**2 * math.sqrt(4 / 45 / n))
    assert np.count_nonzero(layer.bias) == 0


def _built(layer, channels):
    layer.build((None,) * (layer.rank + 1) + (channels,))
    return layer.kernel


def test_seeds() -> None:
    shape = (3, 3, 2, 4)
    one = initializers.GlorotUniform(seed=1)
    np.testing.assert_array_equal(one(shape), one(shape))
    np.testing.assert_array_equal(one(shape), initializers.GlorotUniform(1)(shape))
    assert not np.array_equal(one(shape), initializers.GlorotUniform(2)(shape))
    assert not np.array_equal(initializers.GlorotUniform()(shape), initializers.GlorotUniform()(shape))
    kernels = []
    for _ in range(2):
        random.seed(11)
        kernels.append(_built(layers.Conv2D(3, 3), 2))
    np.testing.assert_array_equal(*kernels)


def test_an_initializer_of_none_is_the_documented_default() -> None:
    layer = layers.Conv1D(2, 3, kernel_initializer=None, bias_initializer=None)
    layer.build((1, 4, 2))
    assert np.count_nonzero(layer.kernel) == 12
    assert np.count_nonzero(layer.bias) == 0


# Errors.


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: layers.Conv2D(4, 3, padding="sane"), ["`padding` = 'sane'", "did you mean 'same'"]),
        (lambda: layers.Conv2D(4, 3, padding="causal"), ["`padding` = 'causal'", "one dimension"]),
        (lambda: layers.Conv2D(4, 3, padding=(1, 1)), ["`padding`", "ZeroPadding"]),
        (lambda: layers.DepthwiseConv3D(3, padding="full"), ["`padding` = 'full'", "'valid', 'same'"]),
        (lambda: layers.SeparableConv3D(3, 3, padding=1), ["`padding` = 1"]),
        (lambda: layers.Conv1DTranspose(3, 3, padding="causal"), ["`padding` = 'causal'", "Conv1D"]),
        (lambda: layers.Conv2D(4, 3, paddin="same"), ["`paddin` = 'same'", "did you mean 'padding'"]),
        (lambda: layers.UpSampling1D(sizes=3), ["`sizes` = 3", "did you mean 'size'"]),
        (lambda: layers.Conv1D(4, 3, input_shape=(8,)), ["`input_shape` = (8,)", "one sample"]),
        (lambda: layers.Conv1D(4, 3, lora_rank=2), ["`lora_rank` = 2", "no such argument"]),
        (
            lambda: layers.Conv2D(4, 3, 2, dilation_rate=2),
            ["`strides` = (2, 2)", "dilation_rate", "refconv.functional"],
        ),
        (lambda: layers.Conv2DTranspose(4, 3, 2, dilation_rate=2), ["`strides` = (2, 2)", "dilation_rate"]),
        (lambda: layers.Conv2DTranspose(4, 3, 2, output_padding=2), ["`output_padding` = (2, 2)", "below the stride"]),
        (lambda: layers.Conv2D(6, 3, groups=4), ["`groups` = 4", "6 filters", "[G11]", "1, 2, 3, 6"]),
        (lambda: layers.Conv2D(6, 3, groups=0), ["`groups` = 0"]),
        (lambda: layers.Conv2D(0, 3), ["`filters` = 0", "at least 1"]),
        (lambda: layers.Conv2D(4.0, 3), ["`filters` = 4.0", "whole number"]),
        (lambda: layers.Conv2D(4, (3, 3, 3)), ["`kernel_size` = (3, 3, 3)", "2 spatial axes"]),
        (lambda: layers.Conv2D(4, 3, strides=0), ["`strides` = 0"]),
        (lambda: layers.DepthwiseConv2D(3, depth_multiplier=0), ["`depth_multiplier` = 0"]),
        (lambda: layers.Conv2D(4, 3, data_format="channel_first"), ["`data_format`", "did you mean 'channels_first'"]),
        (lambda: layers.Conv2D(4, 3, activation="rleu"), ["`activation` = 'rleu'", "did you mean 'relu'"]),
        (lambda: layers.Conv2D(4, 3, activation=3), ["`activation` = 3", "function of an array"]),
        (lambda: layers.Conv2D(4, 3, activation="threshold"), ["`activation` = 'threshold'", "needs 'threshold'"]),
        (lambda: layers.Conv2D(3, 3, activation="glu").build((1, 5, 5, 2)), ["`activation` = 'glu'", "even"]),
        (
            lambda: layers.Conv2D(4, 3, kernel_initializer="he_norml"),
            ["`kernel_initializer` = 'he_norml'", "did you mean 'he_normal'", "function"],
        ),
        (
            lambda: layers.Conv2D(3, 3, bias_initializer=np.ones(4)).build((1, 5, 5, 2)),
            ["`bias_initializer`", "array of shape (4,)", "(3,)"],
        ),
        (lambda: layers.Conv2D(4, 3, kernel_initializer="identity").build((1, 5, 5, 2)), ["`shape`", "matrix"]),
        (
            lambda: layers.Conv2D(4, 3, bias_initializer={"class_name": "Zeros", "config": {"x": 1}}),
            ["`bias_initializer`", "no argument 'x'"],
        ),
        (lambda: layers.Conv2D(4, 3, kernel_regularizer="l3"), ["`kernel_regularizer` = 'l3'", "'l1', 'l2'"]),
        (lambda: layers.Cropping1D(activity_regularizer=3), ["`activity_regularizer` = 3", "function of an array"]),
        (
            lambda: layers.SeparableConv1D(4, 3, pointwise_constraint="max_nrm"),
            ["`pointwise_constraint` = 'max_nrm'", "did you mean 'max_norm'"],
        ),
        (lambda: layers.Cropping1D(kernel_regularizer="l2"), ["`kernel_regularizer` = 'l2'", "no such argument"]),
        (lambda: layers.Conv2D(4, 3, use_bias="no"), ["`use_bias` = 'no'"]),
        (lambda: layers.Conv2D(4, 3, trainable=1), ["`trainable` = 1"]),
        (lambda: layers.Conv2D(4, 3, dtype="float23"), ["`dtype` = 'float23'", "did you mean 'float32'"]),
        (lambda: layers.Conv2D(4, 3, dtype=np.int32), ["`dtype` = 'int32'"]),
        (lambda: layers.Conv2D(4, 3, dtype=object()), ["`dtype`", "not a float type"]),
        (lambda: layers.Conv2D(4, 3, name="a/b"), ["`name` = 'a/b'"]),
        (lambda: layers.UpSampling1D((2,)), ["`size` = (2,)", "whole number"]),
        (lambda: layers.UpSampling2D(interpolation="bilinaer"), ["`interpolation`", "did you mean 'bilinear'"]),
        (lambda: layers.ZeroPadding2D(-1), ["`padding` = -1", "at least 0"]),
        (lambda: layers.Cropping3D((1, 2)), ["`cropping` = (1, 2)", "3"]),
        (lambda: initializers.GlorotUniform(seed=-1), ["`seed` = -1"]),
    ],
)
def test_wrong_arguments(make: Any, words: list[str]) -> None:
    with pytest.raises(ConvError) as caught:
        make()
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: layers.Conv2D(4, 3)(np.ones((5, 5, 1))), ["`inputs` = array of shape (5, 5, 1)", "takes 4", "batch"]),
        (lambda: layers.Conv1D(4, 3)(np.ones((1, 5, 1), complex)), ["`inputs`", "complex"]),
        (lambda: layers.Conv1D(4, 3)([[[1.0], [2.0]]]), ["`inputs`", "spans 3", "padded input is 2", "[G7]"]),
        (lambda: layers.Conv1D(4, 3)([[1.0], [1.0, 2.0]]), ["`inputs`"]),
        (lambda: layers.Conv1D(4, 3, groups=2)(np.ones((1, 5, 3))), ["`groups` = 2", "3 channels", "[G10]"]),
        (lambda: layers.Cropping1D(2)(np.ones((1, 4, 1))), ["`cropping`", "nothing is left"]),
        (lambda: layers.Conv2D(4, 3).build((None, None, None, None)), ["`input_shape`", "channels are unknown"]),
        (lambda: layers.Conv2D(4, 3).build((1, 5, 5)), ["`input_shape` = (1, 5, 5)", "3 sizes"]),
        (lambda: layers.Conv2D(4, 3).build(7), ["`input_shape` = 7"]),
        (lambda: layers.Conv2D(4, 3).build((1, 5, -5, 2)), ["`input_shape` = (1, 5, -5, 2)", "-5 is no size"]),
        (lambda: layers.Conv2D(4, 3).compute_output_shape((1, 2, 9, 2)), ["`input_shape` = (1, 2, 9, 2)", "[G7]"]),
        (lambda: layers.Conv2D(4, 3).geometry((1, None, 5, 2)), ["`input_shape`", "unknown"]),
        (lambda: layers.UpSampling2D().stages((1, 5, 5, None)), ["`input_shape`", "channels are unknown"]),
        (lambda: layers.Conv2D(4, 3).count_params(), ["build(input_shape)"]),
        (lambda: layers.Conv2D(4, 3).set_weights([]), ["`weights`", "not built"]),
        (lambda: setattr(layers.Conv2D(4, 3), "kernel", 1), ["`kernel`", "not built"]),
        (lambda: built().set_weights([np.ones((3, 2, 4))]), ["`weights` = 1 arrays", "2 weights", "[kernel, bias]"]),
        (lambda: built().set_weights([np.ones((3, 2, 4)), np.ones(5)]), ["`weights[1]`", "(5,)", "shape (4,)"]),
        (lambda: built().set_weights([np.ones((3, 2, 4)), np.ones(4, bool)]), ["`weights[1]`", "bool"]),
        (lambda: setattr(built(use_bias=False), "bias", np.ones(4)), ["`bias`", "use_bias=True"]),
        (lambda: built()(np.ones((1, 6, 3))), ["`inputs`", "3 channels", "built for 2"]),
        (lambda: built().compute_output_shape((1, 6, 3)), ["`input_shape` = (1, 6, 3)", "built for 2"]),
        (lambda: built(activation=np.sum)(np.ones((1, 6, 2))), ["`activation`", "returned shape ()"]),
        (lambda: built(kernel_initializer=lambda shape, dtype: np.ones(2)), ["`kernel_initializer`", "(3, 2, 4)"]),
        (lambda: layers.Conv2D(10**6, 10**4).build((1, None, None, 10**6)), ["`kernel`", "GiB"]),
    ],
)
def test_wrong_inputs_and_weights(act: Any, words: list[str]) -> None:
    with pytest.raises(ConvError) as caught:
        act()
    for word in words:
        assert word in str(caught.value)


def built(**kwargs: Any) -> Any:
    layer = layers.Conv1D(4, 3, **kwargs)
    layer.build((None, None, 2))
    return layer


def test_a_wrong_set_of_weights_changes_none() -> None:
    layer = built()
    kept = layer.get_weights()
    with pytest.raises(ConvError):
        layer.set_weights([np.ones((3, 2, 4)), np.ones(5)])
    for new, old in zip(layer.weights, kept, strict=True):
        np.testing.assert_array_equal(new, old)


# Live comparison with Keras.

# Float32 sums of at most a few hundred products of order 1, in another order.
TOLERANCE = {"rtol": 2e-5, "atol": 2e-5}

PEER_CASES: list[tuple[str, int, dict[str, Any]]] = [
    *(
        (f"Conv{r}D", r, {"filters": 6, **options})
        for r, options in itertools.product((1, 2, 3), [*WINDOWS[:4], {"kernel_size": 2, "groups": 2}])
    ),
    *(("Conv1D", 1, {"filters": 2, "kernel_size": 3, "padding": "causal", "strides": s}) for s in (1, 2)),
    *(
        (f"Conv{r}DTranspose", r, {"filters": 3, **options})
        for r, options in itertools.product(
            (1, 2, 3),
            [
                *WINDOWS[:4],
                {"kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 1},
                {"kernel_size": 2, "strides": 3, "padding": "valid", "output_padding": 0},
            ],
        )
    ),
    *(
        (f"DepthwiseConv{r}D", r, options)
        for r, options in itertools.product((1, 2), [*WINDOWS[:4], {"kernel_size": 2, "depth_multiplier": 3}])
    ),
    *(
        (f"SeparableConv{r}D", r, {"filters": 3, **options})
        for r, options in itertools.product((1, 2), [*WINDOWS[:4], {"kernel_size": 2, "depth_multiplier": 3}])
    ),
    ("Conv2D", 2, {"filters": 3, "kernel_size": [2, 3], "strides": [2, 1], "data_format": "channels_first"}),
    ("Conv2DTranspose", 2, {"filters": 3, "kernel_size": [2, 3], "strides": [2, 3], "data_format": "channels_first"}),
    ("Conv1D", 1, {"filters": 2, "kernel_size": 3, **described(activation="mish")}),
    ("Conv1DTranspose", 1, {"filters": 4, "kernel_size": 2, "activation": "softmax", "kernel_constraint": "unit_norm"}),
    (
        "SeparableConv1D",
        1,
        {
            "filters": 2,
            "kernel_size": 3,
            "activation": "hard_silu",
            "depthwise_regularizer": {"class_name": "L2", "config": {"l2": 0.5}},
            "pointwise_regularizer": {"class_name": "OrthogonalRegularizer", "config": {"factor": 0.125}},
            "depthwise_initializer": "variance_scaling",
            "pointwise_initializer": "orthogonal",
            "bias_initializer": "random_uniform",
            "depthwise_constraint": "min_max_norm",
            "pointwise_constraint": "non_neg",
        },
    ),
    ("DepthwiseConv2D", 2, {"kernel_size": 2, "activation": "gelu", "depthwise_initializer": "truncated_normal"}),
    ("UpSampling1D", 1, {"size": 3, "activity_regularizer": "l2"}),
    *(
        ("UpSampling2D", 2, {"size": [2, 3], "interpolation": method})
        for method in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
    ),
    ("UpSampling3D", 3, {"size": [2, 1, 3], "data_format": "channels_first"}),
    ("ZeroPadding1D", 1, {"padding": [1, 2]}),
    ("ZeroPadding2D", 2, {"padding": [[1, 2], [0, 3]], "data_format": "channels_first"}),
    ("ZeroPadding3D", 3, {"padding": [1, 0, 2]}),
    ("Cropping1D", 1, {"cropping": [1, 2]}),
    ("Cropping2D", 2, {"cropping": [[1, 2], [0, 3]]}),
    ("Cropping3D", 3, {"cropping": 1, "data_format": "channels_first"}),
]

PEER = """
import inspect, json, sys
import numpy as np
import keras

arrays = np.load(sys.argv[1])
cases = json.loads(arrays["cases"].item())
results, facts = {}, []
for i, (name, shape, count, config) in enumerate(cases):
    layer = getattr(keras.layers, name).from_config(config)
    layer.build(shape)
    layer.set_weights([arrays[f"w{i}_{j}"] for j in range(count)])
    results[f"y{i}"] = np.asarray(layer(arrays[f"x{i}"]))
    unknown = layer.compute_output_shape((None, *[None] * (len(shape) - 2), shape[-1]))
    facts.append({"unknown": list(unknown), "config": layer.get_config()})
signatures = {}
for name in dir(keras.layers):
    kind = getattr(keras.layers, name)
    if isinstance(kind, type) and issubclass(kind, keras.layers.Layer):
        parameters = inspect.signature(kind.__init__).parameters.values()
        signatures[name] = [[p.name, str(p.kind), repr(p.default)] for p in parameters]
        signatures[name].append(kind.__name__)
np.savez(sys.argv[2], facts=json.dumps(facts), signatures=json.dumps(signatures), **results)
"""


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec("jax") is None:
        pytest.skip("keras and jax are not installed")
    folder = tmp_path_factory.mktemp("keras")
    rng = np.random.default_rng(7)
    cases, arrays, built_layers = [], {}, []
    for i, (name, rank, config) in enumerate(PEER_CASES):
        layer = getattr(layers, name)(**config)
        first = layer.data_format == "channels_first"
        shape = (2, 4, *SIZES[rank]) if first else (2, *SIZES[rank], 4)
        layer.build(shape)
        layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
        arrays[f"x{i}"] = rng.normal(size=shape).astype("float32")
        for j, weights in enumerate(layer.weights):
            arrays[f"w{i}_{j}"] = weights
        cases.append((name, shape, len(layer.weights), layer.get_config()))
        built_layers.append(layer)
    np.savez(folder / "given.npz", cases=json.dumps(cases), **arrays)
    environment = {**os.environ, "KERAS_HOME": str(folder), "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", PEER, str(folder / "given.npz"), str(folder / "made.npz")],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    made_there = np.load(folder / "made.npz")
    return built_layers, arrays, made_there


@pytest.mark.peers
@pytest.mark.parametrize("case", range(len(PEER_CASES)), ids=lambda i: f"{PEER_CASES[i][0]}-{PEER_CASES[i][2]}")
def test_values_and_configurations_are_those_of_keras(peer: Any, case: int) -> None:
    built_layers, arrays, theirs = peer
    layer = built_layers[case]
    np.testing.assert_allclose(layer(arrays[f"x{case}"]), theirs[f"y{case}"], **TOLERANCE)
    facts = json.loads(theirs["facts"].item())[case]
    x = arrays[f"x{case}"]
    assert list(layer.compute_output_shape((None,) * (x.ndim - 1) + (x.shape[-1],))) == facts["unknown"]
    assert set(layer.get_config()) == set(facts["config"])
    # Keras' own configuration makes an equal layer here.
    twin = type(layer).from_config(facts["config"])
    assert twin.get_config() == layer.get_config()


@pytest.mark.peers
def test_signatures_and_names_are_those_of_keras(peer: Any) -> None:
    theirs = json.loads(peer[2]["signatures"].item())
    ours = [name for name in layers.__all__ if name != "Layer"]
    three_dimensional = {"DepthwiseConv3D", "SeparableConv3D", "SeparableConvolution3D"}
    # What a model is put together from; in Keras these are functions, or parts of its models.
    of_our_own = {"Branches", "Chain", "Input", "deserialize", "serialize"}
    assert set(ours) - set(theirs) == three_dimensional | of_our_own
    beginnings = ("Conv", "DepthwiseConv", "SeparableConv", "UpSampling", "ZeroPadding", "Cropping")
    wanted = {name for name in theirs if name.startswith(beginnings) and name.endswith(("D", "DTranspose"))}
    wanted -= {"ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"}
    assert wanted <= set(ours)
    for name in set(ours) - three_dimensional - of_our_own:
        kind = getattr(layers, name)
        parameters = inspect.signature(kind.__init__).parameters.values()
        mine = [[p.name, str(p.kind), repr(p.default)] for p in parameters]
        if name in wanted:
            assert mine == theirs[name][:-1], name
        else:
            # The few others that an encoder-decoder needs take some of Keras' arguments, no others.
            assert {word for word, *_ in mine} <= {word for word, *_ in theirs[name][:-1]}, name
        assert kind.__name__ == theirs[name][-1]
