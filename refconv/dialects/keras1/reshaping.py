"""Keras 1's layers without weights: upsampling, zero padding, cropping."""

from __future__ import annotations

from typing import Any

from refconv import conventions, layers
from refconv.arguments import whole_number
from refconv.dialects.keras1.base import Keras1Layer
from refconv.dialects.keras1.words import read_dim_ordering


class UpSampling1D(layers.UpSampling1D, Keras1Layer):
    """Repetition of every step `length` times.

    The input has shape (samples, steps, features), the output (samples, steps * length, features).

    Parameters
    ----------
    length : int
        Outputs per step.
    **kwargs
        ``input_shape``, ``batch_input_shape``, ``name``, ``trainable`` and ``dtype``.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: the documentation of Keras 1.

    Examples
    --------
    >>> UpSampling1D(length=3, input_shape=(4, 5)).output_shape
    (None, 12, 5)
    """

    def __init__(self, length: int = 2, **kwargs: Any) -> None:
        self._check_common(kwargs)
        super().__init__(size=whole_number("length", length, 1), **kwargs)


class UpSampling2D(layers.UpSampling2D, Keras1Layer):
    """Repetition of the rows ``size[0]`` times and of the columns ``size[1]`` times.

    The input has shape (samples, channels, rows, cols), the output (samples, channels, upsampled_rows,
    upsampled_cols), or with the channels last under ``dim_ordering="tf"``.

    Parameters
    ----------
    size : int or sequence of 2 int
        Factors of the rows and the columns.
    dim_ordering : str
        As in `Convolution2D`.
    **kwargs
        ``input_shape``, ``batch_input_shape``, ``name``, ``trainable`` and ``dtype``.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: the documentation of Keras 1.

    Examples
    --------
    >>> UpSampling2D((2, 3), input_shape=(5, 4, 4)).output_shape
    (None, 5, 8, 12)
    """

    def __init__(self, size: Any = (2, 2), dim_ordering: str = "default", **kwargs: Any) -> None:
        self._check_common(kwargs)
        super().__init__(size=size, data_format=read_dim_ordering(dim_ordering), **kwargs)


class UpSampling3D(layers.UpSampling3D, Keras1Layer):
    """Repetition of the three axes of volumes by the factors `size`.

    The input has shape (samples, channels, dim1, dim2, dim3), the output (samples, channels,
    upsampled_dim1, upsampled_dim2, upsampled_dim3), or with the channels last under ``dim_ordering="tf"``.

    Parameters
    ----------
    size : int or sequence of 3 int
        Factors of the three axes.
    dim_ordering : str
        As in `Convolution2D`.
    **kwargs
        ``input_shape``, ``batch_input_shape``, ``name``, ``trainable`` and ``dtype``.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: the documentation of Keras 1.

    Examples
    --------
    >>> UpSampling3D(input_shape=(5, 2, 3, 4)).output_shape
    (None, 5, 4, 6, 8)
    """

    def __init__(self, size: Any = (2, 2, 2), dim_ordering: str = "default", **kwargs: Any) -> None:
        self._check_common(kwargs)
        super().__init__(size=size, data_format=read_dim_ordering(dim_ordering), **kwargs)


class ZeroPadding1D(layers.ZeroPadding1D, Keras1Layer):
    """Zeros before the first step and after the last.

    The input has shape (samples, axis_to_pad, features), the output (samples, padded_axis, features).

    Parameters
    ----------
    padding : int, sequence of 2 int or dict
        How many on both sides; as in Keras 1.2.2 also (left, right), or a dict of ``left_pad`` and
        ``right_pad``.
    **kwargs
        ``input_shape``, ``batch_input_shape``, ``name``, ``trainable`` and ``dtype``.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: the documentation of Keras 1; Keras 1.2.2, ``keras/layers/convolutional.py``.

    Examples
    --------
    >>> ZeroPadding1D(2, input_shape=(5, 3)).output_shape
    (None, 9, 3)
    """

    def __init__(self, padding: Any = 1, **kwargs: Any) -> None:
        self._check_common(kwargs)
        super().__init__(padding=_pairs(padding, 1)[0], data_format="channels_last", **kwargs)


