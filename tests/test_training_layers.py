"""The layers between convolutions and those made of layers: values, gradients, errors, Keras live."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from refconv import ConvError, layers

RNG = np.random.default_rng(11)


def wide(kind: type, *args: Any, **kwargs: Any) -> layers.Layer:
    """Make a layer that computes in double precision."""
    return kind(*args, dtype="float64", **kwargs)


def check_gradients(layer: layers.Layer, *inputs: np.ndarray) -> None:
    """Compare backward with central differences of the sum of forward's outputs, weighted at random."""
    x: Any = list(inputs) if len(inputs) > 1 else inputs[0]
    y = layer.forward(x)
    for weight in layer.trainable_weights:
        weight[...] = RNG.normal(size=weight.shape)
    scale = RNG.normal(size=y.shape)
    layer.forward(x)
    found = layer.backward(scale)
    gradients = [gradient.copy() for gradient in layer.gradients]
    step = 1e-6

    def difference(array: np.ndarray, index: tuple[int, ...]) -> float:
        before = array[index]
        array[index] = before + step
        up = np.sum(scale * layer.forward(x))
        array[index] = before - step
        down = np.sum(scale * layer.forward(x))
        array[index] = before
        return float(up - down) / (2 * step)

    into = found if isinstance(found, list) else [found]
    pairs = [*zip(inputs, into, strict=True), *zip(layer.trainable_weights, gradients, strict=True)]
    for array, gradient in pairs:
        assert gradient.shape == array.shape
        for index in list(np.ndindex(*array.shape))[:: max(1, array.size // 12)]:
            assert gradient[index] == pytest.approx(difference(array, index), rel=1e-5, abs=1e-7)


GRADIENT_CASES = [
    (lambda: wide(layers.Activation, "tanh"), (3, 5)),
    (lambda: wide(layers.Activation, {"class_name": "glu", "config": {"axis": 1}}), (2, 4, 3)),
    (lambda: wide(layers.Flatten), (2, 3, 4, 2)),
    (lambda: wide(layers.Flatten, data_format="channels_first"), (2, 3, 4, 2)),
    (lambda: wide(layers.Dense, 3, activation="sigmoid"), (4, 5)),
    (lambda: wide(layers.Dense, 3, use_bias=False), (2, 3, 4, 5)),
    (lambda: wide(layers.Dense, 4, activation="softmax"), (4, 5)),
    (lambda: wide(layers.BatchNormalization), (4, 3, 5, 2)),
    (lambda: wide(layers.BatchNormalization, axis=1), (4, 3, 5)),
    (lambda: wide(layers.BatchNormalization, center=False, scale=False), (6, 3)),
    (lambda: wide(layers.LayerNormalization), (3, 4, 5)),
    (lambda: wide(layers.LayerNormalization, axis=1, scale=False), (2, 4, 3)),
    (lambda: wide(layers.Input, (3,)), (2, 3)),
]


@pytest.mark.parametrize(("make", "shape"), GRADIENT_CASES)
def test_gradients_are_those_of_differences(make, shape: tuple[int, ...]) -> None:
    check_gradients(make(), RNG.normal(size=shape))


def test_gradients_of_merging_layers() -> None:
    a, b, c = (RNG.normal(size=(2, 3, n)) for n in (2, 4, 1))
    check_gradients(wide(layers.Concatenate), a, b, c)
    check_gradients(wide(layers.Concatenate, axis=1), a, RNG.normal(size=(2, 5, 2)))
    check_gradients(wide(layers.Add), a, RNG.normal(size=a.shape), RNG.normal(size=a.shape))


def test_a_frozen_batch_normalization_is_a_scale() -> None:
    layer = wide(layers.BatchNormalization, trainable=False)
    layer.build((None, 3))
    layer.moving_mean, layer.moving_variance = [1.0, 2.0, 3.0], [4.0, 1.0, 0.25]
    before = layer.get_weights()
    check_gradients(layer, RNG.normal(size=(4, 3)))
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_batch_normalization_by_hand() -> None:
    x = RNG.normal(2, 3, (5, 4, 3))
    layer = wide(layers.BatchNormalization, momentum=0.9, epsilon=0.01)
    y = layer.forward(x)
    mean, variance = x.mean((0, 1)), x.var((0, 1))
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(variance + 0.01), rtol=1e-10)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * mean)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * variance)
    # A call takes the moving ones, and leaves them.
    moving = layer.get_weights()[2:]
    np.testing.assert_allclose(layer(x), (x - moving[0]) / np.sqrt(moving[1] + 0.01), rtol=1e-10)
    np.testing.assert_array_equal(layer.moving_mean, moving[0])
    assert [w.shape for w in layer.trainable_weights] == [(3,), (3,)]
    assert len(layer.non_trainable_weights) == 2
    assert layer.forward(x[:0]).shape == (0, 4, 3)


