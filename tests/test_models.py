"""Models: training, evaluation, summaries, files."""

from __future__ import annotations

import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import refconv
from refconv import ConvError, layers, losses, metrics, models, optimizers
from refconv.dialects import keras1

RNG = np.random.default_rng(23)


def line(count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs, and targets that a dense layer can learn exactly."""
    x = RNG.normal(size=(count, 3))
    return x, x @ [[1.0], [-2.0], [0.5]] + 0.25


def dense(**arguments: Any) -> layers.Dense:
    return layers.Dense(1, kernel_initializer="zeros", dtype="float64", **arguments)


def compiled(*inside: layers.Layer, optimizer: Any = "sgd", **arguments: Any) -> models.Sequential:
    model = models.Sequential(inside)
    model.compile(optimizer, **{"loss": "mse", **arguments})
    return model


# Shapes.


def test_shapes_are_known_from_the_first_layer_on() -> None:
    model = models.Sequential()
    with pytest.raises(AttributeError, match="input_shape="):
        model.output_shape  # noqa: B018
    model.add(layers.Conv2D(8, 3, input_shape=(28, 28, 1)))
    assert model.input_shape == (None, 28, 28, 1)
    assert model.output_shape == (None, 26, 26, 8)
    assert len(model.weights) == 2
    model.add(layers.Flatten())
    assert model.output_shape == (None, 26 * 26 * 8)
    assert isinstance(model.pop(), layers.Flatten)
    assert model.output_shape == (None, 26, 26, 8)
    declared = models.Sequential([layers.Input((None, None, 3)), layers.Conv2D(2, 3)])
    assert declared.output_shape == (None, None, None, 2)
    assert [layer.name for layer in declared.layers] == [declared.layers[0].name]
    later = models.Sequential([layers.Conv2D(2, 3)])
    later.build((4, 9, 9, 3))
    assert later.output_shape == (None, 7, 7, 2)
    called = models.Sequential([layers.Conv2D(2, 3)])
    assert called(np.ones((2, 5, 5, 1))).shape == (2, 3, 3, 2)
    nested = models.Sequential([models.Sequential([layers.Dense(3, input_shape=(2,))]), layers.Dense(4)])
    assert nested.output_shape == (None, 4)


def test_the_example_of_keras_1() -> None:
    model = models.Sequential()
    model.add(keras1.Convolution2D(64, 3, 3, border_mode="same", input_shape=(3, 256, 256)))
    assert model.output_shape == (None, 64, 256, 256)
    model.add(keras1.Convolution2D(32, 3, 3, border_mode="same"))
    assert model.output_shape == (None, 32, 256, 256)


def test_summary() -> None:
    model = models.Sequential(
        [
            layers.Conv2D(4, 3, padding="same", name="edges", input_shape=(8, 8, 3)),
            layers.BatchNormalization(name="norm"),
            layers.Branches(
                [layers.Chain([], name="skip"), [layers.Conv2D(1000, 1, name="wide", trainable=False)]],
                layers.Concatenate(name="join"),
                name="both",
            ),
        ],
        name="small",
    )
    shown: list[str] = []
    model.summary(print_fn=shown.append)
    assert shown == [
        """\
Model: "small"
______________________________________________________________
 Layer (type)                 Output Shape          Param #
==============================================================
 edges (Conv2D)               (None, 8, 8, 4)       112
 norm (BatchNormalization)    (None, 8, 8, 4)       16
 both (Branches)              (None, 8, 8, 1004)    5,000
   skip (Chain)               (None, 8, 8, 4)       0
   branch_1 (Chain)           (None, 8, 8, 1000)    5,000
     wide (Conv2D)            (None, 8, 8, 1000)    5,000
   join (Concatenate)         (None, 8, 8, 1004)    0
==============================================================
Total params: 5,128 (20.03 KB)
Trainable params: 120 (480.00 B)
Non-trainable params: 5,008 (19.56 KB)
______________________________________________________________"""
    ]


# Training.


def test_a_step_is_the_optimizers() -> None:
    x, y = line()
    model = compiled(dense(), optimizer=optimizers.SGD(0.1))
    loss = model.train_on_batch(x, y)
    assert loss == pytest.approx(np.square(y).mean())
    np.testing.assert_allclose(model.layers[0].kernel, 0.2 * x.T @ y / len(x))
    np.testing.assert_allclose(model.layers[0].bias, [0.2 * y.mean()])


def test_fit_finds_the_line() -> None:
    x, y = line()
    model = compiled(dense(), optimizer=optimizers.Adam(0.1))
    history = model.fit(x, y, batch_size=8, epochs=60, verbose=0, seed=1, validation_data=(x, y))
    assert history.epoch == list(range(60))
    assert list(history.history) == ["loss", "val_loss"]
    assert history.history["val_loss"][-1] < 1e-4 < history.history["val_loss"][0]
    assert history.history["val_loss"][-1] == pytest.approx(model.evaluate(x, y)["loss"])
    np.testing.assert_allclose(model.predict(x, batch_size=7), y, atol=0.02)
    assert "60 epochs" in repr(history)


def test_seeds_repeat() -> None:
    x, y = line()

    def trained(**arguments: Any) -> np.ndarray:
        model = compiled(dense())
        model.fit(x, y, batch_size=4, epochs=2, verbose=0, **arguments)
        return np.append(*model.get_weights())

    np.testing.assert_array_equal(trained(seed=3), trained(seed=3))
    assert not np.array_equal(trained(seed=3), trained(seed=4))
    np.testing.assert_array_equal(trained(shuffle=False, seed=3), trained(shuffle=False, seed=4))
    random.seed(8)
    first = trained()
    random.seed(8)
    np.testing.assert_array_equal(trained(), first)


def test_validation_split_takes_the_end() -> None:
    x, y = line(10)
    model = compiled(dense())
    model.build((None, 3))
    before = model.evaluate(x[8:], y[8:])["loss"]
    frozen = compiled(dense(trainable=False))
    history = frozen.fit(x, y, epochs=1, verbose=0, validation_split=0.2)
    assert history.history["val_loss"] == [before]
    assert history.history["loss"] == pytest.approx([np.square(y[:8]).mean()])


def test_metrics_in_history_are_over_all_batches() -> None:
    x = RNG.normal(size=(10, 2))
    y = (x[:, :1] > 0).astype(float)
    model = compiled(dense(trainable=False), loss="binary_crossentropy", metrics=["accuracy", metrics.MeanIoU(-1)])
    history = model.fit(x, y, batch_size=4, verbose=0)
    assert history.history["accuracy"] == [np.mean(y == 0)]
    assert history.history["mean_iou"] == [np.mean([0, y.mean()])]
    assert list(model.evaluate(x, y, batch_size=3)) == ["loss", "accuracy", "mean_iou"]


def test_regularizers_constraints_and_factors_act() -> None:
    x, y = line()
    l2 = {"class_name": "L2", "config": {"l2": 0.5}}
    layer = layers.Dense(1, kernel_regularizer=l2, activity_regularizer=l2, bias_constraint="non_neg", dtype="float64")
    model = compiled(layer, optimizer=optimizers.SGD(0.1))
    model.build(x.shape)
    kernel = layer.kernel.copy()
    out = x @ kernel
    value = np.square(out - y).mean() + 0.5 * np.square(kernel).sum() + 0.5 * np.square(out).sum() / len(x)
    assert model.evaluate(x, y, batch_size=len(x))["loss"] == pytest.approx(value)
    assert model.train_on_batch(x, y) == pytest.approx(value)
    slope = 2 * x.T @ (out - y) / len(x) + kernel + x.T @ out / len(x)
    np.testing.assert_allclose(layer.kernel, kernel - 0.1 * slope)
    bias = -0.1 * ((2 * (out - y)).mean() + out.mean())
    np.testing.assert_allclose(layer.bias, [max(bias, 0)])

    plain = dense(use_bias=False)
    plain.learn_rate_factor_of["kernel"] = 3.0
    plain.l2_factor_of["kernel"] = 2.0
    model = compiled(plain, optimizer=optimizers.SGD(0.1, l2=0.25))
    model.build(x.shape)
    plain.kernel = [[1.0], [2.0], [3.0]]
    slope = 2 * x.T @ (x @ plain.kernel - y) / len(x) + 0.5 * plain.kernel
    expected = plain.kernel - 0.3 * slope
    model.train_on_batch(x, y)
    np.testing.assert_allclose(plain.kernel, expected)


def test_constraints_hold_after_every_step() -> None:
    x, y = RNG.normal(size=(16, 6, 6, 2)), RNG.normal(size=(16, 4, 4, 3))
    limit = {"class_name": "MaxNorm", "config": {"max_value": 0.25, "axis": [0, 1, 2]}}
    model = compiled(layers.Conv2D(3, 3, kernel_constraint=limit), optimizer=optimizers.SGD(1.0))
    model.fit(x, y, batch_size=4, verbose=0)
    assert np.sqrt(np.square(model.layers[0].kernel).sum((0, 1, 2))).max() <= 0.25 + 1e-6


def test_batch_normalization_trains_by_batches_and_answers_by_its_memory() -> None:
    x = RNG.normal(3, 2, (64, 1))
    model = compiled(layers.BatchNormalization(momentum=0.5, dtype="float64"), optimizer=optimizers.SGD(0.0))
    model.fit(x, x, batch_size=64, epochs=40, verbose=0)
    np.testing.assert_allclose(model.layers[0].moving_mean, x.mean(0), rtol=1e-6)
    before = model.get_weights()
    y = model.predict(x)
    model.evaluate(x, x)
    np.testing.assert_allclose(y, (x - x.mean()) / np.sqrt(x.var() + 0.001), rtol=1e-5)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_gradients_of_a_loss_through_a_model() -> None:
    """Central differences of the whole loss, regularizers included, to every weight."""
    l2 = {"class_name": "L1L2", "config": {"l1": 0.01, "l2": 0.1}}
    skip = layers.Branches(
        [
            [],
            [
                layers.Conv1D(3, 3, 2, padding="same", activation="gelu", dtype="float64", activity_regularizer="l2"),
                layers.Conv1DTranspose(2, 2, 2, dtype="float64", kernel_regularizer=l2),
            ],
        ],
        layers.Concatenate(dtype="float64"),
    )
    norm, last = layers.BatchNormalization(dtype="float64"), layers.Dense(4, dtype="float64", bias_regularizer=l2)
    model = compiled(
        skip, norm, last, loss={"class_name": "SparseCategoricalCrossentropy", "config": {"from_logits": True}}
    )
    x, y = RNG.normal(size=(3, 6, 2)), RNG.integers(0, 4, (3, 6))

    def value() -> float:
        return model.loss(y, model.forward(x)) + sum(model.losses)

    model.build(x.shape)
    for weight in model.trainable_weights:
        weight[...] = RNG.normal(size=weight.shape)
    model.backward(model.loss.gradient(y, model.forward(x)))
    for weight, gradient in zip(model.trainable_weights, [g.copy() for g in model.gradients], strict=True):
        for index in np.ndindex(*weight.shape):
            before = weight[index]
            weight[index] = before + 1e-6
            up = value()
            weight[index] = before - 1e-6
            down = value()
            weight[index] = before
            assert gradient[index] == pytest.approx((up - down) / 2e-6, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize(
    ("verbose", "terminal", "shown"),
    [(0, True, False), (2, True, True), ("auto", False, True), ("auto", True, True), (1, False, True)],
)
def test_progress(verbose: Any, terminal: bool, shown: bool, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    x, y = line()
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TTY_COMPATIBLE", "1")
    compiled(dense()).fit(x, y, epochs=2, verbose=verbose)
    output = capsys.readouterr().out
    assert ("Epoch 2/2" in output and " s  loss " in output) is shown
    assert ("/2 \x1b" in output) is (terminal and verbose == "auto")


def test_callers_arrays_stay() -> None:
    x, y = line()
    before = x.copy(), y.copy()
    model = compiled(dense())
    model.fit(x, y, verbose=0)
    model.predict(x)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])


# Files.


def unet() -> models.Sequential:
    inner = [layers.Conv2D(3, 3, 2, padding="same", activation="relu"), layers.Conv2DTranspose(2, 4, 2, padding="same")]
    first = layers.Conv2D(2, 3, padding="same", input_shape=(6, 6, 1), kernel_regularizer="l2", name="first")
    model = models.Sequential([first, layers.BatchNormalization(), layers.Branches([[], inner]), layers.Conv2D(1, 1)])
    first.learn_rate_factor_of["bias"] = 2.0
    model.compile(optimizers.Adam(0.01, l2=0.1), losses.BinaryCrossentropy(from_logits=True), ["accuracy"])
    return model


X, Y = RNG.normal(size=(6, 6, 6, 1)), RNG.integers(0, 2, (6, 6, 6, 1))


def test_a_saved_model_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    model = unet()
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(tmp_path / "net.npz")
    again = models.Sequential.load(tmp_path / "net.npz")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.evaluate(X, Y) == model.evaluate(X, Y)
    assert again.learn_rate_factors == model.learn_rate_factors
    for each in (model, again):
        each.fit(X, Y, epochs=2, verbose=0, seed=5)
    for old, new in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert [path.name for path in tmp_path.iterdir()] == ["net.npz"]


def test_files_hold_arrays_and_json(tmp_path: Path) -> None:
    model = unet()
    model.train_on_batch(X, Y)
    path = tmp_path / "net.npz"
    model.save(str(path))
    with np.load(path, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["0_first/0"], model.layers[0].kernel)
        assert json.loads(file["model.json"])["input_shape"] == [None, 6, 6, 1]
    first = path.read_bytes()
    model.save(path)
    assert path.read_bytes() == first


def test_layers_of_a_dialect_and_of_ones_own_are_saved(tmp_path: Path) -> None:
    model = models.Sequential([keras1.Convolution2D(2, 3, 3, input_shape=(3, 8, 8)), Own("relu")])
    model.save(tmp_path / "net.npz")
    x = RNG.normal(size=(2, 3, 8, 8))
    again = models.load(tmp_path / "net.npz", {"Own": Own})
    assert again.optimizer is None
    np.testing.assert_array_equal(again(x), model(x))
    with pytest.raises(ConvError, match="custom_objects"):
        models.load(tmp_path / "net.npz")


class Own(layers.Activation):
    """A layer of one's own."""


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, path = unet(), tmp_path / "net.npz"
    model.save(path)
    before = path.read_bytes()

    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    with pytest.raises(ConvError, match="No space left"):
        model.save(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.npz"]


def parts_of(model: models.Sequential, folder: Path) -> dict[str, bytes]:
    model.save(folder / "whole.npz")
    with zipfile.ZipFile(folder / "whole.npz") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(folder: Path, parts: dict[str, bytes]) -> Path:
    path = folder / "broken.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def array_bytes(array: np.ndarray, **arguments: Any) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **arguments)
    return buffer.getvalue()


def header_bytes(shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def with_description(parts: dict[str, bytes], **changes: Any) -> dict[str, bytes]:
    return {**parts, "model.json": json.dumps({**json.loads(parts["model.json"]), **changes}).encode()}


def with_training(parts: dict[str, bytes], **changes: Any) -> dict[str, bytes]:
    return with_description(parts, training={**json.loads(parts["model.json"])["training"], **changes})


def without(parts: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {key: value for key, value in parts.items() if key != name}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: without(p, "model.json"), "model.json"),
        (lambda p: {**p, "model.json": b"{"}, "not a model"),
        (lambda p: {**p, "model.json": b"[1]"}, "whole model"),
        (lambda p: {**p, "model.json": b"\xff\xfe"}, "not a model"),
        (lambda p: with_description(p, format="other"), "'other'"),
        (lambda p: with_description(p, version=99), "version 99"),
        (lambda p: with_description(p, model=None), "configuration of a layer"),
        (lambda p: with_description(p, model={"class_name": "Flatten", "config": {}}), "no Sequential"),
        (lambda p: with_description(p, input_shape=[None, 6, 6, 5]), "shape"),
        (lambda p: with_description(p, input_shape=3), "whole model"),
        (lambda p: with_description(p, training={}), "whole model"),
        (lambda p: without(p, "0_first/0.npy"), "missing"),
        (lambda p: without(p, "optimizer/1/0.npy"), "missing"),
        (lambda p: {**p, "0_first/0.npy": p["0_first/1.npy"]}, "shape"),
        (lambda p: {**p, "0_first/2.npy": p["0_first/1.npy"]}, "no layer"),
        (lambda p: {**p, "0_first/0.npy": p["0_first/0.npy"][:-5]}, "not a model"),
        (lambda p: {**p, "0_first/0.npy": b"rubbish"}, "not a model"),
        (lambda p: {**p, "0_first/0.npy": header_bytes((10**15,))}, "not a model"),
        (lambda p: {**p, "optimizer/0/0.npy": p["0_first/1.npy"], "optimizer/0/1.npy": p["0_first/1.npy"]}, "memory"),
        (lambda p: with_training(p, iterations=1e999), "iterations"),
        (lambda p: with_training(p, memory=[2]), "memory"),
        (lambda p: with_training(p, loss="hinge"), "hinge"),
        (lambda p: {**p, "0_first/0.npy": array_bytes(np.array([{}]), allow_pickle=True)}, "not a model"),
        (lambda p: {**p, "0_first/0.npy": array_bytes(np.array(["text"]))}, "whole model"),
    ],
)
def test_damaged_files_are_refused(change: Any, words: str, tmp_path: Path) -> None:
    model = unet()
    model.train_on_batch(X, Y)
    path = rewritten(tmp_path, change(parts_of(model, tmp_path)))
    with pytest.raises(ConvError, match=words) as caught:
        models.Sequential.load(path)
    assert caught.value.argument == "path"


def test_every_single_damage_is_refused_or_harmless(tmp_path: Path) -> None:
    model = models.Sequential([layers.Dense(2, input_shape=(3,))])
    model.save(tmp_path / "net.npz")
    whole = (tmp_path / "net.npz").read_bytes()
    expected = model(np.ones((1, 3)))
    broken = tmp_path / "broken.npz"
    for cut in range(0, len(whole), 97):
        broken.write_bytes(whole[:cut])
        with pytest.raises(ConvError):
            models.load(broken)
    for place in range(0, len(whole), 13):
        broken.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            again = models.load(broken)
        except ConvError:
            continue
        np.testing.assert_array_equal(again(np.ones((1, 3))), expected)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: models.Sequential(3), ["`layers` = 3"]),
        (lambda: models.Sequential([3]), ["`layer` = 3", "not a layer"]),
        (lambda: models.Sequential([layers.Flatten()] * 2), ["`layer`", "there already"]),
        (lambda: models.Sequential([layers.Flatten(), layers.Input((3,))]), ["`layer`", "declared first"]),
        (lambda: models.Sequential([layers.Dense(2, input_shape=(3,)), layers.Conv1D(2, 3)]), ["`input_shape`"]),
        (lambda: models.Sequential().pop(), ["`layers` = []"]),
        (lambda: models.Sequential([layers.Flatten()]).summary(), ["`model`", "build(input_shape)"]),
        (lambda: compiled(dense(), metrics="accuracy"), ["`metrics` = 'accuracy'", "give a list"]),
        (lambda: compiled(dense(), metrics=["accuracy", "acc"]), ["`metrics`", "'accuracy'"]),
        (lambda: compiled(dense(), optimizer="lion"), ["`optimizer` = 'lion'"]),
        (lambda: compiled(dense(), loss="hinge"), ["`loss` = 'hinge'"]),
        (lambda: models.Sequential([dense()]).fit(*line()), ["`model`", "compile"]),
        (lambda: models.Sequential([dense()]).train_on_batch(*line()), ["`model`", "compile"]),
        (lambda: models.Sequential([dense()]).evaluate(*line()), ["`model`", "compile"]),
        (lambda: compiled(dense()).fit(np.ones((3, 2)), np.ones((4, 1))), ["`y`", "3 inputs"]),
        (lambda: compiled(dense()).fit(np.ones((0, 2)), np.ones((0, 1))), ["`x`", "no samples"]),
        (lambda: compiled(dense()).fit(3, 3), ["`x`", "no samples"]),
        (lambda: compiled(dense()).fit(np.ones((3, 2)), np.ones((3, 2))), ["`y_true`", "(3, 1)"]),
        (lambda: compiled(dense()).fit(*line(), batch_size=0), ["`batch_size` = 0"]),
        (lambda: compiled(dense()).fit(*line(), epochs=0), ["`epochs` = 0"]),
        (lambda: compiled(dense()).fit(*line(), verbose=3), ["`verbose` = 3"]),
        (lambda: compiled(dense()).fit(*line(), verbose=True), ["`verbose` = True"]),
        (lambda: compiled(dense()).fit(*line(), shuffle="yes"), ["`shuffle` = 'yes'"]),
        (lambda: compiled(dense()).fit(*line(), seed=-1), ["`seed` = -1"]),
        (lambda: compiled(dense()).fit(*line(), validation_split=1.0), ["`validation_split` = 1.0"]),
        (lambda: compiled(dense()).fit(*line(), validation_split=-0.1), ["`validation_split` = -0.1"]),
        (lambda: compiled(dense()).fit(*line(), validation_data=3), ["`validation_data`", "(x, y)"]),
        (
            lambda: compiled(dense()).fit(*line(), validation_data=line(), validation_split=0.5),
            ["`validation_split` = 0.5", "validation_data"],
        ),
        (lambda: compiled(dense()).predict(np.ones((0, 3))), ["`x`", "no samples"]),
        (lambda: models.Sequential([dense()]).save("net.npz"), ["`model`", "build(input_shape)"]),
        (lambda: unet().save("net.h5"), ["`path` = 'net.h5'", "net.npz"]),
        (lambda: unet().save("no/such/folder/net.npz"), ["`path`", "no folder"]),
        (lambda: models.load("no-such-file.npz"), ["`path`", "no such file"]),
        (lambda: models.load("tests"), ["`path`"]),
    ],
)
def test_errors(call: Any, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").mkdir()
    with pytest.raises(ConvError) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


def test_functions_are_not_saved(tmp_path: Path) -> None:
    model = models.Sequential([layers.Dense(2, activation=np.tanh, input_shape=(3,))])
    with pytest.raises(ConvError, match="only names"):
        model.save(tmp_path / "net.npz")
    assert not list(tmp_path.iterdir())


def test_trainability_changed_between_steps() -> None:
    x, y = line()
    model = compiled(dense(), dense(), optimizer="adam")
    model.train_on_batch(x, y)
    model.layers[0].trainable = False
    with pytest.raises(ConvError, match="compile the model again"):
        model.train_on_batch(x, y)
    model.compile("adam")
    model.train_on_batch(x, y)


def test_rooms_are_public() -> None:
    assert refconv.models is models
    assert refconv.losses is losses
    assert refconv.optimizers is optimizers
    assert refconv.metrics is metrics
