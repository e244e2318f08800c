"""Layers as functions: arrays in, arrays out, in Keras' words."""

from __future__ import annotations

from refconv.functional.convolution import (
    conv,
    conv_transpose,
    conv_transpose_with,
    conv_with,
    depthwise_conv,
    separable_conv,
)
from refconv.functional.padding import crop, pad, zero_pad
from refconv.functional.patches import fold, unfold
from refconv.functional.resampling import resize, upsample

__all__ = [
    "conv",
    "conv_transpose",
    "conv_transpose_with",
    "conv_with",
    "crop",
    "depthwise_conv",
    "fold",
    "pad",
    "resize",
    "separable_conv",
    "unfold",
    "upsample",
    "zero_pad",
]
