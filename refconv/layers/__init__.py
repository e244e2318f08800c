"""Layers with Keras 3's names, arguments, defaults and attributes: NumPy in and out, eager.

Examples
--------
>>> import numpy as np
>>> from refconv import layers
>>> x = np.random.default_rng(0).random((4, 10, 128))
>>> layers.Conv1DTranspose(32, 3, 2, activation="relu")(x).shape
(4, 21, 32)
"""

from __future__ import annotations

from refconv.layers.activation import Activation
from refconv.layers.base import Layer
from refconv.layers.container import Branches, Chain
from refconv.layers.conv import Conv1D, Conv2D, Conv3D
from refconv.layers.conv_transpose import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from refconv.layers.cropping import Cropping1D, Cropping2D, Cropping3D
from refconv.layers.dense import Dense
from refconv.layers.depthwise import DepthwiseConv1D, DepthwiseConv2D, DepthwiseConv3D
from refconv.layers.flatten import Flatten
from refconv.layers.input import Input
from refconv.layers.merging import Add, Concatenate
from refconv.layers.normalization import BatchNormalization, LayerNormalization
from refconv.layers.saving import deserialize, serialize
from refconv.layers.separable import SeparableConv1D, SeparableConv2D, SeparableConv3D
from refconv.layers.upsampling import UpSampling1D, UpSampling2D, UpSampling3D
from refconv.layers.zero_padding import ZeroPadding1D, ZeroPadding2D, ZeroPadding3D

# Keras' long names.
Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
Convolution1DTranspose, Convolution2DTranspose = Conv1DTranspose, Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
SeparableConvolution3D = SeparableConv3D

__all__ = [
    "Activation",
    "Add",
    "BatchNormalization",
    "Branches",
    "Chain",
    "Concatenate",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "Convolution3D",
    "Convolution3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "DepthwiseConv3D",
    "Flatten",
    "Input",
    "Layer",
    "LayerNormalization",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConv3D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
    "SeparableConvolution3D",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "deserialize",
    "serialize",
]
