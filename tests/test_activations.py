"""Activations against closed forms in plain Python, and their gradients against central differences."""

from __future__ import annotations

import copy
import json
import math
import pickle
from typing import Any

import numpy as np
import pytest
from ids import plain

from refconv import ConvError, activations

RNG = np.random.default_rng(31)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


# Each formula as the papers and Keras' docstrings print it, one number at a time.
ELEMENTWISE: dict[str, tuple[dict[str, Any], Any]] = {
    "linear": ({}, lambda x: x),
    "relu": ({}, lambda x: x if x > 0 else 0),
    "leaky_relu": ({}, lambda x: x if x > 0 else 0.2 * x),
    "relu6": ({}, lambda x: min(max(x, 0), 6)),
    "elu": ({}, lambda x: x if x > 0 else math.exp(x) - 1),
    "celu": ({"alpha": 0.5}, lambda x: x if x > 0 else 0.5 * (math.exp(x / 0.5) - 1)),
    "selu": ({}, lambda x: 1.05070098 * (x if x > 0 else 1.67326324 * (math.exp(x) - 1))),
    "softplus": ({}, lambda x: math.log(math.exp(x) + 1)),
    "softsign": ({}, lambda x: x / (1 + abs(x))),
    "squareplus": ({}, lambda x: (x + math.sqrt(x * x + 4)) / 2),
    "soft_shrink": ({}, lambda x: x - 0.5 if x > 0.5 else x + 0.5 if x < -0.5 else 0),
    "hard_shrink": ({}, lambda x: x if abs(x) > 0.5 else 0),
    "sparse_plus": ({}, lambda x: 0 if x <= -1 else x if x >= 1 else (x + 1) ** 2 / 4),
    "sparse_sigmoid": ({}, lambda x: 0 if x <= -1 else 1 if x >= 1 else 0.5 * (x + 1)),
    "silu": ({}, lambda x: x * sigmoid(x)),
    "gelu": ({}, lambda x: x * normal_cdf(x)),
    "tanh": ({}, lambda x: (math.exp(x) - math.exp(-x)) / (math.exp(x) + math.exp(-x))),
    "tanh_shrink": ({}, lambda x: x - math.tanh(x)),
    "threshold": ({"threshold": 0.3, "default_value": -7.0}, lambda x: x if x > 0.3 else -7.0),
    "sigmoid": ({}, sigmoid),
    "exponential": ({}, math.exp),
    "hard_sigmoid": ({}, lambda x: 0 if x <= -3 else 1 if x >= 3 else x / 6 + 0.5),
    "hard_silu": ({}, lambda x: 0 if x < -3 else x if x > 3 else x * (x + 3) / 6),
    "hard_tanh": ({}, lambda x: -1 if x < -1 else 1 if x > 1 else x),
    "mish": ({}, lambda x: x * math.tanh(math.log(math.exp(x) + 1))),
    "log_sigmoid": ({}, lambda x: math.log(sigmoid(x))),
}
WITH_PARAMETERS: list[tuple[str, dict[str, Any], Any]] = [
    (
        "relu",
        {"negative_slope": 0.3, "max_value": 2.0, "threshold": 0.5},
        lambda x: min(x, 2) if x > 0.5 else 0.3 * (x - 0.5),
    ),
    ("relu", {"max_value": 1.5}, lambda x: min(max(x, 0), 1.5)),
    ("relu", {"threshold": -1.0}, lambda x: x if x > -1 else 0),
    ("leaky_relu", {"negative_slope": 0.7}, lambda x: x if x > 0 else 0.7 * x),
    ("elu", {"alpha": 2.0}, lambda x: x if x > 0 else 2 * (math.exp(x) - 1)),
    ("squareplus", {"b": 1.0}, lambda x: (x + math.sqrt(x * x + 1)) / 2),
    ("soft_shrink", {"threshold": 1.0}, lambda x: x - 1 if x > 1 else x + 1 if x < -1 else 0),
    ("hard_shrink", {"threshold": 1.0}, lambda x: x if abs(x) > 1 else 0),
    ("hard_sigmoid", {"slope": 0.2}, lambda x: 0 if x < -2.5 else 1 if x > 2.5 else 0.2 * x + 0.5),
    (
        "gelu",
        {"approximate": True},
        lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ),
]
CASES = [(name, *case) for name, case in ELEMENTWISE.items()] + WITH_PARAMETERS
ALONG_AXES = ["softmax", "log_softmax", "sparsemax", "glu"]


