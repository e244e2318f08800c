"""Values that Keras, PyTorch, JAX and ONNX gave, against what refconv makes of the same words.

The files come from golden/make_golden.py; none of the peers is needed here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from refconv.verify.answer import disagreement
from refconv.verify.faults import FAULTS, known_fault
from refconv.verify.record import Case, load

HERE = Path(__file__).parent / "golden"
PEERS = ("keras-jax", "keras-torch", "torch", "jax", "onnx-reference", "onnxruntime")
CASES = [case for peer in PEERS for case in load(HERE / f"{peer}.npz")]
REASONS = sorted({case.difference for case in CASES} - {""})
GROUPS = sorted({(case.peer, case.layer) for case in CASES})


@pytest.mark.parametrize(("peer", "layer"), GROUPS, ids=["-".join(group) for group in GROUPS])
def test_values_are_those_of_the_peer(peer: str, layer: str) -> None:
    cases = [case for case in CASES if (case.peer, case.layer) == (peer, layer) and not case.difference]
    assert cases
    differing = [text for case in cases if (text := disagreement(case))]
    assert not differing, f"{len(differing)} of {len(cases)} differ:\n" + "\n".join(differing[:5])


@pytest.mark.parametrize("reason", REASONS)
def test_known_faults_of_peers_are_still_seen(reason: str) -> None:
    assert reason in FAULTS
    cases = [case for case in CASES if case.difference == reason]
    assert any(disagreement(case) for case in cases), f"none of {len(cases)} cases differs: is it mended?"


def per_axis(case: Case, word: str, default: int) -> list[int]:
    value = case.words.get(word, default)
    return [value] * case.rank if isinstance(value, int) else list(value)


def kernel_and(case: Case, words: tuple[str, ...]) -> list[tuple[int, int]]:
    kernel = next((case.words[word] for word in ("kernel_size", "kernel_shape") if word in case.words), None)
    if kernel is None:
        return []
    return list(zip(kernel, per_axis(case, next((w for w in words if w in case.words), ""), 1), strict=True))


STRIDES = ("strides", "stride", "window_strides")
DILATIONS = ("dilation_rate", "dilation", "dilations", "rhs_dilation")
FEATURES: dict[str, Callable[[Case], bool]] = {
    "groups of unequal channels": lambda case: (
        any(case.words.get(word, 1) > 1 for word in ("groups", "group", "feature_group_count"))
        and len(set(case.arrays["weights"].shape)) > 1
    ),
    "an even kernel": lambda case: any(k % 2 == 0 for k, _ in kernel_and(case, STRIDES)),
    "a stride above the kernel": lambda case: any(s > k for k, s in kernel_and(case, STRIDES)),
    "a stride below the kernel": lambda case: any(1 < s < k for k, s in kernel_and(case, STRIDES)),
    "dilation": lambda case: any(d > 1 for k, d in kernel_and(case, DILATIONS) if k > 1),
    "stride and dilation at once": lambda case: (
        any(s > 1 for _, s in kernel_and(case, STRIDES)) and any(d > 1 for _, d in kernel_and(case, DILATIONS))
    ),
    "causal": lambda case: case.words.get("padding") == "causal",
    "causal with a stride": lambda case: (
        case.words.get("padding") == "causal" and any(s > 1 for _, s in kernel_and(case, STRIDES))
    ),
    "the odd cell first": lambda case: "SAME_LOWER" in (case.words.get("padding"), case.words.get("auto_pad")),
    "output_padding": lambda case: (
        any(per_axis(case, "output_padding", 0)) if "output_padding" in case.words else False
    ),
    "output_size": lambda case: case.layer == "conv-transpose" and "output_size" in case.words,
    "output_shape": lambda case: "output_shape" in case.words,
    "asymmetric pads": lambda case: any(
        before != after
        for before, after in zip(
            case.words.get("pads", [])[: case.rank], case.words.get("pads", [])[case.rank :], strict=False
        )
    ),
    "negative pads": lambda case: case.framework == "jax" and str(case.words.get("padding")).count("-") > 0,
    "JAX's default transposed kernel": lambda case: case.words.get("transpose_kernel") is False,
    "JAX's transpose_kernel": lambda case: case.words.get("transpose_kernel") is True,
    "an input dilation": lambda case: any(a > 1 for a in case.words.get("lhs_dilation", [])),
    "a depth multiplier": lambda case: case.layer == "depthwise" and case.arrays["weights"].shape[-1] > 1,
    "other values than zeros around": lambda case: case.words.get("padding_mode", "zeros") != "zeros",
    "channels first": lambda case: case.words.get("data_format") == "channels_first",
}


@pytest.mark.parametrize("feature", FEATURES)
def test_every_feature_is_answered_by_some_peer(feature: str) -> None:
    answered = [case for case in CASES if FEATURES[feature](case) and "y" in case.arrays and not case.difference]
    assert len(answered) >= 3


@pytest.mark.parametrize("peer", PEERS)
def test_every_rank_and_refusals_are_recorded(peer: str) -> None:
    cases = [case for case in CASES if case.peer == peer]
    for layer in ("conv", "conv-transpose"):
        assert {case.rank for case in cases if case.layer == layer and "y" in case.arrays} == {1, 2, 3}
    assert all(case.refusal == "" or "y" not in case.arrays for case in cases)
    assert all(case.versions for case in cases)
    assert all(case.difference == known_fault(case) for case in cases), "run golden/make_golden.py again"


def test_files_are_small() -> None:
    assert sum(path.stat().st_size for path in HERE.glob("*.npz")) < 1_000_000


def test_no_case_is_symmetric() -> None:
    for case in CASES:
        weights = case.arrays.get("weights")
        if weights is not None and weights.size > 4:
            assert not np.array_equal(weights.ravel(), weights.ravel()[::-1]), str(case)
