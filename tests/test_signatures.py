"""The tables of signatures: complete, and true of the live signatures of refconv and of its peers."""

from __future__ import annotations

import dataclasses
import inspect
import json
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import refconv
from refconv import ConvError, conventions, layers
from refconv.cli.commands import commands
from refconv.dialects import keras1, matlab, tf_keras
from refconv.signatures import FRAMEWORKS, LAYERS, STRATEGIES, signature
from refconv.signatures.tables import TABLES, Word

# As the two-framework documentation of Conv1DTranspose has it.
ABSTRACT = (
    "Conv1DTranspose(filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation, "
    "use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer, "
    "kernel_constraint, bias_constraint, kwargs)"
)

ROWS = [(layer, framework) for layer in LAYERS for framework in FRAMEWORKS]


def part(layer: str, framework: str) -> Any:
    return signature(layer).framework(framework)


def words_of(found: Any) -> set[str]:
    """All of a framework's words: those that stand for an argument, and the others."""
    words = {word for m in found.arguments if m.word is not None for word in m.word.split(", ")}
    return words | set(found.others)


def arguments_of(function: Any) -> set[str]:
    parameters = inspect.signature(function).parameters
    return set(parameters) - {"self"}


def test_the_documented_signature() -> None:
    found = signature("Conv1DTranspose")
    assert found.abstract == ABSTRACT
    documented = {"keras": "keras.layers.Conv1DTranspose", "tf": "tf.keras.layers.Conv1DTranspose"}
    for framework, api in documented.items():
        assert found.framework(framework).api == api
        assert found.framework(framework).strategy == "direct"
        assert all(m.strategy == "direct" for m in found.framework(framework).arguments)


def test_every_layer_is_there() -> None:
    convolving = {
        name
        for name in layers.__all__
        if hasattr(getattr(layers, name), "kind") and getattr(layers, name).__name__ == name
    }
    assert convolving == set(LAYERS)
    for name, (kind, rank) in LAYERS.items():
        cls = getattr(layers, name)
        assert (cls.kind, cls.rank) == (kind, rank)
    assert list(FRAMEWORKS) == list(TABLES)


@pytest.mark.parametrize("name", LAYERS)
def test_no_argument_is_missing(name: str) -> None:
    live = inspect.signature(getattr(layers, name)).parameters
    found = signature(name)
    assert list(found.arguments) == list(live)
    for argument, parameter in live.items():
        given = parameter.default is parameter.empty
        assert found.arguments[argument] == ("" if given else repr(parameter.default))
    for each in found.frameworks:
        assert [m.argument for m in each.arguments] == ([] if each.api is None else list(live))


@pytest.mark.parametrize(("name", "framework"), ROWS)
def test_every_entry_says_what_it_must(name: str, framework: str) -> None:
    found = part(name, framework)
    assert found.strategy in STRATEGIES
    assert (found.api is None) == (found.strategy == "none") == (found.url == "")
    assert found.reason or found.api is not None
    assert "{" not in f"{found.api}{found.url}"
    for m in found.arguments:
        assert m.strategy in STRATEGIES
        assert (m.word is None) == (m.strategy == "none")
        assert m.strategy != "direct" or m.word == m.argument
        assert m.strategy != "renamed" or m.word != m.argument
        assert m.reason or m.strategy in ("direct", "renamed")
    assert all(found.others.values())


def test_no_entry_is_of_an_argument_that_no_layer_has() -> None:
    for framework, tables in TABLES.items():
        for kind, table in tables.items():
            names = [name for name, (own, _) in LAYERS.items() if own == kind]
            arguments = {argument for name in names for argument in signature(name).arguments}
            shared = {key for key in table.words if "*" not in key and key not in arguments}
            # Tables of one framework share their base, which has a convolution's words.
            assert shared <= set(signature("Conv1D").arguments), (framework, kind)


def test_the_furthest_strategy_is_the_layers() -> None:
    assert part("Conv2D", "keras").strategy == "direct"
    assert part("Conv2D", "keras1").strategy == "renamed"
    assert part("Conv2D", "torch").strategy == "needs explicit padding"
    assert part("Conv2D", "onnx").strategy == "renamed"
    assert part("Conv1D", "onnx").strategy == "needs explicit padding"
    assert part("Cropping2D", "matlab").strategy == "none"


# Live signatures.


@pytest.mark.parametrize("name", LAYERS)
def test_against_our_keras_1(name: str) -> None:
    found = part(name, "keras1")
    if found.api is None:
        return
    own = getattr(keras1, found.api.removeprefix("keras.layers."))
    rank = LAYERS[name][1]
    # Dilation is a class of its own.
    atrous = {"atrous_rate"} if found.api.startswith("keras.layers.Convolution") and rank < 3 else set()
    assert words_of(found) - atrous == arguments_of(own)
    if atrous:
        assert atrous <= arguments_of(getattr(keras1, f"AtrousConvolution{rank}D"))


