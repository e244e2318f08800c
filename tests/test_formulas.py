"""Closed formulas against cells that are written out and counted."""

from __future__ import annotations

import itertools
import json
import math
import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refconv.errors import ConvError
from refconv.formulas import FORMULAS, Formula, cost, derive
from refconv.formulas.cost import data_taps
from refconv.geometry import AxisGeometry, ConvGeometry

CONVOLUTION = ("R1", "R2", "R3", "R4", "R5", "R6", "R7", "R15")
TRANSPOSED = ("R8", "R9", "R10", "R11", "R12", "R13", "R14")


def padded_cells(n: int, lo: int, hi: int, step: int = 1) -> list[int]:
    """Write out which cells hold a datum (1), an inserted zero (0) or padding (-1)."""
    cells = ([1] + [0] * (step - 1)) * n
    cells = [-1] * lo + cells[: len(cells) - (step - 1)] + [-1] * hi
    cells = cells[max(-lo, 0) :]
    return cells[: len(cells) - max(-hi, 0)]


def slide(cells: list[int], kernel: int, stride: int, dilation: int) -> list[int]:
    """Return every place where the whole kernel fits, cell by cell."""
    offsets = [tap * dilation for tap in range(kernel)]
    return [start for start in range(0, len(cells), stride) if start + offsets[-1] < len(cells)]


def stamp(n: int, kernel: int, stride: int, dilation: int, lo: int, hi: int) -> int:
    """Stamp the kernel at every input, append or crop, and count what is left."""
    stamped = {i * stride + tap * dilation for i in range(n) for tap in range(kernel)}
    full = list(range(max(stamped) + 1)) + [0] * max(-hi, 0)
    full = [0] * max(-lo, 0) + full[max(lo, 0) :]
    return max(len(full) - max(hi, 0), 0)


def evaluate(formula: Formula, values: dict[str, int]) -> int:
    """Compute the right-hand side as it is written, in exact fractions."""
    text = formula.substitute(values).partition(" = ")[2].replace("mod", "%")
    text = re.sub(r"(?<=[\d)])\(", "*(", text)
    text = re.sub(r"\d+", lambda match: f"F({match[0]})", text)
    names = {"F": Fraction, "floor": math.floor, "ceil": math.ceil, "max": max}
    return int(eval(text, names))


def check_convolutions(sizes: range, kernels: range, strides: range, pads: range) -> tuple[int, dict[str, int]]:
    used = dict.fromkeys(CONVOLUTION, 0)
    count = 0
    for n, lo, hi in itertools.product(sizes, pads, pads):
        if n + lo + hi < 1:
            continue
        cells = padded_cells(n, lo, hi)
        for k, s, d in itertools.product(kernels, strides, (1, 2, 3)):
            outputs = len(slide(cells, k, s, d))
            axis = AxisGeometry(n, k, s, d, lo, hi)
            assert axis.output_size == outputs
            count += 1
            if outputs == 0:
                continue
            values = {"i": n, "k": k, "ke": (k - 1) * d + 1, "s": s, "d": d, "lo": lo, "hi": hi}
            assert FORMULAS["conv"].compute(values) == outputs
            if lo != hi:
                continue
            values["p"] = lo
            for name in CONVOLUTION:
                if FORMULAS[name].applies(values):
                    used[name] += 1
                    assert FORMULAS[name].compute(values) == outputs, (name, values)
    return count, used


def check_transposed(sizes: range, kernels: range, strides: range, crops: range) -> tuple[int, dict[str, int]]:
    used = dict.fromkeys(TRANSPOSED, 0)
    count = 0
    for n, k, s, d, lo, hi in itertools.product(sizes, kernels, strides, (1, 2), crops, crops):
        outputs = stamp(n, k, s, d, lo, hi)
        axis = AxisGeometry.transposed(n, k, s, d, lo, hi)
        assert axis.output_size == outputs
        count += 1
        if outputs == 0:
            continue
        values = {"i": n, "k": k, "ke": (k - 1) * d + 1, "s": s, "d": d, "lo": lo, "hi": hi}
        assert FORMULAS["transposed"].compute(values) == outputs
        # The transposed of the convolution that pads p on both sides and leaves a cells unread.
        p, a = lo, lo - hi
        if p < 0 or not 0 <= a < s:
            continue
        values |= {"p": p, "a": a}
        for name in TRANSPOSED:
            if FORMULAS[name].applies(values):
                used[name] += 1
                assert FORMULAS[name].compute(values) == outputs, (name, values)
                cells = padded_cells(outputs, p, p)
                assert len(slide(cells, k, s, d)) == n
                assert (len(cells) - k) % s == a
    return count, used