class ZeroPadding2D(layers.ZeroPadding2D, Keras1Layer):
    """Zeros around the rows and columns of images.

    The input has shape (samples, depth, first_axis_to_pad, second_axis_to_pad), the output (samples, depth,
    first_padded_axis, second_padded_axis), or with the depth last under ``dim_ordering="tf"``.

    Parameters
    ----------
    padding : int, sequence of 2 or 4 int, or dict
        How many before and after the rows, and the columns; as in Keras 1.2.2 also (top, bottom, left,
        right), or a dict of ``top_pad``, ``bottom_pad``, ``left_pad`` and ``right_pad``.
    dim_ordering : str
        As in `Convolution2D`.
    **kwargs
        ``input_shape``, ``batch_input_shape``, ``name``, ``trainable`` and ``dtype``.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: the documentation of Keras 1; Keras 1.2.2, ``keras/layers/convolutional.py``.

    Examples
    --------
    >>> ZeroPadding2D((1, 2), input_shape=(3, 5, 5)).output_shape
    (None, 3, 7, 9)
    """

    def __init__(self, padding: Any = (1, 1), dim_ordering: str = "default", **kwargs: Any) -> None:
        self._check_common(kwargs)
        super().__init__(padding=_pairs(padding, 2), data_format=read_dim_ordering(dim_ordering), **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return the layer's arguments in Keras 1's words, the padding as (top, bottom, left, right)."""
        return {**super().get_config(), "padding": tuple(cells for pair in self.padding for cells in pair)}


class ZeroPadding3D(layers.ZeroPadding3D, Keras1Layer):
    """Zeros around the three axes of volumes.

    The input has shape (samples, depth, first_axis_to_pad, second_axis_to_pad, third_axis_to_pad), the
    output likewise, or both with the depth last under ``dim_ordering="tf"``.

    Parameters
    ----------
    padding : int or sequence of 3 int
        How many before and after each axis.
    dim_ordering : str
        As in `Convolution2D`.
    **kwargs
        ``input_shape``, ``batch_input_shape``, ``name``, ``trainable`` and ``dtype``.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: the documentation of Keras 1.

    Examples
    --------
    >>> ZeroPadding3D((1, 2, 3), input_shape=(3, 5, 5, 5)).output_shape
    (None, 3, 7, 9, 11)
    """

    def __init__(self, padding: Any = (1, 1, 1), dim_ordering: str = "default", **kwargs: Any) -> None:
        self._check_common(kwargs)
        super().__init__(padding=_pairs(padding, 3), data_format=read_dim_ordering(dim_ordering), **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return the layer's arguments in Keras 1's words, the padding as one amount per axis."""
        return {**super().get_config(), "padding": tuple(before for before, _ in self.padding)}


class Cropping1D(layers.Cropping1D, Keras1Layer):
    """The steps without the first few and the last few.

    The input has shape (samples, axis_to_crop, features), the output (samples, cropped_axis, features).

    Parameters
    ----------
    cropping : int or sequence of 2 int
        How many on both sides, or (before, after).
    **kwargs
        ``input_shape``, ``batch_input_shape``, ``name``, ``trainable`` and ``dtype``.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: Keras 1.2.2, ``keras/layers/convolutional.py``.

    Examples
    --------
    >>> Cropping1D((1, 2), input_shape=(8, 3)).output_shape
    (None, 5, 3)
    """

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        self._check_common(kwargs)
        super().__init__(cropping=cropping, **kwargs)


class Cropping2D(layers.Cropping2D, Keras1Layer):
    """Images without cells at their borders.

    The input has shape (samples, depth, first_axis_to_crop, second_axis_to_crop), the output likewise, or
    both with the depth last under ``dim_ordering="tf"``.

    Parameters
    ----------
    cropping : int or sequence
        How many on all sides, (rows, columns), or ((top, bottom), (left, right)).
    dim_ordering : str
        As in `Convolution2D`.
    **kwargs
        ``input_shape``, ``batch_input_shape``, ``name``, ``trainable`` and ``dtype``.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: Keras 1.2.2, ``keras/layers/convolutional.py``.

    Examples
    --------
    >>> Cropping2D(((2, 2), (4, 4)), input_shape=(3, 28, 28)).output_shape
    (None, 3, 24, 20)
    """

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), dim_ordering: str = "default", **kwargs: Any) -> None:
        self._check_common(kwargs)
        super().__init__(cropping=cropping, data_format=read_dim_ordering(dim_ordering), **kwargs)


class Cropping3D(layers.Cropping3D, Keras1Layer):
    """Volumes without cells at their borders.

    The input has shape (samples, depth, first_axis_to_crop, second_axis_to_crop, third_axis_to_crop), the
    output likewise, or both with the depth last under ``dim_ordering="tf"``.

    Parameters
    ----------
    cropping : int or sequence
        How many on all sides, one number per axis, or (before, after) per axis.
    dim_ordering : str
        As in `Convolution2D`.
    **kwargs
        ``input_shape``, ``batch_input_shape``, ``name``, ``trainable`` and ``dtype``.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: Keras 1.2.2, ``keras/layers/convolutional.py``.

    Examples
    --------
    >>> Cropping3D(((1, 1), (2, 2), (0, 3)), input_shape=(3, 9, 9, 9)).output_shape
    (None, 3, 7, 5, 6)
    """

    def __init__(self, cropping: Any = ((1, 1), (1, 1), (1, 1)), dim_ordering: str = "default", **kwargs: Any) -> None:
        self._check_common(kwargs)
        super().__init__(cropping=cropping, data_format=read_dim_ordering(dim_ordering), **kwargs)


def _pairs(padding: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """Return the cells before and after each axis that Keras 1's `padding` means."""
    axes = conventions.read("zero-padding", (1,) * rank, "keras1", padding=padding).geometry.axes
    return tuple((axis.pad_before, axis.pad_after) for axis in axes)
