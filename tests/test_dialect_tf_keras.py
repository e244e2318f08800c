"""TensorFlow 2.4's Keras 2: documented signatures, errors and examples, values, and Keras 3 live where it is equal."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import signatures

from refconv import ConvError
from refconv.dialects import tf_keras
from refconv.models import Sequential
from refconv.verify import oracle

RNG = np.random.default_rng(24)
START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def _same_numbers_in_every_order() -> None:
    RNG.bit_generator.state = START


# As TensorFlow 2.4's documentation prints them; DepthwiseConv1D as Keras 2.15 does.
_OF_A_KERNEL = "kernel_initializer='glorot_uniform', bias_initializer='zeros', kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, bias_constraint=None, **kwargs"  # noqa: E501
_OF_TWO = "depthwise_initializer='glorot_uniform', pointwise_initializer='glorot_uniform', bias_initializer='zeros', depthwise_regularizer=None, pointwise_regularizer=None, bias_regularizer=None, activity_regularizer=None, depthwise_constraint=None, pointwise_constraint=None, bias_constraint=None, **kwargs"  # noqa: E501
_OF_DEPTHWISE = "depthwise_initializer='glorot_uniform', bias_initializer='zeros', depthwise_regularizer=None, bias_regularizer=None, activity_regularizer=None, depthwise_constraint=None, bias_constraint=None, **kwargs"  # noqa: E501
DOCUMENTED = [
    """tf.keras.layers.Conv1DTranspose(
        filters, kernel_size, strides=1, padding='valid', output_padding=None,
        data_format=None, dilation_rate=1, activation=None, use_bias=True,
        kernel_initializer='glorot_uniform',
        bias_initializer='zeros', kernel_regularizer=None,
        bias_regularizer=None, activity_regularizer=None, kernel_constraint=None,
        bias_constraint=None, **kwargs
    )""",
    f"tf.keras.layers.Conv1D(filters, kernel_size, strides=1, padding='valid', data_format='channels_last', dilation_rate=1, groups=1, activation=None, use_bias=True, {_OF_A_KERNEL})",  # noqa: E501
    f"tf.keras.layers.Conv2D(filters, kernel_size, strides=(1, 1), padding='valid', data_format=None, dilation_rate=(1, 1), groups=1, activation=None, use_bias=True, {_OF_A_KERNEL})",  # noqa: E501
    f"tf.keras.layers.Conv3D(filters, kernel_size, strides=(1, 1, 1), padding='valid', data_format=None, dilation_rate=(1, 1, 1), groups=1, activation=None, use_bias=True, {_OF_A_KERNEL})",  # noqa: E501
    f"tf.keras.layers.Conv2DTranspose(filters, kernel_size, strides=(1, 1), padding='valid', output_padding=None, data_format=None, dilation_rate=(1, 1), activation=None, use_bias=True, {_OF_A_KERNEL})",  # noqa: E501
    f"tf.keras.layers.Conv3DTranspose(filters, kernel_size, strides=(1, 1, 1), padding='valid', output_padding=None, data_format=None, dilation_rate=(1, 1, 1), activation=None, use_bias=True, {_OF_A_KERNEL})",  # noqa: E501
    f"tf.keras.layers.SeparableConv1D(filters, kernel_size, strides=1, padding='valid', data_format=None, dilation_rate=1, depth_multiplier=1, activation=None, use_bias=True, {_OF_TWO})",  # noqa: E501
    f"tf.keras.layers.SeparableConv2D(filters, kernel_size, strides=(1, 1), padding='valid', data_format=None, dilation_rate=(1, 1), depth_multiplier=1, activation=None, use_bias=True, {_OF_TWO})",  # noqa: E501
    f"tf.keras.layers.DepthwiseConv1D(kernel_size, strides=1, padding='valid', depth_multiplier=1, data_format=None, dilation_rate=1, activation=None, use_bias=True, {_OF_DEPTHWISE})",  # noqa: E501
    f"tf.keras.layers.DepthwiseConv2D(kernel_size, strides=(1, 1), padding='valid', depth_multiplier=1, data_format=None, dilation_rate=(1, 1), activation=None, use_bias=True, {_OF_DEPTHWISE})",  # noqa: E501
    "tf.keras.layers.UpSampling1D(size=2, **kwargs)",
    "tf.keras.layers.UpSampling2D(size=(2, 2), data_format=None, interpolation='nearest', **kwargs)",
    "tf.keras.layers.UpSampling3D(size=(2, 2, 2), data_format=None, **kwargs)",
    "tf.keras.layers.ZeroPadding1D(padding=1, **kwargs)",
    "tf.keras.layers.ZeroPadding2D(padding=(1, 1), data_format=None, **kwargs)",
    "tf.keras.layers.ZeroPadding3D(padding=(1, 1, 1), data_format=None, **kwargs)",
    "tf.keras.layers.Cropping1D(cropping=(1, 1), **kwargs)",
    "tf.keras.layers.Cropping2D(cropping=((0, 0), (0, 0)), data_format=None, **kwargs)",
    "tf.keras.layers.Cropping3D(cropping=((1, 1), (1, 1), (1, 1)), data_format=None, **kwargs)",
]


@pytest.mark.parametrize("call", DOCUMENTED, ids=lambda call: signatures.documented(call)[0])
def test_the_signature_is_the_documented_one(call: str) -> None:
    name, arguments = signatures.documented(call)
    assert signatures.actual(getattr(tf_keras, name)) == arguments


def test_conv3d_transpose_takes_output_padding_before_data_format() -> None:
    layer = tf_keras.Conv3DTranspose(2, 3, (2, 2, 2), "valid", 1, "channels_first")
    assert (layer.output_padding, layer.data_format) == ((1, 1, 1), "channels_first")


def test_the_aliases() -> None:
    for rank in (1, 2, 3):
        assert getattr(tf_keras, f"Convolution{rank}DTranspose") is getattr(tf_keras, f"Conv{rank}DTranspose")
        assert getattr(tf_keras, f"Convolution{rank}D") is getattr(tf_keras, f"Conv{rank}D")
    for rank in (1, 2):
        assert getattr(tf_keras, f"SeparableConvolution{rank}D") is getattr(tf_keras, f"SeparableConv{rank}D")


# Examples and sentences of the documentation.


def test_the_documented_example_of_conv1d_transpose() -> None:
    x = RNG.random((4, 10, 128))
    y = tf_keras.Conv1DTranspose(32, 3, 2, activation="relu")(x)
    assert y.shape == (4, 21, 32)
    assert Sequential([tf_keras.Conv1DTranspose(32, 3, input_shape=(128, 3))]).output_shape == (None, 130, 32)


def test_the_documented_forms_of_arguments() -> None:
    layer = tf_keras.Conv1DTranspose(
        2, (3,), [2], "SAME", (1,), "channels_first", (1,), kernel_initializer=None, bias_initializer=None
    )
    assert (layer.kernel_size, layer.strides, layer.padding, layer.output_padding) == ((3,), (2,), "same", (1,))
    layer.build((None, 3, 10))
    assert layer.kernel.any()
    assert not layer.bias.any()


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (3, 1), (1, 2)])
def test_the_documented_formula_where_output_padding_is_given(
    steps: int, kernel: int, stride: int, dilation: int
) -> None:
    """new_timesteps = ((timesteps - 1) * strides + kernel_size - 2 * padding + output_padding)"""
    spanned = (kernel - 1) * dilation + 1
    for output_padding in range(stride):
        for word, padding in (("valid", 0), ("same", spanned // 2)):
            expected = (steps - 1) * stride + spanned - 2 * padding + output_padding
            words = {"padding": word, "output_padding": output_padding, "dilation_rate": dilation}
            if expected < 1:
                with pytest.raises(ConvError):
                    tf_keras.Conv1DTranspose(2, kernel, stride, input_shape=(steps, 3), **words).output_shape  # noqa: B018
            else:
                layer = tf_keras.Conv1DTranspose(2, kernel, stride, input_shape=(steps, 3), **words)
                assert layer.output_shape == (None, expected, 2)
    inferred = tf_keras.Conv1DTranspose(2, kernel, stride, dilation_rate=dilation, input_shape=(steps, 3))
    assert inferred.output_shape == (None, (steps - 1) * stride + max(spanned, stride), 2)
    same = tf_keras.Conv1DTranspose(2, kernel, stride, "same", dilation_rate=dilation, input_shape=(steps, 3))
    assert same.output_shape == (None, steps * stride, 2)  # "the same" at stride 1 only


TRANSPOSED = ["Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"]
NOT_CAUSAL = [*TRANSPOSED, "Conv2D", "Conv3D", "SeparableConv2D"]
ALL_KERNELS = [*NOT_CAUSAL, "Conv1D", "SeparableConv1D"]


@pytest.mark.parametrize("name", NOT_CAUSAL)
def test_causal_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match="`padding` = 'causal'"):
        getattr(tf_keras, name)(2, 3, padding="causal")


@pytest.mark.parametrize("name", ALL_KERNELS)
def test_strides_and_dilation_together_are_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match=r"`strides` = .*dilation_rate") as caught:
        getattr(tf_keras, name)(2, 3, strides=2, dilation_rate=2)
    assert "framework=" not in str(caught.value)
    with pytest.raises(ValueError, match="strides"):
        tf_keras.DepthwiseConv2D(3, strides=2, dilation_rate=2)


@pytest.mark.parametrize("name", TRANSPOSED)
@pytest.mark.parametrize("output_padding", [2, 3, -1])
def test_output_padding_must_be_below_the_stride(name: str, output_padding: int) -> None:
    with pytest.raises(ValueError, match="`output_padding` = "):
        getattr(tf_keras, name)(2, 3, strides=2, output_padding=output_padding)
    with pytest.raises(ValueError, match=r"`output_padding` = .*use at most 0, or none"):
        getattr(tf_keras, name)(2, 3, output_padding=1)


def test_rows_and_columns_have_one_stride_in_depthwise_layers() -> None:
    for made in (lambda: tf_keras.DepthwiseConv2D(3, strides=(1, 2)), lambda: tf_keras.SeparableConv2D(2, 3, (1, 2))):
        with pytest.raises(ConvError, match=r"`strides` = \(1, 2\).*or refconv.layers"):
            made()


EXAMPLES: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...], tuple[int, ...]]] = [
    ("Conv1D", (32, 3), {"activation": "relu"}, (4, 10, 128), (4, 8, 32)),
    ("Conv1D", (32, 3), {"activation": "relu"}, (4, 7, 10, 128), (4, 7, 8, 32)),
    ("Conv2D", (2, 3), {"activation": "relu"}, (4, 28, 28, 3), (4, 26, 26, 2)),
    ("Conv2D", (2, 3), {"activation": "relu", "dilation_rate": 2}, (4, 28, 28, 3), (4, 24, 24, 2)),
    ("Conv2D", (2, 3), {"activation": "relu", "padding": "same"}, (4, 28, 28, 3), (4, 28, 28, 2)),
    ("Conv2D", (2, 3), {"activation": "relu"}, (4, 7, 28, 28, 3), (4, 7, 26, 26, 2)),
    ("Conv3D", (2, 3), {"activation": "relu"}, (4, 28, 28, 28, 1), (4, 26, 26, 26, 2)),
    ("Conv3D", (2, 3), {"activation": "relu"}, (4, 7, 28, 28, 28, 1), (4, 7, 26, 26, 26, 2)),
    ("UpSampling3D", (), {"size": 2}, (2, 1, 2, 1, 3), (2, 2, 4, 2, 3)),
    ("ZeroPadding3D", (), {"padding": 2}, (1, 1, 2, 2, 3), (1, 5, 6, 6, 3)),
    ("Cropping2D", (), {"cropping": ((2, 2), (4, 4))}, (2, 28, 28, 3), (2, 24, 20, 3)),
    ("Cropping3D", (), {"cropping": (2, 4, 2)}, (2, 28, 28, 10, 3), (2, 24, 20, 6, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "words", "given", "expected"), EXAMPLES)
def test_the_documented_shapes(
    name: str, args: tuple[Any, ...], words: dict[str, Any], given: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert getattr(tf_keras, name)(*args, **words).compute_output_shape(given) == expected


def test_the_documented_values() -> None:
    x = np.arange(12).reshape(2, 2, 3)
    up = tf_keras.UpSampling1D(size=2)(x)
    assert up[0].tolist() == [[0, 1, 2], [0, 1, 2], [3, 4, 5], [3, 4, 5]]
    padded = tf_keras.ZeroPadding1D(padding=2)(x)
    assert padded[1].tolist() == [[0, 0, 0], [0, 0, 0], [6, 7, 8], [9, 10, 11], [0, 0, 0], [0, 0, 0]]
    wide = tf_keras.UpSampling2D(size=(1, 2))(np.arange(12).reshape(2, 2, 1, 3))
    assert wide[0].tolist() == [[[0, 1, 2], [0, 1, 2]], [[3, 4, 5], [3, 4, 5]]]
    around = tf_keras.ZeroPadding2D(padding=1)(np.arange(4).reshape(1, 1, 2, 2))
    assert around[0].tolist() == [[[0, 0]] * 4, [[0, 0], [0, 1], [2, 3], [0, 0]], [[0, 0]] * 4]
    above = tf_keras.ZeroPadding2D(padding=((1, 1), (2, 2)))(np.arange(4).reshape(1, 1, 2, 2))
    assert above.shape == (1, 3, 6, 2)
    assert tf_keras.Cropping1D(cropping=1)(np.arange(12).reshape(2, 3, 2)).tolist() == [[[2, 3]], [[8, 9]]]


# Arguments that every layer takes.


def test_arguments_of_every_layer() -> None:
    layer = tf_keras.Conv2D(
        8, 3, input_shape=(28, 28, 3), batch_size=5, name="first", dtype="float64", trainable=False, dynamic=True
    )
    assert (layer.input_shape, layer.output_shape) == ((5, 28, 28, 3), (5, 26, 26, 8))
    assert (layer.name, layer.dtype, layer.trainable, layer.dynamic) == ("first", "float64", False, True)
    assert tf_keras.Cropping1D(batch_input_shape=(2, 9, 3)).output_shape == (2, 7, 3)
    assert tf_keras.Conv2D(8, 3, data_format="channels_first", input_shape=(3, None, 9)).output_shape == (
        None,
        8,
        None,
        7,
    )
    w, b = RNG.normal(size=(3, 3, 3, 8)), RNG.normal(size=8)
    layer = tf_keras.Conv2D(8, 3, weights=[w, b], dtype="float64")
    layer.build((None, None, None, 3))
    np.testing.assert_array_equal(layer.kernel, w)
    np.testing.assert_array_equal(layer.get_weights()[1], b)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"input_shape": (28, 3)}, r"`input_shape` = \(28, 3\).*give 3 sizes, without the sample axis"),
        ({"input_shape": 28}, "`input_shape` = 28"),
        ({"input_shape": (28, 28, 0)}, r"`input_shape` = \(28, 28, 0\)"),
        ({"batch_input_shape": (28, 28, 3)}, r"`batch_input_shape` = \(28, 28, 3\)"),
        ({"batch_input_shape": (1, 28, 28, 3), "input_shape": (28, 28, 3)}, "`batch_input_shape`.*leave out"),
        ({"autocast": False}, "`autocast` = False"),
        ({"dynamic": 1}, "`dynamic` = 1"),
        ({"imput_shape": (28, 28, 3)}, "`imput_shape`"),
        ({"kernel_initializer": "glorot"}, "`kernel_initializer`"),
        ({"kernel_regularizer": "l3"}, "`kernel_regularizer`"),
        ({"padding": 1}, "`padding` = 1"),
    ],
)
def test_wrong_arguments_are_named(words: dict[str, Any], message: str) -> None:
    with pytest.raises(ConvError, match=message):
        tf_keras.Conv2D(8, 3, **words)


def test_one_dimensional_layers_have_their_channels_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keras.json").write_text(json.dumps({"image_data_format": "channels_first"}))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert tf_keras.Conv1D(2, 3).data_format == "channels_last"
    assert tf_keras.ZeroPadding1D().data_format == "channels_last"
    assert tf_keras.Conv1DTranspose(2, 3).data_format == "channels_first"
    assert tf_keras.Conv2D(2, 3).data_format == "channels_first"
    with pytest.raises(ConvError, match="data_format"):
        tf_keras.ZeroPadding1D(data_format="channels_first")


def test_names_mean_what_they_meant_in_keras_2() -> None:
    layer = tf_keras.Conv2D(2, 3, activation="hard_sigmoid", kernel_regularizer="l1_l2", bias_regularizer="l2")
    np.testing.assert_allclose(layer.activation(np.array([1.0])), [0.7])
    assert layer.kernel_regularizer.get_config() == {"l1": 0.01, "l2": 0.01}
    assert layer.bias_regularizer.get_config() == {"l2": 0.01}


@pytest.mark.parametrize(
    "layer",
    [
        tf_keras.Conv1D(2, 3, padding="causal", activation="hard_sigmoid", input_shape=(9, 4)),
        tf_keras.Conv2D(2, 3, kernel_regularizer="l1_l2", kernel_initializer="he_normal", activity_regularizer="l1"),
        tf_keras.Conv3DTranspose(2, 3, 2, output_padding=1, name="up"),
        tf_keras.SeparableConv1D(2, 3, padding="causal", depthwise_constraint="max_norm"),
        tf_keras.DepthwiseConv2D(3, strides=2, depth_multiplier=2, trainable=False),
        tf_keras.UpSampling2D((2, 3), interpolation="bilinear", batch_input_shape=(1, 2, 2, 3)),
        tf_keras.ZeroPadding1D((1, 2)),
        tf_keras.ZeroPadding2D(((1, 2), (3, 4)), dtype="float64"),
        tf_keras.Cropping3D(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_layer_is_made_again_of_its_configuration(layer: Any) -> None:
    config = json.loads(json.dumps(layer.get_config()))
    assert json.loads(json.dumps(type(layer).from_config(config).get_config())) == config


# Values, against the oracle.


def filled(layer: Any, shape: tuple[int, ...]) -> tuple[Any, np.ndarray]:
    """Return a layer with random weights and random input for it."""
    layer.build(shape)
    layer.set_weights([RNG.normal(size=array.shape) for array in layer.get_weights()])
    return layer, RNG.normal(size=shape)


def test_separable_conv1d_is_causal_by_value() -> None:
    for strides, dilation in ((1, 1), (2, 1), (1, 2)):
        layer, x = filled(
            tf_keras.SeparableConv1D(
                4, 3, strides, "causal", dilation_rate=dilation, depth_multiplier=2, dtype="float64"
            ),
            (2, 9, 3),
        )
        between = oracle.depthwise(
            x, layer.depthwise_kernel, strides=(strides,), pads=[(2 * dilation, 0)], dilation=(dilation,)
        )
        np.testing.assert_allclose(layer(x), between @ layer.pointwise_kernel[0] + layer.bias, rtol=1e-12)


@pytest.mark.parametrize(
    ("padding", "strides", "dilation", "output_padding"),
    [
        ("valid", 2, 1, None),
        ("valid", 3, 1, 1),
        ("same", 2, 1, None),
        ("same", 3, 1, 2),
        ("same", 1, 2, None),
        ("valid", 1, 3, 0),
    ],
)
def test_transposed_layers_by_value(padding: str, strides: int, dilation: int, output_padding: int | None) -> None:
    for rank, cls in enumerate((tf_keras.Conv1DTranspose, tf_keras.Conv2DTranspose, tf_keras.Conv3DTranspose), 1):
        layer, x = filled(
            cls(2, 3, strides, padding, output_padding, "channels_first", dilation, dtype="float64"),
            (2, 3, *(4, 3, 2)[:rank]),
        )
        assert layer.kernel.shape == (*(3,) * rank, 2, 3)
        crop = oracle.crop_of(padding, 3, strides, dilation, output_padding)
        y = oracle.conv_transpose(
            np.moveaxis(x, 1, -1), layer.kernel, layer.bias,
            strides=(strides,) * rank, crop=[crop] * rank, dilation=(dilation,) * rank,
        )  # fmt: skip
        np.testing.assert_allclose(np.moveaxis(layer(x), 1, -1), y, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_several_batch_axes_by_value(data_format: str) -> None:
    sample = (5, 6, 3) if data_format == "channels_last" else (3, 5, 6)
    layer, _ = filled(tf_keras.Conv2D(4, 3, data_format=data_format, dtype="float64"), (2, *sample))
    many = RNG.normal(size=(2, 3, *sample))
    y = layer(many)
    assert y.shape == layer.compute_output_shape(many.shape)
    for i in range(2):
        np.testing.assert_array_equal(y[i], layer(many[i]))
    forward = layer.forward(many)
    np.testing.assert_array_equal(forward, y)
    dy = RNG.normal(size=y.shape)
    dx = layer.backward(dy)
    gradients = [gradient.copy() for gradient in layer.gradients]
    layer.forward(many.reshape(6, *sample))
    np.testing.assert_array_equal(dx, layer.backward(dy.reshape(6, *y.shape[2:])).reshape(many.shape))
    for one, other in zip(gradients, layer.gradients, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ConvError, match="inputs"):
        layer(np.zeros((2, 3)))
    with pytest.raises(ConvError, match="input_shape"):
        layer.compute_output_shape((2, 3))


# Live: Keras 3 where the two versions are equal.

PEER_CASES: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    ("Conv1D", (2, 9, 4), {"filters": 3, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}),
    ("Conv1D", (2, 9, 4), {"filters": 4, "kernel_size": 2, "strides": 2, "groups": 2, "activation": "tanh"}),
    ("Conv2D", (2, 8, 7, 4), {"filters": 3, "kernel_size": [3, 2], "strides": [2, 3], "padding": "same"}),
    ("Conv3D", (2, 5, 4, 6, 2), {"filters": 3, "kernel_size": 2, "dilation_rate": 2, "padding": "same"}),
    ("Conv1DTranspose", (4, 10, 12), {"filters": 8, "kernel_size": 3, "strides": 2, "activation": "relu"}),
    ("Conv1DTranspose", (2, 5, 3), {"filters": 2, "kernel_size": 4, "strides": 3, "padding": "same", "output_padding": 1}),  # noqa: E501
    ("Conv1DTranspose", (2, 5, 3), {"filters": 2, "kernel_size": 3, "dilation_rate": 3, "padding": "same"}),
    ("Conv2DTranspose", (2, 4, 5, 3), {"filters": 2, "kernel_size": [3, 2], "strides": [2, 3], "padding": "same"}),
    ("Conv3DTranspose", (2, 3, 2, 4, 2), {"filters": 3, "kernel_size": 2, "strides": 2, "output_padding": 1}),
    ("SeparableConv1D", (2, 9, 4), {"filters": 3, "kernel_size": 3, "strides": 2, "depth_multiplier": 2}),
    ("SeparableConv2D", (2, 8, 7, 4), {"filters": 3, "kernel_size": [3, 2], "padding": "same", "dilation_rate": 2}),
    ("DepthwiseConv1D", (2, 9, 4), {"kernel_size": 3, "strides": 2, "padding": "same", "depth_multiplier": 2}),
    ("DepthwiseConv2D", (2, 8, 7, 4), {"kernel_size": [3, 2], "strides": [2, 2], "padding": "same"}),
    ("UpSampling2D", (2, 3, 4, 3), {"size": [2, 3], "interpolation": "bilinear"}),
    ("UpSampling3D", (2, 3, 4, 2, 3), {"size": [2, 3, 1]}),
    ("ZeroPadding2D", (2, 3, 4, 3), {"padding": [[1, 2], [0, 3]]}),
    ("Cropping3D", (2, 5, 4, 6, 3), {"cropping": [[1, 2], [0, 3], [2, 1]]}),
]  # fmt: skip

PEER = """
import json, sys
import numpy as np
import keras

