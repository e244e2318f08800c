"""The layers under the names, arguments, defaults and weight layouts of older frameworks.

Each module is thin: a class there is the layer of `refconv.layers` with other words, and arrays are
permuted where they come in and go out. `keras1` is Keras 1, `tf_keras` is TensorFlow 2.4's Keras 2, `matlab` is
MATLAB's Deep Learning Toolbox.

Examples
--------
>>> from refconv.dialects import keras1, tf_keras
>>> keras1.Convolution2D(64, 3, 3, border_mode="same", input_shape=(3, 256, 256)).output_shape
(None, 64, 256, 256)
>>> tf_keras.Conv1DTranspose(32, 3, 2, input_shape=(10, 128)).output_shape
(None, 21, 32)
"""

from __future__ import annotations

import importlib
from typing import Any

_DIALECTS = ("keras1", "matlab", "tf_keras")

__all__ = ["keras1", "matlab", "tf_keras"]


def __getattr__(name: str) -> Any:
    if name in _DIALECTS:
        return importlib.import_module(f"refconv.dialects.{name}")
    raise AttributeError(f"module 'refconv.dialects' has no attribute {name!r}")
