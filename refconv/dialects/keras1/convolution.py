"""Keras 1's convolution layers, atrous ones included."""

from __future__ import annotations

from typing import Any

from refconv import layers
from refconv.dialects.keras1.base import Keras1Kernel, kernel_sizes
from refconv.dialects.keras1.words import newer
from refconv.errors import ConvError


class _Convolution(Keras1Kernel):
    """Base of the convolutions: what of the arguments not all classes have."""

    def _older_words(self) -> dict[str, Any]:
        return {"subsample": self.strides, "atrous_rate": self.dilation_rate}


class _Convolution1D(_Convolution):
    """Base of the convolutions over one axis, whose words are single numbers."""

    def _older_words(self) -> dict[str, Any]:
        return {"subsample_length": self.strides[0], "atrous_rate": self.dilation_rate[0]}


class Convolution1D(_Convolution1D, layers.Conv1D):
    """Convolution over one axis, such as time.

    The input has shape (samples, steps, input_dim), the output (samples, new_steps, nb_filter).

    Parameters
    ----------
    nb_filter : int
        Channels of the output.
    filter_length : int
        Length of the kernel.
    init : str or callable
        See `refconv.initializers.get`; not used where `weights` are given.
    activation : str, callable or None
        See `refconv.activations.get`.
    weights : list of arrays, optional
        The weights to start from: ``[W, b]``, of shapes (filter_length, 1, input_dim, nb_filter) and
        (nb_filter,).
    border_mode : str
        ``"valid"``, ``"same"``, or ``"full"``, which Keras 1 had on Theano only.
    subsample_length : int
        The stride.
    W_regularizer, b_regularizer, activity_regularizer : regularizer or None
        Of the kernel, the bias and the output.
    W_constraint, b_constraint : constraint or None
        Of the kernel and the bias.
    bias : bool
        Whether a bias is added.
    input_dim, input_length : int, optional
        Another way of saying ``input_shape=(input_length, input_dim)``.
    **kwargs
        ``input_shape``, ``batch_input_shape``, ``name``, ``trainable`` and ``dtype``.

    Raises
    ------
    ConvError
        If an argument is wrong by itself or with the others.

    Notes
    -----
    Keras 1 on TensorFlow is followed; on Theano it flipped the kernel, and ``"same"`` padded
    ``filter_length // 2`` on both sides. `init` was given Keras 1's own shape as if it were Theano's, so
    that its fans were ``input_dim * nb_filter`` and ``filter_length * input_dim * nb_filter``; here they
    are the true ones. Source: Keras 1.2.2, ``keras/layers/convolutional.py``.

    Examples
    --------
    >>> Convolution1D(64, 3, border_mode="same", input_shape=(10, 32)).output_shape
    (None, 10, 64)
    """

    def __init__(
        self,
        nb_filter: int,
        filter_length: int,
        init: Any = "glorot_uniform",
        activation: Any = None,
        weights: Any = None,
        border_mode: str = "valid",
        subsample_length: int = 1,
        W_regularizer: Any = None,
        b_regularizer: Any = None,
        activity_regularizer: Any = None,
        W_constraint: Any = None,
        b_constraint: Any = None,
        bias: bool = True,
        input_dim: int | None = None,
        input_length: int | None = None,
        **kwargs: Any,
    ) -> None:
        self._check_common(kwargs)
        self.filter_length, self.subsample_length = kernel_sizes(
            filter_length=filter_length, subsample_length=subsample_length
        )
        self.input_dim, self.input_length = input_dim, input_length
        words = {
            "nb_filter": nb_filter,
            "init": init,
            "activation": activation,
            "border_mode": border_mode,
            "W_regularizer": W_regularizer,
            "b_regularizer": b_regularizer,
            "activity_regularizer": activity_regularizer,
            "W_constraint": W_constraint,
            "b_constraint": b_constraint,
            "bias": bias,
        }
        super().__init__(
            kernel_size=self.filter_length,
            strides=self.subsample_length,
            weights=weights,
            data_format="channels_last",
            **newer(1, words),
            **_with_input_shape(kwargs, input_dim, input_length),
        )


