"""Losses: how far a model's outputs are from their targets, and the gradient to the outputs.

A loss is a function of targets and outputs that returns a number, the mean over all samples and
positions: ``MeanSquaredError()(y_true, y_pred)``; its gradient to the outputs is
``MeanSquaredError().gradient(y_true, y_pred)``. Both compute in double precision. Classes stand along
the last axis.

Source: ``keras/src/losses/losses.py`` and ``keras/src/backend/numpy/nn.py`` of Keras 3.15.1.

Examples
--------
>>> loss = get("mse")
>>> y_true, y_pred = np.array([[0.0, 1.0]]), np.array([[0.5, 2.0]])
>>> loss(y_true, y_pred), loss.gradient(y_true, y_pred)
(0.625, array([[0.5, 1. ]]))
"""

from __future__ import annotations

import inspect
from typing import Any, Self

import numpy as np

from refconv.errors import ConvError
from refconv.functional.arrays import describe, read_array
from refconv.identifiers import configuration, made, plain, read_identifier, unknown_name
from refconv.layers.reading import truth

# What keeps a probability of 0 from an infinite logarithm; Keras' default epsilon.
EPSILON = 1e-7

_MODULE = "keras.losses"


class Loss:
    """Base of the losses; one of one's own needs `__call__`, and `gradient` to be trained with."""

    def __call__(self, y_true: Any, y_pred: Any) -> float:
        """Return the mean loss.

        Parameters
        ----------
        y_true : array_like
            Targets.
        y_pred : array_like, shape (batch, ..., classes)
            Outputs of a model.

        Raises
        ------
        ConvError
            If the targets do not fit the outputs.
        """
        raise NotImplementedError

    def gradient(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """Return the gradient of the mean loss to every output, of the type of `y_pred`."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a loss from what `get_config` returned."""
        return cls(**config)


class MeanSquaredError(Loss):
    """The mean of ``(y_true - y_pred)**2``.

    Examples
    --------
    >>> MeanSquaredError()([[1.0, 3.0]], [[0.0, 1.0]])
    2.5
    """

    def __call__(self, y_true: Any, y_pred: Any) -> float:
        """Return the mean loss."""
        target, output, _ = _read_alike(y_true, y_pred)
        return _mean(np.square(output - target))

    def gradient(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """Return the gradient of the mean loss to every output, of the type of `y_pred`."""
        target, output, dtype = _read_alike(y_true, y_pred)
        return (2 * (output - target) / max(1, output.size)).astype(dtype)


class CrossEntropy(Loss):
    """Base of the cross-entropies.

    Parameters
    ----------
    from_logits : bool
        Whether the outputs are logits, any real numbers, rather than probabilities. A model that ends
        without an activation trains more exactly than one that ends in a sigmoid or softmax.

    Raises
    ------
    ConvError
        If it is neither True nor False.
    """

    def __init__(self, from_logits: bool = False) -> None:
        self.from_logits = truth("from_logits", from_logits)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {"from_logits": self.from_logits}


class BinaryCrossentropy(CrossEntropy):
    """The mean of ``-t log(p) - (1 - t) log(1 - p)``, every output a yes or no of its own.

    Parameters
    ----------
    from_logits : bool
        Whether the outputs are logits rather than probabilities, which are kept 1e-7 from 0 and 1.

    Raises
    ------
    ConvError
        If it is neither True nor False.

    Examples
    --------
    >>> round(BinaryCrossentropy()([[1.0]], [[0.8]]), 6)  # -log(0.8)
    0.223144
    """

    def __call__(self, y_true: Any, y_pred: Any) -> float:
        """Return the mean loss."""
        target, output, _ = _read_alike(y_true, y_pred)
        if self.from_logits:
            return _mean(np.logaddexp(0, output) - target * output)
        p = np.clip(output, EPSILON, 1 - EPSILON)
        return _mean(-target * np.log(p) - (1 - target) * np.log1p(-p))

    def gradient(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """Return the gradient of the mean loss to every output, of the type of `y_pred`."""
        target, output, dtype = _read_alike(y_true, y_pred)
        count = max(1, output.size)
        if self.from_logits:
            return ((_sigmoid(output) - target) / count).astype(dtype)
        p = np.clip(output, EPSILON, 1 - EPSILON)
        inside = (output > EPSILON) & (output < 1 - EPSILON)
        return (inside * (p - target) / (p * (1 - p)) / count).astype(dtype)


class CategoricalCrossentropy(CrossEntropy):
    """The mean of ``-sum(t log(p))`` over the classes, the targets probabilities, as one-hot.

    Parameters
    ----------
    from_logits : bool
        Whether the outputs are logits rather than probabilities, which are divided by their sum and kept 1e-7
        from 0 and 1.

    Raises
    ------
    ConvError
        If it is neither True nor False.

    Examples
    --------
    >>> round(CategoricalCrossentropy()([[0, 1]], [[0.2, 0.8]]), 6)  # -log(0.8)
    0.223144
    """

    def __call__(self, y_true: Any, y_pred: Any) -> float:
        """Return the mean loss."""
        target, output, _ = self._read(y_true, y_pred)
        return _mean(-(target * self._log_probabilities(output)).sum(-1))

    def gradient(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """Return the gradient of the mean loss to every output, of the type of `y_pred`."""
        target, output, dtype = self._read(y_true, y_pred)
        count = max(1, output.size // output.shape[-1])
        if self.from_logits:
            p = np.exp(self._log_probabilities(output))
            return ((p * target.sum(-1, keepdims=True) - target) / count).astype(dtype)
        total = output.sum(-1, keepdims=True)
        share = output / total
        p = np.clip(share, EPSILON, 1 - EPSILON)
        to_share = -target / p * ((share > EPSILON) & (share < 1 - EPSILON)) / count
        # A share changes with its own output, and with every other through their sum.
        return ((to_share - (to_share * share).sum(-1, keepdims=True)) / total).astype(dtype)

    def _read(self, y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray, Any]:
        target, output, dtype = _read_alike(y_true, y_pred)
        _check_classes(output)
        return target, output, dtype

    def _log_probabilities(self, output: np.ndarray) -> np.ndarray:
        if self.from_logits:
            shifted = output - output.max(-1, keepdims=True)
            values: np.ndarray = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
            return values
        return np.log(np.clip(output / output.sum(-1, keepdims=True), EPSILON, 1 - EPSILON))


class SparseCategoricalCrossentropy(CategoricalCrossentropy):
    """The mean of ``-log(p[t])``, the targets whole numbers: which class it is.

    The targets have the shape of the outputs without the last axis, or with one of length 1.

    Parameters
    ----------
    from_logits : bool
        Whether the outputs are logits rather than probabilities, which are divided by their sum and kept 1e-7
        from 0 and 1.

    Raises
    ------
    ConvError
        If it is neither True nor False.

    Examples
    --------
    >>> round(SparseCategoricalCrossentropy()([1], [[0.2, 0.8]]), 6)  # -log(0.8)
    0.223144
    """

    def _read(self, y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray, Any]:
        output, dtype = _read_outputs(y_pred)
        _check_classes(output)
        labels = read_labels(y_true, output)
        return (labels[..., None] == np.arange(output.shape[-1])).astype(np.float64), output, dtype


def read_labels(y_true: Any, y_pred: np.ndarray) -> np.ndarray:
    """Read targets that are whole numbers, one for each position of the outputs.

    Parameters
    ----------
    y_true : array_like, shape (batch, ...) or (batch, ..., 1)
        Numbers of classes.
    y_pred : ndarray, shape (batch, ..., classes)
        Outputs.

    Returns
    -------
    ndarray, shape (batch, ...)
        Of int64.

    Raises
    ------
    ConvError
        If the shapes do not fit, or a target is no whole number from 0 to the number of classes less 1.

    Examples
    --------
    >>> read_labels([[2.0]], np.zeros((1, 3)))
    array([2])
    """
    target = read_array("y_true", y_true)
    if target.shape == (*y_pred.shape[:-1], 1):
        target = target[..., 0]
    if target.shape != y_pred.shape[:-1]:
        rule = f"one class for each position is wanted, and outputs have shape {y_pred.shape}"
        raise ConvError("y_true", describe(target), rule, f"give shape {y_pred.shape[:-1]}")
    labels = target.astype(np.int64)
    classes = y_pred.shape[-1]
    if not np.array_equal(labels, target) or (labels.size and not 0 <= labels.min() <= labels.max() < classes):
        rule = f"not whole numbers from 0 to {classes - 1}, the classes of outputs of shape {y_pred.shape}"
        raise ConvError("y_true", describe(target), rule, "number the classes from 0 on")
    return labels


def _read_alike(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray, Any]:
    output, dtype = _read_outputs(y_pred)
    target = read_array("y_true", y_true)
    if target.shape != output.shape:
        rule = f"the outputs have shape {output.shape}"
        raise ConvError("y_true", describe(target), rule, "give targets of the same shape")
    return target.astype(np.float64), output, dtype


def _read_outputs(y_pred: Any) -> tuple[np.ndarray, Any]:
    output = read_array("y_pred", y_pred)
    dtype = output.dtype if output.dtype.kind == "f" else np.dtype(np.float64)
    return output.astype(np.float64), dtype


def _check_classes(output: np.ndarray) -> None:
    if output.ndim < 2 or output.shape[-1] < 2:
        rule = "the last axis of the outputs is that of the classes, of which there are at least 2"
        raise ConvError("y_pred", describe(output), rule, "for yes or no use 'binary_crossentropy'")


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else 0.0


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -x))


_CLASSES: tuple[type[Loss], ...] = (
    MeanSquaredError,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)
NAMES: dict[str, type[Loss]] = {
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "binary_crossentropy": BinaryCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
}


def get(identifier: Any, argument: str = "loss") -> Loss:
    """Return the loss that `identifier` stands for.

    Parameters
    ----------
    identifier : str, dict, class, or object
        A name of Keras, what `serialize` returned, or an object with ``__call__(y_true, y_pred)`` and
        ``gradient(y_true, y_pred)``.
    argument : str
        Name of the argument, for messages.

    Raises
    ------
    ConvError
        If it is none of these.

    Examples
    --------
    >>> get("binary_crossentropy").get_config()
    {'from_logits': False}
    """
    named = read_identifier(argument, identifier)
    if named is not None:
        kind = {plain(name): kind for name, kind in NAMES.items()}.get(plain(named.name))
        if kind is None:
            raise unknown_name(argument, named.name, NAMES, "an object with a gradient")
        loss: Loss = made(argument, named.name, kind, named.config)
        return loss
    if identifier in _CLASSES:
        return identifier()
    if callable(identifier) and hasattr(identifier, "gradient") and not inspect.isclass(identifier):
        own: Loss = identifier
        return own
    raise unknown_name(argument, identifier, NAMES, "an object with a gradient")


def serialize(loss: Loss) -> Any:
    """Return what `get` turns into `loss` again: its configuration as Keras writes it, or itself.

    Examples
    --------
    >>> serialize(MeanSquaredError())
    {'module': 'keras.losses', 'class_name': 'MeanSquaredError', 'config': {}, 'registered_name': None}
    """
    return configuration(_MODULE, loss) if type(loss) in _CLASSES else loss
