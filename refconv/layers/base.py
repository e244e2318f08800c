"""What every layer has: a name, a float type, weights, shapes, and how it is called and configured.

Layers follow Keras 3 in names, argument order, defaults and attributes. They run eagerly on NumPy
arrays, and they are thin: `refconv.conventions` says what the arguments mean and
`refconv.functional` computes.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from refconv import activations, constraints, initializers, regularizers
from refconv.arguments import is_sequence
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


class Kept(NamedTuple):
    """What `Layer.forward` keeps for `Layer.backward`.

    Attributes
    ----------
    state : object
        The layer's own: whatever its `_forward` returned besides the outputs.
    output_shape : tuple of int
        Shape of the outputs.
    activity : ndarray or None
        A copy of the outputs where the layer has an activity regularizer.
    """

    state: Any
    output_shape: tuple[int, ...]
    activity: np.ndarray | None


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
    input_shape : sequence of int or None, optional
        Shape of one sample, without the batch: a model whose first layer this is makes all weights by it.
    **kwargs
        ``activity_regularizer`` and the other regularizers and constraints that the layer has: see
        `refconv.regularizers.get` and `refconv.constraints.get`.

    Attributes
    ----------
    gradients : list of ndarray
        What `backward` found: one for each of `trainable_weights`.
    batch_input_shape : tuple of int or None, or None
        The shape that was declared, the batch included.

    Raises
    ------
    ConvError
        For an unknown argument, or a value that is wrong.
    """

    rank: int
    data_format = "channels_last"
    activity_regularizer: regularizers.Function | None = None
    # Which Keras the names of activations, initializers, regularizers and constraints are of.
    keras_version = 3
    # The weights by name, in Keras' order, and the argument that makes each.
    weight_initializers: ClassVar[dict[str, str]] = {}

    def __init__(
        self,
        *,
        trainable: bool = True,
        dtype: Any = None,
        name: str | None = None,
        input_shape: Any = None,
        **kwargs: Any,
    ) -> None:
        for argument, value in kwargs.items():
            if argument not in (*self._argument_names(), *COMMON):
                raise self._unknown_argument(argument, value)
            room = regularizers if argument.endswith("regularizer") else constraints
            setattr(self, argument, room.get(value, self.keras_version, argument))
        self.trainable = truth("trainable", trainable)
        self.dtype = float_type(dtype)
        self.name = automatic_name(type(self).__name__) if name is None else checked_name(name)
        self.built = False
        # By weight, where it is not 1 and not 0.
        self.learn_rate_factor_of: dict[str, float] = {}
        self.l2_factor_of: dict[str, float] = {}
        self._arrays: dict[str, np.ndarray | None] = {}
        self._channels: int | None = None
        self._kept: Kept | None = None
        # The shape of inputs that was found to be right last.
        self._accepted: tuple[int, ...] | None = None
        self.gradients: list[np.ndarray] = []
        self.batch_input_shape = None if input_shape is None else self._declared_shape(input_shape)

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
        with self._built_for(x):
            return self.call(x)

    def call(self, inputs: np.ndarray) -> np.ndarray:
        """Compute the output of a built layer."""
        raise NotImplementedError

    def forward(self, inputs: Any) -> np.ndarray:
        """Compute the output as a call does, and keep what `backward` needs.

        Parameters
        ----------
        inputs : array
            As for a call. It is not copied: leave it as it is until `backward` is done.

        Returns
        -------
        ndarray
            As of a call.

        Raises
        ------
        ConvError
            As for a call.

        Examples
        --------
        >>> from refconv.layers import Conv1D
        >>> layer = Conv1D(1, 2, kernel_initializer="ones", activation="relu", dtype="float64")
        >>> layer.forward([[[1.0], [2.0], [-4.0]]])[0, :, 0]
        array([3., 0.])
        >>> layer.backward([[[1.0], [1.0]]])[0, :, 0]
        array([1., 1., 0.])
        >>> [gradient.ravel() for gradient in layer.gradients]
        [array([1., 2.]), array([1.])]
        """
        x = self._checked_inputs(inputs)
        with self._built_for(x):
            outputs, state = self._forward(x)
        activity = None if self.activity_regularizer is None else outputs.copy()
        self._kept = Kept(state, outputs.shape, activity)
        return outputs

    def backward(self, dy: Any) -> np.ndarray:
        """Return the gradient to the input of the last `forward`, and fill `gradients`.

        The gradients of the regularizers are added, and `gradients` replaced. Calling `backward` again for the
        same `forward` is allowed. The weights must still be those of `forward`.

        Parameters
        ----------
        dy : array, shape of the output
            The gradient to the output.

        Returns
        -------
        ndarray, shape of the input
            Of the layer's `dtype`.

        Raises
        ------
        ConvError
            If there was no `forward`, `dy` has another shape than its output, or the activation or a
            regularizer has no gradient.
        """
        gradient = read_array("dy", dy)
        kept = self._kept
        if kept is None:
            rule = f"nothing was kept by {self.name!r} for the way back"
            raise ConvError("dy", describe(gradient), rule, "call forward(inputs) first, rather than the layer itself")
        if gradient.shape != kept.output_shape:
            rule = f"the output has shape {kept.output_shape}"
            raise ConvError("dy", describe(gradient), rule, "give the gradient to every output")
        if kept.activity is not None and self.activity_regularizer is not None:
            penalty = _penalty_gradient("activity_regularizer", self.activity_regularizer, kept.activity)
            gradient = gradient + penalty / max(len(penalty), 1)
        dx, gradients = self._backward(kept.state, gradient.astype(self.dtype, copy=False))
        self.gradients = [
            self._regularized(name, weight, gradients[name]) for name, weight in self._trainable_arrays().items()
        ]
        return dx

    @property
    def losses(self) -> list[float]:
        """The losses of the regularizers: of the last `forward`'s output, then of the trainable weights.

        That of the output is divided by the batch size, as in Keras.
        """
        return self.penalties(None if self._kept is None else self._kept.activity)

    def penalties(self, outputs: np.ndarray | None) -> list[float]:
        """Return the losses of the regularizers: of these outputs, if any, then of the trainable weights."""
        losses = []
        if self.activity_regularizer is not None and outputs is not None:
            losses.append(float(self.activity_regularizer(outputs)) / max(len(outputs), 1))
        for name, weight in self._trainable_arrays().items():
            _, regularizer = self._hook(name, "regularizer")
            if regularizer is not None:
                losses.append(float(regularizer(weight)))
        return losses

    def apply_constraints(self) -> None:
        """Replace every trainable weight that has a constraint by what the constraint makes of it, in place.

        Raises
        ------
        ConvError
            If a constraint returns no array of the weight's shape.
        """
        for name, weight in self._trainable_arrays().items():
            argument, constraint = self._hook(name, "constraint")
            if constraint is not None:
                weight[...] = read_weight(argument, constraint(weight), weight, self.dtype)

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
        return list(self._trainable_arrays().values())

    @property
    def non_trainable_weights(self) -> list[np.ndarray]:
        """The weights of a layer that is not trainable."""
        return [] if self.trainable else self.weights

    @property
    def learn_rate_factors(self) -> list[float]:
        """For each of `trainable_weights`, what a trainer multiplies its learning rate by: 1 unless set.

        They are set by name in `learn_rate_factor_of`, as in ``layer.learn_rate_factor_of["bias"] = 2``.
        """
        return self._factors(self.learn_rate_factor_of, 1.0)

    @property
    def l2_factors(self) -> list[float]:
        """For each of `trainable_weights`, what a trainer multiplies its own L2 strength by: 0 unless set.

        The strength l adds ``factor * l * w`` to the gradient of the weights w. They are set by name in
        `l2_factor_of`.
        """
        return self._factors(self.l2_factor_of, 0.0)

    def _factors(self, factor_of: dict[str, float], default: float) -> list[float]:
        return [factor_of.get(name, default) for name in self._trainable_arrays()]

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

        A function given as an activation, initializer, regularizer or constraint stands there itself.
        """
        values: dict[str, Any] = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype}
        if self.activity_regularizer is not None:
            values["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        for argument in self._argument_names():
            value = getattr(self, argument)
            if argument == "activation":
                value = activations.serialize(value)
            elif argument.endswith("_initializer"):
                value = initializers.serialize(value)
            elif argument.endswith("_regularizer"):
                value = regularizers.serialize(value)
            elif argument.endswith("_constraint"):
                value = constraints.serialize(value)
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
        known = list(dict.fromkeys([*self._argument_names(), *COMMON, "input_shape"]))
        nearest = unknown_choice(argument, argument, known).remedy
        return ConvError(argument, value, rule, nearest if nearest.startswith("did") else "use " + ", ".join(known))

    def _parts(self, input_shape: Shape) -> Parts:
        """Take a shape apart, once it has the right number of sensible entries."""
        shape = self._checked_shape(input_shape)
        last = self.data_format == "channels_last"
        return Parts(shape[0], shape[1:-1] if last else shape[2:], shape[-1 if last else 1])

    def _checked_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return checked_shape(input_shape, self.rank)

    def _declared_shape(self, sample: Any) -> tuple[int | None, ...]:
        """Read the shape of one sample, and return it with a batch of any size."""
        if not is_sequence(sample):
            raise ConvError("input_shape", sample, "not a shape", "give the sizes of one sample, without the batch")
        try:
            return self._checked_shape((None, *sample))
        except ConvError as error:
            rule = f"with a batch before it, {error.rule}"
            raise ConvError("input_shape", tuple(sample), rule, "give the sizes of one sample") from None

    def _known_channels(self, input_shape: Shape) -> int:
        channels = self._parts(input_shape).channels
        if channels is None:
            raise ConvError("input_shape", tuple(input_shape), "the channels are unknown", "give a whole number")
        return channels

    def _trainable_arrays(self) -> dict[str, np.ndarray]:
        """Return the weights of a trainable layer by name."""
        return {name: array for name, array in self._arrays.items() if array is not None and self.trainable}

    def _hook(self, weight: str, kind: str) -> tuple[str, Any]:
        """Return the name and value of the argument that is a weight's regularizer or constraint."""
        argument = self.weight_initializers[weight].replace("initializer", kind)
        return argument, getattr(self, argument, None)

    def _regularized(self, name: str, weight: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        argument, regularizer = self._hook(name, "regularizer")
        if regularizer is not None:
            gradient = gradient + _penalty_gradient(argument, regularizer, weight)
        return gradient.astype(self.dtype, copy=False)

    def _forward(self, x: np.ndarray) -> tuple[np.ndarray, Any]:
        """Return the output of a built layer, and what `_backward` needs."""
        return self.call(x), x

    def _backward(self, state: Any, dy: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the gradient to the input, and those to the weights by name, if the layer is trainable."""
        raise NotImplementedError

    @contextlib.contextmanager
    def _built_for(self, x: np.ndarray) -> Iterator[None]:
        """Build the layer if need be, and let errors name the caller's inputs."""
        try:
            if x.shape != self._accepted or not self.built:
                self.build(x.shape)
                self._accepted = x.shape
            yield
        except ConvError as error:
            if error.argument in ("input_shape", "x"):
                raise _about(error, "inputs", describe(x)) from None
            raise

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


def _penalty_gradient(argument: str, regularizer: Any, penalized: np.ndarray) -> np.ndarray:
    gradient = regularizers.gradient(regularizer, penalized, argument)
    if gradient.shape != penalized.shape:
        rule = f"its gradient has shape {gradient.shape} for an array of shape {penalized.shape}"
        raise ConvError(argument, regularizer, rule, "return an array of the same shape")
    return gradient


def _about(error: ConvError, argument: str, value: object) -> ConvError:
    """Return the error in the words of the caller, who gave `argument`."""
    return ConvError(argument, value, error.rule, error.remedy, error.constraint)
