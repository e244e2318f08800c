"""MATLAB's layers: what its documentation says, and values against the oracle in permuted arrays."""

from __future__ import annotations

import itertools
import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import refconv
from refconv import ConvError, layers, optimizers
from refconv.dialects import matlab
from refconv.layers.saving import deserialize, serialize
from refconv.verify import oracle

RNG = np.random.default_rng(20190301)

CONVOLUTIONS = {1: matlab.convolution1dLayer, 2: matlab.convolution2dLayer, 3: matlab.convolution3dLayer}
TRANSPOSED = {1: matlab.transposedConv1dLayer, 2: matlab.transposedConv2dLayer, 3: matlab.transposedConv3dLayer}
ALL = [*CONVOLUTIONS.values(), *TRANSPOSED.values()]

# As the documentation of transposedConv3dLayer prints its example, but for the line breaks.
DOCUMENTED = (
    "TransposedConvolution3DLayer with properties: Name: '' Hyperparameters FilterSize: [11 11 11] NumChannels: 'auto' "
    "NumFilters: 32 Stride: [4 4 2] CroppingMode: 'manual' CroppingSize: [2x3 double] Learnable Parameters Weights: [] "
    "Bias: [] Show all properties"
)
LAID_OUT = """\
  TransposedConvolution3DLayer with properties:

            Name: ''

   Hyperparameters
      FilterSize: [11 11 11]
     NumChannels: 'auto'
      NumFilters: 32
          Stride: [4 4 2]
    CroppingMode: 'manual'
    CroppingSize: [2x3 double]

   Learnable Parameters
         Weights: []
            Bias: []

  Show all properties"""


def to_oracle(x):
    """Batch first, channels last."""
    return np.moveaxis(x, -1, 0)


def from_oracle(y):
    return np.moveaxis(y, 0, -1)


def check_transposed(layer, x, strides, crop):
    bias = RNG.normal(size=layer.NumFilters)
    layer.build(x.shape)
    layer.Weights = RNG.normal(size=layer.Weights.shape)
    layer.Bias = bias.reshape(layer.Bias.shape)
    y = layer(x)
    ones = (1,) * len(strides)
    # MATLAB's order of the weights, (FilterSize, NumFilters, NumChannels), is the oracle's.
    expected = oracle.conv_transpose(
        to_oracle(x), layer.Weights, layer.Bias.ravel(), strides=strides, crop=crop, dilation=ones
    )
    assert y.shape == layer.compute_output_shape(x.shape)
    np.testing.assert_allclose(y, from_oracle(expected), rtol=1e-5, atol=1e-5)
    return y


# The example and what is printed.


def test_the_documented_example_is_printed_as_documented() -> None:
    layer = matlab.transposedConv3dLayer(11, 32, "Stride", [4, 4, 2])
    assert str(layer) == repr(layer) == LAID_OUT
    assert " ".join(str(layer).split()) == DOCUMENTED


def test_the_other_documented_example() -> None:
    layer = matlab.transposedConv3dLayer(11, 96, "Stride", 4)
    assert (layer.FilterSize, layer.NumFilters, layer.Stride) == ((11, 11, 11), 96, (4, 4, 4))


def test_a_built_layer_prints_sizes_and_classes() -> None:
    layer = matlab.convolution2dLayer(3, 8, Name="conv_1", Padding="same", PaddingValue=2.5)
    layer.build((5, 6, 2, None))
    assert (
        str(layer)
        == """\
  Convolution2DLayer with properties:

              Name: 'conv_1'

   Hyperparameters
        FilterSize: [3 3]
       NumChannels: 2
        NumFilters: 8
            Stride: [1 1]
    DilationFactor: [1 1]
       PaddingMode: 'same'
       PaddingSize: []
      PaddingValue: 2.5

   Learnable Parameters
           Weights: [3x3x2x8 single]
              Bias: [1x1x8 single]

  Show all properties"""
    )


def test_one_dimensional_layers_have_scalars() -> None:
    layer = matlab.transposedConv1dLayer(11, 96, Stride=4, Cropping=[1, 2])
    assert (layer.FilterSize, layer.Stride, layer.CroppingSize) == (11, 4, (1, 2))
    assert "    FilterSize: 11\n" in str(layer)
    assert "  CroppingSize: [1 2]\n" in str(layer)


