"""Initializers: bounds, moments within four standard errors, and the values that are fixed."""

from __future__ import annotations

import copy
import json
import math
import pickle
import random
from typing import Any

import numpy as np
import pytest
from ids import plain

from refconv import ConvError, initializers

KERNEL = (5, 4, 30, 40)
FAN_IN, FAN_OUT = 20 * 30, 20 * 40

# Standard deviation of a normal variable within two deviations: variance 1 - 2 * 2 * pdf(2) / (cdf(2) - cdf(-2)).
PDF = math.exp(-2) / math.sqrt(2 * math.pi)
TRUNCATED = math.sqrt(1 - 4 * PDF / math.erf(2 / math.sqrt(2)))

# Kind, bound in deviations, fourth central moment in units of the variance squared.
UNIFORM = ("uniform", math.sqrt(3), 9 / 5)
NORMAL = ("normal", math.inf, 3.0)
CUT = ("cut", 2 / TRUNCATED, (3 - 28 * PDF / math.erf(2 / math.sqrt(2))) / TRUNCATED**4)


def check_moments(values: np.ndarray, mean: float, deviation: float, kind: tuple[str, float, float]) -> None:
    """Hold mean and variance to four standard errors, and the bound, which must nearly be reached."""
    _, bound, fourth = kind
    n = values.size
    x = (values.astype(np.float64) - mean) / deviation
    assert abs(x.mean()) < 4 / math.sqrt(n)
    assert abs(x.var() - 1) < 4 * math.sqrt((fourth - 1) / n)
    if math.isinf(bound):
        assert np.abs(x).max() > 3
    else:
        assert 0.98 * bound < np.abs(x).max() <= bound * (1 + 1e-6)


def test_the_constants() -> None:
    assert pytest.approx(0.87962566103423978, abs=1e-15) == TRUNCATED
    # A fourth moment by numerical integration.
    x = np.linspace(-2, 2, 400_001)
    density = np.exp(-x * x / 2)
    fourth = np.sum(x**4 * density) / np.sum(density)
    assert CUT[2] == pytest.approx(fourth / TRUNCATED**4, rel=1e-4)


@pytest.mark.parametrize(
    ("identifier", "version", "deviation", "kind"),
    [
        ("glorot_uniform", 3, math.sqrt(2 / (FAN_IN + FAN_OUT)), UNIFORM),
        ("glorot_normal", 3, math.sqrt(2 / (FAN_IN + FAN_OUT)), CUT),
        ("he_uniform", 3, math.sqrt(2 / FAN_IN), UNIFORM),
        ("he_normal", 3, math.sqrt(2 / FAN_IN), CUT),
        ("lecun_uniform", 3, math.sqrt(1 / FAN_IN), UNIFORM),
        ("lecun_normal", 3, math.sqrt(1 / FAN_IN), CUT),
        ("glorot_uniform", 1, math.sqrt(2 / (FAN_IN + FAN_OUT)), UNIFORM),
        ("glorot_normal", 1, math.sqrt(2 / (FAN_IN + FAN_OUT)), NORMAL),
        ("he_normal", 1, math.sqrt(2 / FAN_IN), NORMAL),
        ("he_normal", 2, math.sqrt(2 / FAN_IN), CUT),
        ("lecun_uniform", 1, math.sqrt(1 / FAN_IN), UNIFORM),
        ("random_normal", 3, 0.05, NORMAL),
        ("normal", 1, 0.05, NORMAL),
        ("random_uniform", 3, 0.05 / math.sqrt(3), UNIFORM),
        ("uniform", 1, 0.05 / math.sqrt(3), UNIFORM),
        ("truncated_normal", 3, 0.05 * TRUNCATED, CUT),
        ("variance_scaling", 3, math.sqrt(1 / FAN_IN), CUT),
        (initializers.VarianceScaling(3, "fan_out", "uniform"), 3, math.sqrt(3 / FAN_OUT), UNIFORM),
        (
            initializers.VarianceScaling(3, "fan_avg", "untruncated_normal"),
            3,
            math.sqrt(6 / (FAN_IN + FAN_OUT)),
            NORMAL,
        ),
        (initializers.VarianceScaling(1, "fan_in", "Normal", None, [0, 1], [3]), 3, math.sqrt(1 / 20), CUT),
        (initializers.HeNormal(input_axes=[-1], output_axes=[0]), 3, math.sqrt(2 / 40), CUT),
    ],
    ids=plain,
)
def test_distributions(identifier: Any, version: int, deviation: float, kind: tuple[str, float, float]) -> None:
    random.seed(8)
    initializer = initializers.get(identifier, version)
    if isinstance(identifier, initializers.RandomInitializer):
        initializer = type(identifier).from_config({**identifier.get_config(), "seed": 8})
    values = initializer(KERNEL)
    assert values.shape == KERNEL
    assert values.dtype == np.float32
    check_moments(values, 0.0, deviation, kind)
    np.testing.assert_array_equal(initializer(KERNEL), values)
    twin = initializers.get(json.loads(json.dumps(initializers.serialize(initializer))), version)
    assert type(twin) is type(initializer)
    assert twin.get_config() == initializer.get_config()
    assert pickle.loads(pickle.dumps(initializer)).get_config() == copy.copy(initializer).get_config()


