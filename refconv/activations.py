"""Activation functions: what a layer does to every output at the end, and their gradients.

An activation is a function of an array that also has a gradient: ``relu(x)`` and
``relu.gradient(x, dy)``. Both compute in double precision and round once, to the type of `x`.

Source: ``keras/src/activations/activations.py`` of Keras 3.15.1, where its docstrings give the formulas
and its JAX backend the numbers; the names of Keras 1.2.2, 2.3.1 and TensorFlow 2.4 are read too.

Examples
--------
>>> x = np.array([-1.0, 0.5, 2.0])
>>> tanh_shrink = get("tanh_shrink")
>>> tanh_shrink(x).round(4), tanh_shrink.gradient(x, np.ones(3)).round(4)
(array([-0.2384,  0.0379,  1.036 ]), array([0.58  , 0.2136, 0.9293]))
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from refconv.errors import ConvError
from refconv.identifiers import checked_version, made, plain, read_identifier, unknown_name

# What a layer takes: an Activation, or any function of an array.
Function = Callable[[np.ndarray], np.ndarray]

_MODULE = "keras.activations"


class Activation:
    """A function of an array, with its gradient and the parameters it is used with.

    Parameters
    ----------
    function : callable
        ``function(x, **parameters)`` returns the outputs.
    parameters : dict, optional
        Values that differ from the function's defaults.

    Attributes
    ----------
    name : str
        Name of the function.
    parameters : dict
        Values that differ from the function's defaults.

    Examples
    --------
    >>> leaky_relu.using(negative_slope=0.5)(np.array([-1.0, 1.0]))
    array([-0.5,  1. ])
    """

    def __init__(self, function: Callable[..., Any], parameters: dict[str, Any] | None = None) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name: str = function.__name__
        self.parameters = dict(parameters or {})
        # Whether every output is the input or a whole number, and every slope 0 or 1: exact in any precision.
        self.selects = False
        self._slope: Callable[..., Any] | None = None
        self._pull_back: Callable[..., Any] | None = None

    def __call__(self, x: Any, *args: Any, **parameters: Any) -> np.ndarray:
        """Return the outputs, of the type of `x` where it is floating.

        Parameters
        ----------
        x : ndarray, any shape
            Values.
        *args, **parameters
            Parameters of the function, for this call.
        """
        if self.selects and not (args or parameters):
            return np.asarray(self.function(np.asarray(x)))
        return _rounded_once(lambda wide: self.function(wide, *args, **{**self.parameters, **parameters}), x)

    def gradient(self, x: Any, dy: Any, **parameters: Any) -> np.ndarray:
        """Return the gradient of a loss to `x`, given that to the outputs: ``dy @ (d outputs / d x)``.

        Parameters
        ----------
        x : ndarray, any shape
            Values that the activation was given.
        dy : ndarray, shape of the outputs
            Gradient of the loss to the outputs.
        **parameters
            Parameters of the function, for this call.

        Returns
        -------
        ndarray, shape of `x`

        Raises
        ------
        ConvError
            If the activation was made of a function alone, without `slope` or `pull_back`.

        Notes
        -----
        At a kink the slope is that of one side: 0 for `relu` at 0.

        Examples
        --------
        >>> relu.gradient(np.array([-1.0, 2.0]), np.array([10.0, 20.0]))
        array([ 0., 20.])
        """
        slope, pull_back = self._slope, self._pull_back
        if self.selects and slope is not None and not parameters and np.asarray(x).dtype.kind == "f":
            x = np.asarray(x)
            with np.errstate(all="ignore"):
                return np.asarray(dy, x.dtype) * slope(x).astype(np.bool_)
        upstream = np.asarray(dy, np.float64)
        values = {**self.parameters, **parameters}
        if slope is not None:
            return _rounded_once(lambda wide: upstream * slope(wide, **values), x)
        if pull_back is not None:
            return _rounded_once(lambda wide: pull_back(wide, upstream, **values), x)
        raise _without_gradient("activation", self)

    def using(self, **parameters: Any) -> Activation:
        """Return the activation with other parameters than its defaults.

        Raises
        ------
        ConvError
            If the function has no such parameter, or one that it needs is missing.
        """
        signature = inspect.signature(self.function)
        known = {name: value for name, value in signature.parameters.items() if name != "x"}

        def bound(**given: Any) -> Activation:
            different = {name: value for name, value in given.items() if value != known[name].default}
            if not different:
                return self
            return _assembled(self.function, different, self._slope, self._pull_back)

        bound.__signature__ = inspect.Signature(list(known.values()))  # type: ignore[attr-defined]
        activation: Activation = made("activation", self.name, bound, {**self.parameters, **parameters})
        return activation

    def slope(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Take `function` as the derivative of an elementwise activation."""
        self._slope = function
        return function

    def pull_back(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Take ``function(x, dy)`` as the gradient of an activation along an axis."""
        self._pull_back = function
        return function

    def output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the outputs: that of the inputs, but for `glu`, which halves an axis.

        Raises
        ------
        ConvError
            If it cannot take such a shape.

        Examples
        --------
        >>> glu.output_shape((None, 9, 9, 8))
        (None, 9, 9, 4)
        """
        if self.name != "glu":
            return tuple(shape)
        axis = self.parameters.get("axis", -1) % len(shape)
        half = _half("activation", shape, axis)
        return (*shape[:axis], half, *shape[axis + 1 :])

    def __reduce__(self) -> tuple[Any, ...]:
        # By name: pickle would look for the undecorated function, which no name leads to.
        if _is_known(self):
            return _named, (self.name, self.parameters)
        return _assembled, (self.function, self.parameters, self._slope, self._pull_back)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.parameters.items())
        return f"{self.name}({values})" if values else self.name