def test_formulas_by_enumeration() -> None:
    """Over 100,000 geometries; every relationship is met many times."""
    conv_count, conv_used = check_convolutions(range(1, 16), range(1, 7), range(1, 6), range(-2, 6))
    transposed_count, transposed_used = check_transposed(range(1, 8), range(1, 7), range(1, 6), range(-3, 6))
    assert conv_count + transposed_count > 100_000
    assert min((conv_used | transposed_used).values()) > 20


def test_zero_inserted_convolutions_by_enumeration() -> None:
    count = 0
    for n, a, lo, hi in itertools.product(range(1, 8), range(1, 5), range(-2, 5), range(-2, 5)):
        if (n - 1) * a + 1 + lo + hi < 1:
            continue
        cells = padded_cells(n, lo, hi, a)
        for k, s, d in itertools.product(range(1, 5), range(1, 4), range(1, 4)):
            outputs = len(slide(cells, k, s, d))
            axis = AxisGeometry(n, k, s, d, lo, hi, a)
            assert axis.output_size == outputs
            if outputs:
                values = {"i": n, "a": a, "ke": axis.dilated_kernel_size, "s": s, "lo": lo, "hi": hi}
                assert FORMULAS["jax.conv"].compute(values) == outputs
            count += 1
    assert count > 40_000


@pytest.mark.slow
def test_formulas_by_a_wider_enumeration() -> None:
    assert check_convolutions(range(1, 25), range(1, 9), range(1, 8), range(-3, 8))[0] > 400_000
    assert check_transposed(range(1, 12), range(1, 9), range(1, 8), range(-4, 8))[0] > 150_000


def test_r14_stops_where_the_direct_convolution_would_have_to_crop() -> None:
    """The paper does not say so: beyond p = k - 1 its equivalent direct convolution does not exist."""
    values = {"i": 4, "k": 3, "s": 2, "p": 3, "a": 0, "d": 1}
    assert not FORMULAS["R14"].applies(values)
    assert FORMULAS["R14"].applies({**values, "p": 2})


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=lambda formula: formula.name)
@given(data=st.data())
@settings(max_examples=20)
def test_what_is_written_is_what_is_computed(formula: Formula, data: st.DataObject) -> None:
    numbers = st.integers(1, 9)
    values = {name: data.draw(numbers, label=name) for name in formula.variables}
    values |= {name: data.draw(st.integers(-3, 5)) for name in ("lo", "hi") if name in values}
    assert evaluate(formula, values) == formula.compute(values)


def test_same_causal_and_full_by_enumeration() -> None:
    for n, k, s, d in itertools.product(range(1, 20), range(1, 6), range(1, 6), range(1, 4)):
        ke = (k - 1) * d + 1
        values = {"i": n, "ke": ke, "s": s}
        assert FORMULAS["conv.causal"].compute(values) == len(slide(padded_cells(n, ke - 1, 0), k, s, d))
        assert FORMULAS["conv.full"].compute(values) == len(slide(padded_cells(n, ke - 1, ke - 1), k, s, d))
        # 'same': as many outputs as there are strides begun within the input.
        assert FORMULAS["conv.same"].compute(values) == len(range(0, n, s))


