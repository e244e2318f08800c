"""Initializers whose variance comes from the number of inputs and outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from refconv.arguments import choice, finite_number, is_sequence, whole_number
from refconv.errors import ConvError
from refconv.identifiers import checked_version
from refconv.initializers.random import RandomInitializer

# Standard deviation of a normal variable of deviation 1 that is redrawn beyond 2.
_TRUNCATED_DEVIATION = 0.87962566103423978

MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")


class VarianceScaling(RandomInitializer):
    """Random weights of mean 0 and variance ``scale / n``, where n counts inputs, outputs, or is their mean.

    Parameters
    ----------
    scale : float
        Factor, above 0.
    mode : str
        ``"fan_in"``, ``"fan_out"`` or ``"fan_avg"``; see `fans`.
    distribution : str
        ``"truncated_normal"`` (or ``"normal"``): normal, redrawn beyond two deviations, and widened so
        that the variance holds; ``"untruncated_normal"``; ``"uniform"``: up to ``sqrt(3 * scale / n)``.
    seed : int, optional
        See `RandomInitializer`.
    input_axes, output_axes : sequence of int, optional
        Axes of the weights whose sizes are multiplied to count inputs and outputs, where both are given.
    version : int
        Which Keras counts the inputs and outputs; see `fans`.

    Raises
    ------
    ConvError
        If an argument is wrong.

    Notes
    -----
    Keras 2.0 truncated without widening; Keras 2.3 and TensorFlow 2.4 widen as Keras 3 does.

    Examples
    --------
    >>> kernel = VarianceScaling(2.0, "fan_out", "uniform", seed=1)((5, 2, 4))
    >>> bool(np.all(np.abs(kernel) <= np.sqrt(3 * 2 / (5 * 4))))
    True
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
        version: int = 3,
    ) -> None:
        super().__init__(seed)
        self.scale = finite_number("scale", scale)
        if self.scale <= 0:
            raise ConvError("scale", scale, "must be above 0", "use a positive float")
        self.mode = choice("mode", mode, MODES)
        normal = isinstance(distribution, str) and distribution.lower() == "normal"
        self.distribution = "truncated_normal" if normal else choice("distribution", distribution, DISTRIBUTIONS)
        self.input_axes = _read_axes("input_axes", input_axes)
        self.output_axes = _read_axes("output_axes", output_axes)
        self.version = checked_version(version)

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> np.ndarray:
        """Return values of this shape and type."""
        fan_in, fan_out = self._fans(shape)
        count = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        deviation = math.sqrt(self.scale / max(1, count))
        if self.distribution == "truncated_normal":
            values = self._truncated_normal(shape, 0.0, deviation / _TRUNCATED_DEVIATION)
        elif self.distribution == "untruncated_normal":
            values = self._normal(shape, 0.0, deviation)
        else:
            limit = math.sqrt(3) * deviation
            values = self._uniform(shape, -limit, limit)
        return values.astype(dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {
            **super().get_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            **self._counting(),
        }

    def _counting(self) -> dict[str, Any]:
        axes = {"input_axes": self.input_axes, "output_axes": self.output_axes}
        return axes if self.version == 3 else {**axes, "version": self.version}

    def _fans(self, shape: Sequence[int]) -> tuple[float, float]:
        if self.input_axes is None or self.output_axes is None:
            return fans(shape, self.version)
        for argument, axes in (("input_axes", self.input_axes), ("output_axes", self.output_axes)):
            if any(not -len(shape) <= axis < len(shape) for axis in axes):
                rule = f"not axes of weights of shape {tuple(shape)}"
                raise ConvError(argument, axes, rule, f"use numbers from 0 to {len(shape) - 1}")
        return math.prod(shape[axis] for axis in self.input_axes), math.prod(shape[axis] for axis in self.output_axes)


class _NamedScaling(VarianceScaling):
    """A `VarianceScaling` with a name, whose scale, mode and distribution are fixed."""

    recipe: ClassVar[tuple[float, str, str]]

    def __init__(
        self,
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
        version: int = 3,
    ) -> None:
        scale, mode, distribution = self.recipe
        if version == 1 and distribution != "uniform":
            distribution = "untruncated_normal"
        super().__init__(scale, mode, distribution, seed, input_axes, output_axes, version)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {"seed": self.seed, **self._counting()}


class GlorotUniform(_NamedScaling):
    """Uniform between -limit and limit, where ``limit = sqrt(6 / (fan_in + fan_out))``.

    The parameters are those of `VarianceScaling` from `seed` on.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks" (2010), equation 16.

    Examples
    --------
    >>> weights = GlorotUniform(seed=1)((3, 3, 2, 4))
    >>> bool(np.all(np.abs(weights) <= np.sqrt(6 / (9 * 2 + 9 * 4))))
    True
    """

    recipe = (1.0, "fan_avg", "uniform")


class GlorotNormal(_NamedScaling):
    """Normal of variance ``2 / (fan_in + fan_out)``, redrawn beyond two deviations; in Keras 1 not redrawn.

    The parameters are those of `VarianceScaling` from `seed` on.

    Source: Glorot and Bengio (2010), equation 12.
    """

    recipe = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_NamedScaling):
    """Uniform between -limit and limit, where ``limit = sqrt(6 / fan_in)``.

    The parameters are those of `VarianceScaling` from `seed` on.

    Source: He et al., "Delving deep into rectifiers" (2015).
    """

    recipe = (2.0, "fan_in", "uniform")