@pytest.mark.parametrize("name", LAYERS)
def test_against_our_tf(name: str) -> None:
    found = part(name, "tf")
    if found.api is None:
        return
    assert words_of(found) == arguments_of(getattr(tf_keras, found.api.removeprefix("tf.keras.layers.")))


@pytest.mark.parametrize("name", [name for name, (kind, _) in LAYERS.items() if kind in ("conv", "conv-transpose")])
def test_against_our_matlab(name: str) -> None:
    found = part(name, "matlab")
    function = getattr(matlab, found.api)
    layer = function(2, 3)
    assert words_of(found) == {"filterSize", "numFilters", *layer.arguments}


# Of each kind, the words that our conventions read: the framework's arithmetic, without arrays and training.
FRAMEWORK_OF = {"torch": "torch", "onnx": "onnx", "jax": "jax", "keras": "keras"}


@pytest.mark.parametrize(("name", "framework"), [row for row in ROWS if row[1] in FRAMEWORK_OF])
def test_words_are_those_of_the_conventions(name: str, framework: str) -> None:
    found, (kind, _) = part(name, framework), LAYERS[name]
    if found.api is None or found.reason or kind in ("zero-padding", "cropping", "upsampling"):
        return
    module = __import__(f"refconv.conventions.{framework}", fromlist=[""])
    read = {
        parameter.name
        for parameter in inspect.signature(getattr(module, kind.replace("-", "_"))).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    # The shape of an array is not an argument in JAX, nor output_size one of PyTorch's constructor.
    assert read - {"output_size"} - ({"kernel_size"} if framework == "jax" else set()) <= words_of(found)


@pytest.mark.peers
@pytest.mark.parametrize("name", LAYERS)
def test_against_keras(name: str) -> None:
    keras = pytest.importorskip("keras")
    found = part(name, "keras")
    if found.api is None:
        assert not hasattr(keras.layers, name)
        return
    live = inspect.signature(getattr(keras.layers, name).__init__).parameters
    assert [m.word for m in found.arguments] == [argument for argument in live if argument != "self"]


@pytest.mark.peers
@pytest.mark.parametrize("name", LAYERS)
def test_against_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    found = part(name, "torch")
    assert words_of(found) == arguments_of(getattr(torch.nn, found.api.removeprefix("torch.nn.")).__init__)


@pytest.mark.peers
@pytest.mark.parametrize("name", LAYERS)
def test_against_jax(name: str) -> None:
    jax = pytest.importorskip("jax")
    found = part(name, "jax")
    function = jax
    for step in found.api.split(".")[1:]:
        function = getattr(function, step)
    assert words_of(found) == arguments_of(function)


@pytest.mark.peers
@pytest.mark.parametrize("name", LAYERS)
def test_against_onnx(name: str) -> None:
    onnx = pytest.importorskip("onnx")
    found = part(name, "onnx")
    schema = onnx.defs.get_schema(found.api)
    assert words_of(found) == {each.name for each in schema.inputs} | set(schema.attributes)


# What the reasons say, by geometry.


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_jax_words_are_keras_transposed_ones(padding: str) -> None:
    for k in range(1, 6):
        for s in range(1, 6):
            ours = conventions.read("conv-transpose", 4, "keras", kernel_size=k, strides=s, padding=padding)
            words = {"kernel_size": k, "strides": s, "padding": padding.upper(), "transpose_kernel": True}
            assert conventions.read("conv-transpose", 4, "jax", **words).geometry == ours.geometry


def test_torch_and_onnx_need_output_padding_for_valid() -> None:
    for k in range(1, 6):
        for s in range(1, 6):
            ours = conventions.read("conv-transpose", 4, "keras", kernel_size=k, strides=s).geometry
            extra = max(s - k, 0)
            torch = conventions.read("conv-transpose", 4, "torch", kernel_size=k, stride=s, output_padding=extra)
            onnx = conventions.read("conv-transpose", 4, "onnx", kernel_shape=k, strides=s, output_padding=extra)
            assert torch.geometry == onnx.geometry == ours


def test_same_of_torch_onnx_and_matlab() -> None:
    for k in range(1, 6):
        for s in range(1, 6):
            ours = conventions.read("conv-transpose", 4, "keras", kernel_size=k, strides=s, padding="same").geometry
            onnx = conventions.read("conv-transpose", 4, "onnx", kernel_shape=k, strides=s, auto_pad="SAME_UPPER")
            same = conventions.read("conv-transpose", 4, "matlab", FilterSize=k, Stride=s, Cropping="same")
            assert onnx.geometry == same.geometry == ours
            if k < s or (k - s) % 2 == 0:
                padding, extra = (0, s - k) if k < s else ((k - s) // 2, 0)
                words = {"kernel_size": k, "stride": s, "padding": padding, "output_padding": extra}
                assert conventions.read("conv-transpose", 4, "torch", **words).geometry == ours


# How it is asked for.


def test_it_is_exported() -> None:
    assert refconv.signature is signature
    assert "signature" in dir(refconv)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("Conv1DTranspose", "Conv1DTranspose"),
        ("conv1dtranspose", "Conv1DTranspose"),
        ("Convolution2D", "Conv2D"),
        ("Convolution3DTranspose", "Conv3DTranspose"),
        ("torch.nn.Conv2d", "Conv2D"),
        ("ConvTranspose1d", "Conv1DTranspose"),
        ("Deconvolution2D", "Conv2DTranspose"),
        ("tf.keras.layers.UpSampling3D", "UpSampling3D"),
        ("transposedConv3dLayer", "Conv3DTranspose"),
        ("resize2dlayer", "UpSampling2D"),
        (layers.DepthwiseConv3D, "DepthwiseConv3D"),
        (layers.Convolution1D, "Conv1D"),
        (layers.ZeroPadding2D(), "ZeroPadding2D"),
        (keras1.Deconvolution2D, "Conv2DTranspose"),
        (keras1.UpSampling1D(), "UpSampling1D"),
        (matlab.transposedConv3dLayer, "Conv3DTranspose"),
        (matlab.convolution1dLayer(3, 2), "Conv1D"),
        (matlab.convolution1dLayer(3, 2).core, "Conv1D"),
    ],
)
def test_layers_by_any_name(asked: Any, name: str) -> None:
    assert signature(asked).layer == name


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("conv", r"`layer` = 'conv': three layers are of this kind; use Conv1D or Conv2D or Conv3D\."),
        ("zero_padding", r"use ZeroPadding1D or ZeroPadding2D"),
        ("conv_general_dilated", r"the name of 3 layers; use one of Conv1D, Conv2D, Conv3D\."),
        ("Conv2DTranpose", r"did you mean 'Conv2DTranspose'\?"),
        ("zzz", r"no layer of this name; use Conv1D or Conv2D"),
        (5, r"`layer` = 5: not a layer of refconv"),
        (np.sum, r"not a layer of refconv"),
    ],
)
def test_unknown_layers(asked: Any, message: str) -> None:
    with pytest.raises(ConvError, match=message):
        signature(asked)


