"""The taps of interpolation against a dense oracle in NumPy, exact properties, and the frameworks."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refconv.errors import ConvError
from refconv.interpolation import COORDINATES, METHODS, axis_method, axis_taps

ON_AN_AXIS = ("nearest", "linear", "cubic", "lanczos3", "lanczos5")

KERNELS = {
    "linear": lambda d: np.clip(1 - d, 0, None),
    "cubic": lambda d: np.where(
        d < 1, 1.5 * d**3 - 2.5 * d**2 + 1, np.where(d < 2, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2, 0)
    ),
    "lanczos3": lambda d: np.where(d < 3, np.sinc(d) * np.sinc(d / 3), 0),
    "lanczos5": lambda d: np.where(d < 5, np.sinc(d) * np.sinc(d / 5), 0),
}


def dense(rows, input_size):
    matrix = np.zeros((len(rows), input_size))
    for o, row in enumerate(rows):
        for i, weight in row:
            matrix[o, i] = weight
    return matrix


def places(input_size, output_size, coordinates):
    o = np.arange(output_size)
    if coordinates == "half_pixel":
        return (o + 0.5) * input_size / output_size - 0.5
    if coordinates == "asymmetric":
        return o * input_size / output_size
    return np.linspace(0, input_size - 1, output_size)


sizes = st.integers(1, 14)


@given(sizes, sizes, st.sampled_from(sorted(KERNELS)), st.sampled_from(COORDINATES))
def test_rows_equal_a_kernel_evaluated_everywhere(input_size, output_size, method, coordinates):
    distance = np.abs(places(input_size, output_size, coordinates)[:, None] - np.arange(input_size))
    expected = KERNELS[method](distance)
    expected = expected / expected.sum(axis=1, keepdims=True)
    rows = axis_taps(input_size, output_size, method, coordinates)
    np.testing.assert_allclose(dense(rows, input_size), expected, atol=2e-13)


@given(sizes, sizes, st.sampled_from(ON_AN_AXIS), st.sampled_from(COORDINATES))
def test_rows_are_sorted_partitions_of_unity_without_zero_weights(input_size, output_size, method, coordinates):
    rows = axis_taps(input_size, output_size, method, coordinates)
    assert len(rows) == output_size
    for row in rows:
        indices = [i for i, _ in row]
        assert indices == sorted(set(indices))
        assert set(indices) <= set(range(input_size))
        assert all(weight != 0 for _, weight in row)
        assert math.fsum(weight for _, weight in row) == pytest.approx(1, abs=4e-16)


@given(sizes, sizes, st.sampled_from(ON_AN_AXIS), st.sampled_from(["half_pixel", "align_corners"]))
def test_rows_mirror(input_size, output_size, method, coordinates):
    rows = axis_taps(input_size, output_size, method, coordinates)
    mirrored = tuple(tuple((input_size - 1 - i, weight) for i, weight in reversed(row)) for row in reversed(rows))
    if method == "nearest":  # a tie goes to the later datum, which is the earlier one in the mirror
        assert all(abs(a[0][0] - b[0][0]) <= 1 for a, b in zip(rows, mirrored, strict=True))
    elif coordinates == "align_corners" and output_size == 1:
        assert dense(rows, input_size)[0, 0] == 1
    else:
        np.testing.assert_allclose(dense(rows, input_size), dense(mirrored, input_size), atol=1e-14)


@given(sizes, st.integers(1, 5), st.sampled_from(["half_pixel", "asymmetric"]))
def test_nearest_by_a_whole_factor_is_repetition(input_size, factor, coordinates):
    rows = axis_taps(input_size, input_size * factor, "nearest", coordinates)
    assert [row[0][0] for row in rows] == np.repeat(np.arange(input_size), factor).tolist()


@given(sizes, st.sampled_from(ON_AN_AXIS), st.sampled_from(COORDINATES))
def test_same_size_is_the_identity(size, method, coordinates):
    assert axis_taps(size, size, method, coordinates) == tuple(((i, 1.0),) for i in range(size))


def test_textbook_weights():
    assert axis_taps(4, 7, "linear", "align_corners")[1] == ((0, 0.5), (1, 0.5))
    assert axis_taps(4, 7, "cubic", "align_corners")[3] == ((0, -0.0625), (1, 0.5625), (2, 0.5625), (3, -0.0625))
    # At the border the tap at -1 (-1/16) is missing, and what is left sums to 17/16.
    border = axis_taps(4, 7, "cubic", "align_corners")[1]
    assert [i for i, _ in border] == [0, 1, 2]
    assert [weight for _, weight in border] == pytest.approx([9 / 17, 9 / 17, -1 / 17], abs=1e-15)
    assert [len(axis_taps(40, 80, m)[41]) for m in ON_AN_AXIS] == [1, 2, 4, 6, 10]


def test_nearest_rounds_as_documented():
    assert [row[0][0] for row in axis_taps(4, 2, "nearest")] == [1, 3]  # at 0.5 and 2.5: the later
    assert [row[0][0] for row in axis_taps(4, 2, "nearest", "asymmetric")] == [0, 2]
    assert [row[0][0] for row in axis_taps(2, 3, "nearest", "align_corners")] == [0, 1, 1]
    assert [row[0][0] for row in axis_taps(2, 5, "nearest", "asymmetric")] == [0, 0, 0, 1, 1]
    assert [row[0][0] for row in axis_taps(5, 1, "nearest", "align_corners")] == [0]


def test_names():
    assert axis_taps(3, 5, "bilinear") == axis_taps(3, 5, "trilinear") == axis_taps(3, 5, "Linear")
    assert axis_taps(3, 5, "bicubic") == axis_taps(3, 5, "cubic")
    assert {axis_method(name, 3) for name in METHODS} == set(ON_AN_AXIS)
    for rank in (1, 2):
        with pytest.raises(ConvError, match=f"`interpolation` = 'trilinear': has three axes, the input {rank}"):
            axis_method("trilinear", rank)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 3, "linear"), "`input_size` = 0: must be at least 1"),
        ((3, 0, "linear"), "`output_size` = 0: must be at least 1"),
        ((3, -2, "linear"), "`output_size` = -2: must be at least 1"),
        ((3, 2.5, "linear"), "`output_size` = 2.5: not a whole number"),
        ((3, 4, "bilinaer"), "`method` = 'bilinaer'.*did you mean 'bilinear'"),
        ((3, 4, None), "`method` = None"),
        ((3, 4, "linear", "half-pixel"), "`coordinates` = 'half-pixel'.*did you mean 'half_pixel'"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ConvError, match=message):
        axis_taps(*arguments)


SIZE_PAIRS = [(1, 4), (4, 1), (2, 7), (4, 8), (5, 12), (7, 3), (9, 9), (12, 5)]


IN_PEERS = """
import json, sys
import jax
jax.config.update("jax_enable_x64", True)
import keras, numpy as np
answers = []
for n, m, method in json.loads(sys.argv[1]):
    word = {"linear": "bilinear", "cubic": "bicubic"}.get(method, method)
    eye = np.eye(n)
    from_keras = np.asarray(keras.ops.image.resize(eye[:, :, None, None], (m, 1), interpolation=word))[:, :, 0, 0].T
    from_jax = np.asarray(jax.image.resize(eye, (m, n), method, antialias=False))
    answers.append([from_keras.tolist(), from_jax.tolist()])
