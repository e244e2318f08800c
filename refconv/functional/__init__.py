"""Layers as functions, and their gradients: arrays in, arrays out, in Keras' words."""

from __future__ import annotations

from refconv.functional.adjoints import (
    crop_grad_input,
    fold_grad_input,
    pad_grad_input,
    resize_grad_input,
    unfold_grad_input,
    upsample_grad_input,
    zero_pad_grad_input,
)
from refconv.functional.convolution import (
    conv,
    conv_transpose,
    conv_transpose_with,
    conv_with,
    depthwise_conv,
    separable_conv,
)
from refconv.functional.gradients import (
    bias_grad,
    conv_grad_input,
    conv_grad_input_with,
    conv_grad_weights,
    conv_grad_weights_with,
    conv_transpose_grad_input,
    conv_transpose_grad_input_with,
    conv_transpose_grad_weights,
    conv_transpose_grad_weights_with,
    depthwise_conv_grad_input,
    depthwise_conv_grad_input_with,
    depthwise_conv_grad_weights,
    depthwise_conv_grad_weights_with,
    separable_conv_grad_input,
    separable_conv_grad_weights,
)
from refconv.functional.padding import crop, pad, zero_pad
from refconv.functional.patches import fold, unfold
from refconv.functional.resampling import resize, upsample
from refconv.tiled.packed import PackedWeights

__all__ = [
    "PackedWeights",
    "bias_grad",
    "conv",
    "conv_grad_input",
    "conv_grad_input_with",
    "conv_grad_weights",
    "conv_grad_weights_with",
    "conv_transpose",
    "conv_transpose_grad_input",
    "conv_transpose_grad_input_with",
    "conv_transpose_grad_weights",
    "conv_transpose_grad_weights_with",
    "conv_transpose_with",
    "conv_with",
    "crop",
    "crop_grad_input",
    "depthwise_conv",
    "depthwise_conv_grad_input",
    "depthwise_conv_grad_input_with",
    "depthwise_conv_grad_weights",
    "depthwise_conv_grad_weights_with",
    "fold",
    "fold_grad_input",
    "pad",
    "pad_grad_input",
    "resize",
    "resize_grad_input",
    "separable_conv",
    "separable_conv_grad_input",
    "separable_conv_grad_weights",
    "unfold",
    "unfold_grad_input",
    "upsample",
    "upsample_grad_input",
    "zero_pad",
    "zero_pad_grad_input",
]
