"""Zero padding layers in one, two and three dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from refconv import functional
from refconv.arguments import pairs_per_axis
from refconv.layers.channelwise import ChannelwiseLayer
from refconv.layers.reading import read_data_format


class ZeroPadding(ChannelwiseLayer):
    """Base of the zero padding layers; `padding` is how many cells, before and after each axis."""

    kind = "zero-padding"
    padding: tuple[Any, ...]

    def call(self, inputs: np.ndarray) -> np.ndarray:
        """Compute the output."""
        return functional.zero_pad(inputs, data_format=self.data_format, **self._words())

    def _input_gradient(self, dy: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        return functional.zero_pad_grad_input(dy, input_shape, data_format=self.data_format, **self._words())

    def _words(self) -> dict[str, Any]:
        return {"padding": self.padding}


class ZeroPadding1D(ZeroPadding):
    """Zeros before the first step and after the last.

    The input has shape (batch, steps, channels), the output (batch, steps + padding[0] +
    padding[1], channels), or with the channels second.

    Parameters
    ----------
    padding : int or sequence of 2 int
        How many on both sides, or (before, after).
    data_format : str, optional
        ``"channels_last"`` or ``"channels_first"``; by default what keras.json says.
    **kwargs
        ``trainable``, ``dtype`` and ``name``; see `refconv.layers.base.Layer`.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: ``keras/src/layers/reshaping/zero_padding1d.py``, Keras 3.15.1.

    Examples
    --------
    >>> import numpy as np
    >>> ZeroPadding1D(padding=(2, 1))(np.arange(12).reshape(2, 2, 3))[0]
    array([[0, 0, 0],
           [0, 0, 0],
           [0, 1, 2],
           [3, 4, 5],
           [0, 0, 0]])
    """

    rank = 1

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        (self.padding,) = pairs_per_axis("padding", padding, 1, 0)
        self.data_format = read_data_format(data_format)

    def _words(self) -> dict[str, Any]:
        return {"padding": (self.padding,)}


class ZeroPadding2D(ZeroPadding):
    """Zeros around the rows and columns of images.

    The input has shape (batch, rows, columns, channels), or with the channels second.

    Parameters
    ----------
    padding : int or sequence
        How many on all sides, (rows, columns), or ((top, bottom), (left, right)).
    data_format : str, optional
        ``"channels_last"`` or ``"channels_first"``; by default what keras.json says.
    **kwargs
        ``trainable``, ``dtype`` and ``name``; see `refconv.layers.base.Layer`.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: ``keras/src/layers/reshaping/zero_padding2d.py``, Keras 3.15.1.

    Examples
    --------
    >>> import numpy as np
    >>> ZeroPadding2D(padding=((1, 0), (0, 2)))(np.ones((1, 1, 2, 1)))[0, :, :, 0]
    array([[0., 0., 0., 0.],
           [1., 1., 0., 0.]], dtype=float32)
    """

    rank = 2

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = pairs_per_axis("padding", padding, 2, 0)
        self.data_format = read_data_format(data_format)


class ZeroPadding3D(ZeroPadding):
    """Zeros around the three axes of volumes.

    The input has shape (batch, n1, n2, n3, channels), or with the channels second.

    Parameters
    ----------
    padding : int or sequence
        How many on all sides, one number per axis, or (before, after) per axis.
    data_format : str, optional
        ``"channels_last"`` or ``"channels_first"``; by default what keras.json says.
    **kwargs
        ``trainable``, ``dtype`` and ``name``; see `refconv.layers.base.Layer`.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: ``keras/src/layers/reshaping/zero_padding3d.py``, Keras 3.15.1.

    Examples
    --------
    >>> import numpy as np
    >>> ZeroPadding3D(padding=2)(np.ones((1, 1, 2, 2, 3))).shape
    (1, 5, 6, 6, 3)
    """

    rank = 3

    def __init__(self, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = pairs_per_axis("padding", padding, 3, 0)
        self.data_format = read_data_format(data_format)
