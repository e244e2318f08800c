"""Constraints against norms in plain Python."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from refconv import ConvError, constraints

RNG = np.random.default_rng(41)


def by_norm(w: np.ndarray, axes: tuple[int, ...], wanted: Any) -> np.ndarray:
    """Scale each slice along `axes` from its norm n to the norm wanted(n)."""
    result = np.empty_like(w)
    others = [axis for axis in range(w.ndim) if axis not in axes]
    for at in np.ndindex(*(w.shape[axis] for axis in others)):
        index: list[Any] = [slice(None)] * w.ndim
        for axis, i in zip(others, at, strict=True):
            index[axis] = i
        part = w[tuple(index)]
        norm = math.sqrt(math.fsum(float(v) ** 2 for v in part.ravel()))
        result[tuple(index)] = part * wanted(norm) / (norm + 1e-7)
    return result


@pytest.mark.parametrize(("axis", "axes"), [(0, (0,)), (-1, (3,)), ([0, 1, 2], (0, 1, 2)), ((0, 2), (0, 2))])
def test_norms(axis: Any, axes: tuple[int, ...]) -> None:
    w = RNG.normal(size=(3, 2, 4, 5)) * 10 ** RNG.uniform(-1, 1, size=(3, 2, 4, 5))
    w[..., 0] = 0
    kept = w.copy()
    cases = [
        (constraints.MaxNorm(1.5, axis), lambda n: min(n, 1.5)),
        (constraints.UnitNorm(axis), lambda n: 1.0),
        (constraints.MinMaxNorm(0.5, 2, axis=axis), lambda n: min(max(n, 0.5), 2)),
        (constraints.MinMaxNorm(0.5, 2, 0.25, axis), lambda n: 0.25 * min(max(n, 0.5), 2) + 0.75 * n),
    ]
    for constraint, wanted in cases:
        np.testing.assert_allclose(constraint(w), by_norm(w, axes, wanted), rtol=1e-12, atol=1e-15)
        assert constraint(w.astype(np.float32)).dtype == np.float32
        twin = constraints.get(json.loads(json.dumps(constraints.serialize(constraint))))
        np.testing.assert_array_equal(twin(w), constraint(w))
        assert twin.get_config() == type(twin).from_config(twin.get_config()).get_config() == constraint.get_config()
        np.testing.assert_array_equal(w, kept)


def test_non_neg() -> None:
    w = np.array([-1.5, 0.0, 2.5], np.float32)
    np.testing.assert_array_equal(constraints.NonNeg()(w), np.array([0, 0, 2.5], np.float32))
    assert constraints.NonNeg()(w).dtype == np.float32
    assert w[0] == -1.5


def test_a_constraint_applied_again_changes_little() -> None:
    w = RNG.normal(size=(3, 3, 4, 8))
    for constraint in (constraints.MaxNorm(1, [0, 1, 2]), constraints.UnitNorm([0, 1, 2]), constraints.NonNeg()):
        once = constraint(w)
        # Epsilon, 1e-7, shrinks a norm a little each time.
        np.testing.assert_allclose(constraint(once), once, rtol=1e-6)


@pytest.mark.parametrize(
    ("identifier", "config"),
    [
        *((name, {"max_value": 2, "axis": 0}) for name in ("max_norm", "MaxNorm", "maxnorm", constraints.MaxNorm)),
        *((name, {}) for name in ("non_neg", "NonNeg", "nonneg")),
        *((name, {"axis": 0}) for name in ("unit_norm", "UnitNorm", "unitnorm")),
        ("min_max_norm", {"min_value": 0.0, "max_value": 1.0, "rate": 1.0, "axis": 0}),
        ({"name": "MaxNorm", "m": 3, "axis": [0, 1]}, {"max_value": 3, "axis": [0, 1]}),
        (
            {"name": "MinMaxNorm", "low": 0.5, "high": 2.0, "rate": 0.5, "axis": 1},
            {"min_value": 0.5, "max_value": 2.0, "rate": 0.5, "axis": 1},
        ),
        ({"class_name": "MaxNorm", "config": {"max_value": 4}}, {"max_value": 4, "axis": 0}),
        (
            {"module": "keras.constraints", "class_name": "UnitNorm", "config": {"axis": 1}, "registered_name": None},
            {"axis": 1},
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_names_of_every_version(identifier: Any, config: dict[str, Any], version: int) -> None:
    assert constraints.get(identifier, version).get_config() == config


def test_functions_of_ones_own() -> None:
    assert constraints.get(None) is None
    assert constraints.get(np.abs) is constraints.serialize(np.abs) is np.abs


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: constraints.get("max_nrm", argument="bias_constraint"), ["`bias_constraint`", "mean 'max_norm'"]),
        (lambda: constraints.get(2), ["`constraint` = 2", "function of an array"]),
        (lambda: constraints.get({"class_name": "NonNeg", "config": {"axis": 0}}), ["NonNeg has no argument 'axis'"]),
        (lambda: constraints.MaxNorm(-1), ["`max_value` = -1", "at least 0"]),
        (lambda: constraints.MaxNorm(axis=1.5), ["`axis` = 1.5", "whole number"]),
        (lambda: constraints.MinMaxNorm(2, 1), ["`max_value` = 1", "at least 2"]),
        (lambda: constraints.MaxNorm(axis=[0, 1, 2])(np.ones((2, 3))), ["`axis` = [0, 1, 2]", "(2, 3)"]),
        (lambda: constraints.UnitNorm(axis=[0, 0])(np.ones((2, 3))), ["`axis` = [0, 0]"]),
    ],
)
def test_errors(make: Any, words: list[str]) -> None:
    with pytest.raises(ConvError) as caught:
        make()
    for word in words:
        assert word in str(caught.value)