class HeNormal(_NamedScaling):
    """Normal of variance ``2 / fan_in``, redrawn beyond two deviations; in Keras 1 not redrawn.

    The parameters are those of `VarianceScaling` from `seed` on.

    Source: He et al., "Delving deep into rectifiers" (2015), equation 10.
    """

    recipe = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_NamedScaling):
    """Uniform between -limit and limit, where ``limit = sqrt(3 / fan_in)``.

    The parameters are those of `VarianceScaling` from `seed` on.

    Source: LeCun et al., "Efficient backprop" (1998), section 4.6.
    """

    recipe = (1.0, "fan_in", "uniform")


class LecunNormal(_NamedScaling):
    """Normal of variance ``1 / fan_in``, redrawn beyond two deviations.

    The parameters are those of `VarianceScaling` from `seed` on.

    Source: LeCun et al., "Efficient backprop" (1998), section 4.6.
    """

    recipe = (1.0, "fan_in", "truncated_normal")


def fans(shape: Sequence[int], version: int = 3) -> tuple[float, float]:
    """Count the inputs and the outputs of one output and one input, from the shape of the weights.

    They are the kernel elements times the last but one and times the last axis, for every layer: the
    inputs of a depthwise kernel (k..., C, dm) are taken to be k*C, and those of a transposed one
    (k..., M, C) are k*M.

    Parameters
    ----------
    shape : sequence of int
        Shape of the weights, in Keras 3's layout.
    version : int
        Weights with one axis count as their size in Keras 3, and as its square root in Keras 1 and 2.
        Keras 1 reads the kernel of its Convolution1D, (length, C, M) here and (length, 1, C, M) there, in
        the wrong order: its inputs are C*M, its outputs length*C*M.

    Notes
    -----
    Two more kernels of Keras 1.2.2 count otherwise than here: a transposed one has the inputs k*C, and
    one with three spatial axes in the order "tf" forgets the third. `input_axes` and `output_axes` can
    say both: ``(0, 1, 3), (0, 1, 2)`` and ``(0, 1, 3), (0, 1, 4)``.

    Source: ``compute_fans`` in ``keras/src/initializers/random_initializers.py``, Keras 3.15.1;
    ``_compute_fans`` of Keras 2.3.1 and ``get_fans`` of Keras 1.2.2.

    Examples
    --------
    >>> fans((3, 3, 2, 4)), fans((9,)), fans((9,), version=1)
    ((18, 36), (9, 9), (3.0, 3.0))
    """
    if len(shape) < 2:
        size = math.prod(shape)
        return (size, size) if version == 3 else (math.sqrt(size), math.sqrt(size))
    if version == 1 and len(shape) == 3:
        return shape[1] * shape[2], math.prod(shape)
    elements = math.prod(shape[:-2])
    return elements * shape[-2], elements * shape[-1]


def _read_axes(argument: str, axes: Any) -> list[int] | None:
    if axes is None:
        return None
    return [whole_number(argument, axis) for axis in (axes if is_sequence(axes) else [axes])]
