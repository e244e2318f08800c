"""Ask every peer about random layers for a while, and count how far refconv agrees."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from refconv.arguments import whole_number
from refconv.errors import ConvError, unknown_choice
from refconv.verify.answer import Outcome, compare
from refconv.verify.draw import DRAWERS, draw_alternately
from refconv.verify.faults import FAULTS, is_excused, known_fault
from refconv.verify.peers import PEERS, Peer, PeerFailedError, missing_package
from refconv.verify.record import Case

FIRST_BATCH = 8
LARGEST_BATCH = 64
BATCH_SECONDS = 0.5
LONGEST_ANSWER = 300.0

Progress = Callable[[str, float], None]


@dataclass
class Tally:
    """What was counted of one layer type of one peer.

    Attributes
    ----------
    cases : int
        Layers put to both.
    gradients : int
        Those of them of which gradients were compared too.
    refused : int
        Those that both refused.
    faults : int
        Those that differ by a known fault of the peer.
    differing : int
        Those that differ otherwise.
    largest_error : float
        Between two numbers, of all that agree.
    """

    cases: int = 0
    gradients: int = 0
    refused: int = 0
    faults: int = 0
    differing: int = 0
    largest_error: float = 0.0


@dataclass
class Report:
    """What a sweep found.

    Attributes
    ----------
    seed : int
        Of the layers drawn.
    tallies : dict
        By peer, then layer type.
    versions : dict
        By peer, then package.
    skipped : dict of str to str
        Peers that were not asked, and why.
    failed : dict of str to str
        Peers that ended while they were asked.
    faults : dict
        For each known fault met: the cases that it covers, and those of them that differ.
    differences : list of str
        What differs, in words.
    """

    seed: int
    tallies: dict[str, dict[str, Tally]] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    faults: dict[str, list[int]] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether nothing differs but by a known fault, and every peer answered."""
        return not self.differences and not self.failed

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain dictionaries, lists and numbers."""
        faults = {
            reason: {"seen_in": FAULTS[reason].seen_in, "covered": covered, "differing": differing}
            for reason, (covered, differing) in self.faults.items()
        }
        return {**asdict(self), "faults": faults, "agrees": self.agrees}


def chosen_peers(names: Sequence[str]) -> tuple[str, ...]:
    """Read names of peers, where ``keras`` and ``onnx`` stand for all of theirs, and none for every peer.

    Raises
    ------
    ConvError
        If a name is unknown.

    Examples
    --------
    >>> chosen_peers(["onnx", "torch"])
    ('torch', 'onnxruntime', 'onnx-reference')
    """
    chosen: set[str] = set()
    for name in names:
        meant = {peer for peer in PEERS if name.lower() in (peer, _family(peer))}
        if not meant:
            raise unknown_choice("--peers", name, dict.fromkeys([*PEERS, *map(_family, PEERS)]))
        chosen |= meant
    return tuple(peer for peer in PEERS if peer in chosen) if names else PEERS


def _family(peer: str) -> str:
    return "onnx" if peer.startswith("onnx") else peer.split("-")[0]


def sweep(names: Sequence[str] = (), *, seconds: int = 60, seed: int = 0, progress: Progress | None = None) -> Report:
    """Compare refconv with its peers on random layers, values and gradients.

    Each peer installed gets an equal share of the time, and at least one batch of cases.

    Parameters
    ----------
    names : sequence of str
        The peers, as `chosen_peers` reads them; all if empty.
    seconds : int
        How long to ask, the start of the peers included.
    seed : int
        The same seed draws the same cases, of which more time sees more.
    progress : callable, optional
        Called with the peer asked and the share of the time that has passed.

    Raises
    ------
    ConvError
        If an argument is malformed, or none of the peers named is installed.

    Examples
    --------
    >>> report = sweep(["oracle"], seconds=1)
    >>> report.agrees, report.tallies["oracle"]["conv"].cases > 0
    (True, True)
    """
    peers = chosen_peers(names)
    seconds, seed = whole_number("--seconds", seconds, 1), whole_number("--seed", seed, 0)
    report = Report(seed)
    for peer in peers:
        if package := missing_package(peer):
            report.skipped[peer] = f"{package} is not installed"
    asked = [peer for peer in peers if peer not in report.skipped]
    if not asked:
        raise ConvError("--peers", ", ".join(names), "none of them is installed", 'run pip install "refconv[peers]"')
    start = time.monotonic()

    def tell(peer: str) -> None:
        if progress is not None:
            progress(peer, min((time.monotonic() - start) / seconds, 1.0))

    with ExitStack() as stack:
        # All start at once: one loads its packages while another is asked.
        started = {peer: stack.enter_context(Peer(peer, gradients=True)) for peer in asked}
        for position, (peer, process) in enumerate(started.items()):
            now = time.monotonic()
            until = now + max(start + seconds - now, 0) / (len(asked) - position)
            tell(peer)
            try:
                for case in _answers(process, seed, until):
                    _count(report, case, compare(case))
                    tell(peer)
            except PeerFailedError as error:
                report.failed[peer] = str(error)
            process.close()
    return report


def _answers(process: Peer, seed: int, until: float) -> Iterator[Case]:
    """Yield answered cases until the time has come; batches grow as fast as the peer is."""
    drawn = draw_alternately(process.name, seed)
    size = FIRST_BATCH
    while True:
        start = time.monotonic()
        yield from process.ask(list(islice(drawn, size)), LONGEST_ANSWER)
        taken = time.monotonic() - start
        if start + taken >= until:
            return
        size = max(1, min(2 * size, int(size * BATCH_SECONDS / taken), LARGEST_BATCH))


def _count(report: Report, case: Case, outcome: Outcome) -> None:
    report.versions.setdefault(case.peer, case.versions)
    tally = report.tallies.setdefault(case.peer, {}).setdefault(case.layer, Tally())
    tally.cases += 1
    reason = known_fault(case)
    if reason:
        met = report.faults.setdefault(reason, [0, 0])
        met[0] += 1
        met[1] += bool(outcome.difference)
    if outcome.difference and is_excused(case, outcome.part):
        tally.faults += 1
    elif outcome.difference:
        tally.differing += 1
        report.differences.append(outcome.difference)
    else:
        tally.refused += not outcome.compared
        tally.gradients += outcome.compared > 1
        tally.largest_error = max(tally.largest_error, outcome.error)


def layers_of(peers: Sequence[str]) -> list[str]:
    """Return the layer types that are drawn for any of these peers, in the order in which they are known.

    Examples
    --------
    >>> layers_of(["jax"])
    ['conv', 'conv-transpose', 'resize']
    """
    order = dict.fromkeys(layer for drawers in DRAWERS.values() for layer, *_ in drawers)
    drawn = {layer for peer in peers for layer, *_ in DRAWERS[peer]}
    return [layer for layer in order if layer in drawn]
