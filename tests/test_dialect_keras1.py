"""Keras 1's layers: its documentation's signatures, defaults and examples, and its weight layouts, by value."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import signatures

import refconv
from refconv import ConvError, layers
from refconv.dialects import keras1
from refconv.dialects.keras1 import AtrousConvolution2D, Convolution2D, Deconvolution2D
from refconv.models import Sequential
from refconv.verify import oracle

RNG = np.random.default_rng(1602)
START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def _same_numbers_in_every_order() -> None:
    RNG.bit_generator.state = START


# As the documentation prints them.
DOCUMENTED = [
    "keras.layers.convolutional.Conv1D(filters, kernel_size, strides=1, padding='valid', dilation_rate=1, activation=None, use_bias=True, kernel_initializer='glorot_uniform', bias_initializer='zeros', kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, bias_constraint=None)",  # noqa: E501
    "keras.layers.convolutional.Convolution2D(nb_filter, nb_row, nb_col, init='glorot_uniform', activation='linear', weights=None, border_mode='valid', subsample=(1, 1), dim_ordering='default', W_regularizer=None, b_regularizer=None, activity_regularizer=None, W_constraint=None, b_constraint=None, bias=True)",  # noqa: E501
    "keras.layers.convolutional.AtrousConvolution2D(nb_filter, nb_row, nb_col, init='glorot_uniform', activation='linear', weights=None, border_mode='valid', subsample=(1, 1), atrous_rate=(1, 1), dim_ordering='default', W_regularizer=None, b_regularizer=None, activity_regularizer=None, W_constraint=None, b_constraint=None, bias=True)",  # noqa: E501
    "keras.layers.convolutional.SeparableConvolution2D(nb_filter, nb_row, nb_col, init='glorot_uniform', activation='linear', weights=None, border_mode='valid', subsample=(1, 1), depth_multiplier=1, dim_ordering='default', depthwise_regularizer=None, pointwise_regularizer=None, b_regularizer=None, activity_regularizer=None, depthwise_constraint=None, pointwise_constraint=None, b_constraint=None, bias=True)",  # noqa: E501
    "keras.layers.convolutional.Deconvolution2D(nb_filter, nb_row, nb_col, output_shape, init='glorot_uniform', activation='linear', weights=None, border_mode='valid', subsample=(1, 1), dim_ordering='th', W_regularizer=None, b_regularizer=None, activity_regularizer=None, W_constraint=None, b_constraint=None, bias=True)",  # noqa: E501
    "keras.layers.convolutional.Convolution3D(nb_filter, kernel_dim1, kernel_dim2, kernel_dim3, init='glorot_uniform', activation='linear', weights=None, border_mode='valid', subsample=(1, 1, 1), dim_ordering='default', W_regularizer=None, b_regularizer=None, activity_regularizer=None, W_constraint=None, b_constraint=None, bias=True)",  # noqa: E501
    "keras.layers.convolutional.UpSampling1D(length=2)",
    "keras.layers.convolutional.UpSampling2D(size=(2, 2), dim_ordering='default')",
    "keras.layers.convolutional.UpSampling3D(size=(2, 2, 2), dim_ordering='default')",
    "keras.layers.convolutional.ZeroPadding1D(padding=1)",
    "keras.layers.convolutional.ZeroPadding2D(padding=(1, 1), dim_ordering='default')",
    "keras.layers.convolutional.ZeroPadding3D(padding=(1, 1, 1), dim_ordering='default')",
]
# As Keras 1.2.2 defines what the documentation above leaves out.
FROM_THE_SOURCE = [
    "Convolution1D(nb_filter, filter_length, init='glorot_uniform', activation=None, weights=None, border_mode='valid', subsample_length=1, W_regularizer=None, b_regularizer=None, activity_regularizer=None, W_constraint=None, b_constraint=None, bias=True, input_dim=None, input_length=None)",  # noqa: E501
    "AtrousConvolution1D(nb_filter, filter_length, init='glorot_uniform', activation=None, weights=None, border_mode='valid', subsample_length=1, atrous_rate=1, W_regularizer=None, b_regularizer=None, activity_regularizer=None, W_constraint=None, b_constraint=None, bias=True)",  # noqa: E501
    "Cropping1D(cropping=(1, 1))",
    "Cropping2D(cropping=((0, 0), (0, 0)), dim_ordering='default')",
    "Cropping3D(cropping=((1, 1), (1, 1), (1, 1)), dim_ordering='default')",
]


@pytest.mark.parametrize("call", DOCUMENTED + FROM_THE_SOURCE, ids=lambda call: signatures.documented(call)[0])
def test_the_signature_is_the_documented_one(call: str) -> None:
    name, arguments = signatures.documented(call)
    assert signatures.actual(getattr(keras1, name)) == arguments


def test_the_documented_example_of_convolution2d() -> None:
    # apply a 3x3 convolution with 64 output filters on a 256x256 image:
    model = Sequential()
    model.add(Convolution2D(64, 3, 3, border_mode="same", input_shape=(3, 256, 256)))
    assert model.output_shape == (None, 64, 256, 256)

    # add a 3x3 convolution on top, with 32 output filters:
    model.add(Convolution2D(32, 3, 3, border_mode="same"))
    assert model.output_shape == (None, 32, 256, 256)


def test_the_documented_example_of_atrous_convolution2d() -> None:
    # apply a 3x3 convolution with atrous rate 2x2 and 64 output filters on a 256x256 image:
    model = Sequential()
    model.add(AtrousConvolution2D(64, 3, 3, atrous_rate=(2, 2), border_mode="valid", input_shape=(3, 256, 256)))
    # now the actual kernel size is dilated from 3x3 to 5x5 (3+(3-1)*(2-1)=5)
    assert model.output_shape == (None, 64, 252, 252)
    assert model.layers[0].geometry((1, 3, 256, 256)).axes[0].dilated_kernel_size == 3 + (3 - 1) * (2 - 1) == 5


def test_the_documented_examples_of_deconvolution2d(capsys: pytest.CaptureFixture[str]) -> None:
    # apply a 3x3 transposed convolution with stride 1x1 and 3 output filters on a 12x12 image:
    model = Sequential()
    model.add(Deconvolution2D(3, 3, 3, output_shape=(None, 3, 14, 14), border_mode="valid", input_shape=(3, 12, 12)))
    assert model.output_shape == (None, 3, 14, 14)
    assert model.predict(np.zeros((2, 3, 12, 12))).shape == (2, 3, 14, 14)

    # apply a 3x3 transposed convolution with stride 2x2 and 3 output filters on a 12x12 image:
    model = Sequential()
    model.add(
        Deconvolution2D(
            3, 3, 3, output_shape=(None, 3, 25, 25), subsample=(2, 2), border_mode="valid", input_shape=(3, 12, 12)
        )
    )
    model.summary()
    assert "(None, 3, 25, 25)" in capsys.readouterr().out
    assert model.output_shape == (None, 3, 25, 25)
    assert model.predict(np.zeros((2, 3, 12, 12))).shape == (2, 3, 25, 25)


def test_the_input_shapes_of_the_text() -> None:
    assert keras1.Convolution2D(1, 1, 1, input_shape=(3, 128, 128)).input_shape == (None, 3, 128, 128)
    assert keras1.Convolution3D(1, 1, 1, 1, input_shape=(3, 10, 128, 128)).input_shape == (None, 3, 10, 128, 128)
    assert keras1.Conv1D(1, 1, input_shape=(10, 128)).input_shape == (None, 10, 128)
    assert keras1.Conv1D(1, 1, input_shape=(None, 128)).output_shape == (None, None, 1)
    assert keras1.Convolution2D(1, 1, 1, batch_input_shape=(7, 3, 8, 8)).output_shape == (7, 1, 8, 8)
    assert keras1.Convolution1D(64, 3, border_mode="same", input_dim=32, input_length=10).output_shape == (None, 10, 64)
    assert keras1.AtrousConvolution1D(64, 3, atrous_rate=2, input_dim=32).output_shape == (None, None, 64)


def test_a_layer_without_a_declared_shape_takes_the_first_it_sees() -> None:
    layer = keras1.Convolution2D(2, 3, 3)
    with pytest.raises(AttributeError, match="give input_shape="):
        layer.input_shape  # noqa: B018
    layer(np.zeros((4, 3, 8, 9)))
    assert (layer.input_shape, layer.output_shape) == ((4, 3, 8, 9), (4, 2, 6, 7))


# Values, against the oracle: the layouts are permuted here by hand, as the table in the package says.

TO_LAST = {2: (0, 2, 3, 1), 3: (0, 2, 3, 4, 1)}
TH_KERNEL = {2: (2, 3, 1, 0), 3: (2, 3, 4, 1, 0)}  # (M, C, k...) as (k..., C, M)
TH_DEPTHWISE = (2, 3, 1, 0)  # (dm, C, r, c) as (r, c, C, dm)


def random(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


def compare(layer: Any, x: np.ndarray, expected: np.ndarray) -> None:
    y = layer(x)
    assert y.shape == layer.compute_output_shape(x.shape)
    if layer.data_format == "channels_first":
        y = np.moveaxis(y, 1, -1)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


def pads(mode: str, sizes, kernel, strides, dilation):
    return [oracle.padding_of(mode, *numbers) for numbers in zip(sizes, kernel, strides, dilation, strict=True)]


@pytest.mark.parametrize("ordering", ["th", "tf"])
@pytest.mark.parametrize(
    ("mode", "subsample", "rate"),
    [("valid", (1, 1), 1), ("same", (2, 3), 1), ("valid", (2, 1), 1), ("same", (1, 1), 2), ("full", (2, 1), 1)],
)
def test_convolution2d_by_value(ordering: str, mode: str, subsample: tuple[int, int], rate: int) -> None:
    channels, filters, kernel, sizes = 3, 4, (3, 2), (7, 6)
    if ordering == "th":
        x, w = random(2, channels, *sizes), random(filters, channels, *kernel)
        last, hwio = x.transpose(TO_LAST[2]), w.transpose(TH_KERNEL[2])
    else:
        x, w = random(2, *sizes, channels), random(*kernel, channels, filters)
        last, hwio = x, w
    b = random(filters)
    words = {"border_mode": mode, "subsample": subsample, "dim_ordering": ordering, "dtype": "float64"}
    if rate > 1:
        layer = keras1.AtrousConvolution2D(filters, *kernel, atrous_rate=(rate, rate), weights=[w, b], **words)
    else:
        layer = keras1.Convolution2D(filters, *kernel, weights=[w, b], **words)
    dilation = (rate, rate)
    expected = oracle.conv(
        last, hwio, b, strides=subsample, pads=pads(mode, sizes, kernel, subsample, dilation), dilation=dilation
    )
    compare(layer, x, expected)
    np.testing.assert_array_equal(layer.W, w)
    np.testing.assert_array_equal(layer.b, b)
    np.testing.assert_array_equal(layer.kernel, hwio)
    assert [array.shape for array in layer.get_weights()] == [w.shape, b.shape]
    np.testing.assert_array_equal(layer.get_weights()[0], w)


@pytest.mark.parametrize("ordering", ["th", "tf"])
@pytest.mark.parametrize(("mode", "subsample"), [("valid", (1, 2, 1)), ("same", (2, 1, 3))])
def test_convolution3d_by_value(ordering: str, mode: str, subsample: tuple[int, ...]) -> None:
    channels, filters, kernel, sizes = 2, 3, (2, 3, 1), (4, 5, 3)
    if ordering == "th":
        x, w = random(2, channels, *sizes), random(filters, channels, *kernel)
        last, hwio = x.transpose(TO_LAST[3]), w.transpose(TH_KERNEL[3])
    else:
        x, w = random(2, *sizes, channels), random(*kernel, channels, filters)
        last, hwio = x, w
    layer = keras1.Convolution3D(
        filters,
        *kernel,
        weights=[w],
        bias=False,
        border_mode=mode,
        subsample=subsample,
        dim_ordering=ordering,
        dtype="float64",
    )
    ones = (1, 1, 1)
    expected = oracle.conv(
        last, hwio, strides=subsample, pads=pads(mode, sizes, kernel, subsample, ones), dilation=ones
    )
    compare(layer, x, expected)
    assert layer.b is None
    assert [array.shape for array in layer.get_weights()] == [w.shape]


@pytest.mark.parametrize(("mode", "step", "rate"), [("valid", 1, 1), ("same", 2, 1), ("same", 1, 3), ("full", 1, 1)])
def test_convolution1d_by_value(mode: str, step: int, rate: int) -> None:
    channels, filters, length, steps = 3, 4, 3, 9
    x, w, b = random(2, steps, channels), random(length, 1, channels, filters), random(filters)
    words = {"weights": [w, b], "border_mode": mode, "subsample_length": step, "dtype": "float64"}
    if rate > 1:
        layer = keras1.AtrousConvolution1D(filters, length, atrous_rate=rate, **words)
    else:
        layer = keras1.Convolution1D(filters, length, **words)
    expected = oracle.conv(
        x, w[:, 0], b, strides=(step,), pads=pads(mode, (steps,), (length,), (step,), (rate,)), dilation=(rate,)
    )
    compare(layer, x, expected)
    assert layer.W.shape == (length, 1, channels, filters)
    np.testing.assert_array_equal(layer.get_weights()[0], w)


@pytest.mark.parametrize("ordering", ["th", "tf"])
@pytest.mark.parametrize(("mode", "step"), [("valid", 1), ("same", 2)])
def test_separable_convolution2d_by_value(ordering: str, mode: str, step: int) -> None:
    channels, multiplier, filters, kernel, sizes = 3, 2, 4, (2, 3), (5, 7)
    b = random(filters)
    if ordering == "th":
        x, d = random(2, channels, *sizes), random(multiplier, channels, *kernel)
        p = random(filters, multiplier * channels, 1, 1)
        last, depthwise, pointwise = x.transpose(TO_LAST[2]), d.transpose(TH_DEPTHWISE), p[:, :, 0, 0].T
    else:
        x, d = random(2, *sizes, channels), random(*kernel, channels, multiplier)
        p = random(1, 1, multiplier * channels, filters)
        last, depthwise, pointwise = x, d, p[0, 0]
    layer = keras1.SeparableConvolution2D(
        filters, *kernel, weights=[d, p, b], border_mode=mode, subsample=(step, step), depth_multiplier=multiplier,
        dim_ordering=ordering, dtype="float64",
    )  # fmt: skip
    steps, ones = (step, step), (1, 1)
    between = oracle.depthwise(
        last, depthwise, strides=steps, pads=pads(mode, sizes, kernel, steps, ones), dilation=ones
    )
    compare(layer, x, between @ pointwise + b)
    for array, given in zip(layer.get_weights(), [d, p, b], strict=True):
        np.testing.assert_array_equal(array, given)


def deconvolution_crop(mode: str, size: int, k: int, s: int, out: int) -> tuple[int, int]:
    """TensorFlow's: the padding of the convolution from the output back to the input."""
    full = (size - 1) * s + k
    before = {"valid": 0, "same": max(full - out, 0) // 2, "full": k - 1}[mode]
    return before, full - out - before


@pytest.mark.parametrize("ordering", ["th", "tf"])
@pytest.mark.parametrize(
    ("mode", "kernel", "subsample"),
    [("valid", (3, 2), (2, 3)), ("same", (3, 4), (2, 3)), ("same", (1, 2), (3, 2)), ("full", (2, 3), (1, 2))],
)
def test_deconvolution2d_by_value_at_every_legal_size(
    ordering: str, mode: str, kernel: tuple[int, int], subsample: tuple[int, int]
) -> None:
    channels, filters, sizes = 3, 2, (4, 5)
    b = random(filters)
    smallest = {"valid": lambda k: k, "same": lambda k: 1, "full": lambda k: 2 - k}[mode]
    ranges = [
        range(s * (n - 1) + smallest(k), s * (n - 1) + smallest(k) + s)
        for n, k, s in zip(sizes, kernel, subsample, strict=True)
    ]
    for out in itertools.product(*ranges):
        if ordering == "th":
            x, w, shape = random(2, channels, *sizes), random(filters, channels, *kernel), (None, filters, *out)
            last, hwio = x.transpose(TO_LAST[2]), w.transpose(TH_KERNEL[2])
        else:
            x, w, shape = random(2, *sizes, channels), random(*kernel, channels, filters), (None, *out, filters)
            last, hwio = x, w
        layer = keras1.Deconvolution2D(
            filters,
            *kernel,
            shape,
            weights=[w, b],
            border_mode=mode,
            subsample=subsample,
            dim_ordering=ordering,
            dtype="float64",
        )
        crop = [deconvolution_crop(mode, *numbers) for numbers in zip(sizes, kernel, subsample, out, strict=True)]
        expected = oracle.conv_transpose(last, hwio.swapaxes(-1, -2), b, strides=subsample, crop=crop, dilation=(1, 1))
        compare(layer, x, expected)
        np.testing.assert_array_equal(layer.W, w)
        np.testing.assert_array_equal(layer.get_weights()[0], w)
        assert layer.output_shape == (2, *shape[1:])
        assert layer.output_shape_ == shape
        assert layer.compute_output_shape((None, *[None if n != channels else n for n in x.shape[1:]])) == shape


def test_deconvolution2d_refuses_sizes_that_keras_1_did_not_check() -> None:
    for rows in (13, 15):
        layer = keras1.Deconvolution2D(3, 3, 3, (None, 3, rows, 14), input_shape=(3, 12, 12))
        with pytest.raises(ConvError, match=r"`output_shape` = .*legal are 14 rows and 14 columns"):
            layer.output_shape  # noqa: B018
        with pytest.raises(ConvError, match="output_shape"):
            layer(np.zeros((1, 3, 12, 12)))
    keras1.Deconvolution2D(3, 3, 3, (None, 3, 26, 25), subsample=(2, 2))(np.zeros((1, 3, 12, 12)))
    with pytest.raises(ConvError, match="legal are 25 to 26 rows and 25 to 26 columns"):
        keras1.Deconvolution2D(3, 3, 3, (None, 3, 27, 25), subsample=(2, 2))(np.zeros((1, 3, 12, 12)))


@pytest.mark.parametrize("ordering", ["th", "tf"])
@pytest.mark.parametrize(
    ("name", "rank", "words", "expected"),
    [
        ("UpSampling2D", 2, {"size": (2, 3)}, lambda x: x.repeat(2, 1).repeat(3, 2)),
        ("UpSampling3D", 3, {"size": (1, 2, 3)}, lambda x: x.repeat(2, 2).repeat(3, 3)),
        ("ZeroPadding2D", 2, {"padding": (1, 2)}, lambda x: np.pad(x, [(0, 0), (1, 1), (2, 2), (0, 0)])),
        ("ZeroPadding2D", 2, {"padding": (1, 2, 0, 3)}, lambda x: np.pad(x, [(0, 0), (1, 2), (0, 3), (0, 0)])),
        ("ZeroPadding2D", 2, {"padding": {"top_pad": 2, "right_pad": 1}}, lambda x: np.pad(x, [(0, 0), (2, 0), (0, 1), (0, 0)])),  # noqa: E501
        ("ZeroPadding3D", 3, {"padding": (1, 0, 2)}, lambda x: np.pad(x, [(0, 0), (1, 1), (0, 0), (2, 2), (0, 0)])),
        ("Cropping2D", 2, {"cropping": ((1, 0), (2, 1))}, lambda x: x[:, 1:, 2:-1]),
        ("Cropping2D", 2, {}, lambda x: x),
        ("Cropping3D", 3, {"cropping": ((1, 0), (0, 1), (1, 2))}, lambda x: x[:, 1:, :-1, 1:-2]),
        ("Cropping3D", 3, {}, lambda x: x[:, 1:-1, 1:-1, 1:-1]),
    ],
)  # fmt: skip
def test_layers_without_weights_by_value(
    name: str, rank: int, words: dict[str, Any], expected: Any, ordering: str
) -> None:
    last = random(2, *(4, 5, 6)[:rank], 3)
    layer = getattr(keras1, name)(**words, dim_ordering=ordering, dtype="float64")
    compare(layer, np.moveaxis(last, -1, 1) if ordering == "th" else last, expected(last))


def test_one_dimensional_layers_without_weights_by_value() -> None:
    x = random(2, 5, 3)
    compare(keras1.UpSampling1D(length=3, dtype="float64"), x, x.repeat(3, 1))
    compare(keras1.UpSampling1D(dtype="float64"), x, x.repeat(2, 1))
    compare(keras1.ZeroPadding1D(2, dtype="float64"), x, np.pad(x, [(0, 0), (2, 2), (0, 0)]))
    compare(keras1.ZeroPadding1D((0, 2), dtype="float64"), x, np.pad(x, [(0, 0), (0, 2), (0, 0)]))
    compare(keras1.ZeroPadding1D({"left_pad": 1}, dtype="float64"), x, np.pad(x, [(0, 0), (1, 0), (0, 0)]))
    compare(keras1.Cropping1D((2, 1), dtype="float64"), x, x[:, 2:-1])


def test_conv1d_has_keras_2s_words_and_layout() -> None:
    x, w, b = random(2, 9, 3), random(3, 3, 4), random(4)
    layer = keras1.Conv1D(4, 3, padding="CAUSAL", dilation_rate=2, weights=[w, b], dtype="float64")
    compare(layer, x, oracle.conv(x, w, b, strides=(1,), pads=[(4, 0)], dilation=(2,)))
    np.testing.assert_array_equal(layer.get_weights()[0], w)
    assert keras1.Conv1D(4, 3, bias=False).use_bias is False
    with pytest.raises(ConvError, match="bias"):
        keras1.Conv1D(4, 3, use_bias=False, bias=False)
    with pytest.raises(ConvError, match="strides"):
        keras1.Conv1D(4, 3, strides=2, dilation_rate=2)


def test_causal_outputs_do_not_depend_on_later_inputs() -> None:
    layer = keras1.Conv1D(4, (3,), strides=[1], padding="causal", dilation_rate=2, dtype="float64")
    x = random(1, 9, 2)
    y = layer(x)
    for t in range(9):
        changed = x.copy()
        changed[:, t + 1 :] = 1e3
        np.testing.assert_array_equal(layer(changed)[:, : t + 1], y[:, : t + 1])


def test_a_function_as_activation_and_weights_instead_of_init() -> None:
    w = random(4, 3, 3, 2)
    layer = keras1.Convolution2D(4, 3, 2, init="one", activation=np.tanh, weights=[w, np.zeros(4)], dtype="float64")
    plain = keras1.Convolution2D(4, 3, 2, activation=None, weights=[w], bias=False, dtype="float64")
    x = random(1, 3, 5, 5)
    np.testing.assert_allclose(layer(x), np.tanh(plain(x)), rtol=1e-12)


def test_conv1d_keeps_its_channels_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keras.json").write_text(json.dumps({"image_data_format": "channels_first"}))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert keras1.Conv1D(4, 3, input_shape=(9, 3)).output_shape == (None, 7, 4)
    assert keras1.Convolution1D(4, 3, input_shape=(9, 3)).output_shape == (None, 7, 4)
    assert keras1.ZeroPadding1D(input_shape=(9, 3)).output_shape == (None, 11, 3)


@pytest.mark.parametrize(
    ("setting", "ordering"),
    [
        ({}, "th"),
        ({"image_dim_ordering": "tf"}, "tf"),
        ({"image_dim_ordering": "th"}, "th"),
        ({"image_data_format": "channels_last"}, "th"),
    ],
)
def test_the_default_ordering_is_that_of_the_configuration_file(
    setting: dict[str, str], ordering: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keras.json").write_text(json.dumps(setting))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    made = [
        keras1.Convolution2D(2, 3, 3),
        keras1.AtrousConvolution2D(2, 3, 3),
        keras1.SeparableConvolution2D(2, 3, 3),
        keras1.Convolution3D(2, 3, 3, 3),
        *(getattr(keras1, f"{kind}{n}D")() for kind in ("UpSampling", "ZeroPadding", "Cropping") for n in (2, 3)),
    ]
    assert {layer.dim_ordering for layer in made} == {ordering}
    assert keras1.Convolution2D(2, 3, 3, dim_ordering="tf").dim_ordering == "tf"
    # Its own default is no "default".
    assert keras1.Deconvolution2D(3, 3, 3, (None, 3, 14, 14)).dim_ordering == "th"


def test_an_unknown_ordering_in_the_file_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keras.json").write_text(json.dumps({"image_dim_ordering": "theano"}))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.warns(UserWarning, match="image_dim_ordering"):
        assert keras1.Convolution2D(2, 3, 3).dim_ordering == "th"


def test_weights_are_set_all_or_none_in_keras_1s_shapes() -> None:
    layer = keras1.Convolution2D(4, 3, 2)
    with pytest.raises(ConvError, match="build"):
        layer.set_weights([np.zeros((4, 3, 3, 2)), np.zeros(4)])
    layer.build((None, 3, 8, 8))
    before = layer.get_weights()
    with pytest.raises(ConvError, match=r"`weights\[0\]`.*\(4, 3, 3, 2\)"):
        layer.set_weights([np.ones((3, 2, 3, 4)), np.ones(4)])
    with pytest.raises(ConvError, match=r"`weights\[1\]`"):
        layer.set_weights([np.ones((4, 3, 3, 2)), np.ones(3)])
    with pytest.raises(ConvError, match="1 arrays"):
        layer.set_weights([np.ones((4, 3, 3, 2))])
    for now, then in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    given = [random(4, 3, 3, 2), random(4)]
    kept = [array.copy() for array in given]
    layer.set_weights(given)
    layer.W[...] += 1  # the layer's own memory
    np.testing.assert_array_equal(given[0], kept[0])
    np.testing.assert_allclose(layer.get_weights()[0], given[0] + 1, atol=1e-6)


def test_weights_that_do_not_fit_leave_the_layer_unbuilt() -> None:
    layer = keras1.Convolution2D(4, 3, 2, weights=[np.zeros((3, 2, 3, 4)), np.zeros(4)])
    for _ in range(2):
        with pytest.raises(ConvError, match=r"`weights\[0\]`"):
            layer(np.zeros((1, 3, 8, 8)))
        assert not layer.built


def test_words_read_back_as_attributes() -> None:
    layer = keras1.AtrousConvolution2D(4, 3, 2, border_mode="same", subsample=1, atrous_rate=2, bias=False)
    assert (layer.nb_filter, layer.nb_row, layer.nb_col, layer.border_mode) == (4, 3, 2, "same")
    assert (layer.subsample, layer.atrous_rate, layer.dim_ordering) == ((1, 1), (2, 2), "th")
    assert layer.init is layer.kernel_initializer
    assert layer.W_regularizer is layer.b_constraint is None
    twin = pickle.loads(pickle.dumps(copy.deepcopy(layer)))
    assert twin.get_config() == layer.get_config()
    with pytest.raises(AttributeError, match="no attribute 'length'"):
        layer.length  # noqa: B018
    with pytest.raises(AttributeError, match="built"):
        layer.W  # noqa: B018
    assert keras1.UpSampling1D(3).length == 3
    assert keras1.Convolution2D(4, 3, 2).name.startswith("convolution2d_")
    assert keras1.Convolution2D(4, 3, 2, name="first").name == "first"


CONFIGURED = [
    keras1.Convolution1D(4, 3, subsample_length=2, activation="relu", input_dim=3),
    keras1.AtrousConvolution1D(4, 3, atrous_rate=2, trainable=False),
    keras1.Convolution2D(4, 3, 2, border_mode="same", subsample=(1, 2), bias=False, input_shape=(3, 8, 8)),
    keras1.AtrousConvolution2D(4, 3, 2, atrous_rate=(2, 2), dim_ordering="tf"),
    keras1.SeparableConvolution2D(4, 3, 2, init="ones", depth_multiplier=3, dtype="float64"),
    keras1.Deconvolution2D(3, 3, 3, (None, 3, 25, 26), subsample=2, name="up"),
    keras1.Convolution3D(4, 3, 2, 1, init="zeros"),
    keras1.Convolution2D(
        4, 3, 2, init="he_normal", W_regularizer="l1l2", W_constraint="maxnorm", b_constraint="nonneg"
    ),
    keras1.Convolution2D(4, 3, 2, init="orthogonal", activation="hard_sigmoid", activity_regularizer="activity_l2"),
    keras1.Conv1D(4, 3, padding="causal"),
    keras1.UpSampling1D(3),
    keras1.UpSampling3D((1, 2, 3), dim_ordering="tf"),
    keras1.ZeroPadding1D((1, 2)),
    keras1.ZeroPadding2D((1, 2, 3, 4)),
    keras1.ZeroPadding3D(2),
    keras1.Cropping1D((1, 2)),
    keras1.Cropping2D(((1, 2), (3, 4)), dim_ordering="tf"),
]


@pytest.mark.parametrize("layer", CONFIGURED, ids=lambda layer: type(layer).__name__)
def test_a_layer_is_made_again_of_its_configuration(layer: Any) -> None:
    config = layer.get_config()
    own = [name for name, _ in signatures.actual(type(layer)) if name not in ("weights", "input_dim", "input_length")]
    assert set(config) - {"name", "trainable", "dtype", "batch_input_shape"} == set(own)
    again = type(layer).from_config(json.loads(json.dumps(config)))
    assert json.dumps(again.get_config()) == json.dumps(config)


REFUSED: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("Convolution2D", (0, 3, 3), {}, "`nb_filter` = 0"),
    ("Convolution2D", (4, 3, 0), {}, "`nb_col` = 0"),
    ("Convolution2D", (4, 3.5, 3), {}, "`nb_row` = 3.5"),
    ("Convolution3D", (4, 3, 3, -1), {}, "`kernel_dim3` = -1"),
    ("Convolution1D", (4, "3"), {}, "`filter_length` = '3'"),
    ("Convolution1D", (4, 3), {"subsample_length": 0}, "`subsample_length` = 0"),
    ("Convolution1D", (4, 3), {"input_length": 9}, "`input_length` = 9.*input_dim"),
    ("Convolution1D", (4, 3), {"input_dim": 9, "input_shape": (8, 9)}, "`input_dim` = 9"),
    ("Convolution2D", (4, 3, 3), {"subsample": (1, 2, 3)}, "`subsample`"),
    ("Convolution2D", (4, 3, 3), {"border_mode": "sane"}, "`border_mode` = 'sane'.*did you mean 'same'"),
    ("Convolution2D", (4, 3, 3), {"dim_ordering": "channels_last"}, "`dim_ordering`"),
    ("Convolution2D", (4, 3, 3), {"bias": 1}, "`bias` = 1"),
    ("Convolution2D", (4, 3, 3), {"init": "glorot_unifrom"}, "`init`.*did you mean 'glorot_uniform'"),
    ("Convolution2D", (4, 3, 3), {"activation": "rleu"}, "`activation`.*did you mean 'relu'"),
    ("Convolution2D", (4, 3, 3), {"strides": 2}, "`strides` = 2.*Keras 1 calls it subsample"),
    ("Convolution2D", (4, 3, 3), {"use_bias": False}, "`use_bias`.*Keras 1 calls it bias"),
    ("Convolution2D", (4, 3, 3), {"groups": 2}, "`groups` = 2.*no such argument"),
    ("Convolution2D", (4, 3, 3), {"input_shape": (3, 8)}, r"`input_shape` = \(3, 8\).*give 3 sizes"),
    ("Convolution2D", (4, 3, 3), {"input_shape": (3, 8, -8)}, r"`input_shape` = \(3, 8, -8\)"),
    ("AtrousConvolution2D", (4, 3, 3), {"atrous_rate": 2, "subsample": 2}, "`atrous_rate` = .*subsample"),
    ("AtrousConvolution2D", (4, 3, 3), {"atrous_rate": (1, 2)}, "`atrous_rate` = .*use equal rates, or refconv.layers"),
    ("AtrousConvolution1D", (4, 3), {"atrous_rate": 2, "subsample_length": 2}, "`atrous_rate` = 2.*subsample_length"),
    ("SeparableConvolution2D", (4, 3, 3), {"border_mode": "full"}, "`border_mode` = 'full'"),
    ("SeparableConvolution2D", (4, 3, 3), {"subsample": (1, 2)}, "`subsample` = .*refconv.layers"),
    ("SeparableConvolution2D", (4, 3, 3), {"depth_multiplier": 0}, "`depth_multiplier` = 0"),
    ("SeparableConvolution2D", (4, 3, 3), {"W_regularizer": None}, "`W_regularizer`"),
    ("Deconvolution2D", (3, 3, 3, (14, 14)), {}, "`output_shape` = .*samples, nb_filter, rows, cols"),
    ("Deconvolution2D", (3, 3, 3, (None, 14, 14, 3)), {}, "`output_shape` = .*nb_filter is 3"),
    ("Deconvolution2D", (3, 3, 3, (None, 3, None, 14)), {}, "`output_shape` = .*is no size"),
    ("UpSampling1D", (0,), {}, "`length` = 0"),
    ("UpSampling1D", (), {"size": 2}, "`size` = 2.*Keras 1 calls it length"),
    ("UpSampling2D", (), {"interpolation": "bilinear"}, "`interpolation`"),
    ("ZeroPadding2D", (((1, 2), (3, 4)),), {}, "`padding` = .*without inner pairs"),
    ("ZeroPadding3D", ((1, 2),), {}, "`padding`"),
    ("Cropping2D", (((1, 2), (3, -4)),), {}, "`?cropping`?"),
    ("Conv1D", (4, 3), {"data_format": "channels_first"}, "data_format"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "words", "message"), REFUSED)
