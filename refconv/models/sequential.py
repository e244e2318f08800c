"""The model of layers one after another: trained, evaluated, asked for predictions."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from refconv import losses, metrics, optimizers
from refconv.arguments import finite_number, is_sequence, whole_number
from refconv.errors import ConvError
from refconv.functional.arrays import Description, describe, read_array
from refconv.layers import Chain, Input, Layer
from refconv.layers.container import Container
from refconv.layers.reading import truth
from refconv.models.progress import Progress
from refconv.models.storage import load, save
from refconv.models.summary import summary


class History:
    """What training reported.

    Attributes
    ----------
    epoch : list of int
        The epochs, from 0 on.
    history : dict of str to list of float
        For every epoch, the ``loss`` and the metrics by name, and the same of the validation data with
        ``val_`` before the name.
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    def add(self, epoch: int, values: dict[str, float]) -> None:
        """Note the values of an epoch."""
        self.epoch.append(epoch)
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)

    def __repr__(self) -> str:
        return f"<History of {len(self.epoch)} epochs: {', '.join(self.history)}>"


class Sequential(Chain):
    """Layers one after another, that can be trained.

    Parameters
    ----------
    layers : sequence of Layer, optional
        As for `add`.
    trainable : bool
        Assigned, it is assigned to every layer.
    name : str, optional
        By default ``sequential`` and a number.

    Attributes
    ----------
    layers : list of Layer
        The layers, without one that only declares the input's shape.
    input_shape, output_shape : tuple of int or None
        The batch included, once the first layer's input is known.
    optimizer, loss, metrics
        As given to `compile`; None before.

    Raises
    ------
    ConvError
        If one is no layer, is there twice, or cannot take what the layer before it returns.

    Notes
    -----
    Branches and skip connections are layers: `refconv.layers.Branches`.

    Examples
    --------
    >>> from refconv import layers
    >>> model = Sequential([layers.Conv2D(64, 3, padding="same", input_shape=(256, 256, 3))])
    >>> model.output_shape
    (None, 256, 256, 64)
    """

    def __init__(self, layers: Sequence[Layer] = (), trainable: bool = True, name: str | None = None) -> None:
        super().__init__((), trainable=trainable, name=name)
        self.optimizer: optimizers.Optimizer | None = None
        self.loss: losses.Loss | None = None
        self.metrics: list[metrics.Metric] = []
        if not is_sequence(layers):
            raise ConvError("layers", layers, "not a list of layers", "give [layer, layer]")
        for layer in layers:
            self.add(layer)

    def add(self, layer: Layer) -> None:
        """Put a layer behind the others; where the shape of the input is known, make its weights.

        Parameters
        ----------
        layer : Layer
            The first may declare the shape of the model's input, with ``input_shape=`` or by being an
            `refconv.layers.Input`.

        Raises
        ------
        ConvError
            If it is no layer, is there already, or cannot take what the layer before it returns.
        """
        layer = self._check_new("layer", layer)
        if isinstance(layer, Input):
            if self._inside or self._shape is not None:
                raise ConvError("layer", layer, "the input's shape is declared first", "add it before other layers")
            self._shape, self.built = layer.batch_input_shape, True
            return
        if self._shape is None and not self._inside:
            self._shape = _declared_by(layer)
        if self._shape is not None:
            layer.build(self.output_shape)
            self.built = True
        self._inside.append(layer)

    def pop(self) -> Layer:
        """Take the last layer off, and return it.

        Raises
        ------
        ConvError
            If there is none.
        """
        if not self._inside:
            raise ConvError("layers", [], "there is no layer to take off", "add one first")
        return self._inside.pop()

    def summary(self, print_fn: Callable[[str], Any] = print) -> None:
        """Print the layers, their output shapes and their numbers of weights.

        Parameters
        ----------
        print_fn : callable
            Given the whole text.

        Raises
        ------
        ConvError
            If the shape of the input is not known yet.

        Examples
        --------
        >>> from refconv import layers
        >>> first = layers.Conv2D(8, 3, name="edges", input_shape=(28, 28, 1))
        >>> Sequential([first, layers.Flatten(name="flat"), layers.Dense(10, name="digit")], name="small").summary()
        Model: "small"
        __________________________________________________
         Layer (type)      Output Shape         Param #
        ==================================================
         edges (Conv2D)    (None, 26, 26, 8)    80
         flat (Flatten)    (None, 5408)         0
         digit (Dense)     (None, 10)           54,090
        ==================================================
        Total params: 54,170 (211.60 KB)
        Trainable params: 54,170 (211.60 KB)
        Non-trainable params: 0 (0.00 B)
        __________________________________________________
        """
        if self._shape is None:
            raise ConvError("model", self, "the shape of its input is not known", "call build(input_shape) first")
        print_fn(summary(self))

    def compile(self, optimizer: Any = "sgd", loss: Any = "mse", metrics: Any = ()) -> None:
        """Say how the model is trained and judged.

        Parameters
        ----------
        optimizer : str, dict or Optimizer
            See `refconv.optimizers.get`.
        loss : str, dict or Loss
            See `refconv.losses.get`.
        metrics : sequence of str, dict or Metric
            See `refconv.metrics.get`.

        Raises
        ------
        ConvError
            If there is no such thing.
        """
        chosen_loss = losses.get(loss)
        chosen = _read_metrics(metrics, chosen_loss)
        self.optimizer = optimizers.get(optimizer)
        self.loss, self.metrics = chosen_loss, chosen

    def train_on_batch(self, x: Any, y: Any) -> float:
        """Make one step, and return the loss before it, the regularizers' included.

        Parameters
        ----------
        x : array, shape (batch, ...)
            Inputs.
        y : array
            Targets, as the loss takes them.

        Raises
        ------
        ConvError
            If the model is not compiled, or the arrays do not fit it or each other.
        """
        inputs, targets = _read_pair(x, y)
        return self._step(inputs, targets)[0]

    def fit(
        self,
        x: Any,
        y: Any,
        batch_size: int = 32,
        epochs: int = 1,
        verbose: Any = "auto",
        *,
        validation_split: float = 0.0,
        validation_data: tuple[Any, Any] | None = None,
        shuffle: bool = True,
        seed: int | None = None,
    ) -> History:
        """Train.

        Parameters
        ----------
        x : array, shape (samples, ...)
            Inputs.
        y : array
            Targets, as the loss takes them, one for each sample.
        batch_size : int
            Samples in each step; the last of an epoch may have fewer.
        epochs : int
            How often each sample is seen.
        verbose : str or int
            0 shows nothing, 1 a bar and a line for each epoch, 2 the lines only; ``"auto"`` is 1 on a
            terminal, else 2.
        validation_split : float
            Share of the samples, taken from the end, that is not trained on but evaluated after each epoch.
        validation_data : tuple of two arrays, optional
            Inputs and targets that are evaluated after each epoch.
        shuffle : bool
            Whether each epoch takes the samples in an order of its own.
        seed : int, optional
            Of these orders. By default one is drawn from Python's `random`, so that ``random.seed(0)`` makes
            a whole script repeatable.

        Returns
        -------
        History
            The loss and the metrics of each epoch, those of training taken while the weights moved.

        Raises
        ------
        ConvError
            If the model is not compiled, or an argument is wrong.
        """
        self._compiled()
        inputs, targets = _read_pair(x, y)
        size = whole_number("batch_size", batch_size, 1)
        epochs = whole_number("epochs", epochs, 1)
        shuffle = truth("shuffle", shuffle)
        inputs, targets, validation = _read_validation(inputs, targets, validation_split, validation_data)
        drawn = random.randrange(2**32) if seed is None else whole_number("seed", seed, 0)
        generator = np.random.default_rng(drawn)
        progress = Progress(verbose, epochs, -(-len(inputs) // size))
        history = History()
        for epoch in range(epochs):
            order = generator.permutation(len(inputs)) if shuffle else np.arange(len(inputs))
            values = self._epoch(inputs, targets, progress.batches(epoch, _parts(order, size)))
            if validation is not None:
                tested = self._evaluated(*validation, size)
                values |= {f"val_{name}": value for name, value in tested.items()}
            history.add(epoch, values)
            progress.show(epoch, values)
        return history

    def evaluate(self, x: Any, y: Any, batch_size: int = 32) -> dict[str, float]:
        """Return the loss and the metrics by name, of the model as it stands.

        Parameters
        ----------
        x : array, shape (samples, ...)
            Inputs.
        y : array
            Targets, as the loss takes them.
        batch_size : int
            Samples that are computed at once.

        Raises
        ------
        ConvError
            If the model is not compiled, or the arrays do not fit it or each other.
        """
        self._compiled()
        inputs, targets = _read_pair(x, y)
        return self._evaluated(inputs, targets, whole_number("batch_size", batch_size, 1))

    def predict(self, x: Any, batch_size: int = 32) -> np.ndarray:
        """Return the outputs of many samples.

        Parameters
        ----------
        x : array, shape (samples, ...)
            Inputs.
        batch_size : int
            Samples that are computed at once.

        Raises
        ------
        ConvError
            If the arrays do not fit the model.
        """
        inputs = _read_samples("x", x)
        size = whole_number("batch_size", batch_size, 1)
        return np.concatenate([self(inputs[part]) for part in _parts(np.arange(len(inputs)), size)])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one ``.npz`` file, whole or not at all.

        It holds the layers' arguments and weights, and how the model is trained with the optimizer's state, as plain
        arrays and JSON: no pickle, no code.

        Parameters
        ----------
        path : path
            Ends in ``.npz``.

        Raises
        ------
        ConvError
            If it cannot be written there, or the model holds a plain function, which cannot be saved.
        """
        save(self, Path(path))

    @classmethod
    def load(cls, path: str | os.PathLike[str], custom_objects: dict[str, Any] | None = None) -> Self:
        """Read a model that `save` wrote.

        Parameters
        ----------
        path : path
            Where it stands.
        custom_objects : dict, optional
            Layer classes of one's own, by name.

        Raises
        ------
        ConvError
            If there is no such file, or it does not hold a whole model.
        """
        return load(path, custom_objects, cls)

    def _compiled(self) -> tuple[optimizers.Optimizer, losses.Loss]:
        if self.optimizer is None or self.loss is None:
            raise ConvError("model", self, "it is not compiled", "call compile(optimizer, loss) first")
        return self.optimizer, self.loss

    def _step(self, x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
        optimizer, loss = self._compiled()
        outputs = self.forward(x)
        value = loss(y, outputs) + sum(self.losses)
        self.backward(loss.gradient(y, outputs))
        weights = self.trainable_weights
        moved = optimizer.step(weights, self.gradients, self.learn_rate_factors, self.l2_factors)
        for weight, new in zip(weights, moved, strict=True):
            weight[...] = new
        self.apply_constraints()
        return value, outputs

    def _epoch(self, x: np.ndarray, y: np.ndarray, parts: Iterator[np.ndarray]) -> dict[str, float]:
        total, seen = 0.0, 0
        for metric in self.metrics:
            metric.reset()
        for part in parts:
            value, outputs = self._step(x[part], y[part])
            total, seen = total + value * len(part), seen + len(part)
            for metric in self.metrics:
                metric.update(y[part], outputs)
        return {"loss": total / seen, **{metric.name: metric.result() for metric in self.metrics}}

    def _evaluated(self, x: np.ndarray, y: np.ndarray, size: int) -> dict[str, float]:
        _, loss = self._compiled()
        total = 0.0
        for metric in self.metrics:
            metric.reset()
        for part in _parts(np.arange(len(x)), size):
            outputs, penalty = self._with_penalty(x[part])
            total += (loss(y[part], outputs) + penalty) * len(part)
            for metric in self.metrics:
                metric.update(y[part], outputs)
        return {"loss": total / len(x), **{metric.name: metric.result() for metric in self.metrics}}

    def _with_penalty(self, x: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the outputs, as of a call, and the losses of the regularizers for them."""
        penalty = 0.0

        def visit(layer: Layer, inputs: Any) -> Any:
            nonlocal penalty
            if isinstance(layer, Container):
                return layer.walk(inputs, visit)
            outputs = layer(inputs)
            penalty += sum(layer.penalties(outputs))
            return outputs

        checked = self._checked_inputs(x)
        with self._built_for(checked):
            outputs: np.ndarray = self.walk(checked, visit)
        return outputs, penalty


def _declared_by(layer: Layer) -> tuple[int | None, ...] | None:
    if isinstance(layer, Container) and layer.built:
        return layer.input_shape
    if isinstance(layer, Chain) and layer.layers:
        return _declared_by(layer.layers[0])
    shape: tuple[int | None, ...] | None = layer.batch_input_shape
    return shape


def _read_samples(argument: str, value: Any) -> np.ndarray:
    array = read_array(argument, value)
    if not array.ndim or not len(array):
        raise ConvError(argument, describe(array), "there are no samples", "give one at least, along the first axis")
    return array


def _read_pair(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    inputs, targets = _read_samples("x", x), _read_samples("y", y)
    if len(inputs) != len(targets):
        raise ConvError("y", describe(targets), f"there are {len(inputs)} inputs", "give a target for each")
    return inputs, targets


def _read_validation(
    x: np.ndarray, y: np.ndarray, split: Any, data: Any
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray] | None]:
    share = finite_number("validation_split", split, 0)
    if data is not None:
        if share:
            raise ConvError("validation_split", split, "validation_data is given too", "give one of them")
        if not isinstance(data, (tuple, list)) or len(data) != 2:
            raise ConvError("validation_data", Description(type(data).__name__), "not a pair", "give (x, y)")
        return x, y, _read_pair(*data)
    kept = len(x) - round(len(x) * share)
    if share and not 0 < kept < len(x):
        rule = f"of {len(x)} samples it leaves {max(kept, 0)} to train on"
        raise ConvError("validation_split", split, rule, "use a share such as 0.2")
    return (x[:kept], y[:kept], (x[kept:], y[kept:])) if share else (x, y, None)


def _read_metrics(identifiers: Any, loss: losses.Loss) -> list[metrics.Metric]:
    if not isinstance(identifiers, (list, tuple)):
        raise ConvError("metrics", identifiers, "not a list", "give a list, such as ['accuracy']")
    chosen = [metrics.get(identifier, loss) for identifier in identifiers]
    names = [metric.name for metric in chosen]
    for name in names:
        if names.count(name) > 1 or name == "loss":
            raise ConvError("metrics", names, f"more than one value is called {name!r}", "leave one out")
    return chosen


def _parts(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(order), size):
        yield order[start : start + size]