@pytest.mark.parametrize(("name", "parameters", "formula"), CASES, ids=plain)
def test_elementwise_values(name: str, parameters: dict[str, Any], formula: Any) -> None:
    x = RNG.normal(scale=3, size=(2, 5, 4))
    activation = getattr(activations, name)
    expected = np.vectorize(formula, otypes=[float])(x)
    tolerance = 1e-7 if name == "selu" else 1e-12
    np.testing.assert_allclose(activation(x, **parameters), expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(activation.using(**parameters)(x), expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(
        activations.get({"class_name": name, "config": parameters})(x), expected, rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("axis", [-1, 1, 0])
def test_activations_along_an_axis(axis: int) -> None:
    x = RNG.normal(scale=2, size=(4, 6, 8))
    lines = np.moveaxis(x, axis, -1)
    out = {name: np.moveaxis(getattr(activations, name)(x, axis=axis), axis, -1) for name in ALONG_AXES}
    for at in np.ndindex(*lines.shape[:-1]):
        line = [float(value) for value in lines[at]]
        total = sum(math.exp(value) for value in line)
        np.testing.assert_allclose(out["softmax"][at], [math.exp(value) / total for value in line], rtol=1e-12)
        np.testing.assert_allclose(out["log_softmax"][at], [value - math.log(total) for value in line], rtol=1e-12)
        np.testing.assert_allclose(out["sparsemax"][at], projection(line), rtol=1e-9, atol=1e-12)
        half = len(line) // 2
        gated = [a * sigmoid(b) for a, b in zip(line[:half], line[half:], strict=True)]
        np.testing.assert_allclose(out["glu"][at], gated, rtol=1e-12)


def projection(line: list[float]) -> list[float]:
    """Find by bisection how far to lower a line so that what stays positive sums to 1."""
    low, high = min(line) - 1, max(line)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(max(v - middle, 0) for v in line) > 1 else (low, middle)
    return [max(value - low, 0) for value in line]


GRADIENTS = [(name, parameters) for name, parameters, _ in CASES] + [
    (name, {"axis": axis}) for name in ALONG_AXES for axis in (-1, 1)
]


@pytest.mark.parametrize(("name", "parameters"), GRADIENTS, ids=str)
def test_gradients_against_central_differences(name: str, parameters: dict[str, Any]) -> None:
    activation = getattr(activations, name).using(**parameters)
    x = np.random.default_rng(5).normal(scale=2, size=(2, 4, 6))
    y = activation(x)
    assert activation.output_shape(x.shape) == y.shape
    dy = RNG.normal(size=y.shape)
    step = 1e-5
    numeric = np.empty_like(x)
    for at in np.ndindex(*x.shape):
        moved = [x.copy(), x.copy()]
        moved[0][at] += step
        moved[1][at] -= step
        numeric[at] = np.sum(dy * (activation(moved[0]) - activation(moved[1]))) / (2 * step)
    # The error of the difference is of the order step**2; no kink lies within a step of this data.
    np.testing.assert_allclose(activation.gradient(x, dy), numeric, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(activations.gradient(activation, x, dy), activation.gradient(x, dy))


@pytest.mark.parametrize("name", sorted(activations.NAMES))
def test_values_are_finite_far_out_and_types_are_kept(name: str) -> None:
    parameters = {"threshold": 1.0, "default_value": 0.0} if name == "threshold" else {}
    activation = activations.get({"class_name": name, "config": parameters})
    for dtype in (np.float16, np.float32, np.float64):
        x = np.array([[-1000.0, -20.0, 0.0, 1e-3, 20.0, 700.0]], dtype)
        kept = x.copy()
        y = activation(x)
        slope = activation.gradient(x, np.ones(y.shape, dtype))
        assert y.dtype == slope.dtype == dtype
        assert slope.shape == x.shape
        if name != "exponential":
            assert np.isfinite(y).all()
            assert np.isfinite(slope).all()
        np.testing.assert_array_equal(x, kept)
        # Computed in double precision and rounded once.
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(y, activation(x.astype(np.float64)).astype(dtype))
    assert np.isnan(activation(np.full((1, 2), np.nan))).any() or name in ("threshold", "soft_shrink", "hard_shrink")
    assert not np.isnan(activation(np.zeros((1, 2)))).any()


def test_names_of_every_version() -> None:
    assert activations.get(None) is activations.linear
    assert activations.get("swish") is activations.get("Silu") is activations.silu
    assert activations.get("hard_swish") is activations.hard_silu
    for version in (1, 2):
        np.testing.assert_allclose(activations.get("hard_sigmoid", version=version)(np.array([1.0])), [0.7])
    np.testing.assert_allclose(activations.get("hard_sigmoid")(np.array([1.0])), [1 / 6 + 0.5])
    for name in ("softmax", "elu", "softplus", "softsign", "relu", "tanh", "sigmoid", "linear", "selu", "exponential"):
        assert all(activations.get(name, version) is getattr(activations, name) for version in (1, 2, 3))


def test_configurations() -> None:
    written = {"module": "keras.activations", "class_name": "function", "config": "mish", "registered_name": "mish"}
    assert activations.get(written) is activations.mish
    layer = {"name": "leaky", "trainable": True, "dtype": "float32", "alpha": 0.1}
    assert activations.get({"class_name": "LeakyReLU", "config": layer}).parameters == {"negative_slope": 0.1}
    assert activations.get({"class_name": "ELU", "config": {"alpha": 0.5}}).parameters == {"alpha": 0.5}
    assert activations.get({"class_name": "ReLU", "config": {"max_value": 6.0, "threshold": 0.0}})(np.array([9.0])) == 6
    for activation in (activations.relu, activations.gelu.using(approximate=True), activations.softmax.using(axis=1)):
        config = json.loads(json.dumps(activations.serialize(activation)))
        twins = [activations.get(config), pickle.loads(pickle.dumps(activation)), copy.deepcopy(activation)]
        x = RNG.normal(size=(3, 4))
        for twin in twins:
            np.testing.assert_array_equal(twin(x), activation(x))
            np.testing.assert_array_equal(twin.gradient(x, x), activation.gradient(x, x))
    assert activations.gelu.using(approximate=False) is activations.gelu
    assert repr(activations.elu.using(alpha=2.0)) == "elu(alpha=2.0)"


def test_functions_of_ones_own() -> None:
    assert activations.get(np.tanh) is activations.serialize(np.tanh) is np.tanh
    with pytest.raises(ConvError, match=r"`activation` = .*gradient is not known.*object with __call__") as caught:
        activations.gradient(np.tanh, np.ones(2), np.ones(2))
    assert caught.value.argument == "activation"

    class Cube:
        def __call__(self, x: Any) -> Any:
            return x**3

        def gradient(self, x: Any, dy: Any) -> Any:
            return 3 * x**2 * dy

    own = activations.get(Cube())
    np.testing.assert_array_equal(activations.gradient(own, np.array([2.0]), np.array([1.0])), [12])
    square = activations.Activation(np.square)
    with pytest.raises(ConvError, match="gradient is not known"):
        square.gradient(np.ones(2), np.ones(2))
    square.slope(lambda x: 2 * x)
    np.testing.assert_array_equal(copy.deepcopy(square).gradient(np.array([3.0]), np.array([1.0])), [6])
    assert activations.serialize(square) is square


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: activations.get("rleu"), ["`activation` = 'rleu'", "did you mean 'relu'"]),
        (lambda: activations.get("softmaxx", argument="act"), ["`act` = 'softmaxx'", "did you mean 'softmax'"]),
        (lambda: activations.get(3), ["`activation` = 3", "function of an array"]),
        (lambda: activations.get(int), ["`activation` = <class 'int'>"]),
        (lambda: activations.get("threshold"), ["'threshold'", "needs 'threshold'", "class_name"]),
        (lambda: activations.get({"class_name": "elu", "config": {"alhpa": 1}}), ["no argument 'alhpa'", "'alpha'"]),
        (lambda: activations.get({"klass": "elu"}), ["not a configuration dictionary"]),
        (lambda: activations.relu.using(slope=1), ["no argument 'slope'"]),
        (lambda: activations.get("relu", version=4), ["`version` = 4", "1, 2 or 3"]),
        (lambda: activations.glu(np.ones((2, 3))), ["halves an axis of 3"]),
    ],
)
def test_errors(make: Any, words: list[str]) -> None:
    with pytest.raises(ConvError) as caught:
        make()
    for word in words:
        assert word in str(caught.value)