@pytest.mark.parametrize(
    ("name", "values", "size"),
    [
        # conv_arithmetic's figures, (i, o, p, k, s, d).
        ("R1", {"i": 4, "k": 3}, 2),
        ("R2", {"i": 5, "k": 4, "p": 2}, 6),
        ("R3", {"i": 5}, 5),
        ("R4", {"i": 5, "k": 3}, 7),
        ("R5", {"i": 5, "k": 3, "s": 2}, 2),
        ("R6", {"i": 6, "k": 3, "s": 2, "p": 1}, 3),
        ("R15", {"i": 7, "k": 3, "s": 1, "p": 0, "d": 2}, 3),
        ("R8", {"i": 2, "k": 3}, 4),
        ("R9", {"i": 6, "k": 4, "p": 2}, 5),
        ("R10", {"i": 5}, 5),
        ("R11", {"i": 7, "k": 3}, 5),
        ("R12", {"i": 2, "k": 3, "s": 2}, 5),
        ("R13", {"i": 3, "k": 3, "s": 2, "p": 1}, 5),
        ("R14", {"i": 3, "k": 3, "s": 2, "p": 1, "a": 1}, 6),
        # The documentation's own examples.
        ("keras.transposed.valid", {"i": 10, "s": 2, "ke": 3}, 21),
        ("keras1.transposed", {"i": 12, "s": 2, "a": 1, "k": 3, "crop": 0}, 26),
        ("keras.transposed.same.output_padding", {"i": 10, "s": 2, "ke": 4, "op": 0}, 18),
    ],
)
def test_sizes_that_are_known(name: str, values: dict[str, int], size: int) -> None:
    assert FORMULAS[name].compute(values) == size


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(ConvError, match="R6 needs p, k too"):
        FORMULAS["R6"].compute({"i": 5, "s": 1})


def test_negative_numbers_are_written_in_brackets() -> None:
    values = {"i": 7, "lo": -2, "hi": 0, "ke": 3, "s": 1}
    assert FORMULAS["conv"].substitute(values) == "o = floor((7 + (-2) + 0 - 3) / 1) + 1"


@pytest.mark.parametrize(
    ("axis", "name", "also"),
    [
        (AxisGeometry(4, 3), "R1", ("R2", "R5", "R6", "R15")),
        (AxisGeometry(5, 3, pad_before=1, pad_after=1), "R3", ("R2", "R6", "R15")),
        (AxisGeometry(5, 3, pad_before=2, pad_after=2), "R4", ("R2", "R6", "R15")),
        (AxisGeometry(5, 4, pad_before=2, pad_after=2), "R2", ("R6", "R15")),
        (AxisGeometry(5, 3, stride=2), "R5", ("R6", "R15")),
        (AxisGeometry(6, 3, stride=2, pad_before=1, pad_after=1), "R6", ("R15",)),
        (AxisGeometry(7, 3, dilation=2), "R15", ()),
        (AxisGeometry(7, 3, pad_before=1), "conv", ()),
        (AxisGeometry(7, 3, pad_before=-1, pad_after=-1), "conv", ()),
        (AxisGeometry.transposed(2, 3), "R8", ("R9", "R12", "R13", "R14")),
        (AxisGeometry.transposed(6, 4, 1, 1, 2, 2), "R9", ("R13", "R14")),
        (AxisGeometry.transposed(5, 3, 1, 1, 1, 1), "R10", ("R9", "R13", "R14")),
        (AxisGeometry.transposed(7, 3, 1, 1, 2, 2), "R11", ("R9", "R13", "R14")),
        (AxisGeometry.transposed(2, 3, 2), "R12", ("R13", "R14")),
        (AxisGeometry.transposed(3, 3, 2, 1, 1, 1), "R13", ("R14",)),
        (AxisGeometry.transposed(3, 3, 2, 1, 1, 0), "R14", ()),
        (AxisGeometry.transposed(3, 3, 2, 2, 1, 0), "transposed", ()),
        (AxisGeometry.transposed(3, 3, 2, 1, 0, 1), "transposed", ()),
        (AxisGeometry.transposed(5, 2, 2, 1, 2, 2), "transposed", ()),
        (AxisGeometry(5, 3, stride=2, pad_before=1, pad_after=1, input_dilation=3), "jax.conv", ()),
    ],
)
def test_the_most_specific_relationship_is_named(axis: AxisGeometry, name: str, also: tuple[str, ...]) -> None:
    (found,) = derive(ConvGeometry((axis,))).axes
    assert (found.name, found.relationships) == (name, also)
    assert found.result == axis.output_size