def test_layer_normalization_by_hand() -> None:
    x = RNG.normal(2, 3, (5, 4, 3))
    layer = wide(layers.LayerNormalization, axis=1, gamma_initializer="ones", beta_initializer="ones")
    expected = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 0.001) + 1
    np.testing.assert_allclose(layer(x), expected, rtol=1e-10)
    assert layer.gamma.shape == (4,)


def test_dense_flatten_and_activation_by_hand() -> None:
    x = RNG.normal(size=(2, 3, 4))
    dense = wide(layers.Dense, 5, activation="relu", bias_initializer="ones")
    np.testing.assert_allclose(dense(x), np.maximum(np.einsum("abc,cd->abd", x, dense.kernel) + 1, 0))
    np.testing.assert_array_equal(wide(layers.Flatten)(x), x.reshape(2, 12))
    first = layers.Flatten("channels_first", dtype="float64")
    np.testing.assert_array_equal(first(x), x.swapaxes(1, 2).reshape(2, 12))
    assert first.compute_output_shape((None, None, 4)) == (None, None)
    assert layers.Activation("glu").compute_output_shape((None, 7, 6)) == (None, 7, 3)
    assert layers.Dense(2)(np.ones((1, 3), int)).dtype == np.float32


def test_regularizers_of_these_layers() -> None:
    x = RNG.normal(size=(4, 3))
    layer = wide(
        layers.Dense, 2, kernel_regularizer={"class_name": "L2", "config": {"l2": 0.5}}, activity_regularizer="l1"
    )
    layer.forward(x)
    plain = wide(layers.Dense, 2)
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    dy = RNG.normal(size=(4, 2))
    y = plain.forward(x)
    plain.backward(dy + 0.01 * np.sign(y) / 4)
    layer.backward(dy)
    np.testing.assert_allclose(layer.gradients[0], plain.gradients[0] + layer.kernel)
    assert layer.losses == pytest.approx([0.01 * np.abs(y).sum() / 4, 0.5 * np.square(layer.kernel).sum()])
    norm = wide(
        layers.BatchNormalization,
        gamma_constraint="non_neg",
        gamma_initializer={"class_name": "Constant", "config": {"value": -1}},
    )
    norm.forward(x)
    norm.apply_constraints()
    assert not norm.gamma.any()


# Layers made of layers.


def small_net() -> layers.Chain:
    """An encoder-decoder with a skip connection, a dilated pyramid, and both decoders."""
    pyramid = layers.Branches(
        [wide(layers.Conv2D, 2, 3, padding="same", dilation_rate=d, activation="tanh") for d in (1, 2)],
        wide(layers.Concatenate),
    )
    down = [wide(layers.Conv2D, 3, 3, strides=2, padding="same"), wide(layers.BatchNormalization), pyramid]
    up = [wide(layers.Conv2DTranspose, 2, 4, strides=2, padding="same")]
    other = [wide(layers.UpSampling2D, 2, interpolation="bilinear"), wide(layers.Conv2D, 2, 1)]
    decoders = layers.Branches([up, other], wide(layers.Add))
    skip = layers.Branches([[], [*down, decoders]], wide(layers.Concatenate))
    return layers.Chain([wide(layers.Conv2D, 2, 3, padding="same"), skip, wide(layers.LayerNormalization)])


