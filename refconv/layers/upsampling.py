"""Upsampling layers in one, two and three dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from refconv import functional
from refconv.arguments import choice, per_axis, whole_number
from refconv.errors import ConvError
from refconv.geometry import ConvGeometry
from refconv.interpolation import axis_taps
from refconv.layers.base import Shape
from refconv.layers.channelwise import ChannelwiseLayer
from refconv.layers.reading import read_data_format
from refconv.trace import Stage

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


class UpSampling1D(ChannelwiseLayer):
    """Repetition of every step `size` times.

    The input has shape (batch, steps, channels), the output (batch, steps * size, channels).

    Parameters
    ----------
    size : int
        Outputs per step.
    **kwargs
        ``trainable``, ``dtype`` and ``name``; see `refconv.layers.base.Layer`.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: ``keras/src/layers/reshaping/up_sampling1d.py``, Keras 3.15.1.

    Examples
    --------
    >>> import numpy as np
    >>> UpSampling1D(size=2)(np.arange(12).reshape(2, 2, 3))[0]
    array([[0, 1, 2],
           [0, 1, 2],
           [3, 4, 5],
           [3, 4, 5]])
    """

    rank = 1
    kind = "upsampling"

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = whole_number("size", size, 1)

    def call(self, inputs: np.ndarray) -> np.ndarray:
        """Compute the output."""
        return functional.upsample(inputs, **self._words())

    def _input_gradient(self, dy: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        return functional.upsample_grad_input(dy, input_shape, **self._words())

    def _words(self) -> dict[str, Any]:
        return {"size": self.size}


class UpSampling2D(ChannelwiseLayer):
    """Enlargement of images by whole factors, by repetition or by interpolation.

    The input has shape (batch, rows, columns, channels), the output (batch, rows * size[0],
    columns * size[1], channels), or with the channels second.

    Parameters
    ----------
    size : int or sequence of 2 int
        Factors of the rows and the columns.
    data_format : str, optional
        ``"channels_last"`` or ``"channels_first"``; by default what keras.json says.
    interpolation : str
        ``"nearest"``, ``"bilinear"``, ``"bicubic"``, ``"lanczos3"`` or ``"lanczos5"``, with half-pixel
        centres.
    **kwargs
        ``trainable``, ``dtype`` and ``name``; see `refconv.layers.base.Layer`.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: ``keras/src/layers/reshaping/up_sampling2d.py``, Keras 3.15.1.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(12).reshape(2, 2, 1, 3)
    >>> UpSampling2D(size=(1, 2))(x)[0, 0]
    array([[0, 1, 2],
           [0, 1, 2]])
    """

    rank = 2
    kind = "upsampling"

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.size = per_axis("size", size, 2)
        self.data_format = read_data_format(data_format)
        self.interpolation = choice("interpolation", interpolation, INTERPOLATIONS)

    def call(self, inputs: np.ndarray) -> np.ndarray:
        """Compute the output."""
        outputs = functional.upsample(
            inputs, interpolation=self.interpolation, data_format=self.data_format, **self._words()
        )
        return outputs if self.interpolation == "nearest" else outputs.astype(self.dtype, copy=False)

    def _input_gradient(self, dy: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        return functional.upsample_grad_input(
            dy, input_shape, interpolation=self.interpolation, data_format=self.data_format, **self._words()
        )

    def geometry(self, input_shape: Shape) -> ConvGeometry:
        """Return the index rule of the whole layer for inputs of this shape.

        Raises
        ------
        ConvError
            If a size is unknown, the layer cannot take such inputs, or it interpolates.
        """
        if self.interpolation != "nearest":
            rule = "an interpolation's weights differ from output to output, so that it is no convolution"
            raise ConvError("interpolation", self.interpolation, rule, "use 'nearest', or stages()")
        return super().geometry(input_shape)

    def _words(self) -> dict[str, Any]:
        return {"size": self.size}

    def _stages(self, input_shape: Shape, channels: int) -> tuple[Stage, ...]:
        if self.interpolation == "nearest":
            return super()._stages(input_shape, channels)
        sizes = super().geometry(input_shape).input_size
        rows = tuple(axis_taps(n, n * s, self.interpolation) for n, s in zip(sizes, self.size, strict=True))
        return (Stage(self.kind, None, interpolation=rows),)


class UpSampling3D(ChannelwiseLayer):
    """Repetition of every cell of a volume by whole factors.

    The input has shape (batch, n1, n2, n3, channels), the output (batch, n1 * size[0], n2 * size[1],
    n3 * size[2], channels), or with the channels second.

    Parameters
    ----------
    size : int or sequence of 3 int
        Factors of the three axes.
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
    Source: ``keras/src/layers/reshaping/up_sampling3d.py``, Keras 3.15.1.

    Examples
    --------
    >>> import numpy as np
    >>> UpSampling3D(size=(2, 2, 2))(np.ones((2, 1, 2, 1, 3))).shape
    (2, 2, 4, 2, 3)
    """

    rank = 3
    kind = "upsampling"

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = per_axis("size", size, 3)
        self.data_format = read_data_format(data_format)

    def call(self, inputs: np.ndarray) -> np.ndarray:
        """Compute the output."""
        return functional.upsample(inputs, data_format=self.data_format, **self._words())

    def _input_gradient(self, dy: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        return functional.upsample_grad_input(dy, input_shape, data_format=self.data_format, **self._words())

    def _words(self) -> dict[str, Any]:
        return {"size": self.size}
