"""Losses and metrics: values worked out by hand, central differences, Keras live."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from refconv import ConvError, losses, metrics

RNG = np.random.default_rng(5)


def one_hot(labels: Any, classes: int) -> np.ndarray:
    return np.eye(classes)[labels]


def probabilities(*shape: int) -> np.ndarray:
    values = RNG.uniform(0.1, 1, shape)
    return values / values.sum(-1, keepdims=True)


# name, arguments, targets, outputs
CASES: list[tuple[str, dict[str, Any], Any, Any]] = [
    ("mean_squared_error", {}, RNG.normal(size=(3, 4, 2)), RNG.normal(size=(3, 4, 2))),
    ("binary_crossentropy", {}, RNG.uniform(size=(4, 3)), RNG.uniform(0.05, 0.95, (4, 3))),
    ("binary_crossentropy", {"from_logits": True}, RNG.integers(0, 2, (4, 3)), 3 * RNG.normal(size=(4, 3))),
    ("categorical_crossentropy", {}, probabilities(2, 5, 3), probabilities(2, 5, 3)),
    # Outputs that do not add up to 1 are divided by their sum.
    ("categorical_crossentropy", {}, one_hot([2, 0, 1], 3), RNG.uniform(0.2, 2, (3, 3))),
    ("categorical_crossentropy", {"from_logits": True}, probabilities(2, 5, 3), 3 * RNG.normal(size=(2, 5, 3))),
    ("sparse_categorical_crossentropy", {}, RNG.integers(0, 4, (3, 2)), probabilities(3, 2, 4)),
    ("sparse_categorical_crossentropy", {"from_logits": True}, RNG.integers(0, 4, (3, 1)), RNG.normal(size=(3, 4))),
]


@pytest.mark.parametrize(("name", "arguments", "y_true", "y_pred"), CASES)
def test_gradients_are_those_of_differences(name, arguments, y_true, y_pred) -> None:
    loss = losses.get({"class_name": name, "config": arguments})
    found = loss.gradient(y_true, y_pred)
    step = 1e-6
    for index in np.ndindex(*y_pred.shape):
        up, down = y_pred.copy(), y_pred.copy()
        up[index] += step
        down[index] -= step
        assert found[index] == pytest.approx((loss(y_true, up) - loss(y_true, down)) / (2 * step), abs=1e-7)


def test_values_by_hand() -> None:
    assert losses.get("mse")([[1.0, 2.0]], [[3.0, 2.5]]) == (4 + 0.25) / 2
    binary = -(math.log(0.9) + math.log(1 - 0.2)) / 2
    assert losses.get("binary_crossentropy")([[1], [0]], [[0.9], [0.2]]) == pytest.approx(binary)
    many = -(math.log(0.7) + math.log(0.1)) / 2
    outputs = [[0.7, 0.2, 0.1], [0.3, 0.6, 0.1]]
    assert losses.get("sparse_categorical_crossentropy")([0, 2], outputs) == pytest.approx(many)
    assert losses.get("categorical_crossentropy")(one_hot([0, 2], 3), outputs) == pytest.approx(many)


@pytest.mark.parametrize("name", ["binary_crossentropy", "categorical_crossentropy"])
def test_logits_and_probabilities_agree(name: str) -> None:
    logits = RNG.normal(size=(6, 5))
    p = 1 / (1 + np.exp(-logits))
    if name == "categorical_crossentropy":
        p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    target = one_hot(RNG.integers(0, 5, 6), 5)
    from_logits = losses.get({"class_name": name, "config": {"from_logits": True}})
    assert from_logits(target, logits) == pytest.approx(losses.get(name)(target, p), rel=1e-6)


def test_extreme_outputs_stay_finite() -> None:
    for name in ("binary_crossentropy", "categorical_crossentropy"):
        target, p = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
        assert losses.get(name)(target, p) == pytest.approx(-math.log(1e-7), rel=1e-6)
        # Beyond where a probability is kept from 0 nothing changes, so the gradient is 0.
        assert not losses.get(name).gradient(target, p).any()
        exact = losses.get({"class_name": name, "config": {"from_logits": True}})
        assert np.isfinite(exact(target, [[-1e6, 1e6]]))
        assert np.isfinite(exact.gradient(target, np.array([[-1e6, 1e6]]))).all()


def test_gradients_have_the_type_of_the_outputs() -> None:
    assert losses.get("mse").gradient([[1.0]], np.ones((1, 1), np.float32)).dtype == np.float32
    assert losses.get("mse").gradient([[1]], np.ones((1, 1), int)).dtype == np.float64


def test_serialize_and_get() -> None:
    for kind in (losses.MeanSquaredError, losses.BinaryCrossentropy, losses.CategoricalCrossentropy):
        loss = losses.get(kind)
        again = losses.get(losses.serialize(loss))
        assert type(again) is kind
        assert again.get_config() == loss.get_config()
        assert kind.from_config(loss.get_config()).get_config() == loss.get_config()
    assert losses.get("MeanSquaredError")([[2.0]], [[0.0]]) == 4

    class Own(losses.Loss):
        pass

    own = Own()
    assert losses.get(own) is own
    assert losses.serialize(own) is own


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: losses.get("mean_squared_eror"),
            ["`loss` = 'mean_squared_eror'", "did you mean 'mean_squared_error'"],
        ),
        (lambda: losses.get(None), ["`loss` = None", "gradient"]),
        (lambda: losses.get(len), ["`loss`", "gradient"]),
        (lambda: losses.BinaryCrossentropy(from_logits=1), ["`from_logits` = 1", "True nor False"]),
        (lambda: losses.get({"class_name": "mse", "config": {"axis": 1}}), ["no argument 'axis'"]),
        (lambda: losses.get("mse")(np.ones((2, 3)), np.ones((2, 4))), ["`y_true`", "(2, 4)"]),
        (lambda: losses.get("mse")(["a"], [1.0]), ["`y_true`"]),
        (lambda: losses.get("mse")([1.0], [1j]), ["`y_pred`", "complex"]),
        (lambda: losses.get("categorical_crossentropy")([[1]], [[0.5]]), ["`y_pred`", "binary_crossentropy"]),
        (lambda: losses.get("sparse_categorical_crossentropy")([3], [[0.5, 0.5]]), ["`y_true`", "0 to 1"]),
        (lambda: losses.get("sparse_categorical_crossentropy")([0.5], [[0.5, 0.5]]), ["`y_true`", "whole numbers"]),
        (lambda: losses.get("sparse_categorical_crossentropy")([[0, 1]], [[0.5, 0.5]]), ["`y_true`", "(1,)"]),
        (lambda: metrics.get("acuracy"), ["`metrics` = 'acuracy'", "did you mean 'accuracy'"]),
        (lambda: metrics.get(3), ["`metrics` = 3"]),
        (lambda: metrics.Accuracy("half"), ["`threshold` = 'half'"]),
        (lambda: metrics.Accuracy().update([1], [0.5]), ["`y_pred`", "y_pred[:, None]"]),
        (lambda: metrics.Accuracy().update([2], [[0.5]]), ["`y_true`", "0 to 1"]),
    ],
)
def test_errors(call, words: list[str]) -> None:
    with pytest.raises(ConvError) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


# Metrics.


def test_accuracy_over_batches_is_that_of_all() -> None:
    metric = metrics.get("accuracy")
    assert math.isnan(metric.result())
    metric.update([0, 1, 2], one_hot([0, 1, 1], 3))
    metric.update([[2]], one_hot([2], 3))
    assert metric.result() == 3 / 4
    # Targets may be one-hot, too.
    metric.update(one_hot([1], 3), one_hot([0], 3))
    assert metric.result() == 3 / 5
    metric.reset()
    metric.update([[1], [0]], [[0.4], [0.4]])
    assert metric.result() == 1 / 2


def test_mean_iou_by_hand() -> None:
    target = np.array([[0, 0, 1, 1, 2, 2]])
    chosen = np.array([[0, 1, 1, 1, 2, 0]])
    metric = metrics.MeanIoU()
    metric.update(target[:, :3], one_hot(chosen[:, :3], 4))
    metric.update(target[:, 3:], one_hot(chosen[:, 3:], 4))
    # Class 3 is nowhere, and is left out.
    assert metric.result() == pytest.approx((1 / 3 + 2 / 3 + 1 / 2) / 3)
    with pytest.raises(ConvError, match="4 classes"):
        metric.update([0], [[0.5, 0.5]])
    metric.reset()
    assert math.isnan(metric.result())


def test_a_threshold_follows_the_loss() -> None:
    logits = losses.BinaryCrossentropy(from_logits=True)
    assert metrics.get("mean_iou", logits).threshold == 0
    assert metrics.get("mean_iou", losses.BinaryCrossentropy()).threshold == 0.5
    assert metrics.get(metrics.serialize(metrics.MeanIoU(0.25)), logits).threshold == 0.25
    assert type(metrics.get(metrics.MeanIoU)) is metrics.MeanIoU
    assert metrics.Accuracy.from_config({"threshold": 0.1}).threshold == 0.1


# Keras, live: in a process of its own, whose backend is chosen before it is imported.

KERAS = """
import json, sys
import numpy as np
from keras import losses, ops
import torch
found = []
for name, arguments, y_true, y_pred in json.load(sys.stdin):
    loss = losses.get({"class_name": name, "config": arguments})
    y = torch.tensor(y_pred, dtype=torch.float32, requires_grad=True)
    value = loss(np.array(y_true), y)
    value.backward()
    found.append([float(value), y.grad.tolist()])
print(json.dumps(found))
"""
CLASSES = {
    "mean_squared_error": "MeanSquaredError",
    "binary_crossentropy": "BinaryCrossentropy",
    "categorical_crossentropy": "CategoricalCrossentropy",
    "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
}


@pytest.mark.peers
def test_values_and_gradients_are_those_of_keras() -> None:
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec("torch") is None:
        pytest.skip("keras or torch is not installed")
    given = [[CLASSES[name], arguments, np.asarray(t).tolist(), p.tolist()] for name, arguments, t, p in CASES]
    done = subprocess.run(
        [sys.executable, "-c", KERAS],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "torch"},
        check=True,
    )
    for (name, arguments, y_true, y_pred), (value, gradient) in zip(CASES, json.loads(done.stdout), strict=True):
        loss = losses.get({"class_name": name, "config": arguments})
        assert loss(y_true, y_pred) == pytest.approx(value, rel=1e-5), name
        np.testing.assert_allclose(loss.gradient(y_true, y_pred), gradient, rtol=1e-4, atol=1e-6, err_msg=name)
