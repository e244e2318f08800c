"""The trace's running sums against what the loops compute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refconv import functional
from refconv.errors import ConvError
from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.interpolation import axis_taps
from refconv.trace import Stage, array_shape, filter_channels, trace, trace_stamps

RNG = np.random.default_rng(20)


def traced(stage: Stage, x: np.ndarray) -> np.ndarray:
    """Return the last running sums of all filters, the bias added, as an array."""
    filters = x.shape[-1] if stage.weights is None else stage.weights.shape[-1]
    columns = [[step.total for step in trace(stage, x, filter=f)] for f in range(filters)]
    return np.array(columns).T.reshape((*stage.output_size, filters))


@st.composite
def axes(draw: st.DrawFn) -> AxisGeometry:
    numbers = {
        "kernel_size": draw(st.integers(1, 4)),
        "stride": draw(st.integers(1, 3)),
        "dilation": draw(st.integers(1, 3)),
        "pad_before": draw(st.integers(-1, 3)),
        "pad_after": draw(st.integers(-1, 3)),
        "input_dilation": draw(st.integers(1, 3)),
        "reversed": draw(st.booleans()),
    }
    axis = AxisGeometry(draw(st.integers(1, 7)), **numbers)
    return axis if axis.output_size else axis._replace(kernel_size=1, pad_before=1, pad_after=1)


@settings(max_examples=60)
@given(st.lists(axes(), min_size=1, max_size=2), st.integers(1, 2), st.integers(0, 2**31))
def test_running_sums_end_where_the_loops_do(found: list[AxisGeometry], groups: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    geometry = ConvGeometry(tuple(found), groups)
    x = rng.normal(size=(1, *geometry.input_size, 2 * groups))
    weights = rng.normal(size=(*geometry.kernel_size, 2, 3 * groups))
    bias = rng.normal(size=3 * groups)
    expected = functional.conv_with(geometry, x, weights, bias)[0]
    np.testing.assert_allclose(traced(Stage("conv", geometry, weights, bias), x[0]), expected, rtol=1e-10, atol=1e-12)


def test_whole_numbers_stay_exact() -> None:
    geometry = ConvGeometry((AxisGeometry(5, 3, 2, pad_before=1), AxisGeometry(6, 2)))
    x, weights = RNG.integers(-9, 9, (1, 5, 6, 2)), RNG.integers(-9, 9, (3, 2, 2, 3))
    stage = Stage("conv", geometry, weights)
    assert all(type(step.total) is int for step in trace(stage, x[0]))
    np.testing.assert_array_equal(traced(stage, x[0]), functional.conv_with(geometry, x, weights)[0])


@pytest.mark.parametrize("strides", [1, 2, 3])
def test_stamps_end_where_the_gather_does(strides: int) -> None:
    axes = (
        AxisGeometry.transposed(3, 3, strides, 2, crop_before=1, crop_after=-1),
        AxisGeometry.transposed(4, 2, strides, crop_before=0, crop_after=1),
    )
    geometry = ConvGeometry(axes)
    x, weights, bias = RNG.normal(size=(3, 4, 2)), RNG.normal(size=(3, 2, 2, 3)), RNG.normal(size=3)
    stage = Stage("conv_transpose", geometry, weights, bias)
    expected = functional.conv_transpose_with(geometry, x[None], weights.swapaxes(-1, -2), bias)[0]
    for f in range(3):
        sums = dict.fromkeys(geometry.output_indices(), bias[f])
        for stamp in trace_stamps(stage, x, filter=f):
            for term in stamp.terms:
                if term.input_index is not None:
                    sums[term.input_index] = term.running_sum
        found = np.array(list(sums.values())).reshape(geometry.output_size)
        np.testing.assert_allclose(found, expected[..., f], rtol=1e-10)


def test_stamps_and_gather_have_the_same_terms() -> None:
    geometry = ConvGeometry((AxisGeometry.transposed(4, 3, 2, crop_before=1, crop_after=0),))
    stage = Stage("conv_transpose", geometry, RNG.normal(size=(3, 1, 1)))
    x = RNG.normal(size=(4, 1))
    gathered = {
        (step.output_index, term.input_index, term.weight)
        for step in trace(stage, x)
        for term in step.terms
        if term.input_index is not None
    }
    stamped = {
        (term.input_index, stamp.input_index, term.weight)
        for stamp in trace_stamps(stage, x)
        for term in stamp.terms
        if term.input_index is not None
    }
    assert gathered == stamped


@pytest.mark.parametrize("method", ["bilinear", "bicubic", "lanczos3"])
def test_interpolation_ends_where_the_loops_do(method: str) -> None:
    x = RNG.normal(size=(1, 3, 5, 2))
    rows = tuple(axis_taps(n, 2 * n, method) for n in (3, 5))
    expected = functional.upsample(x, size=2, interpolation=method)[0]
    np.testing.assert_allclose(traced(Stage("upsampling", None, interpolation=rows), x[0]), expected, atol=1e-12)


def test_one_channel_alone_is_a_share_of_the_sum() -> None:
    geometry = ConvGeometry((AxisGeometry(6, 3),))
    stage = Stage("conv", geometry, RNG.normal(size=(3, 4, 2)), RNG.normal(size=2))
    x = RNG.normal(size=(6, 4))
    shares = [[step.total for step in trace(stage, x, filter=1, channel=c)] for c in range(4)]
    whole = [step.total for step in trace(stage, x, filter=1)]
    np.testing.assert_allclose(np.sum(shares, axis=0) + stage.bias[1], whole)


def test_without_arrays_there_are_indices_only() -> None:
    step = next(trace(ConvGeometry((AxisGeometry(5, 3, pad_before=1),))))
    assert [term.kind.name for term in step.terms] == ["PADDING", "DATA", "DATA"]
    assert step.total is None
    assert all(term.value is None and term.weight is None for term in step.terms)


def test_what_does_not_fit_is_refused() -> None:
    geometry = ConvGeometry((AxisGeometry(5, 3),), groups=2)
    stage = Stage("conv", geometry, np.ones((3, 1, 4)))
    assert filter_channels(stage, 3) == (1,)
    assert array_shape([[1, 2], [3, 4], [5, 6]]) == (3, 2)
    with pytest.raises(ConvError, match="there are 4 filters"):
        list(trace(stage, filter=4))
    with pytest.raises(ConvError, match="does not read this channel"):
        list(trace(stage, filter=0, channel=1))
    with pytest.raises(ConvError, match="`x` = \\(5, 3\\)"):
        list(trace(stage, np.ones((5, 3))))
    with pytest.raises(ConvError, match="`weights` = \\(2, 1, 4\\)"):
        list(trace(stage._replace(weights=np.ones((2, 1, 4))), np.ones((5, 2))))
    rows = (axis_taps(3, 6, "linear"),)
    with pytest.raises(ConvError, match="no kernel to stamp"):
        list(trace_stamps(Stage("upsampling", None, interpolation=rows)))