@pytest.mark.parametrize("function", ALL)
def test_defaults(function) -> None:
    layer = function(3, 4)
    rank = layer.rank
    ones = 1 if rank == 1 else (1,) * rank
    zeros = {1: (0, 0), 2: (0, 0, 0, 0), 3: ((0, 0, 0), (0, 0, 0))}[rank]
    properties = layer.properties()
    for name in ("Weights", "Bias"):
        assert properties.pop(name).shape == (0, 0)
    expected = {
        "Name": "",
        "FilterSize": 3 if rank == 1 else (3,) * rank,
        "NumChannels": "auto",
        "NumFilters": 4,
        "Stride": ones,
        "WeightsInitializer": "glorot",
        "BiasInitializer": "zeros",
        "WeightLearnRateFactor": 1,
        "BiasLearnRateFactor": 1,
        "WeightL2Factor": 1,
        "BiasL2Factor": 0,
    }
    if function in TRANSPOSED.values():
        expected |= {"CroppingMode": "manual", "CroppingSize": zeros}
    else:
        expected |= {"DilationFactor": ones, "PaddingMode": "manual", "PaddingSize": zeros, "PaddingValue": 0}
    assert properties == expected
    assert type(layer).__name__.lower().startswith(("convolution", "transposedconvolution"))
    assert function.__name__ == layer.function


# How arguments are given.


def test_pairs_and_names_in_any_letter_case_are_the_same() -> None:
    forms = [
        matlab.transposedConv3dLayer([5, 6, 7], 2, "Stride", [2, 3, 1], "Cropping", "same", "Name", "up"),
        matlab.transposedConv3dLayer((5, 6, 7), 2, Name="up", Stride=(2, 3, 1), Cropping="same"),
        matlab.transposedConv3dLayer(
            np.array([5.0, 6.0, 7.0]), 2.0, "STRIDE", [[2.0, 3.0, 1.0]], cropping="SAME", name="up"
        ),
    ]
    assert len({str(layer) for layer in forms}) == 1
    assert forms[0].FilterSize == (5, 6, 7)
    assert forms[0].Stride == (2, 3, 1)
    assert (forms[0].CroppingMode, forms[0].CroppingSize) == ("same", ((1, 1, 3), (2, 2, 3)))


def test_numbers_may_be_of_all_of_matlabs_types() -> None:
    for dtype in ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"):
        number = np.dtype(dtype).type(3)
        layer = matlab.transposedConv3dLayer(number, number, Stride=number, Cropping=np.array([1, 0, 1], dtype))
        assert (layer.FilterSize, layer.NumFilters, layer.Stride) == ((3, 3, 3), 3, (3, 3, 3))
        assert layer.CroppingSize == ((1, 0, 1), (1, 0, 1))