arrays = np.load(sys.argv[1])
results = {}
for i, (name, shape, words, count) in enumerate(json.loads(arrays["cases"].item())):
    layer = getattr(keras.layers, name)(**words)
    layer.build(shape)
    layer.set_weights([arrays[f"w{i}_{j}"] for j in range(count)])
    results[f"y{i}"] = np.asarray(layer(arrays[f"x{i}"]))
np.savez(sys.argv[2], **results)
"""


@pytest.mark.peers
def test_values_are_those_of_keras_3(tmp_path: Path) -> None:
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec("jax") is None:
        pytest.skip("keras and jax are not installed")
    cases, arrays, ours = [], {}, []
    for i, (name, shape, words) in enumerate(PEER_CASES):
        layer, x = filled(getattr(tf_keras, name)(**words), shape)
        arrays[f"x{i}"] = x.astype("float32")
        for j, weights in enumerate(layer.get_weights()):
            arrays[f"w{i}_{j}"] = weights
        cases.append((name, shape, words, len(layer.weights)))
        ours.append(layer(arrays[f"x{i}"]))
    np.savez(tmp_path / "given.npz", cases=json.dumps(cases), **arrays)
    environment = {**os.environ, "KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", PEER, str(tmp_path / "given.npz"), str(tmp_path / "made.npz")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    theirs = np.load(tmp_path / "made.npz")
    for i, y in enumerate(ours):
        np.testing.assert_allclose(y, theirs[f"y{i}"], rtol=2e-5, atol=2e-5, err_msg=str(PEER_CASES[i]))
