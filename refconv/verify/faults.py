"""Where a peer is known to answer otherwise than the rule, and why: not to be copied.

Each entry was compared with the peer's source or documentation, and names the version that showed it. A
case that it covers need not differ, but of every entry some case does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from refconv.verify.record import Case


class Window(NamedTuple):
    """One axis of an ONNX operator.

    `surplus` is what the full output of a transposed layer, output padding included, has more than is
    asked for; of a convolution, what SAME has to pad.
    """

    stride: int
    output_padding: int
    surplus: int


def windows(case: Case) -> list[Window]:
    """Return the axes of an ONNX Conv or ConvTranspose."""
    words, zeros = case.words, [0] * case.rank
    sizes = zip(case.input_size, words["kernel_shape"], words["strides"], words["dilations"], strict=True)
    if case.layer == "conv":
        return [Window(s, 0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n) for n, k, s, d in sizes]
    wanted = words.get("output_shape", [n * s for n, s in zip(case.input_size, words["strides"], strict=True)])
    return [
        Window(s, op, (n - 1) * s + (k - 1) * d + 1 + op - o)
        for (n, k, s, d), op, o in zip(sizes, words.get("output_padding", zeros), wanted, strict=True)
    ]


def same(case: Case) -> bool:
    """Return whether ONNX pads or crops to a size by itself."""
    return case.words.get("auto_pad", "").startswith("SAME")


def transposed(case: Case, peer: str) -> bool:
    """Return whether a case is a transposed layer of a peer."""
    return (case.peer, case.layer) == (peer, "conv-transpose")


def on_tensorflow(case: Case, *layers: str) -> bool:
    """Return whether a case is one of these layers of Keras on TensorFlow."""
    return case.peer == "keras-tensorflow" and case.layer in layers


def largest(value: int | list[int]) -> int:
    """Return the largest of one number for all axes, or one per axis."""
    return value if isinstance(value, int) else max(value)


def method(case: Case) -> str:
    """Return the word for an interpolation, or an empty string."""
    return str(case.words.get("interpolation", case.words.get("mode", "")))


class Fault(NamedTuple):
    """A known fault: the package and its version that showed it, and the cases that it covers.

    `of_gradients` is set where the output itself is the rule's.
    """

    seen_in: str
    covers: Callable[[Case], bool]
    of_gradients: bool = False


FAULTS: dict[str, Fault] = {
    "PyTorch's bicubic has a = -0.75 and repeats the edge; the rule, as Keras on JAX, a = -0.5 and renormalises": Fault(
        "torch 2.13", lambda case: case.peer == "torch" and case.layer == "resize" and method(case) == "bicubic"
    ),
    "Keras on PyTorch takes PyTorch's bicubic, Keras on JAX its own (jax 15768)": Fault(
        "keras 3.15.1", lambda case: case.peer == "keras-torch" and method(case) == "bicubic"
    ),
    "Keras on PyTorch has no lanczos": Fault(
        "keras 3.15.1", lambda case: case.peer == "keras-torch" and method(case).startswith("lanczos")
    ),
    "ONNX's reference ConvTranspose fails or mixes its filters with group > 1": Fault(
        "onnx 1.23.2", lambda case: transposed(case, "onnx-reference") and case.words["group"] > 1
    ),
    "ONNX's reference ConvTranspose puts appended zeros first under SAME": Fault(
        "onnx 1.23.2",
        lambda case: transposed(case, "onnx-reference") and same(case) and any(w.surplus < 0 for w in windows(case)),
    ),
    "ONNX's reference ConvTranspose refuses an output_shape without SAME that crops or adds a stride or more": Fault(
        "onnx 1.23.2",
        lambda case: (
            transposed(case, "onnx-reference")
            and "output_shape" in case.words
            and not same(case)
            and any(not 0 <= w.output_padding - w.surplus < w.stride for w in windows(case))
        ),
    ),
    "ONNX's reference ConvTranspose refuses an output_padding below the dilation but not below the stride": Fault(
        "onnx 1.23.2",
        lambda case: transposed(case, "onnx-reference") and any(w.output_padding >= w.stride for w in windows(case)),
    ),
    "ONNX's reference Pad takes no negative amount": Fault(
        "onnx 1.23.2",
        lambda case: case.peer == "onnx-reference" and case.layer == "zero-padding" and min(case.words["pads"]) < 0,
    ),
    "ONNX Runtime's ConvTranspose appends nothing under SAME where the kernel is below the stride": Fault(
        "onnxruntime 1.32.0",
        lambda case: (
            transposed(case, "onnxruntime")
            and "output_shape" not in case.words
            and same(case)
            and any(w.surplus < 0 for w in windows(case))
        ),
    ),
    "ONNX Runtime's ConvTranspose refuses an output_shape a stride or more above the full output": Fault(
        "onnxruntime 1.32.0",
        lambda case: (
            transposed(case, "onnxruntime")
            and "output_shape" in case.words
            and any(w.output_padding - w.surplus >= w.stride for w in windows(case))
        ),
    ),
    "ONNX Runtime's ConvTranspose refuses an output_padding below the dilation but not below the stride": Fault(
        "onnxruntime 1.32.0",
        lambda case: transposed(case, "onnxruntime") and any(w.output_padding >= w.stride for w in windows(case)),
    ),
    "ONNX Runtime's Conv crops under SAME where the stride leaves nothing to pad (onnxruntime 10086)": Fault(
        "onnxruntime 1.32.0",
        lambda case: (
            case.peer == "onnxruntime"
            and case.layer == "conv"
            and same(case)
            and any(w.surplus < 0 for w in windows(case))
        ),
    ),
    "ONNX Runtime's Conv refuses dilation under SAME (onnxruntime 11927)": Fault(
        "onnxruntime 1.32.0",
        lambda case: (
            case.peer == "onnxruntime" and case.layer == "conv" and same(case) and max(case.words["dilations"]) > 1
        ),
    ),
    "ONNX's reference ConvTranspose crops nothing for an output_shape without SAME that output_padding exceeds": Fault(
        "onnx 1.23.2",
        lambda case: (
            transposed(case, "onnx-reference")
            and "output_shape" in case.words
            and not same(case)
            and any(0 < w.surplus <= w.output_padding for w in windows(case))
        ),
    ),
    "PyTorch refuses the gradient to a float64 kernel in Keras' layout where channels or filters are one": Fault(
        "torch 2.13",
        lambda case: (
            case.peer == "keras-torch"
            and case.layer in ("conv", "conv-transpose")
            and 1 in case.arrays["weights"].shape[-2:]
        ),
        of_gradients=True,
    ),
    "TensorFlow does not convolve channels first on a CPU": Fault(
        "tensorflow 2.21",
        lambda case: on_tensorflow(case, "conv", "conv-transpose") and case.words["data_format"] == "channels_first",
    ),
    "TensorFlow does not convolve transposed with dilation on a CPU": Fault(
        "tensorflow 2.21",
        lambda case: on_tensorflow(case, "conv-transpose") and largest(case.words["dilation_rate"]) > 1,
    ),
    "Keras on TensorFlow fails on same, an even kernel and output_padding 0": Fault(
        "keras 3.15.1",
        lambda case: (
            on_tensorflow(case, "conv-transpose")
            and case.words["padding"] == "same"
            and "output_padding" in case.words
            and any(k % 2 == 0 for k in case.words["kernel_size"])
        ),
    ),
    "Keras on TensorFlow adds a bias to the last axis, channels first, where it is as long as the channels": Fault(
        "keras 3.15.1",
        lambda case: (
            on_tensorflow(case, "depthwise", "separable")
            and case.words["data_format"] == "channels_first"
            and "bias" in case.arrays
        ),
    ),
    "TensorFlow wants the strides of a depthwise step to be equal": Fault(
        "tensorflow 2.21",
        lambda case: (
            on_tensorflow(case, "depthwise", "separable")
            and isinstance(case.words["strides"], list)
            and len(set(case.words["strides"])) > 1
        ),
    ),
    "TensorFlow's bicubic reads its weights from a table": Fault(
        "tensorflow 2.21",
        lambda case: on_tensorflow(case, "resize", "upsampling") and method(case) == "bicubic",
    ),
    "TensorFlow's gradient to the input of Conv3DTranspose is another under same, a kernel below its stride": Fault(
        "tensorflow 2.21",
        lambda case: on_tensorflow(case, "conv-transpose") and case.rank == 3 and case.words["padding"] == "same",
        of_gradients=True,
    ),
    "TensorFlow has no gradient of lanczos in float64": Fault(
        "tensorflow 2.21",
        lambda case: on_tensorflow(case, "resize", "upsampling") and method(case).startswith("lanczos"),
        of_gradients=True,
    ),
}


def known_fault(case: Case) -> str:
    """Return why the answer of a case is not to be copied, or an empty string.

    Where gradients were not asked for, faults of the output alone count.
    """
    asked = "dy" in case.arrays or ("y" in case.arrays and bool(case.refusal))
    covering = (reason for reason, fault in FAULTS.items() if (asked or not fault.of_gradients) and fault.covers(case))
    return next(covering, "")


def is_excused(case: Case, part: str) -> bool:
    """Return whether a case may differ in a part: ``"y"``, or what is only about gradients."""
    reason = known_fault(case)
    return bool(reason) and (part != "y" or not FAULTS[reason].of_gradients)