REFUSED = [
    (lambda f: f(3, 4, "Strid", 2), r"`Strid` = 2: .*did you mean 'Stride'\?"),
    (lambda f: f(3, 4, Croping=1), r"`Croping` = 1: .*did you mean 'Cropping'\?"),
    (lambda f: f(3, 4, stride=2, Stride=2), r"`Stride` = 2: Stride is given twice"),
    (lambda f: f(3, 4, "Stride", 2, "stride", 1), r"`stride` = 1: Stride is given twice"),
    (lambda f: f(3, 4, "Stride"), r"`Stride` = None: a name without a value"),
    (lambda f: f(3, 4, 2, "Stride"), r"`Name` = 2: not the name of a value"),
    (lambda f: f(3, 4, NumFilters=3), r"`NumFilters` = 3: .*give the filters' size and number first"),
    (lambda f: f(0, 4), r"`filterSize` = 0: must be at least 1"),
    (lambda f: f(2.5, 4), r"`filterSize` = 2.5: not a whole number"),
    (lambda f: f([3, 3], 4), r"`filterSize` = \[3, 3\]: has 2 values for 3 spatial axes"),
    (lambda f: f(3, 0), r"`numFilters` = 0"),
    (lambda f: f(3, [1, 2]), r"`numFilters` = \[1, 2\]: not a whole number"),
    (lambda f: f(3, 4, stride=0), r"`stride` = 0: must be at least 1"),
    (lambda f: f(3, 4, Stride=[1, 2]), r"`Stride` = \[1, 2\]"),
    (lambda f: f(3, 4, Cropping=-1), r"`Cropping` = -1: must be at least 0"),
    (lambda f: f(3, 4, Cropping=[1, 2]), r"`Cropping` = \[1, 2\]: has 2 numbers for 3 axes.*\[t l f; b r bk\]"),
    (lambda f: f(3, 4, Cropping=[[1, 2], [3, 4]]), r"`Cropping` = .*a matrix has two rows"),
    (lambda f: f(3, 4, Cropping="sane"), r"`Cropping` = 'sane': .*did you mean 'same'\?"),
    (lambda f: f(3, 4, Cropping="causal"), r"`Cropping` = 'causal': not one of 'same'"),
    (lambda f: f(3, 4, NumChannels="automatic"), r"`NumChannels` = 'automatic': not one of 'auto'"),
    (lambda f: f(3, 4, NumChannels=0), r"`NumChannels` = 0"),
    (lambda f: f(3, 4, WeightsInitializer="glorott"), r"`WeightsInitializer` = 'glorott': .*did you mean 'glorot'\?"),
    (lambda f: f(3, 4, WeightsInitializer=None), r"`WeightsInitializer` = None: .*no function of the size"),
    (lambda f: f(3, 4, BiasInitializer="he"), r"`BiasInitializer` = 'he': not one of 'zeros', 'narrow-normal', 'ones'"),
    (lambda f: f(3, 4, Weights=np.ones((3, 3, 3, 5, 2))), r"`Weights` = .*its size must be 3x3x3x4xNumChannels"),
    (lambda f: f(3, 4, NumChannels=3, Weights=np.ones((3, 3, 3, 4, 2))), r"`Weights` = .*must be 3x3x3x4x3"),
    (lambda f: f(3, 4, Bias=np.ones(4)), r"`Bias` = .*its size must be 1x1x1x4"),
    (lambda f: f(3, 4, Bias=np.ones((1, 1, 1, 4, 1))), r"`Bias` = .*has 5 axes"),
    (lambda f: f(3, 4, WeightLearnRateFactor=-1), r"`WeightLearnRateFactor` = -1: not a nonnegative scalar"),
    (lambda f: f(3, 4, biasL2factor="x"), r"`biasL2factor` = 'x': not a nonnegative scalar"),
    (lambda f: f(3, 4, WeightL2Factor=float("inf")), r"`WeightL2Factor` = inf"),
    (lambda f: f(3, 4, BiasLearnRateFactor=True), r"`BiasLearnRateFactor` = True"),
    (lambda f: f(3, 4, Name=3), r"`Name` = 3: not a name"),
    (lambda f: f(3, 4, DilationFactor=2), r"`DilationFactor` = 2: is not a word of transposedConv3dLayer"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_refused_arguments(call, message: str) -> None:
    with pytest.raises(ConvError, match=message):
        call(matlab.transposedConv3dLayer)


def test_refused_forms_of_padding() -> None:
    with pytest.raises(ConvError, match="`Padding` = 'causal': belongs to convolution1dLayer"):
        matlab.convolution2dLayer(3, 4, Padding="causal")
    with pytest.raises(ConvError, match=r"`Padding` = \[\[1, 2\], \[3, 4\]\]: a matrix belongs to the 3-D layers"):
        matlab.convolution2dLayer(3, 4, Padding=[[1, 2], [3, 4]])
    with pytest.raises(ConvError, match=r"`Padding` = .*has 3 numbers for 2 axes"):
        matlab.convolution2dLayer(3, 4, Padding=[1, 2, 3])
    with pytest.raises(ConvError, match=r"`PaddingValue` = 'symmetric': .*did you mean 'symmetric-"):
        matlab.convolution2dLayer(3, 4, PaddingValue="symmetric")
    with pytest.raises(ConvError, match="`PaddingValue` = nan: not a number"):
        matlab.convolution2dLayer(3, 4, PaddingValue=float("nan"))
    layer = matlab.convolution1dLayer(3, 4, Padding=5, PaddingValue="symmetric-exclude-edge")
    with pytest.raises(ConvError, match="`Padding` = 5: pads 5 cells"):
        layer(np.ones((4, 1, 1)))


def test_what_arrays_are_refused() -> None:
    layer = matlab.convolution2dLayer(3, 4, NumChannels=2)
    with pytest.raises(ConvError, match=r"`X` = array of shape \(5, 5, 3, 1\) .*3 channels, and NumChannels is 2"):
        layer(np.ones((5, 5, 3)))
    with pytest.raises(ConvError, match=r"`X` = .*has 5 axes"):
        layer(np.ones((5, 5, 2, 1, 1)))
    with pytest.raises(ConvError, match=r"`X` = .*spans 3 but the padded input is 2.*use Padding='same'"):
        layer(np.ones((2, 5, 2, 1)))
    with pytest.raises(ConvError, match=r"`X` = .*dtype"):
        layer(np.ones((5, 5, 2, 1), complex))
    with pytest.raises(ConvError, match=r"`input_shape` = \(5, 5, 3\)"):
        layer.compute_output_shape((5, 5, 3))
    with pytest.raises(ConvError, match=r"`input_shape` = .*6 sizes"):
        layer.build((5, 5, 2, 1, 1, 1))
    crops = matlab.transposedConv2dLayer(3, 4, cropping=3)
    with pytest.raises(ConvError, match=r"`Cropping` = 3: .*nothing is left"):
        crops(np.ones((2, 4, 1, 1)))
    assert crops.compute_output_shape((5, 6, 1, 1)) == (1, 2, 4, 1)


def test_properties_are_fixed_or_checked() -> None:
    layer = matlab.transposedConv2dLayer(3, 4)
    for name in ("FilterSize", "NumFilters", "Stride", "CroppingMode", "CroppingSize"):
        with pytest.raises(ConvError, match=f"`{name}` = 2: fixed when the layer was made"):
            setattr(layer, name, 2)
    with pytest.raises(AttributeError):
        layer.stride = 2
    layer.Name = "up"
    layer.WeightsInitializer = "ones"
    layer.build((2, 2, 3))
    assert layer.Name == "up"
    assert (layer.Weights == 1).all()
    with pytest.raises(ConvError, match="`WeightsInitializer` = 'one'"):
        layer.WeightsInitializer = "one"
    with pytest.raises(ConvError, match="`BiasL2Factor` = -1"):
        layer.BiasL2Factor = -1
    with pytest.raises(ConvError, match=r"`Weights` = .*has values already"):
        layer.Weights = []
    with pytest.raises(ConvError, match="its size must be 3x3x4x3"):
        layer.Weights = np.ones((3, 3, 4, 2))


# Values.

CROPPINGS = {
    1: [(0, [(0, 0)]), (2, [(2, 2)]), ([3, 1], [(3, 1)])],
    2: [(1, [(1, 1), (1, 1)]), ([2, 0], [(2, 2), (0, 0)]), ([1, 2, 3, 0], [(1, 2), (3, 0)])],
    3: [
        (1, [(1, 1)] * 3),
        ([1, 2, 2], [(1, 1), (2, 2), (2, 2)]),
        ([[0, 1, 2], [3, 0, 1]], [(0, 3), (1, 0), (2, 1)]),
    ],
}
SIZES = {1: (5,), 2: (4, 3), 3: (3, 4, 2)}
FILTERS = {1: (4,), 2: (5, 4), 3: (4, 3, 5)}
STRIDES = {1: (3,), 2: (1, 3), 3: (2, 1, 3)}


@pytest.mark.parametrize(("rank", "case"), [(rank, case) for rank in (1, 2, 3) for case in CROPPINGS[rank]])
def test_transposed_values_in_every_form_of_cropping(rank: int, case) -> None:
    cropping, crop = case
    layer = TRANSPOSED[rank](FILTERS[rank], 3, Stride=STRIDES[rank], Cropping=cropping)
    check_transposed(layer, RNG.normal(size=(*SIZES[rank], 2, 2)), STRIDES[rank], crop)
    rows = np.array(layer.CroppingSize)
    if rank < 3:
        assert [tuple(pair) for pair in rows.reshape(-1, 2)] == crop
    else:
        assert [tuple(pair) for pair in rows.T] == crop


@pytest.mark.parametrize(("k", "s"), list(itertools.product(range(1, 6), range(1, 5))))
def test_same_gives_the_size_times_the_stride_and_trims_the_odd_one_at_the_end(k: int, s: int) -> None:
    layer = matlab.transposedConv2dLayer([k, 3], 2, Stride=[s, 2], Cropping="same")
    x = RNG.normal(size=(3, 4, 2, 1))
    lo = max(k - s, 0) // 2
    y = check_transposed(layer, x, (s, 2), [(lo, k - s - lo), (0, 1)])
    assert y.shape == (3 * s, 8, 2, 1)
    assert layer.CroppingSize == (lo, k - s - lo, 0, 1)


def test_same_with_a_filter_below_the_stride_appends_zeros() -> None:
    layer = matlab.transposedConv1dLayer(2, 1, Stride=5, Cropping="same", WeightsInitializer="ones")
    y = layer(np.array([1.0, 2.0, 3.0]))
    assert y.ravel().tolist() == [1, 1, 0, 0, 0, 2, 2, 0, 0, 0, 3, 3, 0, 0, 0]
    assert layer.CroppingSize == (0, -3)


@settings(max_examples=40)
@given(st.data())
def test_random_transposed_layers(data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, 2))
    numbers = [
        (data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))) for _ in range(rank)
    ]
    crop = []
    for n, k, s in numbers:
        full = (n - 1) * s + k
        lo = data.draw(st.integers(0, full - 1))
        crop.append((lo, data.draw(st.integers(0, full - 1 - lo))))
    sizes, filters, strides = zip(*numbers, strict=True)
    cropping = [amount for pair in crop for amount in pair]
    layer = TRANSPOSED[rank](filters, data.draw(st.integers(1, 3)), Stride=strides, Cropping=cropping)
    check_transposed(layer, RNG.normal(size=(*sizes, data.draw(st.integers(1, 2)), 2)), strides, crop)


