"""Regularizers against sums in plain Python, and their gradients against central differences."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from ids import plain

from refconv import ConvError, regularizers

RNG = np.random.default_rng(37)


def cosines(rows: Any) -> float:
    """Return the mean absolute cosine of all pairs of rows."""
    found = []
    for a, b in itertools.combinations([[float(v) for v in row] for row in rows], 2):
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        found.append(abs(dot) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b)))
    return sum(found) / len(found)


CASES: list[tuple[Any, Any]] = [
    (regularizers.L1(0.3), lambda w: 0.3 * sum(abs(v) for v in w.ravel())),
    (regularizers.L2(0.2), lambda w: 0.2 * sum(v * v for v in w.ravel())),
    (regularizers.L1L2(0.3, 0.2), lambda w: sum(0.3 * abs(v) + 0.2 * v * v for v in w.ravel())),
    (regularizers.L1L2(), lambda w: 0.0),
    (regularizers.OrthogonalRegularizer(0.5), lambda w: 0.5 * cosines(w)),
    (regularizers.OrthogonalRegularizer(0.5, "columns"), lambda w: 0.5 * cosines(w.T)),
]


@pytest.mark.parametrize(("regularizer", "formula"), CASES, ids=lambda value: type(value).__name__)
def test_values_and_gradients(regularizer: Any, formula: Any) -> None:
    w = RNG.normal(size=(4, 3))
    kept = w.copy()
    assert regularizer(w) == pytest.approx(float(formula(w)), rel=1e-12)
    assert type(regularizer(w)) is float
    numeric, step = np.empty_like(w), 1e-6
    for at in np.ndindex(*w.shape):
        up, down = w.copy(), w.copy()
        up[at] += step
        down[at] -= step
        numeric[at] = (regularizer(up) - regularizer(down)) / (2 * step)
    np.testing.assert_allclose(regularizer.gradient(w), numeric, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(w, kept)
    assert regularizer.gradient(w.astype(np.float32)).dtype == np.float32
    twin = regularizers.get(json.loads(json.dumps(regularizers.serialize(regularizer))))
    assert type(twin) is type(regularizer)
    assert twin.get_config() == type(twin).from_config(twin.get_config()).get_config() == regularizer.get_config()
    assert twin(w) == regularizer(w)


def test_sums_of_a_kernel_are_taken_in_double_precision() -> None:
    kernel = RNG.normal(size=(3, 3, 8, 16)).astype(np.float32)
    expected = 0.5 * math.fsum(abs(float(v)) for v in kernel.ravel())
    assert regularizers.L1(0.5)(kernel) == pytest.approx(expected, rel=1e-13)
    np.testing.assert_array_equal(regularizers.L2(0.5).gradient(kernel), kernel)


def test_orthogonal_of_one_row_and_of_a_zero_row() -> None:
    regularizer = regularizers.OrthogonalRegularizer(1.0)
    assert regularizer(np.ones((1, 3))) == 0
    np.testing.assert_array_equal(regularizer.gradient(np.ones((1, 3))), np.zeros((1, 3)))
    assert regularizer(np.array([[0.0, 0.0], [1.0, 1.0]])) == 0
    assert regularizer(np.eye(4)) == 0


@pytest.mark.parametrize(
    ("identifier", "version", "l1", "l2"),
    [
        ("l1", 3, 0.01, 0),
        ("L2", 3, 0, 0.01),
        ("l1_l2", 3, 0, 0),
        ("L1L2", 3, 0, 0),
        ("l1_l2", 2, 0.01, 0.01),
        ("L1L2", 2, 0, 0),
        ("l1l2", 1, 0.01, 0.01),
        ("l2", 1, 0, 0.01),
        ("activity_l1", 1, 0.01, 0),
        ("activity_l2", 1, 0, 0.01),
        ("activity_l1l2", 1, 0.01, 0.01),
        ("WeightRegularizer", 1, 0, 0),
        ({"name": "L1L2Regularizer", "l1": 0.5, "l2": 0.25}, 1, 0.5, 0.25),
        ({"class_name": "L1L2", "config": {"l1": 0.5}}, 2, 0.5, 0),
        ({"class_name": "l2", "config": {"l": 0.5}}, 2, 0, 0.5),
        ({"class_name": "l1_l2", "config": {"l1": 0.5}}, 2, 0.5, 0.01),
        (
            {"module": "keras.regularizers", "class_name": "L2", "config": {"l2": 0.5}, "registered_name": None},
            3,
            0,
            0.5,
        ),
        (regularizers.L2, 3, 0, 0.01),
        (regularizers.L1L2(None, 2), 3, 0, 2),
    ],
    ids=plain,
)
def test_names_and_numbers_of_every_version(identifier: Any, version: int, l1: float, l2: float) -> None:
    regularizer = regularizers.get(identifier, version)
    assert (regularizer.l1, regularizer.l2) == (l1, l2)


def test_functions_of_ones_own() -> None:
    assert regularizers.get(None) is None
    assert regularizers.serialize(None) is None
    assert regularizers.get(np.sum) is regularizers.serialize(np.sum) is np.sum
    with pytest.raises(ConvError, match=r"`kernel_regularizer` = .*gradient is not known.*gradient\(w\)"):
        regularizers.gradient(np.sum, np.ones(2), "kernel_regularizer")
    np.testing.assert_allclose(regularizers.gradient(regularizers.L2(0.5), np.array([3.0])), [3])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: regularizers.get("l3", argument="bias_regularizer"), ["`bias_regularizer` = 'l3'", "'l1'"]),
        (lambda: regularizers.get("orthogonal_regulariser"), ["did you mean 'orthogonal_regularizer'"]),
        (lambda: regularizers.get(0.01), ["`regularizer` = 0.01", "function of an array"]),
        (lambda: regularizers.get({"class_name": "L2", "config": {"l1": 1}}), ["L2 has no argument 'l1'", "'l2'"]),
        (lambda: regularizers.L2(-1), ["`l2` = -1", "at least 0"]),
        (lambda: regularizers.L1("x"), ["`l1` = 'x'", "not a number"]),
        (lambda: regularizers.L1(math.inf), ["`l1` = inf", "finite"]),
        (lambda: regularizers.L1(True), ["`l1` = True"]),
        (lambda: regularizers.OrthogonalRegularizer(mode="row"), ["`mode` = 'row'", "did you mean 'rows'"]),
        (lambda: regularizers.OrthogonalRegularizer()(np.ones((3, 3, 2, 4))), ["matrix", "(3, 3, 2, 4)"]),
    ],
)
def test_errors(make: Any, words: list[str]) -> None:
    with pytest.raises(ConvError) as caught:
        make()
    for word in words:
        assert word in str(caught.value)
