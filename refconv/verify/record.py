"""One question put to a peer, with the peer's answer, and the files or streams that carry them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np


@dataclass
class Case:
    """A layer, its arguments in the framework's own words, its arrays, and what the peer answered.

    `arrays` holds ``x`` and, where the layer has them, ``weights``, ``pointwise`` and ``bias``, and
    the answer ``y``, all in the framework's own layout. Where gradients were asked for it holds ``dy``, a gradient
    to the output that the peer chose, and what became of it: ``dx``, ``dweights`` and so on. A case
    without ``y`` was refused, one with both was refused its gradients: `refusal` says how. `difference`
    is the reason why the peer's answer is known not to be the rule's.
    """

    peer: str
    layer: str
    words: dict[str, Any]
    arrays: dict[str, np.ndarray]
    refusal: str = ""
    difference: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def framework(self) -> str:
        """The framework whose words these are, as `refconv.conventions` calls it."""
        return "rule" if self.peer == "oracle" else self.peer.split("-")[0].removesuffix("runtime")

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return self.arrays["x"].ndim - 2

    @property
    def channels_last(self) -> bool:
        """Whether ``x`` has its channels last."""
        if "dimension_numbers" in self.words:
            return bool(self.words["dimension_numbers"][0][-1] == "C")
        if self.framework == "jax":
            return self.layer != "conv"
        return self.framework in ("keras", "rule") and self.words.get("data_format") != "channels_first"

    @property
    def input_size(self) -> tuple[int, ...]:
        """Sizes of the spatial axes of ``x``."""
        shape = self.arrays["x"].shape
        return shape[1:-1] if self.channels_last else shape[2:]

    @property
    def size(self) -> int:
        """Count of the numbers that the layer is given."""
        return sum(array.size for array in self.arrays.values())

    def __str__(self) -> str:
        words = ", ".join(f"{name}={value!r}" for name, value in self.words.items())
        return f"{self.peer} {self.layer}{self.arrays['x'].shape}({words})"


def save(target: Path | IO[bytes], cases: Iterable[Case]) -> None:
    """Write cases as one stream of whole numbers, one of floats, and a JSON record that cuts them."""
    streams: dict[str, list[np.ndarray]] = {"integers": [], "floats": []}
    records = []
    for case in cases:
        record = asdict(case)
        record["arrays"] = {}
        for name, array in case.arrays.items():
            whole = bool(np.all(array == np.round(array)) and np.all(np.abs(array) < 2**15))
            stream = "integers" if whole else "floats"
            streams[stream].append(np.ravel(array))
            record["arrays"][name] = [stream, list(array.shape)]
        records.append(record)
    joined = {name: np.concatenate([np.zeros(0), *arrays]) for name, arrays in streams.items()}
    text = json.dumps(records, separators=(",", ":"))
    np.savez_compressed(
        target,
        integers=joined["integers"].astype(np.int16),
        floats=joined["floats"],
        record=np.frombuffer(text.encode(), dtype=np.uint8),
    )


def load(source: Path | IO[bytes]) -> list[Case]:
    """Read cases back; every array is float64."""
    with np.load(source) as stored:
        streams = {name: stored[name].astype(np.float64) for name in ("integers", "floats")}
        records = json.loads(stored["record"].tobytes())
    start = dict.fromkeys(streams, 0)
    cases = []
    for record in records:
        arrays = {}
        for name, (stream, shape) in record["arrays"].items():
            stop = start[stream] + int(np.prod(shape))
            arrays[name] = streams[stream][start[stream] : stop].reshape(shape)
            start[stream] = stop
        cases.append(Case(**{**record, "arrays": arrays}))
    return cases
