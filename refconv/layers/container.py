"""Layers made of layers: one after another, or side by side."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np

from refconv.arguments import is_sequence
from refconv.errors import ConvError
from refconv.functional.arrays import Description, read_array
from refconv.layers.any_rank import AnyRankLayer, any_shape
from refconv.layers.base import Layer, Shape
from refconv.layers.merging import Add, Concatenate, MergingLayer
from refconv.layers.saving import deserialize, serialize

# What is done with each layer in turn: given the layer and what comes in, return what goes out.
Visit = Callable[[Layer, Any], Any]


class Container(AnyRankLayer):
    """Base of the layers made of layers, which hold all the weights.

    Parameters
    ----------
    trainable : bool
        Assigned, it is assigned to every layer inside.
    name : str, optional
        By default the class in snake case and a number.

    Raises
    ------
    ConvError
        If an argument is wrong.
    """

    def __init__(self, *, trainable: bool = True, name: str | None = None, **kwargs: Any) -> None:
        self._inside: list[Layer] = []
        super().__init__(trainable=trainable, name=name, **kwargs)
        self._shape: tuple[int | None, ...] | None = None

    @property
    def layers(self) -> list[Layer]:
        """The layers inside, in the order in which they are computed."""
        return list(self._inside)

    @property
    def trainable(self) -> bool:
        """Whether any weights inside are trained."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = value
        for layer in self._inside:
            layer.trainable = value

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of the input, the batch included: as declared, or as it was built for."""
        if self._shape is None:
            raise AttributeError(f"{self.name!r} has no shape yet: give its first layer input_shape=, or call build()")
        return self._shape

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of the output, the batch included."""
        return self.compute_output_shape(self.input_shape)

    def leaves(self) -> Iterator[Layer]:
        """Yield the layers inside, and those inside of them, that are not made of layers."""
        for layer in self._inside:
            if isinstance(layer, Container):
                yield from layer.leaves()
            else:
                yield layer

    def build(self, input_shape: Shape) -> None:
        """Make the weights of all layers for inputs of this shape.

        Parameters
        ----------
        input_shape : sequence of int or None
            Batch included.

        Raises
        ------
        ConvError
            If a layer cannot take what it would be given.
        """
        self.compute_output_shape(input_shape)
        if not self.built:
            self.walk(any_shape(input_shape), _built)
            # A batch is of any size, also after the first.
            self._shape = (None, *tuple(input_shape)[1:])
            self.built = True

    def call(self, inputs: np.ndarray) -> np.ndarray:
        """Compute the output of built layers."""
        outputs: np.ndarray = self.walk(inputs, lambda layer, x: layer(x))
        return outputs

    def forward(self, inputs: Any) -> np.ndarray:
        """Compute the output as in training, and keep what `backward` needs, in every layer.

        Parameters
        ----------
        inputs : array
            As for a call.

        Raises
        ------
        ConvError
            As for a call.
        """
        x = self._checked_inputs(inputs)
        with self._built_for(x):
            outputs: np.ndarray = self.walk(x, lambda layer, x: layer.forward(x))
        return outputs

    def walk(self, x: Any, visit: Visit) -> Any:
        """Take arrays, or shapes, through all layers.

        Parameters
        ----------
        x : object
            What comes in.
        visit : callable
            ``visit(layer, x)`` returns what goes out of a layer; of a container it may be ``layer.walk(x, visit)``.
        """
        raise NotImplementedError

    @property
    def weights(self) -> list[np.ndarray]:
        """The arrays of weights of all layers, in order."""
        return [array for layer in self._inside for array in layer.weights]

    @property
    def trainable_weights(self) -> list[np.ndarray]:
        """The weights that are trained, of all layers, in order."""
        return [array for layer in self._trained() for array in layer.trainable_weights]

    @property
    def non_trainable_weights(self) -> list[np.ndarray]:
        """The weights that are not trained, of all layers, in order."""
        trained = {id(array) for array in self.trainable_weights}
        return [array for array in self.weights if id(array) not in trained]

    @property
    def gradients(self) -> list[np.ndarray]:
        """What the last `backward` found: one for each of `trainable_weights`."""
        return [array for layer in self._trained() for array in layer.gradients]

    @gradients.setter
    def gradients(self, value: list[np.ndarray]) -> None:
        """Every layer inside keeps its own."""

    @property
    def losses(self) -> list[float]:
        """The losses of the regularizers of all layers."""
        return [loss for layer in self._inside for loss in layer.losses]

    @property
    def learn_rate_factors(self) -> list[float]:
        """For each of `trainable_weights`, what the learning rate is multiplied by."""
        return [factor for layer in self._trained() for factor in layer.learn_rate_factors]

    @property
    def l2_factors(self) -> list[float]:
        """For each of `trainable_weights`, what the trainer's L2 strength is multiplied by."""
        return [factor for layer in self._trained() for factor in layer.l2_factors]

    def apply_constraints(self) -> None:
        """Let every constraint of every layer act on its weights.

        Raises
        ------
        ConvError
            If a constraint returns no array of the weight's shape.
        """
        for layer in self._trained():
            layer.apply_constraints()

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of the weights of all layers, in order."""
        return [array for layer in self._inside for array in layer.get_weights()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Copy values into the weights of all layers.

        Parameters
        ----------
        weights : sequence of arrays
            As `get_weights` returns them.

        Raises
        ------
        ConvError
            If the layers are not built, or the number, a shape or a type of the arrays is wrong. The weights
            are then as they were.
        """
        counts = [len(layer.get_weights()) for layer in self._inside]
        if not self.built or len(weights) != sum(counts):
            given = Description(f"{len(weights)} arrays")
            if not self.built:
                raise ConvError("weights", given, "the layers are not built", "call build(input_shape) first")
            raise ConvError("weights", given, f"the layers have {sum(counts)} weights", "give as many")
        before = self.get_weights()
        try:
            self._set_weights(weights, counts)
        except ConvError:
            self._set_weights(before, counts)
            raise

    def count_params(self) -> int:
        """Count the numbers in all weights.

        Raises
        ------
        ConvError
            If a layer is not built.
        """
        return sum(layer.count_params() for layer in self._inside)

    def _set_weights(self, weights: Sequence[Any], counts: list[int]) -> None:
        start = 0
        for layer, count in zip(self._inside, counts, strict=True):
            if count:
                layer.set_weights(weights[start : start + count])
            start += count

    def _trained(self) -> list[Layer]:
        return self._inside if self.trainable else []

    @contextlib.contextmanager
    def _built_for(self, x: np.ndarray) -> Iterator[None]:
        if self.built:
            # Every layer inside checks what it is given.
            yield
        else:
            with super()._built_for(x):
                yield

    def _checked_inputs(self, inputs: Any) -> np.ndarray:
        # Each layer inside rounds to its own type.
        return read_array("inputs", inputs)

    def _channels_of(self, shape: tuple[int | None, ...]) -> int | None:
        return None

    def _output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        result: tuple[int | None, ...] = self.walk(shape, _shape_after)
        return result

    def _check_new(self, argument: str, layer: Any) -> Layer:
        """Read a layer that is to be one more inside."""
        # A layer of a dialect with arrays in another order holds an ordinary one.
        layer = getattr(layer, "core", layer)
        if not isinstance(layer, Layer):
            raise ConvError(argument, layer, "not a layer", "make one first, as in refconv.layers.Conv2D(8, 3)")
        if isinstance(layer, MergingLayer):
            raise ConvError(argument, layer, "it takes a list of arrays", "use Branches(branches, merge)")
        self._check_absent(argument, layer)
        return layer

    def _check_absent(self, argument: str, layer: Layer) -> None:
        here = {id(part) for part in _all_of(self)}
        if any(id(part) in here for part in _all_of(layer)):
            # What it keeps between forward and backward would be overwritten.
            raise ConvError(argument, layer, "the layer is there already", "make a new one, or copy its weights")


