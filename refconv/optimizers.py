"""Optimizers: how weights move along the gradient of a loss.

Source: ``keras/src/optimizers/sgd.py`` and ``adam.py`` of Keras 3.15.1, for the formulas and their
defaults; steps are computed in double precision and rounded once, to the type of the weights.

Examples
--------
>>> optimizer = SGD(learning_rate=0.1)
>>> optimizer.step([np.array([1.0, 2.0])], [np.array([10.0, -10.0])])
[array([0., 3.])]
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from refconv.arguments import finite_number
from refconv.errors import ConvError
from refconv.functional.arrays import Description
from refconv.identifiers import configuration, made, plain, read_identifier, unknown_name
from refconv.layers.reading import truth

_MODULE = "keras.optimizers"


class Optimizer:
    """Base of the optimizers.

    Parameters
    ----------
    learning_rate : float
        Length of a step; may be assigned between steps.
    l2 : float
        L2 strength of all layers: ``l2 * factor * w`` is added to the gradient of the weights `w`, where the factor
        is the layer's own (see `refconv.layers.base.Layer.l2_factors`). What it adds is not in the
        loss that is reported.

    Attributes
    ----------
    iterations : int
        Number of steps done.

    Raises
    ------
    ConvError
        If an argument is negative or no finite number.
    """

    def __init__(self, learning_rate: float, l2: float = 0.0) -> None:
        self.learning_rate = learning_rate
        self.l2 = finite_number("l2", l2, 0)
        self.iterations = 0
        self._memory: list[list[np.ndarray]] | None = None

    @property
    def learning_rate(self) -> float:
        """Length of a step."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self._learning_rate = finite_number("learning_rate", value, 0)

    def step(
        self,
        weights: Sequence[np.ndarray],
        gradients: Sequence[np.ndarray],
        learn_rate_factors: Sequence[float] | None = None,
        l2_factors: Sequence[float] | None = None,
    ) -> list[np.ndarray]:
        """Return what the weights are after one step; the arrays given stay as they are.

        Parameters
        ----------
        weights : sequence of ndarray
            The same weights in the same order in every call.
        gradients : sequence of ndarray
            The gradient of the loss to each of them.
        learn_rate_factors : sequence of float, optional
            For each of them, what the learning rate is multiplied by; by default 1.
        l2_factors : sequence of float, optional
            For each of them, what `l2` is multiplied by; by default 0.

        Raises
        ------
        ConvError
            If the numbers or shapes of the arrays do not fit each other, or those of the steps before.
        """
        rates = [1.0] * len(weights) if learn_rate_factors is None else list(learn_rate_factors)
        strengths = [0.0] * len(weights) if l2_factors is None else list(l2_factors)
        given = [("gradients", gradients), ("learn_rate_factors", rates), ("l2_factors", strengths)]
        for argument, values in given:
            if len(values) != len(weights):
                rule = f"there are {len(weights)} weights"
                raise ConvError(argument, Description(f"{len(values)} of them"), rule, "give one for each")
        for i, (w, g) in enumerate(zip(weights, gradients, strict=True)):
            if w.shape != g.shape:
                raise ConvError(f"gradients[{i}]", g.shape, f"the weights have shape {w.shape}", "give this shape")
        memory = self._remembered([w.shape for w in weights])
        self.iterations += 1
        moved = []
        for w, g, rate, strength, kept in zip(weights, gradients, rates, strengths, memory, strict=True):
            wide = w.astype(np.float64)
            slope = g.astype(np.float64) + self.l2 * strength * wide
            moved.append((wide + self._change(slope, self.learning_rate * rate, kept)).astype(w.dtype))
        return moved

    @property
    def memories(self) -> int:
        """How many arrays of the shape of the weights are kept for each of them."""
        raise NotImplementedError

    @property
    def memory(self) -> list[list[np.ndarray]]:
        """What is kept from step to step: for each of the weights, `memories` arrays of its shape.

        Empty before the first step. It may be assigned, to go on where another optimizer stood.
        """
        return [] if self._memory is None else self._memory

    @memory.setter
    def memory(self, values: Sequence[Sequence[Any]]) -> None:
        read = [[np.array(array, np.float64) for array in kept] for kept in values]
        if any(len(kept) != self.memories for kept in read):
            rule = f"{type(self).__name__} keeps {self.memories} arrays for each of the weights"
            raise ConvError("memory", Description(f"{[len(kept) for kept in read]} arrays"), rule, "give as many")
        if any(array.shape != kept[0].shape for kept in read for array in kept):
            raise ConvError("memory", Description("arrays"), "they differ in shape", "give them the weights' shape")
        self._memory = read or None

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make an optimizer from what `get_config` returned; it has made no steps."""
        return cls(**config)

    def _remembered(self, shapes: list[tuple[int, ...]]) -> list[list[np.ndarray]]:
        if self._memory is None:
            self._memory = [[np.zeros(shape) for _ in range(self.memories)] for shape in shapes]
        before = [kept[0].shape for kept in self._memory if kept]
        if len(self._memory) != len(shapes) or (self.memories and before != shapes):
            rule = f"the steps before were for weights of shapes {before}"
            raise ConvError("weights", shapes, rule, "use a new optimizer: compile the model again")
        return self._memory

    def _change(self, gradient: np.ndarray, rate: float, memory: list[np.ndarray]) -> np.ndarray:
        """Return what is added to the weights, and bring `memory` up to date in place."""
        raise NotImplementedError


class SGD(Optimizer):
    """Gradient descent, with momentum or without.

    Without momentum ``w -= learning_rate * g``. With momentum, ``v = momentum * v - learning_rate * g`` and ``w +=
    v``; with Nesterov's, ``w += momentum * v - learning_rate * g``.

    Parameters
    ----------
    learning_rate : float
        Length of a step.
    momentum : float
        How much of the last step is done again, from 0 to 1.
    nesterov : bool
        Whether to look ahead, as Nesterov does.
    l2 : float
        See `Optimizer`.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Examples
    --------
    >>> optimizer = SGD(0.1, momentum=0.5)
    >>> (w,) = optimizer.step([np.array([1.0])], [np.array([1.0])])
    >>> optimizer.step([w], [np.array([1.0])])
    [array([0.75])]
    """

    def __init__(
        self, learning_rate: float = 0.01, momentum: float = 0.0, nesterov: bool = False, l2: float = 0.0
    ) -> None:
        super().__init__(learning_rate, l2)
        self.momentum = _fraction("momentum", momentum, closed=True)
        self.nesterov = truth("nesterov", nesterov)

    @property
    def memories(self) -> int:
        """How many arrays of the shape of the weights are kept for each of them."""
        return 1 if self.momentum else 0

    def _change(self, gradient: np.ndarray, rate: float, memory: list[np.ndarray]) -> np.ndarray:
        if not self.momentum:
            return -rate * gradient
        (velocity,) = memory
        velocity[...] = self.momentum * velocity - rate * gradient
        return self.momentum * velocity - rate * gradient if self.nesterov else velocity


class Adam(Optimizer):
    """Steps by the mean gradient over the root of its mean square, both fading.

    ``m = beta_1 * m + (1 - beta_1) * g``, ``v = beta_2 * v + (1 - beta_2) * g**2`` and, at step t, ``w -=
    learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (sqrt(v) + epsilon)``.

    Parameters
    ----------
    learning_rate : float
        Length of a step.
    beta_1, beta_2 : float
        How slowly the two means fade, at least 0 and below 1.
    epsilon : float
        Keeps a step from being infinite.
    l2 : float
        See `Optimizer`.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: Kingma and Ba, "Adam: a method for stochastic optimization" (2015), end of section 2. As in Keras,
    `epsilon` stands beside the uncorrected root; PyTorch adds it to the corrected one.

    Examples
    --------
    >>> Adam(0.5, epsilon=0).step([np.array([1.0, 1.0])], [np.array([1e-3, -1e3])])
    [array([0.5, 1.5])]
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        l2: float = 0.0,
    ) -> None:
        super().__init__(learning_rate, l2)
        self.beta_1 = _fraction("beta_1", beta_1)
        self.beta_2 = _fraction("beta_2", beta_2)
        self.epsilon = finite_number("epsilon", epsilon, 0)

    @property
    def memories(self) -> int:
        """How many arrays of the shape of the weights are kept for each of them."""
        return 2

    def _change(self, gradient: np.ndarray, rate: float, memory: list[np.ndarray]) -> np.ndarray:
        mean, square = memory
        mean += (1 - self.beta_1) * (gradient - mean)
        square += (1 - self.beta_2) * (np.square(gradient) - square)
        corrected = rate * math.sqrt(1 - self.beta_2**self.iterations) / (1 - self.beta_1**self.iterations)
        root = np.sqrt(square) + self.epsilon
        # With no epsilon, a weight whose gradient has always been 0 stays where it is.
        return -corrected * np.divide(mean, root, out=np.zeros_like(mean), where=root != 0)


