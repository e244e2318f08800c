"""Keras 1's separable convolution."""

from __future__ import annotations

from typing import Any, ClassVar

from refconv import layers
from refconv.dialects.keras1.base import Keras1Kernel, kernel_sizes
from refconv.dialects.keras1.words import NEWER_WORDS, newer


class SeparableConvolution2D(Keras1Kernel, layers.SeparableConv2D):
    """A depthwise convolution over rows and columns, and then a pointwise one that mixes its outputs.

    The input has shape (samples, channels, rows, cols), the output (samples, nb_filter, new_rows,
    new_cols), or with the channels last under ``dim_ordering="tf"``.

    Parameters
    ----------
    nb_filter : int
        Channels of the output.
    nb_row, nb_col : int
        Rows and columns of the depthwise kernel.
    init : str or callable
        Of both kernels; see `refconv.initializers.get`. Not used where `weights` are given.
    activation : str, callable or None
        See `refconv.activations.get`.
    weights : list of arrays, optional
        The weights to start from: ``[depthwise, pointwise, b]``, of shapes (depth_multiplier, channels,
        nb_row, nb_col) and (nb_filter, depth_multiplier * channels, 1, 1); under ``"tf"`` (nb_row, nb_col,
        channels, depth_multiplier) and (1, 1, depth_multiplier * channels, nb_filter).
    border_mode : str
        ``"valid"`` or ``"same"``.
    subsample : int or sequence of 2 int
        The stride, the same for rows and columns as on TensorFlow.
    depth_multiplier : int
        Outputs of the depthwise step per channel; output ``c * depth_multiplier + m`` reads channel c.
    dim_ordering : str
        As in `Convolution2D`.
    depthwise_regularizer, pointwise_regularizer, b_regularizer, activity_regularizer : regularizer or None
        Of the two kernels, the bias and the output.
    depthwise_constraint, pointwise_constraint, b_constraint : constraint or None
        Of the two kernels and the bias.
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
    Keras 1 had this layer on TensorFlow only. Source: its documentation; Keras 1.2.2,
    ``keras/layers/convolutional.py``.

    Examples
    --------
    >>> layer = SeparableConvolution2D(8, 3, 3, depth_multiplier=2, input_shape=(3, 128, 128))
    >>> layer.output_shape
    (None, 8, 126, 126)
    """

    newer_words: ClassVar = {**NEWER_WORDS, "init": "depthwise_initializer"}

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
        depth_multiplier: int = 1,
        dim_ordering: str = "default",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        b_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
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
            "depth_multiplier": depth_multiplier,
            "dim_ordering": dim_ordering,
            "depthwise_regularizer": depthwise_regularizer,
            "pointwise_regularizer": pointwise_regularizer,
            "b_regularizer": b_regularizer,
            "activity_regularizer": activity_regularizer,
            "depthwise_constraint": depthwise_constraint,
            "pointwise_constraint": pointwise_constraint,
            "b_constraint": b_constraint,
            "bias": bias,
        }
        arguments = newer(2, words)
        initializer = arguments.pop("kernel_initializer")
        super().__init__(
            kernel_size=(self.nb_row, self.nb_col),
            depthwise_initializer=initializer,
            pointwise_initializer=initializer,
            weights=weights,
            **arguments,
            **kwargs,
        )
