"""What a person asks of a layer, in every framework's words."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest

import refconv
from refconv.conventions import read
from refconv.errors import ConvError
from refconv.formulas import FORMULAS
from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.questions import explain, output_size


def outputs(n: int, kernel: int, stride: int, lo: int, hi: int) -> int:
    """Slide a (dilated) kernel along cells that are written out."""
    cells = list(range(n))[max(-lo, 0) : n - max(-hi, 0)]
    cells = ["pad"] * lo + cells + ["pad"] * hi
    return len([start for start in range(0, len(cells), stride) if start + kernel <= len(cells)])


def cases() -> list[tuple[str, str, dict[str, Any]]]:
    found: list[tuple[str, str, dict[str, Any]]] = []
    for k, s in itertools.product((1, 2, 3, 4), (1, 2, 3)):
        for padding in ("valid", "same", "causal", "full", 1, (2, 0), (0, 1), -1):
            found.append(("conv", "rule", {"kernel_size": k, "strides": s, "padding": padding}))
        for padding, op in itertools.product(("valid", "same", "full", 1, (1, 0), (0, 1)), (None, 0, 1)):
            words = {"kernel_size": k, "strides": s, "padding": padding, "output_padding": op}
            found.append(("conv-transpose", "rule", words))
        found.append(("conv", "keras1", {"kernel_size": k, "subsample": s, "border_mode": "same"}))
        found.append(("depthwise", "keras", {"kernel_size": k, "strides": s}))
        found.append(("separable", "tf", {"kernel_size": k, "strides": s, "padding": "same"}))
        found.append(("conv", "torch", {"kernel_size": k, "stride": s, "padding": 1, "dilation": 2}))
        for op in range(s):
            words = {"kernel_size": k, "stride": s, "padding": k // 2, "output_padding": op}
            found.append(("conv-transpose", "torch", words))
        for auto in ("SAME_UPPER", "SAME_LOWER", "VALID"):
            found.append(("conv", "onnx", {"kernel_shape": k, "strides": s, "auto_pad": auto}))
            found.append(("conv-transpose", "onnx", {"kernel_shape": k, "strides": s, "auto_pad": auto}))
        found.append(("conv-transpose", "onnx", {"kernel_shape": k, "strides": s, "output_shape": 7 * s}))
        for padding in ("SAME", "VALID"):
            found.append(("conv", "jax", {"kernel_size": k, "window_strides": s, "padding": padding}))
            found.append(("conv-transpose", "jax", {"kernel_size": k, "strides": s, "padding": padding}))
        inserted = {"kernel_size": k, "window_strides": s, "padding": ((2, 1),), "lhs_dilation": 3}
        found.append(("conv", "jax", inserted))
        found.append(("conv", "matlab", {"FilterSize": k, "Stride": s, "Padding": 1}))
        for crop in (0, "same"):
            found.append(("conv-transpose", "matlab", {"FilterSize": k, "Stride": s, "Cropping": crop}))
    found.append(("upsampling", "rule", {"size": 3, "interpolation": "bilinear"}))
    found.append(("zero-padding", "rule", {"padding": (1, 2)}))
    found.append(("cropping", "rule", {"cropping": (1, 2)}))
    return found


@pytest.mark.parametrize("n", [7, 10])
def test_every_framework_is_derived(n: int) -> None:
    """`derive` raises where a formula and the index rule disagree, so that to be derived is to agree."""
    for layer, framework, words in cases():
        told = explain(layer, n, framework=framework, **words)
        assert told.output_size == output_size(layer, n, framework=framework, **words)
        assert (told.layer, told.framework, told.input_size) == (layer, framework, (n,))
        assert json.loads(json.dumps(told.as_dict())) == told.as_dict()


def test_keras1_output_shape_is_derived() -> None:
    sizes = []
    for mode, size in [("valid", 25), ("valid", 26), ("same", 23), ("same", 24)]:
        words = {"kernel_size": 3, "subsample": (2, 2), "border_mode": mode, "output_shape": (None, 3, size, size)}
        told = explain("conv-transpose", (12, 12), framework="keras1", **words)
        sizes.append(told.output_size[0])
        pair = "25 and 26" if mode == "valid" else "23 and 24"
        assert told.axes[0].ambiguity.endswith(f"takes {pair} alike to 12; {size} is chosen: it is the output_shape.")
    assert sizes == [25, 26, 23, 24]


def test_every_closed_form_is_used_by_some_framework() -> None:
    used = {use.name for layer, framework, words in cases() for use in read(layer, 10, framework, **words).formulas}
    named = {name for name in FORMULAS if not re.fullmatch(r"R\d+", name)}
    assert named - used == {"keras1.transposed"}
    assert used <= named


def test_the_ambiguous_sizes_are_those_that_a_convolution_takes_to_the_input() -> None:
    told = 0
    for layer, framework, words in cases():
        (axis,) = read(layer, 10, framework, **words).geometry.axes
        ambiguity = explain(layer, 10, framework=framework, **words).axes[0].ambiguity
        if layer != "conv-transpose" or axis.input_dilation == 1:
            if layer != "conv":
                assert ambiguity == ""
            continue
        told += 1
        found = re.match(
            r"A convolution with kernel (\d+), stride (\d+) and ('same' padding|padding .*?) takes (.*) alike to 10; "
            r"(\d+) is (chosen|not among them): .+\.$",
            ambiguity,
        )
        assert found, ambiguity
        kernel, stride = int(found[1]), int(found[2])
        sizes = [int(size) for size in re.findall(r"\d+", found[4])]
        assert len(sizes) == stride
        assert int(found[5]) == axis.output_size
        assert (found[6] == "chosen") == (axis.output_size in sizes)
        if found[3] == "'same' padding":
            taken = [size for size in range(1, 60) if len(range(0, size, stride)) == 10]
        else:
            pads = [int(pad) for pad in re.findall(r"-?\d+", found[3])]
            taken = [size for size in range(1, 60) if outputs(size, kernel, stride, pads[0], pads[-1]) == 10]
        assert sizes == taken, ambiguity
    assert told > 100


@pytest.mark.parametrize(
    ("framework", "words", "reason"),
    [
        ("keras", {"kernel_size": 3, "strides": 2}, "21 is chosen: 'valid' by itself takes the smallest."),
        (
            "keras",
            {"kernel_size": 3, "strides": 2, "padding": "same"},
            "20 is chosen: 'same' by itself takes the largest",
        ),
        (
            "keras",
            {"kernel_size": 4, "strides": 2, "padding": "same", "output_padding": 0},
            "takes 19 and 20 alike to 10; 18 is not among them: output_padding is 0",
        ),
        ("keras", {"kernel_size": 2, "strides": 5}, "50 is chosen: 'valid' by itself appends 3"),
        ("torch", {"kernel_size": 3, "stride": 2, "padding": 1}, "19 is chosen: without output padding"),
        ("torch", {"kernel_size": 3, "stride": 2, "padding": 1, "output_size": 20}, "found from output_size, adds 1"),
        ("onnx", {"kernel_shape": 3, "strides": 2, "output_shape": 22}, "22 is chosen: it is the output_shape."),
        (
            "onnx",
            {"kernel_shape": 3, "strides": 2, "auto_pad": "SAME_UPPER"},
            "20 is chosen: it is the output_shape, which",
        ),
        ("rule", {"kernel_size": 3, "strides": 2, "padding": 1, "output_padding": 1}, "output padding adds 1"),
        ("rule", {"kernel_size": 3, "strides": 2, "padding": (1, 0)}, "a = 1 fewer cells are cropped after"),
    ],
)
def test_why_a_size_was_chosen(framework: str, words: dict[str, Any], reason: str) -> None:
    assert reason in explain("conv-transpose", 10, framework=framework, **words).axes[0].ambiguity


def test_the_inputs_that_share_an_output_keep_the_words_not_the_amounts() -> None:
    """Under 'same' the padding follows the input, so other sizes share the output than at fixed amounts."""
    for n, s, k in itertools.product(range(1, 12), range(1, 5), range(1, 5)):
        told = explain("conv", n, kernel_size=k, strides=s, padding="same")
        size = told.output_size[0]
        assert list(told.axes[0].sharing) == [m for m in range(1, 60) if len(range(0, m, s)) == size]


def test_a_derivation_reads_as_text() -> None:
    told = str(explain("conv", (224, 7), kernel_size=(7, 2), strides=(2, 4), padding=3, channels=3, filters=64))
    assert told.splitlines()[:8] == [
        "conv (rule): 224 x 7 -> 112 x 3",
        "",
        "Axis 0: 224 -> 112, padding and strides (R6)",
        "  o = floor((i + 2p - k) / s) + 1",
        "    = floor((224 + 2*3 - 7) / 2) + 1",
        "    = 112",
        "  with input i = 224, padding p = 3, kernel k = 7 and stride s = 2.",
        "  The floor drops the last cell of the padded input: 1 padding cell.",
    ]
    assert "2 of every 4 cells lie between the windows" in told
    assert "2,752 parameters" in told


def test_dilation_padding_and_crops_are_noted() -> None:
    same = explain("conv", 10, kernel_size=3, dilation_rate=4, padding="same", strides=2).axes[0].note
    assert "spans ke = d(k - 1) + 1 = 4(3 - 1) + 1 = 9 cells" in same
    assert "max((o - 1)s + ke - i, 0) = 7: 3 before, 4 after" in same
    cut = explain("conv", 10, kernel_size=3, padding=((-2, 1),)).axes[0].note
    assert cut == "The input is cropped by 2 before and extended by 1 after."
    up = explain("conv-transpose", 10, kernel_size=3, strides=2, padding=((1, -2),)).axes[0].note
    assert up == "The full output, s(i' - 1) + ke = 21 cells, is cropped by 1 before and extended by 2 after."
    beyond = explain("conv-transpose", 10, kernel_size=2, strides=2, padding=2).axes[0]
    assert (beyond.name, beyond.relationships) == ("transposed", ())
    assert "crops its own input" in beyond.note


def test_layers_that_do_not_convolve() -> None:
    up = explain("upsampling", (4, 5), size=(2, 3), channels=6)
    assert (up.output_size, up.parameters, up.multiply_adds) == ((8, 15), 0, 0)
    assert all(axis.relationships == () and axis.ambiguity == "" and axis.note == "" for axis in up.axes)
    assert str(up).endswith("No parameters.")
    smooth = explain("upsampling", (4, 5), size=2, interpolation="bilinear", channels=6)
    assert (smooth.parameters, smooth.multiply_adds) == (0, None)
    assert explain("zero-padding", 4, padding=(1, 3)).axes[0].substituted == "o = 4 + 1 + 3"
    assert explain("cropping", 9, cropping=(1, 3)).axes[0].substituted == "o = 9 - 1 - 3"


def test_geometries_and_readings_answer_for_themselves() -> None:
    geometry = ConvGeometry((AxisGeometry(5, 3, stride=2), AxisGeometry(7, 3)))
    assert output_size(geometry) == output_size(geometry, (5, 7)) == (2, 5)
    reading = read("conv-transpose", 10, "torch", kernel_size=3, stride=2)
    assert output_size(reading) == (21,)
    assert explain(reading).axes[0].name == "torch.transposed"
    assert explain(geometry, channels=2, filters=3).parameters == 9 * 6 + 3


class TestLayerObjects:
    def test_sizes(self) -> None:
        layers = refconv.layers
        assert output_size(layers.Conv1DTranspose(32, 3, 2), (4, 10, 128)) == (21,)
        last = layers.Conv2D(8, 3, padding="same", strides=2, data_format="channels_last")
        first = layers.Conv2D(8, 3, padding="same", strides=2, data_format="channels_first")
        assert output_size(last, (None, 10, 7, 4)) == output_size(first, (None, 4, 10, 7)) == (5, 4)
        assert output_size(layers.UpSampling2D((2, 3), interpolation="bilinear"), (1, 4, 5, 2)) == (8, 15)
        assert output_size(layers.Cropping1D((1, 2)), (1, 9, 2)) == (6,)

    @pytest.mark.parametrize(
        ("name", "arguments", "shape"),
        [
            ("Conv2D", {"filters": 6, "kernel_size": (3, 2), "groups": 2}, (1, 9, 8, 4)),
            ("Conv1DTranspose", {"filters": 6, "kernel_size": 3, "strides": 2, "use_bias": False}, (1, 9, 4)),
            ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 3}, (1, 9, 8, 4)),
            ("SeparableConv1D", {"filters": 5, "kernel_size": 3, "depth_multiplier": 2}, (1, 9, 4)),
            ("ZeroPadding2D", {"padding": ((1, 2), (0, 3))}, (1, 9, 8, 4)),
            ("UpSampling3D", {"size": 2}, (1, 3, 4, 5, 2)),
        ],
    )
    def test_parameters_are_the_layers_own(self, name: str, arguments: dict[str, Any], shape: tuple[int, ...]) -> None:
        layer = getattr(refconv.layers, name)(**arguments)
        layer.build(shape)
        told = explain(layer, shape)
        assert told.parameters == layer.count_params()
        assert told.output_size == layer.compute_output_shape(shape)[1:-1]

    def test_unknown_channels_leave_the_cost_out(self) -> None:
        told = explain(refconv.layers.Conv1D(4, 3), (None, 9, None))
        assert (told.output_size, told.parameters, told.multiply_adds) == ((7,), None, None)

    @pytest.mark.parametrize(
        ("shape", "message"),
        [(None, "input_shape"), (9, "input_shape"), ((1, 9), "input_shape"), ((1, None, 2), "whole number")],
    )
    def test_bad_shapes(self, shape: Any, message: str) -> None:
        with pytest.raises(ConvError, match=message):
            output_size(refconv.layers.Conv1D(4, 3), shape)

    def test_arguments_that_contradict_the_layer(self) -> None:
        with pytest.raises(ConvError, match=r"filters.*own is 4"):
            explain(refconv.layers.Conv1D(4, 3), (1, 9, 2), filters=5)
        with pytest.raises(ConvError, match="kernel_size"):
            output_size(refconv.layers.Conv1D(4, 3), (1, 9, 2), kernel_size=3)


@pytest.mark.parametrize(
    ("layer", "shape", "words", "name"),
    [
        ("conv", None, {"kernel_size": 3}, "input_shape"),
        ("conv", 9, {}, "kernel_size"),
        ("conv", 9, {"kernel_size": 3, "stride": 2}, "stride"),
        ("convolve", 9, {"kernel_size": 3}, "layer"),
        ("conv", 9, {"kernel_size": 3, "framework": "caffe"}, "framework"),
        (7, 9, {}, "layer"),
        (ConvGeometry((AxisGeometry(5, 3),)), 6, {}, "input_shape"),
        (ConvGeometry((AxisGeometry(5, 3),)), None, {"strides": 2}, "strides"),
    ],
)
def test_bad_arguments_are_named(layer: Any, shape: Any, words: dict[str, Any], name: str) -> None:
    for question in (output_size, explain):
        with pytest.raises(ConvError) as caught:
            question(layer, shape, **words)
        assert caught.value.argument == name