def test_gradients_through_a_whole_net() -> None:
    net = small_net()
    x = RNG.normal(size=(2, 6, 4, 3))
    assert net.compute_output_shape((None, 6, 4, 3)) == (None, 6, 4, 4)
    check_gradients(net, x)
    # Conv2D 1, LayerNormalization 1, in the skip: Conv2D, BatchNormalization, two of the pyramid, two of the decoders.
    assert len(net.trainable_weights) == 2 * 8
    assert len(net.weights) == 2 * 8 + 2
    assert net.count_params() == sum(w.size for w in net.get_weights())


def test_branches_by_hand() -> None:
    x = RNG.normal(size=(2, 5, 3))
    both = layers.Branches([[], [layers.ZeroPadding1D(1), layers.Cropping1D(1)], layers.Activation("relu")])
    np.testing.assert_allclose(both(x), np.concatenate([x, x, np.maximum(x, 0)], -1), rtol=1e-6)
    added = layers.Branches([[], layers.Activation("relu")], "add")
    np.testing.assert_allclose(added(x), x + np.maximum(x, 0), rtol=1e-6)


def test_containers_hold_the_state_of_what_is_inside() -> None:
    first = layers.Conv1D(2, 1, kernel_constraint="non_neg", kernel_regularizer="l2")
    second = layers.Conv1D(2, 1, trainable=False)
    chain = layers.Chain([first, layers.Branches([[second]])])
    chain.build((None, 4, 3))
    assert len(chain.trainable_weights) == 2
    assert len(chain.non_trainable_weights) == 2
    first.learn_rate_factor_of["bias"] = 2.0
    first.l2_factor_of["kernel"] = 3.0
    assert chain.learn_rate_factors == [1.0, 2.0]
    assert chain.l2_factors == [3.0, 0.0]
    assert chain.losses == first.losses
    chain.apply_constraints()
    assert (first.kernel >= 0).all()
    chain.trainable = False
    assert not first.trainable
    assert chain.trainable_weights == chain.gradients == chain.learn_rate_factors == chain.l2_factors == []
    chain.trainable = True
    assert second.trainable
    weights = [RNG.normal(size=w.shape) for w in chain.get_weights()]
    chain.set_weights(weights)
    np.testing.assert_allclose(second.kernel, weights[2], rtol=1e-6)
    with pytest.raises(ConvError, match="shape"):
        chain.set_weights([np.zeros_like(weights[0]), weights[1], weights[2], np.zeros(7)])
    np.testing.assert_allclose(first.kernel, weights[0], rtol=1e-6)


def test_configurations_make_equal_layers() -> None:
    net = small_net()
    net.build((None, 6, 4, 3))
    data = json.loads(json.dumps(layers.serialize(net)))
    again = layers.deserialize(data)
    again.build((None, 6, 4, 3))
    again.set_weights(net.get_weights())
    x = RNG.normal(size=(2, 6, 4, 3))
    np.testing.assert_array_equal(again(x), net(x))
    assert json.loads(json.dumps(layers.serialize(again))) == data
    factors = layers.Conv1D(1, 1)
    factors.l2_factor_of["bias"] = 2.0
    assert layers.deserialize(layers.serialize(factors)).l2_factor_of == {"bias": 2.0}
    keras = {"module": "keras.layers", "class_name": "ZeroPadding1D", "config": {"padding": 2}, "registered_name": None}
    assert layers.deserialize(keras).padding == (2, 2)


class Doubled(layers.Activation):
    """A layer of one's own."""


def test_a_class_of_ones_own_is_named() -> None:
    data = layers.serialize(layers.Chain([Doubled("relu")]))
    with pytest.raises(ConvError, match="custom_objects"):
        layers.deserialize(data)
    made = layers.deserialize(data, {"Doubled": Doubled})
    assert isinstance(made, layers.Chain)
    assert type(made.layers[0]) is Doubled


