"""How other libraries do a job of the bench: PyTorch, Keras on JAX, SciPy, where they are installed.

Each does it on arrays in its own order, made before the clock runs, in every way that might be its fastest.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from refconv.bench.cases import FORWARD, GRAD_INPUT, REUSED, Case, Job
from refconv.bench.ours import Data, Results

PEERS = ("torch", "keras", "scipy")


class Contender(NamedTuple):
    """One way of one library.

    Attributes
    ----------
    library, way : str
        Its name with its version, and what sets this way apart.
    call : callable
        Does the job once.
    results : callable
        Turns what `call` returned into arrays like refconv's.
    """

    library: str
    way: str
    call: Callable[[], Any]
    results: Callable[[Any], Results]

    @property
    def name(self) -> str:
        """Library and way."""
        return f"{self.library} {self.way}".strip()


Peer = Callable[[Job, Data], list[Contender]]


@contextlib.contextmanager
def installed(wanted: Sequence[str], threads: int) -> Iterator[tuple[dict[str, Peer], list[str]]]:
    """Set up the peers that are installed, on so many threads.

    Yields
    ------
    peers : dict
        By name, what returns the ways of doing a job; a list without any where it cannot.
    notes : list of str
        Which are missing, and why.
    """
    peers: dict[str, Peer] = {}
    notes: list[str] = []
    with contextlib.ExitStack() as stack:
        for name in wanted:
            try:
                peers[name] = stack.enter_context(_SET_UP[name](threads))
            except _MissingError as reason:
                notes.append(str(reason))
        yield peers, notes


class _MissingError(Exception):
    """Why a peer is left out."""


def _module(name: str, title: str) -> Any:
    if importlib.util.find_spec(name) is None:
        raise _MissingError(f"{title} is not installed: its column is empty.")
    return importlib.import_module(name)


# PyTorch


@contextlib.contextmanager
def _torch(threads: int) -> Iterator[Peer]:
    torch = _module("torch", "PyTorch")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            yield functools.partial(_torch_contenders, torch)
    finally:
        torch.set_num_threads(before)


def _torch_contenders(torch: Any, job: Job, data: Data) -> list[Contender]:
    formats = {"contiguous": torch.contiguous_format}
    if job.case.rank > 1:
        formats["channels_last"] = torch.channels_last if job.case.rank == 2 else torch.channels_last_3d
    library = f"PyTorch {torch.__version__.split('+')[0]}"
    found = []
    for way, memory_format in formats.items():
        on = _TorchArrays(torch, job.case, data, memory_format)
        for reused in (False, True):
            made = on.reusing(job) if reused else on.call(job)
            if made is not None:
                found.append(Contender(library, way + (" out=" if reused else ""), made, on.results(job)))
    return found


class _TorchArrays:
    """A case's arrays as PyTorch has them, and its calls on them."""

    def __init__(self, torch: Any, case: Case, data: Data, memory_format: Any) -> None:
        rank = case.rank
        self.torch, self.case, self.format = torch, case, memory_format
        self.pairs = [cells for _ in range(rank) for cells in case.padding]
        first = (0, rank + 1, *range(1, rank + 1))
        self.x, self.dy = (
            torch.from_numpy(array).permute(first).contiguous(memory_format=memory_format)
            for array in (data.x, data.dy)
        )
        weights = [array.reshape(*array.shape[:-2], 1, -1) for array in data.weights[:1]]
        weights = [*weights, *data.weights[1:]] if case.layer in ("depthwise", "separable") else list(data.weights)
        self.weights = [
            torch.from_numpy(array).permute(rank + 1, rank, *range(rank)).contiguous(memory_format=memory_format)
            for array in weights
        ]

    def results(self, job: Job) -> Callable[[Any], Results]:
        rank = self.case.rank
        to_last = (0, *range(2, rank + 2), 1)
        to_weights = (*range(2, rank + 2), 1, 0)
        order = to_last if job.direction in (FORWARD, GRAD_INPUT) else to_weights

        def read(returned: Any) -> Results:
            tensors = returned if isinstance(returned, tuple) else (returned,)
            pairs = zip(tensors, job.result_shapes, strict=True)
            return tuple(tensor.permute(order).numpy().reshape(shape) for tensor, shape in pairs)

        return read

    def call(self, job: Job) -> Callable[[], Any]:
        """Return what does the job, and allocates what it returns."""
        case, torch = self.case, self.torch
        if case.layer == "upsampling":
            return self._upsampling(job.direction)
        if case.layer in ("zero-padding", "cropping"):
            source, grows = (self.x if job.direction == FORWARD else self.dy), _grows(job)
            pairs = self.pairs if grows else [-cells for cells in self.pairs]
            return lambda: torch.nn.functional.pad(source, pairs)
        if case.layer == "separable":
            return self._separable(job.direction)
        return self._kernel(job.direction)

    def _kernel(self, direction: str) -> Callable[[], Any]:
        torch, case, (weights,) = self.torch, self.case, self.weights
        rank, transposed = case.rank, case.layer == "conv-transpose"
        groups = case.channels if case.layer == "depthwise" else case.groups
        before, after = case.padding
        # PyTorch pads both sides alike; what differs is padded before.
        explicit = self.pairs if before != after else []
        amount = 0 if explicit else before
        if direction == FORWARD:
            name = f"conv{'_transpose' if transposed else ''}{rank}d"
            forward = functools.partial(
                getattr(torch.nn.functional, name), stride=case.stride, padding=amount, dilation=case.dilation,
                groups=groups,
            )  # fmt: skip
            return lambda: forward(self._padded(explicit), weights)
        numbers = ([case.stride] * rank, [amount] * rank, [case.dilation] * rank, transposed, [0] * rank, groups)
        backward = torch.ops.aten.convolution_backward
        if direction == GRAD_INPUT:
            padded = self._padded(explicit)
            inner = [-cells for cells in explicit]

            def grad_input() -> Any:
                dx = backward(self.dy, padded, weights, None, *numbers, [True, False, False])[0]
                return torch.nn.functional.pad(dx, inner) if inner else dx

            return grad_input
        mask = [False, True, False]
        return lambda: backward(self.dy, self._padded(explicit), weights, None, *numbers, mask)[1]

    def _padded(self, pairs: list[int]) -> Any:
        return self.torch.nn.functional.pad(self.x, pairs) if pairs else self.x

    def _separable(self, direction: str) -> Callable[[], Any]:
        torch, case, (depthwise, pointwise) = self.torch, self.case, self.weights
        rank = case.rank
        conv = getattr(torch.nn.functional, f"conv{rank}d")
        backward = torch.ops.aten.convolution_backward
        numbers = ([case.stride] * rank, [case.padding[0]] * rank, [case.dilation] * rank, False, [0] * rank)
        mixing = ([1] * rank, [0] * rank, [1] * rank, False, [0] * rank, 1)

        def between() -> Any:
            words = {"stride": case.stride, "padding": case.padding[0], "dilation": case.dilation}
            return conv(self.x, depthwise, groups=case.channels, **words)

        def grad_input() -> Any:
            dy = backward(self.dy, kept, pointwise, None, *mixing, [True, False, False])[0]
            return backward(dy, self.x, depthwise, None, *numbers, case.channels, [True, False, False])[0]

        def grad_weights() -> Any:
            dy, second, _ = backward(self.dy, between(), pointwise, None, *mixing, [True, True, False])
            first = backward(dy, self.x, depthwise, None, *numbers, case.channels, [False, True, False])[1]
            return first, second

        if direction == FORWARD:
            return lambda: conv(between(), pointwise)
        kept = between()
        return grad_input if direction == GRAD_INPUT else grad_weights

    def _upsampling(self, direction: str) -> Callable[[], Any]:
        torch, case = self.torch, self.case
        mode = case.interpolation
        if direction == FORWARD:
            corners = {} if mode == "nearest" else {"align_corners": False}
            words = {"scale_factor": case.factor, "mode": mode, **corners}
            return lambda: torch.nn.functional.interpolate(self.x, **words)
        backward = getattr(torch.ops.aten, f"upsample_{mode}{case.rank}d_backward")
        sizes = list(self.dy.shape[2:]), list(self.x.shape)
        corner = () if mode == "nearest" else (False,)
        return lambda: backward(self.dy, *sizes, *corner)

    def reusing(self, job: Job) -> Callable[[], Any] | None:
        """Return what does the job into a tensor that is there already, where PyTorch can."""
        case, torch = self.case, self.torch
        if job.way != REUSED:
            return None
        if case.layer == "upsampling" and job.direction == FORWARD:
            out = self.call(job)()
            function = getattr(torch.ops.aten, f"upsample_{case.interpolation}{case.rank}d").out
            corner = () if case.interpolation == "nearest" else (False,)
            size = list(out.shape[2:])
            return lambda: function(self.x, size, *corner, out=out)
        if case.layer not in ("zero-padding", "cropping"):
            return None
        source, out = (self.x if job.direction == FORWARD else self.dy), self.call(job)()
        if not _grows(job):
            inner = _inside(source, case.padding)
            return lambda: out.copy_(inner)
        target, borders = _inside(out, case.padding), list(_borders(out, case.padding))

        def padded() -> Any:
            for border in borders:
                border.zero_()
            target.copy_(source)
            return out

        return padded