class Chain(Container):
    """Layers one after another.

    Parameters
    ----------
    layers : sequence of Layer
        What one returns is the input of the next; none: the output is the input.
    trainable : bool
        Assigned, it is assigned to every layer inside.
    name : str, optional
        By default the class in snake case and a number.

    Raises
    ------
    ConvError
        If one is no layer, or is there twice.

    Examples
    --------
    >>> from refconv import layers
    >>> layers.Chain([layers.ZeroPadding1D(1), layers.UpSampling1D(2)])([[[1.0], [2.0]]])[0, :, 0]
    array([0., 0., 1., 1., 2., 2., 0., 0.], dtype=float32)
    """

    def __init__(self, layers: Sequence[Layer] = (), trainable: bool = True, name: str | None = None) -> None:
        super().__init__(trainable=trainable, name=name)
        if not is_sequence(layers):
            raise ConvError("layers", layers, "not a list of layers", "give [layer, layer]")
        for i, layer in enumerate(layers):
            self._inside.append(self._check_new(f"layers[{i}]", layer))

    def walk(self, x: Any, visit: Visit) -> Any:
        """Take arrays, or shapes, through the layers, one after another."""
        for layer in self._inside:
            x = visit(layer, x)
        return x

    def backward(self, dy: Any) -> np.ndarray:
        """Return the gradient to the input of the last `forward`, and fill `gradients`, in every layer.

        Parameters
        ----------
        dy : array, shape of the output
            The gradient to the output.

        Raises
        ------
        ConvError
            If there was no `forward`, or `dy` has another shape than its output.
        """
        gradient = read_array("dy", dy)
        for layer in reversed(self._inside):
            gradient = layer.backward(gradient)
        return gradient

    def get_config(self) -> dict[str, Any]:
        """Return the layers' classes and arguments; `from_config` makes an equal chain of them."""
        return {"name": self.name, "layers": [serialize(layer) for layer in self._inside]}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Self:
        """Make a chain from what `get_config` returned.

        Parameters
        ----------
        config : dict
            Arguments by name.
        custom_objects : dict, optional
            Classes of one's own, by name.
        """
        inside = [deserialize(item, custom_objects) for item in config.get("layers", ())]
        return cls(**{**config, "layers": inside})