def axes() -> st.SearchStrategy[AxisGeometry]:
    numbers = [st.integers(1, 12), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3)]
    pads = [st.integers(-3, 5), st.integers(-3, 5)]
    built = st.builds(AxisGeometry, *numbers, *pads, st.integers(1, 4), st.booleans())
    return built.filter(lambda axis: axis.output_size > 0)


@given(axes())
@settings(max_examples=100)
def test_any_geometry_is_derived(axis: AxisGeometry) -> None:
    cells = padded_cells(axis.input_size, axis.pad_before, axis.pad_after, axis.input_dilation)
    places = slide(cells, axis.kernel_size, axis.stride, axis.dilation)
    explanation = derive(ConvGeometry((axis,)))
    (found,) = explanation.axes
    assert explanation.output_size == (found.result,) == (len(places),)
    last_read = places[-1] + (axis.kernel_size - 1) * axis.dilation
    dropped = cells[last_read + 1 :]
    assert found.unread == len(dropped)
    for kind, words in ((0, "inserted zero"), (-1, "padding cell")):
        told = re.search(rf"(\d+) {words}", found.dropped)
        assert (int(told[1]) if told else 0) == dropped.count(kind)
    assert ("dat" in found.dropped) == (1 in dropped)
    shared = [
        n
        for n in range(1, 60)
        if len(
            slide(
                padded_cells(n, axis.pad_before, axis.pad_after, axis.input_dilation),
                axis.kernel_size,
                axis.stride,
                axis.dilation,
            )
        )
        == len(places)
    ]
    assert list(found.sharing) == shared
    json.dumps(explanation.as_dict())
    assert str(found.result) in str(explanation)


def test_the_dropped_cells_are_named() -> None:
    def dropped(axis: AxisGeometry) -> str:
        return derive(ConvGeometry((axis,))).axes[0].dropped

    assert dropped(AxisGeometry(5, 3, stride=2)) == ""
    assert dropped(AxisGeometry(6, 3, stride=2)) == (
        "The floor drops the last cell of the padded input: datum 5 (counted from 0)."
    )
    assert dropped(AxisGeometry(6, 3, stride=4, pad_after=1, pad_before=-1)) == (
        "The floor drops the last 3 cells of the padded input: data 4 and 5 (counted from 0) and 1 padding cell."
    )
    assert "1 inserted zero" in dropped(AxisGeometry(3, 1, stride=4, pad_after=-1, input_dilation=3))
    assert "data 6 to 11" in dropped(AxisGeometry(12, 6, stride=7))


def test_equal_axes_are_told_once() -> None:
    square = derive(ConvGeometry((AxisGeometry(5, 3),) * 3))
    assert str(square).count("o = (i - k) + 1") == 1
    assert "Axes 0, 1 and 2: 5 -> 3" in str(square)
    mixed = derive(ConvGeometry((AxisGeometry(5, 3), AxisGeometry(6, 3), AxisGeometry(5, 3))))
    assert "Axes 0 and 2: 5 -> 3" in str(mixed)
    assert "Axis 1: 6 -> 4" in str(mixed)


def test_as_dict_is_plain() -> None:
    told = derive(ConvGeometry((AxisGeometry(6, 3, stride=2),)), channels=2, filters=5).as_dict()
    assert json.loads(json.dumps(told)) == told
    assert (told["input_size"], told["output_size"], told["parameters"]) == ([6], [2], 35)
    assert (told["axes"][0]["name"], told["axes"][0]["sharing"], told["axes"][0]["unread"]) == ("R5", [5, 6], 1)


@given(axes())
@settings(max_examples=100)
def test_useful_taps_by_enumeration(axis: AxisGeometry) -> None:
    cells = padded_cells(axis.input_size, axis.pad_before, axis.pad_after, axis.input_dilation)
    starts = slide(cells, axis.kernel_size, axis.stride, axis.dilation)
    counted = sum(cells[start + k * axis.dilation] == 1 for start in starts for k in range(axis.kernel_size))
    assert data_taps(axis) == counted