PADDINGS = {
    1: [("same", None), ("causal", None), (1, [(1, 1)]), ([0, 3], [(0, 3)])],
    2: [("same", None), ([2, 1], [(2, 2), (1, 1)]), ([0, 1, 2, 3], [(0, 1), (2, 3)])],
    3: [("same", None), ([1, 0, 2], [(1, 1), (0, 0), (2, 2)]), ([[1, 2, 0], [0, 1, 3]], [(1, 0), (2, 1), (0, 3)])],
}
VALUES = {0: {}, -1.5: {"constant_values": -1.5}, "symmetric-include-edge": {"mode": "symmetric"}}
VALUES |= {"symmetric-exclude-edge": {"mode": "reflect"}, "replicate": {"mode": "edge"}}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(("rank", "case"), [(rank, case) for rank in (1, 2, 3) for case in PADDINGS[rank]])
def test_convolution_values_with_every_padding(rank: int, case, value) -> None:
    padding, pads = case
    sizes, filters, strides = {1: (9,), 2: (7, 8), 3: (5, 7, 6)}[rank], (3, 2, 3)[:rank], (2, 1, 2)[:rank]
    dilation = (2, 1, 1)[:rank] if rank < 3 else (1, 2, 1)
    layer = CONVOLUTIONS[rank](filters, 3, Stride=strides, Padding=padding, PaddingValue=value, DilationFactor=dilation)
    x = RNG.normal(size=(*sizes, 2, 2))
    layer.build(x.shape)
    layer.Weights = RNG.normal(size=layer.Weights.shape)
    layer.Bias = RNG.normal(size=layer.Bias.shape)
    if pads is None:
        numbers = zip(sizes, filters, strides, dilation, strict=True)
        pads = [oracle.padding_of(padding, *each) for each in numbers]
    padded = np.pad(to_oracle(x), [(0, 0), *pads, (0, 0)], **VALUES[value])
    # MATLAB's order of the weights, (FilterSize, NumChannels, NumFilters), is the oracle's.
    none = [(0, 0)] * rank
    expected = oracle.conv(padded, layer.Weights, layer.Bias.ravel(), strides=strides, pads=none, dilation=dilation)
    y = layer(x)
    assert y.shape == layer.compute_output_shape(x.shape)
    np.testing.assert_allclose(y, from_oracle(expected), rtol=1e-5, atol=1e-5)


