"""The matrix of a geometry and of layers: y = C x + b, and the transposed layer's is C^T."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refconv import matrix
from refconv.errors import ConvError
from refconv.functional import conv, conv_transpose_with, conv_with, separable_conv, upsample
from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.interpolation import axis_taps
from refconv.trace import Stage
from refconv.verify import oracle


class Layer:
    """Something with stages, as a layer is to `matrix`."""

    def __init__(self, *stages, data_format="channels_last"):
        self._stages = stages
        self.data_format = data_format

    def stages(self, input_shape):
        return self._stages


def swapped(weights, groups):
    """The weights of the convolution as the adjoint's own gather reads them."""
    return np.concatenate([np.swapaxes(part, -1, -2) for part in np.split(weights, groups, axis=-1)], axis=-1)


@st.composite
def geometries(draw):
    axes = []
    for _ in range(draw(st.integers(1, 3))):
        n, k, s, d, a = (draw(st.integers(1, top)) for top in (4, 3, 3, 2, 3))
        lo, hi = draw(st.integers(-2, 3)), draw(st.integers(-2, 3))
        lacking = (k - 1) * d + 1 - ((n - 1) * a + 1) - lo - hi
        axes.append(AxisGeometry(n, k, s, d, lo, hi + max(lacking, 0), a, draw(st.booleans())))
    return ConvGeometry(tuple(axes), draw(st.integers(1, 2)))


@settings(max_examples=60)
@given(geometry=geometries(), seed=st.integers(0, 99))
def test_matrix_is_the_loop(geometry, seed):
    generator = np.random.default_rng(seed)
    own, filters = int(generator.integers(1, 3)), geometry.groups * int(generator.integers(1, 3))
    x = generator.integers(-9, 10, (1, *geometry.input_size, own * geometry.groups))
    weights = generator.integers(-9, 10, (*geometry.kernel_size, own, filters))
    c = matrix(geometry, weights)
    assert c.dtype == np.int64
    np.testing.assert_array_equal(c @ x.reshape(-1), conv_with(geometry, x, weights).reshape(-1))
    np.testing.assert_array_equal(matrix(geometry.adjoint(), swapped(weights, geometry.groups)), c.T)
    y = generator.integers(-9, 10, (1, *geometry.output_size, filters))
    np.testing.assert_array_equal(c.T @ y.reshape(-1), conv_transpose_with(geometry.adjoint(), y, weights).reshape(-1))
    rows, columns, values = matrix(geometry, weights, sparse=True)
    places = rows * c.shape[1] + columns
    assert (np.diff(places) > 0).all()
    dense = np.zeros_like(c)
    dense[rows, columns] = values
    np.testing.assert_array_equal(dense, c)


def test_matrix_and_bias_against_the_oracle():
    generator = np.random.default_rng(0)
    x, weights = generator.normal(size=(1, 5, 4, 2)), generator.normal(size=(3, 2, 2, 3))
    bias = generator.normal(size=3)
    geometry = ConvGeometry((AxisGeometry(5, 3, 2, 1, 1, 0), AxisGeometry(4, 2, 1, 2, -1, 3)))
    expected = oracle.conv(x, weights, bias, strides=(2, 1), pads=[(1, 0), (-1, 3)], dilation=(1, 2))
    y = matrix(geometry, weights.astype(np.float32).astype(np.float64)) @ x.reshape(-1) + np.tile(bias, 2 * 4)
    np.testing.assert_allclose(y, expected.reshape(-1), rtol=1e-5)