def test_means_and_deviations() -> None:
    check_moments(initializers.RandomNormal(2.0, 0.5, seed=1)(KERNEL), 2.0, 0.5, NORMAL)
    check_moments(initializers.TruncatedNormal(-1.0, 0.5, seed=1)(KERNEL), -1.0, 0.5 * TRUNCATED, CUT)
    check_moments(initializers.RandomUniform(1.0, 3.0, seed=1)(KERNEL), 2.0, 1 / math.sqrt(3), UNIFORM)


def test_fixed_values() -> None:
    assert initializers.get("zeros")((2, 3), "float64").tolist() == [[0, 0, 0]] * 2
    for name in ("one", "ones", "Ones"):
        assert initializers.get(name)((2,)).tolist() == [1, 1]
    assert initializers.Constant(2.5)((2, 2)).tolist() == [[2.5, 2.5]] * 2
    assert initializers.Constant([1, 2])((2, 2), "float16").tolist() == [[1, 2]] * 2
    assert initializers.Identity(3)((2, 3)).tolist() == [[3, 0, 0], [0, 3, 0]]
    values = np.arange(6.0).reshape(2, 3)
    given = initializers.get(values)
    values[:] = 9
    assert given((2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("shape", [(3, 2, 4, 5), (2, 2, 3, 40), (6, 6)])
def test_orthogonal(version: int, shape: tuple[int, ...]) -> None:
    initializer = initializers.get({"class_name": "Orthogonal", "config": {"seed": 4}}, version)
    values = initializer(shape, "float64")
    matrix = values.reshape(shape[0], -1) if version == 1 else values.reshape(-1, shape[-1])
    product = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    gain = 1.1 if version == 1 else 1.0
    np.testing.assert_allclose(product, gain**2 * np.eye(len(product)), atol=1e-12)
    assert initializers.get({"class_name": "Orthogonal", "config": {"gain": 3}}, version).gain == 3
    twin = initializers.get(json.loads(json.dumps(initializers.serialize(initializer))))
    np.testing.assert_array_equal(twin(shape), initializer(shape))


def test_orthogonal_values_of_keras_2() -> None:
    """Keras 2.3.1's own lines, whose stream is NumPy's old generator."""
    shape = (3, 2, 4)
    rng = np.random.RandomState(12)
    u, _, v = np.linalg.svd(rng.normal(0.0, 1.0, (6, 4)), full_matrices=False)
    expected = (u if u.shape == (6, 4) else v).reshape(shape)
    np.testing.assert_array_equal(initializers.Orthogonal(seed=12, version=2)(shape, "float64"), expected)


def test_stft() -> None:
    values = initializers.STFT("imag", "hamming", None, periodic=True)((5, 1, 4), "float64")
    for t in range(5):
        window = 0.54 - 0.46 * math.cos(2 * math.pi * t / 5)
        for f in range(4):
            assert values[t, 0, f] == pytest.approx(-window * math.sin(2 * math.pi * t * f / 6), abs=1e-12)
    windows = [0.5 - 0.5 * math.cos(2 * math.pi * t / 4) for t in range(5)]
    real = initializers.STFT(scaling="spectrum")((5, 1, 3), "float64")
    np.testing.assert_allclose(real[:, 0, 0], np.array(windows) / sum(windows), atol=1e-12)
    dense = initializers.STFT(window=[1.0, 2.0])((2, 1, 2), "float64")
    np.testing.assert_allclose(dense[:, 0, 0], np.array([1, 2]) / math.sqrt(5))


def test_fans_of_every_kernel() -> None:
    assert initializers.fans((3, 4, 5, 6)) == initializers.fans((3, 4, 5, 6), version=1) == (60, 72)
    assert initializers.fans((2, 3, 4, 5, 6)) == (120, 144)
    assert initializers.fans((7, 5, 6)) == (35, 42)
    assert initializers.fans((5, 6)) == (5, 6)
    assert initializers.fans(()) == (1, 1)
    assert initializers.fans((16,)) == (16, 16)
    assert initializers.fans((16,), version=2) == (4, 4)
    # Keras 1.2.2's Convolution1D: get_fans((7, 1, 5, 6), dim_ordering="th").
    assert initializers.fans((7, 5, 6), version=1) == (30, 210)
    assert initializers.fans((7, 5, 6), version=2) == (35, 42)
    # A scalar weight divides by 1, not by 0.
    assert initializers.HeUniform(seed=1)((0, 3)).shape == (0, 3)


def test_seeds() -> None:
    for kind in (initializers.RandomNormal, initializers.HeNormal, initializers.Orthogonal):
        np.testing.assert_array_equal(kind(seed=3)((4, 5)), kind(seed=3)((4, 5)))
        assert not np.array_equal(kind(seed=3)((4, 5)), kind(seed=4)((4, 5)))
        assert not np.array_equal(kind()((4, 5)), kind()((4, 5)))
        random.seed(2)
        one = kind()((4, 5))
        random.seed(2)
        np.testing.assert_array_equal(one, kind()((4, 5)))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, kind) for name, kind in initializers.NAMES.items()),
        *((kind.__name__, kind) for kind in initializers.NAMES.values()),
        ("zero", initializers.Zeros),
        ("one", initializers.Ones),
        ("normal", initializers.RandomNormal),
        ("uniform", initializers.RandomUniform),
        ("IdentityInitializer", initializers.Identity),
        ("OrthogonalInitializer", initializers.Orthogonal),
        ("STFTInitializer", initializers.STFT),
    ],
)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_names_of_every_version(name: str, kind: type, version: int) -> None:
    assert type(initializers.get(name, version)) is kind
    assert type(initializers.get({"class_name": name, "config": {}}, version)) is kind
    assert type(initializers.get(kind)) is kind


