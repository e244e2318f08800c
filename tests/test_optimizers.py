"""Optimizers: closed forms, PyTorch and Keras live."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from refconv import ConvError, optimizers

STEPS = 7


def slopes(seed: int = 3) -> list[list[np.ndarray]]:
    """Return the gradients of two weights at each step."""
    rng = np.random.default_rng(seed)
    return [[rng.normal(size=(2, 3)), rng.normal(size=(4,))] for _ in range(STEPS)]


def moved(optimizer: optimizers.Optimizer, start: list[np.ndarray], gradients: Any, **factors: Any) -> list[np.ndarray]:
    weights = start
    for gradient in gradients:
        weights = optimizer.step(weights, gradient, **factors)
    return weights


START = [np.arange(6.0).reshape(2, 3), np.array([1.0, -1.0, 0.5, 2.0])]


def test_plain_descent() -> None:
    result = moved(optimizers.SGD(0.3), START, slopes())
    for w, start, gradients in zip(result, START, zip(*slopes(), strict=True), strict=True):
        np.testing.assert_allclose(w, start - 0.3 * sum(gradients), rtol=1e-14)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum(nesterov: bool) -> None:
    """With a constant gradient g the velocity after t steps is -rate * g * (1 - m**t) / (1 - m)."""
    rate, m = 0.1, 0.75
    gradient = [np.array([2.0, -1.0])]
    optimizer = optimizers.SGD(rate, momentum=m, nesterov=nesterov)
    w, expected = [np.zeros(2)], np.zeros(2)
    for t in range(1, 6):
        w = optimizer.step(w, gradient)
        velocity = -rate * gradient[0] * (1 - m**t) / (1 - m)
        expected = expected + (m * velocity - rate * gradient[0] if nesterov else velocity)
        np.testing.assert_allclose(w[0], expected, rtol=1e-14)


def test_adam_with_a_constant_gradient_steps_by_the_rate() -> None:
    """Both means are exact then: every step is the learning rate, whatever the size of the gradient."""
    optimizer = optimizers.Adam(0.01, epsilon=0)
    result = moved(optimizer, [np.zeros(3)], [[np.array([1e-4, 3.0, -500.0])]] * 5)
    np.testing.assert_allclose(result[0], [-0.05, -0.05, 0.05], rtol=1e-12)


def test_adam_written_out() -> None:
    rate, b1, b2, epsilon = 0.02, 0.8, 0.95, 1e-3
    result = moved(optimizers.Adam(rate, b1, b2, epsilon), START, slopes())
    for i, start in enumerate(START):
        w = start
        for t in range(1, STEPS + 1):
            past = [g[i] for g in slopes()[:t]]
            mean = sum((1 - b1) * b1 ** (t - 1 - j) * g for j, g in enumerate(past))
            square = sum((1 - b2) * b2 ** (t - 1 - j) * g**2 for j, g in enumerate(past))
            w = w - rate * np.sqrt(1 - b2**t) / (1 - b1**t) * mean / (np.sqrt(square) + epsilon)
        np.testing.assert_allclose(result[i], w, rtol=1e-12)


def test_factors() -> None:
    """The rate is multiplied by each weight's factor; factor * l2 * w is added to its gradient."""
    (gradients,) = slopes()[:1]
    optimizer = optimizers.SGD(0.5, l2=0.1)
    a, b = optimizer.step(START, gradients, [2.0, 0.0], [3.0, 1.0])
    np.testing.assert_allclose(a, START[0] - 1.0 * (gradients[0] + 0.3 * START[0]), rtol=1e-14)
    np.testing.assert_array_equal(b, START[1])
    # Without factors the optimizer's own strength reaches no weight.
    np.testing.assert_allclose(optimizers.SGD(0.5, l2=0.1).step(START, gradients)[0], START[0] - 0.5 * gradients[0])


def test_arrays_given_stay_and_types_too() -> None:
    weights = [np.ones(3, np.float32), np.ones(2, np.float16)]
    before = [w.copy() for w in weights]
    result = optimizers.Adam().step(weights, [np.ones(3, np.float32), np.ones(2, np.float16)])
    for w, old, new in zip(weights, before, result, strict=True):
        np.testing.assert_array_equal(w, old)
        assert new.dtype == old.dtype


def test_going_on_from_a_memory() -> None:
    for make in (lambda: optimizers.Adam(0.1), lambda: optimizers.SGD(0.1, 0.9), lambda: optimizers.SGD(0.1)):
        whole = moved(make(), START, slopes())
        first, second = make(), make()
        weights = moved(first, START, slopes()[:3])
        second.memory, second.iterations = first.memory, first.iterations
        for w, expected in zip(moved(second, weights, slopes()[3:]), whole, strict=True):
            np.testing.assert_array_equal(w, expected)


def test_the_rate_may_change() -> None:
    optimizer = optimizers.SGD(0.1)
    optimizer.learning_rate = 0.2
    np.testing.assert_allclose(optimizer.step([np.zeros(1)], [np.ones(1)])[0], [-0.2])


