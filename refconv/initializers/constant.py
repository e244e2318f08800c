"""Initializers that draw nothing, and the base of all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from refconv.arguments import choice, finite_number, is_sequence
from refconv.errors import ConvError


class Initializer:
    """Base of the initializers; one of one's own needs `__call__`."""

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> np.ndarray:
        """Return values of this shape and type."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make an initializer from what `get_config` returned."""
        return cls(**config)


class Zeros(Initializer):
    """All weights zero."""

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> np.ndarray:
        """Return zeros of this shape and type."""
        return np.zeros(tuple(shape), dtype)


class Ones(Initializer):
    """All weights one."""

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> np.ndarray:
        """Return ones of this shape and type."""
        return np.ones(tuple(shape), dtype)


class Constant(Initializer):
    """All weights one value, or an array of values.

    Parameters
    ----------
    value : float or array
        A number, or what can be spread over the shape of the weights by NumPy's rules.

    Raises
    ------
    ConvError
        If it is no number or array of numbers; on being called, if it does not fit the shape.

    Examples
    --------
    >>> Constant(0.5)((2,))
    array([0.5, 0.5], dtype=float32)
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value = np.asarray(value).tolist()
        if np.asarray(value).dtype.kind not in "iuf":
            raise ConvError("value", value, "not a number or an array of numbers", "use a float")

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> np.ndarray:
        """Return the value, spread over this shape."""
        try:
            return np.broadcast_to(np.asarray(self.value, dtype), tuple(shape)).copy()
        except ValueError:
            given = f"an array of shape {np.shape(self.value)}"
            raise ConvError("value", given, f"does not fit the shape {tuple(shape)}", "use a number") from None

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {"value": self.value}


class Given(Initializer):
    """The array that was given as an argument, for weights of its shape."""

    def __init__(self, argument: str, values: np.ndarray) -> None:
        self.argument = argument
        self.values = values.copy()

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> np.ndarray:
        """Return a copy of the array, of this type."""
        if self.values.shape != tuple(shape):
            rule = f"the weights have shape {tuple(shape)}"
            raise ConvError(self.argument, f"array of shape {self.values.shape}", rule, "give an array of this shape")
        return self.values.astype(dtype)


class Identity(Initializer):
    """The identity matrix times a gain; for matrices only, as no kernel of a convolution is.

    Parameters
    ----------
    gain : float
        Factor.

    Raises
    ------
    ConvError
        If the gain is no number; on being called, if the weights are no matrix.

    Examples
    --------
    >>> Identity(2)((2, 3))
    array([[2., 0., 0.],
           [0., 2., 0.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = finite_number("gain", gain)

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> np.ndarray:
        """Return the matrix of this shape and type."""
        if len(shape) != 2:
            raise ConvError("shape", tuple(shape), "an identity is a matrix", "use another initializer, or a function")
        return (self.gain * np.eye(shape[0], shape[1])).astype(dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {"gain": self.gain}


WINDOWS = ("hann", "hamming", "boxcar")


class STFT(Initializer):
    """Cosines or sines of a windowed Fourier transform: the kernel (T, 1, F // 2 + 1) of a 1-D convolution.

    Parameters
    ----------
    side : str
        ``"real"`` for cosines, ``"imag"`` for sines.
    window : str, sequence of float, or None
        ``"hann"``, ``"hamming"``, ``"boxcar"``, T numbers, or none; Keras takes all of SciPy's windows.
    scaling : str or None
        The window is divided by the root of its sum of squares for ``"density"``, by its sum for
        ``"spectrum"``.
    periodic : bool
        Whether the window would go on with its first value; it ends with it otherwise.

    Raises
    ------
    ConvError
        If an argument is wrong; on being called, if the weights have another shape.

    Examples
    --------
    >>> kernel = STFT("real", window=None)((4, 1, 3), "float64")
    >>> kernel[:, 0, 1].round(6) + 0.0
    array([ 1.,  0., -1.,  0.])
    """

    def __init__(
        self, side: str = "real", window: Any = "hann", scaling: str | None = "density", periodic: bool = False
    ) -> None:
        self.side = choice("side", side, ("real", "imag"))
        self.window = window if window is None or is_sequence(window) else choice("window", window, WINDOWS)
        self.scaling = None if scaling is None else choice("scaling", scaling, ("density", "spectrum"))
        self.periodic = periodic

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> np.ndarray:
        """Return the kernel of this shape and type."""
        if len(shape) != 3 or shape[1] != 1 or shape[2] < 2:
            rule = "not the shape (steps, 1, frequencies) of a transform with 2 frequencies or more"
            raise ConvError("shape", tuple(shape), rule, "use one channel, 2 filters or more")
        steps, _, frequencies = shape
        angles = -math.pi * np.outer(np.arange(steps), np.arange(frequencies)) / (frequencies - 1)
        waves = np.cos(angles) if self.side == "real" else np.sin(angles)
        window = self._window(steps)
        scales = {None: 1.0, "density": np.sqrt(np.sum(window**2)), "spectrum": np.sum(np.abs(window))}
        scale = 1.0 if self.window is None else scales[self.scaling]
        return (waves * window[:, None] / scale)[:, None, :].astype(dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {"side": self.side, "window": self.window, "periodic": self.periodic, "scaling": self.scaling}

    def _window(self, steps: int) -> np.ndarray:
        if is_sequence(self.window):
            window = np.asarray(self.window, np.float64)
            if window.shape != (steps,):
                raise ConvError("window", self.window, f"has shape {window.shape}", f"give {steps} numbers")
            return window
        mean = {"hann": 0.5, "hamming": 0.54}.get(self.window, 1.0)
        period = max(steps if self.periodic else steps - 1, 1)
        wave = np.cos(2 * math.pi * np.arange(steps) / period)
        return mean - (1 - mean) * wave if steps > 1 else np.ones(1)