def test_wrong_arguments_are_named_in_keras_1s_words(
    name: str, args: tuple[Any, ...], words: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConvError, match=message):
        getattr(keras1, name)(*args, **words)


def test_a_model_of_keras_1s_layers_learns_and_is_saved(tmp_path: Path) -> None:
    model = Sequential(
        [
            keras1.Convolution2D(4, 3, 2, border_mode="same", activation="relu", input_shape=(3, 6, 5)),
            keras1.SeparableConvolution2D(2, 2, 2, depth_multiplier=2, b_constraint="nonneg"),
            keras1.Deconvolution2D(3, 2, 2, (None, 3, 10, 9), subsample=(2, 2), W_regularizer="l2"),
            keras1.ZeroPadding2D((1, 2, 0, 3)),
        ]
    )
    x, y = random(4, 3, 6, 5), random(4, 3, 13, 12)
    model.compile(optimizer="adam", loss="mean_squared_error")
    before = model.evaluate(x, y)["loss"]
    model.fit(x, y, epochs=10, verbose=0)
    assert model.evaluate(x, y)["loss"] < before
    assert (model.layers[1].b >= 0).all()
    model.save(tmp_path / "model.npz")
    again = Sequential.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert [type(layer) for layer in again.layers] == [type(layer) for layer in model.layers]
    assert [array.shape for array in again.get_weights()][:2] == [(4, 3, 3, 2), (4,)]


