"""The solver against brute force: every layer within the bounds is written out as cells and counted."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refconv.errors import ConvError
from refconv.questions import output_size
from refconv.solver import Solution, solve

# kernel, stride, dilation, before, after, output padding
Numbers = tuple[int, int, int, int, int, int]


def conv_size(n: int, k: int, s: int, d: int, lo: int, hi: int) -> int:
    cells = list(range(n + lo + hi))
    reach = (k - 1) * d
    return sum(1 for start in range(0, len(cells), s) if start + reach < len(cells))


def transposed_size(n: int, k: int, s: int, d: int, lo: int, hi: int, op: int) -> int:
    full = {i * s + j * d for i in range(n) for j in range(k)}
    cells = list(range(max(full) + 1)) + ["zero"] * op
    return len(cells[lo : len(cells) - hi])


def within_bounds(
    layer: str, kernels: range, strides: range, dilations: range, most: int | None, asymmetry: int
) -> list[Numbers]:
    found = []
    for k, s, d in itertools.product(kernels, strides, dilations):
        pads = range((k - 1) * d + 1 if most is None else most + 1)
        extras = range(s) if layer == "conv-transpose" else range(1)
        for lo, hi, op in itertools.product(pads, pads, extras):
            if abs(hi - lo) <= asymmetry:
                found.append((k, s, d, lo, hi, op))
    return found


def size_of(layer: str, n: int, numbers: Numbers) -> int:
    return transposed_size(n, *numbers) if layer == "conv-transpose" else conv_size(n, *numbers[:5])


def order(numbers: Numbers) -> tuple[Any, ...]:
    k, s, d, lo, hi, op = numbers
    return abs(hi - lo), d, op, s, k, (lo, hi)


def one_of_each(found: list[Numbers]) -> list[Numbers]:
    """Keep, in the stated order, the first way to write each layer."""
    kept: dict[Any, Numbers] = {}
    for numbers in sorted(found, key=order):
        k, s, d, lo, hi, op = numbers
        kept.setdefault((k, s, d if k > 1 else 1, lo, hi - op), numbers)
    return list(kept.values())


def flat(solution: Solution, axis: int = 0) -> Numbers:
    (lo, hi) = solution.padding[axis]
    kernel, stride, dilation = solution.kernel[axis], solution.stride[axis], solution.dilation[axis]
    return kernel, stride, dilation, lo, hi, solution.output_padding[axis]


@pytest.mark.parametrize("layer", ["conv", "conv-transpose"])
@pytest.mark.parametrize(("most", "asymmetry"), [(None, 1), (2, 0), (3, 2), (0, 0)])
def test_all_solutions_and_no_other(layer: str, most: int | None, asymmetry: int) -> None:
    candidates = within_bounds(layer, range(1, 5), range(1, 4), range(1, 4), most, asymmetry)
    solved = 0
    for n, o in itertools.product(range(1, 8), range(1, 14)):
        wanted = one_of_each([numbers for numbers in candidates if size_of(layer, n, numbers) == o])
        found = solve(
            n,
            o,
            layer=layer,
            max_kernel=4,
            max_stride=3,
            max_dilation=3,
            max_padding=most,
            max_asymmetry=asymmetry,
        )
        assert [flat(solution) for solution in found] == wanted
        solved += len(found)
    assert solved > 100


FIXED: dict[str, st.SearchStrategy[Any]] = {
    "kernel_size": st.integers(1, 6),
    "strides": st.integers(1, 5),
    "dilation_rate": st.integers(1, 3),
    "padding": st.tuples(st.integers(-1, 4), st.integers(-1, 4)),
    "output_padding": st.integers(0, 3),
}


@given(st.data(), st.sampled_from(["conv", "conv-transpose"]), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=100)
def test_what_is_fixed_stays_fixed(data: st.DataObject, layer: str, n: int, o: int) -> None:
    names = [name for name in FIXED if layer == "conv-transpose" or name != "output_padding"]
    fixed = {name: data.draw(FIXED[name], label=name) for name in data.draw(st.sets(st.sampled_from(names)))}

    def tried(name: str, most: int) -> list[int]:
        return [fixed[name]] if name in fixed else list(range(1, most + 1))

    candidates = []
    for k, s, d in itertools.product(tried("kernel_size", 4), tried("strides", 3), tried("dilation_rate", 2)):
        sides = range((k - 1) * d + 1)
        near = [pair for pair in itertools.product(sides, sides) if abs(pair[0] - pair[1]) <= 1]
        extras = (
            [fixed["output_padding"]] if "output_padding" in fixed else range(s if layer == "conv-transpose" else 1)
        )
        for (lo, hi), op in itertools.product([fixed["padding"]] if "padding" in fixed else near, extras):
            candidates.append((k, s, d, lo, hi, op))

    def size(numbers: Numbers) -> int:
        k, s, d, lo, hi, op = numbers
        if layer == "conv":
            return max((n + lo + hi - (k - 1) * d - 1) // s + 1, 0)
        return (n - 1) * s + (k - 1) * d + 1 + op - lo - hi

    wanted = one_of_each([numbers for numbers in candidates if size(numbers) == o])
    found = solve(n, o, layer=layer, max_kernel=4, max_stride=3, max_dilation=2, **fixed)
    assert [flat(solution) for solution in found] == wanted


@pytest.mark.parametrize("layer", ["conv", "conv-transpose"])
def test_two_axes_alike_by_brute_force(layer: str) -> None:
    candidates = within_bounds(layer, range(1, 4), range(1, 4), range(1, 3), None, 1)
    for sizes, wanted in [((8, 5), (4, 3)), ((4, 7), (8, 14)), ((6, 6), (6, 6)), ((3, 4), (7, 9)), ((9, 9), (4, 4))]:
        fitting = [
            numbers
            for numbers in candidates
            if all(size_of(layer, n, numbers) == o for n, o in zip(sizes, wanted, strict=True))
        ]
        found = solve(sizes, wanted, layer=layer, max_kernel=3, max_stride=3)
        assert [flat(solution) for solution in found] == [flat(solution, 1) for solution in found]
        assert sorted(flat(solution) for solution in found) == sorted(one_of_each(fitting))


def test_axes_apart_by_brute_force() -> None:
    candidates = within_bounds("conv", range(1, 4), range(1, 3), range(1, 2), None, 1)
    sizes, wanted = (6, 5, 4), (3, 5, 2)
    per_axis = [
        [numbers for numbers in candidates if conv_size(n, *numbers[:5]) == o]
        for n, o in zip(sizes, wanted, strict=True)
    ]
    found = solve(sizes, wanted, per_axis=True, max_kernel=3, max_stride=2, max_dilation=1)
    assert len(found) == len(set(found)) > 20
    assert {tuple(flat(solution, axis) for axis in range(3)) for solution in found} == set(itertools.product(*per_axis))
    keys = [
        (
            sum(abs(hi - lo) for lo, hi in solution.padding),
            solution.dilation,
            solution.output_padding,
            solution.stride,
            solution.kernel,
            solution.padding,
        )
        for solution in found
    ]
    assert keys == sorted(keys)


def test_fixed_axes_differ_while_free_ones_agree() -> None:
    found = solve((10, 20), (5, 5), strides=(2, 4), kernel_size=(3, 4), max_dilation=1)
    assert {(solution.stride, solution.kernel) for solution in found} == {((2, 4), (3, 4))}
    assert [solution.padding for solution in found] == [((1, 1), (1, 1)), ((0, 1), (0, 1)), ((1, 0), (1, 0))]
    assert solve((10, 20), (5, 5)) == []


def test_redundant_solutions_are_left_out() -> None:
    found = solve(5, 5, kernel_size=1, max_dilation=4)
    assert [flat(solution) for solution in found] == [(1, 1, 1, 0, 0, 0)]
    assert flat(solve(5, 5, kernel_size=1, dilation_rate=3)[0]) == (1, 1, 3, 0, 0, 0)
    up = solve(7, 14, layer="conv-transpose", kernel_size=3, strides=2, max_dilation=1)
    assert [flat(solution)[3:] for solution in up] == [(1, 1, 1), (0, 1, 0)]
    square = solve((5, 5), (5, 3), kernel_size=(1, 3))
    assert square == [Solution((1, 3), (1, 1), (1, 1), ((0, 0), (0, 0)), (0, 0))]


@pytest.mark.parametrize(
    ("layer", "padding"),
    [
        ("conv", "valid"),
        ("conv", "same"),
        ("conv", "causal"),
        ("conv", "full"),
        ("conv-transpose", "valid"),
        ("conv-transpose", "same"),
        ("conv-transpose", "full"),
    ],
)
def test_a_padding_given_as_a_word_means_its_amounts(layer: str, padding: str) -> None:
    """The solutions, given back as amounts, have the wanted size; and no layer of that word is missed."""
    solved = 0
    for n, o in itertools.product(range(1, 8), range(1, 15)):
        found = solve(n, o, layer=layer, padding=padding, max_kernel=4, max_stride=3)
        for solution in found:
            k, s, d, lo, hi, op = flat(solution)
            words = {"output_padding": op} if layer == "conv-transpose" else {}
            amounts = {"kernel_size": k, "strides": s, "dilation_rate": d, "padding": (lo, hi)}
            assert output_size(layer, n, **amounts, **words) == (o,)
        known = {(*flat(solution)[:5], flat(solution)[5]) for solution in found}
        for k, s, d in itertools.product(range(1, 5), range(1, 4), range(1, 3)):
            arguments: dict[str, Any] = {"kernel_size": k, "strides": s, "dilation_rate": d, "padding": padding}
            try:
                size = output_size(layer, n, **arguments)
            except ConvError:
                continue
            if size == (o,) and (k > 1 or d == 1):
                assert any(numbers[:3] == (k, s, d) for numbers in known)
        solved += len(found)
    assert solved > 50


def test_same_padding_of_known_layers() -> None:
    assert [flat(solution) for solution in solve(6, 3, kernel_size=3, padding="same", max_dilation=1)] == [
        (3, 2, 1, 0, 1, 0)
    ]
    found = solve(10, 20, layer="conv-transpose", kernel_size=3, strides=2, padding="same", dilation_rate=1)
    # By itself, and with an output padding of 1, this is the same layer.
    assert [flat(solution) for solution in found] == [(3, 2, 1, 0, 1, 0)]


def test_upsampling() -> None:
    assert solve((4, 5), (8, 15), layer="upsampling") == [Solution((2, 3), (2, 3), (1, 1), ((0, 0), (0, 0)), (0, 0))]
    assert solve(4, 9, layer="upsampling") == []
    assert solve(9, 3, layer="upsampling") == []


@pytest.mark.parametrize("layer", ["depthwise", "separable"])
def test_depthwise_and_separable_are_as_conv(layer: str) -> None:
    assert solve((8, 8), (4, 4), layer=layer) == solve((8, 8), (4, 4))


def test_no_solution_is_an_empty_list() -> None:
    assert solve(5, 100) == []
    assert solve(5, 6, strides=1, padding="valid") == []
    assert solve(3, 1, kernel_size=5, padding="valid") == []
    assert solve(5, 3, layer="conv_transpose", padding="full") == []


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"input_size": (5, 5), "output_size": 3}, "output_size"),
        ({"input_size": 0, "output_size": 3}, "input_size"),
        ({"input_size": 5, "output_size": (1, 2, 3, 4)}, "output_size"),
        ({"layer": "convolution"}, "layer"),
        ({"layer": 3}, "layer"),
        ({"kernel_size": 0}, "kernel_size"),
        ({"kernel_size": (3, 3)}, "kernel_size"),
        ({"strides": 1.5}, "strides"),
        ({"dilation_rate": -1}, "dilation_rate"),
        ({"padding": "sane"}, "padding"),
        ({"padding": "causal", "layer": "conv-transpose"}, "padding"),
        ({"padding": (1, 2, 3)}, "padding"),
        ({"output_padding": 1}, "output_padding"),
        ({"output_padding": -1, "layer": "conv-transpose"}, "output_padding"),
        ({"strides": 2, "layer": "upsampling"}, "strides"),
        ({"max_kernel": 0}, "max_kernel"),
        ({"max_stride": 0}, "max_stride"),
        ({"max_dilation": 0}, "max_dilation"),
        ({"max_padding": -1}, "max_padding"),
        ({"max_asymmetry": -1}, "max_asymmetry"),
        ({"input_size": (8, 8, 8), "output_size": (4, 4, 4), "per_axis": True, "max_kernel": 40}, "per_axis"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], name: str) -> None:
    with pytest.raises(ConvError) as caught:
        solve(**({"input_size": 5, "output_size": 3} | arguments))
    assert caught.value.argument == name
