"""MATLAB's `convolution1dLayer` to `3d` and `transposedConv1dLayer` to `3d`, with its words, arrays and printing.

Arguments are given as in MATLAB, ``transposedConv3dLayer(11, 32, "Stride", [4, 4, 2])``, or as
``Stride=[4, 4, 2]``; names in any letter case. ``[a b c]`` is a list or tuple, the matrix ``[t l f; b r bk]`` is
``[[t, l, f], [b, r, bk]]``, the empty array ``[]`` is ``[]``, and a function handle a function of the size.

Arrays
    Data are indexed height, width, depth, channel, batch (in two dimensions height, width, channel, batch; in one
    height, channel, batch), weights as the layers say. MATLAB drops last axes of size 1, so an array
    may leave them out here too; what is returned has them all. Sequences, which MATLAB keeps as channel,
    batch, time, are ``np.moveaxis(x, -1, 0)`` here.
Column-major
    Only the index order counts: ``X(i, j, k)`` of MATLAB is ``x[i - 1, j - 1, k - 1]`` here, however either
    stands in memory. MATLAB's memory, and a raw dump of it, has the first axis fastest: read one by
    ``np.fromfile(name).reshape(size, order="F")`` and write one by ``x.tobytes(order="F")``. `scipy.io.loadmat` gives
    MATLAB's index order; ``h5py`` (files of version 7.3) gives all axes reversed: transpose its arrays.
0- and 1-based
    Nothing in the arithmetic depends on it: strides, dilation, amounts of padding and cropping are
    counts. Only indices differ, of a filter or a channel as of a pixel: MATLAB's filter 1 is filter 0.
Same
    ``"same"`` with a filter smaller than the stride is undocumented: zeros are appended at the bottom, right
    and back of the output, so that it has the documented size, ``n * Stride``.
Precision
    Layers compute in double where `Weights` or `Bias` were given in double, else in single. Whole
    numbers may be floats, as all of MATLAB's are.

A layer here holds an ordinary layer of refconv, `core` (batch first, channels last), which computes, which can stand in
a model with other layers, and which `refconv.animate` draws; the two share weights and factors. From a model that was
loaded, ``layer.matlab`` of such a layer is MATLAB's.

MATLAB was not run: the rules are those of its documentation.

Examples
--------
>>> import numpy as np
>>> from refconv.dialects import matlab
>>> layer = matlab.transposedConv3dLayer(3, 2, "Stride", [4, 4, 2], "Cropping", "same")
>>> layer(np.ones((2, 3, 4, 3, 1))).shape
(8, 12, 8, 2, 1)
"""

from __future__ import annotations

from refconv.dialects.matlab.layers import (
    Convolution1DLayer,
    Convolution2DLayer,
    Convolution3DLayer,
    TransposedConvolution1DLayer,
    TransposedConvolution2DLayer,
    TransposedConvolution3DLayer,
    convolution1dLayer,
    convolution2dLayer,
    convolution3dLayer,
    transposedConv1dLayer,
    transposedConv2dLayer,
    transposedConv3dLayer,
)

__all__ = [
    "Convolution1DLayer",
    "Convolution2DLayer",
    "Convolution3DLayer",
    "TransposedConvolution1DLayer",
    "TransposedConvolution2DLayer",
    "TransposedConvolution3DLayer",
    "convolution1dLayer",
    "convolution2dLayer",
    "convolution3dLayer",
    "transposedConv1dLayer",
    "transposedConv2dLayer",
    "transposedConv3dLayer",
]
