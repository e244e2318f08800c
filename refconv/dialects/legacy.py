"""What Keras 1 and 2 let every layer be told: the shape of its input, and the weights it starts from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from refconv.arguments import axes_in_words, is_sequence
from refconv.errors import ConvError
from refconv.layers.base import Layer, Shape
from refconv.layers.reading import checked_shape


class LegacyLayer(Layer):
    """Base of the layers of Keras 1 and 2.

    Parameters
    ----------
    input_shape : sequence of int or None, optional
        Shape of one sample, the sample axis left out.
    batch_input_shape : sequence of int or None, optional
        Shape of the input, the sample axis included; instead of `input_shape`.
    batch_size : int, optional
        The sample axis of `input_shape`; by default unknown.
    weights : sequence of arrays, optional
        What `set_weights` is given once the layer is built, instead of initial values.
    **kwargs
        See `refconv.layers.base.Layer`.

    Attributes
    ----------
    batch_input_shape : tuple of int or None, or None
        As declared.

    Raises
    ------
    ConvError
        If a shape has another number of sizes than the layer's input, or an argument is wrong.
    """

    def __init__(
        self,
        *,
        input_shape: Any = None,
        batch_input_shape: Any = None,
        batch_size: Any = None,
        weights: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch_input_shape = self._declared(input_shape, batch_input_shape, batch_size)
        self.initial_weights = weights
        self._first_shape: tuple[int | None, ...] | None = None

    def build(self, input_shape: Shape) -> None:
        """Make the weights for inputs of this shape, of the values that ``weights=`` gave.

        Parameters
        ----------
        input_shape : sequence of int or None
            The sample axis included; only the channels must be known.

        Raises
        ------
        ConvError
            If the layer cannot take such inputs, was built for other channels, or its ``weights=`` do
            not fit.
        """
        if self.built:
            super().build(input_shape)
            return
        super().build(input_shape)
        if self.initial_weights is not None:
            try:
                self.set_weights(self.initial_weights)
            except ConvError:
                self.built = False
                raise
            self.initial_weights = None
        self._first_shape = tuple(input_shape)

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of the input, the sample axis included: as declared, else as the layer was first built for."""
        shape = self.batch_input_shape or self._first_shape
        if shape is None:
            raise AttributeError(f"{self.name!r} has no shape yet: give input_shape=, or call the layer or build()")
        return shape

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of the output for inputs of `input_shape`, the sample axis included."""
        return self.compute_output_shape(self.input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the layer's arguments, a declared shape included; `from_config` makes an equal layer of them."""
        config = super().get_config()
        if self.batch_input_shape is not None:
            config["batch_input_shape"] = self.batch_input_shape
        return config

    def _declared(self, input_shape: Any, batch_input_shape: Any, batch_size: Any) -> tuple[int | None, ...] | None:
        if batch_input_shape is not None:
            if input_shape is not None or batch_size is not None:
                rule = "it holds the sample axis and the shape of a sample"
                raise ConvError("batch_input_shape", batch_input_shape, rule, "leave out input_shape and batch_size")
            return self._checked("batch_input_shape", batch_input_shape, batch_input_shape)
        if input_shape is None:
            return None
        sample = tuple(input_shape) if is_sequence(input_shape) else input_shape
        if not isinstance(sample, tuple) or len(sample) != self.rank + 1:
            rule = f"a sample has {axes_in_words(self.rank)} and channels"
            remedy = f"give {self.rank + 1} sizes, without the sample axis"
            raise ConvError("input_shape", input_shape, rule, remedy)
        return self._checked("input_shape", input_shape, (batch_size, *sample))

    def _checked(self, argument: str, value: Any, shape: Any) -> tuple[int | None, ...]:
        try:
            return checked_shape(shape, self.rank)
        except ConvError as error:
            raise ConvError(argument, value, error.rule, error.remedy) from None