def test_a_layer_is_one_of_refconvs_layers() -> None:
    layer = keras1.Convolution2D(4, 3, 3, border_mode="same")
    assert isinstance(layer, layers.Conv2D)
    (stage,) = layer.stages((1, 3, 5, 5))
    assert stage.geometry == layers.Conv2D(4, 3, padding="same", data_format="channels_first").geometry((1, 3, 5, 5))


def test_the_matrix_of_a_layer_is_what_it_computes() -> None:
    layer = keras1.Deconvolution2D(2, 3, 2, (None, 2, 6, 9), border_mode="same", subsample=(2, 3), dtype="float64")
    x = random(1, 3, 3, 3)
    y = layer(x)
    matrix = refconv.matrix(layer, input_shape=x.shape)
    np.testing.assert_allclose(np.moveaxis(y, 1, -1).ravel(), matrix @ np.moveaxis(x, 1, -1).ravel(), atol=1e-12)
    assert refconv.output_size(layer, x.shape) == y.shape[2:]


# What the arguments name: Keras 1's names, numbers and layouts.


def test_names_mean_what_they_meant_in_keras_1() -> None:
    layer = keras1.Convolution2D(
        300, 4, 4, init="normal", activation="hard_sigmoid", W_regularizer="l1l2", dim_ordering="tf", dtype="float64"
    )
    layer.build((None, 8, 8, 3))
    # Not truncated: of 14,400 numbers some lie beyond two deviations.
    assert np.abs(layer.W).max() > 3 * 0.05
    assert abs(layer.W.std() - 0.05) < 0.001
    np.testing.assert_allclose(layer.activation(np.array([1.0, 4.0])), [0.7, 1.0])  # 0.2 x + 0.5
    assert layer.W_regularizer.get_config() == {"l1": 0.01, "l2": 0.01}
    he = keras1.Convolution2D(300, 4, 4, init="he_normal", dim_ordering="th", dtype="float64")
    he.build((None, 3, 8, 8))
    assert np.abs(he.W).max() > 3 * np.sqrt(2 / 48)
    assert abs(he.W.std() / np.sqrt(2 / 48) - 1) < 0.02
    assert keras1.Convolution2D(4, 3, 3, init="zero").init([2], dtype="float32").tolist() == [0, 0]
    assert keras1.Convolution2D(4, 3, 3, init="one").init([2], dtype="float32").tolist() == [1, 1]
    newer = keras1.Conv1D(4, 3, activation="hard_sigmoid", kernel_regularizer="l1_l2")
    np.testing.assert_allclose(newer.activation(np.array([1.0])), [0.7])
    assert newer.kernel_regularizer.get_config() == {"l1": 0.01, "l2": 0.01}


