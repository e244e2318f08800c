"""Upsampling and resizing against repetition, a literal interpolation pixel by pixel, and the frameworks."""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refconv import resize, upsample
from refconv.errors import ConvError
from refconv.loops.cpu import resizing

RADIUS = {"linear": 1, "cubic": 2, "lanczos3": 3, "lanczos5": 5}
METHODS = ("nearest", *RADIUS)
SHAPES = {1: (2, 5, 3), 2: (2, 4, 5, 3), 3: (2, 3, 4, 2, 3)}


def signal(shape, seed=0, dtype=np.float64):
    values = np.random.default_rng(seed).normal(size=shape) * 10
    return values.astype(dtype)


def place(o, n, m, coordinates):
    if coordinates == "half_pixel":
        return (o + 0.5) * (n / m) - 0.5
    if coordinates == "asymmetric":
        return o * (n / m)
    return o * (n - 1) / (m - 1) if m > 1 else 0.0


def weight(d, method):
    d = abs(d)
    if d >= RADIUS[method]:
        return 0.0
    if method == "linear":
        return 1 - d
    if method == "cubic":  # Keys (1981), equation 4, with its a = -1/2
        a = -0.5
        return (a + 2) * d**3 - (a + 3) * d**2 + 1 if d <= 1 else a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return float(np.sinc(d) * np.sinc(d / RADIUS[method]))


def literal_resize(x, size, method, coordinates="half_pixel"):
    """Compute every pixel on its own, from the whole input."""
    y = np.empty((x.shape[0], *size, x.shape[-1]))
    spatial = x.shape[1:-1]
    for o in itertools.product(*map(range, size)):
        centre = [place(oo, n, m, coordinates) for oo, n, m in zip(o, spatial, size, strict=True)]
        top, bottom = 0.0, 0.0
        for i in itertools.product(*map(range, spatial)):
            w = math.prod(weight(c - ii, method) for c, ii in zip(centre, i, strict=True))
            top = top + w * x[(slice(None), *i)]
            bottom += w
        y[(slice(None), *o)] = top / bottom
    return y


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, np.uint8])
def test_nearest_repeats(rank, dtype):
    x = np.abs(signal(SHAPES[rank])).astype(dtype)
    factors = (3, 1, 2)[:rank]
    expected = x
    for axis, factor in enumerate(factors):
        expected = np.repeat(expected, factor, axis=axis + 1)
    y = upsample(x, size=factors)
    assert y.dtype == (dtype if x.dtype.kind == "f" else np.int64)
    np.testing.assert_array_equal(y, expected)
    y = upsample(np.moveaxis(x, -1, 1), size=factors, data_format="channels_first")
    np.testing.assert_array_equal(y, np.moveaxis(expected, -1, 1))


@pytest.mark.parametrize("method", RADIUS)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_upsample_equals_the_literal_interpolation(rank, method):
    x = signal(SHAPES[rank], seed=rank)
    factors = (2, 3, 1)[:rank]
    size = tuple(n * f for n, f in zip(x.shape[1:-1], factors, strict=True))
    expected = literal_resize(x, size, method)
    np.testing.assert_allclose(upsample(x, size=factors, interpolation=method), expected, atol=1e-12)


@pytest.mark.parametrize("coordinates", ["half_pixel", "align_corners", "asymmetric"])
@pytest.mark.parametrize("method", RADIUS)
@pytest.mark.parametrize("size", [(7, 3), (2, 8), (1, 1)])
def test_resize_equals_the_literal_interpolation(size, method, coordinates):
    x = signal((2, 4, 5, 2), seed=sum(size))
    y = resize(x, size=size, interpolation=method, coordinates=coordinates)
    np.testing.assert_allclose(y, literal_resize(x, size, method, coordinates), atol=1e-12)


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from(["half_pixel", "align_corners", "asymmetric"]))
def test_nearest_takes_the_nearest(n, m, coordinates):
    x = np.arange(n)[None, :, None]
    y = resize(x, size=m, interpolation="nearest", coordinates=coordinates)[0, :, 0]
    for o, taken in enumerate(y):
        at = place(o, n, m, coordinates)
        if coordinates == "asymmetric":
            assert taken == math.floor(at + 1e-9)
        else:
            assert abs(taken - at) == pytest.approx(min(abs(i - at) for i in range(n)), abs=1e-9)


@given(st.sampled_from(METHODS), st.integers(1, 6), st.integers(1, 9), st.floats(-1e6, 1e6))
def test_constants_stay_constant(method, n, m, value):
    x = np.full((1, n, 2), value)
    y = resize(x, size=m, interpolation=method)
    np.testing.assert_allclose(y, np.full((1, m, 2), value), rtol=1e-14)