def _rounded_once(compute: Callable[[np.ndarray], np.ndarray], x: Any) -> np.ndarray:
    x = np.asarray(x)
    floating = x.dtype.kind == "f"
    # An output that overflows is infinite, as in every framework, and no reason for a warning.
    with np.errstate(all="ignore"):
        y = compute(x.astype(np.float64, copy=False) if floating else x)
        return y.astype(x.dtype, copy=False) if floating else y


def _without_gradient(argument: str, activation: Any) -> ConvError:
    remedy = "give a name, or an object with __call__(x) and gradient(x, dy)"
    return ConvError(argument, activation, "a function whose gradient is not known", remedy)


def _is_known(activation: Activation) -> bool:
    known = NAMES.get(activation.name)
    return known is not None and known.function is activation.function


def _assembled(function: Any, parameters: dict[str, Any], slope: Any, pull_back: Any) -> Activation:
    activation = Activation(function, parameters)
    activation._slope, activation._pull_back = slope, pull_back
    return activation


def _half(argument: str, shape: tuple[int | None, ...], axis: int) -> int | None:
    size = shape[axis]
    if size is not None and size % 2:
        raise ConvError(argument, "glu", f"halves an axis of {size}", "give it an even number of channels")
    return None if size is None else size // 2


@Activation
def linear(x: Any) -> Any:
    """Return `x` as it is."""
    return x


linear.selects = True


@linear.slope
def _linear_slope(x: Any) -> Any:
    return np.ones_like(x)


@Activation
def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """Return ``x`` above the threshold, ``negative_slope * (x - threshold)`` below, at most `max_value`.

    NaN stays NaN.

    Examples
    --------
    >>> relu(np.array([-1.5, 0.0, 2.0]))
    array([0., 0., 2.])
    >>> relu(np.array([-2.0, 2.0, 9.0]), negative_slope=0.5, max_value=4)
    array([-1.,  2.,  4.])
    """
    y = np.maximum(x, 0) if threshold == 0 else np.where(x > threshold, x, 0)
    if max_value is not None:
        y = np.clip(y, 0, max_value)
    return y - negative_slope * np.maximum(threshold - x, 0) if negative_slope else y


relu.selects = True


@relu.slope
def _relu_slope(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    rising = x > threshold
    if max_value is not None:
        rising = rising & (x > 0) & (x < max_value)
    return rising + negative_slope * (x < threshold)


@Activation
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """Return ``x`` where it is positive and ``negative_slope * x`` elsewhere."""
    return np.where(x > 0, x, negative_slope * x)


@leaky_relu.slope
def _leaky_relu_slope(x: Any, negative_slope: float = 0.2) -> Any:
    return np.where(x > 0, 1.0, negative_slope)


@Activation
def relu6(x: Any) -> Any:
    """Return ``min(max(x, 0), 6)``."""
    return np.clip(x, 0, 6)


relu6.selects = True


@relu6.slope
def _relu6_slope(x: Any) -> Any:
    return (x > 0) & (x < 6)


@Activation
def softmax(x: Any, axis: int = -1) -> Any:
    """Return ``exp(x) / sum(exp(x))`` along an axis: by default the last, whatever the data format.

    Examples
    --------
    >>> softmax(np.log([[1.0, 2.0, 5.0]]))
    array([[0.125, 0.25 , 0.625]])
    """
    powers = np.exp(x - np.max(x, axis, keepdims=True))
    return powers / np.sum(powers, axis, keepdims=True)


@softmax.pull_back
def _softmax_pull_back(x: Any, dy: Any, axis: int = -1) -> Any:
    y = softmax.function(x, axis)
    return y * (dy - np.sum(dy * y, axis, keepdims=True))


@Activation
def log_softmax(x: Any, axis: int = -1) -> Any:
    """Return the logarithm of `softmax`."""
    shifted = x - np.max(x, axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis, keepdims=True))


