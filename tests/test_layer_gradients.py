"""Layers' forward and backward: against differences, the matrix and PyTorch; regularizers and constraints."""

from __future__ import annotations

import numpy as np
import pytest
from ids import plain

import refconv
from refconv import ConvError, layers


def random_array(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# class, shape of the input without the batch, arguments
LINEAR = [
    ("Conv1D", (8, 4), {"filters": 6, "kernel_size": 3, "strides": 2, "padding": "same", "groups": 2}),
    ("Conv1D", (7, 2), {"filters": 3, "kernel_size": 2, "dilation_rate": 2, "padding": "causal"}),
    ("Conv2D", (5, 6, 2), {"filters": 3, "kernel_size": (3, 2), "strides": (1, 2)}),
    ("Conv2D", (5, 4, 4), {"filters": 2, "kernel_size": 2, "strides": 3, "groups": 2, "use_bias": False}),
    ("Conv3D", (3, 4, 3, 2), {"filters": 2, "kernel_size": (2, 3, 1), "padding": "same", "dilation_rate": (1, 2, 1)}),
    ("Conv1DTranspose", (4, 2), {"filters": 3, "kernel_size": 3, "strides": 2}),
    ("Conv1DTranspose", (4, 3), {"filters": 2, "kernel_size": 2, "strides": 4, "padding": "same"}),
    ("Conv2DTranspose", (3, 4, 2), {"filters": 3, "kernel_size": (3, 4), "strides": (2, 3), "padding": "same"}),
    ("Conv2DTranspose", (2, 3, 2), {"filters": 1, "kernel_size": 3, "strides": 2, "output_padding": (0, 1)}),
    (
        "Conv3DTranspose",
        (2, 3, 2, 2),
        {"filters": 2, "kernel_size": (2, 1, 2), "strides": (1, 3, 2), "padding": "same"},
    ),
    ("DepthwiseConv1D", (7, 3), {"kernel_size": 3, "depth_multiplier": 2, "strides": 2}),
    ("DepthwiseConv2D", (5, 6, 3), {"kernel_size": (2, 3), "depth_multiplier": 2, "dilation_rate": 2, "strides": 2}),
    ("DepthwiseConv3D", (3, 3, 4, 2), {"kernel_size": 2, "padding": "same", "use_bias": False}),
    ("SeparableConv1D", (7, 3), {"filters": 4, "kernel_size": 3, "depth_multiplier": 2, "strides": 2}),
    ("SeparableConv2D", (5, 6, 2), {"filters": 3, "kernel_size": (2, 3), "padding": "same", "depth_multiplier": 2}),
    ("SeparableConv3D", (3, 3, 4, 2), {"filters": 3, "kernel_size": 2}),
    ("UpSampling1D", (4, 2), {"size": 3}),
    *[
        ("UpSampling2D", (3, 4, 2), {"size": (2, 3), "interpolation": interpolation})
        for interpolation in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
    ],
    ("UpSampling3D", (2, 3, 2, 2), {"size": (2, 1, 3)}),
    ("ZeroPadding1D", (4, 2), {"padding": (2, 1)}),
    ("ZeroPadding2D", (3, 4, 2), {"padding": ((1, 0), (2, 3))}),
    ("ZeroPadding3D", (2, 3, 2, 2), {"padding": ((1, 0), (0, 2), (1, 1))}),
    ("Cropping1D", (6, 2), {"cropping": (2, 1)}),
    ("Cropping2D", (4, 7, 2), {"cropping": ((1, 0), (2, 3))}),
    ("Cropping3D", (3, 4, 4, 2), {"cropping": ((1, 0), (0, 2), (1, 1))}),
]
IDS = [f"{name}-{arguments}" for name, _, arguments in LINEAR]
# To these Keras gives no data format.
FORMATLESS = ("UpSampling1D", "Cropping1D")


def made(name, arguments, input_shape, seed=0):
    """Return a layer in double precision with random weights, its bias too."""
    layer = getattr(layers, name)(**{"dtype": "float64", **arguments})
    layer.build(input_shape)
    layer.set_weights([random_array(weight.shape, seed + i + 1) for i, weight in enumerate(layer.weights)])
    return layer


def differences(function, array, step=1.0):
    """The gradient of a function of an array by central differences, exact where it is linear."""
    result = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        moved = np.zeros_like(array)
        moved[place] = step
        result[place] = (function(array + moved) - function(array - moved)) / (2 * step)
    return result


def check_by_differences(layer, x, step, tolerance, penalized=False):
    """Compare `backward` with differences of ``sum(y * dy)``, of which the losses are a part if `penalized`."""
    dy = random_array(layer.forward(x).shape, 9)

    def loss(x):
        y = layer.forward(x)
        return (y * dy).sum() + (sum(layer.losses) if penalized else 0)

    weights = layer.get_weights()
    expected = differences(loss, x, step)
    of_weights = []
    for i, weight in enumerate(weights):

        def loss_of(value, i=i):
            layer.set_weights([*weights[:i], value, *weights[i + 1 :]])
            return loss(x)

        of_weights.append(differences(loss_of, weight, step))
        layer.set_weights(weights)
    layer.forward(x)
    np.testing.assert_allclose(layer.backward(dy), expected, rtol=tolerance, atol=tolerance)
    assert len(layer.gradients) == len(of_weights) == len(layer.trainable_weights)
    for gradient, weight, wanted in zip(layer.gradients, layer.trainable_weights, of_weights, strict=True):
        assert gradient.shape == weight.shape
        np.testing.assert_allclose(gradient, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "shape", "arguments"), LINEAR, ids=IDS)