def test_serialize_and_get() -> None:
    optimizer = optimizers.SGD(0.5, momentum=0.25, nesterov=True, l2=0.125)
    again = optimizers.get(optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    assert optimizers.Adam.from_config({"beta_1": 0.5}).beta_1 == 0.5
    assert type(optimizers.get(optimizers.Adam)) is optimizers.Adam
    assert optimizers.get(optimizer) is optimizer
    assert optimizers.get("Adam").get_config() == {
        "learning_rate": 0.001,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-7,
        "l2": 0.0,
    }


def step_twice(optimizer: optimizers.Optimizer) -> None:
    optimizer.step([np.zeros(2)], [np.zeros(2)])
    optimizer.step([np.zeros(3)], [np.zeros(3)])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: optimizers.get("adan"), ["`optimizer` = 'adan'", "did you mean 'adam'"]),
        (lambda: optimizers.get(None), ["`optimizer` = None"]),
        (lambda: optimizers.get(optimizers.Optimizer), ["`optimizer`", "not an optimizer"]),
        (lambda: optimizers.SGD(-1), ["`learning_rate` = -1", "at least 0"]),
        (lambda: optimizers.SGD(float("nan")), ["`learning_rate` = nan"]),
        (lambda: optimizers.SGD(momentum=1.5), ["`momentum` = 1.5", "at most 1"]),
        (lambda: optimizers.SGD(nesterov=1), ["`nesterov` = 1"]),
        (lambda: optimizers.SGD(l2="a"), ["`l2` = 'a'"]),
        (lambda: optimizers.Adam(beta_1=1), ["`beta_1` = 1", "below 1"]),
        (lambda: optimizers.Adam(epsilon=-1), ["`epsilon` = -1"]),
        (lambda: optimizers.get({"class_name": "SGD", "config": {"decay": 0.1}}), ["no argument 'decay'"]),
        (lambda: optimizers.SGD().step(START, [START[0]]), ["`gradients`", "2 weights"]),
        (lambda: optimizers.SGD().step(START, START[::-1]), ["`gradients[0]` = (4,)", "(2, 3)"]),
        (lambda: optimizers.SGD().step(START, START, [1.0]), ["`learn_rate_factors`"]),
        (lambda: optimizers.SGD().step(START, START, None, [1.0]), ["`l2_factors`"]),
        (lambda: step_twice(optimizers.Adam()), ["`weights` = [(3,)]", "compile"]),
        (lambda: setattr(optimizers.Adam(), "memory", [[np.zeros(2)]]), ["`memory`", "keeps 2 arrays"]),
        (lambda: setattr(optimizers.Adam(), "memory", [[np.zeros(2), np.zeros(3)]]), ["`memory`", "shape"]),
    ],
)
def test_errors(call, words: list[str]) -> None:
    with pytest.raises(ConvError) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


@pytest.mark.peers
@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_is_that_of_torch(nesterov: bool) -> None:
    torch = pytest.importorskip("torch")
    weights = [torch.tensor(w, requires_grad=True) for w in START]
    peer = torch.optim.SGD(weights, lr=0.1, momentum=0.9, nesterov=nesterov, weight_decay=0.01)
    for gradients in slopes():
        for w, gradient in zip(weights, gradients, strict=True):
            w.grad = torch.tensor(gradient)
        peer.step()
    ours = moved(optimizers.SGD(0.1, 0.9, nesterov, l2=0.01), START, slopes(), l2_factors=[1.0, 1.0])
    for w, expected in zip(ours, weights, strict=True):
        np.testing.assert_allclose(w, expected.detach().numpy(), rtol=1e-12)


@pytest.mark.peers
def test_adam_is_that_of_torch() -> None:
    """Its epsilon stands elsewhere, so it is left out on both sides."""
    torch = pytest.importorskip("torch")
    weights = [torch.tensor(w, requires_grad=True) for w in START]
    peer = torch.optim.Adam(weights, lr=0.1, betas=(0.8, 0.95), eps=0, weight_decay=0.01)
    for gradients in slopes():
        for w, gradient in zip(weights, gradients, strict=True):
            w.grad = torch.tensor(gradient)
        peer.step()
    ours = moved(optimizers.Adam(0.1, 0.8, 0.95, 0, l2=0.01), START, slopes(), l2_factors=[1.0, 1.0])
    for w, expected in zip(ours, weights, strict=True):
        np.testing.assert_allclose(w, expected.detach().numpy(), rtol=1e-12)


KERAS = """
import json, sys
import numpy as np
import keras
found = []
for name, arguments, start, slopes in json.load(sys.stdin):
    optimizer = keras.optimizers.get({"class_name": name, "config": arguments})
    weights = [keras.Variable(np.array(w), dtype="float64") for w in start]
    for gradients in slopes:
        optimizer.apply([keras.ops.convert_to_tensor(np.array(g)) for g in gradients], weights)
    found.append([keras.ops.convert_to_numpy(w).tolist() for w in weights])
print(json.dumps(found))
"""


@pytest.mark.peers
def test_steps_are_those_of_keras() -> None:
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec("torch") is None:
        pytest.skip("keras or torch is not installed")
    cases: list[tuple[str, dict[str, Any]]] = [
        ("SGD", {"learning_rate": 0.1}),
        ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
        ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
        ("Adam", {"learning_rate": 0.1}),
        ("Adam", {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 0.1}),
    ]
    gradients = [[g.tolist() for g in step] for step in slopes()]
    given = [[name, arguments, [w.tolist() for w in START], gradients] for name, arguments in cases]
    done = subprocess.run(
        [sys.executable, "-c", KERAS],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "torch"},
        check=True,
    )
    for (name, arguments), expected in zip(cases, json.loads(done.stdout), strict=True):
        ours = moved(optimizers.get({"class_name": name, "config": arguments}), START, slopes())
        for w, peer in zip(ours, expected, strict=True):
            np.testing.assert_allclose(w, peer, rtol=1e-5, atol=1e-6, err_msg=f"{name} {arguments}")