@log_softmax.pull_back
def _log_softmax_pull_back(x: Any, dy: Any, axis: int = -1) -> Any:
    return dy - softmax.function(x, axis) * np.sum(dy, axis, keepdims=True)


@Activation
def sparsemax(x: Any, axis: int = -1) -> Any:
    """Return the point of the probability simplex that is nearest to `x`, along an axis.

    Source: Martins and Astudillo, "From softmax to sparsemax" (2016), algorithm 1. Keras 3.15.1's own
    lowers by too much wherever two elements or more stay positive, so that its outputs do not sum to 1.

    Examples
    --------
    >>> sparsemax(np.array([0.1, 1.1, 0.9]))
    array([0. , 0.6, 0.4])
    """
    falling = -np.sort(-x, axis)
    sums = np.cumsum(falling, axis)
    counts = np.expand_dims(np.arange(1, x.shape[axis] + 1), tuple(range(1, x.ndim)))
    counts = np.moveaxis(counts, 0, axis)
    support = np.sum(1 + counts * falling > sums, axis, keepdims=True)
    threshold = (np.take_along_axis(sums, np.maximum(support, 1) - 1, axis) - 1) / support
    return np.maximum(x - threshold, 0)


@sparsemax.pull_back
def _sparsemax_pull_back(x: Any, dy: Any, axis: int = -1) -> Any:
    support = sparsemax.function(x, axis) > 0
    mean = np.sum(dy * support, axis, keepdims=True) / np.sum(support, axis, keepdims=True)
    return np.where(support, dy - mean, 0)


@Activation
def elu(x: Any, alpha: float = 1.0) -> Any:
    """Return ``x`` where it is positive and ``alpha * (exp(x) - 1)`` elsewhere."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


@elu.slope
def _elu_slope(x: Any, alpha: float = 1.0) -> Any:
    return np.where(x > 0, 1, alpha * np.exp(np.minimum(x, 0)))


@Activation
def celu(x: Any, alpha: float = 1.0) -> Any:
    """Return ``x`` where it is positive and ``alpha * (exp(x / alpha) - 1)`` elsewhere."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


@celu.slope
def _celu_slope(x: Any, alpha: float = 1.0) -> Any:
    return np.exp(np.minimum(x, 0) / alpha)


_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


@Activation
def selu(x: Any) -> Any:
    """Return ``1.0507 * elu(x, alpha=1.6733)``, which keeps mean 0 and variance 1."""
    return _SELU_SCALE * elu.function(x, _SELU_ALPHA)


@selu.slope
def _selu_slope(x: Any) -> Any:
    return _SELU_SCALE * _elu_slope(x, _SELU_ALPHA)


@Activation
def sigmoid(x: Any) -> Any:
    """Return ``1 / (1 + exp(-x))``."""
    power = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, power) / (1 + power)


@sigmoid.slope
def _sigmoid_slope(x: Any) -> Any:
    return sigmoid.function(x) * sigmoid.function(-x)


@Activation
def log_sigmoid(x: Any) -> Any:
    """Return the logarithm of `sigmoid`."""
    return -np.logaddexp(0, -x)


@log_sigmoid.slope
def _log_sigmoid_slope(x: Any) -> Any:
    return sigmoid.function(-x)


@Activation
def hard_sigmoid(x: Any, slope: float = 1 / 6) -> Any:
    """Return ``slope * x + 0.5``, at least 0 and at most 1; the slope was 0.2 before Keras 3."""
    return np.clip(slope * x + 0.5, 0, 1)


@hard_sigmoid.slope
def _hard_sigmoid_slope(x: Any, slope: float = 1 / 6) -> Any:
    return slope * (np.abs(slope * x) < 0.5)


@Activation
def sparse_sigmoid(x: Any) -> Any:
    """Return ``(x + 1) / 2``, at least 0 and at most 1."""
    return np.clip((x + 1) / 2, 0, 1)


@sparse_sigmoid.slope
def _sparse_sigmoid_slope(x: Any) -> Any:
    return 0.5 * (np.abs(x) < 1)


