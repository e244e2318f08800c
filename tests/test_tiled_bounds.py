"""Every tiled kernel compiled with bounds checks: nothing is read or written outside the arrays.

Each script runs in a process of its own, since ``NUMBA_BOUNDSCHECK`` counts when a kernel is compiled.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from refconv.tiled import running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not running.available(), reason="the tiled backend needs the JIT"),
]

SETUP = """
import itertools, math
import numpy as np
from refconv import functional as fn
from refconv.tiled import running

running.PARALLEL_WORK, running.WORK_BEFORE_MORE = math.inf, -1
rng = np.random.default_rng(0)

def random(*shape):
    return rng.normal(size=shape).astype(np.float32)

def alike(function, *arguments, **words):
    computed = function(*arguments, backend="tiled", **words)
    expected = function(*arguments, backend="textbook", **words)
    pairs = zip(computed, expected) if isinstance(computed, tuple) else [(computed, expected)]
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
"""

CONVOLUTIONS = """
for rank, channels, filters, (strides, dilation, padding) in itertools.product(
    (1, 2, 3), (1, 5), (3, 18), [(1, 1, "same"), (2, 1, "valid"), (1, 2, "same"), (3, 1, "full")]
):
    size, kernel = (6, 9, 20)[-rank:], (2, 3, 4)[-rank:]
    x, weights = random(2, *size, channels), random(*kernel, channels, filters)
    words = dict(strides=strides, dilation_rate=dilation, padding=padding)
    alike(fn.conv, x, weights, random(filters), **words)
    dy = random(*fn.conv(x, weights, **words).shape)
    alike(fn.conv_grad_input, dy, weights, x.shape, **words)
    alike(fn.conv_grad_weights, x, dy, kernel, **words)
    alike(fn.bias_grad, dy)
    if padding != "full":
        alike(fn.conv_transpose, x, random(*kernel, filters, channels), **words)
x, weights = random(1, 40, 40, 12), random(3, 3, 4, 33)
alike(fn.conv, x, weights, groups=3)
first, words = np.ascontiguousarray(np.moveaxis(x, -1, 1)), dict(data_format="channels_first")
alike(fn.conv, first, random(3, 3, 12, 20), **words)
alike(fn.conv, first, random(3, 3, 12, 2), **words)
"""

DEPTHWISE = """
for rank, (channels, multiplier), (strides, dilation) in itertools.product(
    (1, 2, 3), [(1, 1), (5, 1), (16, 1), (33, 1), (3, 2), (2, 9)], [(1, 1), (2, 1), (1, 2)]
):
    size, kernel = (6, 9, 20)[-rank:], (2, 3, 4)[-rank:]
    x, weights, mixing = random(2, *size, channels), random(*kernel, channels, multiplier), channels * multiplier
    words = dict(strides=strides, dilation_rate=dilation, padding="same")
    alike(fn.depthwise_conv, x, weights, random(mixing), **words)
    dy = random(*fn.depthwise_conv(x, weights, **words).shape)
    alike(fn.depthwise_conv_grad_input, dy, weights, x.shape, **words)
    alike(fn.depthwise_conv_grad_weights, x, dy, kernel, **words)
    pointwise, dy = random(*(1,) * rank, mixing, 7), random(*dy.shape[:-1], 7)
    alike(fn.separable_conv, x, weights, pointwise, **words)
    alike(fn.separable_conv_grad_input, dy, weights, pointwise, x.shape, **words)
    alike(fn.separable_conv_grad_weights, x, dy, weights, pointwise, **words)
"""

MOVING = """
for rank, channels, data_format in itertools.product((1, 2, 3), (1, 3, 16, 37), ("channels_last", "channels_first")):
    size = (6, 9, 20)[-rank:]
    shape = (2, *size, channels) if data_format == "channels_last" else (2, channels, *size)
    x, words = random(*shape), dict(data_format=data_format)
    linear = ("linear", "bilinear", "trilinear")[rank - 1]
    for function, adjoint, own in [
        (fn.zero_pad, fn.zero_pad_grad_input, dict(padding=2)),
        (fn.crop, fn.crop_grad_input, dict(cropping=1)),
        (fn.upsample, fn.upsample_grad_input, dict(size=3)),
        (fn.upsample, fn.upsample_grad_input, dict(size=2, interpolation=linear)),
        *((fn.pad, fn.pad_grad_input, dict(padding=2, mode=mode)) for mode in ("reflect", "replicate", "circular")),
        (fn.unfold, fn.unfold_grad_input, dict(kernel_size=3, strides=2)),
    ]:
        alike(function, x, **words, **own)
        dy = random(*function(x, **words, **own).shape)
        alike(adjoint, dy, x.shape, **words, **own)
"""

LEAVES = """
from refconv.tiled import contraction, copying, depthwise, elements, places

def refused(kernel, spoil, function, *arguments, **words):
    compiled, calls = kernel.compiled, []
    kernel.compiled = lambda *given: calls.append(given)
    function(*arguments, backend="tiled", **words)
    kernel.compiled = compiled
    for n, (given, short) in enumerate((given, n) for given in calls for n in spoil):
        given = list(given)
        given[short] = given[short][:-1].copy()
        if short != -1:
            given[short].flags.writeable = False
        try:
            compiled(*given)
        except IndexError:
            continue
        raise SystemExit(f"{kernel.py.__name__} left its array number {short}")
    assert calls

x, dy = random(1, 9, 9, 18), random(1, 9, 9, 18)
many, wide, long = random(1, 30, 30, 20), random(1, 7, 7, 64), random(1, 40, 40, 5)
refused(contraction.contract, (9, 10, 11, -1), fn.conv, many, random(3, 3, 20, 40), padding="same")
refused(elements.contract_elements, (-5, -3, -2, -1), fn.conv, wide, random(3, 3, 64, 64), padding="same")
refused(places.convolve_places, (-6, -5, -4, -1), fn.conv, long, random(3, 3, 5, 3), padding="same")
refused(contraction.contract_gradient, (-3, -2, -1), fn.conv_grad_weights, wide, wide.copy(), 3, padding="same")
refused(places.gradient_places, (-1,), fn.conv_grad_weights, long, random(1, 40, 40, 3), 3, padding="same")
refused(depthwise.fill, (-4, -1), fn.depthwise_conv, x, random(3, 3, 18, 1), padding="same")
refused(copying.take_bands, (-2, -1), fn.zero_pad, x, padding=0)
refused(copying.take_rows, (-2, -1), fn.upsample, x)
"""


SCRIPTS = {"convolutions": CONVOLUTIONS, "depthwise": DEPTHWISE, "moving": MOVING, "the check itself": LEAVES}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_no_kernel_leaves_its_arrays(script):
    settings = os.environ | {"NUMBA_BOUNDSCHECK": "1"}
    done = subprocess.run([sys.executable, "-c", SETUP + script], env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