def test_a_transposed_layer_is_the_transpose_of_the_convolution_with_the_same_weights() -> None:
    # Y = CX + B and Y = C'X + B; NumFilters and NumChannels change places by themselves.
    weights = RNG.normal(size=(3, 2, 4, 2))
    conv = matlab.convolution2dLayer([3, 2], 2, Stride=[2, 3], Padding=[1, 1, 0, 0], Weights=weights)
    transposed = matlab.transposedConv2dLayer([3, 2], 4, Stride=[2, 3], Cropping=[1, 1, 0, 0], Weights=weights)
    x = RNG.normal(size=(5, 8, 4, 2))
    y = RNG.normal(size=conv(x).shape)
    back = transposed(y)
    assert back.shape == x.shape
    np.testing.assert_allclose((conv(x) * y).sum(), (x * back).sum(), rtol=1e-12)
    matrix = refconv.matrix(conv, input_shape=(5, 8, 4, 1))
    backwards = refconv.matrix(transposed, input_shape=(*y.shape[:-1], 1))
    np.testing.assert_allclose(matrix.T, backwards, atol=1e-12)


def test_it_slides_over_the_input_padded_by_the_filter_less_one() -> None:
    layer = matlab.transposedConv2dLayer([3, 2], 1, Weights=RNG.normal(size=(3, 2)))
    x = RNG.normal(size=(4, 5))
    padded = np.pad(x, [(2, 2), (1, 1)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 2))
    expected = (windows * layer.Weights[::-1, ::-1, 0, 0]).sum(axis=(-1, -2))
    np.testing.assert_allclose(layer(x)[:, :, 0, 0], expected)


# Arrays.


def test_last_axes_of_size_1_may_be_left_out() -> None:
    layer = matlab.transposedConv2dLayer(3, 4, Weights=RNG.normal(size=(3, 3, 4)))
    assert layer.NumChannels == 1
    assert layer.Weights.shape == (3, 3, 4, 1)
    x = RNG.normal(size=(5, 6))
    np.testing.assert_array_equal(layer(x), layer(x[..., None, None]))
    assert layer(x).shape == layer.compute_output_shape((5, 6)) == (7, 8, 4, 1)


