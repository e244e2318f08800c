"""Ask Keras, PyTorch, JAX and ONNX for the values that tests/test_golden.py compares with.

Run ``python tests/golden/make_golden.py`` where the `peers` extra is installed, optionally with the
names of the peers to renew. It writes one ``PEER.npz`` each beside itself: arrays, and for every case
the words, the versions that answered, and the reason where the answer is a known fault of the peer.
What it imports of refconv draws
and asks, and computes nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from refconv.verify.draw import draw
from refconv.verify.faults import known_fault
from refconv.verify.peers import ask
from refconv.verify.record import save

HERE = Path(__file__).parent
SEED = 1603_07285
COUNT = {"keras-jax": 180, "keras-torch": 180, "torch": 260, "jax": 180, "onnx-reference": 200, "onnxruntime": 260}
LARGEST_ANSWER = 1500


def main(peers: list[str]) -> None:
    """Write the file of each peer named."""
    for peer in peers:
        answered = ask(peer, list(draw(peer, COUNT[peer], SEED)))
        kept = [case for case in answered if "y" not in case.arrays or case.arrays["y"].size <= LARGEST_ANSWER]
        for case in kept:
            case.difference = known_fault(case)
        path = HERE / f"{peer}.npz"
        save(path, kept)
        refused = sum(bool(case.refusal) for case in kept)
        faults = sum(bool(case.difference) for case in kept)
        print(f"{path.name}: {len(kept)} cases, {refused} refused, {faults} known faults, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:] or list(COUNT))