def test_align_corners_keeps_the_corners():
    x = signal((1, 4, 3, 2))
    for method in METHODS:
        y = resize(x, size=(9, 8), interpolation=method, coordinates="align_corners")
        np.testing.assert_array_equal(y[:, ::8, ::7], x[:, ::3, ::2])


@pytest.mark.parametrize("method", METHODS)
def test_same_size_is_the_identity(method):
    x = signal((1, 4, 3, 2))
    np.testing.assert_array_equal(resize(x, size=(4, 3), interpolation=method), x)


def test_names_per_rank():
    for rank, shape in SHAPES.items():
        x = signal(shape)
        linear = upsample(x, interpolation="linear")
        np.testing.assert_array_equal(upsample(x, interpolation="bilinear"), linear)
        np.testing.assert_array_equal(upsample(x, interpolation="bicubic"), upsample(x, interpolation="cubic"))
        np.testing.assert_array_equal(resize(x, size=[2 * n for n in shape[1:-1]]), linear)
        if rank == 3:
            np.testing.assert_array_equal(upsample(x, interpolation="trilinear"), linear)


@pytest.mark.parametrize("method", RADIUS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_floats_are_rounded_once(method, dtype):
    x = signal((1, 4, 5, 2), dtype=dtype)
    y = upsample(x, interpolation=method)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, upsample(x.astype(np.float64), interpolation=method).astype(dtype))


def test_interpolated_integers_are_not_rounded():
    x = np.array([1, 2, 200], dtype=np.uint8)[None, :, None]
    y = upsample(x, interpolation="linear")
    assert y.dtype == np.float64
    np.testing.assert_array_equal(y[0, :, 0], [1, 1.25, 1.75, 51.5, 150.5, 200])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", [-1, 0, 2])
@pytest.mark.parametrize("spatial", [(7,), (5, 6), (3, 4, 5)])
def test_a_bad_value_reaches_exactly_its_readers(spatial, where, bad):
    x = np.ones((1, *spatial, 1))
    x[(0, *[where] * len(spatial), 0)] = bad
    for method in ("linear", "cubic", "lanczos3"):
        y = upsample(x, interpolation=method)
        reach = [
            [weight(place(o, n, 2 * n, "half_pixel") - where % n, method) != 0 for o in range(2 * n)] for n in spatial
        ]
        reached = np.ones(())
        for axis in reach:
            reached = np.multiply.outer(reached, axis)
        np.testing.assert_array_equal(~np.isfinite(y[0, ..., 0]), reached)
        same = tuple(2 * n - 1 for n in spatial)
        y = resize(x, size=same, interpolation=method, coordinates="align_corners")
        np.testing.assert_array_equal(y[(0, *[slice(None, None, 2)] * len(spatial))], x[0])


def test_layouts_batches_and_no_changes_to_the_input():
    base = signal((4, 5, 6, 3))
    for method in ("nearest", "cubic"):
        expected = upsample(base, interpolation=method)
        for x in (np.asfortranarray(base), base[::-1][::-1], base.astype(">f8"), base.tolist()):
            np.testing.assert_array_equal(upsample(x, interpolation=method), expected)
        frozen = base.copy()
        frozen.setflags(write=False)
        np.testing.assert_array_equal(upsample(frozen, interpolation=method), expected)
        np.testing.assert_array_equal(frozen, base)
        same = resize(base, size=(5, 6), interpolation=method)
        assert not np.shares_memory(same, base)
        assert upsample(base[:0], interpolation=method).shape == (0, 10, 12, 3)
        first = upsample(np.moveaxis(base, -1, 1), interpolation=method, data_format="channels_first")
        np.testing.assert_array_equal(first, np.moveaxis(expected, -1, 1))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"size": 0}, "`size` = 0: must be at least 1"),
        ({"size": (2, 2, 2)}, "`size` = .*has 3 values for 2 spatial axes"),
        ({"size": 1.5}, "`size` = 1.5: not a whole number"),
        ({"interpolation": "bilnear"}, "`interpolation` = 'bilnear'.*did you mean 'bilinear'"),
        ({"interpolation": "trilinear"}, "`interpolation` = 'trilinear': has three axes, the input 2"),
        ({"data_format": "channel_first"}, "`data_format` = 'channel_first'.*did you mean 'channels_first'"),
        ({"size": 10**9}, "`size` = 1000000000"),
    ],
)
@pytest.mark.parametrize("function", [upsample, resize])
def test_refusals(function, words, message):
    with pytest.raises(ConvError, match=message):
        function(signal((1, 4, 5, 2)), **{"size": 2, **words})