def test_linear_layers_by_differences(name, shape, arguments):
    x = random_array((1, *shape))
    check_by_differences(made(name, arguments, x.shape), x, 1.0, 1e-11)


@pytest.mark.parametrize(("name", "shape", "arguments"), LINEAR, ids=IDS)
def test_the_input_gradient_is_the_transposed_matrix(name, shape, arguments):
    layer = made(name, arguments, (None, *shape))
    x = random_array((1, *shape))
    dy = random_array(layer.forward(x).shape, 9)
    dx = layer.backward(dy)
    assert dx.shape == x.shape
    matrix = refconv.matrix(layer, input_shape=x.shape)
    np.testing.assert_allclose(dx.ravel(), matrix.T @ dy.ravel(), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("name", "shape", "arguments"), [case for case in LINEAR if case[0] not in FORMATLESS])
def test_channels_first(name, shape, arguments):
    x = random_array((2, *shape))
    last = made(name, arguments, x.shape)
    turned = np.moveaxis(x, -1, 1)
    layer = made(name, {**arguments, "data_format": "channels_first"}, turned.shape)
    dy = random_array(last.forward(x).shape, 9)
    layer.forward(turned)
    dx = layer.backward(np.moveaxis(dy, -1, 1))
    np.testing.assert_allclose(np.moveaxis(dx, 1, -1), last.backward(dy), rtol=1e-12, atol=1e-12)
    for gradient, other in zip(layer.gradients, last.gradients, strict=True):
        np.testing.assert_allclose(gradient, other, rtol=1e-12, atol=1e-12)


CURVED = [("Conv2D", (4, 3, 2), {"filters": 2, "kernel_size": 2}), LINEAR[5], LINEAR[10], LINEAR[13]]


@pytest.mark.parametrize("activation", ["tanh", "softmax", "relu"])
@pytest.mark.parametrize(("name", "shape", "arguments"), CURVED, ids=[name for name, *_ in CURVED])
def test_activations_by_differences(name, shape, arguments, activation):
    x = random_array((2, *shape))
    layer = made(name, {**arguments, "activation": activation}, x.shape)
    check_by_differences(layer, x, 1e-6, 1e-7)


def test_an_activation_of_ones_own():
    class Square:
        def __call__(self, x):
            return x * x

        def gradient(self, x, dy):
            return 2 * x * dy

    x = random_array((2, 5, 2))
    check_by_differences(
        made("Conv1D", {"filters": 2, "kernel_size": 2, "activation": Square()}, x.shape), x, 1e-3, 1e-9
    )


def test_relu_stops_the_gradient_where_it_is_off():
    layer = layers.Conv1D(1, 1, activation="relu", kernel_initializer="ones")
    layer.forward([[[-1.0], [0.0], [2.0]]])
    np.testing.assert_array_equal(layer.backward([[[5.0], [6.0], [7.0]]]).ravel(), [0, 0, 7])
    np.testing.assert_array_equal(layer.gradients[0].ravel(), [14])
    np.testing.assert_array_equal(layer.gradients[1], [7])