class AtrousConvolution1D(_Convolution1D, layers.Conv1D):
    """Convolution over one axis with a dilated kernel, at stride 1.

    The input has shape (samples, steps, input_dim), the output (samples, new_steps, nb_filter).

    Parameters
    ----------
    nb_filter, filter_length, init, activation, weights, border_mode, subsample_length : object
        As in `Convolution1D`.
    atrous_rate : int
        The dilation; above 1 only where `subsample_length` is 1.
    W_regularizer, b_regularizer, activity_regularizer, W_constraint, b_constraint, bias : object
        As in `Convolution1D`.
    **kwargs
        ``input_dim``, ``input_length``, ``input_shape``, ``batch_input_shape``, ``name``, ``trainable`` and
        ``dtype``.

    Raises
    ------
    ConvError
        If an argument is wrong by itself or with the others.

    Notes
    -----
    Source: Keras 1.2.2, ``keras/layers/convolutional.py``.

    Examples
    --------
    >>> layer = AtrousConvolution1D(64, 3, atrous_rate=2, border_mode="same", input_shape=(10, 32))
    >>> layer.output_shape
    (None, 10, 64)
    """

    def __init__(
        self,
        nb_filter: int,
        filter_length: int,
        init: Any = "glorot_uniform",
        activation: Any = None,
        weights: Any = None,
        border_mode: str = "valid",
        subsample_length: int = 1,
        atrous_rate: int = 1,
        W_regularizer: Any = None,
        b_regularizer: Any = None,
        activity_regularizer: Any = None,
        W_constraint: Any = None,
        b_constraint: Any = None,
        bias: bool = True,
        **kwargs: Any,
    ) -> None:
        input_dim, input_length = kwargs.pop("input_dim", None), kwargs.pop("input_length", None)
        self._check_common(kwargs)
        self.filter_length, self.subsample_length, self.atrous_rate = kernel_sizes(
            filter_length=filter_length, subsample_length=subsample_length, atrous_rate=atrous_rate
        )
        words = {
            "nb_filter": nb_filter,
            "init": init,
            "activation": activation,
            "border_mode": border_mode,
            "W_regularizer": W_regularizer,
            "b_regularizer": b_regularizer,
            "activity_regularizer": activity_regularizer,
            "W_constraint": W_constraint,
            "b_constraint": b_constraint,
            "bias": bias,
        }
        super().__init__(
            kernel_size=self.filter_length,
            strides=self.subsample_length,
            dilation_rate=self.atrous_rate,
            weights=weights,
            data_format="channels_last",
            **newer(1, words),
            **_with_input_shape(kwargs, input_dim, input_length),
        )


