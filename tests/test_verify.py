"""``refconv verify``: drawing, asking and comparing, by the oracle alone; and the independence of what asks."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from refconv import functional
from refconv.cli.commands import commands
from refconv.errors import ConvError
from refconv.verify import peers as peers_module
from refconv.verify import sweep as sweep_module
from refconv.verify.answer import compare
from refconv.verify.draw import draw_alternately
from refconv.verify.faults import FAULTS, is_excused, known_fault
from refconv.verify.peers import PEERS, Peer, PeerFailedError, answered, ask, missing_package
from refconv.verify.record import Case
from refconv.verify.sweep import Report, Tally, chosen_peers, sweep

ROOM = Path(peers_module.__file__).parent
INDEPENDENT = ("draw", "faults", "framework_answers", "gradients", "oracle", "oracle_answers", "peers", "record")


def run(command: str) -> Result:
    return CliRunner().invoke(commands, command.split())


def answered_by_oracle(count: int, seed: int = 1) -> list[Case]:
    return [answered("oracle", case, gradients=True) for case in islice(draw_alternately("oracle", seed), count)]


@pytest.fixture(scope="module")
def result() -> Result:
    return run("verify --peers oracle --seconds 1 --json")


@pytest.mark.parametrize("name", INDEPENDENT)
def test_what_draws_and_asks_imports_nothing_of_what_is_verified(name: str) -> None:
    tree = ast.parse((ROOM / f"{name}.py").read_text(encoding="utf-8"))
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    ours = {module for module in modules if module.split(".")[0] == "refconv"}
    assert ours <= {"refconv.verify", *(f"refconv.verify.{each}" for each in INDEPENDENT)}


def test_a_peer_process_loads_nothing_of_what_is_verified() -> None:
    code = "import sys, json, refconv.verify.peers; print(json.dumps([m for m in sys.modules if m[:7] == 'refconv']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    allowed = {"refconv", "refconv.verify", *(f"refconv.verify.{each}" for each in INDEPENDENT)}
    assert set(json.loads(done.stdout)) <= allowed


def test_the_oracle_agrees_on_values_and_gradients() -> None:
    cases = answered_by_oracle(84)
    outcomes = [compare(case) for case in cases]
    assert [outcome.difference for outcome in outcomes if outcome.difference] == []
    layers = {case.layer for case, outcome in zip(cases, outcomes, strict=True) if outcome.compared > 1}
    assert {"conv", "conv-transpose", "depthwise", "separable", "upsampling", "zero-padding"} <= layers
    assert {"cropping", "resize", "pad", "unfold"} <= layers
    assert {case.rank for case in cases if "dweights" in case.arrays} == {1, 2, 3}
    assert any("dpointwise" in case.arrays for case in cases)
    assert any("dbias" in case.arrays for case in cases)
    assert any(case.refusal for case in cases)


def test_the_same_seed_draws_the_same_cases() -> None:
    once, again, other = (list(islice(draw_alternately("torch", seed), 20)) for seed in (3, 3, 4))
    assert [str(case) for case in once] == [str(case) for case in again] != [str(case) for case in other]
    assert all(np.array_equal(a.arrays["x"], b.arrays["x"]) for a, b in zip(once, again, strict=True))


@pytest.mark.parametrize("peer", PEERS)
def test_a_few_cases_show_every_layer_type_and_rank(peer: str) -> None:
    cases = list(islice(draw_alternately(peer, 0), 22))
    assert len({case.layer for case in cases}) >= 3
    assert {case.rank for case in cases if case.layer == "conv"} == {1, 2, 3}


@pytest.mark.parametrize("part", ["y", "dx", "dweights", "dpointwise", "dbias"])
def test_a_changed_number_is_seen(part: str) -> None:
    case = next(case for case in answered_by_oracle(60) if case.layer == "separable" and "dbias" in case.arrays)
    assert compare(case).difference == ""
    case.arrays[part].flat[-1] += 1
    outcome = compare(case)
    assert outcome.part == part
    assert outcome.error == 1
    assert f"{part} off by 1" in outcome.difference


def test_shapes_refusals_and_numbers_that_are_none_are_seen() -> None:
    case = next(case for case in answered_by_oracle(30) if case.layer == "conv" and "dy" in case.arrays)
    y = case.arrays["y"]
    case.arrays["y"] = y[:, :1] if y.shape[1] > 1 else np.concatenate([y, y])
    assert "is not the peer's" in compare(case).difference
    case.arrays["y"] = np.full_like(y, np.nan)
    assert "off by nan" in compare(case).difference
    del case.arrays["y"], case.arrays["dy"]
    case.refusal = "ValueError: no"
    assert "the peer refuses (ValueError: no)" in compare(case).difference


def test_refused_gradients_do_not_hide_the_output() -> None:
    case = next(case for case in answered_by_oracle(30) if case.layer == "conv" and "dy" in case.arrays)
    case.arrays = {name: array for name, array in case.arrays.items() if name[0] != "d"}
    case.refusal = "RuntimeError: no gradient"
    assert compare(case).part == "gradients"
    case.arrays["y"] = case.arrays["y"] + 1
    assert compare(case).part == "y"


def test_a_fault_of_gradients_excuses_nothing_else() -> None:
    reason = next(reason for reason, fault in FAULTS.items() if fault.of_gradients)
    words: dict[str, Any] = {"kernel_size": [2], "strides": 1, "data_format": "channels_last"}
    arrays = {"x": np.ones((1, 4, 1)), "weights": np.ones((2, 1, 3)), "y": np.ones((1, 3, 3))}
    case = Case("keras-torch", "conv", words, arrays)
    assert known_fault(case) == "", "gradients were not asked for"
    case.refusal = "RuntimeError: grad_weight needs to be contiguous"
    assert known_fault(case) == reason
    assert is_excused(case, "gradients")
    assert not is_excused(case, "y")


def test_json(result: Result) -> None:
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["agrees"] is True
    assert report["differences"] == []
    assert list(report["tallies"]) == ["oracle"]
    conv = report["tallies"]["oracle"]["conv"]
    assert conv["cases"] > 0
    assert conv["gradients"] > 0
    assert conv["largest_error"] == 0
    assert report["tallies"]["oracle"]["resize"]["largest_error"] < 1e-11
    assert report["versions"]["oracle"]["numpy"] == np.__version__


def test_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_module, "missing_package", lambda peer: "" if peer == "oracle" else "a package")
    result = run("verify --seconds 1 --seed 5")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "Random layers compared (seed 5)"
    assert lines[2].split() == ["layer", "oracle"]
    assert next(int(line.split()[1]) for line in lines if line.startswith("conv-transpose")) > 0
    assert "differing       0" in lines
    assert "Skipped torch: a package is not installed." in lines
    assert result.stderr == ""


def test_an_injected_fault_ends_with_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    right = functional.conv_grad_weights_with
    monkeypatch.setattr(functional, "conv_grad_weights_with", lambda *arrays: right(*arrays) + 1)
    result = run("verify --peers oracle --seconds 1")
    assert result.exit_code == 1
    assert "Differs: oracle conv" in result.stdout
    assert "dweights off by 1" in result.stdout
    assert "y off" not in result.stdout


def test_a_crash_of_our_own_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*arrays: Any, **words: Any) -> None:
        raise IndexError("out of bounds")

    monkeypatch.setattr(functional, "crop", crash)
    report = sweep(["oracle"], seconds=1)
    assert any("IndexError: out of bounds" in text for text in report.differences)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("--peers tourch", "did you mean 'torch'?"),
        ("--seconds 0", "`--seconds` = 0"),
        ("--seconds soon", "`--seconds` = 'soon'"),
        ("--seed -1", "`--seed` = -1"),
    ],
)
def test_wrong_arguments(command: str, message: str) -> None:
    result = run(f"verify {command}")
    assert result.exit_code == 2
    assert message in result.stderr


def test_peers_that_are_named_and_missing_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_module, "missing_package", lambda peer: "torch")
    with pytest.raises(ConvError, match=r"none of them is installed; run pip install"):
        sweep(["torch"])


def test_names_of_peers() -> None:
    assert chosen_peers([]) == PEERS
    assert chosen_peers(["ONNX", "jax"]) == ("jax", "onnxruntime", "onnx-reference")
    assert chosen_peers(["keras-jax"]) == ("keras-jax",)


def test_a_peer_that_ends_is_told() -> None:
    with Peer("oracle") as peer:
        (case,) = peer.ask([next(draw_alternately("oracle", 0))])
        assert case.versions == {"numpy": np.__version__}
        peer._process.kill()
        with pytest.raises(PeerFailedError, match="ended by itself"):
            peer.ask([case])


def test_a_failed_peer_is_no_agreement() -> None:
    report = Report(0, {"oracle": {"conv": Tally(cases=1)}})
    assert report.agrees
    report.failed["torch"] = "ended"
    assert not report.agrees


@pytest.mark.peers
def test_every_installed_peer_agrees() -> None:
    result = run("verify --seconds 20 --seed 11 --json")
    report = json.loads(result.stdout)
    assert report["differences"] == []
    assert report["failed"] == {}
    assert result.exit_code == 0
    assert {*report["tallies"], *report["skipped"]} == set(PEERS)
    assert set(report["skipped"]) == {peer for peer in PEERS if missing_package(peer)}


@pytest.mark.peers
def test_a_peer_can_be_asked_for_values_alone() -> None:
    if missing_package("torch"):
        pytest.skip("torch is not installed")
    cases = ask("torch", list(islice(draw_alternately("torch", 2), 10)))
    assert any("y" in case.arrays for case in cases)
    assert all("dy" not in case.arrays for case in cases)