def test_a_declared_input() -> None:
    assert layers.Conv2D(2, 3, input_shape=(None, 8, 3)).batch_input_shape == (None, None, 8, 3)
    assert layers.Dense(2, input_shape=[4]).batch_input_shape == (None, 4)
    assert layers.Input((4, 2), batch_size=3).batch_input_shape == (3, 4, 2)
    np.testing.assert_array_equal(layers.Input((2,))([[1.0, 2.0]]), [[1, 2]])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: layers.Dense(0), ["`units` = 0"]),
        (lambda: layers.Dense(2, unit=3), ["`unit` = 3", "did you mean 'units'"]),
        (lambda: layers.Dense(2)(np.ones(3)), ["`inputs`", "1 axes"]),
        (lambda: layers.Dense(2).build((None, None)), ["`input_shape`", "channels are unknown"]),
        (lambda: layers.Dense(2, input_shape=3), ["`input_shape` = 3", "without the batch"]),
        (lambda: layers.Dense(2, input_shape=("a",)), ["`input_shape` = ('a',)", "no size"]),
        (lambda: layers.Conv2D(2, 3, input_shape=(1, 8, 8, 3)), ["`input_shape` = (1, 8, 8, 3)", "one sample"]),
        (lambda: layers.Activation("rleu"), ["`activation` = 'rleu'", "did you mean 'relu'"]),
        (lambda: layers.Activation(np.sum)(np.ones((2, 2))), ["`activation`", "returned shape ()"]),
        (lambda: layers.Flatten("last"), ["`data_format` = 'last'"]),
        (lambda: layers.Flatten().geometry((1, 2)), ["`layer`", "slides no kernel"]),
        (lambda: layers.Flatten().stages((1, 2)), ["`layer`", "slides no kernel"]),
        (lambda: layers.Flatten().compute_output_shape((1, 0)), ["`input_shape` = (1, 0)", "no size"]),
        (lambda: layers.Flatten().compute_output_shape(3), ["`input_shape` = 3"]),
        (lambda: layers.BatchNormalization(axis=3)(np.ones((2, 3))), ["`axis` = 3", "use -1, or 1 to 1"]),
        (lambda: layers.BatchNormalization(axis=0)(np.ones((2, 3))), ["`axis` = 0", "batch"]),
        (lambda: layers.BatchNormalization(momentum=2), ["`momentum` = 2"]),
        (lambda: layers.LayerNormalization(axis=[1, 2]), ["`axis` = [1, 2]", "whole number"]),
        (lambda: layers.LayerNormalization(epsilon=-1), ["`epsilon` = -1"]),
        (lambda: layers.Concatenate()(np.ones((2, 3))), ["`inputs`", "list of arrays"]),
        (lambda: layers.Concatenate()([np.ones((2, 3)), np.ones((3, 3))]), ["`inputs`", "axis 0"]),
        (lambda: layers.Concatenate()([np.ones((2, 3)), np.ones((2, 3, 1))]), ["`inputs`", "number of axes"]),
        (lambda: layers.Concatenate(axis=4)([np.ones((2, 3))]), ["`axis` = 4"]),
        (lambda: layers.Add()([np.ones((2, 3)), np.ones((2, 4))]), ["`inputs`", "axis 1"]),
        (lambda: layers.Add().compute_output_shape(3), ["`input_shape` = 3"]),
        (lambda: layers.Add().backward(np.ones(3)), ["`dy`", "forward"]),
        (lambda: layers.Chain(3), ["`layers` = 3"]),
        (lambda: layers.Chain([layers.Flatten]), ["`layers[0]`", "not a layer"]),
        (lambda: layers.Chain([layers.Add()]), ["`layers[0]`", "Branches"]),
        (lambda: layers.Chain([layers.Flatten()] * 2), ["`layers[1]`", "there already"]),
        (lambda: layers.Branches([]), ["`branches` = []"]),
        (lambda: layers.Branches([[layers.Flatten]]), ["`layers[0]`", "not a layer"]),
        (lambda: layers.Branches([[]], merge="mul"), ["`merge` = 'mul'", "concatenate"]),
        (lambda: layers.Branches([[layers.Flatten()]] * 2), ["`branches[1]`", "there already"]),
        (lambda: layers.Chain([layers.Flatten()]).set_weights([1]), ["`weights`", "not built"]),
        (lambda: small_net().build((None, 6, 3, 3)), ["`input_shape`", "axis 2"]),
        (lambda: small_net()(np.ones((1, 6, 4, 3), complex)), ["`inputs`", "complex"]),
        (lambda: layers.Chain([layers.Conv1D(2, 3)])(np.ones((1, 2, 1))), ["`inputs`", "conv1d"]),
        (lambda: layers.deserialize(3), ["`layer` = 3"]),
        (lambda: layers.deserialize({"class_name": "Popen", "module": "subprocess"}), ["`class_name` = 'Popen'"]),
        (lambda: layers.deserialize({"class_name": "np", "module": "refconv.layers.base"}), ["`class_name` = 'np'"]),
        (lambda: layers.deserialize({"class_name": "Flatten", "config": 3}), ["`config` = 3"]),
        (lambda: layers.deserialize({"class_name": "Dense", "config": {}}), ["`config` = {}", "Dense"]),
        (lambda: layers.Input((0,)), ["`shape` = (None, 0)", "no size"]),
        (lambda: layers.Input(3), ["`shape` = 3"]),
        (lambda: layers.Input((3,), batch_size=-1), ["`batch_size` = -1"]),
        (lambda: layers.Input((3,))(np.ones((2, 4))), ["`inputs`", "declares (None, 3)"]),
    ],
)
def test_errors(call, words: list[str]) -> None:
    with pytest.raises(ConvError) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