class Convolution2D(_Convolution, layers.Conv2D):
    """Convolution over the rows and columns of images.

    The input has shape (samples, channels, rows, cols), the output (samples, nb_filter, new_rows,
    new_cols), or with the channels last under ``dim_ordering="tf"``.

    Parameters
    ----------
    nb_filter : int
        Channels of the output.
    nb_row, nb_col : int
        Rows and columns of the kernel.
    init : str or callable
        See `refconv.initializers.get`; not used where `weights` are given.
    activation : str, callable or None
        See `refconv.activations.get`.
    weights : list of arrays, optional
        The weights to start from: ``[W, b]``. W has shape (nb_filter, channels, nb_row, nb_col), or under
        ``"tf"`` (nb_row, nb_col, channels, nb_filter).
    border_mode : str
        ``"valid"``, ``"same"``, or ``"full"``, which Keras 1 had on Theano only.
    subsample : int or sequence of 2 int
        The stride.
    dim_ordering : str
        ``"th"``, ``"tf"``, or ``"default"``: what ``image_dim_ordering`` in keras.json says, ``"th"`` where that
        is not set.
    W_regularizer, b_regularizer, activity_regularizer : regularizer or None
        Of the kernel, the bias and the output.
    W_constraint, b_constraint : constraint or None
        Of the kernel and the bias.
    bias : bool
        Whether a bias is added.
    **kwargs
        ``input_shape``, ``batch_input_shape``, ``name``, ``trainable`` and ``dtype``.

    Raises
    ------
    ConvError
        If an argument is wrong by itself or with the others.

    Notes
    -----
    Keras 1 on TensorFlow is followed; on Theano it flipped the kernel, and ``"same"`` padded
    ``nb_row // 2`` and ``nb_col // 2`` on both sides whatever the stride. Its last release, 1.2.2, took
    ``"tf"`` where keras.json does not set ``image_dim_ordering``; its documentation, and refconv, ``"th"``.
    Source: that documentation; Keras 1.2.2, ``keras/layers/convolutional.py``.

    Examples
    --------
    >>> Convolution2D(64, 3, 3, border_mode="same", input_shape=(3, 256, 256)).output_shape
    (None, 64, 256, 256)
    """

    def __init__(
        self,
        nb_filter: int,
        nb_row: int,
        nb_col: int,
        init: Any = "glorot_uniform",
        activation: Any = "linear",
        weights: Any = None,
        border_mode: str = "valid",
        subsample: Any = (1, 1),
        dim_ordering: str = "default",
        W_regularizer: Any = None,
        b_regularizer: Any = None,
        activity_regularizer: Any = None,
        W_constraint: Any = None,
        b_constraint: Any = None,
        bias: bool = True,
        **kwargs: Any,
    ) -> None:
        self._check_common(kwargs)
        self.nb_row, self.nb_col = kernel_sizes(nb_row=nb_row, nb_col=nb_col)
        words = {
            "nb_filter": nb_filter,
            "init": init,
            "activation": activation,
            "border_mode": border_mode,
            "subsample": subsample,
            "dim_ordering": dim_ordering,
            "W_regularizer": W_regularizer,
            "b_regularizer": b_regularizer,
            "activity_regularizer": activity_regularizer,
            "W_constraint": W_constraint,
            "b_constraint": b_constraint,
            "bias": bias,
        }
        super().__init__(kernel_size=(self.nb_row, self.nb_col), weights=weights, **newer(2, words), **kwargs)


class AtrousConvolution2D(_Convolution, layers.Conv2D):
    """Convolution over the rows and columns of images with a dilated kernel, at stride 1.

    The input has shape (samples, channels, rows, cols), the output (samples, nb_filter, new_rows,
    new_cols), or with the channels last under ``dim_ordering="tf"``.

    Parameters
    ----------
    nb_filter, nb_row, nb_col, init, activation, weights, border_mode, subsample : object
        As in `Convolution2D`.
    atrous_rate : int or sequence of 2 int
        The dilation, the same for rows and columns as on TensorFlow; above 1 only at stride 1.
    dim_ordering, W_regularizer, b_regularizer, activity_regularizer, W_constraint, b_constraint, bias : object
        As in `Convolution2D`.
    **kwargs
        ``input_shape``, ``batch_input_shape``, ``name``, ``trainable`` and ``dtype``.

    Raises
    ------
    ConvError
        If an argument is wrong by itself or with the others.

    Notes
    -----
    Where Theano differed, see `Convolution2D`; it took different rates for rows and columns. Source: the
    documentation of Keras 1; Keras 1.2.2, ``keras/layers/convolutional.py``.

    Examples
    --------
    >>> layer = AtrousConvolution2D(64, 3, 3, atrous_rate=(2, 2), border_mode="valid", input_shape=(3, 256, 256))
    >>> layer.output_shape
    (None, 64, 252, 252)
    """

    def __init__(
        self,
        nb_filter: int,
        nb_row: int,
        nb_col: int,
        init: Any = "glorot_uniform",
        activation: Any = "linear",
        weights: Any = None,
        border_mode: str = "valid",
        subsample: Any = (1, 1),
        atrous_rate: Any = (1, 1),
        dim_ordering: str = "default",
        W_regularizer: Any = None,
        b_regularizer: Any = None,
        activity_regularizer: Any = None,
        W_constraint: Any = None,
        b_constraint: Any = None,
        bias: bool = True,
        **kwargs: Any,
    ) -> None:
        self._check_common(kwargs)
        self.nb_row, self.nb_col = kernel_sizes(nb_row=nb_row, nb_col=nb_col)
        words = {
            "nb_filter": nb_filter,
            "init": init,
            "activation": activation,
            "border_mode": border_mode,
            "subsample": subsample,
            "atrous_rate": atrous_rate,
            "dim_ordering": dim_ordering,
            "W_regularizer": W_regularizer,
            "b_regularizer": b_regularizer,
            "activity_regularizer": activity_regularizer,
            "W_constraint": W_constraint,
            "b_constraint": b_constraint,
            "bias": bias,
        }
        super().__init__(kernel_size=(self.nb_row, self.nb_col), weights=weights, **newer(2, words), **kwargs)