print("answers:", json.dumps(answers))
"""


@pytest.mark.peers
def test_keras_and_jax(tmp_path):
    if not (importlib.util.find_spec("keras") and importlib.util.find_spec("jax")):
        pytest.skip("Keras on JAX is not installed")
    environment = {**os.environ, "KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    questions = [(n, m, method) for n, m in SIZE_PAIRS for method in ON_AN_AXIS]
    run = subprocess.run(
        [sys.executable, "-c", IN_PEERS, json.dumps(questions)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    answers = json.loads(run.stdout.split("answers:")[1])
    for (n, m, method), (from_keras, from_jax) in zip(questions, answers, strict=True):
        ours = dense(axis_taps(n, m, method), n)
        # Both compute their coordinates in float32, whatever the data are.
        np.testing.assert_allclose(from_keras, ours, atol=3e-6, err_msg=f"{n} {m} {method}")
        np.testing.assert_allclose(from_jax, ours, atol=3e-6, err_msg=f"{n} {m} {method}")


@pytest.mark.peers
@pytest.mark.parametrize(("input_size", "output_size"), SIZE_PAIRS)
def test_torch(input_size, output_size):
    torch = pytest.importorskip("torch")

    def taps(mode, **words):
        eye = torch.eye(input_size, dtype=torch.float64)[None]
        return torch.nn.functional.interpolate(eye, size=output_size, mode=mode, **words)[0].numpy().T

    ours = {
        (method, coordinates): dense(axis_taps(input_size, output_size, method, coordinates), input_size)
        for method in ("nearest", "linear")
        for coordinates in COORDINATES
    }
    np.testing.assert_array_equal(taps("nearest-exact"), ours["nearest", "half_pixel"])
    np.testing.assert_array_equal(taps("nearest"), ours["nearest", "asymmetric"])
    np.testing.assert_allclose(taps("linear", align_corners=False), ours["linear", "half_pixel"], atol=1e-14)
    np.testing.assert_allclose(taps("linear", align_corners=True), ours["linear", "align_corners"], atol=1e-14)


@pytest.mark.peers
def test_torch_bicubic_is_another_kernel():
    torch = pytest.importorskip("torch")
    eye = torch.eye(6, dtype=torch.float64)[None, :, :, None]
    taps = torch.nn.functional.interpolate(eye, size=(12, 1), mode="bicubic", align_corners=False)[0, :, :, 0]
    difference = np.abs(taps.numpy().T - dense(axis_taps(6, 12, "cubic"), 6)).max()
    assert 0.01 < difference < 0.2


@pytest.mark.peers
@pytest.mark.parametrize(("input_size", "output_size"), SIZE_PAIRS)
@pytest.mark.parametrize("coordinates", COORDINATES)
def test_onnx(input_size, output_size, coordinates):
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    for method in ("nearest", "linear", "cubic"):
        node = onnx.helper.make_node(
            "Resize",
            ["x", "", "", "sizes"],
            ["y"],
            mode=method,
            coordinate_transformation_mode=coordinates,
            cubic_coeff_a=-0.5,
            exclude_outside=int(method == "cubic"),
            nearest_mode="floor" if coordinates == "asymmetric" else "round_prefer_ceil",
        )
        vector = onnx.TensorProto.DOUBLE
        graph = onnx.helper.make_graph(
            [node],
            "resize",
            [
                onnx.helper.make_tensor_value_info("x", vector, [input_size]),
                onnx.helper.make_tensor_value_info("sizes", onnx.TensorProto.INT64, [1]),
            ],
            [onnx.helper.make_tensor_value_info("y", vector, [output_size])],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 19)])
        session = ReferenceEvaluator(model)
        sizes_wanted = np.array([output_size], dtype=np.int64)
        taps = [session.run(None, {"x": row, "sizes": sizes_wanted})[0] for row in np.eye(input_size)]
        ours = dense(axis_taps(input_size, output_size, method, coordinates), input_size)
        np.testing.assert_allclose(np.array(taps).T, ours, atol=2e-6, err_msg=method)  # its coefficients are float32