@Activation
def softplus(x: Any) -> Any:
    """Return ``log(1 + exp(x))``."""
    return np.logaddexp(0, x)


@softplus.slope
def _softplus_slope(x: Any) -> Any:
    return sigmoid.function(x)


@Activation
def sparse_plus(x: Any) -> Any:
    """Return 0 up to -1, ``(x + 1)**2 / 4`` between, ``x`` from 1."""
    return np.where(x < 1, np.maximum(x + 1, 0) ** 2 / 4, x)


@sparse_plus.slope
def _sparse_plus_slope(x: Any) -> Any:
    return sparse_sigmoid.function(x)


@Activation
def squareplus(x: Any, b: float = 4) -> Any:
    """Return ``(x + sqrt(x**2 + b)) / 2``."""
    return (x + np.sqrt(x * x + b)) / 2


@squareplus.slope
def _squareplus_slope(x: Any, b: float = 4) -> Any:
    return (1 + x / np.sqrt(x * x + b)) / 2


@Activation
def softsign(x: Any) -> Any:
    """Return ``x / (1 + |x|)``."""
    return x / (1 + np.abs(x))


@softsign.slope
def _softsign_slope(x: Any) -> Any:
    return 1 / (1 + np.abs(x)) ** 2


@Activation
def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """Return `x` moved towards 0 by the threshold, and 0 within it."""
    return np.where(np.abs(x) > threshold, x - np.copysign(threshold, x), 0)


@soft_shrink.slope
def _soft_shrink_slope(x: Any, threshold: float = 0.5) -> Any:
    return np.abs(x) > threshold


@Activation
def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """Return `x` where it is further from 0 than the threshold, and 0 elsewhere."""
    return np.where(np.abs(x) > threshold, x, 0)


@hard_shrink.slope
def _hard_shrink_slope(x: Any, threshold: float = 0.5) -> Any:
    return np.abs(x) > threshold


@Activation
def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """Return `x` above the threshold, and the default value elsewhere."""
    return np.where(x > threshold, x, default_value)


@threshold.slope
def _threshold_slope(x: Any, threshold: float, default_value: float) -> Any:
    return x > threshold


@Activation
def silu(x: Any) -> Any:
    """Return ``x * sigmoid(x)``, also known as swish."""
    return x * sigmoid.function(x)


@silu.slope
def _silu_slope(x: Any) -> Any:
    return sigmoid.function(x) + x * _sigmoid_slope(x)


@Activation
def hard_silu(x: Any) -> Any:
    """Return ``x * hard_sigmoid(x)``, also known as hard swish."""
    return x * hard_sigmoid.function(x)


@hard_silu.slope
def _hard_silu_slope(x: Any) -> Any:
    return hard_sigmoid.function(x) + x * _hard_sigmoid_slope(x)


_erf = np.frompyfunc(math.erf, 1, 1)


@Activation
def gelu(x: Any, approximate: bool = False) -> Any:
    """Return `x` times the normal distribution function of `x`, or its approximation by tanh.

    Source: Hendrycks and Gimpel, "Gaussian error linear units" (2016).
    """
    return x * _normal_cdf(x, approximate)


@gelu.slope
def _gelu_slope(x: Any, approximate: bool = False) -> Any:
    if not approximate:
        return _normal_cdf(x, False) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    y = _normal_cdf(x, True)
    return y + 2 * x * y * (1 - y) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)


