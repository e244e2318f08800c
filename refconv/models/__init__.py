"""Models: layers that are trained, small and complete, so that convolutions can be seen learning.

Examples
--------
>>> import numpy as np
>>> from refconv import layers, models
>>> model = models.Sequential([layers.Dense(1, kernel_initializer="zeros", input_shape=(1,))])
>>> model.compile("adam", "mse")
>>> x = np.array([[1.0], [2.0]])
>>> history = model.fit(x, 3 * x, epochs=2, verbose=0)
>>> history.history["loss"][1] < history.history["loss"][0]
True
"""

from __future__ import annotations

from refconv.models.sequential import History, Sequential
from refconv.models.storage import load

__all__ = ["History", "Sequential", "load"]
