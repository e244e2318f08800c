"""Put cases to Keras, PyTorch, JAX and ONNX, each in a process of its own.

``python -m golden.peers PEER IN.npz OUT.npz`` answers the cases of one file; `ask` starts that process.
Nothing here imports refconv.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from golden.record import Case, load, save

PACKAGES = {
    "keras-jax": ("keras", "jax"),
    "keras-torch": ("keras", "torch"),
    "torch": ("torch",),
    "jax": ("jax",),
    "onnx-reference": ("onnx",),
    "onnxruntime": ("onnx", "onnxruntime"),
}
ONNX_OPERATORS = {
    "conv": "Conv",
    "conv-transpose": "ConvTranspose",
    "resize": "Resize",
    "upsampling": "Resize",
    "pad": "Pad",
    "zero-padding": "Pad",
    "fold": "Col2Im",
}


def ask(peer: str, cases: Sequence[Case], timeout: float = 600) -> list[Case]:
    """Return the cases with the peer's answers, from a new process that sees no user settings."""
    with tempfile.TemporaryDirectory() as folder:
        question, answer = Path(folder, "question.npz"), Path(folder, "answer.npz")
        save(question, cases)
        environment = dict(
            os.environ,
            PYTHONPATH=str(Path(__file__).parent.parent),
            KERAS_HOME=folder,
            KERAS_BACKEND=peer.removeprefix("keras-") if peer.startswith("keras") else "",
            JAX_ENABLE_X64="1",
            JAX_PLATFORMS="cpu",
            XLA_FLAGS="--xla_backend_optimization_level=0",
            OMP_NUM_THREADS="1",
            PYTHONWARNINGS="ignore",
        )
        subprocess.run(
            [sys.executable, "-m", "golden.peers", peer, question, answer],
            env=environment,
            check=True,
            timeout=timeout,
            stdout=subprocess.DEVNULL,
        )
        return load(answer)


def keras(case: Case) -> Any:
    import keras

    x, words, rank = case.arrays["x"], dict(case.words), case.rank
    if case.layer == "resize":
        return keras.ops.image.resize(keras.ops.convert_to_tensor(x), **words)
    name = {
        "conv": "Conv{}D",
        "conv-transpose": "Conv{}DTranspose",
        "depthwise": "DepthwiseConv{}D",
        "separable": "SeparableConv{}D",
        "upsampling": "UpSampling{}D",
        "zero-padding": "ZeroPadding{}D",
        "cropping": "Cropping{}D",
    }[case.layer].format(rank)
    weights = [case.arrays[part] for part in ("weights", "pointwise", "bias") if part in case.arrays]
    if weights:
        words["use_bias"] = "bias" in case.arrays
    if case.layer in ("conv", "separable"):
        words["filters"] = case.arrays["pointwise" if case.layer == "separable" else "weights"].shape[-1]
    if case.layer in ("depthwise", "separable"):
        words["depth_multiplier"] = case.arrays["weights"].shape[-1]
    if case.layer == "conv-transpose":
        words["filters"] = case.arrays["weights"].shape[-2]
        # The weights are set below: a random start would only be compiled and thrown away.
        parts = {"depthwise": ["depthwise"], "separable": ["depthwise", "pointwise"]}.get(case.layer, ["kernel"])
        words |= {f"{part}_initializer": "zeros" for part in parts}
    layer = getattr(keras.layers, name)(dtype="float64", **words)
    if weights:
        layer.build(x.shape)
        layer.set_weights(weights)
    return keras.ops.convert_to_numpy(layer(keras.ops.convert_to_tensor(x)))


def torch(case: Case) -> Any:
    import torch

    functional = torch.nn.functional
    arrays = {name: torch.from_numpy(array) for name, array in case.arrays.items()}
    x, words, rank = arrays["x"], dict(case.words), case.rank
    if case.layer == "resize":
        return functional.interpolate(x, **words)
    if case.layer == "pad":
        return functional.pad(x, **words)
    if case.layer == "zero-padding":
        padding = words["padding"]
        return getattr(torch.nn, f"ZeroPad{rank}d")(tuple(padding) if isinstance(padding, list) else padding)(x)
    if case.layer == "upsampling":
        factors = words.pop("scale_factor")
        return torch.nn.Upsample(scale_factor=tuple(factors) if isinstance(factors, list) else factors, **words)(x)
    if case.layer in ("unfold", "fold"):
        return getattr(functional, case.layer)(x, **words)
    weights, bias = arrays["weights"], arrays.get("bias")
    groups = words.get("groups", 1)
    if case.layer == "conv":
        layer = getattr(torch.nn, f"Conv{rank}d")
        channels, filters = weights.shape[1] * groups, weights.shape[0]
    else:
        layer = getattr(torch.nn, f"ConvTranspose{rank}d")
        channels, filters = weights.shape[0], weights.shape[1] * groups
    call = {"output_size": words.pop("output_size")} if "output_size" in words else {}
    built = layer(channels, filters, bias=bias is not None, dtype=torch.float64, **words)
    with torch.no_grad():
        built.weight.copy_(weights)
        if bias is not None:
            built.bias.copy_(bias)
        return built(x, **call)


def jax(case: Case) -> Any:
    import jax

    words, x = dict(case.words), case.arrays["x"]
    if case.layer == "resize":
        return jax.image.resize(x, antialias=False, **words)
    if not isinstance(words["padding"], str):
        words["padding"] = [tuple(pair) for pair in words["padding"]]
    words.pop("kernel_size", None)
    call = jax.lax.conv_general_dilated if case.layer == "conv" else jax.lax.conv_transpose
    y = call(x, case.arrays["weights"], **words)
    return y + case.arrays["bias"] if "bias" in case.arrays else y


def onnx_model(case: Case, element: int) -> tuple[Any, dict[str, np.ndarray]]:
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


def onnx_reference(case: Case) -> Any:
    from onnx import TensorProto
    from onnx.reference import ReferenceEvaluator

    model, feeds = onnx_model(case, TensorProto.DOUBLE)
    return ReferenceEvaluator(model).run(None, feeds)[0]


def onnxruntime(case: Case) -> Any:
    import onnxruntime
    from onnx import TensorProto

    # The runtime has no float64 convolution; small whole numbers are exact in float32.
    model, feeds = onnx_model(case, TensorProto.FLOAT)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)[0]


ANSWER: dict[str, Callable[[Case], Any]] = {
    "keras-jax": keras,
    "keras-torch": keras,
    "torch": torch,
    "jax": jax,
    "onnx-reference": onnx_reference,
    "onnxruntime": onnxruntime,
}


def answer(peer: str, case: Case) -> Case:
    """Fill in the answer of one case, or how the peer refused it."""
    case.versions = {package: version(package) for package in PACKAGES[peer]}
    case.arrays.pop("y", None)
    try:
        y = np.asarray(ANSWER[peer](case), dtype=np.float64)
    except Exception as error:
        # Which exception a peer raises is its own affair: the refusal is what is recorded.
        first_line = (str(error).strip() or "no message").splitlines()[0]
        case.refusal = f"{type(error).__name__}: {first_line}"[:160]
    else:
        case.arrays["y"] = y
    return case


def main(peer: str, question: str, reply: str) -> None:
    save(Path(reply), [answer(peer, case) for case in load(Path(question))])


if __name__ == "__main__":
    main(*sys.argv[1:])