def test_unknown_frameworks() -> None:
    with pytest.raises(ConvError, match=r"`framework` = 'pytorch': .*did you mean 'torch'\?"):
        signature("Conv1D").framework("pytorch")


def test_the_text() -> None:
    assert str(signature("ZeroPadding1D").only("keras1")) == (
        "ZeroPadding1D(padding=1, data_format=None, kwargs)\n\n"
        "Keras 1: keras.layers.ZeroPadding1D\n"
        "  Strategy: renamed\n"
        "  Documentation: https://faroit.com/keras-docs/1.2.2/layers/convolutional/\n"
        "  padding -> the same: a number, or (left_pad, right_pad)\n"
        "  data_format -> none: channels last only\n"
        "  kwargs -> the same: input_shape, name, trainable; there is no dtype"
    )
    assert "MATLAB: none, pads in the convolution that follows: its Padding" in str(signature("ZeroPadding1D"))
    text = str(signature("Conv3D").framework("torch"))
    assert "  kernel_size, groups -> the same\n" in text
    assert "  besides, in_channels: the input's channels, known in advance\n" in text


def test_it_is_plain_data() -> None:
    found = signature("SeparableConv2D")
    read = json.loads(json.dumps(found.as_dict()))
    assert read["abstract"] == found.abstract
    assert [each["framework"] for each in read["frameworks"]] == list(FRAMEWORKS)
    assert read["frameworks"][0]["arguments"][0] == {
        "argument": "filters",
        "word": "nb_filter",
        "strategy": "renamed",
        "reason": "",
    }
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.layer = "Conv2D"
    assert Word("a") == Word("a", "", False)


# The command.


def run(command: str) -> Any:
    return CliRunner().invoke(commands, command.split())


def test_the_command() -> None:
    done = run("signature Conv1DTranspose")
    assert done.exit_code == 0
    assert done.output.startswith("Conv1DTranspose(filters, kernel_size, strides=1,")
    for title in FRAMEWORKS.values():
        assert f"\n{title}: " in done.output
    assert max(map(len, done.output.splitlines())) <= 100


def test_the_command_for_one_framework_and_as_json() -> None:
    done = run("signature ConvTranspose2d --framework torch --json")
    read = json.loads(done.output)
    assert read == json.loads(json.dumps(signature("Conv2DTranspose").only("torch").as_dict()))
    assert run("signature Conv2D -f matlab").output.count("Strategy") == 1


def test_what_the_command_refuses() -> None:
    done = run("signature conv")
    assert done.exit_code == 2
    assert "`LAYER` = 'conv': three layers are of this kind" in done.output
    done = run("signature Conv2D --framework pytorch")
    assert done.exit_code == 2
    assert "`--framework` = 'pytorch'" in done.output
