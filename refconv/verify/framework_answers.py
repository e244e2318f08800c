"""What Keras, PyTorch, JAX and ONNX make of a case: the words are theirs, and each loads only what it needs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from refconv.verify.gradients import PARTS, Answer, named, whole_numbers
from refconv.verify.record import Case

ONNX_OPERATORS = {
    "conv": "Conv",
    "conv-transpose": "ConvTranspose",
    "resize": "Resize",
    "upsampling": "Resize",
    "pad": "Pad",
    "zero-padding": "Pad",
    "fold": "Col2Im",
}


def keras(case: Case, gradients: bool) -> Answer:
    """Answer by Keras' layers, on the backend that the process was started for."""
    import keras

    # On NumPy Keras takes float64 back to float32; small whole numbers are exact in it.
    dtype = "float32" if keras.backend.backend() == "numpy" else "float64"
    x, words, rank = case.arrays["x"], dict(case.words), case.rank
    weights = [case.arrays[part] for part in PARTS if part in case.arrays]
    if case.layer == "resize":
        layer: Any = functools.partial(keras.ops.image.resize, **words)
    else:
        name = {
            "conv": "Conv{}D",
            "conv-transpose": "Conv{}DTranspose",
            "depthwise": "DepthwiseConv{}D",
            "separable": "SeparableConv{}D",
            "upsampling": "UpSampling{}D",
            "zero-padding": "ZeroPadding{}D",
            "cropping": "Cropping{}D",
        }[case.layer].format(rank)
        if weights:
            words["use_bias"] = "bias" in case.arrays
            # The weights are set below: a random start would only be compiled and thrown away.
            parts = {"depthwise": ["depthwise"], "separable": ["depthwise", "pointwise"]}.get(case.layer, ["kernel"])
            words |= {f"{part}_initializer": "zeros" for part in parts}
        if case.layer in ("conv", "separable"):
            words["filters"] = case.arrays["pointwise" if case.layer == "separable" else "weights"].shape[-1]
        if case.layer in ("depthwise", "separable"):
            words["depth_multiplier"] = case.arrays["weights"].shape[-1]
        if case.layer == "conv-transpose":
            words["filters"] = case.arrays["weights"].shape[-2]
        layer = getattr(keras.layers, name)(dtype=dtype, **words)
    if weights:
        layer.build(x.shape)
        layer.set_weights(weights)
    signal = keras.ops.convert_to_tensor(x, dtype=dtype)
    if not gradients:
        return {"y": keras.ops.convert_to_numpy(layer(signal))}
    return KERAS_GRADIENTS[keras.backend.backend()](case, layer, signal)


def variables_of(layer: Any) -> list[Any]:
    """Return the weights of a layer, or of a function, which has none."""
    return getattr(layer, "trainable_variables", [])


def keras_gradients_by_torch(case: Case, layer: Any, x: Any) -> Answer:
    """Differentiate by PyTorch's autograd."""
    import torch

    x.requires_grad_()
    y = layer(x)
    dy = whole_numbers(y.shape)
    y.backward(torch.from_numpy(dy))
    gradients = [x.grad, *(variable.value.grad for variable in variables_of(layer))]
    return {"y": y.detach(), **named(case, dy, gradients)}


def keras_gradients_by_jax(case: Case, layer: Any, x: Any) -> Answer:
    """Differentiate by JAX's vjp."""
    import jax

    variables = [variable.value for variable in variables_of(layer)]

    def call(x: Any, *values: Any) -> Any:
        # A layer without weights is not built, and has no state to be given.
        return layer.stateless_call(list(values), [], x)[0] if values else layer(x)

    y, pull_back = jax.vjp(call, x, *variables)
    dy = whole_numbers(y.shape)
    return {"y": y, **named(case, dy, pull_back(jax.numpy.asarray(dy)))}


def keras_gradients_by_tensorflow(case: Case, layer: Any, x: Any) -> Answer:
    """Differentiate by TensorFlow's tape."""
    import tensorflow

    with tensorflow.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
    dy = whole_numbers(y.shape)
    sources = [x, *(variable.value for variable in variables_of(layer))]
    return {"y": y, **named(case, dy, tape.gradient(y, sources, output_gradients=tensorflow.constant(dy)))}


KERAS_GRADIENTS: dict[str, Callable[[Case, Any, Any], Answer]] = {
    "torch": keras_gradients_by_torch,
    "jax": keras_gradients_by_jax,
    "tensorflow": keras_gradients_by_tensorflow,
}


def torch(case: Case, gradients: bool) -> Answer:
    """Answer by PyTorch's layers and functions, and its autograd."""
    import torch

    x = torch.from_numpy(case.arrays["x"])
    call, parameters = torch_call(case)
    if not gradients:
        with torch.no_grad():
            return {"y": call(x)}
    x.requires_grad_()
    y = call(x)
    dy = whole_numbers(y.shape)
    y.backward(torch.from_numpy(dy))
    return {"y": y.detach(), **named(case, dy, [each.grad for each in (x, *parameters)])}


