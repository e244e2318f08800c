"""Keras 1's transposed convolution."""

from __future__ import annotations

from typing import Any, ClassVar

from refconv import layers
from refconv.arguments import axes_in_words, is_sequence, per_axis
from refconv.dialects.keras1.base import Keras1Kernel, kernel_sizes
from refconv.dialects.keras1.words import NEWER_WORDS, newer
from refconv.errors import ConvError
from refconv.layers.base import Shape


class Deconvolution2D(Keras1Kernel, layers.Conv2DTranspose):
    """Transposed convolution over the rows and columns of images, of an output shape that the caller gives.

    The input has shape (samples, channels, rows, cols), the output (samples, nb_filter, new_rows,
    new_cols), or with the channels last under ``dim_ordering="tf"``. With the input size i, the kernel size k,
    the stride s and a from 0 to s - 1, the legal output sizes are ``o = s (i - 1) + a + k`` for ``"valid"``, and
    ``o = s (i - 1) + 1 + a`` for ``"same"``.

    Parameters
    ----------
    nb_filter : int
        Channels of the output.
    nb_row, nb_col : int
        Rows and columns of the kernel.
    output_shape : sequence of 4 int
        Of the whole output, in the order of `dim_ordering`: the samples may be None, and `nb_filter` and a
        legal number of rows and columns have to stand in their places.
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
        The stride, by which the output is larger.
    dim_ordering : str
        ``"th"``, ``"tf"`` or ``"default"``.
    W_regularizer, b_regularizer, activity_regularizer : regularizer or None
        Of the kernel, the bias and the output.
    W_constraint, b_constraint : constraint or None
        Of the kernel and the bias.
    bias : bool
        Whether a bias is added.
    **kwargs
        ``input_shape``, ``batch_input_shape``, ``name``, ``trainable`` and ``dtype``.

    Attributes
    ----------
    output_shape_ : tuple of int or None
        The argument; `output_shape` is the shape of the output, whose samples are those of the input.

    Raises
    ------
    ConvError
        If an argument is wrong by itself or with the others; or where the layer is called or built, if the
        output shape is not legal for the input's. Keras 1 itself never checked that.

    Notes
    -----
    The k of the documentation's ``o = s (i - 1) + a + k - 2p`` is the kernel size, not `nb_filter` as it
    says. The default of `dim_ordering` is ``"th"`` there, ``"default"`` in Keras 1.2.2. Keras 1 on TensorFlow is
    followed, where the samples of `output_shape` had to be given too. Source: the documentation of Keras 1;
    Keras 1.2.2, ``keras/layers/convolutional.py``; TensorFlow's ``conv2d_transpose``.

    Examples
    --------
    >>> layer = Deconvolution2D(3, 3, 3, output_shape=(None, 3, 14, 14), input_shape=(3, 12, 12))
    >>> layer.output_shape
    (None, 3, 14, 14)
    >>> Deconvolution2D(3, 3, 3, output_shape=(None, 3, 27, 25), subsample=(2, 2), input_shape=(3, 12, 12)).output_shape
    Traceback (most recent call last):
        ...
    refconv.errors.ConvError: `output_shape` = (None, 3, 27, 25): border_mode='valid' cannot give this size;
    legal are 25 to 26 rows and 25 to 26 columns.
    """

    newer_words: ClassVar = {**NEWER_WORDS, "output_shape": "output_shape_"}

    def __init__(
        self,
        nb_filter: int,
        nb_row: int,
        nb_col: int,
        output_shape: Any,
        init: Any = "glorot_uniform",
        activation: Any = "linear",
        weights: Any = None,
        border_mode: str = "valid",
        subsample: Any = (1, 1),
        dim_ordering: str = "th",
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
        arguments = newer(2, words)
        self.output_shape_ = _checked(output_shape, arguments["data_format"], arguments["filters"])
        super().__init__(kernel_size=(self.nb_row, self.nb_col), weights=weights, **arguments, **kwargs)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """Return the shape of the output: the samples are the input's, the rest is what the caller gave.

        Parameters
        ----------
        input_shape : sequence of int or None
            The sample axis included.

        Raises
        ------
        ConvError
            If the layer cannot take such inputs.
        """
        return (super().compute_output_shape(input_shape)[0], *self.output_shape_[1:])

    def _older_words(self) -> dict[str, Any]:
        return {"subsample": self.strides, "output_shape": self.output_shape_}

    def _words(self) -> dict[str, Any]:
        crop = tuple(axis.crop for axis in self._reading(self._ample_size()).geometry.axes)
        return {**super()._words(), "padding": crop}

    def _ample_size(self) -> tuple[int, ...]:
        """Return the one input size for which the output shape is legal, if there is one.

        It is the output of the convolution that this layer transposes.
        """
        rows_first = self.output_shape_[2:] if self.dim_ordering == "th" else self.output_shape_[1:3]
        spare = {"valid": 0, "same": 1, "full": 2}[self.padding]
        sizes = []
        for size, kernel, step in zip(rows_first, self.kernel_size, self.strides, strict=True):
            reach = kernel - 1 if spare != 1 else 0
            span = (size or 0) - 1 + (reach if spare == 2 else -reach)
            sizes.append(max(span // step + 1, 1))
        return tuple(sizes)


def _checked(output_shape: Any, data_format: str, filters: int) -> tuple[int | None, ...]:
    order = "(samples, nb_filter, rows, cols)"
    channel_axis = 1
    if data_format == "channels_last":
        order, channel_axis = "(samples, rows, cols, nb_filter)", 3
    if not is_sequence(output_shape) or len(output_shape) != 4:
        rule = f"not the shape of samples, channels and {axes_in_words(2)}"
        raise ConvError("output_shape", output_shape, rule, f"give {order}")
    shape = tuple(output_shape)
    if shape[channel_axis] != filters:
        rule = f"{shape[channel_axis]} channels, but nb_filter is {filters}"
        raise ConvError("output_shape", shape, rule, f"give {order}")
    try:
        if shape[0] is not None:
            per_axis("output_shape", shape[0], 1)
        per_axis("output_shape", [size for axis, size in enumerate(shape) if axis not in (0, channel_axis)], 2)
    except ConvError as error:
        rule = f"{error.value!r} is no size: {error.rule}"
        raise ConvError("output_shape", shape, rule, f"give {order}") from None
    return shape