class Branches(Container):
    """Layers side by side: every branch gets the input, and what they return is merged.

    An empty branch is the input itself, so that ``Branches([[], [...]])`` is a skip connection.

    Parameters
    ----------
    branches : sequence of sequence of Layer
        Each is one layer, or layers one after another.
    merge : str or MergingLayer
        ``"concatenate"`` along the last axis, ``"add"``, or a layer that takes a list of arrays, such as
        `refconv.layers.Concatenate`.
    trainable : bool
        Assigned, it is assigned to every layer inside.
    name : str, optional
        By default the class in snake case and a number.

    Raises
    ------
    ConvError
        If an argument is wrong, or a layer is there twice.

    Examples
    --------
    >>> from refconv import layers
    >>> skip = Branches([[], [layers.Conv2D(4, 3, padding="same")]])
    >>> skip.compute_output_shape((None, 8, 8, 3))
    (None, 8, 8, 7)
    """

    def __init__(
        self,
        branches: Sequence[Any],
        merge: Any = "concatenate",
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(trainable=trainable, name=name)
        if not is_sequence(branches) or not len(branches):
            raise ConvError("branches", branches, "not a list of branches", "give [[layer, ...], [layer, ...]]")
        for i, branch in enumerate(branches):
            layers = branch if is_sequence(branch) else [branch]
            chain = branch if isinstance(branch, Chain) else Chain(layers, name=f"branch_{i}")
            self._inside.append(self._check_new(f"branches[{i}]", chain))
        merging = {"concatenate": Concatenate, "add": Add}
        self.merge = merging[merge]() if isinstance(merge, str) and merge in merging else merge
        if not isinstance(self.merge, MergingLayer):
            rule = "not 'concatenate', 'add', or a layer that merges a list of arrays"
            raise ConvError("merge", merge, rule, "use 'concatenate'")
        self._check_absent("merge", self.merge)
        self._inside.append(self.merge)

    @property
    def branches(self) -> list[Layer]:
        """The branches, each a chain of layers."""
        return self._inside[:-1]

    def walk(self, x: Any, visit: Visit) -> Any:
        """Take arrays, or shapes, through every branch, and merge them."""
        return visit(self.merge, [visit(branch, x) for branch in self.branches])

    def backward(self, dy: Any) -> np.ndarray:
        """Return the gradient to the input of the last `forward`, and fill `gradients`, in every layer.

        Parameters
        ----------
        dy : array, shape of the output
            The gradient to the output.

        Raises
        ------
        ConvError
            If there was no `forward`, or `dy` has another shape than its output.
        """
        parts = zip(self.branches, self.merge.backward(dy), strict=True)
        gradients = [branch.backward(part) for branch, part in parts]
        total: np.ndarray = sum(gradients[1:], start=gradients[0])
        return total

    def get_config(self) -> dict[str, Any]:
        """Return the layers' classes and arguments; `from_config` makes an equal layer of them."""
        branches = [serialize(branch) for branch in self.branches]
        return {"name": self.name, "branches": branches, "merge": serialize(self.merge)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Self:
        """Make the layer from what `get_config` returned.

        Parameters
        ----------
        config : dict
            Arguments by name.
        custom_objects : dict, optional
            Classes of one's own, by name.
        """
        branches = [deserialize(item, custom_objects) for item in config.get("branches", ())]
        return cls(**{**config, "branches": branches, "merge": deserialize(config.get("merge"), custom_objects)})


def _all_of(layer: Layer) -> Iterator[Layer]:
    yield layer
    if isinstance(layer, Container):
        for part in layer.layers:
            yield from _all_of(part)


def _shape_after(layer: Layer, shape: Any) -> Any:
    try:
        return layer.compute_output_shape(shape)
    except ConvError as error:
        # The innermost layer is the one that matters.
        if error.argument != "input_shape" or isinstance(layer, Container):
            raise
        rule = f"{layer.name!r} cannot take it: {error.rule}"
        raise ConvError("input_shape", shape, rule, error.remedy, error.constraint) from None


def _built(layer: Layer, shape: Any) -> Any:
    layer.build(shape)
    return _shape_after(layer, shape)
