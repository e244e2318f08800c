"""What every layer has: a name, a float type, weights, shapes, and how it is called and configured.

Layers follow Keras 3 in names, argument order, defaults and attributes. They run eagerly on NumPy
arrays, and they are thin: `refconv.conventions` says what the arguments mean and
`refconv.functional` computes.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from refconv import activations, initializers
from refconv.errors import ConvError, unknown_choice
from refconv.functional.arrays import Description, bytes_of, describe, read_array
from refconv.geometry import ConvGeometry
from refconv.layers.reading import automatic_name, checked_name, checked_shape, float_type, read_weight, truth
from refconv.memory import check_memory
from refconv.trace import Stage

Shape = Sequence[int | None]

# Arguments of every layer besides those of its own signature.
COMMON = ("trainable", "dtype", "name", "activity_regularizer")

_BUILD_FIRST = "call build(input_shape) first"


class Parts(NamedTuple):
    """A shape taken apart, whatever the data format.

    Attributes
    ----------
    batch : int or None
        Number of samples; None where unknown.
    spatial : tuple of int or None
        Size of every spatial axis.
    channels : int or None
        Number of channels.
    """

    batch: int | None
    spatial: tuple[int | None, ...]
    channels: int | None


class Weight:
    """An array of weights: there once the layer is built, and checked when it is assigned."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Layer | None, owner: type | None = None) -> Any:
        if layer is None:
            return self
        if not layer.built:
            raise AttributeError(f"`{self.name}` exists once {layer.name!r} is built: call the layer, or build()")
        return layer._arrays[self.name]

    def __set__(self, layer: Layer, value: Any) -> None:
        if not layer.built:
            raise ConvError(self.name, Description("array"), "the layer is not built", _BUILD_FIRST)
        layer._arrays[self.name] = read_weight(self.name, value, layer._arrays[self.name], layer.dtype)