def test_orthogonal_takes_its_rows_in_keras_1s_layout() -> None:
    layer = keras1.Convolution2D(4, 3, 3, init="orthogonal", dim_ordering="th", dtype="float64")
    layer.build((None, 2, 8, 8))
    rows = layer.W.reshape(4, -1)
    np.testing.assert_allclose(rows @ rows.T, 1.1**2 * np.eye(4), atol=1e-12)


@pytest.mark.parametrize("ordering", ["th", "tf"])
def test_a_function_makes_the_weights_in_keras_1s_layout(ordering: str) -> None:
    asked = []

    def numbered(shape: tuple[int, ...], dtype: str) -> np.ndarray:
        asked.append(shape)
        return np.arange(np.prod(shape), dtype=dtype).reshape(shape)

    layer = keras1.Convolution2D(4, 3, 2, init=numbered, dim_ordering=ordering)
    layer.build((None, 5, 8, 8) if ordering == "th" else (None, 8, 8, 5))
    shape = (4, 5, 3, 2) if ordering == "th" else (3, 2, 5, 4)
    assert asked == [shape]
    np.testing.assert_array_equal(layer.W, np.arange(120).reshape(shape))
    separable = keras1.SeparableConvolution2D(4, 3, 2, init=numbered, depth_multiplier=2, dim_ordering=ordering)
    separable.build((None, 5, 8, 8) if ordering == "th" else (None, 8, 8, 5))
    for array in separable.get_weights()[:2]:
        np.testing.assert_array_equal(array.ravel(), np.arange(array.size))
    with pytest.raises(ConvError, match=r"`init` = .*\(4, 5, 3, 2\)"):
        keras1.Convolution2D(4, 3, 2, init=lambda shape, dtype: np.zeros(3)).build((None, 5, 8, 8))


