"""How refconv itself does a job of the bench: arrays, and the call that is timed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from refconv import functional, layers
from refconv.bench.cases import CHANNELS_FIRST, FORWARD, GRAD_INPUT, LAYER, REUSED, Case, Job
from refconv.functional.arrays import Array

Results = tuple[Array, ...]

_Functions = dict[str, Callable[..., Any]]

_FORWARD: _Functions = {
    "conv": functional.conv,
    "conv-transpose": functional.conv_transpose,
    "depthwise": functional.depthwise_conv,
    "separable": functional.separable_conv,
    "upsampling": functional.upsample,
    "zero-padding": functional.zero_pad,
    "cropping": functional.crop,
}
_GRAD_INPUT: _Functions = {
    "conv": functional.conv_grad_input,
    "conv-transpose": functional.conv_transpose_grad_input,
    "depthwise": functional.depthwise_conv_grad_input,
    "separable": functional.separable_conv_grad_input,
    "upsampling": functional.upsample_grad_input,
    "zero-padding": functional.zero_pad_grad_input,
    "cropping": functional.crop_grad_input,
}
_GRAD_WEIGHTS: _Functions = {
    "conv": functional.conv_grad_weights,
    "conv-transpose": functional.conv_transpose_grad_weights,
    "depthwise": functional.depthwise_conv_grad_weights,
}
_LAYERS = {
    "conv": "Conv{}D",
    "conv-transpose": "Conv{}DTranspose",
    "depthwise": "DepthwiseConv{}D",
    "separable": "SeparableConv{}D",
}


class Data(NamedTuple):
    """Random arrays for a case, channels last.

    Attributes
    ----------
    x, dy : ndarray
        Input, and gradient to the output.
    weights : tuple of ndarray
        As `refconv.functional` takes them.
    """

    x: Array
    weights: Results
    dy: Array

    def of(self, dtype: Any) -> Data:
        """Return the same numbers in another dtype."""
        weights = tuple(array.astype(dtype) for array in self.weights)
        return Data(self.x.astype(dtype), weights, self.dy.astype(dtype))


def random_data(case: Case) -> Data:
    """Draw the arrays of a case, in float32, always the same."""
    draw = np.random.default_rng(0).standard_normal
    weights = tuple(draw(shape, dtype=np.float32) for shape in case.weight_shapes)
    return Data(draw(case.input_shape, dtype=np.float32), weights, draw(case.output_shape, dtype=np.float32))


def call(job: Job, data: Data, backend: str | None = None) -> Callable[[], Any]:
    """Return what does the job once, its inputs being at hand.

    Parameters
    ----------
    job : Job
        What to do. To reuse an output, the job is done once now.
    data : Data
        What to do it on.
    backend : str, optional
        As in `refconv.functional`.
    """
    if job.way == LAYER:
        layer = _layer(job.case, data)
        return lambda: layer(data.x)
    words: dict[str, Any] = {"backend": backend, **job.case.words}
    if job.way == CHANNELS_FIRST:
        words["data_format"] = "channels_first"
        data = Data(_channels_first(data.x), data.weights, _channels_first(data.dy))
    function, arguments = _function(job, data)
    if job.way == REUSED:
        # As a caller does who calls again: an output of the first call is filled again.
        words["out"] = function(*arguments, **words)
    return functools.partial(function, *arguments, **words)


def results(job: Job, returned: Any) -> Results:
    """Return what a call gave as channels-last arrays."""
    arrays = returned if isinstance(returned, tuple) else (returned,)
    return tuple(np.moveaxis(array, 1, -1) for array in arrays) if job.way == CHANNELS_FIRST else arrays


def reference(job: Job, data: Data) -> Results:
    """Return what the textbook loops compute in float64."""
    plain = Job(job.case, job.direction)
    return results(plain, call(plain, data.of(np.float64), "textbook")())


def _function(job: Job, data: Data) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    case = job.case
    if job.direction == FORWARD:
        return _FORWARD[case.layer], (data.x, *data.weights)
    if job.direction == GRAD_INPUT:
        return _GRAD_INPUT[case.layer], (data.dy, *data.weights, data.x.shape)
    if case.layer == "separable":
        return functional.separable_conv_grad_weights, (data.x, data.dy, *data.weights)
    return _GRAD_WEIGHTS[case.layer], (data.x, data.dy, (case.kernel,) * case.rank)


def _layer(case: Case, data: Data) -> Any:
    """Build the case's layer; its padding is ``"same"``."""
    make = getattr(layers, _LAYERS[case.layer].format(case.rank))
    filters = () if case.layer == "depthwise" else (case.filters,)
    layer = make(
        *filters, case.kernel, strides=case.stride, padding="same", use_bias=False, data_format="channels_last"
    )
    layer.build(case.input_shape)
    layer.set_weights(data.weights)
    return layer


def _channels_first(array: Array) -> Array:
    return np.ascontiguousarray(np.moveaxis(array, -1, 1))