KERAS = """
import json, sys
import numpy as np
import keras, torch
found = []
for name, arguments, weights, x, dy in json.load(sys.stdin):
    layer = getattr(keras.layers, name)(**arguments)
    x = torch.tensor(x, dtype=torch.float32, requires_grad=True)
    layer.build(tuple(x.shape))
    layer.set_weights([np.array(w) for w in weights])
    called = keras.ops.convert_to_numpy(layer(x)).tolist()
    training = {"training": True} if name == "BatchNormalization" else {}
    y = layer(x, **training)
    y.backward(torch.tensor(dy, dtype=torch.float32))
    gradients = [w.value.grad.tolist() for w in layer.trainable_weights]
    after = [np.asarray(w).tolist() for w in layer.get_weights()]
    found.append([called, y.detach().numpy().tolist(), x.grad.tolist(), gradients, after])
print(json.dumps(found))
"""


@pytest.mark.peers
def test_values_and_gradients_are_those_of_keras() -> None:
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec("torch") is None:
        pytest.skip("keras or torch is not installed")
    cases: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
        ("BatchNormalization", {}, (4, 5, 3)),
        ("BatchNormalization", {"axis": 1, "momentum": 0.8, "epsilon": 0.1, "scale": False}, (4, 5, 3, 2)),
        ("LayerNormalization", {}, (4, 5, 3)),
        # Keras 3.15.1 on torch takes no axis but the last.
        ("LayerNormalization", {"center": False}, (4, 5, 3)),
        ("Dense", {"units": 4, "activation": "tanh"}, (2, 3, 5)),
        ("Flatten", {}, (2, 3, 4)),
        ("Flatten", {"data_format": "channels_first"}, (2, 3, 4, 5)),
        ("Activation", {"activation": "gelu"}, (2, 3, 4)),
    ]
    ours, given = [], []
    for name, arguments, shape in cases:
        layer, x = getattr(layers, name)(**arguments), RNG.normal(1, 2, shape).astype(np.float32)
        layer.build(shape)
        layer.set_weights([RNG.uniform(0.5, 2, w.shape) for w in layer.weights])
        weights = [w.tolist() for w in layer.get_weights()]
        called, y = layer(x), layer.forward(x)
        dy = RNG.normal(size=y.shape).astype(np.float32)
        ours.append([called, y, layer.backward(dy), layer.gradients, layer.get_weights()])
        given.append([name, arguments, weights, x.tolist(), dy.tolist()])
    done = subprocess.run(
        [sys.executable, "-c", KERAS],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "torch"},
        check=True,
    )
    for case, mine, theirs in zip(cases, ours, json.loads(done.stdout), strict=True):
        for a, b in zip(mine[:3], theirs[:3], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-5, err_msg=str(case))
        for arrays, peers in zip(mine[3:], theirs[3:], strict=True):
            for a, b in zip(arrays, peers, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-5, err_msg=str(case))