@pytest.mark.parametrize(
    ("layer", "arguments", "parameters"),
    [
        # Keras' own count_params.
        ("conv", {"channels": 3, "filters": 32}, 896),
        ("conv", {"channels": 3, "filters": 32, "use_bias": False}, 864),
        ("conv-transpose", {"channels": 3, "filters": 32}, 896),
        ("depthwise", {"channels": 8, "depth_multiplier": 2}, 160),
        ("depthwise", {"channels": 8, "depth_multiplier": 2, "filters": 16}, 160),
        ("separable", {"channels": 8, "filters": 16, "depth_multiplier": 2}, 416),
        ("upsampling", {"channels": 8}, 0),
        ("cropping", {"channels": 8, "filters": 8}, 0),
    ],
)
def test_parameters(layer: str, arguments: dict[str, Any], parameters: int) -> None:
    geometry = ConvGeometry((AxisGeometry(10, 3), AxisGeometry(8, 3)))
    assert cost(layer, geometry, **arguments).parameters == parameters


def test_multiply_adds() -> None:
    axis = AxisGeometry(5, 3, stride=2, pad_before=1, pad_after=1)
    geometry = ConvGeometry((axis, AxisGeometry(4, 2)), groups=2)
    # 3 x 3 outputs of 3 x 2 elements; of the three windows along axis 0 two have one element on padding.
    assert cost("conv", geometry, channels=4, filters=6) == (6 * 2 * 6 + 6, 9 * 6 * 2 * 6, 7 * 6 * 2 * 6)
    up = ConvGeometry((AxisGeometry.transposed(4, 3, 2, 1, 1, 1),))
    # 4 inputs stamp 3 elements each; one falls on the crop at either end.
    assert cost("conv-transpose", up, channels=2, filters=5) == (35, 4 * 3 * 10, 10 * 10)
    plain = ConvGeometry((AxisGeometry(6, 3),))
    assert cost("depthwise", plain, channels=2, depth_multiplier=3) == (24, 4 * 3 * 6, 4 * 3 * 6)
    mixed = cost("separable", plain, channels=2, filters=5, depth_multiplier=3)
    assert mixed == (18 + 30 + 5, 4 * 3 * 6 + 4 * 6 * 5, 4 * 3 * 6 + 4 * 6 * 5)


@given(axes(), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))
@settings(max_examples=60)
def test_useful_multiply_adds_of_the_adjoint_are_the_same(axis: AxisGeometry, groups: int, c: int, f: int) -> None:
    geometry = ConvGeometry((axis,), groups)
    there = cost("conv", geometry, channels=c * groups, filters=f * groups)
    back = cost("conv-transpose", geometry.adjoint(), channels=f * groups, filters=c * groups)
    assert there.useful_multiply_adds == back.useful_multiply_adds <= min(there.multiply_adds, back.multiply_adds)


@pytest.mark.parametrize(
    ("layer", "arguments", "message"),
    [
        ("conv", {"channels": 3}, "filters.*needs its filters"),
        ("conv", {"channels": 0, "filters": 2}, "channels"),
        ("conv", {"channels": 2, "filters": 2.0}, "filters.*whole"),
        ("conv", {"channels": 3, "filters": 4}, "groups.*G10"),
        ("conv", {"channels": 4, "filters": 3}, "groups.*G11"),
        ("depthwise", {"channels": 4, "filters": 5}, "filters.*has 4 of them"),
        ("depthwise", {"channels": 4, "depth_multiplier": 0}, "depth_multiplier"),
        ("upsampling", {"channels": 4, "filters": 5}, "filters.*has 4"),
    ],
)
def test_counts_that_do_not_fit(layer: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConvError, match=message):
        cost(layer, ConvGeometry((AxisGeometry(5, 3),), groups=2), **arguments)


def test_filters_without_channels() -> None:
    with pytest.raises(ConvError, match=r"channels.*give channels="):
        derive(ConvGeometry((AxisGeometry(5, 3),)), filters=3)


def test_a_formula_that_does_not_fit_its_layer_is_an_error() -> None:
    class Wrong:
        layer, framework, interpolation = "conv", "rule", "nearest"
        geometry = ConvGeometry((AxisGeometry(6, 3, stride=2),))

        class Use:
            name, values = "conv.same", {"i": 6, "s": 2}

        formulas = (Use(),)

    with pytest.raises(ConvError, match="gives 3 where the index rule gives 2"):
        derive(Wrong())