class Layer:
    """Base of all layers.

    Parameters
    ----------
    trainable : bool
        Whether the weights are listed in `trainable_weights`.
    dtype : str, optional
        ``"float16"``, ``"float32"`` or ``"float64"``: the type of the weights, and of the result for
        floating input whatever its own type; by default Keras' floatx, float32.
    name : str, optional
        By default the class in snake case and a number: ``conv2d``, ``conv2d_1``.
    **kwargs
        ``activity_regularizer`` and the other regularizers and constraints of Keras, which must be
        None: they are not supported here.

    Raises
    ------
    ConvError
        For an unknown argument, or a regularizer or constraint that is not None.
    """

    rank: int
    data_format = "channels_last"
    activity_regularizer: None = None
    # The weights by name, in Keras' order, and the argument that makes each.
    weight_initializers: ClassVar[dict[str, str]] = {}

    def __init__(self, *, trainable: bool = True, dtype: Any = None, name: str | None = None, **kwargs: Any) -> None:
        for argument, value in kwargs.items():
            if argument not in (*self._argument_names(), *COMMON):
                raise self._unknown_argument(argument, value)
            if value is not None:
                kind = "regularizers" if argument.endswith("regularizer") else "constraints"
                raise ConvError(argument, value, f"{kind} are not supported here", "use None")
            setattr(self, argument, None)
        self.trainable = truth("trainable", trainable)
        self.dtype = float_type(dtype)
        self.name = automatic_name(type(self).__name__) if name is None else checked_name(name)
        self.built = False
        self._arrays: dict[str, np.ndarray | None] = {}
        self._channels: int | None = None

    def build(self, input_shape: Shape) -> None:
        """Make the weights for inputs of this shape; a layer that is built keeps its weights.

        Parameters
        ----------
        input_shape : sequence of int or None
            Batch and channels included; only the channels must be known.

        Raises
        ------
        ConvError
            If the layer cannot take such inputs, or was built for other channels.
        """
        self.compute_output_shape(input_shape)
        if self.built:
            return
        if self.weight_initializers:
            channels = self._known_channels(input_shape)
            shapes = self._weight_shapes(channels)
            self._arrays = {name: self._initial(name, shapes.get(name)) for name in self.weight_initializers}
            self._channels = channels
        self.built = True

    def __call__(self, inputs: Any) -> np.ndarray:
        """Build the layer if need be, and compute its output.

        Parameters
        ----------
        inputs : array, shape (batch, spatial..., channels) or (batch, channels, spatial...)
            Floats are first rounded to the layer's `dtype`; integers are taken as they are.

        Returns
        -------
        ndarray
            Of the layer's `dtype`; int64 for integers where there are no weights.

        Raises
        ------
        ConvError
            If the array is not numeric, or the layer cannot take its shape.
        """
        x = self._checked_inputs(inputs)
        try:
            self.build(x.shape)
            return self.call(x)
        except ConvError as error:
            if error.argument in ("input_shape", "x"):
                raise _about(error, "inputs", describe(x)) from None
            raise

    def call(self, inputs: np.ndarray) -> np.ndarray:
        """Compute the output of a built layer."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """Return the shape of the output; unknown (None) batch and sizes stay unknown.

        Parameters
        ----------
        input_shape : sequence of int or None
            Batch and channels included.

        Raises
        ------
        ConvError
            If the layer cannot take such inputs.
        """
        parts = self._parts(input_shape)
        if self.built and self._arrays and parts.channels not in (None, self._channels):
            raise ConvError(
                "input_shape",
                tuple(input_shape),
                f"{parts.channels} channels, but {self.name!r} was built for {self._channels}",
                f"give {self._channels} channels, or make a new layer",
            )
        ample = self._ample_size()
        known = tuple(a if n is None else n for n, a in zip(parts.spatial, ample, strict=True))
        try:
            sizes = self._axes(known, parts.channels).output_size
        except ConvError as error:
            if error.argument == "input_size":
                raise _about(error, "input_shape", tuple(input_shape)) from None
            raise
        spatial = tuple(None if n is None else o for n, o in zip(parts.spatial, sizes, strict=True))
        channels = self._output_channels(parts.channels)
        if self.data_format == "channels_last":
            return (parts.batch, *spatial, channels)
        return (parts.batch, channels, *spatial)

    def geometry(self, input_shape: Shape) -> ConvGeometry:
        """Return the index rule of the whole layer for inputs of this shape.

        Parameters
        ----------
        input_shape : sequence of int or None
            Batch and channels included; the spatial sizes must be known.

        Raises
        ------
        ConvError
            If a size is unknown, or the layer cannot take such inputs.
        """
        parts = self._parts(input_shape)
        self.compute_output_shape(input_shape)
        known = tuple(n for n in parts.spatial if n is not None)
        if len(known) < self.rank:
            raise ConvError("input_shape", tuple(input_shape), "a spatial size is unknown", "give whole numbers")
        return self._axes(known, parts.channels)

    def stages(self, input_shape: Shape) -> tuple[Stage, ...]:
        """Return the layer's linear maps, in the order they are applied, the activation left out.

        Parameters
        ----------
        input_shape : sequence of int or None
            Batch and channels included; only the batch may be unknown.

        Raises
        ------
        ConvError
            If a size or the channels are unknown, or the layer cannot take such inputs.
        """
        return self._stages(input_shape, self._known_channels(input_shape))

    @property
    def weights(self) -> list[np.ndarray]:
        """The arrays of weights, in Keras' order; none before the layer is built."""
        return [array for array in self._arrays.values() if array is not None]

    @property
    def trainable_weights(self) -> list[np.ndarray]:
        """The weights of a trainable layer."""
        return self.weights if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[np.ndarray]:
        """The weights of a layer that is not trainable."""
        return [] if self.trainable else self.weights

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of the weights, in Keras' order."""
        return [array.copy() for array in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Copy values into the weights: all of them, or none where one does not fit.

        Parameters
        ----------
        weights : sequence of arrays
            As `get_weights` returns them.

        Raises
        ------
        ConvError
            If the layer is not built, or the number, a shape or a type of the arrays is wrong.
        """
        if not self.built:
            raise ConvError("weights", Description("arrays"), "the layer is not built", _BUILD_FIRST)
        names = [name for name, array in self._arrays.items() if array is not None]
        if len(weights) != len(names):
            given = Description(f"{len(weights)} arrays")
            raise ConvError("weights", given, f"the layer has {len(names)} weights", f"give [{', '.join(names)}]")
        arrays = [
            read_weight(f"weights[{i}]", value, self._arrays[name], self.dtype)
            for i, (name, value) in enumerate(zip(names, weights, strict=True))
        ]
        self._arrays.update(zip(names, arrays, strict=True))

    def count_params(self) -> int:
        """Count the numbers in all weights.

        Raises
        ------
        ConvError
            If the layer is not built.
        """
        if self.weight_initializers and not self.built:
            raise ConvError("built", False, "the weights are not made yet", _BUILD_FIRST)
        return sum(array.size for array in self.weights)

    def get_config(self) -> dict[str, Any]:
        """Return the layer's arguments; `from_config` makes an equal layer of them.

        A function given as an activation or initializer stands there itself.
        """
        values = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype}
        for argument in self._argument_names():
            value = getattr(self, argument)
            if argument == "activation":
                value = activations.serialize(value)
            elif argument.endswith("_initializer"):
                value = initializers.serialize(value)
            values[argument] = value
        return values

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a layer from what `get_config` returned, of refconv or of Keras.

        Parameters
        ----------
        config : dict
            Arguments by name.
        """
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    @classmethod
    def _argument_names(cls) -> list[str]:
        names = inspect.signature(cls.__init__).parameters
        return [name for name in names if name not in ("self", "kwargs", *COMMON[:3])]

    def _unknown_argument(self, argument: str, value: Any) -> ConvError:
        rule = f"{type(self).__name__} has no such argument"
        if argument == "input_shape":
            return ConvError(argument, value, rule, "call build(input_shape), with the batch included")
        known = list(dict.fromkeys([*self._argument_names(), *COMMON]))
        nearest = unknown_choice(argument, argument, known).remedy
        return ConvError(argument, value, rule, nearest if nearest.startswith("did") else "use " + ", ".join(known))

    def _parts(self, input_shape: Shape) -> Parts:
        """Take a shape apart, once it has the right number of sensible entries."""
        shape = checked_shape(input_shape, self.rank)
        last = self.data_format == "channels_last"
        return Parts(shape[0], shape[1:-1] if last else shape[2:], shape[-1 if last else 1])

    def _known_channels(self, input_shape: Shape) -> int:
        channels = self._parts(input_shape).channels
        if channels is None:
            raise ConvError("input_shape", tuple(input_shape), "the channels are unknown", "give a whole number")
        return channels

    def _checked_inputs(self, inputs: Any) -> np.ndarray:
        x = read_array("inputs", inputs)
        if x.ndim != self.rank + 2:
            order = "(batch, spatial..., channels)"
            if self.data_format == "channels_first":
                order = "(batch, channels, spatial...)"
            rule = f"{x.ndim} axes, but {type(self).__name__} takes {self.rank + 2}"
            raise ConvError("inputs", describe(x), rule, f"give {order}")
        return x.astype(self.dtype, copy=False) if x.dtype.kind == "f" else x

    def _initial(self, name: str, shape: tuple[int, ...] | None) -> np.ndarray | None:
        if shape is None:
            return None
        argument = self.weight_initializers[name]
        made = Description(f"weights of shape {shape}")
        # Drawn in double precision, then rounded.
        check_memory(name, made, f"the {name}", bytes_of(shape, np.float64) + bytes_of(shape, self.dtype))
        values = read_array(argument, getattr(self, argument)(shape, dtype=self.dtype))
        if values.shape != shape:
            raise ConvError(argument, describe(values), f"the shape asked for was {shape}", "return an array of it")
        return values.astype(self.dtype)

    def _weight_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the weights that there are, by name."""
        return {}

    def _output_channels(self, channels: int | None) -> int | None:
        return channels

    def _ample_size(self) -> tuple[int, ...]:
        """Return a size that the arguments allow, for checking them before any input is seen."""
        return (1,) * self.rank

    def _axes(self, spatial: tuple[int, ...], channels: int | None) -> ConvGeometry:
        """Return the index rule for known sizes; unknown channels count as one group."""
        raise NotImplementedError

    def _stages(self, input_shape: Shape, channels: int) -> tuple[Stage, ...]:
        raise NotImplementedError


def _about(error: ConvError, argument: str, value: object) -> ConvError:
    """Return the error in the words of the caller, who gave `argument`."""
    return ConvError(argument, value, error.rule, error.remedy, error.constraint)