def _grows(job: Job) -> bool:
    return (job.case.layer == "zero-padding") == (job.direction == FORWARD)


def _inside(tensor: Any, cells: tuple[int, int]) -> Any:
    for axis in range(2, tensor.ndim):
        tensor = tensor.narrow(axis, cells[0], tensor.shape[axis] - sum(cells))
    return tensor


def _borders(tensor: Any, cells: tuple[int, int]) -> Iterator[Any]:
    before, after = cells
    for axis in range(2, tensor.ndim):
        size = tensor.shape[axis]
        yield tensor.narrow(axis, 0, before)
        yield tensor.narrow(axis, size - after, after)
        tensor = tensor.narrow(axis, before, size - before - after)


# Keras on JAX


@contextlib.contextmanager
def _keras(threads: int) -> Iterator[Peer]:
    if importlib.util.find_spec("jax") is None:
        raise _MissingError("JAX is not installed: Keras on JAX is left out.")
    if threads not in (1, os.cpu_count()):
        raise _MissingError("JAX runs on one thread or on all: it is left out.")
    # Both are read once, when JAX and Keras are first imported.
    os.environ.setdefault("KERAS_BACKEND", "jax")
    if threads == 1:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".strip()
    keras = _module("keras", "Keras")
    if keras.backend.backend() != "jax":
        raise _MissingError(f"Keras runs on {keras.backend.backend()}, not on JAX: it is left out.")
    yield functools.partial(_keras_contenders, keras, importlib.import_module("jax"))