def test_a_raw_dump_of_matlab_is_column_major(tmp_path) -> None:
    # MATLAB's W = reshape(1:24, [3 2 4]), written by fwrite: its memory from the first element to the last.
    (tmp_path / "weights.bin").write_bytes(np.arange(1.0, 25.0).tobytes())
    weights = np.fromfile(tmp_path / "weights.bin").reshape((3, 2, 4), order="F")
    assert weights[1, 0, 0] == 2  # W(2, 1, 1)
    assert weights[0, 1, 0] == 4  # W(1, 2, 1)
    layer = matlab.transposedConv2dLayer([3, 2], 4, Weights=weights)
    impulse = np.ones((1, 1))
    np.testing.assert_array_equal(layer(impulse)[..., 0], weights)
    assert layer(impulse).tobytes(order="F") == (tmp_path / "weights.bin").read_bytes()


def test_bias_is_of_four_axes_and_added_by_filter() -> None:
    bias = np.array([1.0, 2.0, 3.0]).reshape(1, 1, 1, 3)
    layer = matlab.transposedConv3dLayer(2, 3, WeightsInitializer="zeros", Bias=bias)
    y = layer(np.ones((2, 2, 2, 1, 1)))
    np.testing.assert_array_equal(layer.Bias, bias)
    np.testing.assert_array_equal(y, np.broadcast_to(bias[..., None], (3, 3, 3, 3, 1)))


def test_arrays_that_are_given_are_copied_and_not_changed() -> None:
    weights = RNG.normal(size=(3, 2, 4, 5))
    kept = weights.copy()
    layer = matlab.transposedConv2dLayer([3, 2], 4, Weights=weights)
    layer.build((2, 2, 5))
    layer.core.kernel[...] = 0
    np.testing.assert_array_equal(weights, kept)
    assert (layer.Weights == 0).all()


def test_precision() -> None:
    x = RNG.normal(size=(4, 1, 1))
    assert matlab.convolution1dLayer(2, 1)(x).dtype == np.float32
    assert matlab.convolution1dLayer(2, 1, Weights=[0.5, 1.0])(x).dtype == np.float64
    assert matlab.convolution1dLayer(2, 1, Bias=np.ones((1, 1), np.float32))(x).dtype == np.float32


def test_keras_configuration_has_no_say(tmp_path, monkeypatch) -> None:
    (tmp_path / "keras.json").write_text('{"image_data_format": "channels_first", "floatx": "float16"}')
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    y = matlab.convolution2dLayer(2, 3)(np.ones((4, 5, 2, 6)))
    assert y.shape == (3, 4, 3, 6)
    assert y.dtype == np.float32


def test_number_of_channels() -> None:
    layer = matlab.convolution2dLayer(2, 3)
    assert layer.NumChannels == "auto"
    layer.build((None, None, 5, None))
    assert layer.NumChannels == 5
    assert layer.Weights.shape == (2, 2, 5, 3)
    assert matlab.transposedConv2dLayer(2, 3, NumChannels=7).NumChannels == 7


# Initializers.


@pytest.mark.parametrize(("functions", "order"), [(TRANSPOSED, (20, 30)), (CONVOLUTIONS, (30, 20))])
def test_moments_of_the_initializers(functions, order) -> None:
    random.seed(3)
    size, inputs, outputs = (4, 5, 3), 60 * 30, 60 * 20
    variances = {"glorot": 2 / (inputs + outputs), "he": 2 / inputs, "narrow-normal": 1e-4}
    for name, variance in variances.items():
        layer = functions[3](size, 20, NumChannels=30, WeightsInitializer=name, BiasInitializer="narrow-normal")
        layer.build((9, 9, 9, 30, 1))
        weights = layer.Weights.astype(float)
        assert weights.shape == (*size, *order)
        spread = np.abs(weights).max() / np.sqrt(variance)
        assert abs(weights.mean()) < 4 * np.sqrt(variance / weights.size)
        assert weights.var() == pytest.approx(variance, rel=0.04)
        # A uniform distribution ends at sqrt(3) standard deviations, a truncated one would at 2.
        assert (1.7 < spread < 1.733) if name == "glorot" else spread > 3
        assert 0 < np.abs(layer.Bias).max() < 0.05


def test_constant_initializers() -> None:
    layer = matlab.transposedConv1dLayer(2, 3, WeightsInitializer="ones", BiasInitializer="ones")
    layer.build((5, 1))
    assert (layer.Weights == 1).all()
    assert (layer.Bias == 1).all()
    layer = matlab.transposedConv1dLayer(2, 3, WeightsInitializer="zeros")
    layer.build((5, 1))
    assert not layer.Weights.any()
    assert not layer.Bias.any()


