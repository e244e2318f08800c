"""Draw README's picture: a transposed convolution in both views. Run: python figures/readme.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import refconv

x = np.array([[1, 2], [3, 1]], float).reshape(1, 2, 2, 1)
weights = np.array([[1, 2, 1], [0, 1, 0], [-1, -2, -1]], float).reshape(3, 3, 1, 1)

layer = refconv.layers.Conv2DTranspose(1, 3, strides=2, padding="same", use_bias=False)
layer.build(x.shape)
layer.set_weights([weights])

animation = refconv.animate(layer, x)
animation.save(Path(__file__).parent / "readme.gif")
print(animation.alt_text)