def _fraction(argument: str, value: Any, closed: bool = False) -> float:
    number = finite_number(argument, value, 0)
    if number > 1 or (number == 1 and not closed):
        raise ConvError(argument, value, "must be at most 1" if closed else "must be below 1", "use 0.9")
    return number


_CLASSES: tuple[type[Optimizer], ...] = (SGD, Adam)
NAMES: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam}


def get(identifier: Any, argument: str = "optimizer") -> Optimizer:
    """Return the optimizer that `identifier` stands for.

    Parameters
    ----------
    identifier : str, dict, class or Optimizer
        A name, what `serialize` returned, or an optimizer.
    argument : str
        Name of the argument, for messages.

    Raises
    ------
    ConvError
        If it is none of these.

    Examples
    --------
    >>> get("adam").learning_rate
    0.001
    """
    named = read_identifier(argument, identifier)
    if named is not None:
        kind = {plain(name): kind for name, kind in NAMES.items()}.get(plain(named.name))
        if kind is None:
            raise unknown_name(argument, named.name, NAMES, "an optimizer")
        optimizer: Optimizer = made(argument, named.name, kind, named.config)
        return optimizer
    if inspect.isclass(identifier) and issubclass(identifier, Optimizer) and identifier is not Optimizer:
        return identifier()  # type: ignore[call-arg]
    if isinstance(identifier, Optimizer):
        return identifier
    raise unknown_name(argument, identifier, NAMES, "an optimizer")


def serialize(optimizer: Optimizer) -> Any:
    """Return what `get` turns into `optimizer` again: its configuration as Keras writes it, or itself.

    Examples
    --------
    >>> serialize(SGD(0.1))["config"]
    {'learning_rate': 0.1, 'momentum': 0.0, 'nesterov': False, 'l2': 0.0}
    """
    return configuration(_MODULE, optimizer) if type(optimizer) in _CLASSES else optimizer