def test_functions_are_called_with_the_size() -> None:
    sizes = []

    def counting(sz):
        sizes.append(sz)
        return np.arange(np.prod(sz), dtype=float).reshape(sz)

    layer = matlab.transposedConv3dLayer([2, 3, 4], 5, WeightsInitializer=counting, BiasInitializer=counting)
    layer.build((3, 3, 3, 6, 1))
    assert sizes == [(2, 3, 4, 5, 6), (1, 1, 1, 5)]
    np.testing.assert_array_equal(layer.Weights.ravel(), np.arange(720))
    with pytest.raises(ConvError, match=r"`WeightsInitializer` = .*the size asked for was \(2, 1, 1\)"):
        matlab.convolution1dLayer(2, 1, WeightsInitializer=lambda sz: np.ones(3))(np.ones((4, 1, 1)))


def test_weights_that_are_given_are_not_initialized() -> None:
    def refuse(sz):
        raise AssertionError

    layer = matlab.convolution1dLayer(2, 1, Weights=[2.0, 3.0], WeightsInitializer=refuse)
    assert layer(np.array([1.0, 10.0, 100.0])).ravel().tolist() == [32, 320]


def test_python_random_makes_it_repeatable() -> None:
    made = []
    for seed in (1, 1, 2):
        random.seed(seed)
        layer = matlab.convolution1dLayer(3, 4)
        layer.build((5, 2))
        made.append(layer.Weights)
    np.testing.assert_array_equal(made[0], made[1])
    assert (made[0] != made[2]).any()


# Training.


def test_factors_reach_the_trainer() -> None:
    layer = matlab.transposedConv2dLayer(
        3, 4, "WeightLearnRateFactor", 2, "BiasLearnRateFactor", 0.5, "BiasL2Factor", 3
    )
    layer.build((2, 2, 1))
    assert [w.shape for w in layer.core.trainable_weights] == [(3, 3, 4, 1), (4,)]
    assert layer.core.learn_rate_factors == [2, 0.5]
    assert layer.core.l2_factors == [1, 3]
    layer.BiasLearnRateFactor = 0
    layer.WeightL2Factor = 0.25
    assert layer.core.learn_rate_factors == [2, 0]
    assert layer.core.l2_factors == [0.25, 3]
    assert layer.properties()["BiasLearnRateFactor"] == 0


def test_factors_of_other_layers() -> None:
    layer = layers.SeparableConv1D(2, 3)
    layer.build((None, 5, 2))
    assert layer.learn_rate_factors == [1, 1, 1]
    assert layer.l2_factors == [0, 0, 0]
    layer.learn_rate_factor_of["bias"] = 2
    layer.l2_factor_of["pointwise_kernel"] = 0.5
    assert layer.learn_rate_factors == [1, 1, 2]
    assert layer.l2_factors == [0, 0.5, 0]
    layer.trainable = False
    assert layer.learn_rate_factors == layer.l2_factors == []
    assert layers.UpSampling1D().learn_rate_factors == []


GRADIENTS = [
    (matlab.transposedConv2dLayer, {"Stride": [2, 1], "Cropping": [1, 0, 0, 2]}),
    (matlab.transposedConv2dLayer, {"Stride": 4, "Cropping": "same"}),
    (matlab.convolution2dLayer, {"Stride": [2, 1], "Padding": [1, 0, 2, 1]}),
    (matlab.convolution2dLayer, {"Padding": "same", "PaddingValue": 2}),
    *((matlab.convolution2dLayer, {"Padding": [1, 2, 2, 0], "PaddingValue": word}) for word in list(VALUES)[2:]),
]


@pytest.mark.parametrize(("function", "arguments"), GRADIENTS)
def test_backward_against_central_differences(function, arguments) -> None:
    channels, filters = 2, 3
    ends = (filters, channels) if function is matlab.transposedConv2dLayer else (channels, filters)
    layer = function([3, 2], filters, Weights=RNG.normal(size=(3, 2, *ends)), **arguments)
    x = RNG.normal(size=(4, 3, channels, 2))
    direction = RNG.normal(size=layer.forward(x).shape)
    dx = layer.backward(direction)
    assert dx.shape == x.shape

    def slope(array):
        found = np.zeros_like(array)
        for i in np.ndindex(array.shape):
            kept = array[i]
            array[i] = kept + 1e-4
            above = (layer(x) * direction).sum()
            array[i] = kept - 1e-4
            found[i] = (above - (layer(x) * direction).sum()) / 2e-4
            array[i] = kept
        return found

    np.testing.assert_allclose(dx, slope(x), atol=1e-8)
    kernel, bias = layer.core.gradients
    np.testing.assert_allclose(kernel, slope(layer.core.kernel), atol=1e-8)
    np.testing.assert_allclose(bias, slope(layer.core.bias), atol=1e-8)