def test_more_refusals():
    x = signal((1, 4, 5, 2))
    with pytest.raises(ConvError, match=r"`coordinates` = 'corners'.*not one of"):
        resize(x, size=3, coordinates="corners")
    with pytest.raises(ConvError, match=r"`x` = .*has 2 axes"):
        upsample(x[0, 0])
    with pytest.raises(ConvError, match=r"`x` = .*complex128 is not supported"):
        upsample(x + 1j)
    with pytest.raises(TypeError):
        resize(x)


WAYS = ["serial", pytest.param("parallel", marks=pytest.mark.slow)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float64, pytest.param(np.int64, marks=pytest.mark.slow)])
def test_nearest_loops_have_the_same_bits_compiled(dtype, rank, way):
    loop = getattr(resizing, f"nearest{rank}d")
    x = signal(SHAPES[rank]).astype(dtype)
    sources = [np.array([1, 0, n - 1, 1]) for n in x.shape[1:-1]]
    plain, compiled = np.zeros((2, x.shape[0], *[4] * rank, x.shape[-1]), dtype)
    loop.py(plain, x, *sources)
    getattr(loop, way)(compiled, x, *sources)
    assert plain.tobytes() == compiled.tobytes() == x[np.ix_([0, 1], *sources)].tobytes()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_interpolation_loops_have_the_same_bits_compiled(rank, way):
    loop = getattr(resizing, f"interpolate{rank}d")
    rng = np.random.default_rng(rank)
    x = signal(SHAPES[rank])
    x[0, 0] = np.nan
    size = (4, 6, 3)[:rank]
    axes = [
        array
        for n, m in zip(x.shape[1:-1], size, strict=True)
        for array in (rng.integers(-1, n, (m, 4)), rng.normal(size=(m, 4)))
    ]
    plain, compiled = np.zeros((2, x.shape[0], *size, x.shape[-1]))
    loop.py(plain, x, *axes)
    getattr(loop, way)(compiled, x, *axes)
    assert plain.tobytes() == compiled.tobytes()


IN_KERAS = """
import json, sys
import keras, numpy as np
x = np.asarray(json.loads(sys.argv[1]), "float32")
layers = {word: keras.layers.UpSampling2D((2, 3), interpolation=word) for word in json.loads(sys.argv[2])}
print("answers:", json.dumps({word: np.asarray(layer(x)).tolist() for word, layer in layers.items()}))
"""


@pytest.mark.peers
def test_keras_upsampling_layers(tmp_path):
    if not (importlib.util.find_spec("keras") and importlib.util.find_spec("jax")):
        pytest.skip("Keras on JAX is not installed")
    x = signal((2, 4, 5, 3), dtype=np.float32)
    environment = {**os.environ, "KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    words = json.dumps(["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"])
    run = subprocess.run(
        [sys.executable, "-c", IN_KERAS, json.dumps(x.tolist()), words],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    for word, answer in json.loads(run.stdout.split("answers:")[1]).items():
        ours = upsample(x, size=(2, 3), interpolation=word)
        np.testing.assert_allclose(ours, answer, atol=1e-4, err_msg=word)


@pytest.mark.peers
@pytest.mark.parametrize(("rank", "mode"), [(1, "linear"), (2, "bilinear"), (3, "trilinear")])
@pytest.mark.parametrize("align_corners", [False, True])
def test_torch(rank, mode, align_corners):
    torch = pytest.importorskip("torch")
    x = np.moveaxis(signal(SHAPES[rank]), -1, 1)
    size = (7, 2, 5)[:rank]
    theirs = torch.nn.functional.interpolate(
        torch.tensor(x.copy()), size=size, mode=mode, align_corners=align_corners
    ).numpy()
    coordinates = "align_corners" if align_corners else "half_pixel"
    ours = resize(x, size=size, interpolation=mode, coordinates=coordinates, data_format="channels_first")
    np.testing.assert_allclose(ours, theirs, atol=1e-13)
    for word, coordinates in (("nearest", "asymmetric"), ("nearest-exact", "half_pixel")):
        theirs = torch.nn.functional.interpolate(torch.tensor(x.copy()), size=size, mode=word).numpy()
        ours = resize(x, size=size, interpolation="nearest", coordinates=coordinates, data_format="channels_first")
        np.testing.assert_array_equal(ours, theirs)
