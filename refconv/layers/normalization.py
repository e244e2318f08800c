"""Normalization of activations: over the batch, or over the channels of each position."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from refconv.arguments import finite_number, whole_number
from refconv.errors import ConvError
from refconv.layers.any_rank import AnyRankLayer, axis_of
from refconv.layers.base import Weight
from refconv.layers.reading import read_initializer, truth


class Normalization(AnyRankLayer):
    """Base of the normalizing layers: a mean taken off, divided by a deviation, scaled and moved.

    Parameters
    ----------
    axis : int
        The channels.
    epsilon : float
        Added to a variance before its root is taken.
    center, scale : bool
        Whether there are weights `beta`, added to each channel, and `gamma`, which it is multiplied by.
    beta_initializer, gamma_initializer : str, dict or callable
        See `refconv.initializers.get`.
    **kwargs
        Regularizers and constraints of `beta` and `gamma`, and what every layer takes.

    Raises
    ------
    ConvError
        If an argument is wrong.
    """

    gamma = Weight()
    beta = Weight()
    fewest_axes = 2

    def __init__(
        self,
        *,
        axis: int,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = whole_number("axis", axis)
        self.epsilon = finite_number("epsilon", epsilon, 0)
        self.center = truth("center", center)
        self.scale = truth("scale", scale)
        self.beta_initializer = read_initializer("beta_initializer", beta_initializer, "zeros", self.keras_version)
        self.gamma_initializer = read_initializer("gamma_initializer", gamma_initializer, "ones", self.keras_version)

    def _channels_of(self, shape: tuple[int | None, ...]) -> int | None:
        return shape[axis_of("axis", self.axis, len(shape))]

    def _weight_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        present = {"gamma": self.scale, "beta": self.center}
        return {name: (channels,) for name in self.weight_initializers if present.get(name, True)}

    def _spread(self, values: np.ndarray, axes: int) -> np.ndarray:
        """Return values of the channels as an array that meets inputs with so many axes."""
        shape = [1] * axes
        shape[self.axis] = len(values)
        return values.astype(np.float64).reshape(shape)

    def _moved(self, normal: np.ndarray) -> np.ndarray:
        normal = normal * self._scales(normal.ndim)
        if self.beta is not None:
            normal = normal + self._spread(self.beta, normal.ndim)
        return normal.astype(self.dtype)

    def _weight_gradients(self, normal: np.ndarray, dy: np.ndarray) -> dict[str, np.ndarray]:
        others = _all_but(self.axis, dy.ndim)
        return {"gamma": (dy * normal).sum(others), "beta": dy.sum(others)}

    def _scales(self, axes: int) -> np.ndarray | float:
        return 1.0 if self.gamma is None else self._spread(self.gamma, axes)


class BatchNormalization(Normalization):
    """Every channel normalized by its mean and variance: those of the batch in training, else the moving ones.

    `forward` is training: it normalizes by the batch and moves `moving_mean` and `moving_variance` towards
    its mean and variance. A call takes the moving ones as they are, and so does `forward` of a layer that is
    not trainable.

    Parameters
    ----------
    axis : int
        The channels.
    momentum : float
        How much of the moving mean and variance stays at each step of training, from 0 to 1.
    epsilon : float
        Added to the variance before its root is taken.
    center, scale : bool
        Whether there are weights `beta`, added to each channel, and `gamma`, which it is multiplied by.
    beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer : str, dict or callable
        See `refconv.initializers.get`.
    beta_regularizer, gamma_regularizer : str, dict, callable or None
        See `refconv.regularizers.get`.
    beta_constraint, gamma_constraint : str, dict, callable or None
        See `refconv.constraints.get`.
    **kwargs
        ``trainable``, ``dtype``, ``name`` and ``activity_regularizer``; see `refconv.layers.base.Layer`.

    Attributes
    ----------
    gamma, beta, moving_mean, moving_variance : ndarray, shape (channels,)
        Once the layer is built; may be assigned. The first two may be None.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: Ioffe and Szegedy, arXiv:1502.03167; ``keras/src/layers/normalization/batch_normalization.py``,
    Keras 3.15.1.

    Examples
    --------
    >>> layer = BatchNormalization(epsilon=0)
    >>> layer.forward([[1.0], [3.0]])
    array([[-1.],
           [ 1.]], dtype=float32)
    >>> layer.moving_mean
    array([0.02], dtype=float32)
    """

    weight_initializers: ClassVar = {
        "gamma": "gamma_initializer",
        "beta": "beta_initializer",
        "moving_mean": "moving_mean_initializer",
        "moving_variance": "moving_variance_initializer",
    }
    moving_mean = Weight()
    moving_variance = Weight()

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis=axis,
            epsilon=epsilon,
            center=center,
            scale=scale,
            beta_initializer=beta_initializer,
            gamma_initializer=gamma_initializer,
            beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint,
            **kwargs,
        )
        self.momentum = finite_number("momentum", momentum, 0)
        if self.momentum > 1:
            raise ConvError("momentum", momentum, "must be at most 1", "use 0.99")
        self.moving_mean_initializer = read_initializer(
            "moving_mean_initializer", moving_mean_initializer, "zeros", self.keras_version
        )
        self.moving_variance_initializer = read_initializer(
            "moving_variance_initializer", moving_variance_initializer, "ones", self.keras_version
        )

    @property
    def non_trainable_weights(self) -> list[np.ndarray]:
        """The moving mean and variance, and all the weights of a layer that is not trainable."""
        trained = self._trainable_arrays()
        return [array for name, array in self._arrays.items() if array is not None and name not in trained]

    def call(self, inputs: np.ndarray) -> np.ndarray:
        """Compute the output of a built layer, by the moving mean and variance."""
        normal, _ = self._normal(inputs, self.moving_mean, self.moving_variance)
        return self._moved(normal)

    def _trainable_arrays(self) -> dict[str, np.ndarray]:
        return {name: array for name, array in super()._trainable_arrays().items() if not name.startswith("moving")}

    def _forward(self, x: np.ndarray) -> tuple[np.ndarray, Any]:
        # The mean over nothing is not known.
        by_batch = self.trainable and x.size > 0
        mean, variance = self.moving_mean, self.moving_variance
        if by_batch:
            others = _all_but(self.axis, x.ndim)
            mean, variance = x.mean(others, np.float64), x.var(others, np.float64)
            for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving[...] = self.momentum * moving + (1 - self.momentum) * new
        normal, deviation = self._normal(x, mean, variance)
        return self._moved(normal), (normal, deviation, by_batch)

    def _backward(self, state: Any, dy: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        normal, deviation, by_batch = state
        wide = dy.astype(np.float64)
        gradients = self._weight_gradients(normal, wide)
        if by_batch:
            # What shifts or stretches all of a channel changes nothing: its mean and variance follow.
            count = dy.size // dy.shape[self.axis]
            shift, stretch = (self._spread(gradients[name] / count, dy.ndim) for name in ("beta", "gamma"))
            wide = wide - shift - normal * stretch
        return (wide * (self._scales(dy.ndim) / deviation)).astype(self.dtype), gradients

    def _normal(self, x: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        deviation = np.sqrt(self._spread(variance, x.ndim) + self.epsilon)
        return (x - self._spread(mean, x.ndim)) / deviation, deviation


class LayerNormalization(Normalization):
    """Every position normalized by the mean and variance of its channels.

    Parameters
    ----------
    axis : int
        The channels.
    epsilon : float
        Added to the variance before its root is taken.
    center, scale : bool
        Whether there are weights `beta`, added to each channel, and `gamma`, which it is multiplied by.
    beta_initializer, gamma_initializer : str, dict or callable
        See `refconv.initializers.get`.
    beta_regularizer, gamma_regularizer : str, dict, callable or None
        See `refconv.regularizers.get`.
    beta_constraint, gamma_constraint : str, dict, callable or None
        See `refconv.constraints.get`.
    **kwargs
        ``trainable``, ``dtype``, ``name`` and ``activity_regularizer``; see `refconv.layers.base.Layer`.

    Attributes
    ----------
    gamma, beta : ndarray, shape (channels,), or None
        Once the layer is built; may be assigned.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Source: Ba, Kiros and Hinton, arXiv:1607.06450; ``keras/src/layers/normalization/layer_normalization.py``, Keras
    3.15.1, which also takes several axes.

    Examples
    --------
    >>> LayerNormalization(epsilon=0)([[1.0, 3.0], [20.0, 10.0]])
    array([[-1.,  1.],
           [ 1., -1.]], dtype=float32)
    """

    weight_initializers: ClassVar = {"gamma": "gamma_initializer", "beta": "beta_initializer"}

    def __init__(
        self,
        axis: int = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis=axis,
            epsilon=epsilon,
            center=center,
            scale=scale,
            beta_initializer=beta_initializer,
            gamma_initializer=gamma_initializer,
            beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint,
            **kwargs,
        )

    def call(self, inputs: np.ndarray) -> np.ndarray:
        """Compute the output of a built layer."""
        return self._forward(inputs)[0]

    def _forward(self, x: np.ndarray) -> tuple[np.ndarray, Any]:
        mean = x.mean(self.axis, np.float64, keepdims=True)
        deviation = np.sqrt(x.var(self.axis, np.float64, keepdims=True) + self.epsilon)
        normal = (x - mean) / deviation
        return self._moved(normal), (normal, deviation)

    def _backward(self, state: Any, dy: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        normal, deviation = state
        wide = dy.astype(np.float64)
        gradients = self._weight_gradients(normal, wide)
        slope = wide * self._scales(dy.ndim)
        # What shifts or stretches all channels of a position changes nothing: their mean and variance follow.
        shift = slope.mean(self.axis, keepdims=True)
        stretch = (slope * normal).mean(self.axis, keepdims=True)
        return ((slope - shift - normal * stretch) / deviation).astype(self.dtype), gradients


def _all_but(axis: int, axes: int) -> tuple[int, ...]:
    return tuple(i for i in range(axes) if i != axis % axes)