def torch_call(case: Case) -> tuple[Callable[[Any], Any], list[Any]]:
    """Return PyTorch's layer or function, its arguments given, and its weights."""
    import torch

    functional = torch.nn.functional
    words, rank = dict(case.words), case.rank
    if case.layer in ("resize", "pad", "unfold", "fold"):
        function = functional.interpolate if case.layer == "resize" else getattr(functional, case.layer)
        return lambda x: function(x, **words), []
    if case.layer == "zero-padding":
        padding = words["padding"]
        return getattr(torch.nn, f"ZeroPad{rank}d")(tuple(padding) if isinstance(padding, list) else padding), []
    if case.layer == "upsampling":
        factors = words.pop("scale_factor")
        return torch.nn.Upsample(scale_factor=tuple(factors) if isinstance(factors, list) else factors, **words), []
    weights = torch.from_numpy(case.arrays["weights"])
    groups = words.get("groups", 1)
    if case.layer == "conv":
        layer = getattr(torch.nn, f"Conv{rank}d")
        channels, filters = weights.shape[1] * groups, weights.shape[0]
    else:
        layer = getattr(torch.nn, f"ConvTranspose{rank}d")
        channels, filters = weights.shape[0], weights.shape[1] * groups
    call = {"output_size": words.pop("output_size")} if "output_size" in words else {}
    built = layer(channels, filters, bias="bias" in case.arrays, dtype=torch.float64, **words)
    with torch.no_grad():
        built.weight.copy_(weights)
        if "bias" in case.arrays:
            built.bias.copy_(torch.from_numpy(case.arrays["bias"]))
    return lambda x: built(x, **call), list(built.parameters())


def jax(case: Case, gradients: bool) -> Answer:
    """Answer by JAX's functions, and its vjp."""
    import jax

    arrays = [case.arrays[name] for name in ("x", *PARTS) if name in case.arrays]
    if not gradients:
        return {"y": jax_call(case, *arrays)}
    y, pull_back = jax.vjp(lambda *arrays: jax_call(case, *arrays), *arrays)
    dy = whole_numbers(y.shape)
    return {"y": y, **named(case, dy, pull_back(jax.numpy.asarray(dy)))}


def jax_call(case: Case, x: Any, weights: Any = None, bias: Any = None) -> Any:
    """Call JAX's function with the words of a case."""
    import jax

    words = dict(case.words)
    if case.layer == "resize":
        return jax.image.resize(x, antialias=False, **words)
    if not isinstance(words["padding"], str):
        words["padding"] = [tuple(pair) for pair in words["padding"]]
    words.pop("kernel_size", None)
    call = jax.lax.conv_general_dilated if case.layer == "conv" else jax.lax.conv_transpose
    y = call(x, weights, **words)
    return y if bias is None else y + bias


def onnx_model(case: Case, element: int) -> tuple[Any, dict[str, np.ndarray]]:
    """Build a model of one operator, and what it is fed."""
    from onnx import helper

    dtype = helper.tensor_dtype_to_np_dtype(element)
    words = dict(case.words)
    feeds = {"x": case.arrays["x"].astype(dtype)}
    inputs = ["x"]
    if case.layer == "resize":
        feeds["sizes"] = np.array(words.pop("sizes"), np.int64)
        inputs += ["", "", "sizes"]
    elif case.layer == "upsampling":
        feeds["scales"] = np.array([1, 1, *words.pop("scales")], np.float32)
        inputs += ["", "scales"]
    elif case.layer in ("pad", "zero-padding"):
        pads, rank = words.pop("pads"), case.rank
        before, after = pads[: len(pads) // 2], pads[len(pads) // 2 :]
        batch_and_channels = [0] * (2 + rank - len(before))
        feeds["pads"] = np.array([*batch_and_channels, *before, *batch_and_channels, *after], np.int64)
        inputs += ["pads"]
    elif case.layer == "fold":
        for name in ("image_shape", "block_shape"):
            feeds[name] = np.array(words.pop(name), np.int64)
            inputs.append(name)
    else:
        for name in ("weights", "bias"):
            if name in case.arrays:
                feeds[name] = case.arrays[name].astype(dtype)
                inputs.append(name)
    node = helper.make_node(ONNX_OPERATORS[case.layer], inputs, ["y"], **words)
    graph = helper.make_graph(
        [node],
        "case",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(feed.dtype), list(feed.shape))
            for name, feed in feeds.items()
        ],
        [helper.make_tensor_value_info("y", element, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), feeds


def onnx_reference(case: Case, gradients: bool) -> Answer:
    """Answer by ONNX's reference evaluator, in float64; it has no gradients."""
    from onnx import TensorProto
    from onnx.reference import ReferenceEvaluator

    model, feeds = onnx_model(case, TensorProto.DOUBLE)
    return {"y": ReferenceEvaluator(model).run(None, feeds)[0]}


def onnxruntime(case: Case, gradients: bool) -> Answer:
    """Answer by ONNX Runtime, in float32; it has no gradients."""
    import onnxruntime
    from onnx import TensorProto

    # The runtime has no float64 convolution; small whole numbers are exact in float32.
    model, feeds = onnx_model(case, TensorProto.FLOAT)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return {"y": session.run(None, feeds)[0]}


FRAMEWORK_ANSWERS: dict[str, Callable[[Case, bool], Answer]] = {
    "keras": keras,
    "torch": torch,
    "jax": jax,
    "onnx-reference": onnx_reference,
    "onnxruntime": onnxruntime,
}
