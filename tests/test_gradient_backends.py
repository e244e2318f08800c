"""`backend=` and `out=` of the gradients: the same numbers from every backend, in an array of the caller's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from refconv import ConvError, functional

RNG = np.random.default_rng(5)
X = RNG.standard_normal((2, 9, 8, 6), dtype=np.float32)
KERNEL = RNG.standard_normal((3, 2, 3, 10), dtype=np.float32)
TRANSPOSED = RNG.standard_normal((3, 2, 5, 6), dtype=np.float32)
DEPTHWISE = RNG.standard_normal((3, 2, 6, 2), dtype=np.float32)
POINTWISE = RNG.standard_normal((1, 1, 12, 7), dtype=np.float32)
WORDS: dict[str, Any] = {"strides": (2, 1), "padding": ((1, 0), (0, 2)), "dilation_rate": (1, 2)}


def grad(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)


Y = functional.conv(X, KERNEL, groups=2, **WORDS).shape
T = functional.conv_transpose(X, TRANSPOSED, groups=2, **WORDS).shape
D = functional.depthwise_conv(X, DEPTHWISE, **WORDS).shape

GRADIENTS: dict[str, Callable[..., Any]] = {
    "conv input": lambda **how: functional.conv_grad_input(grad(*Y), KERNEL, X.shape, groups=2, **WORDS, **how),
    "conv weights": lambda **how: functional.conv_grad_weights(X, grad(*Y), (3, 2), groups=2, **WORDS, **how),
    "transposed input": lambda **how: functional.conv_transpose_grad_input(
        grad(*T), TRANSPOSED, X.shape, groups=2, **WORDS, **how
    ),
    "transposed weights": lambda **how: functional.conv_transpose_grad_weights(
        X, grad(*T), (3, 2), groups=2, **WORDS, **how
    ),
    "depthwise input": lambda **how: functional.depthwise_conv_grad_input(grad(*D), DEPTHWISE, X.shape, **WORDS, **how),
    "depthwise weights": lambda **how: functional.depthwise_conv_grad_weights(X, grad(*D), (3, 2), **WORDS, **how),
    "separable input": lambda **how: functional.separable_conv_grad_input(
        grad(*D[:-1], 7), DEPTHWISE, POINTWISE, X.shape, **WORDS, **how
    ),
    "upsampling": lambda **how: functional.upsample_grad_input(
        grad(2, 18, 24, 6), X.shape, size=(2, 3), interpolation="bilinear", **how
    ),
    "resizing": lambda **how: functional.resize_grad_input(grad(2, 5, 13, 6), X.shape, size=(5, 13), **how),
    "zero padding": lambda **how: functional.zero_pad_grad_input(
        grad(2, 12, 10, 6), X.shape, padding=((1, 2), (0, 2)), **how
    ),
    "zero padding that crops": lambda **how: functional.zero_pad_grad_input(
        grad(2, 7, 6, 6), X.shape, padding=-1, **how
    ),
    "cropping": lambda **how: functional.crop_grad_input(grad(2, 6, 6, 6), X.shape, cropping=((1, 2), (0, 2)), **how),
    "reflection": lambda **how: functional.pad_grad_input(
        grad(2, 12, 10, 6), X.shape, padding=((1, 2), (0, 2)), mode="reflect", **how
    ),
    "unfolding": lambda **how: functional.unfold_grad_input(
        grad(*Y[:-1], 36), X.shape, kernel_size=(3, 2), **WORDS, **how
    ),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_every_backend_fills_an_array_of_the_callers(name: str) -> None:
    gradient = GRADIENTS[name]
    expected = gradient(backend="textbook")
    for backend in ("uncompiled", "tiled", None):
        out = np.full(expected.shape, np.nan, np.float32)
        assert gradient(backend=backend, out=out) is out
        np.testing.assert_allclose(out, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", GRADIENTS)
def test_an_array_that_does_not_fit_is_refused(name: str) -> None:
    gradient = GRADIENTS[name]
    shape = gradient().shape
    with pytest.raises(ConvError, match="`out`"):
        gradient(out=np.empty((*shape[:-1], shape[-1] + 1), np.float32))
    with pytest.raises(ConvError, match="`out`"):
        gradient(out=np.empty(shape, np.float64))
    with pytest.raises(ConvError, match="did you mean 'tiled'"):
        gradient(backend="tilde")


def test_separable_weights_agree_on_every_backend() -> None:
    dy = grad(*D[:-1], 7)
    expected = functional.separable_conv_grad_weights(X, dy, DEPTHWISE, POINTWISE, **WORDS, backend="textbook")
    for backend in ("uncompiled", "tiled"):
        found = functional.separable_conv_grad_weights(X, dy, DEPTHWISE, POINTWISE, **WORDS, backend=backend)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-4)