def test_backward_refuses_another_shape() -> None:
    layer = matlab.convolution1dLayer(2, 1)
    with pytest.raises(ConvError, match="`dLdZ`"):
        layer.backward(np.ones((3, 1, 1)))
    layer.forward(np.ones((4, 1, 1)))
    with pytest.raises(ConvError, match="`dLdZ`"):
        layer.backward(np.ones((4, 1, 1)))


def test_the_layer_inside_is_an_ordinary_one() -> None:
    layer = matlab.transposedConv2dLayer(3, 4, Stride=2, Cropping="same", Name="up")
    x = RNG.normal(size=(3, 4, 2, 5))
    y = layer(x)
    assert isinstance(layer.core, layers.Conv2DTranspose)
    assert layer.core.name == "up"
    assert layer.core.count_params() == 3 * 3 * 4 * 2 + 4
    np.testing.assert_array_equal(layer.core(to_oracle(x)), to_oracle(y))
    keras = layers.Conv2DTranspose(4, 3, 2, padding="same")
    keras.build((None, 3, 4, 2))
    keras.set_weights(layer.core.get_weights())
    np.testing.assert_array_equal(keras(to_oracle(x)), to_oracle(y))


@pytest.mark.parametrize(
    "layer",
    [
        matlab.transposedConv3dLayer([2, 3, 4], 5, Stride=[1, 2, 3], Cropping=[[0, 1, 0], [1, 0, 2]], BiasL2Factor=2),
        matlab.convolution1dLayer(3, 2, Padding="causal", DilationFactor=2, PaddingValue="replicate", Name="c"),
    ],
    ids=lambda layer: layer.function,
)
def test_the_layer_inside_is_made_again_from_its_config(layer) -> None:
    data = json.loads(json.dumps(serialize(layer.core)))
    again = deserialize(data)
    assert type(again) is type(layer.core)
    assert str(again.matlab) == str(layer)
    expected, found = layer.properties(), again.matlab.properties()
    assert {name: found[name] for name in found if name not in ("Weights", "Bias")} == {
        name: expected[name] for name in expected if name not in ("Weights", "Bias")
    }
    shape = (9,) * layer.rank + (2, 1)
    assert again.matlab.compute_output_shape(shape) == layer.compute_output_shape(shape)


def test_factors_act_in_a_step() -> None:
    layer = matlab.convolution1dLayer(2, 1, "WeightLearnRateFactor", 2, "BiasLearnRateFactor", 0.5, Weights=[1.0, 3.0])
    layer.BiasL2Factor = 4
    x = np.array([1.0, 2.0, 5.0])
    layer.forward(x)
    layer.backward(np.array([1.0, 1.0]))
    core = layer.core
    core.bias = [2.0]
    sgd = optimizers.SGD(0.1, l2=0.01)
    kernel, bias = sgd.step(core.trainable_weights, core.gradients, core.learn_rate_factors, core.l2_factors)
    # The gradients are [1 + 2, 2 + 5] and 2; L2 adds factor * 0.01 * w.
    np.testing.assert_allclose(kernel.ravel(), [1 - 0.2 * (3 + 0.01 * 1), 3 - 0.2 * (7 + 0.01 * 3)])
    np.testing.assert_allclose(bias, [2 - 0.05 * (2 + 0.04 * 2)])


def test_other_rooms_take_the_layer() -> None:
    layer = matlab.convolution2dLayer(3, 4, Padding="same", Stride=2)
    assert refconv.output_size(layer, (7, 8, 2, 1)) == (4, 4)
    explanation = refconv.explain(layer, (7, 8, 2, None))
    assert (explanation.framework, explanation.parameters) == ("matlab", 3 * 3 * 2 * 4 + 4)
    assert [axis.output_size for axis in layer.geometry((7, 8, 2, 1)).axes] == [4, 4]
    assert layer.stages((7, 8, 2, 1))[0].output_size == (4, 4)
    with pytest.raises(ConvError, match="`PaddingValue` = 1"):
        matlab.convolution2dLayer(3, 4, PaddingValue=1).stages((7, 8, 2, 1))


def test_a_model_takes_the_layer_within() -> None:
    layer = matlab.transposedConv2dLayer(3, 2, "Stride", 2, "NumChannels", 1)
    model = refconv.models.Sequential([layer])
    model.build((None, 4, 4, 1))
    assert model.output_shape == (None, 9, 9, 2)
    assert model.layers[0] is layer.core
