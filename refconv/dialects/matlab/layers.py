"""MATLAB's layer objects, and the functions that make them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from refconv.arguments import choice, is_sequence, per_axis, spatial_size, whole_number
from refconv.conventions import Reading, read
from refconv.conventions import matlab as convention
from refconv.dialects.matlab import core as cores
from refconv.dialects.matlab.initial import initial_values, read_initializer
from refconv.dialects.matlab.printing import printed
from refconv.dialects.matlab.words import (
    is_empty,
    plain,
    read_factor,
    read_name,
    read_padded,
    read_padding_value,
    read_pairs,
)
from refconv.errors import ConvError
from refconv.functional.arrays import Array, describe
from refconv.geometry import ConvGeometry
from refconv.layers.base import Shape
from refconv.layers.reading import checked_shape
from refconv.trace import Stage

# A name-value argument and its default, in the order of MATLAB's documentation.
_SHARED = {
    "NumChannels": "auto",
    "WeightsInitializer": "glorot",
    "BiasInitializer": "zeros",
    "Weights": [],
    "Bias": [],
    "WeightLearnRateFactor": 1,
    "BiasLearnRateFactor": 1,
    "WeightL2Factor": 1,
    "BiasL2Factor": 0,
    "Name": "",
}
# Factor: the core's dictionary that holds it, and the weight it is for.
_FACTORS = {
    "WeightLearnRateFactor": ("learn_rate_factor_of", "kernel"),
    "BiasLearnRateFactor": ("learn_rate_factor_of", "bias"),
    "WeightL2Factor": ("l2_factor_of", "kernel"),
    "BiasL2Factor": ("l2_factor_of", "bias"),
}


class Property:
    """A property of a layer object; without a reader it is fixed when the layer is made."""

    def __init__(self, reader: Callable[[str, Any], Any] | None = None) -> None:
        self.reader = reader

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: MatlabLayer | None, owner: type | None = None) -> Any:
        return self if layer is None else layer._properties[self.name]

    def __set__(self, layer: MatlabLayer, value: Any) -> None:
        if self.reader is None:
            raise ConvError(self.name, value, "fixed when the layer was made", "make a new layer")
        layer._properties[self.name] = self.reader(self.name, value)


class Factor(Property):
    """A factor of the trainer's learning rate or L2 strength, which the layer inside holds."""

    def __get__(self, layer: MatlabLayer | None, owner: type | None = None) -> Any:
        if layer is None:
            return self
        home, weight = _FACTORS[self.name]
        return getattr(layer.core, home)[weight]

    def __set__(self, layer: MatlabLayer, value: Any) -> None:
        home, weight = _FACTORS[self.name]
        getattr(layer.core, home)[weight] = read_factor(self.name, value)


