"""The one layer that Keras 1's documentation already gives with Keras 2's signature."""

from __future__ import annotations

from typing import Any

from refconv import layers
from refconv.dialects.legacy import LegacyLayer
from refconv.errors import ConvError

# Keras 1's words that the documentation lists among this layer's arguments, and Keras 2's for the same.
_OLDER_WORDS = {
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "bias": "use_bias",
}


class Conv1D(layers.Conv1D, LegacyLayer):
    """Convolution over one axis, such as time, with Keras 2's signature.

    The input has shape (samples, steps, input_dim), the output (samples, new_steps, filters).

    Parameters
    ----------
    filters : int
        Channels of the output.
    kernel_size : int or sequence of 1 int
        Length of the kernel.
    strides, dilation_rate : int or sequence of 1 int
        Not both above 1.
    padding : str
        ``"valid"``, ``"same"`` or ``"causal"``, in any letter case; under ``"causal"`` output[t] does not depend
        on input[t+1:].
    activation : str, callable or None
        See `refconv.activations.get`.
    use_bias : bool
        Whether a bias is added.
    kernel_initializer, bias_initializer : str or callable
        See `refconv.initializers.get`.
    kernel_regularizer, bias_regularizer, activity_regularizer : regularizer or None
        Of the kernel, the bias and the output.
    kernel_constraint, bias_constraint : constraint or None
        Of the kernel and the bias.
    **kwargs
        ``weights``: ``[kernel, bias]`` to start from, in Keras 2's layout (kernel_size, input_dim, filters);
        ``input_shape``, ``batch_input_shape``, ``batch_size``, ``name``, ``trainable`` and ``dtype``; and, since the
        documentation lists them, Keras 1's words ``W_regularizer``, ``b_regularizer``, ``W_constraint``,
        ``b_constraint`` and ``bias``.

    Raises
    ------
    ConvError
        If an argument is wrong by itself or with the others, or is given under both of its names.

    Notes
    -----
    The documentation wins over Keras 1.2.2, where ``Conv1D`` is another name of ``Convolution1D``. Source: the
    documentation.

    Examples
    --------
    >>> Conv1D(32, 3, padding="causal", input_shape=(None, 128)).output_shape
    (None, None, 32)
    """

    keras_version = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        words = {
            "use_bias": use_bias,
            "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint,
            "bias_constraint": bias_constraint,
        }
        if "data_format" in kwargs:
            raise self._unknown_argument("data_format", kwargs["data_format"])
        for older, word in _OLDER_WORDS.items():
            if older in kwargs:
                if words[word] is not (True if word == "use_bias" else None):
                    raise ConvError(older, kwargs[older], f"{word} is another name of it", f"give {word} only")
                words[word] = kwargs.pop(older)
        super().__init__(
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format="channels_last",
            dilation_rate=dilation_rate,
            activation=activation,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            activity_regularizer=activity_regularizer,
            **words,
            **kwargs,
        )
