"""Random layers, computed by refconv and live by Keras, PyTorch, JAX and ONNX: the values are equal."""

from __future__ import annotations

import importlib.util

import pytest
from agreement import disagreement
from golden.draw import draw
from golden.faults import known_fault
from golden.peers import PACKAGES, ask

SEED = 29
COUNT = {"keras-jax": 50, "keras-torch": 250, "torch": 500, "jax": 80, "onnx-reference": 250, "onnxruntime": 500}


@pytest.mark.peers
@pytest.mark.parametrize("peer", COUNT)
def test_values_are_those_of_the_peer(peer: str) -> None:
    for package in PACKAGES[peer]:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    cases = [case for case in ask(peer, list(draw(peer, COUNT[peer], SEED))) if not known_fault(case)]
    assert len(cases) > COUNT[peer] // 2
    differing = [text for case in cases if (text := disagreement(case))]
    assert not differing, f"{len(differing)} of {len(cases)} differ:\n" + "\n".join(differing[:5])