def test_figure_of_the_paper():
    """Section 4.1 of arXiv:1603.07285: the 4x16 matrix of a 3x3 kernel on a 4x4 input."""
    weights = np.arange(1, 10).reshape(3, 3, 1, 1)
    c = matrix(ConvGeometry((AxisGeometry(4, 3), AxisGeometry(4, 3))), weights)
    assert c.shape == (4, 16)
    np.testing.assert_array_equal(c[0], [1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(c[3], [0, 0, 0, 0, 0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9])


def test_default_weights_are_ones():
    c = matrix(ConvGeometry((AxisGeometry(3, 2),), groups=2))
    np.testing.assert_array_equal(c, np.kron([[1, 1, 0], [0, 1, 1]], np.eye(2)))


def test_two_stages_multiply():
    generator = np.random.default_rng(1)
    depthwise, pointwise = generator.normal(size=(3, 2, 2)), generator.normal(size=(1, 4, 3))
    x = generator.normal(size=(1, 6, 2))
    first = Stage("depthwise", ConvGeometry((AxisGeometry(6, 3, 2, 1, 1, 1),), 2), depthwise.reshape(3, 1, 4))
    second = Stage("pointwise", ConvGeometry((AxisGeometry(3, 1),)), pointwise)
    c = matrix(Layer(first, second), input_shape=(None, 6, 2))
    expected = separable_conv(x, depthwise, pointwise, strides=2, padding=1)
    np.testing.assert_allclose(c @ x.reshape(-1), expected.reshape(-1), rtol=1e-12)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_interpolation_is_a_kronecker_product(data_format):
    x = np.random.default_rng(2).normal(size=(1, 3, 4, 2))
    rows = (axis_taps(3, 6, "bilinear"), axis_taps(4, 8, "bilinear"))
    shape = (None, 3, 4, 2) if data_format == "channels_last" else (None, 2, 3, 4)
    layer = Layer(Stage("bilinear", None, interpolation=rows), data_format=data_format)
    c = matrix(layer, input_shape=shape)
    assert c.shape == (96, 24)
    np.testing.assert_allclose(c.sum(axis=1), 1, rtol=1e-12)
    expected = upsample(x, size=2, interpolation="bilinear")
    np.testing.assert_allclose(c @ x.reshape(-1), expected.reshape(-1), rtol=1e-12, atol=1e-12)


def test_conv_is_its_matrix_for_float16_weights():
    weights = np.random.default_rng(3).normal(size=(2, 1, 1)).astype(np.float16)
    x = np.arange(5.0).reshape(1, 5, 1)
    c = matrix(ConvGeometry((AxisGeometry(5, 2),)), weights)
    np.testing.assert_allclose(c @ x.reshape(-1), conv(x, weights).reshape(-1), rtol=1e-12)


GEOMETRY = ConvGeometry((AxisGeometry(5, 3), AxisGeometry(5, 3)))


@pytest.mark.parametrize(
    ("arguments", "words", "argument", "part"),
    [
        (("conv",), {}, "layer_or_geometry", "neither a layer nor a geometry"),
        ((Layer(),), {}, "input_shape", "input_shape="),
        ((Layer(),), {"input_shape": (None, 5, 1)}, "layer_or_geometry", "no stages"),
        ((Layer(), np.ones(3)), {"input_shape": (None, 5, 1)}, "weights", "its own weights"),
        ((GEOMETRY, np.ones((3, 2, 1, 1))), {}, "weights", "(3, 3, channels / groups, filters)"),
        ((GEOMETRY, np.ones((3, 3))), {}, "weights", "kernel of size (3, 3)"),
        ((GEOMETRY, np.ones((3, 3, 1, 1), complex)), {}, "weights", "complex128"),
        ((ConvGeometry(GEOMETRY.axes, 2), np.ones((3, 3, 1, 3))), {}, "groups", "[G11]"),
        ((ConvGeometry((AxisGeometry(10**7, 3),)),), {}, "layer_or_geometry", "GiB"),
        ((ConvGeometry((AxisGeometry(10**12, 3),)),), {"sparse": True}, "layer_or_geometry", "GiB"),
        ((ConvGeometry((AxisGeometry(10**12, 3, 10**11),) * 3),), {}, "layer_or_geometry", "64-bit"),
    ],
)
def test_errors(arguments, words, argument, part):
    with pytest.raises(ConvError) as error:
        matrix(*arguments, **words)
    assert error.value.argument == argument
    assert part in str(error.value)


def test_a_real_layer_may_be_any_object_with_stages():
    layer = SimpleNamespace(stages=lambda shape: (Stage("conv", ConvGeometry((AxisGeometry(shape[1], 2),))),))
    np.testing.assert_array_equal(matrix(layer, input_shape=(1, 3, 1)), [[1, 1, 0], [0, 1, 1]])