class MatlabLayer:
    """Base of the layer objects.

    Parameters
    ----------
    filterSize : int or sequence of int
        For all spatial axes, or one per axis: height, width, depth.
    numFilters : int
        Channels of the output.
    *pairs, **named
        Name-value arguments; see the function that makes the layer.

    Attributes
    ----------
    FilterSize, Stride : int or tuple of int
        A number in one dimension.
    NumFilters : int
        Channels of the output.
    NumChannels : int or str
        Channels of the input, ``"auto"`` as long as they are unknown.
    WeightsInitializer, BiasInitializer, WeightLearnRateFactor, BiasLearnRateFactor, WeightL2Factor, BiasL2Factor, Name
        As given; may be assigned. The factors are those of `core`.
    core : refconv.layers.base.Layer
        The layer that computes: batch first, channels last.

    Raises
    ------
    ConvError
        If a name is unknown or given twice, or a value is wrong.
    """

    __slots__ = ("_edges", "_given", "_properties", "core")

    rank: ClassVar[int]
    kind: ClassVar[str]
    # The argument that says how much is padded or cropped.
    edge_word: ClassVar[str]
    function: ClassVar[str]
    # Name-value arguments and their defaults.
    arguments: ClassVar[dict[str, Any]]
    # What is printed as a hyperparameter.
    hyperparameters: ClassVar[tuple[str, ...]]

    core: Any
    FilterSize = Property()
    NumFilters = Property()
    Stride = Property()
    WeightsInitializer = Property(read_initializer)
    BiasInitializer = Property(read_initializer)
    WeightLearnRateFactor = Factor()
    BiasLearnRateFactor = Factor()
    WeightL2Factor = Factor()
    BiasL2Factor = Factor()

    def __init__(self, filterSize: Any, numFilters: Any, *pairs: Any, **named: Any) -> None:
        given, spelled = read_pairs(self.function, list(self.arguments), pairs, named)
        values = self.arguments | given
        self._properties: dict[str, Any] = {}
        self._given: dict[str, Array | None] = {"Weights": None, "Bias": None}
        self._edges = plain(values[self.edge_word])
        kernel_size = per_axis("filterSize", plain(filterSize), self.rank)
        self._properties["NumFilters"] = whole_number("numFilters", plain(numFilters), 1)
        self._properties["FilterSize"] = _scalar_in_1d(kernel_size)
        try:
            self.core = self._make_core(kernel_size, values)
            self.core.matlab = self
            self._properties["NumChannels"] = _read_channels("NumChannels", values["NumChannels"])
            for name in self.arguments:
                if name in (*_FACTORS, "WeightsInitializer", "BiasInitializer", "Name", "Weights", "Bias"):
                    setattr(self, name, values[name])
        except ConvError as error:
            if spelled.get(error.argument, error.argument) == error.argument:
                raise
            word = spelled[error.argument]
            raise ConvError(word, error.value, error.rule, error.remedy, error.constraint) from None

    def _make_core(self, kernel_size: tuple[int, ...], values: dict[str, Any]) -> Any:
        raise NotImplementedError

    def _core_words(self, kernel_size: tuple[int, ...]) -> dict[str, Any]:
        """Return the arguments of the layer inside that do not depend on its kind; keras.json has no say."""
        return {
            "filters": self.NumFilters,
            "kernel_size": kernel_size,
            "data_format": "channels_last",
            "dtype": "float32",
            "kernel_initializer": self._first_weights,
            "bias_initializer": self._first_bias,
        }

    @property
    def NumChannels(self) -> int | str:
        """Channels of the input, ``"auto"`` as long as they are unknown."""
        known: int | str = self._properties["NumChannels"]
        if known == "auto" and self.core.built:
            known = self.core.kernel.shape[self._channel_axis]
        elif known == "auto" and self._given["Weights"] is not None:
            known = self._given["Weights"].shape[self._channel_axis]
        return known

    @property
    def Name(self) -> str:
        """The layer's name, which may be empty; may be assigned."""
        name: str = self._properties["Name"]
        return name

    @Name.setter
    def Name(self, value: Any) -> None:
        self._properties["Name"] = read_name("Name", value)
        # The layer inside has a name of its own where this one has none.
        self.core.name = value or self.core.name

    @property
    def Weights(self) -> Array:
        """The weights, ``[]`` (of shape (0, 0)) before there are any; may be assigned.

        Their shape is FilterSize, NumChannels, NumFilters, of a transposed layer FilterSize, NumFilters,
        NumChannels. The array itself, not a copy.
        """
        return self._learnable("Weights", self.core.kernel if self.core.built else None)

    @Weights.setter
    def Weights(self, value: Any) -> None:
        array = self._read_learnable("Weights", value, self._weights_size(self.NumChannels))
        if self.core.built:
            self.core.kernel = array

    @property
    def Bias(self) -> Array:
        """The biases, of shape (1..., NumFilters), ``[]`` (of shape (0, 0)) before there are any; may be assigned."""
        return self._learnable("Bias", self.core.bias if self.core.built else None)

    @Bias.setter
    def Bias(self, value: Any) -> None:
        array = self._read_learnable("Bias", value, (*(1,) * self.rank, self.NumFilters))
        if self.core.built:
            self.core.bias = array.reshape(-1)

    def _learnable(self, name: str, built: Array | None) -> Array:
        if built is not None:
            return built if name == "Weights" else built.reshape(*(1,) * self.rank, -1)
        given = self._given[name]
        return np.zeros((0, 0)) if given is None else given

    def _read_learnable(self, name: str, value: Any, size: tuple[int | str, ...]) -> Any:
        if is_empty(value):
            if self.core.built:
                raise ConvError(name, value, "the layer has values already", "make a new layer")
            self._given[name] = None
            return None
        array = read_padded(name, value, len(size))
        if any(wanted not in ("auto", n) for wanted, n in zip(size, array.shape, strict=True)):
            shown = "x".join("NumChannels" if n == "auto" else str(n) for n in size)
            raise ConvError(name, describe(array), f"its size must be {shown}", "give an array of this size")
        if not self.core.built:
            self._given[name] = array.copy()
            given = [values for values in self._given.values() if values is not None]
            self.core.dtype = "float64" if any(values.dtype == np.float64 for values in given) else "float32"
        return array

    @property
    def _channel_axis(self) -> int:
        return -1 if self.kind == "conv-transpose" else -2

    def _weights_size(self, channels: int | str) -> tuple[int | str, ...]:
        ends = (self.NumFilters, channels) if self.kind == "conv-transpose" else (channels, self.NumFilters)
        return (*self.core.kernel_size, *ends)

    def _first_weights(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        if self._given["Weights"] is not None:
            return self._given["Weights"]
        size = math.prod(shape[: self.rank])
        fans = size * shape[self._channel_axis], size * self.NumFilters
        return initial_values("WeightsInitializer", self.WeightsInitializer, tuple(shape), *fans)

    def _first_bias(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        if self._given["Bias"] is not None:
            return self._given["Bias"].reshape(shape)
        size = (*(1,) * self.rank, *shape)
        # A bias has no inputs: the initializers that need their number are not among its own.
        return initial_values("BiasInitializer", self.BiasInitializer, size, 1, 1).reshape(shape)

    def __call__(self, X: Any) -> Array:
        """Compute the layer's output, making the weights and bias that are still empty.

        Parameters
        ----------
        X : array, shape (spatial..., channels, batch)
            Last axes of size 1 may be missing.

        Returns
        -------
        ndarray, shape (spatial..., NumFilters, batch)

        Raises
        ------
        ConvError
            If the layer cannot take such an array.
        """
        return self._run(self.core, X)

    def forward(self, X: Any) -> Array:
        """Compute the output as a call does, and keep what `backward` needs.

        Parameters
        ----------
        X : array, shape (spatial..., channels, batch)
            Last axes of size 1 may be missing.

        Raises
        ------
        ConvError
            If the layer cannot take such an array.
        """
        return self._run(self.core.forward, X)

    def backward(self, dLdZ: Any) -> Array:
        """Return the loss' gradient to the input; those to weights and bias are then ``core.gradients``.

        Parameters
        ----------
        dLdZ : array, shape (spatial..., NumFilters, batch)
            The loss' gradient to the output of `forward`.

        Raises
        ------
        ConvError
            If its shape is not that of the output, or `forward` was not called.
        """
        dy = np.moveaxis(read_padded("dLdZ", dLdZ, self.rank + 2), -1, 0)
        with _naming("dy", "dLdZ", describe(dy)):
            return np.moveaxis(self.core.backward(dy), 0, -1)

    def build(self, input_shape: Shape) -> None:
        """Make the weights and bias that are still empty.

        Parameters
        ----------
        input_shape : sequence of int or None
            (spatial..., channels, batch); only the channels must be known.

        Raises
        ------
        ConvError
            If the layer cannot take such arrays.
        """
        self.core.build(self._core_shape(input_shape))

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """Return the shape of the output; unknown (None) batch and sizes stay unknown.

        Parameters
        ----------
        input_shape : sequence of int or None
            (spatial..., channels, batch).

        Raises
        ------
        ConvError
            If the layer cannot take such arrays.
        """
        batch, *others = self.core.compute_output_shape(self._core_shape(input_shape))
        return (*others, batch)

    def geometry(self, input_shape: Shape) -> ConvGeometry:
        """Return the index rule for arrays of this shape, (spatial..., channels, batch).

        Raises
        ------
        ConvError
            If a spatial size is unknown, or the layer cannot take such arrays.
        """
        geometry: ConvGeometry = self.core.geometry(self._core_shape(input_shape))
        return geometry

    def stages(self, input_shape: Shape) -> tuple[Stage, ...]:
        """Return the layer's linear map for arrays of this shape, (spatial..., channels, batch).

        Raises
        ------
        ConvError
            If a size or the channels are unknown, or the layer cannot take such arrays.
        """
        stages: tuple[Stage, ...] = self.core.stages(self._core_shape(input_shape))
        return stages

    def reading(self, input_shape: Shape) -> tuple[Reading, dict[str, Any]]:
        """Return what `refconv.explain` explains: the arguments as `refconv.conventions` reads them, and the channels.

        Parameters
        ----------
        input_shape : sequence of int or None
            (spatial..., channels, batch); the spatial sizes must be known.

        Raises
        ------
        ConvError
            If a spatial size is unknown, or the layer cannot take such arrays.
        """
        _, *spatial, channels = self._core_shape(input_shape)
        sizes = spatial_size("input_shape", spatial)
        reading = read(self.kind, sizes, "matlab", FilterSize=self.core.kernel_size, **self._words())
        return reading, {"channels": channels} | ({} if channels is None else {"filters": self.NumFilters})

    def _run(self, function: Callable[[Array], Array], X: Any) -> Array:
        x = read_padded("X", X, self.rank + 2)
        self._check("X", describe(x), x.shape)
        with _naming("inputs", "X", describe(x)), _naming("padding", self.edge_word, self._edges):
            return np.moveaxis(function(np.moveaxis(x, -1, 0)), 0, -1)

    def _core_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """Return MATLAB's shape in the order of the layer inside, once it is checked."""
        given: tuple[Any, ...] = tuple(input_shape) if is_sequence(input_shape) else (input_shape,)
        full = given + (1,) * (self.rank + 2 - len(given))
        *others, batch = full
        shape = checked_shape((batch, *others), self.rank)
        self._check("input_shape", given, full)
        return shape

    def _check(self, argument: str, value: object, shape: Shape) -> None:
        """Let what is wrong with a shape be said in MATLAB's words, before the layer inside says it in others."""
        *spatial, channels, _ = shape
        if channels is not None and self.NumChannels not in ("auto", channels):
            rule = f"it has {channels} channels, and NumChannels is {self.NumChannels}"
            raise ConvError(argument, value, rule, f"give {self.NumChannels} channels, or make a new layer")
        if None not in spatial:
            with _naming("input_size", argument, value), _naming(self.edge_word, self.edge_word, self._edges):
                read(self.kind, spatial, "matlab", FilterSize=self.core.kernel_size, **self._words())

    def _words(self) -> dict[str, Any]:
        """Return the arguments in the words of `refconv.conventions.matlab`, without FilterSize."""
        raise NotImplementedError

    def properties(self) -> dict[str, Any]:
        """Return all properties by name, those that MATLAB's "Show all properties" shows."""
        names = ["Name", *self.hyperparameters, "Weights", "Bias", "WeightsInitializer", "BiasInitializer", *_FACTORS]
        return {name: getattr(self, name) for name in names}

    def config(self) -> dict[str, Any]:
        """Return the arguments as plain data, Weights and Bias left out."""
        names = [name for name in self.arguments if name not in ("Weights", "Bias", self.edge_word)]
        arguments = {name: getattr(self, name) for name in names} | {self.edge_word: self._edges}
        numbers = {"filterSize": self.FilterSize, "numFilters": self.NumFilters}
        return {"function": self.function, **numbers, "arguments": arguments}

    def __repr__(self) -> str:
        hyperparameters = {name: getattr(self, name) for name in self.hyperparameters}
        learnable = {"Weights": self.Weights, "Bias": self.Bias}
        groups = {"Hyperparameters": hyperparameters, "Learnable Parameters": learnable}
        return printed(type(self).__name__, self.Name, groups)


class _ConvolutionLayer(MatlabLayer):
    """Base of the convolution layers.

    Attributes
    ----------
    DilationFactor : int or tuple of int
        A number in one dimension.
    PaddingMode : str
        ``"manual"``, ``"same"`` or ``"causal"``.
    PaddingSize : tuple
        ``[l r]``, ``[t b l r]`` or ``[t l f; b r bk]``; ``[]`` for ``"same"``, where it depends on the input.
    PaddingValue : float or str
        What stands in the padding.
    """

    __slots__ = ()

    kind = "conv"
    edge_word = "Padding"
    arguments: ClassVar = {"Stride": 1, "DilationFactor": 1, "Padding": 0, "PaddingValue": 0, **_SHARED}
    hyperparameters = (
        "FilterSize",
        "NumChannels",
        "NumFilters",
        "Stride",
        "DilationFactor",
        "PaddingMode",
        "PaddingSize",
        "PaddingValue",
    )
    DilationFactor = Property()
    PaddingMode = Property()
    PaddingSize = Property()
    PaddingValue = Property()

    def _make_core(self, kernel_size: tuple[int, ...], values: dict[str, Any]) -> Any:
        strides = per_axis("Stride", plain(values["Stride"]), self.rank)
        dilation = per_axis("DilationFactor", plain(values["DilationFactor"]), self.rank)
        mode, pairs = _read_edges("Padding", self._edges, self.rank, ("same", "causal"))
        if mode == "causal":
            pairs = [((k - 1) * d, 0) for k, d in zip(kernel_size, dilation, strict=True)]
        self._properties |= {
            "Stride": _scalar_in_1d(strides),
            "DilationFactor": _scalar_in_1d(dilation),
            "PaddingMode": mode,
            "PaddingSize": [] if mode == "same" else _edge_sizes(pairs),
            "PaddingValue": read_padding_value("PaddingValue", values["PaddingValue"]),
        }
        padding: Any = tuple(pairs) if mode == "manual" else mode
        words = self._core_words(kernel_size)
        core = cores.CONVOLUTIONS[self.rank](strides=strides, dilation_rate=dilation, padding=padding, **words)
        core.padding_value = self.PaddingValue
        return core

    def _words(self) -> dict[str, Any]:
        core = self.core
        padding = core.padding if isinstance(core.padding, str) else tuple(zip(*core.padding, strict=True))
        return {"Stride": core.strides, "DilationFactor": core.dilation_rate, "Padding": padding}


class _TransposedConvolutionLayer(MatlabLayer):
    """Base of the transposed convolution layers.

    Attributes
    ----------
    CroppingMode : str
        ``"manual"`` or ``"same"``.
    CroppingSize : tuple
        ``[l r]``, ``[t b l r]`` or ``[t l f; b r bk]``. For ``"same"`` what it amounts to; where the filter is smaller
        than the stride the last ones are negative: zeros are appended.
    """

    __slots__ = ()

    kind = "conv-transpose"
    edge_word = "Cropping"
    arguments: ClassVar = {"Stride": 1, "Cropping": 0, **_SHARED}
    hyperparameters = ("FilterSize", "NumChannels", "NumFilters", "Stride", "CroppingMode", "CroppingSize")
    CroppingMode = Property()
    CroppingSize = Property()

    def _make_core(self, kernel_size: tuple[int, ...], values: dict[str, Any]) -> Any:
        strides = per_axis("Stride", plain(values["Stride"]), self.rank)
        mode, pairs = _read_edges("Cropping", self._edges, self.rank, ("same",))
        if mode == "same":
            reading = convention.conv_transpose((2,) * self.rank, FilterSize=kernel_size, Stride=strides, Cropping=mode)
            pairs = [axis.crop for axis in reading.geometry.axes]
        self._properties |= {
            "Stride": _scalar_in_1d(strides),
            "CroppingMode": mode,
            "CroppingSize": _edge_sizes(pairs),
        }
        crops: Any = tuple(pairs)
        return cores.TRANSPOSED[self.rank](strides=strides, padding=crops, **self._core_words(kernel_size))

    def _words(self) -> dict[str, Any]:
        same = self.CroppingMode == "same"
        cropping = "same" if same else tuple(zip(*self.core.padding, strict=True))
        return {"Stride": self.core.strides, "Cropping": cropping}


class Convolution1DLayer(_ConvolutionLayer):
    """What `convolution1dLayer` returns; see `MatlabLayer`."""

    __slots__ = ()
    rank = 1
    function = "convolution1dLayer"


class Convolution2DLayer(_ConvolutionLayer):
    """What `convolution2dLayer` returns; see `MatlabLayer`."""

    __slots__ = ()
    rank = 2
    function = "convolution2dLayer"


class Convolution3DLayer(_ConvolutionLayer):
    """What `convolution3dLayer` returns; see `MatlabLayer`."""

    __slots__ = ()
    rank = 3
    function = "convolution3dLayer"


class TransposedConvolution1DLayer(_TransposedConvolutionLayer):
    """What `transposedConv1dLayer` returns; see `MatlabLayer`."""

    __slots__ = ()
    rank = 1
    function = "transposedConv1dLayer"


class TransposedConvolution2DLayer(_TransposedConvolutionLayer):
    """What `transposedConv2dLayer` returns; see `MatlabLayer`."""

    __slots__ = ()
    rank = 2
    function = "transposedConv2dLayer"


class TransposedConvolution3DLayer(_TransposedConvolutionLayer):
    """What `transposedConv3dLayer` returns; see `MatlabLayer`."""

    __slots__ = ()
    rank = 3
    function = "transposedConv3dLayer"


def convolution1dLayer(filterSize: Any, numFilters: Any, *pairs: Any, **named: Any) -> Convolution1DLayer:
    """Make a 1-D convolution layer, for arrays (h, channel, batch).

    Parameters
    ----------
    filterSize, numFilters, *pairs, **named
        As for `convolution2dLayer`; Padding may also be ``"causal"``, or ``[l r]``.

    Raises
    ------
    ConvError
        If a name or a value is wrong.

    Notes
    -----
    Source: MATLAB's documentation of ``convolution1dLayer``.

    Examples
    --------
    >>> convolution1dLayer(3, 16, Padding="causal", DilationFactor=2).PaddingSize
    (4, 0)
    """
    return Convolution1DLayer(filterSize, numFilters, *pairs, **named)


def convolution2dLayer(filterSize: Any, numFilters: Any, *pairs: Any, **named: Any) -> Convolution2DLayer:
    """Make a 2-D convolution layer, for arrays (h, w, channel, batch).

    Parameters
    ----------
    filterSize : int or sequence of int
        Height and width of the filters, or one number for both.
    numFilters : int
        Number of filters, which is that of the output's channels.
    *pairs, **named
        Name-value arguments, ``"Name", value`` or ``Name=value``: those of `transposedConv3dLayer` but
        for Cropping, and:

        Padding (0)
            ``"same"``, for ``ceil(n / Stride)`` outputs, the odd cell at the end; or an amount for all edges, ``[a b]``
            per axis, or ``[t b l r]``.
        PaddingValue (0)
            A number; ``"replicate"`` the edge; or mirror the data with their edge, ``"symmetric-include-edge"``,
            or without it, ``"symmetric-exclude-edge"``.
        DilationFactor (1)
            One number, or one per axis.

    Raises
    ------
    ConvError
        If a name or a value is wrong.

    Notes
    -----
    Weights have shape (h, w, NumChannels, NumFilters), Bias (1, 1, NumFilters).
    Source: MATLAB's documentation of ``convolution2dLayer``.

    Examples
    --------
    >>> layer = convolution2dLayer(11, 96, "Stride", 4, "Padding", 1)
    >>> layer.build((227, 227, 3, None))
    >>> layer.compute_output_shape((227, 227, 3, None))
    (55, 55, 96, None)
    >>> layer.PaddingSize, layer.Weights.shape, layer.NumChannels
    ((1, 1, 1, 1), (11, 11, 3, 96), 3)
    """
    return Convolution2DLayer(filterSize, numFilters, *pairs, **named)


def convolution3dLayer(filterSize: Any, numFilters: Any, *pairs: Any, **named: Any) -> Convolution3DLayer:
    """Make a 3-D convolution layer, for arrays (h, w, d, channel, batch).

    Parameters
    ----------
    filterSize, numFilters, *pairs, **named
        As for `convolution2dLayer`; Padding may be ``[a b c]``, or the matrix ``[t l f; b r bk]``.

    Raises
    ------
    ConvError
        If a name or a value is wrong.

    Notes
    -----
    Source: MATLAB's documentation of ``convolution3dLayer``.

    Examples
    --------
    >>> convolution3dLayer(3, 16, Padding=[[1, 1, 0], [0, 1, 2]]).compute_output_shape((8, 9, 10, 1, None))
    (7, 9, 10, 16, None)
    """
    return Convolution3DLayer(filterSize, numFilters, *pairs, **named)


def transposedConv1dLayer(filterSize: Any, numFilters: Any, *pairs: Any, **named: Any) -> TransposedConvolution1DLayer:
    """Make a transposed 1-D convolution layer, for arrays (h, channel, batch).

    Parameters
    ----------
    filterSize, numFilters, *pairs, **named
        As for `transposedConv3dLayer`; Cropping may be ``[l r]``.

    Raises
    ------
    ConvError
        If a name or a value is wrong.

    Notes
    -----
    Source: MATLAB's documentation of ``transposedConv1dLayer``.

    Examples
    --------
    >>> transposedConv1dLayer(11, 96, "Stride", 4, "Cropping", [1, 0]).compute_output_shape((10, 3, 1))
    (46, 96, 1)
    """
    return TransposedConvolution1DLayer(filterSize, numFilters, *pairs, **named)


def transposedConv2dLayer(filterSize: Any, numFilters: Any, *pairs: Any, **named: Any) -> TransposedConvolution2DLayer:
    """Make a transposed 2-D convolution layer, for arrays (h, w, channel, batch).

    Parameters
    ----------
    filterSize, numFilters, *pairs, **named
        As for `transposedConv3dLayer`; Cropping may be ``[a b]`` or ``[t b l r]``.

    Raises
    ------
    ConvError
        If a name or a value is wrong.

    Notes
    -----
    Source: MATLAB's documentation of ``transposedConv2dLayer``.

    Examples
    --------
    >>> transposedConv2dLayer(11, 96, "Stride", 4, "Cropping", [1, 2, 0, 3]).compute_output_shape((5, 5, 3, 1))
    (24, 24, 96, 1)
    """
    return TransposedConvolution2DLayer(filterSize, numFilters, *pairs, **named)


def transposedConv3dLayer(filterSize: Any, numFilters: Any, *pairs: Any, **named: Any) -> TransposedConvolution3DLayer:
    """Make a transposed 3-D convolution layer, for arrays (h, w, d, channel, batch).

    It transposes a convolution, and inverts none.

    Parameters
    ----------
    filterSize : int or sequence of int
        Height, width and depth of the filters, or one number for all three.
    numFilters : int
        Number of filters, which is that of the output's channels.
    *pairs, **named
        Name-value arguments, ``"Name", value`` or ``Name=value``, in any order and letter case (defaults in brackets):

        Stride (1)
            One number, or one per axis.
        Cropping (0)
            ``"same"``, for ``n * Stride`` outputs; or what is cut off the output (not, as the documentation has it, off
            the input): one number for all edges, ``[a b c]`` per axis, or ``[t l f; b r bk]``. Of the
            ``FilterSize - Stride`` cells that ``"same"`` crops, the odd one is at the bottom, right and back.
            A filter smaller than the stride is undocumented there: zeros are appended at the bottom,
            right and back, so that the documented size holds.
        NumChannels ("auto")
            Channels of the input; ``"auto"`` takes those of the first.
        WeightsInitializer ("glorot"), BiasInitializer ("zeros")
            ``"glorot"`` and ``"he"`` (for weights only), ``"narrow-normal"``, ``"zeros"``, ``"ones"``, or a function of
            the size.
        Weights ([]), Bias ([])
            Initial values, of shape (h, w, d, NumFilters, NumChannels) and (1, 1, 1, NumFilters).
        WeightLearnRateFactor (1), BiasLearnRateFactor (1), WeightL2Factor (1), BiasL2Factor (0)
            What the trainer's learning rate and L2 strength are multiplied by.
        Name ("")
            Name of the layer.

    Raises
    ------
    ConvError
        If a name is unknown or given twice, or a value is wrong.

    Notes
    -----
    Source: MATLAB's documentation of ``transposedConv3dLayer``.

    Examples
    --------
    >>> transposedConv3dLayer(11, 32, "Stride", [4, 4, 2])
      TransposedConvolution3DLayer with properties:
    <BLANKLINE>
                Name: ''
    <BLANKLINE>
       Hyperparameters
          FilterSize: [11 11 11]
         NumChannels: 'auto'
          NumFilters: 32
              Stride: [4 4 2]
        CroppingMode: 'manual'
        CroppingSize: [2x3 double]
    <BLANKLINE>
       Learnable Parameters
             Weights: []
                Bias: []
    <BLANKLINE>
      Show all properties
    """
    return TransposedConvolution3DLayer(filterSize, numFilters, *pairs, **named)


def _read_channels(argument: str, value: Any) -> int | str:
    value = plain(value)
    return choice(argument, value, ("auto",)) if isinstance(value, str) else whole_number(argument, value, 1)


def _read_edges(argument: str, value: Any, rank: int, words: tuple[str, ...]) -> tuple[str, list[tuple[int, int]]]:
    """Return the mode and, where it is manual, (before, after) per axis."""
    if isinstance(value, str):
        mode = choice(argument, value, words)
        if mode == "causal" and rank > 1:
            raise ConvError(argument, value, "belongs to convolution1dLayer", "use 'same' or amounts")
        return mode, []
    if rank < 3 and is_sequence(value) and any(is_sequence(item) for item in value):
        form = "[l r]" if rank == 1 else "[t b l r]"
        raise ConvError(argument, value, "a matrix belongs to the 3-D layers", f"give a number or {form}")
    return "manual", convention.edges(argument, value, rank)


def _edge_sizes(pairs: list[tuple[int, int]]) -> tuple[Any, ...]:
    """Return (before, after) per axis as MATLAB shows it: a row in one and two dimensions, two rows in three."""
    if len(pairs) < 3:
        return tuple(amount for pair in pairs for amount in pair)
    return tuple(zip(*pairs, strict=True))


def _scalar_in_1d(numbers: tuple[int, ...]) -> int | tuple[int, ...]:
    return numbers[0] if len(numbers) == 1 else numbers


@contextlib.contextmanager
def _naming(old: str, new: str, value: object) -> Iterator[None]:
    """Let an error about the argument `old` name `new`, which the caller gave."""
    try:
        yield
    except ConvError as error:
        if error.argument != old:
            raise
        raise ConvError(new, value, error.rule, error.remedy, error.constraint) from None