class HalfSquare:
    """A regularizer: half the sum of squares, times a factor."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, w):
        return self.factor * (w**2).sum() / 2

    def gradient(self, w):
        return self.factor * w


class Rounded:
    """A constraint."""

    def __call__(self, w):
        return np.rint(w)


def regularized(name, arguments, input_shape):
    layer = made(name, arguments, input_shape)
    factor = 0.5
    for argument in layer.weight_initializers.values():
        setattr(layer, argument.replace("initializer", "regularizer"), HalfSquare(factor))
        factor += 1
    return layer


@pytest.mark.parametrize("activity", [None, HalfSquare(0.25)], ids=["weights", "activity"])
@pytest.mark.parametrize(("name", "shape", "arguments"), CURVED, ids=[name for name, *_ in CURVED])
def test_regularizers_by_differences(name, shape, arguments, activity):
    x = random_array((2, *shape))
    layer = regularized(name, arguments, x.shape)
    layer.activity_regularizer = activity
    check_by_differences(layer, x, 1e-3, 1e-8, penalized=True)


def test_the_activity_of_a_layer_without_weights():
    x = random_array((2, 4, 3))
    layer = layers.UpSampling1D(2, dtype="float64", activity_regularizer=HalfSquare(1))
    y = layer.forward(x)
    assert layer.losses == [pytest.approx((y**2).sum() / 2 / 2)]
    np.testing.assert_allclose(layer.backward(np.zeros_like(y)), x, rtol=1e-12)
    y += 1  # What was kept is not the caller's array.
    np.testing.assert_allclose(layer.backward(np.zeros_like(y)), x, rtol=1e-12)


def test_losses():
    x = random_array((4, 5, 2))
    layer = regularized("Conv1D", {"filters": 3, "kernel_size": 2}, x.shape)
    kernel, bias = layer.weights
    of_weights = [0.25 * (kernel**2).sum(), 0.75 * (bias**2).sum()]
    layer.activity_regularizer = HalfSquare(1)
    assert layer.losses == pytest.approx(of_weights)
    y = layer(x)
    assert layer.losses == pytest.approx(of_weights)
    np.testing.assert_array_equal(layer.forward(x), y)
    assert layer.losses == pytest.approx([(y**2).sum() / 2 / 4, *of_weights])
    assert all(type(loss) is float for loss in layer.losses)
    layer.trainable = False
    assert layer.losses == pytest.approx([(y**2).sum() / 2 / 4])
    assert layers.Conv1D(2, 2, kernel_regularizer="l2").losses == []
    layer.forward(x[:0])
    assert layer.losses == [0.0]


def test_constraints():
    layer = made("SeparableConv1D", {"filters": 3, "kernel_size": 2}, (None, 5, 2))
    before = layer.get_weights()
    held = layer.trainable_weights
    layer.apply_constraints()
    layer.pointwise_constraint = layer.bias_constraint = Rounded()
    layer.trainable = False
    layer.apply_constraints()
    for weight, value in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    layer.trainable = True
    layer.apply_constraints()
    expected = before[0], np.rint(before[1]), np.rint(before[2])
    for weight, holding, value in zip(layer.weights, held, expected, strict=True):
        np.testing.assert_array_equal(weight, value)
        assert weight is holding  # so that an optimizer's references stay good
    layer.depthwise_constraint = lambda w: w[0]
    with pytest.raises(ConvError, match="the weight has shape") as error:
        layer.apply_constraints()
    assert error.value.argument == "depthwise_constraint"


def test_a_call_keeps_nothing():
    x = random_array((1, 5, 2))
    layer = layers.Conv1D(3, 2)
    y = layer(x)
    assert layer._kept is None
    with pytest.raises(ConvError, match=r"call forward\(inputs\) first") as error:
        layer.backward(y)
    assert error.value.argument == "dy"
    np.testing.assert_array_equal(layer.forward(x), y)
    first = layer.backward(y)
    layer(x + 1)
    np.testing.assert_array_equal(layer.backward(y), first)


def test_a_frozen_layer_passes_the_gradient_on():
    x = random_array((1, 5, 2))
    layer = made("Conv1D", {"filters": 3, "kernel_size": 2}, x.shape)
    y = layer.forward(x)
    dx = layer.backward(y)
    layer.trainable = False
    np.testing.assert_array_equal(layer.backward(y), dx)
    assert layer.gradients == [] == layer.trainable_weights


@pytest.mark.parametrize(("name", "shape", "arguments"), LINEAR[::3], ids=IDS[::3])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_gradients_have_the_layers_type(name, shape, arguments, dtype):
    x = random_array((2, *shape))
    exact, layer = made(name, arguments, x.shape), made(name, {**arguments, "dtype": dtype}, x.shape)
    dy = random_array(exact.forward(x).shape, 9)
    layer.forward(x)
    tolerance = 100 * np.finfo(dtype).eps
    dx = layer.backward(dy)
    assert dx.dtype == dtype
    np.testing.assert_allclose(dx, exact.backward(dy), rtol=tolerance, atol=tolerance)
    for gradient, other in zip(layer.gradients, exact.gradients, strict=True):
        assert gradient.dtype == dtype
        np.testing.assert_allclose(gradient, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "shape", "arguments"), LINEAR[2::4], ids=IDS[2::4])
def test_integer_inputs(name, shape, arguments):
    x = np.random.default_rng(0).integers(-9, 9, (2, *shape))
    layer = made(name, arguments, x.shape)
    dy = random_array(layer.forward(x).shape, 9)
    dx, gradients = layer.backward(dy), layer.gradients
    assert dx.dtype == "float64"
    layer.forward(x.astype(float))
    np.testing.assert_allclose(dx, layer.backward(dy), rtol=1e-12, atol=1e-12)
    for gradient, other in zip(gradients, layer.gradients, strict=True):
        np.testing.assert_allclose(gradient, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "shape", "arguments"), LINEAR, ids=IDS)
def test_an_empty_batch(name, shape, arguments):
    layer = made(name, arguments, (0, *shape))
    layer.activity_regularizer = HalfSquare(1)
    y = layer.forward(np.zeros((0, *shape)))
    assert layer.backward(y).shape == (0, *shape)
    assert all(not gradient.any() for gradient in layer.gradients)
    assert layer.losses == [0.0]


def test_inputs_and_gradients_stay_as_they_are():
    x, dy = random_array((1, 5, 2)), random_array((1, 4, 3), 1)
    copies = x.copy(), dy.copy()
    x.flags.writeable = dy.flags.writeable = False
    layer = regularized("Conv1D", {"filters": 3, "kernel_size": 2, "activation": "relu"}, x.shape)
    weights = layer.get_weights()
    layer.activity_regularizer = HalfSquare(1)
    layer.forward(x)
    dx = layer.backward(dy)
    dx += 1
    for gradient in layer.gradients:
        gradient += 1
    for array, copy in zip((x, dy, *layer.weights), (*copies, *weights), strict=True):
        np.testing.assert_array_equal(array, copy)


def backward_after_forward(**words):
    layer = layers.Conv1D(3, 2, **words)
    layer.forward(np.ones((1, 5, 2)))
    return layer.backward(np.ones((1, 4, 3)))


class Wrong:
    """An activation and regularizer whose gradient has another shape."""

    def __call__(self, x):
        return x

    def gradient(self, x, dy=None):
        return x[:, :1]


@pytest.mark.parametrize(
    ("words", "argument", "parts"),
    [
        ({"activation": lambda x: x}, "activation", ["gradient", "gradient(x, dy)"]),
        ({"activation": np.tanh}, "activation", ["gradient(x, dy)"]),
        ({"activation": Wrong()}, "activation", ["(1, 1, 3)", "(1, 4, 3)"]),
        ({"kernel_regularizer": lambda w: 0.0}, "kernel_regularizer", ["gradient(w)"]),
        ({"activity_regularizer": lambda w: 0.0}, "activity_regularizer", ["gradient(w)"]),
        ({"kernel_regularizer": Wrong()}, "kernel_regularizer", ["(2, 1, 3)", "(2, 2, 3)"]),
    ],
    ids=plain,
)
def test_what_has_no_gradient_says_how_to_give_it_one(words, argument, parts):
    with pytest.raises(ConvError) as error:
        backward_after_forward(**words)
    assert error.value.argument == argument
    for part in parts:
        assert part in str(error.value)


@pytest.mark.parametrize("name", ["Conv1D", "UpSampling1D"])
def test_a_gradient_of_another_shape_is_refused(name):
    layer = getattr(layers, name)(**{"filters": 3, "kernel_size": 2} if name == "Conv1D" else {})
    shape = layer.forward(np.ones((2, 5, 2))).shape
    for wrong in (np.ones((1, *shape[1:])), np.ones(shape)[..., None], np.ones(shape)[:, 1:], 1.0):
        with pytest.raises(ConvError, match="the output has shape") as error:
            layer.backward(wrong)
        assert error.value.argument == "dy"
    with pytest.raises(ConvError, match="complex128"):
        layer.backward(np.ones(shape, complex))


def test_errors_of_forward_name_its_inputs():
    layer = layers.Conv1D(3, 4)
    with pytest.raises(ConvError, match="spans 4") as error:
        layer.forward(np.ones((1, 3, 2)))
    assert error.value.argument == "inputs"
    with pytest.raises(ConvError, match="2 axes"):
        layer.forward(np.ones((3, 2)))


def test_a_chain_learns():
    """Gradient descent on a small encoder-decoder goes down towards a known answer."""
    teacher = made("Conv1D", {"filters": 1, "kernel_size": 3, "padding": "same"}, (None, 8, 1), seed=3)
    chain = [
        made("Conv1D", {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}, (None, 8, 1), seed=0),
        made(
            "Conv1DTranspose", {"filters": 1, "kernel_size": 4, "strides": 2, "padding": "same"}, (None, 4, 4), seed=7
        ),
    ]
    x = random_array((16, 8, 1))
    target = teacher(x)
    losses = []
    for _ in range(150):
        y = x
        for layer in chain:
            y = layer.forward(y)
        dy = y - target
        losses.append((dy**2).mean())
        dy = 2 * dy / dy.size
        for layer in reversed(chain):
            dy = layer.backward(dy)
            for weight, gradient in zip(layer.trainable_weights, layer.gradients, strict=True):
                weight -= 0.1 * gradient
    assert losses[-1] < 0.05 * losses[0], losses[::30]


# PyTorch's autograd, live.


def to_torch(torch, array, turned=True):
    array = np.moveaxis(array, -1, 1) if turned else array
    return torch.tensor(np.ascontiguousarray(array), requires_grad=True)


def kernel_to_torch(torch, kernel):
    """Weights (k..., a, b) as (b, a, k...)."""
    return torch.tensor(np.moveaxis(kernel, (-1, -2), (0, 1)).copy(), requires_grad=True)


def depthwise_to_torch(torch, kernel):
    """Weights (k..., C, dm) as (C * dm, 1, k...)."""
    return torch.tensor(np.moveaxis(kernel.reshape(*kernel.shape[:-2], -1), -1, 0)[:, None].copy(), requires_grad=True)


def of_kernel(gradient):
    return np.moveaxis(gradient.numpy(), (0, 1), (-1, -2))


def of_depthwise(gradient, shape):
    return np.moveaxis(gradient.numpy()[:, 0], 0, -1).reshape(shape)


def compare(layer, x, run, weights, back):
    """Compare a layer with ``run(x)`` in PyTorch, and the gradients of its weights there, turned `back`."""
    torch = pytest.importorskip("torch")
    peer = to_torch(torch, x)
    theirs = run(peer)
    ours = layer.forward(x)
    np.testing.assert_allclose(ours, np.moveaxis(theirs.detach().numpy(), 1, -1), rtol=1e-7, atol=1e-7)
    dy = random_array(ours.shape, 9)
    theirs.backward(torch.tensor(np.moveaxis(dy, -1, 1).copy()))
    dx = layer.backward(dy)
    np.testing.assert_allclose(dx, np.moveaxis(peer.grad.numpy(), 1, -1), rtol=1e-7, atol=1e-7)
    for gradient, weight, turn in zip(layer.gradients, weights, back, strict=True):
        np.testing.assert_allclose(gradient, turn(weight.grad), rtol=1e-7, atol=1e-7)


def same_pads(layer, size):
    """Zeros before and after as PyTorch's `pad` takes them, last axis first: a convolution's for "same"."""
    amounts = []
    for n, k, s, d in zip(size, layer.kernel_size, layer.strides, layer.dilation_rate, strict=True):
        total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0) if layer.padding == "same" else 0
        amounts.insert(0, (total // 2, total - total // 2))
    return [amount for pair in amounts for amount in pair]


@pytest.mark.peers
@pytest.mark.parametrize("activation", [None, "relu", "tanh"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_kernel_layers_against_torch(rank, padding, activation):
    torch = pytest.importorskip("torch")
    nn = torch.nn.functional
    size = (6, 5, 4)[:rank]
    act = {None: lambda y: y, "relu": torch.relu, "tanh": torch.tanh}[activation]
    words = {"kernel_size": (3, 2, 2)[:rank], "strides": (2, 1, 2)[:rank], "padding": padding, "activation": activation}
    function, transposed = getattr(nn, f"conv{rank}d"), getattr(nn, f"conv_transpose{rank}d")
    as_is = torch.Tensor.numpy

    x = random_array((2, *size, 4))
    layer = made(f"Conv{rank}D", {**words, "filters": 6, "groups": 2}, x.shape)
    pads = same_pads(layer, size)
    kernel, bias = kernel_to_torch(torch, layer.kernel), to_torch(torch, layer.bias, False)
    compare(
        layer, x, lambda x: act(function(nn.pad(x, pads), kernel, bias, layer.strides, groups=2)), [kernel, bias],
        [of_kernel, as_is],
    )  # fmt: skip

    layer = made(f"DepthwiseConv{rank}D", {**words, "depth_multiplier": 2}, x.shape)
    kernel, bias = depthwise_to_torch(torch, layer.kernel), to_torch(torch, layer.bias, False)
    compare(
        layer, x, lambda x: act(function(nn.pad(x, pads), kernel, bias, layer.strides, groups=4)), [kernel, bias],
        [lambda gradient: of_depthwise(gradient, layer.kernel.shape), as_is],
    )  # fmt: skip

    layer = made(f"SeparableConv{rank}D", {**words, "filters": 3, "depth_multiplier": 2}, x.shape)
    depthwise, pointwise = (
        depthwise_to_torch(torch, layer.depthwise_kernel),
        kernel_to_torch(torch, layer.pointwise_kernel),
    )
    bias = to_torch(torch, layer.bias, False)

    def two_steps(x):
        return act(function(function(nn.pad(x, pads), depthwise, None, layer.strides, groups=4), pointwise, bias))

    turns = [lambda gradient: of_depthwise(gradient, layer.depthwise_kernel.shape), of_kernel, as_is]
    compare(layer, x, two_steps, [depthwise, pointwise, bias], turns)

    # Transposed: the full output, cropped as Keras' table says.
    layer = made(f"Conv{rank}DTranspose", {**words, "filters": 3}, x.shape)
    kernel, bias = kernel_to_torch(torch, layer.kernel), to_torch(torch, layer.bias, False)
    crop = []
    for k, s in zip(layer.kernel_size, layer.strides, strict=True):
        total = k - s if padding == "same" else min(k - s, 0)
        before = max(total // 2, 0) if padding == "same" else 0
        crop = [-before, before - total, *crop]

    def stamped(x):
        full = nn.pad(transposed(x, kernel, None, layer.strides), crop)
        return act(full + bias.reshape(1, -1, *(1,) * rank))

    compare(layer, x, stamped, [kernel, bias], [of_kernel, as_is])


@pytest.mark.peers
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_layers_without_weights_against_torch(rank):
    torch = pytest.importorskip("torch")
    nn = torch.nn.functional
    x = random_array((2, *(4, 5, 6)[:rank], 3))
    factors = (2, 3, 1)[:rank]
    sizes = [n * s for n, s in zip(x.shape[1:-1], factors, strict=True)]
    layer = made(f"UpSampling{rank}D", {"size": factors[0] if rank == 1 else factors}, x.shape)
    compare(layer, x, lambda x: nn.interpolate(x, sizes, mode="nearest-exact"), [], [])
    if rank == 2:
        layer = made("UpSampling2D", {"size": factors, "interpolation": "bilinear"}, x.shape)
        compare(layer, x, lambda x: nn.interpolate(x, sizes, mode="bilinear"), [], [])
    pairs = ((1, 2), (0, 3), (2, 1))[:rank]
    amounts = [amount for pair in pairs[::-1] for amount in pair]
    layer = made(f"ZeroPadding{rank}D", {"padding": pairs[0] if rank == 1 else pairs}, x.shape)
    compare(layer, x, lambda x: nn.pad(x, amounts), [], [])
    layer = made(f"Cropping{rank}D", {"cropping": pairs[0] if rank == 1 else pairs}, x.shape)
    compare(layer, x, lambda x: nn.pad(x, [-amount for amount in amounts]), [], [])