def _keras_contenders(keras: Any, jax: Any, job: Job, data: Data) -> list[Contender]:
    layer = _keras_layer(keras, job.case)
    if layer is None:
        return []
    x, dy, *weights = (jax.device_put(array) for array in (data.x, data.dy, *data.weights))
    if job.direction == FORWARD:
        function = jax.jit(layer)
        call = functools.partial(function, x, *weights)
    elif job.direction == GRAD_INPUT:
        function = jax.jit(lambda x, dy, *weights: jax.vjp(lambda x: layer(x, *weights), x)[1](dy))
        call = functools.partial(function, x, dy, *weights)
    else:
        function = jax.jit(lambda x, dy, *weights: jax.vjp(lambda *weights: layer(x, *weights), *weights)[1](dy))
        call = functools.partial(function, x, dy, *weights)

    def read(returned: Any) -> Results:
        arrays = returned if isinstance(returned, tuple) else (returned,)
        return tuple(np.asarray(array) for array in arrays)

    return [Contender(f"Keras {keras.__version__} on JAX", "", lambda: jax.block_until_ready(call()), read)]


def _keras_layer(keras: Any, case: Case) -> Callable[..., Any] | None:
    """Return a function of input and weights, or None for what Keras does not have."""
    ops, rank = keras.ops, case.rank
    pairs = [(0, 0), *[case.padding] * rank, (0, 0)]
    if case.layer == "zero-padding":
        return lambda x: ops.pad(x, pairs)
    if case.layer == "cropping":
        inner = slice(case.padding[0], -case.padding[1])
        return lambda x: x[(slice(None), *[inner] * rank)]
    if case.layer == "upsampling":
        if case.interpolation != "nearest":
            size = tuple(n * case.factor for n in case.size)
            image = functools.partial(ops.image.resize, size=size, interpolation=case.interpolation)
            return functools.partial(image, data_format="channels_last") if rank == 2 else None

        def repeated(x: Any) -> Any:
            for axis in range(1, rank + 1):
                x = ops.repeat(x, case.factor, axis)
            return x

        return repeated
    words: dict[str, Any] = {"strides": case.stride, "data_format": "channels_last"}
    if case.layer == "conv-transpose":
        # The crops of the bench are those of one of Keras' two words.
        padding = "same" if any(case.padding) else "valid"
        return lambda x, weights: ops.conv_transpose(x, weights, padding=padding, **words)
    function = {"conv": ops.conv, "depthwise": ops.depthwise_conv, "separable": ops.separable_conv}[case.layer]
    words |= {"padding": "valid", "dilation_rate": case.dilation}
    return lambda x, *weights: function(ops.pad(x, pairs) if any(case.padding) else x, *weights, **words)


# SciPy


@contextlib.contextmanager
def _scipy(threads: int) -> Iterator[Peer]:
    scipy = _module("scipy", "SciPy")
    yield functools.partial(
        _scipy_contenders, scipy, _module("scipy.signal", "SciPy"), _module("scipy.ndimage", "SciPy")
    )


def _scipy_contenders(scipy: Any, signal: Any, ndimage: Any, job: Job, data: Data) -> list[Contender]:
    """SciPy filters one image by one kernel, in place: what is more would be loops of ours."""
    case = job.case
    same = case.stride == case.dilation == 1 and case.padding == (case.kernel // 2,) * 2 and case.kernel % 2
    if case.layer != "conv" or case.batch * case.channels * case.filters != 1 or not same or job.direction != FORWARD:
        return []
    x, weights = data.x[0, ..., 0], data.weights[0][..., 0, 0]

    def read(returned: Any) -> Results:
        return (np.asarray(returned)[None, ..., None],)

    library = f"SciPy {scipy.__version__}"
    return [
        Contender(library, "ndimage", lambda: ndimage.correlate(x, weights, mode="constant"), read),
        Contender(library, "direct", lambda: signal.correlate(x, weights, mode="same", method="direct"), read),
        Contender(library, "FFT", lambda: signal.correlate(x, weights, mode="same", method="fft"), read),
    ]


_SET_UP: dict[str, Callable[[int], contextlib.AbstractContextManager[Peer]]] = {
    "torch": _torch,
    "keras": _keras,
    "scipy": _scipy,
}
