"""Activations, regularizers, constraints and initializers, live against Keras 3 on JAX and on NumPy."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refconv import activations, constraints, initializers, regularizers

pytestmark = pytest.mark.peers

ACTIVATIONS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in sorted(activations.NAMES) if name != "threshold"),
    ("threshold", {"threshold": 0.25, "default_value": -2.0}),
    ("relu", {"negative_slope": 0.25}),
    ("relu", {"negative_slope": 0.25, "max_value": 1.5, "threshold": 0.5}),
    ("relu", {"max_value": 6.0}),
    ("relu", {"threshold": -1.0}),
    ("leaky_relu", {"negative_slope": 0.5}),
    ("elu", {"alpha": 0.5}),
    ("celu", {"alpha": 2.0}),
    ("gelu", {"approximate": True}),
    ("squareplus", {"b": 1}),
    ("soft_shrink", {"threshold": 1.0}),
    ("hard_shrink", {"threshold": 1.0}),
    *((name, {"axis": 1}) for name in ("softmax", "log_softmax", "sparsemax", "glu")),
]
REGULARIZERS = [
    regularizers.L1(0.25),
    regularizers.L2(0.5),
    regularizers.L1L2(0.25, 0.5),
    regularizers.OrthogonalRegularizer(0.5),
    regularizers.OrthogonalRegularizer(0.25, "columns"),
]
CONSTRAINTS = [
    constraints.MaxNorm(),
    constraints.MaxNorm(1.5, [0, 1, 2]),
    constraints.MaxNorm(1.5, -1),
    constraints.NonNeg(),
    constraints.UnitNorm([0, 1]),
    constraints.MinMaxNorm(0.5, 1.5, 0.25, [0, 1, 2]),
]
# Deterministic, or with a seed: (initializer, shape).
INITIALIZERS: list[tuple[Any, tuple[int, ...]]] = [
    (initializers.Zeros(), (2, 3)),
    (initializers.Ones(), (2, 3)),
    (initializers.Constant(2.5), (2, 3)),
    (initializers.Identity(2.0), (3, 4)),
    (initializers.STFT(), (8, 1, 5)),
    (initializers.STFT("imag", "hamming", "spectrum", periodic=True), (7, 1, 5)),
    (initializers.STFT("imag", None), (7, 1, 4)),
    *(
        (kind(seed=seed), shape)
        for kind in (
            initializers.GlorotUniform,
            initializers.GlorotNormal,
            initializers.HeUniform,
            initializers.HeNormal,
            initializers.LecunUniform,
            initializers.LecunNormal,
            initializers.Orthogonal,
        )
        for seed, shape in ((0, (3, 2, 4, 5)), (7, (2, 3, 30)))
    ),
    (initializers.RandomNormal(1.0, 0.5, seed=3), (3, 4, 5)),
    (initializers.RandomUniform(-1.0, 3.0, seed=3), (3, 4, 5)),
    (initializers.TruncatedNormal(1.0, 0.5, seed=3), (3, 4, 5)),
    (initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal", seed=123456789), (3, 3, 2, 4)),
    (initializers.HeNormal(seed=1, input_axes=[0, 1], output_axes=[2]), (3, 3, 2)),
]

PEER = """
import json, sys
import numpy as np
import keras

arrays, cases = np.load(sys.argv[1]), json.loads(sys.argv[3])
results, configs = {}, {}
jax_backend = keras.backend.backend() == "jax"
if jax_backend:
    import jax
    jax.config.update("jax_enable_x64", True)
    for i, (name, parameters) in enumerate(cases["activations"]):
        function = getattr(keras.activations, name)
        y, pull_back = jax.vjp(lambda x: function(x, **parameters), arrays["x"].astype("float64"))
        results[f"a{i}"], results[f"da{i}"] = y, pull_back(arrays["dy"][tuple(map(slice, y.shape))].astype(y.dtype))[0]
    for i, config in enumerate(cases["regularizers"]):
        regularizer = keras.regularizers.get(config)
        results[f"r{i}"], results[f"dr{i}"] = jax.value_and_grad(lambda w: regularizer(w))(arrays["matrix"])
        configs[f"r{i}"] = keras.regularizers.serialize(regularizer)
    for i, config in enumerate(cases["constraints"]):
        constraint = keras.constraints.get(config)
        results[f"c{i}"] = constraint(arrays["kernel"])
        configs[f"c{i}"] = keras.constraints.serialize(constraint)
    results["names"] = json.dumps({
        room.__name__.split(".")[-1]: sorted(room.ALL_OBJECTS_DICT)
        for room in (
            keras.src.activations, keras.src.initializers, keras.src.regularizers, keras.src.constraints
        )
    })
for i, (config, shape) in enumerate(cases["initializers"]):
    initializer = keras.initializers.get(config)
    results[f"i{i}"] = initializer(shape)
    configs[f"i{i}"] = keras.initializers.serialize(initializer)
