"""Cropping layers in one, two and three dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from refconv import functional
from refconv.arguments import pairs_per_axis
from refconv.layers.channelwise import ChannelwiseLayer
from refconv.layers.reading import read_data_format


class Cropping(ChannelwiseLayer):
    """Base of the cropping layers; `cropping` is how many cells, before and after each axis."""

    kind = "cropping"
    cropping: tuple[Any, ...]

    def call(self, inputs: np.ndarray) -> np.ndarray:
        """Compute the output."""
        return functional.crop(inputs, data_format=self.data_format, **self._words())

    def _input_gradient(self, dy: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        return functional.crop_grad_input(dy, input_shape, data_format=self.data_format, **self._words())

    def _words(self) -> dict[str, Any]:
        return {"cropping": self.cropping}

    def _ample_size(self) -> tuple[int, ...]:
        return tuple(before + after + 1 for before, after in self._words()["cropping"])


class Cropping1D(Cropping):
    """The steps without the first few and the last few.

    The input has shape (batch, steps, channels), the output (batch, steps - cropping[0] -
    cropping[1], channels).

    Parameters
    ----------
    cropping : int or sequence of 2 int
        How many on both sides, or (before, after).
    **kwargs
        ``trainable``, ``dtype`` and ``name``; see `refconv.layers.base.Layer`.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: ``keras/src/layers/reshaping/cropping1d.py``, Keras 3.15.1.

    Examples
    --------
    >>> import numpy as np
    >>> Cropping1D(cropping=1)(np.arange(12).reshape(2, 3, 2))
    array([[[2, 3]],
           [[8, 9]]])
    """

    rank = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        (self.cropping,) = pairs_per_axis("cropping", cropping, 1, 0)

    def _words(self) -> dict[str, Any]:
        return {"cropping": (self.cropping,)}


class Cropping2D(Cropping):
    """Images without cells at their borders.

    The input has shape (batch, rows, columns, channels), or with the channels second.

    Parameters
    ----------
    cropping : int or sequence
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
    Source: ``keras/src/layers/reshaping/cropping2d.py``, Keras 3.15.1.

    Examples
    --------
    >>> import numpy as np
    >>> Cropping2D(cropping=((2, 2), (4, 4)))(np.ones((2, 28, 28, 3))).shape
    (2, 24, 20, 3)
    """

    rank = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = pairs_per_axis("cropping", cropping, 2, 0)
        self.data_format = read_data_format(data_format)


class Cropping3D(Cropping):
    """Volumes without cells at their borders.

    The input has shape (batch, n1, n2, n3, channels), or with the channels second.

    Parameters
    ----------
    cropping : int or sequence
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
    Source: ``keras/src/layers/reshaping/cropping3d.py``, Keras 3.15.1.

    Examples
    --------
    >>> import numpy as np
    >>> Cropping3D(cropping=(2, 4, 2))(np.ones((2, 28, 28, 10, 3))).shape
    (2, 24, 20, 6, 3)
    """

    rank = 3

    def __init__(self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = pairs_per_axis("cropping", cropping, 3, 0)
        self.data_format = read_data_format(data_format)
