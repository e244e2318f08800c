"""The letters of array layouts: to the canonical order and back."""

from __future__ import annotations

import numpy as np
import pytest

from refconv.conventions import LAYERS, layouts
from refconv.errors import ConvError


@pytest.mark.parametrize(
    ("spec", "transposed", "canonical"),
    [
        ("NCW", False, "NWC"),
        ("NCHW", False, "NHWC"),
        ("NDHWC", False, "NDHWC"),
        ("HWCN", False, "NHWC"),
        ("OIHW", False, "HWIO"),
        ("IOHW", True, "HWOI"),
        ("HWIO", True, "HWOI"),
        ("HWDOI", True, "HWDOI"),
        ("MIHW", False, "HWIM"),
        ("HWIM", False, "HWIM"),
    ],
)
def test_canonical_order_and_back(spec: str, transposed: bool, canonical: str) -> None:
    rng = np.random.default_rng(3)
    array = rng.normal(size=tuple(range(2, 2 + len(spec))))
    moved = layouts.to_canonical(array, spec, transposed)
    assert moved.shape == tuple(array.shape[spec.index(letter)] for letter in canonical)
    # Element by element, not by shape alone.
    index = tuple(size - 1 if place % 2 else 0 for place, size in enumerate(array.shape))
    assert moved[tuple(index[spec.index(letter)] for letter in canonical)] == array[index]
    np.testing.assert_array_equal(layouts.from_canonical(moved, spec, transposed), array)


def test_a_view_is_returned() -> None:
    array = np.zeros((2, 3, 4))
    assert np.shares_memory(layouts.to_canonical(array, "NCW"), array)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layouts.canonical_spec("NHW"), "`spec` = 'NHW': these are not the axes of data or of weights"),
        (lambda: layouts.canonical_spec("NCWW"), "these are not the axes of data or of weights"),
        (lambda: layouts.permutation("NCW", "NHC"), "`spec` = 'NCW': does not name the axes of 'NHC'"),
        (lambda: layouts.to_canonical(np.zeros((2, 3)), "NCW"), "names 3 axes, the array has 2"),
        (lambda: layouts.keras_layout("conv", 2, "channel_first"), "did you mean 'channels_first'?"),
        (lambda: layouts.layer_name("convolution"), "`layer` = 'convolution': not one of 'conv'"),
        (lambda: layouts.layer_name(3), "`layer` = 3: not one of"),
    ],
)
def test_refusals(call, message: str) -> None:
    with pytest.raises(ConvError) as caught:
        call()
    assert message in str(caught.value)


def test_every_layer_is_known_by_both_spellings() -> None:
    for layer in LAYERS:
        assert layouts.layer_name(layer.replace("-", "_")) == layouts.layer_name(layer.upper()) == layer


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_keras_layouts_have_the_same_weights_in_both_data_formats(rank: int) -> None:
    letters = {1: "W", 2: "HW", 3: "DHW"}[rank]
    for layer, end in (("conv", "IO"), ("conv-transpose", "OI"), ("depthwise", "IM"), ("separable", "IM")):
        last = layouts.keras_layout(layer, rank)
        first = layouts.keras_layout(layer, rank, "channels_first")
        assert last == (f"N{letters}C", letters + end, f"N{letters}C")
        assert first == (f"NC{letters}", letters + end, f"NC{letters}")
    assert layouts.keras_layout("cropping", rank).weights == ""