def test_functions_of_ones_own() -> None:
    def ramp(shape: Any, dtype: Any = None) -> Any:
        return np.arange(math.prod(shape)).reshape(shape)

    assert initializers.get(ramp) is initializers.serialize(ramp) is ramp
    own = initializers.Ones()
    assert initializers.get(own) is own


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: initializers.get("he_norml", argument="init"), ["`init` = 'he_norml'", "did you mean 'he_normal'"]),
        (lambda: initializers.get(None), ["`initializer` = None", "function of (shape, dtype=...)"]),
        (lambda: initializers.get({"class_name": "Zeros", "config": {"x": 1}}), ["Zeros has no argument 'x'"]),
        (lambda: initializers.get(np.ones(3))((4,)), ["array of shape (3,)", "(4,)"]),
        (lambda: initializers.Constant("x"), ["`value` = 'x'"]),
        (lambda: initializers.Constant([1, 2])((3,)), ["`value`", "shape (2,)", "(3,)"]),
        (lambda: initializers.Identity()((2, 2, 2)), ["`shape` = (2, 2, 2)", "matrix"]),
        (lambda: initializers.Orthogonal()((2,)), ["`shape` = (2,)"]),
        (lambda: initializers.RandomNormal(stddev=-1), ["`stddev` = -1"]),
        (lambda: initializers.RandomUniform(1, 0), ["`maxval` = 0", "at least 1"]),
        (lambda: initializers.VarianceScaling(0), ["`scale` = 0", "above 0"]),
        (lambda: initializers.VarianceScaling(mode="fan_ni"), ["`mode` = 'fan_ni'", "did you mean 'fan_in'"]),
        (lambda: initializers.VarianceScaling(distribution="cauchy"), ["`distribution` = 'cauchy'"]),
        (lambda: initializers.HeNormal(input_axes=[4], output_axes=[0])((3, 2)), ["`input_axes` = [4]", "(3, 2)"]),
        (lambda: initializers.GlorotUniform(seed=1.5), ["`seed` = 1.5"]),
        (lambda: initializers.STFT("reel"), ["`side` = 'reel'", "did you mean 'real'"]),
        (lambda: initializers.STFT()((5, 2, 3)), ["`shape` = (5, 2, 3)"]),
        (lambda: initializers.STFT(window=[1, 2])((5, 1, 3)), ["`window` = [1, 2]", "give 5 numbers"]),
    ],
)
def test_errors(make: Any, words: list[str]) -> None:
    with pytest.raises(ConvError) as caught:
        make()
    for word in words:
        assert word in str(caught.value)
