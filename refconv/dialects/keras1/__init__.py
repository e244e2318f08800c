"""Keras 1: its layers' names, signatures, defaults and weight layouts, as its documentation gives them.

``dim_ordering`` says where the channels stand: ``"th"`` second, ``"tf"`` last, ``"default"`` what
``image_dim_ordering`` in keras.json says, and ``"th"`` where that is not set. Shapes are (samples, ...);
``input_shape`` leaves the samples out. `get_weights`, `set_weights` and ``weights=`` use Keras 1's layouts:

==========================  =========================================  ====================================
layer                       ``"tf"``                                   ``"th"``
==========================  =========================================  ====================================
Convolution1D               (length, 1, C, M)                          the same
Convolution2D, 3D           (k..., C, M)                               (M, C, k...)
Deconvolution2D             (r, c, C, M)                               (M, C, r, c)
SeparableConvolution2D      (r, c, C, dm) and (1, 1, dm C, M)          (dm, C, r, c) and (M, dm C, 1, 1)
==========================  =========================================  ====================================

Inside they are the layers of `refconv.layers`; `layer.weights` and `layer.kernel` have Keras 3's layout, and
`layer.W` is the same memory in Keras 1's.

Values are those of Keras 1 on TensorFlow. Theano flipped the kernel, and under ``"same"`` padded ``k // 2`` cells
on both sides whatever the stride. ``"full"``, Theano's alone, is taken too, with TensorFlow's unflipped kernel.

Source: Keras 1's documentation, and Keras 1.2.2 where that is silent; where they differ, the documentation
is followed and the class says so.

Examples
--------
>>> import numpy as np
>>> layer = Convolution2D(8, 3, 5, weights=[np.ones((8, 2, 3, 5)), np.zeros(8)])
>>> layer(np.ones((1, 2, 4, 6))).shape, layer.W.shape, layer.kernel.shape
((1, 8, 2, 2), (8, 2, 3, 5), (3, 5, 2, 8))
"""

from __future__ import annotations

from refconv.dialects.keras1.conv1d import Conv1D
from refconv.dialects.keras1.convolution import (
    AtrousConvolution1D,
    AtrousConvolution2D,
    Convolution1D,
    Convolution2D,
    Convolution3D,
)
from refconv.dialects.keras1.deconvolution import Deconvolution2D
from refconv.dialects.keras1.reshaping import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from refconv.dialects.keras1.separable import SeparableConvolution2D

# Keras 1.2's short names; Conv1D is a class of its own.
Conv2D, Conv3D, Deconv2D = Convolution2D, Convolution3D, Deconvolution2D
AtrousConv1D, AtrousConv2D = AtrousConvolution1D, AtrousConvolution2D
SeparableConv2D = SeparableConvolution2D

__all__ = [
    "AtrousConv1D",
    "AtrousConv2D",
    "AtrousConvolution1D",
    "AtrousConvolution2D",
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "Convolution1D",
    "Convolution2D",
    "Convolution3D",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Deconv2D",
    "Deconvolution2D",
    "SeparableConv2D",
    "SeparableConvolution2D",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
]