def test_constraints_and_regularizers_see_keras_1s_layout() -> None:
    seen = []

    class Watching:
        def __call__(self, w: np.ndarray) -> float:
            seen.append(w.shape)
            return float((w[0] ** 2).sum())  # of the first filter under "th"

        def gradient(self, w: np.ndarray) -> np.ndarray:
            result = np.zeros_like(w)
            result[0] = 2 * w[0]
            return result

    layer = keras1.Convolution2D(
        3,
        2,
        2,
        W_regularizer=Watching(),
        W_constraint={"name": "MaxNorm", "m": 1.5, "axis": 0},
        bias=False,
        dtype="float64",
    )
    layer.build((None, 2, 5, 5))
    w = random(3, 2, 2, 2) * 3
    layer.set_weights([w])
    assert layer.losses == [pytest.approx((w[0] ** 2).sum())]
    assert seen == [(3, 2, 2, 2)]
    y = layer.forward(np.zeros((1, 2, 5, 5)))
    layer.backward(np.zeros_like(y))
    np.testing.assert_allclose(layer.gradients[0][..., 0], w[0].transpose(1, 2, 0) * 2)
    assert not layer.gradients[0][..., 1:].any()
    layer.apply_constraints()
    norms = np.sqrt((w**2).sum(0, keepdims=True))
    np.testing.assert_allclose(layer.W, w * np.clip(norms, 0, 1.5) / (1e-7 + norms), rtol=1e-6)
    with pytest.raises(ConvError, match="`b_constraint`"):
        keras1.Convolution2D(3, 2, 2, b_constraint="maxnrom")
    with pytest.raises(ConvError, match="`depthwise_regularizer`"):
        keras1.SeparableConvolution2D(3, 2, 2, depthwise_regularizer="l3")