def _normal_cdf(x: Any, approximate: bool) -> Any:
    if approximate:
        return (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2
    return (1 + np.asarray(_erf(x / math.sqrt(2)), np.float64)) / 2


@Activation
def mish(x: Any) -> Any:
    """Return ``x * tanh(softplus(x))``."""
    return x * np.tanh(softplus.function(x))


@mish.slope
def _mish_slope(x: Any) -> Any:
    y = np.tanh(softplus.function(x))
    return y + x * (1 - y * y) * sigmoid.function(x)


@Activation
def glu(x: Any, axis: int = -1) -> Any:
    """Return ``a * sigmoid(b)`` of the two halves a, b of an axis: by default the last.

    Examples
    --------
    >>> glu(np.array([[3.0, 5.0, 0.0, 100.0]]))
    array([[1.5, 5. ]])
    """
    _half("x", x.shape, axis)
    a, b = np.split(x, 2, axis)
    return a * sigmoid.function(b)


@glu.pull_back
def _glu_pull_back(x: Any, dy: Any, axis: int = -1) -> Any:
    a, b = np.split(x, 2, axis)
    return np.concatenate([dy * sigmoid.function(b), dy * a * _sigmoid_slope(b)], axis)


@Activation
def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent."""
    return np.tanh(x)


@tanh.slope
def _tanh_slope(x: Any) -> Any:
    return 1 - np.tanh(x) ** 2


@Activation
def hard_tanh(x: Any) -> Any:
    """Return ``min(max(x, -1), 1)``."""
    return np.clip(x, -1, 1)


@hard_tanh.slope
def _hard_tanh_slope(x: Any) -> Any:
    return np.abs(x) < 1


@Activation
def tanh_shrink(x: Any) -> Any:
    """Return ``x - tanh(x)``."""
    return x - np.tanh(x)


@tanh_shrink.slope
def _tanh_shrink_slope(x: Any) -> Any:
    return np.tanh(x) ** 2


@Activation
def exponential(x: Any) -> Any:
    """Return ``exp(x)``."""
    return np.exp(x)


@exponential.slope
def _exponential_slope(x: Any) -> Any:
    return np.exp(x)


NAMES: dict[str, Activation] = {
    value.name: value for value in list(globals().values()) if isinstance(value, Activation)
} | {"swish": silu, "hard_swish": hard_silu}

# What layers that stand for an activation write besides its parameters, and how Keras 2 called one.
_OF_LAYERS = ("name", "trainable", "dtype")
_RENAMED = {"alpha": "negative_slope"}


def get(identifier: Any, version: int = 3, argument: str = "activation") -> Function:
    """Return the activation that `identifier` stands for.

    Parameters
    ----------
    identifier : str, dict, Activation, callable or None
        A name of Keras 1, 2 or 3, a configuration dictionary of an activation with parameters or of one
        of Keras' layers ReLU, LeakyReLU, ELU, Softmax, a function of an array, or None for `linear`.
    version : int
        Which Keras a name is one of: before 3, `hard_sigmoid` is ``0.2 * x + 0.5``.
    argument : str
        Name of the argument, for messages.

    Raises
    ------
    ConvError
        If it is none of these.

    Examples
    --------
    >>> get("relu") is relu, get(None) is linear, get(np.tanh) is np.tanh
    (True, True, True)
    >>> get("hard_sigmoid", version=1), get({"class_name": "LeakyReLU", "config": {"negative_slope": 0.1}})
    (hard_sigmoid(slope=0.2), leaky_relu(negative_slope=0.1))
    """
    old = checked_version(version) < 3
    if identifier is None:
        return linear
    named = read_identifier(argument, identifier)
    if named is not None:
        activation = next((found for name, found in NAMES.items() if plain(name) == plain(named.name)), None)
        if activation is None:
            raise unknown_name(argument, named.name, NAMES, "a function of an array")
        config = {key: value for key, value in named.config.items() if key not in _OF_LAYERS}
        if activation in (relu, leaky_relu):
            config = {_RENAMED.get(key, key): value for key, value in config.items()}
        if old and activation is hard_sigmoid:
            config = {"slope": 0.2, **config}
        return activation.using(**config)
    if callable(identifier) and not inspect.isclass(identifier):
        function: Function = identifier
        return function
    raise unknown_name(argument, identifier, NAMES, "a function of an array")


def gradient(activation: Function, x: Any, dy: Any, argument: str = "activation") -> np.ndarray:
    """Return the gradient to `x` of any activation that has one.

    Parameters
    ----------
    activation : Activation or callable
        What `get` returns.
    x, dy : ndarray
        Its inputs, and the gradient to its outputs.
    argument : str
        Name of the argument, for messages.

    Raises
    ------
    ConvError
        If it is a plain function, whose gradient is not known.

    Examples
    --------
    >>> gradient(get("sigmoid"), np.zeros(2), np.array([1.0, 4.0]))
    array([0.25, 1.  ])
    """
    pull_back = getattr(activation, "gradient", None)
    if pull_back is None:
        raise _without_gradient(argument, activation)
    return np.asarray(pull_back(x, dy))


def serialize(activation: Function) -> Any:
    """Return what `get` turns into `activation` again: its name, its configuration, or the function itself.

    Examples
    --------
    >>> serialize(relu), serialize(gelu.using(approximate=True))["config"]
    ('relu', {'approximate': True})
    """
    if not isinstance(activation, Activation) or not _is_known(activation):
        return activation
    if not activation.parameters:
        return activation.name
    return {
        "module": _MODULE,
        "class_name": activation.name,
        "config": dict(activation.parameters),
        "registered_name": None,
    }


def _named(name: str, parameters: dict[str, Any]) -> Activation:
    return NAMES[name].using(**parameters)
