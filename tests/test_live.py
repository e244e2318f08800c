"""Layers drawn by hypothesis, computed by refconv and live by others: values and gradients agree."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from refconv.verify.answer import compare
from refconv.verify.draw import DRAWERS, Turn, draw_alternately, draw_case, is_small
from refconv.verify.faults import FAULTS, is_excused, known_fault
from refconv.verify.peers import PEERS, Peer, missing_package, versions_of

EXAMPLES = {
    "oracle": 100,
    "torch": 300,
    "jax": 40,
    "onnxruntime": 300,
    "onnx-reference": 200,
    "keras-torch": 150,
    "keras-jax": 40,
    "keras-numpy": 60,
    "keras-tensorflow": 100,
}


class Drawn:
    """Numbers that hypothesis draws, and shrinks; the values of arrays come from a seed that it draws."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.values = np.random.default_rng(data.draw(st.integers(0, 2**16), label="seed of the values"))

    def integers(self, low: int, high: int, size: tuple[int, ...] | None = None) -> Any:
        if size is not None:
            return self.values.integers(low, high, size)
        return self.data.draw(st.integers(low, high - 1))

    def random(self) -> float:
        return self.data.draw(st.floats(0, 1, exclude_max=True))


@pytest.fixture(scope="module")
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    if package := missing_package(request.param):
        pytest.skip(f"{package} is not installed")
    with Peer(request.param, gradients=True) as process:
        yield process


@pytest.mark.peers
@pytest.mark.parametrize("peer", PEERS, indirect=True)
def test_values_and_gradients_are_those_of_the_peer(peer: Peer) -> None:
    turns = [Turn(layer, drawer, rank) for layer, drawer, ranks, _ in DRAWERS[peer.name] for rank in sorted(set(ranks))]

    @settings(max_examples=EXAMPLES[peer.name], suppress_health_check=list(HealthCheck))
    @given(st.data())
    def agrees(data: st.DataObject) -> None:
        case = draw_case(peer.name, data.draw(st.sampled_from(turns), label="layer"), Drawn(data))
        assume(is_small(case))
        (case,) = peer.ask([case])
        outcome = compare(case)
        assert not outcome.difference or is_excused(case, outcome.part), outcome.difference

    agrees()


@pytest.mark.peers
@pytest.mark.parametrize("peer", ["torch", "onnxruntime", "onnx-reference", "keras-torch"], indirect=True)
def test_known_faults_are_still_those_of_the_version_that_showed_them(peer: Peer) -> None:
    cases = peer.ask(list(islice(draw_alternately(peer.name, seed=0), 400)))
    seen = {known_fault(case) for case in cases if compare(case).difference}
    installed = [f"{package} {version}" for package, version in versions_of(peer.name).items()]
    covered = {reason for case in cases if (reason := known_fault(case))}
    assert covered, "no case meets any"
    same_version = {reason for reason in covered if any(each.startswith(FAULTS[reason].seen_in) for each in installed)}
    assert same_version <= seen, f"{same_version - seen}: mended?"