def gradient_by_differences(function: Any, array: np.ndarray, h: float = 1e-6) -> np.ndarray:
    gradient = np.zeros_like(array)
    for place in np.ndindex(*array.shape):
        kept = array[place]
        array[place] = kept + h
        above = function()
        array[place] = kept - h
        below = function()
        array[place] = kept
        gradient[place] = (above - below) / (2 * h)
    return gradient


LEARNING = [
    (keras1.Convolution1D, (2, 3), {"border_mode": "same", "subsample_length": 2, "W_regularizer": "l2"}, (2, 5, 2)),
    (keras1.AtrousConvolution1D, (2, 2), {"atrous_rate": 2}, (2, 5, 2)),
    (keras1.Convolution2D, (2, 2, 3), {"border_mode": "full", "activation": "tanh"}, (1, 2, 4, 3)),
    (keras1.Convolution2D, (2, 2, 3), {"dim_ordering": "tf", "b_regularizer": "l1"}, (1, 4, 3, 2)),
    (keras1.AtrousConvolution2D, (2, 2, 2), {"atrous_rate": (2, 2), "activity_regularizer": "l2"}, (1, 2, 4, 3)),
    (keras1.SeparableConvolution2D, (3, 2, 2), {"depth_multiplier": 2, "pointwise_regularizer": "l2"}, (1, 2, 4, 3)),
    (keras1.Deconvolution2D, (2, 3, 2, (None, 2, 8, 7)), {"subsample": (2, 3)}, (2, 3, 3, 2)),
    (keras1.Deconvolution2D, (2, 3, 2, (None, 5, 5, 2)), {"border_mode": "same", "subsample": 3, "dim_ordering": "tf"}, (1, 2, 2, 3)),  # noqa: E501
    (keras1.Convolution3D, (2, 2, 1, 2), {"border_mode": "same"}, (1, 2, 3, 2, 2)),
    (keras1.ZeroPadding2D, ((1, 2, 0, 3),), {}, (1, 2, 4, 3)),
    (keras1.UpSampling2D, ((2, 3),), {}, (1, 2, 4, 3)),
    (keras1.Cropping2D, (((1, 0), (0, 1)),), {}, (1, 2, 4, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("cls", "args", "words", "shape"), LEARNING, ids=lambda value: getattr(value, "__name__", ""))
def test_gradients_against_differences(
    cls: Any, args: tuple[Any, ...], words: dict[str, Any], shape: tuple[int, ...]
) -> None:
    layer, x = cls(*args, **words, dtype="float64"), random(*shape)
    dy = random(*layer.forward(x).shape)
    if layer.weights:
        layer.set_weights([random(*array.shape) for array in layer.get_weights()])
        layer.forward(x)
    dx = layer.backward(dy)

    def loss() -> float:
        return float((layer.forward(x) * dy).sum()) + sum(layer.losses)

    np.testing.assert_allclose(dx, gradient_by_differences(loss, x), atol=2e-7)
    for array, gradient in zip(layer.trainable_weights, list(layer.gradients), strict=True):
        np.testing.assert_allclose(gradient, gradient_by_differences(loss, array), atol=2e-7)


@pytest.mark.parametrize("ordering", ["th", "tf"])
def test_deconvolution_counts_fans_as_keras1_does(ordering: str) -> None:
    spatial = (12, 12)
    output = (None, 40, 16, 16) if ordering == "th" else (None, 16, 16, 40)
    shape = (10, *spatial) if ordering == "th" else (*spatial, 10)
    layer = keras1.Deconvolution2D(
        40, 5, 5, output_shape=output, init="he_normal", dim_ordering=ordering, input_shape=shape
    )
    layer.build((None, *shape))
    # 10,000 draws: their variance is within 5 % of 2 / fan_in, the channels counted as coming in.
    assert np.isclose(layer.get_weights()[0].var(), 2 / (5 * 5 * 10), rtol=0.05)
