"""What each framework's words mean, against independent enumeration, documented examples and live peers.

The oracles here pad, insert zeros and stamp in plain Python, without the index rule.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import random
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from refconv.conventions import FRAMEWORKS, LAYERS, Reading, read
from refconv.conventions.options import OPTIONS, WORDS, read_options
from refconv.errors import ConvError

# --- Oracles -----------------------------------------------------------------------------------------


def applied(reading: Reading, x: list[int], weights: list[int]) -> list[int]:
    """Apply a one-axis reading's geometry tap by tap."""
    (axis,) = reading.geometry.axes
    return [
        sum(weights[tap.kernel_index[0]] * x[tap.input_index[0]] for tap in axis.taps(o) if tap.input_index is not None)
        for o in range(axis.output_size)
    ]


def padded_correlation(x: list[int], w: list[int], stride: int, dilation: int, lo: int, hi: int) -> list[int]:
    """Correlate a list after padding it (negative amounts crop)."""
    cells = [0] * max(lo, 0) + x + [0] * max(hi, 0)
    cells = cells[max(-lo, 0) : len(cells) - max(-hi, 0)]
    span = (len(w) - 1) * dilation + 1
    return [sum(w[k] * cells[o + k * dilation] for k in range(len(w))) for o in range(0, len(cells) - span + 1, stride)]


def stamped(x: list[int], w: list[int], stride: int, dilation: int, lo: int, hi: int) -> list[int]:
    """Stamp the kernel at every input onto the full output, then crop it (negative appends zeros at the end)."""
    full = [0] * ((len(x) - 1) * stride + (len(w) - 1) * dilation + 1)
    for i, value in enumerate(x):
        for k, weight in enumerate(w):
            full[i * stride + k * dilation] += weight * value
    full += [0] * max(-hi, 0)
    return full[lo : len(full) - max(hi, 0)]


def numbers(count: int, seed: int) -> list[int]:
    generator = random.Random(seed)
    return [generator.randint(-9, 9) or 5 for _ in range(count)]


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(ConvError) as caught:
        call()
    return str(caught.value)


# --- Keras' transposed table: all 1,440 combinations --------------------------------------------------