class Convolution3D(_Convolution, layers.Conv3D):
    """Convolution over the three axes of volumes.

    The input has shape (samples, channels, conv_dim1, conv_dim2, conv_dim3), the output (samples,
    nb_filter, new_conv_dim1, new_conv_dim2, new_conv_dim3), or with the channels last under
    ``dim_ordering="tf"``.

    Parameters
    ----------
    nb_filter : int
        Channels of the output.
    kernel_dim1, kernel_dim2, kernel_dim3 : int
        Lengths of the kernel.
    init, activation : object
        As in `Convolution2D`.
    weights : list of arrays, optional
        The weights to start from: ``[W, b]``. W has shape (nb_filter, channels, kernel_dim1, kernel_dim2,
        kernel_dim3), or under ``"tf"`` (kernel_dim1, kernel_dim2, kernel_dim3, channels, nb_filter).
    border_mode : str
        As in `Convolution2D`.
    subsample : int or sequence of 3 int
        The stride.
    dim_ordering, W_regularizer, b_regularizer, activity_regularizer, W_constraint, b_constraint, bias : object
        As in `Convolution2D`.
    **kwargs
        ``input_shape``, ``batch_input_shape``, ``name``, ``trainable`` and ``dtype``.

    Raises
    ------
    ConvError
        If an argument is wrong by itself or with the others.

    Notes
    -----
    The documentation's note that `subsample` slices the output of a convolution with strides=(1,1,1) is
    Theano's way: under ``"same"`` it can start at another cell than TensorFlow, which is followed here.
    Where else Theano differed, see `Convolution2D`. Source: the documentation of Keras 1; Keras 1.2.2,
    ``keras/layers/convolutional.py``.

    Examples
    --------
    >>> Convolution3D(8, 3, 3, 3, input_shape=(3, 10, 128, 128)).output_shape
    (None, 8, 8, 126, 126)
    """

    def __init__(
        self,
        nb_filter: int,
        kernel_dim1: int,
        kernel_dim2: int,
        kernel_dim3: int,
        init: Any = "glorot_uniform",
        activation: Any = "linear",
        weights: Any = None,
        border_mode: str = "valid",
        subsample: Any = (1, 1, 1),
        dim_ordering: str = "default",
        W_regularizer: Any = None,
        b_regularizer: Any = None,
        activity_regularizer: Any = None,
        W_constraint: Any = None,
        b_constraint: Any = None,
        bias: bool = True,
        **kwargs: Any,
    ) -> None:
        self._check_common(kwargs)
        kernel_size = kernel_sizes(kernel_dim1=kernel_dim1, kernel_dim2=kernel_dim2, kernel_dim3=kernel_dim3)
        self.kernel_dim1, self.kernel_dim2, self.kernel_dim3 = kernel_size
        words = {
            "nb_filter": nb_filter,
            "init": init,
            "activation": activation,
            "border_mode": border_mode,
            "subsample": subsample,
            "dim_ordering": dim_ordering,
            "W_regularizer": W_regularizer,
            "b_regularizer": b_regularizer,
            "activity_regularizer": activity_regularizer,
            "W_constraint": W_constraint,
            "b_constraint": b_constraint,
            "bias": bias,
        }
        super().__init__(kernel_size=kernel_size, weights=weights, **newer(3, words), **kwargs)


def _with_input_shape(kwargs: dict[str, Any], input_dim: Any, input_length: Any) -> dict[str, Any]:
    if input_dim is None:
        if input_length is None:
            return kwargs
        raise ConvError("input_length", input_length, "the channels are not told", "give input_dim as well")
    for word in ("input_shape", "batch_input_shape"):
        if word in kwargs:
            raise ConvError("input_dim", input_dim, f"{word} tells the channels already", "give one of them")
    return {**kwargs, "input_shape": (input_length, input_dim)}
