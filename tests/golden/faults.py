"""Where a peer is known to answer otherwise than the rule, and why: not to be copied.

Each entry was compared with the peer's source or documentation; the versions that showed it are those
in the golden files. A case it covers need not differ, but of every entry some case does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from golden.record import Case


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
    return case.words.get("auto_pad", "").startswith("SAME")


def transposed(case: Case, peer: str) -> bool:
    return (case.peer, case.layer) == (peer, "conv-transpose")


def method(case: Case) -> str:
    return str(case.words.get("interpolation", case.words.get("mode", "")))


FAULTS: dict[str, Callable[[Case], bool]] = {
    "PyTorch's bicubic has a = -0.75 and repeats the edge; the rule, as Keras on JAX, a = -0.5 and renormalises": (
        lambda case: case.peer == "torch" and case.layer == "resize" and method(case) == "bicubic"
    ),
    "Keras on PyTorch takes PyTorch's bicubic, Keras on JAX its own (jax 15768)": (
        lambda case: case.peer == "keras-torch" and method(case) == "bicubic"
    ),
    "Keras on PyTorch has no lanczos": lambda case: case.peer == "keras-torch" and method(case).startswith("lanczos"),
    "ONNX's reference ConvTranspose fails or mixes its filters with group > 1": (
        lambda case: transposed(case, "onnx-reference") and case.words["group"] > 1
    ),
    "ONNX's reference ConvTranspose puts appended zeros first under SAME": (
        lambda case: transposed(case, "onnx-reference") and same(case) and any(w.surplus < 0 for w in windows(case))
    ),
    "ONNX's reference ConvTranspose refuses an output_shape without SAME that crops or adds a stride or more": (
        lambda case: (
            transposed(case, "onnx-reference")
            and "output_shape" in case.words
            and not same(case)
            and any(not 0 <= w.output_padding - w.surplus < w.stride for w in windows(case))
        )
    ),
    "ONNX's reference ConvTranspose refuses an output_padding below the dilation but not below the stride": (
        lambda case: transposed(case, "onnx-reference") and any(w.output_padding >= w.stride for w in windows(case))
    ),
    "ONNX's reference Pad takes no negative amount": (
        lambda case: case.peer == "onnx-reference" and case.layer == "zero-padding" and min(case.words["pads"]) < 0
    ),
    "ONNX Runtime's ConvTranspose appends nothing under SAME where the kernel is below the stride": (
        lambda case: (
            transposed(case, "onnxruntime")
            and "output_shape" not in case.words
            and same(case)
            and any(w.surplus < 0 for w in windows(case))
        )
    ),
    "ONNX Runtime's ConvTranspose refuses an output_shape a stride or more above the full output": (
        lambda case: (
            transposed(case, "onnxruntime")
            and "output_shape" in case.words
            and any(w.output_padding - w.surplus >= w.stride for w in windows(case))
        )
    ),
    "ONNX Runtime's ConvTranspose refuses an output_padding below the dilation but not below the stride": (
        lambda case: transposed(case, "onnxruntime") and any(w.output_padding >= w.stride for w in windows(case))
    ),
    "ONNX Runtime's Conv crops under SAME where the stride leaves nothing to pad (onnxruntime 10086)": (
        lambda case: (
            case.peer == "onnxruntime"
            and case.layer == "conv"
            and same(case)
            and any(w.surplus < 0 for w in windows(case))
        )
    ),
    "ONNX Runtime's Conv refuses dilation under SAME (onnxruntime 11927)": (
        lambda case: (
            case.peer == "onnxruntime" and case.layer == "conv" and same(case) and max(case.words["dilations"]) > 1
        )
    ),
}


def known_fault(case: Case) -> str:
    """Return why the answer of a case is not to be copied, or an empty string."""
    return next((reason for reason, covers in FAULTS.items() if covers(case)), "")