def transposed_table(n: int, k: int, s: int, d: int, mode: str, op: int | None) -> tuple[int, int, int]:
    """Return size and crop as the table of Keras' transposed layers has them."""
    ke = (k - 1) * d + 1
    full = (n - 1) * s + ke
    if mode == "valid":
        if op is None:
            return (n - 1) * s + max(ke, s), 0, -max(s - ke, 0)
        return full + op, 0, -op
    if op is None:
        total = ke - s
        lo = max(total // 2, 0)
        return n * s, lo, total - lo
    total = ke - ke % 2 - op
    lo = max(total // 2, 0)
    return (n - 1) * s + ke % 2 + op, lo, total - lo


def transposed_cases() -> Iterator[tuple[int, int, int, int, str, int | None]]:
    for n, k, s, d in itertools.product(range(1, 6), range(1, 7), range(1, 6), range(1, 4)):
        if s > 1 and d > 1:
            continue
        for mode, op in itertools.product(("valid", "same"), (None, *range(s))):
            yield n, k, s, d, mode, op


@pytest.mark.parametrize("framework", ["keras", "tf", "rule"])
def test_keras_transposed_table(framework: str) -> None:
    count = 0
    for n, k, s, d, mode, op in transposed_cases():
        count += 1
        words = {"kernel_size": k, "strides": s, "padding": mode, "output_padding": op, "dilation_rate": d}
        size, lo, hi = transposed_table(n, k, s, d, mode, op)
        if size < 1:
            assert "nothing is left" in refused(lambda words=words, n=n: read("conv-transpose", n, framework, **words))
            continue
        reading = read("conv-transpose", n, framework, **words)
        assert reading.output_size == (size,)
        assert reading.geometry.axes[0].crop == (lo, hi)
        x, w = numbers(n, 1), numbers(k, 2)
        assert applied(reading, x, w) == stamped(x, w, s, d, lo, hi)
    assert count == 1440


# --- Convolution ----------------------------------------------------------------------------------------


def conv_cases() -> Iterator[tuple[int, int, int, int]]:
    return itertools.product(range(1, 9), range(1, 6), range(1, 4), range(1, 4))


@pytest.mark.parametrize("mode", ["valid", "same", "causal", "full"])
def test_words_of_padding(mode: str) -> None:
    for n, k, s, d in conv_cases():
        ke = (k - 1) * d + 1
        outputs = -(-n // s)
        total = max((outputs - 1) * s + ke - n, 0)
        lo, hi = {
            "valid": (0, 0),
            "same": (total // 2, total - total // 2),
            "causal": (ke - 1, 0),
            "full": (ke - 1, ke - 1),
        }[mode]
        words = {"kernel_size": k, "strides": s, "dilation_rate": d, "padding": mode}
        if n + lo + hi < ke:
            assert f"the smallest input here is {ke}" in refused(lambda words=words, n=n: read("conv", n, **words))
            continue
        reading = read("conv", n, **words)
        x, w = numbers(n, 3), numbers(k, 4)
        assert applied(reading, x, w) == padded_correlation(x, w, s, d, lo, hi)
        if mode == "same":
            assert reading.output_size == (outputs,)
        for framework in ("keras", "tf"):
            if mode == "full" or (s > 1 and d > 1):
                refused(lambda words=words, n=n, framework=framework: read("conv", n, framework, **words))
            else:
                assert read("conv", n, framework, **words).geometry == reading.geometry


@pytest.mark.parametrize(("lo", "hi"), [(0, 0), (1, 2), (3, 0), (-1, 1), (2, -1), (-1, -1)])
def test_amounts_of_padding(lo: int, hi: int) -> None:
    for n, k, s, d in conv_cases():
        if n + lo + hi < (k - 1) * d + 1:
            continue
        reading = read("conv", n, kernel_size=k, strides=s, dilation_rate=d, padding=((lo, hi),))
        x, w = numbers(n, 5), numbers(k, 6)
        assert applied(reading, x, w) == padded_correlation(x, w, s, d, lo, hi)


@pytest.mark.parametrize(("lo", "hi", "op"), [(0, 0, 0), (1, 1, 1), (2, 0, 0), (0, -2, 1), (1, 0, 3)])
def test_amounts_crop_a_transposed_layer(lo: int, hi: int, op: int) -> None:
    for n, k, s, d in itertools.product(range(1, 5), range(1, 5), range(1, 4), range(1, 4)):
        if (n - 1) * s + (k - 1) * d + 1 + op - lo - hi < 1:
            continue
        words = {"kernel_size": k, "strides": s, "dilation_rate": d, "output_padding": op}
        reading = read("conv_transpose", n, padding=((lo, hi),), **words)
        x, w = numbers(n, 7), numbers(k, 8)
        assert applied(reading, x, w) == stamped(x, w, s, d, lo, hi - op)


def test_full_of_a_transposed_layer_is_the_uncropped_output() -> None:
    # Where the stride is above the kernel, 'valid' appends zeros and 'full' does not.
    assert read("conv-transpose", 3, kernel_size=2, strides=4, padding="valid").output_size == (12,)
    assert read("conv-transpose", 3, kernel_size=2, strides=4, padding="full").output_size == (10,)


def test_the_rule_allows_what_keras_layers_refuse() -> None:
    reading = read("conv", (9, 9), kernel_size=3, strides=2, dilation_rate=(2, 3), padding="causal", groups=2)
    assert reading.geometry.groups == 2
    assert reading.output_size == (5, 5)
    reading = read("conv-transpose", (3, 3), kernel_size=3, strides=2, dilation_rate=2, groups=3, output_padding=5)
    assert reading.output_size == (14, 14)
    assert read("depthwise", (9, 9, 9), kernel_size=3, strides=(1, 2, 3)).output_size == (7, 4, 3)


# --- Documented examples --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("framework", "layer", "size", "words", "expected"),
    [
        ("keras", "conv-transpose", 10, {"kernel_size": 3, "strides": 2}, (21,)),
        ("keras", "conv", (10, 10), {"kernel_size": 3}, (8, 8)),
        ("keras", "depthwise", (10, 10), {"kernel_size": 3}, (8, 8)),
        ("keras", "cropping", (28, 28), {"cropping": ((2, 2), (4, 4))}, (24, 20)),
        ("keras", "cropping", (28, 28, 10), {"cropping": ((2, 4), (2, 4), (2, 4))}, (22, 22, 4)),
        ("keras", "upsampling", (2, 1), {"size": (1, 2)}, (2, 2)),
        ("keras", "zero-padding", 2, {"padding": 2}, (6,)),
        ("tf", "conv-transpose", 128, {"kernel_size": 3, "padding": "SAME"}, (128,)),
        ("tf", "separable", 10, {"kernel_size": 3, "padding": "causal"}, (10,)),
        ("keras1", "conv", (256, 256), {"nb_row": 3, "nb_col": 3, "border_mode": "same"}, (256, 256)),
        ("keras1", "conv", 10, {"filter_length": 3, "border_mode": "full", "subsample_length": 2}, (6,)),
        ("keras1", "conv", (4, 5, 6), {"kernel_dim1": 2, "kernel_dim2": 3, "kernel_dim3": 4}, (3, 3, 3)),
        ("keras1", "conv-transpose", (12, 12), {"kernel_size": 3, "output_shape": (None, 3, 14, 14)}, (14, 14)),
        (
            "keras1",
            "conv-transpose",
            (12, 12),
            {"kernel_size": 3, "output_shape": (None, 25, 26, 3), "subsample": (2, 2), "dim_ordering": "tf"},
            (25, 26),
        ),
        ("keras1", "zero-padding", (4, 4), {"padding": {"top_pad": 1, "right_pad": 2}}, (5, 6)),
        ("keras1", "zero-padding", 4, {"padding": {"left_pad": 1}}, (5,)),
        ("keras1", "zero-padding", (4, 4), {"padding": (1, 2)}, (6, 8)),
        ("keras1", "cropping", (28, 28), {"cropping": ((2, 2), (4, 4))}, (24, 20)),
        ("torch", "conv", 50, {"kernel_size": 3, "stride": 2}, (24,)),
        ("torch", "conv", (50, 100), {"kernel_size": (3, 5), "stride": (2, 1), "padding": (4, 2)}, (28, 100)),
        ("torch", "conv-transpose", (6, 6), {"kernel_size": 3, "stride": 2, "padding": 1}, (11, 11)),
        (
            "torch",
            "conv-transpose",
            (6, 6),
            {"kernel_size": 3, "stride": 2, "padding": 1, "output_size": (12, 12)},
            (12, 12),
        ),
        ("torch", "zero-padding", (3, 3), {"padding": (1, 1, 2, 0)}, (5, 5)),
        ("onnx", "conv", (7, 5), {"kernel_shape": 3, "strides": 2, "pads": [1, 0, 1, 0]}, (4, 2)),
        ("onnx", "conv", (5, 5), {"kernel_shape": 3, "strides": 2, "auto_pad": "SAME_LOWER"}, (3, 3)),
        ("onnx", "conv-transpose", (3, 3), {"kernel_shape": 3, "strides": (3, 2)}, (9, 7)),
        (
            "onnx",
            "conv-transpose",
            (3, 3),
            {"kernel_shape": 3, "strides": (3, 2), "output_padding": (1, 1)},
            (10, 8),
        ),
        ("onnx", "conv-transpose", (3, 3), {"kernel_shape": 3, "strides": (3, 2), "output_shape": (10, 8)}, (10, 8)),
        ("onnx", "conv-transpose", (3, 3), {"kernel_shape": 3, "strides": 2, "auto_pad": "SAME_UPPER"}, (6, 6)),
        ("onnx", "conv-transpose", (3, 3), {"kernel_shape": 3, "strides": (3, 2), "pads": [1, 2, 1, 2]}, (7, 3)),
        ("onnx", "conv-transpose", (3, 3), {"kernel_shape": 2, "dilations": 2}, (5, 5)),
        ("jax", "conv-transpose", 10, {"kernel_size": 3, "strides": 2}, (21,)),
        ("jax", "conv-transpose", 10, {"kernel_size": 3, "strides": 2, "padding": "SAME"}, (20,)),
        ("jax", "conv-transpose", 10, {"kernel_size": 3, "strides": 2, "padding": [(1, 1)]}, (19,)),
        (
            "jax",
            "conv-transpose",
            10,
            {"kernel_size": 3, "strides": 2, "padding": [(1, 1)], "use_consistent_padding": True},
            (19,),
        ),
        ("matlab", "conv-transpose", (7, 9), {"FilterSize": 11, "Stride": (4, 2), "Cropping": "same"}, (28, 18)),
        ("matlab", "conv-transpose", (7, 9), {"FilterSize": 2, "Stride": 5, "Cropping": "same"}, (35, 45)),
        ("matlab", "conv-transpose", (4, 4, 4), {"FilterSize": 3, "Cropping": (1, 2, 2)}, (4, 2, 2)),
        ("matlab", "conv-transpose", (4, 4), {"FilterSize": 3, "Cropping": (1, 0, 0, 2)}, (5, 4)),
        ("matlab", "conv-transpose", 4, {"FilterSize": 3, "Cropping": (1, 0)}, (5,)),
        ("matlab", "conv", (28, 28), {"FilterSize": 5, "Stride": 2, "Padding": "same"}, (14, 14)),
        ("matlab", "conv", 10, {"FilterSize": 3, "DilationFactor": 2, "Padding": "causal"}, (10,)),
        ("matlab", "conv", (5, 6, 7), {"FilterSize": 3, "Padding": ((1, 0, 0), (0, 1, 2))}, (4, 5, 7)),
    ],
)
def test_documented_examples(framework: str, layer: str, size: Any, words: dict, expected: tuple[int, ...]) -> None:
    reading = read(layer, size, framework, **words)
    assert reading.output_size == expected
    assert (reading.layer, reading.framework) == (layer, framework)
    assert len(reading.formulas) == len(expected)


def test_keras1_deconvolution_accepts_its_legal_sizes_alone() -> None:
    for n, k, s, mode in itertools.product(range(1, 5), range(1, 5), range(1, 4), ("valid", "same", "full")):
        smallest = {"valid": s * (n - 1) + k, "same": s * (n - 1) + 1, "full": s * (n - 1) - k + 2}[mode]
        for size in range(1, s * n + k + 2):
            words = {"kernel_size": k, "subsample": s, "border_mode": mode, "output_shape": (size, size)}
            if not smallest <= size < smallest + s:
                message = refused(lambda words=words, n=n: read("conv-transpose", (n, n), "keras1", **words))
                assert "legal are" in message
                continue
            reading = read("conv-transpose", (n, n), "keras1", **words)
            total = (n - 1) * s + k - size
            lo = {"valid": 0, "same": max(total, 0) // 2, "full": k - 1}[mode]
            assert reading.output_size == (size, size)
            assert reading.geometry.axes[0].crop == (lo, total - lo)


def test_same_lower_puts_the_odd_cell_first() -> None:
    for n, k, s, d in conv_cases():
        upper = read("conv", n, "onnx", kernel_shape=k, strides=s, dilations=d, auto_pad="SAME_UPPER").geometry.axes[0]
        lower = read("conv", n, "onnx", kernel_shape=k, strides=s, dilations=d, auto_pad="SAME_LOWER").geometry.axes[0]
        jax = read("conv", n, "jax", kernel_size=k, window_strides=s, rhs_dilation=d, padding="same_lower")
        assert (upper.pad_before, upper.pad_after) == (lower.pad_after, lower.pad_before)
        assert lower.pad_before - lower.pad_after in (0, 1)
        assert jax.geometry.axes[0] == lower
        keras = read("conv", n, kernel_size=k, strides=s, dilation_rate=d, padding="same")
        assert keras.geometry.axes[0] == upper


def test_onnx_output_shape_splits_the_crop() -> None:
    for n, k, s, extra, mode in itertools.product(
        range(1, 4), range(1, 5), range(1, 4), range(-3, 4), ("NOTSET", "SAME_UPPER", "SAME_LOWER")
    ):
        size = (n - 1) * s + k + extra
        if size < 1:
            continue
        for op in range(s):
            words = {"kernel_shape": k, "strides": s, "output_padding": op, "output_shape": size, "auto_pad": mode}
            reading = read("conv-transpose", n, "onnx", **words)
            total = s * (n - 1) + op + k - size
            lo = 0 if total < 0 else total // 2 if mode == "SAME_UPPER" else total - total // 2
            assert reading.output_size == (size,)
            x, w = numbers(n, 9), numbers(k, 10)
            assert applied(reading, x, w) == stamped(x, w, s, 1, lo, total - lo - op)


def test_onnx_ignores_pads_beside_an_output_shape() -> None:
    words = {"kernel_shape": 3, "strides": 2, "output_shape": 6}
    assert read("conv-transpose", 3, "onnx", pads=[2, 2], **words) == read("conv-transpose", 3, "onnx", **words)


def test_jax_flips_the_kernel_only_if_asked() -> None:
    plain = read("conv-transpose", (3, 3), "jax", kernel_size=3, strides=2)
    flipped = read("conv-transpose", (3, 3), "jax", kernel_size=3, strides=2, transpose_kernel=True)
    assert not plain.geometry.axes[0].reversed
    assert flipped.geometry.axes[0].reversed
    assert flipped.geometry == read("conv-transpose", (3, 3), kernel_size=3, strides=2).geometry
    assert (plain.layout.weights, flipped.layout.weights) == ("HWIO", "HWOI")


def test_jax_dilates_its_input_in_a_convolution() -> None:
    for n, k, s, d, a in itertools.product(range(1, 5), range(1, 4), range(1, 3), range(1, 3), range(1, 4)):
        words = {"kernel_size": k, "window_strides": s, "rhs_dilation": d, "lhs_dilation": a, "padding": [(3, 4)]}
        reading = read("conv", n, "jax", **words)
        x, w = numbers(n, 11), numbers(k, 12)
        spread = [0] * ((n - 1) * a + 1)
        spread[::a] = x
        assert applied(reading, x, w) == padded_correlation(spread, w, s, d, 3, 4)


@pytest.mark.parametrize(
    ("framework", "layer", "size", "words", "layout"),
    [
        ("torch", "conv", (9, 9), {"kernel_size": 3}, ("NCHW", "OIHW", "NCHW")),
        ("torch", "conv-transpose", (9, 9), {"kernel_size": 3}, ("NCHW", "IOHW", "NCHW")),
        ("onnx", "conv-transpose", 9, {"kernel_shape": 3}, ("NCW", "IOW", "NCW")),
        ("jax", "conv", (9, 9), {"kernel_size": 3}, ("NCHW", "OIHW", "NCHW")),
        (
            "jax",
            "conv",
            (9, 9),
            {"kernel_size": 3, "dimension_numbers": ("NHWC", "HWIO", "NCHW")},
            ("NHWC", "HWIO", "NCHW"),
        ),
        ("matlab", "conv-transpose", (9, 9, 9), {"FilterSize": 3}, ("HWDCN", "HWDOI", "HWDCN")),
        ("keras1", "conv", (9, 9), {"kernel_size": 3}, ("NCHW", "OIHW", "NCHW")),
        ("keras1", "conv", (9, 9, 9), {"kernel_size": 3, "dim_ordering": "tf"}, ("NDHWC", "DHWIO", "NDHWC")),
        ("keras1", "separable", (9, 9), {"kernel_size": 3}, ("NCHW", "MIHW", "NCHW")),
        ("keras1", "conv", 9, {"kernel_size": 3}, ("NWC", "W1IO", "NWC")),
    ],
)
def test_layouts(framework: str, layer: str, size: Any, words: dict, layout: tuple[str, str, str]) -> None:
    assert read(layer, size, framework, **words).layout == layout


# --- Formulas -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("framework", "layer", "words", "name"),
    [
        ("rule", "conv", {"padding": "valid"}, "conv"),
        ("rule", "conv", {"padding": "same"}, "conv.same"),
        ("rule", "conv", {"padding": "causal"}, "conv.causal"),
        ("rule", "conv", {"padding": "full"}, "conv.full"),
        ("rule", "conv", {"padding": (1, 2)}, "conv"),
        ("rule", "conv-transpose", {"padding": 1}, "transposed"),
        ("keras", "conv-transpose", {}, "keras.transposed.valid"),
        ("keras", "conv-transpose", {"output_padding": 1, "strides": 2}, "keras.transposed.valid.output_padding"),
        ("keras", "conv-transpose", {"padding": "same"}, "keras.transposed.same"),
        (
            "tf",
            "conv-transpose",
            {"padding": "same", "output_padding": 0},
            "keras.transposed.same.output_padding",
        ),
        ("torch", "conv", {"padding": 1}, "torch.conv"),
        ("torch", "conv", {"padding": "same"}, "conv.same"),
        ("torch", "conv-transpose", {"padding": 1}, "torch.transposed"),
        ("jax", "conv", {}, "jax.conv"),
        ("jax", "conv-transpose", {}, "jax.transposed"),
        ("rule", "depthwise", {"padding": "same"}, "conv.same"),
        ("rule", "upsampling", {"size": 3}, "upsampling"),
        ("rule", "zero-padding", {}, "zero_padding"),
        ("rule", "cropping", {}, "cropping"),
    ],
)
def test_the_formula_is_named(framework: str, layer: str, words: dict, name: str) -> None:
    kernel = {"kernel_size": 3} if layer in ("conv", "conv-transpose", "depthwise") else {}
    reading = read(layer, 9, framework, **kernel, **words)
    (use,) = reading.formulas
    assert use.name == name
    assert use.values["i"] == 9


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_formula_gives_the_output_size(framework: str) -> None:
    formulas = pytest.importorskip("refconv.formulas")
    generator = random.Random(20)
    seen = set()
    for _ in range(400):
        layer = generator.choice(LAYERS)
        options = _random_options(generator, framework, layer)
        try:
            reading = read_options(layer, tuple(generator.randint(1, 9) for _ in range(2)), framework, **options)
        except ConvError:
            continue
        for axis, use in zip(reading.geometry.axes, reading.formulas, strict=True):
            seen.add(use.name)
            assert formulas.FORMULAS[use.name].compute(use.values) == axis.output_size, (use, axis)
    assert seen


def _random_options(generator: random.Random, framework: str, layer: str) -> dict[str, Any]:
    known = WORDS[framework].get(layer, {})
    values: dict[str, Any] = {
        "kernel": generator.randint(1, 5),
        "stride": generator.choice([1, 1, 2, (2, 3)]),
        "dilation": generator.choice([1, 1, 2]),
        "padding": generator.choice([0, 1, 2, ((1, 2), (0, 1)), "valid", "same", "full", "same-lower"]),
        "output_padding": generator.randint(0, 2),
        "output_shape": generator.randint(1, 20),
        "size": generator.randint(1, 3),
        "cropping": generator.randint(0, 2),
    }
    needed = {"kernel"} | ({"output_shape"} if framework == "keras1" else set())
    if layer == "zero-padding":
        needed |= {"padding"}
    return {
        option: value
        for option, value in values.items()
        if option in known and (option in needed or generator.random() < 0.6)
    }


# --- Refusals -------------------------------------------------------------------------------------------

REFUSALS: list[tuple[str, str, Any, dict[str, Any], str]] = [
    ("keras", "conv", (9, 9), {"kernel_size": 3, "strides": 2, "dilation_rate": 2}, "`strides` = 2: Keras does not"),
    ("keras", "conv", (9, 9), {"kernel_size": 3, "strides": (1, 2), "dilation_rate": (2, 1)}, "dilation_rate = (2, 1)"),
    ("keras", "conv-transpose", 9, {"kernel_size": 3, "strides": 2, "dilation_rate": 2}, "`strides` = 2: Keras does"),
    (
        "keras",
        "conv",
        (9, 9),
        {"kernel_size": 3, "padding": "causal"},
        "`padding` = 'causal': causal padding is for one",
    ),
    ("keras", "depthwise", 9, {"kernel_size": 3, "padding": "causal"}, "causal padding belongs to Conv1D"),
    ("keras", "separable", 9, {"kernel_size": 3, "padding": "causal"}, "causal padding belongs to Conv1D"),
    ("keras", "conv-transpose", 9, {"kernel_size": 3, "padding": "causal"}, "causal padding belongs to Conv1D"),
    ("keras", "conv", 9, {"kernel_size": 3, "padding": "full"}, "not one of 'valid', 'same', 'causal'"),
    ("keras", "conv", 9, {"kernel_size": 3, "padding": 1}, "`padding` = 1: Keras' layers take a word here"),
    ("keras", "conv", 9, {"kernel_size": 3, "padding": "sane"}, "did you mean 'same'?"),
    ("keras", "conv", 9, {"kernel_size": 10}, "the dilated kernel spans 10 but the padded input is 9 [G7]"),
    ("keras", "conv-transpose", 9, {"kernel_size": 3, "strides": 2, "output_padding": 2}, "use at most 1, or none"),
    ("keras", "conv-transpose", 9, {"kernel_size": 3, "groups": 2}, "`groups` = 2: is not a word of keras's"),
    ("keras", "conv-transpose", 1, {"kernel_size": 4, "padding": "same", "output_padding": 0}, "nothing is left"),
    ("keras", "depthwise", (9, 9, 9), {"kernel_size": 3}, "keras has no DepthwiseConv3D"),
    ("keras", "separable", (9, 9, 9), {"kernel_size": 3}, "keras has no SeparableConv3D"),
    ("keras", "upsampling", 9, {"interpolation": "bilinear"}, "UpSampling1D only repeats its input"),
    ("keras", "upsampling", (9, 9), {"interpolation": "lanczos"}, "did you mean 'lanczos"),
    ("keras", "zero-padding", 9, {"padding": -1}, "`padding` = -1: must be at least 0"),
    ("keras", "cropping", 9, {"cropping": -1}, "`cropping` = -1: must be at least 0"),
    ("keras", "cropping", 9, {"cropping": (4, 5)}, "takes 9 of 9 cells, so nothing is left; take at most 8 in all"),
    ("keras", "conv", 9, {"kernel_size": 3, "data_format": "channel_last"}, "did you mean 'channels_last'?"),
    ("keras", "depthwise", 9, {"kernel_size": 3, "depth_multiplier": 0}, "`depth_multiplier` = 0: must be at least 1"),
    ("tf", "depthwise", (9, 9), {"kernel_size": 3, "strides": 2, "dilation_rate": 2}, "`strides` = 2: Keras does not"),
    ("tf", "separable", (9, 9), {"kernel_size": 3, "strides": (1, 2)}, "takes one stride for rows and columns"),
    ("tf", "separable", (9, 9), {"kernel_size": 3, "padding": "causal"}, "causal padding is for one dimension"),
    ("tf", "depthwise", 9, {"kernel_size": 3, "padding": "causal"}, "causal padding belongs to Conv1D"),
    ("keras1", "conv-transpose", (12, 12), {"kernel_size": 3, "output_shape": (15, 14)}, "legal are 14 rows and 14"),
    ("keras1", "conv-transpose", 12, {"kernel_size": 3, "output_shape": 14}, "Keras 1 has Deconvolution2D only"),
    ("keras1", "conv-transpose", (12, 12), {"kernel_size": 3}, "`output_shape` = None: keras1's conv-transpose layer"),
    (
        "keras1",
        "conv",
        (9, 9),
        {"kernel_size": 3, "atrous_rate": 2, "subsample": 2},
        "does not combine it with subsample",
    ),
    ("keras1", "conv", (9, 9), {"kernel_size": 3, "atrous_rate": (1, 2)}, "took one rate for rows and columns"),
    ("keras1", "conv", (9, 9, 9), {"kernel_size": 3, "atrous_rate": 2}, "Keras 1 has no 3-D atrous layer"),
    ("keras1", "conv", (9, 9), {"kernel_size": 3, "border_mode": "causal"}, "not one of 'valid', 'same', 'full'"),
    ("keras1", "conv", (9, 9), {"nb_row": 3}, "`nb_col` = None: a 2-D kernel needs it"),
    ("keras1", "conv", (9, 9), {"nb_row": 3, "nb_cols": 3}, "did you mean 'nb_col'?"),
    ("keras1", "conv", (9, 9), {"kernel_size": 3, "subsample_length": 2}, "belongs to Convolution1D"),
    ("keras1", "separable", (9, 9), {"kernel_size": 3, "border_mode": "full"}, "not one of 'valid', 'same'"),
    ("keras1", "separable", 9, {"kernel_size": 3}, "Keras 1 has SeparableConvolution2D only"),
    ("keras1", "separable", (9, 9), {"kernel_size": 3, "subsample": (1, 2)}, "takes one stride for rows and columns"),
    ("keras1", "depthwise", (9, 9), {"kernel_size": 3}, "has no depthwise layer; use separable"),
    ("keras1", "upsampling", (9, 9), {"length": 2}, "`length` = 2: belongs to UpSampling1D"),
    ("keras1", "zero-padding", (9, 9, 9), {"padding": ((1, 2), (0, 0), (0, 0))}, "without inner pairs"),
    ("keras1", "zero-padding", (9, 9), {"padding": {"toppad": 1}}, "did you mean 'top_pad'?"),
    (
        "torch",
        "conv",
        (9, 9),
        {"kernel_size": 3, "padding": ((1, 2), (1, 2))},
        "PyTorch pads both sides of an axis alike",
    ),
    ("torch", "conv", 9, {"kernel_size": 3, "padding": -1}, "`padding` = -1: must be at least 0"),
    ("torch", "conv", 9, {"kernel_size": 3, "padding": "same", "stride": 2}, "'same' at stride 1 only, not 2"),
    ("torch", "conv", 9, {"kernel_size": 3, "padding": "SAME"}, "did you mean 'same'?"),
    ("torch", "conv", 9, {"kernel_size": 3, "padding_mode": "zero"}, "did you mean 'zeros'?"),
    ("torch", "conv", 4, {"kernel_size": 3, "padding": 4, "padding_mode": "reflect"}, "pad at most 3"),
    ("torch", "conv", 4, {"kernel_size": 3, "padding": 5, "padding_mode": "circular"}, "pad at most 4"),
    ("torch", "conv-transpose", 9, {"kernel_size": 3, "padding": "same"}, "PyTorch's transposed layers take no word"),
    ("torch", "conv-transpose", 9, {"kernel_size": 3, "stride": 2, "output_padding": 2}, "use at most 1"),
    ("torch", "conv-transpose", 9, {"kernel_size": 3, "padding_mode": "circular"}, "pad with zeros only"),
    ("torch", "conv-transpose", 6, {"kernel_size": 3, "stride": 2, "output_size": 15}, "go from (13,) to (14,)"),
    ("torch", "conv-transpose", 1, {"kernel_size": 3, "padding": 2}, "3 cells and 4 are cropped, so nothing is left"),
    ("torch", "upsampling", 9, {"scale_factor": 1.5}, "`scale_factor` = 1.5: not a whole number"),
    ("torch", "upsampling", 9, {"mode": "bilinear"}, "did you mean 'linear'?"),
    ("torch", "zero-padding", (9, 9), {"padding": (1, 1)}, "one number or 4, the last axis first"),
    ("torch", "cropping", 9, {}, "has no cropping layer; use zero-padding with negative amounts"),
    ("torch", "depthwise", 9, {"kernel_size": 3}, "use conv with as many groups as channels"),
    ("torch", "conv", 9, {"kernel_size": 3, "strides": 2}, "did you mean 'stride'?"),
    (
        "onnx",
        "conv",
        9,
        {"kernel_shape": 3, "pads": [1, 1], "auto_pad": "VALID"},
        "cannot stand beside auto_pad='VALID'",
    ),
    ("onnx", "conv", 9, {"kernel_shape": 3, "pads": [1]}, "pads are 2 numbers here: all begins, then all ends"),
    ("onnx", "conv", 9, {"kernel_shape": 3, "pads": [-1, 0]}, "`pads` = -1: must be at least 0"),
    ("onnx", "conv", 9, {"kernel_shape": 3, "auto_pad": "same_upper"}, "did you mean 'SAME_UPPER'?"),
    ("onnx", "conv-transpose", 9, {"kernel_shape": 3, "strides": 2, "output_padding": 2}, "use at most 1"),
    ("onnx", "conv-transpose", 1, {"kernel_shape": 3, "pads": [2, 1]}, "`pads` = [2, 1]: the full output has 3 cells"),
    ("onnx", "separable", 9, {"kernel_shape": 3}, "has no separable layer"),
    ("jax", "conv", 9, {"kernel_size": 3, "padding": "SAME", "lhs_dilation": 2}, "no word beside lhs_dilation = 2"),
    ("jax", "conv", 9, {"kernel_size": 3, "padding": 1}, "JAX takes a word or 1 (before, after) pairs"),
    ("jax", "conv", 9, {"kernel_size": 3, "padding": "CAUSAL"}, "not one of 'SAME', 'VALID', 'SAME_LOWER'"),
    ("jax", "conv-transpose", 9, {"kernel_size": 3, "padding": "SAME_LOWER"}, "not one of 'SAME', 'VALID'"),
    ("jax", "conv-transpose", 1, {"kernel_size": 3, "padding": [(0, 0)]}, "the dilated and padded input is 1 [G7]"),
    ("jax", "conv", (9, 9), {"kernel_size": 3, "dimension_numbers": ("NHWC", "HWIO")}, "three words"),
    ("jax", "conv", (9, 9), {"kernel_size": 3, "dimension_numbers": ("NHWC", "WHIO", "NHWC")}, "in one order"),
    ("jax", "upsampling", 9, {}, "has no upsampling layer"),
    ("matlab", "conv", (9, 9), {"FilterSize": 3, "Padding": "causal"}, "belongs to convolution1dLayer"),
    ("matlab", "conv", (9, 9), {"FilterSize": 3, "Padding": (1, 2, 3)}, "give one number, or [a b] or [t b l r]"),
    ("matlab", "conv", (9, 9), {"FilterSize": 3, "Padding": ((1, 2), (3,))}, "a matrix has two rows"),
    ("matlab", "conv", 9, {"FilterSize": 3, "Padding": -1}, "`Padding` = -1: must be at least 0"),
    ("matlab", "conv-transpose", 9, {"FilterSize": 3, "Cropping": "valid"}, "`Cropping` = 'valid': not one of 'same'"),
    ("matlab", "conv-transpose", 1, {"FilterSize": 3, "Cropping": 2}, "3 cells and 4 are cropped, so nothing is left"),
    ("matlab", "conv-transpose", 9, {"FilterSize": 3, "DilationFactor": 2}, "is not a word of matlab's conv-transpose"),
    ("matlab", "depthwise", 9, {"FilterSize": 3}, "has no depthwise layer"),
    ("rule", "conv-transpose", 9, {"kernel_size": 3, "padding": "causal"}, "not one of 'valid', 'same', 'full'"),
    ("rule", "conv", 9, {"kernel_size": 3, "padding": 1.5}, "`padding` = 1.5: not a whole number"),
    ("rule", "conv", 9, {"kernel_size": 3, "padding": None}, "`padding` = None: not one of 'valid'"),
    ("rule", "conv", 9, {"kernel_size": 3, "groups": 0}, "`groups` = 0: must be at least 1"),
    ("rule", "conv", 9, {}, "`kernel_size` = None: rule's conv layer needs it; give kernel_size="),
    ("rule", "conv", 0, {"kernel_size": 3}, "`input_size` = 0: must be at least 1"),
    ("rule", "conv", (1, 2, 3, 4), {"kernel_size": 3}, "has 4 spatial axes"),
    ("rule", "conv", 7, {"kernel_size": 5, "dilation_rate": 2}, "the smallest input here is 9, or use padding='same'"),
    ("rule", "conv", 3, {"kernel_size": 1, "padding": -2}, "but the padded input is 0 [G7]"),
    ("rule", "zero-padding", 3, {"padding": -2}, "takes 4 of 3 cells, so nothing is left; take at most 2 in all"),
    ("rule", "upsampling", 3, {"size": 0}, "`size` = 0: must be at least 1"),
    ("pytorch", "conv", 9, {}, "did you mean 'torch'?"),
    ("rule", "convolve", 9, {}, "`layer` = 'convolve': not one of"),
]


@pytest.mark.parametrize(("framework", "layer", "size", "words", "message"), REFUSALS)
def test_refusals(framework: str, layer: str, size: Any, words: dict[str, Any], message: str) -> None:
    assert message in refused(lambda: read(layer, size, framework, **words))


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("layer", LAYERS)
def test_every_framework_answers_for_every_layer(framework: str, layer: str) -> None:
    if layer in WORDS[framework]:
        needed = {"kernel": 3} if "kernel" in WORDS[framework][layer] else {}
        if (framework, layer) == ("keras1", "conv-transpose"):
            needed["output_shape"] = 11
        if layer == "zero-padding":
            needed["padding"] = 1
        assert read_options(layer, (9, 9), framework, **needed).framework == framework
    else:
        assert f"has no {layer} layer" in refused(lambda: read(layer, (9, 9), framework, kernel_size=3))
        assert f"has no {layer} layer" in refused(lambda: read_options(layer, (9, 9), framework, kernel=3))


# --- The command line's options -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("framework", "layer", "size", "options", "words"),
    [
        (
            "rule",
            "conv",
            (9, 9),
            {"kernel": 3, "stride": 2, "padding": ((1, 2), 0), "dilation": 2, "groups": 2},
            {"kernel_size": 3, "strides": 2, "padding": ((1, 2), (0, 0)), "dilation_rate": 2, "groups": 2},
        ),
        ("keras", "separable", 9, {"kernel": 3, "depth_multiplier": 2}, {"kernel_size": 3, "depth_multiplier": 2}),
        ("keras1", "conv", 9, {"kernel": 3, "padding": "full"}, {"filter_length": 3, "border_mode": "full"}),
        ("keras1", "zero-padding", (4, 4), {"padding": ((1, 2), (0, 3))}, {"padding": (1, 2, 0, 3)}),
        ("torch", "conv", (9, 9), {"kernel": 3, "padding": (1, 2)}, {"kernel_size": 3, "padding": (1, 2)}),
        ("torch", "conv", (9, 9), {"kernel": 3, "padding": ((1, 1), (2, 2))}, {"kernel_size": 3, "padding": (1, 2)}),
        ("torch", "zero-padding", (4, 4), {"padding": ((1, 2), (0, 3))}, {"padding": (0, 3, 1, 2)}),
        ("torch", "upsampling", 4, {"size": 3, "interpolation": "linear"}, {"scale_factor": 3, "mode": "linear"}),
        (
            "torch",
            "conv-transpose",
            6,
            {"kernel": 3, "stride": 2, "output_shape": 14},
            {"kernel_size": 3, "stride": 2, "output_size": 14},
        ),
        (
            "onnx",
            "conv",
            (9, 9),
            {"kernel": 3, "padding": ((1, 2), (0, 3))},
            {"kernel_shape": 3, "pads": [1, 0, 2, 3]},
        ),
        ("onnx", "conv", 9, {"kernel": 2, "padding": "same-lower"}, {"kernel_shape": 2, "auto_pad": "SAME_LOWER"}),
        ("onnx", "conv", 9, {"kernel": 2, "padding": "same"}, {"kernel_shape": 2, "auto_pad": "SAME_UPPER"}),
        ("jax", "conv", 9, {"kernel": 3, "padding": 1}, {"kernel_size": 3, "padding": ((1, 1),)}),
        ("jax", "conv-transpose", 9, {"kernel": 3, "padding": "same"}, {"kernel_size": 3, "padding": "SAME"}),
        (
            "matlab",
            "conv",
            (9, 9, 9),
            {"kernel": 3, "padding": ((1, 2), 0, (0, 3))},
            {"FilterSize": 3, "Padding": ((1, 0, 0), (2, 0, 3))},
        ),
        (
            "matlab",
            "conv-transpose",
            (9, 9),
            {"kernel": 3, "cropping": "same", "stride": 2},
            {"FilterSize": 3, "Cropping": "same", "Stride": 2},
        ),
    ],
)
def test_options_stand_for_words(framework: str, layer: str, size: Any, options: dict, words: dict) -> None:
    assert read_options(layer, size, framework, **options) == read(layer, size, framework, **words)


@pytest.mark.parametrize(
    ("framework", "layer", "size", "options", "message"),
    [
        ("torch", "conv", 9, {"padding": 1}, "`kernel` = None: torch's conv layer needs it; give kernel."),
        ("torch", "conv", 9, {"kernel": (1, 2)}, "`kernel` = (1, 2): has 2 values for 1 spatial axis"),
        ("torch", "conv", (9, 9), {"kernel": 3, "padding": ((1, 2), 0)}, "`padding` = ((1, 2), 0): torch's conv layer"),
        (
            "torch",
            "conv",
            9,
            {"kernel": 3, "output_padding": 1},
            "`output_padding` = 1: torch's conv layer has no such",
        ),
        ("keras", "conv-transpose", 9, {"kernel": 3, "groups": 2}, "`groups` = 2: keras's conv-transpose layer has no"),
        ("keras1", "conv", 9, {"kernel": 3, "padding": 1}, "`padding` = 1: Keras 1's layers take a word here"),
        ("keras1", "conv", 9, {"kernel": 3, "padding": "sme"}, "`padding` = 'sme': not one of"),
        ("onnx", "conv", 9, {"kernel": 3, "padding": "same-uper"}, "did you mean 'SAME_UPPER'?"),
        ("onnx", "conv", 9, {"kernel": 3, "stride": 0}, "`stride` = 0: must be at least 1"),
        ("rule", "conv", 9, {"kernel": 3, "padding": "fulll"}, "did you mean 'full'?"),
        (
            "matlab",
            "conv-transpose",
            9,
            {"kernel": 3, "dilation": 2},
            "matlab's conv-transpose layer has no such option",
        ),
        ("matlab", "conv-transpose", 9, {"kernel": 3, "padding": 1, "cropping": 1}, "leave one of the two out"),
        ("matlab", "conv-transpose", 1, {"kernel": 3, "padding": 3}, "`padding` = 3: the full output has 3 cells"),
    ],
)
def test_refusals_name_the_option(framework: str, layer: str, size: Any, options: dict, message: str) -> None:
    assert message in refused(lambda: read_options(layer, size, framework, **options))


def test_the_table_of_words_knows_the_options_alone() -> None:
    assert set(WORDS) == set(FRAMEWORKS)
    for layers in WORDS.values():
        assert set(layers) <= set(LAYERS)
        for known in layers.values():
            assert set(known) <= set(OPTIONS)


# --- Live peers -----------------------------------------------------------------------------------------


def sizes_or_refusal(call: Callable[[], Any], *errors: type[Exception]) -> tuple[int, ...] | None:
    try:
        return tuple(call())
    except errors:
        return None


@pytest.mark.peers
def test_torch_live() -> None:
    torch = pytest.importorskip("torch")
    generator = random.Random(21)
    refusals = 0
    for _ in range(700):
        rank = generator.randint(1, 3)
        size = tuple(generator.randint(1, 7) for _ in range(rank))
        words: dict[str, Any] = {
            "kernel_size": tuple(generator.randint(1, 4) for _ in range(rank)),
            "stride": tuple(generator.randint(1, 3) for _ in range(rank)),
            "dilation": tuple(generator.randint(1, 2) for _ in range(rank)),
        }
        transposed = generator.random() < 0.5
        words["padding"] = tuple(generator.randint(0, 3) for _ in range(rank))
        call: dict[str, Any] = {}
        if transposed:
            words["output_padding"] = tuple(generator.randint(0, 2) for _ in range(rank))
            if generator.random() < 0.3:
                words["output_padding"] = 0
                call["output_size"] = [generator.randint(1, 20) for _ in range(rank)]
        else:
            words["padding"] = generator.choice([words["padding"], "same", "valid"])
            words["padding_mode"] = generator.choice(["zeros", "reflect", "replicate", "circular"])
        layer = getattr(torch.nn, f"Conv{'Transpose' if transposed else ''}{rank}d")

        def peer(layer: Any = layer, words: Any = words, call: Any = call, size: Any = size) -> tuple[int, ...]:
            # It warns that an even kernel under 'same' needs a copy.
            with warnings.catch_warnings(action="ignore"):
                shape = layer(1, 1, bias=False, **words)(torch.zeros(1, 1, *size), **call).shape
            return tuple(shape[2:])

        expected = sizes_or_refusal(peer, RuntimeError, ValueError)
        if expected is not None and 0 in expected:
            expected = None
        kind = "conv-transpose" if transposed else "conv"
        got = sizes_or_refusal(
            lambda kind=kind, size=size, words=words, call=call: read(kind, size, "torch", **words, **call).output_size,
            ConvError,
        )
        assert got == expected, (kind, size, words, call)
        refusals += expected is None
    assert 100 < refusals < 600


@pytest.mark.peers
def test_jax_live() -> None:
    jax = pytest.importorskip("jax")
    generator = random.Random(22)
    refusals = 0
    for _ in range(400):
        rank = generator.randint(1, 3)
        size = tuple(generator.randint(1, 7) for _ in range(rank))
        kernel = tuple(generator.randint(1, 4) for _ in range(rank))
        steps, rates, spread = (tuple(generator.randint(1, 3) for _ in range(rank)) for _ in range(3))
        pairs = [(generator.randint(-1, 3), generator.randint(-1, 3)) for _ in range(rank)]
        transposed = generator.random() < 0.5
        padding = generator.choice([pairs, "SAME", "VALID", *([] if transposed else ["same_lower", "FULL"])])
        if transposed:
            words = {"strides": steps, "rhs_dilation": rates, "padding": padding}
            words["use_consistent_padding"] = generator.random() < 0.3
            function = jax.lax.conv_transpose
            shapes = [(1, *size, 1), (*kernel, 1, 1)]
        else:
            words = {"window_strides": steps, "rhs_dilation": rates, "padding": padding}
            words["lhs_dilation"] = generator.choice([(1,) * rank, spread])
            function = jax.lax.conv_general_dilated
            shapes = [(1, 1, *size), (1, 1, *kernel)]

        def peer(function: Any = function, words: Any = words, shapes: Any = shapes) -> tuple[int, ...]:
            arrays = [jax.ShapeDtypeStruct(shape, "float32") for shape in shapes]
            shape = jax.eval_shape(lambda x, w: function(x, w, **words), *arrays).shape
            return shape[1:-1] if function is jax.lax.conv_transpose else shape[2:]

        expected = sizes_or_refusal(peer, RuntimeError, ValueError, TypeError)
        if expected is not None and min(expected) < 1:
            expected = None
        kind = "conv-transpose" if transposed else "conv"
        got = sizes_or_refusal(
            lambda kind=kind, size=size, kernel=kernel, words=words: (
                read(kind, size, "jax", kernel_size=kernel, **words).output_size
            ),
            ConvError,
        )
        assert got == expected, (kind, size, kernel, words)
        refusals += expected is None
    assert refusals > 20


@pytest.mark.peers
def test_onnx_live() -> None:
    onnx = pytest.importorskip("onnx")
    generator = random.Random(23)
    compared = 0
    for _ in range(800):
        rank = generator.randint(1, 3)
        size = tuple(generator.randint(1, 7) for _ in range(rank))
        words: dict[str, Any] = {
            "kernel_shape": [generator.randint(1, 4) for _ in range(rank)],
            "strides": [generator.randint(1, 3) for _ in range(rank)],
            "dilations": [generator.randint(1, 2) for _ in range(rank)],
            "auto_pad": generator.choice(["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]),
        }
        if words["auto_pad"] == "NOTSET":
            words["pads"] = [generator.randint(0, 2) for _ in range(2 * rank)]
        kind = generator.choice(["conv", "conv-transpose"])
        if kind == "conv-transpose" and generator.random() < 0.5:
            words["output_padding"] = [generator.randrange(step) for step in words["strides"]]
        if kind == "conv-transpose" and generator.random() < 0.3:
            words["output_shape"] = [generator.randint(n, 20) for n in size]
        got = sizes_or_refusal(
            lambda kind=kind, size=size, words=words: read(kind, size, "onnx", **words).output_size, ConvError
        )
        model = _onnx_model(onnx, kind, size, words)
        # ONNX's shape inference counts a transposed SAME otherwise than the operator's text, which the
        # reference evaluator follows.
        evaluated = kind == "conv-transpose" and words["auto_pad"].startswith("SAME") and "output_shape" not in words
        peer = _onnx_evaluated_size if evaluated else _onnx_inferred_size
        inferred = peer(onnx, model, size, words)
        if got is None and kind == "conv":
            # Its C++ rounds a missing cell towards zero and so finds one output; the kernel does not fit.
            pads = words.get("pads", [0] * 2 * rank)
            spans = [(k - 1) * d + 1 for k, d in zip(words["kernel_shape"], words["dilations"], strict=True)]
            assert any(size[a] + pads[a] + pads[a + rank] < spans[a] for a in range(rank)), (size, words)
        elif got is None:
            assert inferred is None or min(inferred) < 1, (size, words, inferred)
        else:
            compared += 1
            assert got == inferred, (kind, size, words)
    assert compared > 500


def _onnx_model(onnx: Any, kind: str, size: tuple[int, ...], words: dict[str, Any]) -> Any:
    helper, kinds = onnx.helper, onnx.TensorProto.FLOAT
    node = helper.make_node("Conv" if kind == "conv" else "ConvTranspose", ["x", "w"], ["y"], **words)
    inputs = [
        helper.make_tensor_value_info("x", kinds, [1, 1, *size]),
        helper.make_tensor_value_info("w", kinds, [1, 1, *words["kernel_shape"]]),
    ]
    graph = helper.make_graph([node], "one", inputs, [helper.make_tensor_value_info("y", kinds, None)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)])


def _onnx_inferred_size(onnx: Any, model: Any, size: tuple[int, ...], words: dict[str, Any]) -> tuple[int, ...] | None:
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    except onnx.shape_inference.InferenceError:
        return None
    shape = inferred.graph.output[0].type.tensor_type.shape
    return tuple(dimension.dim_value for dimension in shape.dim)[2:]


def _onnx_evaluated_size(onnx: Any, model: Any, size: tuple[int, ...], words: dict[str, Any]) -> tuple[int, ...]:
    from onnx.reference import ReferenceEvaluator

    arrays = {"x": np.zeros((1, 1, *size), "f4"), "w": np.zeros((1, 1, *words["kernel_shape"]), "f4")}
    (y,) = ReferenceEvaluator(model).run(None, arrays)
    return tuple(y.shape[2:])


KERAS_SCRIPT = """
import json, sys
import keras
answers = []
for name, size, words in json.load(sys.stdin):
    channels = [] if name.startswith(("Depthwise", "UpSampling", "ZeroPadding", "Cropping")) else [1]
    words = {k: tuple(map(tuple, v)) if isinstance(v, list) and v and isinstance(v[0], list)
             else tuple(v) if isinstance(v, list) else v for k, v in words.items()}
    try:
        layer = getattr(keras.layers, name)(*channels, **words)
        answers.append(list(layer.compute_output_shape((1, *size, 1))[1:-1]))
    except (ValueError, TypeError):
        answers.append(None)
print(json.dumps(answers))
"""


@pytest.mark.peers
def test_keras_live(tmp_path: Any) -> None:
    # Keras itself is imported in another process, where its backend can be chosen.
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec("jax") is None:
        pytest.skip("needs keras and jax")
    generator = random.Random(24)
    cases = [_random_keras_case(generator) for _ in range(1500)]
    answer = subprocess.run(
        [sys.executable, "-c", KERAS_SCRIPT],
        input=json.dumps([(name, size, words) for _, name, size, words in cases]),
        env=os.environ | {"KERAS_BACKEND": "jax", "KERAS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    expected = [None if size is None or min(size) < 1 else tuple(size) for size in json.loads(answer.stdout)]
    refusals = 0
    for (kind, name, size, words), wanted in zip(cases, expected, strict=True):
        got = sizes_or_refusal(
            lambda kind=kind, size=size, words=words: read(kind, size, "keras", **words).output_size, ConvError
        )
        assert got == wanted, (name, size, words)
        refusals += wanted is None
    assert 100 < refusals < 1400


def _random_keras_case(generator: random.Random) -> tuple[str, str, list[int], dict[str, Any]]:
    rank = generator.randint(1, 3)
    size = [generator.randint(1, 8) for _ in range(rank)]

    def per_axis(low: int, high: int) -> list[int]:
        return [generator.randint(low, high) for _ in range(rank)]

    kind = generator.choice(LAYERS)
    if kind in ("depthwise", "separable"):
        rank = len(size[:2])
        size = size[:2]
    name = {
        "conv": f"Conv{rank}D",
        "conv-transpose": f"Conv{rank}DTranspose",
        "depthwise": f"DepthwiseConv{rank}D",
        "separable": f"SeparableConv{rank}D",
        "upsampling": f"UpSampling{rank}D",
        "zero-padding": f"ZeroPadding{rank}D",
        "cropping": f"Cropping{rank}D",
    }[kind]
    if kind == "upsampling":
        return kind, name, size, {"size": per_axis(0, 3) if rank > 1 else generator.randint(1, 3)}
    if kind in ("zero-padding", "cropping"):
        pairs = [[generator.randint(-1, 2), generator.randint(0, 2)] for _ in range(rank)]
        word = "padding" if kind == "zero-padding" else "cropping"
        return kind, name, size, {word: pairs[0] if rank == 1 else pairs}
    words: dict[str, Any] = {
        "kernel_size": per_axis(1, 4),
        "strides": generator.choice([[1] * rank, per_axis(1, 3)]),
        "dilation_rate": generator.choice([[1] * rank, per_axis(1, 3)]),
        "padding": generator.choice(["valid", "same", "SAME", "causal", "full"]),
    }
    if kind == "conv-transpose":
        words["output_padding"] = generator.choice([None, None, per_axis(0, 2)])
    return kind, name, size, words