np.savez(sys.argv[2], configs=json.dumps(configs), **{k: np.asarray(v) for k, v in results.items()})
"""


def ask(backend: str, folder: Path) -> tuple[dict[str, np.ndarray], Any]:
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec("jax") is None:
        pytest.skip("keras and jax are not installed")
    rng = np.random.default_rng(43)
    # No whole numbers and no halves, where kinks are.
    given = {
        "x": rng.normal(scale=2, size=(3, 4, 6)),
        "dy": rng.normal(size=(3, 4, 6)),
        "matrix": rng.normal(size=(4, 3)),
        "kernel": rng.normal(size=(3, 2, 4, 5)),
    }
    cases = {
        "activations": ACTIVATIONS,
        "regularizers": [regularizers.serialize(each) for each in REGULARIZERS],
        "constraints": [constraints.serialize(each) for each in CONSTRAINTS],
        "initializers": [(initializers.serialize(each), shape) for each, shape in INITIALIZERS],
    }
    np.savez(folder / "given.npz", **given)
    done = subprocess.run(
        [sys.executable, "-c", PEER, str(folder / "given.npz"), str(folder / "made.npz"), json.dumps(cases)],
        env={**os.environ, "KERAS_HOME": str(folder), "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(folder / "made.npz") as made:
        return given, dict(made)


@pytest.fixture(scope="module")
def on_jax(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return ask("jax", tmp_path_factory.mktemp("keras-jax"))


@pytest.fixture(scope="module")
def on_numpy(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return ask("numpy", tmp_path_factory.mktemp("keras-numpy"))


@pytest.mark.parametrize("case", range(len(ACTIVATIONS)), ids=lambda i: str(ACTIVATIONS[i]))
def test_activations(on_jax: Any, case: int) -> None:
    given, theirs = on_jax
    name, parameters = ACTIVATIONS[case]
    activation = activations.get({"class_name": name, "config": parameters})
    y = activation(given["x"])
    dy = given["dy"][tuple(slice(n) for n in y.shape)]
    dx = activation.gradient(given["x"], dy)
    # Keras rounds some inputs to float32.
    tolerance = {"rtol": 1e-6, "atol": 1e-6}
    if name == "sparsemax":
        # Keras 3.15.1 lowers by the sum of all cumulative sums of the support where the last one is meant:
        # right where one element is left, and elsewhere its outputs do not sum to 1.
        axis = parameters.get("axis", -1)
        alone = np.broadcast_to(np.sum(y > 0, axis, keepdims=True) == 1, y.shape)
        np.testing.assert_allclose(y[alone], theirs[f"a{case}"][alone], **tolerance)
        np.testing.assert_allclose(dx[alone], theirs[f"da{case}"][alone], **tolerance)
        assert np.abs(np.sum(theirs[f"a{case}"], axis) - 1).max() > 0.1
        np.testing.assert_allclose(np.sum(y, axis), 1, rtol=1e-12)
        return
    np.testing.assert_allclose(y, theirs[f"a{case}"], **tolerance)
    np.testing.assert_allclose(dx, theirs[f"da{case}"], **tolerance)


@pytest.mark.parametrize("case", range(len(REGULARIZERS)))
def test_regularizers(on_jax: Any, case: int) -> None:
    given, theirs = on_jax
    regularizer = REGULARIZERS[case]
    assert regularizer(given["matrix"]) == pytest.approx(float(theirs[f"r{case}"]), rel=1e-6)
    np.testing.assert_allclose(regularizer.gradient(given["matrix"]), theirs[f"dr{case}"], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("case", range(len(CONSTRAINTS)))
def test_constraints(on_jax: Any, case: int) -> None:
    given, theirs = on_jax
    np.testing.assert_allclose(CONSTRAINTS[case](given["kernel"]), theirs[f"c{case}"], rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("case", range(len(INITIALIZERS)), ids=lambda i: type(INITIALIZERS[i][0]).__name__)
def test_initializers(on_jax: Any, on_numpy: Any, case: int) -> None:
    initializer, shape = INITIALIZERS[case]
    ours = initializer(shape)
    # A QR decomposition of float32 there.
    tolerance = 2e-6 if isinstance(initializer, (initializers.Orthogonal, initializers.STFT)) else 1e-7
    np.testing.assert_allclose(ours, on_numpy[1][f"i{case}"], rtol=tolerance, atol=tolerance)
    if not isinstance(initializer, initializers.RandomInitializer):
        np.testing.assert_allclose(ours, on_jax[1][f"i{case}"], rtol=tolerance, atol=tolerance)


def test_configurations_go_both_ways(on_jax: Any) -> None:
    configs = json.loads(on_jax[1]["configs"].item())
    rooms: dict[str, tuple[Any, list[Any]]] = {
        "r": (regularizers, REGULARIZERS),
        "c": (constraints, CONSTRAINTS),
        "i": (initializers, [each for each, _ in INITIALIZERS]),
    }
    for letter, (room, objects) in rooms.items():
        for i, each in enumerate(objects):
            theirs = configs[f"{letter}{i}"]
            if isinstance(each, initializers.Identity):
                # Keras 3.15.1 leaves the gain out of its configuration, which it reads nevertheless.
                assert theirs["config"] == {}
                continue
            assert json.loads(json.dumps(room.serialize(each))) == theirs
            assert type(room.get(theirs)) is type(each)
            assert room.get(theirs).get_config() == each.get_config()


def test_every_name_of_keras_is_one_here(on_jax: Any) -> None:
    names = json.loads(on_jax[1]["names"].item())
    bases = {"Initializer", "initializer", "Regularizer", "regularizer", "Constraint", "constraint"}
    for name in set(names["activations"]) - {"threshold"}:
        assert activations.get(name) in activations.NAMES.values()
    for room in (initializers, regularizers, constraints):
        for name in set(names[room.__name__.split(".")[-1]]) - bases:
            assert type(room.get(name)) in room.NAMES.values()
